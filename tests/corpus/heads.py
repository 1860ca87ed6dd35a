"""Rooms of nobody to nine people, for the head count: no alert is due, the number is asked."""

from typing import Final

import numpy as np

from contracts.units import CameraId
from tests.corpus import stages
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import Floor, room
from tests.corpus.scenario import CAMERA, Scenario, Sight, merged, said, seal
from tests.corpus.stage import Stage
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import SEATS_MAX, Layout

SECOND_CAMERA = CameraId("cam-2")


def floor_of(stage: Stage, camera_id: CameraId) -> Floor:
    """Marks on the floor as an installer would set them: far apart, where this camera sees them."""
    half = stage.hall.width_m / 2
    seen = []
    for z_m in np.arange(2.2, stage.hall.depth_m, 0.4):
        for x_m in np.arange(-half + 0.3, half, 0.3):
            x, y = stage.share(Place(float(x_m), float(z_m)), 0.0, camera_id)
            if 0.02 < x < 0.98 and 0.02 < y < 0.98:
                seen.append((x, y, float(x_m), float(z_m)))
    # The outermost towards each corner of the picture.
    return tuple(
        max(seen, key=lambda mark: right * mark[0] + down * mark[1])
        for right, down in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    )


def _seated(draw: Draw, layout: Layout, seats: int) -> Stage:
    stage = Stage(draw, layout, seats=seats, noise_sigma=draw.share(1.5, 5), duration_ms=40_000)
    stage.seat_all()
    if seats and draw.share(0, 1) < 0.4:
        at_ms = draw.ms(12_000, 18_000)
        stage.stands_up(f"expert-{draw.whole(1, seats)}", at_ms, at_ms + draw.ms(4_000, 10_000))
    return stage


@family(name="heads/nobody_to_nine", seeds=60)
def nobody_to_nine(draw: Draw) -> Scenario:
    """A committee of a size that the seed says (its last digit) sits in a room of any layout."""
    seats = draw.seed % (SEATS_MAX + 1)
    layout = draw.one_of(Layout.ROW, Layout.ROW, Layout.TWO_ROWS, Layout.U_SHAPE)
    stage = _seated(draw, layout, seats)
    stages.disturb(stage, draw, most=1)
    wide = seats > 6 or layout is Layout.U_SHAPE
    return Scenario(
        name="nobody_to_nine",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, seats))),
        heads=stage.heads(),
        sights=(Sight(CAMERA, tiles=2),) if wide else (),
    )


@family(name="heads/two_cameras", seeds=20)
def two_cameras(draw: Draw) -> Scenario:
    """Two cameras look at one committee from two sides; marks on the floor are set."""
    seats = draw.whole(1, 7)
    stage = Stage(
        draw,
        Layout.ROW,
        seats=seats,
        cameras={CAMERA: 0, SECOND_CAMERA: draw.whole(1, 2)},
        duration_ms=30_000,
    )
    stage.seat_all()
    return Scenario(
        name="two_cameras",
        seed=draw.seed,
        room=room(
            (CAMERA, SECOND_CAMERA),
            floor={one: floor_of(stage, one) for one in stage.cameras},
        ),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, seats))),
        heads=stage.heads(),
    )


FAMILIES: Final[tuple[Family, ...]] = (nobody_to_nine, two_cameras)
