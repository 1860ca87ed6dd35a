"""Shows that robots never share a resource, never lock, and wait no longer than is promised."""

import itertools
import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.units import MonoMs
from controller.core import traffic
from controller.core.traffic import Claim
from tests.fakes.traffic_yard import TICK_MS, Draft, Mover, Yard, drawn

ROUNDS_MAX = 400  # a robot needs at most some 30 nodes home, one after the other


def shaken(rng: random.Random, yard: Yard, rounds: int, deaths: int) -> None:
    """Robots drive, stop, turn round, get new ways and break down, as a seed has it."""
    movers = list(yard.movers.values())
    places = [node for node in yard.plan.map.nodes if node not in yard.plan.refuges]
    pairs = [(edge.start, edge.end) for edge in yard.plan.map.edges.values()]
    for _ in range(rounds):
        mover = rng.choice(movers)
        chance = rng.random()
        if chance < 0.5 and not mover.dead:
            yard.wish(mover, rng.choice(places))
        elif chance < 0.6 and not mover.dead:
            yard.go_out(mover)
        elif chance < 0.65 and deaths > 0 and not mover.idle:
            mover.dead, deaths = True, deaths - 1
        elif chance < 0.7 and not mover.dead:
            yard.wish(mover, rng.choice(places), around=True)
        elif chance < 0.8:
            yard.shut = frozenset(rng.sample(pairs, k=min(3, len(pairs))))
        yard.release()
        yard.drive([row for row in movers if rng.random() < 0.7])
        yard.check()


def drained(yard: Yard) -> None:
    """All go home: by their ways, then by their ways out."""
    yard.shut = frozenset()
    for _ in range(ROUNDS_MAX):
        for mover in yard.movers.values():
            if mover.idle and mover.out and not mover.dead:
                yard.go_out(mover)
        yard.release()
        if not yard.drive(list(yard.movers.values())):
            return
    pytest.fail("they drive and drive")


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), robots=st.integers(2, 7))
def test_every_robot_gets_home_and_nobody_meets_another(seed: int, robots: int) -> None:
    rng = random.Random(seed)
    yard = Yard(drawn(rng, robots).plan(), robots)
    shaken(rng, yard, rounds=60, deaths=0)
    assert yard.finishing() == yard.movers.keys()
    drained(yard)
    assert [mover.at for mover in yard.movers.values()] == list(yard.plan.refuges)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), robots=st.integers(3, 7))
def test_robots_that_no_dead_one_blocks_get_home(seed: int, robots: int) -> None:
    rng = random.Random(seed)
    yard = Yard(drawn(rng, robots).plan(), robots)
    shaken(rng, yard, rounds=60, deaths=2)
    able = yard.finishing()
    drained(yard)
    for name in able:
        assert yard.movers[name].at in yard.plan.refuges
    # The others are sent around what is dead, as far as there is a way around.
    for mover in yard.movers.values():
        if not mover.dead and mover.robot_id not in able:
            yard.go_out(mover, around=True)
    still = yard.finishing()
    drained(yard)
    for name in still:
        assert yard.movers[name].at in yard.plan.refuges


@given(seed=st.integers(0, 2**32))
def test_every_way_is_driven_in_the_end(seed: int) -> None:
    """From their refuges all are accepted, and each arrives at its goal before it goes home."""
    rng = random.Random(seed)
    yard = Yard(drawn(rng, 6).plan(), 6)
    places = [node for node in yard.plan.map.nodes if node not in yard.plan.refuges]
    goals = {name: rng.choice(places) for name in yard.movers}
    for name, goal in goals.items():
        assert yard.wish(yard.movers[name], goal)
    arrived: set[str] = set()
    for _ in range(ROUNDS_MAX):
        for mover in yard.movers.values():
            if mover.idle and mover.out:
                assert mover.at == goals[mover.robot_id]
                arrived.add(mover.robot_id)
                assert yard.go_out(mover)
        yard.release()
        if not yard.drive(list(yard.movers.values())):
            break
    assert arrived == goals.keys()


def corridor(nodes: int = 6, west: int = 3, east: int = 1) -> Draft:
    """One lane with refuges at both ends."""
    draft = Draft()
    names = [draft.node(f"c{n}", 3.0 * n, 0.0) for n in range(nodes)]
    for one, other in itertools.pairwise(names):
        draft.way(one, other)
    for number in range(west):
        refuge = draft.node(f"west-{number}", -3.0, 3.0 * number)
        draft.refuges.append(refuge)
        draft.way(refuge, names[0])
    for number in range(east):
        refuge = draft.node(f"east-{number}", 3.0 * nodes, 3.0 * number)
        draft.refuges.append(refuge)
        draft.way(refuge, names[-1])
    return draft


def test_who_must_come_back_out_is_not_met_in_the_corridor() -> None:
    plan = corridor().plan()
    inside = Claim("robot-a", ("c4",), ("c4", "c3", "c2", "c1", "c0", "west-0"))
    through = Claim("robot-b", ("west-1", "c0", "c1", "c2", "c3", "c4", "c5", "east-0"))
    found = traffic.grants(plan, (inside, through), frozenset(), MonoMs(0))
    assert found == {"robot-a": 1, "robot-b": 1}
    # It may come as far as it can go back from: that leaves the other its way when it has left.
    near = Claim("robot-b", ("west-1", "c0", "c1", "c2"), ("c2", "c1", "c0", "west-1"))
    assert traffic.grants(plan, (inside, near), frozenset(), MonoMs(0))["robot-b"] == 3
    # Two that drive the same way may follow one another.
    east = Claim("robot-a", ("c2", "c3", "c4", "c5", "east-0"), ())
    follows = Claim("robot-b", ("west-1", "c0", "c1"), ("c1", "c0", "west-1"))
    found = traffic.grants(plan, (east, follows), frozenset(), MonoMs(0))
    assert found == {"robot-a": 3, "robot-b": 3}


def test_nothing_is_granted_beyond_what_is_shut_or_ahead() -> None:
    plan = corridor().plan()
    claim = Claim("robot-a", ("west-0", "c0", "c1", "c2", "c3"), ("c3", "c4", "c5", "east-0"))
    assert traffic.grants(plan, (claim,), frozenset({("c0", "c1")}), MonoMs(0))["robot-a"] == 2
    assert traffic.grants(plan, (claim,), frozenset(), MonoMs(0))["robot-a"] == 3
    for limit, count in ((1, 1), (2, 2), (5, 5), (9, 5)):
        limited = replace(claim, limit=limit)
        assert traffic.grants(plan, (limited,), frozenset(), MonoMs(0))["robot-a"] == count


def test_a_way_that_another_could_not_leave_is_not_taken_up() -> None:
    plan = corridor().plan()
    resting = Claim("robot-a", ("c3",), ("c3", "c2", "c1", "c0", "west-0"))
    coming = Claim("robot-b", ("c1", "c0", "west-1"), ())
    wish = Claim("robot-b", ("c1", "c2"), ("c2", "c1", "c0", "west-1"))
    assert traffic.accepts(plan, (resting, coming), wish, MonoMs(0))
    through = Claim("robot-b", ("c1", "c2", "c3", "c4"), ("c4", "c5", "east-0"))
    assert not traffic.accepts(plan, (resting, coming), through, MonoMs(0))
    assert traffic.in_the_way(plan, (resting, through)) == {"robot-a"}


def test_a_crossing_is_one_robots_at_a_time() -> None:
    draft = Draft()
    for name, x_m, y_m in (("n", 0.0, 3.0), ("s", 0.0, -3.0), ("e", 3.0, 0.0), ("w", -3.0, 0.0)):
        draft.refuges.append(draft.node(name, x_m, y_m))
    draft.way("n", "s")
    draft.way("w", "e")
    plan = draft.plan()
    down, over = Claim("robot-a", ("n", "s")), Claim("robot-b", ("w", "e"))
    found = traffic.grants(plan, (down, over), frozenset(), MonoMs(0))
    assert found == {"robot-a": 2, "robot-b": 1}
    assert "crossing" in " ".join(
        traffic.holders(plan, (Claim("robot-a", ("n", "s"), has=2),)).keys()
    )


def circled() -> Draft:
    """A lane, a road back beside it, and at the lane's east end a robot that wants to go west."""
    draft = Draft()
    lane = [draft.node(f"c{n}", 3.0 * n, 0.0) for n in range(7)]
    road = [draft.node(f"r{n}", 9.0 * n, 6.0) for n in range(3)]
    for one, other in itertools.pairwise(lane):
        draft.way(one, other)
    for one, other in itertools.pairwise(road):
        draft.way(other, one, both=False)
    draft.way("c6", "r2", both=False)
    for name, stem, x_m, y_m in (
        ("east", "c6", 21.0, 0.0),
        ("west", "c0", -3.0, 0.0),
    ):
        draft.refuges.append(draft.node(name, x_m, y_m))
        draft.way(stem, name)
    for number in (1, 2, 3):
        # On a floor of its own: else the ways from and to the bays would cross.
        bay = draft.node(f"bay-{number}", -3.0, 3.0 * number, f"b{number}")
        draft.refuges.append(bay)
        draft.way("r0", bay, both=False)
        draft.way(bay, "c0", both=False)
    return draft


LAP = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "r2", "r1", "r0")


@dataclass
class Stream:
    """Three robots go round and round, a third of a lap apart; one waits to come against them."""

    patience_ms: int
    laps: int = 0
    waited_ms: int | None = None

    def run(self, rounds: int) -> None:
        yard = Yard(circled().plan(), 0)
        alone = Mover("robot-alone", ("east", "c6", "c5", "c4", "c3", "c2", "c1", "c0", "west"))
        circling = [Mover(f"robot-{n}", (f"bay-{n}",)) for n in (1, 2, 3)]
        yard.movers = {row.robot_id: row for row in circling}
        for number in range(rounds):
            if number == len(LAP):
                alone.since_mono_ms = yard.mono_ms
                yard.movers[alone.robot_id] = alone
            for mover in circling[: 1 + number // 4]:
                self._round(yard, mover)
            yard.release(self.patience_ms)
            yard.drive(list(yard.movers.values()))
            if alone.has > 1:
                self.waited_ms = yard.mono_ms - len(LAP) * TICK_MS
                return

    def _round(self, yard: Yard, mover: Mover) -> None:
        if mover.idle:
            wish = Claim(mover.robot_id, (mover.at, *LAP, mover.at), since_mono_ms=yard.mono_ms)
            assert traffic.accepts(yard.plan, yard.claims, wish, yard.mono_ms, self.patience_ms)
            mover.way, mover.since_mono_ms = wish.way, yard.mono_ms
            self.laps += 1


def test_a_stream_keeps_nobody_waiting_beyond_the_bound() -> None:
    rude, fair = Stream(patience_ms=10**9), Stream(patience_ms=60_000)
    rude.run(rounds=300)
    assert rude.waited_ms is None  # else this shows nothing
    assert rude.laps > 40
    fair.run(rounds=300)
    assert fair.waited_ms is not None
    # Its patience, and once the paths of the three that it waits for.
    assert 60_000 <= fair.waited_ms <= 60_000 + 3 * len(LAP) * TICK_MS
