"""A pickup in the recorder's own process: a sealed chain of its own, loud and clear, verified."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from contracts.evidence.entries import Entry, Segment, parse_entry
from tests.fakes.edge_site import ENVIRON, NODE, write_site
from tests.fakes.pulse import PulseServer, installed, loudest_hz, sine
from tests.fakes.waiting import until
from zeroentry.evidence.findings import Exit
from zeroentry.evidence.verify import Asked, verify

if not installed():
    pytest.skip("needs pulseaudio, pactl and pacat", allow_module_level=True)

WITHIN_S = 40.0
TONE_HZ = 1_000.0
NOWHERE = "rtsp://127.0.0.1:9/none"  # the site's camera is away: a pickup does not care


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[PulseServer]:
    server = PulseServer(tmp_path, {"desk_mic": "desk.monitor"})
    server.start()
    server.add_sink("desk")
    yield server
    server.stop()


def settings_of(folder: Path) -> Path:
    site = write_site(folder / "site", NOWHERE)
    pickup = {
        "kind": "pickup",
        "id": "mic-1",
        "area": "room-1",
        "name": {"zh": "拾音器", "en": "Pickup"},
        "device": "desk_mic",
    }
    (site / "pickups").mkdir(exist_ok=True)
    (site / "pickups" / "mic-1.yaml").write_text(json.dumps(pickup))
    file = folder / "edge.yaml"
    file.write_text(
        json.dumps(
            {
                "node": NODE,
                "site_dir": str(site),
                "data_dir": str(folder / "data"),
                "mqtt": {"client_id": NODE},
                "recording": {"segment_s": 60},
            }
        )
    )
    return file


def entries(folder: Path) -> list[Entry]:
    return [
        parse_entry(raw)[1]
        for path in sorted(folder.glob("mic-1/*/manifest.jsonl"))
        for raw in path.read_bytes().split(b"\n")[:-1]
    ]


async def test_a_pickup_has_a_sealed_track_of_its_own(pulse: PulseServer, tmp_path: Path) -> None:
    recordings = tmp_path / "data" / "recordings"
    recorder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.recorder", "--config", str(settings_of(tmp_path))),
        env={**pulse.environ, **ENVIRON},
        stderr=DEVNULL,
    )

    def bytes_so_far() -> int:
        return sum(path.stat().st_size for path in recordings.glob("mic-1/*/*.mp4"))

    try:
        await until(lambda: bytes_so_far() > 2_000, within_s=WITHIN_S, what="sound is recorded")
        with pulse.playing("desk", sine(TONE_HZ, -12, 3)) as player:
            await until(lambda: player.poll() is not None, within_s=WITHIN_S, what="played")
        enough = bytes_so_far() + 4_000
        await until(lambda: bytes_so_far() > enough, within_s=WITHIN_S, what="all is on disk")
    finally:
        recorder.terminate()
        assert await recorder.wait() == 0

    # A null sink shifts its own time when a player joins: then there is more than one file.
    segments = [one for one in entries(recordings) if isinstance(one, Segment)]
    assert {(one.media.audio, one.media.video) for one in segments} == {("flac", None)}
    assert all(one.sound_offset_ms is not None for one in segments)
    blocks = []
    for segment in segments:
        with av.open(str(next(recordings.glob(f"mic-1/*/{segment.file}")))) as film:
            blocks += [one.to_ndarray().reshape(-1) for one in film.decode(audio=0)]
    heard = np.concatenate(blocks)
    loud = np.flatnonzero(np.abs(heard.astype(np.int32)) > 4_000)
    tone = heard[loud[0] : loud[-1]].astype(np.int16)
    assert abs(loudest_hz(tone) - TONE_HZ) < 5
    report = verify(Asked(recordings, node_key=recordings / "keys"))
    assert report.exit is Exit.CANNOT_TELL  # nobody has countersigned; nothing is wrong
