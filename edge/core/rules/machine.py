"""Judges the machine that records: room on its disk, whether that writes, what its clock does."""

from collections.abc import Callable, Mapping

from contracts.catalogue import CLOCK_STEPPED, CLOCK_UNSYNCHRONISED, DISK_FAILING, DISK_LOW
from contracts.evidence.entries import ClockSource
from contracts.observations import Measured, RecordingState
from edge.core.holding import Judgement
from edge.core.machine_watch import RESUME_POINTS
from edge.core.people import Instant
from edge.core.rules.recording import OF_THE_DISK
from edge.core.rules.rule import Finding, Rule
from edge.core.state import RecordingSeen, RoomState

Holds = tuple[bool | None, tuple[Measured, ...]]
"""Whether the condition holds (None: unknown), and what was measured."""


def _of_node(
    state: RoomState, now: Instant, holds: Callable[[RecordingSeen], Holds]
) -> tuple[Finding, ...]:
    if not state.setup.speaks_for_node:
        return ()
    seen = state.recording
    if seen is None:
        return (Finding(None, Judgement(None, now, now)),)
    held, measured = holds(seen)
    return (Finding(None, Judgement(held, seen.at, seen.at), measured=measured),)


def judge_disk_low(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    stands = state.alert_of(DISK_LOW.code) is not None

    def holds(seen: RecordingSeen) -> Holds:
        free, low = seen.disk.free_percent, seen.disk_low_percent
        if free is None or not seen.running:
            return None, ()
        measured = Measured(name="disk_free", value=round(free, 1), limit=low, unit="%")
        return free < (low + RESUME_POINTS if stands else low), (measured,)

    return _of_node(state, now, holds)


def judge_disk_failing(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""

    def holds(seen: RecordingSeen) -> Holds:
        if not seen.running:
            return None, ()
        stopped = sum(
            1
            for track in seen.tracks.values()
            if track.state is not RecordingState.RECORDING and track.reason in OF_THE_DISK
        )
        measured = Measured(name="tracks_unrecorded", value=stopped, limit=0)
        return stopped > 0 or seen.disk.error is not None, (measured,)

    return _of_node(state, now, holds)


def judge_clock_unsynchronised(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    limit_ms = settings["offset_max_ms"]

    def holds(seen: RecordingSeen) -> Holds:
        if seen.clock.source is ClockSource.UNKNOWN:
            return None, ()
        offset_ms = abs(seen.clock.offset_ms or 0.0)
        measured = Measured(name="clock_offset", value=offset_ms, limit=limit_ms, unit="ms")
        far = offset_ms > limit_ms
        known = (measured,) if seen.clock.offset_ms is not None else ()
        return far or seen.clock.source is ClockSource.UNSYNCHRONISED, known

    return _of_node(state, now, holds)


def judge_clock_stepped(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""

    def holds(seen: RecordingSeen) -> Holds:
        if not seen.running:
            return None, ()
        step_ms = seen.clock_step_ms
        return step_ms != 0, (Measured(name="clock_step", value=step_ms, unit="ms"),)

    return _of_node(state, now, holds)


LOW = Rule(DISK_LOW, judge_disk_low)
FAILING = Rule(DISK_FAILING, judge_disk_failing)
UNSYNCHRONISED = Rule(CLOCK_UNSYNCHRONISED, judge_clock_unsynchronised)
STEPPED = Rule(CLOCK_STEPPED, judge_clock_stepped)
