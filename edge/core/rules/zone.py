"""Judges zones drawn on pictures: entry, loitering, wrong direction, contact, presence at night."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from contracts.catalogue.zone import (
    AFTER_HOURS,
    ROLES_CONTACT,
    ZONE_ENTRY,
    ZONE_LOITERING,
    ZONE_WRONG_DIRECTION,
)
from contracts.observations import Appearance, Measured
from contracts.units import Bilingual, CameraId, MonoMs, UtcMs
from contracts.zones import PictureZone, ZoneKind
from edge.core import geometry
from edge.core.holding import Judgement
from edge.core.people import Instant, Track
from edge.core.places import Crossing, Stay
from edge.core.rules.rule import Finding, Judge, Rule, Wake
from edge.core.state import RoomState, subject_of

TOLD_MS: Final = 1_000
# A crossing is over in a moment. For so long beyond the dwell it counts as going on, so that a
# picture that comes late does not lose it.
PART_SHARE: Final = 1.3
# Who stands together has parted only when this much further apart than the limit: people sway.
MINUTES_AN_HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class Look:
    """One zone on the newest picture of its camera."""

    state: RoomState
    camera_id: CameraId
    zone: PictureZone
    settings: Mapping[str, float]
    now: Instant
    frame_at: Instant

    @property
    def stays(self) -> tuple[Stay, ...]:
        """Who is in the zone, who came first first."""
        return self.state.places.stays(self.camera_id, self.zone.id)

    def finding(self, *, holds: bool, since: Instant, at: Instant) -> Finding:
        """A finding about the zone, without what an alert would show."""
        return Finding(self.camera_id, Judgement(holds, since, at), zone_id=self.zone.id)

    def clear(self) -> Finding:
        """Nothing is so in the zone now."""
        return self.finding(holds=False, since=self.frame_at, at=self.frame_at)


ZoneJudge = Callable[[Look], Finding]


def _each(
    kind: ZoneKind,
    judge: ZoneJudge,
    state: RoomState,
    settings: Mapping[str, float],
    now: Instant,
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: one finding for each zone of a kind on the room's cameras."""
    return tuple(
        _zone_finding(judge, state, camera_id, zone, settings, now)
        for camera_id in state.cameras
        for zone in state.zones.get(camera_id, ())
        if zone.kind is kind
    )


def _zone_finding(
    judge: ZoneJudge,
    state: RoomState,
    camera_id: CameraId,
    zone: PictureZone,
    settings: Mapping[str, float],
    now: Instant,
) -> Finding:
    camera = state.cameras[camera_id]
    if zone.sealed_only and not state.closed:
        over = Judgement(False, now, now, at_once=True)
        return Finding(camera_id, over, zone_id=zone.id)
    if camera.frame_at is None or not camera.shows_people(now):
        return Finding(camera_id, Judgement(None, now, now), zone_id=zone.id)
    return judge(Look(state, camera_id, zone, settings, now, camera.frame_at))


def _on_each(kind: ZoneKind, judge: ZoneJudge) -> Judge:
    return partial(_each, kind, judge)


def entry(look: Look) -> Finding:
    """Somebody is where nobody may be."""
    stays = look.stays
    if not stays:
        return look.clear()
    first, people = stays[0], len(stays)
    s = _seconds(first.since, look.frame_at)
    name = look.zone.name
    return replace(
        look.finding(holds=True, since=first.since, at=look.frame_at),
        picture_of=look.camera_id,
        people=tuple(stay.track for stay in stays),
        measured=(
            Measured(name="people", value=people, limit=0),
            Measured(name="inside_s", value=s, unit="s"),
        ),
        confidence=_sure(max(stay.track.score for stay in stays)),
        saw=Bilingual(
            f"禁入区域“{name.zh}”内有 {people} 人，已 {s:g} 秒。",
            f"{people} in the forbidden zone “{name.en}”, for {s:g} s.",
        ),
    )


def loitering(look: Look) -> Finding:
    """One person has stayed in a watched zone for longer than is allowed."""
    stay_max_ms = look.settings["stay_max_s"] * 1000
    # By the clock, not by the picture: who sits still is looked at only now and then.
    too_long = [stay for stay in look.stays if look.now.mono_ms - stay.since.mono_ms >= stay_max_ms]
    if not too_long:
        return look.finding(holds=False, since=look.now, at=look.now)
    longest = too_long[0]
    s = _seconds(longest.since, look.now)
    name = look.zone.name
    return replace(
        look.finding(holds=True, since=_later(longest.since, int(stay_max_ms)), at=look.now),
        picture_of=look.camera_id,
        people=tuple(stay.track for stay in too_long),
        measured=(
            Measured(name="stay_s", value=s, limit=look.settings["stay_max_s"], unit="s"),
            Measured(name="people", value=len(too_long)),
        ),
        confidence=_sure(longest.track.score),
        saw=Bilingual(
            f"有人在“{name.zh}”停留 {s:.0f} 秒，允许 {look.settings['stay_max_s']:g} 秒。",
            f"Somebody has stayed in “{name.en}” for {s:.0f} s; "
            f"{look.settings['stay_max_s']:g} s are allowed.",
        ),
    )


def wrong_direction(look: Look) -> Finding:
    """Somebody crossed a one-way line from its right hand to its left."""
    lasting_ms = look.settings["dwell_ms"] + TOLD_MS
    wrong = [one for one in _standing_crossings(look) if _age_ms(one, look.frame_at) <= lasting_ms]
    if not wrong:
        return look.clear()
    last = wrong[-1]
    spots = look.state.places.spots.get(look.camera_id, {})
    people = [spots[one.track].track for one in wrong if one.track in spots]
    name = look.zone.name
    return replace(
        look.finding(holds=True, since=wrong[0].at, at=look.frame_at),
        picture_of=look.camera_id,
        people=tuple(people),
        measured=(Measured(name="people", value=len({one.track for one in wrong}), limit=0),),
        confidence=_sure(last.score),
        saw=Bilingual(
            f"有人逆向越过“{name.zh}”，此线只许单向通行。",
            f"Somebody crossed “{name.en}” against its direction; it is one-way.",
        ),
    )


def _standing_crossings(look: Look) -> list[Crossing]:
    """Wrong crossings of this line whose people have not gone back, the newest last."""
    last: dict[int, Crossing] = {}
    for one in look.state.places.crossings:
        if one.camera_id == look.camera_id and one.zone_id == look.zone.id:
            last[one.track] = one
    return sorted((one for one in last.values() if not one.inward), key=lambda one: one.number)


def _age_ms(crossing: Crossing, at: Instant) -> int:
    return at.mono_ms - crossing.known_at.mono_ms


def contact(look: Look) -> Finding:
    """Somebody in an expert's vest and somebody who surely wears none of theirs stand together."""
    limit = look.settings["near_share"]
    subject = subject_of(look.camera_id, None, look.zone.id)
    hold = look.state.holds.get((ROLES_CONTACT.code, subject))
    held = hold is not None and (hold.since is not None or hold.alert is not None)
    reach = limit * PART_SHARE if held else limit
    pairs = [pair for pair in _mixed_pairs(look) if pair.gap <= reach]
    if not pairs:
        return look.clear()
    nearest = min(pairs, key=lambda pair: pair.gap)
    concerned = {one.number: one for pair in pairs for one in (pair.expert, pair.other)}
    name, gap = look.zone.name, round(nearest.gap, 1)
    worn_zh, worn_en = _WORN[nearest.other.appearance]
    return replace(
        look.finding(holds=True, since=look.frame_at, at=look.frame_at),
        picture_of=look.camera_id,
        people=tuple(concerned.values()),
        measured=(Measured(name="gap_body_widths", value=gap, limit=limit),),
        confidence=_sure(min(nearest.expert.score, nearest.other.score)),
        saw=Bilingual(
            f"“{name.zh}”内，红马甲人员与{worn_zh}人员相距约 {gap:g} 个体宽。",
            f"In “{name.en}”, a red vest and {worn_en} are about {gap:g} body widths apart.",
        ),
    )


_WORN: Final[Mapping[Appearance, tuple[str, str]]] = {
    Appearance.BLUE: ("蓝马甲", "a blue vest"),
    Appearance.NONE: ("未穿马甲", "somebody without a vest"),
}
"""Appearances that are surely not an expert's; an unknown one is nobody's to judge."""


@dataclass(frozen=True, slots=True)
class _Pair:
    expert: Track
    other: Track
    gap: float
    """In body widths."""


def _mixed_pairs(look: Look) -> Iterator[_Pair]:
    people = [stay.track for stay in look.stays]
    for expert in people:
        if expert.appearance is not Appearance.RED:
            continue
        for other in people:
            if other.appearance in _WORN:
                yield _Pair(expert, other, geometry.gap(expert.rect, other.rect))


def after_hours(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``: somebody is before a camera outside the hours of the site."""
    minute = state.minute_of_day
    if minute is None:
        return tuple(Finding(camera_id, Judgement(None, now, now)) for camera_id in state.cameras)
    closed = in_hours(minute, settings["from_h"], settings["to_h"])
    return tuple(
        _at_night(state, camera_id, settings, now, minute)
        if closed
        else Finding(camera_id, Judgement(False, now, now, at_once=True))
        for camera_id in state.cameras
    )


def in_hours(minute_of_day: int, from_h: float, to_h: float) -> bool:
    """Whether a time of day lies in hours that may go over midnight; the same hour twice: never."""
    begin, end = from_h * MINUTES_AN_HOUR, to_h * MINUTES_AN_HOUR
    if begin <= end:
        return begin <= minute_of_day < end
    return minute_of_day >= begin or minute_of_day < end


def _at_night(
    state: RoomState,
    camera_id: CameraId,
    settings: Mapping[str, float],
    now: Instant,
    minute: int,
) -> Finding:
    camera = state.cameras[camera_id]
    if camera.frame_at is None or not camera.shows_people(now):
        return Finding(camera_id, Judgement(None, now, now))
    people = camera.people
    if not people:
        return Finding(camera_id, Judgement(False, camera.frame_at, camera.frame_at))
    clock = f"{minute // MINUTES_AN_HOUR:02}:{minute % MINUTES_AN_HOUR:02}"
    return Finding(
        camera_id,
        Judgement(True, camera.frame_at, camera.frame_at),
        picture_of=camera_id,
        people=people,
        measured=(
            Measured(name="people", value=len(people), limit=0),
            Measured(name="local_h", value=round(minute / MINUTES_AN_HOUR, 2), unit="h"),
        ),
        confidence=_sure(max(one.score for one in people)),
        saw=Bilingual(
            f"当地时间 {clock}，在不开放时段（{settings['from_h']:g} 点至 {settings['to_h']:g} 点）"
            f"看到 {len(people)} 人，没有封闭场次。",
            f"{len(people)} seen at {clock} local time, within the closed hours "
            f"({settings['from_h']:g} to {settings['to_h']:g} h), with no session.",
        ),
    )


def _sure(score: float) -> float:
    return round(min(max(score, 0.0), 1.0), 2)


def _seconds(since: Instant, at: Instant) -> float:
    return round(max(at.mono_ms - since.mono_ms, 0) / 1000, 1)


def _later(instant: Instant, ms: int) -> Instant:
    return Instant(MonoMs(instant.mono_ms + ms), UtcMs(instant.utc_ms + ms))


_PEOPLE: Final = frozenset({Wake.PEOPLE, Wake.LINK})

ENTRY: Final = Rule(ZONE_ENTRY, _on_each(ZoneKind.FORBIDDEN, entry), _PEOPLE)
LOITERING: Final = Rule(
    ZONE_LOITERING, _on_each(ZoneKind.WATCHED, loitering), _PEOPLE | {Wake.TIME}
)
WRONG_DIRECTION: Final = Rule(
    ZONE_WRONG_DIRECTION, _on_each(ZoneKind.LINE, wrong_direction), _PEOPLE
)
CONTACT: Final = Rule(ROLES_CONTACT, _on_each(ZoneKind.WATCHED, contact), _PEOPLE)
NIGHT: Final = Rule(AFTER_HOURS, after_hours, _PEOPLE)
RULES: Final = (ENTRY, LOITERING, WRONG_DIRECTION, CONTACT, NIGHT)
