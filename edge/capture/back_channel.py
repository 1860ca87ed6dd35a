"""Talks over a camera: an RTSP session of its own whose only medium is the ONVIF back channel.

ONVIF Streaming Specification, "Back channel connection": DESCRIBE, SETUP and PLAY carry the Require
tag, the SDP has an audio medium that is ``sendonly``, RTP goes from us to the camera, interleaved
in the same TCP connection. The camera's picture is not asked for; the recorder has its own session.
"""

import asyncio
import secrets
import ssl
import struct
from collections.abc import Mapping
from typing import Final, Self
from urllib.parse import urlsplit

import numpy as np
import structlog
from numpy.typing import NDArray

from edge.capture import g711
from edge.capture.rtsp_words import (
    BACKCHANNEL,
    BODY_MAX_BYTES,
    HEAD_MAX_BYTES,
    Answer,
    BackChannelLost,
    Mouth,
    TalkRefusal,
    authorization,
    mouth_of,
    read_head,
    request,
)

log = structlog.get_logger(__name__)

CONNECT_S: Final = 3.0  # a device of the same building answers within milliseconds
ANSWER_S: Final = 5.0  # a camera that wakes its loudspeaker takes a second or two
KEEPALIVE_S: Final = 20.0  # sessions end after 60 s unless the camera says otherwise
PACKET_SAMPLES: Final = 160  # 20 ms, what RFC 3551 says and cameras expect
QUEUED_MAX_BYTES: Final = 65_536  # 8 s of speech: a camera that takes nothing is lost
RTP_VERSION: Final = 0x80
MARKER: Final = 0x80


def plain_address(url: str) -> tuple[str, int, bool]:
    """Host, port and whether TLS is spoken, of an rtsp or rtsps address.

    Raises:
        BackChannelLost: it is another kind of address, which has no back channel.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"rtsp", "rtsps"} or not parts.hostname:
        raise BackChannelLost(TalkRefusal.NO_BACK_CHANNEL, f"{parts.scheme} has none")
    encrypted = parts.scheme == "rtsps"
    return parts.hostname, parts.port or (322 if encrypted else 554), encrypted


class BackChannel:
    """One open back channel. Make it with ``open``; it takes samples until ``close``."""

    def __init__(
        self,
        url: str,
        pair: tuple[str, str] | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._url = url
        self._pair = pair
        self._reader = reader
        self._writer = writer
        self._encrypted = urlsplit(url).scheme == "rtsps"
        self._sequence = 0
        self._challenges: tuple[str, ...] = ()
        self._nonce_count = 0
        self._answers: asyncio.Queue[Answer] = asyncio.Queue(8)
        self._tasks: list[asyncio.Task[None]] = []
        self._session = ""
        self._mouth: Mouth | None = None
        self._channel = 0
        self._rest: NDArray[np.int16] = np.zeros(0, np.int16)
        self._packet = secrets.randbelow(1 << 16)
        self._stamp = secrets.randbelow(1 << 32)
        self._ssrc = secrets.randbelow(1 << 32)
        self._first = True
        self._lost: BackChannelLost | None = None
        self._gone = asyncio.Event()
        self.sent_samples = 0
        """Samples that went out in packets."""

    @classmethod
    async def open(cls, url: str, pair: tuple[str, str] | None) -> Self:
        """Connect and set the back channel up; words may be sent on return.

        Raises:
            BackChannelLost: with the reason.
        """
        host, port, encrypted = plain_address(url)
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=_any_certificate() if encrypted else None, limit=BODY_MAX_BYTES
                )
        except TimeoutError:
            raise BackChannelLost(TalkRefusal.NO_ANSWER, "no connection in time") from None
        except (OSError, ssl.SSLError) as error:
            raise BackChannelLost(TalkRefusal.UNREACHABLE, type(error).__name__) from None
        channel = cls(url, pair, reader, writer)
        channel._tasks.append(asyncio.create_task(channel._read()))
        try:
            await channel._set_up()
        except BaseException:
            await channel.close()
            raise
        channel._tasks.append(asyncio.create_task(channel._keep_alive()))
        return channel

    @property
    def codec(self) -> str:
        """PCMU or PCMA."""
        return self._mouth.codec if self._mouth is not None else ""

    def send(self, samples: NDArray[np.int16]) -> None:
        """Send samples at 8 kHz, in packets of 20 ms; what is left over goes with the next ones.

        Raises:
            BackChannelLost: the camera is gone, or takes nothing.
        """
        if self._lost is not None:
            raise self._lost
        if self._mouth is None:
            raise BackChannelLost(TalkRefusal.LOST, "not set up")
        if self._writer.transport.get_write_buffer_size() > QUEUED_MAX_BYTES:
            raise BackChannelLost(TalkRefusal.LOST, "the camera takes nothing")
        data = np.concatenate((self._rest, samples))
        whole = data.size - data.size % PACKET_SAMPLES
        for start in range(0, whole, PACKET_SAMPLES):
            self._send_packet(data[start : start + PACKET_SAMPLES], self._mouth)
        self._rest = data[whole:]

    def flush(self) -> None:
        """Send what is left over, with silence behind it."""
        if self._rest.size:
            self.send(np.zeros(PACKET_SAMPLES - self._rest.size, np.int16))

    def _send_packet(self, samples: NDArray[np.int16], mouth: Mouth) -> None:
        kind = mouth.payload_type | (MARKER if self._first else 0)
        self._first = False
        head = struct.pack(
            "!BBHII", RTP_VERSION, kind, self._packet & 0xFFFF, self._stamp & 0xFFFFFFFF, self._ssrc
        )
        payload = head + g711.encode(mouth.codec, samples)
        self._writer.write(struct.pack("!cBH", b"$", self._channel, len(payload)) + payload)
        self._packet += 1
        self._stamp += samples.size
        self.sent_samples += int(samples.size)

    async def close(self) -> None:
        """Tear the session down; never raises for what the camera does."""
        if self._session and self._lost is None:
            headers = {"Session": self._session}
            try:
                async with asyncio.timeout(1.0):
                    await self._ask("TEARDOWN", self._url, headers)
            except (BackChannelLost, TimeoutError):
                pass
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (OSError, TimeoutError, ssl.SSLError):
            pass

    async def _set_up(self) -> None:
        required = {"Require": BACKCHANNEL}
        described = await self._ask(
            "DESCRIBE", self._url, {"Accept": "application/sdp", **required}
        )
        _refuse(described)
        base = described.headers.get("content-base", self._url)
        sdp = described.body.decode("utf-8", "replace")
        mouth = mouth_of(sdp, _ours(base, self._url))
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        got = await self._ask("SETUP", mouth.control, {"Transport": transport, **required})
        _refuse(got)
        self._session = got.headers.get("session", "").partition(";")[0]
        self._channel = _interleaved(got.headers.get("transport", ""))
        if not self._session:
            raise BackChannelLost(TalkRefusal.BAD_ANSWER, "SETUP gave no session")
        base_url = _ours(base, self._url)
        playing = await self._ask("PLAY", base_url, {"Session": self._session, **required})
        _refuse(playing)
        self._mouth = mouth

    async def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        answer = await self._ask_once(method, url, headers)
        if answer.status != 401:
            return answer
        if self._pair is None or not answer.challenges:
            raise BackChannelLost(TalkRefusal.DENIED, "it asks for a user and no credential is set")
        self._challenges, self._nonce_count = answer.challenges, 0
        return await self._ask_once(method, url, headers)

    async def _ask_once(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        self._write(method, url, headers)
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._answers.get()
        except TimeoutError:
            raise BackChannelLost(TalkRefusal.NO_ANSWER, method) from None
        if self._lost is not None:
            raise self._lost
        return answer

    def _write(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        self._sequence += 1
        sent = dict(headers)
        if self._challenges and self._pair is not None:
            self._nonce_count += 1
            said = authorization(
                self._challenges, self._pair, method, url, encrypted=self._encrypted,
                nonce_count=self._nonce_count, cnonce=secrets.token_hex(8),
            )  # fmt: skip
            if said is None:
                detail = "it wants the password in the clear (basic); switch it to digest"
                raise BackChannelLost(TalkRefusal.DENIED, detail)
            sent["Authorization"] = said
        self._writer.write(request(method, url, self._sequence, sent))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_S)
            self._write("GET_PARAMETER", self._url, {"Session": self._session})

    async def _read(self) -> None:
        """Take answers, throw away what is interleaved (RTCP of the camera)."""
        try:
            while True:
                first = await self._reader.readexactly(1)
                if first == b"$":
                    _, length = struct.unpack("!BH", await self._reader.readexactly(3))
                    await self._reader.readexactly(length)
                    continue
                if first in b"\r\n":
                    continue
                await self._take(first + await self._reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError):
            self._fail(BackChannelLost(TalkRefusal.LOST, "the camera hung up"))
        except BackChannelLost as lost:
            self._fail(lost)

    async def _take(self, head: bytes) -> None:
        if len(head) > HEAD_MAX_BYTES:
            raise BackChannelLost(TalkRefusal.BAD_ANSWER, "a head without end")
        if not head.startswith(b"RTSP/"):
            return  # a request of the camera (OPTIONS, ANNOUNCE): it needs no answer of ours
        answer = read_head(head)
        length = answer.headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        if size > BODY_MAX_BYTES:
            raise BackChannelLost(TalkRefusal.BAD_ANSWER, f"a body of {size} bytes")
        body = await self._reader.readexactly(size)
        whole = Answer(answer.status, answer.headers, answer.challenges, body)
        if self._mouth is None or not self._answers.full():
            self._answers.put_nowait(whole)
        while self._mouth is not None and self._answers.qsize() > 1:
            self._answers.get_nowait()  # answers to keep-alives, which nobody waits for

    async def lost(self) -> BackChannelLost:
        """Wait until the camera is gone; why."""
        await self._gone.wait()
        return self._lost or BackChannelLost(TalkRefusal.LOST)

    def _fail(self, lost: BackChannelLost) -> None:
        self._lost = self._lost or lost
        self._gone.set()
        if not self._answers.full():
            self._answers.put_nowait(Answer(0, {}))


def _any_certificate() -> ssl.SSLContext:
    """Cameras make their own certificates; see docs/guide/cameras.md."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _refuse(answer: Answer) -> None:
    match answer.status:
        case 200:
            return
        case 401 | 403:
            raise BackChannelLost(TalkRefusal.DENIED, f"RTSP {answer.status}")
        case 404 | 461 | 551:
            raise BackChannelLost(TalkRefusal.NO_BACK_CHANNEL, f"RTSP {answer.status}")
        case 453 | 455 | 503:
            raise BackChannelLost(TalkRefusal.BUSY, f"RTSP {answer.status}")
        case _:
            raise BackChannelLost(TalkRefusal.BAD_ANSWER, f"RTSP {answer.status}")


def _ours(base: str, url: str) -> str:
    """A camera's Content-Base at the host that we reached."""
    path = urlsplit(base)
    if path.scheme not in {"rtsp", "rtsps"}:
        return url
    ours = urlsplit(url)
    return path._replace(scheme=ours.scheme, netloc=ours.netloc).geturl()


def _interleaved(transport: str) -> int:
    for part in transport.split(";"):
        name, _, value = part.strip().partition("=")
        if name == "interleaved":
            first = value.partition("-")[0]
            if first.isdigit() and int(first) < 256:
                return int(first)
    return 0
