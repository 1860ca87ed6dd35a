"""A PyAudio module that lists what it is told and calls back when the test says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

Callback = Callable[[bytes | None, int, Mapping[str, float], int], tuple[None, int]]


@dataclass
class FakeStream:
    arguments: Mapping[str, Any]
    active: bool = True

    def is_active(self) -> bool:
        return self.active

    def block(self, *, current_s: float, captured_s: float, overflow: bool = False) -> None:
        """Deliver one block of silence, as PortAudio's thread does."""
        count = self.arguments["frames_per_buffer"]
        data = bytes(2 * count * self.arguments["channels"])
        times = {"current_time": current_s, "input_buffer_adc_time": captured_s}
        callback: Callback = self.arguments["stream_callback"]
        callback(data, count, times, 2 if overflow else 0)


class FakePortAudio(ModuleType):
    """``takes`` says which (rate, channels) the devices accept."""

    paInt16 = 8  # noqa: N815 - PyAudio's own names
    paContinue = 0  # noqa: N815 - see above
    paInputOverflow = 2  # noqa: N815 - see above

    def __init__(self, names: tuple[str, ...], takes: frozenset[tuple[int, int]]) -> None:
        super().__init__("pyaudio")
        self.names = names
        self.takes = takes
        self.streams: list[FakeStream] = []
        self.ended = 0

    def PyAudio(self) -> "FakeSession":  # noqa: N802 - PyAudio's own name
        return FakeSession(self)


@dataclass
class FakeSession:
    module: FakePortAudio
    asked: list[tuple[int, int]] = field(default_factory=list)

    def get_device_count(self) -> int:
        return len(self.module.names)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return {
            "name": self.module.names[index],
            "hostApi": 0,
            "maxInputChannels": 0 if self.module.names[index] == "speaker" else 4,
            "defaultSampleRate": 44_100.0,
            "defaultLowInputLatency": 0.012,
        }

    def get_host_api_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "ALSA"}

    def get_default_input_device_info(self) -> dict[str, Any]:
        raise OSError("No Default Input Device Available")

    def open(self, **arguments: Any) -> FakeStream:
        wanted = (arguments["rate"], arguments["channels"])
        if wanted not in self.module.takes:
            raise OSError(-9_997, "Invalid sample rate")
        stream = FakeStream(arguments)
        self.module.streams.append(stream)
        return stream

    def terminate(self) -> None:
        self.module.ended += 1
