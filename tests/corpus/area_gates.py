"""Scenarios of gates: who goes through them, and who is in the area without having done so."""

from collections.abc import Sequence
from typing import Final

from contracts.admission import AreaKind
from contracts.zones import PictureZone
from tests.corpus import stages
from tests.corpus.area_places import GATE, gate
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import CAMERA, Scenario, merged, said, seal, spares, truths
from tests.corpus.spans import Spans, joined, widened
from tests.corpus.stage import RobotPath, Stage
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout
from zeroentry.composer.model import Vest

CROSSED = "area.gate_crossed"
BALANCE = "area.balance_wrong"
OVER = "area.over_admitted"
SUBJECT = f"{CAMERA}/{GATE}"
LINE_Z_M = 7.0
HALF_WIDTH_M = 1.3
UNSEEN_MAX_S = 30
STEP_MS = 50
ABOUT_MS = 1_500  # a crossing is a moment: for so long an alert on it is due


def across_corridor(stage: Stage) -> PictureZone:
    """A gate across the corridor; inside is where the camera hangs."""
    return gate(stage, Place(-HALF_WIDTH_M, LINE_Z_M), Place(HALF_WIDTH_M, LINE_Z_M))


def crossings(stage: Stage, names: Sequence[str], z_m: float = LINE_Z_M) -> Spans:
    """When people's feet come over the line across the corridor, each for ABOUT_MS."""
    out: list[tuple[int, int]] = []
    for name in names:
        actor = stage.people[name]
        before = actor.place(0)
        for t_ms in range(STEP_MS, stage.duration_ms, STEP_MS):
            here = actor.place(t_ms)
            if here is not None and before is not None and (here.z_m < z_m) != (before.z_m < z_m):
                out.append((t_ms, t_ms + ABOUT_MS))
            before = here
    return joined(out)


@family(CROSSED)
def through_gate(draw: Draw) -> Scenario:
    """One or two walk through the gate of a closed corridor, in or out, and one comes back."""
    stage = Stage(draw, Layout.CORRIDOR, seats=0, duration_ms=45_000)
    side = draw.share(-0.5, 0.5)
    inward = draw.one_of(True, False)
    start, end = (11.0, 4.4) if inward else (4.4, 11.0)
    stage.puts("first", draw.ms(3_000, 5_000), Place(side, start), vest=draw.one_of(*Vest))
    first_ms = stage.walks("first", draw.ms(7_000, 9_000), Place(side + draw.share(-0.3, 0.3), end))
    names = ["first"]
    if draw.one_of(True, False):
        stage.puts("second", 4_000, Place(-side, start), vest=draw.one_of(*Vest))
        stage.walks("second", draw.ms(9_000, 12_000), Place(-side, end))
        names.append("second")  # who crosses within a moment of the first is told with him
    if draw.one_of(True, False):
        stage.walks("first", first_ms + draw.ms(8_000, 12_000), Place(side, start))
    stages.disturb(stage, draw, most=1)
    return _corridor("through_gate", stage, draw, crossings(stage, names))


@family(CROSSED)
def before_gate(draw: Draw) -> Scenario:
    """People walk up to the gate, along it and turn; a robot drives through: nobody crosses."""
    stage = Stage(draw, Layout.CORRIDOR, seats=0, duration_ms=45_000)
    side = draw.share(-0.4, 0.4)
    far = draw.one_of(True, False)
    away = 1.0 if far else -1.0
    start = LINE_Z_M + away * draw.share(2.2, 3.5)
    near = LINE_Z_M + away * draw.share(0.55, 0.8)
    stage.puts("first", 3_000, Place(side, start), vest=draw.one_of(*Vest))
    there_ms = stage.walks("first", draw.ms(6_000, 8_000), Place(side, near))
    there_ms = stage.walks("first", there_ms + draw.ms(500, 4_000), Place(-side, near))
    stage.walks("first", there_ms + draw.ms(500, 4_000), Place(-side, start))
    if draw.one_of(True, False):
        stage.puts("second", 5_000, Place(-0.7, LINE_Z_M - away * draw.share(0.9, 2.0)))
    else:
        stage.robots.append(RobotPath(26_000, 40_000, Place(0.5, 12.0), Place(0.5, 3.5)))
    stages.disturb(stage, draw, most=1)
    return _corridor("before_gate", stage, draw, ())


@family(CROSSED)
def turns_upon_line(draw: Draw) -> Scenario:
    """Somebody stops upon the line, sways there and turns back: one alert at the very most."""
    stage = Stage(draw, Layout.CORRIDOR, seats=0, duration_ms=40_000)
    side = draw.share(-0.4, 0.4)
    stage.puts("first", 3_000, Place(side, 10.0))
    there_ms = stage.walks("first", draw.ms(5_000, 7_000), Place(side, LINE_Z_M))
    stage.walks("first", there_ms + draw.ms(4_000, 8_000), Place(side, 10.5))
    return _corridor(
        "turns_upon_line", stage, draw, (), maybe=((there_ms - 1_500, stage.duration_ms),)
    )


def _corridor(name: str, stage: Stage, draw: Draw, crossed: Spans, maybe: Spans = ()) -> Scenario:
    return Scenario(
        name=name,
        seed=draw.seed,
        room=room(zones={CAMERA: [across_corridor(stage)]}, admits={}, kind=AreaKind.CORRIDOR),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(1_000, 9))),
        truth=(
            *truths(CROSSED, SUBJECT, crossed),
            *truths(CROSSED, SUBJECT, maybe, must=False),
        ),
        # Who crosses is counted in or out at once, and seen on the other side a little later; in a
        # corridor people come from nowhere (its far end), which is not the gate's affair.
        spare=spares(((0, stage.duration_ms),), BALANCE),
    )


@family(BALANCE)
def comes_by_another_way(draw: Draw) -> Scenario:
    """A committee, a gate in the aisle, and somebody who came in without passing it.

    The gate lies beyond the door's side of the room: who goes to the seats' far end passes it.
    """
    stage = Stage(draw, Layout.ROW, seats=draw.whole(2, 5), duration_ms=60_000)
    stage.seat_all()
    people = len(stage.hall.chairs)
    line = _side_gate(stage)
    there_ms = stage.enters("visitor", draw.ms(8_000, 12_000), goal=1, vest=draw.one_of(*Vest))
    stage.leaves("visitor", there_ms + draw.ms(20_000, 26_000))
    stages.disturb(stage, draw, most=1)
    more = stage.more_than(people)
    return Scenario(
        name="comes_by_another_way",
        seed=draw.seed,
        room=room(zones={CAMERA: [line]}, admits={}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(5_000, people))),
        truth=(*truths(BALANCE, None, more), *truths(OVER, None, more)),
        spare=(
            *spares(widened(stage.doubtful(), 500, 500), OVER),
            *spares(widened(stage.doubtful(), 500, 500), BALANCE),
        ),
        heads=stage.heads(),
    )


@family(BALANCE)
def goes_by_another_way(draw: Draw) -> Scenario:
    """One leaves where no gate is: for a short walk, or for longer than may be."""
    too_long = draw.one_of(True, True, False)
    stage = Stage(draw, Layout.ROW, seats=draw.whole(2, 5), duration_ms=80_000)
    stage.seat_all()
    people = len(stage.hall.chairs)
    number = people if stage.hall.door.x_m > 0 else 1  # whose way to the door is the shortest
    gone_ms = stage.leaves(f"expert-{number}", draw.ms(9_000, 12_000))
    away_ms = draw.ms(38_000, 44_000) if too_long else draw.ms(5_000, 16_000)
    stage.takes_seat(number, gone_ms + away_ms)
    stages.disturb(stage, draw, most=1)
    fewer = stage.fewer_than(people)
    return Scenario(
        name="goes_by_another_way",
        seed=draw.seed,
        room=room(
            zones={CAMERA: [_side_gate(stage)]},
            admits={},
            rules={BALANCE: {"unseen_max_s": UNSEEN_MAX_S}},
        ),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(5_000, people))),
        truth=truths(BALANCE, None, fewer, dwell_ms=UNSEEN_MAX_S * 1_000),
        heads=stage.heads(),
    )


def _side_gate(stage: Stage) -> PictureZone:
    """A gate at the end of the aisle away from the door: nobody here passes it."""
    side = -1.0 if stage.hall.door.x_m > 0 else 1.0
    x_m = side * (stage.hall.width_m / 2 - 0.2)
    near, far = stage.hall.aisle_z_m - 0.7, stage.hall.depth_m
    start, end = (near, far) if side < 0 else (far, near)
    return gate(stage, Place(x_m, start), Place(x_m, end))


@family(CROSSED, BALANCE)
def out_and_in_by_gate(draw: Draw) -> Scenario:
    """One goes out through the gate by the door, stays away, and comes back through it.

    Each way is told; the balance is right all the time, however long it lasts.
    """
    stage = Stage(draw, Layout.ROW, seats=draw.whole(2, 5), duration_ms=85_000)
    stage.seat_all()
    people = len(stage.hall.chairs)
    door, side = stage.hall.door, 1.0 if stage.hall.door.x_m > 0 else -1.0
    x_m = door.x_m - side * 0.85
    near, far = stage.hall.aisle_z_m - 0.75, stage.hall.depth_m
    # Inside is away from the door.
    start, end = (near, far) if side < 0 else (far, near)
    line = gate(stage, Place(x_m, start), Place(x_m, end))
    number = 1 if side > 0 else people  # the seat farthest from the door: the aisle is walked
    gone_ms = stage.leaves(f"expert-{number}", draw.ms(9_000, 12_000))
    stage.takes_seat(number, gone_ms + draw.ms(36_000, 42_000))
    crossed = _over_x(stage, f"expert-{number}", x_m)
    return Scenario(
        name="out_and_in_by_gate",
        seed=draw.seed,
        room=room(
            zones={CAMERA: [line]}, admits={}, rules={BALANCE: {"unseen_max_s": UNSEEN_MAX_S}}
        ),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(5_000, people))),
        truth=truths(CROSSED, SUBJECT, crossed),
        heads=stage.heads(),
    )


def _over_x(stage: Stage, name: str, x_m: float) -> Spans:
    actor = stage.people[name]
    out: list[tuple[int, int]] = []
    before = actor.place(0)
    for t_ms in range(STEP_MS, stage.duration_ms, STEP_MS):
        here = actor.place(t_ms)
        if here is None or before is None or not stage.hall.inside(here):
            before = here
            continue
        if (here.x_m < x_m) != (before.x_m < x_m):
            out.append((t_ms, t_ms + ABOUT_MS))
        before = here
    return joined(out)


FAMILIES: Final[tuple[Family, ...]] = (
    through_gate,
    before_gate,
    turns_upon_line,
    comes_by_another_way,
    goes_by_another_way,
    out_and_in_by_gate,
)
