"""Talk and listening over a real node: words arrive at the camera, sound at who may hear it."""

import asyncio
import contextlib
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from contracts.observations import VoiceKind, VoiceTold
from edge.api.listen import LISTEN_TICKET
from edge.api.talk import TALK_TICKET
from runtime.clock import SystemClock
from runtime.tokens import issue_ticket
from tests.fakes.edge_site import CAMERA, NODE_KEY, ControllerSide, Running
from tests.fakes.onvif_backchannel import TalkedTo
from tests.fakes.waiting import until

RATE = 16_000
FRAME = 1_600


def ticket(resource: str, scope: str, *, by: str = "sup", ttl_ms: int = 20_000) -> str:
    now = SystemClock().utc_ms()
    return issue_ticket(bytes.fromhex(NODE_KEY), by, scope, resource, now, ttl_ms)


def tone(freq_hz: float, seconds: float, rate: int = RATE) -> NDArray[np.int16]:
    time = np.arange(round(seconds * rate)) / rate
    wave: NDArray[np.int16] = (9_000 * np.sin(2 * np.pi * freq_hz * time)).astype(np.int16)
    return wave


def pitch_hz(samples: NDArray[np.int16], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64) * np.hanning(samples.size)))
    return float(np.fft.rfftfreq(samples.size, 1 / rate)[int(np.argmax(spectrum))])


@asynccontextmanager
async def socket(node: Running, path: str, pass_: str) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{node.node.port}{path}?ticket={pass_}", proxy=None) as made:
        yield made


async def said(made: ClientConnection, kind: str) -> dict[str, object]:
    """The next message of a kind; binary frames and others pass by."""
    async with asyncio.timeout(30):
        while True:
            message = await made.recv()
            if isinstance(message, str) and json.loads(message)["kind"] == kind:
                found: dict[str, object] = json.loads(message)
                return found


async def speak(made: ClientConnection, samples: NDArray[np.int16]) -> None:
    """Send frames as a microphone does, one after the other in time."""
    for start in range(0, samples.size, FRAME):
        await made.send(samples[start : start + FRAME].tobytes())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.09):
                while True:
                    await made.recv()  # levels


async def woken(made: ClientConnection, camera: TalkedTo) -> None:
    """A camera's loudspeaker may swallow the first moment after PLAY: breathe before the words."""
    for _ in range(100):
        await speak(made, np.zeros(FRAME, np.int16))
        if camera.heard().size:
            return
    raise AssertionError("the camera hears nothing")


def offset(heard: NDArray[np.int16], kept: NDArray[np.int16]) -> int:
    """Where in ``kept`` the sound of ``heard`` begins."""
    found = np.correlate(kept.astype(float), heard.astype(float), "valid")
    return int(np.argmax(found))


def talk_path(talk_id: str, camera: str = CAMERA) -> str:
    return f"/api/v1/cameras/{camera}/talk/{talk_id}"


async def ended(controller: ControllerSide, voice_id: str) -> VoiceTold:
    def found() -> list[VoiceTold]:
        told = [one for one in controller.voices if one.voice_id == voice_id]
        return [one for one in told if one.ended_utc_ms is not None]

    await until(found, within_s=30, what=f"the end of {voice_id} is told")
    return found()[0]


async def test_words_arrive_at_the_camera_and_are_kept_as_they_were_sent(
    node: Running, camera: TalkedTo, controller: ControllerSide
) -> None:
    path = talk_path("talk-1")
    # A hiss that is like nothing else marks the place, a tone tells that nothing was bent.
    hiss = np.random.default_rng(7).integers(-6_000, 6_000, RATE // 4).astype(np.int16)
    words = np.concatenate((hiss, tone(440, 1.2)))
    async with socket(node, path, ticket(path, TALK_TICKET)) as made:
        ready = await said(made, "ready")
        assert (ready["rate_hz"], ready["codec"]) == (RATE, "PCMU")
        other = talk_path("talk-2")
        async with socket(node, other, ticket(other, TALK_TICKET, by="sup2")) as second:
            assert (await said(second, "failed"))["why"] == "busy"  # one talker a room
        await woken(made, camera)
        before = camera.heard().size
        await speak(made, words)
        await until(
            lambda: camera.heard().size - before >= 11_000, within_s=30, what="it has heard all"
        )
        await made.send(json.dumps({"kind": "end"}))
        over = await said(made, "ended")
    assert over["why"] == "released"
    heard = camera.heard()
    assert pitch_hz(heard[-8_000:], 8_000) == pytest.approx(440, abs=2)
    told = await ended(controller, "talk-1")
    assert (told.kind, told.by, told.why) == (VoiceKind.TALK, "sup", "released")
    assert told.sha256 == over["sha256"]
    file = f"/api/v1/talks/{told.sha256}.flac"
    base = f"http://127.0.0.1:{node.node.port}"
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        answer = await client.get(file, params={"ticket": ticket(file, "sound")})
        assert (await client.get(file)).status_code == 401
    assert hashlib.sha256(answer.content).hexdigest() == told.sha256
    with av.open(io.BytesIO(answer.content), "r") as container:
        kept = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    # What is kept is what the loudspeaker was given, but for the law's rounding.
    part = heard[-10_500:-500]
    first = offset(part, kept)
    errors = kept[first : first + part.size].astype(int) - part.astype(int)
    assert np.abs(errors).max() <= 512
    async with socket(node, path, ticket(path, TALK_TICKET)) as again:
        assert (await said(again, "failed"))["why"] == "busy"  # a ticket opens one talk, once


async def test_a_camera_without_a_loudspeaker_says_so_at_once_and_it_is_told(
    node: Running, controller: ControllerSide
) -> None:
    path = talk_path("talk-3", "room-1-mute")
    async with socket(node, path, ticket(path, TALK_TICKET)) as made:
        assert (await said(made, "failed"))["why"] == "no_back_channel"
    told = await ended(controller, "talk-3")
    assert (told.why, told.sha256) == ("no_back_channel", None)


async def test_a_camera_that_is_pulled_ends_the_talk_and_what_was_said_stands(
    node: Running, camera: TalkedTo, controller: ControllerSide
) -> None:
    path = talk_path("talk-4")
    async with socket(node, path, ticket(path, TALK_TICKET)) as made:
        await said(made, "ready")
        await speak(made, tone(440, 0.4))
        camera.die()

        assert (await said(made, "ended"))["why"] == "lost"
    told = await ended(controller, "talk-4")
    assert told.sha256 is not None
    assert (told.duration_ms or 0) >= 300


def hear_path(listening_id: str) -> str:
    return f"/api/v1/listen/{CAMERA}/{listening_id}"


async def sound(made: ClientConnection, windows: int) -> NDArray[np.int16]:
    parts: list[NDArray[np.int16]] = []
    async with asyncio.timeout(20):
        while len(parts) < windows:
            message = await made.recv()
            if isinstance(message, bytes):
                parts.append(np.frombuffer(message, "<i2"))
    return np.concatenate(parts)


async def test_a_room_is_heard_by_ticket_and_no_longer_than_it_is_renewed(
    node: Running, controller: ControllerSide
) -> None:
    path = hear_path("hear-1")
    async with socket(node, path, ticket(path, LISTEN_TICKET, ttl_ms=8_000)) as made:
        heard = await sound(made, 10)
        assert pitch_hz(heard[-RATE // 2 :], RATE) == pytest.approx(1_000, abs=5)
        await made.send(json.dumps({"ticket": ticket(path, LISTEN_TICKET, ttl_ms=1_500)}))
        await said(made, "renewed")
        assert (await said(made, "ended"))["why"] == "lapsed"  # nobody renewed it
    told = await ended(controller, "hear-1")
    assert (told.kind, told.by, told.why) == (VoiceKind.LISTENING, "sup", "lapsed")
    one, two = hear_path("hear-2"), hear_path("hear-3")
    async with socket(node, one, ticket(one, LISTEN_TICKET)) as first:
        await sound(first, 1)
        async with socket(node, two, ticket(two, LISTEN_TICKET)) as second:
            assert (await said(first, "ended"))["why"] == "other_room"
            await sound(second, 1)
    assert (await ended(controller, "hear-3")).why == "browser_gone"


async def test_nobody_hears_a_room_without_a_ticket_for_this_listening(node: Running) -> None:
    wrong = [
        (hear_path("hear-9"), "picture"),
        (hear_path("hear-8"), LISTEN_TICKET),
        (f"/api/v1/cameras/{CAMERA}", LISTEN_TICKET),
        (hear_path("hear-9"), TALK_TICKET),
    ]
    for resource, scope in wrong:
        async with socket(node, hear_path("hear-9"), ticket(resource, scope)) as made:
            with pytest.raises(ConnectionClosed):
                await made.recv()
            assert made.close_code == 4401
    path = talk_path("talk-9")
    async with socket(node, path, ticket(path, LISTEN_TICKET)) as made:
        with pytest.raises(ConnectionClosed):
            await made.recv()
        assert made.close_code == 4401
    assert node.node.voices.sound.listeners == ()
