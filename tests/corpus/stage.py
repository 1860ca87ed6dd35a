"""Holds a room with people on a timeline: draws it for each camera, and says what was to be seen.

A ``Stage`` is directed first (who sits, enters, walks, leaves, and when) and then played:

    stage = Stage(draw, Layout.ROW, seats=5)
    stage.seat_all()                              # experts 1..5 sit from the start, in red
    at = draw.ms(8_000, 15_000)
    stage.enters("visitor", at, vest=Vest.NONE)   # by the door, to a place beside the table
    stage.leaves("visitor", at + 20_000)
    over = stage.more_than(5)                     # spans, from the log of what was drawn
    stream = stage.pictures(60_000)               # lazy: one picture at a time

Times are milliseconds of the scenario; people walk at 1.15 m/s.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from contracts.units import CameraId
from tests.corpus.disturbances import Change, Image
from tests.corpus.families import Draw
from tests.corpus.scenario import CAMERA, Given, Heads, Pictured
from tests.corpus.spans import Spans, joined, widened
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Hall, Layout, Lens, hall, lens
from zeroentry.composer.hall_painter import HallPainter, Robot, Thing
from zeroentry.composer.model import Role, Scene, Vest
from zeroentry.composer.timeline import ActorTimeline

FPS = 5
PERIOD_MS = 1000 // FPS
HALF = 0.5  # of head and trunk: then a person can be seen
GLIMPSE = 0.03
CLEAR = 0.6  # nobody who looks could miss such a person
STILL_LOOK_MS = 10_000  # who rests is looked at this often: only small movements change the share
VISITOR_LOOK = 12  # numbers of looks: experts are 1..9


@dataclass(frozen=True, slots=True)
class Standing:
    """A thing in the room from one time to another (``things.object`` scenarios)."""

    thing: Thing
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class RobotPath:
    """The robot drives from place to place of the floor."""

    from_ms: int
    to_ms: int
    origin: Place
    goal: Place

    def at(self, t_ms: int) -> Robot | None:
        """Where it is; None when out."""
        if not self.from_ms <= t_ms < self.to_ms:
            return None
        part = (t_ms - self.from_ms) / (self.to_ms - self.from_ms)
        return Robot(
            self.origin.x_m + (self.goal.x_m - self.origin.x_m) * part,
            self.origin.z_m + (self.goal.z_m - self.origin.z_m) * part,
        )


@dataclass
class Stage:
    """A hall of a seed, its people and its cameras (``cam-1`` sees it from the front)."""

    draw: Draw
    layout: Layout = Layout.ROW
    seats: int = 5
    cameras: Mapping[CameraId, int] = field(default_factory=lambda: {CAMERA: 0})
    """Cameras and which of the hall's lenses each is: 0 front, 1 and 2 the front corners."""
    noise_sigma: float = 3.0
    size_px: tuple[int, int] = (640, 360)
    duration_ms: int = 60_000
    changes: dict[CameraId, list[Change]] = field(default_factory=dict)
    standing: list[Standing] = field(default_factory=list)
    robots: list[RobotPath] = field(default_factory=list)
    people: dict[str, ActorTimeline] = field(default_factory=dict)
    hall: Hall = field(init=False)

    def __post_init__(self) -> None:
        self.hall = hall(self.layout, self.draw.seed, self.seats)

    # -- directing -----------------------------------------------------------------------------

    def seat_all(self, at_ms: int = 0, vest: Vest = Vest.RED) -> None:
        """Experts 1..n (ids ``expert-1``...) are on their seats from ``at_ms`` on."""
        for number in range(1, len(self.hall.chairs) + 1):
            self.seat(number, at_ms, vest)

    def seat(self, number: int, at_ms: int = 0, vest: Vest = Vest.RED) -> str:
        """The expert of this number (1..n) sits from ``at_ms`` on; returns the id."""
        name = f"expert-{number}"
        actor = ActorTimeline(name, Role.EXPERT, vest, number, ())
        self.people[name] = actor.then(at_ms, (self.hall.chairs[number - 1].seat,))
        return name

    def puts(self, name: str, at_ms: int, place: Place, vest: Vest = Vest.NONE) -> None:
        """A person stands at a place from ``at_ms`` on."""
        self.people[name] = self._new(name, vest).then(at_ms, (place,))

    def enters(
        self, name: str, at_ms: int, *, vest: Vest = Vest.NONE, goal: Place | int = 0
    ) -> int:
        """A person comes in by the door and stops at a place (or the hall's stand of this number).

        Returns when he is there.
        """
        place = self.hall.stands[goal] if isinstance(goal, int) else goal
        path = (*self.hall.way_in(), *self._over_aisle(place), place)
        before = self.people.get(name, self._new(name, vest))
        self.people[name] = before.then(at_ms, path)
        return self._end_of(name)

    def takes_seat(self, number: int, at_ms: int, *, vest: Vest = Vest.RED) -> int:
        """Expert ``number`` comes in (or back) by the door and sits down; returns when he sits."""
        name = f"expert-{number}"
        before = self.people.get(name, ActorTimeline(name, Role.EXPERT, vest, number, ()))
        chair = self.hall.chairs[number - 1]
        self.people[name] = before.then(at_ms, (*self.hall.way_in(), *chair.way))
        return self._end_of(name)

    def leaves(self, name: str, at_ms: int) -> int:
        """A person walks out by the door; returns when the door is behind him."""
        actor = self.people[name]
        here = actor.place(at_ms)
        if here is None:
            raise ValueError(f"{name} is not in the room at {at_ms} ms")
        out = tuple(reversed(self.hall.way_in()))
        self.people[name] = actor.then(at_ms, (*self._to_aisle(actor, here), *out))
        return self._end_of(name)

    def walks(self, name: str, at_ms: int, *places: Place) -> int:
        """A person goes from place to place, straight; returns when he is at the last."""
        self.people[name] = self.people[name].then(at_ms, places)
        return self._end_of(name)

    def stands_up(self, name: str, at_ms: int, until_ms: int | None = None) -> None:
        """A seated person rises at the seat (and sits again)."""
        actor = self.people[name]
        here = actor.place(at_ms)
        if here is None:
            raise ValueError(f"{name} is not in the room at {at_ms} ms")
        actor = actor.then(at_ms, (replace(here, lowered=0.0),))
        if until_ms is not None:
            actor = actor.then(until_ms, (replace(here, lowered=1.0),))
        self.people[name] = actor

    def _new(self, name: str, vest: Vest) -> ActorTimeline:
        number = VISITOR_LOOK + sum(not one.startswith("expert-") for one in self.people)
        return ActorTimeline(name, Role.INTRUDER, vest, number, ())

    def _end_of(self, name: str) -> int:
        return self.people[name].steps[-1].end_ms

    def _over_aisle(self, place: Place) -> tuple[Place, ...]:
        return (Place(place.x_m, self.hall.aisle_z_m),)

    def _to_aisle(self, actor: ActorTimeline, here: Place) -> tuple[Place, ...]:
        """From a seat by the seat's own way, from elsewhere straight back to the aisle."""
        for chair in self.hall.chairs:
            if abs(chair.seat.x_m - here.x_m) < 0.1 and abs(chair.seat.z_m - here.z_m) < 0.1:
                return tuple(reversed(chair.way[:-1]))
        return (Place(here.x_m, self.hall.aisle_z_m),)

    # -- playing -------------------------------------------------------------------------------

    @cached_property
    def painters(self) -> Mapping[CameraId, HallPainter]:
        """The painter of each camera; made when first asked for (0.2 s each)."""
        scene = Scene(seed=self.draw.seed, size_px=self.size_px)
        return {
            camera_id: HallPainter(
                self.hall, lens(self.hall, number), scene, noise_sigma=self.noise_sigma
            )
            for camera_id, number in self.cameras.items()
        }

    def lens(self, camera_id: CameraId = CAMERA) -> Lens:
        """The lens of a camera: ``px(x_m, height_m, z_m)`` gives pixels of a 640x360 picture."""
        return lens(self.hall, self.cameras[camera_id])

    def share(
        self, place: Place, height_m: float = 0.0, camera_id: CameraId = CAMERA
    ) -> tuple[float, float]:
        """A point of the room in shares of a camera's picture, as zones have it."""
        x, y = self.lens(camera_id).px(place.x_m, height_m, place.z_m)
        return x / 640, y / 360

    def change(self, *changes: Change, camera_id: CameraId | None = None) -> None:
        """Disturb the pictures of one camera, or of all."""
        for one in self.cameras if camera_id is None else (camera_id,):
            self.changes.setdefault(one, []).extend(changes)

    def picture(
        self,
        t_ms: int,
        camera_id: CameraId = CAMERA,
        changes: Sequence[Change] | None = None,
    ) -> Image:
        """One camera's picture at a time, noise and disturbances included.

        ``changes``: instead of those of ``self.changes``, some of which remember what came before.
        """
        painter = self.painters[camera_id]
        robot = next((one.at(t_ms) for one in self.robots if one.at(t_ms)), None)
        things = [one.thing for one in self.standing if one.from_ms <= t_ms < one.to_ms]
        image = painter.draw(list(self.people.values()), t_ms, things=things, robot=robot)
        changes = deepcopy(self.changes.get(camera_id, [])) if changes is None else changes
        for change in changes:
            if not getattr(change, "after_noise", False):
                image = change(image, t_ms)
        painter.add_noise(image, t_ms)
        for change in changes:
            if getattr(change, "after_noise", False):
                image = change(image, t_ms)
        return image

    def pictures(
        self, duration_ms: int | None = None, *, fps: float = FPS, from_ms: int = 0
    ) -> Iterator[Given]:
        """All cameras' pictures in order of time; the cameras of a room are not in step."""
        end_ms = self.duration_ms if duration_ms is None else duration_ms
        period_ms = 1000 / fps
        lags = {camera_id: 67 * n % PERIOD_MS for n, camera_id in enumerate(self.cameras)}
        changes = {camera_id: deepcopy(self.changes.get(camera_id, [])) for camera_id in lags}
        index = 0
        while from_ms + index * period_ms < end_ms:
            for camera_id, lag_ms in lags.items():
                t_ms = round(from_ms + index * period_ms) + lag_ms
                yield Pictured(t_ms, camera_id, self.picture(t_ms, camera_id, changes[camera_id]))
            index += 1

    # -- the log -------------------------------------------------------------------------------

    @cached_property
    def _looks(self) -> tuple[tuple[int, Mapping[str, float]], ...]:
        """Best share of each person over the cameras, at each time that may differ."""
        out = []
        for t_ms in self._times:
            best: dict[str, float] = {}
            for painter in self.painters.values():
                for name, share in painter.shares(list(self.people.values()), t_ms).items():
                    best[name] = max(best.get(name, 0.0), share)
            out.append((t_ms, best))
        return tuple(out)

    @cached_property
    def _times(self) -> tuple[int, ...]:
        """Each picture while anybody moves, and now and then while all rest."""
        moving = joined(
            (step.start_ms - PERIOD_MS, step.end_ms + 2 * PERIOD_MS)
            for actor in self.people.values()
            for step in actor.steps
        )
        times = set(range(0, self.duration_ms, STILL_LOOK_MS)) | {self.duration_ms}
        for start, end in moving:
            first = max(0, start // PERIOD_MS * PERIOD_MS)
            times |= set(range(first, min(end, self.duration_ms), PERIOD_MS))
        return tuple(sorted(times))

    def _where(self, holds: Callable[[Mapping[str, float], int], bool]) -> Spans:
        times = [t for t, _ in self._looks]
        ends = [*times[1:], self.duration_ms]
        return joined(
            (t_ms, end)
            for (t_ms, shares), end in zip(self._looks, ends, strict=True)
            if holds(shares, t_ms)
        )

    def seen(self, name: str, share: float = HALF) -> Spans:
        """When at least this share of a person's head and trunk can be seen by some camera.

        A person who stays in the room and is hidden for up to 6 s is seen throughout.
        """
        return joined(self._where(lambda shares, _: shares.get(name, 0.0) >= share), gap_ms=6_000)

    def inside(self, name: str) -> Spans:
        """When a person is within the room's walls, whatever can be seen of him."""
        actor = self.people[name]

        def is_inside(shares: Mapping[str, float], t_ms: int) -> bool:
            place = actor.place(t_ms)
            return place is not None and self.hall.inside(place)

        return self._where(is_inside)

    def count_spans(self, share: float = HALF) -> tuple[tuple[int, int, int], ...]:
        """(from, to, people) by ``seen``, over the whole duration."""
        seen = {name: self.seen(name, share) for name in self.people}
        edges = sorted(
            {0, self.duration_ms, *(t for s in seen.values() for span in s for t in span)}
        )
        out: list[tuple[int, int, int]] = []
        for start, end in pairwise(edges):
            people = sum(any(a <= start < b for a, b in spans) for spans in seen.values())
            if out and out[-1][2] == people:
                out[-1] = (out[-1][0], end, people)
            else:
                out.append((start, end, people))
        return tuple(out)

    def more_than(self, admitted: int, share: float = HALF) -> Spans:
        """When more people than this can be seen."""
        return joined((a, b) for a, b, people in self.count_spans(share) if people > admitted)

    def fewer_than(self, admitted: int, share: float = HALF) -> Spans:
        """When fewer people than this can be seen."""
        return joined((a, b) for a, b, people in self.count_spans(share) if people < admitted)

    def doubtful(self, margin_ms: int = 1_000) -> Spans:
        """When somebody is between a glimpse and half visible, and a little before and after."""
        spans: list[tuple[int, int]] = []
        for name in self.people:
            part = self._where(
                lambda shares, _, name=name: GLIMPSE <= shares.get(name, 0.0) < HALF  # type: ignore[misc] # mypy cannot type a default in a lambda
            )
            spans += part
        return widened(joined(spans), margin_ms, margin_ms)

    def heads(self) -> tuple[Heads, ...]:
        """Truth for the head count; ``clear`` where all are in full view and nobody walks."""
        moving = joined(
            (step.start_ms, step.end_ms + 1_000)
            for actor in self.people.values()
            for step in actor.steps
            if step.end_ms > step.start_ms
        )
        out: list[Heads] = []
        for start, end, people in self.count_spans():
            clear = self._where(
                lambda shares, _: all(share >= CLEAR or share == 0.0 for share in shares.values())
            )
            for a, b in clear:
                low, high = max(a, start), min(b, end)
                if high > low and not any(m < high and low < n for m, n in moving):
                    out.append(Heads(low, high, people, clear=True))
                elif high > low:
                    out += _cut(low, high, people, moving)
        return tuple(out)

    def resting(self, spans: Sequence[tuple[int, int]]) -> Spans:
        """Those parts of spans in which nobody walks."""
        moving = [
            (step.start_ms, step.end_ms)
            for actor in self.people.values()
            for step in actor.steps
            if step.end_ms > step.start_ms
        ]
        return tuple(
            span for span in spans if not any(a < span[1] and span[0] < b for a, b in moving)
        )


def _cut(low: int, high: int, people: int, moving: Spans) -> list[Heads]:
    """Clear where nobody moves; the rest is truth too, but people walk in it."""
    out: list[Heads] = []
    at = low
    for start, end in moving:
        if end <= at or start >= high:
            continue
        if start > at:
            out.append(Heads(at, start, people, clear=True))
        out.append(Heads(max(start, at), min(end, high), people, clear=False))
        at = min(end, high)
    if at < high:
        out.append(Heads(at, high, people, clear=True))
    return out
