"""A disk that takes its time to sync holds up no fragment, and is believed only when it is done."""

from collections.abc import Callable
from concurrent.futures import Future

import pytest

from contracts.evidence.entries import Checkpoint, Ending, GapReason, Segment
from edge.evidence.segments import CHECKPOINT_MS
from tests.fakes.track_rig import FRAGMENT_MS, Machine, judged


class SlowSyncs:
    """Syncs that come back when the test says so; ``hurry``: at once from then on."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], None], Future[None]]] = []
        self.hurry = False

    def __call__(self, job: Callable[[], None]) -> Future[None]:
        done: Future[None] = Future()
        self.waiting.append((job, done))
        if self.hurry:
            self.finish()
        return done

    def finish(self) -> None:
        """All that is under way comes back."""
        waiting, self.waiting = self.waiting, []
        for job, done in waiting:
            try:
                job()
            except OSError as error:
                done.set_exception(error)
            else:
                done.set_result(None)


def written(machine: Machine) -> int:
    files = machine.recordings.files()
    return sum(len(content) for path, content in files.items() if path.endswith(".mp4"))


def test_fragments_are_written_while_a_sync_is_under_way() -> None:
    machine, syncs = Machine(), SlowSyncs()
    rig = machine.start(syncs=syncs)
    rig.open()
    rig.grow(1)
    before = written(machine)
    assert len(syncs.waiting) == 1  # the head's
    rig.grow(4)
    assert written(machine) > before  # a kill now loses none of them
    assert len(syncs.waiting) == 1  # one at a time
    assert rig.queue.bytes == 0


def test_nothing_is_told_of_bytes_before_their_sync_has_come_back() -> None:
    machine, syncs = Machine(), SlowSyncs()
    rig = machine.start(syncs=syncs)
    rig.open()
    rig.grow(2 * CHECKPOINT_MS // FRAGMENT_MS)
    assert rig.checkpoints == []
    syncs.finish()
    rig.grow(1)
    assert rig.checkpoints == []  # only the head is on disk
    begun = written(machine)
    rig.grow(3)
    syncs.finish()
    rig.grow(1)
    (line,) = rig.checkpoints
    told = Checkpoint.model_validate_json(line)
    assert told.offset <= begun


def test_the_end_of_a_file_waits_for_the_sync_under_way() -> None:
    machine, syncs = Machine(), SlowSyncs()
    rig = machine.start(syncs=syncs)
    rig.open()
    rig.grow(3)
    syncs.finish()
    syncs.hurry = True
    rig.end()
    rig.stop()
    (segment,) = [one for one in judged(machine.recordings) if isinstance(one, Segment)]
    assert segment.duration_ms == 3 * FRAGMENT_MS
    assert segment.bytes == written(machine)


def test_a_sync_that_fails_behind_ends_the_file_where_the_disk_was_sure() -> None:
    machine, syncs = Machine(), SlowSyncs()
    rig = machine.start(syncs=syncs)
    rig.open()
    syncs.finish()
    rig.grow(2)
    machine.recordings.failing = frozenset({"sync"})
    syncs.finish()
    rig.grow(1)
    assert rig.writer.broken is GapReason.DISK_FAILED
    machine.recordings.failing = frozenset()
    syncs.hurry = True
    rig.wait(2_000)
    rig.stop()
    ended = [one for one in judged(machine.recordings) if isinstance(one, Segment)]
    assert [one.ending for one in ended] == [Ending.DISK]
    assert ended[0].duration_ms == 0


@pytest.mark.parametrize("fragments", [1, 5])
def test_a_stop_waits_for_what_is_under_way(fragments: int) -> None:
    machine, syncs = Machine(), SlowSyncs()
    rig = machine.start(syncs=syncs)
    rig.open()
    rig.grow(fragments)
    syncs.finish()
    syncs.hurry = True
    rig.stop()
    (segment,) = [one for one in judged(machine.recordings) if isinstance(one, Segment)]
    assert (segment.duration_ms, segment.ending) == (fragments * FRAGMENT_MS, Ending.STOPPED)
