"""Link states, pace, addresses, the decoder's queue: capture without a camera."""

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.devices import CameraConfig, Named, StreamConfig
from contracts.observations import CameraState
from contracts.units import MonoMs, UtcMs
from edge.capture.decoding import Decoder, Pace
from edge.capture.link import Facts, Failure, Phase, frozen_after_ms, judge
from edge.capture.rtsp import CameraLink, with_credentials
from edge.core.hearing import SoundSigns
from edge.core.people import Instant
from edge.perception.ear import Ear
from edge.perception.speech import SileroSpeech
from edge.ports import CameraEvent, Frame, Latest, LinkState
from runtime.clock import SystemClock
from tests.fakes.waiting import until
from zeroentry.composer.encode import write_clip
from zeroentry.composer.model import Scene, Script, Seat, TimedCue
from zeroentry.composer.scripts import play
from zeroentry.composer.sound import room_tone


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(ms))


LIVE, FROZEN, OFFLINE, STARTING = (
    CameraState.LIVE,
    CameraState.FROZEN,
    CameraState.OFFLINE,
    CameraState.STARTING,
)


@pytest.mark.parametrize(
    ("before", "facts", "now", "state", "since"),
    [
        (STARTING, Facts(Phase.CONNECTING, at(0)), 9_000, STARTING, 0),
        (STARTING, Facts(Phase.STREAMING, at(0)), 1_000, STARTING, 0),
        (STARTING, Facts(Phase.STREAMING, at(0)), 2_700, FROZEN, 0),
        (STARTING, Facts(Phase.STREAMING, at(0), at(900)), 1_000, LIVE, 900),
        (LIVE, Facts(Phase.STREAMING, at(0), at(900)), 3_599, LIVE, 900),
        (LIVE, Facts(Phase.STREAMING, at(0), at(900)), 3_600, FROZEN, 900),
        (FROZEN, Facts(Phase.FAILED, at(5_000), at(900), Failure.SILENT), 5_100, FROZEN, 900),
        (FROZEN, Facts(Phase.CONNECTING, at(5_000), at(900)), 9_100, FROZEN, 900),
        (FROZEN, Facts(Phase.STREAMING, at(6_000)), 6_100, FROZEN, 6_000),
        (FROZEN, Facts(Phase.FAILED, at(5_000), at(900), Failure.REFUSED), 5_100, OFFLINE, 900),
        (LIVE, Facts(Phase.FAILED, at(5_000), at(900), Failure.REFUSED), 5_100, OFFLINE, 900),
        (STARTING, Facts(Phase.FAILED, at(50), None, Failure.SILENT), 60, OFFLINE, 50),
    ],
)
def test_state_of_a_link(
    before: CameraState, facts: Facts, now: int, state: CameraState, since: int
) -> None:
    assert judge(before, facts, at(now), 2_700) == (state, at(since))


def test_a_slow_stream_may_be_silent_for_three_of_its_periods() -> None:
    assert frozen_after_ms(25) == 2_500
    assert frozen_after_ms(0.5) == 6_000


@pytest.mark.parametrize("stream_fps", [5, 6, 10, 15, 25, 30, None])
def test_pace_takes_the_wanted_share_in_spite_of_jitter(stream_fps: float | None) -> None:
    pace, rng = Pace(5, stream_fps), random.Random(1)
    fps = stream_fps or 12
    times = [round(n * 1000 / fps + rng.uniform(-15, 15)) for n in range(int(60 * fps))]
    taken = sum(pace.take(ms) for ms in times)
    assert 60 * 4.7 <= taken <= 60 * 6.01


def test_pace_goes_on_after_a_gap() -> None:
    pace = Pace(5, 25)
    assert pace.take(0)
    assert pace.take(60_000)
    assert not pace.take(60_040)


def test_credentials_are_escaped_into_the_address() -> None:
    url = with_credentials("rtsp://10.0.0.5:554/a?b=c", ("ad min", "p@ss:w/rd"))
    assert url == "rtsp://ad%20min:p%40ss%3Aw%2Frd@10.0.0.5:554/a?b=c"
    assert with_credentials("rtsp://h/x", None) == "rtsp://h/x"


def camera(url: str) -> CameraConfig:
    return CameraConfig(
        kind="camera",
        id="cam-1",
        area="room-1",
        name=Named(zh="摄像机", en="Camera"),
        main=StreamConfig(url=url, width=320, height=180, fps=10),
    )


async def run_link(config: CameraConfig, events: list[CameraEvent]) -> CameraLink:
    return CameraLink(
        config,
        lambda: None,
        SystemClock(),
        random.Random(1),
        events.append,
        Latest(asyncio.get_running_loop()),
        ear=Ear(config.id, SileroSpeech()),
    )


async def test_a_file_loops_at_its_own_rate_with_pictures_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "short clip.mp4"
    script = Script((TimedCue(0, Seat(1)),), 800)
    pictures = (frame.image for frame in play(Scene(size_px=(320, 180)), script, 10))
    write_clip(path, pictures, 10, audio=room_tone(1, 0.8, -40))
    events: list[CameraEvent] = []
    link = await run_link(camera(f"file://{str(path).replace(' ', '%20')}"), events)
    task = asyncio.create_task(link.run())
    try:
        frames = [await asyncio.wait_for(link.frames.get(), 30) for _ in range(8)]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert frames[0].rgb.shape == (180, 320, 3)
    assert frames[0].grey.shape == (180, 320)
    spread_ms = frames[-1].at.mono_ms - frames[0].at.mono_ms
    assert 1_000 <= spread_ms <= 2_600  # 7 periods of 200 ms, through the end of the clip
    states = [event.state for event in events if isinstance(event, LinkState)]
    assert states == [LIVE]
    levels = [event.level_dbfs for event in events if isinstance(event, SoundSigns)]
    assert levels
    assert -46 <= sorted(levels)[len(levels) // 2] <= -34


@pytest.mark.parametrize("url", ["file:///nowhere/none.mp4", "rtsp://127.0.0.1:1/x"])
async def test_what_cannot_be_opened_is_offline_and_its_reason_holds_no_address(url: str) -> None:
    events: list[CameraEvent] = []
    link = CameraLink(
        camera(url),
        lambda: ("admin", "hidden-password") if url.startswith("rtsp") else None,
        SystemClock(),
        random.Random(1),
        events.append,
        Latest(asyncio.get_running_loop()),
    )
    task = asyncio.create_task(link.run())
    try:
        await until(lambda: events, within_s=30, what="the link is offline")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    (state,) = events
    assert isinstance(state, LinkState)
    assert state.state is OFFLINE
    assert state.error
    assert "hidden-password" not in state.error
    assert "127.0.0.1" not in state.error


class FakePacket:
    """As much of a packet as the decoder's queue looks at."""

    def __init__(self, kind: str, *, is_key: bool = False) -> None:
        self.stream = SimpleNamespace(type=kind)
        self.is_keyframe = is_key


@pytest.fixture
async def idle_decoder() -> Decoder:
    """A decoder whose thread has ended: what is put stays in its queue."""
    slot: Latest[Frame] = Latest(asyncio.get_running_loop())
    decoder = Decoder("cam-1", slot, lambda event: None, analyse_fps=5)
    decoder.stop()
    await asyncio.to_thread(decoder._thread.join)
    return decoder


def put(decoder: Decoder, kind: str, ms: int, *, is_key: bool = False) -> None:
    packet: Any = FakePacket(kind, is_key=is_key)
    decoder.take(packet, at(ms))


async def test_a_late_decoder_leaves_out_what_a_key_frame_makes_needless(
    idle_decoder: Decoder,
) -> None:
    put(idle_decoder, "video", 0)  # no key frame yet: cannot be decoded
    put(idle_decoder, "video", 100, is_key=True)
    put(idle_decoder, "audio", 150)
    for ms in range(200, 1_000, 100):
        put(idle_decoder, "video", ms)
    put(idle_decoder, "video", 1_100, is_key=True)
    kinds = [(job.packet.stream.type, job.at.mono_ms) for job in idle_decoder._jobs]  # type: ignore[union-attr]  # jobs alone are in it
    assert kinds == [("audio", 150), ("video", 1_100)]
    assert idle_decoder.dropped_packets == 1 + 9


async def test_a_stuck_decoder_holds_a_bounded_queue_and_begins_again_at_a_key_frame(
    idle_decoder: Decoder,
) -> None:
    put(idle_decoder, "video", 0, is_key=True)
    for ms in range(1, 1_000):
        put(idle_decoder, "video", ms)
    assert len(idle_decoder._jobs) == 0
    assert idle_decoder.dropped_packets == 1_000
    put(idle_decoder, "video", 2_000, is_key=True)
    assert len(idle_decoder._jobs) == 1


async def test_latest_keeps_the_newest_and_counts_the_rest() -> None:
    slot: Latest[int] = Latest(asyncio.get_running_loop())

    def offer(values: Iterable[int]) -> None:
        for value in values:
            slot.put(value)

    await asyncio.to_thread(offer, range(1, 6))
    assert await slot.get() == 5
    assert slot.dropped == 4
