"""The bridge on real rclpy drives a faked robot in another process, by both ways of Nav2."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from contracts.vda5050.topics import VdaKind
from tests.fakes.nav2.site import RosSite, ros_site
from tests.fakes.waiting import elapsed_s, until
from tests.unit.robot_bridge.scenes import order

pytestmark = pytest.mark.system

CANCEL_WITHIN_MS = 200


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RosSite]:
    async with ros_site(tmp_path, "topic", {}) as made:
        yield made


async def test_an_order_becomes_goals_and_arrival_and_cancel_stops_it(
    site: RosSite, record_property: Callable[[str, object], None]
) -> None:
    await site.start_robot(speed=2.0)
    await site.start_bridge()
    await site.ready()
    start_ns = int(elapsed_s() * 1e9)
    await site.say(VdaKind.ORDER, order(("home", "a", "b"), order_id="o1"))
    await until(lambda: site.fake.of("goal"), within_s=5, what="a goal")
    first_ms = (site.fake.of("goal")[0]["ns"] - start_ns) / 1e6
    record_property("order_to_goal_ms", round(first_ms, 1))
    await site.at("b")
    assert [(row["x"], row["y"]) for row in site.fake.of("goal")] == [(4.0, 0.0), (8.0, 0.0)]
    assert site.state.node_states == ()
    await site.say(VdaKind.ORDER, order(("b", "c", "d"), order_id="o2"))
    await until(lambda: len(site.fake.of("goal")) == 3, within_s=5, what="a goal of the second")
    await until(lambda: site.state.driving, within_s=5, what="driving")
    sent_ns = int(elapsed_s() * 1e9)
    await site.act("cancelOrder", "cancel-1")
    await until(lambda: site.finished("cancel-1"), within_s=5, what="cancelOrder finished")
    cancel_ms = (site.fake.of("cancel")[0]["ns"] - sent_ns) / 1e6
    record_property("cancel_ms", round(cancel_ms, 1))
    assert cancel_ms <= CANCEL_WITHIN_MS
    assert not site.state.driving
    assert site.state.node_states == ()
