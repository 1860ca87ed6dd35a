"""Holds what a manifest says: one entry for each segment, gap, seal, hold, deletion and key change.

A *track* is what one chain records: a camera, or a pickup that is not part of a camera. Its chain
runs through all days: the first entry of a day holds the hash of the previous day's last entry.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from contracts.envelope import Wire
from contracts.evidence.lines import ED25519, SHA_256, KeyId, LineError, SignedLine, split_line
from contracts.units import (
    MessageId,
    MonoMs,
    NodeId,
    Note,
    SessionId,
    Sha256Hex,
    SiteId,
    UtcMs,
)

TrackId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
"""Id of the camera or pickup that a chain records."""

NOTHING: Final = "0" * 64
"""``previous`` of a chain's first entry."""

DELETIONS_MAX: Final = 100  # files one entry takes back; keeps a line below LINE_MAX_BYTES

CopyName = Annotated[str, StringConstraints(pattern=r"^(mirror|archive)$")]

FileName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}_[0-9]{8}_[0-9]{8}T[0-9]{6}Z\.mp4$")
]
"""``TRACK_NUMBER_START.mp4``: no folder, so no name from outside leads out of the day's folder."""


class ClockSource(StrEnum):
    """What keeps the machine's clock, as far as its kernel says."""

    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"
    UNKNOWN = "unknown"


class ClockState(Wire):
    """How far the machine's clock can be trusted: what the kernel's NTP discipline says."""

    source: ClockSource
    offset_ms: float | None = None
    """Estimated offset from true time; None when nobody estimates it."""
    error_max_ms: float | None = None


class At(Wire):
    """One instant on both clocks. Differences of ``mono_ms`` count on one ``boot_id`` alone."""

    utc_ms: UtcMs
    mono_ms: MonoMs
    boot_id: str = Field(max_length=64)


class GapReason(StrEnum):
    """Why a stretch of time has no recording."""

    STARTING = "starting"
    """The recorder runs and the first key frame has not come."""
    CAMERA_OFFLINE = "camera_offline"
    """Refused, unreachable, hung up."""
    CAMERA_REFUSED = "camera_refused"
    """It answers and refuses our user or password."""
    CAMERA_SILENT = "camera_silent"
    """The connection stands and nothing comes."""
    STREAM_DAMAGED = "stream_damaged"
    """What came could not be recorded."""
    PICKUP_LOST = "pickup_lost"
    DISK_SLOW = "disk_slow"
    """The bounded buffer before the disk was full."""
    DISK_FULL = "disk_full"
    DISK_READ_ONLY = "disk_read_only"
    DISK_FAILED = "disk_failed"
    SPACE_SAVED = "space_saved"
    """Unsealed and unheld, stopped to keep room for what is sealed."""
    RECORDER_STOPPED = "recorder_stopped"
    RECORDER_CRASHED = "recorder_crashed"
    POWER_LOST = "power_lost"
    """Found at start: another boot, and no orderly stop before it."""
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """Why a segment ended."""

    FULL = "full"
    """Its time was over."""
    STREAM_ENDED = "stream_ended"
    STREAM_CHANGED = "stream_changed"
    """Codec, resolution or parameter sets changed: they are written once, at the head of a file."""
    TIME_JUMPED = "time_jumped"
    """The stream's time stamps or the machine's clock jumped."""
    DISK = "disk"
    """The disk refused or was too slow."""
    STOPPED = "stopped"
    RECOVERED = "recovered"
    """Found unfinished at a start and closed at its last whole fragment."""


class Media(Wire):
    """What a segment holds."""

    video: str | None = Field(default=None, max_length=16)
    audio: str | None = Field(default=None, max_length=16)
    width: int | None = Field(default=None, ge=1)
    height: int | None = Field(default=None, ge=1)
    rate_hz: int | None = Field(default=None, ge=1)


class _Entry(Wire):
    """What every entry says. ``recorded`` is when it was written, ``hash`` the one used in it."""

    v: Literal[1] = 1
    hash: Literal["sha-256"] = SHA_256
    key: KeyId
    site: SiteId
    node: NodeId
    track: TrackId
    sequence: int = Field(ge=1)
    previous: Sha256Hex
    recorded: At
    clock: ClockState


class Opened(_Entry):
    """The first entry of a chain, and the first after a start: who records, with which key."""

    kind: Literal["opened"] = "opened"
    version: str = Field(max_length=40)
    algorithm: Literal["ed25519"] = ED25519
    public_key: str = Field(max_length=200)
    """Raw public key, base64."""


class Segment(_Entry):
    """One finished file. ``number`` counts the files of a track; it is in the file's name."""

    kind: Literal["segment"] = "segment"
    number: int = Field(ge=1)
    file: FileName
    bytes: int = Field(ge=0)
    sha256: Sha256Hex
    start: At
    duration_ms: int = Field(ge=0)
    media: Media
    video_packets: int = Field(default=0, ge=0)
    audio_packets: int = Field(default=0, ge=0)
    sound_offset_ms: int | None = None
    """Sound arrives this much later than the picture of the same time stamp; None: no sound."""
    ending: Ending
    recovered_bytes: int | None = Field(default=None, ge=0)
    """Bytes of a broken fragment that a recovery cut off the file's end."""


class Gap(_Entry):
    """Time without a recording. A long one is told in pieces; ``ended`` says whether more comes."""

    kind: Literal["gap"] = "gap"
    reason: GapReason
    detail: str = Field(default="", max_length=200)
    start: At
    duration_ms: int = Field(ge=0)
    """By the monotonic clock where both ends lie on one boot, else by UTC."""
    ended: bool


class Changed(_Entry):
    """Something that a reader of the recording must know: parameters, the clock, an orderly stop.

    ``what`` is ``stream``, ``clock_step``, ``stopped`` or ``damage``; or ``rules``, ``zones`` or
    ``devices`` where these were changed in a closed area: ``before`` is the hash of what was in
    force, ``after`` the new hash and the names of the two who changed it.
    """

    kind: Literal["changed"] = "changed"
    request_id: MessageId | None = None
    """Of who asked for the entry; None: the recorder itself found it."""
    what: str = Field(pattern=r"^[a-z_]{1,40}$")
    before: str = Field(default="", max_length=200)
    after: str = Field(default="", max_length=200)


class Sealed(_Entry):
    """A session begins: what was frozen then, by its hashes."""

    kind: Literal["seal"] = "seal"
    request_id: MessageId
    session_id: SessionId
    admitted: int = Field(ge=0)
    keep_days: int = Field(ge=0)
    frozen: dict[str, Sha256Hex] = Field(default_factory=dict)
    """Hash of each frozen thing by name: rules, zones, roster, devices."""


class Released(_Entry):
    """A session is over."""

    kind: Literal["release"] = "release"
    request_id: MessageId
    session_id: SessionId


class Kept(_Entry):
    """An interval must be kept until a day, because a sealed session passed by this track."""

    kind: Literal["keep"] = "keep"
    request_id: MessageId
    session_id: SessionId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs | None = None
    """None: from then on, until an entry of the same session says to when."""
    keep_until_utc_ms: UtcMs


class Held(_Entry):
    """A legal hold: the interval is not deleted, whatever else says so, until it is lifted."""

    kind: Literal["hold"] = "hold"
    request_id: MessageId
    hold_id: MessageId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    reason: Note
    by: str = Field(min_length=1, max_length=80)


class Lifted(_Entry):
    """A legal hold is over."""

    kind: Literal["unhold"] = "unhold"
    request_id: MessageId
    hold_id: MessageId
    reason: Note
    by: str = Field(min_length=1, max_length=80)


class DeletedFile(Wire):
    """One file that is no longer here."""

    number: int = Field(ge=1)
    sha256: Sha256Hex


class Deleted(_Entry):
    """Files that were deleted on purpose; written before they go. They are then not missing."""

    kind: Literal["deletion"] = "deletion"
    request_id: MessageId
    files: tuple[DeletedFile, ...] = Field(min_length=1, max_length=DELETIONS_MAX)
    reason: Literal["expired", "space", "order"]
    copies: tuple[CopyName, ...] = Field(default=(), max_length=4)
    """Where verified copies of all these files lie."""
    by: str = Field(min_length=1, max_length=80)


class HandedOver(_Entry):
    """The old key names the new one; every later entry is signed by the new key.

    ``proof`` is the new key's signature over the old key's id, ``>`` and the new key's id, so that
    nobody can be handed a key that he does not hold.
    """

    kind: Literal["handover"] = "handover"
    request_id: MessageId
    algorithm: Literal["ed25519"] = ED25519
    new_key: KeyId
    new_public_key: str = Field(max_length=200)
    proof: str = Field(max_length=200)


Entry = Annotated[
    Opened
    | Segment
    | Gap
    | Changed
    | Sealed
    | Released
    | Kept
    | Held
    | Lifted
    | Deleted
    | HandedOver,
    Field(discriminator="kind"),
]
_ENTRY: Final[TypeAdapter[Entry]] = TypeAdapter(Entry)


def read_entry(line: SignedLine) -> Entry:
    """What a manifest's line says; its signature is not checked here.

    Raises:
        LineError: it is no entry; says where.
    """
    try:
        return _ENTRY.validate_json(line.signed)
    except ValidationError as error:
        row = error.errors()[0]
        where = ".".join(str(part) for part in row["loc"]) or "line"
        raise LineError(f"{where}: {row['msg']}") from error


def parse_entry(raw: bytes) -> tuple[SignedLine, Entry]:
    """A manifest's line and what it says.

    Raises:
        LineError: see ``split_line`` and ``read_entry``.
    """
    line = split_line(raw)
    return line, read_entry(line)


class Checkpoint(Wire):
    """A word on the file that is being written: its first ``offset`` bytes hash to ``sha256``."""

    v: Literal[1] = 1
    kind: Literal["checkpoint"] = "checkpoint"
    site: SiteId
    node: NodeId
    track: TrackId
    number: int = Field(ge=1)
    file: FileName
    head: Sha256Hex
    """Hash of the chain's last entry."""
    sequence: int = Field(ge=0)
    """Sequence of that entry."""
    offset: int = Field(ge=0)
    sha256: Sha256Hex
    start: At
    recorded: At
    key: KeyId


class Witness(Wire):
    """The controller's countersignature of a chain's head: it had seen this entry at that time."""

    v: Literal[1] = 1
    kind: Literal["witness"] = "witness"
    site: SiteId
    node: NodeId
    track: TrackId
    sequence: int = Field(ge=1)
    entry_sha256: Sha256Hex
    entry_key: KeyId
    witnessed_utc_ms: UtcMs
    key: KeyId


class Root(Wire):
    """The controller's hourly word: the Merkle root (RFC 6962) over all heads, chained."""

    v: Literal[1] = 1
    kind: Literal["root"] = "root"
    site: SiteId
    number: int = Field(ge=1)
    previous: Sha256Hex
    """Hash of the previous root's line; zeros for the first."""
    heads: int = Field(ge=0)
    root: Sha256Hex
    utc_ms: UtcMs
    key: KeyId
