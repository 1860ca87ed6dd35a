"""Draws what disturbs a stage: lights, daylight, curtain, monitor, reflections, noise, encoder."""

from collections.abc import Callable

from tests.corpus.disturbances import (
    H264,
    Change,
    Curtain,
    ExposureDrift,
    Flicker,
    Ghost,
    Lights,
    Reflection,
    SlowLight,
)
from tests.corpus.families import Draw
from tests.corpus.scenario import Spare
from tests.corpus.stage import Stage


def disturb(stage: Stage, draw: Draw, *, most: int = 2, lights: bool = False) -> tuple[str, ...]:
    """Put up to ``most`` disturbances on all cameras of a stage; their names.

    ``lights``: the room's lights may also be switched. None of these is an anomaly by itself.
    """
    kinds = ["daylight", "exposure", "flicker", "curtain", "reflection", "ghost", "h264"]
    if lights:
        kinds.append("lights")
    chosen = draw.rng.permutation(len(kinds))[: draw.whole(0, most)]
    names = tuple(kinds[int(index)] for index in chosen)
    for name in names:
        for camera_id, painter in stage.painters.items():
            change = disturbance(
                name, stage, draw, painter.backdrop.windows, painter.backdrop.monitors
            )
            if change is not None:
                stage.change(change, camera_id=camera_id)
    return names


def lights_spare(stage: Stage) -> tuple[Spare, ...]:
    """For scenarios with ``lights``: the notice that lights were switched counts neither way."""
    return (Spare(0, stage.duration_ms, "camera.lights"),)


Polygons = tuple[tuple[tuple[float, float], ...], ...]


def disturbance(
    name: str, stage: Stage, draw: Draw, windows: Polygons, monitors: Polygons
) -> Change | None:
    """One disturbance by name; None where the room has nothing for it (no window, no monitor)."""
    phase = draw.share(0, 6.28)
    makers: dict[str, Callable[[], Change | None]] = {
        "daylight": lambda: SlowLight(draw.share(0.05, 0.2), draw.whole(60, 240) * 1_000, phase),
        "exposure": lambda: ExposureDrift(draw.share(0.02, 0.08), draw.whole(8, 40) * 1_000, phase),
        "flicker": lambda: (
            Flicker(monitors[0], draw.seed, draw.whole(2, 30) * 200) if monitors else None
        ),
        "curtain": lambda: (
            Curtain(windows[0], draw.share(4, 12), draw.whole(1_800, 4_000)) if windows else None
        ),
        "reflection": lambda: _wandering(stage, draw),
        "ghost": lambda: _ghost(draw, windows[0]) if windows else None,
        "h264": lambda: H264(kbps=512),
        "lights": lambda: _switched(stage, draw),
    }
    return makers[name]()


def _ghost(draw: Draw, window: tuple[tuple[float, float], ...]) -> Ghost:
    """Somebody's reflection in a window."""
    x, y = (int(max(0, min(values))) for values in zip(*window, strict=True))
    return Ghost((draw.whole(150, 400), 150), (x, y), (60, 70), draw.share(0.08, 0.2))


def _switched(stage: Stage, draw: Draw) -> Lights:
    """The lights go down to a part for a while."""
    at_ms = draw.ms(5_000, max(6_000, stage.duration_ms - 15_000))
    span = (at_ms, at_ms + draw.ms(3_000, 30_000))
    return Lights((span,), rest=draw.share(0.3, 0.75))


def _wandering(stage: Stage, draw: Draw) -> Reflection:
    """Bright patches that cross the picture, one each half minute or so."""
    spans = tuple(
        (at_ms, at_ms + draw.ms(1_000, 4_000))
        for at_ms in range(3_000, stage.duration_ms, draw.whole(20, 60) * 1_000)
    )
    ends = (
        (draw.share(0, 640), draw.share(0, 200)),
        (draw.share(0, 640), draw.share(0, 200)),
    )
    return Reflection(spans, ends, draw.whole(25, 70), draw.share(30, 80))
