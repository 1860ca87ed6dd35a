"""Judges whether a pickup, or a camera that is declared to have sound, gives none."""

from collections.abc import Mapping

from contracts.catalogue import PICKUP_DEAD
from contracts.observations import LEVEL_FLOOR_DBFS, CameraState, Measured, RecordingState
from contracts.units import Bilingual, CameraId, PickupId
from edge.core.hearing import Heard, earlier
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import CameraSeen, RoomState

MISSING_AFTER_MS = 500
# Levels come every 100 ms, but cameras send sound in bursts of up to a few hundred milliseconds.
PICKUP_STARTS_MS = 20_000
# A pickup's process may take so long to open its device, on a slow driver of a busy machine.


def judge(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    floor_dbfs = settings["floor_dbfs"]
    cameras = tuple(
        _of_camera(state, setup.camera_id, floor_dbfs, now)
        for setup in state.setup.cameras
        if setup.has_sound
    )
    return cameras + tuple(
        _of_pickup(state, pickup_id, floor_dbfs, now) for pickup_id in state.setup.pickups
    )


def _of_camera(state: RoomState, camera_id: CameraId, floor_dbfs: float, now: Instant) -> Finding:
    camera, heard = state.cameras[camera_id], state.heard(camera_id)
    if camera.state is not CameraState.LIVE or camera.state_since is None:
        return Finding(camera_id, Judgement(None, now, now))
    at = _newest_evidence(camera, heard)
    if at is None:
        return Finding(camera_id, Judgement(None, now, now))
    return _finding(heard, camera.state_since, at, floor_dbfs, camera_id=camera_id)


def _of_pickup(state: RoomState, pickup_id: PickupId, floor_dbfs: float, now: Instant) -> Finding:
    """A pickup is captured by the recorder: while that does not run, nobody can say."""
    seen, heard = state.recording, state.heard(pickup_id)
    track = seen.tracks.get(pickup_id) if seen is not None and seen.running else None
    if seen is None or track is None or track.state is RecordingState.STARTING:
        return Finding(None, Judgement(None, now, now), pickup_id=pickup_id)
    at = max(seen.at, heard.heard_at or seen.at, key=lambda one: one.mono_ms)
    since = seen.since
    if heard.heard_at is None or heard.heard_at.mono_ms < since.mono_ms:
        since = earlier(since, -PICKUP_STARTS_MS)
        if at.mono_ms < since.mono_ms:
            return Finding(None, Judgement(None, now, now), pickup_id=pickup_id)
    return _finding(heard, since, at, floor_dbfs, pickup_id=pickup_id)


def _finding(
    heard: Heard,
    alive_since: Instant,
    at: Instant,
    floor_dbfs: float,
    *,
    camera_id: CameraId | None = None,
    pickup_id: PickupId | None = None,
) -> Finding:
    """``at`` is the newest evidence; ``alive_since`` when sound could first have been there."""
    missing = heard.heard_at is None or at.mono_ms - heard.heard_at.mono_ms > MISSING_AFTER_MS
    level_dbfs = LEVEL_FLOOR_DBFS if missing else heard.level_dbfs
    silent_since = max(alive_since, heard.loud_at or alive_since, key=lambda one: one.mono_ms)
    saw = Bilingual(
        f"声音电平 {level_dbfs:.0f} dBFS，低于 {floor_dbfs:.0f} dBFS",
        f"Sound at {level_dbfs:.0f} dBFS, below {floor_dbfs:.0f} dBFS",
    )
    return Finding(
        camera_id,
        Judgement(missing or level_dbfs < floor_dbfs, silent_since, at),
        measured=(Measured(name="level", value=level_dbfs, limit=floor_dbfs, unit="dBFS"),),
        pickup_id=pickup_id,
        saw=Bilingual("没有声音到达", "No sound comes") if missing else saw,
    )


def _newest_evidence(camera: CameraSeen, heard: Heard) -> Instant | None:
    # Not the time of now: where the whole camera, or this machine, is late, nothing says that the
    # sound is missing. Only pictures that go on without it do. (An overloaded node once called a
    # pickup dead because its decoder was three seconds behind.)
    moments = [at for at in (camera.frame_at, heard.heard_at) if at is not None]
    return max(moments, key=lambda at: at.mono_ms, default=None)


RULE = Rule(
    PICKUP_DEAD,
    judge,
    frozenset({Wake.SOUND, Wake.PEOPLE, Wake.LINK, Wake.RECORDING, Wake.ORDER, Wake.TIME}),
)
