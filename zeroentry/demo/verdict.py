"""Decides whether a day was good: each expected alert once, no other, the meal delivered.

And whether its recordings stand: whole, countersigned, each gap with its reason.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Final

from contracts.api import AlertView, DeliveryState, WitnessReport
from contracts.evidence.entries import GapReason
from zeroentry.demo.director import Day, Latency
from zeroentry.demo.plan import RECORDERS, recorder_of
from zeroentry.demo.proof import Proof, ProvedGap
from zeroentry.evidence.findings import Exit

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
    evidence_exit: int | None
    """As ``zeroentry evidence verify`` exits; None: it could not be asked."""
    evidence_tracks: int
    evidence_segments: int
    evidence_gaps: int
    evidence_gap_lines: tuple[ProvedGap, ...]
    lost: int
    duplicated: int
    chaos: bool
    seconds: float

    def as_json(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Left:
    """What a day leaves behind on paper.

    ``report`` is the file of the witness report, ``witness`` what it says, ``proof`` how all
    recordings verify after an orderly end.
    """

    report: str | None = None
    witness: WitnessReport | None = None
    proof: Proof | None = None


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
    left: Left,
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
    unexpected = stored - expected - Counter(day.right_too if day else ())
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
    if left.report is None:
        problems.append("there is no witness report")
    problems += _unrecorded(left, kills)
    proof = left.proof
    return Verdict(
        passed=not problems,
        problems=tuple(problems),
        alerts_expected=expected.total(),
        alerts_raised=stored.total(),
        latency_ms_p95=p95,
        latencies=tuple(day.latencies) if day else (),
        delivery_legs=_legs(day),
        witness_report=left.report,
        processes=processes,
        evidence_exit=int(proof.exit) if proof else None,
        evidence_tracks=proof.tracks if proof else 0,
        evidence_segments=proof.segments if proof else 0,
        evidence_gaps=len(proof.gaps) if proof else 0,
        evidence_gap_lines=proof.gaps if proof else (),
        lost=lost,
        duplicated=duplicated,
        chaos=bool(kills),
        seconds=seconds,
    )


def _unrecorded(left: Left, kills: tuple[str, ...]) -> list[str]:
    """What speaks against the recordings, and where a crash of theirs is not told."""
    recorders = [recorder_of(name) for name in kills if name in RECORDERS]
    untold = (_untold_crash(node, left.proof, left.witness) for node in recorders)
    return [*_unproved(left.proof), *chain.from_iterable(untold)]


def _unproved(proof: Proof | None) -> list[str]:
    """What speaks against the recordings."""
    if proof is None:
        return ["the recordings were not verified"]
    problems = []
    if proof.exit is not Exit.WHOLE:
        problems.append(f"recordings, exit {int(proof.exit)}: {proof.told().en}")
    if not proof.segments:
        problems.append("nothing was recorded")
    problems += [
        f"recording of {gap.track_id}: {gap.duration_ms / 1000:.1f} s are missing unexplained"
        for gap in proof.gaps
        if gap.reason is GapReason.UNKNOWN
    ]
    return problems


def _untold_crash(node: str, proof: Proof | None, witness: WitnessReport | None) -> list[str]:
    """Where the gap that a killed recorder leaves is not told."""
    crashed = [
        gap
        for gap in (proof.gaps if proof else ())
        if gap.node_id == node and gap.reason is GapReason.RECORDER_CRASHED and gap.duration_ms > 0
    ]
    problems = [] if crashed else [f"the killed recorder of {node} left no gap in its chain"]
    in_chain = {(gap.track_id, gap.start_utc_ms, gap.duration_ms) for gap in crashed}
    in_report = {
        (gap.track_id, gap.started_utc_ms, gap.duration_ms)
        for gap in (witness.gaps if witness else ())
        if gap.reason is GapReason.RECORDER_CRASHED
    }
    if crashed and not in_chain & in_report:
        problems.append(f"the gap of the killed recorder of {node} is not in the witness report")
    return problems


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
