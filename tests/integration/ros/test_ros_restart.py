"""A bridge on ROS that dies in mid-drive goes on with its order; what it was not told stays."""

import pytest

from contracts.vda5050.state import ConnectionState
from contracts.vda5050.topics import VdaKind
from tests.fakes.nav2.site import RosSite
from tests.fakes.waiting import until
from tests.unit.robot_bridge.scenes import order

pytestmark = pytest.mark.system

SOON_S = 30.0
STARTS_S = 60.0
CRAWL_MPS = 0.05  # not at its next node before a bridge has started anew, however long that takes


async def test_a_bridge_that_dies_keeps_order_and_position_and_a_pause(plain_site: RosSite) -> None:
    site = plain_site
    robot = await site.start_robot(speed=1.5)
    bridge = await site.start_bridge()
    await site.ready()
    await site.say(VdaKind.ORDER, order(("home", "a", "b", "c"), order_id="o1"))
    await until(lambda: site.state.last_node_id == "a", within_s=SOON_S, what="a is passed")
    await until(lambda: len(robot.of("goal")) == 2, within_s=SOON_S, what="the goal of b")
    await robot.do(speed=CRAWL_MPS)
    await site.kill(bridge)
    await until(
        lambda: site.connections[-1] is ConnectionState.CONNECTION_BROKEN,
        within_s=SOON_S,
        what="the last will",
    )
    heard = len(site.states)
    bridge = await site.start_bridge()
    await until(lambda: len(site.states) > heard, within_s=STARTS_S, what="it is back")
    first = site.states[heard]
    assert (first.order_id, first.order_update_id, first.last_node_id) == ("o1", 0, "a")
    assert [row.node_id for row in first.node_states] == ["b", "c"]
    where = first.agv_position
    assert where is not None
    assert where.map_id == "floor-1"
    await robot.do(speed=1.5)
    await site.at("c")
    goals = [(row["x"], row["y"]) for row in robot.of("goal")]
    assert goals[-1] == (8.0, 5.0)
    assert set(goals) == {(4.0, 0.0), (8.0, 0.0), (8.0, 5.0)}

    # A paused robot whose bridge dies stays where it is until the master lets it go on.
    await robot.do(speed=CRAWL_MPS)
    await site.say(VdaKind.ORDER, order(("c", "b"), order_id="o2"))
    await until(lambda: site.state.driving, within_s=SOON_S, what="driving back")
    await site.act("startPause", "pause")
    await until(lambda: site.finished("pause"), within_s=SOON_S, what="it stands")
    stood = site.state.agv_position
    given = len(robot.of("goal"))
    await site.kill(bridge)
    heard = len(site.states)
    await site.start_bridge()
    await until(
        lambda: len(site.states) > heard and not site.errors(), within_s=STARTS_S, what="all well"
    )
    assert site.state.paused
    assert [row.node_id for row in site.state.node_states] == ["b"]
    # Its next state by itself comes seconds later: time enough to have moved.
    heard = len(site.states)
    await until(lambda: len(site.states) > heard, within_s=SOON_S, what="a further state")
    assert len(robot.of("goal")) == given
    now = site.state.agv_position
    assert stood is not None
    assert now is not None
    assert (round(now.x, 2), round(now.y, 2)) == (round(stood.x, 2), round(stood.y, 2))
    await robot.do(speed=1.5)
    await site.act("stopPause", "go on")
    await site.at("b")
    assert not site.state.paused
