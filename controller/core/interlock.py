"""Decides when a robot may be in a zone: while cameras show nobody who may not be there.

A zone is a resource. Its clearance is a lease that each fresh observation renews; when none comes
for two seconds it lapses, and a zone nobody can see counts as occupied. This is no safety function:
the robot's own certified scanner is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.devices import Zone, ZonePolicy
from contracts.observations import Appearance, CameraState, RoomObservation
from contracts.units import MonoMs, UtcMs, ZoneId
from controller.core.fleet import Mission
from controller.core.plan import SitePlan

LEASE_MS: Final = 2_000  # dispatch.md: ten frames at 5 fps; a person walks less than 3 m meanwhile
FRAME_AGE_MAX_MS: Final = 2_000  # an observation may be new while the frame under it is not


@dataclass(frozen=True, slots=True)
class ZoneSight:
    """What was last seen in a zone. ``clear_since_mono_ms`` None: not clear at the last look."""

    seen: bool
    people: int
    unadmitted: int
    received_mono_ms: MonoMs
    received_utc_ms: UtcMs
    boot_id: str
    index: int
    clear_since_mono_ms: MonoMs | None = None


class Clearance(StrEnum):
    """Whether robots may be in a zone. ``WAITING``: empty, but not yet for long enough."""

    CLEAR = "clear"
    WAITING = "waiting"
    PERSON = "person"
    UNSEEN = "unseen"


def look(zone: Zone, before: ZoneSight | None, seen: RoomObservation, mono_ms: MonoMs) -> ZoneSight:
    """Take an observation of the area that sees ``zone``; an old one changes nothing."""
    if before is not None and _older(before, seen):
        return before
    whole = is_whole(seen)
    people, unadmitted = _count(zone, seen)
    clear = whole and unadmitted == 0
    since = None
    if clear:
        unbroken = before is not None and mono_ms - before.received_mono_ms <= LEASE_MS
        earlier = before.clear_since_mono_ms if before is not None and unbroken else None
        since = mono_ms if earlier is None else earlier
    return ZoneSight(
        seen=whole,
        people=people,
        unadmitted=unadmitted,
        received_mono_ms=mono_ms,
        received_utc_ms=seen.utc_ms,
        boot_id=seen.boot_id,
        index=seen.index,
        clear_since_mono_ms=since,
    )


def is_whole(seen: RoomObservation) -> bool:
    """Every camera of the area gives fresh pictures: one blind camera leaves a corner unseen."""
    if seen.head_count is None or not seen.views:
        return False
    return all(
        view.state is CameraState.LIVE
        and view.frame_utc_ms is not None
        and seen.utc_ms - view.frame_utc_ms <= FRAME_AGE_MAX_MS
        for view in seen.views
    )


def clearance(zone: Zone, sight: ZoneSight | None, mono_ms: MonoMs) -> Clearance:
    """What robots may assume of a zone now. An open zone is clear for them even unseen."""
    if zone.policy is ZonePolicy.OPEN:
        return Clearance.CLEAR
    if sight is None or mono_ms - sight.received_mono_ms > LEASE_MS:
        return Clearance.UNSEEN
    if sight.unadmitted > 0:
        return Clearance.PERSON
    if not sight.seen:
        return Clearance.UNSEEN
    since = sight.clear_since_mono_ms
    if since is None or mono_ms - since < zone.clear_for_ms:
        return Clearance.WAITING
    return Clearance.CLEAR


@dataclass(frozen=True, slots=True)
class Hold:
    """What the zones mean for one robot: stop it now, and which zones it waits for."""

    pause: bool = False
    keep_paused: bool = False
    zones: tuple[ZoneId, ...] = ()


def hold(plan: SitePlan, mission: Mission | None, states: Mapping[ZoneId, Clearance]) -> Hold:
    """Judge one robot's way.

    Base that reaches into a zone cannot be taken back, so a robot that has some is stopped wherever
    it is: that covers the robot inside, and the one for which braking would still stop short. A
    robot whose base ends before the zone just gets no more.
    """
    if mission is None:
        return Hold()
    inside, next_zone = _zones_ahead(plan, mission)
    shut = [zone for zone in inside if states.get(zone) in (Clearance.PERSON, Clearance.UNSEEN)]
    waiting = [zone for zone in inside if states.get(zone) is Clearance.WAITING]
    before = [next_zone] if next_zone and states.get(next_zone) is not Clearance.CLEAR else []
    named = dict.fromkeys((*shut, *(waiting if not shut else ()), *before))
    return Hold(pause=bool(shut), keep_paused=bool(waiting), zones=tuple(named))


def unpassed_lease(sight: ZoneSight | None, mono_ms: MonoMs) -> ZoneSight | None:
    """Forget how long a zone was clear once its lease has lapsed: it must be seen clear anew."""
    if sight is None or sight.clear_since_mono_ms is None:
        return sight
    if mono_ms - sight.received_mono_ms <= LEASE_MS:
        return sight
    return replace(sight, clear_since_mono_ms=None)


def _zones_ahead(plan: SitePlan, mission: Mission) -> tuple[list[ZoneId], ZoneId | None]:
    base = mission.route[mission.passed : mission.released]
    zones = [plan.zone_at[node].id for node in base if node in plan.zone_at]
    inside = list(dict.fromkeys(zones))
    if mission.released < len(mission.route):
        zone = plan.zone_at.get(mission.route[mission.released])
        return inside, zone.id if zone is not None and zone.id not in inside else None
    return inside, None


def _older(before: ZoneSight, seen: RoomObservation) -> bool:
    return before.boot_id == seen.boot_id and seen.index <= before.index


def _count(zone: Zone, seen: RoomObservation) -> tuple[int, int]:
    """People in the zone, and those of them who may not be there.

    The same person may show in two cameras: the larger of fused count and fullest view counts. A
    person counted but not shown has no known appearance, and so is unadmitted.
    """
    most = max((len(view.people) for view in seen.views), default=0)
    people = max(most, seen.head_count or 0)
    match zone.policy:
        case ZonePolicy.OPEN:
            return people, 0
        case ZonePolicy.CLOSED:
            return people, people
        case ZonePolicy.EXPERTS_ONLY:
            strangers = max(
                (
                    sum(1 for person in view.people if person.appearance is not Appearance.RED)
                    for view in seen.views
                ),
                default=0,
            )
            return people, strangers + max(0, people - most)
