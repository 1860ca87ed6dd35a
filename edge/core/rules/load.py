"""Judges whether the analysis of a camera falls behind: too few pictures, or too late."""

from collections.abc import Mapping
from typing import Final

from contracts.catalogue.node import OVERLOAD
from contracts.observations import CameraState, Measured
from contracts.units import Bilingual, CameraId, MonoMs, UtcMs
from edge.core.holding import Judgement
from edge.core.load import LoadSeen
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import RoomState

WANTED_MIN_PER_S: Final = 1.0  # a stream that hardly moves is the camera's fault, not the node's


def judge_overload(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return tuple(
        _finding(
            camera_id,
            # Nothing arrives from a camera that is away: that is a rule of its own.
            state.load.get(camera_id) if camera.state is CameraState.LIVE else None,
            settings,
            now,
        )
        for camera_id, camera in state.cameras.items()
    )


def _finding(
    camera_id: CameraId, load: LoadSeen | None, settings: Mapping[str, float], now: Instant
) -> Finding:
    if load is None:
        return Finding(camera_id, Judgement(None, now, now))
    share_min, delay_max_ms = settings["fps_share_min"], settings["delay_max_ms"]
    wanted = load.wanted_per_s
    seldom = wanted >= WANTED_MIN_PER_S and load.analysed_per_s < share_min * wanted
    late = load.delay_ms > delay_max_ms
    return Finding(
        camera_id,
        Judgement(seldom or late, _began(load), load.at),
        measured=(
            Measured(
                name="analysed",
                value=round(load.analysed_per_s, 1),
                limit=round(share_min * wanted, 1),
                unit="1/s",
            ),
            Measured(name="delay", value=round(load.delay_ms), limit=delay_max_ms, unit="ms"),
        ),
        saw=_said(load),
    )


def _began(load: LoadSeen) -> Instant:
    """When what was judged began: somewhere in the period, so in its middle for all we know."""
    at, half_ms = load.at, load.period_ms // 2
    return Instant(MonoMs(at.mono_ms - half_ms), UtcMs(at.utc_ms - half_ms))


def _said(load: LoadSeen) -> Bilingual:
    done, wanted = round(load.analysed_per_s, 1), round(load.wanted_per_s, 1)
    delay_ms = round(load.delay_ms)
    return Bilingual(
        f"每秒应分析 {wanted} 帧，实际分析 {done} 帧，延迟 {delay_ms} 毫秒。",
        f"{done} of {wanted} pictures a second are analysed, {delay_ms} ms after they arrive.",
    )


OVERLOADED: Final = Rule(OVERLOAD, judge_overload, frozenset({Wake.LOAD, Wake.LINK}))
