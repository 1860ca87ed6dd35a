"""Decides what is known of one sound source: its background, its usual speech, who is heard."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

from contracts.observations import LEVEL_FLOOR_DBFS
from contracts.units import CameraId, PickupId
from edge.core.people import Instant

SourceId = CameraId | PickupId
"""A camera with sound, or a pickup."""

SPEECH_FROM: Final = 0.6  # of the detector's probability: a window of speech
VOICES_GONE_MS: Final = 1_500  # people breathe and think; a pause of this length ends an interval
RING_FROM: Final = 0.5  # of the ring score
RING_GONE_MS: Final = 4_500  # the longest pause of a ring's cadence (China: 1 s on, 4 s off)
RAISED_GONE_MS: Final = 1_500  # between two shouts
RAISED_SHARE: Final = 0.25
# Of the windows since the first raised one: a sentence has words that are not shouted, and a single
# loud word in a calm talk is no quarrel.
PAUSE_MS: Final = 400  # what a voice leaves behind in the room before its background is heard again
ONSET_MS: Final = 300
RECENT_WINDOWS: Final = 30  # three seconds of windows without voices
RECENT_LEAST: Final = 24  # what is left of them when somebody begins to speak
QUIET_SHARE: Final = 0.2
# The background is what is undercut by a fifth of all windows without voices: papers and chairs
# are above it.
LEARN_WINDOWS: Final = 50  # 5 s of background before anything is held against it
LEARN_SPEECH_WINDOWS: Final = 50  # 5 s of speech, likewise
BACKGROUND_STEP_DB: Final = 0.05  # a window; air conditioning that comes on slowly is followed
AWAY_DB: Final = 5.0  # a background this far off is not followed at once: it may have jumped
ADOPT_MS: Final = 300_000  # what has stayed for five minutes is the background from then on
SPEECH_STEP_DB: Final = 0.02
# A window: 0.1 dB a second of speech, so that a minute of shouting moves the usual by 6 dB at most.
RAISED_WEIGHT: Final = 0.25  # of what is far above the usual: it may be the quarrel itself


class Flat(StrEnum):
    """What a sound consists of that no room makes."""

    NOISE = "noise"
    """White noise that does not vary: an amplifier without a microphone."""
    HUM = "hum"
    """The mains and its harmonics alone."""
    DC = "dc"
    """A constant voltage and nothing else."""


@dataclass(frozen=True, slots=True)
class SoundSigns:
    """What one window of a source's sound is like; the window ended at ``at``.

    ``level_dbfs`` is RMS against full scale (a full-scale square wave is 0 dBFS), ``peak_dbfs`` and
    ``clipped_share`` are measured at the source's own rate. ``loudness_lufs`` is momentary
    (ITU-R BS.1770-5, 400 ms). ``speech`` and ``ring`` are probabilities, 0 to 1. ``flat`` is None
    while the sound lives, or nothing can be said yet.
    """

    source_id: SourceId
    level_dbfs: float
    at: Instant
    peak_dbfs: float = LEVEL_FLOOR_DBFS
    clipped_share: float = 0.0
    loudness_lufs: float = LEVEL_FLOOR_DBFS
    speech: float = 0.0
    ring: float = 0.0
    flat: Flat | None = None
    flat_ms: int = 0
    """How long it had been flat when that was found: a spectrum takes seconds."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch in which something is heard again and again; ``last`` is the newest time.

    ``windows`` are those in which it was heard, ``level`` is the highest of them, ``sure`` the mean
    of their scores.
    """

    since: Instant
    last: Instant
    windows: int
    level: float
    sure: float

    @property
    def lasted_ms(self) -> int:
        """From the first to the newest time."""
        return self.last.mono_ms - self.since.mono_ms


@dataclass(frozen=True, slots=True)
class Heard:
    """What is remembered of one source.

    ``loud_at`` is when it was last above the floor of the dead-sound rule, ``heard_at`` when any
    sound came. ``background_dbfs`` and ``usual_lufs`` (of speech) are None until enough was heard.
    """

    level_dbfs: float = LEVEL_FLOOR_DBFS
    heard_at: Instant | None = None
    loud_at: Instant | None = None
    signs: SoundSigns | None = None
    background_dbfs: float | None = None
    learned_windows: int = 0
    recent: tuple[tuple[Instant, float], ...] = ()
    """Levels of the last windows without voices, oldest first."""
    away: Instant | None = None
    """Since when the background has been another than ``background_dbfs``: ``away_dbfs``."""
    away_dbfs: float = LEVEL_FLOOR_DBFS
    usual_lufs: float | None = None
    speech_levels: tuple[float, ...] = ()
    """Loudness of the first windows of speech, until the usual one is known."""
    voices: Interval | None = None
    raised: Interval | None = None
    raised_of_windows: int = 0
    """Windows of speech since ``raised`` began."""
    ring: Interval | None = None
    flat_since: Instant | None = None
    clipped: Interval | None = None
    alone_since: Instant | None = None
    """Since when the room's pictures have shown nobody without a break; None: they show somebody,
    or nobody knows."""

    @property
    def recent_dbfs(self) -> float | None:
        """The background of the last seconds without voices; None: too few of them."""
        if len(self.recent) < RECENT_LEAST:
            return None
        return _low_of([level for _, level in self.recent])


def step(
    heard: Heard,
    signs: SoundSigns,
    floor_dbfs: float,
    *,
    people: int | None = None,
    above_db: float = 12.0,
    clipped_from: float = 0.005,
) -> Heard:
    """Take one window.

    ``people`` is the room's head count then (None: unknown). ``above_db`` is how far above the
    usual voices are raised, ``clipped_from`` the share of samples from which a window is clipped.
    """
    at = signs.at
    heard = replace(
        heard,
        level_dbfs=signs.level_dbfs,
        heard_at=at,
        loud_at=at if signs.level_dbfs >= floor_dbfs else heard.loud_at,
        signs=signs,
        alone_since=(heard.alone_since or at) if people == 0 else None,
        flat_since=_flat_since(heard, signs),
        voices=_followed(
            heard.voices, signs, VOICES_GONE_MS, score=signs.speech, least=SPEECH_FROM
        ),
        ring=_followed(heard.ring, signs, RING_GONE_MS, score=signs.ring, least=RING_FROM),
        clipped=_followed(
            heard.clipped, signs, VOICES_GONE_MS, score=signs.clipped_share, least=clipped_from
        ),
    )
    if signs.speech >= SPEECH_FROM:
        # The detector is late by a window or two: those were voice already.
        kept = tuple(one for one in heard.recent if at.mono_ms - one[0].mono_ms > ONSET_MS)
        return _speech(replace(heard, recent=kept), signs, above_db)
    if heard.raised is not None and _over(heard.raised, at, RAISED_GONE_MS):
        heard = replace(heard, raised=None, raised_of_windows=0)
    if heard.voices is not None and not _over(heard.voices, at, PAUSE_MS):
        return heard  # the voice is still in the room
    if signs.level_dbfs < floor_dbfs or heard.ring is not None:
        return heard  # a dead pickup is no quieter room, nor a ring a louder one
    return _background(heard, signs)


def _flat_since(heard: Heard, signs: SoundSigns) -> Instant | None:
    if signs.flat is None:
        return None
    return heard.flat_since or earlier(signs.at, signs.flat_ms)


def earlier(at: Instant, by_ms: int) -> Instant:
    """The instant this much before another."""
    return Instant(type(at.mono_ms)(at.mono_ms - by_ms), type(at.utc_ms)(at.utc_ms - by_ms))


def _over(interval: Interval, at: Instant, gone_ms: int) -> bool:
    return at.mono_ms - interval.last.mono_ms > gone_ms


def _followed(
    interval: Interval | None, signs: SoundSigns, gone_ms: int, *, score: float, least: float
) -> Interval | None:
    if interval is not None and _over(interval, signs.at, gone_ms):
        interval = None
    if score < least:
        return interval
    level = signs.loudness_lufs
    if interval is None:
        return Interval(signs.at, signs.at, 1, level, score)
    windows = interval.windows + 1
    return Interval(
        interval.since,
        signs.at,
        windows,
        max(interval.level, level),
        interval.sure + (score - interval.sure) / windows,
    )


def _speech(heard: Heard, signs: SoundSigns, above_db: float) -> Heard:
    """Take a window of speech: is it raised, and what is usual here?"""
    level, usual = signs.loudness_lufs, heard.usual_lufs
    if usual is None:
        levels = (*heard.speech_levels, level)
        if len(levels) < LEARN_SPEECH_WINDOWS:
            return replace(heard, speech_levels=levels)
        return replace(heard, usual_lufs=sorted(levels)[len(levels) // 2], speech_levels=())
    is_raised = level >= usual + above_db
    raised = _followed(heard.raised, signs, RAISED_GONE_MS, score=float(is_raised), least=1.0)
    weight = RAISED_WEIGHT if level > usual + above_db / 2 else 1.0
    move_db = SPEECH_STEP_DB * weight * (1 if level > usual else -1)
    began = raised is not None and (heard.raised is None or raised.since != heard.raised.since)
    since_began = 0 if began or raised is None else heard.raised_of_windows
    return replace(
        heard,
        raised=raised,
        raised_of_windows=since_began + (raised is not None),
        usual_lufs=usual + move_db,
    )


def _background(heard: Heard, signs: SoundSigns) -> Heard:
    """Take a window without voices: is the background what it was?"""
    recent = (*heard.recent[-RECENT_WINDOWS + 1 :], (signs.at, signs.level_dbfs))
    heard = replace(heard, recent=recent, learned_windows=heard.learned_windows + 1)
    now_dbfs, slow_dbfs = heard.recent_dbfs, heard.background_dbfs
    if now_dbfs is None:
        return heard
    if slow_dbfs is None:
        if heard.learned_windows < LEARN_WINDOWS:
            return heard
        return replace(heard, background_dbfs=now_dbfs)
    if abs(now_dbfs - slow_dbfs) < AWAY_DB:
        below = signs.level_dbfs < slow_dbfs
        move_db = BACKGROUND_STEP_DB * (QUIET_SHARE - below)
        return replace(heard, away=None, background_dbfs=slow_dbfs + move_db)
    away, away_dbfs = heard.away, heard.away_dbfs
    if away is None or abs(now_dbfs - away_dbfs) >= AWAY_DB:
        # Ventilation that came on is no part of a jump that follows.
        if away is None or away.mono_ms < recent[0][0].mono_ms:
            away = _turned(recent, slow_dbfs if away is None else away_dbfs, now_dbfs)
        away_dbfs = now_dbfs
    if signs.at.mono_ms - away.mono_ms >= ADOPT_MS:
        return replace(heard, away=None, background_dbfs=now_dbfs)
    return replace(heard, away=away, away_dbfs=away_dbfs)


def _turned(
    recent: Sequence[tuple[Instant, float]], before_dbfs: float, after_dbfs: float
) -> Instant:
    """When the newer background was first heard: what follows the last that was like the older."""
    middle_dbfs = (before_dbfs + after_dbfs) / 2
    rising = after_dbfs > before_dbfs
    turned = recent[0][0]
    for (_, level_dbfs), (following, _) in pairwise(recent):
        if (level_dbfs < middle_dbfs) == rising:
            turned = following
    return turned


def _low_of(levels: Sequence[float]) -> float:
    return sorted(levels)[int(len(levels) * QUIET_SHARE)]
