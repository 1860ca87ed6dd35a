"""Words into a room outlive the node that sent them: a kill in mid-talk, half a file, no file."""

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.observations import VoiceKind, VoiceTold
from contracts.units import UtcMs
from edge.talk_drafts import begin, left
from edge.talks import DRAFTS, STOPPED, TalkDesk
from edge.voice_book import VoiceBook
from runtime.clock import SimulatedClock
from runtime.outbox import Outbox

SAID = np.random.default_rng(3).integers(-9_000, 9_000, 20_000).astype(np.int16)
TOLD = VoiceTold(
    voice_id="talk-1",
    kind=VoiceKind.TALK,
    room_id="room-1",
    node_id="edge-1",
    source_id="room-1-cam",
    by="sup",
    began_utc_ms=UtcMs(1_700_000_000_000),
)
KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from contracts.observations import VoiceTold
from edge.talk_drafts import begin
draft = begin(Path(sys.argv[1]), VoiceTold.model_validate_json(sys.argv[2]))
said = np.frombuffer(sys.stdin.buffer.read(), "<i2")
for start in range(0, said.size, 320):
    draft.add(said[start : start + 320])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TalkDesk]:
    clock = SimulatedClock()
    outbox = Outbox(tmp_path / "node.sqlite3", "edge-1", "edge-1", clock)
    with ThreadPoolExecutor(1) as disk:
        book = VoiceBook("demo", "edge-1", outbox, disk)
        yield TalkDesk({}, tmp_path / "talks", book, disk, clock)
    outbox.close()


def waiting(desk: TalkDesk) -> list[VoiceTold]:
    """What the outbox would send."""
    rows = desk._book.outbox._db.execute("SELECT body FROM message ORDER BY seq").fetchall()
    return [VoiceTold.model_validate_json(body) for (body,) in rows]


def decoded(flac: bytes) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    with av.open(io.BytesIO(flac), "r") as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(parts).astype(np.int16)


def test_what_was_said_before_a_kill_is_kept_and_told_at_the_next_start(
    desk: TalkDesk, tmp_path: Path
) -> None:
    folder = tmp_path / "talks" / DRAFTS
    command = (sys.executable, "-c", KILLED, str(folder), TOLD.model_dump_json())
    done = subprocess.run(command, input=SAID.astype("<i2").tobytes(), check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    desk.close_left()
    (told,) = waiting(desk)
    assert (told.voice_id, told.why, told.by) == ("talk-1", STOPPED, "sup")
    assert told.duration_ms == SAID.size * 1000 // 8_000
    assert told.ended_utc_ms == TOLD.began_utc_ms + told.duration_ms
    content = desk.read(told.sha256 or "")
    assert content is not None
    assert np.array_equal(decoded(content), SAID)
    desk.close_left()
    assert len(waiting(desk)) == 1, "closed once"
    assert list(folder.iterdir()) == []


def test_a_talk_without_a_word_is_told_without_a_file(desk: TalkDesk, tmp_path: Path) -> None:
    begin(tmp_path / "talks" / DRAFTS, TOLD).close(forget=False)
    desk.close_left()
    (told,) = waiting(desk)
    assert (told.why, told.sha256, told.ended_utc_ms) == (STOPPED, None, TOLD.began_utc_ms)


def test_a_draft_that_cannot_be_read_is_set_aside_and_not_lost(
    desk: TalkDesk, tmp_path: Path
) -> None:
    folder = tmp_path / "talks" / DRAFTS
    folder.mkdir(parents=True)
    (folder / "x.said").write_bytes(b"no line\nwords")
    desk.close_left()
    assert waiting(desk) == []
    assert (folder / "x.damaged").read_bytes() == b"no line\nwords"


@given(cut=st.integers(0, 2_000))
def test_half_a_file_gives_the_whole_samples_that_it_holds(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    draft = begin(folder, TOLD)
    draft.add(SAID[:1_000])
    draft.close(forget=False)
    head = len(TOLD.model_dump_json()) + 1
    raw = draft.path.read_bytes()
    draft.path.write_bytes(raw[: head + cut])
    ((_, told, said),) = left(folder)
    assert told == TOLD
    assert np.array_equal(said, SAID[: cut // 2])
