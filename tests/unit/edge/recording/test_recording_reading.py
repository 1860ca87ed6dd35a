"""How a reader pauses, and what it makes of a connection that failed."""

import errno

import pytest
from av.error import (
    ExitError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPUnauthorizedError,
    InvalidDataError,
)
from av.error import TimeoutError as AvTimeoutError

from contracts.devices import CameraConfig, Named, StreamConfig
from contracts.evidence.entries import GapReason
from contracts.observations import CameraState
from edge.capture.connect import failure_of
from edge.capture.gathering import BEHIND_GATHERS, Gathering
from edge.capture.link import Failure, gap_reason
from edge.capture.reader import StreamSource
from runtime.clock import SimulatedClock

GATHER_MS = 150


def test_it_pauses_when_it_had_to_wait_or_has_the_newest_picture() -> None:
    gathering = Gathering(GATHER_MS)
    assert gathering.after_picture_ms(10_000, waited_ms=20, due_ms=0) == GATHER_MS
    # Four pictures waited; the newest of them has come just now.
    pauses = [
        gathering.after_picture_ms(10_170, waited_ms=0, due_ms=due) for due in (40, 80, 120, 160)
    ]
    assert pauses == [0, 0, 0, GATHER_MS]
    assert gathering.after_sound_ms(waited_ms=0) == 0
    assert gathering.after_sound_ms(waited_ms=3) == GATHER_MS


def test_what_piled_up_before_the_first_read_is_read_without_a_pause() -> None:
    gathering = Gathering(GATHER_MS)
    backlog = [
        gathering.after_picture_ms(10_000, waited_ms=0, due_ms=due) for due in range(0, 520, 40)
    ]
    assert set(backlog) == {0}
    assert gathering.after_sound_ms(waited_ms=0) == 0
    assert gathering.after_picture_ms(10_020, waited_ms=20, due_ms=520) == GATHER_MS
    # A picture half a second late is no longer the promptest.
    assert gathering.after_picture_ms(10_540, waited_ms=0, due_ms=560) == 0


def test_a_reader_that_fell_behind_does_not_pause_though_every_read_is_slow() -> None:
    gathering = Gathering(GATHER_MS)
    gathering.after_picture_ms(10_000, waited_ms=5, due_ms=0)
    late_ms = BEHIND_GATHERS * GATHER_MS + 10
    assert gathering.after_picture_ms(10_040 + late_ms, waited_ms=50, due_ms=40) == 0
    assert gathering.after_sound_ms(waited_ms=50) == 0
    assert gathering.after_picture_ms(10_080 + 250, waited_ms=50, due_ms=80) == GATHER_MS


def test_a_stream_that_jumped_back_is_not_behind_for_ever() -> None:
    gathering = Gathering(GATHER_MS)
    pauses = [
        gathering.after_picture_ms(now, waited_ms=20, due_ms=now - (5_000 if now >= 5_000 else 0))
        for now in range(0, 40_000, 40)
    ]
    assert pauses[124] == GATHER_MS
    assert pauses[126] == 0
    assert set(pauses[-100:]) == {GATHER_MS}


@pytest.mark.parametrize(
    ("error", "failure", "words"),
    [
        (HTTPUnauthorizedError(1, "Server returned 401"), Failure.DENIED, "refuses our user name"),
        (HTTPForbiddenError(1, "Server returned 403"), Failure.DENIED, "refuses our user name"),
        (HTTPNotFoundError(1, "Server returned 404"), Failure.MISSING, "knows no such stream"),
        (ExitError(1, "Immediate exit requested"), Failure.SILENT, "no answer in time"),
        (AvTimeoutError(errno.ETIMEDOUT, "timed out"), Failure.SILENT, "no answer in time"),
        (InvalidDataError(1, "Invalid data"), Failure.REFUSED, "Invalid data"),
        (LookupError("the source has no video stream"), Failure.REFUSED, "no video stream"),
        (OSError("nobody knows the address"), Failure.REFUSED, "nobody knows"),
    ],
)
def test_why_a_connection_failed(
    error: FFmpegError | LookupError | OSError, failure: Failure, words: str
) -> None:
    found, said = failure_of(error)
    assert found is failure
    assert words in said


@pytest.mark.parametrize(
    ("state", "failure", "reason"),
    [
        (CameraState.LIVE, None, None),
        (CameraState.STARTING, None, None),
        (CameraState.FROZEN, None, GapReason.CAMERA_SILENT),
        (CameraState.FROZEN, Failure.SILENT, GapReason.CAMERA_SILENT),
        (CameraState.OFFLINE, Failure.REFUSED, GapReason.CAMERA_OFFLINE),
        (CameraState.OFFLINE, Failure.MISSING, GapReason.CAMERA_OFFLINE),
        (CameraState.OFFLINE, Failure.DENIED, GapReason.CAMERA_REFUSED),
    ],
)
def test_what_gap_a_state_makes(
    state: CameraState, failure: Failure | None, reason: GapReason | None
) -> None:
    assert gap_reason(state, failure) is reason


@pytest.mark.parametrize(
    ("url", "transport", "pause_ms"),
    [
        ("rtsp://127.0.0.1/x", "tcp", GATHER_MS),
        ("rtsps://127.0.0.1/x", "udp", GATHER_MS),
        ("rtsp://127.0.0.1/x", "udp", 0),  # the kernel's buffer for datagrams is small
        ("file:///clip.mp4", "tcp", 0),
        ("v4l2:///dev/video0", "tcp", 0),
    ],
)
def test_packets_gather_only_where_the_kernel_keeps_them(
    url: str, transport: str, pause_ms: int
) -> None:
    camera = CameraConfig.model_validate(
        {
            "kind": "camera",
            "id": "cam-1",
            "area": "room-1",
            "name": Named(zh="摄像机", en="Camera"),
            "main": StreamConfig(url=url, width=320, height=240, fps=25),
            "transport": transport,
        }
    )
    clock = SimulatedClock()
    source = StreamSource.of(camera, "main", lambda: None, clock, gather_ms=GATHER_MS)
    assert source.pause_ms(url) == pause_ms
