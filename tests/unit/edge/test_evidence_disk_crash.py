"""Shows what a power cut or a kill leaves after every single operation of a recorder's day.

One scripted day is played once; before each operation on its disks, the disks are copied as each
fate would leave them. From every copy a recorder starts again, and a stranger judges the result.
"""

import random
from dataclasses import dataclass
from functools import cache

import pytest

from contracts.evidence.entries import Changed, Ending, Entry, Gap, GapReason, Opened, Segment
from contracts.units import MonoMs, UtcMs
from edge.core.recording import DeleteFiles, HoldTracks, ReleaseTracks, SealTracks
from edge.evidence.history import moved
from edge.evidence.keys import KEY_FILE
from runtime.clock import SimulatedClock
from tests.fakes.disk import Fate, MemoryDisk
from tests.fakes.track_rig import Machine, Rig, judged, lines

LOST_MAX_MS = 2_000  # of a power cut
FRAGMENT_LOST_MAX_MS = 500  # of a kill
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


def check(moment: Moment, machine: Machine, entries: list[Entry]) -> None:
    played = day()
    raw = [line for _, line in lines(machine.recordings)]
    assert tuple(raw[: len(moment.visible)]) == moment.visible, "a line that was told is gone"
    assert tuple(entries[: moment.told]) == played.entries[: moment.told]
    ends = {
        entry.number: moved(entry.start, entry.duration_ms).mono_ms
        for entry in entries
        if isinstance(entry, Segment)
    }
    lost_max_ms = FRAGMENT_LOST_MAX_MS if moment.is_kill else LOST_MAX_MS
    for number, end_ms in played.sent:
        if end_ms <= moment.mono_ms - lost_max_ms:
            assert ends.get(number, 0) >= end_ms, f"file {number} has lost too much"
    check_gap_after(moment, entries)
    keys = [path for path in machine.private.files() if path.endswith(".pem")]
    assert keys == [KEY_FILE]


def check_gap_after(moment: Moment, entries: list[Entry]) -> None:
    """The time without a recorder is a gap, from the last media to the first."""
    starts = [index for index, entry in enumerate(entries) if isinstance(entry, Opened)]
    if len(starts) < 2:
        return
    before = [entry for entry in entries[: starts[-1]] if isinstance(entry, Segment | Gap)]
    gap = next(entry for entry in entries[starts[-1] :] if isinstance(entry, Gap))
    last = entries[starts[-1] - 1]
    stopped = isinstance(last, Changed) and last.what == "stopped"
    expected = GapReason.RECORDER_CRASHED if moment.is_kill else GapReason.POWER_LOST
    assert gap.reason is (GapReason.RECORDER_STOPPED if stopped else expected)
    if before:
        assert gap.start == moved(before[-1].start, before[-1].duration_ms)
    assert gap.ended


@pytest.mark.parametrize("fate", Fate)
def test_wherever_the_plug_is_pulled_a_start_makes_it_whole(fate: Fate) -> None:
    moments = [moment for moment in day().moments if moment.fate is fate]
    assert len(moments) > 150
    for moment in moments:
        machine = moment.machine()
        try:
            _, entries = recovered(machine)
            check(moment, machine, entries)
        except BaseException as error:
            error.add_note(f"{moment.fate} before operation {moment.operation}")
            raise


def test_a_second_crash_while_a_start_repairs_changes_nothing() -> None:
    rng = random.Random(7)
    moments = [moment for moment in day().moments if moment.fate is not Fate.KEPT]
    again = 0
    for moment in rng.sample(moments, 20):
        machine = moment.machine()
        seconds: list[Moment] = []
        rig = machine.start()
        watched(rig, (rng.choice([Fate.LOST, Fate.PARTLY, Fate.TORN]),), seconds)
        rig.writer.work()
        rig.keys.finish_rotation([rig.chain])
        machine.recordings.before_change = machine.private.before_change = lambda: None
        for second in rng.sample(seconds, min(len(seconds), 8)):
            third = Machine(
                second.recordings,
                second.private,
                SimulatedClock(start_utc_ms=UtcMs(second.utc_ms + 30_000), boot_id="third"),
            )
            _, entries = recovered(third)
            raw = [line for _, line in lines(third.recordings)]
            assert tuple(raw[: len(moment.visible)]) == moment.visible
            assert tuple(raw[: len(second.visible)]) == second.visible
            again += 1
            assert entries
    assert again > 75


def test_a_file_found_unfinished_says_so_and_how_much_was_cut() -> None:
    machine = Machine()
    rig = machine.start()
    rig.writer.work()
    rig.open()
    rig.grow(4)
    growing = rig.writer._growing
    assert growing is not None
    growing._file.write(b"\0\0\1\0moof half a fragment")
    machine.restart()
    _, entries = recovered(machine)
    (found, _) = (entry for entry in entries if isinstance(entry, Segment))
    assert (found.ending, found.duration_ms, found.video_packets) == (Ending.RECOVERED, 2_000, 20)
    assert found.recovered_bytes == len(b"\0\0\1\0moof half a fragment")
    assert found.media.video == "h264"
    assert found.start.boot_id == machine.clock.boot_id
