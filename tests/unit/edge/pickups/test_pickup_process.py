"""What the capturing process makes of PortAudio: formats, times, losses."""

import pytest

from edge.capture.pickup_devices import InputDevice, Loss, PickupLost
from edge.capture.pickup_process import (
    QUEUE_BLOCKS_MAX,
    Capture,
    Session,
    Wanted,
    formats,
    parse,
)
from runtime.clock import SimulatedClock
from tests.fakes.pickup_portaudio import FakePortAudio

EVERY = frozenset({(48_000, 1), (48_000, 2), (44_100, 2), (48_000, 4)})


def wanted(device: str = "USB", rate_hz: int = 48_000, channels: int = 1) -> Wanted:
    return Wanted(device, None, rate_hz, channels)


def test_what_the_device_refuses_is_tried_in_another_format() -> None:
    module = FakePortAudio(("speaker", "USB mic"), frozenset({(44_100, 2)}))
    stream = Session(module, SimulatedClock()).open(wanted())
    assert (stream.opened.rate_hz, stream.opened.channels) == (44_100, 2)
    assert stream.opened.device == "USB mic"
    assert module.streams[0].arguments["frames_per_buffer"] == 2_205
    assert module.streams[0].arguments["input_device_index"] == 1


def test_a_device_that_takes_no_format_says_why() -> None:
    session = Session(FakePortAudio(("USB mic",), frozenset()), SimulatedClock())
    with pytest.raises(
        PickupLost, match="'USB mic' cannot be opened: Invalid sample rate"
    ) as caught:
        session.open(wanted())
    assert caught.value.loss is Loss.REFUSED


def test_an_input_that_the_device_does_not_have_is_refused() -> None:
    session = Session(FakePortAudio(("USB mic",), EVERY), SimulatedClock())
    with pytest.raises(PickupLost, match="has 4 inputs; 5 are needed"):
        session.open(wanted(channels=5))


def test_outputs_are_not_listed() -> None:
    session = Session(FakePortAudio(("speaker", "USB mic"), EVERY), SimulatedClock())
    assert [device.name for device in session.devices()] == ["USB mic"]
    with pytest.raises(PickupLost, match="there are 'USB mic'"):
        session.open(wanted("speaker"))
    session.end()


def test_the_second_input_is_never_asked_of_one_channel() -> None:
    device = InputDevice(0, "x", "ALSA", 44_100, 4)
    assert formats(device, wanted(rate_hz=16_000, channels=2))[:4] == [
        (16_000, 2),
        (16_000, 4),
        (44_100, 2),
        (44_100, 4),
    ]


def test_blocks_carry_the_time_at_which_they_were_captured() -> None:
    clock = SimulatedClock()
    module = FakePortAudio(("USB mic",), EVERY)
    stream = Session(module, clock).open(wanted())
    source = module.streams[0]
    start_us = clock.mono_ms() * 1000
    source.block(current_s=1e9, captured_s=1e9 - 0.050)  # PortAudio's own clock, far from ours
    clock.advance_ms(20)
    source.block(current_s=0.0, captured_s=0.0, overflow=True)  # no time: the stated latency
    clock.advance_ms(20)
    source.block(current_s=1e9, captured_s=1e9 - 1_000)  # absurd: likewise
    blocks = stream.capture.wait(0)
    assert [block.captured_us - start_us for block in blocks] == [-50_000, 8_000, 28_000]
    assert [block.timed for block in blocks] == [True, False, False]
    assert [block.first for block in blocks] == [0, 2_400, 4_800]
    assert [block.overflows for block in blocks] == [0, 1, 1]
    assert all(len(block.samples) == 4_800 for block in blocks)


def test_blocks_that_nobody_takes_are_bounded_and_leave_a_hole_in_the_count() -> None:
    capture = Capture(SimulatedClock(), 1, 0)
    times = {"current_time": 1.0, "input_buffer_adc_time": 1.0}
    for _ in range(QUEUE_BLOCKS_MAX + 3):
        capture.take(bytes(1_920), 960, times, overflow=False)
    assert len(capture.wait(0)) == QUEUE_BLOCKS_MAX
    capture.take(bytes(1_920), 960, times, overflow=False)
    assert [block.first for block in capture.wait(0)] == [(QUEUE_BLOCKS_MAX + 3) * 960]


def test_a_stream_that_portaudio_has_given_up_does_not_run() -> None:
    module = FakePortAudio(("USB mic",), EVERY)
    stream = Session(module, SimulatedClock()).open(wanted())
    assert stream.runs
    module.streams[0].active = False
    assert not stream.runs


def test_the_command_line_is_the_one_that_the_parent_writes() -> None:
    options = parse(["--device", "USB", "--rate", "16000", "--channels", "2", "--look-ms", "9"])
    assert (options.device, options.rate, options.channels) == ("USB", 16_000, 2)
    assert (options.host_api, options.look_ms, options.list) == (None, 9, False)
