"""A track's recorder: packets in, files and gaps out, against a queue without a disk."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import io
import itertools
from collections.abc import Iterable, Iterator

import av
import pytest
from av.packet import Packet
from av.stream import Stream

from contracts.evidence.entries import Ending, GapReason
from contracts.observations import CameraState
from edge.capture.link import LinkNews
from edge.capture.packets import PacketSink
from edge.capture.reader import LinkWatcher
from edge.core.people import Instant
from edge.core.recording import GapBegan, GapEnded, SegmentOpened
from edge.recording.boxes import BoxError, runs
from edge.recording.track import DAMAGE_NOTE_MS, TrackRecorder, TrackSettings
from runtime.clock import SimulatedClock
from tests.fakes.rtsp_media import Taped, counted, first_is_key, prefixes, taped, times_s
from tests.fakes.rtsp_queue import QueueFake

SETTINGS = TrackSettings("cam-1", segment_ms=1_000, fragment_ms=200)


class Rig:
    """A recorder with a simulated clock that is fed packets at their own pace."""

    def __init__(self, settings: TrackSettings = SETTINGS) -> None:
        self.clock = SimulatedClock()
        self.queue = QueueFake()
        self.recorder = TrackRecorder(settings, self.queue, self.clock)

    def now(self) -> Instant:
        return Instant(self.clock.mono_ms(), self.clock.utc_ms())

    def feed(self, tape: Taped, packets: Iterable[Packet[Stream]] | None = None) -> int:
        """Hand packets on when they are due; how many there were. ``opened`` was said before."""
        began, first, count = self.clock.mono_ms(), None, 0
        for packet in tape.packets() if packets is None else packets:
            stamp = packet.pts if packet.pts is not None else packet.dts
            due_ms = float((stamp or 0) * packet.time_base) * 1000
            first = due_ms if first is None else first
            ahead_ms = round(due_ms - first) - (self.clock.mono_ms() - began)
            self.clock.advance_ms(max(ahead_ms, 0))
            self.recorder.take(packet, self.now())
            count += 1
        return count

    def record(self, tape: Taped) -> int:
        self.recorder.opened(tape)
        return self.feed(tape)


def as_capture_wants_it(recorder: TrackRecorder) -> tuple[PacketSink, LinkWatcher]:
    return recorder, recorder  # for the type checker: edge.recording does not import edge.capture


def whole(queue: QueueFake) -> tuple[int, int]:
    """Pictures and sounds of all files; each is checked as a file that plays by itself."""
    pictures = sounds = 0
    for made in queue.files:
        assert made.ended is not None
        assert first_is_key(made.data)
        seen, heard = counted(made.data)
        assert (seen, heard) == (made.video_packets, made.audio_packets)
        pictures, sounds = pictures + seen, sounds + heard
    return pictures, sounds


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("sound", [None, "aac", "pcma", "pcmu", "opus"])
def test_every_packet_is_in_a_file_that_plays(codec: str, sound: str | None) -> None:
    rig, tape = Rig(), taped(seconds=3, codec=codec, sound=sound)
    count = rig.record(tape)
    rig.recorder.stop()
    pictures, sounds = whole(rig.queue)
    assert pictures == 75
    skipped = rig.recorder.facts.skipped_packets
    assert pictures + sounds + skipped == count
    assert skipped <= 2  # sound of before the first picture
    media = {made.opened.media for made in rig.queue.files}
    assert {(each.video, each.audio, each.width) for each in media} == {(codec, sound, 320)}
    assert [made.ending for made in rig.queue.files[:-1]] == [Ending.FULL] * (
        len(rig.queue.files) - 1
    )
    assert not rig.queue.notes


def test_brands_and_names_that_players_know() -> None:
    for codec, sound, brand, names in (
        ("h264", "aac", b"iso5", (b"avc1", b"mp4a")),
        ("h265", "opus", b"iso5", (b"hvc1", b"Opus")),
        ("h264", "pcma", b"qt  ", (b"avc1", b"alaw")),
        ("h265", "pcmu", b"qt  ", (b"hvc1", b"ulaw")),
    ):
        rig = Rig()
        rig.record(taped(seconds=1, codec=codec, sound=sound))
        head = rig.queue.files[0].opened.head
        assert head[8:12] == brand
        assert all(name in head for name in names)


def test_every_prefix_that_ends_on_a_fragment_plays() -> None:
    rig = Rig(TrackSettings("cam-1", segment_ms=10_000, fragment_ms=200))
    rig.record(taped(seconds=3, sound="aac"))
    rig.recorder.stop()
    (made,) = rig.queue.files
    parts = prefixes(made.opened.head, [each.data for each in made.fragments])
    assert len(parts) >= 12
    for data, fragment in zip(parts, made.fragments, strict=True):
        assert counted(data) == (fragment.video_packets, fragment.audio_packets)
        assert fragment.data[4:8] == b"moof"


def test_starts_and_durations_are_those_of_the_clock() -> None:
    rig = Rig()
    began = rig.clock.mono_ms()
    rig.record(taped(seconds=4, sound="aac"))
    rig.recorder.stop()
    files = rig.queue.files
    assert len(files) == 3  # a key frame each 480 ms
    assert files[0].opened.start.mono_ms - began <= 40
    for made, following in itertools.pairwise(files):
        end_ms = made.opened.start.mono_ms + made.duration_ms
        assert abs(following.opened.start.mono_ms - end_ms) <= 25
    assert sum(made.duration_ms for made in files) == pytest.approx(4_000, abs=25)
    lasts = [made.fragments[-1].last_arrival.mono_ms for made in files]
    assert lasts == sorted(lasts)


def test_packets_are_left_as_they_came_for_other_sinks() -> None:
    rig, tape = Rig(), taped(seconds=1, sound="aac")
    packets = tape.packets()

    def faces() -> list[object]:
        return [
            (each.pts, each.dts, each.duration, each.time_base, each.stream_index, bytes(each))
            for each in packets
        ]

    before = faces()
    rig.recorder.opened(tape)
    rig.feed(tape, packets)
    assert faces() == before


def test_pictures_out_of_order_keep_their_times() -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=10_000)), taped(seconds=2, b_frames=2)
    rig.record(tape)
    rig.recorder.stop()
    times = times_s(rig.queue.files[0].data)
    assert len(times) == 50
    steps = [b - a for a, b in itertools.pairwise(times)]
    assert all(0.0 < step <= 0.085 for step in steps)
    assert times[-1] - times[0] == pytest.approx(49 / 25, abs=0.05)


@pytest.mark.parametrize("late_ms", [-60, 0, 120])
def test_how_much_later_sound_comes_is_measured(late_ms: int) -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=60_000)), taped(seconds=4, sound="aac")
    rig.recorder.opened(tape)
    packets = tape.packets()

    def comes_ms(number: int) -> int:
        packet = packets[number]
        late = late_ms if packet.stream_index else 0
        return round((packet.pts or 0) * packet.time_base * 1000) + late

    base = rig.clock.mono_ms()
    for number in sorted(range(len(packets)), key=comes_ms):
        rig.clock.advance_ms(max(base + 100 + comes_ms(number) - rig.clock.mono_ms(), 0))
        rig.recorder.take(packets[number], rig.now())
    rig.recorder.stop()
    ended = rig.queue.files[0].ended
    assert ended is not None
    assert ended.sound_offset_ms == pytest.approx(late_ms, abs=3)


def test_a_segment_begins_with_a_key_frame_even_after_damage() -> None:
    rig, tape = Rig(), taped(seconds=3)
    packets = tape.packets()
    rig.recorder.opened(tape)
    rig.feed(tape, packets[5:20])  # begins in the middle of a group; key frames at 0, 12, 24
    rig.recorder.closed()
    rig.recorder.opened(tape)
    rig.feed(tape, packets[30:60])
    rig.recorder.stop()
    assert [made.video_packets for made in rig.queue.files] == [8, 24]
    assert all(first_is_key(made.data) for made in rig.queue.files)
    assert rig.recorder.facts.skipped_packets == 7 + 6


def test_gaps_have_their_reasons_in_order() -> None:
    rig, tape = Rig(), taped(seconds=1)
    rig.record(tape)
    last = rig.recorder.facts
    rig.recorder.closed()
    rig.clock.advance_ms(100)
    rig.recorder.link_changed(news(rig, GapReason.CAMERA_OFFLINE, "Connection refused"))
    assert rig.recorder.facts.reason is GapReason.CAMERA_OFFLINE
    rig.recorder.link_changed(news(rig, GapReason.CAMERA_REFUSED, "wrong password"))
    rig.recorder.link_changed(news(rig, GapReason.CAMERA_REFUSED, "wrong password"))
    rig.clock.advance_ms(5_000)
    rig.record(tape)
    assert rig.recorder.facts.recording
    rig.recorder.stop()
    gaps = [item for item in rig.queue.items if isinstance(item, GapBegan | GapEnded)]
    reasons = [item.reason if isinstance(item, GapBegan) else None for item in gaps]
    starting, offline, refused = (
        GapReason.STARTING,
        GapReason.CAMERA_OFFLINE,
        GapReason.CAMERA_REFUSED,
    )
    assert reasons == [starting, None, offline, refused, None]
    began, ended = gaps[2], gaps[4]
    assert isinstance(began, GapBegan)
    assert isinstance(ended, GapEnded)
    assert began.detail == "Connection refused"
    assert began.since == rig.queue.files[0].fragments[-1].last_arrival
    assert ended.at == rig.queue.files[1].opened.start
    assert last.recording
    assert [made.ending for made in rig.queue.files] == [Ending.STREAM_ENDED, Ending.STOPPED]


def test_a_hang_up_that_nobody_explained_is_a_gap_too() -> None:
    rig, tape = Rig(TrackSettings("mic-1", when_gone=GapReason.PICKUP_LOST)), taped(seconds=1)
    rig.record(tape)
    rig.recorder.closed()
    rig.record(tape)
    assert rig.queue.gaps == [GapReason.STARTING, GapReason.PICKUP_LOST]
    assert not rig.queue.gap_is_open


def test_a_silent_link_ends_the_file_at_once_and_goes_on_at_a_key_frame() -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=60_000)), taped(seconds=3)
    packets = tape.packets()
    rig.recorder.opened(tape)
    rig.feed(tape, packets[:18])
    rig.clock.advance_ms(2_500)
    rig.recorder.link_changed(news(rig, GapReason.CAMERA_SILENT, "no pictures come"))
    assert rig.queue.files[0].video_packets == 18
    rig.feed(tape, packets[18:])  # the camera woke up on the same connection
    rig.recorder.stop()
    assert [made.video_packets for made in rig.queue.files] == [18, 75 - 24]
    assert rig.queue.gaps == [GapReason.STARTING, GapReason.CAMERA_SILENT]


def news(rig: Rig, reason: GapReason, error: str) -> LinkNews:
    return LinkNews(CameraState.OFFLINE, reason, rig.now(), rig.now(), error)


def test_a_disk_that_refuses_costs_until_the_next_key_frame_after_it_is_ready() -> None:
    rig, tape = Rig(), taped(seconds=4)
    packets = tape.packets()
    rig.recorder.opened(tape)
    rig.feed(tape, packets[:30])
    rig.queue.refuse = GapReason.DISK_FULL
    rig.feed(tape, packets[30:50])
    assert not rig.recorder.facts.recording
    assert rig.queue.files[-1].ending is Ending.DISK
    assert rig.recorder.facts.reason is GapReason.DISK_FULL
    asked = rig.queue.asked_ready
    assert 1 <= asked <= 2  # at key frames alone
    rig.queue.refuse = None
    rig.feed(tape, packets[50:])
    rig.recorder.stop()
    last = rig.queue.files[-1]
    assert last.ending is Ending.STOPPED
    assert sum(made.video_packets for made in rig.queue.files) < 100
    assert all(first_is_key(made.data) for made in rig.queue.files if made.fragments)
    assert rig.queue.gaps == [GapReason.STARTING]  # the disk's side tells its own gap


def test_a_step_of_the_clock_ends_the_segment() -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=60_000)), taped(seconds=3)
    packets = tape.packets()
    rig.recorder.opened(tape)
    rig.feed(tape, packets[:30])
    rig.clock.step_utc_ms(-3_600_000)
    rig.feed(tape, packets[30:])
    rig.recorder.stop()
    assert [made.ending for made in rig.queue.files] == [Ending.TIME_JUMPED, Ending.STOPPED]
    assert not rig.queue.notes  # the recorder's process notes it in every chain
    assert whole(rig.queue) == (75, 0)


def test_time_stamps_that_jump_lose_no_picture() -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=60_000)), taped(seconds=4, sound="aac")
    packets = tape.packets()
    rig.recorder.opened(tape)
    sent = rig.feed(tape, packets[:120])
    for packet in packets[120:]:
        jump = round(7_200 / packet.time_base)
        packet.pts = (packet.pts or 0) + jump
        packet.dts = (packet.dts or 0) + jump
    sent += rig.feed(tape, packets[120:])
    rig.recorder.stop()
    assert [made.ending for made in rig.queue.files] == [Ending.TIME_JUMPED, Ending.STOPPED]
    pictures, sounds = whole(rig.queue)
    assert pictures == 100
    assert pictures + sounds + rig.recorder.facts.skipped_packets == sent
    total_ms = sum(made.duration_ms for made in rig.queue.files)
    assert total_ms == pytest.approx(4_000, abs=150)
    assert "jumped forward" in rig.queue.notes[0].after


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_another_resolution_in_mid_stream_gets_a_file_with_its_own_head(codec: str) -> None:
    rig = Rig(TrackSettings("cam-1", segment_ms=60_000))
    small, large = (taped(seconds=2, codec=codec, size=size) for size in ((320, 240), (640, 360)))
    rig.recorder.opened(small)
    rig.feed(small)
    rig.feed(small, _continued(large, small, codec))
    rig.recorder.stop()
    assert [made.ending for made in rig.queue.files] == [Ending.STREAM_CHANGED, Ending.STOPPED]
    sizes = []
    for made in rig.queue.files:
        with av.open(io.BytesIO(made.data), "r") as container:
            frames = list(container.decode(video=0))
        sizes.append((frames[-1].width, frames[-1].height))
        assert (made.opened.media.width, made.opened.media.height) == sizes[-1]
        assert len(frames) == 50
    assert sizes == [(320, 240), (640, 360)]
    (note,) = rig.queue.notes
    assert "320x240" in note.before
    assert "640x360" in note.after


def _continued(tape: Taped, before: Taped, codec: str) -> Iterator[Packet[Stream]]:
    """The packets of one tape as if they came on the stream of another, sets in front of keys."""
    assert tape.video is not None
    assert before.video is not None
    sets = tape.video.codec_context.extradata or b""
    for packet in tape.packets():
        data = bytes(packet)
        moved = Packet(sets + data if packet.is_keyframe and codec == "h264" else data)
        moved.pts = moved.dts = (packet.dts or 0) + round(2 / packet.time_base)
        moved.time_base, moved.is_keyframe = packet.time_base, packet.is_keyframe
        moved.stream = before.video
        yield moved


def test_sound_that_stopped_is_left_out_and_comes_back_in_a_new_file() -> None:
    rig, tape = Rig(), taped(seconds=6, sound="aac")
    silent = [
        each
        for each in tape.packets()
        if each.stream_index == 0 or not 1.0 <= float((each.pts or 0) * each.time_base) <= 4.2
    ]
    rig.recorder.opened(tape)
    rig.feed(tape, silent)
    rig.recorder.stop()
    heard = [made.opened.media.audio for made in rig.queue.files]
    assert heard[0] == "aac"
    assert None in heard
    assert heard[-1] == "aac"
    assert whole(rig.queue)[0] == 150
    assert {note.what for note in rig.queue.notes} == {"stream"}
    assert Ending.STREAM_CHANGED in {made.ending for made in rig.queue.files}


def test_sound_that_stops_does_not_hold_back_the_picture() -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=60_000)), taped(seconds=4, sound="aac")
    kept = [
        each
        for each in tape.packets()
        if each.stream_index == 0 or float((each.pts or 0) * each.time_base) < 1
    ]
    rig.recorder.opened(tape)
    rig.feed(tape, kept)
    made = rig.queue.files[0]
    assert made.ended is None
    assert made.duration_ms >= 2_900  # of 4 s: two fragments and what waited for sound


def test_damage_is_noted_once_a_minute_with_its_count() -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=600_000)), taped(seconds=1)
    rig.record(tape)
    for _ in range(50):
        rig.recorder.damaged("Invalid data found", rig.now())
    rig.clock.advance_ms(DAMAGE_NOTE_MS)
    rig.recorder.damaged("Invalid data found", rig.now())
    assert [note.after[:4] for note in rig.queue.notes] == ["1 x,", "50 x"]
    assert rig.recorder.facts.damaged_packets == 51
    assert rig.recorder.facts.recording


def test_a_key_frame_that_never_comes_ends_the_file_and_is_told() -> None:
    rig, tape = Rig(), taped(seconds=1)
    packets = [each for each in tape.packets() if each.pts == 0 or not each.is_keyframe]
    rig.recorder.opened(tape)
    rig.feed(tape, packets[:10])
    rig.clock.advance_ms(120_000)
    rig.recorder.take(packets[10], rig.now())
    assert rig.queue.files[0].ending is Ending.FULL
    assert rig.queue.gaps[-1] is GapReason.STREAM_DAMAGED
    assert not rig.recorder.facts.recording


def test_a_pause_for_space_records_nothing_and_comes_back() -> None:
    rig, tape = Rig(), taped(seconds=3)
    packets = tape.packets()
    rig.recorder.opened(tape)
    rig.feed(tape, packets[:30])
    rig.recorder.pause(GapReason.SPACE_SAVED)
    rig.feed(tape, packets[30:50])
    rig.recorder.closed()
    rig.recorder.link_changed(news(rig, GapReason.CAMERA_OFFLINE, "refused"))
    assert rig.queue.gaps == [GapReason.STARTING, GapReason.SPACE_SAVED]
    rig.recorder.resume()
    assert rig.queue.gaps[-1] is GapReason.CAMERA_OFFLINE
    rig.recorder.opened(tape)
    rig.feed(tape, packets[50:])
    rig.recorder.stop()
    assert not rig.queue.gap_is_open
    assert whole(rig.queue)[0] < 75


def test_raw_pictures_are_a_gap_that_says_what_to_do() -> None:
    data = io.BytesIO()
    with av.open(data, "w", format="nut") as out:
        stream = out.add_stream("rawvideo", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        frame = av.VideoFrame(32, 16, "yuv420p")
        frame.pts = 0
        out.mux(stream.encode(frame))
    rig = Rig()
    rig.record(Taped(data.getvalue(), layout="nut"))
    assert not rig.queue.files
    (began,) = (item for item in rig.queue.items if isinstance(item, GapBegan))
    assert began.reason is GapReason.STREAM_DAMAGED
    assert "set the camera to H.264" in began.detail


def test_a_track_without_pictures_is_recorded_too() -> None:
    rig, tape = (
        Rig(TrackSettings("mic-1", segment_ms=1_000, fragment_ms=200)),
        taped(seconds=3, sound="aac"),
    )
    sound = [each for each in tape.packets() if each.stream_index == 1]
    tape.video = None
    rig.recorder.opened(tape)
    rig.feed(tape, sound)
    rig.recorder.stop()
    assert len(rig.queue.files) in (3, 4)
    assert sum(made.audio_packets for made in rig.queue.files) == len(sound)
    assert sum(made.duration_ms for made in rig.queue.files) == pytest.approx(3_000, abs=60)
    assert {made.opened.media.video for made in rig.queue.files} == {None}


def test_the_start_is_when_the_first_picture_came_not_when_it_was_read() -> None:
    rig, tape = Rig(TrackSettings("cam-1", segment_ms=2_000)), taped(seconds=4)
    tape.picture_delay_ms = 40
    rig.recorder.opened(tape)
    came = []
    waiting: list[Packet[Stream]] = []
    for number, packet in enumerate(tape.packets()):
        rig.clock.advance_ms(40)
        came.append(rig.clock.mono_ms())
        waiting.append(packet)
        if number % 4 == 3:  # read four at a time
            for each in waiting:
                rig.recorder.take(each, rig.now())
            waiting.clear()
    rig.recorder.stop()
    second = next(item for item in rig.queue.items[3:] if isinstance(item, SegmentOpened))
    key = came[60]  # groups of 12 pictures; the first at or behind two seconds
    assert second.start.mono_ms == pytest.approx(key - 40, abs=5)
    assert second.start.utc_ms - second.start.mono_ms == rig.clock.utc_ms() - rig.clock.mono_ms()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x20moof",
        b"\x00\x00\x00\x04moof",
        b"\x00\x00\x00\x10moof\x00\x00\x00\x08traf"[:14],
        b"\x00\x00\x00\x18moof\x00\x00\x00\x10traf\x00\x00\x00\x08tfhd",
    ],
)
def test_what_is_no_whole_box_is_refused(data: bytes) -> None:
    with pytest.raises(BoxError):
        runs(data)
