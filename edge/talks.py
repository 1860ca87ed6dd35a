"""Runs talks into rooms: one talker a camera, what was said kept as a file, begin and end told."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from contracts.devices import CameraConfig
from contracts.observations import VoiceKind, VoiceTold
from contracts.units import CameraId, UtcMs
from edge.capture import g711
from edge.capture.back_channel import BackChannel
from edge.capture.connect import Credentials
from edge.capture.rtsp_words import BackChannelLost, TalkRefusal
from edge.capture.sources import StreamAddress
from edge.evidence.content_shelf import ContentShelf
from edge.evidence.sounds import flac
from edge.talk_drafts import Draft, begin, left
from edge.voice_book import VoiceBook
from runtime.clock import Clock

log = structlog.get_logger(__name__)

SPOKEN_RATE_HZ: Final = 16_000
"""What a browser sends; the camera gets 8 kHz."""
TALK_LIMIT_MS: Final = 120_000  # as the controller's: a forgotten button must not hold the channel
AHEAD_MAX_MS: Final = 2_000  # words come no faster than they are spoken; more is no microphone
KEEP_BYTES: Final = 1024**3  # 50 hours of speech as FLAC
HARD_BYTES: Final = 4 * 1024**3
DRAFTS: Final = "begun"
STOPPED: Final = "node_stopped"
USED_MAX: Final = 1_000  # ids of talks that were: a ticket opens one talk, once


@dataclass(frozen=True, slots=True)
class TalkCamera:
    """One camera that may be talked over."""

    config: CameraConfig
    address: StreamAddress
    credentials: Credentials


@dataclass(slots=True)
class _Down:
    """Brings what a browser sends to the camera's 8 kHz, with the filter that this needs."""

    resampler: AudioResampler = field(
        default_factory=lambda: AudioResampler(format="s16", layout="mono", rate=g711.RATE_HZ)
    )

    def take(self, samples: NDArray[np.int16] | None) -> NDArray[np.int16]:
        """What these samples make at 8 kHz; None: the rest."""
        frame = None
        if samples is not None:
            frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = SPOKEN_RATE_HZ
        made = [one.to_ndarray().reshape(-1) for one in self.resampler.resample(frame)]
        return np.concatenate(made).astype(np.int16) if made else np.zeros(0, np.int16)


class TalkEnded(Exception):
    """The talk is over from our side; ``why`` is told to the talker."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Talk:
    """One talk that has begun. Give it samples, then ``TalkDesk.end`` it."""

    def __init__(  # everything is passed by argument
        self,
        talk_id: str,
        by: str,
        camera: TalkCamera,
        channel: BackChannel,
        clock: Clock,
        keep: Callable[[NDArray[np.int16]], None],
    ) -> None:
        self._keep = keep
        self.talk_id = talk_id
        self.by = by
        self.camera = camera
        self.channel = channel
        self.began_utc_ms = clock.utc_ms()
        self._clock = clock
        self._began_mono_ms = clock.mono_ms()
        self._down = _Down()
        self._said: list[NDArray[np.int16]] = []
        self._taken = 0

    @property
    def limit_left_ms(self) -> int:
        """How long it may still last."""
        return TALK_LIMIT_MS - (self._clock.mono_ms() - self._began_mono_ms)

    @property
    def sent_ms(self) -> int:
        """How much was sent to the camera."""
        return self.channel.sent_samples * 1000 // g711.RATE_HZ

    def take(self, samples: NDArray[np.int16]) -> float:
        """Send samples at ``SPOKEN_RATE_HZ``; the level of what went out, in dBFS.

        Raises:
            TalkEnded: the limit is reached, or no microphone sends so fast.
            BackChannelLost: the camera is gone.
        """
        lasted_ms = self._clock.mono_ms() - self._began_mono_ms
        if self.limit_left_ms <= 0:
            raise TalkEnded("limit")
        self._taken += samples.size
        if self._taken * 1000 // SPOKEN_RATE_HZ > lasted_ms + AHEAD_MAX_MS:
            raise TalkEnded("too_fast")
        low = self._down.take(samples)
        if not low.size:
            return -120.0
        self.channel.send(low)
        # After the send: the file holds what the camera was given, nothing else.
        self._said.append(low)
        self._keep(low)
        power = float(np.mean(np.square(low.astype(np.float64) / 32_768)))
        return max(10 * float(np.log10(power)) if power else -120.0, -120.0)

    def said(self) -> NDArray[np.int16]:
        """All that was sent, at 8 kHz."""
        return np.concatenate(self._said) if self._said else np.zeros(0, np.int16)


class TalkDesk:
    """All talks of a node. On the event loop."""

    def __init__(
        self,
        cameras: Mapping[CameraId, TalkCamera],
        folder: Path,
        book: VoiceBook,
        disk: Executor,
        clock: Clock,
        *,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self._cameras = cameras
        self._begun = folder / DRAFTS
        self._drafts: dict[str, Draft] = {}
        self._shelf = ContentShelf(folder, ".flac", keep_bytes=keep_bytes, hard_bytes=HARD_BYTES)
        self._book = book
        self._disk = disk
        self._clock = clock
        self._rooms: set[str] = set()
        self._used: deque[str] = deque(maxlen=USED_MAX)

    def knows(self, camera_id: CameraId) -> bool:
        """Whether this camera may be talked over."""
        return camera_id in self._cameras

    def read(self, sha256: str) -> bytes | None:
        """What was said, byte for byte as hashed; None when it is not here (any more)."""
        return self._shelf.read(sha256)

    def mark_fetched(self, sha256: str) -> None:
        """Somebody keeps a copy: it may go when room is needed."""
        self._shelf.mark_fetched(sha256)

    def close_left(self) -> None:
        """Keep and tell what was said when this node ended in the middle of a talk. Blocks.

        A disk that refuses is logged; the words wait for the next start.
        """
        for path, told, said in left(self._begun):
            sha256, size = self._keep(said)
            lasted_ms = said.size * 1000 // g711.RATE_HZ
            end = VoiceTold.model_validate(
                told.model_dump()
                | {
                    "ended_utc_ms": told.began_utc_ms + lasted_ms,
                    "why": STOPPED,
                    "sha256": sha256,
                    "bytes": size if sha256 else None,
                    "duration_ms": lasted_ms if sha256 else None,
                }
            )
            if self._book.tell_now(end):
                path.unlink(missing_ok=True)
                log.warning("talk_closed_late", talk_id=told.voice_id, duration_ms=lasted_ms)

    async def begin(self, talk_id: str, camera_id: CameraId, by: str) -> Talk:
        """Open the camera's back channel and tell that somebody talks.

        Raises:
            BackChannelLost: why not; the controller is told too.
        """
        camera = self._cameras[camera_id]
        room_id = camera.config.area
        if talk_id in self._used or room_id in self._rooms:
            raise BackChannelLost(TalkRefusal.BUSY, "the room has a talker, or the ticket was used")
        self._used.append(talk_id)
        self._rooms.add(room_id)
        try:
            channel = await self._open(camera)
        except BackChannelLost as lost:
            self._rooms.discard(room_id)
            log.warning("talk_refused", camera_id=camera_id, reason=lost.reason, detail=lost.detail)
            now = self._clock.utc_ms()
            await self._tell(camera, talk_id, by, now, ended=now, why=lost.reason.value)
            raise
        except BaseException:
            self._rooms.discard(room_id)
            raise
        talk = Talk(
            talk_id, by, camera, channel, self._clock, lambda said: self._add(talk_id, said)
        )
        told = await self._open_draft(talk)
        if not told or not await self._tell(camera, talk_id, by, talk.began_utc_ms):
            # What cannot be told would be a word into the room that no record knows.
            await channel.close()
            self._rooms.discard(room_id)
            await self._drop_draft(talk_id, forget=True)
            raise BackChannelLost(TalkRefusal.BUSY, "this node's disk refuses")
        log.info("talk_began", camera_id=camera_id, by=by, codec=channel.codec)
        return talk

    async def end(self, talk: Talk, why: str) -> str | None:
        """Close the channel, keep what was said, tell it; the SHA-256 of the file."""
        ended = self._clock.utc_ms()
        with suppress(BackChannelLost):  # what was sent before stands; why it ended is told
            talk.channel.flush()
        await talk.channel.close()
        self._rooms.discard(talk.camera.config.area)
        said = talk.said()
        loop = asyncio.get_running_loop()
        sha256, size = await loop.run_in_executor(self._disk, self._keep, said)
        lasted_ms = said.size * 1000 // g711.RATE_HZ
        told = await self._tell(
            talk.camera, talk.talk_id, talk.by, talk.began_utc_ms, ended=ended, why=why,
            said=(sha256, size, lasted_ms) if sha256 is not None else None,
        )  # fmt: skip
        await self._drop_draft(talk.talk_id, forget=told)
        log.info("talk_ended", talk_id=talk.talk_id, why=why, duration_ms=lasted_ms)
        return sha256

    def _keep(self, said: NDArray[np.int16]) -> tuple[str | None, int]:
        if not said.size:
            return None, 0
        content = flac(said, g711.RATE_HZ)
        return self._shelf.put(content), len(content)

    async def _open_draft(self, talk: Talk) -> bool:
        """Have a place on disk for the words before the first one; False: the disk refuses."""
        told = self._word(talk.camera, talk.talk_id, talk.by, talk.began_utc_ms)
        loop = asyncio.get_running_loop()
        try:
            draft = await loop.run_in_executor(self._disk, begin, self._begun, told)
        except OSError as error:
            log.error("talk_not_kept", talk_id=talk.talk_id, error=str(error))
            return False
        self._drafts[talk.talk_id] = draft
        return True

    def _add(self, talk_id: str, said: NDArray[np.int16]) -> None:
        """Write words down in the order in which they went out; the talk does not wait for it."""
        draft = self._drafts[talk_id]
        writing = asyncio.get_running_loop().run_in_executor(self._disk, draft.add, said)
        writing.add_done_callback(lambda done: _written(talk_id, done))

    async def _drop_draft(self, talk_id: str, *, forget: bool) -> None:
        draft = self._drafts.pop(talk_id, None)
        if draft is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._disk, lambda: draft.close(forget=forget))

    async def _open(self, camera: TalkCamera) -> BackChannel:
        try:
            url = await asyncio.to_thread(camera.address)
            pair = await asyncio.to_thread(camera.credentials)
        except (OSError, LookupError) as error:
            raise BackChannelLost(TalkRefusal.UNREACHABLE, str(error)) from None
        return await BackChannel.open(url, pair)

    async def _tell(
        self,
        camera: TalkCamera,
        talk_id: str,
        by: str,
        began: UtcMs,
        *,
        ended: UtcMs | None = None,
        why: str = "",
        said: tuple[str, int, int] | None = None,
    ) -> bool:
        sha256, size, lasted_ms = said or (None, None, None)
        changes = {
            "ended_utc_ms": ended,
            "why": why,
            "sha256": sha256,
            "bytes": size,
            "duration_ms": lasted_ms,
        }
        told = self._word(camera, talk_id, by, began)
        return await self._book.tell(told.model_copy(update=changes))

    def _word(self, camera: TalkCamera, talk_id: str, by: str, began: UtcMs) -> VoiceTold:
        """That a talk has begun."""
        return VoiceTold(
            voice_id=talk_id,
            kind=VoiceKind.TALK,
            room_id=camera.config.area,
            node_id=self._book.node_id,
            source_id=camera.config.id,
            by=by,
            began_utc_ms=began,
        )


def _written(talk_id: str, done: "asyncio.Future[None]") -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("talk_not_kept", talk_id=talk_id, error=str(error))


def talk_cameras(
    cameras: tuple[CameraConfig, ...],
    credentials: Callable[[CameraConfig], Credentials],
    clock: Clock,
) -> Mapping[CameraId, TalkCamera]:
    """The cameras of a node that are set to try a back channel."""
    found: dict[CameraId, TalkCamera] = {}
    for camera in cameras:
        if camera.backchannel == "auto":
            ask = credentials(camera)
            found[camera.id] = TalkCamera(camera, StreamAddress(camera, "main", ask, clock), ask)
    return found
