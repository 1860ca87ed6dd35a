"""Parts of the demo that are processes of their own: ``python -m zeroentry.demo cameras FILE``."""

import asyncio
import os
import sys
from pathlib import Path

from runtime.settings import load
from zeroentry.demo.cameras import CamerasSettings
from zeroentry.demo.cameras import main as run_cameras


def main(arguments: list[str]) -> int:
    """Run one part; 2 when it is called wrongly."""
    match arguments:
        case ["cameras", file]:
            settings = load(CamerasSettings, file=Path(file), environ={}, overrides={})
            asyncio.run(run_cameras(settings, os.environ))
            return 0
        case _:
            sys.stderr.write("usage: python -m zeroentry.demo cameras FILE\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
