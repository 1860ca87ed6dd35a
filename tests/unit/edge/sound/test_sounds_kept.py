"""The sound of an alert: kept while a room is sealed, from the seal on, and nowhere else."""

import asyncio
import io
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from contracts.commands import Release, Seal
from contracts.observations import LEVEL_FLOOR_DBFS, Alert
from contracts.units import MonoMs, UtcMs
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.api.sounds import add_sounds
from edge.core.hearing import SoundSigns
from edge.core.people import Instant
from edge.core.recording import LevelSaid
from edge.core.rule_settings import rule_settings
from edge.core.state import CameraSetup, RoomSetup, restore
from edge.evidence.pictures import Pictures
from edge.evidence.sounds import RATE_HZ, REMEMBERED_MS, Sounds
from edge.perception.ear import Ear
from edge.perception.speech import SileroSpeech
from edge.pickup_ears import WAITING_MAX, PickupEars
from edge.ports import CameraEvent, EventSink
from edge.room_freeze import RoomFreeze
from edge.room_service import RoomService, Wiring
from edge.store import EdgeStore
from runtime.clock import SimulatedClock
from runtime.metrics import Metrics
from runtime.outbox import Outbox
from runtime.tokens import issue_ticket
from tests.fakes.bus import MemoryBroker
from tests.fakes.edge_api import KEY, FakeNode, FakePictures, bearer

CAMERA = "cam-1"
HEARING_TOKEN, SEEING_TOKEN = "hear" * 8, "look" * 8
TOKENS = f"ear:sound:{HEARING_TOKEN},eye:view:{SEEING_TOKEN}"


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(1_800_000_000_000 + ms))


def fill(sounds: Sounds, from_ms: int, to_ms: int, source: str = CAMERA) -> None:
    """A tone that tells its time: a sample's value is its tenth of a second."""
    for end_ms in range(from_ms + 100, to_ms + 1, 100):
        part = np.full(RATE_HZ // 10, (end_ms // 100 % 1_000) / 2_000, np.float32)
        sounds.hear(source, part, at(end_ms))


def samples_of(content: bytes) -> np.ndarray:
    with av.open(io.BytesIO(content), "r") as file:
        return np.concatenate([one.to_ndarray().reshape(-1) for one in file.decode(audio=0)])


def test_what_is_kept_is_the_last_seconds_bit_by_bit(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    fill(sounds, 0, 40_000)
    ref = sounds.keep(CAMERA, at(0))
    assert ref is not None
    assert REMEMBERED_MS <= ref.duration_ms <= REMEMBERED_MS + 100
    assert ref.from_utc_ms + ref.duration_ms == at(40_000).utc_ms
    content = sounds.read(ref.sha256)
    assert content is not None
    assert len(content) == ref.bytes
    assert samples_of(content).size == ref.duration_ms * RATE_HZ // 1000
    assert sounds.keep(CAMERA, at(0)) == ref  # the same sound is one file
    assert len(list(tmp_path.glob("*.flac"))) == 1


def test_nothing_before_the_given_time_is_kept(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    fill(sounds, 0, 20_000)
    ref = sounds.keep(CAMERA, at(17_050))
    assert ref is not None
    assert (ref.from_utc_ms, ref.duration_ms) == (at(17_100).utc_ms, 2_900)
    assert sounds.keep(CAMERA, at(20_000)) is None
    assert sounds.keep("mic-9", at(0)) is None


def test_a_source_that_was_away_begins_anew(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    fill(sounds, 0, 5_000)
    fill(sounds, 9_000, 11_000)
    ref = sounds.keep(CAMERA, at(0))
    assert ref is not None
    assert ref.duration_ms == 2_000


def test_the_oldest_fetched_go_first_and_others_only_at_the_hard_limit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sounds = Sounds(tmp_path, keep_bytes=100_000, hard_bytes=210_000)
    refs = []
    for number in range(8):
        noise = rng.uniform(-1, 1, RATE_HZ).astype(np.float32)  # 32 KB, whatever encodes it
        sounds.hear(f"mic-{number}", noise, at(1_000))
        ref = sounds.keep(f"mic-{number}", at(0))
        assert ref is not None
        refs.append(ref)
        if number == 1:
            sounds.mark_fetched(ref.sha256)
    there = [sounds.read(ref.sha256) is not None for ref in refs]
    assert there[0] is False
    assert there[-1] is True
    assert there == sorted(there)  # from the oldest on, at the hard limit, none fetched was left


class House:
    """A room service over real files, with a clock that the test moves."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.folder = folder
        self.clock = SimulatedClock()
        self.sounds = Sounds(folder / "sounds")
        self.store = EdgeStore(folder / "edge.sqlite3")
        self.outbox = Outbox(folder / "outbox.sqlite3", "edge-1", "edge-1", self.clock)
        ids = iter(range(1_000))

        def new_id() -> str:
            return f"id-{next(ids)}"

        wiring = Wiring(
            site_id="demo",
            node_id="edge-1",
            clock=self.clock,
            bus=MemoryBroker().client("edge-1"),
            store=self.store,
            outbox=self.outbox,
            shelf=Pictures(folder / "pictures"),
            live=None,  # type: ignore[arg-type] # nobody looks on in these tests
            metrics=Metrics(),
            new_id=new_id,
            workers=pool,
            disk=pool,
            run_key=None,
            sounds=self.sounds,
        )
        setup = RoomSetup(
            "room-1", "edge-1", (CameraSetup(CAMERA, has_sound=True),), rule_settings({})
        )
        state = restore(setup, None, self.now)
        self.room = RoomService(wiring, state, RoomFreeze(self.store, pool, self.clock, new_id))
        self.alerts: list[Alert] = []

    @property
    def now(self) -> Instant:
        return Instant(self.clock.mono_ms(), self.clock.utc_ms())

    async def hear(self, seconds: float, level: float, **signs: float) -> None:
        rng = np.random.default_rng(round(seconds * 10))
        for _ in range(round(seconds * 10)):
            self.clock.advance_ms(100)
            self.sounds.hear(CAMERA, rng.uniform(-0.1, 0.1, 1_600).astype(np.float32), self.now)
            made = SoundSigns(CAMERA, level, self.now, loudness_lufs=level)
            await self.room.take(replace(made, **signs))  # type: ignore[arg-type] # by name
            self.alerts += [one for one in self.room.state.alerts if one not in self.alerts]

    async def seal(self) -> None:
        await self.room.take(
            Seal(
                command_id="c-1",
                room_id="room-1",
                session_id="s-1",
                admitted=5,
                at_utc_ms=self.clock.utc_ms(),
            )
        )

    async def release(self) -> None:
        await self.room.take(
            Release(
                command_id="c-2",
                room_id="room-1",
                session_id="s-1",
                at_utc_ms=self.clock.utc_ms(),
            )
        )

    def files(self) -> list[Path]:
        return [path for path in (self.folder / "sounds").rglob("*") if path.is_file()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ThreadPoolExecutor(1) as pool:
        made = House(tmp_path, pool)
        yield made
        made.store.close()
        made.outbox.close()


async def test_outside_a_session_no_sound_is_written_anywhere(house: House) -> None:
    await house.hear(5, -50)
    await house.hear(4, -3, clipped_share=0.3)
    assert [one.rule for one in house.alerts] == ["sound.clipped"]
    assert house.alerts[0].sound is None
    assert house.files() == []
    await house.seal()
    await house.hear(8, -50)  # the alert clears
    await house.release()
    await house.hear(4, -3, clipped_share=0.3)
    assert len({one.alert_id for one in house.alerts}) == 2
    assert all(one.sound is None for one in house.alerts)
    assert house.files() == []


async def test_the_sound_of_a_sealed_room_is_kept_from_its_seal_on(house: House) -> None:
    await house.hear(14, -50)
    await house.seal()
    sealed = house.now
    await house.hear(3, -50)
    await house.hear(3, -3, clipped_share=0.3)
    alert = next(one for one in house.alerts if one.sound is not None)
    assert alert.sound is not None
    assert alert.sound.source_id == CAMERA
    assert alert.sound.from_utc_ms >= sealed.utc_ms
    assert 4_500 <= alert.sound.duration_ms <= 6_000
    assert [path.name for path in house.files()] == [f"{alert.sound.sha256}.flac"]
    (stored,) = house.store.rooms()["room-1"].alerts
    assert stored.sound == alert.sound


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Sounds, SimulatedClock]]:
    clock, sounds = SimulatedClock(), Sounds(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        hub = LiveHub(lambda rgb, drawn, width: b"", pool, clock, viewers_max=1)
        app = build(
            FakeNode(),
            hub,
            FakePictures(),
            Gate(tokens_from_environ(TOKENS), KEY, clock),
            version="1",
        )
        add_sounds(app, sounds)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://edge", trust_env=False
        ) as made:
            yield made, sounds, clock


async def test_hearing_is_a_right_of_its_own(
    client: tuple[httpx.AsyncClient, Sounds, SimulatedClock], tmp_path: Path
) -> None:
    asked, sounds, clock = client
    fill(sounds, 0, 3_000)
    ref = sounds.keep(CAMERA, at(0))
    assert ref is not None
    assert (await asked.get(ref.path)).status_code == 401
    assert (await asked.get(ref.path, headers=bearer(SEEING_TOKEN))).status_code == 403
    fetched = tmp_path / f"{ref.sha256}.fetched"

    def ticket(scope: str, subject: str, path: str = ref.path) -> dict[str, str]:
        return {"ticket": issue_ticket(KEY, subject, scope, path, clock.utc_ms(), 60_000)}

    seeing = await asked.get(ref.path, params=ticket("picture", "li.wei"))
    other = await asked.get(ref.path, params=ticket("sound", "li.wei", ref.path.replace("0", "1")))
    assert (seeing.status_code, other.status_code) == (401, 401)
    heard = await asked.get(ref.path, params=ticket("sound", "li.wei"))
    assert (heard.status_code, heard.headers["content-type"]) == (200, "audio/flac")
    assert heard.headers["access-control-allow-origin"] == "*"  # a console draws its waveform
    assert heard.content == sounds.read(ref.sha256)
    assert not fetched.exists()
    await asked.get(ref.path, params=ticket("sound", "controller"))
    assert fetched.exists()
    answer = await asked.get(ref.path, headers=bearer(HEARING_TOKEN))
    assert answer.status_code == 200
    missing = ref.path.replace(ref.sha256, "0" * 64)
    assert (await asked.get(missing, headers=bearer(HEARING_TOKEN))).status_code == 404


def said(number: int, pcm: bytes, **more: float) -> LevelSaid:
    when = at(number * 100)
    return LevelSaid.model_validate(
        {
            "track_id": "mic-1",
            "dbfs": -20.0,
            "at_utc_ms": when.utc_ms,
            "at_mono_ms": when.mono_ms,
            "pcm": b64encode(pcm).decode(),
            **more,
        }
    )


def taking(signs: list[SoundSigns]) -> EventSink:
    """Where ears report; only sound comes."""

    def take(event: CameraEvent) -> None:
        assert isinstance(event, SoundSigns)
        signs.append(event)

    return take


def test_a_pickup_is_listened_to_beside_the_event_loop() -> None:
    signs: list[SoundSigns] = []
    tone = (np.sin(np.arange(1_600) * 0.2) * 3_000).astype("<i2").tobytes()
    with ThreadPoolExecutor(1) as pool:
        ears = PickupEars(
            {"mic-1": Ear("mic-1", SileroSpeech())}, taking(signs), pool, SimulatedClock()
        )
        for number in range(1, 6):
            ears.take(said(number, tone, peak_dbfs=-1.0, clipped_share=0.5))
        ears.take(said(6, tone).model_copy(update={"pcm": "no base64!"}))
        ears.take(said(7, tone).model_copy(update={"track_id": "mic-7"}))
    assert [one.at for one in signs] == [at(number * 100) for number in range(1, 6)]
    assert {(one.level_dbfs, one.peak_dbfs, one.clipped_share) for one in signs} == {
        (-20.0, -1.0, 0.5)
    }
    assert signs[0].loudness_lufs > LEVEL_FLOOR_DBFS


def test_a_node_that_is_behind_leaves_sound_out_and_counts_it() -> None:
    signs: list[SoundSigns] = []
    tone = bytes(3_200)
    with ThreadPoolExecutor(1) as pool:
        hold = asyncio.run(_held(pool, signs, tone))
    assert hold.dropped == 5
    assert len(signs) == WAITING_MAX


async def _held(pool: ThreadPoolExecutor, signs: list[SoundSigns], tone: bytes) -> PickupEars:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()
    release = pool.submit(lambda: asyncio.run_coroutine_threadsafe(gate.wait(), loop).result())
    ears = PickupEars(
        {"mic-1": Ear("mic-1", SileroSpeech())}, taking(signs), pool, SimulatedClock()
    )
    for number in range(WAITING_MAX + 5):
        ears.take(said(number + 1, tone))
    gate.set()
    await asyncio.wrap_future(release)
    return ears
