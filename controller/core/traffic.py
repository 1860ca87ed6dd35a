"""Decides which robot has which node, door, lift and crossing: nobody is let into a lock-up.

**Words.** A robot *holds* what it stands on and what was released before it; it gives up a thing
only when it has reported a later position. Its *path* is its way and, from the way's end, its way
out to a refuge: a dead end that is no other robot's. A robot that can *finish* finds all that
lies before it on its path free, or held by robots that finish before it. A state is *safe for* the
robots that can finish one after the other.

**Why nobody locks.** (1) Nothing is granted after which fewer robots could finish: every grant
keeps the state safe for the same robots. (2) What is given up by driving on makes no path harder.
(3) A new way is taken up only if with it the robot can finish, and all others that could
(``accepts``). So while robots drive, stop and wait, the robots that can finish stay so, and the
first of them in the order finds its whole path free: it can always go on. Who has driven its path
stands in its refuge, which is on nobody's path. A robot in its refuge can take up any way that
leads past no refuge and no dead robot, for it comes last in the order. Who stands at the end of its
way on another's path, and is refused the next way, drives out to its refuge (``in_the_way``): its
way out is part of its path, so that is never refused. A robot that stops for ever is ``stuck``: it
finishes never, and what it holds stays taken. Then those whose path leads through it cannot finish,
keep still where they are and are sent another way by (3); the others are not touched by it.

**Why nobody starves.** Who has waited longest is served first. Once a robot that can finish has
waited ``PATIENCE_MS``, nobody but those it waits for, directly or through others, may take anything
new that it or they need. They can all finish without an outsider's leave, and once they are out of
its way they cannot come back into it: so it waits at most ``PATIENCE_MS``, and as long as each
robot of the site needs once to drive its path, one after the other, dwelling at its end included.
While one of those dwells, outsiders may still pass, but not end their way in it: when it leaves,
those who are passing then are waited for once, and nobody follows them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.units import MonoMs, RobotId
from controller.core.lanes import Lanes, Pair
from controller.core.plan import SitePlan

LOOKAHEAD_M: Final = 6.0
# Base that is released before a robot: braking from 1.2 m/s takes 1.5 m, an update's round trip
# 0.3 s, so it never brakes on a free way; and no more is given away when a clearance lapses.


PATIENCE_MS: Final = 120_000
# A robot waits this long for a lift that others ride at noon. Earlier, and every queue would keep
# the ways behind it free for its first; later, and a meal is cold.

OPEN: Final[frozenset[Pair]] = frozenset()


@dataclass(frozen=True, slots=True)
class Claim:
    """What one robot has and wants. One for each robot of the site, idle ones too.

    ``way``: from the node where it stands to its goal; an idle robot's is that one node. ``out``:
    from the goal to the refuge that is kept for it; empty when the goal is that refuge. ``has``:
    how many nodes of the way are its own already. ``extra``: other nodes it still occupies.
    ``since_mono_ms``: when it was last given a node, or took up its way. ``stuck``: dead, off line
    or held by a person: nobody knows when it moves.
    """

    robot_id: RobotId
    way: tuple[str, ...]
    out: tuple[str, ...] = ()
    has: int = 1
    extra: tuple[str, ...] = ()
    since_mono_ms: MonoMs = MonoMs(0)
    stuck: bool = False
    limit: int | None = None
    """At most so many nodes of the way now; None: as far as a robot that drives needs."""
    most: int | None = None
    """At most so many nodes of the way in its next message, as far as it needs."""


def grants(
    plan: SitePlan,
    claims: Iterable[Claim],
    shut: frozenset[Pair],
    mono_ms: MonoMs,
    patience_ms: int = PATIENCE_MS,
) -> Mapping[RobotId, int]:
    """How many nodes of its way each robot may have now: never fewer than it has.

    ``shut``: ways (start, end) that may not be released now: doors, lifts, zones. ``patience_ms``:
    after how long a waiting robot has the others kept out of its way.
    """
    table = _Table(plan.lanes, tuple(claims))
    table.find_order()
    gate = table.gate(shut, mono_ms, patience_ms)
    found: dict[RobotId, int] = {row.robot_id: row.has for row in table.claims}
    for index in table.priority:
        if index in table.at_place:
            claim = table.claims[index]
            count = table.extend(index, _reach(plan, claim, shut), gate)
            found[claim.robot_id] = count
    return found


def accepts(
    plan: SitePlan,
    claims: Iterable[Claim],
    wish: Claim,
    mono_ms: MonoMs,
    patience_ms: int = PATIENCE_MS,
) -> bool:
    """Whether a robot may take up another way: it can finish then, and all others that could.

    ``wish`` replaces the robot's claim among ``claims``. The way out of its present claim, taken as
    a way, is always accepted while it can finish.
    """
    rows = tuple(claims)
    before = _Table(plan.lanes, rows)
    before.find_order()
    wished = tuple(wish if row.robot_id == wish.robot_id else row for row in rows)
    after = _Table(plan.lanes, wished)
    after.find_order()
    if wish.robot_id not in after.finishing:
        return False
    if not before.finishing - {wish.robot_id} <= after.finishing:
        return False
    gate = before.gate(OPEN, mono_ms, patience_ms)
    if gate is None or not wish.out:
        return True
    return not gate.keeps(wish.robot_id, after.needs[wished.index(wish)])


def joins(plan: SitePlan, claims: Iterable[Claim], newcomer: Claim) -> bool:
    """Whether a robot that was not there may stand there: it can finish, and all that could."""
    rows = tuple(claims)
    before = _Table(plan.lanes, rows)
    before.find_order()
    after = _Table(plan.lanes, (*rows, newcomer))
    after.find_order()
    return before.finishing | {newcomer.robot_id} <= after.finishing


def finishing(plan: SitePlan, claims: Iterable[Claim]) -> frozenset[RobotId]:
    """The robots that can finish; the others wait for a person or for another way."""
    table = _Table(plan.lanes, tuple(claims))
    table.find_order()
    return table.finishing


def in_the_way(plan: SitePlan, claims: Iterable[Claim]) -> frozenset[RobotId]:
    """Robots at the end of their way that stand on the path of a robot that still drives."""
    table = _Table(plan.lanes, tuple(claims))
    wanted = [
        (row.robot_id, table.needs[at])
        for at, row in enumerate(table.claims)
        if row.has < len(row.way) and not row.stuck
    ]
    return frozenset(
        row.robot_id
        for at, row in enumerate(table.claims)
        if row.has >= len(row.way)
        and not row.stuck
        and any(need & table.held[at] for robot, need in wanted if robot != row.robot_id)
    )


def holders(plan: SitePlan, claims: Iterable[Claim]) -> Mapping[str, RobotId]:
    """Resource -> the robot that has it, for people and for the record."""
    rows = tuple(claims)
    table = _Table(plan.lanes, rows)
    return {
        name: row.robot_id
        for row, held in zip(rows, table.held, strict=True)
        for name in plan.lanes.named(held)
    }


@dataclass(frozen=True, slots=True)
class _Gate:
    """For one robot that has waited too long: what it needs, and what those it waits for need.

    ``dwelling``: one that it waits for is being loaded or stands at a door. Who only passes
    meanwhile delays nobody; when that one sets out, those who are passing are waited for once.
    """

    needs: Mapping[RobotId, int]
    bits: int
    dwelling: bool

    def closed(self, robot_id: RobotId, end: int) -> int:
        """What a robot whose way ends on ``end`` is not given now."""
        passes = self.dwelling and not end & self.bits
        return 0 if passes or robot_id in self.needs else self.bits

    def keeps(self, robot_id: RobotId, needs: int) -> bool:
        """Whether a robot that is waited for may not take up a way with these needs now.

        It would be waited for once more, and so for ever. It may go out, or where nobody needs it.
        """
        if robot_id not in self.needs:
            return False  # an outsider: it is given nothing that is needed, and waits on its way
        return any(other != robot_id and need & needs for other, need in self.needs.items())


class _Table:
    """All claims of one instant as masks. ``held``, ``needs`` and ``ends`` stand by claim."""

    def __init__(self, lanes: Lanes, claims: tuple[Claim, ...]) -> None:
        self.lanes = lanes
        self.claims = claims
        self.steps: list[list[int]] = []
        self.held: list[int] = []
        self.needs: list[int] = []
        self.ends: list[int] = []
        for claim in claims:
            steps, end = _steps(lanes, claim)
            self.steps.append(steps)
            self.held.append(_union(steps[: claim.has]) | _standing(lanes, claim.extra))
            self.needs.append(0 if claim.stuck else _union(steps[claim.has :]))
            self.ends.append(0 if claim.stuck else end)
        self.priority = sorted(
            range(len(claims)), key=lambda at: (claims[at].since_mono_ms, claims[at].robot_id)
        )
        self.order: list[int] = []
        self.at_place: dict[int, int] = {}
        self.before: list[int] = []

    @property
    def finishing(self) -> frozenset[RobotId]:
        return frozenset(self.claims[at].robot_id for at in self.order)

    def find_order(self) -> None:
        """Set the order in which robots can finish, longest waiting first where that is free."""
        self.order = self._ordered()
        self.at_place = {index: place for place, index in enumerate(self.order)}
        self.before, needed = [], 0
        for index in self.order:
            self.before.append(needed)
            needed |= self.needs[index]

    def _ordered(self) -> list[int]:
        total, twice = _overlaid(self.held)
        ends, ends_twice = _overlaid(self.ends)
        order: list[int] = []
        left = [at for at in self.priority if not self.claims[at].stuck]
        while left:
            rest: list[int] = []
            for at in left:
                held, end = self.held[at], self.ends[at]
                # A thing that two robots hold (one was carried there) is taken for both.
                taken = total & ~held | twice & held | ends & ~end | ends_twice & end
                if self.needs[at] & taken:
                    rest.append(at)
                    continue
                order.append(at)
                total &= ~held | twice
            if len(rest) == len(left):
                break
            left = rest
        return order

    def extend(self, index: int, reach: int, gate: _Gate | None) -> int:
        """Give a robot as much of its way, up to ``reach`` nodes, as leaves the state safe."""
        claim, steps = self.claims[index], self.steps[index]
        total, twice = _overlaid(self.held)
        taken = total & ~self.held[index] | twice & self.held[index]
        if gate is not None:
            end = self.lanes.node_bits.get(claim.way[-1], 0)
            taken |= gate.closed(claim.robot_id, end) & ~self.held[index]
        count = claim.has
        while count < reach and not steps[count] & taken:
            count += 1
        while count > claim.has:
            if self._leaves_free(index, count, taken) and self._give(index, count):
                return count
            count -= 1
        return count

    def _leaves_free(self, index: int, count: int, taken: int) -> bool:
        """Whether a robot that stops there blocks no lift: else it must be able to go on behind it.

        This keeps nobody waiting for ever: the first in the order finds its whole path free.
        """
        way, no_stop = self.claims[index].way, self.lanes.no_stop
        if way[count - 1] not in no_stop:
            return True
        behind = count
        while behind < len(way):
            if self.steps[index][behind] & taken:
                return False
            behind += 1
            if way[behind - 1] not in no_stop:
                break
        held, needs = self.held[index], self.needs[index]
        safe = self._give(index, behind)
        self.held[index], self.needs[index] = held, needs
        self.find_order()
        return safe

    def _give(self, index: int, count: int) -> bool:
        steps, has = self.steps[index], self.claims[index].has
        more = _union(steps[has:count])
        held, needs = self.held[index], self.needs[index]
        self.held[index], self.needs[index] = held | more, _union(steps[count:])
        if not more & self.before[self.at_place[index]]:
            return True  # nobody who finishes before it needs that: the same order holds
        if len(self._ordered()) == len(self.order):
            self.find_order()
            return True
        self.held[index], self.needs[index] = held, needs
        return False

    def gate(self, shut: frozenset[Pair], mono_ms: MonoMs, patience_ms: int) -> _Gate | None:
        """The robot that has waited too long, if there is one, and all that it waits for."""
        for index in self.priority:
            claim = self.claims[index]
            if mono_ms - claim.since_mono_ms < patience_ms:
                return None
            waits = index in self.at_place and claim.has < len(claim.way)
            if not waits or (claim.way[claim.has - 1], claim.way[claim.has]) in shut:
                continue
            return self._gate_of(index)
        return None

    def _gate_of(self, senior: int) -> _Gate:
        members, bits = {senior}, self.needs[senior]
        grown = True
        while grown:
            grown = False
            for index in self.order:
                if index not in members and self.held[index] & bits:
                    members.add(index)
                    bits |= self.needs[index]
                    grown = True
        claims = [self.claims[at] for at in members]
        return _Gate(
            {self.claims[at].robot_id: self.needs[at] for at in members},
            bits,
            dwelling=any(claim.has >= len(claim.way) for claim in claims),
        )


def _steps(lanes: Lanes, claim: Claim) -> tuple[list[int], int]:
    """What each node of the path takes, with the way that leads to it; and what its end takes."""
    path = claim.way + (claim.out[1:] if claim.out[:1] == claim.way[-1:] else claim.out)
    node_bits, edge_bits = lanes.node_bits, lanes.edge_bits
    steps = [node_bits.get(node, 0) for node in path]
    end = steps[-1] if steps else 0
    if edge_bits:
        for at in range(1, len(path)):
            steps[at] |= edge_bits.get((path[at - 1], path[at]), 0)
    return steps, end


def _standing(lanes: Lanes, nodes: Iterable[str]) -> int:
    return _union([lanes.node_bits.get(node, 0) for node in nodes])


def _union(masks: Sequence[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _overlaid(masks: Sequence[int]) -> tuple[int, int]:
    """What any of the masks has, and what at least two have."""
    once = twice = 0
    for mask in masks:
        twice |= once & mask
        once |= mask
    return once, twice


def _reach(plan: SitePlan, claim: Claim, shut: frozenset[Pair]) -> int:
    """How many nodes of its way a robot may have at most: to its limit, or what is shut."""
    reach, ahead_m = claim.has, 0.0
    limits = (limit for limit in (claim.limit, claim.most) if limit is not None)
    for at in range(1, min(len(claim.way), *limits, len(claim.way))):
        pair = claim.way[at - 1], claim.way[at]
        edge = plan.ways.get(pair[0], {}).get(pair[1])
        if edge is None:
            break  # the map has changed under a way that was taken up before
        if at >= claim.has:
            if pair in shut or (claim.limit is None and ahead_m >= LOOKAHEAD_M):
                break
            reach = at + 1
        ahead_m += edge.length_m
    return reach
