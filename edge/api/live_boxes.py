"""Writes fragmented MP4 of one picture a fragment, so that a browser has it without waiting.

A library's muxer holds a picture back until it knows how long it lasts, that is until the next has
come: 40 to 200 ms. Here each goes out at once, with the duration of the one before it.
Sources: ISO/IEC 14496-12 (boxes), 14496-15 (``avcC``, ``hvcC``), W3C MSE byte stream format.
"""

from typing import Final

from contracts.units import UtcMs
from edge.api.parameter_sets import Config

TIMESCALE: Final = 90_000  # as RTP counts video
TRACK: Final = 1
_NTP_EPOCH_S: Final = 2_208_988_800  # 1900 to 1970
_UNITY: Final = b"".join(
    value.to_bytes(4, "big") for value in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
)
_KEY_FLAGS: Final = 0x02000000
_OTHER_FLAGS: Final = 0x01010000  # depends on others, no sync sample
_BASE_IS_MOOF: Final = 0x020000
_TRUN_FLAGS: Final = 0x000F01  # data offset; duration, size, flags, composition offset


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, bytes([version]), flags.to_bytes(3, "big"), *parts)


def _u32(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "big") for value in values)


def _u16(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def init_segment(config: Config) -> bytes:
    """``ftyp`` and ``moov`` of a stream without an end."""
    size = _u16(config.width, 0, config.height, 0)
    mvhd = _full(
        b"mvhd", 0, 0,
        _u32(0, 0, TIMESCALE, 0, 0x10000), _u16(0x0100, 0), bytes(8), _UNITY, bytes(24), _u32(2),
    )  # fmt: skip
    tkhd = _full(b"tkhd", 0, 3, _u32(0, 0, TRACK, 0, 0), bytes(16), _UNITY, size)
    mdhd = _full(b"mdhd", 0, 0, _u32(0, 0, TIMESCALE, 0), _u16(0x55C4, 0))
    hdlr = _full(b"hdlr", 0, 0, _u32(0), b"vide", bytes(12), b"video\0")
    entry = _box(
        config.entry,
        bytes(6), _u16(1), bytes(16), _u16(config.width, config.height),
        _u32(0x480000, 0x480000, 0), _u16(1), bytes(32), _u16(0x18, 0xFFFF),
        _box(config.record[:4], config.record[4:]),
    )  # fmt: skip
    stbl = _box(
        b"stbl",
        _full(b"stsd", 0, 0, _u32(1), entry),
        _full(b"stts", 0, 0, _u32(0)),
        _full(b"stsc", 0, 0, _u32(0)),
        _full(b"stsz", 0, 0, _u32(0, 0)),
        _full(b"stco", 0, 0, _u32(0)),
    )
    minf = _box(
        b"minf",
        _full(b"vmhd", 0, 1, bytes(8)),
        _box(b"dinf", _full(b"dref", 0, 0, _u32(1), _full(b"url ", 0, 1))),
        stbl,
    )
    trak = _box(b"trak", tkhd, _box(b"mdia", mdhd, hdlr, minf))
    mvex = _box(b"mvex", _full(b"trex", 0, 0, _u32(TRACK, 1, 0, 0, 0)))
    ftyp = _box(b"ftyp", b"iso5", _u32(1), b"iso5iso6mp41")
    return ftyp + _box(b"moov", mvhd, trak, mvex)


def fragment(
    sequence: int,
    decode_time: int,
    composition_offset: int,
    duration: int,
    arrived_utc_ms: UtcMs,
    sample: bytes,
    *,
    key: bool,
) -> bytes:
    """One picture as ``prft``, ``moof`` and ``mdat``; times in ``TIMESCALE``.

    ``prft`` (producer reference time) tells when its last packet arrived here: what a player needs
    to say how far behind it is.
    """
    seconds, ms = divmod(arrived_utc_ms, 1000)
    prft = _full(
        b"prft", 1, 0,
        _u32(TRACK, seconds + _NTP_EPOCH_S & 0xFFFFFFFF, ms * (1 << 32) // 1000),
        decode_time.to_bytes(8, "big"),
    )  # fmt: skip
    moof = _moof(sequence, decode_time, composition_offset, duration, len(sample), 0, key=key)
    moof = _moof(
        sequence, decode_time, composition_offset, duration, len(sample), len(moof) + 8, key=key
    )
    return prft + moof + _box(b"mdat", sample)


def _moof(
    sequence: int,
    decode_time: int,
    composition_offset: int,
    duration: int,
    size: int,
    data_offset: int,
    *,
    key: bool,
) -> bytes:
    trun = _full(
        b"trun", 1, _TRUN_FLAGS,
        _u32(1, data_offset, duration, size, _KEY_FLAGS if key else _OTHER_FLAGS),
        composition_offset.to_bytes(4, "big", signed=True),
    )  # fmt: skip
    return _box(
        b"moof",
        _full(b"mfhd", 0, 0, _u32(sequence & 0xFFFFFFFF)),
        _box(
            b"traf",
            _full(b"tfhd", 0, _BASE_IS_MOOF, _u32(TRACK)),
            _full(b"tfdt", 1, 0, decode_time.to_bytes(8, "big")),
            trun,
        ),
    )
