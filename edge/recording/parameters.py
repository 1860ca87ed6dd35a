"""Finds the parameter sets in a key frame, and what size of picture they tell (H.264, H.265).

A file carries them once, at its head. A camera may change them in mid-stream; then a new file must
begin. Sources: ITU-T H.264 7.3.2.1, H.265 7.3.2.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

START_CODE: Final = b"\x00\x00\x01"
HEAD_BYTES: Final = 4_096  # parameter sets stand at the front of a key frame and take some 100
SET_BYTES_MAX: Final = 1_024  # of one set; more is damage
SIZE_MAX: Final = 16_384  # as StreamConfig allows
H264_HIGH: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
# Profiles whose SPS tells the chroma format.

Codec = Literal["h264", "h265"]
SetKey = tuple[int, int]
"""NAL type and id: a set of the same key replaces the one before."""


class SetError(ValueError):
    """A parameter set that cannot be read."""


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The sets that hold, each without start code; ``width`` and ``height`` of the picture."""

    sets: tuple[tuple[SetKey, bytes], ...]
    width: int
    height: int

    @property
    def head(self) -> bytes:
        """All of them as a muxer takes them: each behind a start code."""
        return b"".join(b"\x00" + START_CODE + data for _, data in self.sets)


class _Bits:
    """Reads a set bit by bit; emulation prevention bytes are taken out."""

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(plain, "big")
        self._left = 8 * len(plain)

    def take(self, count: int) -> int:
        if count > self._left:
            raise SetError("ends too early")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def number(self) -> int:
        """An Exp-Golomb number."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise SetError("a number is too long")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        code = self.number()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def is_start_coded(data: bytes) -> bool:
    """Whether units stand behind start codes (as from RTP), not behind lengths (as in a file)."""
    return data.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01"))


def units(data: bytes, *, whole: bool) -> Iterator[bytes]:
    """The units behind start codes; the last one only if ``whole`` (nothing was cut off)."""
    begin = data.find(START_CODE)
    while begin >= 0:
        begin += len(START_CODE)
        following = data.find(START_CODE, begin)
        if following < 0 and not whole:
            return
        unit = data[begin : following if following >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            yield unit
        begin = following


def adopt(
    before: ParameterSets | None, codec: Codec, data: bytes, *, whole: bool
) -> ParameterSets | None:
    """The sets that hold after a key frame's first bytes, or after a stream's declared ones.

    The same object when nothing is new; None when none are known.

    Raises:
        SetError: a set is damaged; those before stay.
    """
    known = dict(before.sets) if before is not None else {}
    new: dict[SetKey, bytes] = {}
    size: tuple[int, int] | None = None
    for unit in units(data, whole=whole):
        kind = unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F
        if kind not in _SET_KINDS[codec]:
            if _is_picture(codec, kind):
                break
            continue
        if len(unit) > SET_BYTES_MAX:
            raise SetError(f"a parameter set has {len(unit)} bytes")
        key, its_size = _read_set(codec, kind, unit)
        size = its_size or size
        if known.get(key) != unit:
            new[key] = unit
    if not new:
        return before
    if size is None and before is not None:
        size = before.width, before.height
    if size is None:
        return before
    return ParameterSets(tuple(sorted((known | new).items())), *size)


_SET_KINDS: Final[dict[Codec, frozenset[int]]] = {
    "h264": frozenset({7, 8}),
    "h265": frozenset({32, 33, 34}),
}


def _is_picture(codec: Codec, kind: int) -> bool:
    return 1 <= kind <= 5 if codec == "h264" else kind < 32


def _read_set(codec: Codec, kind: int, unit: bytes) -> tuple[SetKey, tuple[int, int] | None]:
    if codec == "h264":
        if kind == 7:
            number, size = _h264_sequence(_Bits(unit[1:]))
            return (kind, number), size
        return (kind, _Bits(unit[1:]).number()), None
    bits = _Bits(unit[2:])
    if kind == 33:
        number, size = _h265_sequence(bits)
        return (kind, number), size
    return (kind, bits.take(4) if kind == 32 else bits.number()), None


def _h264_sequence(bits: _Bits) -> tuple[int, tuple[int, int]]:
    profile = bits.take(8)
    bits.take(16)  # constraint flags, level
    number = bits.number()
    chroma, separate = 1, 0
    if profile in H264_HIGH:
        chroma = bits.number()
        separate = bits.take(1) if chroma == 3 else 0
        bits.number()
        bits.number()
        bits.take(1)
        if bits.take(1):
            _skip_scaling_lists(bits, 12 if chroma == 3 else 8)
    bits.number()
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.number(), 255)):
            bits.signed()
    bits.number()
    bits.take(1)
    width, rows = 16 * (bits.number() + 1), bits.number() + 1
    frames_only = bits.take(1)
    height = 16 * rows * (2 - frames_only)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        left, right, top, bottom = (bits.number() for _ in range(4))
        across = 1 if chroma in (0, 3) or separate else 2
        down = (2 if chroma == 1 and not separate else 1) * (2 - frames_only)
        width -= across * (left + right)
        height -= down * (top + bottom)
    return number, _sane(width, height)


def _skip_scaling_lists(bits: _Bits, count: int) -> None:
    for index in range(count):
        if not bits.take(1):
            continue
        last, following = 8, 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last


def _h265_sequence(bits: _Bits) -> tuple[int, tuple[int, int]]:
    bits.take(4)
    layers = bits.take(3)
    bits.take(1)
    bits.take(96)  # general profile, tier and level
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    number = bits.number()
    chroma = bits.number()
    if chroma == 3:
        bits.take(1)
    width, height = bits.number(), bits.number()
    if bits.take(1):
        left, right, top, bottom = (bits.number() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    return number, _sane(width, height)


def _sane(width: int, height: int) -> tuple[int, int]:
    if not (0 < width <= SIZE_MAX and 0 < height <= SIZE_MAX):
        raise SetError(f"says {width} x {height} pixels")
    return width, height
