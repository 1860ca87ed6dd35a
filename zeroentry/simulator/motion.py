"""Moves a robot along a way with acceleration and braking, exactly, without small steps.

A ``Ride`` is the whole movement to where the robot will stand: runs that it drives through with a
speed profile, and turns on the spot between them. Where it is at any moment is computed, so the
world looks only when something happens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

BEND_RAD: Final = 0.1  # a bend below this is driven through; above it the robot stops and turns
NEAR_M: Final = 0.005


@dataclass(frozen=True, slots=True)
class Body:
    """What a robot is like: speeds in m/s, accelerations in m/s2, a round footprint."""

    speed_mps: float = 1.2
    acceleration_mps2: float = 0.6
    deceleration_mps2: float = 0.8
    turn_radps: float = 1.2
    radius_m: float = 0.3

    def braking_s(self, speed_mps: float) -> float:
        """How long it takes to stand."""
        return speed_mps / self.deceleration_mps2


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: metres on a floor, heading in rad."""

    x_m: float
    y_m: float
    theta_rad: float
    floor: str

    def distance_m(self, x_m: float, y_m: float) -> float:
        """Straight distance to a point of the same floor."""
        return math.hypot(self.x_m - x_m, self.y_m - y_m)


@dataclass(frozen=True, slots=True)
class Stop:
    """A node to pass on the way, with the speed allowed on the edge that leads to it."""

    index: int
    node: str
    x_m: float
    y_m: float
    speed_mps: float


@dataclass(frozen=True, slots=True)
class _Phase:
    """Constant acceleration for a time along a run, or a turn on the spot (``turn_radps``)."""

    start_s: float
    end_s: float
    run: int
    from_m: float
    speed_mps: float
    acceleration_mps2: float
    turn_radps: float = 0.0
    heading_rad: float = 0.0


@dataclass(slots=True)
class _Run:
    """A stretch that is driven without a stop; ``marks`` are the lengths at its corners."""

    points: list[tuple[float, float]]
    marks: list[float]


@dataclass(slots=True)
class Ride:
    """A movement that began at ``start_s``; ``passes``: when each node is reached."""

    floor: str
    start_s: float
    end_s: float
    passes: list[tuple[float, Stop]] = field(default_factory=list)
    phases: list[_Phase] = field(default_factory=list)
    runs: list[_Run] = field(default_factory=list)
    final: Place = field(default_factory=lambda: Place(0, 0, 0, ""))

    def at(self, now_s: float) -> tuple[Place, float]:
        """Where the robot is at a moment, and how fast it drives."""
        if now_s >= self.end_s:
            return self.final, 0.0
        for phase in self.phases:
            if now_s < phase.end_s:
                return self._in(phase, max(0.0, now_s - phase.start_s))
        return self.final, 0.0

    def _in(self, phase: _Phase, into_s: float) -> tuple[Place, float]:
        run = self.runs[phase.run]
        if phase.turn_radps:
            x_m, y_m = run.points[0]
            turned = phase.heading_rad + phase.turn_radps * into_s
            return Place(x_m, y_m, wrapped(turned), self.floor), 0.0
        half = phase.acceleration_mps2 / 2
        along_m = phase.from_m + phase.speed_mps * into_s + half * into_s * into_s
        speed_mps = phase.speed_mps + phase.acceleration_mps2 * into_s
        return _on(run, along_m, self.floor), max(0.0, speed_mps)


def _on(run: _Run, along_m: float, floor: str) -> Place:
    marks, points = run.marks, run.points
    index = 1
    while index < len(marks) - 1 and along_m > marks[index]:
        index += 1
    (x1, y1), (x2, y2) = points[index - 1], points[index]
    length_m = marks[index] - marks[index - 1]
    share = (along_m - marks[index - 1]) / length_m if length_m > 0 else 1.0
    share = min(1.0, max(0.0, share))
    theta = math.atan2(y2 - y1, x2 - x1)
    return Place(x1 + (x2 - x1) * share, y1 + (y2 - y1) * share, theta, floor)


def wrapped(angle: float) -> float:
    """The same angle between -pi and pi."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def ride(
    body: Body, place: Place, speed_mps: float, stops: Sequence[Stop], now_s: float
) -> Ride | None:
    """The movement from ``place`` through all ``stops``; None without one."""
    if not stops:
        return None
    made = Ride(place.floor, now_s, now_s, final=place)
    here, heading, at_s, index = (place.x_m, place.y_m), place.theta_rad, now_s, 0
    while index < len(stops):
        end = _run_end(here, heading if speed_mps > 0 else None, stops, index)
        points, marks, limit = [here], [0.0], body.speed_mps
        for stop in stops[index:end]:
            marks.append(marks[-1] + math.dist(points[-1], (stop.x_m, stop.y_m)))
            points.append((stop.x_m, stop.y_m))
            limit = min(limit, stop.speed_mps)
        made.runs.append(_Run(points, marks))
        if marks[-1] > NEAR_M:
            # A run that leads along one line has its direction from its two ends.
            first = next(row for row in points[1:] if math.dist(here, row) > NEAR_M / 2)
            aim = math.atan2(first[1] - here[1], first[0] - here[0])
            if speed_mps == 0.0:
                at_s = _turn(made, body, heading, aim, at_s)
            at_s = _drive(made, body, stops[index:end], speed_mps, limit, at_s)
            last = next(row for row in reversed(points) if row != points[-1])
            heading = math.atan2(points[-1][1] - last[1], points[-1][0] - last[0])
        else:
            made.passes += [(at_s, stop) for stop in stops[index:end]]
        speed_mps, here, index = 0.0, points[-1], end
    made.end_s = at_s
    made.final = Place(here[0], here[1], heading, place.floor)
    return made


def _run_end(
    here: tuple[float, float], heading: float | None, stops: Sequence[Stop], index: int
) -> int:
    """One past the last stop that is reached without a turn on the spot.

    ``heading``: where a robot that moves drives to. One that is all but at a corner turns there.
    """
    for end in range(index, len(stops)):
        there = (stops[end].x_m, stops[end].y_m)
        if math.dist(here, there) > NEAR_M:
            ahead = math.atan2(there[1] - here[1], there[0] - here[0])
            bends = heading is not None and abs(wrapped(ahead - heading)) > BEND_RAD
            if bends and end > index:
                return end
            heading = ahead
        here = there
    return len(stops)


def _turn(made: Ride, body: Body, heading: float, aim: float, at_s: float) -> float:
    off = wrapped(aim - heading)
    if abs(off) < 1e-6:
        return at_s
    took_s = abs(off) / body.turn_radps
    run = len(made.runs) - 1
    rate = math.copysign(body.turn_radps, off)
    made.phases.append(_Phase(at_s, at_s + took_s, run, 0.0, 0.0, 0.0, rate, heading))
    return at_s + took_s


def _drive(
    made: Ride, body: Body, stops: Sequence[Stop], speed_mps: float, limit_mps: float, at_s: float
) -> float:
    run = len(made.runs) - 1
    marks = made.runs[run].marks
    length_m, up, down = marks[-1], body.acceleration_mps2, body.deceleration_mps2
    first = len(made.phases)
    if speed_mps * speed_mps / (2 * down) >= length_m - NEAR_M:
        # It brakes to the end already (or must brake harder than it likes: a base that ends here).
        down = max(down, speed_mps * speed_mps / (2 * length_m))
        top_mps = speed_mps
    else:
        peak = math.sqrt((2 * up * down * length_m + down * speed_mps**2) / (up + down))
        top_mps = max(min(peak, limit_mps), min(speed_mps, limit_mps))
    from_m = 0.0
    for aim_mps, rate in ((top_mps, up if top_mps >= speed_mps else -down), (top_mps, 0.0)):
        if rate:
            took_s = (aim_mps - speed_mps) / rate
            gone_m = speed_mps * took_s + rate * took_s**2 / 2
        else:
            gone_m = length_m - from_m - aim_mps**2 / (2 * down)
            took_s = gone_m / aim_mps if aim_mps > 0 else 0.0
        if took_s > 1e-9:
            made.phases.append(_Phase(at_s, at_s + took_s, run, from_m, speed_mps, rate))
            at_s, from_m = at_s + took_s, from_m + gone_m
        speed_mps = aim_mps
    took_s = speed_mps / down
    made.phases.append(_Phase(at_s, at_s + took_s, run, from_m, speed_mps, -down))
    _note_passes(made, made.phases[first:], stops, marks, at_s + took_s)
    return at_s + took_s


def _note_passes(
    made: Ride,
    phases: Sequence[_Phase],
    stops: Sequence[Stop],
    marks: Sequence[float],
    end_s: float,
) -> None:
    for stop, mark in zip(stops, marks[1:], strict=True):
        when_s = end_s if mark >= marks[-1] - NEAR_M else _reach_s(phases, mark, end_s)
        made.passes.append((when_s, stop))


def _reach_s(phases: Sequence[_Phase], mark_m: float, end_s: float) -> float:
    for phase in phases:
        left_m, half = mark_m - phase.from_m, phase.acceleration_mps2 / 2
        into_s = 0.0
        if left_m > 0 and half == 0:
            into_s = left_m / phase.speed_mps
        elif left_m > 0:
            inner = phase.speed_mps**2 + 4 * half * left_m
            if inner < 0:
                continue
            into_s = (-phase.speed_mps + math.sqrt(inner)) / (2 * half)
        if into_s <= phase.end_s - phase.start_s + 1e-9:
            return phase.start_s + into_s
    return end_s


def braking(
    body: Body, place: Place, speed_mps: float, stops: Sequence[Stop], now_s: float
) -> Ride:
    """The movement of a robot that brakes now along its way; it passes what braking rolls over."""
    far_m = speed_mps * speed_mps / (2 * body.deceleration_mps2)
    made = Ride(place.floor, now_s, now_s, final=place)
    if speed_mps <= 0 or not stops:
        return made
    points, marks, kept = [(place.x_m, place.y_m)], [0.0], []
    for stop in stops:
        length_m = math.dist(points[-1], (stop.x_m, stop.y_m))
        if marks[-1] + length_m > far_m + NEAR_M:
            share = (far_m - marks[-1]) / length_m
            (x1, y1) = points[-1]
            points.append((x1 + (stop.x_m - x1) * share, y1 + (stop.y_m - y1) * share))
            marks.append(far_m)
            break
        points.append((stop.x_m, stop.y_m))
        marks.append(marks[-1] + length_m)
        kept.append(stop)
    made.runs.append(_Run(points, marks))
    took_s = 2 * marks[-1] / speed_mps if marks[-1] > 0 else 0.0
    rate = -speed_mps / took_s if took_s > 0 else 0.0
    phase = _Phase(now_s, now_s + took_s, 0, 0.0, speed_mps, rate)
    made.phases.append(phase)
    made.end_s = now_s + took_s
    made.final = _on(made.runs[0], marks[-1], place.floor)
    for stop, mark in zip(kept, marks[1:], strict=False):
        made.passes.append((_reach_s([phase], mark, made.end_s), stop))
    return made
