"""The recorder's process before a real camera: records, is asked, dies, stalls, stops in order."""

import asyncio
import hashlib
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import av

from contracts.evidence.entries import Changed, Ending, GapReason, Opened, Sealed, Segment
from contracts.observations import RecordingState
from edge.core.recording import SealTracks
from tests.fakes.edge_site import CAMERA, FPS
from tests.fakes.waiting import elapsed_s, until
from tests.integration.edge_recorder.conftest import WITHIN_S, CameraProcess, RecorderUnderTest

SEAL = SealTracks(room_id="room-1", session_id="s-1", admitted=5, keep_days=10)


def file_of(recorder: RecorderUnderTest, segment: Segment) -> Path:
    found = list((recorder.data_dir / "recordings" / CAMERA).glob(f"*/{segment.file}"))
    assert len(found) == 1
    return found[0]


async def test_it_records_is_sealed_killed_and_goes_on_where_it_was(
    recorder: RecorderUnderTest,
) -> None:
    await recorder.start()
    await recorder.recording()
    reply = await recorder.client.request(SEAL, "c-1")
    assert [one.track_id for one in reply.written] == [CAMERA]
    assert len(recorder.of(Sealed)) == 1

    def has_grown() -> bool:
        track = recorder.track()
        return track is not None and track.video_packets >= 2 * FPS

    await until(has_grown, within_s=WITHIN_S, what="two seconds are recorded")
    await recorder.kill()
    await until(lambda: not recorder.client.connected, what="the client sees it go")

    await recorder.start()
    await recorder.recording()
    assert await recorder.client.request(SEAL, "c-1") == reply  # done once, over a restart too
    assert len(recorder.of(Sealed)) == 1
    recovered = [one for one in recorder.of(Segment) if isinstance(one, Segment)]
    assert [one.ending for one in recovered] == [Ending.RECOVERED]
    data = file_of(recorder, recovered[0]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == recovered[0].sha256
    assert recovered[0].video_packets >= FPS  # of two seconds at the most one is lost
    with av.open(str(file_of(recorder, recovered[0]))) as film:
        assert sum(1 for _ in film.decode(video=0)) == recovered[0].video_packets
    crash = next(gap for gap in recorder.gaps() if gap.reason is GapReason.RECORDER_CRASHED)
    assert crash.start.utc_ms == recovered[0].start.utc_ms + recovered[0].duration_ms
    assert len(recorder.of(Opened)) == 2

    began_s = elapsed_s()
    assert await recorder.stop() == 0
    assert elapsed_s(began_s) < 3.0
    *_, last_file, last = recorder.entries()
    assert isinstance(last_file, Segment)
    assert last_file.ending is Ending.STOPPED
    assert isinstance(last, Changed)
    assert last.what == "stopped"
    recorder.check_chain()


async def test_a_camera_stopped_dead_is_a_gap_in_status_and_chain(
    recorder: RecorderUnderTest, camera: CameraProcess
) -> None:
    await recorder.start()
    await recorder.recording()
    camera.freeze()

    def silent() -> bool:
        track = recorder.track()
        return track is not None and track.reason is GapReason.CAMERA_SILENT

    await until(silent, within_s=WITHIN_S, what="the status says so")
    assert recorder.state() is RecordingState.GAP
    await until(
        lambda: any(isinstance(one, Segment) for one in recorder.entries()),
        what="what came before is closed and entered",
    )
    camera.wake()
    await recorder.recording()
    await until(
        lambda: any(gap.ended for gap in recorder.gaps()), what="the gap is told to its end"
    )
    reasons = [gap.reason for gap in recorder.gaps()]
    assert GapReason.CAMERA_SILENT in reasons
    assert await recorder.stop() == 0
    recorder.check_chain()


async def test_a_second_recorder_is_told_that_there_is_one(recorder: RecorderUnderTest) -> None:
    await recorder.start()
    await until(lambda: recorder.client.connected, within_s=WITHIN_S, what="it runs")
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.recorder", "--config", str(recorder.file)), stderr=PIPE
    )
    _, said = await second.communicate()
    assert second.returncode == 1
    assert b"another recorder works with" in said
    assert b"Traceback" not in said
    assert recorder.client.connected
