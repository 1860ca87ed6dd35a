"""Scenarios of the rules on sound: whether it comes, whether it is whole, what is heard in it.

Voices are espeak-ng's, rings and noises are made; no sound is a recording. All of it goes through
the real ear, at levels that are stated.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contracts.evidence.entries import ClockSource, ClockState
from contracts.observations import RecordingState
from edge.core.machine_watch import DiskSeen
from edge.core.people import Rect, Track
from edge.core.room import PeopleSeen
from edge.core.state import RecordingSeen, TrackSeen
from tests.corpus import sound_parts as parts
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import (
    CAMERA,
    Given,
    Said,
    Scenario,
    Sounded,
    Spare,
    merged,
    moment,
    said,
    seal,
    truths,
)
from tests.corpus.spans import Span

RATE_HZ: Final = parts.RATE_HZ
BLOCK_MS: Final = 100
PICKUP: Final = "mic-1"
SEEN_EVERY_MS: Final = 500  # as the service looks at its recorder
LOOK_EVERY_MS: Final = 200
JUMP_DWELL_MS: Final = 30_000

PICKUP_DEAD: Final = "sound.pickup_dead"
FLAT: Final = "sound.flat"
CLIPPED: Final = "sound.clipped"
JUMP: Final = "sound.level_jump"
RAISED: Final = "sound.raised_voices"
UNEXPECTED: Final = "sound.speech_unexpected"
OUT_OF_SYNC: Final = "sound.out_of_sync"
RING: Final = "phone.ring"

Disturb = Callable[[parts.Rng, float], parts.Sound]


def blocks(
    samples: NDArray[np.float32],
    source_id: str = CAMERA,
    rate_hz: int = RATE_HZ,
    *,
    missing: tuple[Span, ...] = (),
) -> Iterator[Given]:
    """A whole sound as a stream of blocks of 100 ms, in step with the scenario's time."""
    size = rate_hz * BLOCK_MS // 1000
    for number in range(samples.size // size):
        at_ms = (number + 1) * BLOCK_MS
        if not any(start < at_ms <= end for start, end in missing):
            yield Sounded(at_ms, source_id, samples[number * size : (number + 1) * size], rate_hz)


def recorder(
    duration_ms: int, offset_of: Callable[[int], int | None] = lambda at_ms: None
) -> Iterator[Given]:
    """The recorder runs well; ``offset_of`` is what it measures of sound and picture at a time."""
    for at_ms in range(0, duration_ms, SEEN_EVERY_MS):
        track = TrackSeen(RecordingState.RECORDING, moment(0), sound_offset_ms=offset_of(at_ms))
        yield Said(
            at_ms,
            RecordingSeen(
                at=moment(at_ms),
                running=True,
                since=moment(0),
                tracks={CAMERA: track, PICKUP: track},
                disk=DiskSeen(free_bytes=900, total_bytes=1_000),
                disk_low_percent=10.0,
                clock=ClockState(source=ClockSource.SYNCHRONISED),
                clock_step_ms=0,
            ),
        )


def looks(duration_ms: int, people: Callable[[int], int]) -> Iterator[Given]:
    """The camera's pictures show so many people at a time; they sit still."""
    for at_ms in range(0, duration_ms, LOOK_EVERY_MS):
        at = moment(at_ms)
        tracks = tuple(
            Track(
                number, Rect(0.1 * number, 0.4, 0.1 * number + 0.08, 0.9), 0.9, True, at, at.mono_ms
            )
            for number in range(people(at_ms))
        )
        yield Said(at_ms, PeopleSeen(CAMERA, at, tracks))


# -- backgrounds -------------------------------------------------------------------------------


def air(draw: Draw, seconds: float, low: float = -64, high: float = -50) -> parts.Sound:
    """Room tone of any colour, often with the tone of a machine in it."""
    level_dbfs = draw.share(low, high)
    sound = parts.room_tone(draw.rng, seconds, level_dbfs, draw.share(0.8, 1.8))
    if draw.whole(0, 1):
        sound = sound + parts.machine_tone(draw.rng, seconds, level_dbfs - draw.share(3, 12))
    return sound


SMALL: Final[dict[str, Disturb]] = {
    "slam": lambda rng, level: parts.slam(rng, level + 8),
    "squeak": parts.squeak,
    "cough": lambda rng, level: parts.cough(rng, level + 4),
    "rustle": lambda rng, level: parts.rustle(rng, level - 4),
    "keys": lambda rng, level: parts.keys(rng, float(rng.uniform(2, 6)), level - 8),
    "steps": lambda rng, level: parts.steps(rng, float(rng.uniform(2, 6)), level - 6),
}
LONG: Final[dict[str, Disturb]] = {
    "kettle": lambda rng, level: parts.kettle(rng, float(rng.uniform(6, 15)), level - 4),
    "siren": lambda rng, level: parts.siren(rng, float(rng.uniform(6, 20)), level - 12),
    "music": lambda rng, level: parts.music(rng, float(rng.uniform(8, 25)), level - 10),
}


def stirred(
    draw: Draw,
    sound: parts.Sound,
    level_dbfs: float,
    every_s: float = 5.0,
    kinds: dict[str, Disturb] | None = None,
) -> parts.Sound:
    """The same with what happens in every room: doors, chairs, papers, keys, coughs."""
    kinds = kinds or SMALL
    out, at_ms = sound.copy(), draw.share(500, 4_000)
    while at_ms < out.size * 1000 / RATE_HZ:
        kind = draw.one_of(*kinds)
        made = parts.in_room(draw.rng, kinds[kind](draw.rng, level_dbfs + draw.share(-8, 4)), 0.5)
        parts.put(out, made, at_ms)
        at_ms += draw.share(0.3, 1.7) * every_s * 1000
    return out


def meeting(draw: Draw, seconds: float, level_dbfs: float, **more: float) -> parts.Sound:
    """People talk with pauses, in a room."""
    pause_s = (more.get("least_s", 0.2), more.get("most_s", 2.5))
    sound, _ = parts.talk(draw.rng, seconds, level_dbfs, pause_s=pause_s)
    return parts.in_room(draw.rng, sound, draw.share(0.3, 0.6), draw.share(0.2, 0.5))


def _limited(sound: parts.Sound) -> parts.Sound:
    return np.clip(sound, -0.97, 0.97).astype(np.float32)


# -- whether it comes, and is whole ------------------------------------------------------------


@family(PICKUP_DEAD)
def cut_cable(draw: Draw) -> Scenario:
    """A camera's pickup gives digital silence for some seconds."""
    seconds = 40
    sound = air(draw, seconds) + meeting(draw, seconds, draw.share(-42, -30))
    at_ms = draw.ms(10_000, 14_000)
    span = (at_ms, at_ms + draw.ms(6_000, 15_000))
    sound[span[0] * RATE_HZ // 1000 : span[1] * RATE_HZ // 1000] = 0
    return Scenario(
        name="cut_cable",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(sound), said(seal(2_000, 9))),
        truth=truths(PICKUP_DEAD, CAMERA, (span,)),
        of_camera="none",
    )


@family(PICKUP_DEAD)
def unplugged(draw: Draw) -> Scenario:
    """A pickup of its own is pulled out and put back; the recorder goes on saying how it stands."""
    seconds = 40
    sound = air(draw, seconds) + meeting(draw, seconds, draw.share(-42, -30))
    at_ms = draw.ms(10_000, 14_000)
    span = (at_ms, at_ms + draw.ms(6_000, 15_000))
    return Scenario(
        name="unplugged",
        seed=draw.seed,
        room=room(pickups=(PICKUP,)),
        duration_ms=seconds * 1000,
        open=lambda: merged(
            blocks(sound, PICKUP, missing=(span,)),
            said(seal(2_000, 9)),
            recorder(seconds * 1000),
        ),
        truth=truths(PICKUP_DEAD, PICKUP, (span,)),
        of_camera="none",
    )


@family(FLAT)
def no_life(draw: Draw) -> Scenario:
    """An amplifier without its microphone: white noise, hum, both, or a voltage; then it lives."""
    seconds = 75
    sound = stirred(draw, air(draw, seconds), -36) + meeting(draw, seconds, draw.share(-42, -30))
    at_ms = draw.ms(10_000, 14_000)
    span = (at_ms, at_ms + draw.ms(38_000, 50_000))
    kind, lasts_s = draw.one_of("white", "hum", "both", "dc"), (span[1] - span[0]) / 1000
    level_dbfs = draw.share(-66, -30)
    makers: dict[str, Callable[[], parts.Sound]] = {
        "white": lambda: parts.white(draw.rng, lasts_s, level_dbfs),
        "hum": lambda: parts.hum(draw.rng, lasts_s, level_dbfs),
        "both": lambda: (
            parts.hum(draw.rng, lasts_s, level_dbfs)
            + parts.white(draw.rng, lasts_s, draw.share(-68, -50))
        ),
        "dc": lambda: np.full(round(lasts_s * RATE_HZ), draw.share(0.02, 0.4), np.float32),
    }
    flat = makers[kind]()
    first = span[0] * RATE_HZ // 1000
    sound[first : first + flat.size] = flat
    return Scenario(
        name=f"no_life_{kind}",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(_limited(sound)), said(seal(2_000, 9))),
        truth=truths(FLAT, CAMERA, (span,)),
        # Another background is a jump too, and a voltage is as loud as can be.
        spare=(Spare(span[0], seconds * 1000, JUMP),),
        of_camera="none",
    )


@family(CLIPPED)
def too_loud(draw: Draw) -> Scenario:
    """A pickup's gain is too high for a while: what is said hits full scale."""
    seconds = 50
    at_ms = draw.ms(12_000, 18_000)
    span_ms = draw.ms(8_000, 20_000)
    calm = stirred(draw, air(draw, seconds), -34) + meeting(draw, seconds, draw.share(-40, -28))
    loud, spans = parts.talk(draw.rng, span_ms / 1000, draw.share(-3, 4), pause_s=(0.1, 0.6))
    parts.put(calm, loud, at_ms)
    sound = np.clip(calm, -1.0, 1.0).astype(np.float32)
    span = (at_ms + spans[0][0], at_ms + spans[-1][1])
    return Scenario(
        name="too_loud",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(sound), said(seal(2_000, 9))),
        truth=truths(CLIPPED, CAMERA, (span,)),
        # Speech 30 dB above the usual is raised as well.
        spare=(Spare(span[0], span[1] + 2_000, RAISED),),
        of_camera="none",
    )


@family(JUMP)
def other_gain(draw: Draw) -> Scenario:
    """Somebody turns, covers or moves the pickup in a break; before, ventilation came on.

    While people talk nobody can hear the background, and the rule's dwell waits: so the talk ends
    before, and is taken up again when the alert is due.
    """
    seconds = 110
    cold = parts.room_tone(draw.rng, seconds, draw.share(-64, -54), 1.2)
    cold[: draw.ms(8_000, 14_000) * RATE_HZ // 1000] = 0
    sound = stirred(draw, air(draw, seconds, -58, -46) + cold, -38)
    at_ms = draw.ms(32_000, 38_000)
    span = (at_ms, at_ms + draw.ms(46_000, 56_000))
    level_dbfs = draw.share(-40, -30)
    parts.put(sound, meeting(draw, at_ms / 1000 - 2, level_dbfs, least_s=0.8, most_s=3.0), 0)
    again_ms = at_ms + JUMP_DWELL_MS + 2_000
    parts.put(sound, meeting(draw, seconds - again_ms / 1000, level_dbfs), again_ms)
    by_db = draw.share(15, 22) * draw.one_of(-1.0, 1.0)
    first, last = (one * RATE_HZ // 1000 for one in span)
    sound[first:last] *= 10 ** (by_db / 20)
    return Scenario(
        name="other_gain",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(_limited(sound)), said(seal(2_000, 9))),
        truth=truths(JUMP, CAMERA, (span,)),
        # With more gain every voice is raised, and may hit full scale.
        spare=(
            Spare(span[0], span[1] + 2_000, RAISED),
            Spare(span[0], span[1] + 2_000, CLIPPED),
        ),
        of_camera="none",
    )


@family(OUT_OF_SYNC)
def drifted(draw: Draw) -> Scenario:
    """The recorder measures each file: the sound of some lies far from its picture."""
    seconds = 60
    at_ms = draw.ms(12_000, 24_000) // 500 * 500
    span = (at_ms, at_ms + draw.ms(14_000, 25_000) // 500 * 500)
    offset_ms = draw.whole(340, 2_000) * draw.one_of(-1, 1)
    jitter = [draw.whole(-120, 240) for _ in range(20)]
    sound = air(draw, seconds)

    def offset_of(t_ms: int) -> int:
        return offset_ms if span[0] <= t_ms < span[1] else jitter[t_ms // 5_000]

    return Scenario(
        name="drifted",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(
            blocks(sound), said(seal(2_000, 9)), recorder(seconds * 1000, offset_of)
        ),
        truth=truths(OUT_OF_SYNC, CAMERA, (span,)),
        of_camera="none",
    )


# -- what is heard -----------------------------------------------------------------------------


@family(RAISED)
def quarrel(draw: Draw) -> Scenario:
    """A committee talks, some louder than others; then two of them shout at each other."""
    seconds = 80
    level_dbfs = draw.share(-44, -32)
    calm_s = draw.share(36, 44)
    sound = stirred(draw, air(draw, seconds), level_dbfs, 6.0)
    parts.put(sound, meeting(draw, calm_s, level_dbfs), 0)
    lasts_s = draw.share(9, 20)
    above_db = draw.share(17, 22)
    loud, spans = parts.talk(
        draw.rng, lasts_s, level_dbfs + above_db, pause_s=(0.1, 0.5), say=parts.shout
    )
    at_ms = round(calm_s * 1000) + draw.ms(400, 2_000)
    parts.put(sound, parts.in_room(draw.rng, loud, 0.4, 0.3), at_ms)
    span = (at_ms + spans[0][0], at_ms + spans[-1][1])
    rest_ms = span[1] + 3_000
    parts.put(sound, meeting(draw, max(seconds - rest_ms / 1000, 4.0), level_dbfs), rest_ms)
    return Scenario(
        name="quarrel",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(_limited(sound)), said(seal(2_000, 9))),
        truth=truths(RAISED, CAMERA, (span,)),
        of_camera="none",
    )


def _voice(draw: Draw) -> tuple[parts.Sound, Span, int]:
    """The sound of an empty room into which somebody speaks, when, and how long it is in ms."""
    seconds = 45
    sound = stirred(draw, air(draw, seconds), -44, 8.0)
    at_ms = draw.ms(13_000, 18_000)
    loud, spans = parts.talk(draw.rng, draw.share(8, 18), draw.share(-46, -30), pause_s=(0.15, 0.6))
    parts.put(sound, parts.in_room(draw.rng, loud, 0.5, 0.4), at_ms)
    return sound, (at_ms + spans[0][0], at_ms + spans[-1][1]), seconds * 1000


@family(UNEXPECTED)
def voice_in_empty_room(draw: Draw) -> Scenario:
    """The pictures show nobody; in a sealed room, or at night in an open one, somebody speaks."""
    sealed = bool(draw.whole(0, 1))
    sound, span, duration_ms = _voice(draw)
    orders = (seal(2_000, 0),) if sealed else ()
    # The site's clock as ticks tell it: 02:00, or noon where it is sealed.
    minute = 720 if sealed else 120
    return Scenario(
        name="voice_in_empty_room",
        seed=draw.seed,
        room=replace(room(sound=True), minute_of_day=minute),
        duration_ms=duration_ms,
        open=lambda: merged(
            blocks(_limited(sound)), said(*orders), looks(duration_ms, lambda at_ms: 0)
        ),
        truth=truths(UNEXPECTED, CAMERA, (span,)),
        spare=(Spare(0, duration_ms, "area.empty_too_long"),),
        of_camera="none",
    )


@family()
def voice_in_its_place(draw: Draw) -> Scenario:
    """Speech that nobody need hear of: by day in an open room, with people, or nobody can see."""
    kind = draw.one_of("day", "people", "unknown")
    sound, _, duration_ms = _voice(draw)
    minute = 120 if kind != "day" else 660
    people = 3 if kind == "people" else 0
    return Scenario(
        name=f"voice_in_its_place_{kind}",
        seed=draw.seed,
        room=replace(room(sound=True), minute_of_day=minute),
        duration_ms=duration_ms,
        open=lambda: merged(
            blocks(_limited(sound)),
            *(() if kind == "unknown" else (looks(duration_ms, lambda at_ms: people),)),
        ),
        spare=(Spare(0, duration_ms, "zone.after_hours"),),
        of_camera="none",
    )


def _rings(draw: Draw, *, talking: bool) -> Scenario:
    seconds = 50
    tone = air(draw, seconds)
    sound = stirred(draw, tone, -38, 6.0)
    ring_dbfs = draw.share(-42, -24)
    if talking:
        sound = sound + meeting(draw, seconds, ring_dbfs - draw.share(4, 12))
    kind = draw.one_of(*parts.RINGS)
    at_ms = draw.ms(14_000, 20_000)
    made = parts.ring(draw.rng, kind, draw.share(9, 20), ring_dbfs)
    parts.put(
        sound, parts.in_room(draw.rng, made, draw.share(0.3, 0.6), draw.share(0.2, 0.5)), at_ms
    )
    loud = np.flatnonzero(np.abs(made) > np.abs(made).max() / 30)
    span = (at_ms + int(loud[0]) * 1000 // RATE_HZ, at_ms + int(loud[-1]) * 1000 // RATE_HZ)
    return Scenario(
        name=f"ring_{kind}",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(_limited(sound)), said(seal(2_000, 9))),
        truth=truths(RING, CAMERA, (span,)),
        of_camera="none",
    )


@family(RING, seeds=40)
def telephone(draw: Draw) -> Scenario:
    """A telephone rings in a room where nobody speaks: desk, bell, melody, beeps, marimba."""
    return _rings(draw, talking=False)


@family(RING, seeds=30)
def telephone_in_talk(draw: Draw) -> Scenario:
    """A telephone rings while people talk, 4 to 12 dB above their voices."""
    return _rings(draw, talking=True)


# -- nothing -----------------------------------------------------------------------------------


@family(seeds=40)
def ordinary_session(draw: Draw) -> Scenario:
    """Three minutes of a sealed room: talk, silence, chairs, doors, keys, kettle, siren, music."""
    seconds = 180
    level_dbfs = draw.share(-44, -30)
    sound = stirred(draw, air(draw, seconds), level_dbfs, 5.0)
    sound = stirred(draw, sound, level_dbfs, 40.0, LONG)
    at_s = 0.0
    while at_s < seconds - 20:
        lasts_s = draw.share(10, 50)
        parts.put(sound, meeting(draw, min(lasts_s, seconds - at_s), level_dbfs), at_s * 1000)
        at_s += lasts_s + draw.share(2, 25)
    return Scenario(
        name="ordinary_session",
        seed=draw.seed,
        room=room(sound=True),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(_limited(sound)), said(seal(2_000, 9))),
        quiet=True,
        of_camera="none",
    )


@family(seeds=20)
def empty_room(draw: Draw) -> Scenario:
    """Ten minutes of a room in which there is nothing but its air, and steps in the corridor."""
    seconds = 600
    sound = stirred(draw, air(draw, seconds, -70, -50), -58, 40.0)
    return Scenario(
        name="empty_room",
        seed=draw.seed,
        room=replace(room(sound=True), minute_of_day=120),
        duration_ms=seconds * 1000,
        open=lambda: merged(blocks(_limited(sound)), looks(seconds * 1000, lambda at_ms: 0)),
        quiet=True,
        of_camera="none",
    )


FAMILIES: Final[tuple[Family, ...]] = (
    cut_cable,
    unplugged,
    no_life,
    too_loud,
    other_gain,
    drifted,
    quarrel,
    voice_in_empty_room,
    voice_in_its_place,
    telephone,
    telephone_in_talk,
    ordinary_session,
    empty_room,
)
