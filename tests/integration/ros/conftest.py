"""Builds Nav2's action once for all tests of the run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.nav2.site import ROBOT_PYTHON, ROOT, RosSite, ros_site


async def nav2_interfaces() -> dict[str, str]:
    """Where the built action is: what a robot's own ROS would have on its paths."""
    assert ROBOT_PYTHON.exists(), "no ROS here: run deploy/setup/bootstrap.sh robot"
    out = ROOT / "build" / "nav2"
    builder = await asyncio.create_subprocess_exec(
        str(ROBOT_PYTHON),
        str(ROOT / "tests" / "fakes" / "nav2" / "build.py"),
        str(out),
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(90):
        assert await builder.wait() == 0, "the generators failed; see above"
    return {"PYTHONPATH": str(out / "python"), "LD_LIBRARY_PATH": str(out / "lib")}


@pytest.fixture(params=["topic", "action"])
async def site(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RosSite]:
    """``topic``: a bridge without nav2_msgs; ``action``: one with them."""
    more = await nav2_interfaces() if request.param == "action" else {}
    async with ros_site(tmp_path, request.param, more) as made:
        yield made


@pytest.fixture
async def plain_site(tmp_path: Path) -> AsyncIterator[RosSite]:
    async with ros_site(tmp_path, "topic", {}) as made:
        yield made
