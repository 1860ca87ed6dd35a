"""What a stream really sends is measured, and whose word on a camera's time goes before."""

import struct
from dataclasses import dataclass, field
from typing import Any, cast

from contracts.devices import CameraConfig
from contracts.units import CameraId, MonoMs, UtcMs
from edge.capture.onvif_profiles import OnvifLost, OnvifReason
from edge.capture.packets import OpenedLink
from edge.capture.stream_meter import StreamMeter
from edge.core.people import Instant
from edge.core.streams import ClockSource, StreamSeen
from edge.stream_watch import StreamWatch, WatchedStream
from runtime.clock import Clock, SimulatedClock

START_UTC_MS = 1_767_232_800_000


def at(ms: int) -> Instant:
    return Instant(MonoMs(1_000_000 + ms), UtcMs(START_UTC_MS + ms))


@dataclass
class Codec:
    name: str = "h264"
    width: int = 0
    height: int = 0


@dataclass
class Video:
    codec_context: Codec
    index: int = 0


@dataclass
class FakePacket:
    """A packet with or without the sender's time, in microseconds."""

    stream_index: int = 0
    told_us: int | None = None

    def has_sidedata(self, kind: str) -> bool:
        return kind == "prft" and self.told_us is not None

    def get_sidedata(self, kind: str) -> bytes:
        assert self.told_us is not None
        return struct.pack("=qi", self.told_us, 24)


def opened(meter: StreamMeter, codec: Codec) -> None:
    meter.opened(OpenedLink(cast("Any", Video(codec)), None))


def fed(meter: StreamMeter, packet: FakePacket, ms: int) -> None:
    meter.take(cast("Any", packet), at(ms))


def test_rate_and_size_are_what_came() -> None:
    meter, codec = StreamMeter(CameraId("cam-1")), Codec("hevc")
    assert meter.seen(at(0)) == StreamSeen(CameraId("cam-1"), at(0))
    opened(meter, codec)
    for number in range(100):
        fed(meter, FakePacket(), 100 * number)
        fed(meter, FakePacket(stream_index=1), 100 * number)  # sound is no picture
    early = meter.seen(at(9_900))
    assert (early.codec, early.width_px, early.fps) == ("h265", None, 10.2)
    codec.width, codec.height = 640, 360  # known when the first picture was decoded
    assert meter.seen(at(9_900)).width_px == 640
    assert meter.seen(at(14_900)).fps == 0.2
    meter.closed()
    assert meter.seen(at(15_000)).fps is None
    assert meter.seen(at(15_000)).codec is None


def test_no_rate_is_told_before_it_can_be_measured() -> None:
    meter = StreamMeter(CameraId("cam-1"))
    opened(meter, Codec())
    for number in range(10):
        fed(meter, FakePacket(), 200 * number)
    assert meter.seen(at(2_000)).fps is None


def test_the_senders_time_is_compared_with_ours() -> None:
    meter = StreamMeter(CameraId("cam-1"))
    opened(meter, Codec())
    fed(meter, FakePacket(told_us=(START_UTC_MS + 1_000 + 65_000) * 1000), 1_000)
    clock = meter.seen(at(1_000)).clock
    assert clock is not None
    assert (clock.offset_ms, clock.source) == (65_000, ClockSource.RTCP)


def test_seconds_since_power_on_are_no_time() -> None:
    meter = StreamMeter(CameraId("cam-1"))
    opened(meter, Codec())
    fed(meter, FakePacket(told_us=3_600 * 1_000_000), 1_000)
    assert meter.seen(at(1_000)).clock is None


@dataclass
class Room:
    told: list[StreamSeen] = field(default_factory=list)

    async def take(self, given: StreamSeen) -> bool:
        self.told.append(given)
        return True


def camera(*, onvif: bool) -> CameraConfig:
    source: dict[str, object] = {"onvif": {"host": "192.0.2.7"}} if onvif else {}
    stream: dict[str, object] = {"width": 640, "height": 360, "fps": 5}
    if not onvif:
        stream["url"] = "rtsp://192.0.2.7/main"
    return CameraConfig.model_validate(
        {
            "kind": "camera",
            "id": "cam-1",
            "area": "room-1",
            "name": {"zh": "机", "en": "Cam"},
            "main": stream,
            **source,
        }
    )


def watch(
    clock: SimulatedClock, answers: list[int | OnvifLost], *, onvif: bool = True
) -> tuple[StreamWatch, WatchedStream]:
    async def ask(config: CameraConfig, pair: tuple[str, str] | None, clock: Clock) -> int | None:
        answer = answers.pop(0)
        if isinstance(answer, OnvifLost):
            raise answer
        return answer

    room = Room()
    meter = StreamMeter(CameraId("cam-1"))
    opened(meter, Codec())
    meter.take(cast("Any", FakePacket(told_us=(clock.utc_ms() + 200) * 1000)),
               Instant(clock.mono_ms(), clock.utc_ms()))  # fmt: skip
    stream = WatchedStream(camera(onvif=onvif), lambda: None, meter, room)
    return StreamWatch((stream,), clock, ask=ask), stream


async def test_the_devices_own_word_goes_before_its_stream() -> None:
    clock = SimulatedClock()
    lost = OnvifLost(OnvifReason.NO_ANSWER, "not within 5 s")
    watching, stream = watch(clock, [-90_000, lost])
    seen = watching.seen(stream).clock
    assert seen is not None
    assert seen.source is ClockSource.RTCP
    await watching.ask(stream)
    seen = watching.seen(stream).clock
    assert seen is not None
    assert (seen.offset_ms, seen.source) == (-90_000, ClockSource.ONVIF)
    await watching.ask(stream)  # it does not answer: what it said stands, with its time
    assert watching.seen(stream).clock == seen
