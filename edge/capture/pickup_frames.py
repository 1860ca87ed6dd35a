"""Holds the frames in which a pickup's process speaks: what it found, the sound, why there is none.

A frame is its kind (1 byte), the length of its body (4 bytes, little endian) and the body. Sound is
a fixed head and interleaved 16-bit samples; everything else is JSON.
"""

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Final

from edge.capture.pickup_devices import InputDevice, Loss

BODY_MAX_BYTES: Final = 1 << 20  # 20 ms of 32 channels at 192 kHz are 246 KB
SAMPLE_BYTES: Final = 2

_HEAD: Final = struct.Struct("<BI")
_SOUND_HEAD: Final = struct.Struct("<QqIB")


class _Kind(IntEnum):
    OPENED = 1
    SOUND = 2
    LOST = 3
    LISTED = 4


@dataclass(frozen=True, slots=True)
class Opened:
    """A device is open: its name, and how it really delivers."""

    device: str
    host_api: str
    rate_hz: int
    channels: int
    latency_us: int
    """What the driver says of its input latency; used where blocks carry no time of their own."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One block of samples. ``first`` counts sample times of the device since it was opened."""

    first: int
    captured_us: int
    """Monotonic time at which the first sample was in front of the converter."""
    overflows: int
    """How often the driver has said, since it was opened, that it lost samples."""
    timed: bool
    """The driver gave the time; if not, it is the arrival less the stated latency."""
    samples: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no sound, and why. After ``missing`` and the like the process looks again."""

    loss: Loss
    detail: str


@dataclass(frozen=True, slots=True)
class Listed:
    """All inputs of the machine."""

    devices: tuple[InputDevice, ...]


PickupFrame = Opened | Sound | Lost | Listed


class FrameError(Exception):
    """These bytes are no frames of ours; the process that sent them cannot be understood."""


def pack(frame: PickupFrame) -> bytes:
    """The bytes of one frame."""
    match frame:
        case Sound():
            head = _SOUND_HEAD.pack(frame.first, frame.captured_us, frame.overflows, frame.timed)
            return _HEAD.pack(_Kind.SOUND, len(head) + len(frame.samples)) + head + frame.samples
        case Opened():
            kind, body = _Kind.OPENED, asdict(frame)
        case Lost():
            kind, body = _Kind.LOST, asdict(frame)
        case Listed():
            kind, body = _Kind.LISTED, asdict(frame)
    text = json.dumps(body, ensure_ascii=False).encode()
    return _HEAD.pack(kind, len(text)) + text


class FrameReader:
    """Cuts a stream of bytes into frames; keeps what is not whole yet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[PickupFrame]:
        """The frames that these bytes complete.

        Raises:
            FrameError: the bytes are not frames.
        """
        self._rest += data
        frames: list[PickupFrame] = []
        while len(self._rest) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._rest)
            if length > BODY_MAX_BYTES:
                raise FrameError(f"a frame of {length} bytes; at most {BODY_MAX_BYTES}")
            end = _HEAD.size + length
            if len(self._rest) < end:
                break
            frames.append(_read(kind, self._rest[_HEAD.size : end]))
            self._rest = self._rest[end:]
        return frames


def _read(kind: int, body: bytes) -> PickupFrame:
    try:
        if kind == _Kind.SOUND:
            first, captured_us, overflows, timed = _SOUND_HEAD.unpack_from(body)
            return Sound(first, captured_us, overflows, bool(timed), body[_SOUND_HEAD.size :])
        fields = json.loads(body)
        match kind:
            case _Kind.OPENED:
                return Opened(**fields)
            case _Kind.LOST:
                return Lost(Loss(fields["loss"]), str(fields["detail"]))
            case _Kind.LISTED:
                return Listed(tuple(InputDevice(**device) for device in fields["devices"]))
    except (struct.error, ValueError, TypeError, KeyError) as error:
        raise FrameError(f"a frame of kind {kind} that cannot be read: {error}") from error
    raise FrameError(f"no frame has kind {kind}")
