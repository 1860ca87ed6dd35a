"""`zeroentry bridge ...` as a person runs it."""

import asyncio
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


async def bridge_words(
    port: int, *arguments: str, within_s: float, processes: list[asyncio.subprocess.Process]
) -> tuple[int, str]:
    """Exit code and output of the command on the broker at ``port``.

    ``processes``: where it is noted, so that a test that ends early ends it too.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "zeroentry",
        "bridge",
        *arguments,
        "--target",
        f"mqtt://127.0.0.1:{port}",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    processes.append(process)
    async with asyncio.timeout(within_s):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()
