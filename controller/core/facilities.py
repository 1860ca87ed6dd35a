"""Decides what doors and lifts are told for all robots, and which edges are shut meanwhile.

``settle`` alone composes ``doors`` and ``lifts``. What it knows is live: boards say it again after
a restart. Only a fire alarm lasts, as an alert of ours, until a person lets robots drive again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from contracts.units import DoorId, FacilityId, FireId, LiftId, MonoMs, RobotId
from controller.core import doors, lifts
from controller.core.doors import DoorLive
from controller.core.facility_words import (
    CommandFacility,
    DoorSaid,
    FacilityClaim,
    FacilitySaid,
    FireSaid,
    LiftSaid,
    TroubleKind,
)
from controller.core.lifts import LiftLive
from controller.core.plan import SitePlan

Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FireLive:
    """The fire alarm. ``latched``: it has rung, and no person has let robots drive again yet."""

    burning: frozenset[FireId] = frozenset()
    latched: bool = False
    away_since: Mapping[FireId, MonoMs] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FacilitiesLive:
    """What is known of all doors, lifts and the fire alarm now."""

    doors: Mapping[DoorId, DoorLive] = field(default_factory=dict)
    lifts: Mapping[LiftId, LiftLive] = field(default_factory=dict)
    alarm: FireLive = field(default_factory=FireLive)

    @property
    def fire(self) -> bool:
        """Robots must be in refuges: it burns, or nobody has said yet that it is over."""
        return self.alarm.latched


class Settled(NamedTuple):
    """What ``settle`` decides. ``shut``: directed edges that may not be released now."""

    live: FacilitiesLive
    shut: frozenset[Edge]
    commands: tuple[CommandFacility, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something of a facility that people must be told, and since when."""

    kind: TroubleKind
    facility_id: FacilityId
    since_mono_ms: MonoMs
    robot_id: RobotId | None = None


def begun(plan: SitePlan, mono_ms: MonoMs, *, fire: bool = False) -> FacilitiesLive:
    """What is known at a start: nothing but whether a fire alarm was never lifted."""
    return FacilitiesLive(
        doors={
            name: DoorLive(since_mono_ms=mono_ms, away_since_mono_ms=mono_ms) for name in plan.doors
        },
        lifts={
            name: LiftLive(since_mono_ms=mono_ms, away_since_mono_ms=mono_ms) for name in plan.lifts
        },
        alarm=FireLive(latched=fire, away_since=dict.fromkeys(plan.fires, mono_ms)),
    )


def heard(live: FacilitiesLive, given: FacilitySaid, mono_ms: MonoMs) -> FacilitiesLive:
    """What a door or a lift says of itself; a word of the wrong kind or of nobody says nothing."""
    name, said = given.facility_id, given.said
    door, lift = live.doors.get(name), live.lifts.get(name)
    if door is not None and not isinstance(said, LiftSaid):
        after = doors.heard(door, said, mono_ms)
        return live if after is door else replace(live, doors={**live.doors, name: after})
    if lift is not None and not isinstance(said, DoorSaid):
        moved = lifts.heard(lift, said, mono_ms)
        return live if moved is lift else replace(live, lifts={**live.lifts, name: moved})
    return live


def fire_heard(live: FacilitiesLive, given: FireSaid, mono_ms: MonoMs) -> FacilitiesLive:
    """What a fire alarm's contact says. One that falls silent says nothing new: it may burn on."""
    alarm = live.alarm
    if given.burning is None:
        if given.fire_id in alarm.away_since:
            return live
        away = {**alarm.away_since, given.fire_id: mono_ms}
        return replace(live, alarm=replace(alarm, away_since=away))
    away = {name: since for name, since in alarm.away_since.items() if name != given.fire_id}
    burning = alarm.burning - {given.fire_id}
    if given.burning:
        burning |= {given.fire_id}
    after = FireLive(burning, alarm.latched or given.burning, away)
    return live if after == alarm else replace(live, alarm=after)


def fire_released(live: FacilitiesLive) -> FacilitiesLive:
    """A person lets robots drive again; not while a contact still rings."""
    if live.alarm.burning or not live.alarm.latched:
        return live
    return replace(live, alarm=replace(live.alarm, latched=False))


def settle(
    plan: SitePlan, live: FacilitiesLive, claims: Sequence[FacilityClaim], mono_ms: MonoMs
) -> Settled:
    """Bring doors and lifts to where the robots need them; without news it changes nothing."""
    if not (plan.doors or plan.lifts):
        return Settled(live, frozenset(), ())
    commands: list[CommandFacility] = []
    shut: set[Edge] = set()
    door_rows, lift_rows = dict(live.doors), dict(live.lifts)
    wanted = doors.needs(plan, claims) if plan.doors else {}
    for door_id, door in plan.doors.items():
        asked = wanted.get(door_id, doors.NOTHING)
        before = live.doors.get(door_id, DoorLive())
        after, opens = doors.step(door, before, asked, mono_ms, fire=live.fire)
        door_rows[door_id] = after
        if opens is not None:
            commands.append(CommandFacility(door_id, opens))
        if not after.passable or (live.fire and door.fire_door):
            shut |= plan.gates[door_id]
    for lift_id, lift in plan.lifts.items():
        was = live.lifts.get(lift_id, LiftLive())
        moved, sends = lifts.step(plan, lift, was, claims, mono_ms, fire=live.fire)
        lift_rows[lift_id] = moved
        if sends is not None:
            commands.append(CommandFacility(lift_id, sends))
        shut |= plan.gates[lift_id] - moved.open_ways
    if _same(door_rows, live.doors) and _same(lift_rows, live.lifts):
        return Settled(live, frozenset(shut), tuple(commands))
    after_all = replace(live, doors=door_rows, lifts=lift_rows)
    return Settled(after_all, frozenset(shut), tuple(commands))


def _same(after: Mapping[str, object], before: Mapping[str, object]) -> bool:
    return len(after) == len(before) and all(before.get(name) is row for name, row in after.items())


def exit_of(plan: SitePlan, live: FacilitiesLive, here: str) -> str | None:
    """On fire: the cab node through which a robot that stands in a car leaves; None: in no car."""
    lift_id = plan.cab_of.get(here)
    if lift_id is None:
        return None
    return lifts.exit_node(plan.lifts[lift_id], live.lifts.get(lift_id, LiftLive()), here)


def troubles(live: FacilitiesLive) -> tuple[Trouble, ...]:
    """What people must be told now."""
    found: list[Trouble] = []
    for door_id, door in live.doors.items():
        kind = doors.trouble(door)
        if kind is TroubleKind.OFFLINE:
            found.append(Trouble(kind, door_id, door.away_since_mono_ms))
        elif kind is not None:
            found.append(Trouble(kind, door_id, door.since_mono_ms))
    for lift_id, lift in live.lifts.items():
        kind = lifts.trouble(lift)
        if kind is TroubleKind.OFFLINE:
            found.append(Trouble(kind, lift_id, lift.away_since_mono_ms))
        elif kind is not None:
            found.append(Trouble(kind, lift_id, lift.since_mono_ms, lift.robot_id))
    for fire_id, since in live.alarm.away_since.items():
        found.append(Trouble(TroubleKind.OFFLINE, fire_id, since))
    return tuple(found)
