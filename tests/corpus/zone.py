"""Scenarios of the rules on zones: who enters, stays, crosses a line, meets whom, works late."""

from math import hypot
from typing import Final

from contracts.observations import Mode
from contracts.zones import ZoneKind
from edge.core.room import Tick
from tests.corpus import stages
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import (
    CAMERA,
    Scenario,
    Spare,
    Truth,
    merged,
    said,
    seal,
    truths,
)
from tests.corpus.spans import Spans, where, without
from tests.corpus.stage import Stage
from tests.corpus.zone_floor import Line, Patch, crossed, edges, moments
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout
from zeroentry.composer.model import Vest

ENTRY = "zone.entry"
LOITERING = "zone.loitering"
WRONG = "zone.wrong_direction"
CONTACT = "zone.roles_contact"
NIGHT = "zone.after_hours"
ENTRY_DWELL_MS = 600
SOMEBODY = "visitor"


def corridor(draw: Draw, duration_ms: int = 34_000) -> Stage:
    """A passage seen along its length: feet can be seen, as where zones are drawn on a floor."""
    return Stage(draw, Layout.CORRIDOR, seats=0, duration_ms=duration_ms)


def scenario(
    name: str,
    draw: Draw,
    stage: Stage,
    *zones: Patch | Line,
    truth: tuple[Truth, ...] = (),
    spare: tuple[Spare, ...] = (),
    rules: dict[str, dict[str, float]] | None = None,
) -> Scenario:
    """A scenario of zones in a room without a session; vests are no affair of it."""
    stages.disturb(stage, draw)
    return Scenario(
        name=name,
        seed=draw.seed,
        room=room(zones={CAMERA: [one.zone(stage) for one in zones]}, rules=rules or {}, admits={}),
        duration_ms=stage.duration_ms,
        open=stage.pictures,
        truth=truth,
        spare=spare,
    )


# ---- zone.entry --------------------------------------------------------------------------------


@family(ENTRY)
def steps_beside_table(draw: Draw) -> Scenario:
    """A committee sits; somebody comes in and stands where nobody may be."""
    stage = Stage(draw, seats=draw.whole(0, 4), duration_ms=45_000)
    stage.seat_all()
    goal = stage.hall.stands[0]
    spot = Patch(ZoneKind.FORBIDDEN, goal.x_m - 0.7, goal.x_m + 0.7, goal.z_m - 0.7, goal.z_m + 0.7)
    there_ms = stage.enters(SOMEBODY, draw.ms(8_000, 12_000), goal=goal)
    stage.leaves(SOMEBODY, there_ms + draw.ms(5_000, 12_000))
    inside = spot.spans(stage, SOMEBODY)
    return scenario(
        "steps_beside_table", draw, stage, spot,
        truth=truths(ENTRY, spot.subject, inside), spare=edges(inside, ENTRY, spot.subject),
    )  # fmt: skip


@family(ENTRY)
def stops_in_corridor(draw: Draw) -> Scenario:
    """Somebody walks through a passage and stops on the forbidden part of its floor."""
    stage = corridor(draw)
    z_m = draw.share(6.2, 8.5)
    spot = Patch(ZoneKind.FORBIDDEN, -1.2, 1.2, z_m - 0.9, z_m + 0.9)
    there_ms = stage.enters(SOMEBODY, draw.ms(2_000, 4_000), goal=Place(draw.share(-0.7, 0.7), z_m))
    stage.leaves(SOMEBODY, there_ms + draw.ms(2_000, 8_000))
    inside = spot.spans(stage, SOMEBODY)
    return scenario(
        "stops_in_corridor", draw, stage, spot,
        truth=truths(ENTRY, spot.subject, inside), spare=edges(inside, ENTRY, spot.subject),
    )  # fmt: skip


@family(ENTRY)
def walks_along_its_border(draw: Draw) -> Scenario:
    """Somebody walks and stands beside a forbidden strip, half a metre from it, and never in it."""
    stage = corridor(draw)
    side = draw.one_of(-1, 1)
    strip = (0.45, 1.25) if side > 0 else (-1.25, -0.45)
    spot = Patch(ZoneKind.FORBIDDEN, strip[0], strip[1], 5.4, 9.5)
    beside = -side * draw.share(0.05, 0.4)
    there_ms = stage.enters(SOMEBODY, 2_000, goal=Place(beside, draw.share(5.8, 7.5)))
    back_ms = stage.walks(SOMEBODY, there_ms + draw.ms(1_000, 4_000), Place(beside, 9.0))
    stage.leaves(SOMEBODY, back_ms + draw.ms(500, 3_000))
    return scenario("walks_along_its_border", draw, stage, spot)


@family(ENTRY)
def passes_quickly(draw: Draw) -> Scenario:
    """Somebody crosses a forbidden strip faster than the dwell that its rule is set to."""
    stage = corridor(draw)
    z_m = draw.share(6.5, 8.5)
    spot = Patch(ZoneKind.FORBIDDEN, -1.25, 1.25, z_m - 0.6, z_m + 0.6)
    there_ms = stage.enters(SOMEBODY, 2_000, goal=Place(draw.share(-0.6, 0.6), 5.1))
    stage.leaves(SOMEBODY, there_ms + draw.ms(1_000, 5_000))
    inside = spot.spans(stage, SOMEBODY)  # 1.2 m at 1.15 m/s: about a second each way
    return scenario(
        "passes_quickly", draw, stage, spot,
        truth=truths(ENTRY, spot.subject, inside, must=False)
        if any(end - start > 1_600 for start, end in inside)
        else (),
        rules={ENTRY: {"dwell_ms": 2_500}},
    )  # fmt: skip


@family(ENTRY)
def committee_beside_it(draw: Draw) -> Scenario:
    """A committee sits, reaches and rises beside the forbidden floor by the door; nobody enters."""
    stage = Stage(draw, seats=draw.whole(2, 5), duration_ms=34_000)
    stage.seat_all()
    door = stage.hall.door
    spot = Patch(
        ZoneKind.FORBIDDEN, door.x_m - 0.7, door.x_m + 0.7, stage.hall.depth_m - 1.1,
        stage.hall.depth_m - 0.1,
    )  # fmt: skip
    for number in range(1, min(len(stage.hall.chairs), 3)):
        at_ms = draw.ms(4_000, 20_000)
        stage.stands_up(f"expert-{number}", at_ms, at_ms + draw.ms(2_000, 8_000))
    return scenario("committee_beside_it", draw, stage, spot)


# ---- zone.loitering ----------------------------------------------------------------------------

STAY_MAX_S = 8


def _loitering(
    name: str, draw: Draw, stage: Stage, spot: Patch, stays: tuple[tuple[int, int], ...]
) -> Scenario:
    return scenario(
        name, draw, stage, spot,
        truth=truths(LOITERING, spot.subject, stays, dwell_ms=STAY_MAX_S * 1_000),
        spare=edges(stays, LOITERING, spot.subject),
        rules={LOITERING: {"stay_max_s": STAY_MAX_S}},
    )  # fmt: skip


@family(LOITERING)
def stays_too_long(draw: Draw) -> Scenario:
    """Somebody comes into a watched place, shifts from foot to foot, and stays too long."""
    stage = corridor(draw, 44_000)
    z_m = draw.share(6.0, 7.8)
    spot = Patch(ZoneKind.WATCHED, -1.25, 1.25, z_m - 1.1, z_m + 1.1)
    x_m = draw.share(-0.5, 0.5)
    there_ms = stage.enters(SOMEBODY, draw.ms(1_000, 3_000), goal=Place(x_m, z_m))
    leaves_ms = there_ms + draw.ms(11_000, 17_000)
    stage.walks(SOMEBODY, there_ms + 4_000, Place(x_m + 0.3, z_m + 0.2), Place(x_m, z_m - 0.2))
    stage.leaves(SOMEBODY, leaves_ms)
    stays = spot.spans(stage, SOMEBODY)
    return _loitering("stays_too_long", draw, stage, spot, stays)


@family(LOITERING)
def stays_just_long_enough(draw: Draw) -> Scenario:
    """Two people stay in a watched place one after the other, each for less than is allowed."""
    stage = corridor(draw, 44_000)
    z_m = draw.share(6.0, 7.5)
    spot = Patch(ZoneKind.WATCHED, -1.25, 1.25, z_m - 0.8, z_m + 0.8)
    gone_ms = 0
    for number in range(2):
        name = f"{SOMEBODY}-{number}"
        there_ms = stage.enters(name, gone_ms + 1_500, goal=Place(draw.share(-0.5, 0.5), z_m))
        gone_ms = stage.leaves(name, there_ms + draw.ms(3_000, 4_800))
    stage.duration_ms = max(stage.duration_ms, gone_ms + 2_000)
    stays = tuple(span for number in range(2) for span in spot.spans(stage, f"{SOMEBODY}-{number}"))
    assert all(end - start <= STAY_MAX_S * 1_000 - 600 for start, end in stays), stays
    return _loitering("stays_just_long_enough", draw, stage, spot, stays)


@family(LOITERING)
def stays_outside(draw: Draw) -> Scenario:
    """Somebody stays for long, just outside the watched place."""
    stage = corridor(draw)
    z_m = draw.share(5.6, 6.8)
    spot = Patch(ZoneKind.WATCHED, -1.25, 1.25, z_m + 0.7, z_m + 2.4)
    there_ms = stage.enters(SOMEBODY, 1_000, goal=Place(draw.share(-0.5, 0.5), z_m))
    stage.leaves(SOMEBODY, there_ms + draw.ms(12_000, 16_000))
    return _loitering("stays_outside", draw, stage, spot, spot.spans(stage, SOMEBODY))


# ---- zone.wrong_direction ----------------------------------------------------------------------


def _one_way(name: str, draw: Draw, stage: Stage, line: Line, *names: str) -> Scenario:
    times = [t for one in names for t, to_right in line.crossings(stage, one) if not to_right]
    right = [t for one in names for t, to_right in line.crossings(stage, one) if to_right]
    spare = tuple(Spare(t - 600, t, WRONG, line.subject) for t in times)
    assert times or right or name.startswith("dithers")
    return scenario(name, draw, stage, line, truth=crossed(times, WRONG, line.subject), spare=spare)


def _across(draw: Draw, z_m: float, *, out_is_wrong: bool) -> Line:
    """A line across the passage, a little askew; its right hand is where one may go."""
    tilt = draw.share(-0.3, 0.3)
    left, right = (-1.25, z_m + tilt), (1.25, z_m - tilt)
    return Line(ZoneKind.LINE, left, right) if out_is_wrong else Line(ZoneKind.LINE, right, left)


@family(WRONG)
def walks_against_it(draw: Draw) -> Scenario:
    """Somebody walks over a one-way line and back: one of the two is the wrong way."""
    stage = corridor(draw)
    line = _across(draw, draw.share(6.5, 9.0), out_is_wrong=draw.one_of(True, False))
    there_ms = stage.enters(SOMEBODY, draw.ms(1_000, 3_000), goal=Place(draw.share(-0.6, 0.6), 5.2))
    stage.leaves(SOMEBODY, there_ms + draw.ms(1_000, 6_000))
    return _one_way("walks_against_it", draw, stage, line, SOMEBODY)


@family(WRONG)
def two_against_each_other(draw: Draw) -> Scenario:
    """Two people pass one another on a one-way line that runs along the passage's side."""
    stage = corridor(draw)
    line = _across(draw, draw.share(6.8, 8.0), out_is_wrong=True)
    start_ms = draw.ms(2_000, 4_000)
    stage.puts("waits", 0, Place(draw.share(0.3, 0.7), 5.3))
    stage.enters(SOMEBODY, start_ms, goal=Place(draw.share(-0.7, -0.3), 5.4))
    stage.leaves("waits", start_ms + draw.ms(4_000, 9_000))
    return _one_way("two_against_each_other", draw, stage, line, SOMEBODY, "waits")


@family(WRONG)
def walks_the_right_way(draw: Draw) -> Scenario:
    """People come one after the other over a one-way line, as they should."""
    stage = corridor(draw)
    line = _across(draw, draw.share(6.5, 8.5), out_is_wrong=True)
    for number in range(2):
        goal = Place(draw.share(-0.7, 0.7), 4.9 + 0.5 * number)
        stage.enters(f"{SOMEBODY}-{number}", 1_500 + 3_500 * number, goal=goal)
    names = [f"{SOMEBODY}-{number}" for number in range(2)]
    return _one_way("walks_the_right_way", draw, stage, line, *names)


@family(WRONG)
def dithers_on_it(draw: Draw) -> Scenario:
    """Somebody stands close before a one-way line, to and fro, and never goes over it."""
    stage = corridor(draw)
    z_m = draw.share(6.5, 7.8)
    line = _across(draw, z_m, out_is_wrong=True)
    x_m = draw.share(-0.3, 0.3)
    near_m = z_m - 0.35 * abs(x_m) - draw.share(0.25, 0.5)
    stage.puts(SOMEBODY, 0, Place(x_m, near_m - 0.8))
    at_ms = 3_000
    for _ in range(5):
        at_ms = stage.walks(SOMEBODY, at_ms, Place(x_m, near_m)) + draw.ms(500, 2_000)
        at_ms = stage.walks(SOMEBODY, at_ms, Place(x_m, near_m - 0.7)) + draw.ms(500, 2_000)
    return _one_way("dithers_on_it", draw, stage, line, SOMEBODY)


# ---- zone.roles_contact ------------------------------------------------------------------------

FLOOR = Patch(ZoneKind.WATCHED, -1.28, 1.28, 4.8, 9.5, name="floor")
AWAY = Place(0.0, 12.5)
TOGETHER_M = 0.62  # between two people who talk
REACH_M = 1.1  # two body widths from middle to middle


def together(stage: Stage, one: str, other: str) -> Spans:
    """When two people are within arm's reach of one another."""

    def near(t_ms: int) -> bool:
        a, b = stage.people[one].place(t_ms), stage.people[other].place(t_ms)
        return a is not None and b is not None and hypot(a.x_m - b.x_m, a.z_m - b.z_m) <= REACH_M

    return where(moments(stage), near)


def _contact(
    name: str, draw: Draw, stage: Stage, spans: tuple[tuple[int, int], ...] = ()
) -> Scenario:
    return scenario(
        name, draw, stage, FLOOR,
        truth=truths(CONTACT, FLOOR.subject, spans), spare=edges(spans, CONTACT, FLOOR.subject),
    )  # fmt: skip


@family(CONTACT)
def talks_to_an_expert(draw: Draw) -> Scenario:
    """Somebody who wears no red vest walks up to an expert, stays, and goes."""
    stage = corridor(draw, 40_000)
    side = draw.one_of(-1, 1)
    x_m, z_m = side * draw.share(0.1, 0.5), draw.share(5.6, 6.8)
    stage.puts("expert", 0, Place(x_m, z_m), Vest.RED)
    goal = Place(x_m - side * draw.share(0.55, 0.75), z_m + draw.share(-0.15, 0.15))
    there_ms = stage.enters(
        SOMEBODY, draw.ms(3_000, 6_000), vest=draw.one_of(Vest.BLUE, Vest.NONE), goal=goal
    )
    stage.leaves(SOMEBODY, there_ms + draw.ms(8_000, 12_000))
    return _contact("talks_to_an_expert", draw, stage, together(stage, "expert", SOMEBODY))


@family(CONTACT)
def passes_an_expert(draw: Draw) -> Scenario:
    """Somebody walks past an expert without stopping, and back."""
    stage = corridor(draw)
    side = draw.one_of(-1, 1)
    stage.puts("expert", 0, Place(side * draw.share(0.5, 0.8), draw.share(7.2, 8.2)), Vest.RED)
    goal = Place(-side * draw.share(0.3, 0.7), 5.0)
    there_ms = stage.enters(SOMEBODY, 3_000, vest=draw.one_of(Vest.BLUE, Vest.NONE), goal=goal)
    stage.leaves(SOMEBODY, there_ms + draw.ms(400, 1_000))
    return _contact("passes_an_expert", draw, stage)


@family(CONTACT)
def keeps_away_from_an_expert(draw: Draw) -> Scenario:
    """Somebody in a blue vest, or none, stays where an expert is, two metres and more away."""
    stage = corridor(draw, 40_000)
    side = draw.one_of(-1, 1)
    stage.puts("expert", 0, Place(side * draw.share(0.4, 0.8), draw.share(5.2, 5.6)), Vest.RED)
    goal = Place(-side * draw.share(0.6, 0.9), draw.share(7.8, 8.8))
    there_ms = stage.enters(SOMEBODY, 2_000, vest=draw.one_of(Vest.BLUE, Vest.NONE), goal=goal)
    stage.leaves(SOMEBODY, there_ms + draw.ms(10_000, 14_000))
    return _contact("keeps_away_from_an_expert", draw, stage)


@family(CONTACT)
def experts_among_themselves(draw: Draw) -> Scenario:
    """Two experts talk in the passage; that is no contact with anybody else."""
    stage = corridor(draw, 34_000)
    x_m, z_m = draw.share(-0.4, 0.4), draw.share(5.6, 6.8)
    stage.puts("expert", 0, Place(x_m, z_m), Vest.RED)
    goal = Place(x_m - TOGETHER_M if x_m > 0 else x_m + TOGETHER_M, z_m)
    there_ms = stage.enters(SOMEBODY, 2_000, vest=Vest.RED, goal=goal)
    stage.leaves(SOMEBODY, there_ms + draw.ms(7_000, 10_000))
    return _contact("experts_among_themselves", draw, stage)


# ---- zone.after_hours --------------------------------------------------------------------------


def _night(
    name: str, draw: Draw, stage: Stage, minute_of_day: int, *orders: tuple[int, object],
    truth: tuple[Truth, ...] = (), spare: tuple[Spare, ...] = (),
) -> Scenario:  # fmt: skip
    stages.disturb(stage, draw)
    clock = (0, Tick(minute_of_day))
    return Scenario(
        name=name,
        seed=draw.seed,
        room=room(admits={}, modes={NIGHT: Mode.ON}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(said(clock, *orders), stage.pictures()),  # type: ignore[arg-type] # orders are inputs of a room
        truth=truth,
        spare=spare,
    )


def _visit(draw: Draw) -> Stage:
    stage = Stage(draw, seats=0, duration_ms=40_000)
    there_ms = stage.enters(SOMEBODY, draw.ms(3_000, 6_000), goal=draw.whole(0, 1))
    stage.leaves(SOMEBODY, there_ms + draw.ms(6_000, 10_000))
    return stage


@family(NIGHT)
def comes_at_night(draw: Draw) -> Scenario:
    """Somebody comes into an empty room at night, and goes."""
    stage = _visit(draw)
    minute = draw.one_of(22 * 60 + 5, 23 * 60 + 59, 0, 3 * 60, 5 * 60 + 55)
    seen = stage.seen(SOMEBODY)
    return _night(
        "comes_at_night", draw, stage, minute, truth=truths(NIGHT, CAMERA, seen),
        spare=tuple(Spare(a, b, NIGHT) for a, b in without(stage.doubtful(), seen)),
    )  # fmt: skip


@family(NIGHT)
def nobody_at_night(draw: Draw) -> Scenario:
    """The room is empty at night; curtain, screens and headlights move."""
    stage = Stage(draw, seats=0, duration_ms=40_000)
    stages.disturb(stage, draw, most=3)
    return _night("nobody_at_night", draw, stage, draw.one_of(22 * 60 + 30, 2 * 60))


@family(NIGHT)
def comes_by_day(draw: Draw) -> Scenario:
    """The same visit within the hours."""
    stage = _visit(draw)
    return _night("comes_by_day", draw, stage, draw.one_of(6 * 60, 12 * 60, 21 * 60 + 59))


@family(NIGHT)
def a_session_at_night(draw: Draw) -> Scenario:
    """A committee sits sealed until late; the session gives them the right to be there."""
    stage = Stage(draw, seats=draw.whole(2, 5), duration_ms=30_000)
    stage.seat_all()
    return _night("a_session_at_night", draw, stage, 23 * 60, seal(0, 9))


FAMILIES: Final[tuple[Family, ...]] = (
    steps_beside_table,
    stops_in_corridor,
    walks_along_its_border,
    passes_quickly,
    committee_beside_it,
    stays_too_long,
    stays_just_long_enough,
    stays_outside,
    walks_against_it,
    two_against_each_other,
    walks_the_right_way,
    dithers_on_it,
    talks_to_an_expert,
    passes_an_expert,
    keeps_away_from_an_expert,
    experts_among_themselves,
    comes_at_night,
    nobody_at_night,
    comes_by_day,
    a_session_at_night,
)
