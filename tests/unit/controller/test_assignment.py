"""Shows which robot takes which deliveries, when it sets out, and what is said about it."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.api import Sentence
from contracts.units import UtcMs
from controller.core import assignment
from controller.core.assignment import Ask, Offer, earliest, plan_tours
from controller.core.plan import SitePlan
from tests.fakes.traffic_yard import Draft

NOW = UtcMs(1_780_000_000_000)
MINUTE_MS = 60_000


def street(doors: int = 8) -> SitePlan:
    """The kitchen at one end of a street, doors every 12 m, a dock beside each crossing."""
    draft = Draft()
    draft.node("kitchen", 0.0, 0.0)
    before = "kitchen"
    for number in range(1, doors + 1):
        here = draft.node(f"c{number}", 12.0 * number, 0.0)
        draft.way(before, here)
        draft.node(f"door-{number}", 12.0 * number, 3.0)
        draft.way(here, f"door-{number}")
        draft.node(f"dock-{number}", 12.0 * number, -3.0)
        draft.way(here, f"dock-{number}")
        draft.refuges.append(f"dock-{number}")
        before = here
    return draft.plan()


def offer(number: int, node: str, boxes: int = 3, battery: float = 90.0, in_s: float = 0) -> Offer:
    return Offer(f"robot-{number}", node, in_s, tuple(range(1, boxes + 1)), battery)


def ask(number: int, door: int, *, from_min: float | None = None, to_min: float = 0.0) -> Ask:
    window = None if from_min is None else UtcMs(NOW + round(from_min * MINUTE_MS))
    until = None if from_min is None else UtcMs(NOW + round(to_min * MINUTE_MS))
    return Ask(f"d{number}", f"room-{door}", f"door-{door}", UtcMs(NOW - 1_000), window, until)


def test_the_nearest_robot_goes_and_says_why() -> None:
    found = plan_tours(street(), [offer(1, "dock-8"), offer(2, "dock-1")], [ask(1, 3)], NOW)
    (tour,) = found.tours
    assert (tour.robot_id, tour.stops) == ("robot-2", (("d1", 1),))
    assert "robot-2 is at the kitchen in 12 s" in tour.why.en
    assert "No robot that can go is nearer" in tour.why.en
    assert "robot-2 约 12 秒到厨房" in tour.why.zh
    assert not found.waiting


def test_neighbours_share_a_tour_where_orders_outnumber_robots() -> None:
    asks = [ask(1, 1), ask(2, 8), ask(3, 2), ask(4, 7), ask(5, 1), ask(6, 8)]
    found = plan_tours(street(), [offer(1, "dock-1"), offer(2, "dock-2")], asks, NOW)
    loads = sorted(sorted(name for name, _ in tour.stops) for tour in found.tours)
    assert loads == [["d1", "d3", "d5"], ["d2", "d4", "d6"]]
    for tour in found.tours:
        assert [box for _, box in tour.stops] == [1, 2, 3]


def test_doors_are_served_in_the_order_that_is_soonest() -> None:
    asks = [ask(1, 5), ask(2, 2), ask(3, 7)]
    (tour,) = plan_tours(street(), [offer(1, "dock-1")], asks, NOW).tours
    assert [name for name, _ in tour.stops] == ["d2", "d1", "d3"]


def test_no_tour_begins_that_the_battery_could_not_finish() -> None:
    far = [ask(1, 8)]
    reserve = assignment.RESERVE_PERCENT
    tired = replace(offer(1, "dock-1"), battery_percent=reserve + 0.5)
    found = plan_tours(street(), [tired], far, NOW)
    assert not found.tours
    assert "battery 16 %" in found.waiting["d1"].en
    # Above the threshold, but not enough for this way there and back and the reserve.
    long = street(doors=100)
    charged = plan_tours(long, [offer(1, "dock-1", battery=90.0)], [ask(1, 100)], NOW)
    assert len(charged.tours) == 1
    low = offer(1, "dock-1", battery=assignment.BATTERY_MIN_PERCENT)
    found = plan_tours(long, [low], [ask(1, 100)], NOW)
    assert not found.tours
    assert "short of battery" in found.waiting["d1"].en
    assert len(plan_tours(long, [low], [ask(1, 10)], NOW).tours) == 1


def test_a_window_is_waited_for_and_then_met() -> None:
    plan, robots = street(), [offer(1, "dock-1")]
    later = ask(1, 4, from_min=60, to_min=80)
    found = plan_tours(plan, robots, [later], NOW)
    assert not found.tours
    assert "Starts at" in found.waiting["d1"].en
    assert assignment.is_start(found.waiting["d1"])
    for minute in range(40, 90):
        now = UtcMs(NOW + minute * MINUTE_MS)
        if plan_tours(plan, robots, [later], now).tours:
            break
    at = earliest(plan, robots, [], replace(later, earliest_utc_ms=None), now)
    assert at is not None
    assert later.earliest_utc_ms is not None
    assert later.latest_utc_ms is not None
    assert later.earliest_utc_ms - assignment.EARLY_S * 1_000 <= at + MINUTE_MS
    assert at <= later.latest_utc_ms


def test_windows_that_do_not_meet_are_not_put_on_one_tour() -> None:
    asks = [ask(1, 4, from_min=0, to_min=5), ask(2, 4, from_min=30, to_min=40)]
    found = plan_tours(street(), [offer(1, "dock-1")], asks, NOW)
    (tour,) = found.tours
    assert [name for name, _ in tour.stops] == ["d1"]
    assert set(found.waiting) == {"d2"}


def test_what_ends_first_goes_first_when_robots_are_short() -> None:
    asks = [ask(1, 3, from_min=0, to_min=30), ask(2, 5, from_min=0, to_min=8)]
    found = plan_tours(street(), [offer(1, "dock-1", boxes=1)], asks, NOW)
    (tour,) = found.tours
    assert tour.stops == (("d2", 1),)
    assert "robot-1" in found.waiting["d1"].en


def test_papers_wait_for_a_robot_that_locks() -> None:
    papers = replace(ask(1, 3), locked=True)
    tray = replace(offer(1, "dock-1"), locks=False)
    found = plan_tours(street(), [tray], [papers], NOW)
    assert not found.tours
    assert "carry meals only" in found.waiting["d1"].en
    (meal,) = plan_tours(street(), [tray], [papers, ask(2, 3)], NOW).tours
    assert meal.stops == (("d2", 1),)
    (tour,) = plan_tours(street(), [tray, offer(2, "dock-8")], [papers], NOW).tours
    assert tour.robot_id == "robot-2"


def test_robots_that_cannot_go_are_named_with_their_reasons() -> None:
    unfit = {"robot-9": Sentence(zh="离线", en="off line")}
    full = replace(offer(2, "dock-2"), compartments=())
    found = plan_tours(street(), [full], [ask(1, 1)], NOW, unfit)
    assert not found.tours
    assert "robot-9 off line" in found.waiting["d1"].en
    assert "robot-2 no empty, shut compartment" in found.waiting["d1"].en
    assert "robot-9 离线" in found.waiting["d1"].zh
    nobody = plan_tours(street(), [], [ask(1, 1)], NOW)
    assert nobody.waiting["d1"].en == "This site has no robot."


def test_an_accepted_tour_passes_on_for_a_real_gain_only() -> None:
    plan, asks = street(), [ask(1, 3)]
    holder = replace(offer(1, "dock-3"), accepted=("d1",))
    for rival, taken_by in (("dock-2", "robot-1"), ("dock-1", "robot-1")):
        found = plan_tours(plan, [holder, offer(2, rival)], asks, NOW)
        assert [tour.robot_id for tour in found.tours] == [taken_by]
    stranded = replace(holder, node="dock-8")
    found = plan_tours(plan, [stranded, offer(2, "dock-1")], asks, NOW)
    assert [tour.robot_id for tour in found.tours] == ["robot-2"]


def test_an_order_waits_for_a_near_robot_that_is_soon_free() -> None:
    soon = offer(1, "kitchen", in_s=10.0)
    found = plan_tours(street(doors=30), [soon, offer(2, "dock-30")], [ask(1, 1)], NOW)
    assert not found.tours
    assert "robot-1 takes it when it is free" in found.waiting["d1"].en
    assert not assignment.is_start(found.waiting["d1"])


def test_no_more_robots_set_out_than_the_kitchen_can_load() -> None:
    robots = [offer(number, f"dock-{number}") for number in range(1, 9)]
    asks = [ask(number, 1 + number % 8) for number in range(24)]
    idle = plan_tours(street(), robots, asks, NOW)
    assert 1 < len(idle.tours) < len(robots)
    busy = plan_tours(street(), robots, asks, NOW, kitchen_s=600.0)
    assert not busy.tours
    assert set(busy.waiting) == {f"d{number}" for number in range(24)}
    assert "The kitchen is loading" in busy.waiting["d0"].en


def test_the_earliest_time_counts_what_is_asked_already() -> None:
    plan, robots = street(), [offer(1, "dock-1", boxes=1)]
    new = ask(99, 8)
    alone = earliest(plan, robots, [], new, NOW)
    behind = earliest(plan, robots, [ask(n, 8) for n in range(4)], new, NOW)
    assert alone is not None
    assert behind is not None
    # Four tours of one compartment before it, each of some minutes.
    assert behind - alone > 4 * 2 * MINUTE_MS
    assert earliest(plan, [], [], new, NOW) is None
    # What is for the evening does not push it back.
    evening = [ask(n, 8, from_min=300, to_min=320) for n in range(4)]
    assert earliest(plan, robots, evening, new, NOW) == alone


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_every_order_is_on_one_tour_or_waits_with_a_reason(seed: int) -> None:
    rng = random.Random(seed)
    robots = [
        offer(n, f"dock-{rng.randint(1, 8)}", rng.randint(0, 4), rng.uniform(5, 100))
        for n in range(rng.randint(0, 6))
    ]
    asks = [
        ask(n, rng.randint(1, 8), from_min=rng.choice((None, -5.0, 3.0, 90.0)), to_min=100.0)
        for n in range(rng.randint(0, 15))
    ]
    found = plan_tours(street(), robots, asks, NOW)
    carried = [name for tour in found.tours for name, _ in tour.stops]
    assert sorted([*carried, *found.waiting]) == sorted(row.delivery_id for row in asks)
    room = {row.robot_id: row.compartments for row in robots}
    assert len({tour.robot_id for tour in found.tours}) == len(found.tours)
    for tour in found.tours:
        boxes = [box for _, box in tour.stops]
        assert len(set(boxes)) == len(boxes)
        assert set(boxes) <= set(room[tour.robot_id])
    assert found == plan_tours(street(), robots, asks, NOW)
