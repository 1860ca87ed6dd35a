"""Scenarios of the rule on phones that are seen; those that ring are with the sounds."""

from typing import Final

from tests.corpus import stages
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import CAMERA, Scenario, merged, said, seal, truths
from tests.corpus.stage import Stage, Standing
from zeroentry.composer.hall import TABLE_M
from zeroentry.composer.hall_painter import Thing

VISIBLE = "phone.visible"
WIDTH_M, HEIGHT_M = 0.075, 0.155


@family(VISIBLE)
def held_up(draw: Draw) -> Scenario:
    """An expert holds a phone upright over the table for a while, at its true size."""
    stage = Stage(draw, seats=draw.whole(2, 5), duration_ms=50_000)
    stage.seat_all()
    seat = draw.one_of(*stage.hall.chairs).seat
    at_ms = draw.ms(10_000, 15_000)
    span = (at_ms, at_ms + draw.ms(10_000, 25_000))
    x_m, z_m = seat.x_m + draw.share(-0.2, 0.2), seat.z_m - 0.4
    shade = draw.whole(10, 40)
    frame = Thing("phone", x_m, z_m, TABLE_M + 0.15, WIDTH_M, HEIGHT_M, (shade, shade, shade))
    screen = Thing(
        "screen", x_m, z_m - 0.01, TABLE_M + 0.16, WIDTH_M * 0.85, HEIGHT_M * 0.8, (205, 190, 170)
    )
    stage.standing += [Standing(one, *span) for one in (frame, screen)]
    stages.disturb(stage, draw, most=1)
    return Scenario(
        name="held_up",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, len(stage.hall.chairs)))),
        truth=truths(VISIBLE, CAMERA, (span,)),
    )


FAMILIES: Final[tuple[Family, ...]] = (held_up,)
