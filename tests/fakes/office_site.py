"""The office's building: the demo's site with a fire panel, and robots that waste no time."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import yaml

from runtime.clock import SystemClock
from runtime.mqtt import MqttSettings
from runtime.site import load_site
from tests.fakes.office import DEMO_SITE, Office
from zeroentry.facilities.model import SimBoard, boards_for
from zeroentry.facilities.process import BoardProcess

FIRE_PANEL: Final = "fire-panel"
SPEED_M_S: Final = 2.4  # twice the demo's: nothing here measures driving
_FIRE: Final = {
    "kind": "fire",
    "id": FIRE_PANEL,
    "name": {"zh": "消防主机", "en": "Fire alarm panel"},
    "link": {"via": "simulated"},
}


def office_site(folder: Path) -> Path:
    """A copy of the demo's site in ``folder``, with the fire panel."""
    site = folder / "site"
    shutil.copytree(DEMO_SITE, site)
    for file in (site / "robots").glob("*.yaml"):
        declared = yaml.safe_load(file.read_text("utf-8")) | {"speed_max_m_s": SPEED_M_S}
        file.write_text(yaml.safe_dump(declared, allow_unicode=True), "utf-8")
    (site / "facilities").mkdir()
    fire = yaml.safe_dump(_FIRE, allow_unicode=True, sort_keys=False)
    (site / "facilities" / f"{FIRE_PANEL}.yaml").write_text(fire, "utf-8")
    return site


@contextlib.asynccontextmanager
async def fire_board(office: Office) -> AsyncIterator[SimBoard]:
    """The board of the fire panel is on the bus; ``script("fire-panel burning")`` sets it off."""
    (board,) = boards_for(load_site(office.site_dir).facilities)
    settings = MqttSettings(port=office.broker_port, client_id="office-board")
    process = BoardProcess(board, settings, SystemClock(), 1.0)
    working = [asyncio.create_task(part) for part in process.parts()]
    try:
        yield board
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
