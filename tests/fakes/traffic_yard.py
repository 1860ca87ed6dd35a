"""Drives made robots over made maps by what traffic grants, and checks each step on its own terms.

The check of collisions counts resources by name, from the plan's `needs`, and knows no bit masks.
"""

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.devices import Area, Named, Site, SiteConfig
from contracts.layout import MapEdge, MapNode, RobotMap
from contracts.units import MonoMs, RobotId
from controller.core import places, routing, traffic
from controller.core.lanes import lanes_of
from controller.core.plan import SitePlan
from controller.core.traffic import Claim

TICK_MS = 2_000  # a robot drives from one node to the next


@dataclass
class Draft:
    """A map being drawn; all ways lead both ways unless told otherwise."""

    nodes: dict[str, MapNode] = field(default_factory=dict)
    edges: dict[str, MapEdge] = field(default_factory=dict)
    refuges: list[str] = field(default_factory=list)
    cabs: dict[str, str] = field(default_factory=dict)

    def node(self, name: str, x_m: float, y_m: float, floor: str = "f1") -> str:
        self.nodes[name] = MapNode(name, name, floor, x_m, y_m)
        return name

    def way(self, one: str, other: str, *, both: bool = True) -> None:
        a, b = self.nodes[one], self.nodes[other]
        length_m = math.hypot(a.x_m - b.x_m, a.y_m - b.y_m)
        for start, end in ((one, other), (other, one))[: 2 if both else 1]:
            self.edges[f"{start}>{end}"] = MapEdge(f"{start}>{end}", start, end, length_m)

    def plan(self) -> SitePlan:
        robot_map = RobotMap(nodes=self.nodes, edges=self.edges, stations={})
        ways: dict[str, dict[str, MapEdge]] = {}
        for edge in self.edges.values():
            ways.setdefault(edge.start, {})[edge.end] = edge
        named = Named(zh="x", en="x")
        kitchen = next(iter(self.nodes))
        config = SiteConfig(
            kind="site",
            id="yard",
            name=named,
            map="yard.lif.json",
            kitchen_node=kitchen,
            areas=(Area(id="room-1", name=named),),
        )
        needs = places.needs(robot_map, self.cabs)
        return SitePlan(
            site=Site(config=config),
            map=robot_map,
            ways=ways,
            zone_at={},
            zones={},
            robots={},
            watcher={},
            door_nodes={},
            tracks={},
            needs=needs,
            cab_of=self.cabs,
            refuges=tuple(self.refuges),
            lanes=lanes_of(robot_map, needs, {}, self.cabs, kitchen, self.nodes),
        )


def drawn(rng: random.Random, robots: int) -> Draft:
    """A corridor with branches, perhaps a loop and a lift to a second floor, refuges anywhere."""
    draft = Draft()
    trunk = [draft.node(f"t{n}", 3.0 * n, 0.0) for n in range(rng.randint(4, 9))]
    _string(draft, trunk)
    stems = list(trunk)
    if rng.random() < 0.5:
        far = [draft.node(f"l{n}", 3.0 * n, 9.0) for n in range(rng.randint(2, 4))]
        _string(draft, far)
        draft.way(trunk[0], far[0])
        draft.way(trunk[-1], far[-1])
        stems += far
    for number in range(rng.randint(0, 3)):
        root = rng.choice(trunk[1:])
        x_m = draft.nodes[root].x_m
        side = -1.0 if number % 2 else 1.0
        branch = [draft.node(f"b{number}-{n}", x_m, side * 2.5 * n) for n in range(1, 3)]
        _string(draft, [root, *branch])
        stems += branch
    if rng.random() < 0.6:
        lobby = rng.choice(trunk)
        x_m = draft.nodes[lobby].x_m
        below = draft.node("cab-1", x_m, -40.0)
        above = draft.node("cab-2", x_m, -40.0, "f2")
        draft.cabs |= {below: "lift", above: "lift"}
        upper = [draft.node(f"u{n}", x_m + 3.0 * n, -43.0, "f2") for n in range(3)]
        _string(draft, [lobby, below, above, *upper])
        stems += upper
    if rng.random() < 0.4:
        # Beside a node of the corridor, nearer than a robot is wide.
        beside = rng.choice(trunk)
        place = draft.nodes[beside]
        draft.way(rng.choice(trunk), draft.node("near", place.x_m + 0.5, place.y_m + 0.3))
        stems.append("near")
    for number in range(robots):
        stem = rng.choice(stems)
        place = draft.nodes[stem]
        refuge = draft.node(f"home-{number}", place.x_m + 1.0, 100.0 + 5.0 * number, place.map_id)
        draft.way(stem, refuge)
        draft.refuges.append(refuge)
    return draft


def _string(draft: Draft, names: Sequence[str]) -> None:
    for one, other in itertools.pairwise(names):
        draft.way(one, other)


@dataclass
class Mover:
    """One robot: ``way`` from where it stands, ``has`` nodes of it are its own."""

    robot_id: RobotId
    way: tuple[str, ...]
    out: tuple[str, ...] = ()
    has: int = 1
    since_mono_ms: MonoMs = MonoMs(0)
    dead: bool = False

    @property
    def claim(self) -> Claim:
        return Claim(
            self.robot_id,
            self.way,
            self.out,
            self.has,
            since_mono_ms=self.since_mono_ms,
            stuck=self.dead,
        )

    @property
    def at(self) -> str:
        return self.way[0]

    @property
    def home(self) -> str:
        return (self.out or self.way)[-1]

    @property
    def idle(self) -> bool:
        return len(self.way) == 1


class Yard:
    """A map with robots in their refuges; time passes by ``tick``."""

    def __init__(self, plan: SitePlan, robots: int) -> None:
        self.plan = plan
        self.mono_ms = MonoMs(0)
        self.movers = {f"robot-{n}": Mover(f"robot-{n}", (plan.refuges[n],)) for n in range(robots)}
        self.shut: frozenset[tuple[str, str]] = frozenset()
        self.waited_max_ms = 0

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(mover.claim for mover in self.movers.values())

    def wish(self, mover: Mover, goal: str, *, around: bool = False) -> bool:
        """Ask for a way to ``goal`` and take it up if traffic agrees."""
        avoid = self._dead_places() if around else frozenset()
        # What is released cannot be taken back: the new way begins behind it.
        base = mover.way[: mover.has]
        onward = routing.way(self.plan, base[-1], goal, avoid=avoid)
        out = routing.way(self.plan, goal, mover.home, avoid=avoid)
        if onward is None or out is None:
            return False
        return self._take(mover, base[:-1] + onward, out if len(out) > 1 else ())

    def go_out(self, mover: Mover, *, around: bool = False) -> bool:
        """Drive home: by the way out that is kept, or by another one."""
        if around:
            return self.wish(mover, mover.home, around=True)
        return self._take(mover, mover.way + mover.out[1:], ())

    def _take(self, mover: Mover, way: tuple[str, ...], out: tuple[str, ...]) -> bool:
        wish = Claim(mover.robot_id, way, out, mover.has, since_mono_ms=mover.since_mono_ms)
        if not traffic.accepts(self.plan, self.claims, wish, self.mono_ms):
            return False
        mover.way, mover.out = way, out
        if mover.has == 1:
            mover.since_mono_ms = self.mono_ms
        return True

    def release(self, patience_ms: int = traffic.PATIENCE_MS) -> None:
        """Give every robot what traffic grants, and check that nothing is given twice."""
        before = self.finishing()
        found = traffic.grants(self.plan, self.claims, self.shut, self.mono_ms, patience_ms)
        for mover in self.movers.values():
            count = found[mover.robot_id]
            assert count >= mover.has
            assert not (mover.dead and count > mover.has)
            for at in range(mover.has, count):
                assert (mover.way[at - 1], mover.way[at]) not in self.shut
            if count > mover.has:
                mover.has = count
                mover.since_mono_ms = self.mono_ms
            elif mover.has < len(mover.way) and not mover.dead:
                waited_ms = self.mono_ms - mover.since_mono_ms
                self.waited_max_ms = max(self.waited_max_ms, waited_ms)
        assert before <= self.finishing()
        self.check()

    def drive(self, movers: Sequence[Mover]) -> bool:
        """Each of ``movers`` drives one node on, if that is released. Whether any did."""
        moved = False
        for mover in movers:
            if mover.has > 1 and not mover.dead:
                mover.way, mover.has, moved = mover.way[1:], mover.has - 1, True
        self.mono_ms = MonoMs(self.mono_ms + TICK_MS)
        return moved

    def finishing(self) -> frozenset[RobotId]:
        return traffic.finishing(self.plan, self.claims)

    def check(self) -> None:
        """No two robots have one thing."""
        holder: dict[str, RobotId] = {}
        for mover in self.movers.values():
            for name in sorted(self.names(mover)):
                assert holder.setdefault(name, mover.robot_id) == mover.robot_id, name

    def names(self, mover: Mover) -> frozenset[str]:
        held = mover.way[: mover.has]
        return frozenset(name for node in held for name in self.plan.needs[node])

    def _dead_places(self) -> frozenset[str]:
        taken = {name for row in self.movers.values() if row.dead for name in self.names(row)}
        return frozenset(node for node, names in self.plan.needs.items() if names & taken)
