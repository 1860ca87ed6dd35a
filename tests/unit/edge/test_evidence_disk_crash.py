"""Shows what a power cut or a kill leaves after every single operation of a recorder's day.

A stranger judges what a recorder makes of each moment of ``tests.fakes.power_cuts``.
"""

import random

import pytest

from contracts.evidence.entries import Changed, Ending, Entry, Gap, GapReason, Opened, Segment
from contracts.units import UtcMs
from edge.evidence.history import moved
from edge.evidence.keys import KEY_FILE
from runtime.clock import SimulatedClock
from tests.fakes.disk import Fate
from tests.fakes.power_cuts import Moment, day, recovered, watched
from tests.fakes.track_rig import Machine, lines

LOST_MAX_MS = 2_000  # of a power cut
FRAGMENT_LOST_MAX_MS = 500  # of a kill


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
