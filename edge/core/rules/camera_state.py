"""Judges whether a camera is offline or frozen; one outage is one alert, whichever came first.

Frozen is a link without pictures, and a link that gives the same picture again and again.
"""

from collections.abc import Mapping

from contracts.catalogue import CAMERA_FROZEN, CAMERA_OFFLINE
from contracts.observations import CameraState, Measured
from contracts.units import Bilingual, CameraId, RuleCode
from edge.core import pictures
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.pictures import Cause
from edge.core.rules.camera_picture import cause_of, shown
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import CameraSeen, RoomState

FEATURELESS = frozenset({Cause.COVERED, Cause.DARK, Cause.GLARE})
# A black or burnt-out picture has nothing that could change; what made it so has its own rule.


def _holds(
    state: RoomState, camera_id: CameraId, camera: CameraSeen, *, own: CameraState, other: RuleCode
) -> bool | None:
    if camera.state is CameraState.LIVE:
        return False
    if camera.state is own and state.alert_of(other, camera_id) is None:
        return True
    # Starting, or down in the other way: a frozen camera that cannot reconnect is one outage.
    return None


def _finding(
    state: RoomState, camera_id: CameraId, now: Instant, *, own: CameraState, other: RuleCode
) -> Finding:
    camera = state.cameras[camera_id]
    since = camera.state_since or now
    away_s = max(now.mono_ms - since.mono_ms, 0) / 1000
    holds = _holds(state, camera_id, camera, own=own, other=other)
    return Finding(
        camera_id=camera_id,
        judged=Judgement(holds, since, now),
        picture_of=camera_id,
        people=camera.people,
        measured=(Measured(name="without_picture", value=round(away_s, 1), unit="s"),)
        if holds
        else (),
        saw=_said(own, away_s) if holds else None,
    )


def _said(own: CameraState, away_s: float) -> Bilingual:
    if own is CameraState.FROZEN:
        return Bilingual(
            f"连接仍在，但已 {away_s:.1f} 秒没有画面。",
            f"The connection stands, but no picture has come for {away_s:.1f} s.",
        )
    return Bilingual(
        f"摄像机无法连接，已 {away_s:.1f} 秒没有画面。",
        f"The camera cannot be reached; no picture for {away_s:.1f} s.",
    )


def judge_offline(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return tuple(
        _finding(state, camera_id, now, own=CameraState.OFFLINE, other=CAMERA_FROZEN.code)
        for camera_id in state.cameras
    )


def judge_frozen(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return tuple(
        _still(state, camera_id, settings, now)
        or _finding(state, camera_id, now, own=CameraState.FROZEN, other=CAMERA_OFFLINE.code)
        for camera_id in state.cameras
    )


def _still(
    state: RoomState, camera_id: CameraId, settings: Mapping[str, float], now: Instant
) -> Finding | None:
    """What a live picture says; None: it moves, or there is none."""
    camera = state.cameras[camera_id]
    signs = shown(camera, now)
    if signs is None or signs.still_since is None:
        return None
    if cause_of(state, camera_id, now) in FEATURELESS:
        return Finding(camera_id, Judgement(None, now, now))
    limit_ms = pictures.still_limit_ms(camera.picture, signs, settings)
    lasted_ms = pictures.still_ms(camera.picture, signs)
    if limit_ms is None or lasted_ms < limit_ms:
        return None
    lasted_s = lasted_ms / 1000
    return Finding(
        camera_id,
        Judgement(True, signs.still_since, signs.at),
        picture_of=camera_id,
        people=camera.people,
        measured=(
            Measured(
                name="same_picture",
                value=round(lasted_s, 1),
                limit=round(limit_ms / 1000, 1),
                unit="s",
            ),
        ),
        saw=Bilingual(
            f"画面仍在传来，但 {lasted_s:.0f} 秒以来完全相同。",
            f"Pictures come, but they have been the same for {lasted_s:.0f} s.",
        ),
        confidence=0.7 if signs.refreshed else 0.95,
    )


_WAKES = frozenset({Wake.LINK, Wake.RECORDING, Wake.TIME})

OFFLINE = Rule(CAMERA_OFFLINE, judge_offline, _WAKES)
FROZEN = Rule(CAMERA_FROZEN, judge_frozen, _WAKES | {Wake.PICTURE})
