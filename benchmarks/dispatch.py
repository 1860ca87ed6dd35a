"""Measures the dispatcher: one step of planning, throughput against bound and first-come, seeds.

A building of 414 nodes on three floors with one lift, 50 robots of three compartments and orders
for rooms drawn from a seed, all waiting at once. The product's assignment and traffic play against
robots that drive at the map's speed (benchmarks/dispatch_play.py); the same robots, building and
orders are then given to a plain dispatcher: first come, first served, one order a robot, and a
whole way reserved or not driven. Seeds of mixed faults and the noon of a centre with one robot
failing are played through the whole core by the simulator (zeroentry.simulator).
"""

import random
import statistics
import sys
from collections.abc import Mapping
from typing import Final

from benchmarks.dispatch_map import building
from benchmarks.dispatch_play import (
    START_UTC_MS,
    Dispatcher,
    FirstCome,
    Ours,
    Play,
    Told,
    bound_s,
)
from benchmarks.form import Figure, Options, options, percentile, show
from contracts.units import UtcMs
from controller.core.assignment import Ask
from controller.core.plan import SitePlan
from zeroentry.simulator import script, world
from zeroentry.simulator.soak import tally

ROBOTS: Final = 50
ORDERS_FULL: Final = 200
ORDERS_QUICK: Final = 120
RUNS_FULL: Final = 5
RUNS_QUICK: Final = 1
SEEDS_FULL: Final = 500
SEEDS_QUICK: Final = 50
JOBS: Final = 2  # the cores of the machine that the figures are for
WINDOW_S: Final = 30 * 60.0


def orders(plan: SitePlan, count: int, seed: int) -> list[Ask]:
    """Orders for rooms drawn from a seed, a second apart, all of them waiting already."""
    rng = random.Random(seed)
    rooms = list(plan.door_nodes.items())
    return [
        Ask(f"d{number:03}", room, door, UtcMs(START_UTC_MS - 1_000 * (count - number)))
        for number, (room, door) in enumerate(rng.choice(rooms) for _ in range(count))
    ]


def played(plan: SitePlan, count: int, seed: int, dispatcher: Dispatcher) -> Told:
    """One run; stops the benchmark if it cannot be compared."""
    told = Play(plan, orders(plan, count, seed), dispatcher).run()
    assert len(told.done_s) == count or told.deadlocks, "orders left and nobody locked"
    return told


def throughput(given: Options) -> Mapping[str, Figure]:
    """Planning times, and how fast all is delivered against the bound and the plain dispatcher."""
    plan = building(ROBOTS)
    count = ORDERS_QUICK if given.quick else ORDERS_FULL
    plan_ms: list[float] = []
    grant_ms: list[float] = []
    shares: list[float] = []
    ratios: list[float] = []
    collisions = deadlocks = 0
    ours, plain, work_s, load_s, busiest = Told(), Told(), 0.0, 0.0, ""
    for seed in range(RUNS_QUICK if given.quick else RUNS_FULL):
        ours = played(plan, count, seed, Ours())
        plain = played(plan, count, seed, FirstCome())
        work_s, load_s, busiest = bound_s(plan, ours, ROBOTS)
        shares.append(max(work_s, load_s) / ours.ended_s)
        ratios.append(plain.ended_s / ours.ended_s)
        plan_ms += ours.plan_ms
        grant_ms += ours.grant_ms
        collisions += ours.collisions + plain.collisions
        deadlocks += ours.deadlocks + plain.deadlocks
    return {
        "nodes": len(plan.map.nodes),
        "robots": ROBOTS,
        "orders": count,
        "runs": len(shares),
        "plan_ms_p95": percentile(plan_ms, 0.95),
        "plan_ms_max": max(plan_ms),
        "plan_steps": len(plan_ms),
        "grants_ms_p95": percentile(grant_ms, 0.95),
        "throughput_vs_bound": statistics.median(shares),
        "throughput_vs_bound_min": min(shares),
        "throughput_vs_fcfs": statistics.median(ratios),
        "makespan_s": ours.ended_s,
        "fcfs_makespan_s": plain.ended_s,
        "bound_robot_work_s": work_s,
        "bound_resource_s": load_s,
        "bound_resource": busiest,
        "tours": len(ours.tours),
        "waited_max_s": ours.waited_max_s,
        "made_collisions": collisions,
        "made_deadlocks": deadlocks,
    }


def noon() -> Mapping[str, Figure]:
    """Thirteen rooms, three robots of three compartments, one of which fails half-way."""
    outcome = world.run(script.noon())
    first_s = min(row.ordered_s for row in outcome.orders)
    served: dict[str, float] = {}
    for row in outcome.orders:
        if row.taken_s is not None:  # a meal that a dead robot has comes again on another one
            served[row.room_id] = min(row.taken_s, served.get(row.room_id, row.taken_s)) - first_s
    return {
        "noon_rooms": len({row.room_id for row in outcome.orders}),
        "noon_in_window": sum(1 for at_s in served.values() if at_s <= WINDOW_S),
        "noon_last_min": max(served.values()) / 60 if served else None,
    }


def main() -> int:
    """Run it all."""
    given = options(__doc__.splitlines()[0] if __doc__ else "")
    figures = dict(throughput(given))
    seeds = tally(range(SEEDS_QUICK if given.quick else SEEDS_FULL), jobs=JOBS)
    figures |= {
        "seeds": seeds.seeds,
        "collisions": seeds.collisions + int(str(figures.pop("made_collisions"))),
        "deadlocks": seeds.deadlocks + int(str(figures.pop("made_deadlocks"))),
        "unexplained": seeds.unexplained,
        "other_violations": seeds.others,
    }
    figures |= noon()
    show(
        "dispatch",
        "to reach: plan_ms_p95 <= 50, throughput_vs_bound >= 0.80, throughput_vs_fcfs > 1; no "
        "collision, deadlock or unexplained order; every meal of noon in its window. A small run "
        "has a larger share of start and end: it comes less near to the bound than the full one.",
        figures,
        given,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
