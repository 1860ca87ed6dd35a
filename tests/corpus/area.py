"""Scenarios of the rules on the closed area: who is in it, how many, for how long, until when."""

from typing import Final

from tests.corpus import area_gates, area_people, stages
from tests.corpus.area_places import marks, seats
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import CAMERA, Scenario, merged, release, said, seal, spares, truths
from tests.corpus.spans import shared, widened
from tests.corpus.stage import RobotPath, Stage
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout
from zeroentry.composer.model import Vest

OVER = "area.over_admitted"
UNDER = "area.under_admitted"
EMPTY = "area.empty_too_long"
NOT_SWEPT = "area.not_swept"
OTHER = "cam-2"
AWAY_MAX_S = 30  # the least that a site may set: a scenario need not last a quarter of an hour
EMPTY_MAX_S = 10
SWEEP_MAX_S = 60


@family(OVER)
def visitor_comes(draw: Draw) -> Scenario:
    """A committee sits; one more person comes in by the door, stays, and goes."""
    layout = draw.one_of(Layout.ROW, Layout.TWO_ROWS)
    stage = Stage(draw, layout, seats=draw.whole(3, 7), duration_ms=50_000)
    stage.seat_all()
    comes_ms = draw.ms(8_000, 14_000)
    there_ms = stage.enters("visitor", comes_ms, vest=draw.one_of(*Vest), goal=draw.whole(0, 1))
    stage.leaves("visitor", there_ms + draw.ms(6_000, 12_000))
    stages.disturb(stage, draw)
    admitted = len(stage.hall.chairs)
    over = stage.more_than(admitted)
    return Scenario(
        name="visitor_comes",
        seed=draw.seed,
        room=room(admits={}),  # the vest is another rule's affair
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        truth=truths(OVER, None, over),
        spare=spares(widened(stage.doubtful(), 500, 500), OVER),
        heads=stage.heads(),
    )


@family(OVER)
def committee_moves(draw: Draw) -> Scenario:
    """Nobody comes: people rise and sit, one leaves and comes back, a robot passes."""
    stage = Stage(
        draw, draw.one_of(Layout.ROW, Layout.U_SHAPE), seats=draw.whole(3, 7), duration_ms=45_000
    )
    stage.seat_all()
    admitted = len(stage.hall.chairs)
    stage.stands_up("expert-1", draw.ms(6_000, 9_000), draw.ms(12_000, 15_000))
    gone_ms = stage.leaves("expert-2", draw.ms(10_000, 16_000))
    stage.takes_seat(2, gone_ms + draw.ms(1_000, 4_000))
    stand = stage.hall.stands[0]  # a robot passes there: it is nobody
    stage.robots.append(
        RobotPath(18_000, 30_000, Place(stand.x_m - 3, stand.z_m), Place(stand.x_m + 3, stand.z_m))
    )
    stages.disturb(stage, draw)
    return Scenario(
        name="committee_moves",
        seed=draw.seed,
        room=room(admits={}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        heads=stage.heads(),
    )


@family(OVER)
def two_cameras(draw: Draw) -> Scenario:
    """Two or three cameras with marks on the floor, or seats drawn, see one committee; one comes.

    Each shows the same people from another side: who counts them twice is wrong.
    """
    by_floor = draw.one_of(True, True, False)
    cameras = {CAMERA: 0, OTHER: draw.one_of(1, 2)} if draw.whole(0, 1) else {CAMERA: 1, OTHER: 2}
    layout = draw.one_of(Layout.ROW, Layout.TWO_ROWS) if by_floor else Layout.ROW
    stage = Stage(
        draw,
        layout,
        seats=draw.whole(2, 6 if by_floor else 4),  # a row seen from its end hides itself
        cameras=cameras,
        duration_ms=40_000,
    )
    stage.seat_all()
    admitted = len(stage.hall.chairs)
    visits = draw.one_of(True, True, False)
    if visits:
        there_ms = stage.enters("visitor", draw.ms(8_000, 12_000), goal=draw.whole(0, 1))
        stage.leaves("visitor", there_ms + draw.ms(6_000, 9_000))
    else:
        stage.stands_up("expert-1", 9_000, 15_000)
    stages.disturb(stage, draw, most=1)
    drawn = {} if by_floor else {one: seats(stage, one) for one in cameras}
    # Drawn seats are a hint on who is one, not on where somebody must be.
    return Scenario(
        name="two_cameras",
        seed=draw.seed,
        room=room(
            tuple(cameras),
            admits={},
            floor={one: marks(stage, one) for one in cameras} if by_floor else {},
            zones=drawn,
        ),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        truth=truths(OVER, None, stage.more_than(admitted)),
        spare=(
            *spares(widened(stage.doubtful(), 500, 500), OVER),
            *spares(((0, stage.duration_ms),), "area.wrong_seat"),
        ),
        heads=stage.heads(),
    )


@family(UNDER)
def one_stays_away(draw: Draw) -> Scenario:
    """One leaves for longer than is allowed, or just not; another only bends and rises."""
    too_long = draw.one_of(True, True, False)
    stage = Stage(
        draw,
        draw.one_of(Layout.ROW, Layout.TWO_ROWS),
        seats=draw.whole(3, 6),
        duration_ms=80_000 if too_long else 60_000,
    )
    stage.seat_all()
    admitted = len(stage.hall.chairs)
    leaves_ms = draw.ms(6_000, 10_000)
    gone_ms = stage.leaves("expert-1", leaves_ms)
    away_ms = draw.ms(38_000, 46_000) if too_long else draw.ms(6_000, 18_000)
    stage.takes_seat(1, gone_ms + away_ms)
    stage.stands_up("expert-2", draw.ms(20_000, 24_000), draw.ms(26_000, 30_000))
    stages.disturb(stage, draw, most=1)
    return Scenario(
        name="one_stays_away",
        seed=draw.seed,
        room=room(admits={}, rules={UNDER: {"away_max_s": AWAY_MAX_S}}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        truth=truths(UNDER, None, stage.fewer_than(admitted), dwell_ms=AWAY_MAX_S * 1_000),
        heads=stage.heads(),
    )


@family(UNDER)
def breaks_in_turn(draw: Draw) -> Scenario:
    """They take turns in the rest room: the room is never full for long, and nobody is away long.

    Whoever only looked at how long the count was short would call somebody here.
    """
    stage = Stage(draw, Layout.ROW, seats=draw.whole(3, 5), duration_ms=90_000)
    stage.seat_all()
    admitted = len(stage.hall.chairs)
    at_ms = draw.ms(5_000, 8_000)
    for number in (1, 2, 3):
        gone_ms = stage.leaves(f"expert-{number}", at_ms)
        back_ms = gone_ms + draw.ms(14_000, 17_000)
        stage.takes_seat(number, back_ms)
        at_ms = back_ms - draw.ms(2_000, 4_000)  # the next is up before the last is back
    return Scenario(
        name="breaks_in_turn",
        seed=draw.seed,
        room=room(admits={}, rules={UNDER: {"away_max_s": AWAY_MAX_S}}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        heads=stage.heads(),
    )


@family(EMPTY)
def all_go(draw: Draw) -> Scenario:
    """All leave, for longer than a sealed room may be empty or not, and come back."""
    too_long = draw.one_of(True, True, False)
    stage = Stage(draw, Layout.ROW, seats=draw.whole(1, 3), duration_ms=60_000)
    stage.seat_all()
    admitted = len(stage.hall.chairs)
    leaves_ms = draw.ms(5_000, 8_000)
    gone_ms = max(
        stage.leaves(f"expert-{number}", leaves_ms + 800 * number)
        for number in range(1, admitted + 1)
    )
    away_ms = draw.ms(16_000, 22_000) if too_long else draw.ms(1_000, 4_000)
    stage.takes_seat(1, gone_ms + away_ms)
    stages.disturb(stage, draw, most=2, lights=True)
    return Scenario(
        name="all_go",
        seed=draw.seed,
        room=room(admits={}, rules={EMPTY: {"empty_max_s": EMPTY_MAX_S}}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        truth=truths(EMPTY, None, _empty(stage), dwell_ms=EMPTY_MAX_S * 1_000),
        spare=stages.lights_spare(stage),
        heads=stage.heads(),
    )


def _empty(stage: Stage) -> tuple[tuple[int, int], ...]:
    return tuple((a, b) for a, b, people in stage.count_spans() if people == 0)


@family(EMPTY, name="area.empty_too_long/nobody_moves")
def nobody_moves(draw: Draw) -> Scenario:
    """One or two sit, bent over papers and hardly moving: the room is not empty."""
    stage = Stage(draw, draw.one_of(Layout.ROW, Layout.U_SHAPE), seats=draw.whole(1, 3),
                  duration_ms=60_000)  # fmt: skip
    stage.seat_all()
    admitted = len(stage.hall.chairs)
    stages.disturb(stage, draw, most=3)
    return Scenario(
        name="nobody_moves",
        seed=draw.seed,
        room=room(admits={}, rules={EMPTY: {"empty_max_s": EMPTY_MAX_S}}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        heads=stage.heads(),
    )


@family(NOT_SWEPT)
def stays_on(draw: Draw) -> Scenario:
    """The session ends; somebody stays on too long, or all go in time and a cleaner comes."""
    stays = draw.one_of(True, True, False)
    stage = Stage(draw, Layout.ROW, seats=draw.whole(1, 4), duration_ms=95_000)
    stage.seat_all()
    people = len(stage.hall.chairs)
    released_ms = draw.ms(6_000, 9_000)
    for number in range(2 if stays else 1, people + 1):
        stage.leaves(f"expert-{number}", released_ms + 3_000 + 1_500 * number)
    if stays:
        stage.leaves("expert-1", released_ms + SWEEP_MAX_S * 1_000 + draw.ms(8_000, 14_000))
        inside = stage.seen("expert-1")
        late = shared(inside, ((released_ms, stage.duration_ms),))
    else:
        stage.enters("cleaner", released_ms + draw.ms(45_000, 55_000), goal=0)
        late = ()
    stages.disturb(stage, draw, most=1)
    return Scenario(
        name="stays_on",
        seed=draw.seed,
        room=room(admits={}, rules={NOT_SWEPT: {"sweep_max_s": SWEEP_MAX_S}}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, people), release(released_ms))),
        truth=truths(NOT_SWEPT, None, late, dwell_ms=SWEEP_MAX_S * 1_000),
        heads=stage.heads(),
    )


FAMILIES: Final[tuple[Family, ...]] = (
    visitor_comes,
    committee_moves,
    two_cameras,
    one_stays_away,
    breaks_in_turn,
    all_go,
    nobody_moves,
    stays_on,
    *area_gates.FAMILIES,
    *area_people.FAMILIES,
)
