"""Announcing chains and keeping countersignatures, on real manifests, stores and outboxes."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts import codec
from contracts.envelope import Ack
from contracts.evidence import entries as told
from contracts.evidence.entries import Witness
from contracts.evidence.lines import sign_line
from contracts.observations import EntryAppended
from contracts.units import UtcMs
from edge import announcer as announcing
from edge.announcer import Announcer, Chains, message_id
from edge.evidence.index import NewLine, RecordingIndex
from edge.recordings import line_hash
from edge.store import EdgeStore, hand_over
from edge.witnesses import FILE, WitnessBook, WitnessRefusedError
from runtime.clock import SystemClock
from runtime.outbox import Outbox
from runtime.signing import SigningKey, public_key_name
from tests.fakes.recordings import START_UTC_MS, RecordedTrack

MINUTE_MS = 60_000


@dataclass
class Desk:
    """A node's disk: recordings, index, store, outbox. ``restart`` opens all of it anew."""

    folder: Path
    index: RecordingIndex
    store: EdgeStore
    outbox: Outbox
    announcer: Announcer

    @property
    def recordings(self) -> Path:
        return self.folder / "recordings"

    def settle(self) -> None:
        for _ in range(100):
            if not self.announcer.step():
                return
        raise AssertionError("it never ends")

    def told(self) -> list[str]:
        found = []
        for row in self.outbox.pending(1_000):
            message = codec.decode(row.topic, self.outbox.payload(row, floor=1))
            assert isinstance(message, codec.Message)
            assert isinstance(message.body, EntryAppended)
            assert message.body.node_id == "edge-1"
            found.append(message.body.line)
        return found

    def acknowledge(self) -> None:
        last = self.outbox.pending(1_000)[-1].seq
        self.outbox.acknowledge(Ack(stream="edge-1", epoch=self.outbox.epoch, seq=last, by="c"))

    def close(self) -> None:
        self.index.close()
        self.store.close()
        self.outbox.close()

    def restart(self) -> "Desk":
        self.close()
        return open_desk(self.folder)


def open_desk(folder: Path) -> Desk:
    recordings = folder / "recordings"
    recordings.mkdir(exist_ok=True)
    index = RecordingIndex(folder / "recordings.sqlite3", recordings)
    store = EdgeStore(folder / "edge.sqlite3")
    outbox = Outbox(folder / "outbox.sqlite3", "edge-1", "edge-1", SystemClock())
    rooms = {"cam-1": "room-1", "cam-2": "room-1"}
    chains = Chains("demo", "edge-1", rooms, recordings / "keys")
    return Desk(folder, index, store, outbox, Announcer(chains, index, store, outbox))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path)
    yield made
    made.close()


def record(desk: Desk, lines: int, track: RecordedTrack | None = None) -> RecordedTrack:
    made = track or RecordedTrack(desk.recordings)
    for _ in range(lines):
        made.gap(START_UTC_MS + made.sequence * MINUTE_MS, 1_000, "camera_offline")
    return made


def lines_of(track: RecordedTrack) -> list[str]:
    return track.manifest.read_text("ascii").splitlines()


def test_each_line_is_announced_once_in_order_with_the_key_beside_it(desk: Desk) -> None:
    track = record(desk, 3)
    keys = desk.recordings / "keys"
    keys.mkdir()
    (keys / public_key_name(track.key.id)).write_bytes(track.key.public_pem())
    desk.settle()
    record(desk, 2, track)
    desk.settle()
    desk.settle()
    assert desk.told() == lines_of(track)
    row = desk.outbox.pending(1)[0]
    message = codec.decode(row.topic, desk.outbox.payload(row, floor=1))
    assert isinstance(message, codec.Message)
    assert isinstance(message.body, EntryAppended)
    assert message.body.public_key is not None
    assert row.key == "room-1"


def test_a_restart_tells_what_was_not_told_and_nothing_twice(desk: Desk) -> None:
    track = record(desk, 3)
    desk.settle()
    desk.acknowledge()
    record(desk, 2, track)
    desk.index.follow()  # the index has them; a crash comes before they are committed as owed
    again = desk.restart()
    again.settle()
    assert again.told() == lines_of(track)[3:]
    again.close()


def test_an_index_made_again_tells_nothing_again(desk: Desk, tmp_path: Path) -> None:
    track = record(desk, 3)
    desk.settle()
    desk.acknowledge()
    desk.close()
    for path in tmp_path.glob("recordings.sqlite3*"):
        path.unlink()
    again = open_desk(tmp_path)
    again.settle()
    assert again.told() == []
    record(again, 1, track)
    again.settle()
    assert again.told() == lines_of(track)[3:]
    again.close()


def test_a_disk_that_refuses_loses_no_line(desk: Desk) -> None:
    track = record(desk, 2)
    desk.settle()
    record(desk, 2, track)
    blocker = sqlite3.connect(desk.folder / "outbox.sqlite3", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    desk.outbox._db.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(sqlite3.OperationalError):
        desk.announcer.step()
    blocker.execute("ROLLBACK")
    blocker.close()
    record(desk, 1, track)
    desk.settle()
    again = desk.restart()  # what was committed and not handed over goes out at the next start
    hand_over(again.store, again.outbox, again.store.unsent())
    again.settle()
    assert sorted(again.told()) == sorted(lines_of(track))
    again.close()


def test_a_new_chain_on_a_new_disk_is_told_from_its_first_line(desk: Desk) -> None:
    track = record(desk, 5)
    desk.settle()
    desk.acknowledge()
    track.manifest.unlink()
    fresh = record(desk, 2)
    desk.settle()
    assert desk.told() == lines_of(fresh)


def test_a_long_absence_is_caught_up_page_by_page(desk: Desk) -> None:
    tracks = [RecordedTrack(desk.recordings, name) for name in ("cam-1", "cam-2")]
    for track in tracks:
        record(desk, announcing.PAGE + 20, track)
    steps = 1
    while desk.announcer.step():
        steps += 1
    assert steps >= 2
    assert desk.outbox.depth == 2 * (announcing.PAGE + 20)
    assert {one.sequence for one in desk.announcer.tracks.values()} == {announcing.PAGE + 20}


def test_a_track_that_is_no_longer_of_the_site_is_passed_over(desk: Desk) -> None:
    record(desk, 2, RecordedTrack(desk.recordings, "cam-9"))
    desk.settle()
    assert desk.outbox.depth == 0


def test_a_message_id_is_never_too_long() -> None:
    key = SigningKey.generate()
    entry = told.Opened(
        key=key.id,
        site="demo",
        node="edge-1",
        track="x" * 40,
        sequence=12_345_678,
        previous=told.NOTHING,
        recorded=told.At(utc_ms=UtcMs(1), mono_ms=1, boot_id="b"),  # type: ignore[arg-type] # parsed
        clock=told.ClockState(source=told.ClockSource.UNKNOWN),
        version="1",
        public_key="k",
    )
    raw = sign_line(entry, key.sign)
    made = message_id(NewLine("x" * 40, entry.sequence, raw, entry))
    assert len(made) <= 64
    assert made.startswith("x" * 40 + "-12345678-")


def witness(track: RecordedTrack, sequence: int, /, **changed: object) -> str:
    raw = lines_of(track)[sequence - 1].encode()
    key = SigningKey.generate()
    said = Witness(
        site="demo",
        node="edge-1",
        track=track.track,
        sequence=sequence,
        entry_sha256=hashlib.sha256(raw).hexdigest(),
        entry_key=track.key.id,
        witnessed_utc_ms=UtcMs(START_UTC_MS),
        key=key.id,
    ).model_copy(update=changed)
    return sign_line(said, key.sign).decode()


def book(desk: Desk) -> WitnessBook:
    return WitnessBook(
        "demo",
        "edge-1",
        desk.recordings,
        lambda track_id, sequence: line_hash(desk.index, track_id, sequence),
    )


def test_a_countersignature_is_kept_once_beside_its_manifest(desk: Desk) -> None:
    track = record(desk, 3)
    desk.settle()
    kept = book(desk)
    second, third = witness(track, 2), witness(track, 3)
    assert kept.take("cam-1", second)
    assert kept.take("cam-1", third)
    assert not kept.take("cam-1", third)
    assert not kept.take("cam-1", second)
    path = track.manifest.with_name(FILE)
    assert path.read_text("ascii").splitlines() == [second, third]
    assert kept.sequence("cam-1") == 3
    path.write_bytes(path.read_bytes() + third[:50].encode())  # a crash in mid-line
    record(desk, 1, track)
    desk.settle()
    again = book(desk)
    assert not again.take("cam-1", third)
    fourth = witness(track, 4)
    assert again.take("cam-1", fourth)
    assert path.read_text("ascii").splitlines() == [second, third, third[:50], fourth]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"entry_sha256": "0" * 64}, "another hash"),
        ({"sequence": 9}, "there is none"),
        ({"site": "elsewhere"}, "elsewhere"),
        ({"track": "cam-2"}, "cam-2"),
    ],
)
def test_a_countersignature_of_something_else_is_refused(
    desk: Desk, changed: dict[str, object], why: str
) -> None:
    track = record(desk, 3)
    desk.settle()
    with pytest.raises(WitnessRefusedError, match=why):
        book(desk).take("cam-1", witness(track, 3, **changed))
    assert not track.manifest.with_name(FILE).exists()


def test_what_is_no_countersignature_is_refused(desk: Desk) -> None:
    record(desk, 1)
    desk.settle()
    for text in ("", "{}", "é", '{"kind":"witness","signature":"AAAA"}'):
        with pytest.raises(WitnessRefusedError):
            book(desk).take("cam-1", text)
