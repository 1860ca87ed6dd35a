"""Reads what a video stream says of itself: units, parameter sets, codec name and picture size.

Sources: ITU-T H.264 (7.3.2.1, annex B), ITU-T H.265 (7.3.2.2, annex B), ISO/IEC 14496-15 (records),
RFC 6381 and ISO/IEC 14496-15 annex E (codec names).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

H264: Final = "h264"
HEVC: Final = "hevc"
UNITS_MAX: Final = 256  # of one picture; a picture of ours has a handful of slices
_HIGH_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_GOLOMB_MAX_BITS: Final = 32
_START: Final = b"\x00\x00\x01"


class StreamError(ValueError):
    """Bytes that are no parameter set of the codec; says what is wrong."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a decoder must know before the first picture."""

    codec: str
    """As a browser is asked: ``avc1.64001f``."""
    entry: bytes
    """Kind of the sample entry: ``avc1`` or ``hvc1``."""
    record: bytes
    """The whole ``avcC`` or ``hvcC`` box without its head, kind first."""
    width: int
    height: int


class _Bits:
    """Reads bits of a parameter set, first bit first."""

    def __init__(self, data: bytes) -> None:
        # Emulation prevention: 00 00 03 stands for 00 00.
        self._data = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._at = 0

    def take(self, count: int) -> int:
        end = self._at + count
        if end > 8 * len(self._data):
            raise StreamError("a parameter set ends too early")
        first, last = self._at // 8, (end + 7) // 8
        value = int.from_bytes(self._data[first:last], "big") >> (8 * last - end)
        self._at = end
        return value & ((1 << count) - 1)

    def skip(self, count: int) -> None:
        self._at += count

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _GOLOMB_MAX_BITS:
                raise StreamError("a parameter set holds an absurd number")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        value = self.unsigned()
        return (value + 1) // 2 if value % 2 else -(value // 2)


def split_units(data: bytes, length_bytes: int | None) -> list[bytes]:
    """The units of one packet: by start codes, or by lengths of ``length_bytes`` bytes.

    A unit that is cut off ends the list.
    """
    if length_bytes is None:
        return _by_start_codes(data)
    units: list[bytes] = []
    at = 0
    while at + length_bytes <= len(data) and len(units) < UNITS_MAX:
        size = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        if not size or at + size > len(data):
            break
        units.append(data[at : at + size])
        at += size
    return units


def _by_start_codes(data: bytes) -> list[bytes]:
    units: list[bytes] = []
    begin = data.find(_START)
    while begin >= 0 and len(units) < UNITS_MAX:
        begin += len(_START)
        following = data.find(_START, begin)
        # A start code may have a zero before it, which belongs to no unit.
        unit = data[begin : following if following >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            units.append(unit)
        begin = following
    return units


def unit_kind(codec: str, unit: bytes) -> int:
    """The type of a unit."""
    return unit[0] & 0x1F if codec == H264 else (unit[0] >> 1) & 0x3F


PARAMETER_KINDS: Final = {H264: frozenset({7, 8}), HEVC: frozenset({32, 33, 34})}
LEFT_OUT_KINDS: Final = {H264: frozenset({9, 12}), HEVC: frozenset({35, 38})}
"""Delimiters and filler: a container tells pictures apart without them."""


def length_bytes_of(codec: str, extradata: bytes) -> int | None:
    """How a stream with this extradata tells units apart; None: by start codes."""
    at = 4 if codec == H264 else 21
    if extradata[:1] != b"\x01" or len(extradata) <= at:
        return None
    return (extradata[at] & 3) + 1


def parameter_units(codec: str, extradata: bytes) -> list[bytes]:
    """Parameter sets out of a stream's extradata, in either form."""
    if extradata[:1] != b"\x01":
        return [
            unit
            for unit in split_units(extradata, None)
            if unit_kind(codec, unit) in PARAMETER_KINDS[codec]
        ]
    return _of_avc_record(extradata) if codec == H264 else _of_hevc_record(extradata)


def _of_avc_record(record: bytes) -> list[bytes]:
    units: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        if at >= len(record):
            break
        count = record[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            units.append(record[at + 2 : at + 2 + size])
            at += 2 + size
    return [unit for unit in units if unit]


def _of_hevc_record(record: bytes) -> list[bytes]:
    units: list[bytes] = []
    arrays = record[22] if len(record) > 22 else 0
    at = 23
    for _ in range(arrays):
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(min(count, UNITS_MAX)):
            size = int.from_bytes(record[at : at + 2], "big")
            units.append(record[at + 2 : at + 2 + size])
            at += 2 + size
    return [unit for unit in units if unit]


def config_of(codec: str, units: Sequence[bytes]) -> Config:
    """What a decoder must know, from the parameter sets among ``units``.

    Raises:
        StreamError: one is missing or damaged.
    """
    by_kind: dict[int, list[bytes]] = {}
    for unit in units:
        found = by_kind.setdefault(unit_kind(codec, unit), [])
        if unit not in found:
            found.append(unit)
    missing = PARAMETER_KINDS[codec] - by_kind.keys()
    if missing:
        raise StreamError(f"parameter sets missing: {sorted(missing)}")
    if codec == H264:
        return _avc_config(by_kind[7], by_kind[8])
    return _hevc_config(by_kind[32], by_kind[33], by_kind[34])


def _avc_config(sps: Sequence[bytes], pps: Sequence[bytes]) -> Config:
    first = sps[0]
    if len(first) < 4:
        raise StreamError("a sequence parameter set ends too early")
    width, height = _avc_size(first)
    record = bytes([1, first[1], first[2], first[3], 0xFF, 0xE0 | min(len(sps), 31)])
    record += b"".join(len(unit).to_bytes(2, "big") + unit for unit in sps[:31])
    record += bytes([min(len(pps), 255)])
    record += b"".join(len(unit).to_bytes(2, "big") + unit for unit in pps[:255])
    return Config(f"avc1.{first[1:4].hex()}", b"avc1", b"avcC" + record, width, height)


def _avc_size(sps: bytes) -> tuple[int, int]:
    bits = _Bits(sps[1:])
    profile = bits.take(8)
    bits.skip(16)
    bits.unsigned()
    chroma = 1
    if profile in _HIGH_PROFILES:
        chroma = _avc_chroma(bits)
    bits.unsigned()
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.skip(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()
    bits.unsigned()
    bits.skip(1)
    width = (bits.unsigned() + 1) * 16
    rows = bits.unsigned() + 1
    frames_only = bits.take(1)
    height = (2 - frames_only) * rows * 16
    bits.skip(1 if frames_only else 2)
    if bits.take(1):
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        across = 1 if chroma in {0, 3} else 2
        down = (2 if chroma == 1 else 1) * (2 - frames_only)
        width -= (left + right) * across
        height -= (top + bottom) * down
    return _sane(width, height)


def _avc_chroma(bits: _Bits) -> int:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.skip(1)
    bits.unsigned()
    bits.unsigned()
    bits.skip(1)
    if bits.take(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _hevc_config(vps: Sequence[bytes], sps: Sequence[bytes], pps: Sequence[bytes]) -> Config:
    general, chroma, depth, (width, height) = _hevc_facts(sps[0])
    record = b"\x01" + general + b"\xf0\x00\xfc"
    record += bytes([0xFC | chroma, 0xF8 | depth[0], 0xF8 | depth[1]])
    record += b"\x00\x00\x0f\x03"  # no constant rate; one layer, nested; lengths of four bytes
    for kind, units in ((32, vps), (33, sps), (34, pps)):
        record += bytes([0x80 | kind]) + len(units).to_bytes(2, "big")
        record += b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
    return Config(_hevc_name(general), b"hvc1", b"hvcC" + record, width, height)


def _hevc_name(general: bytes) -> str:
    space = ("", "A", "B", "C")[general[0] >> 6]
    tier = "H" if general[0] & 0x20 else "L"
    flags = int(f"{int.from_bytes(general[1:5], 'big'):032b}"[::-1], 2)
    constraints = general[5:11].rstrip(b"\x00")
    name = f"hvc1.{space}{general[0] & 0x1F}.{flags:X}.{tier}{general[11]}"
    return ".".join((name, *(f"{value:X}" for value in constraints)))


def _hevc_facts(sps: bytes) -> tuple[bytes, int, tuple[int, int], tuple[int, int]]:
    """General profile, tier and level; chroma; bit depths above 8; size."""
    bits = _Bits(sps[2:])
    bits.skip(4)
    layers = bits.take(3)
    bits.skip(1)
    general = bits.take(96).to_bytes(12, "big")
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.skip(2 * (8 - layers))
    for profile, level in present:
        bits.skip(88 * profile + 8 * level)
    bits.unsigned()
    chroma = bits.unsigned()
    if chroma == 3:
        bits.skip(1)
    width, height = bits.unsigned(), bits.unsigned()
    if bits.take(1):
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= (left + right) * (2 if chroma in {1, 2} else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1)
    depth = (min(bits.unsigned(), 7), min(bits.unsigned(), 7))
    return general, min(chroma, 3), depth, _sane(width, height)


def _sane(width: int, height: int) -> tuple[int, int]:
    if not (0 < width < 65_536 and 0 < height < 65_536):
        raise StreamError(f"a picture of {width} x {height}")
    return width, height
