"""Judges what a delivery's proof claims of each zone by who was there, and by who could see it.

The truth is kept here: when somebody was in an area, and when its cameras showed nothing. A person
counts for every zone that the area's cameras see, as nobody knows in which of them he stands.
"""

from dataclasses import dataclass, field
from typing import Final

from contracts.api import ZonePassage, ZoneVerdict
from contracts.devices import Zone, ZonePolicy
from contracts.observations import CameraState, RoomObservation
from zeroentry.simulator.cameras import Person
from zeroentry.simulator.outcome import BrokenError, Violation
from zeroentry.simulator.stage import Stage

LEASE_S: Final = 2.0
NOTICED_S: Final = 1.5
"""A frame, the way of its picture, and the controller's next look: a person is known by then."""
LAPSE_S: Final = 7.0
"""A lease and the longest that the simulated controller goes without a tick."""
KNOWN_S: Final = 4.0
"""So long after somebody left he may still count: the last picture of him, and its lease."""
AFTER_START_S: Final = 13.0
"""A controller that has just started has no picture until the cameras' next, within 10 s."""


@dataclass(slots=True)
class _Area:
    """Spans of seconds; the last one may be open."""

    anybody: list[list[float]] = field(default_factory=list)
    strangers: list[list[float]] = field(default_factory=list)
    dark: list[list[float]] = field(default_factory=list)
    inside: list[Person] = field(default_factory=list)
    seen_s: float = -LEASE_S


class ProofJudge:
    """Keeps the truth about areas, and looks at all proofs when the day is over."""

    def __init__(self, world: Stage) -> None:
        """Nobody is anywhere."""
        self.world = world
        self._areas: dict[str, _Area] = {}

    def person(self, person: Person, *, came: bool) -> None:
        """Somebody comes into an area, or leaves it."""
        zone = self.world.plan.zone_at.get(person.node)
        if zone is None or zone.seen_by is None:
            return
        area = self._areas.setdefault(zone.seen_by, _Area())
        if came:
            area.inside.append(person)
        else:
            area.inside.remove(person)
        now_s = self.world.agenda.now_s
        _mark(area.anybody, now_s, on=bool(area.inside))
        _mark(area.strangers, now_s, on=any(not row.expert for row in area.inside))

    def observed(self, seen: RoomObservation) -> None:
        """A picture reached the controller: what lies between two whole ones is dark."""
        if not all(view.state is CameraState.LIVE for view in seen.views):
            return
        area = self._areas.setdefault(seen.room_id, _Area())
        now_s = self.world.agenda.now_s
        if now_s - area.seen_s > LEASE_S:
            area.dark.append([area.seen_s, now_s])
        area.seen_s = now_s

    def end(self) -> None:
        """Look at every proof.

        Raises:
            BrokenError: one claims what was not so.
        """
        for row in self.world.brain.state.deliveries.values():
            for passage in row.zones:
                zone = self.world.plan.zones.get(passage.zone_id)
                if zone is not None and zone.policy is not ZonePolicy.OPEN:
                    wrong = self._wrong(zone, passage)
                    if wrong:
                        text = f"{row.id}: {zone.id} is said to be {passage.verdict}, but {wrong}"
                        raise BrokenError(Violation(self.world.agenda.now_s, "proof", text))

    def _wrong(self, zone: Zone, passage: ZonePassage) -> str:
        """What a claim has against it; empty: nothing."""
        begin_ms, now_s = self.world.agenda.utc_start_ms, self.world.agenda.now_s
        from_s = (passage.entered_utc_ms - begin_ms) / 1000
        left = passage.left_utc_ms
        until_s = now_s if left is None else (left - begin_ms) / 1000
        area = self._areas.get(zone.seen_by or "", _Area())
        if zone.seen_by is not None:
            area.dark = [row for row in area.dark if row[1] > row[0]]
        dark = [*area.dark, [area.seen_s, now_s]] if zone.seen_by else [[0.0, now_s]]
        people = area.anybody if zone.policy is ZonePolicy.CLOSED else area.strangers
        match passage.verdict:
            case ZoneVerdict.NO_UNADMITTED_PERSON:
                there_s = _longest(people, from_s, until_s, now_s)
                if there_s > LAPSE_S or (there_s > NOTICED_S and not _any(dark, from_s, until_s)):
                    return f"somebody who may not be there was for {there_s:.1f} s"
                unseen_s = _longest(dark, from_s, until_s, now_s) - LEASE_S
                return f"nobody saw it for {unseen_s:.1f} s" if unseen_s > LAPSE_S else ""
            case ZoneVerdict.PERSON_SEEN:
                if passage.detail or _any(people, from_s - KNOWN_S, until_s + NOTICED_S):
                    return ""
                return "nobody was there"
            case ZoneVerdict.UNPROVEN:
                starts = any(
                    from_s - AFTER_START_S < at < until_s
                    for at in (0.0, *self.world.brain.starts_s)
                )
                seen = not _any(dark, from_s - LEASE_S, until_s)
                return "it was seen all the time" if seen and not starts else ""


def _mark(spans: list[list[float]], now_s: float, *, on: bool) -> None:
    is_open = bool(spans) and len(spans[-1]) == 1
    if on and not is_open:
        spans.append([now_s])
    elif is_open and not on:
        spans[-1].append(now_s)


def _longest(spans: list[list[float]], from_s: float, until_s: float, now_s: float) -> float:
    """How long the longest span lasts between two moments."""
    found = 0.0
    for row in spans:
        end_s = row[1] if len(row) > 1 else now_s
        found = max(found, min(end_s, until_s) - max(row[0], from_s))
    return found


def _any(spans: list[list[float]], from_s: float, until_s: float) -> bool:
    return any(row[0] < until_s and (len(row) == 1 or row[1] > from_s) for row in spans)
