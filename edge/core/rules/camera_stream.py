"""Judges whether a camera sends the stream that is declared, and keeps the right time."""

from collections.abc import Mapping
from typing import Final

from contracts.catalogue.camera import CAMERA_CLOCK_OFF, CAMERA_WRONG_STREAM
from contracts.observations import CameraState, Measured
from contracts.units import Bilingual, CameraId
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import RoomState
from edge.core.streams import ClockSeen, ClockSource, StreamDeclared, StreamSeen

STALE_AFTER_MS: Final = 15_000  # the node looks every two seconds
CLOCK_STALE_AFTER_MS: Final = 3_600_000  # a device is asked every ten minutes
SOURCES: Final[Mapping[ClockSource, Bilingual]] = {
    ClockSource.ONVIF: Bilingual("设备自报", "as the device says"),
    ClockSource.RTCP: Bilingual("码流时间戳", "by the stamps of its stream"),
}


def judge_stream(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return tuple(
        _stream(state, setup.camera_id, setup.stream, settings["fps_share_min"], now)
        for setup in state.setup.cameras
        if setup.stream is not None
    )


def _stream(
    state: RoomState,
    camera_id: CameraId,
    declared: StreamDeclared,
    fps_share_min: float,
    now: Instant,
) -> Finding:
    camera = state.cameras[camera_id]
    seen = camera.stream
    if camera.state is not CameraState.LIVE or seen is None or _old(seen, camera.state_since, now):
        return Finding(camera_id, Judgement(None, now, now))
    wrong = _differences(declared, seen, fps_share_min)
    unknown = seen.codec is None and seen.width_px is None and seen.fps is None
    # What this node does not know of the stream cannot be wrong, nor right.
    holds = True if wrong else (None if unknown else False)
    zh = "；".join(said.zh for said, _ in wrong)
    en = "; ".join(said.en for said, _ in wrong)
    return Finding(
        camera_id,
        Judgement(holds, seen.at, now if holds is not None else seen.at),
        picture_of=camera_id,
        measured=tuple(one for _, measured in wrong for one in measured),
        saw=Bilingual(f"{zh}。", f"{en}.") if wrong else None,
    )


def _old(seen: StreamSeen, since: Instant | None, now: Instant) -> bool:
    before = since is not None and seen.at.mono_ms < since.mono_ms
    return before or now.mono_ms - seen.at.mono_ms > STALE_AFTER_MS


Difference = tuple[Bilingual, tuple[Measured, ...]]


def _differences(
    declared: StreamDeclared, seen: StreamSeen, fps_share_min: float
) -> list[Difference]:
    found: list[Difference] = []
    if seen.codec is not None and seen.codec != declared.codec:
        found.append(
            (
                Bilingual(
                    f"编码为 {seen.codec}，登记为 {declared.codec}",
                    f"The codec is {seen.codec}, not {declared.codec} as declared",
                ),
                (),
            )
        )
    size = (seen.width_px, seen.height_px)
    if None not in size and size != (declared.width_px, declared.height_px):
        found.append(
            (
                Bilingual(
                    f"分辨率为 {seen.width_px}×{seen.height_px}，"
                    f"登记为 {declared.width_px}×{declared.height_px}",
                    f"the picture is {seen.width_px}x{seen.height_px}, "
                    f"not {declared.width_px}x{declared.height_px}",
                ),
                (
                    Measured(
                        name="width", value=seen.width_px or 0, limit=declared.width_px, unit="px"
                    ),
                    Measured(
                        name="height",
                        value=seen.height_px or 0,
                        limit=declared.height_px,
                        unit="px",
                    ),
                ),
            )
        )
    if seen.fps is not None and seen.fps < declared.fps * fps_share_min:
        found.append(
            (
                Bilingual(
                    f"帧率为 {seen.fps:.1f}，登记为 {declared.fps:g}",
                    f"{seen.fps:.1f} pictures come a second, not {declared.fps:g}",
                ),
                (
                    Measured(
                        name="fps",
                        value=round(seen.fps, 1),
                        limit=round(declared.fps * fps_share_min, 2),
                        unit="1/s",
                    ),
                ),
            )
        )
    return found


def judge_clock(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return tuple(
        _clock(camera_id, camera.stream.clock if camera.stream else None, settings, now)
        for camera_id, camera in state.cameras.items()
    )


def _clock(
    camera_id: CameraId, clock: ClockSeen | None, settings: Mapping[str, float], now: Instant
) -> Finding:
    if clock is None or now.mono_ms - clock.at.mono_ms > CLOCK_STALE_AFTER_MS:
        return Finding(camera_id, Judgement(None, now, now))
    offset_s, limit_s = clock.offset_ms / 1000, settings["offset_max_s"]
    source = SOURCES[clock.source]
    return Finding(
        camera_id,
        Judgement(abs(offset_s) > limit_s, clock.at, now),
        measured=(
            Measured(name="clock_offset", value=round(offset_s, 1), limit=limit_s, unit="s"),
        ),
        saw=Bilingual(
            f"摄像机时钟比节点{'快' if offset_s > 0 else '慢'} {abs(offset_s):.1f} 秒"
            f"（{source.zh}）。",
            f"The camera's clock is {abs(offset_s):.1f} s "
            f"{'ahead of' if offset_s > 0 else 'behind'} the node's ({source.en}).",
        ),
    )


_WAKES = frozenset({Wake.LINK, Wake.TIME})

WRONG_STREAM = Rule(CAMERA_WRONG_STREAM, judge_stream, _WAKES)
CLOCK_OFF = Rule(CAMERA_CLOCK_OFF, judge_clock, _WAKES)
