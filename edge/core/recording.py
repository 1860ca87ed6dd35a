"""Holds the words of recording: what capture hands to the disk, what recorder and node say.

The recorder is a process of its own. Inside it, a track's packets become ``TrackItem``s, which a
bounded queue carries to the thread that writes. Between it and the node's main process, JSON lines
travel over a Unix socket: ``Request`` and ``Reply``, and what the recorder says by itself.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from contracts.envelope import Strict, Wire
from contracts.evidence.entries import (
    ClockState,
    CopyName,
    Ending,
    GapReason,
    Media,
    TrackId,
)
from contracts.evidence.lines import LINE_MAX_BYTES, KeyId
from contracts.observations import LEVEL_FLOOR_DBFS, LevelDbfs, RecordingState
from contracts.units import (
    MessageId,
    MonoMs,
    Note,
    RoomId,
    SessionId,
    Sha256Hex,
    UtcMs,
)
from edge.core.people import Instant

TRACKS_MAX = 64  # cameras and pickups of one node, as NodeHealth states


@dataclass(frozen=True, slots=True)
class SegmentOpened:
    """A new file begins with ``head`` (ftyp and moov); ``start`` is its first picture's arrival."""

    start: Instant
    media: Media
    head: bytes


@dataclass(frozen=True, slots=True)
class FragmentMade:
    """A whole fragment (moof and mdat). Counts and duration are of the segment up to its end."""

    data: bytes
    duration_ms: int
    video_packets: int
    audio_packets: int
    last_arrival: Instant


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """The file is complete with the last fragment."""

    ending: Ending
    sound_offset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GapBegan:
    """From ``since`` on nothing is recorded; a new reason may follow another without an end."""

    reason: GapReason
    since: Instant
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GapEnded:
    """Recording goes on; ``SegmentOpened`` follows."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Noted:
    """Something for the chain that is neither media nor gap (``contracts.evidence`` Changed)."""

    what: str
    before: str
    after: str
    at: Instant


TrackItem = SegmentOpened | FragmentMade | SegmentEnded | GapBegan | GapEnded | Noted


class SealTracks(Strict):
    """Write a seal into the chains of an area's tracks."""

    kind: Literal["seal"] = "seal"
    room_id: RoomId
    session_id: SessionId
    admitted: int = Field(ge=0)
    keep_days: int = Field(ge=0)
    frozen: dict[str, Sha256Hex] = Field(default_factory=dict)


class ReleaseTracks(Strict):
    """Write a release into the chains of an area's tracks."""

    kind: Literal["release"] = "release"
    room_id: RoomId
    session_id: SessionId


class KeepTracks(Strict):
    """Write into the chains of an area's tracks until when an interval must be kept."""

    kind: Literal["keep"] = "keep"
    room_id: RoomId
    session_id: SessionId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs | None = None
    keep_until_utc_ms: UtcMs


class NoteTracks(Strict):
    """Write into the chains of an area's tracks that something frozen there was changed.

    ``before`` and ``after`` begin with the hashes; ``after`` names who changed it and stood by.
    """

    kind: Literal["note"] = "note"
    room_id: RoomId
    what: str = Field(pattern=r"^[a-z_]{1,40}$")
    before: str = Field(max_length=200)
    after: str = Field(max_length=200)


class HoldTracks(Strict):
    """Write a legal hold into the chains of ``tracks``."""

    kind: Literal["hold"] = "hold"
    tracks: tuple[TrackId, ...] = Field(min_length=1, max_length=TRACKS_MAX)
    hold_id: MessageId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    reason: Note
    by: str = Field(min_length=1, max_length=80)


class LiftHold(Strict):
    """Lift a legal hold in every chain that has it."""

    kind: Literal["unhold"] = "unhold"
    hold_id: MessageId
    reason: Note
    by: str = Field(min_length=1, max_length=80)


class DeleteFiles(Strict):
    """Write a deletion into a track's chain, then delete the files of these numbers."""

    kind: Literal["delete"] = "delete"
    track_id: TrackId
    numbers: tuple[int, ...] = Field(min_length=1, max_length=100)
    reason: Literal["expired", "space", "order"]
    copies: tuple[CopyName, ...] = Field(default=(), max_length=4)
    """Where verified copies of all of them lie: what is sealed goes from here only with one."""
    by: str = Field(min_length=1, max_length=80)


class RotateKey(Strict):
    """Make a new signing key and hand every chain over to it."""

    kind: Literal["rotate_key"] = "rotate_key"


class SaveSpace(Strict):
    """Stop (or resume) recording of tracks that are neither sealed nor held: the disk is full."""

    kind: Literal["save_space"] = "save_space"
    stop: bool


RequestBody = Annotated[
    SealTracks
    | ReleaseTracks
    | KeepTracks
    | NoteTracks
    | HoldTracks
    | LiftHold
    | DeleteFiles
    | RotateKey
    | SaveSpace,
    Field(discriminator="kind"),
]


class Request(Strict):
    """What the node asks of the recorder; the same ``id`` twice is done once."""

    say: Literal["request"] = "request"
    id: MessageId
    body: RequestBody


class Written(Strict):
    """An entry that a request caused."""

    track_id: TrackId
    sequence: int
    entry_sha256: Sha256Hex


class Reply(Strict):
    """What became of a request. ``error`` says why not; nothing was written then."""

    say: Literal["reply"] = "reply"
    id: MessageId
    error: str | None = Field(default=None, max_length=400)
    again: bool = False
    """The same request may succeed later: the disk refused it."""
    written: tuple[Written, ...] = ()


class TrackStatus(Wire):
    """How a track is recorded now."""

    track_id: TrackId
    room_id: RoomId
    state: RecordingState
    since_utc_ms: UtcMs
    since_mono_ms: MonoMs
    reason: GapReason | None = None
    detail: str = Field(default="", max_length=200)
    sequence: int = Field(default=0, ge=0)
    number: int = Field(default=0, ge=0)
    """Of the file being written; 0: none."""
    video_packets: int = Field(default=0, ge=0)
    audio_packets: int = Field(default=0, ge=0)
    bytes_written: int = Field(default=0, ge=0)
    items_dropped: int = Field(default=0, ge=0)
    queue_bytes: int = Field(default=0, ge=0)
    sound_offset_ms: int | None = None
    """How much later than its picture the sound of the last file was."""
    sound_offset_utc_ms: UtcMs | None = None
    sound_offset_mono_ms: MonoMs | None = None
    """When that file ended."""


class StatusSaid(Wire):
    """The recorder's word on itself: twice a second and at each change."""

    say: Literal["status"] = "status"
    utc_ms: UtcMs
    mono_ms: MonoMs
    boot_id: str
    version: str
    pid: int
    key: KeyId
    clock: ClockState
    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_error: str | None = Field(default=None, max_length=200)
    saving_space: bool = False
    clock_step_ms: int = 0
    """How far UTC last stepped against the monotonic clock, within the last ten minutes."""
    tracks: tuple[TrackStatus, ...] = Field(default=(), max_length=TRACKS_MAX)


class CheckpointSaid(Wire):
    """A signed checkpoint line of an open file."""

    say: Literal["checkpoint"] = "checkpoint"
    track_id: TrackId
    room_id: RoomId
    line: str = Field(max_length=LINE_MAX_BYTES)


PCM_MAX_CHARS = 8_192  # 100 ms at 16 kHz are 4,268; a resampler may hold back a little of them


class LevelSaid(Wire):
    """The sound of a pickup over one window of 100 ms; RMS against full scale.

    ``peak_dbfs`` and ``clipped_share`` are of the device's own samples. ``pcm`` is the sound itself
    for whoever listens for speech and the like: base64 of 16-bit little-endian mono at 16 kHz.
    """

    say: Literal["level"] = "level"
    track_id: TrackId
    dbfs: LevelDbfs
    at_utc_ms: UtcMs
    at_mono_ms: MonoMs
    peak_dbfs: LevelDbfs = LEVEL_FLOOR_DBFS
    clipped_share: float = Field(default=0.0, ge=0, le=1)
    pcm: str = Field(default="", max_length=PCM_MAX_CHARS)


Said = Annotated[StatusSaid | CheckpointSaid | LevelSaid | Reply, Field(discriminator="say")]
"""A line from the recorder."""
