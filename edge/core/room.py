"""Decides what happens in one room: what was seen, heard or ordered goes in, alerts come out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from contracts.catalogue import When
from contracts.catalogue.sound import RAISED_VOICES, SOUND_CLIPPED
from contracts.commands import Keep, Release, Seal
from contracts.observations import (
    LEVEL_FLOOR_DBFS,
    PEOPLE_MAX,
    Alert,
    Box,
    CameraState,
    CameraView,
    Condition,
    Measured,
    Mode,
    PictureRef,
    RoomObservation,
    Said,
    SealApplied,
    SeenPerson,
    SoundRef,
    SoundState,
)
from contracts.units import CameraId, MessageId, MonoMs, RuleCode, SessionId, UtcMs
from contracts.zones import PictureZone
from edge.core import area, count, hearing, holding, phones, pictures, places, things
from edge.core.hearing import SoundSigns, SourceId
from edge.core.load import LoadSeen
from edge.core.people import Detection, Instant, Rect, Track
from edge.core.pictures import PictureSigns
from edge.core.rule_settings import RuleSettings
from edge.core.rules.pickup_dead import RULE as PICKUP_DEAD_RULE
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.rules.table import RULES
from edge.core.state import (
    PASSING_MAX,
    CameraSeen,
    Passing,
    RecordingSeen,
    RoomState,
    Sealed,
)
from edge.core.streams import StreamSeen
from edge.core.things import ThingsSeen

IdSource = Callable[[], MessageId]
"""Gives a new id that no earlier run of any node has given."""

SETTINGS_TOLD_MAX = 16  # as an alert carries


@dataclass(frozen=True, slots=True)
class PeopleSeen:
    """One analysed picture of a camera, taken at ``at``, and everyone the tracker follows in it.

    ``full``: the detector saw all of the picture; else only ``regions`` and the tracks that say
    ``looked``. ``phones`` are what was taken for phones, however unsure.
    """

    camera_id: CameraId
    at: Instant
    tracks: tuple[Track, ...]
    full: bool = True
    phones: tuple[Detection, ...] = ()
    regions: tuple[Rect, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraChanged:
    """A camera went live, froze or was lost at ``since``: its last picture, not the noticing."""

    camera_id: CameraId
    state: CameraState
    since: Instant


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """The rules are set differently from now on."""

    rules: Mapping[RuleCode, RuleSettings]


@dataclass(frozen=True, slots=True)
class ZonesDrawn:
    """One camera's zones are these from now on."""

    camera_id: CameraId
    zones: tuple[PictureZone, ...]


@dataclass(frozen=True, slots=True)
class ConfigCompared:
    """What is in force was compared with what the seal froze; the names of what differs."""

    drifted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed. ``minute_of_day``: the site's local time, 0 to 1439, where known."""

    minute_of_day: int | None = None


RoomInput = (
    PeopleSeen
    | PictureSigns
    | ThingsSeen
    | CameraChanged
    | StreamSeen
    | SoundSigns
    | RecordingSeen
    | LoadSeen
    | RulesChanged
    | ZonesDrawn
    | ConfigCompared
    | Seal
    | Release
    | Keep
    | Tick
)


@dataclass(frozen=True, slots=True)
class AlertBegan:
    """An alert to store and publish, with the newest picture of ``picture_of`` if there is one.

    ``sound_of``: whose last seconds of sound belong to it; None also where none may be kept.
    """

    alert: Alert
    picture_of: CameraId | None
    sound_of: SourceId | None = None


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
    """Take one input and judge the rules that it wakes. Outputs come in the order to send them."""
    now = Instant(now_mono, now_utc)
    state, answers = _take(state, given, now)
    outputs: list[RoomOutput] = list(answers)
    wake = _WAKES[type(given)]
    for rule in RULES:
        if wake is not Wake.ORDER and wake not in rule.wakes:
            continue
        for finding in _judged(state, rule, now):
            state, output = _hold(state, rule, finding, now, new_id)
            if output is not None:
                outputs.append(output)
    if wake is Wake.ORDER:
        state, gone = clear_orphans(state, now_mono, now_utc)
        outputs += gone
    return state, tuple(outputs)


_WAKES: Mapping[type[RoomInput], Wake] = {
    PeopleSeen: Wake.PEOPLE,
    PictureSigns: Wake.PICTURE,
    ThingsSeen: Wake.THINGS,
    CameraChanged: Wake.LINK,
    StreamSeen: Wake.LINK,
    SoundSigns: Wake.SOUND,
    RecordingSeen: Wake.RECORDING,
    LoadSeen: Wake.LOAD,
    RulesChanged: Wake.ORDER,
    ZonesDrawn: Wake.ORDER,
    ConfigCompared: Wake.ORDER,
    Seal: Wake.ORDER,
    Release: Wake.ORDER,
    Keep: Wake.ORDER,
    Tick: Wake.TIME,
}


def watches(state: RoomState, rule: Rule) -> bool:
    """Whether a rule is judged in this room now: switched on or in shadow, and of its time."""
    if state.rules[rule.spec.code].mode is Mode.OFF:
        return False
    match rule.spec.when:
        case When.ALWAYS:
            return True
        case When.SEALED:
            return state.closed
        case When.UNSEALED:
            return not state.closed
    assert_never(rule.spec.when)


def _judged(state: RoomState, rule: Rule, now: Instant) -> tuple[Finding, ...]:
    if watches(state, rule):
        return rule.judge(state, state.rules[rule.spec.code].numbers, now)
    # Nobody watches for it any more: what stands of it is over at once.
    over = holding.Judgement(False, now, now, at_once=True)
    return tuple(
        Finding(
            hold.alert.camera_id,
            over,
            pickup_id=hold.alert.pickup_id,
            zone_id=hold.alert.zone_id,
        )
        for (code, _), hold in state.holds.items()
        if code == rule.spec.code and hold.alert is not None
    )


def _take(
    state: RoomState, given: RoomInput, now: Instant
) -> tuple[RoomState, tuple[RoomOutput, ...]]:
    match given:
        case RulesChanged() | ZonesDrawn() | ConfigCompared() | Seal() | Release() | Keep():
            return _obey(state, given, now)
        case _:
            return _learn(state, given, now), ()


def _learn(
    state: RoomState,
    given: PeopleSeen
    | PictureSigns
    | ThingsSeen
    | CameraChanged
    | StreamSeen
    | SoundSigns
    | RecordingSeen
    | LoadSeen
    | Tick,
    now: Instant,
) -> RoomState:
    match given:
        case PeopleSeen():
            state = _see(state, given)
        case CameraChanged():
            state = _change(state, given)
        case SoundSigns():
            state = _hear(state, given)
        case PictureSigns():
            camera = state.cameras[given.camera_id]
            camera = replace(camera, picture=pictures.step(camera.picture, given))
            state = _with_camera(state, given.camera_id, camera)
        case ThingsSeen():
            camera = state.cameras[given.camera_id]
            camera = replace(camera, things=things.step(camera.things, given))
            state = _with_camera(state, given.camera_id, camera)
        case StreamSeen():
            camera = replace(state.cameras[given.camera_id], stream=given)
            state = _with_camera(state, given.camera_id, camera)
        case RecordingSeen():
            state = replace(state, recording=given)
        case LoadSeen():
            state = replace(state, load={**state.load, given.camera_id: given})
        case Tick():
            if given.minute_of_day is not None:
                state = replace(state, minute_of_day=given.minute_of_day)
            state = replace(state, area=area.passed(state, now))
        case _:
            assert_never(given)
    return state


def _obey(
    state: RoomState,
    order: RulesChanged | ZonesDrawn | ConfigCompared | Seal | Release | Keep,
    now: Instant,
) -> tuple[RoomState, tuple[RoomOutput, ...]]:
    match order:
        case RulesChanged():
            return _set_rules(state, order.rules, now)
        case ZonesDrawn():
            zones = {**state.zones, order.camera_id: order.zones}
            spots = places.forgotten(state.places, order.camera_id)
            return replace(state, zones=zones, places=spots), ()
        case ConfigCompared():
            return replace(state, drifted=order.drifted), ()
        case Seal():
            sealed = Sealed(order.session_id, order.admitted, now, order.procurement)
            if state.sealed is not None and state.sealed.session_id == order.session_id:
                sealed = replace(sealed, since=state.sealed.since)  # an amendment, not a new seal
            state = replace(state, sealed=sealed)
            state = replace(state, area=area.sealed(state, now))
            return state, (Applied(_applied(state, order.command_id, now)),)
        case Release():
            # A late release of an earlier session must not open the room of the present one.
            if state.sealed is not None and state.sealed.session_id == order.session_id:
                state = replace(state, sealed=None)
                state = replace(state, area=area.released(state, now))
            return state, (Applied(_applied(state, order.command_id, now)),)
        case Keep():
            return replace(state, passing=_passing(state, order)), ()
        case _:
            assert_never(order)


def _set_rules(
    state: RoomState, rules: Mapping[RuleCode, RuleSettings], now: Instant
) -> tuple[RoomState, tuple[RoomOutput, ...]]:
    """Other settings. An alert that was told as another mode tells it has ended, and begins anew.

    Else a rule switched on while its condition holds would go on saying nothing to anybody.
    """
    others = {
        key: hold.alert
        for key, hold in state.holds.items()
        if hold.alert is not None
        and key[0] in rules  # one of an older catalogue is an orphan, and cleared as such
        and hold.alert.mode is not rules[key[0]].mode
    }
    holds = {key: hold for key, hold in state.holds.items() if key not in others}
    gone = tuple(AlertCleared(cleared(alert, now.utc_ms)) for alert in others.values())
    return replace(state, changed_rules=rules, holds=holds), gone


def _passing(state: RoomState, keep: Keep) -> Mapping[SessionId, Passing]:
    passing = {key: one for key, one in state.passing.items() if key != keep.session_id}
    # An order with an end is given as the session is released: its people are gone.
    if keep.to_utc_ms is None and len(passing) < PASSING_MAX:
        passing[keep.session_id] = Passing(keep.session_id, keep.of_room, keep.procurement)
    return passing


def _with_camera(state: RoomState, camera_id: CameraId, camera: CameraSeen) -> RoomState:
    return replace(state, cameras={**state.cameras, camera_id: camera})


def _see(state: RoomState, seen: PeopleSeen) -> RoomState:
    camera = state.cameras[seen.camera_id]
    zones = state.zones.get(seen.camera_id, ())
    tracks = places.unmasked(seen.tracks, zones)
    counted, people = count.step(camera.counted, tracks)
    camera = replace(
        camera,
        counted=counted,
        people=people[:PEOPLE_MAX],
        frame_at=seen.at,
        frames_seen=camera.frames_seen + (1 if seen.full else 0),
        phones=phones.step(
            camera.phones, seen.phones, seen.at, None if seen.full else seen.regions
        ),
    )
    state = _with_camera(state, seen.camera_id, camera)
    confirmed = frozenset(track.number for track in camera.people)
    spots = places.step(state.places, seen.camera_id, tracks, confirmed, zones, seen.at)
    state = replace(state, places=spots)
    return replace(state, area=area.seen(state, seen.camera_id, seen.at))


def _change(state: RoomState, changed: CameraChanged) -> RoomState:
    before = state.cameras[changed.camera_id]
    camera = replace(before, state=changed.state, state_since=changed.since)
    if changed.state is CameraState.LIVE and before.state is not CameraState.LIVE:
        # Who was counted before the gap may have left in it.
        camera = replace(
            camera, counted=count.Counted(), people=(), frame_at=None, frames_seen=0, phones=()
        )
        state = replace(state, places=places.forgotten(state.places, changed.camera_id))
    return _with_camera(state, changed.camera_id, camera)


def _hear(state: RoomState, signs: SoundSigns) -> RoomState:
    at = signs.at
    heard = hearing.step(
        state.heard(signs.source_id),
        signs,
        state.rules[PICKUP_DEAD_RULE.spec.code]["floor_dbfs"],
        people=area.head_count(state, at),
        above_db=state.rules[RAISED_VOICES.code]["above_db"],
        clipped_from=state.rules[SOUND_CLIPPED.code]["clipped_share_max"] / 100,
    )
    return replace(state, sounds={**state.sounds, signs.source_id: heard})


def _hold(
    state: RoomState, rule: Rule, finding: Finding, now: Instant, new_id: IdSource
) -> tuple[RoomState, RoomOutput | None]:
    key = (rule.spec.code, finding.subject)
    before = state.holds.get(key, holding.EMPTY)
    settings = state.rules[rule.spec.code]
    after, verdict = holding.step(
        before, finding.judged, settings["dwell_ms"], settings["clear_ms"]
    )
    output: RoomOutput | None = None
    if verdict.begins is not None:
        alert = _alert(state, rule, finding, verdict.begins, now, new_id())
        after = holding.begun(alert)
        # Outside a session only levels may be kept: nobody consented to being recorded.
        sound_of = finding.sound_of if state.sealed is not None else None
        output = AlertBegan(alert, finding.picture_of, sound_of)
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
    settings = state.rules[rule.spec.code]
    return Alert(
        alert_id=alert_id,
        rule=rule.spec.code,
        condition=Condition.ACTIVE,
        severity=settings.severity,
        room_id=state.setup.room_id,
        node_id=state.setup.node_id,
        session_id=state.closed_session,
        camera_id=finding.camera_id,
        pickup_id=finding.pickup_id,
        since_utc_ms=since.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=int(settings["dwell_ms"]),
        confidence=finding.confidence,
        measured=finding.measured,
        boxes=tuple(seen_person(track) for track in finding.people),
        mode=settings.mode,
        risk_code=settings.risk_code,
        zone_id=finding.zone_id,
        saw=Said.of(finding.saw or rule.spec.title),
        settings=tuple(
            Measured(name=one.name, value=settings[one.name], unit=one.unit)
            for one in rule.spec.parameters[:SETTINGS_TOLD_MAX]
        ),
    )


def cleared(alert: Alert, at_utc_ms: UtcMs) -> Alert:
    """The same alert with its condition over."""
    return alert.model_copy(update={"condition": Condition.CLEARED, "cleared_utc_ms": at_utc_ms})


def with_picture(state: RoomState, alert_id: MessageId, picture: PictureRef) -> RoomState:
    """The state in which the standing alert of this id refers to its picture."""
    return _with_evidence(state, alert_id, {"picture": picture})


def with_sound(state: RoomState, alert_id: MessageId, sound: SoundRef) -> RoomState:
    """The state in which the standing alert of this id refers to its sound."""
    return _with_evidence(state, alert_id, {"sound": sound})


def _with_evidence(
    state: RoomState, alert_id: MessageId, evidence: Mapping[str, PictureRef | SoundRef]
) -> RoomState:
    holds = {
        key: replace(hold, alert=hold.alert.model_copy(update=dict(evidence)))
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
        for finding in _judged(state, rule, Instant(now_mono, now_utc))
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
    return area.head_count(state, now)


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
        level_dbfs=level_dbfs(state, camera_id) if sound is not SoundState.ABSENT else None,
    )


def level_dbfs(state: RoomState, source_id: SourceId) -> float | None:
    """The latest sound level of a source, within the bounds of the wire; None before any sound."""
    heard = state.heard(source_id)
    if heard.heard_at is None:
        return None
    return round(min(max(heard.level_dbfs, LEVEL_FLOOR_DBFS), 0.0), 1)


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
        confidence=area.confidence(state, now),
        balance=area.balance(state),
        views=tuple(camera_view(state, camera_id, now) for camera_id in state.cameras),
    )
