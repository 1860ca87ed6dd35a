"""Judges whether a camera that is declared to have sound gives none."""

from collections.abc import Mapping

from contracts.catalogue import PICKUP_DEAD
from contracts.observations import LEVEL_FLOOR_DBFS, CameraState, Measured
from contracts.units import CameraId
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Rule
from edge.core.state import CameraSeen, RoomState

MISSING_AFTER_MS = 500
# Levels come every 100 ms, but cameras send sound in bursts of up to a few hundred milliseconds.


def judge(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    floor_dbfs = settings["floor_dbfs"]
    return tuple(
        _finding(setup.camera_id, state.cameras[setup.camera_id], floor_dbfs, now)
        for setup in state.setup.cameras
        if setup.has_sound
    )


def _finding(camera_id: CameraId, camera: CameraSeen, floor_dbfs: float, now: Instant) -> Finding:
    if camera.state is not CameraState.LIVE or camera.state_since is None:
        return Finding(camera_id, Judgement(None, now, now))
    at = _newest_evidence(camera)
    if at is None:
        return Finding(camera_id, Judgement(None, now, now))
    missing = camera.heard_at is None or at.mono_ms - camera.heard_at.mono_ms > MISSING_AFTER_MS
    level_dbfs = LEVEL_FLOOR_DBFS if missing else camera.level_dbfs
    silent_since = max(
        camera.state_since, camera.loud_at or camera.state_since, key=lambda at: at.mono_ms
    )
    return Finding(
        camera_id,
        Judgement(missing or level_dbfs < floor_dbfs, silent_since, at),
        measured=(Measured(name="level", value=level_dbfs, limit=floor_dbfs, unit="dBFS"),),
    )


def _newest_evidence(camera: CameraSeen) -> Instant | None:
    # Not the time of now: where the whole camera, or this machine, is late, nothing says that the
    # sound is missing. Only pictures that go on without it do. (An overloaded node once called a
    # pickup dead because its decoder was three seconds behind.)
    moments = [at for at in (camera.frame_at, camera.heard_at) if at is not None]
    return max(moments, key=lambda at: at.mono_ms, default=None)


RULE = Rule(PICKUP_DEAD, judge)
