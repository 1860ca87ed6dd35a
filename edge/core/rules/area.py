"""Judges the closed area: who is missing, who crossed its gates, who meets whom, who wears what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from contracts.catalogue.area import (
    APPEARANCE_NOT_ADMITTED,
    BALANCE_WRONG,
    EMPTY_TOO_LONG,
    GATE_CROSSED,
    NOT_SWEPT,
    SESSIONS_CONTACT,
    UNDER_ADMITTED,
    WRONG_SEAT,
)
from contracts.observations import Appearance, Measured
from contracts.units import Bilingual, CameraId, SessionId
from contracts.zones import PictureZone, ZoneKind
from edge.core import area, geometry
from edge.core.area_watch import Passage
from edge.core.fusion import Person
from edge.core.holding import Judgement
from edge.core.people import Instant, Track
from edge.core.places import Stay
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import CameraSeen, RoomState, subject_of

TOLD_MS: Final = 1_000
# Who went through a gate did so in a moment. For so long it counts as going on, so that neither a
# late picture nor a dwell that was set loses it.
PART_SHARE: Final = 1.3  # who stands together has parted only this much further apart
PART_WIDTHS: Final = 0.3  # and at least by this: people sway
AT_SEAT_SIZE: Final = 0.68
# Who stands behind a row of chairs is smaller than who sits in it; at the seat itself both are of
# one size, but for arms and papers.


def _clear(at: Instant, *, at_once: bool = False) -> tuple[Finding, ...]:
    return (Finding(None, Judgement(False, at, at, at_once=at_once)),)


def _unknown(at: Instant) -> tuple[Finding, ...]:
    return (Finding(None, Judgement(None, at, at)),)


def _seconds(since: Instant, at: Instant) -> int:
    return round(max(at.mono_ms - since.mono_ms, 0) / 1000)


def _after(since: Instant, seconds: float) -> Instant:
    ms = int(seconds * 1000)
    return Instant(type(since.mono_ms)(since.mono_ms + ms), type(since.utc_ms)(since.utc_ms + ms))


def _share(score: float) -> float:
    return min(max(score, 0.0), 1.0)


def _sureness(state: RoomState, now: Instant) -> float:
    return area.confidence(state, now) or 0.0


# -- how many ------------------------------------------------------------------------------------


def under_admitted(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: somebody has been away for longer than is allowed."""
    if state.sealed is None:
        return _clear(now, at_once=True)
    steady = state.area.steady
    if steady is None:
        return _unknown(now)
    limit_s = settings["away_max_s"]
    late = [since for since in state.area.away if _over(since, limit_s, now)]
    if not late:
        return _clear(now)
    away_s, admitted = _seconds(late[0], now), state.sealed.admitted
    people = () if (found := area.heads(state, now)) is None else found.people
    finding = Finding(
        camera_id=None,
        judged=Judgement(True, late[0], now),
        measured=(
            Measured(name="people", value=steady.people, limit=admitted),
            Measured(name="away_s", value=away_s, limit=limit_s, unit="s"),
        ),
        confidence=_sureness(state, now),
        saw=Bilingual(
            f"看到 {steady.people} 人，应有 {admitted} 人；最久者已离开 {away_s} 秒，"
            f"允许 {limit_s:g} 秒。",
            f"{steady.people} of {admitted} people are seen; one has been away for {away_s} s, "
            f"{limit_s:g} s are allowed.",
        ),
    )
    return (_shown(state, finding, people, now),)


def _over(since: Instant, limit_s: float, now: Instant) -> bool:
    return now.mono_ms - since.mono_ms >= limit_s * 1000


def _shown(state: RoomState, finding: Finding, people: Sequence[Person], now: Instant) -> Finding:
    """The finding with the picture that shows most of the people, or that of an empty room."""
    if people:
        camera_id, tracks = area.best_view(state, people)
        return replace(finding, picture_of=camera_id, people=tracks)
    view = area.fullest(state, now)
    return replace(finding, picture_of=None if view is None else view[0])


def empty_too_long(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: nobody has been in a sealed room for long."""
    if state.sealed is None:
        return _clear(now, at_once=True)
    steady, found = state.area.steady, area.heads(state, now)
    if steady is None or found is None:
        return _unknown(now)
    since = _not_before(steady.since, state.sealed.since)
    limit_s = settings["empty_max_s"]
    if steady.people > 0 or found.people or not _over(since, limit_s, now):
        return _clear(now)
    empty_s = _seconds(since, now)
    finding = Finding(
        camera_id=None,
        judged=Judgement(True, since, now),
        measured=(Measured(name="empty_s", value=empty_s, limit=limit_s, unit="s"),),
        confidence=_sureness(state, now),
        saw=Bilingual(
            f"封闭期间房间内已 {empty_s} 秒无人，允许 {limit_s:g} 秒。",
            f"The sealed room has been empty for {empty_s} s; {limit_s:g} s are allowed.",
        ),
    )
    return (_shown(state, finding, (), now),)


def _not_before(moment: Instant, earliest: Instant) -> Instant:
    return max(moment, earliest, key=lambda one: one.mono_ms)


def balance_wrong(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: more people are seen than went in, or long fewer."""
    expected, steady = area.balance(state), state.area.steady
    if state.sealed is None or expected is None:
        return _clear(now, at_once=state.sealed is None)
    found = area.heads(state, now)
    if steady is None or found is None:
        return _unknown(now)
    since, off = state.area.differs_since, state.area.differs_by
    if since is None or off == 0:
        return _clear(now)
    # Who is in the rest room has not left the area: fewer than expected is nothing for a while.
    limit_s = settings["unseen_max_s"]
    if off < 0 and not _over(since, limit_s, now):
        return _clear(now)
    watch = state.area
    finding = Finding(
        camera_id=None,
        judged=Judgement(True, since, now),
        measured=(
            Measured(name="people", value=steady.people, limit=expected),
            Measured(name="at_seal", value=watch.base or 0),
            Measured(name="entries", value=watch.entries),
            Measured(name="exits", value=watch.exits),
        ),
        confidence=_sureness(state, now),
        saw=Bilingual(
            f"看到 {steady.people} 人；封闭时 {watch.base} 人，进 {watch.entries}，"
            f"出 {watch.exits}，应为 {expected} 人。",
            f"{steady.people} people are seen; {watch.base} at the seal, {watch.entries} in, "
            f"{watch.exits} out make {expected}.",
        ),
    )
    return (_shown(state, finding, found.people, now),)


def not_swept(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
    """See ``rule.Judge``: people have stayed on since the release."""
    released, found = state.area.released_at, area.heads(state, now)
    if released is None:
        return _clear(now)
    if found is None:
        return _unknown(now)
    limit_s = settings["sweep_max_s"]
    if not found.people or not _over(released, limit_s, now):
        return _clear(now)
    after_s = _seconds(released, now)
    finding = Finding(
        camera_id=None,
        judged=Judgement(True, _after(released, limit_s), now),
        measured=(
            Measured(name="people", value=len(found.people), limit=0),
            Measured(name="since_release_s", value=after_s, limit=limit_s, unit="s"),
        ),
        confidence=_share(max(person.score for person in found.people)),
        saw=Bilingual(
            f"解除封闭已 {after_s} 秒，仍有 {len(found.people)} 人，清场时限 {limit_s:g} 秒。",
            f"{len(found.people)} people are still here {after_s} s after the release; the room "
            f"is to be swept within {limit_s:g} s.",
        ),
    )
    return (_shown(state, finding, found.people, now),)


# -- who -----------------------------------------------------------------------------------------

_WORN: Final[Mapping[Appearance, tuple[str, str]]] = {
    Appearance.RED: ("红马甲", "in a red vest"),
    Appearance.BLUE: ("蓝马甲", "in a blue vest"),
    Appearance.NONE: ("未穿马甲", "without a vest"),
}


def appearance_not_admitted(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: more people of a look than the policy has. Unknown is nobody's look."""
    most = area.admitted_looks(state)
    if most is None:
        return _clear(now, at_once=True)
    found = area.heads(state, now)
    if found is None:
        return _unknown(now)
    at = area.newest_picture(state, now)
    over = [
        _TooMany(look, admitted, tuple(people))
        for look, admitted in most.items()
        if len(people := _of_look(found.people, look, at)) > admitted
    ]
    if not over:
        return _clear(at)
    closed = state.area.closed_since or at
    since = min((one.since or at for one in over), key=lambda moment: moment.mono_ms)
    concerned = [person for one in over for person in one.people]
    finding = Finding(
        camera_id=None,
        judged=Judgement(True, _not_before(since, closed), at),
        measured=tuple(
            Measured(name=one.look.value, value=len(one.people), limit=one.admitted) for one in over
        ),
        confidence=_share(max(person.score for person in concerned)),
        saw=Bilingual(
            "；".join(one.said.zh for one in over) + "。",
            "; ".join(one.said.en for one in over) + ".",
        ),
    )
    return (_shown(state, finding, concerned, now),)


@dataclass(frozen=True, slots=True)
class _TooMany:
    """More people of a look than are admitted, who looked so first first."""

    look: Appearance
    admitted: int
    people: tuple[Person, ...]

    @property
    def since(self) -> Instant | None:
        """When the one too many was first seen so."""
        return self.people[self.admitted].look_since

    @property
    def said(self) -> Bilingual:
        """How many and how many may."""
        zh, en = _WORN[self.look]
        count, most = len(self.people), self.admitted
        return Bilingual(f"{zh} {count} 人，准入 {most} 人", f"{count} {en}, {most} admitted")


def _of_look(people: Sequence[Person], look: Appearance, at: Instant) -> list[Person]:
    return sorted(
        (person for person in people if person.look is look),
        key=lambda person: (person.look_since or at).mono_ms,
    )


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Two people of different sessions, and the room between them in body widths."""

    one: Track
    other: Track
    gap: float


def sessions_contact(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: people out of rooms of different sessions stand together."""
    sessions = area.sessions_of(state)
    return tuple(
        _contact(state, camera_id, camera, sessions, settings["near_share"], now)
        for camera_id, camera in state.cameras.items()
    )


def _contact(
    state: RoomState,
    camera_id: CameraId,
    camera: CameraSeen,
    sessions: Mapping[tuple[CameraId, int], SessionId],
    limit: float,
    now: Instant,
) -> Finding:
    if not state.closed:
        return Finding(camera_id, Judgement(False, now, now, at_once=True))
    if camera.frame_at is None or not camera.shows_people(now):
        return Finding(camera_id, Judgement(None, now, now))
    at = camera.frame_at
    hold = state.holds.get((SESSIONS_CONTACT.code, subject_of(camera_id, None, None)))
    held = hold is not None and (hold.since is not None or hold.alert is not None)
    reach = max(limit * PART_SHARE, limit + PART_WIDTHS) if held else limit
    known = [
        (track, session)
        for track in camera.people
        if (session := sessions.get((camera_id, track.number))) is not None
    ]
    meetings = [
        _Meeting(one, other, geometry.gap(one.rect, other.rect))
        for (one, of_one), (other, of_other) in combinations(known, 2)
        if of_one != of_other
    ]
    near = [meeting for meeting in meetings if meeting.gap <= reach]
    if not near:
        return Finding(camera_id, Judgement(False, at, at))
    nearest = min(near, key=lambda meeting: meeting.gap)
    concerned = {track.number: track for one in near for track in (one.one, one.other)}
    gap = round(nearest.gap, 1)
    return Finding(
        camera_id=camera_id,
        judged=Judgement(True, at, at),
        picture_of=camera_id,
        people=tuple(concerned.values()),
        measured=(Measured(name="gap_body_widths", value=gap, limit=limit),),
        confidence=_share(min(nearest.one.score, nearest.other.score)),
        saw=Bilingual(
            f"两个不同封闭场次的 {len(concerned)} 人相距约 {gap:g} 个体宽，限 {limit:g}。",
            f"{len(concerned)} people of different sealed sessions stand about {gap:g} body widths "
            f"apart; the limit is {limit:g}.",
        ),
    )


# -- where ---------------------------------------------------------------------------------------


def gate_crossed(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: somebody went in or out through a gate of the closed area."""
    return tuple(
        _gate(state, camera_id, zone, settings, now)
        for camera_id, zones in state.zones.items()
        for zone in zones
        if zone.kind is ZoneKind.GATE
    )


def _gate(
    state: RoomState,
    camera_id: CameraId,
    zone: PictureZone,
    settings: Mapping[str, float],
    now: Instant,
) -> Finding:
    if not state.closed:
        return Finding(camera_id, Judgement(False, now, now, at_once=True), zone_id=zone.id)
    lasting_ms = settings["dwell_ms"] + TOLD_MS
    recent = [
        passage
        for passage in state.area.passages
        if passage.crossing.camera_id == camera_id
        and passage.crossing.zone_id == zone.id
        and now.mono_ms - passage.told_mono_ms <= lasting_ms
    ]
    if not recent:
        return Finding(camera_id, Judgement(False, now, now), zone_id=zone.id)
    return _through(state, camera_id, zone, recent, now)


def _through(
    state: RoomState,
    camera_id: CameraId,
    zone: PictureZone,
    recent: Sequence[Passage],
    now: Instant,
) -> Finding:
    crossings = [passage.crossing for passage in recent]
    into = sum(one.inward for one in crossings)
    out = len(crossings) - into
    numbers = {one.track for one in crossings}
    people = tuple(track for track in state.cameras[camera_id].people if track.number in numbers)
    name = zone.name
    ago_s = round((now.mono_ms - crossings[0].at.mono_ms) / 1000, 1)
    return Finding(
        camera_id=camera_id,
        judged=Judgement(True, crossings[0].at, now),
        picture_of=camera_id,
        people=people,
        measured=(
            Measured(name="entered", value=into, limit=0),
            Measured(name="left", value=out, limit=0),
        ),
        confidence=_share(max(one.score for one in crossings)),
        zone_id=zone.id,
        saw=Bilingual(
            f"{ago_s:g} 秒前，有人通过“{name.zh}”：{_way_zh(into, out)}。",
            f"{ago_s:g} s ago somebody passed “{name.en}”: {_way_en(into, out)}.",
        ),
    )


def _way_zh(into: int, out: int) -> str:
    parts = [f"进 {into} 人"] if into else []
    parts += [f"出 {out} 人"] if out else []
    return "，".join(parts)


def _way_en(into: int, out: int) -> str:
    parts = [f"{into} went in"] if into else []
    parts += [f"{out} went out"] if out else []
    return ", ".join(parts)


def wrong_seat(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: two people stay at one seat."""
    return tuple(
        _seat(state, camera_id, zone, now)
        for camera_id, zones in state.zones.items()
        for zone in zones
        if zone.kind is ZoneKind.SEAT
    )


def _seat(state: RoomState, camera_id: CameraId, zone: PictureZone, now: Instant) -> Finding:
    if state.sealed is None:
        return Finding(camera_id, Judgement(False, now, now, at_once=True), zone_id=zone.id)
    camera = state.cameras[camera_id]
    if camera.frame_at is None or not camera.shows_people(now):
        return Finding(camera_id, Judgement(None, now, now), zone_id=zone.id)
    stays = _at_seat(state.places.stays(camera_id, zone.id))
    if len(stays) < 2:
        return Finding(
            camera_id, Judgement(False, camera.frame_at, camera.frame_at), zone_id=zone.id
        )
    second = _not_before(stays[1].since, state.sealed.since)
    s, seat = _seconds(second, now), zone.seat or zone.id
    return Finding(
        camera_id=camera_id,
        judged=Judgement(True, second, camera.frame_at),
        picture_of=camera_id,
        people=tuple(stay.track for stay in stays),
        measured=(
            Measured(name="people", value=len(stays), limit=1),
            Measured(name="together_s", value=s, unit="s"),
        ),
        confidence=_share(min(stay.track.score for stay in stays)),
        zone_id=zone.id,
        saw=Bilingual(
            f"席位 {seat} 处有 {len(stays)} 人，已 {s} 秒。",
            f"{len(stays)} people have been at seat {seat} for {s} s.",
        ),
    )


def _at_seat(stays: Sequence[Stay]) -> list[Stay]:
    """Those of the zone who are as near to the camera as the nearest of them."""
    largest = max((geometry.body_width(stay.track.rect) for stay in stays), default=0.0)
    return [
        stay for stay in stays if geometry.body_width(stay.track.rect) >= AT_SEAT_SIZE * largest
    ]


_BY_TIME: Final = frozenset({Wake.PEOPLE, Wake.LINK, Wake.TIME})
"""What counts by the clock goes on while pictures come late."""
_BY_PICTURE: Final = frozenset({Wake.PEOPLE, Wake.LINK})

RULES: Final = (
    Rule(GATE_CROSSED, gate_crossed, _BY_TIME),
    Rule(APPEARANCE_NOT_ADMITTED, appearance_not_admitted, _BY_PICTURE),
    Rule(SESSIONS_CONTACT, sessions_contact, _BY_PICTURE),
    Rule(WRONG_SEAT, wrong_seat, _BY_PICTURE),
    Rule(UNDER_ADMITTED, under_admitted, frozenset({Wake.TIME, Wake.LINK})),
    Rule(BALANCE_WRONG, balance_wrong, frozenset({Wake.TIME, Wake.LINK})),
    Rule(EMPTY_TOO_LONG, empty_too_long, frozenset({Wake.TIME, Wake.LINK})),
    Rule(NOT_SWEPT, not_swept, frozenset({Wake.TIME, Wake.LINK})),
)
