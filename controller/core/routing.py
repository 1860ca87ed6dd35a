"""Decides which way a robot drives: the shortest in time, around what is shut, dead or crowded."""

import heapq
import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from controller.core.lanes import UNREACHED_S, Lanes, times
from controller.core.plan import SitePlan

NOWHERE: Final[frozenset[str]] = frozenset()
QUIET: Final[Mapping[str, float]] = MappingProxyType({})
OPEN: Final[frozenset[tuple[str, str]]] = frozenset()


def way(
    plan: SitePlan,
    start: str,
    goal: str,
    *,
    avoid: frozenset[str] = NOWHERE,
    busy: Mapping[str, float] = QUIET,
    shut: frozenset[tuple[str, str]] = OPEN,
) -> tuple[str, ...] | None:
    """The way of least time as node ids, both ends included; None when there is none.

    ``avoid``: nodes not to pass, the start excepted (a goal in it is not reached). ``busy``: node
    -> seconds that waiting there is expected to cost. ``shut``: ways not to be taken at all.
    """
    return _search(plan.lanes, start, lambda node: node == goal, avoid, busy, shut)


def way_out(
    plan: SitePlan,
    start: str,
    taken: frozenset[str],
    *,
    avoid: frozenset[str] = NOWHERE,
    shut: frozenset[tuple[str, str]] = OPEN,
) -> tuple[str, ...] | None:
    """The way to the nearest refuge that is not ``taken``; None when there is none."""
    free = frozenset(plan.refuges) - taken
    return _search(plan.lanes, start, free.__contains__, avoid, QUIET, shut)


def seconds(plan: SitePlan, nodes: tuple[str, ...]) -> float:
    """How long an unhindered robot drives along ``nodes``."""
    lasts_s = plan.lanes.seconds
    return sum(lasts_s[pair] for pair in itertools.pairwise(nodes))


def seconds_from(
    plan: SitePlan, start: str, avoid: frozenset[str] = NOWHERE
) -> Mapping[str, float]:
    """Node -> the least time from ``start``; what cannot be reached is left out."""
    return times(plan.lanes.steps, start, avoid)


def seconds_to(plan: SitePlan, goal: str, avoid: frozenset[str] = NOWHERE) -> Mapping[str, float]:
    """Node -> the least time to ``goal``; what cannot reach it is left out."""
    return times(plan.lanes.back, goal, avoid)


def _search(
    lanes: Lanes,
    start: str,
    is_goal: Callable[[str], bool],
    avoid: frozenset[str],
    busy: Mapping[str, float],
    shut: frozenset[tuple[str, str]],
) -> tuple[str, ...] | None:
    best: dict[str, float] = {start: 0.0}
    before: dict[str, str] = {}
    heap = [(0.0, start)]
    while heap:
        at_s, here = heapq.heappop(heap)
        if is_goal(here):
            return _walk_back(before, start, here)
        if at_s > best[here]:
            continue
        for there, lasts_s in lanes.steps.get(here, ()):
            reach_s = at_s + lasts_s + busy.get(there, 0.0)
            if there in avoid or (here, there) in shut or reach_s >= best.get(there, UNREACHED_S):
                continue
            best[there], before[there] = reach_s, here
            heapq.heappush(heap, (reach_s, there))
    return None


def _walk_back(before: Mapping[str, str], start: str, goal: str) -> tuple[str, ...]:
    nodes = [goal]
    while nodes[-1] != start:
        nodes.append(before[nodes[-1]])
    return tuple(reversed(nodes))
