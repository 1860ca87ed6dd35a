"""Scenarios of the rules on object zones: what is left in them, and what is taken from them."""

from typing import Final

from contracts.catalogue import CATALOGUE
from contracts.units import RuleCode
from contracts.zones import PictureZone, ZoneKind
from tests.corpus import stages
from tests.corpus.disturbances import Reflection, SlowLight
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room, zone
from tests.corpus.scenario import CAMERA, Scenario, Spare, Truth, merged, said, seal, truths
from tests.corpus.spans import Span
from tests.corpus.stage import Stage, Standing
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout
from zeroentry.composer.hall_painter import Thing

LEFT = "zone.object_left"
TAKEN = "zone.object_taken"
SHELF = "shelf"
SUBJECT = f"{CAMERA}/{SHELF}"
WAITS = {LEFT: {"dwell_ms": 8_000.0}, TAKEN: {"dwell_ms": 5_000.0}}
"""Shorter than a site has them, within their bounds: the scenarios stay short."""


def _stage(draw: Draw, duration_ms: int = 60_000) -> tuple[Stage, Place, PictureZone]:
    """A room with an object zone on the floor beside the table, in view, away from the walk."""
    layout = draw.one_of(Layout.ROW, Layout.TWO_ROWS)
    stage = Stage(
        draw,
        layout,
        seats=draw.whole(2, 5),
        noise_sigma=draw.share(1.5, 5.0),
        duration_ms=duration_ms,
    )
    stage.seat_all()
    free = stage.hall.stands[1 if layout is Layout.ROW else 0]
    spot = Place(free.x_m + draw.share(-0.15, 0.15), free.z_m + draw.share(-0.1, 0.1))
    x, y = stage.share(spot)
    left, right = max(x - 0.11, 0.0), min(x + 0.11, 1.0)
    top, bottom = max(y - 0.22, 0.0), min(y + 0.06, 1.0)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return stage, spot, zone(SHELF, ZoneKind.OBJECT, corners)


def _thing(draw: Draw, spot: Place) -> Thing:
    """A bag, box or folder of 15 to 45 cm."""
    shade = [draw.whole(15, 230) for _ in range(3)]
    width, height = draw.share(0.18, 0.45), draw.share(0.15, 0.4)
    offset = draw.share(-0.15, 0.15)
    return Thing(
        "bag", spot.x_m + offset, spot.z_m, 0.0, width, height, (shade[0], shade[1], shade[2])
    )


def _others(duration_ms: int) -> tuple[Spare, ...]:
    mine = (LEFT, TAKEN)
    return tuple(Spare(0, duration_ms, RuleCode(code)) for code in CATALOGUE if code not in mine)


def _scenario(
    stage: Stage, where: PictureZone, name: str, truth: tuple[Truth, ...], *more: Spare
) -> Scenario:
    return Scenario(
        name=name,
        seed=stage.draw.seed,
        room=room(zones={CAMERA: [where]}, rules=WAITS),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, 9))),
        truth=truth,
        spare=(*_others(stage.duration_ms), *more),
    )


@family(LEFT)
def appears(draw: Draw) -> Scenario:
    """Something is there that was not, pushed in from the side; later it is fetched."""
    stage, spot, where = _stage(draw)
    at_ms = draw.ms(14_000, 18_000)
    span = (at_ms, at_ms + draw.ms(14_000, 25_000))
    stage.standing.append(Standing(_thing(draw, spot), *span))
    stages.disturb(stage, draw, most=1)
    return _scenario(stage, where, "appears", truths(LEFT, SUBJECT, (span,)))


@family(TAKEN)
def disappears(draw: Draw) -> Scenario:
    """Something that was always there is gone, and is put back."""
    stage, spot, where = _stage(draw)
    at_ms = draw.ms(14_000, 18_000)
    span: Span = (at_ms, at_ms + draw.ms(11_000, 25_000))
    thing = _thing(draw, spot)
    stage.standing.append(Standing(thing, 0, span[0]))
    stage.standing.append(Standing(thing, span[1], stage.duration_ms))
    stages.disturb(stage, draw, most=1)
    return _scenario(stage, where, "disappears", truths(TAKEN, SUBJECT, (span,)))


@family(LEFT, name="zone.object_left/put_down")
def put_down(draw: Draw) -> Scenario:
    """Somebody walks up, puts something down while standing before it, and goes."""
    stage, spot, where = _stage(draw, 70_000)
    goal = Place(spot.x_m, spot.z_m + 0.5)
    there_ms = stage.enters("visitor", draw.ms(10_000, 13_000), goal=goal)
    goes_ms = there_ms + draw.ms(3_000, 5_000)
    gone_ms = stage.leaves("visitor", goes_ms)
    span = (there_ms + 1_000, stage.duration_ms)
    stage.standing.append(Standing(_thing(draw, spot), *span))
    # From when exactly nobody is "at it" any more, on his way to the door, nobody could say.
    away = Truth(LEFT, SUBJECT, goes_ms, span[1], must=False)
    due = (Spare(there_ms, gone_ms, RuleCode(LEFT)), Spare(there_ms, gone_ms, RuleCode(TAKEN)))
    return _scenario(stage, where, "put_down", (away,), *due)


@family(name="zone.objects/nothing_there", seeds=20)
def nothing_there(draw: Draw) -> Scenario:
    """People walk and stand before the zone, light changes, the sun wanders: nothing is left."""
    stage, spot, where = _stage(draw, 80_000)
    if draw.one_of(False, True):
        stage.standing.append(Standing(_thing(draw, spot), 0, stage.duration_ms))
    there_ms = stage.enters("visitor", 10_000, goal=Place(spot.x_m, spot.z_m - 0.4))
    stage.leaves("visitor", there_ms + draw.ms(10_000, 20_000))
    x, y = stage.lens().px(spot.x_m, 0.0, spot.z_m)
    stages.disturb(stage, draw, most=2, lights=True)
    stage.change(SlowLight(draw.share(0.1, 0.3), 60_000, draw.share(0, 6)))
    path = ((x - 80, y - 40), (x + 90, y + 10))
    stage.change(Reflection(((50_000, 74_000),), path, draw.whole(25, 60), draw.share(30, 90)))
    return _scenario(stage, where, "nothing_there", ())


FAMILIES: Final[tuple[Family, ...]] = (appears, disappears, put_down, nothing_there)
