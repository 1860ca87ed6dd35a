"""Decides where every person is at any time: cues become timed steps, steps become places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import hypot
from typing import assert_never

from zeroentry.composer.geometry import (
    AISLE_Z_M,
    BASE_WIDTH_PX,
    CORRIDOR_WALK_Z_M,
    WALL_Z_M,
    Place,
    Plan,
)
from zeroentry.composer.model import (
    CorridorClear,
    CorridorOutsider,
    Cue,
    Gather,
    Intrude,
    Leave,
    Pose,
    RobotAt,
    RobotPass,
    Role,
    Script,
    Seat,
    SitDown,
    StandUp,
    Vest,
    Withdraw,
)

WALK_M_PER_S = 1.15
SIT_MS = 900
OUT_OF_FRAME_PX = 70.0  # half a person and a little: nobody appears inside the picture
MAX_ACTORS = 32  # each holds sprites; a committee, its visitors and a day's outsiders are fewer

FIRST_VISITOR = 7  # numbers of looks: experts 1..6, then all others


@dataclass(frozen=True, slots=True)
class Step:
    """From one place to another in a stretch of time (milliseconds of the scene's own time)."""

    start_ms: int
    end_ms: int
    origin: Place
    goal: Place

    def place(self, t_ms: int) -> Place:
        """Return where this step has led at a time (its goal after its end)."""
        if t_ms >= self.end_ms:
            return self.goal
        part = (t_ms - self.start_ms) / (self.end_ms - self.start_ms)
        eased = part if self.origin.lowered == self.goal.lowered else part * part * (3 - 2 * part)
        return Place(
            self.origin.x_m + (self.goal.x_m - self.origin.x_m) * part,
            self.origin.z_m + (self.goal.z_m - self.origin.z_m) * part,
            self.origin.lowered + (self.goal.lowered - self.origin.lowered) * eased,
        )


@dataclass(frozen=True, slots=True)
class ActorTimeline:
    """One person's steps, in order of time. `number` chooses the look."""

    id: str
    role: Role
    vest: Vest
    number: int
    steps: tuple[Step, ...]
    gone_ms: int | None = None

    def place(self, t_ms: int) -> Place | None:
        """Return where the person is, or None when not on the scene."""
        if not self.steps or t_ms < self.steps[0].start_ms:
            return None
        if self.gone_ms is not None and t_ms >= self.gone_ms:
            return None
        current = self.steps[0]
        for step in self.steps:
            if step.start_ms > t_ms:
                break
            current = step
        return current.place(t_ms)

    def moving(self, t_ms: int) -> bool:
        """Return whether the person walks, rises or sits down at this time."""
        return any(
            step.start_ms <= t_ms < step.end_ms and step.origin != step.goal for step in self.steps
        )

    def pose(self, t_ms: int) -> Pose:
        """Return the pose at this time; who rises or sits down counts as standing."""
        place = self.place(t_ms)
        if place is not None and place.lowered >= 1:
            return Pose.SEATED
        for step in self.steps:
            if step.start_ms <= t_ms < step.end_ms and step.origin.lowered == step.goal.lowered:
                return Pose.WALKING if step.origin != step.goal else Pose.STANDING
        return Pose.STANDING

    def step_at(self, t_ms: int) -> Step | None:
        """Return the step that is going on at this time, None when the person rests."""
        return next((step for step in self.steps if step.start_ms <= t_ms < step.end_ms), None)

    def then(self, t_ms: int, path: tuple[Place, ...], *, leaves: bool = False) -> ActorTimeline:
        """Return the timeline that goes along `path` from wherever the person is at t_ms."""
        kept = tuple(step for step in self.steps if step.start_ms < t_ms)
        here = self.place(t_ms)
        if here is not None and kept and kept[-1].end_ms > t_ms:
            kept = (*kept[:-1], replace(kept[-1], end_ms=t_ms, goal=here))
        points = path if here is None else (here, *path)
        steps: list[Step] = []
        clock_ms = t_ms
        if len(points) == 1:
            steps.append(Step(clock_ms, clock_ms, points[0], points[0]))
        for origin, goal in pairwise(points):
            took_ms = duration_ms(origin, goal)
            steps.append(Step(clock_ms, clock_ms + took_ms, origin, goal))
            clock_ms += took_ms
        return replace(
            self,
            steps=(*kept, *steps),
            gone_ms=clock_ms if leaves else None,
        )


def duration_ms(origin: Place, goal: Place) -> int:
    """Return how long a person takes from place to place."""
    walk_ms = hypot(goal.x_m - origin.x_m, goal.z_m - origin.z_m) / WALK_M_PER_S * 1000
    return round(max(walk_ms, abs(goal.lowered - origin.lowered) * SIT_MS))


@dataclass(frozen=True, slots=True)
class RobotTimeline:
    """The delivery robot: progress across the corridor from one time to another."""

    start_ms: int
    end_ms: int
    origin: float
    goal: float

    def progress(self, t_ms: int) -> float | None:
        """Return 0..1 across the picture, or None when it is out."""
        if t_ms < self.start_ms or (t_ms >= self.end_ms and self.goal >= 1):
            return None
        if t_ms >= self.end_ms:
            return self.goal
        part = (t_ms - self.start_ms) / (self.end_ms - self.start_ms)
        return self.origin + (self.goal - self.origin) * part


@dataclass(frozen=True, slots=True)
class Cast:
    """All who play on one scene."""

    actors: tuple[ActorTimeline, ...] = ()
    robot: RobotTimeline | None = None

    def find(self, actor_id: str) -> ActorTimeline | None:
        """Return the actor of this id."""
        return next((actor for actor in self.actors if actor.id == actor_id), None)

    def present(self, t_ms: int) -> tuple[ActorTimeline, ...]:
        """Return who is on the scene or still to come."""
        return tuple(
            actor for actor in self.actors if actor.gone_ms is None or actor.gone_ms > t_ms
        )

    def with_actor(self, actor: ActorTimeline) -> Cast:
        """Return the cast with this actor added or replaced; forgets those long gone."""
        others = tuple(other for other in self.actors if other.id != actor.id)
        return replace(self, actors=(*others, actor)[-MAX_ACTORS:])


def direct(cast: Cast, plan: Plan, cue: Cue, t_ms: int) -> Cast:
    """Return the cast after a cue at t_ms. What a cue cannot do (nobody of this id) it leaves."""
    if isinstance(cue, CorridorOutsider | CorridorClear | RobotPass | RobotAt):
        return direct_corridor(cast, plan, cue, t_ms)
    match cue:
        case Gather():
            return gathered(cast, plan, cue, t_ms)
        case Seat(n=n):
            return seated(cast, plan, n, t_ms)
        case StandUp(expert=number):
            return risen(cast, expert_id(number), t_ms, 0.0)
        case SitDown(expert=number):
            return risen(cast, expert_id(number), t_ms, 1.0)
        case Intrude():
            return intruded(cast, plan, cue, t_ms)
        case Withdraw(id=actor_id):
            actor = cast.find(actor_id)
            return cast if actor is None else walked_out(cast, plan, actor, t_ms)
        case Leave():
            return left(cast, plan, cue, t_ms)
    assert_never(cue)


def direct_corridor(
    cast: Cast,
    plan: Plan,
    cue: CorridorOutsider | CorridorClear | RobotPass | RobotAt,
    t_ms: int,
) -> Cast:
    """Return the cast of a corridor after a cue at t_ms."""
    match cue:
        case CorridorOutsider():
            return outsider_came(cast, plan, cue, t_ms)
        case CorridorClear():
            for actor in cast.present(t_ms):
                cast = cast.with_actor(actor.then(t_ms, (corridor_end(plan, 1),), leaves=True))
            return cast
        case RobotPass(duration_ms=took_ms):
            return replace(cast, robot=RobotTimeline(t_ms, t_ms + took_ms, 0.0, 1.0))
        case RobotAt(progress=progress):
            still = None if progress is None else RobotTimeline(t_ms, t_ms, progress, progress)
            return replace(cast, robot=still)
    assert_never(cue)


def cast_of(plan: Plan, script: Script, t_ms: int) -> Cast:
    """Return the cast as it stands at t_ms of a script."""
    cast = Cast()
    for timed in script.cues:
        if timed.at_ms > t_ms:
            break
        cast = direct(cast, plan, timed.cue, timed.at_ms)
    return cast


def expert_id(number: int) -> str:
    """Return the id of the expert of this number, from 1."""
    return f"expert-{number}"


def seat_of(plan: Plan, number: int) -> Place:
    """Return the seat of an expert: the first to come sits farthest from the door."""
    ordered = sorted(plan.seats, key=lambda seat: seat.x_m * plan.side)
    if not 1 <= number <= len(ordered):
        raise ValueError(f"expert {number}: this scene has {len(ordered)} seats")
    return ordered[number - 1]


def behind_door(plan: Plan) -> Place:
    """Return the point outside, past the jamb that hides a person."""
    z_m = plan.wall_z_m + 0.35
    edge = plan.door_px[0] - 40 if plan.side < 0 else plan.door_px[1] + 40
    return Place(plan.view.x_m(edge, z_m), z_m)


def in_door(plan: Plan) -> Place:
    """Return the middle of the doorway."""
    z_m = plan.wall_z_m
    return Place(plan.view.x_m(sum(plan.door_px) / 2, z_m + 0.3), z_m + 0.3)


def aisle(plan: Plan) -> Place:
    """Return the point inside the door where the way along the chairs begins."""
    return Place(plan.view.x_m(sum(plan.door_px) / 2, WALL_Z_M), AISLE_Z_M)


def way_in(plan: Plan, seat: Place) -> tuple[Place, ...]:
    """Return the way from outside to a seat, sitting down at its end."""
    return (
        behind_door(plan),
        in_door(plan),
        aisle(plan),
        Place(seat.x_m, AISLE_Z_M),
        Place(seat.x_m, seat.z_m),
        seat,
    )


def way_out(plan: Plan, here: Place) -> tuple[Place, ...]:
    """Return the way out of the room from anywhere in it."""
    away = (aisle(plan), in_door(plan), behind_door(plan))
    if here.z_m < AISLE_Z_M - 0.05 and here.x_m not in {stand.x_m for stand in plan.stands}:
        return (Place(here.x_m, here.z_m), Place(here.x_m, AISLE_Z_M), *away)
    return away


def gathered(cast: Cast, plan: Plan, cue: Gather, t_ms: int) -> Cast:
    """Send in those of the experts 1..n who are absent."""
    start_ms = t_ms
    for number in range(1, cue.n + 1):
        actor = cast.find(expert_id(number))
        if actor is not None and (actor.gone_ms is None or actor.gone_ms > t_ms):
            continue
        path = way_in(plan, seat_of(plan, number))
        new = ActorTimeline(expert_id(number), Role.EXPERT, Vest.RED, number, ())
        cast = cast.with_actor(new.then(start_ms, path))
        start_ms += cue.stagger_ms
    return cast


def seated(cast: Cast, plan: Plan, n: int, t_ms: int) -> Cast:
    """Put experts 1..n on their seats at once and everybody else off the scene."""
    actors = tuple(
        ActorTimeline(expert_id(number), Role.EXPERT, Vest.RED, number, ()).then(
            t_ms, (seat_of(plan, number),)
        )
        for number in range(1, n + 1)
    )
    return replace(cast, actors=actors)


def risen(cast: Cast, actor_id: str, t_ms: int, lowered: float) -> Cast:
    """Let a person who is at a seat rise or sit down."""
    actor = cast.find(actor_id)
    here = None if actor is None else actor.place(t_ms)
    if actor is None or here is None or actor.pose(t_ms) is Pose.WALKING:
        return cast
    return cast.with_actor(actor.then(t_ms, (replace(here, lowered=lowered),)))


def intruded(cast: Cast, plan: Plan, cue: Intrude, t_ms: int) -> Cast:
    """Send a person in who belongs to no seat; a second one stays nearer to the door."""
    actor = cast.find(cue.id)
    if actor is not None and (actor.gone_ms is None or actor.gone_ms > t_ms):
        return cast
    others = [a for a in cast.present(t_ms) if a.role is Role.INTRUDER]
    stand = plan.stands[min(len(others), len(plan.stands) - 1)]
    number = FIRST_VISITOR + sum(a.role is Role.INTRUDER for a in cast.actors)
    new = ActorTimeline(cue.id, Role.INTRUDER, cue.vest, number, ())
    path = (behind_door(plan), in_door(plan), aisle(plan), stand)
    return cast.with_actor(new.then(t_ms, path))


def walked_out(cast: Cast, plan: Plan, actor: ActorTimeline, t_ms: int) -> Cast:
    """Send a person out by the door; one who has not come yet stays away."""
    here = actor.place(t_ms)
    if here is None:
        return replace(cast, actors=tuple(a for a in cast.actors if a.id != actor.id))
    return cast.with_actor(actor.then(t_ms, way_out(plan, here), leaves=True))


def left(cast: Cast, plan: Plan, cue: Leave, t_ms: int) -> Cast:
    """Send everybody out, those nearest to the door first."""
    absent = [a for a in cast.present(t_ms) if a.place(t_ms) is None]
    here = [(place, a) for a in cast.present(t_ms) if (place := a.place(t_ms)) is not None]
    here.sort(key=lambda pair: -pair[0].x_m * plan.side)
    for actor in absent:
        cast = walked_out(cast, plan, actor, t_ms)
    for index, (place, actor) in enumerate(here):
        going_ms = t_ms + index * cue.stagger_ms
        at_rest = actor.place(going_ms) or place
        cast = cast.with_actor(actor.then(going_ms, way_out(plan, at_rest), leaves=True))
    return cast


def corridor_end(plan: Plan, side: int) -> Place:
    """Return the point outside the picture on the left (-1) or right (1)."""
    x_px = -OUT_OF_FRAME_PX if side < 0 else BASE_WIDTH_PX + OUT_OF_FRAME_PX
    return Place(plan.view.x_m(x_px, CORRIDOR_WALK_Z_M), CORRIDOR_WALK_Z_M)


def outsider_came(cast: Cast, plan: Plan, cue: CorridorOutsider, t_ms: int) -> Cast:
    """Let a person come from the left, to stand or to walk through."""
    actor = cast.find(cue.id)
    if actor is not None and (actor.gone_ms is None or actor.gone_ms > t_ms):
        return cast
    number = FIRST_VISITOR + len(cast.present(t_ms))
    goal = plan.stands[min(len(cast.present(t_ms)), 1)] if cue.stay else corridor_end(plan, 1)
    new = ActorTimeline(cue.id, Role.OUTSIDER, cue.vest, number, ())
    path = (corridor_end(plan, -1), goal)
    return cast.with_actor(new.then(t_ms, path, leaves=not cue.stay))
