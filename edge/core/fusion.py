"""Decides how many people the cameras of one room show together: who is seen twice is one.

Three ways, best first. Cameras with marks on the floor place everybody in metres and meet there;
seats drawn on several pictures make one person of who sits on one seat; where neither says
anything, the view with the most people is the least there can be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor, prod
from typing import Final

from contracts.observations import Appearance
from contracts.units import CameraId, MonoMs
from contracts.zones import PictureZone, ZoneKind
from edge.core import geometry
from edge.core.floor import FAR, HEIGHTS_M, Plane, Spot, mismatch
from edge.core.people import Instant, Rect, Track

MEET: Final = 9.0  # squared: three standard deviations apart may still be one person
MEET_ODD: Final = 4.0  # and two, who would not sit as high as the others
MEET_MOVING: Final = 16.0  # and four, who stands or walks: no two cameras are in step
STAY_MET: Final = 25.0  # who was one person a moment ago stays one up to five
SWAY_SHARE: Final = 0.04  # of a box's size: less than a place is off anyway
CELL_M: Final = 2.0  # of the grid that people are met on: more than MEET at a room's usual depth
CELL_REACH: Final = 1
SEAT_WITHIN_WIDTHS: Final = 0.15  # of the body: who is nearer to the border may be a neighbour
SUCCEEDED_GAP: Final = 0.6  # body widths: who is first seen here, and who was lost here, are one
SUCCEEDED_SLACK_MS: Final = 400  # two pictures: a new track begins while the old is given up
HIDDEN_MS: Final = 8_000
# Who sat still and is not found any more is behind somebody, or bent over papers, far more often
# than gone: the way out begins with getting up, which is seen.
FRESH_MS: Final = 1_500  # not surely seen for longer: the count is less sure
SURE_SEEN: Final = 0.99
SURE_LATE: Final = 0.9
SURE_HIDDEN: Final = 0.7
SURE_AT_EDGE: Final = 0.9  # cut by the frame: half of the people a detector misses are there
SURE_ALONE: Final = 0.93  # one camera sees a person where another looks and sees nobody
EDGE_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class View:
    """One track of one camera."""

    camera_id: CameraId
    track: Track


Key = tuple[CameraId, int]


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the room, as one or several cameras show them now.

    ``look`` is what all views that know a vest agree on; ``look_since`` when it was first so.
    ``alone``: another camera looks there and sees nobody.
    """

    views: tuple[View, ...]
    first_seen: Instant
    look: Appearance = Appearance.UNKNOWN
    look_since: Instant | None = None
    alone: bool = False
    sure_mono_ms: int = 0
    """When a picture last surely showed the person; stands still while nobody looks there."""

    @property
    def keys(self) -> tuple[Key, ...]:
        return tuple((view.camera_id, view.track.number) for view in self.views)

    @property
    def score(self) -> float:
        """Of the view that is surest."""
        return max(view.track.score for view in self.views)


@dataclass(frozen=True, slots=True)
class Hidden:
    """Somebody who sat still until ``since`` and is not found any more."""

    view: View
    since: MonoMs
    look: Appearance


@dataclass(frozen=True, slots=True)
class Placed:
    """A view with what is known of its place in the room."""

    view: View
    spot: Spot | None
    seat: str | None
    rect: Rect
    """Of which the rest was reckoned: who only sways is not placed anew."""

    @property
    def key(self) -> Key:
        return self.view.camera_id, self.view.track.number


@dataclass(frozen=True, slots=True)
class Eye:
    """One camera that shows people now: what it was told of the room, and whom it follows."""

    camera_id: CameraId
    plane: Plane | None
    seats: tuple[PictureZone, ...]
    people: tuple[Track, ...]

    @classmethod
    def of(
        cls,
        camera_id: CameraId,
        plane: Plane | None,
        zones: Iterable[PictureZone],
        people: tuple[Track, ...],
    ) -> "Eye":
        """An eye of a camera's zones of all kinds."""
        seats = tuple(zone for zone in zones if zone.kind is ZoneKind.SEAT)
        return cls(camera_id, plane, seats, people)

    def seat_of(self, track: Track) -> str | None:
        """On which seat of the roster somebody surely is; None: on none, or between two."""
        point = geometry.trunk_point(track.rect)
        least = SEAT_WITHIN_WIDTHS * geometry.body_width(track.rect)
        for zone in self.seats:
            if geometry.depth(zone.points, point) >= least:
                return zone.seat
        return None


@dataclass(frozen=True, slots=True)
class Heads:
    """Everybody in the room as of ``at``, and what must be remembered to count on.

    ``succeeded`` are tracks that a newer one has taken the place of: one person, two numbers.
    """

    people: tuple[Person, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    cameras: frozenset[CameraId] = frozenset()
    succeeded: frozenset[Key] = frozenset()
    born: Mapping[Key, Rect] = field(default_factory=dict)
    placed: Mapping[Key, "Placed"] = field(default_factory=dict)
    at: Instant | None = None

    @property
    def count(self) -> int:
        """How many are in the room, those hidden for a moment included."""
        return len(self.people) + len(self.hidden)


def step(heads: Heads, eyes: Sequence[Eye], at: Instant) -> Heads:
    """Take what all cameras that show people show now."""
    tracks = {(eye.camera_id, track.number): track for eye in eyes for track in eye.people}
    born = {key: heads.born.get(key, track.rect) for key, track in tracks.items()}
    succeeded = frozenset(_succeeded(heads, eyes, born))
    eyes = [
        replace(
            eye,
            people=tuple(
                track for track in eye.people if (eye.camera_id, track.number) not in succeeded
            ),
        )
        for eye in eyes
    ]
    placed = {one.key: one for eye in eyes for one in _placed(eye, heads)}
    linked = {key: number for number, one in enumerate(heads.people) for key in one.keys}
    groups = _met(eyes, placed, linked)
    people = tuple(_person(group, heads, at) for group in groups)
    people = tuple(replace(one, alone=_alone(one, placed, eyes)) for one in people)
    hidden = tuple(_hidden(heads, people, succeeded, eyes, at))
    cameras = frozenset(eye.camera_id for eye in eyes)
    return Heads(people, hidden, cameras, succeeded, born, placed, at)


def confidence(heads: Heads, now: Instant) -> float:
    """How likely the count is exact, 0 to 1: each person a doubt of their own.

    Doubtful are who has not been seen surely for a while, who is cut by the frame, and whom one
    camera sees where another looks and sees nobody.
    """
    doubts = prod(_sureness(person, now) for person in heads.people)
    return float(doubts * SURE_HIDDEN ** len(heads.hidden))


def _sureness(person: Person, now: Instant) -> float:
    last = max(view.track.last_seen_mono_ms for view in person.views)
    looked = any(view.track.looked for view in person.views)
    late = looked and now.mono_ms - last > FRESH_MS
    whole = any(
        view.track.rect.x1 > EDGE_SHARE and view.track.rect.x2 < 1 - EDGE_SHARE
        for view in person.views
    )
    sure = SURE_LATE if late else SURE_SEEN
    return sure * (1.0 if whole else SURE_AT_EDGE) * (SURE_ALONE if person.alone else 1.0)


def _succeeded(heads: Heads, eyes: Sequence[Eye], born: Mapping[Key, Rect]) -> Iterator[Key]:
    """Tracks of people who are followed under a newer number: lost here, found here."""
    for eye in eyes:
        newest = [track for track in eye.people if track.detected]
        for track in eye.people:
            key = (eye.camera_id, track.number)
            if track.detected or not track.looked:
                continue
            # Once succeeded, always, until the detector proves that there are two.
            if key in heads.succeeded or any(
                other.first_seen.mono_ms >= track.last_seen_mono_ms - SUCCEEDED_SLACK_MS
                and geometry.gap(born[eye.camera_id, other.number], track.rect) < SUCCEEDED_GAP
                for other in newest
            ):
                yield key


# -- who is seen twice ---------------------------------------------------------------------------


def _placed(eye: Eye, heads: Heads) -> Iterator[Placed]:
    """Everybody of a camera where the room has them; who has not moved is where he was."""
    for track in eye.people:
        view = View(eye.camera_id, track)
        before = heads.placed.get((eye.camera_id, track.number))
        seat = eye.seat_of(track) if eye.seats else None
        if before is not None and _sways(before.rect, track.rect):
            yield Placed(view, before.spot, seat, before.rect)
            continue
        spot = eye.plane.spot(track.rect) if eye.plane is not None else None
        yield Placed(view, spot, seat, track.rect)


def _sways(one: Rect, other: Rect) -> bool:
    across, down = SWAY_SHARE * one.width, SWAY_SHARE * one.height
    return (
        abs(one.x1 - other.x1) < across
        and abs(one.x2 - other.x2) < across
        and abs(one.y1 - other.y1) < down
        and abs(one.y2 - other.y2) < down
    )


def _met(
    eyes: Sequence[Eye], placed: Mapping[Key, Placed], linked: Mapping[Key, int]
) -> list[tuple[View, ...]]:
    """The views of each person.

    Who cannot be placed may be anybody whom another camera shows: of them only so many count as a
    camera has beyond those whom it may be seeing again.
    """
    rows: list[list[Placed]] = []
    loose: dict[CameraId, list[View]] = {}
    seats = _shared_seats(eyes)
    for eye in eyes:
        mine: list[Placed] = []
        taken: set[str | None] = set()
        for track in eye.people:
            one = placed[eye.camera_id, track.number]
            if one.spot is not None or (one.seat in seats and one.seat not in taken):
                taken.add(one.seat)  # who else is there is anybody's guess: at it, or behind it
                mine.append(one)
            else:
                loose.setdefault(eye.camera_id, []).append(one.view)
        rows.append(mine)
    # Whoever shows most first: the others then only add to it.
    rows.sort(key=len, reverse=True)
    groups: list[list[Placed]] = []
    for mine in rows:
        _join(groups, mine, linked)
    people = [tuple(one.view for one in group) for group in groups]
    return people + _beyond(people, loose)


def _shared_seats(eyes: Sequence[Eye]) -> frozenset[str | None]:
    """Seats that tell people apart: all of them where nobody has a floor, else those it meets."""
    named = [{zone.seat for zone in eye.seats} for eye in eyes]
    if not any(eye.plane is not None for eye in eyes):
        return frozenset(seat for seats in named for seat in seats)
    on_floor = [seats for eye, seats in zip(eyes, named, strict=True) if eye.plane is not None]
    return frozenset(seat for seats in on_floor for seat in seats)


def _join(groups: list[list[Placed]], mine: Sequence[Placed], linked: Mapping[Key, int]) -> None:
    """Put each view of one camera into the group it belongs to, or into one of its own."""
    known = _known(groups, mine, linked)
    left = len(mine) - len(known)
    if left and len(groups) > len(known):
        # Somebody is not met yet, which may be because somebody else was met wrongly.
        known = _best(groups, mine, known)
    for number, one in enumerate(mine):
        if number in known:
            groups[known[number]].append(one)
    groups += [[one] for number, one in enumerate(mine) if number not in known]


Pairs = Mapping[int, int]
"""The number of a view to the index of its group."""


def _known(
    groups: Sequence[list[Placed]], mine: Sequence[Placed], linked: Mapping[Key, int]
) -> Pairs:
    """Whom the picture before had as one person, and who still may be."""
    where = {
        person: index
        for index, group in enumerate(groups)
        for other in group
        if (person := linked.get(other.key)) is not None
    }
    known: dict[int, int] = {}
    for number, one in enumerate(mine):
        person = linked.get(one.key)
        index = where.get(person) if person is not None else None
        if index is None or index in known.values():
            continue
        if _apart(groups[index], one) <= STAY_MET:
            known[number] = index
    return known


def _best(groups: Sequence[list[Placed]], mine: Sequence[Placed], known: Pairs) -> Pairs:
    """The pairing that meets most people well.

    People sit about equally high: one height for all tells rows of seats apart that would fit each
    other one seat further at another height. Who then is left is met at any height.
    """
    near = _near_groups(groups, mine)
    best: dict[int, int] = {}
    most, usual = 0.0, 0
    for height in range(len(HEIGHTS_M)):
        pairs, off = _greedy(groups, mine, near, {}, height)
        if MEET * len(pairs) - off > most:
            best, most, usual = pairs, MEET * len(pairs) - off, height
    free = [
        {index for index in around if _may_differ(groups[index], one)} if best else around
        for one, around in zip(mine, near, strict=True)
    ]
    best, _ = _greedy(groups, mine, free, best, None, MEET_MOVING)
    for height in (usual - 1, usual + 1):
        if 0 <= height < len(HEIGHTS_M):
            best, _ = _greedy(groups, mine, near, best, height, MEET_ODD)
    return best if len(best) > len(known) else known


def _may_differ(group: Sequence[Placed], one: Placed) -> bool:
    """Whether a person need not sit as high as the others: somebody who stands, or walks."""
    return not (one.view.track.settled and all(other.view.track.settled for other in group))


def _greedy(
    groups: Sequence[list[Placed]],
    mine: Sequence[Placed],
    near: Sequence[set[int]],
    given: Pairs,
    height: int | None,
    gate: float = MEET,
) -> tuple[dict[int, int], float]:
    """The pairs that fit best first; and how far they are off together."""
    pairs = dict(given)
    taken = set(given.values())
    offers = sorted(
        (distance, number, index)
        for number, one in enumerate(mine)
        if number not in pairs
        for index in near[number] - taken
        if (distance := _apart(groups[index], one, height)) <= gate
    )
    off = 0.0
    for distance, number, index in offers:
        if number not in pairs and index not in taken:
            pairs[number] = index
            taken.add(index)
            off += distance
    return pairs, off


Cell = tuple[int, int] | str


def _near_groups(groups: Sequence[list[Placed]], mine: Sequence[Placed]) -> list[set[int]]:
    """Of each view the groups near by, by a grid: nobody is compared with everybody."""
    cells: dict[Cell, list[int]] = {}
    for index, group in enumerate(groups):
        keys: set[Cell] = set()
        for one in group:
            if one.spot is not None:
                keys |= {_cell(x, y) for x, y in one.spot.points}
            if one.seat is not None:
                keys.add(one.seat)
        for key in keys:
            cells.setdefault(key, []).append(index)
    return [_near(cells, one) for one in mine]


def _cell(x_m: float, y_m: float) -> tuple[int, int]:
    return floor(x_m / CELL_M), floor(y_m / CELL_M)


def _near(cells: Mapping[Cell, list[int]], one: Placed) -> set[int]:
    found: set[int] = set(cells.get(one.seat, ())) if one.seat is not None else set()
    if one.spot is not None:
        reach = range(-CELL_REACH, CELL_REACH + 1)
        around = {
            (x + dx, y + dy)
            for x, y in {_cell(*point) for point in one.spot.points}
            for dx in reach
            for dy in reach
        }
        for cell in around:
            found.update(cells.get(cell, ()))
    return found


def _apart(group: Sequence[Placed], one: Placed, height: int | None = None) -> float:
    """How ill a view fits a person: 0 for one seat, else squared deviations on the floor."""
    worst = -1.0
    for other in group:
        if one.seat is not None and other.seat is not None:
            distance = 0.0 if one.seat == other.seat else FAR
        elif one.spot is not None and other.spot is not None:
            distance = mismatch(one.spot, other.spot, height)
        else:
            continue
        worst = max(worst, distance)
    return worst if worst >= 0 else FAR


def _beyond(
    people: Sequence[tuple[View, ...]], loose: Mapping[CameraId, list[View]]
) -> list[tuple[View, ...]]:
    """Those of the camera with most beyond whom it may be seeing again, newest last."""
    best: list[View] = []
    for camera_id, views in loose.items():
        elsewhere = sum(all(view.camera_id != camera_id for view in person) for person in people)
        extra = len(views) - elsewhere
        if extra > len(best):
            by_age = sorted(views, key=lambda view: view.track.first_seen.mono_ms)
            best = by_age[len(views) - extra :]
    return [(view,) for view in best]


# -- what is remembered --------------------------------------------------------------------------


def _person(views: tuple[View, ...], heads: Heads, at: Instant) -> Person:
    """A person of these views, with what was known of them under any of the numbers."""
    keys = {(view.camera_id, view.track.number) for view in views}
    before = [one for one in heads.people if not keys.isdisjoint(one.keys)]
    first = min(
        [one.first_seen for one in before] + [view.track.first_seen for view in views],
        key=lambda moment: moment.mono_ms,
    )
    look = _look(views)
    was = before[0] if before else None
    if was is not None and was.look is look:
        since = was.look_since
    elif was is None or was.look is Appearance.UNKNOWN:
        since = first  # it only took its time to tell
    else:
        since = at
    if any(view.track.detected for view in views):
        sure = int(at.mono_ms)
    else:
        sure = max((one.sure_mono_ms for one in before), default=int(first.mono_ms))
        if not any(view.track.looked for view in views) and heads.at is not None:
            sure += at.mono_ms - heads.at.mono_ms
    return Person(views, first, look, since, sure_mono_ms=sure)


def _look(views: Sequence[View]) -> Appearance:
    looks = {view.track.appearance for view in views} - {Appearance.UNKNOWN}
    return looks.pop() if len(looks) == 1 else Appearance.UNKNOWN


def _alone(person: Person, placed: Mapping[Key, Placed], eyes: Sequence[Eye]) -> bool:
    """Whether a camera that is not among a person's views looks at where the person is."""
    seen_by = {view.camera_id for view in person.views}
    others = [eye.plane for eye in eyes if eye.camera_id not in seen_by and eye.plane is not None]
    spot = placed[person.keys[0]].spot if others else None
    return spot is not None and any(plane.shows(spot.middle) for plane in others)


def _hidden(
    heads: Heads,
    people: Sequence[Person],
    succeeded: frozenset[Key],
    eyes: Sequence[Eye],
    at: Instant,
) -> Iterator[Hidden]:
    """Who sat still and is lost, until somebody is found there or it lasts too long."""
    now_seen = {key for person in people for key in person.keys} | succeeded
    watched = {eye.camera_id for eye in eyes}
    old = {key for person in heads.people for key in person.keys}
    new = [view for person in people if old.isdisjoint(person.keys) for view in person.views]
    lost = [
        Hidden(person.views[0], at.mono_ms, person.look)
        for person in heads.people
        if now_seen.isdisjoint(person.keys) and any(view.track.settled for view in person.views)
    ]
    for one in (*heads.hidden, *lost):
        found = [
            view
            for view in new
            if view.camera_id == one.view.camera_id
            and geometry.gap(view.track.rect, one.view.track.rect) < SUCCEEDED_GAP
        ]
        if found:
            new.remove(found[0])
        elif at.mono_ms - one.since <= HIDDEN_MS and one.view.camera_id in watched:
            yield one
