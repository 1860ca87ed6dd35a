"""Shows how much of a cut or damaged MP4 counts as whole, and that a real disk keeps its folder."""

import errno
import io
import itertools
import os
import stat
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence.entries import At, Ending, GapReason
from contracts.units import MonoMs, UtcMs
from edge.core.people import Instant
from edge.core.recording import FragmentMade, SealTracks, SegmentEnded, SegmentOpened
from edge.evidence import gaps
from edge.evidence.disk import Disk, Kind, LocalDisk, gap_reason, parts_of, write_whole
from edge.evidence.fragments import Whole, whole_part
from edge.evidence.gaps import Cause, Gaps, Piece, Source
from edge.evidence.keys import NodeKeys
from edge.evidence.manifest import Chain
from edge.evidence.segments import TrackQueue, TrackWriter
from runtime.clock import SimulatedClock
from tests.fakes.disk import MemoryDisk
from tests.fakes.track_rig import MEDIA, TRACK, fragment, head, judged

FILE = head() + b"".join(fragment(index) for index in range(4))
ENDS = [len(head()) + sum(len(fragment(index)) for index in range(count)) for count in range(5)]


def whole(content: bytes) -> Whole:
    return whole_part(lambda offset, size: content[offset : offset + size], len(content))


# Fragments.


def test_a_file_cut_at_any_byte_ends_at_its_last_whole_fragment() -> None:
    for cut in range(len(FILE) + 1):
        found = whole(FILE[:cut])
        expected = max((end for end in ENDS if end <= cut), default=0)
        fragments = max(ENDS.index(expected), 0) if expected else 0
        assert (found.bytes, found.fragments) == (expected, fragments), cut
        assert found.duration_ms == 500 * fragments
        assert found.video_packets == 5 * fragments


@given(st.integers(0, len(FILE)), st.binary(max_size=200))
def test_whatever_follows_the_cut_what_is_whole_before_it_counts(cut: int, after: bytes) -> None:
    expected = max((end for end in ENDS if end <= cut), default=0)
    found = whole(FILE[:cut] + after)
    assert found.bytes >= expected
    assert found.bytes <= cut + len(after)


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_a_flipped_byte_never_breaks_the_reader(at: int, flip: int) -> None:
    content = bytearray(FILE)
    content[at] ^= flip
    found = whole(bytes(content))
    assert 0 <= found.bytes <= len(FILE)
    before = max((end for end in ENDS if end <= at), default=0)
    assert found.bytes >= before


@given(st.binary(max_size=400))
def test_noise_is_no_recording(noise: bytes) -> None:
    assert whole(noise).fragments == 0


def test_zeros_that_a_power_cut_left_are_cut_off() -> None:
    found = whole(FILE + bytes(4_096))
    assert (found.bytes, found.fragments) == (len(FILE), 4)


def test_a_fragment_whose_samples_do_not_fit_its_data_is_not_whole() -> None:
    last = fragment(4)
    short = last[:-8]
    data = last.index(b"mdat") - 4
    size = int.from_bytes(last[data : data + 4], "big") - 8
    damaged = short[:data] + size.to_bytes(4, "big") + short[data + 4 :]
    assert whole(FILE + damaged).bytes == len(FILE)


def encoded(audio: bool) -> bytes:
    """Two seconds as libavformat fragments them."""
    output = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"}
    with av.open(output, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=16_000) if audio else None
        for index in range(20):
            frame = av.VideoFrame.from_ndarray(
                np.full((48, 64, 3), index * 10, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
            if sound is not None:
                samples = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1_600), np.float32), format="fltp", layout="mono"
                )
                samples.sample_rate, samples.pts = 16_000, index * 1_600
                samples.time_base = Fraction(1, 16_000)
                container.mux(sound.encode(samples))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return output.getvalue()


@pytest.mark.parametrize("audio", [False, True])
def test_what_libavformat_writes_is_understood(audio: bool) -> None:
    found = whole(encoded(audio))
    assert found.video_packets == 20
    assert found.duration_ms == pytest.approx(2_000, abs=150)
    assert (found.media.video, found.media.width, found.media.height) == ("h264", 64, 48)
    assert found.media.audio == ("aac" if audio else None)
    assert found.media.rate_hz == (16_000 if audio else None)
    assert (found.audio_packets > 0) is audio


# Gaps.


def at(ms: int, boot: str = "a") -> At:
    return At(utc_ms=UtcMs(1_000_000 + ms), mono_ms=MonoMs(ms), boot_id=boot)


CAUSES = st.builds(
    Cause, st.sampled_from(Source), st.sampled_from([GapReason.CAMERA_OFFLINE, GapReason.DISK_FULL])
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["began", "over", "recorded", "due"]), CAUSES, st.integers(0, 90_000)
    ),
    max_size=40,
)


@given(STEPS)
def test_pieces_follow_one_another_and_cover_all_time_without_media(
    steps: list[tuple[str, Cause, int]],
) -> None:
    state, now, silent_since = Gaps(), 0, None
    told: list[Piece] = []
    expected_ms = 0
    for what, cause, wait_ms in steps:
        now += wait_ms
        if what == "began":
            state, pieces = gaps.began(state, cause, at(now))
            silent_since = now if silent_since is None else silent_since
        elif what == "over":
            state, pieces = gaps.over(state, cause.source, at(now))
        elif what == "due":
            state, pieces = gaps.due(state, at(now))
        else:
            state, pieces = gaps.recorded(state, at(now))
            expected_ms += now - silent_since if silent_since is not None else 0
            silent_since = None
            assert all(piece.ended for piece in pieces)
        told += pieces
    state, pieces = gaps.recorded(state, at(now))
    told += pieces
    expected_ms += now - silent_since if silent_since is not None else 0
    assert sum(gaps.elapsed_ms(piece.start, piece.end) for piece in told) == expected_ms
    for before, after in itertools.pairwise(told):
        assert after.start.mono_ms >= before.end.mono_ms
        assert before.ended or after.start == before.end
    assert not told or told[-1].ended


def test_a_gap_over_two_boots_is_measured_by_utc() -> None:
    assert gaps.elapsed_ms(at(1_000, "a"), at(5_000, "b")) == 4_000
    assert gaps.elapsed_ms(at(5_000, "a"), at(1_000, "b")) == 0
    assert gaps.later(at(5_000, "a"), at(1_000, "b")) == at(1_000, "b")


# A real disk.


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/passwd", "a//b", ".", "a/./b", "a\0b", "/".join("a" * 9)]
)
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    disk = LocalDisk(tmp_path / "root")
    with pytest.raises(PermissionError, match="leads out"):
        disk.create(path)
    with pytest.raises(PermissionError):
        parts_of(path)


def test_no_link_is_followed(tmp_path: Path) -> None:
    disk = LocalDisk(tmp_path / "root")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"theirs")
    (tmp_path / "root" / "folder").symlink_to(outside)
    (tmp_path / "root" / "file").symlink_to(outside / "file")
    for ask in (disk.read, disk.append, disk.create):
        for path in ("folder/file", "file"):
            with pytest.raises(OSError, match=r"link|exists"):
                ask(path)
    with pytest.raises(NotADirectoryError):
        disk.make_folder("folder")
    assert {item.name: item.kind for item in disk.names("")} == {
        "folder": Kind.OTHER,
        "file": Kind.OTHER,
    }
    assert (outside / "file").read_bytes() == b"theirs"


def test_a_pipe_in_place_of_a_file_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"regular|device"):
        LocalDisk(tmp_path).append("pipe")


def both(tmp_path: Path) -> list[Disk]:
    return [LocalDisk(tmp_path / "root"), MemoryDisk()]


def test_the_fake_disk_does_what_the_real_one_does(tmp_path: Path) -> None:
    seen = []
    for disk in both(tmp_path):
        steps: list[object] = [disk.make_folder("t"), disk.make_folder("t")]
        file = disk.create("t/a")
        file.write(b"hello ")
        file.write(b"world")
        file.sync_data()
        file.truncate(8)
        file.sync()
        file.close()
        more = disk.append("t/a")
        more.write(b"!")
        more.close()
        steps += [disk.read("t/a"), disk.read("t/a", 2, 3), disk.read("t/a", 8), disk.size("t/a")]
        write_whole(disk, "t/b", b"1", private=True)
        write_whole(disk, "t/b", b"22", private=True)
        steps += [disk.read("t/b"), stat.S_IMODE(disk.mode("t/b")), disk.names("t")]
        disk.rename("t/b", "t/a")
        disk.sync_folder("t")
        disk.sync_folder("")
        steps += [disk.read("t/a"), disk.names("t"), disk.names("absent"), disk.unlink("t/a")]
        steps += [disk.unlink("t/a"), disk.unlink("absent/a"), disk.space().total_bytes > 0]
        for ask, path in ((disk.read, "t/absent"), (disk.size, "t/absent")):
            with pytest.raises(FileNotFoundError):
                ask(path)
        for ask_file in (disk.append, disk.create):
            with pytest.raises(FileNotFoundError):
                ask_file("absent/x")
        disk.create("t/a").close()
        with pytest.raises(FileExistsError):
            disk.create("t/a")
        seen.append(steps)
    assert seen[0] == seen[1]


def test_errors_of_a_disk_have_their_gap() -> None:
    assert gap_reason(OSError(errno.ENOSPC, "")) is GapReason.DISK_FULL
    assert gap_reason(OSError(errno.EDQUOT, "")) is GapReason.DISK_FULL
    assert gap_reason(OSError(errno.EROFS, "")) is GapReason.DISK_READ_ONLY
    assert gap_reason(OSError(errno.EIO, "")) is GapReason.DISK_FAILED
    assert gap_reason(OSError("odd")) is GapReason.DISK_FAILED


def test_on_a_real_disk_marks_and_segments_from_two_threads_make_one_chain(tmp_path: Path) -> None:
    disk, clock = LocalDisk(tmp_path / "recordings"), SimulatedClock()
    chain = Chain(
        disk,
        site="site",
        node="node",
        track=TRACK,
        keys=NodeKeys(LocalDisk(tmp_path / "keys"), disk),
        clock=clock,
        version="test",
    )
    queue = TrackQueue(max_bytes=10_000_000)
    writer = TrackWriter(disk=disk, chain=chain, queue=queue, clock=clock)
    writer.work()

    def mark() -> None:
        for number in range(20):
            order = SealTracks(room_id="room", session_id=f"s-{number}", admitted=1, keep_days=1)
            chain.perform(f"r-{number}", order)

    thread = threading.Thread(target=mark)
    thread.start()
    now = Instant(clock.mono_ms(), clock.utc_ms())
    for _ in range(20):
        queue.offer(SegmentOpened(now, MEDIA, head()))
        queue.offer(FragmentMade(fragment(0), 0, 5, 0, now))
        queue.offer(SegmentEnded(Ending.FULL))
        writer.work()
    thread.join()
    writer.finish()
    copy = MemoryDisk()
    for path in sorted((tmp_path / "recordings").rglob("*")):
        if path.is_file():
            copy.put(str(path.relative_to(tmp_path / "recordings")), path.read_bytes())
    kinds = [entry.kind for entry in judged(copy)]
    assert (kinds.count("seal"), kinds.count("segment"), len(kinds)) == (20, 20, 42)
