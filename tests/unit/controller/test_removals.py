"""A person takes a robot off the floor, and puts it back: places, deliveries, proof, words."""

from dataclasses import replace
from functools import cache

from contracts.api import DeliveryKind, DeliveryState, Sentence, ZoneVerdict
from contracts.vda5050.state import ConnectionState
from controller.core import alerts, claims, views
from controller.core.dispatch_inputs import RobotCommanded, ZoneLetThrough
from controller.core.fleet import HoldVerb
from controller.core.outputs import FileRecord, PublishAction, PublishOrder, Refused
from controller.core.state import SiteState
from tests.fakes.robot_words import standing_at
from tests.unit.controller.test_tours import Day, moment, order
from zeroentry.simulator.outcome import Outcome
from zeroentry.simulator.script import Fault, FaultKind


def removed(robot: str = "robot-1", reason: str = "a wheel is off") -> RobotCommanded:
    return RobotCommanded(robot, HoldVerb.REMOVED, reason, "sup")


def returned(robot: str = "robot-1") -> RobotCommanded:
    return RobotCommanded(robot, HoldVerb.RETURNED, "mended", "sup")


@cache
def first_s(state: DeliveryState) -> float:
    """When the one delivery of a day of two robots comes into a state."""
    day = Day(order(1), robots=2)
    day.world.limit_s = 120.0
    return moment(day, state)


def stopped_on_its_way(*, lasts_s: float = 5_000.0) -> tuple[Day, float]:
    """A day on which robot-1 stops with a meal in the corridor, on the way to room 1."""
    at_s = first_s(DeliveryState.TRAVELLING) + 10
    faults = (Fault(FaultKind.STOP, at_s, lasts_s, "robot-1"),)
    day = Day(order(1), robots=2, faults=faults)
    day.world.limit_s = at_s + 250
    return day, at_s


def carry_off(day: Day, second: float, robot: str = "robot-1", **said: str) -> None:
    """A person carries a robot off, and says so."""
    day.at(second, day.world.robots[robot].take_away)
    day.say(second, removed(robot, **said))


def put_back(day: Day, second: float, node: str = "dock-1", robot: str = "robot-1") -> None:
    """A person puts it down at a node, switched on, and says so a little later."""
    day.at(second, lambda: day.world.robots[robot].put(node))
    day.say(second + 5, returned(robot))


def play(day: Day) -> Outcome:
    """To its end, or until the test has seen enough; every other judge of the world is heard."""
    outcome = day.world.run()
    assert outcome.violation is None or outcome.violation.judge == "rest", outcome.violation
    return outcome


def refusals(day: Day) -> list[Sentence]:
    return [row.detail for row in day.outputs if isinstance(row, Refused)]


def test_what_a_removed_robot_stood_on_is_free_and_its_meal_is_brought_by_another() -> None:
    day, at_s = stopped_on_its_way()
    carry_off(day, at_s + 30)
    held: list[frozenset[str]] = []

    def look() -> None:
        rows = claims.claims(day.state, day.world.agenda.now())
        held.append(frozenset(row.robot_id for row in rows))

    day.at(at_s + 29, look)
    day.at(at_s + 31, look)
    outcome = play(day)
    assert held == [frozenset({"robot-1", "robot-2"}), frozenset({"robot-2"})]
    assert outcome.delivered == 1
    row = day.delivery("d1")
    assert row.robot_id == "robot-2"
    what = [event.what for event in row.custody]
    assert "in_hand" in what
    assert what.index("ordered_again") == what.index("in_hand") + 1
    assert next(event.by for event in row.custody if event.what == "in_hand") == "sup"


def test_what_was_not_loaded_yet_goes_back_to_wait_for_another_robot() -> None:
    at_s = first_s(DeliveryState.TO_KITCHEN)
    day = Day(order(1), robots=2)
    first: list[str | None] = []
    day.look(at_s, lambda state: first.append(state.deliveries["d1"].robot_id))
    carry_off(day, at_s + 1)
    play(day)
    assert first == ["robot-1"]
    row = day.delivery("d1")
    assert (row.state, row.robot_id) == (DeliveryState.RETURNED, "robot-2")
    assert "in_hand" not in [event.what for event in row.custody]


def test_papers_on_a_removed_robot_end_and_say_who_has_them() -> None:
    day, at_s = stopped_on_its_way()
    kinds: list[DeliveryState] = []

    def papers() -> None:
        row = replace(day.delivery("d1"), kind=DeliveryKind.PAPERS)
        day.world.brain.state = replace(day.state, deliveries={**day.state.deliveries, "d1": row})

    day.at(at_s + 20, papers)
    carry_off(day, at_s + 30)
    day.look(at_s + 31, lambda state: kinds.append(state.deliveries["d1"].state))
    play(day)
    row = day.delivery("d1")
    assert kinds == [DeliveryState.FAILED]
    assert row.explanation is not None
    assert "sup" in row.explanation.en
    assert "compartment 1" in row.explanation.en
    assert "sup" in row.explanation.zh


def test_the_kitchen_is_told_what_was_inside_until_the_robot_is_back() -> None:
    day, at_s = stopped_on_its_way(lasts_s=60.0)
    carry_off(day, at_s + 30)
    put_back(day, at_s + 90)
    stands: list[bool] = []
    in_hand: list[tuple[int, ...] | None] = []

    def look(state: SiteState) -> None:
        stands.append("delivery.in_hand|robot-1" in state.marks)
        said = views.robot_view(state, "robot-1", day.world.agenda.now().mono_ms).removed
        in_hand.append(said.loaded if said is not None else None)

    for second in (31, 80, 97):
        day.look(at_s + second, look)
    play(day)
    assert stands == [True, True, False]
    assert in_hand == [(1,), (1,), None], "the kitchen's page shows it as long"
    told = [row for row in day.state.alerts.values() if row.alert.rule == alerts.IN_HAND]
    assert told[0].alert.saw is not None
    assert "compartment 1" in told[0].alert.saw.en


def test_alerts_on_a_removed_robot_are_over_and_none_begin() -> None:
    day, at_s = stopped_on_its_way()
    carry_off(day, at_s + 30)
    marks: list[set[str]] = []

    def look(state: object) -> None:
        del state
        rows = {mark.partition("|")[0] for mark in day.state.marks if mark.endswith("|robot-1")}
        marks.append(rows - {alerts.IN_HAND})

    day.look(at_s + 29, look)
    day.look(at_s + 31, look)
    day.look(at_s + 200, look)
    play(day)
    assert marks[0]
    assert marks[1:] == [set(), set()]


def test_where_a_person_fetched_it_from_a_closed_zone_the_proof_says_a_person_was_there() -> None:
    day, at_s = stopped_on_its_way()
    carry_off(day, at_s + 30, reason="it smelt burnt")
    before: list[object] = []
    day.look(at_s + 29, lambda state: before.append(state.deliveries["d1"].zones))
    play(day)
    entered = [
        row for row in day.delivery("d1").zones if row.detail and "it smelt burnt" in row.detail
    ]
    assert entered, before
    assert {row.verdict for row in entered} == {ZoneVerdict.PERSON_SEEN}
    assert all("sup" in row.detail for row in entered)
    lines = [row for row in day.outputs if isinstance(row, FileRecord)]
    said = next(row for row in lines if row.data.get("verb") == "removed")
    assert said.data["entered"]
    assert "it smelt burnt" in said.text.en


def test_a_returned_robot_gets_work_again_from_where_it_says_it_stands() -> None:
    day, at_s = stopped_on_its_way(lasts_s=60.0)
    carry_off(day, at_s + 30)
    put_back(day, at_s + 90)
    places: list[str | None] = []
    day.look(at_s + 80, lambda state: places.append(state.duties["robot-1"].at_node))
    day.look(at_s + 96, lambda state: places.append(state.duties["robot-1"].at_node))
    play(day)
    assert places == [None, "dock-1"]
    assert not refusals(day)
    assert day.duty().refuge == "dock-1"


def test_statements_that_cannot_be_are_refused_with_what_to_do() -> None:
    day = Day(order(1), robots=2)
    travelling = first_s(DeliveryState.TRAVELLING)
    day.say(2, returned())
    day.say(travelling + 3, removed())  # it drives by itself
    day.at(travelling + 5, day.world.robots["robot-1"].take_away)
    day.say(travelling + 6, removed())
    day.say(travelling + 7, removed())  # again
    day.say(travelling + 8, returned())  # still in the hands of people: manual
    day.say(travelling + 9, RobotCommanded("robot-1", HoldVerb.HOLD, "why", "sup"))
    day.say(travelling + 10, ZoneLetThrough("robot-1", "zone-free", "why", "sup"))
    day.world.limit_s = travelling + 20
    play(day)
    said = [row.en for row in refusals(day)]
    assert len(said) == 6, said
    for words, found in zip(
        ("Nobody has taken", "drives by itself", "already", "manual mode", "back first", "back"),
        said,
        strict=True,
    ):
        assert words in found
    assert all(row.zh for row in refusals(day))


def test_it_is_not_believed_to_stand_where_another_robot_is() -> None:
    day, at_s = stopped_on_its_way()
    carry_off(day, at_s + 30)
    day.world.limit_s = at_s + 40
    play(day)
    state, now = day.state, day.world.agenda.now()
    other = state.duties["robot-2"].at_node
    assert other is not None
    report = standing_at(other)
    state = replace(
        state,
        robots={
            **state.robots,
            "robot-1": replace(
                state.robots["robot-1"],
                report=report,
                connection=ConnectionState.ONLINE,
                report_mono_ms=now.mono_ms,
                seen_utc_ms=now.utc_ms,
            ),
        },
    )
    day.world.brain.state = state
    answer = day.world.brain.offer(returned())
    refused = [row for row in answer if isinstance(row, Refused)]
    assert len(refused) == 1
    assert "held by robot 2" in refused[0].detail.en
    assert day.duty().removed is not None


def test_a_removed_robot_is_told_nothing_but_to_drop_its_order() -> None:
    day, at_s = stopped_on_its_way()
    day.at(at_s + 30, day.world.robots["robot-1"].take_away)
    day.say(at_s + 30, removed())
    play(day)
    sent = [row for row in day.outputs if isinstance(row, PublishOrder | PublishAction)]
    mine = {
        row.action.value
        for row in sent
        if isinstance(row, PublishAction) and row.robot_id == "robot-1"
    }
    assert mine <= {"cancelOrder"}
    assert not [row for row in sent if isinstance(row, PublishOrder) and row.robot_id == "robot-1"]
