"""Hours in which nothing happens that anybody must be called for: the normal life of a room.

People sit and fidget, stand up and stretch, leave for the rest room and come back (within what the
rules allow), lights and daylight change, a curtain moves, a monitor shows pictures, sensors make
noise, encoders make blocks. Whatever sounds here is false.
"""

from typing import Final

from contracts.admission import AreaKind
from contracts.commands import Keep
from tests.corpus import stages
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import (
    CAMERA,
    ROOM_ID,
    Scenario,
    Sight,
    Spare,
    merged,
    moment,
    said,
    seal,
)
from tests.corpus.stage import RobotPath, Stage
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout
from zeroentry.composer.model import Vest

TEN_MINUTES_MS = 600_000
# Lights that are switched are told of in a notice; whether rightly is for the camera's scenarios.
LIGHTS: Final = (Spare(0, TEN_MINUTES_MS, "camera.lights"),)


@family(name="quiet/sealed_session", seeds=100)
def sealed_session(draw: Draw) -> Scenario:
    """Ten minutes of a sealed committee of 3 to 9, with walks inside the area and disturbances."""
    layout = draw.one_of(Layout.ROW, Layout.ROW, Layout.TWO_ROWS, Layout.U_SHAPE)
    stage = Stage(
        draw,
        layout,
        seats=draw.one_of(5, 5, 7, 7, 9, 3),
        noise_sigma=draw.share(1.5, 5.0),
        duration_ms=TEN_MINUTES_MS,
    )
    stage.seat_all()
    people = len(stage.hall.chairs)
    at_ms = draw.ms(20_000, 60_000)
    while at_ms < TEN_MINUTES_MS - 120_000:
        number = draw.whole(1, people)
        name = f"expert-{number}"
        if draw.share(0, 1) < 0.5:  # stands up, stretches, sits again
            until_ms = at_ms + draw.ms(4_000, 20_000)
            stage.stands_up(name, at_ms, until_ms)
            at_ms = until_ms + draw.ms(15_000, 60_000)
        else:  # a walk inside the area: out by the door and back before anybody need worry
            gone_ms = stage.leaves(name, at_ms)
            back_ms = stage.takes_seat(number, gone_ms + draw.ms(10_000, 60_000))
            at_ms = back_ms + draw.ms(15_000, 60_000)
    stages.disturb(stage, draw, most=3, lights=True)
    wide = people > 6 or layout is Layout.U_SHAPE
    return Scenario(
        name="sealed_session",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(3_000, people))),
        spare=LIGHTS,
        heads=stage.heads(),
        sights=(Sight(CAMERA, tiles=2),) if wide else (),
        quiet=True,
    )


@family(name="quiet/empty_room", seeds=30)
def empty_room(draw: Draw) -> Scenario:
    """Ten minutes of a room that nobody uses: light, curtain, monitor, noise, and a cleaner."""
    stage = Stage(
        draw,
        draw.one_of(*(one for one in Layout if one is not Layout.CORRIDOR)),
        seats=draw.whole(3, 9),
        noise_sigma=draw.share(1.5, 6.0),
        duration_ms=TEN_MINUTES_MS,
    )
    if draw.share(0, 1) < 0.5:
        there_ms = stage.enters("cleaner", draw.ms(60_000, 240_000), goal=draw.whole(0, 2))
        stage.leaves("cleaner", there_ms + draw.ms(20_000, 120_000))
    stages.disturb(stage, draw, most=4, lights=True)
    return Scenario(
        name="empty_room",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=stage.pictures,
        spare=LIGHTS,
        heads=stage.heads(),
        quiet=True,
    )


@family(name="quiet/corridor", seeds=30)
def corridor(draw: Draw) -> Scenario:
    """Ten minutes of a corridor of the closed area: experts on a walk, the robot with a meal."""
    stage = Stage(
        draw,
        Layout.CORRIDOR,
        seats=0,
        noise_sigma=draw.share(1.5, 5.0),
        duration_ms=TEN_MINUTES_MS,
    )
    at_ms, number = draw.ms(10_000, 40_000), 0
    while at_ms < TEN_MINUTES_MS - 60_000:
        number += 1
        if draw.share(0, 1) < 0.3:
            end_ms = at_ms + 20_000
            stage.robots.append(RobotPath(at_ms, end_ms, Place(0.3, 14.5), Place(-0.4, 1.5)))
        else:
            name = f"walker-{number}"
            stage.enters(name, at_ms, vest=Vest.RED, goal=draw.whole(0, 2))
            there_ms = stage.walks(name, at_ms + 12_000, Place(draw.share(-0.6, 0.6), 3.0))
            end_ms = stage.leaves(name, there_ms + draw.ms(1_000, 10_000))
        at_ms = end_ms + draw.ms(10_000, 60_000)
    stages.disturb(stage, draw, most=2)
    keep = Keep(
        command_id="keep-1",
        room_id=ROOM_ID,
        session_id="session-1",
        from_utc_ms=moment(0).utc_ms,
        keep_until_utc_ms=moment(TEN_MINUTES_MS * 1_000).utc_ms,
    )
    return Scenario(
        name="corridor",
        seed=draw.seed,
        room=room(kind=AreaKind.CORRIDOR),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said((1_000, keep))),
        quiet=True,
    )


FAMILIES: Final[tuple[Family, ...]] = (sealed_session, empty_room, corridor)
