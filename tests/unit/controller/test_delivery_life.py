"""Deliveries: each state has an owner and a way out; custody; robots that stop with a load."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.api import (
    ArrivalWindow,
    DeliveryKind,
    DeliveryState,
    Sentence,
)
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from controller.core import alerts, custody, deliveries, delivery_life, handover
from controller.core.deliveries import ENDED, Answered, Facts, Open, Warn
from controller.core.delivery_life import TABLE, At
from tests.fakes.orders import a_delivery

DAY_MS = 24 * 3_600_000
MINUTE_MS = 60_000


def box(
    *, lid: LidState = LidState.CLOSED, lock: LockState = LockState.LOCKED, occupied: bool = False
) -> CompartmentState:
    return CompartmentState(1, lid, lock, occupied)


def at(ms: int) -> At:
    return At("kitchen", "door-1", MonoMs(ms), UtcMs(ms))


def english(text: str) -> Sentence:
    return Sentence(zh="无", en=text)


NOTHING_HAPPENS = Facts()
SILENT = Facts(lost_ms=DAY_MS, silent_ms=DAY_MS)
BROKEN = Facts(unfit_ms=DAY_MS)
LID_UP = Facts(standing_at="door-1", compartment=box(lid=LidState.OPEN, occupied=True))
FULL_IN_KITCHEN = Facts(standing_at="kitchen", compartment=box(occupied=True))
REFUSES = Facts(answered=Answered.FAILED, compartment=box(lock=LockState.UNLOCKED))


def test_every_state_that_is_no_end_has_an_owner_and_a_time_out() -> None:
    assert set(TABLE) == set(DeliveryState) - ENDED
    assert all(row.limit_ms > 0 for row in TABLE.values())


@pytest.mark.parametrize("facts", [NOTHING_HAPPENS, SILENT, BROKEN, LID_UP, FULL_IN_KITCHEN])
@pytest.mark.parametrize("cargo", [False, True])
@pytest.mark.parametrize("state", list(TABLE))
def test_no_state_lasts_for_ever_whatever_the_robot_does(
    state: DeliveryState, cargo: bool, facts: Facts
) -> None:
    delivery = a_delivery(state, cargo=cargo)
    moved, _ = delivery_life.advance(delivery, facts, at(TABLE[state].limit_ms + 1))
    if moved.state is state and moved.since_mono_ms != delivery.since_mono_ms:
        # The kitchen's turn to take out what came back begins anew, once.
        later = at(moved.since_mono_ms + delivery_life.LOAD_MAX_MS + 1)
        moved, _ = delivery_life.advance(moved, facts, later)
    assert moved.state is not state
    if moved.state in (DeliveryState.FAILED, DeliveryState.CANCELLED):
        assert moved.explanation is not None


@pytest.mark.parametrize(
    ("state", "said", "troubled"),
    [
        (DeliveryState.REQUESTED, None, False),
        (DeliveryState.REQUESTED, english("Starts at 11:40, to arrive in its window."), False),
        (DeliveryState.REQUESTED, english("Waiting: Robot 1 offline"), True),
        (DeliveryState.TO_KITCHEN, english("Robot 1 is at the kitchen in 12 s."), False),
        (DeliveryState.TO_KITCHEN, handover.FIRE, True),
        (DeliveryState.TO_KITCHEN, english("Its robot is held by sup: a spill"), True),
        (DeliveryState.TRAVELLING, english("Robot 2 stands at c1 and blocks the way"), True),
        (DeliveryState.FAILED, english("No robot came free within an hour."), True),
        (DeliveryState.RETURNED, english("sup took Robot 1 off the floor."), False),
    ],
)
def test_people_are_warned_of_trouble_and_not_of_what_goes_by_plan(
    state: DeliveryState, said: Sentence | None, troubled: bool
) -> None:
    assert handover.troubled(a_delivery(state, explanation=said)) is troubled


@given(
    st.lists(
        st.tuples(
            st.sampled_from([NOTHING_HAPPENS, SILENT, BROKEN, LID_UP, FULL_IN_KITCHEN, REFUSES]),
            st.integers(1, 10 * MINUTE_MS),
        ),
        max_size=40,
    )
)
def test_from_any_walk_a_delivery_ends_once_nothing_happens_any_more(
    walk: list[tuple[Facts, int]],
) -> None:
    now = 0
    delivery = replace(a_delivery(DeliveryState.TRAVELLING), cargo=True)
    for facts, passed_ms in walk:
        now += passed_ms
        delivery, _ = delivery_life.advance(delivery, facts, at(now))
    for _ in range(40):
        if delivery.ended:
            break
        now += 4 * 3_600_000
        delivery, _ = delivery_life.advance(delivery, NOTHING_HAPPENS, at(now))
    assert delivery.ended


def test_a_meal_whose_robot_stopped_is_brought_by_another() -> None:
    delivery = a_delivery(DeliveryState.TRAVELLING, cargo=True)
    waiting, wishes = delivery_life.advance(delivery, Facts(lost_ms=299_000), at(1))
    assert waiting.state is DeliveryState.TRAVELLING
    assert wishes == (Warn(alerts.ROBOT_LOST),)
    moved, wishes = delivery_life.advance(delivery, Facts(lost_ms=301_000, at_node="c1"), at(2))
    assert (moved.state, moved.robot_id, moved.cargo) == (DeliveryState.REQUESTED, None, False)
    assert wishes == (Warn(alerts.STRANDED),)
    assert [row.what for row in moved.custody][-2:] == ["stranded", "ordered_again"]
    assert moved.pin_digest == delivery.pin_digest


def test_papers_whose_robot_stopped_wait_for_it_and_people_are_told_once() -> None:
    delivery = a_delivery(DeliveryState.TRAVELLING, cargo=True, kind=DeliveryKind.PAPERS)
    stranded, wishes = delivery_life.advance(delivery, Facts(unfit_ms=301_000), at(2))
    assert (stranded.state, stranded.robot_id) == (DeliveryState.TRAVELLING, "robot-1")
    assert wishes == (Warn(alerts.STRANDED),)
    again, wishes = delivery_life.advance(stranded, Facts(unfit_ms=302_000), at(3))
    assert again.state is DeliveryState.TRAVELLING
    assert wishes == ()
    there, _ = delivery_life.advance(again, Facts(standing_at="door-1"), at(4))
    assert there.state is DeliveryState.ARRIVED


def test_nobody_collects_is_told_before_it_goes_back() -> None:
    delivery = a_delivery(DeliveryState.ARRIVED, cargo=True)
    told, wishes = delivery_life.advance(delivery, NOTHING_HAPPENS, at(5 * MINUTE_MS + 1))
    assert told.state is DeliveryState.ARRIVED
    assert wishes == (Warn(alerts.NOT_COLLECTED),)
    back, _ = delivery_life.advance(told, NOTHING_HAPPENS, at(10 * MINUTE_MS + 1))
    assert (back.state, back.cargo) == (DeliveryState.RETURNING, True)


def test_who_comes_before_the_window_waits_at_the_door_for_it() -> None:
    window = ArrivalWindow(from_utc_ms=UtcMs(20 * MINUTE_MS), until_utc_ms=UtcMs(40 * MINUTE_MS))
    delivery = a_delivery(DeliveryState.ARRIVED, window=window)
    early, wishes = delivery_life.advance(delivery, NOTHING_HAPPENS, at(24 * MINUTE_MS))
    assert (early.state, wishes) == (DeliveryState.ARRIVED, ())
    back, _ = delivery_life.advance(early, NOTHING_HAPPENS, at(31 * MINUTE_MS))
    assert back.state is DeliveryState.RETURNING


def test_an_order_for_tomorrow_is_not_given_up_today() -> None:
    window = ArrivalWindow(from_utc_ms=UtcMs(DAY_MS), until_utc_ms=UtcMs(DAY_MS + MINUTE_MS))
    delivery = a_delivery(DeliveryState.REQUESTED, window=window)
    assert delivery_life.advance(delivery, NOTHING_HAPPENS, at(DAY_MS))[0] is delivery
    late, _ = delivery_life.advance(delivery, NOTHING_HAPPENS, at(DAY_MS + 17 * MINUTE_MS))
    assert late.state is DeliveryState.FAILED


def test_a_lid_that_does_not_lock_never_starts_the_drive() -> None:
    delivery = a_delivery(DeliveryState.LOCKING, cargo=True, action_id="a")
    said_done = Facts(answered=Answered.DONE, compartment=box(lock=LockState.UNLOCKED))
    assert delivery_life.advance(delivery, said_done, at(1))[0].state is DeliveryState.LOCKING
    failed = Facts(answered=Answered.FAILED, compartment=box(lock=LockState.UNLOCKED))
    again = delivery
    for _ in range(3):
        again = replace(again, state=DeliveryState.LOCKING, since_mono_ms=MonoMs(0))
        again, wishes = delivery_life.advance(again, failed, at(1))
    assert again.state is DeliveryState.FAILED
    assert wishes == (Warn(alerts.LOCK_FAILED),)


def test_an_open_tray_is_handed_over_without_a_bolt_and_custody_says_so() -> None:
    tray = Facts(standing_at="kitchen", tray=True)
    delivery, wishes = delivery_life.advance(a_delivery(DeliveryState.TO_KITCHEN), tray, at(1))
    assert (delivery.state, wishes) == (DeliveryState.LOADING, ())
    said = replace(delivery, said_loaded_by="cook")
    moved, wishes = delivery_life.advance(said, tray, at(2))
    assert (moved.state, wishes) == (DeliveryState.TRAVELLING, ())
    assert "open_tray" in [row.what for row in moved.custody]
    door = replace(tray, standing_at="door-1")
    opened, _ = delivery_life.advance(replace(moved, state=DeliveryState.UNLOCKING), door, at(3))
    assert opened.state is DeliveryState.OPEN
    taken, _ = delivery_life.advance(opened, door, at(3 + delivery_life.TRAY_MAX_MS + 1))
    assert taken.state is DeliveryState.COLLECTED


def test_kitchen_unlocks_are_tried_again_and_then_told() -> None:
    delivery = a_delivery(DeliveryState.RETURNING, cargo=True)
    shut = Facts(standing_at="kitchen", answered=Answered.FAILED, compartment=box(occupied=True))
    opens = 0
    for ms in range(1, 10):
        delivery, wishes = delivery_life.advance(delivery, shut, at(ms))
        opens += sum(isinstance(wish, deliveries.Open) for wish in wishes)
        if delivery.ended:
            break
    assert opens == 1 + delivery_life.TRIES_MAX
    assert wishes == (Warn(alerts.NOT_EMPTIED),)
    assert delivery.explanation is not None


def test_custody_tells_a_gap_once_and_where_it_was_heard_again() -> None:
    delivery = a_delivery(DeliveryState.TRAVELLING, cargo=True)
    heard = Facts(at_node="c1", compartment=box(occupied=True))
    delivery, _ = delivery_life.advance(delivery, heard, at(1))
    silent = replace(heard, silent_ms=6_000)
    for ms in (10_000, 11_000, 12_000):
        delivery, _ = delivery_life.advance(delivery, silent, at(ms))
    delivery, _ = delivery_life.advance(delivery, replace(heard, at_node="c2"), at(13_000))
    told = [(row.what, row.node_id) for row in delivery.custody][-3:]
    assert told == [("sensors", "c1"), ("gap", "c1"), ("sensors", "c2")]


def test_a_contact_that_chatters_leaves_room_for_what_people_do() -> None:
    events = custody.recorded((), "ordered", "tab", UtcMs(0))
    for ms in range(1, 2_000):
        lid = LidState.OPEN if ms % 2 else LidState.CLOSED
        events = custody.noticed(events, box(lid=lid), UtcMs(ms), node_id="c1")
    assert len(events) == custody.SENSED_MAX
    events = custody.recorded(events, "collected", "room", UtcMs(9_999))
    assert events[-1].what == "collected"


def test_what_did_not_open_in_the_kitchen_is_opened_again_in_the_kitchen_alone() -> None:
    """A fire sent the robot to its refuge while it was loaded, and its answer was lost."""
    loading = a_delivery(DeliveryState.LOADING, action_id="open-1")
    late = Facts(answered=Answered.FAILED, compartment=box())
    for where in (None, "dock-1", "door-1"):
        left, wishes = delivery_life.advance(loading, replace(late, standing_at=where), at(1))
        assert (left.tries, left.action_id, wishes) == (0, "open-1", ())
    back, wishes = delivery_life.advance(loading, replace(late, standing_at="kitchen"), at(1))
    assert (back.state, back.tries, wishes) == (DeliveryState.LOADING, 1, (Open(),))
