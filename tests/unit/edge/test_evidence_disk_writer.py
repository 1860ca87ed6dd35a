"""Shows what the writer of a track puts on the disk, in which order, and what it makes of refusal."""

from contracts.evidence.entries import Gap, GapReason, Opened, Segment
from tests.fakes.track_rig import Machine, judged, of


def test_segments_and_gaps_make_a_chain_that_a_stranger_can_check() -> None:
    machine = Machine()
    rig = machine.start()
    rig.wait(250)
    rig.record(4)
    rig.gap(GapReason.CAMERA_OFFLINE, 3_000)
    rig.record(2)
    rig.stop()
    entries = judged(machine.recordings)
    assert [entry.kind for entry in entries] == ["opened", "segment", "gap", "segment", "changed"]
