"""What the kitchen takes: choices, hours, cut-off, windows, boxes, quotas, recurring, PIN locks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.api import (
    PIN_TRIES_MAX,
    Allergen,
    ArrivalWindow,
    ChangeBody,
    DeliveryBody,
    DeliveryKind,
    DeliveryState,
    Dish,
    MealTime,
    MenuBody,
    OrderLine,
    OrderTerms,
    Portion,
    SessionBody,
    SessionState,
    StandingBody,
)
from contracts.units import MonoMs, UtcMs
from controller.core import deliveries, ordering, ordering_steps
from controller.core.deliveries import Delivery
from controller.core.ordering import Desk, Menu, Standing
from controller.core.ordering_inputs import (
    DeliveryChanged,
    DeliveryJudged,
    MenuEdited,
    ReleaseAsked,
    ReleaseJudged,
    StandingSet,
)
from controller.core.outputs import Accepted, FileRecord, Refusal, Refused
from controller.core.site import step
from controller.core.state import (
    DeliveryOrdered,
    Input,
    Now,
    SessionScheduled,
    SiteState,
    Tick,
)
from tests.fakes.controller_site import fresh_state, named, small_plan

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000
HOUR = 60 * MINUTE


def at(day: str, time: str) -> UtcMs:
    """A local moment in Shanghai."""
    moment = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=SHANGHAI)
    return UtcMs(int(moment.timestamp()) * 1_000)


def window(day: str, time: str, half_min: int = 10) -> ArrivalWindow:
    middle = at(day, time)
    return ArrivalWindow(
        from_utc_ms=UtcMs(middle - half_min * MINUTE),
        until_utc_ms=UtcMs(middle + half_min * MINUTE),
    )


RICE = Dish(id="rice", name=named("rice"), allergens=(Allergen.SOY,))
SATURDAY = Dish(id="soup", name=named("soup"), days=(6,), boxes=0)
NIGHT = Dish(id="night", name=named("night"), from_local="22:00", until_local="02:00", boxes=0)
PAPER = Dish(id="paper", name=named("paper"), kind=DeliveryKind.PAPERS)
TERMS = OrderTerms(boxes=20, boxes_per_compartment=9, portions_per_meal=12, portions_per_day=14)
MENU = Menu(MenuBody(dishes=(RICE, SATURDAY, NIGHT, PAPER), terms=TERMS))


def desk(now: UtcMs, *others: Delivery, menu: Menu = MENU) -> Desk:
    return Desk(menu, SHANGHAI, now, UtcMs(now + 15 * MINUTE), others)


def body(
    *lines: OrderLine, window: ArrivalWindow | None = None, dish: str = "rice", count: int = 1
) -> ChangeBody:
    return ChangeBody(lines=lines or (OrderLine(dish=dish, count=count),), window=window)


def an_order(
    delivery_id: str, room: str, count: int, when: ArrivalWindow | None, utc_ms: UtcMs
) -> Delivery:
    wanted = DeliveryBody(room_id=room, lines=(OrderLine(dish="rice", count=count),), window=when)
    return deliveries.order(
        delivery_id,
        wanted,
        by="tab1",
        session_id=None,
        pin_digest="x$y",
        idempotency_key=None,
        mono_ms=MonoMs(0),
        utc_ms=utc_ms,
    )


MORNING = at("2026-11-23", "09:00")  # a Monday


@pytest.mark.parametrize(
    ("wanted", "kind", "words"),
    [
        (body(dish="cake"), DeliveryKind.MEAL, "cake is not on the menu"),
        (body(dish="rice"), DeliveryKind.PAPERS, "not on the menu of papers"),
        (body(OrderLine(dish="rice", count=1, portion=Portion.SMALL)), DeliveryKind.MEAL,
         "comes in these portions: regular"),
        (body(OrderLine(dish="rice", count=1, avoid=(Allergen.SOY,))), DeliveryKind.MEAL,
         "contains soy"),
        (body(count=10), DeliveryKind.MEAL, "make several orders"),
        (body(dish="soup"), DeliveryKind.MEAL, "served Sat"),
        (body(dish="night"), DeliveryKind.MEAL, "22:00-02:00"),
        (body(window=window("2026-11-23", "12:00", 2)), DeliveryKind.MEAL, "10 to 120 minutes"),
        (body(window=window("2026-12-23", "12:00")), DeliveryKind.MEAL, "at most 7 days"),
        (body(window=window("2026-11-23", "09:00")), DeliveryKind.MEAL,
         "the earliest possible is 09:15"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_and_what_to_do(
    wanted: ChangeBody, kind: DeliveryKind, words: str
) -> None:
    refused = ordering.check(desk(MORNING), "room-1", kind, wanted)
    assert refused is not None
    assert words in refused.detail.en
    assert refused.detail.zh
    assert refused.detail.zh != refused.detail.en


def test_what_is_right_is_taken() -> None:
    noon = window("2026-11-23", "12:00")
    saturday = window("2026-11-28", "12:00")
    night = window("2026-11-24", "01:30")
    for kind, wanted in (
        (DeliveryKind.MEAL, body(count=9, window=noon)),
        (DeliveryKind.MEAL, body(dish="soup", window=saturday)),
        (DeliveryKind.MEAL, body(dish="night", window=night)),
        (DeliveryKind.PAPERS, body(dish="paper")),
    ):
        assert ordering.check(desk(MORNING), "room-1", kind, wanted) is None


def test_the_cut_off_closes_a_meal_and_says_when() -> None:
    noon = body(window=window("2026-11-23", "12:00"))
    on_time, late = at("2026-11-23", "10:00"), at("2026-11-23", "10:01")
    assert ordering.check(desk(on_time), "room-1", DeliveryKind.MEAL, noon) is None
    refused = ordering.check(desk(late), "room-1", DeliveryKind.MEAL, noon)
    assert refused is not None
    assert refused.why is Refusal.CONFLICT
    assert "closed at 10:00" in refused.detail.en
    assert ordering.check(desk(late), "room-1", DeliveryKind.MEAL, body()) is None, "at once"


def test_boxes_and_quotas_are_counted_over_the_house() -> None:
    noon = window("2026-11-23", "12:00")
    had = [an_order(f"d-{room}", room, 8, noon, MORNING) for room in ("room-1", "room-2")]
    wanted = body(count=5, window=noon)
    refused = ordering.check(desk(MORNING, *had), "room-3", DeliveryKind.MEAL, wanted)
    assert refused is not None
    assert "4 of 20 boxes are free" in refused.detail.en
    dinner = body(count=5, window=window("2026-11-23", "18:00"))
    assert ordering.check(desk(MORNING, *had), "room-3", DeliveryKind.MEAL, dinner) is None
    more = ordering.check(desk(MORNING, had[0]), "room-1", DeliveryKind.MEAL, wanted)
    assert more is not None
    assert "may order 12 portions a meal; 4 are left" in more.detail.en
    daily = ordering.check(
        desk(MORNING, had[0]), "room-1", DeliveryKind.MEAL, body(count=7, window=dinner.window)
    )
    assert daily is not None
    assert "14 portions a day" in daily.detail.en
    gone = replace(had[0], state=DeliveryState.CANCELLED)
    assert ordering.check(desk(MORNING, gone), "room-1", DeliveryKind.MEAL, wanted) is None


MINUTES = st.integers(0, 24 * 60 - 1)
DAYS = st.sampled_from(
    ["2026-01-31", "2026-02-28", "2028-02-29", "2026-04-30", "2026-12-31", "2027-01-01"]
)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@given(day=DAYS, begins=MINUTES, lasts=st.integers(1, 23 * 60), cut=st.integers(0, 2_880),
       inside=st.floats(0, 1, exclude_max=True))  # fmt: skip
def test_a_meal_time_holds_each_of_its_moments_over_midnight_and_month_end(
    day: str, begins: int, lasts: int, cut: int, inside: float
) -> None:
    meal = MealTime(
        id="m",
        name=named("m"),
        from_local=clock(begins),
        until_local=clock((begins + lasts) % (24 * 60)),
        cut_off_min=cut,
    )
    terms = OrderTerms(meals=(meal,))
    first = at(day, clock(begins))
    moment = UtcMs(first + int(inside * lasts) * MINUTE)
    found = ordering.meal_at(terms, moment, SHANGHAI)
    assert found is not None
    assert found[1] == first
    around = ArrivalWindow(
        from_utc_ms=UtcMs(moment - 5 * MINUTE), until_utc_ms=UtcMs(moment + 5 * MINUTE)
    )
    assert ordering.cut_off(terms, around, SHANGHAI) == first - cut * MINUTE
    before, behind = UtcMs(first - 1), UtcMs(first + lasts * MINUTE)
    after = ordering.meal_at(terms, behind, SHANGHAI)
    assert ordering.meal_at(terms, before, SHANGHAI) is None or lasts == 24 * 60
    assert after is None or after[1] != first


@given(day=DAYS, minute=MINUTES, late=st.integers(-3 * 60, 3 * 60), half=st.integers(5, 60))
def test_a_window_is_refused_exactly_when_no_robot_can_make_it(
    day: str, minute: int, late: int, half: int
) -> None:
    now = at(day, clock(minute))
    around = desk(now, menu=Menu(MenuBody(dishes=(RICE,), terms=OrderTerms(meals=()))))
    until = UtcMs(around.earliest + late * MINUTE)
    wanted = body(
        window=ArrivalWindow(from_utc_ms=UtcMs(until - 2 * half * MINUTE), until_utc_ms=until)
    )
    refused = ordering.check(around, "room-1", DeliveryKind.MEAL, wanted)
    assert (refused is not None) == (late < 0)
    if refused is not None:
        moment = datetime.fromtimestamp(around.earliest / 1_000, UTC) + timedelta(hours=8)
        assert moment.strftime("%H:%M") in refused.detail.en


@given(day=DAYS, minute=MINUTES, ahead=st.integers(20, 720), plus=st.integers(5, 60),
       steps=st.integers(7, 90))  # fmt: skip
def test_a_recurring_order_is_due_once_a_day_and_never_twice(
    day: str, minute: int, ahead: int, plus: int, steps: int
) -> None:
    row = Standing(
        "s-1",
        StandingBody(dish="rice", at_local=clock(minute), ahead_min=ahead, plus_minus_min=plus),
        "cook",
        UtcMs(0),
    )
    begins = at(day, "00:00")
    rounds = []
    for now in range(begins, begins + 72 * HOUR, steps * MINUTE):
        found = ordering.due(row, UtcMs(now), SHANGHAI)
        if found is not None:
            rounds.append(found[0])
            assert found[1].from_utc_ms - ahead * MINUTE <= now < found[1].until_utc_ms
            row = replace(row, last_day=found[0])
    assert rounds == sorted(set(rounds))
    if steps <= ahead:
        # Three days, and the first round of a fourth where it is ordered the evening before.
        assert len(rounds) in {3, 4}


# --- in the site --------------------------------------------------------------------------------


def run(site: SiteState, given: Input, now: Now) -> tuple[SiteState, list[object]]:
    site, outputs = step(site, given, now)
    return site, list(outputs)


def now_at(utc_ms: int) -> Now:
    return Now(MonoMs(utc_ms - MORNING), UtcMs(utc_ms))


def ordered(kind: DeliveryKind = DeliveryKind.MEAL, dish: str = "tea") -> DeliveryOrdered:
    wanted = DeliveryBody(room_id="room-1", kind=kind, lines=(OrderLine(dish=dish, count=1),))
    return DeliveryOrdered("d-1", wanted, "tab1", "x$y")


def steps_of(outputs: list[object]) -> list[str]:
    return [one.data["step"] for one in outputs if isinstance(one, FileRecord)]


def answer(outputs: list[object]) -> Accepted | Refused:
    return next(one for one in outputs if isinstance(one, Accepted | Refused))


def test_papers_wait_for_a_supervisor_who_did_not_order_them() -> None:
    site, outputs = run(
        fresh_state(small_plan()), ordered(DeliveryKind.PAPERS, "paper"), now_at(MORNING)
    )
    assert site.deliveries["d-1"].state is DeliveryState.PROPOSED
    assert steps_of(outputs) == ["ordered"]
    own = DeliveryJudged("d-1", approved=True, reason="they asked", by="tab1")
    _, outputs = run(site, own, now_at(MORNING + 1))
    assert answer(outputs).why is Refusal.FORBIDDEN  # type: ignore[union-attr]  # refused
    site, outputs = run(site, replace(own, by="sup"), now_at(MORNING + 2))
    assert site.deliveries["d-1"].state is DeliveryState.REQUESTED
    assert site.deliveries["d-1"].approval is not None
    lines = [one for one in outputs if isinstance(one, FileRecord)]
    assert [one.data["step"] for one in lines] == ["approved"]
    assert "sup approved: they asked" in lines[0].text.en
    change = DeliveryChanged(
        "d-1",
        ChangeBody(lines=(OrderLine(dish="documents", count=1),)),
        ordering_steps.as_ordered(site.deliveries["d-1"]),
        "tab1",
    )
    site, _ = run(site, change, now_at(MORNING + 3))
    assert site.deliveries["d-1"].state is DeliveryState.PROPOSED, "another thing, asked anew"
    assert site.deliveries["d-1"].approval is None
    site, outputs = run(site, replace(own, by="sup", approved=False), now_at(MORNING + 4))
    assert site.deliveries["d-1"].state is DeliveryState.CANCELLED
    assert steps_of(outputs) == ["refused", "ended_cancelled"]


def test_a_change_names_what_it_saw() -> None:
    site, _ = run(fresh_state(small_plan()), ordered(), now_at(MORNING))
    seen = ordering_steps.as_ordered(site.deliveries["d-1"])
    other = ChangeBody(lines=(OrderLine(dish="water", count=2),))
    site, outputs = run(site, DeliveryChanged("d-1", other, seen, "tab1"), now_at(MORNING))
    assert (steps_of(outputs), site.deliveries["d-1"].lines) == (["changed"], other.lines)
    _, outputs = run(site, DeliveryChanged("d-1", seen, seen, "tab1"), now_at(MORNING))
    assert answer(outputs).why is Refusal.STALE  # type: ignore[union-attr]  # refused
    loading = replace(site.deliveries["d-1"], state=DeliveryState.LOADING)
    site = replace(site, deliveries={"d-1": loading})
    _, outputs = run(site, DeliveryChanged("d-1", seen, other, "tab1"), now_at(MORNING))
    assert answer(outputs).why is Refusal.CONFLICT  # type: ignore[union-attr]  # refused


def at_door(site: SiteState) -> SiteState:
    row = replace(
        site.deliveries["d-1"], state=DeliveryState.ARRIVED, robot_id="robot-1", compartment=1
    )
    return replace(site, deliveries={"d-1": row})


def test_guessing_locks_for_a_time_that_doubles_and_then_ends() -> None:
    site, _ = run(fresh_state(small_plan()), ordered(), now_at(MORNING))
    row = at_door(site).deliveries["d-1"]
    mono, utc = MonoMs(10_000), MORNING
    for locks, minutes in ((1, 3), (2, 6)):
        for left in range(PIN_TRIES_MAX - 1, -1, -1):
            row, wishes, refused = deliveries.tried(
                row, right=False, by="panel", mono_ms=mono, utc_ms=utc
            )
            assert row.pin_tries_left == left
            assert refused is not None
            assert bool(wishes) == (left == 0), "the last of them is told to people"
        assert row.pin_locks == locks
        assert deliveries.lock_left_ms(row, mono) == minutes * MINUTE
        _, _, refused = deliveries.tried(row, right=True, by="panel", mono_ms=mono, utc_ms=utc)
        assert refused is not None, "the right PIN does not open it either while it is locked"
        early = MonoMs(mono + minutes * MINUTE - 1)
        assert deliveries.lock_over(row, early, utc) is row
        mono = MonoMs(mono + minutes * MINUTE)
        row = deliveries.lock_over(row, mono, utc)
        assert row.pin_tries_left == PIN_TRIES_MAX
    row, wishes, refused = deliveries.tried(row, right=True, by="panel", mono_ms=mono, utc_ms=utc)
    assert refused is None
    assert row.state is DeliveryState.UNLOCKING
    assert wishes == (deliveries.Open(),)
    whats = [one.what for one in row.custody]
    assert whats.count("pin_locked") == whats.count("pin_lock_over") == 2


def test_two_persons_open_it_without_the_pin_and_one_cannot() -> None:
    site, _ = run(fresh_state(small_plan()), ordered(), now_at(MORNING))
    asked = ReleaseAsked("d-1", "the tablet is broken", "sup")
    _, outputs = run(site, asked, now_at(MORNING))
    assert answer(outputs).why is Refusal.CONFLICT, "no robot at the door"  # type: ignore[union-attr]  # refused
    site = at_door(site)
    site, outputs = run(site, asked, now_at(MORNING))
    assert steps_of(outputs) == ["release_asked"]
    yes = ReleaseJudged("d-1", approved=True, by="sup")
    _, outputs = run(site, yes, now_at(MORNING))
    assert answer(outputs).why is Refusal.FORBIDDEN  # type: ignore[union-attr]  # refused
    _, outputs = run(site, replace(yes, by="sup2"), now_at(MORNING + 11 * MINUTE))
    assert isinstance(answer(outputs), Refused), "an asking lapses"
    no, outputs = run(site, replace(yes, by="sup2", approved=False), now_at(MORNING + MINUTE))
    assert no.deliveries["d-1"].state is DeliveryState.ARRIVED
    assert steps_of(outputs) == ["release_refused"]


def noon_standing(site: SiteState) -> SiteState:
    wanted = StandingBody(dish="box-standard", at_local="12:00", ahead_min=60)
    site, outputs = run(site, StandingSet("s-1", wanted, "cook"), now_at(MORNING))
    assert isinstance(answer(outputs), Accepted)
    return site


def sealed(site: SiteState, room: str, admitted: int) -> SiteState:
    session = SessionBody(room_id=room, title="T", admitted=admitted)
    site, _ = run(site, SessionScheduled(f"s-{room}", session, "sup"), now_at(MORNING))
    row = replace(site.sessions[f"s-{room}"], state=SessionState.SEALED)
    return replace(site, sessions={**site.sessions, row.id: row})


def test_noon_is_ordered_for_all_sealed_rooms_that_did_not_order_themselves() -> None:
    site = sealed(sealed(fresh_state(small_plan()), "room-1", 12), "room-2", 5)
    site = noon_standing(site)
    site, _ = run(site, Tick(), now_at(at("2026-11-23", "10:49")))
    assert site.deliveries == {}
    site, outputs = run(site, Tick(), now_at(at("2026-11-23", "10:50")))
    rows = {row.id: (row.room_id, row.lines[0].count) for row in site.deliveries.values()}
    assert rows == {
        "d-s-1-20261123-room-1-1": ("room-1", 6),
        "d-s-1-20261123-room-1-2": ("room-1", 6),
        "d-s-1-20261123-room-2-1": ("room-2", 5),
    }
    assert all(row.pin_digest == "" for row in site.deliveries.values())
    assert steps_of(outputs) == ["ordered"] * 3
    again, _ = run(site, Tick(), now_at(at("2026-11-23", "10:51")))
    assert len(again.deliveries) == 3


def test_what_a_recurring_order_cannot_have_stands_in_the_record() -> None:
    site = noon_standing(sealed(fresh_state(small_plan()), "room-1", 5))
    menu = ordering.menu_in(site.ordering)
    dishes = tuple(
        row.model_copy(update={"sold_out": True}) if row.id == "box-standard" else row
        for row in menu.body.dishes
    )
    edit = MenuEdited(MenuBody(dishes=dishes), 0, "cook")
    site, _ = run(site, edit, now_at(MORNING))
    _, outputs = run(site, edit, now_at(MORNING))
    assert answer(outputs).why is Refusal.STALE  # type: ignore[union-attr]  # refused
    site, outputs = run(site, Tick(), now_at(at("2026-11-23", "11:00")))
    assert site.deliveries == {}
    assert steps_of(outputs) == ["recurring_refused"]
