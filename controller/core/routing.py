"""Decides which way a robot drives: the shortest in time, around what is shut, dead or crowded."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from controller.core.lanes import UNREACHED_S, Lanes, times
from controller.core.plan import SitePlan

NOWHERE: Final[frozenset[str]] = frozenset()
QUIET: Final[Mapping[str, float]] = MappingProxyType({})
OPEN: Final[frozenset[tuple[str, str]]] = frozenset()
FREE: Final[Mapping[tuple[str, str], float]] = MappingProxyType({})
AGAINST_S: Final = 3.0  # an edge takes about two; a corridor of ten against one robot half a minute
AGAINST_MAX_S: Final = 9.0  # three that come are a stream; more make it no worse


def way(
    plan: SitePlan,
    start: str,
    goal: str,
    *,
    avoid: frozenset[str] = NOWHERE,
    busy: Mapping[str, float] = QUIET,
    shut: frozenset[tuple[str, str]] = OPEN,
    against: Mapping[tuple[str, str], float] = FREE,
) -> tuple[str, ...] | None:
    """The way of least time as node ids, both ends included; None when there is none.

    ``avoid``: nodes not to pass, the start excepted (a goal in it is not reached). ``busy``: node
    -> seconds that waiting there is expected to cost. ``shut``: ways not to be taken at all.
    ``against``: (start, end) -> seconds that driving there costs, others coming the other way.
    """
    return _search(plan.lanes, start, lambda node: node == goal, avoid, busy, shut, against=against)


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


def oncoming(ways: Iterable[tuple[str, ...]]) -> Mapping[tuple[str, str], float]:
    """What it costs to drive against the ways that others drive: for ``way``'s ``against``.

    So robots that could block one another find different ways where there are two, and streams of
    one direction form without anybody having drawn them.
    """
    found: dict[tuple[str, str], float] = {}
    for nodes in ways:
        for start, end in itertools.pairwise(nodes):
            found[end, start] = min(found.get((end, start), 0.0) + AGAINST_S, AGAINST_MAX_S)
    return found


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
    *,
    against: Mapping[tuple[str, str], float] = FREE,
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
            reach_s = at_s + lasts_s + busy.get(there, 0.0) + against.get((here, there), 0.0)
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
