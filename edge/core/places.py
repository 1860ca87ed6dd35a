"""Decides who is in which zone since when, who crossed which line, and out of which door one came.

A box jitters by a few centimetres even where somebody sits still. So who is outside is in a zone
only once well within its border, and who is inside has left it only once well beyond; a line is
crossed by who gets well beyond it, once, however often the feet come and go upon it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.units import CameraId, MonoMs, RoomId, ZoneId
from contracts.zones import LINES, PictureZone, Point, ZoneKind
from edge.core import geometry
from edge.core.people import Instant, Track

ENTER_WIDTHS: Final = 0.12  # body widths (some 6 cm) within a border before one is inside
LEAVE_WIDTHS: Final = 0.3  # beyond it, before one has left
CROSS_WIDTHS: Final = 0.3  # beyond a line, before one has crossed it
END_WIDTHS: Final = 0.5  # beyond the ends of a line: a body is wider than its middle
BREADTH_SHARE: Final = (
    0.5  # of a zone's breadth: in a narrow one nobody gets further from the border
)
FOUND_AGAIN_MS: Final = 3_000
# Who is lost to the tracker and found again as somebody new is one person all along.
FOUND_AGAIN_WIDTHS: Final = 1.0
LOST_MAX: Final = 16  # of a camera; more at once is not people but a fault of the picture
CROSSINGS_MAX: Final = 64  # of a room: a committee of nine goes in and out in a dozen pictures
MASKED_SHARE: Final = 0.9  # of a box: somebody before a mirror sticks out of it


@dataclass(frozen=True, slots=True)
class Crossing:
    """Somebody crossed a line. ``inward``: from its left hand to its right.

    ``at`` is the picture that first showed the person beyond it, ``known_at`` the one that settled
    it. ``number`` counts a room's crossings from 1, never used twice.
    """

    camera_id: CameraId
    zone_id: ZoneId
    track: int
    inward: bool
    at: Instant
    score: float
    number: int
    known_at: Instant


@dataclass(frozen=True, slots=True)
class Side:
    """On which side of a line somebody is, and where and when the feet last came over it."""

    right: bool
    met: float | None = None
    """0 at the line's first point, 1 at its second; None: not since ``right`` is known."""
    met_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one person is, as of the newest picture in which somebody looked there."""

    track: Track
    counts: bool
    point: Point
    inside: Mapping[ZoneId, Instant]
    """Zones that hold the person, each with the picture that first showed it."""
    upon: Mapping[ZoneId, Instant]
    """Zones whose border the feet are over, well or just so, each since which picture."""
    sides: Mapping[ZoneId, Side]
    origin: RoomId | None
    """The room behind the door in which the person first showed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody whom the tracker gave up: ``spot`` as it was, not shown since ``gone_mono_ms``."""

    spot: Spot
    gone_mono_ms: MonoMs


@dataclass(frozen=True, slots=True)
class Stay:
    """One person in one zone, since the picture that first showed it."""

    track: Track
    since: Instant


@dataclass(frozen=True, slots=True)
class Places:
    """What is remembered of the zones of one room's cameras."""

    spots: Mapping[CameraId, Mapping[int, Spot]] = field(default_factory=dict)
    lost: Mapping[CameraId, tuple[Lost, ...]] = field(default_factory=dict)
    crossings: tuple[Crossing, ...] = ()
    """The newest last; older ones are forgotten."""
    crossed: int = 0
    """How many crossings there were in all."""

    def stays(self, camera_id: CameraId, zone_id: ZoneId) -> tuple[Stay, ...]:
        """Who of those who count is in a zone, who came first first."""
        found = [
            Stay(spot.track, spot.inside[zone_id])
            for spot in self.spots.get(camera_id, {}).values()
            if spot.counts and zone_id in spot.inside
        ]
        return tuple(sorted(found, key=lambda stay: stay.since.mono_ms))

    @property
    def origins(self) -> Mapping[tuple[CameraId, int], RoomId]:
        """Of tracks that first showed in a door: the room behind it."""
        return {
            (camera_id, number): spot.origin
            for camera_id, spots in self.spots.items()
            for number, spot in spots.items()
            if spot.origin is not None
        }


def step(
    places: Places,
    camera_id: CameraId,
    tracks: tuple[Track, ...],
    counts: frozenset[int],
    zones: tuple[PictureZone, ...],
    at: Instant,
) -> Places:
    """Take everyone followed in one picture; ``counts``: the numbers of those who are people.

    Who was not looked at stays where he was. Those who do not count yet are remembered, so that
    the first picture of who comes in is not lost, but they are in no zone and cross no line.
    """
    before = places.spots.get(camera_id, {})
    numbers = {track.number for track in tracks}
    lost = [
        *(
            one
            for one in places.lost.get(camera_id, ())
            if at.mono_ms - one.gone_mono_ms <= FOUND_AGAIN_MS
        ),
        *(
            Lost(spot, at.mono_ms)
            for number, spot in before.items()
            if number not in numbers and spot.counts
        ),
    ]
    spots: dict[int, Spot] = {}
    crossings: list[Crossing] = []
    for track in tracks:
        spot = before.get(track.number) or _found_again(track, lost)
        known = track.number in counts
        if spot is None:
            spots[track.number] = _first(track, zones, at, counts=known)
        elif not track.looked:
            spots[track.number] = replace(spot, track=track, counts=known)
        else:
            moved = _moved(spot, track, zones, at, counts=known)
            crossings += _crossings(camera_id, spot, moved, places.crossed + len(crossings), at)
            spots[track.number] = moved
    return Places(
        {**places.spots, camera_id: spots},
        {**places.lost, camera_id: tuple(lost[-LOST_MAX:])},
        (*places.crossings, *crossings)[-CROSSINGS_MAX:],
        places.crossed + len(crossings),
    )


def forgotten(places: Places, camera_id: CameraId) -> Places:
    """The camera was away, or its zones were drawn anew: nothing before says anything."""
    return replace(
        places,
        spots={key: value for key, value in places.spots.items() if key != camera_id},
        lost={key: value for key, value in places.lost.items() if key != camera_id},
        crossings=tuple(one for one in places.crossings if one.camera_id != camera_id),
    )


def unmasked(tracks: tuple[Track, ...], zones: tuple[PictureZone, ...]) -> tuple[Track, ...]:
    """Those who are not just a picture of somebody: in a mirror, on a screen, on a wall."""
    masks = [zone.points for zone in zones if zone.kind is ZoneKind.MASK]
    if not masks:
        return tracks
    return tuple(
        track
        for track in tracks
        if all(geometry.covered(track.rect, mask) < MASKED_SHARE for mask in masks)
    )


def point_in(zone: PictureZone, track: Track) -> Point:
    """What a zone goes by: a seat is drawn around people's trunks, the others on the floor."""
    if zone.kind is ZoneKind.SEAT:
        return geometry.trunk_point(track.rect)
    return geometry.standing_point(track.rect)


def _found_again(track: Track, lost: list[Lost]) -> Spot | None:
    """The spot of who was lost here a moment ago; taken out of ``lost``."""
    point = geometry.standing_point(track.rect)
    reach = FOUND_AGAIN_WIDTHS * geometry.body_width(track.rect)
    near = [one for one in lost if geometry.apart(one.spot.point, point) <= reach]
    if not near:
        return None
    best = min(near, key=lambda one: geometry.apart(one.spot.point, point))
    lost.remove(best)
    return best.spot


def _first(track: Track, zones: tuple[PictureZone, ...], at: Instant, *, counts: bool) -> Spot:
    point = geometry.standing_point(track.rect)
    sides = {
        zone.id: Side(geometry.right_of(zone.points, point) >= 0)
        for zone in zones
        if zone.kind in LINES
    }
    doors = [
        zone.leads_to
        for zone in zones
        if zone.kind is ZoneKind.DOOR
        and any(
            geometry.holds(zone.points, one) for one in (point, geometry.trunk_point(track.rect))
        )
    ]
    inside, upon = _inside({}, {}, track, zones, at)
    return Spot(track, counts, point, inside, upon, sides, doors[0] if doors else None)


def _moved(
    spot: Spot, track: Track, zones: tuple[PictureZone, ...], at: Instant, *, counts: bool
) -> Spot:
    point = geometry.standing_point(track.rect)
    inside, upon = _inside(spot.inside, spot.upon, track, zones, at)
    return Spot(
        track,
        counts,
        point,
        inside,
        upon,
        dict(_sides(spot, track, zones, at, counts=counts)),
        spot.origin,
    )


def _inside(
    before: Mapping[ZoneId, Instant],
    before_upon: Mapping[ZoneId, Instant],
    track: Track,
    zones: tuple[PictureZone, ...],
    at: Instant,
) -> tuple[Mapping[ZoneId, Instant], Mapping[ZoneId, Instant]]:
    """Zones that hold the person, and those whose border the feet are over."""
    body = geometry.body_width(track.rect)
    inside: dict[ZoneId, Instant] = {}
    upon: dict[ZoneId, Instant] = {}
    for zone in zones:
        if zone.kind in LINES or zone.kind is ZoneKind.MASK:
            continue
        depth = geometry.depth(zone.points, point_in(zone, track))
        if depth >= 0:
            upon[zone.id] = before_upon.get(zone.id, at)
        if zone.id in before:
            if depth > -LEAVE_WIDTHS * body:
                inside[zone.id] = before[zone.id]
        elif depth >= min(ENTER_WIDTHS * body, BREADTH_SHARE * geometry.breadth(zone.points)):
            # Who is well within has been there since the first step over the border.
            inside[zone.id] = upon[zone.id]
    return inside, upon


def _sides(
    spot: Spot, track: Track, zones: tuple[PictureZone, ...], at: Instant, *, counts: bool
) -> Iterator[tuple[ZoneId, Side]]:
    point = geometry.standing_point(track.rect)
    body = geometry.body_width(track.rect)
    for zone in zones:
        if zone.kind not in LINES:
            continue
        right = geometry.right_of(zone.points, point)
        side = spot.sides.get(zone.id)
        if side is None:
            yield zone.id, Side(right >= 0)
            continue
        met = geometry.met_at(zone.points, spot.point, point)
        if met is not None:
            side = replace(side, met=met, met_at=at)
        beyond = -right if side.right else right
        if counts and beyond >= CROSS_WIDTHS * body * geometry.shown_share(zone.points):
            side = replace(side, right=not side.right)
        yield zone.id, _upon(side, zone, body)


def _upon(side: Side, zone: PictureZone, body: float) -> Side:
    """The side without a meeting that was beyond the ends of the line: that was a way around it."""
    length = geometry.length_of(zone.points)
    slack = END_WIDTHS * body / length if length > 0 else 0.0
    if side.met is not None and not -slack <= side.met <= 1 + slack:
        return replace(side, met=None, met_at=None)
    return side


def _crossings(
    camera_id: CameraId, before: Spot, after: Spot, count: int, at: Instant
) -> Iterator[Crossing]:
    for zone_id, side in after.sides.items():
        was = before.sides.get(zone_id)
        if was is None or was.right == side.right or side.met_at is None:
            continue
        count += 1
        yield Crossing(
            camera_id,
            zone_id,
            after.track.number,
            side.right,
            side.met_at,
            after.track.score,
            count,
            at,
        )
