"""A site on ROS whose robot has boxes, a key switch, lights and tf beside Nav2."""

import asyncio
import json
from collections.abc import Mapping

from contracts.vda5050.profile import compartments_in
from contracts.vda5050.state import OperatingMode
from tests.fakes.nav2.site import ROBOT_PYTHON, ROOT, Robot, RosSite
from tests.fakes.waiting import until

GEAR: Mapping[str, object] = {
    "compartment": "box_",
    "signal": "signal",
    "charge": "charge",
    "automatic": "automatic",
    "protective_field": "field",
    "map_loaded": "map_loaded",
}
"""``ros.topics`` of a bridge whose robot has all of it."""


async def start_gear(site: RosSite, **settings: object) -> Robot:
    """The process with all that the faked Nav2 has not."""
    wish = {"domain_id": site.domain_id, **settings}
    with site.log("gear").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            str(ROBOT_PYTHON),
            str(ROOT / "tests" / "fakes" / "nav2" / "gear.py"),
            json.dumps(wish),
            env=site.environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
    site.processes.append(process)
    gear = Robot(process)
    site.tasks.append(asyncio.create_task(gear.read()))
    return gear


async def all_heard(site: RosSite) -> None:
    """Nothing is wrong, and the gear was heard too: what is silent counts as unsafe."""
    await site.ready()

    def heard() -> bool:
        state = site.state
        boxes = compartments_in(state.information)
        return (
            state.operating_mode is OperatingMode.AUTOMATIC
            and not state.safety_state.field_violation
            and all(row.shut for row in boxes)
        )

    await until(heard, within_s=30, what="the gear is heard")
