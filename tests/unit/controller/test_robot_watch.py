"""Robots open on the way, stuck, late or followed: told after the dwell, cleared at once."""

from dataclasses import replace

import pytest

from contracts.api import DeliveryKind, DeliveryState
from contracts.catalogue.robot import (
    COMPARTMENT_OPEN,
    IGNORES_PAUSE,
    OVERDUE,
    PERSON_FOLLOWS,
    STOPPED_OFF_STOP,
)
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from contracts.vda5050.state import ConnectionState
from controller.core import robot_alerts
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty, Mission, RobotLive, RobotReport
from controller.core.interlock import ZoneSight
from controller.core.robot_watch import Facts, Judged, RobotWatch, step
from controller.core.state import Now
from tests.fakes.controller_site import fresh_state, small_plan
from tests.fakes.robot_words import standing_at

WEST, EAST = "w1", "e1"  # a node of each of two zones that follow one another
ZONE = next(iter(small_plan().zones.values()))
PLAN = replace(
    small_plan(),
    zone_at={
        WEST: ZONE.model_copy(update={"id": "west"}),
        EAST: ZONE.model_copy(update={"id": "east"}),
    },
)
ONLINE = ConnectionState.ONLINE
ROBOT = next(iter(PLAN.robots))
SHUT = CompartmentState(1, LidState.CLOSED, LockState.LOCKED, occupied=True)
AJAR = replace(SHUT, lid=LidState.OPEN)
WAY = ("kitchen", "c1", "c2", "c3")
MISSION = Mission("o-1", WAY, 4, answered=0)


def report(
    *, driving: bool = True, box: CompartmentState = SHUT, node: str = "c1", paused: bool = False
) -> RobotReport:
    return standing_at(node, order_id="o-1", driving=driving, paused=paused, compartments=(box,))


def delivery(state: DeliveryState = DeliveryState.TRAVELLING) -> Delivery:
    return Delivery(
        id="d-1",
        room_id="room-1",
        session_id="s-1",
        kind=DeliveryKind.MEAL,
        lines=(),
        ordered_utc_ms=UtcMs(0),
        ordered_by="tab1",
        since_mono_ms=MonoMs(0),
        pin_digest="",
        state=state,
        robot_id=ROBOT,
    )


class Watched:
    """One robot looked at every second."""

    def __init__(self) -> None:
        self.watch = RobotWatch()
        self.ms = 0
        self.sights: dict[str, ZoneSight] = {}

    def look(
        self,
        said: RobotReport,
        *,
        order: Delivery | None = None,
        mission: Mission | None = MISSION,
        at_stop: bool = False,
        **duty: object,
    ) -> dict[str, Judged]:
        self.ms += 1_000
        kept = replace(Duty(ROBOT, mission=mission, at_node=said.last_node), **duty)  # type: ignore[arg-type]  # named by the test
        live = RobotLive(ONLINE, report=said, report_mono_ms=MonoMs(self.ms))
        facts = Facts(kept, live, order, at_stop)
        self.watch, judged = step(
            self.watch, facts, PLAN, self.sights, MonoMs(self.ms), UtcMs(self.ms)
        )
        return {one.rule: one for one in judged}

    def raised(self, said: RobotReport, times: int, **known: object) -> set[str]:
        found: dict[str, Judged] = {}
        for _ in range(times):
            found = self.look(said, **known)  # type: ignore[arg-type]  # named by the test
        return {rule for rule, one in found.items() if one.raised}


@pytest.fixture
def robot() -> Watched:
    return Watched()


def test_a_lid_that_opens_on_the_way_is_told_after_a_second_and_over_when_shut(
    robot: Watched,
) -> None:
    first = robot.look(report(box=AJAR), order=delivery())
    assert not first[COMPARTMENT_OPEN.code].raised
    second = robot.look(report(box=AJAR), order=delivery())
    assert second[COMPARTMENT_OPEN.code].raised
    assert "while it drives" in second[COMPARTMENT_OPEN.code].saw.en
    assert robot.look(report(), order=delivery())[COMPARTMENT_OPEN.code].cleared


@pytest.mark.parametrize("state", [DeliveryState.LOADING, DeliveryState.OPEN])
def test_a_lid_may_be_open_where_somebody_was_let_at_it(
    robot: Watched, state: DeliveryState
) -> None:
    standing = report(driving=False, box=AJAR)
    assert robot.raised(standing, 5, order=delivery(state), at_stop=True, mission=None) == set()


def test_a_lid_open_at_the_door_before_the_pin_is_told(robot: Watched) -> None:
    standing = report(driving=False, box=AJAR)
    raised = robot.raised(
        standing, 3, order=delivery(DeliveryState.ARRIVED), at_stop=True, mission=None
    )
    assert raised == {COMPARTMENT_OPEN.code}


def test_a_robot_that_stands_with_its_way_free_is_told_after_its_dwell(robot: Watched) -> None:
    stuck = report(driving=False)
    assert robot.raised(stuck, 30) == set()
    assert robot.raised(stuck, 1) == {STOPPED_OFF_STOP.code}
    assert robot.look(report())[STOPPED_OFF_STOP.code].cleared


@pytest.mark.parametrize(
    "why",
    [
        {"pause_wanted": True},
        {"held_for": ("corridor",)},
        {"mission": replace(MISSION, passed=3)},
        {"mission": replace(MISSION, cancelling=True)},
        {"mission": None, "at_stop": True},
    ],
)
def test_a_robot_that_stands_for_a_reason_is_left_alone(
    robot: Watched, why: dict[str, object]
) -> None:
    assert robot.raised(report(driving=False), 40, **why) == set()


def test_a_silent_robot_neither_begins_nor_ends_anything(robot: Watched) -> None:
    robot.raised(report(box=AJAR), 3)
    before = robot.watch
    facts = Facts(Duty(ROBOT), RobotLive(), None, at_stop=False)
    after, judged = step(before, facts, PLAN, {}, MonoMs(99_000), UtcMs(99_000))
    assert (after, judged) == (before, ())


def test_a_delivery_is_late_when_nobody_has_brought_it_in_time(robot: Watched) -> None:
    robot.ms = 1_799_000
    assert robot.raised(report(), 1, order=delivery()) == set()
    late = robot.look(report(), order=delivery())
    assert late[OVERDUE.code].raised
    assert "30 minutes" in late[OVERDUE.code].saw.en
    assert robot.look(report(), order=delivery(DeliveryState.ARRIVED))[OVERDUE.code].cleared


def seen(ms: int, people: int = 1) -> ZoneSight:
    return ZoneSight(
        seen=True,
        people=people,
        unadmitted=people,
        received_mono_ms=MonoMs(ms),
        received_utc_ms=UtcMs(ms),
        boot_id="b",
        index=ms,
    )


def test_a_person_in_one_zone_after_another_behind_a_robot_follows_it(robot: Watched) -> None:
    robot.look(report(node=WEST))
    robot.look(report(node=EAST))
    robot.sights["west"] = seen(robot.ms + 500)
    robot.look(report(node=EAST))
    robot.look(report(node="c3"))
    robot.sights["east"] = seen(robot.ms + 500)
    assert robot.raised(report(node="c3"), 5) == set()
    assert robot.raised(report(node="c3"), 2) == {PERSON_FOLLOWS.code}


def test_a_person_in_one_zone_alone_does_not_follow(robot: Watched) -> None:
    robot.look(report(node=WEST))
    robot.look(report(node=EAST))
    robot.sights["west"] = seen(robot.ms + 500)
    robot.look(report(node="c3"))
    assert robot.raised(report(node="c3"), 7) == set()


def test_a_person_seen_before_the_robot_left_does_not_follow(robot: Watched) -> None:
    robot.look(report(node=WEST))
    robot.sights["west"] = robot.sights["east"] = seen(robot.ms + 500)
    robot.look(report(node=EAST))
    robot.look(report(node="c3"))
    assert robot.raised(report(node="c3"), 7) == set()


def test_an_alert_on_a_robot_stands_once_and_clears() -> None:
    site = fresh_state(PLAN)
    live = RobotLive(ONLINE, report=report(box=AJAR), report_mono_ms=MonoMs(60_000))
    site = replace(site, robots={**site.robots, ROBOT: live})
    for ms in (60_000, 61_000, 62_000):
        live = replace(live, report_mono_ms=MonoMs(ms))
        site = replace(site, robots={**site.robots, ROBOT: live})
        site = robot_alerts.watch_robots(site, Now(MonoMs(ms), UtcMs(ms)))
    (record,) = site.alerts.values()
    assert record.alert.rule == COMPARTMENT_OPEN.code
    assert record.alert.since_utc_ms == 60_000
    assert record.alert.saw is not None
    shut = replace(live, report=report(), report_mono_ms=MonoMs(63_000))
    site = replace(site, robots={**site.robots, ROBOT: shut})
    site = robot_alerts.watch_robots(site, Now(MonoMs(63_000), UtcMs(63_000)))
    (record,) = site.alerts.values()
    assert record.alert.cleared_utc_ms == 63_000


def test_a_robot_that_drives_on_though_it_was_told_to_pause_is_told_after_three_seconds(
    robot: Watched,
) -> None:
    wanted = {"pause_wanted": True}
    assert robot.raised(report(), 3, **wanted) == set()
    assert robot.raised(report(), 1, **wanted) == {IGNORES_PAUSE.code}
    assert robot.look(report(driving=False), pause_wanted=True)[IGNORES_PAUSE.code].cleared
    assert robot.raised(report(paused=True), 9, **wanted) == set()  # a contradiction: ``plausible``
    assert robot.raised(report(), 9) == set()
