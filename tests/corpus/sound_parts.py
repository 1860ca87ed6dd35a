"""Makes the sounds of a room at stated levels: voices, rings, what people do, what machines do.

Everything is float32 mono at ``RATE_HZ``, and the same seed gives the same samples. Levels are RMS
dBFS over the part that sounds. Voices come from espeak-ng and are kept under ``build/voices``, so
that a scenario costs its making once.
"""

import hashlib
import io
import shutil
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

Sound = NDArray[np.float32]
Rng = np.random.Generator

RATE_HZ: Final = 16_000
VOICES_DIR: Final = Path(__file__).resolve().parents[2] / "build" / "voices"
VOICES: Final = ("cmn", "cmn+f2", "cmn+m3", "cmn+f4", "cmn+m7", "en", "en+f3", "en+m2", "en-us+m5")
SENTENCES: Final = {
    "cmn": (
        "我们认为第一家投标人的报价明显低于成本价，应当要求其说明理由。",
        "技术方案的得分是八十五分，商务部分是九十分。",
        "请各位专家独立评审，不要互相讨论。",
        "第二家单位的资质证书已经过期，这一项不能得分。",
        "施工组织设计写得比较详细，但是工期安排不太合理。",
        "我同意，下一项我们看项目经理的业绩。",
    ),
    "en": (
        "The first bidder has not stated the price of the second item.",
        "I think that this proposal deserves a higher score for its method.",
        "Let us look at the certificates again before we go on.",
        "The committee must decide on the technical part today.",
    ),
}
SHOUTS: Final = {
    "cmn": ("你这样打分完全不公平！", "我绝对不同意这个结论！", "你有什么证据这么说！"),
    "en": ("That is not fair at all!", "I will not sign this!", "You have no right to say that!"),
}


class NoVoicesError(RuntimeError):
    """espeak-ng is not installed."""


def blank(seconds: float) -> Sound:
    """Silence."""
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def leveled(sound: NDArray[np.floating[Any]], level_dbfs: float) -> Sound:
    """The same sound at a level, RMS over those of its windows that are within 30 dB of the top."""
    values = np.asarray(sound, np.float64)
    size = RATE_HZ // 50
    parts = values[: values.size // size * size].reshape(-1, size)
    powers = np.mean(np.square(parts), axis=1) if parts.size else np.array([np.mean(values**2)])
    loud = powers[powers >= powers.max() / 1_000]
    rms = float(np.sqrt(loud.mean()))
    return (values * (10 ** (level_dbfs / 20) / max(rms, 1e-12))).astype(np.float32)


def put(onto: Sound, part: Sound, at_ms: float) -> tuple[int, int]:
    """Add a part to a sound in place, from a time on; the span that it has got, in ms."""
    first = round(at_ms * RATE_HZ / 1000)
    room = max(min(part.size, onto.size - first), 0)
    onto[first : first + room] += part[:room]
    return round(at_ms), round(at_ms + room * 1000 / RATE_HZ)


def band(sound: NDArray[np.floating[Any]], low_hz: float, high_hz: float) -> Sound:
    """What of a sound lies between two frequencies."""
    sections = butter(4, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos")
    return np.asarray(sosfilt(sections, sound), np.float32)


def in_room(rng: Rng, sound: Sound, t60_s: float, wet: float = 0.35) -> Sound:
    """A sound as a pickup at some distance has it: with the room's own tail."""
    count = round(t60_s * RATE_HZ)
    tail = rng.standard_normal(count) * np.exp(-6.9 * np.arange(count) / count)
    tail /= np.sqrt(np.sum(tail**2))
    return np.asarray(sound + wet * fftconvolve(sound, tail)[: sound.size], np.float32)


# -- voices ------------------------------------------------------------------------------------


def spoken(text: str, voice: str, speed: int = 150, pitch: int = 50) -> Sound:
    """A sentence by espeak-ng.

    Raises:
        NoVoicesError: it is not installed, and this sentence was never made before.
    """
    key = hashlib.sha256(f"{text}|{voice}|{speed}|{pitch}".encode()).hexdigest()[:24]
    kept = VOICES_DIR / f"{key}.wav"
    if not kept.exists():
        program = shutil.which("espeak-ng")
        if program is None:
            raise NoVoicesError("espeak-ng is not installed: apt-get install espeak-ng")
        words = [program, "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
        made = subprocess.run(words, check=True, capture_output=True).stdout
        VOICES_DIR.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{id(made)}.part")
        part.write_bytes(made)
        part.rename(kept)
    with wave.open(io.BytesIO(kept.read_bytes())) as file:
        rate_hz = file.getframerate()
        data = np.frombuffer(file.readframes(10**9), "<i2").astype(np.float64) / 32_768
    return np.asarray(resample_poly(data, RATE_HZ, rate_hz), np.float32)


def sentence(rng: Rng, level_dbfs: float, voice: str | None = None) -> Sound:
    """One sentence of one of the voices."""
    voice = voice or VOICES[int(rng.integers(len(VOICES)))]
    texts = SENTENCES["cmn" if voice.startswith("cmn") else "en"]
    text = texts[int(rng.integers(len(texts)))]
    sound = spoken(text, voice, (140, 155, 170)[int(rng.integers(3))])
    return leveled(sound, level_dbfs + float(rng.uniform(-3, 3)))


def shout(rng: Rng, level_dbfs: float, voice: str | None = None) -> Sound:
    """A shouted sentence: higher, faster, and pressed against the ceiling as a voice does it."""
    voice = voice or VOICES[int(rng.integers(len(VOICES)))]
    texts = SHOUTS["cmn" if voice.startswith("cmn") else "en"]
    sound = spoken(texts[int(rng.integers(len(texts)))], voice, 185, 80)
    pressed = np.tanh(6 * sound / np.abs(sound).max())
    return leveled(pressed, level_dbfs + float(rng.uniform(-1, 2)))


def talk(
    rng: Rng,
    seconds: float,
    level_dbfs: float,
    *,
    pause_s: tuple[float, float] = (0.2, 1.4),
    say: Callable[[Rng, float], Sound] = sentence,
) -> tuple[Sound, list[tuple[int, int]]]:
    """People speak in turn for so long; the spans of their sentences, in ms."""
    sound, at_ms = blank(seconds), float(rng.uniform(0, 300))
    spans: list[tuple[int, int]] = []
    while True:
        part = say(rng, level_dbfs)
        lasts_ms = part.size * 1000 / RATE_HZ
        if at_ms + lasts_ms > seconds * 1000:
            return sound, spans
        spans.append(put(sound, part, at_ms))
        at_ms += lasts_ms + float(rng.uniform(*pause_s)) * 1000


# -- the room ----------------------------------------------------------------------------------


def room_tone(rng: Rng, seconds: float, level_dbfs: float, slope: float = 1.0) -> Sound:
    """Air and building: noise that falls with frequency (``slope`` 1: pink), endless."""
    count = round(seconds * RATE_HZ)
    size = 1 << (min(count, 64 * RATE_HZ) - 1).bit_length()
    hz = np.maximum(np.fft.rfftfreq(size, 1 / RATE_HZ), 40.0)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(size)) * hz ** (-slope / 2), n=size)
    noise *= 10 ** (level_dbfs / 20) / np.sqrt(np.mean(noise**2))
    return np.resize(noise, count).astype(np.float32)


def machine_tone(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """A fan or a compressor: a tone and its harmonics that waver a little, for ever."""
    t_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    base_hz = float(rng.uniform(90, 900))
    drift = 2 * np.pi * np.cumsum(base_hz * (1 + 0.002 * np.sin(2 * np.pi * 0.1 * t_s))) / RATE_HZ
    tone = sum(np.sin(n * drift + n) / n**1.5 for n in range(1, 4))
    return leveled(np.asarray(tone), level_dbfs)


def hum(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """The mains alone: a fundamental near 50 or 60 Hz with harmonics."""
    t_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    base_hz = (50.0, 60.0)[int(rng.integers(2))] * (1 + float(rng.uniform(-0.002, 0.002)))
    tone = sum(
        float(rng.uniform(0.05, 1)) / n * np.sin(2 * np.pi * n * base_hz * t_s + n)
        for n in range(1, 9)
    )
    return leveled(np.asarray(tone), level_dbfs)


def white(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """The noise of an amplifier without a microphone."""
    noise = rng.standard_normal(round(seconds * RATE_HZ))
    return (noise * 10 ** (level_dbfs / 20)).astype(np.float32)


# -- what people and things do -----------------------------------------------------------------


def _decay(count: int, tau_s: float) -> NDArray[np.float64]:
    return np.exp(-np.arange(count) / RATE_HZ / tau_s)


def slam(rng: Rng, level_dbfs: float) -> Sound:
    """A door."""
    count = round(0.6 * RATE_HZ)
    noise = band(rng.standard_normal(count) * _decay(count, 0.08), 40, 900)
    return leveled(noise, level_dbfs)


def squeak(rng: Rng, level_dbfs: float) -> Sound:
    """A chair: a tone with harmonics that glides."""
    count = round(float(rng.uniform(0.15, 0.6)) * RATE_HZ)
    x = np.linspace(0, 1, count)
    base_hz = float(rng.uniform(350, 1_300)) * (1 + float(rng.uniform(-0.4, 0.5)) * x**2)
    base_hz *= 1 + 0.03 * np.sin(2 * np.pi * float(rng.uniform(3, 15)) * x)
    phase = 2 * np.pi * np.cumsum(base_hz) / RATE_HZ
    tone = sum(np.sin(n * phase) / n for n in range(1, 5)) * np.sin(np.pi * x) ** 0.5
    rough = 1 + 0.4 * band(rng.standard_normal(count), 20, 200) * 5
    return leveled(np.asarray(tone * rough), level_dbfs)


def keys(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """Somebody types."""
    sound, at_ms = blank(seconds), 0.0
    while at_ms < seconds * 1000 - 60:
        count = round(0.03 * RATE_HZ)
        click = band(rng.standard_normal(count) * _decay(count, 0.006), 1_500, 6_500)
        put(sound, leveled(click, level_dbfs + float(rng.uniform(-6, 3))), at_ms)
        at_ms += float(rng.uniform(70, 320))
    return sound


def cough(rng: Rng, level_dbfs: float) -> Sound:
    """One or two coughs."""
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        count = round(float(rng.uniform(0.15, 0.35)) * RATE_HZ)
        noise = rng.standard_normal(count) * _decay(count, 0.07)
        parts += [band(noise, 250, 3_500), blank(float(rng.uniform(0.1, 0.3)))]
    return leveled(np.concatenate(parts), level_dbfs)


def rustle(rng: Rng, level_dbfs: float) -> Sound:
    """Paper."""
    count = round(float(rng.uniform(0.4, 1.5)) * RATE_HZ)
    shape = np.abs(band(rng.standard_normal(count), 3, 25))
    return leveled(band(rng.standard_normal(count), 1_500, 7_500) * shape, level_dbfs)


def steps(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """Somebody walks."""
    sound, at_ms = blank(seconds), float(rng.uniform(0, 400))
    while at_ms < seconds * 1000 - 200:
        count = round(0.12 * RATE_HZ)
        thud = band(rng.standard_normal(count) * _decay(count, 0.02), 60, 700)
        put(sound, leveled(thud, level_dbfs + float(rng.uniform(-3, 3))), at_ms)
        at_ms += float(rng.uniform(480, 620))
    return sound


def kettle(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """A kettle: a whistle that rises and stays, over the noise of steam."""
    count = round(seconds * RATE_HZ)
    x = np.linspace(0, 1, count)
    hz = float(rng.uniform(1_500, 2_600)) * (1 - 0.25 * np.exp(-6 * x))
    tone = np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)
    tone *= 1 + 0.15 * band(rng.standard_normal(count), 2, 30) * 8
    steam = band(rng.standard_normal(count), 1_000, 7_000) * 0.3
    return leveled((tone + steam) * np.minimum(4 * x, 1), level_dbfs)


def siren(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """An ambulance in the street, through a window."""
    t_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    hz = 900 + 350 * np.sin(2 * np.pi * float(rng.uniform(0.15, 0.35)) * t_s)
    return leveled(np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ), level_dbfs)


def music(rng: Rng, seconds: float, level_dbfs: float) -> Sound:
    """Music through a wall: bass, chords, drums, with little left above 500 Hz."""
    sound = np.zeros(round(seconds * RATE_HZ))
    beat_s = float(rng.uniform(0.42, 0.6))
    root_hz = float(rng.uniform(55, 82))
    for number in range(int(seconds / beat_s)):
        first = round(number * beat_s * RATE_HZ)
        count = min(round(beat_s * RATE_HZ), sound.size - first)
        t_s = np.arange(count) / RATE_HZ
        chord = 2 ** (np.array([0, 4, 7, 12])[int(rng.integers(4))] / 12)
        for factor, gain in ((1, 1.0), (2, 0.7), (4, 0.5), (5, 0.4), (6, 0.4), (8, 0.25)):
            tone = np.sin(2 * np.pi * root_hz * chord * factor * t_s)
            sound[first : first + count] += gain * tone * np.exp(-t_s / 0.5)
        drum = rng.standard_normal(count) * _decay(count, 0.04)
        sound[first : first + count] += (1.5 if number % 2 else 0.6) * drum
    sections = butter(3, 500, "lowpass", fs=RATE_HZ, output="sos")
    return leveled(sosfilt(sections, sound), level_dbfs)


# -- telephones --------------------------------------------------------------------------------


def _tone(hz: float, seconds: float, partials: tuple[float, ...] = (1.0,)) -> NDArray[np.float64]:
    t_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = np.zeros(t_s.size)
    for number, gain in enumerate(partials, start=1):
        if hz * number < RATE_HZ / 2:
            tone += gain * np.sin(2 * np.pi * hz * number * t_s + number)
    edge = min(round(0.005 * RATE_HZ), t_s.size // 2)
    tone[:edge] *= np.linspace(0, 1, edge)
    tone[t_s.size - edge :] *= np.linspace(1, 0, edge)
    return tone


def warble(rng: Rng, seconds: float) -> NDArray[np.float64]:
    """A desk telephone: two tones in turn, 1 s on, 4 s off (China) or 2 s on, 4 s off."""
    low_hz = float(rng.uniform(600, 1_400))
    high_hz = low_hz * float(rng.uniform(1.12, 1.4))
    each_s = float(rng.uniform(0.03, 0.06))
    on_s, off_s = ((1.0, 4.0), (2.0, 4.0))[int(rng.integers(2))]
    burst = np.concatenate(
        [
            _tone((low_hz, high_hz)[n % 2], each_s, (1.0, 0.3, 0.2))
            for n in range(int(on_s / each_s))
        ]
    )
    cycle = np.concatenate((burst, np.zeros(round(off_s * RATE_HZ))))
    return np.resize(cycle, round(seconds * RATE_HZ))


def bell(rng: Rng, seconds: float) -> NDArray[np.float64]:
    """A telephone's bell, or the sound of one: partials that a hammer strikes 20 times a second."""
    count = round(float(rng.uniform(1.0, 2.0)) * RATE_HZ)
    t_s = np.arange(count) / RATE_HZ
    base_hz = float(rng.uniform(800, 1_500))
    strike = np.exp(-((t_s * 20) % 1) / 0.6)
    tone = sum(
        gain * np.sin(2 * np.pi * base_hz * factor * t_s)
        for factor, gain in ((1.0, 1.0), (1.27, 0.8), (2.1, 0.5), (2.76, 0.3))
    )
    cycle = np.concatenate((tone * strike, np.zeros(round(float(rng.uniform(2, 4)) * RATE_HZ))))
    return np.resize(cycle, round(seconds * RATE_HZ))


def melody(rng: Rng, seconds: float) -> NDArray[np.float64]:
    """A mobile's ring tone: notes of a scale with few partials, over and over."""
    scale = 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    root_hz = float(rng.uniform(520, 1_050))
    partials = ((1.0,), (1.0, 0.4, 0.15), (1.0, 0.1, 0.5))[int(rng.integers(3))]
    note_s = float(rng.uniform(0.11, 0.3))
    notes = []
    for _ in range(int(rng.integers(5, 12))):
        lasts_s = note_s * (1, 1, 2)[int(rng.integers(3))]
        tone = _tone(root_hz * scale[int(rng.integers(8))], lasts_s, partials)
        notes.append(tone * np.exp(-np.arange(tone.size) / RATE_HZ / (3 * lasts_s)))
    notes.append(np.zeros(round(float(rng.uniform(0.0, 0.8)) * RATE_HZ)))
    return np.resize(np.concatenate(notes), round(seconds * RATE_HZ))


def beeps(rng: Rng, seconds: float) -> NDArray[np.float64]:
    """A plain phone: beep-beep, pause."""
    hz = float(rng.uniform(900, 2_600))
    on_s, off_s = float(rng.uniform(0.12, 0.4)), float(rng.uniform(0.08, 0.25))
    beep = np.concatenate((_tone(hz, on_s, (1.0, 0.2, 0.3)), np.zeros(round(off_s * RATE_HZ))))
    parts = [
        np.tile(beep, int(rng.integers(2, 5))),
        np.zeros(round(float(rng.uniform(0.5, 2)) * RATE_HZ)),
    ]
    return np.resize(np.concatenate(parts), round(seconds * RATE_HZ))


def marimba(rng: Rng, seconds: float) -> NDArray[np.float64]:
    """A mobile's ring tone of struck bars: each note dies away, the next begins in it."""
    scale = 2 ** (np.array([0, 3, 5, 7, 10, 12, 15]) / 12)
    root_hz, note_s = float(rng.uniform(440, 900)), float(rng.uniform(0.12, 0.2))
    notes = [(int(rng.integers(7)), bool(rng.integers(4))) for _ in range(16)]
    cycle = np.zeros(round((len(notes) * note_s + 0.6) * RATE_HZ))
    for number, (step, sounds) in enumerate(notes):
        first = round(number * note_s * RATE_HZ)
        if sounds:
            count = min(round(0.6 * RATE_HZ), cycle.size - first)
            t_s = np.arange(count) / RATE_HZ
            hz = root_hz * scale[step]
            bar = np.sin(2 * np.pi * hz * t_s) * np.exp(-t_s / 0.18)
            bar += 0.35 * np.sin(2 * np.pi * 3.9 * hz * t_s) * np.exp(-t_s / 0.05)
            cycle[first : first + count] += bar
    return np.resize(cycle, round(seconds * RATE_HZ))


def buzz(rng: Rng, seconds: float) -> NDArray[np.float64]:
    """A mobile that shakes on a table: a low buzz, on and off."""
    hz = float(rng.uniform(140, 220))
    count = round(float(rng.uniform(0.4, 1.0)) * RATE_HZ)
    t_s = np.arange(count) / RATE_HZ
    tone = sum(np.sin(2 * np.pi * n * hz * t_s + n * n) / n**0.7 for n in range(1, 12))
    rattle = band(rng.standard_normal(count), 800, 4_000) * (np.sin(2 * np.pi * hz * t_s) > 0.8)
    off = np.zeros(round(float(rng.uniform(0.4, 1.5)) * RATE_HZ))
    return np.resize(np.concatenate((tone + 2 * rattle, off)), round(seconds * RATE_HZ))


Ring = Callable[[Rng, float], NDArray[np.float64]]
RINGS: Final[dict[str, Ring]] = {
    "warble": warble,
    "bell": bell,
    "melody": melody,
    "beeps": beeps,
    "marimba": marimba,
}
"""Every kind of ring that can be told from what else sounds in a room; ``buzz`` cannot."""


def ring(rng: Rng, kind: str, seconds: float, level_dbfs: float) -> Sound:
    """A telephone for so long; it begins with sound."""
    made = (buzz if kind == "buzz" else RINGS[kind])(rng, seconds)
    return leveled(made, level_dbfs)
