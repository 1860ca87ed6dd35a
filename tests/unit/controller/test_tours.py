"""Robots on tours in the simulated world: what people, fires, dead robots and zones do to them.

The world's own judges look all the time: collisions, nodes given twice, unlocks, owners, rest.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from contracts.api import DeliveryState, ZoneVerdict
from contracts.api.record import RecordKind
from contracts.units import UtcMs
from controller.core import charging, claims, fleet
from controller.core.deliveries import Delivery
from controller.core.dispatch_inputs import RobotCommanded, ZoneLetThrough
from controller.core.facility_words import FireReleased, FireSaid
from controller.core.fleet import Duty, HoldVerb
from controller.core.outputs import Accepted, FileRecord, Output, Refused
from controller.core.state import SiteState
from tests.fakes.controller_site import small_plan
from tests.fakes.robot_words import standing_at
from zeroentry.simulator.outcome import Outcome
from zeroentry.simulator.script import Expert, Fault, FaultKind, Kitchen, OrderPlan, Script
from zeroentry.simulator.world import World


class Day:
    """One simulated day, into which a test puts a word at a moment of its own."""

    def __init__(
        self,
        *orders: OrderPlan,
        map_name: str = "line",
        robots: int = 1,
        boxes: int = 3,
        faults: tuple[Fault, ...] = (),
        battery: float = 90.0,
    ) -> None:
        script = Script(1, map_name, robots, boxes, orders, faults, battery_percent=battery)
        self.world = World(script, whole_trace=True)
        self.outputs: list[Output] = []
        self.seen: dict[str, list[str]] = {}

    def at(self, second: float, act: Callable[[], None]) -> None:
        self.world.agenda.at(second, act)

    def say(self, second: float, given: object) -> None:
        def offer() -> None:
            self.outputs += self.world.brain.offer(given)  # type: ignore[arg-type]  # an input

        self.at(second, offer)

    def look(self, second: float, what: Callable[[SiteState], None]) -> None:
        self.at(second, lambda: what(self.state))

    @property
    def state(self) -> SiteState:
        return self.world.brain.state

    def delivery(self, name: str) -> Delivery:
        return self.state.deliveries[name]

    def duty(self, name: str = "robot-1") -> Duty:
        return self.state.duties[name]

    def run(self) -> Outcome:
        outcome = self.world.run()
        assert outcome.violation is None, outcome.violation
        return outcome

    def first(self, kind: type[Output]) -> list[Output]:
        return [row for row in self.outputs if isinstance(row, kind)]


def order(number: int, room: int | None = None, **changes: object) -> OrderPlan:
    made = OrderPlan(f"d{number}", f"room-{room or number}", 1.0 + number, load_s=5.0, come_s=5.0)
    return replace(made, **changes)  # type: ignore[arg-type]  # named by the test


def moment(day: Day, state: DeliveryState, name: str = "d1") -> float:
    """When a delivery is in a state first, on the same day without anything said."""
    found: list[float] = []

    def look() -> None:
        row = day.state.deliveries.get(name)
        if row is not None and row.state is state and not found:
            found.append(day.world.agenda.now_s)
        day.world.agenda.after(0.5, look)

    day.at(0.0, look)
    day.world.run()
    assert found, f"{name} is never {state}"
    return found[0] + 1.0


def test_one_robot_brings_three_rooms_theirs_on_one_tour_one_lid_at_a_time() -> None:
    day = Day(order(1), order(2), order(3))
    open_lids: list[int] = []
    tours: list[tuple[str, ...]] = []

    def look() -> None:
        report = day.state.robots["robot-1"].report
        if report is not None:
            open_lids.append(sum(not box.shut for box in report.compartments))
        if day.duty().tour is not None:
            tours.append(day.duty().tour.deliveries)  # type: ignore[union-attr]  # looked at above
        day.world.agenda.after(0.5, look)

    day.at(0.0, look)
    day.run()
    rows = [day.delivery(f"d{number}") for number in (1, 2, 3)]
    assert {row.state for row in rows} == {DeliveryState.RETURNED}
    assert len({row.compartment for row in rows}) == 3
    assert max(len(row) for row in tours) == 3
    assert max(open_lids) == 1


def test_a_held_robot_stands_until_it_is_resumed_and_the_record_says_why() -> None:
    travelling = moment(Day(order(1)), DeliveryState.TRAVELLING)
    day = Day(order(1))
    day.say(travelling, RobotCommanded("robot-1", HoldVerb.HOLD, "a fire drill", "sup"))
    where: list[str | None] = []

    def look(state: SiteState) -> None:
        report = state.robots["robot-1"].report
        assert report is not None
        assert report.paused
        assert not report.driving
        explanation = state.deliveries["d1"].explanation
        assert explanation is not None
        assert "a fire drill" in explanation.en
        where.append(state.duties["robot-1"].at_node)

    day.look(travelling + 20, look)
    day.look(travelling + 60, look)
    day.say(travelling + 61, RobotCommanded("robot-1", HoldVerb.RESUME, "over", "sup"))
    day.run()
    assert where[0] == where[1]
    assert day.delivery("d1").state is DeliveryState.RETURNED
    lines = [row for row in day.outputs if isinstance(row, FileRecord)]
    said = [row for row in lines if row.record_kind is RecordKind.DELIVERY]
    assert [row.data["verb"] for row in said if "verb" in row.data] == ["hold", "resume"]


def test_a_recalled_robot_brings_its_load_back_and_gets_no_work_before_it_is_resumed() -> None:
    travelling = moment(Day(order(1)), DeliveryState.TRAVELLING)
    day = Day(order(1), order(2, at_s=travelling + 10))
    day.say(travelling, RobotCommanded("robot-1", HoldVerb.RECALL, "a wheel squeaks", "sup"))
    day.look(
        travelling + 120,
        lambda state: _is(state.deliveries["d2"].state, DeliveryState.REQUESTED),
    )
    day.say(travelling + 150, RobotCommanded("robot-1", HoldVerb.RESUME, "oiled", "sup"))
    day.run()
    back = day.delivery("d1")
    assert back.state is DeliveryState.FAILED
    assert back.explanation is not None
    assert "a wheel squeaks" in back.explanation.en
    assert "emptied" in [row.what for row in back.custody]
    assert day.delivery("d2").state is DeliveryState.RETURNED


def _is(found: object, wanted: object) -> None:
    assert found == wanted


def test_nobody_is_held_without_a_reason_and_a_robot_that_nobody_holds_is_not_resumed() -> None:
    day = Day()
    day.say(5, RobotCommanded("robot-1", HoldVerb.HOLD, " ", "sup"))
    day.say(6, RobotCommanded("robot-1", HoldVerb.RESUME, "why not", "sup"))
    day.say(7, RobotCommanded("robot-9", HoldVerb.HOLD, "which?", "sup"))
    day.say(8, ZoneLetThrough("robot-1", "nowhere", "please", "sup"))
    day.world.run()
    assert len(day.first(Refused)) == 4
    assert not day.first(Accepted)


def test_on_a_fire_robots_go_to_their_refuges_and_go_on_when_it_is_over() -> None:
    travelling = moment(Day(order(1), map_name="floors", robots=2), DeliveryState.TRAVELLING)
    day = Day(order(1), map_name="floors", robots=2)
    fire_id = next(iter(day.world.plan.fires))
    day.say(travelling, FireSaid(fire_id, burning=True))

    def look(state: SiteState) -> None:
        for duty in state.duties.values():
            assert duty.mission is None, duty
            assert duty.at_node in day.world.plan.refuges
            assert duty.at_node == duty.refuge
        explanation = state.deliveries["d1"].explanation
        assert explanation is not None
        assert "Fire" in explanation.en

    day.look(travelling + 200, look)
    day.say(travelling + 201, FireSaid(fire_id, burning=False))
    day.say(travelling + 202, FireReleased("sup", "a toaster"))
    day.run()
    assert day.delivery("d1").state is DeliveryState.RETURNED


def test_a_supervisor_lets_a_robot_through_what_nobody_sees_and_the_proof_says_so() -> None:
    area = next(
        zone.seen_by
        for zone in Day(map_name="line").world.plan.zones.values()
        if zone.seen_by is not None
    )
    blind = (Fault(FaultKind.BLIND, 1.0, 500.0, area),)
    day = Day(order(1), faults=blind)
    zones = [zone for zone in day.world.plan.zones.values() if zone.seen_by == area]
    held: list[bool] = []
    day.look(120, lambda state: held.append(bool(state.duties["robot-1"].held_for)))
    for zone in zones:
        day.say(121, ZoneLetThrough("robot-1", zone.id, "I stand here myself", "sup"))
    taken: list[DeliveryState] = []
    day.look(300, lambda state: taken.append(state.deliveries["d1"].state))
    day.world.run()
    assert held == [True]
    assert taken[0] not in (DeliveryState.REQUESTED, DeliveryState.TO_KITCHEN)
    unproven = [row for row in day.delivery("d1").zones if row.verdict is ZoneVerdict.UNPROVEN]
    assert unproven
    assert any("I stand here myself" in row.detail for row in unproven)


# --- what others were seen to fail at ----------------------------------------------------------


def test_two_robots_that_meet_at_a_junction_do_not_wait_for_one_another() -> None:
    day = Day(order(1, 1), order(2, 2), order(3, 1), order(4, 2), map_name="tee", robots=2, boxes=1)
    outcome = day.run()
    assert outcome.delivered == 4
    assert outcome.simulated_s < 900


def test_a_robot_that_was_stopped_gets_work_again() -> None:
    faults = (Fault(FaultKind.STOP, 30.0, 400.0, "robot-1"),)
    day = Day(order(1), order(2, at_s=500.0), faults=faults)
    day.run()
    assert day.delivery("d1").state is DeliveryState.RETURNED
    assert day.delivery("d2").state is DeliveryState.RETURNED


def test_a_meal_on_a_robot_that_stopped_is_brought_by_another() -> None:
    travelling = moment(Day(order(1), robots=2), DeliveryState.TRAVELLING)
    day = Day(order(1), robots=2, faults=(Fault(FaultKind.STOP, travelling, 900.0, "robot-1"),))
    first: list[str | None] = []
    day.look(travelling, lambda state: first.append(state.deliveries["d1"].robot_id))
    outcome = day.run()
    assert first == ["robot-1"]
    assert outcome.delivered == 1
    report = day.state.robots["robot-1"].report
    assert report is not None
    assert not any(box.occupied for box in report.compartments), "the kitchen took it out"


def test_an_order_that_a_robot_gave_up_is_driven_again_from_where_it_stands() -> None:
    travelling = moment(Day(order(1)), DeliveryState.TRAVELLING)
    day = Day(order(1), faults=(Fault(FaultKind.FORGET, travelling + 2, 5.0, "robot-1"),))
    day.run()
    assert day.delivery("d1").state is DeliveryState.RETURNED


def test_a_handover_that_fails_keeps_the_robot_where_it_is() -> None:
    locking = moment(Day(order(1)), DeliveryState.LOADING)
    day = Day(order(1), faults=(Fault(FaultKind.BOLT, locking, 60.0, "robot-1"),))
    stood: list[str | None] = []
    day.look(locking + 55, lambda state: stood.append(state.duties["robot-1"].at_node))
    day.world.run()
    assert stood == [day.world.plan.kitchen_node]


def report(node: str, **changes: object) -> fleet.RobotReport:
    made = standing_at(node, order_id="o")
    return replace(made, **changes)  # type: ignore[arg-type]  # named by the test


def test_a_drive_that_the_robot_gave_up_is_noticed_by_its_own_words_alone() -> None:
    way = ("kitchen", "k", "c1")
    duty = fleet.begin(Duty("robot-1", at_node="kitchen"), way, 3, "o")
    taken = fleet.heard(duty, report("kitchen", unpassed=(fleet.Unpassed("c1", 4, True),)))
    assert not fleet.aborted(taken, report("kitchen", unpassed=(fleet.Unpassed("c1", 4, True),)))
    assert fleet.aborted(taken, report("kitchen"))
    assert not fleet.aborted(duty, report("kitchen")), "it has not shown the order yet"


def test_what_a_robot_has_is_not_freed_by_its_error_or_its_silence() -> None:
    travelling = moment(Day(order(1)), DeliveryState.TRAVELLING)
    day = Day(order(1), faults=(Fault(FaultKind.MUTE, travelling, 120.0, "robot-1"),))
    had: list[tuple[str, ...]] = []

    def look(state: SiteState) -> None:
        claim = claims.claim_of(state, state.duties["robot-1"], day.world.agenda.now())
        assert claim is not None
        had.append(claim.way[: claim.has])

    day.look(travelling + 1, look)
    day.look(travelling + 90, look)
    day.world.run()
    assert had[0] == had[1]
    assert len(had[1]) >= 1


def test_nobody_who_never_comes_keeps_the_kitchen_or_a_door_for_ever() -> None:
    day = Day(
        order(1, kitchen=Kitchen.NEVER),
        order(2, expert=Expert.NEVER),
        order(3),
        robots=2,
    )
    day.run()
    ended = {row.id: row for row in day.state.deliveries.values()}
    assert all(row.ended for row in ended.values())
    assert ended["d3"].state is DeliveryState.RETURNED
    for name in ("d1", "d2"):
        assert ended[name].explanation is not None


@pytest.mark.parametrize("battery", [20.0, 90.0])
def test_a_robot_charges_when_it_is_idle_and_does_not_set_out_when_low(battery: float) -> None:
    day = Day(order(1), battery=battery)
    day.world.limit_s = 400.0
    started: list[str | None] = []
    charges: list[bool] = []

    def look(state: SiteState) -> None:
        started.append(state.deliveries["d1"].robot_id)
        report = state.robots["robot-1"].report
        assert report is not None
        charges.append(report.charging)

    day.look(60, look)
    day.world.run()
    low = battery < 25
    assert started == ([None] if low else ["robot-1"])
    assert charges == [low]


@pytest.mark.parametrize(
    ("percent", "hour", "minute", "wanted"),
    [
        (34.0, 3, 0, True),
        (60.0, 3, 0, False),
        (60.0, 10, 29, False),
        (60.0, 10, 30, True),
        (79.0, 11, 39, True),
        (79.0, 11, 40, False),
        (80.0, 11, 0, False),
    ],
)
def test_a_charger_is_wanted_when_low_and_before_noon_in_the_sites_own_time(
    percent: float, hour: int, minute: int, wanted: bool
) -> None:
    plan = small_plan()
    zone = ZoneInfo(plan.site.config.time_zone)
    moment_ms = int(datetime(2026, 11, 22, hour, minute, tzinfo=zone).timestamp() * 1000)
    assert charging.is_wanted(plan, percent, UtcMs(moment_ms)) is wanted
