"""Plays cameras over RTSP for the benchmarks and logs every picture and sound it has sent.

A process of its own, independent of what is measured: ``python -m benchmarks.cameras``. Each
picture carries its number in an SEI message (unregistered user data, H.264 annex D), so that what
is on disk can be compared picture by picture. The clip is encoded once and sent in a loop with
running time stamps: RTP by RFC 6184 (H.264) and RFC 3640 (AAC), interleaved in RTSP (RFC 2326).
Any name is a camera's main stream; ``sub-K/CAMERA`` is a sub stream with the scene K of ``--sub``.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import logging
import secrets
import struct
import sys
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

NUMBER_UUID: Final = bytes.fromhex("7a65726f656e7472792d66726d6e756d")
"""Marks our SEI messages; the eight bytes behind it are the picture's number."""

FPS: Final = 25
GOP: Final = 50  # one key frame in two seconds, as cameras come
RATE_HZ: Final = 48_000
SAMPLES: Final = 1_024  # of one AAC frame
LOOP_PICTURES: Final = 250
PAYLOAD_MAX: Final = 1_400  # of one RTP packet, as cameras send it
VIDEO_CLOCK: Final = 90_000
REPORT_EVERY: Final = 5 * FPS  # pictures between RTCP sender reports
NTP_EPOCH_S: Final = 2_208_988_800
BUFFER_MAX: Final = (
    8 * 1024 * 1024
)  # unsent bytes of one client; more is a client that stands still
BITRATE_BPS: Final = 4_000_000
SUB_STEP: Final = 70  # pictures of its scene by which each camera's sub stream is ahead of the last
AAC_FORMAT: Final = (
    "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
)


@dataclass(frozen=True, slots=True)
class Clip:
    """An encoded loop: RTP payloads of each picture and of each sound frame."""

    sdp: str
    pictures: tuple[tuple[bytes, ...], ...]
    keys: tuple[bool, ...]
    sounds: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """What one stream shows: a clip, one picture at each ``every``-th of 25 ticks a second."""

    clip: Clip
    every: int = 1
    phase: int = 0
    """The tick of its first picture: cameras are not in step."""
    start: int = 0
    """The picture of the clip that it began with."""

    def due(self, tick: int) -> int | None:
        """The number of the picture that is due at a tick, if one is."""
        number, off = divmod(tick - self.phase, self.every)
        return number if off == 0 and number >= 0 else None

    def place(self, number: int) -> int:
        """Where in the clip a picture is."""
        return (number + self.start) % len(self.clip.pictures)

    @property
    def stamps_each(self) -> int:
        """Ticks of the RTP clock from picture to picture."""
        return VIDEO_CLOCK // FPS * self.every


def _noise(index: int, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A moving gradient under fine noise: costs about what a furnished room with people costs."""
    ramp = (np.arange(width, dtype=np.uint16)[None, :] + 8 * index) % 256
    picture = np.repeat(ramp.astype(np.uint8), height, axis=0)
    grain = rng.integers(0, 24, (height // 4, width // 4), dtype=np.uint8)
    picture = picture // 2 + np.kron(grain, np.ones((4, 4), np.uint8))
    return np.repeat(picture[:, :, None], 3, axis=2)


def encode_clip(path: Path, width: int, height: int) -> None:
    """Write the loop as MP4: closed groups of pictures, constant rate, one AAC track."""
    rng = np.random.default_rng(3)
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate = BITRATE_BPS
        rate = str(BITRATE_BPS)
        video.options = {
            "preset": "ultrafast",
            "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0:nal-hrd=cbr",
            "maxrate": rate,
            "minrate": rate,
            "bufsize": str(BITRATE_BPS // 2),
        }
        audio = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        for index in range(LOOP_PICTURES):
            frame = VideoFrame.from_ndarray(_noise(index, rng, width, height), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            out.mux(video.encode(frame))
        sounds = LOOP_PICTURES * RATE_HZ // FPS // SAMPLES
        for index in range(sounds):
            steps = np.arange(index * SAMPLES, (index + 1) * SAMPLES)
            tone = (0.2 * np.sin(2 * np.pi * 440 * steps / RATE_HZ)).astype(np.float32)
            sound = AudioFrame.from_ndarray(tone[None, :], format="fltp", layout="mono")
            sound.pts, sound.sample_rate = index * SAMPLES, RATE_HZ
            sound.time_base = Fraction(1, RATE_HZ)
            out.mux(audio.encode(sound))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    part.replace(path)


def _units(data: bytes) -> list[bytes]:
    """The NAL units of a length-prefixed access unit."""
    units, at = [], 0
    while at + 4 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        units.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return units


def _split(unit: bytes) -> list[bytes]:
    """A NAL unit as RTP payloads: whole, or in FU-A pieces (RFC 6184, 5.8)."""
    if len(unit) <= PAYLOAD_MAX:
        return [unit]
    indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
    pieces, at = [], 1
    while at < len(unit):
        part = unit[at : at + PAYLOAD_MAX - 2]
        flags = (0x80 if at == 1 else 0) | (0x40 if at + len(part) >= len(unit) else 0)
        pieces.append(bytes((indicator, flags | kind)) + part)
        at += len(part)
    return pieces


def load_clip(path: Path, sound: Path | None = None, fps: int = FPS) -> Clip:
    """Read an encoded loop, its sound from a file of its own if given; cut it into RTP payloads."""
    pictures: list[tuple[bytes, ...]] = []
    keys: list[bool] = []
    with av.open(str(path)) as source:
        video = source.streams.video[0]
        record = video.codec_context.extradata or b""
        for packet in source.demux(video):
            if packet.size == 0:
                continue
            units = [unit for unit in _units(bytes(packet)) if unit[0] & 0x1F in (1, 5)]
            pictures.append(tuple(piece for unit in units for piece in _split(unit)))
            keys.append(bool(packet.is_keyframe))
    config, sounds = _sounds(sound or path)
    return Clip(_sdp(record, config, fps), tuple(pictures), tuple(keys), sounds)


def _sounds(path: Path) -> tuple[bytes, tuple[bytes, ...]]:
    """AudioSpecificConfig and RTP payloads of a file's sound."""
    sounds: list[bytes] = []
    with av.open(str(path)) as source:
        audio = source.streams.audio[0]
        config = audio.codec_context.extradata or b""
        for packet in source.demux(audio):
            if packet.size and packet.pts is not None and packet.pts >= 0:
                data = bytes(packet)
                sounds.append(struct.pack(">HH", 16, len(data) << 3) + data)
    return config, tuple(sounds)


def _sdp(record: bytes, config: bytes, fps: int) -> str:
    """The description (RFC 4566) of picture and sound, from avcC and AudioSpecificConfig."""
    sps_size = struct.unpack_from(">H", record, 6)[0]
    sps = record[8 : 8 + sps_size]
    pps_size = struct.unpack_from(">H", record, 9 + sps_size)[0]
    pps = record[11 + sps_size : 11 + sps_size + pps_size]
    sets = ",".join(base64.b64encode(one).decode() for one in (sps, pps))
    return "\r\n".join(
        (
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=load",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "m=video 0 RTP/AVP 96",
            f"a=rtpmap:96 H264/{VIDEO_CLOCK}",
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}",
            f"a=framerate:{fps}",
            "a=control:trackID=0",
            "m=audio 0 RTP/AVP 97",
            f"a=rtpmap:97 MPEG4-GENERIC/{RATE_HZ}/1",
            f"a=fmtp:97 {AAC_FORMAT}config={config[:2].hex().upper()}",
            "a=control:trackID=1",
            "",
        )
    )


def _sei(number: int) -> bytes:
    """An SEI NAL unit (type 6) with an unregistered user data message: uuid and number."""
    body = NUMBER_UUID + struct.pack(">Q", number)
    # Emulation prevention: none of our bytes may form 00 00 0x; the number is made of 1-bits apart.
    spread = bytes(byte for value in body[16:] for byte in (0x40 | value >> 4, 0x40 | value & 15))
    message = NUMBER_UUID + spread
    return bytes((6, 5, len(message))) + message + b"\x80"


def number_of(message: bytes) -> int | None:
    """The picture's number in the bytes of an access unit; None when it has none."""
    at = message.find(NUMBER_UUID)
    if at < 0:
        return None
    spread = message[at + 16 : at + 32]
    if len(spread) < 16:
        return None
    value = 0
    for byte in spread:
        value = value << 4 | byte & 15
    return value


def sounds_before(picture: int) -> int:
    """Sound frames that are due before a picture."""
    return picture * RATE_HZ // FPS // SAMPLES


@dataclass(slots=True)
class Sent:
    """What one client of one camera was sent."""

    camera: str
    client: int
    first_picture: int = -1
    last_picture: int = -1
    pictures: int = 0
    sounds: int = 0
    began_mono_ms: int = 0
    ended_mono_ms: int = 0
    skipped: int = 0


@dataclass(slots=True)
class _Channel:
    number: int
    payload_type: int
    ssrc: int
    sequence: int = 0
    packets: int = 0
    octets: int = 0

    def packet(self, payload: bytes, stamp: int, *, marker: bool) -> bytes:
        self.packets += 1
        self.octets += len(payload)
        self.sequence = (self.sequence + 1) & 0xFFFF
        head = struct.pack(
            ">BBHBBHII",
            0x24,
            self.number,
            12 + len(payload),
            0x80,
            (0x80 if marker else 0) | self.payload_type,
            self.sequence,
            stamp & 0xFFFFFFFF,
            self.ssrc,
        )
        return head + payload

    def report(self, stamp: int, wall_s: float) -> bytes:
        """An RTCP sender report (RFC 3550, 6.4.1)."""
        seconds = int(wall_s) + NTP_EPOCH_S
        share = int((wall_s % 1) * (1 << 32))
        body = struct.pack(
            ">BBHIIIIII",
            0x80,
            200,
            6,
            self.ssrc,
            seconds & 0xFFFFFFFF,
            share,
            stamp & 0xFFFFFFFF,
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )
        return struct.pack(">BBH", 0x24, self.number + 1, len(body)) + body


@dataclass(slots=True)
class _Client:
    writer: asyncio.StreamWriter
    sent: Sent
    feed: Feed
    video: _Channel
    audio: _Channel | None
    waiting_for_key: bool = True
    began_tick: int = 0


@dataclass(slots=True)
class Player:
    """All cameras of one process; each is one endless stream that clients join at a key frame."""

    clip: Clip
    log: Path
    subs: tuple[Clip, ...] = ()
    sub_fps: int = 5
    clients: dict[str, list[_Client]] = field(default_factory=dict)
    joined: int = 0
    number: int = 0
    sounds: int = 0
    began_wall_s: float = 0.0

    async def play(self) -> None:
        """Send every camera's next picture and its sound when they are due, until cancelled."""
        began = time.monotonic()
        self.began_wall_s = time.time()
        while True:
            due = began + self.number / FPS
            await asyncio.sleep(max(due - time.monotonic(), 0))
            wanted = sounds_before(self.number + 1)
            for members in self.clients.values():
                for client in members:
                    self._send(client, self.number, range(self.sounds, wanted))
            self.number, self.sounds = self.number + 1, wanted

    def feed(self, name: str) -> Feed:
        """What the stream of this name shows."""
        kind, _, camera = name.partition("/")
        if not kind.startswith("sub-"):
            return Feed(self.clip)
        clip = self.subs[int(kind.removeprefix("sub-")) % len(self.subs)]
        every = FPS // self.sub_fps
        digits = "".join(one for one in camera if one.isdigit())
        number = int(digits or "0")
        return Feed(clip, every, number % every, number * SUB_STEP)

    def _rtp_info(self, url: str, channels: dict[int, int], feed: Feed) -> str:
        """Where the streams will begin (RFC 2326, 12.33): at the next key frame."""
        tick = self.number
        while (number := feed.due(tick)) is None or not feed.clip.keys[feed.place(number)]:
            tick += 1
        stamps = {0: number * feed.stamps_each, 1: sounds_before(tick) * SAMPLES}
        return ",".join(
            f"url={url.rstrip('/')}/trackID={track};seq=1;rtptime={stamps[track] & 0xFFFFFFFF}"
            for track in channels
        )

    def _send(self, client: _Client, tick: int, sounds: range) -> None:
        feed = client.feed
        number = feed.due(tick)
        place = feed.place(number) if number is not None else 0
        is_key = number is not None and feed.clip.keys[place]
        if client.waiting_for_key and not is_key:
            return
        if client.writer.transport.is_closing():
            return
        buffered = client.writer.transport.get_write_buffer_size()
        if buffered > BUFFER_MAX:
            client.sent.skipped += 1
            client.waiting_for_key = True
            return
        client.waiting_for_key = False
        parts: list[bytes] = []
        if number is not None:
            parts += _picture(client, number, feed.clip.pictures[place])
        if client.audio is not None:
            for sound in sounds:
                payload = feed.clip.sounds[sound % len(feed.clip.sounds)]
                parts.append(client.audio.packet(payload, sound * SAMPLES, marker=True))
                client.sent.sounds += 1
        if number is not None and (tick - client.began_tick) % REPORT_EVERY == 0:
            # The time at which this stamp was due, not at which a busy machine came to send it:
            # a camera's clock does not jitter with its network.
            wall = self.began_wall_s + tick / FPS
            parts.append(client.video.report(number * feed.stamps_each, wall))
            if client.audio is not None:
                parts.append(client.audio.report(tick * RATE_HZ // FPS, wall))
        # One by one, as cameras send them: whether a receiver is woken up for each is its business.
        for part in parts:
            client.writer.write(part)
        if number is not None:
            _note(client, number, tick)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One RTSP client, until it leaves."""
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a recorder that is killed: what it was sent is in the log
        finally:
            self._left(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _left(self, writer: asyncio.StreamWriter) -> None:
        for members in self.clients.values():
            for client in [one for one in members if one.writer is writer]:
                members.remove(client)
                self._write(client)

    def _write(self, client: _Client) -> None:
        sent = client.sent
        sent.ended_mono_ms = time.monotonic_ns() // 1_000_000
        row = {name: getattr(sent, name) for name in Sent.__dataclass_fields__}
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channels: dict[int, int] = {}
        session = secrets.token_hex(4)
        while True:
            head = await _request(reader)
            if head is None:
                return
            method, url, headers = head
            answer = {"CSeq": headers.get("cseq", "0"), "Session": session}
            body = ""
            match method:
                case "OPTIONS":
                    answer["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
                case "DESCRIBE":
                    body = self.feed(_name(url)).clip.sdp
                    answer |= {"Content-Type": "application/sdp", "Content-Base": url + "/"}
                case "SETUP":
                    track = int(url.rpartition("=")[2])
                    channels[track] = 2 * len(channels)
                    first = channels[track]
                    answer["Transport"] = f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"
                case "PLAY":
                    name = _name(url)
                    answer["RTP-Info"] = self._rtp_info(url, channels, self.feed(name))
                    _answer(writer, answer, body)
                    self._join(name, writer, channels)
                    continue
                case "TEARDOWN":
                    _answer(writer, answer, body)
                    return
                case _:
                    pass
            _answer(writer, answer, body)

    def _join(self, name: str, writer: asyncio.StreamWriter, channels: dict[int, int]) -> None:
        self.joined += 1
        video = _Channel(channels[0], 96, 0x1000 + self.joined)
        audio = _Channel(channels[1], 97, 0x2000 + self.joined) if 1 in channels else None
        sent = Sent(name, self.joined, began_mono_ms=time.monotonic_ns() // 1_000_000)
        self.clients.setdefault(name, []).append(
            _Client(writer, sent, self.feed(name), video, audio)
        )


def _name(url: str) -> str:
    return url.split("/", 3)[3].strip("/")


def _picture(client: _Client, number: int, pieces: tuple[bytes, ...]) -> list[bytes]:
    """The RTP packets of one picture, its number first."""
    stamp, last = number * client.feed.stamps_each, len(pieces) - 1
    return [
        client.video.packet(_sei(number), stamp, marker=False),
        *(client.video.packet(piece, stamp, marker=at == last) for at, piece in enumerate(pieces)),
    ]


def _note(client: _Client, number: int, tick: int) -> None:
    sent = client.sent
    if sent.first_picture < 0:
        sent.first_picture = number
        client.began_tick = tick
    sent.last_picture = number
    sent.pictures += 1


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    """The next request; interleaved RTCP of the client is passed over."""
    while True:
        first = await reader.read(1)
        if not first:
            return None
        if first == b"$":
            size = struct.unpack(">BH", await reader.readexactly(3))[1]
            await reader.readexactly(size)
            continue
        raw = first + await reader.readuntil(b"\r\n\r\n")
        lines = raw.decode().split("\r\n")
        method, url, _ = lines[0].split(" ", 2)
        pairs = (line.partition(":") for line in lines[1:] if ":" in line)
        return method, url, {name.lower(): value.strip() for name, _, value in pairs}


def _answer(writer: asyncio.StreamWriter, headers: dict[str, str], body: str) -> None:
    if body:
        headers["Content-Length"] = str(len(body.encode()))
    text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"RTSP/1.0 200 OK\r\n{text}\r\n{body}".encode())


def rows(log: Path) -> list[Sent]:
    """What was sent, one row a client that has left."""
    if not log.exists():
        return []
    return [Sent(**json.loads(line)) for line in log.read_text("utf-8").splitlines()]


async def _main(player: Player) -> None:
    # It says of every write to a client that has just been killed that it failed: the log knows.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    server = await asyncio.start_server(player.serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await player.play()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, required=True, help="the loop; made when missing")
    parser.add_argument("--log", type=Path, required=True, help="JSON lines of what was sent")
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--sub", type=Path, action="append", default=[], help="scenes, encoded")
    parser.add_argument("--sub-fps", type=int, default=5, help="of the scenes; divides 25")
    parser.add_argument("--sub-sound", type=Path, help="what is heard in the scenes")
    given = parser.parse_args()
    if not given.clip.exists():
        encode_clip(given.clip, given.width, given.height)
    with contextlib.suppress(KeyboardInterrupt):
        scenes = tuple(load_clip(one, given.sub_sound, given.sub_fps) for one in given.sub)
        asyncio.run(_main(Player(load_clip(given.clip), given.log, scenes, given.sub_fps)))
    sys.exit(0)
