"""Decides what a door is told: opened before a robot, held while it may stand in it, then let go.

Its edges are shut until it says that it is open. A door that answers too late is asked again for
as long as it is wanted, so it comes back by itself; meanwhile a person is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final, assert_never

from contracts.facilities import DoorConfig
from contracts.units import DoorId, MonoMs
from controller.core.facility_words import (
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilityClaim,
    TroubleKind,
)
from controller.core.plan import SitePlan

APPROACH_M: Final = 8.0
# A robot this near has its door opened: at 1.2 m/s it comes in 7 s, and a door takes 5 s to open.

RESEND_MS: Final = 2_000  # a command may be lost; a relay answers within 0.3 s
RENEW_MS: Final = 10_000
# While a door is held it is told so again: a board that hears nothing for long lets go by itself.

HELD_MAX_MS: Final = 300_000  # a robot passes a door in seconds; one that stands in it needs help

_START: Final = MonoMs(0)


class DoorPhase(StrEnum):
    """What we are at with a door."""

    RESTING = "resting"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class DoorLive:
    """What is known of a door now. ``said`` None: nothing yet. ``late``: a time-out has passed."""

    phase: DoorPhase = DoorPhase.RESTING
    since_mono_ms: MonoMs = _START
    said: DoorSaid | None = None
    away: bool = True
    away_since_mono_ms: MonoMs = _START
    late: bool = False
    sent: DoorOrder | None = None
    sent_mono_ms: MonoMs = _START

    @property
    def passable(self) -> bool:
        """A robot may be sent through."""
        return self.phase is DoorPhase.OPEN and self.says(DoorPosition.OPEN) and not self.away

    def says(self, position: DoorPosition) -> bool:
        """Whether its last word was this position."""
        return self.said is not None and self.said.position is position


@dataclass(frozen=True, slots=True)
class DoorNeed:
    """What robots want of a door. ``inside``: one may stand in it."""

    wanted: bool = False
    inside: bool = False


NOTHING: Final = DoorNeed()


def needs(plan: SitePlan, claims: Sequence[FacilityClaim]) -> Mapping[DoorId, DoorNeed]:
    """What all robots together want of each door; a door that is left out is wanted by none."""
    found: dict[DoorId, DoorNeed] = {}
    for claim in claims:
        reach_m = 0.0
        for at, way in enumerate(pairwise(claim.path)):
            door_id = plan.door_on.get(way)
            base = at < claim.released
            if door_id is not None and (base or reach_m <= APPROACH_M):
                inside = base or (door_id in found and found[door_id].inside)
                found[door_id] = DoorNeed(wanted=True, inside=inside)
            edge = plan.ways.get(way[0], {}).get(way[1])
            reach_m += edge.length_m if edge is not None else 0.0
        if claim.occupied:
            for door_id in _doors_between(plan, claim.standing):
                found[door_id] = DoorNeed(wanted=True, inside=True)
    return found


def _doors_between(plan: SitePlan, nodes: frozenset[str]) -> set[DoorId]:
    return {
        door
        for start in nodes
        for end in nodes
        if (door := plan.door_on.get((start, end))) is not None
    }


def heard(live: DoorLive, said: DoorSaid | None, mono_ms: MonoMs) -> DoorLive:
    """A door's word on itself; None: its board is away, and what it was told is forgotten."""
    if said is None:
        if live.away:
            return live
        return replace(live, away=True, away_since_mono_ms=mono_ms, sent=None)
    if live.said == said and not live.away:
        return live
    if live.away:
        # What it had to do while it was away begins anew.
        return replace(live, said=said, away=False, sent=None, since_mono_ms=mono_ms, late=False)
    return replace(live, said=said)


def step(
    door: DoorConfig, live: DoorLive, asked: DoorNeed, mono_ms: MonoMs, *, fire: bool
) -> tuple[DoorLive, DoorOrder | None]:
    """Where the door is in its round now, and what to tell it; None: nothing now.

    On fire a fire door falls shut unless a robot stands in it; every other door opens.
    """
    wanted = asked.wanted
    if fire:
        wanted = asked.inside if door.fire_door else True
    live = _moved(door, live, mono_ms, wanted=wanted)
    if fire and live.late and live.phase is DoorPhase.OPEN:
        live = replace(live, late=False)  # nobody blocks it: it stands open as it should
    order = DoorOrder(open=wanted)
    if live.away or not _due(live, order, mono_ms):
        return live, None
    return replace(live, sent=order, sent_mono_ms=mono_ms), order


def _moved(  # noqa: PLR0911  # two or three a phase
    door: DoorConfig, live: DoorLive, mono_ms: MonoMs, *, wanted: bool
) -> DoorLive:
    waited_ms = mono_ms - live.since_mono_ms
    match live.phase:
        case DoorPhase.RESTING:
            return _enter(live, DoorPhase.OPENING, mono_ms) if wanted else live
        case DoorPhase.OPENING:
            if not wanted:
                return _enter(live, DoorPhase.CLOSING, mono_ms)
            if live.says(DoorPosition.OPEN) and not live.away and live.sent == DoorOrder(open=True):
                return _enter(live, DoorPhase.OPEN, mono_ms)
            return _late(live, late=waited_ms > door.open_within_ms)
        case DoorPhase.OPEN:
            if not wanted:
                return _enter(live, DoorPhase.CLOSING, mono_ms)
            if live.away or not live.says(DoorPosition.OPEN):
                return _enter(live, DoorPhase.OPENING, mono_ms)
            return _late(live, late=waited_ms > HELD_MAX_MS)
        case DoorPhase.CLOSING:
            if wanted:
                return _enter(live, DoorPhase.OPENING, mono_ms)
            if live.says(DoorPosition.SHUT) and not live.away:
                return _enter(live, DoorPhase.RESTING, mono_ms)
            return _late(live, late=waited_ms > door.close_within_ms)
        case _:
            assert_never(live.phase)


def _enter(live: DoorLive, phase: DoorPhase, mono_ms: MonoMs) -> DoorLive:
    return replace(live, phase=phase, since_mono_ms=mono_ms, late=False)


def _late(live: DoorLive, *, late: bool) -> DoorLive:
    return live if live.late is late else replace(live, late=late)


def _due(live: DoorLive, order: DoorOrder, mono_ms: MonoMs) -> bool:
    if live.sent != order:
        return True
    since_ms = mono_ms - live.sent_mono_ms
    match live.phase:
        case DoorPhase.RESTING:
            return False
        case DoorPhase.OPEN:
            return since_ms >= RENEW_MS
        case DoorPhase.OPENING | DoorPhase.CLOSING:
            return since_ms >= RESEND_MS
        case _:
            assert_never(live.phase)


def trouble(live: DoorLive) -> TroubleKind | None:
    """What people must be told about a door."""
    if live.away:
        return TroubleKind.OFFLINE
    if not live.late:
        return None
    return TroubleKind.DOOR_STUCK if live.phase is DoorPhase.OPENING else TroubleKind.DOOR_OPEN
