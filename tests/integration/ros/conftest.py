"""Builds the interfaces that no index has once for all tests of the run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.nav2.site import ROBOT_PYTHON, ROOT, RosSite, ros_site


async def interfaces(package: str) -> dict[str, str]:
    """Where a built package is: what a robot's own ROS would have on its paths."""
    assert ROBOT_PYTHON.exists(), "no ROS here: run deploy/setup/bootstrap.sh robot"
    out = ROOT / "build" / package.removesuffix("_msgs")
    builder = await asyncio.create_subprocess_exec(
        str(ROBOT_PYTHON),
        str(ROOT / "tests" / "fakes" / "nav2" / "build.py"),
        str(out),
        package,
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(90):
        assert await builder.wait() == 0, "the generators failed; see above"
    return {"PYTHONPATH": str(out / "python"), "LD_LIBRARY_PATH": str(out / "lib")}


@asynccontextmanager
async def ros_way(folder: Path, way: str) -> AsyncIterator[RosSite]:
    """``topic``: a bridge without nav2_msgs; ``action``: one with them."""
    more = await interfaces("nav2_msgs") if way == "action" else {}
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


@pytest.fixture
async def tf_site(tmp_path: Path) -> AsyncIterator[RosSite]:
    """A site whose robot and bridge have tf2_msgs."""
    async with ros_site(tmp_path, "topic", await interfaces("tf2_msgs")) as made:
        yield made
