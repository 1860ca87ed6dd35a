"""Holds the floors that a world plays on: places, speeds, which zone a point lies in."""

import heapq
import math
from collections.abc import Collection
from functools import cached_property
from typing import Final

from contracts.devices import Zone, ZonePolicy
from contracts.layout import RobotMap
from controller.core.plan import SitePlan
from zeroentry.simulator.motion import Place

SPEED_ANY_MPS: Final = 9.0


class Ground:
    """A site's floors, with what the simulator must look up often."""

    def __init__(self, plan: SitePlan) -> None:
        """Index a plan."""
        self.plan = plan
        self.map: RobotMap = plan.map
        self._nearest: dict[tuple[int, int, str], str] = {}

    def place(self, node: str) -> Place:
        """Standing at a node."""
        there = self.map.nodes[node]
        return Place(there.x_m, there.y_m, 0.0, there.map_id)

    def speed_mps(self, start: str, end: str) -> float:
        """How fast a way may be driven."""
        edge = self.plan.ways.get(start, {}).get(end)
        return (edge.speed_max_m_s if edge is not None else None) or SPEED_ANY_MPS

    def is_charger(self, node: str, home: str) -> bool:
        """Whether a robot charges there."""
        return node == home or node in self.plan.chargers

    def nearest(self, x_m: float, y_m: float, floor: str) -> str:
        """The node of a floor that a point is nearest to."""
        key = (round(x_m * 20), round(y_m * 20), floor)
        found = self._nearest.get(key)
        if found is None:
            rows = [row for row in self.map.nodes.values() if row.map_id == floor]
            rows = rows or list(self.map.nodes.values())
            found = min(rows, key=lambda row: math.hypot(row.x_m - x_m, row.y_m - y_m)).id
            self._nearest[key] = found
        return found

    def zone_of(self, x_m: float, y_m: float, floor: str) -> Zone | None:
        """The zone of the node that a point is nearest to: borders lie half-way between nodes."""
        return self.plan.zone_at.get(self.nearest(x_m, y_m, floor))

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """The areas whose cameras see a zone in which robots wait for people."""
        rows = [
            zone.seen_by
            for zone in self.plan.zones.values()
            if zone.seen_by is not None and zone.policy is not ZonePolicy.OPEN
        ]
        return tuple(dict.fromkeys(rows))

    def way(self, start: str, goal: str, avoid: Collection[str]) -> list[str] | None:
        """A shortest way that touches no node of ``avoid`` (start excepted); None without one."""
        best, before, heap = {start: 0.0}, dict[str, str](), [(0.0, start)]
        while heap:
            far_m, here = heapq.heappop(heap)
            if here == goal:
                way = [here]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if far_m > best[here]:
                continue
            for there, edge in self.plan.ways.get(here, {}).items():
                reach_m = far_m + edge.length_m
                if there not in avoid and reach_m < best.get(there, math.inf):
                    best[there], before[there] = reach_m, here
                    heapq.heappush(heap, (reach_m, there))
        return None
