"""Judges whether a camera or pickup that is there goes unrecorded, and whether the recorder runs.

Each cause of a gap has one rule that speaks for it, so that one fault sounds once: a camera that is
away its own, a disk ``node.disk_failing``, a dead recorder ``node.recorder_down``, and
``node.recording_gap`` what is left. Whatever speaks, the gap itself is in the chain.
"""

from collections.abc import Mapping
from typing import Final

from contracts.catalogue import RECORDER_DOWN, RECORDING_GAP
from contracts.evidence.entries import GapReason
from contracts.observations import CameraState, Measured, RecordingState
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import CameraSeen, RecordingSeen, RoomState, TrackSeen

OF_THE_CAMERA: Final = frozenset(
    {
        GapReason.STARTING,
        GapReason.CAMERA_OFFLINE,
        GapReason.CAMERA_REFUSED,
        GapReason.CAMERA_SILENT,
    }
)
OF_THE_DISK: Final = frozenset(
    {
        GapReason.DISK_SLOW,
        GapReason.DISK_FULL,
        GapReason.DISK_READ_ONLY,
        GapReason.DISK_FAILED,
        GapReason.SPACE_SAVED,
    }
)


def judge_gap(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    seen = state.recording
    cameras = (
        Finding(
            camera_id=setup.camera_id,
            judged=(judged := _judged(seen, setup.camera_id, state.cameras[setup.camera_id], now)),
            measured=_measured(judged),
        )
        for setup in state.setup.cameras
    )
    pickups = (
        Finding(
            camera_id=None,
            pickup_id=pickup_id,
            judged=(judged := _judged(seen, pickup_id, None, now)),
            measured=_measured(judged),
        )
        for pickup_id in state.setup.pickups
    )
    return (*cameras, *pickups)


def _judged(
    seen: RecordingSeen | None, track_id: str, camera: CameraSeen | None, now: Instant
) -> Judgement:
    track = seen.tracks.get(track_id) if seen is not None and seen.running else None
    if seen is None or track is None:
        return Judgement(None, now, now)
    if track.state is RecordingState.RECORDING:
        return Judgement(False, now, seen.at)
    if track.reason in OF_THE_DISK or _camera_speaks(track, camera):
        return Judgement(None, now, now)
    return Judgement(True, _since(track, camera), seen.at)


def _camera_speaks(track: TrackSeen, camera: CameraSeen | None) -> bool:
    away = camera is not None and camera.state is not CameraState.LIVE
    return away and (track.reason is None or track.reason in OF_THE_CAMERA)


def _since(track: TrackSeen, camera: CameraSeen | None) -> Instant:
    # A camera that has just come back gets the whole dwell for the recorder's own link to it.
    back = camera.state_since if camera is not None else None
    if back is None or back.mono_ms <= track.since.mono_ms:
        return track.since
    return back


def _measured(judged: Judgement) -> tuple[Measured, ...]:
    if not judged.holds:
        return ()
    lasted_ms = max(judged.at.mono_ms - judged.since.mono_ms, 0)
    return (Measured(name="unrecorded", value=round(lasted_ms / 1000, 1), unit="s"),)


def judge_down(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    if not state.setup.speaks_for_node:
        return ()
    seen = state.recording
    if seen is None:
        return (Finding(None, Judgement(None, now, now)),)
    return (Finding(None, Judgement(not seen.running, seen.since, now)),)


_WAKES = frozenset({Wake.RECORDING, Wake.LINK, Wake.TIME})

GAP = Rule(RECORDING_GAP, judge_gap, _WAKES)
DOWN = Rule(RECORDER_DOWN, judge_down, _WAKES)
