"""Scenarios of the rules on a camera's picture and link: covered, blurred, moved, dark, frozen.

A fault of a camera is one cause and must raise one alert, so no rule on cameras is spared here:
what a covered camera makes of the head count is.
"""

from collections.abc import Callable, Iterator, Sequence
from math import pi, sin
from typing import Final

from contracts.catalogue import CATALOGUE
from contracts.observations import CameraState
from contracts.units import RuleCode
from edge.core.streams import ClockSeen, ClockSource, StreamDeclared, StreamSeen
from tests.corpus import stages
from tests.corpus.disturbances import (
    H264,
    Covered,
    Dark,
    Defocused,
    ExposureDrift,
    Flicker,
    Frozen,
    Glare,
    Lights,
    Moved,
    Reflection,
    SlowLight,
)
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import (
    CAMERA,
    Given,
    Said,
    Scenario,
    Spare,
    Truth,
    link,
    merged,
    moment,
    said,
    seal,
    truths,
)
from tests.corpus.spans import Span, covers
from tests.corpus.stage import RobotPath, Stage
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout

COVERED = "camera.covered"
DEFOCUSED = "camera.defocused"
MOVED = "camera.moved"
DARK = "camera.dark"
GLARE = "camera.glare"
LIGHTS = "camera.lights"
FROZEN = "camera.frozen"
OFFLINE = "camera.offline"
WRONG_STREAM = "camera.wrong_stream"
CLOCK_OFF = "camera.clock_off"

LIGHT_TOLD_MS = 2_000  # a switch counts as just now for so long
STILL_MS = 20_000  # the rule's own patience with people in the picture
DECLARED = StreamDeclared("h264", 640, 360, 5.0)


def besides_cameras(duration_ms: int) -> tuple[Spare, ...]:
    """Whatever is not said of a camera itself is another group's affair."""
    others = [code for code in CATALOGUE if not code.startswith("camera.")]
    return tuple(Spare(0, duration_ms, RuleCode(code)) for code in others)


def _stage(draw: Draw, duration_ms: int = 50_000, *, most: int = 2) -> Stage:
    layout = draw.one_of(Layout.ROW, Layout.TWO_ROWS, Layout.U_SHAPE)
    stage = Stage(
        draw,
        layout,
        seats=draw.whole(3, 7),
        noise_sigma=draw.share(1.5, 5.0),
        duration_ms=duration_ms,
    )
    for number in range(1, draw.whole(0, len(stage.hall.chairs)) + 1):
        stage.seat(number)
    stages.disturb(stage, draw, most=most)
    return stage


def _scenario(stage: Stage, name: str, truth: Sequence[Truth]) -> Scenario:
    return Scenario(
        name=name,
        seed=stage.draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, 9))),
        truth=tuple(truth),
        spare=besides_cameras(stage.duration_ms),
    )


def _span(draw: Draw, low_ms: int = 8_000, high_ms: int = 20_000) -> Span:
    at_ms = draw.ms(12_000, 18_000)
    return at_ms, at_ms + draw.ms(low_ms, high_ms)


@family(COVERED)
def cloth(draw: Draw) -> Scenario:
    """Something even hangs before the lens for some seconds."""
    stage, span = _stage(draw), _span(draw)
    shade = draw.whole(10, 150)
    stage.change(Covered(span, bgr=(shade, shade + 4, shade + 8)))
    return _scenario(stage, "cloth", truths(COVERED, CAMERA, (span,)))


@family(COVERED, name="camera.covered/hand_then_cloth", seeds=10)
def hand_then_cloth(draw: Draw) -> Scenario:
    """A hand hides a part, which is nothing to tell, then a cloth hides all."""
    stage, span = _stage(draw), _span(draw)
    shade = draw.whole(30, 150)
    hand = (span[0] - 5_000, span[0])
    stage.change(Covered(hand, bgr=(90, 110, 160), share=draw.share(0.2, 0.5)))
    stage.change(Covered(span, bgr=(shade, shade, shade)))
    return _scenario(stage, "hand_then_cloth", truths(COVERED, CAMERA, (span,)))


@family(DEFOCUSED)
def lens_turned(draw: Draw) -> Scenario:
    """The lens goes out of focus, a little or a lot."""
    stage, span = _stage(draw), _span(draw, 9_000)
    stage.change(Defocused(span, sigma_px=draw.share(2.5, 8.0)))
    return _scenario(stage, "lens_turned", truths(DEFOCUSED, CAMERA, (span,)))


@family(MOVED)
def turned(draw: Draw) -> Scenario:
    """Somebody turns the camera, by a little or to another corner."""
    stage, span = _stage(draw), _span(draw)
    across = draw.one_of(-1, 1) * draw.share(20, 130)
    stage.change(Moved(span, (across, draw.share(-25, 25)), draw.share(-5, 5)))
    return _scenario(stage, "turned", truths(MOVED, CAMERA, (span,)))


@family(DARK)
def light_fails(draw: Draw) -> Scenario:
    """Next to no light reaches the sensor."""
    stage, span = _stage(draw), _span(draw)
    stage.change(Dark(span, rest=draw.share(0.0, 0.08)))
    return _scenario(stage, "light_fails", truths(DARK, CAMERA, (span,)))


@family(GLARE)
def sun_in_lens(draw: Draw) -> Scenario:
    """The sun or a torch shines into the lens."""
    stage, span = _stage(draw), _span(draw)
    stage.change(Glare(span, (draw.share(0.3, 0.7), draw.share(0.2, 0.6))))
    return _scenario(stage, "sun_in_lens", truths(GLARE, CAMERA, (span,)))


@family(LIGHTS)
def lights_switched(draw: Draw) -> Scenario:
    """The lights go down and up again; people go on with what they do."""
    stage, span = _stage(draw), _span(draw, 9_000, 18_000)
    stage.change(Lights((span,), rest=draw.share(0.25, 0.65), fade_ms=draw.one_of(100, 400)))
    spans = tuple((at_ms, at_ms + LIGHT_TOLD_MS) for at_ms in span)
    return _scenario(stage, "lights_switched", truths(LIGHTS, CAMERA, spans))


@family(FROZEN)
def same_picture(draw: Draw) -> Scenario:
    """The camera sends one picture again and again, time stamps running; first only for a moment.

    Half of the cameras code it anew at each key frame.
    """
    stage = Stage(
        draw,
        seats=draw.whole(2, 6),
        noise_sigma=draw.share(1.5, 5.0),
        duration_ms=70_000,
    )
    stage.seat_all()
    at_ms = draw.ms(18_000, 22_000)
    span = (at_ms, at_ms + draw.ms(28_000, 40_000))
    stage.change(Frozen((6_000, draw.ms(9_000, 14_000))))
    stage.change(Frozen(span))
    if draw.one_of(False, True):
        stage.change(H264(kbps=6_000))  # a real encoder is done with a still picture in a second
    return _scenario(stage, "same_picture", truths(FROZEN, CAMERA, (span,), dwell_ms=STILL_MS))


@family(name="camera/near_misses", seeds=20)
def near_misses(draw: Draw) -> Scenario:
    """A part hidden, the lens a hair off, a bump, dimmed light: nothing to tell."""
    stage = _stage(draw, 60_000, most=1)
    hidden, soft, bumped, dimmed = ((t, t + 8_000) for t in (10_000, 20_000, 30_000, 40_000))
    stage.change(
        Covered(hidden, bgr=(60, 60, 60), share=draw.share(0.15, 0.45)),
        Defocused(soft, sigma_px=draw.share(0.4, 0.8)),
        Moved((bumped[0], bumped[0] + 1_600), (draw.share(-60, 60), 10), draw.share(-2, 2)),
        Lights((dimmed,), rest=draw.share(0.3, 0.6), fade_ms=20_000),
    )
    return _scenario(stage, "near_misses", ())


@family(name="camera/busy_view", seeds=20)
def busy_view(draw: Draw) -> Scenario:
    """People walk up to the lens and stand there, a robot passes, screens and the sun play."""
    stage = Stage(draw, seats=draw.whole(3, 7), noise_sigma=draw.share(1.5, 5), duration_ms=70_000)
    stage.seat_all()
    near = Place(draw.share(-0.5, 0.5), draw.share(1.0, 1.6))
    there_ms = stage.enters("cleaner", 8_000, goal=near)
    stage.enters("guest", 11_000, goal=Place(near.x_m + 0.7, near.z_m + 0.4))
    stage.leaves("cleaner", there_ms + draw.ms(6_000, 12_000))
    stage.robots.append(
        RobotPath(30_000, 45_000, Place(-2.2, draw.share(1.2, 2.0)), Place(2.2, 1.6))
    )
    stages.disturb(stage, draw, most=3)
    left, top = draw.share(0, 300), draw.share(0, 80)
    screen = ((left, top), (left + 240, top), (left + 240, top + 120), (left, top + 120))
    stage.change(Flicker(screen, draw.seed, 3_000))
    sun = (draw.share(50, 600), draw.share(50, 300))
    stage.change(Reflection(((40_000, 60_000),), (sun, (sun[0] + 60, sun[1])), 90, 140))
    return _scenario(stage, "busy_view", ())


@family(name="camera/still_view", seeds=10)
def still_view(draw: Draw) -> Scenario:
    """A quiet room seen by a camera that smooths its noise away: still, and not frozen."""
    stage = Stage(draw, seats=draw.whole(2, 6), noise_sigma=draw.share(0.0, 0.6),
                  duration_ms=150_000)  # fmt: skip
    if draw.one_of(False, True):
        stage.seat_all()
    stage.change(H264(kbps=draw.one_of(128, 512)))
    return _scenario(stage, "still_view", ())


@family(name="camera/daylight", seeds=10)
def daylight(draw: Draw) -> Scenario:
    """Clouds pass and the camera's exposure hunts: much light, no switch."""
    stage = _stage(draw, 120_000, most=1)
    stage.change(SlowLight(draw.share(0.2, 0.35), draw.whole(40, 90) * 1_000, draw.share(0, 6)))
    stage.change(ExposureDrift(draw.share(0.05, 0.1), draw.whole(8, 20) * 1_000))
    return _scenario(stage, "daylight", ())


@family(OFFLINE)
def cable(draw: Draw) -> Scenario:
    """The connection breaks, and comes back."""
    stage = Stage(draw, seats=3, duration_ms=40_000)
    stage.seat_all()
    lost_ms = draw.ms(10_000, 14_000)
    back_ms = lost_ms + draw.ms(4_000, 15_000)

    def seen() -> Iterator[Given]:
        return (one for one in stage.pictures() if not lost_ms <= one.at_ms < back_ms)

    rows = (
        link(lost_ms + 200, CameraState.OFFLINE, since_ms=lost_ms),
        link(back_ms, CameraState.LIVE),
    )
    return Scenario(
        name="cable",
        seed=draw.seed,
        room=room(),
        duration_ms=stage.duration_ms,
        open=lambda: merged(seen(), said(*rows)),
        truth=truths(OFFLINE, CAMERA, ((lost_ms, back_ms),)),
        spare=besides_cameras(stage.duration_ms),
    )


Seen = Callable[[int], StreamSeen]


def _streams(draw: Draw, name: str, truth: Sequence[Truth], seen: Seen) -> Scenario:
    """What the node says of a camera's stream, each half second."""
    duration_ms, phase_ms = 90_000, draw.whole(0, 499)

    def opened() -> Iterator[Given]:
        return (Said(t_ms, seen(t_ms)) for t_ms in range(phase_ms, duration_ms, 500))

    return Scenario(
        name=name,
        seed=draw.seed,
        room=room(streams={CAMERA: DECLARED}),
        duration_ms=duration_ms,
        open=opened,
        truth=tuple(truth),
        spare=besides_cameras(duration_ms),
        of_camera="none",
    )


@family(WRONG_STREAM)
def settings_changed(draw: Draw) -> Scenario:
    """Somebody sets the camera to another codec, size or rate; before, its rate only trembles."""
    at_ms = draw.ms(25_000, 35_000)
    span = (at_ms, at_ms + draw.ms(16_000, 40_000))
    blip = (8_000, 8_000 + draw.ms(2_000, 6_000))
    wrong = draw.one_of("codec", "size", "fps")

    def seen(t_ms: int) -> StreamSeen:
        off = covers((span,), t_ms)
        fps = 5 + draw_fps * sin(t_ms / 3_000)
        if covers((blip,), t_ms):
            fps = 2.0
        return StreamSeen(
            CAMERA,
            moment(t_ms),
            codec="h265" if off and wrong == "codec" else "h264",
            width_px=1920 if off and wrong == "size" else 640,
            height_px=1080 if off and wrong == "size" else 360,
            fps=1.0 + draw_fps if off and wrong == "fps" else fps,
        )

    draw_fps = draw.share(0, 1.4)
    return _streams(draw, "settings_changed", truths(WRONG_STREAM, CAMERA, (span,)), seen)


@family(CLOCK_OFF)
def clock_runs_away(draw: Draw) -> Scenario:
    """The camera's clock jumps, or runs away past the limit, and is set right."""
    at_ms = draw.ms(15_000, 25_000)
    span = (at_ms, at_ms + draw.ms(36_000, 50_000))
    far_ms = draw.one_of(-1, 1) * draw.share(6_000, 3_600_000)
    source = draw.one_of(ClockSource.ONVIF, ClockSource.RTCP)

    def seen(t_ms: int) -> StreamSeen:
        near_ms = 1_500 * sin(2 * pi * t_ms / 20_000)
        offset_ms = far_ms if covers((span,), t_ms) else near_ms
        return StreamSeen(CAMERA, moment(t_ms), clock=ClockSeen(offset_ms, source, moment(t_ms)))

    return _streams(draw, "clock_runs_away", truths(CLOCK_OFF, CAMERA, (span,)), seen)


FAMILIES: Final[tuple[Family, ...]] = (
    cloth,
    hand_then_cloth,
    lens_turned,
    turned,
    light_fails,
    sun_in_lens,
    lights_switched,
    same_picture,
    near_misses,
    busy_view,
    still_view,
    daylight,
    cable,
    settings_changed,
    clock_runs_away,
)
