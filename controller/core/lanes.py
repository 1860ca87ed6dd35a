"""Holds the robot map as traffic and routes count in it: bit masks of resources, seconds of ways.

A resource is something that one robot has at a time: a node, a door, a lift, the point where two
ways cross. Each has one bit, so that "is any of these taken" is one operation however long the way.
Built once with the plan; nothing here changes.
"""

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from contracts.layout import MapEdge, RobotMap

SPEED_M_S: Final = 1.2  # what a robot drives where the map gives no speed of its own
LIFT_CALL_S: Final = 20.0  # until a car that people use as well stands open
LIFT_RIDE_S: Final = 15.0  # doors shut, one floor up or down, doors open
DOOR_S: Final = 3.0  # an automatic door opens while the robot comes near; this is what it loses
UNREACHED_S: Final = float("inf")
CELL_M: Final = 5.0  # ways in different cells of this size cannot cross; a stretch is rarely longer
CELLS_MAX: Final = 400  # a way over more cells than this is compared with every other way

Pair = tuple[str, str]
_T = TypeVar("_T", str, Pair)


@dataclass(frozen=True, slots=True)
class Lanes:
    """What traffic and routes look up. Build it with ``lanes_of``."""

    node_bits: Mapping[str, int]
    """Node -> what standing on it takes."""
    edge_bits: Mapping[Pair, int]
    """(start, end) -> what driving there takes beside the two nodes, where that is anything."""
    steps: Mapping[str, tuple[tuple[str, float], ...]]
    """Node -> where a robot can drive from it, and the seconds that takes."""
    back: Mapping[str, tuple[tuple[str, float], ...]]
    """Node -> where a robot can come from, and the seconds that takes."""
    seconds: Mapping[Pair, float]
    """(start, end) -> how long a robot drives there."""
    names: tuple[str, ...]
    """Bit number -> the resource's name."""
    from_stop: Mapping[str, Mapping[str, float]]
    """Kitchen or door -> node -> the least seconds from there."""
    to_kitchen: Mapping[str, float]
    """Node -> the least seconds to the kitchen."""
    no_stop: frozenset[str]
    """Nodes inside a lift's car: nobody is let in there before the place behind it is free."""
    dead_ends: frozenset[str]
    """Nodes that lead nowhere else and touch nothing: who stands there is in nobody's way."""

    def named(self, bits: int) -> tuple[str, ...]:
        """The resources of a mask, for people."""
        return tuple(name for at, name in enumerate(self.names) if bits >> at & 1)


EMPTY: Final = Lanes({}, {}, {}, {}, {}, (), {}, {}, frozenset(), frozenset())


def lanes_of(
    robot_map: RobotMap,
    needs: Mapping[str, frozenset[str]],
    door_on: Mapping[Pair, str],
    cab_of: Mapping[str, str],
    kitchen: str = "",
    doors: Iterable[str] = (),
) -> Lanes:
    """Number the resources of a map and time its ways.

    ``needs``: node -> resources that standing on it takes (the node itself is always one);
    ``door_on``: the door between two nodes; ``cab_of``: nodes inside a lift's car -> the lift;
    ``doors``: the nodes in front of the rooms' doors.
    """
    number: dict[str, int] = {}

    def bits(names: Iterable[str]) -> int:
        mask = 0
        for name in names:
            mask |= 1 << number.setdefault(name, len(number))
        return mask

    node_bits = {
        node: bits((node, *sorted(needs.get(node, frozenset())))) for node in robot_map.nodes
    }
    taken: dict[Pair, set[str]] = {}
    for pair, door in door_on.items():
        taken.setdefault(pair, set()).add(f"door:{door}")
    for one, other in crossings(robot_map):
        name = f"crossing:{'/'.join(one)}+{'/'.join(other)}"
        for start, end in (one, other):
            taken.setdefault((start, end), set()).add(name)
            taken.setdefault((end, start), set()).add(name)
    edge_bits = {pair: bits(sorted(names)) for pair, names in sorted(taken.items())}
    seconds = {
        (edge.start, edge.end): _seconds(edge, door_on, cab_of) for edge in robot_map.edges.values()
    }
    steps: dict[str, list[tuple[str, float]]] = {}
    back: dict[str, list[tuple[str, float]]] = {}
    for (start, end), lasts_s in seconds.items():
        steps.setdefault(start, []).append((end, lasts_s))
        back.setdefault(end, []).append((start, lasts_s))
    return Lanes(
        node_bits=node_bits,
        edge_bits=edge_bits,
        steps={node: tuple(row) for node, row in steps.items()},
        back={node: tuple(row) for node, row in back.items()},
        seconds=seconds,
        names=tuple(number),
        from_stop={stop: times(steps, stop) for stop in sorted({kitchen, *doors})},
        to_kitchen=times(back, kitchen),
        no_stop=frozenset(cab_of),
        dead_ends=_dead_ends(node_bits, steps, back),
    )


def _dead_ends(
    node_bits: Mapping[str, int],
    steps: Mapping[str, Sequence[tuple[str, float]]],
    back: Mapping[str, Sequence[tuple[str, float]]],
) -> frozenset[str]:
    once = twice = 0
    for mask in node_bits.values():
        twice |= once & mask
        once |= mask
    return frozenset(
        node
        for node, mask in node_bits.items()
        if not mask & twice
        and len({other for other, _ in (*steps.get(node, ()), *back.get(node, ()))}) == 1
    )


def times(
    steps: Mapping[str, Sequence[tuple[str, float]]],
    start: str,
    avoid: frozenset[str] = frozenset(),
) -> Mapping[str, float]:
    """Node -> the least seconds from ``start`` by ``steps``; what is not reached is left out."""
    best: dict[str, float] = {start: 0.0}
    heap = [(0.0, start)]
    while heap:
        at_s, here = heapq.heappop(heap)
        if at_s > best[here]:
            continue
        for there, lasts_s in steps.get(here, ()):
            reach_s = at_s + lasts_s
            if there not in avoid and reach_s < best.get(there, UNREACHED_S):
                best[there] = reach_s
                heapq.heappush(heap, (reach_s, there))
    return best


def crossings(robot_map: RobotMap) -> tuple[tuple[Pair, Pair], ...]:
    """Pairs of ways of one floor that cross between their nodes: no two robots may be on them."""
    cells: dict[tuple[str, int, int], list[Pair]] = {}
    found: set[tuple[Pair, Pair]] = set()
    wide: list[Pair] = []
    pairs = sorted({_sorted(edge.start, edge.end) for edge in robot_map.edges.values()})
    for pair in pairs:
        over = _cells(robot_map, pair)
        if over is None:
            wide.append(pair)
            continue
        for cell in over:
            row = cells.setdefault(cell, [])
            found.update((other, pair) for other in row if _cross(robot_map, other, pair))
            row.append(pair)
    for pair in wide:
        found.update(_sorted(pair, other) for other in pairs if _cross(robot_map, pair, other))
    return tuple(sorted(found))


def _sorted(one: _T, other: _T) -> tuple[_T, _T]:
    return (one, other) if one < other else (other, one)


def _seconds(edge: MapEdge, door_on: Mapping[Pair, str], cab_of: Mapping[str, str]) -> float:
    lift = cab_of.get(edge.end)
    if lift is not None:
        return LIFT_RIDE_S if cab_of.get(edge.start) == lift else LIFT_CALL_S
    speed_m_s = min(edge.speed_max_m_s or SPEED_M_S, SPEED_M_S)
    door_s = DOOR_S if (edge.start, edge.end) in door_on else 0.0
    return edge.length_m / speed_m_s + door_s


def _cells(robot_map: RobotMap, pair: Pair) -> list[tuple[str, int, int]] | None:
    start, end = (robot_map.nodes[node] for node in pair)
    if start.map_id != end.map_id:
        return []
    across = range(
        int(min(start.x_m, end.x_m) // CELL_M), int(max(start.x_m, end.x_m) // CELL_M) + 1
    )
    along = range(
        int(min(start.y_m, end.y_m) // CELL_M), int(max(start.y_m, end.y_m) // CELL_M) + 1
    )
    if len(across) * len(along) > CELLS_MAX:
        return None
    return [(start.map_id, x, y) for x, y in itertools.product(across, along)]


def _cross(robot_map: RobotMap, one: Pair, other: Pair) -> bool:
    if one == other or set(one) & set(other):
        return False
    a, b = (robot_map.nodes[node] for node in one)
    c, d = (robot_map.nodes[node] for node in other)
    if len({a.map_id, b.map_id, c.map_id, d.map_id}) > 1:
        return False

    def side(px: float, py: float, qx: float, qy: float, rx: float, ry: float) -> float:
        return (qx - px) * (ry - py) - (qy - py) * (rx - px)

    left = side(a.x_m, a.y_m, b.x_m, b.y_m, c.x_m, c.y_m)
    right = side(a.x_m, a.y_m, b.x_m, b.y_m, d.x_m, d.y_m)
    near = side(c.x_m, c.y_m, d.x_m, d.y_m, a.x_m, a.y_m)
    far = side(c.x_m, c.y_m, d.x_m, d.y_m, b.x_m, b.y_m)
    return left * right < 0 and near * far < 0
