"""Plays a recorder's day on disks in memory and cuts it off before every single operation.

The day is played once; before each operation on its disks, the disks are copied as each fate of a
power cut, or a kill, would leave them. From any copy a recorder can start again.
"""

from dataclasses import dataclass
from functools import cache

from contracts.evidence.entries import Entry, GapReason, Segment
from contracts.units import MonoMs, UtcMs
from edge.core.recording import DeleteFiles, HoldTracks, ReleaseTracks, SealTracks
from edge.evidence.history import moved
from runtime.clock import SimulatedClock
from tests.fakes.disk import Fate, MemoryDisk
from tests.fakes.track_rig import Machine, Rig, judged

# 2026-01-01T23:59:45Z: midnight comes in the middle of the day's work.
START_UTC_MS = UtcMs(1_767_311_985_000)


@dataclass(frozen=True)
class Moment:
    """What was there when the plug was pulled."""

    operation: int
    fate: Fate
    recordings: MemoryDisk
    private: MemoryDisk
    mono_ms: int
    utc_ms: int
    boot_id: str
    told: int
    """Entries that had been announced."""
    visible: tuple[bytes, ...]
    """Lines that whoever follows the manifest may have taken."""

    @property
    def is_kill(self) -> bool:
        return self.fate is Fate.KEPT

    def machine(self) -> Machine:
        """Who starts again: after a kill at once, after a power cut on another boot."""
        clock = (
            SimulatedClock(
                start_utc_ms=UtcMs(self.utc_ms + 1_000),
                start_mono_ms=MonoMs(self.mono_ms + 1_000),
                boot_id=self.boot_id,
            )
            if self.is_kill
            else SimulatedClock(
                start_utc_ms=UtcMs(self.utc_ms + 30_000),
                start_mono_ms=MonoMs(5_000),
                boot_id=self.boot_id[:-1] + "f",
            )
        )
        return Machine(self.recordings.after_kill(), self.private.after_kill(), clock)


def watched(rig: Rig, fates: tuple[Fate, ...], moments: list[Moment]) -> None:
    """Copy both disks before each operation on either."""
    machine = rig.machine

    def copy() -> None:
        operation = machine.recordings.operations + machine.private.operations
        visible = live_lines(machine.recordings)
        moments.extend(
            Moment(
                operation,
                fate,
                machine.recordings.after_power_cut(fate, operation),
                machine.private.after_power_cut(fate, operation),
                machine.clock.mono_ms(),
                machine.clock.utc_ms(),
                machine.clock.boot_id,
                len(rig.entries),
                visible,
            )
            for fate in fates
        )

    machine.recordings.before_change = machine.private.before_change = copy


def live_lines(disk: MemoryDisk) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for path, content in disk.files().items():
        if path.endswith("manifest.jsonl"):
            found += content.split(b"\n")[:-1]
    return tuple(found)


def a_day(rig: Rig) -> None:
    rig.writer.work()
    rig.record(4)
    rig.open()
    rig.grow(3)
    seal = SealTracks(room_id="room", session_id="s-1", admitted=5, keep_days=10)
    rig.chain.perform("seal-1", seal)
    rig.grow(3)
    rig.end()
    rig.gap(GapReason.CAMERA_OFFLINE, 2_000)
    rig.open()
    rig.grow(4)
    rig.chain.perform("release-1", ReleaseTracks(room_id="room", session_id="s-1"))
    rig.keys.rotate([rig.chain])
    rig.grow(2)
    rig.end()
    rig.chain.perform(
        "delete-1", DeleteFiles(track_id="cam-1", numbers=(1,), reason="expired", by="retention")
    )
    rig.open()
    rig.grow(12)  # over midnight
    rig.end()
    hold = HoldTracks(
        tracks=("cam-1",),
        hold_id="hold-1",
        from_utc_ms=UtcMs(0),
        to_utc_ms=UtcMs(10),
        reason="complaint",
        by="court",
    )
    rig.chain.perform("hold-1", hold)
    rig.record(2)
    rig.stop()


@dataclass(frozen=True)
class Day:
    moments: tuple[Moment, ...]
    entries: tuple[Entry, ...]
    sent: tuple[tuple[int, int], ...]


@cache
def day() -> Day:
    """The day, played once."""
    clock = SimulatedClock(start_utc_ms=START_UTC_MS)
    machine = Machine(clock=clock)
    moments: list[Moment] = []
    rig = machine.start()
    watched(rig, tuple(Fate), moments)
    a_day(rig)
    machine.recordings.before_change = machine.private.before_change = lambda: None
    assert len([path for path in machine.recordings.files() if "manifest" in path]) == 2
    judged(machine.recordings)
    return Day(tuple(moments), tuple(rig.entries), tuple(rig.sent))


def recovered(machine: Machine) -> tuple[Rig, list[Entry]]:
    """Start, record one segment, stop; the chain as a stranger finds it."""
    rig = machine.start()
    rig.writer.work()
    assert rig.writer.broken is None
    rig.keys.finish_rotation([rig.chain])
    rig.record(2)
    rig.stop()
    return rig, judged(machine.recordings)


@dataclass(frozen=True)
class PowerCuts:
    """What all cuts of the day cost, in media time that had been given to the disk."""

    tried: int
    worst_loss_ms: int
    kills: int
    worst_kill_loss_ms: int


def lost_ms(moment: Moment, entries: list[Entry]) -> int:
    """How much of what was given to the disk before the cut is in no file after the recovery."""
    given = max((end for _, end in day().sent if end <= moment.mono_ms), default=0)
    before = {number for number, end in day().sent if end <= moment.mono_ms}
    kept = max(
        (
            moved(entry.start, entry.duration_ms).mono_ms
            for entry in entries
            if isinstance(entry, Segment) and entry.number in before
        ),
        default=None,
    )
    if not given:
        return 0
    first = next(end for _, end in day().sent)
    return max(given - (kept if kept is not None else first), 0)


def cut_everywhere() -> PowerCuts:
    """Recover from every moment of the day; a recovery that fails raises what failed."""
    cuts: list[int] = []
    kills: list[int] = []
    for moment in day().moments:
        _, entries = recovered(moment.machine())
        (kills if moment.is_kill else cuts).append(lost_ms(moment, entries))
    return PowerCuts(len(cuts), max(cuts), len(kills), max(kills))
