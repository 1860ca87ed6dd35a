"""Scenarios of looks, meetings and seats: who wears what, who meets whom, who is at whose place."""

from math import hypot
from typing import Final

from contracts.admission import AreaKind, ProcurementKind
from contracts.commands import Keep
from contracts.zones import PictureZone
from tests.corpus import stages
from tests.corpus.area_places import door_zone, seat_zone
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import (
    CAMERA,
    ROOM_ID,
    Scenario,
    merged,
    moment,
    said,
    seal,
    spares,
    truths,
)
from tests.corpus.spans import Spans, shared, where, widened, without
from tests.corpus.stage import Stage
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout
from zeroentry.composer.model import Vest

LOOK = "area.appearance_not_admitted"
CONTACT = "area.sessions_contact"
SEAT = "area.wrong_seat"
LEFT_DOOR_Z_M = 7.6
RIGHT_DOOR_Z_M = 6.6
DOOR_X_M = 0.95
NEAR_M = 1.0  # one body's width between two bodies of half a metre
PART_M = 1.5


@family(LOOK)
def not_in_red(draw: Draw) -> Scenario:
    """A visitor in blue, or without a vest, joins a committee in red; or another in red does."""
    vest = draw.one_of(Vest.NONE, Vest.BLUE, Vest.NONE, Vest.BLUE, Vest.RED)
    stage = Stage(
        draw, draw.one_of(Layout.ROW, Layout.TWO_ROWS), seats=draw.whole(2, 6), duration_ms=45_000
    )
    stage.seat_all()
    there_ms = stage.enters("visitor", draw.ms(7_000, 11_000), vest=vest, goal=draw.whole(0, 1))
    stage.leaves("visitor", there_ms + draw.ms(8_000, 12_000))
    stages.disturb(stage, draw, most=2)
    wrong = stage.seen("visitor") if vest is not Vest.RED else ()
    return Scenario(
        name="not_in_red",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, len(stage.hall.chairs) + 1))),
        truth=truths(LOOK, None, wrong),
        spare=spares(widened(stage.doubtful(), 500, 500), LOOK),
        heads=stage.heads(),
    )


@family(LOOK)
def one_of_each_admitted(draw: Draw) -> Scenario:
    """Government procurement: one in blue and one without a vest may be there, no second."""
    second = draw.one_of(None, Vest.BLUE, Vest.NONE)
    stage = Stage(draw, Layout.ROW, seats=5, duration_ms=45_000)
    stage.seat_all()
    stage.seat(1, 0, Vest.BLUE)
    stage.seat(5, 0, Vest.NONE)
    wrong: Spans = ()
    if second is not None:
        there_ms = stage.enters("visitor", draw.ms(9_000, 12_000), vest=second, goal=0)
        stage.leaves("visitor", there_ms + draw.ms(9_000, 12_000))
        wrong = stage.seen("visitor")
    stages.disturb(stage, draw, most=1)
    kind = ProcurementKind.GOVERNMENT
    return Scenario(
        name="one_of_each_admitted",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, 6, procurement=kind))),
        truth=truths(LOOK, None, wrong),
        spare=spares(widened(stage.doubtful(), 500, 500), LOOK),
        heads=stage.heads(),
    )


@family(LOOK)
def all_in_red_lights_change(draw: Draw) -> Scenario:
    """A committee in red that moves, while lights and daylight change: nobody looks otherwise."""
    stage = Stage(
        draw,
        draw.one_of(Layout.ROW, Layout.TWO_ROWS, Layout.U_SHAPE),
        seats=draw.whole(3, 9),
        noise_sigma=draw.share(2, 6),
        duration_ms=50_000,
    )
    stage.seat_all()
    stage.stands_up("expert-1", draw.ms(8_000, 10_000), draw.ms(14_000, 18_000))
    gone_ms = stage.leaves("expert-2", draw.ms(12_000, 16_000))
    stage.takes_seat(2, gone_ms + draw.ms(3_000, 8_000))
    stages.disturb(stage, draw, most=3, lights=True)
    return Scenario(
        name="all_in_red_lights_change",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, len(stage.hall.chairs)))),
        spare=stages.lights_spare(stage),
        heads=stage.heads(),
    )


def _passes_by(at_ms: int, session: str, of_room: str) -> tuple[int, Keep]:
    return at_ms, Keep(
        command_id=f"keep-{session}",
        room_id=ROOM_ID,
        session_id=session,
        from_utc_ms=moment(0).utc_ms,
        to_utc_ms=None,
        keep_until_utc_ms=moment(10**9).utc_ms,
        of_room=of_room,
    )


def _corridor(name: str, stage: Stage, draw: Draw, together: Spans, about: Spans = ()) -> Scenario:
    doors: list[PictureZone] = [
        door_zone("door-a", "room-a", stage, Place(-DOOR_X_M, LEFT_DOOR_Z_M)),
        door_zone("door-b", "room-b", stage, Place(DOOR_X_M, RIGHT_DOOR_Z_M)),
    ]
    return Scenario(
        name=name,
        seed=draw.seed,
        room=room(zones={CAMERA: doors}, kind=AreaKind.CORRIDOR),
        duration_ms=stage.duration_ms,
        open=lambda: merged(
            stage.pictures(),
            said(_passes_by(500, "session-a", "room-a"), _passes_by(600, "session-b", "room-b")),
        ),
        truth=truths(CONTACT, CAMERA, together),
        spare=spares(about, CONTACT),
    )


@family(CONTACT)
def meet_in_corridor(draw: Draw) -> Scenario:
    """Two come out of rooms of different sessions, meet, stand together and part."""
    stage = Stage(draw, Layout.CORRIDOR, seats=0, duration_ms=45_000)
    first_ms, second_ms = draw.ms(3_000, 5_000), draw.ms(4_000, 6_000)
    stage.puts("a", first_ms, Place(-DOOR_X_M, LEFT_DOOR_Z_M), vest=Vest.RED)
    stage.puts("b", second_ms, Place(DOOR_X_M, RIGHT_DOOR_Z_M), vest=Vest.RED)
    z = draw.share(4.6, 5.6)
    goes_ms = draw.ms(8_000, 10_000)
    apart = draw.share(0.65, 0.8)  # metres, middle to middle: as people stand who talk
    a_ms = stage.walks("a", goes_ms, Place(-apart / 2, z))
    b_ms = stage.walks("b", goes_ms, Place(apart / 2, z + draw.share(-0.15, 0.15)))
    part_ms = max(a_ms, b_ms) + draw.ms(6_000, 12_000)
    stage.walks("a", part_ms, Place(-0.8, 10.5))
    stages.disturb(stage, draw, most=1)
    near = _within(stage, NEAR_M)
    # How near is near is told in widths of bodies, which arms and depth make uncertain.
    about = widened(without(_within(stage, PART_M), near), 400, 400)
    return _corridor("meet_in_corridor", stage, draw, near, about)


def _within(stage: Stage, metres: float) -> Spans:
    """When the two stand no further apart than this, middle to middle."""
    one, other = stage.people["a"], stage.people["b"]

    def holds(t_ms: int) -> bool:
        here, there = one.place(t_ms), other.place(t_ms)
        return (
            here is not None
            and there is not None
            and hypot(here.x_m - there.x_m, here.z_m - there.z_m) <= metres
        )

    return where(range(0, stage.duration_ms + 1, 50), holds)


@family(CONTACT)
def pass_each_other(draw: Draw) -> Scenario:
    """They pass each other, or stand well apart, or are of one session: no contact."""
    stage = Stage(draw, Layout.CORRIDOR, seats=0, duration_ms=40_000)
    how = draw.one_of("pass", "apart", "one_session")
    stage.puts("a", draw.ms(3_000, 4_000), Place(-DOOR_X_M, LEFT_DOOR_Z_M), vest=Vest.RED)
    match how:
        case "pass":
            stage.puts("b", 4_000, Place(DOOR_X_M, RIGHT_DOOR_Z_M), vest=Vest.RED)
            stage.walks("b", 7_000, Place(0.5, 4.6))
            stage.walks("a", draw.ms(8_000, 9_000), Place(-0.5, 7.6), Place(-0.5, 4.4))
            stage.walks("b", draw.ms(9_000, 10_000), Place(0.5, 11.0))
        case "apart":
            stage.puts("b", 4_000, Place(DOOR_X_M, RIGHT_DOOR_Z_M), vest=Vest.RED)
            stage.walks("a", draw.ms(8_000, 9_000), Place(-0.8, draw.share(8.5, 9.5)))
            stage.walks("b", draw.ms(8_000, 9_000), Place(0.6, draw.share(4.6, 5.2)))
        case _:
            stage.puts("b", draw.ms(8_000, 9_000), Place(-DOOR_X_M, LEFT_DOOR_Z_M), vest=Vest.RED)
            stage.walks("a", 7_000, Place(-0.35, 5.0))
            stage.walks("b", draw.ms(11_000, 12_000), Place(0.35, 5.0))
    stages.disturb(stage, draw, most=1)
    return _corridor(f"pass_each_other {how}", stage, draw, ())


@family(SEAT)
def stands_at_anothers(draw: Draw) -> Scenario:
    """One gets up, goes to another's seat and stays there; or only passes behind it."""
    how = draw.one_of("stays", "stays", "passes", "short")
    stage = Stage(draw, Layout.ROW, seats=draw.whole(3, 5), duration_ms=50_000)
    stage.seat_all()
    people = len(stage.hall.chairs)
    host = draw.whole(1, people)
    guest = draw.one_of(*[number for number in range(1, people + 1) if number != host])
    chair = stage.hall.chairs[host - 1]
    name = f"expert-{guest}"
    aisle = stage.hall.aisle_z_m
    own = stage.hall.chairs[guest - 1]
    beside = Place(chair.seat.x_m + draw.one_of(-0.22, 0.22), chair.seat.z_m + 0.4)
    goes_ms = draw.ms(6_000, 9_000)
    out = (Place(own.seat.x_m, own.seat.z_m + 0.05), Place(own.seat.x_m, aisle))
    truth: Spans = ()
    back_ms = goes_ms
    if how == "passes":
        over = chair.seat.x_m + (0.9 if chair.seat.x_m > own.seat.x_m else -0.9)
        back_ms = stage.walks(name, goes_ms, *out, Place(over, aisle)) + draw.ms(2_000, 5_000)
    else:
        there_ms = stage.walks(name, goes_ms, *out, Place(beside.x_m, aisle), beside)
        stays_ms = draw.ms(13_000, 17_000) if how == "stays" else draw.ms(1_500, 4_000)
        back_ms = there_ms + stays_ms
        truth = ((there_ms - 1_000, back_ms + 600),)  # at the seat from a step before it
    stage.walks(name, back_ms, Place(own.seat.x_m, aisle), *own.way[1:])
    zones = [seat_zone(stage, number, one) for number, one in enumerate(stage.hall.chairs, 1)]
    about = widened(shared(truth, truth), 1_200, 1_500)
    return Scenario(
        name=f"stands_at_anothers {how}",
        seed=draw.seed,
        room=room(zones={CAMERA: zones}, admits={}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, people))),
        truth=truths(SEAT, f"{CAMERA}/seat-{host}", truth),
        # The neighbour's seat, beside which one stands, is nobody's to judge.
        spare=spares(about, SEAT),
        heads=stage.heads(),
    )


FAMILIES: Final[tuple[Family, ...]] = (
    not_in_red,
    one_of_each_admitted,
    all_in_red_lights_change,
    meet_in_corridor,
    pass_each_other,
    stands_at_anothers,
)
