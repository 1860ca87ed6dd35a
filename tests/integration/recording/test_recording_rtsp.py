"""Real RTSP servers, recorded: what was sent is in the files, and what was not is a gap."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contracts.evidence.entries import Ending, GapReason
from contracts.observations import CameraState
from tests.fakes.rtsp_media import Taped, counted, first_is_key, taped, times_s
from tests.fakes.rtsp_queue import QueueFake
from tests.fakes.rtsp_servers import BadLine, launch, proxy, rtsp_server
from tests.fakes.waiting import until
from tests.integration.recording.conftest import Record, Recording

Media = Callable[..., Path]


def pictures(recording: Recording) -> int:
    return recording.recorder.facts.video_packets


def whole(queue: QueueFake) -> tuple[int, int]:
    """Pictures and sounds of all files, each checked as one that plays by itself."""
    totals = [0, 0]
    for made in queue.files:
        assert made.ended is not None
        assert first_is_key(made.data)
        found = counted(made.data)
        assert found == (made.video_packets, made.audio_packets)
        totals = [total + one for total, one in zip(totals, found, strict=True)]
    return totals[0], totals[1]


@pytest.mark.parametrize(
    ("codec", "sound", "transport"),
    [
        ("h264", "aac", "tcp"),
        ("h264", "aac", "udp"),
        ("h265", "opus", "tcp"),
        ("h265", None, "udp"),
        ("h264", "pcma", "tcp"),
        ("h264", "pcmu", "udp"),
    ],
)
async def test_what_is_sent_is_in_files_that_play(
    record: Record, media: Media, codec: str, sound: str | None, transport: str
) -> None:
    mounts = {"/cam": launch(media(codec, sound), codec, sound)}
    async with (
        rtsp_server(mounts) as server,
        record(server.url(), transport=transport, segment_ms=1_000) as recording,
    ):
        await until(lambda: pictures(recording) >= 60, within_s=30, what="two seconds of it")
    seen, heard = whole(recording.queue)
    assert seen == pictures(recording)
    assert (heard > 40) is (sound is not None)
    for made in recording.queue.files:
        media_facts = made.opened.media
        assert (media_facts.video, media_facts.audio) == (codec, sound)
        assert (media_facts.width, media_facts.height) == (320, 240)
        assert abs(made.duration_ms - 40 * made.video_packets) <= 45
        steps = [b - a for a, b in zip(times_s(made.data), times_s(made.data)[1:], strict=False)]
        assert all(abs(step - 0.04) < 0.02 for step in steps[1:])
    assert {made.ending for made in recording.queue.files[:-1]} <= {Ending.FULL}
    assert recording.queue.gaps == [GapReason.STARTING]
    offsets = [made.ended.sound_offset_ms for made in recording.queue.files[1:-1] if made.ended]
    assert all((offset is None) is (sound is None) for offset in offsets)
    assert all(offset is None or abs(offset) <= 60 for offset in offsets)


@pytest.mark.parametrize("kind", ["basic", "digest"])
async def test_a_password_opens_and_a_wrong_one_is_a_gap_that_says_so(
    record: Record,
    media: Media,
    kind: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    mounts = {"/cam": launch(media(), "h264", "aac")}
    auth = {"kind": kind, "user": "admin", "password": "right pass:word@1"}
    passwords = ["wrong-pass"]

    def credentials() -> tuple[str, str]:
        return "admin", passwords[0]

    async with (
        rtsp_server(mounts, auth=auth) as server,
        record(server.url(), credentials=credentials) as recording,
    ):
        await until(lambda: recording.queue.gaps, within_s=30, what="the refusal is a gap")
        passwords[0] = "right pass:word@1"
        await until(lambda: pictures(recording) > 5, within_s=30, what="pictures")
    assert recording.queue.gaps == [GapReason.CAMERA_REFUSED]
    assert not recording.queue.gap_is_open
    said = str(recording.diary.news) + str(recording.queue.items) + "".join(capfd.readouterr())
    assert not re.search(r"wrong-pass|right.pass|d3Jvbmct", said)


async def test_a_stream_that_ends_and_a_mount_that_is_missing(record: Record, media: Media) -> None:
    path = media(seconds=2.0)
    async with rtsp_server({"/cam": launch(path, "h264", "aac")}) as server:
        async with record(server.url()) as recording:
            await until(lambda: recording.reader.connections >= 2, within_s=30, what="it is back")
            await until(lambda: len(recording.queue.files) >= 2, within_s=30, what="another file")
        assert recording.queue.files[0].ending is Ending.STREAM_ENDED
        assert recording.queue.gaps[:2] == [GapReason.STARTING, GapReason.CAMERA_OFFLINE]
        async with record(server.url("/none")) as missing:
            await until(lambda: missing.queue.gaps, within_s=30, what="a gap")
        assert missing.queue.gaps == [GapReason.CAMERA_OFFLINE]
        assert missing.diary.news[0].error == "the camera knows no such stream"


async def test_a_server_that_stands_still_is_a_silent_camera_and_comes_back(
    record: Record, media: Media
) -> None:
    mounts = {"/cam": launch(media(seconds=30.0), "h264", "aac")}
    async with rtsp_server(mounts) as server, record(server.url()) as recording:
        await until(lambda: pictures(recording) >= 30, within_s=30, what="pictures")
        server.freeze()
        await until(
            lambda: recording.reader.state is CameraState.FROZEN, within_s=30, what="it is frozen"
        )
        assert recording.queue.files[-1].ending is Ending.STREAM_ENDED
        made = recording.queue.files[-1]
        server.thaw()
        await until(lambda: recording.recorder.facts.recording, within_s=20, what="it is back")
    assert GapReason.CAMERA_SILENT in recording.queue.gaps
    back = recording.queue.files[-1].opened.start.mono_ms
    gap_ms = back - made.fragments[-1].last_arrival.mono_ms
    assert gap_ms >= 2_500
    whole(recording.queue)


async def test_a_line_that_hangs_up_again_and_again_costs_gaps_and_no_file(
    record: Record, media: Media
) -> None:
    mounts = {"/cam": launch(media(seconds=30.0), "h264", "aac")}
    line = BadLine()
    async with (
        rtsp_server(mounts) as server,
        proxy(server, line) as through,
        record(through("/cam")) as recording,
    ):
        wanted = 0

        def has_another() -> bool:
            files = recording.queue.files
            return len(files) == wanted and files[-1].video_packets >= 12

        for wanted in range(1, 4):
            await until(has_another, within_s=30, what=f"file {wanted}")
            line.hang_up()
    assert whole(recording.queue)[0] == pictures(recording)
    assert recording.queue.gaps[1:3] == [GapReason.CAMERA_OFFLINE] * 2


@pytest.mark.parametrize("flips_per_mb", [300.0, 5_000.0])
async def test_a_line_with_bit_errors_is_recorded_up_to_the_damage_and_goes_on(
    record: Record, media: Media, flips_per_mb: float
) -> None:
    mounts = {"/cam": launch(media(seconds=30.0), "h264", "aac")}
    line = BadLine(seed=7)
    async with (
        rtsp_server(mounts) as server,
        proxy(server, line) as through,
        record(through("/cam"), segment_ms=1_000) as recording,
    ):
        await until(lambda: pictures(recording) >= 12, within_s=30, what="a good start")
        line.flips_per_mb = flips_per_mb
        await until(lambda: line.flipped >= 20, within_s=25, what="damage")
        line.flips_per_mb = 0.0
        before = pictures(recording)
        await until(lambda: pictures(recording) >= before + 25, within_s=25, what="it goes on")
    for made in recording.queue.files:
        assert made.data[4:8] == b"ftyp"
    with av.open(io.BytesIO(recording.queue.files[-1].data), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == recording.queue.files[-1].video_packets
    assert len(recording.queue.notes) <= 30


def elementary(tape: Taped) -> bytes:
    """A tape as an elementary stream: its parameter sets, then its units."""
    assert tape.video is not None
    sets = tape.video.codec_context.extradata or b""
    return sets + b"".join(bytes(packet) for packet in tape.packets())


async def test_another_resolution_in_mid_stream_begins_another_file(
    record: Record, tmp_path: Path
) -> None:
    halves = taped(seconds=3), taped(seconds=10, size=(640, 360))
    # Joined as one elementary stream: the sets of the second half come in mid-stream.
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(elementary(each) for each in halves))
    pipeline = (
        f"( filesrc location={path} ! h264parse config-interval=-1 ! "
        "video/x-h264,stream-format=byte-stream,alignment=au,framerate=25/1 ! "
        "rtph264pay name=pay0 pt=96 )"
    )
    async with rtsp_server({"/cam": pipeline}) as server, record(server.url()) as recording:
        await until(
            lambda: (
                len(recording.queue.files) >= 2 and recording.queue.files[-1].video_packets >= 12
            ),
            within_s=20,
            what="the second file",
        )
    first, second = recording.queue.files[:2]
    assert first.ending is Ending.STREAM_CHANGED
    assert (first.opened.media.width, second.opened.media.width) == (320, 640)
    whole(recording.queue)
    assert recording.queue.notes[0].what == "stream"


async def test_a_file_is_played_again_and_again_on_one_line_of_time(
    record: Record, media: Media
) -> None:
    path = media(seconds=2.0)
    async with record(path.as_uri(), segment_ms=1_000) as recording:
        await until(lambda: pictures(recording) >= 120, within_s=30, what="more than two rounds")
    assert recording.queue.gaps == [GapReason.STARTING]
    assert not recording.queue.notes
    assert {made.ending for made in recording.queue.files[:-1]} == {Ending.FULL}
    whole(recording.queue)


async def test_a_camera_behind_tls_is_recorded(
    record: Record, media: Media, tmp_path: Path
) -> None:
    pem = tmp_path / "camera.pem"
    pem.write_bytes(self_signed())
    mounts = {"/cam": launch(media(), "h264", "aac")}
    async with rtsp_server(mounts, tls=pem) as server:
        url = server.url().replace("rtsp:", "rtsps:")
        async with record(url, transport="udp") as recording:
            await until(lambda: pictures(recording) >= 12, within_s=30, what="pictures")
    assert whole(recording.queue)[0] == pictures(recording)


def self_signed() -> bytes:
    """Certificate and key of a camera that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private
