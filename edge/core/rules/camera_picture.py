"""Judges whether a camera's picture shows the room: covered, blurred, moved, dark, glaring.

One cause has one alert: ``pictures.cause`` names the plainest, and while one is named, the rules on
the others know nothing. A camera that is away has no picture: its own rules speak.
"""

from collections.abc import Callable, Mapping

from contracts.catalogue import RuleSpec
from contracts.catalogue.camera import (
    CAMERA_COVERED,
    CAMERA_DARK,
    CAMERA_DEFOCUSED,
    CAMERA_GLARE,
    CAMERA_LIGHTS,
    CAMERA_MOVED,
)
from contracts.observations import CameraState, Measured
from contracts.units import Bilingual, CameraId
from edge.core import pictures
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.pictures import Cause, PictureLimits, PictureSigns
from edge.core.rules.rule import Finding, Judge, Rule, Wake
from edge.core.state import CameraSeen, RoomState

STANDS_EASIER = 0.85
# Of a limit, for an alert that stands: a hand that trembles at the limit must not ring twice.

Told = tuple[Bilingual, tuple[Measured, ...]]
Telling = Callable[[PictureSigns, PictureLimits], Told]


def limits_of(state: RoomState, camera_id: CameraId) -> PictureLimits:
    """Where each cause begins for a camera, easier where its alert stands already."""

    def limit(spec: RuleSpec, name: str, *, upwards: bool = True) -> float:
        value = state.rules[spec.code][name]
        if state.alert_of(spec.code, camera_id) is None:
            return value
        return value * STANDS_EASIER if upwards else min(value / STANDS_EASIER, 0.95)

    return PictureLimits(
        lost_share=limit(CAMERA_COVERED, "lost_share_min"),
        black_share=limit(CAMERA_DARK, "black_share_min"),
        burnt_share=limit(CAMERA_GLARE, "burnt_share_min"),
        shift=limit(CAMERA_MOVED, "shift_min_share"),
        sharpness=limit(CAMERA_DEFOCUSED, "sharpness_min", upwards=False),
    )


def cause_of(state: RoomState, camera_id: CameraId, now: Instant) -> Cause | None:
    """What a camera's newest picture suffers from; None: nothing, or nothing is known."""
    camera = state.cameras[camera_id]
    signs = shown(camera, now)
    if signs is None:
        return None
    limits = limits_of(state, camera_id)
    return pictures.cause(signs, camera.picture.burnt_usual or 0.0, limits)


def shown(camera: CameraSeen, now: Instant) -> PictureSigns | None:
    """The newest signs of a live camera, if they say something of now."""
    if camera.state is not CameraState.LIVE:
        return None
    return camera.picture.fresh(now, camera.state_since)


def lasting(signs: PictureSigns, now: Instant) -> Instant:
    """Until when signs are evidence: a look ends with the next one, or where that does not come."""
    ahead_ms = min(max(now.mono_ms - signs.at.mono_ms, 0), pictures.EXTENDS_MS)
    return Instant(
        type(now.mono_ms)(signs.at.mono_ms + ahead_ms),
        type(now.utc_ms)(signs.at.utc_ms + ahead_ms),
    )


def _judge(own: Cause, tell: Telling) -> Judge:
    def judge(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
        """See ``rule.Judge``."""
        return tuple(_finding(state, camera_id, own, tell, now) for camera_id in state.cameras)

    return judge


def _finding(
    state: RoomState, camera_id: CameraId, own: Cause, tell: Telling, now: Instant
) -> Finding:
    camera = state.cameras[camera_id]
    signs = shown(camera, now)
    if signs is None:
        return Finding(camera_id, Judgement(None, now, now))
    limits = limits_of(state, camera_id)
    found = pictures.cause(signs, camera.picture.burnt_usual or 0.0, limits)
    # Another cause hides this one: whether it is there as well cannot be seen.
    holds = True if found is own else (False if found is None else None)
    if own is Cause.DARK and state.alert_of(CAMERA_COVERED.code, camera_id) is not None:
        holds = None  # a cloth in the night is still the cloth
    saw, measured = tell(signs, limits)
    return Finding(
        camera_id,
        Judgement(holds, signs.at, lasting(signs, now)),
        picture_of=camera_id,
        measured=measured,
        saw=saw,
        confidence=_confidence(signs, own),
    )


def _confidence(signs: PictureSigns, own: Cause) -> float:
    match own:
        case Cause.COVERED:
            return round(signs.lost_share, 2) if signs.known else 0.6
        case Cause.MOVED:
            certain = signs.shift.certainty if signs.shift is not None else 0.0
            return round(max(certain, 0.6 * signs.lost_share), 2)
        case Cause.DARK | Cause.GLARE | Cause.DEFOCUSED:
            return 1.0


def _share(name: str, value: float, limit: float) -> Measured:
    return Measured(name=name, value=round(100 * value, 1), limit=round(100 * limit, 1), unit="%")


def _tell_covered(signs: PictureSigns, limits: PictureLimits) -> Told:
    if not signs.known:
        contrast = Measured(
            name="contrast", value=round(signs.contrast, 2), limit=pictures.BARE_CONTRAST
        )
        return Bilingual(
            f"画面几乎没有任何细节（轮廓对比度 {signs.contrast:.1f}）。",
            f"The picture has next to no detail (contrast of outlines {signs.contrast:.1f}).",
        ), (contrast,)
    lost, left = 100 * signs.lost_share, 100 * signs.detail_ratio
    return Bilingual(
        f"平时可见的画面有 {lost:.0f}% 看不到了，细节只剩平时的 {left:.0f}%。",
        f"{lost:.0f} % of the usual view is gone, and {left:.0f} % of its detail is left.",
    ), (
        _share("view_lost", signs.lost_share, limits.lost_share),
        _share("detail_left", signs.detail_ratio, pictures.FLAT_BELOW),
    )


def _tell_defocused(signs: PictureSigns, limits: PictureLimits) -> Told:
    left = signs.sharpness if signs.sharpness is not None else 0.0
    left = max(left, 0.0)
    return Bilingual(
        f"轮廓仍在，但清晰度只有平时的 {100 * left:.0f}%。",
        f"Outlines are still there, but the picture is {100 * left:.0f} % as sharp as usual.",
    ), (_share("sharpness", left, limits.sharpness),)


def _tell_moved(signs: PictureSigns, limits: PictureLimits) -> Told:
    shift = signs.shift
    if shift is None or shift.length < limits.shift:
        lost = 100 * signs.lost_share
        return Bilingual(
            f"画面清晰，但 {lost:.0f}% 与平时不同：看的是另一个地方。",
            f"The picture is sharp, but {lost:.0f} % of it is not the usual view: "
            "it shows another place.",
        ), (_share("view_lost", signs.lost_share, limits.lost_share),)
    across, down, roll = 100 * shift.dx, 100 * shift.dy, shift.roll_deg
    return Bilingual(
        f"不动的背景整体移位：横向 {across:+.1f}%，纵向 {down:+.1f}%，转动 {roll:+.1f}°。",
        f"The unmoving background has shifted by {across:+.1f} % across and {down:+.1f} % down, "
        f"and turned by {roll:+.1f}°.",
    ), (_share("shift", shift.length, limits.shift),)


def _tell_dark(signs: PictureSigns, limits: PictureLimits) -> Told:
    return Bilingual(
        f"画面 {100 * signs.black_share:.0f}% 接近全黑，平均亮度 {signs.brightness:.0f}/255。",
        f"{100 * signs.black_share:.0f} % of the picture is nearly black; "
        f"its brightness is {signs.brightness:.0f} of 255.",
    ), (_share("black", signs.black_share, limits.black_share),)


def _tell_glare(signs: PictureSigns, limits: PictureLimits) -> Told:
    return Bilingual(
        f"画面 {100 * signs.burnt_share:.0f}% 过曝。",
        f"{100 * signs.burnt_share:.0f} % of the picture is burnt out.",
    ), (_share("burnt_out", signs.burnt_share, limits.burnt_share),)


def judge_lights(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return tuple(_lights(state, camera_id, settings, now) for camera_id in state.cameras)


def _lights(
    state: RoomState, camera_id: CameraId, settings: Mapping[str, float], now: Instant
) -> Finding:
    camera = state.cameras[camera_id]
    signs, watch = shown(camera, now), camera.picture
    if signs is None:
        return Finding(camera_id, Judgement(None, now, now))
    if cause_of(state, camera_id, now) is not None:
        # A hand, a lamp in the lens or a dark room: they have names of their own.
        return Finding(camera_id, Judgement(None, now, now))
    switched = pictures.light_switched(watch, signs, settings["change_min"])
    change = 100 * (watch.light_ratio - 1) if switched else 0.0
    return Finding(
        camera_id,
        Judgement(switched, watch.light_at or signs.at, lasting(signs, now)),
        picture_of=camera_id,
        measured=(
            Measured(
                name="light_change",
                value=round(change, 1),
                limit=round(100 * settings["change_min"], 1),
                unit="%",
            ),
        ),
        saw=Bilingual(
            f"亮度突然{'增加' if change > 0 else '减少'} {abs(change):.0f}%，场景未变。",
            f"It became {abs(change):.0f} % {'brighter' if change > 0 else 'darker'} at once; "
            "the scene is the same.",
        ),
    )


_WAKES = frozenset({Wake.PICTURE, Wake.LINK, Wake.TIME})

COVERED = Rule(CAMERA_COVERED, _judge(Cause.COVERED, _tell_covered), _WAKES)
DARK = Rule(CAMERA_DARK, _judge(Cause.DARK, _tell_dark), _WAKES)
GLARE = Rule(CAMERA_GLARE, _judge(Cause.GLARE, _tell_glare), _WAKES)
MOVED = Rule(CAMERA_MOVED, _judge(Cause.MOVED, _tell_moved), _WAKES)
DEFOCUSED = Rule(CAMERA_DEFOCUSED, _judge(Cause.DEFOCUSED, _tell_defocused), _WAKES)
LIGHTS = Rule(CAMERA_LIGHTS, judge_lights, _WAKES)
