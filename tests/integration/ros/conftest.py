"""Builds Nav2's action once for all tests of the run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def ros_way(folder: Path, way: str) -> AsyncIterator[RosSite]:
    """``topic``: a bridge without nav2_msgs; ``action``: one with them."""
    more = await nav2_interfaces() if way == "action" else {}
    async with ros_site(folder, way, more) as made:
        yield made


@pytest.fixture(params=["topic", "action"])
async def site(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RosSite]:
    """A site by each of the ways."""
    async with ros_way(tmp_path, request.param) as made:
        yield made


@pytest.fixture
async def plain_site(tmp_path: Path) -> AsyncIterator[RosSite]:
    async with ros_site(tmp_path, "topic", {}) as made:
        yield made
