"""Judges what is heard of each source, a camera's sound or a pickup, and whether it is whole."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from contracts.catalogue import RuleSpec
from contracts.catalogue.phone import PHONE_RING
from contracts.catalogue.sound import (
    LEVEL_JUMP,
    OUT_OF_SYNC,
    RAISED_VOICES,
    SOUND_CLIPPED,
    SOUND_FLAT,
    SPEECH_UNEXPECTED,
)
from contracts.observations import CameraState, Measured
from contracts.units import Bilingual, CameraId, PickupId
from edge.core import area
from edge.core.hearing import RAISED_SHARE, Flat, Heard, Interval, SourceId, earlier
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Judge, Rule, Wake
from edge.core.state import RoomState

STALE_AFTER_MS: Final = 2_000  # as pictures: what was heard longer ago says nothing about now
WINDOW_MS: Final = 100
DENSE_SHARE: Final = 0.3
# Of an interval's windows: talk is speech in most of them, a detector's slips are far apart.
RING_WINDOWS: Final = 6  # a squeak, or a held vowel, has three or four at the most
RING_SHARE: Final = 0.12  # of the time since the first: one second in five rings in China
ALONE_MS: Final = 5_000  # so long nobody was seen before a voice is somebody else's
MINUTES_PER_H: Final = 60


@dataclass(frozen=True, slots=True)
class Source:
    """One sound source of the room, by its one name."""

    camera_id: CameraId | None
    pickup_id: PickupId | None

    @property
    def id(self) -> SourceId:
        """The camera's or the pickup's."""
        return self.camera_id or self.pickup_id or ""


def sources(state: RoomState) -> Iterator[Source]:
    """Every source that the configuration declares."""
    for camera in state.setup.cameras:
        if camera.has_sound:
            yield Source(camera.camera_id, None)
    for pickup_id in state.setup.pickups:
        yield Source(None, pickup_id)


def picture_of(state: RoomState, source: Source) -> CameraId | None:
    """The camera whose picture belongs to a sound: its own, or the room's first that is live."""
    if source.camera_id is not None:
        return source.camera_id
    live = (name for name, one in state.cameras.items() if one.state is CameraState.LIVE)
    return next(live, None)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a rule makes of one source's sound."""

    judged: Judgement
    measured: tuple[Measured, ...] = ()
    saw: Bilingual | None = None
    confidence: float = 1.0


Judged = Callable[[RoomState, Heard, Mapping[str, float], Instant], Opinion]
"""State, what is known of a source that is heard now, parameters, the time of its last window."""


def unknown(at: Instant) -> Opinion:
    """Nothing can be said."""
    return Opinion(Judgement(None, at, at))


def _absent(at: Instant) -> Opinion:
    return Opinion(Judgement(False, at, at))


def _each(
    judged: Judged, state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """One finding a source (``rule.Judge``)."""
    return tuple(_finding(judged, state, settings, now, source) for source in sources(state))


def _finding(
    judged: Judged, state: RoomState, settings: Mapping[str, float], now: Instant, source: Source
) -> Finding:
    heard = state.heard(source.id)
    at = heard.heard_at
    fresh = at is not None and now.mono_ms - at.mono_ms <= STALE_AFTER_MS
    made = judged(state, heard, settings, at) if at is not None and fresh else unknown(now)
    return Finding(
        source.camera_id,
        made.judged,
        picture_of=picture_of(state, source),
        measured=made.measured,
        confidence=round(min(max(made.confidence, 0.0), 1.0), 2),
        pickup_id=source.pickup_id,
        saw=made.saw,
        sound_of=source.id,
    )


_FLAT: Final[Mapping[Flat, Bilingual]] = {
    Flat.NOISE: Bilingual("恒定白噪声", "steady white noise"),
    Flat.HUM: Bilingual("电源交流声", "mains hum"),
    Flat.DC: Bilingual("直流偏置", "a constant voltage"),
}


def _flat(state: RoomState, heard: Heard, settings: Mapping[str, float], at: Instant) -> Opinion:
    signs = heard.signs
    if signs is None or signs.flat is None or heard.flat_since is None:
        return _absent(at)
    kind, lasted_s = _FLAT[signs.flat], (at.mono_ms - heard.flat_since.mono_ms) / 1000
    return Opinion(
        Judgement(True, heard.flat_since, at),
        (_told("level", heard.level_dbfs, None, "dBFS"),),
        Bilingual(
            f"只有{kind.zh}，{heard.level_dbfs:.0f} dBFS，已持续 {lasted_s:.0f} 秒",
            f"Nothing but {kind.en} at {heard.level_dbfs:.0f} dBFS for {lasted_s:.0f} s",
        ),
    )


def _clipped(state: RoomState, heard: Heard, settings: Mapping[str, float], at: Instant) -> Opinion:
    over = heard.clipped
    if over is None or not _is_dense(over):
        return _absent(at)
    share, limit = over.sure * 100, settings["clipped_share_max"]
    peak_dbfs = heard.signs.peak_dbfs if heard.signs else 0.0
    return Opinion(
        Judgement(True, over.since, over.last),
        (
            _told("clipped_share", share, limit, "%"),
            _told("peak", peak_dbfs, None, "dBFS"),
        ),
        Bilingual(
            f"{share:.1f}% 的样本达到满刻度（门限 {limit:g}%）",
            f"{share:.1f} % of the samples at full scale (limit {limit:g} %)",
        ),
    )


def _jumped(state: RoomState, heard: Heard, settings: Mapping[str, float], at: Instant) -> Opinion:
    now_dbfs, usual_dbfs = heard.recent_dbfs, heard.background_dbfs
    if now_dbfs is None or usual_dbfs is None:
        return unknown(at)
    by_db, newest = now_dbfs - usual_dbfs, heard.recent[-1][0]
    if heard.away is None or abs(by_db) < settings["jump_db"]:
        return Opinion(Judgement(False, at, newest))
    return Opinion(
        # Not the time of now: while somebody talks, nobody knows what is behind it.
        Judgement(True, heard.away, newest),
        (
            _told("jump", by_db, settings["jump_db"], "dB"),
            _told("background", now_dbfs, None, "dBFS"),
            _told("background_before", usual_dbfs, None, "dBFS"),
        ),
        Bilingual(
            f"背景音量由 {usual_dbfs:.0f} 变为 {now_dbfs:.0f} dBFS（{by_db:+.0f} dB）",
            f"Background went from {usual_dbfs:.0f} to {now_dbfs:.0f} dBFS ({by_db:+.0f} dB)",
        ),
    )


def _raised(state: RoomState, heard: Heard, settings: Mapping[str, float], at: Instant) -> Opinion:
    if heard.usual_lufs is None:
        return unknown(at)
    over = heard.raised
    if over is None or over.windows < RAISED_SHARE * heard.raised_of_windows:
        return _absent(at)
    by_db, lasted_s = over.level - heard.usual_lufs, over.lasted_ms / 1000
    return Opinion(
        Judgement(True, over.since, over.last),
        (
            _told("loudness", over.level, heard.usual_lufs + settings["above_db"], "LUFS"),
            _told("usual", heard.usual_lufs, None, "LUFS"),
        ),
        Bilingual(
            f"人声达 {over.level:.0f} LUFS，比平时高 {by_db:.0f} dB，已 {lasted_s:.0f} 秒",
            f"Voices at up to {over.level:.0f} LUFS, {by_db:.0f} dB above the usual, "
            f"for {lasted_s:.0f} s",
        ),
        _share_of(over.windows, heard.raised_of_windows),
    )


def _unexpected(
    state: RoomState, heard: Heard, settings: Mapping[str, float], at: Instant
) -> Opinion:
    alone, voices = heard.alone_since, heard.voices
    if alone is None and area.head_count(state, at) is None:
        return unknown(at)
    if alone is None or not (state.closed or _is_outside_hours(state, settings)):
        return _absent(at)
    known = earlier(alone, -ALONE_MS)
    if voices is None or not _is_dense(voices) or voices.last.mono_ms <= known.mono_ms:
        return _absent(at)
    since = max(voices.since, known, key=lambda one: one.mono_ms)
    lasted_s = (voices.last.mono_ms - since.mono_ms) / 1000
    return Opinion(
        Judgement(True, since, voices.last),
        (
            _told("loudness", voices.level, None, "LUFS"),
            _told("head_count", 0, None, ""),
        ),
        Bilingual(
            f"画面中无人，但有人声 {lasted_s:.0f} 秒，最高 {voices.level:.0f} LUFS",
            f"Nobody in the pictures, but speech for {lasted_s:.0f} s, "
            f"up to {voices.level:.0f} LUFS",
        ),
        voices.sure,
    )


def _is_outside_hours(state: RoomState, settings: Mapping[str, float]) -> bool:
    """Whether the site's clock stands outside ``from_h`` to ``to_h``; unknown is not outside."""
    if state.minute_of_day is None:
        return False
    hour, from_h, to_h = state.minute_of_day / MINUTES_PER_H, settings["from_h"], settings["to_h"]
    inside = from_h <= hour < to_h if from_h <= to_h else (hour >= from_h or hour < to_h)
    return not inside


def _ringing(state: RoomState, heard: Heard, settings: Mapping[str, float], at: Instant) -> Opinion:
    over = heard.ring
    if over is None or over.windows < RING_WINDOWS or _density(over) < RING_SHARE:
        return _absent(at)
    lasted_s = over.lasted_ms / 1000
    return Opinion(
        Judgement(True, over.since, over.last),
        (_told("loudness", over.level, None, "LUFS"), _told("ring", over.sure, None, "")),
        Bilingual(
            f"听到铃声 {lasted_s:.0f} 秒，最高 {over.level:.0f} LUFS",
            f"A telephone rings for {lasted_s:.0f} s, up to {over.level:.0f} LUFS",
        ),
        over.sure,
    )


def _out_of_sync(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """By what the recorder measured of each track (``rule.Judge``)."""
    return tuple(_offset_of(state, settings, now, source) for source in sources(state))


def _offset_of(
    state: RoomState, settings: Mapping[str, float], now: Instant, source: Source
) -> Finding:
    seen = state.recording
    track = seen.tracks.get(source.id) if seen is not None and seen.running else None
    if seen is None or track is None or track.sound_offset_ms is None:
        return Finding(source.camera_id, unknown(now).judged, pickup_id=source.pickup_id)
    offset_ms, limit_ms = track.sound_offset_ms, settings["offset_max_ms"]
    holds = abs(offset_ms) > limit_ms
    late = Bilingual("落后", "behind") if offset_ms > 0 else Bilingual("超前", "ahead of")
    return Finding(
        source.camera_id,
        Judgement(holds, track.sound_offset_at or seen.at, seen.at),
        picture_of=picture_of(state, source),
        measured=(_told("offset", offset_ms, limit_ms, "ms"),),
        pickup_id=source.pickup_id,
        saw=Bilingual(
            f"声音比画面{late.zh} {abs(offset_ms)} 毫秒（门限 {limit_ms:.0f}）",
            f"Sound is {abs(offset_ms)} ms {late.en} the picture (limit {limit_ms:.0f})",
        ),
        sound_of=source.id,
    )


def _is_dense(interval: Interval) -> bool:
    return _density(interval) >= DENSE_SHARE


def _density(interval: Interval) -> float:
    """In how many of its windows it was heard, as a share."""
    return _share_of(interval.windows, interval.lasted_ms / WINDOW_MS)


def _share_of(part: float, whole: float) -> float:
    return min(part / whole, 1.0) if whole > 0 else 1.0


def _told(name: str, value: float, limit: float | None, unit: str) -> Measured:
    rounded = None if limit is None else round(limit, 2)
    return Measured(name=name, value=round(value, 2), limit=rounded, unit=unit)


def _by_sound(spec: RuleSpec, judged: Judged) -> Rule:
    judge: Judge = partial(_each, judged)
    return Rule(spec, judge, frozenset({Wake.SOUND}))


RING: Final = _by_sound(PHONE_RING, _ringing)
RULES: Final = (
    _by_sound(SOUND_FLAT, _flat),
    _by_sound(SOUND_CLIPPED, _clipped),
    _by_sound(LEVEL_JUMP, _jumped),
    _by_sound(RAISED_VOICES, _raised),
    _by_sound(SPEECH_UNEXPECTED, _unexpected),
    Rule(OUT_OF_SYNC, _out_of_sync, frozenset({Wake.RECORDING})),
)
