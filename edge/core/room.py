"""Decides what happens in one room: what was seen, heard or ordered goes in, alerts come out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from contracts.commands import Release, Seal
from contracts.observations import (
    LEVEL_FLOOR_DBFS,
    PEOPLE_MAX,
    Alert,
    Box,
    CameraState,
    CameraView,
    Condition,
    PictureRef,
    RoomObservation,
    SealApplied,
    SeenPerson,
    SoundState,
)
from contracts.units import CameraId, MessageId, MonoMs, UtcMs
from edge.core import count, holding
from edge.core.people import Instant, Track
from edge.core.rules.over_admitted import fullest
from edge.core.rules.pickup_dead import RULE as PICKUP_DEAD_RULE
from edge.core.rules.rule import Finding, Rule
from edge.core.rules.table import RULES
from edge.core.state import CameraSeen, RecordingSeen, RoomState, Sealed

IdSource = Callable[[], MessageId]
"""Gives a new id that no earlier run of any node has given."""


@dataclass(frozen=True, slots=True)
class PeopleSeen:
    """One analysed picture of a camera, taken at ``at``, and everyone the tracker follows in it."""

    camera_id: CameraId
    at: Instant
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class CameraChanged:
    """A camera went live, froze or was lost at ``since``: its last picture, not the noticing."""

    camera_id: CameraId
    state: CameraState
    since: Instant


@dataclass(frozen=True, slots=True)
class SoundHeard:
    """The level of a camera's sound over one window that ended at ``at``."""

    camera_id: CameraId
    level_dbfs: float
    at: Instant


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; nothing else happened."""


RoomInput = PeopleSeen | CameraChanged | SoundHeard | RecordingSeen | Seal | Release | Tick


@dataclass(frozen=True, slots=True)
class AlertBegan:
    """An alert to store and publish, with the newest picture of ``picture_of`` if there is one."""

    alert: Alert
    picture_of: CameraId | None


@dataclass(frozen=True, slots=True)
class AlertCleared:
    """The condition of an earlier alert is over."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class Applied:
    """The answer to a command: what the room now enforces."""

    applied: SealApplied


RoomOutput = AlertBegan | AlertCleared | Applied


def step(
    state: RoomState, given: RoomInput, now_mono: MonoMs, now_utc: UtcMs, new_id: IdSource
) -> tuple[RoomState, tuple[RoomOutput, ...]]:
    """Take one input and judge every rule. Outputs come in the order in which they must be sent."""
    now = Instant(now_mono, now_utc)
    state, answers = _take(state, given, now)
    outputs: list[RoomOutput] = list(answers)
    for rule in RULES:
        settings = state.setup.rules[rule.spec.code]
        for finding in rule.judge(state, settings, now):
            state, output = _hold(state, rule, finding, now, new_id)
            if output is not None:
                outputs.append(output)
    return state, tuple(outputs)


def _take(
    state: RoomState, given: RoomInput, now: Instant
) -> tuple[RoomState, tuple[RoomOutput, ...]]:
    match given:
        case PeopleSeen():
            return _see(state, given), ()
        case CameraChanged():
            return _change(state, given), ()
        case SoundHeard():
            return _hear(state, given), ()
        case RecordingSeen():
            return replace(state, recording=given), ()
        case Seal():
            sealed = Sealed(given.session_id, given.admitted, now)
            if state.sealed is not None and state.sealed.session_id == given.session_id:
                sealed = replace(sealed, since=state.sealed.since)  # an amendment, not a new seal
            state = replace(state, sealed=sealed)
            return state, (Applied(_applied(state, given.command_id, now)),)
        case Release():
            # A late release of an earlier session must not open the room of the present one.
            if state.sealed is not None and state.sealed.session_id == given.session_id:
                state = replace(state, sealed=None)
            return state, (Applied(_applied(state, given.command_id, now)),)
        case Tick():
            return state, ()
        case _:
            assert_never(given)


def _with_camera(state: RoomState, camera_id: CameraId, camera: CameraSeen) -> RoomState:
    return replace(state, cameras={**state.cameras, camera_id: camera})


def _see(state: RoomState, seen: PeopleSeen) -> RoomState:
    camera = state.cameras[seen.camera_id]
    counted, people = count.step(camera.counted, seen.tracks)
    camera = replace(
        camera,
        counted=counted,
        people=people[:PEOPLE_MAX],
        frame_at=seen.at,
        frames_seen=camera.frames_seen + 1,
    )
    return _with_camera(state, seen.camera_id, camera)


def _change(state: RoomState, changed: CameraChanged) -> RoomState:
    before = state.cameras[changed.camera_id]
    camera = replace(before, state=changed.state, state_since=changed.since)
    if changed.state is CameraState.LIVE and before.state is not CameraState.LIVE:
        # Who was counted before the gap may have left in it.
        camera = replace(camera, counted=count.Counted(), people=(), frame_at=None, frames_seen=0)
    return _with_camera(state, changed.camera_id, camera)


def _hear(state: RoomState, heard: SoundHeard) -> RoomState:
    camera = state.cameras[heard.camera_id]
    floor_dbfs = state.setup.rules[PICKUP_DEAD_RULE.spec.code]["floor_dbfs"]
    loud_at = heard.at if heard.level_dbfs >= floor_dbfs else camera.loud_at
    camera = replace(camera, level_dbfs=heard.level_dbfs, heard_at=heard.at, loud_at=loud_at)
    return _with_camera(state, heard.camera_id, camera)


def _hold(
    state: RoomState, rule: Rule, finding: Finding, now: Instant, new_id: IdSource
) -> tuple[RoomState, RoomOutput | None]:
    key = (rule.spec.code, finding.subject)
    before = state.holds.get(key, holding.Hold())
    settings = state.setup.rules[rule.spec.code]
    after, verdict = holding.step(
        before, finding.judged, settings["dwell_ms"], settings["clear_ms"]
    )
    output: RoomOutput | None = None
    if verdict.begins is not None:
        alert = _alert(state, rule, finding, verdict.begins, now, new_id())
        after = holding.begun(alert)
        output = AlertBegan(alert, finding.picture_of)
    elif verdict.clears and before.alert is not None:
        output = AlertCleared(cleared(before.alert, now.utc_ms))
    if after == before:
        return state, output
    return replace(state, holds={**state.holds, key: after}), output


def _alert(
    state: RoomState,
    rule: Rule,
    finding: Finding,
    since: Instant,
    now: Instant,
    alert_id: MessageId,
) -> Alert:
    return Alert(
        alert_id=alert_id,
        rule=rule.spec.code,
        condition=Condition.ACTIVE,
        severity=rule.spec.severity,
        room_id=state.setup.room_id,
        node_id=state.setup.node_id,
        session_id=state.sealed.session_id if state.sealed else None,
        camera_id=finding.camera_id,
        pickup_id=finding.pickup_id,
        since_utc_ms=since.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=int(state.setup.rules[rule.spec.code]["dwell_ms"]),
        confidence=finding.confidence,
        measured=finding.measured,
        boxes=tuple(seen_person(track) for track in finding.people),
    )


def cleared(alert: Alert, at_utc_ms: UtcMs) -> Alert:
    """The same alert with its condition over."""
    return alert.model_copy(update={"condition": Condition.CLEARED, "cleared_utc_ms": at_utc_ms})


def with_picture(state: RoomState, alert_id: MessageId, picture: PictureRef) -> RoomState:
    """The state in which the standing alert of this id refers to its picture."""
    holds = {
        key: replace(hold, alert=hold.alert.model_copy(update={"picture": picture}))
        if hold.alert is not None and hold.alert.alert_id == alert_id
        else hold
        for key, hold in state.holds.items()
    }
    return replace(state, holds=holds)


def clear_orphans(
    state: RoomState, now_mono: MonoMs, now_utc: UtcMs
) -> tuple[RoomState, tuple[RoomOutput, ...]]:
    """Clear restored alerts that nobody judges any more: their camera or rule was taken away."""
    judged = {
        (rule.spec.code, finding.subject)
        for rule in RULES
        for finding in rule.judge(
            state, state.setup.rules[rule.spec.code], Instant(now_mono, now_utc)
        )
    }
    orphans = [key for key in state.holds if key not in judged]
    outputs = tuple(
        AlertCleared(cleared(alert, now_utc))
        for key in orphans
        if (alert := state.holds[key].alert) is not None
    )
    holds = {key: hold for key, hold in state.holds.items() if key in judged}
    return replace(state, holds=holds), outputs


def _applied(state: RoomState, command_id: MessageId, now: Instant) -> SealApplied:
    sealed = state.sealed
    return SealApplied(
        node_id=state.setup.node_id,
        room_id=state.setup.room_id,
        session_id=sealed.session_id if sealed else None,
        sealed=sealed is not None,
        admitted=sealed.admitted if sealed else None,
        command_id=command_id,
        utc_ms=now.utc_ms,
    )


def seen_person(track: Track) -> SeenPerson:
    """A track as others see it; the box clamped to the picture."""
    x1, y1 = _share(track.rect.x1), _share(track.rect.y1)
    return SeenPerson(
        track=track.number,
        box=Box(x1=x1, y1=y1, x2=max(x1, _share(track.rect.x2)), y2=max(y1, _share(track.rect.y2))),
        score=_share(track.score),
        appearance=track.appearance,
        settled=track.settled,
    )


def _share(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 4)


def head_count(state: RoomState, now: Instant) -> int | None:
    """How many people are in the room; None while no camera can see it, which is not zero."""
    view = fullest(state, now)
    return None if view is None else len(view[1].people)


def camera_view(state: RoomState, camera_id: CameraId, now: Instant) -> CameraView:
    """What one camera shows now."""
    camera = state.cameras[camera_id]
    shows = camera.shows_people(now)
    sound = sound_state(state, camera_id)
    return CameraView(
        camera_id=camera_id,
        state=camera.state,
        frame_utc_ms=camera.frame_at.utc_ms if camera.frame_at else None,
        people=tuple(seen_person(track) for track in camera.people) if shows else (),
        sound=sound,
        level_dbfs=level_dbfs(camera) if sound is not SoundState.ABSENT else None,
    )


def level_dbfs(camera: CameraSeen) -> float | None:
    """The latest sound level, within the bounds of the wire; None before any sound."""
    if camera.heard_at is None:
        return None
    return round(min(max(camera.level_dbfs, LEVEL_FLOOR_DBFS), 0.0), 1)


def sound_state(state: RoomState, camera_id: CameraId) -> SoundState:
    """Whether a camera has sound; dead exactly while the alert about it stands."""
    declared = {camera.camera_id: camera.has_sound for camera in state.setup.cameras}
    if not declared.get(camera_id, False):
        return SoundState.ABSENT
    dead = state.alert_of(PICKUP_DEAD_RULE.spec.code, camera_id) is not None
    return SoundState.DEAD if dead else SoundState.LIVE


def observe(state: RoomState, boot_id: str, index: int, now: Instant) -> RoomObservation:
    """The room of now in the form that others read."""
    return RoomObservation(
        room_id=state.setup.room_id,
        node_id=state.setup.node_id,
        boot_id=boot_id,
        index=index,
        utc_ms=now.utc_ms,
        head_count=head_count(state, now),
        views=tuple(camera_view(state, camera_id, now) for camera_id in state.cameras),
    )
