"""Who blocks whom: a delivery that waits because of a robot says which one, and where it stands."""

from contracts.api import DeliveryState, Sentence
from contracts.observations import Condition, Severity
from controller.core import alerts, blocking
from controller.core.alerts import AlertRecord
from controller.core.dispatch_inputs import RobotCommanded
from controller.core.fleet import HoldVerb
from controller.core.state import SiteState
from tests.unit.controller.test_removals import carry_off, play
from tests.unit.controller.test_tours import Day, order
from zeroentry.simulator.script import noon
from zeroentry.simulator.world import World

STOPS_S = 106.0  # robot-1 comes back from its first tour: it stands in the only way to the kitchen
WINDOW_S = 30 * 60.0


def shut_off(limit_s: float) -> Day:
    """Noon, with one robot that stops for good in the only way between kitchen and rooms."""
    day = Day()
    day.world = World(noon(fails_at_s=STOPS_S, robot="robot-1", for_s=9_000.0), whole_trace=True)
    day.world.limit_s = limit_s
    return day


def alarm(state: SiteState) -> AlertRecord | None:
    rows = (row for row in state.alerts.values() if row.alert.rule == alerts.BLOCKS_WAY)
    return next(rows, None)


def test_a_delivery_says_which_robot_keeps_it_and_an_alarm_says_what_to_do() -> None:
    day = shut_off(300.0)
    said: dict[str, Sentence | None] = {}
    early: list[AlertRecord | None] = []

    def look(state: SiteState) -> None:
        said.update({name: row.explanation for name, row in state.deliveries.items()})

    day.look(150.0, lambda state: early.append(alarm(state)))
    day.look(190.0, look)
    play(day)
    loaded, waits = said["d2"], said["d6"]
    assert loaded is not None
    assert loaded.en.startswith("robot 1 stands at r1 and blocks the way to room-2")
    assert "fetch it" in loaded.en
    assert "robot 1" in loaded.zh
    assert waits is not None
    assert "the way to the kitchen" in waits.en
    assert early == [None]
    found = alarm(day.state)
    assert found is not None
    assert found.alert.severity is Severity.ALARM
    assert found.alert.saw is not None
    for word in ("robot 1", "r1", "room-6", "more", "Taken off the floor"):
        assert word in found.alert.saw.en
    assert "已移离" in found.alert.saw.zh


def test_once_the_robot_is_taken_off_the_floor_every_room_has_its_meal_in_time() -> None:
    day = shut_off(WINDOW_S)
    carry_off(day, 260.0)
    outcome = play(day)
    in_time = [row for row in outcome.orders if row.taken_s is not None and row.taken_s <= WINDOW_S]
    assert len(in_time) == 13
    found = alarm(day.state)
    assert found is not None
    assert found.alert.condition is Condition.CLEARED
    assert not any(
        row.explanation is not None and blocking.is_stale(row.explanation)
        for row in day.state.deliveries.values()
    )


def test_a_robot_that_waits_for_people_is_named_but_nobody_is_alarmed() -> None:
    """robot-1 waits at room 1's door, and whoever brings something to that door waits for it."""
    slow = order(1, come_s=200.0)
    day = Day(slow, order(2, 1, at_s=40.0), robots=2, boxes=1)
    day.world.limit_s = 200.0
    said: list[Sentence] = []

    def look(state: SiteState) -> None:
        row = state.deliveries.get("d2")
        if row is not None and row.explanation is not None and blocking.is_stale(row.explanation):
            said.append(row.explanation)

    for second in range(60, 200, 5):
        day.look(float(second), look)
    play(day)
    assert said, [row.explanation for row in day.state.deliveries.values()]
    assert said[0].en.startswith("robot 1 stands at room-1-door and blocks the way to room-1.")
    assert alarm(day.state) is None


def test_a_robot_that_a_person_holds_is_named_with_who_holds_it() -> None:
    day = shut_off(240.0)
    held = RobotCommanded("robot-1", HoldVerb.HOLD, "a fire drill", "sup")
    day.say(STOPS_S, held)
    play(day)
    found = alarm(day.state)
    assert found is not None
    assert found.alert.saw is not None
    assert "held by sup" in found.alert.saw.en


def test_nothing_is_said_where_robots_only_take_their_turns() -> None:
    day = Day(order(1), order(2), order(3), robots=2)
    said: list[object] = []
    for second in range(20, 240, 10):
        day.look(float(second), lambda state: said.extend(state.dispatch.blocked.values()))
    play(day)
    assert all(row.state is DeliveryState.RETURNED for row in day.state.deliveries.values())
    assert said == []
