"""Decides whether a day was good: each expected alert once, no other, the meal delivered."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

from contracts.api import AlertView, DeliveryState
from zeroentry.demo.director import Day, Latency

LATENCY_P95_MAX_MS: Final = 700  # benchmarks.md: beyond the rule's own dwell, at 5 fps
NODE_OFFLINE: Final = "node.offline"


@dataclass(frozen=True, slots=True)
class LegTime:
    """One leg of the delivery and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """One process of the run and how often it was started."""

    name: str
    starts: int
    state: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of ``demo --check`` as it goes into its JSON file."""

    passed: bool
    problems: tuple[str, ...]
    alerts_expected: int
    alerts_raised: int
    latency_ms_p95: float | None
    latencies: tuple[Latency, ...]
    delivery_legs: tuple[LegTime, ...]
    witness_report: str | None
    processes: tuple[ProcessLine, ...]
    lost: int
    duplicated: int
    chaos: bool
    seconds: float

    def as_json(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self)


def percentile(values: Iterable[float], share: float) -> float | None:
    """Nearest-rank percentile (share 0..1) of a few values; None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * share // 1))
    return float(ordered[int(rank) - 1])


def judge(
    day: Day | None,
    alerts: Iterable[AlertView],
    *,
    broken: str | None,
    report: str | None,
    processes: tuple[ProcessLine, ...],
    kills: tuple[str, ...],
    seconds: float,
) -> Verdict:
    """Hold a day against what happened on its stage; ``kills``: processes that were killed."""
    problems = [broken] if broken else []
    raised = list(alerts)
    expected = Counter((row.rule, row.room_id) for row in day.expected) if day else Counter()
    stored = Counter((row.rule, row.room_id) for row in raised if not _due_to(row, kills))
    lost = sum((expected - stored).values())
    unexpected = stored - expected
    duplicated = sum(count for key, count in unexpected.items() if key in expected)
    problems += [f"alert {rule} in {room}: lost" for rule, room in (expected - stored).elements()]
    problems += [f"alert {rule} in {room}: not expected" for rule, room in unexpected.elements()]
    problems += [
        f"process {row.name} was started {row.starts} times, killed {kills.count(row.name)} times"
        for row in processes
        if row.starts != 1 + kills.count(row.name)
    ]
    latencies = [float(row.latency_ms) for row in day.latencies] if day else []
    p95 = percentile(latencies, 0.95)
    if p95 is not None and p95 > LATENCY_P95_MAX_MS and not kills:
        problems.append(
            f"alert latency p95 {p95:.0f} ms beyond the dwell; limit {LATENCY_P95_MAX_MS}"
        )
    delivery = day.delivery if day else None
    if delivery is None or delivery.state is not DeliveryState.RETURNED:
        problems.append("the delivery did not come to its end")
    if report is None:
        problems.append("there is no witness report")
    return Verdict(
        passed=not problems,
        problems=tuple(problems),
        alerts_expected=expected.total(),
        alerts_raised=stored.total(),
        latency_ms_p95=p95,
        latencies=tuple(day.latencies) if day else (),
        delivery_legs=_legs(day),
        witness_report=report,
        processes=processes,
        lost=lost,
        duplicated=duplicated,
        chaos=bool(kills),
        seconds=seconds,
    )


def _due_to(alert: AlertView, kills: tuple[str, ...]) -> bool:
    """Whether an alert says, rightly, that a process which was killed is gone."""
    return (alert.rule == NODE_OFFLINE and alert.node_id in kills) or (
        alert.rule.startswith("robot.offline") and any(name.startswith("robot") for name in kills)
    )


def _legs(day: Day | None) -> tuple[LegTime, ...]:
    if day is None or day.delivery is None:
        return ()
    return tuple(
        LegTime(leg.name, round((leg.ended_utc_ms - leg.started_utc_ms) / 1000, 1))
        for leg in day.delivery.legs
        if leg.ended_utc_ms is not None
    )
