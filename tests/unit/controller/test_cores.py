"""The pure cores one by one: tables of transitions, what is refused, and properties."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.api import (
    PIN_TRIES_MAX,
    DeliveryState,
    Disposition,
    Handling,
    SessionBody,
    SessionState,
    ZonePassage,
    ZoneVerdict,
)
from contracts.commands import Release, Seal
from contracts.devices import ZonePolicy
from contracts.observations import Appearance, CameraState, Condition, SealApplied
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState, OpenCompartment
from controller.core import (
    alerts,
    deliveries,
    delivery_life,
    fleet,
    handling,
    interlock,
    proof,
    sessions,
)
from controller.core.deliveries import Answered, Facts
from controller.core.delivery_life import At
from controller.core.interlock import Clearance
from controller.core.outputs import ActionKind, Refusal, Refused
from controller.core.plan import route
from controller.core.sessions import SessionVerb
from tests.fakes.controller_site import an_alert, observation, person, small_plan
from tests.fakes.orders import a_delivery
from tests.fakes.robot_words import standing_at
from tests.fakes.sealing import SUSPENDED

PLAN = small_plan()
ZONE = PLAN.zones["corridor"]


def session_in(state: SessionState) -> sessions.Session:
    body = SessionBody(room_id="room-1", title="T", admitted=5)
    return replace(sessions.schedule("s-1", body, "sup", UtcMs(1)), state=state)


@pytest.mark.parametrize("state", list(SessionState))
@pytest.mark.parametrize("verb", list(SessionVerb))
def test_every_session_transition_is_in_the_table_or_says_what_is_possible(
    state: SessionState, verb: SessionVerb
) -> None:
    result = sessions.act(session_in(state), verb, "sup", (), UtcMs(9), SUSPENDED)
    wanted = sessions.TRANSITIONS.get((state, verb))
    if wanted is None:
        assert isinstance(result, Refused)
        assert result.why is Refusal.CONFLICT
        assert "possible" in result.detail.en
    else:
        assert not isinstance(result, Refused)
        assert result[0].state is wanted


def test_sealing_orders_the_node_and_only_its_answer_to_that_order_confirms() -> None:
    result = sessions.act(session_in(SessionState.GATHERING), SessionVerb.SEAL, "sup", (), UtcMs(9))
    assert not isinstance(result, Refused)
    sealed, (command,) = result
    assert isinstance(command, Seal)
    assert (command.admitted, command.session_id) == (5, "s-1")
    old = SealApplied(
        node_id="edge-1",
        room_id="room-1",
        session_id="s-1",
        sealed=True,
        command_id="other",
        utc_ms=UtcMs(1),
    )
    assert sessions.confirm(sealed, old) is sealed
    now = old.model_copy(update={"command_id": command.command_id})
    assert sessions.confirm(sealed, now).seal_confirmed
    released = sessions.act(sealed, SessionVerb.RELEASE, "sup", (), UtcMs(10))
    assert not isinstance(released, Refused)
    (freed,) = released[1]
    assert isinstance(freed, Release)
    assert freed.command_id != command.command_id


def test_a_room_belongs_to_one_session_at_a_time() -> None:
    other = replace(session_in(SessionState.SEALED), id="s-2")
    result = sessions.act(
        session_in(SessionState.SCHEDULED), SessionVerb.GATHER, "sup", (other,), UtcMs(9)
    )
    assert isinstance(result, Refused)
    assert other.public_code in result.detail.en


def test_an_alert_that_comes_twice_and_late_is_one_alert() -> None:
    first = alerts.receive(None, an_alert(), 7, UtcMs(3))
    assert alerts.receive(first, an_alert(), 8, UtcMs(4)) is first
    cleared = alerts.receive(first, an_alert(cleared_utc_ms=5_000), 8, UtcMs(6))
    assert (cleared.number, cleared.alert.condition) == (7, Condition.CLEARED)
    assert alerts.receive(cleared, an_alert(), 9, UtcMs(7)) is cleared


def test_handling_goes_its_way_and_refuses_the_second_resolution() -> None:
    record = alerts.receive(None, an_alert(), 1, UtcMs(3))
    seen = handling.acknowledge(record, "sup", UtcMs(4))
    assert not isinstance(seen, Refused)
    assert handling.acknowledge(seen, "other", UtcMs(5)) is seen
    done = handling.resolve(seen, "sup", Disposition.FALSE, "a coat", UtcMs(6))
    assert not isinstance(done, Refused)
    assert (done.handling, done.note, done.ended) == (Handling.RESOLVED, "a coat", False)
    assert isinstance(handling.resolve(done, "other", Disposition.TEST, "", UtcMs(7)), Refused)
    assert isinstance(handling.acknowledge(done, "sup", UtcMs(7)), Refused)
    assert alerts.receive(done, an_alert(cleared_utc_ms=9_000), 2, UtcMs(9)).ended


def box(*, lid: str = "closed", lock: str = "locked", occupied: bool = False) -> CompartmentState:
    return CompartmentState(1, LidState(lid), LockState(lock), occupied)


LATE = 2 * 3_600_000

# Every state with what makes it go on, and what gets it out when nothing happens.
TABLE = [
    ("requested", {}, Facts(), LATE, "failed"),
    ("to_kitchen", {}, Facts(standing_at="kitchen"), 1, "loading"),
    ("to_kitchen", {}, Facts(lost_ms=61_000), 1, "requested"),
    ("loading", {}, Facts(), LATE, "failed"),
    (
        "loading",
        {"said_loaded_by": "cook"},
        Facts(compartment=box(lock="unlocked", occupied=True)),
        1,
        "locking",
    ),
    ("loading", {"said_loaded_by": "cook"}, Facts(compartment=box(lid="open")), 1, "loading"),
    ("loading", {"said_loaded_by": "cook"}, Facts(compartment=box()), 1, "loading"),
    (
        "locking",
        {},
        Facts(answered=Answered.DONE, compartment=box(occupied=True)),
        1,
        "travelling",
    ),
    ("locking", {}, Facts(answered=Answered.FAILED), 1, "loading"),
    ("locking", {"tries": 2}, Facts(answered=Answered.FAILED), 1, "failed"),
    ("locking", {}, Facts(), 31_000, "loading"),
    ("travelling", {}, Facts(standing_at="door-1"), 1, "arrived"),
    ("travelling", {}, Facts(standing_at="kitchen"), 1, "travelling"),
    ("arrived", {}, Facts(), 601_000, "returning"),
    ("unlocking", {}, Facts(answered=Answered.DONE), 1, "open"),
    ("unlocking", {}, Facts(answered=Answered.FAILED), 1, "arrived"),
    ("unlocking", {}, Facts(), 31_000, "arrived"),
    ("open", {}, Facts(compartment=box(lid="open", lock="unlocked")), 1, "open"),
    (
        "open",
        {},
        Facts(compartment=box(lock="unlocked", occupied=True)),
        121_000,
        "returning",
    ),
    (
        "open",
        {"action_id": "a"},
        Facts(answered=Answered.DONE, compartment=box()),
        1,
        "collected",
    ),
    ("collected", {}, Facts(under_way=True), 1, "returning"),
    ("returning", {}, Facts(standing_at="home-1"), 1, "returned"),
    ("returning", {"cargo": True}, Facts(standing_at="kitchen"), 1, "returning"),
    (
        "returning",
        {"cargo": True, "unloading": True, "returns_as": DeliveryState.FAILED},
        Facts(standing_at="kitchen", compartment=box()),
        1,
        "failed",
    ),
]


@pytest.mark.parametrize(("state", "changes", "facts", "waited", "after"), TABLE)
def test_every_delivery_state_goes_on(
    state: str, changes: dict[str, object], facts: Facts, waited: int, after: str
) -> None:
    delivery = a_delivery(DeliveryState(state), **changes)
    at = At("kitchen", "door-1", MonoMs(waited), UtcMs(waited))
    moved, _ = delivery_life.advance(delivery, facts, at)
    assert moved.state == after
    if moved.ended:
        assert moved.ended_utc_ms == waited


def test_five_wrong_pins_lock_the_delivery_and_warn_once() -> None:
    delivery = a_delivery(DeliveryState.ARRIVED)
    warned = 0
    for left in range(PIN_TRIES_MAX - 1, -1, -1):
        delivery, wishes, refused = deliveries.tried(
            delivery, right=False, by="panel", mono_ms=MonoMs(1), utc_ms=UtcMs(1)
        )
        assert refused is not None
        assert refused.why is Refusal.FORBIDDEN
        assert delivery.pin_tries_left == left
        warned += len(wishes)
    assert warned == 1
    after, wishes, refused = deliveries.tried(
        delivery, right=True, by="panel", mono_ms=MonoMs(2), utc_ms=UtcMs(2)
    )
    assert (after, wishes) == (delivery, ())
    assert refused is not None


@pytest.mark.parametrize("state", [row for row in DeliveryState if row != "arrived"])
def test_a_right_pin_opens_nothing_unless_the_robot_waits_at_the_door(
    state: DeliveryState,
) -> None:
    delivery = a_delivery(state)
    after, wishes, refused = deliveries.tried(
        delivery, right=True, by="panel", mono_ms=MonoMs(1), utc_ms=UtcMs(1)
    )
    assert (after, wishes) == (delivery, ())
    assert refused is not None


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("requested", "cancelled"),
        ("to_kitchen", "cancelled"),
        ("loading", "cancelled"),
        ("travelling", "returning"),
        ("arrived", "returning"),
        ("open", None),
        ("returned", None),
    ],
)
def test_calling_off(state: str, after: str | None) -> None:
    result = deliveries.cancel(a_delivery(DeliveryState(state)), "late", "sup", MonoMs(1), UtcMs(1))
    if after is None:
        assert isinstance(result, Refused)
    else:
        assert not isinstance(result, Refused)
        assert result.state == after
        if after == "returning":
            assert result.cargo


def sight(policy: ZonePolicy, *looks: object, at_ms: int = 0) -> Clearance:
    zone = ZONE.model_copy(update={"policy": policy})
    known: Mapping[str, interlock.ZoneSight] = {}
    for index, people in enumerate(looks):
        camera = CameraState.OFFLINE if people == "blind" else CameraState.LIVE
        seen = observation(
            index=index,
            utc_ms=index * 200,
            people=() if people == "blind" else people,  # type: ignore[arg-type]  # a row of a table
            camera=camera,
        )
        known = interlock.look((zone,), known, seen, MonoMs(index * 200))
    return interlock.clearance(zone, known.get(zone.id), MonoMs(at_ms or (len(looks) - 1) * 200))


EMPTY: tuple[object, ...] = ((),) * 7
RED, BLUE, UNKNOWN = (
    (person(Appearance.RED),),
    (person(Appearance.BLUE),),
    (person(Appearance.UNKNOWN),),
)


@pytest.mark.parametrize(
    ("policy", "looks", "wanted"),
    [
        ("closed", (), "unseen"),
        ("closed", EMPTY, "clear"),
        ("closed", EMPTY[:3], "waiting"),
        ("closed", (*EMPTY, RED), "person"),
        ("closed", (*EMPTY, "blind"), "unseen"),
        ("closed", (*EMPTY, BLUE, ()), "waiting"),
        ("experts_only", (*EMPTY, RED), "slow"),
        ("experts_only", (*EMPTY, BLUE), "person"),
        ("experts_only", (*EMPTY, UNKNOWN), "person"),
        ("open", (), "clear"),
        ("open", (*EMPTY, BLUE), "clear"),
    ],
)
def test_what_robots_may_assume_of_a_zone(
    policy: str, looks: tuple[object, ...], wanted: str
) -> None:
    assert sight(ZonePolicy(policy), *looks) == wanted


def test_a_clearance_lapses_when_no_observation_renews_it() -> None:
    last = (len(EMPTY) - 1) * 200
    assert sight(ZonePolicy.CLOSED, *EMPTY, at_ms=last + 2_000) is Clearance.CLEAR
    assert sight(ZonePolicy.CLOSED, *EMPTY, at_ms=last + 2_001) is Clearance.UNSEEN


def test_a_person_counted_but_not_shown_is_a_stranger() -> None:
    zone = ZONE.model_copy(update={"policy": ZonePolicy.EXPERTS_ONLY})
    seen = observation(index=1, utc_ms=0).model_copy(update={"head_count": 1})
    assert interlock.look((zone,), {}, seen, MonoMs(0))[zone.id].unadmitted == 1


WAY = ("kitchen", "k", "c1", "c2", "door-1")


@given(st.lists(st.sampled_from(["kitchen", "k", "c1", "c2", "door-1", "door-2"]), max_size=30))
def test_a_proof_only_ever_gets_worse_and_its_passages_do_not_overlap(nodes: list[str]) -> None:
    passages: tuple[ZonePassage, ...] = ()
    for at, node in enumerate(nodes):
        state = (Clearance.CLEAR, Clearance.PERSON, Clearance.UNSEEN)[at % 3]
        before = passages
        passages = proof.passed(passages, PLAN, node, {"corridor": state}, UtcMs(at))
        for old, new in zip(before, passages, strict=False):
            if old.verdict is ZoneVerdict.PERSON_SEEN:
                assert new.verdict is ZoneVerdict.PERSON_SEEN
    for one, other in pairwise(passages):
        assert one.left_utc_ms is not None
        assert one.left_utc_ms <= other.entered_utc_ms


def test_a_place_once_left_is_not_taken_back_by_a_late_message() -> None:
    duty = fleet.begin(fleet.Duty("robot-1", at_node="kitchen"), WAY, 3, "o")
    moved = fleet.heard(duty, report_at("k", 2))
    assert moved.mission is not None
    assert moved.mission.passed == 1
    back = fleet.heard(moved, report_at("kitchen", 0))
    assert back.mission is not None
    assert back.mission.passed == 1


def report_at(
    node: str, sequence_id: int, *, order_id: str = "o", update: int = 0, driving: bool = True
) -> fleet.RobotReport:
    return standing_at(
        node,
        order_id=order_id,
        order_update_id=update,
        last_sequence_id=sequence_id,
        driving=driving,
    )


def test_an_unlock_is_not_sent_again_to_a_robot_that_has_left_or_was_told_to() -> None:
    opens = OpenCompartment(1, "d-1", "kitchen", UtcMs(30_000), "a")
    action = fleet.ActionDuty("a", ActionKind.OPEN, opens=opens, valid_until_utc_ms=UtcMs(30_000))
    stands = fleet.with_action(fleet.Duty("robot-1", at_node="kitchen"), action)
    assert [row.action_id for row in fleet.actions_of(stands, UtcMs(1))] == ["a"]
    waits = fleet.begin(stands, WAY, 1, "o")
    assert [row.action_id for row in fleet.actions_of(waits, UtcMs(1))] == ["a"]
    for away in (fleet.begin(stands, WAY, 2, "o"), replace(stands, at_node="k")):
        assert list(fleet.actions_of(away, UtcMs(1))) == []


def test_an_update_repeats_the_last_base_node_and_waits_for_the_one_before() -> None:
    duty = fleet.begin(fleet.Duty("robot-1", at_node="kitchen"), WAY, 2, "o")
    first = fleet.order_of(duty)
    assert first is not None
    assert [(row.sequence_id, row.released) for row in first.nodes] == [
        (0, True),
        (2, True),
        (4, False),
        (6, False),
        (8, False),
    ]
    assert fleet.extend(duty, 4) is duty
    taken = fleet.heard(duty, report_at("kitchen", 0))
    assert fleet.order_of(taken) is None
    longer = fleet.extend(taken, 4)
    update = fleet.order_of(longer)
    assert update is not None
    assert update.order_update_id == 1
    assert [(row.node_id, row.sequence_id, row.released) for row in update.nodes] == [
        ("k", 2, True),
        ("c1", 4, True),
        ("c2", 6, True),
        ("door-1", 8, False),
    ]


def test_a_robot_that_forgot_its_order_gets_a_new_one() -> None:
    duty = fleet.begin(fleet.Duty("robot-1", at_node="kitchen"), WAY, 2, "o")
    waiting = fleet.heard(duty, report_at("kitchen", 0, order_id="before", driving=False))
    assert waiting.mission is not None
    taken = fleet.heard(duty, report_at("kitchen", 0))
    forgot = fleet.heard(taken, report_at("k", 0, order_id="", driving=False))
    assert forgot.mission is None


def test_routes_avoid_nodes_that_others_stand_on_where_they_can() -> None:
    assert route(PLAN, "kitchen", "door-1") == WAY
    assert route(PLAN, "kitchen", "door-1", frozenset({"c1"})) is None
    assert route(PLAN, "kitchen", "kitchen") == ("kitchen",)
