"""Holds the verifier to what the real recorder leaves: whole, crashed, and started again."""

import tempfile
from pathlib import Path

import pytest

from contracts.evidence.entries import GapReason
from contracts.units import UtcMs
from edge.core.recording import DeleteFiles, SealTracks
from runtime.clock import SimulatedClock
from tests.fakes.disk import Fate, MemoryDisk
from tests.fakes.track_rig import Machine, Rig
from zeroentry.evidence.findings import Kind, Weight
from zeroentry.evidence.verify import Asked, Report, verify

# 2026-01-01T23:59:45Z: midnight comes while a file is open.
BEFORE_MIDNIGHT = UtcMs(1_767_311_985_000)


def a_night(rig: Rig) -> None:
    rig.writer.work()
    rig.record(4)
    rig.chain.perform(
        "d1", DeleteFiles(track_id="cam-1", numbers=(1,), reason="expired", by="keeper")
    )
    rig.open()
    rig.grow(20)
    rig.chain.perform("s1", SealTracks(room_id="r", session_id="s-1", admitted=5, keep_days=10))
    rig.grow(16)
    rig.end()
    rig.gap(GapReason.CAMERA_OFFLINE, 2_000)
    rig.record(2)
    rig.keys.rotate([rig.chain])
    rig.open()
    rig.grow(3)


def judged(disk: MemoryDisk) -> Report:
    """What a stranger says who trusts the keys in the folder."""
    with tempfile.TemporaryDirectory() as folder:
        for path, content in disk.files().items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        keys = Path(folder, "keys")
        return verify(Asked(Path(folder), node_key=keys if keys.is_dir() else None))


def faults(report: Report) -> list[str]:
    return [
        f"{finding.place('en')}: {finding.text('en')}"
        for finding in report.all_findings
        if finding.weight is Weight.FAULT
    ]


def a_machine() -> Machine:
    return Machine(clock=SimulatedClock(start_utc_ms=BEFORE_MIDNIGHT))


def test_what_a_recorder_writes_is_whole_while_it_writes_and_after() -> None:
    machine = a_machine()
    rig = machine.start()
    a_night(rig)
    report = judged(machine.recordings)
    assert not faults(report)
    (track,) = report.tracks
    assert (track.present, track.deleted) == (2, 1)
    assert track.chain.signatures == rig.chain.sequence
    assert Kind.BEING_WRITTEN in {finding.kind for finding in track.findings}
    rig.end()
    rig.stop()
    report = judged(machine.recordings)
    assert not faults(report)
    assert report.tracks[0].present == 3


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.KEPT])
def test_what_a_crash_leaves_is_not_called_altered(fate: Fate) -> None:
    machine = a_machine()
    rig = machine.start()
    left: list[MemoryDisk] = []
    machine.recordings.before_change = lambda: left.append(
        machine.recordings.after_power_cut(fate, len(left))
    )
    a_night(rig)
    assert len(left) > 100
    for disk in left[:: max(1, len(left) // 60)]:
        assert not faults(judged(disk))
