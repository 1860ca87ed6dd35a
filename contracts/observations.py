"""What edge nodes tell the controller: what was seen and heard, which alerts stand, node health."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from contracts.envelope import Wire
from contracts.evidence.entries import ClockState, GapReason, TrackId
from contracts.evidence.lines import LINE_MAX_BYTES, KeyId
from contracts.units import (
    Bilingual,
    CameraId,
    MessageId,
    NodeId,
    PickupId,
    RoomId,
    RuleCode,
    SessionId,
    Sha256Hex,
    UtcMs,
    ZoneId,
)

PEOPLE_MAX = 64
# A zone of a trading centre holds 20 people at the most; more boxes than this is a broken detector.
LEVEL_FLOOR_DBFS = -120.0
# 24-bit full scale ends near -144 dBFS; below -120 a level says nothing but "digital silence".

Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
LevelDbfs = Annotated[float, Field(ge=LEVEL_FLOOR_DBFS, le=0.0)]


class Appearance(StrEnum):
    """The vest that was seen: an appearance, never an identity."""

    RED = "red"
    BLUE = "blue"
    NONE = "none"
    UNKNOWN = "unknown"


class Box(Wire):
    """A rectangle in shares of the picture's width and height, origin at the upper left."""

    x1: Ratio
    y1: Ratio
    x2: Ratio
    y2: Ratio

    @model_validator(mode="after")
    def _ordered(self) -> "Box":
        if self.x2 < self.x1 or self.y2 < self.y1:
            raise ValueError("x2 and y2 must not lie before x1 and y1")
        return self


class SeenPerson(Wire):
    """One tracked person in one camera's picture."""

    track: int = Field(ge=0)
    box: Box
    score: Ratio
    appearance: Appearance = Appearance.UNKNOWN
    settled: bool = False


class CameraState(StrEnum):
    """Whether pictures arrive. ``FROZEN``: the connection stands, but nothing new comes."""

    STARTING = "starting"
    LIVE = "live"
    FROZEN = "frozen"
    OFFLINE = "offline"


class SoundState(StrEnum):
    """What the sound track of a camera or a pickup gives."""

    ABSENT = "absent"
    LIVE = "live"
    DEAD = "dead"


class CameraView(Wire):
    """What one camera shows at one moment. ``people`` means nothing unless ``state`` is live."""

    camera_id: CameraId
    state: CameraState
    frame_utc_ms: UtcMs | None = None
    people: tuple[SeenPerson, ...] = Field(default=(), max_length=PEOPLE_MAX)
    sound: SoundState = SoundState.ABSENT
    level_dbfs: LevelDbfs | None = None


class RoomObservation(Wire):
    """What was perceived in one room or zone at one instant; newest wins, losing one is harmless.

    ``head_count`` is the fused count of the room, None while no camera can see it
    (which is not zero).
    """

    room_id: RoomId
    node_id: NodeId
    boot_id: str = Field(min_length=1, max_length=64)
    index: int = Field(ge=0)
    utc_ms: UtcMs
    head_count: int | None = Field(default=None, ge=0, le=PEOPLE_MAX)
    confidence: Ratio | None = None
    """How sure the count is; None where there is none."""
    balance: int | None = None
    """Count at the seal plus entries minus exits through the gates; None: no gates, or no seal."""
    views: tuple[CameraView, ...] = Field(default=(), max_length=16)


class Severity(StrEnum):
    """How soon a person must look. ``ALARM`` sounds; ``WARNING`` shows; ``NOTICE`` is listed."""

    NOTICE = "notice"
    WARNING = "warning"
    ALARM = "alarm"


class Mode(StrEnum):
    """Whether a rule is judged, and whether people are told. ``SHADOW``: recorded and counted."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


class Condition(StrEnum):
    """The world's side of an alert; the people's side is ``Handling`` (contracts.api)."""

    ACTIVE = "active"
    CLEARED = "cleared"


class PictureRef(Wire):
    """A picture on the edge node's disk: fetched over its API, checked against the hash."""

    sha256: Sha256Hex
    bytes: int = Field(ge=1, le=8_388_608)  # 8 MiB: a 4K JPEG at quality 95 stays below
    path: str = Field(pattern=r"^/api/v1/pictures/[0-9a-f]{64}\.jpg$")
    camera_id: CameraId
    taken_utc_ms: UtcMs


SOUND_MAX_MS = 60_000  # longer is in the recordings, which the clip is cut from


class SoundRef(Wire):
    """A stretch of sound on the edge node's disk: fetched over its API, checked by its hash."""

    sha256: Sha256Hex
    bytes: int = Field(ge=1, le=8_388_608)  # a minute of 48 kHz FLAC stays below 6 MiB
    path: str = Field(pattern=r"^/api/v1/sounds/[0-9a-f]{64}\.flac$")
    source_id: CameraId | PickupId
    from_utc_ms: UtcMs
    duration_ms: int = Field(ge=1, le=SOUND_MAX_MS)


SAID_MAX_CHARS = 200  # one sentence


class Said(Wire):
    """One sentence for people, in both languages of the product."""

    zh: str = Field(min_length=1, max_length=SAID_MAX_CHARS)
    en: str = Field(min_length=1, max_length=SAID_MAX_CHARS)

    @classmethod
    def of(cls, text: Bilingual) -> "Said":
        """The same sentence for the wire, cut to its limit."""
        return cls(zh=text.zh[:SAID_MAX_CHARS], en=text.en[:SAID_MAX_CHARS])


class Measured(Wire):
    """One number that the rule looked at, with its unit and the limit it was held against."""

    name: str = Field(max_length=40)
    value: float
    limit: float | None = None
    unit: str = Field(default="", max_length=16)


class Alert(Wire):
    """A finding that a person must see. Its ``alert_id`` comes again when its condition clears.

    ``since_utc_ms`` is when the condition began (the time of the frame that first showed it),
    ``raised_utc_ms`` when the rule's dwell was over.
    """

    alert_id: MessageId
    rule: RuleCode
    condition: Condition
    severity: Severity
    room_id: RoomId
    node_id: NodeId
    session_id: SessionId | None = None
    camera_id: CameraId | None = None
    pickup_id: PickupId | None = None
    since_utc_ms: UtcMs
    raised_utc_ms: UtcMs
    cleared_utc_ms: UtcMs | None = None
    dwell_ms: int = Field(ge=0)
    confidence: Ratio = 1.0
    measured: tuple[Measured, ...] = Field(default=(), max_length=16)
    picture: PictureRef | None = None
    boxes: tuple[SeenPerson, ...] = Field(default=(), max_length=PEOPLE_MAX)
    """The people in ``picture``. The picture itself is kept plain: it is evidence."""
    mode: Mode = Mode.ON
    """``SHADOW``: kept and counted, but nobody is called."""
    risk_code: str = Field(default="", max_length=32)
    """The centre's own number of the risk point that this rule watches."""
    zone_id: ZoneId | None = None
    saw: Said | None = None
    """What was seen or heard, in a sentence."""
    settings: tuple[Measured, ...] = Field(default=(), max_length=16)
    """The rule's parameters as they were."""
    sound: SoundRef | None = None

    @model_validator(mode="after")
    def _cleared_has_time(self) -> "Alert":
        if (self.condition is Condition.CLEARED) != (self.cleared_utc_ms is not None):
            raise ValueError("cleared_utc_ms belongs to a cleared alert, and only to it")
        return self


class CameraHealth(Wire):
    """How one camera fares over the last health period."""

    camera_id: CameraId
    state: CameraState
    frames_per_s: float = Field(ge=0)
    analysed_per_s: float = Field(ge=0)
    dropped_frames: int = Field(ge=0)
    sound: SoundState
    level_dbfs: LevelDbfs | None = None
    last_error: str | None = Field(default=None, max_length=200)


class NodeState(StrEnum):
    """``LOST`` is said by the broker (last will), ``STOPPED`` by the node itself."""

    RUNNING = "running"
    STOPPED = "stopped"
    LOST = "lost"


class RecordingState(StrEnum):
    """What becomes of a track's packets. ``GAP``: they should be recorded and are not."""

    STARTING = "starting"
    RECORDING = "recording"
    GAP = "gap"
    STOPPED = "stopped"


class TrackHealth(Wire):
    """How one track is recorded."""

    track_id: TrackId
    room_id: RoomId
    state: RecordingState
    since_utc_ms: UtcMs
    reason: GapReason | None = None
    sequence: int = Field(default=0, ge=0)
    """Last entry of its chain."""
    witnessed_sequence: int = Field(default=0, ge=0)
    """Last entry that the controller has countersigned."""
    copies_pending: int = Field(default=0, ge=0)
    """Segments that a second disk or an archive is still to get."""


class RecordingHealth(Wire):
    """How a node records: its tracks, its disk, its clock, the key it signs with."""

    running: bool
    """The recorder answers."""
    tracks: tuple[TrackHealth, ...] = Field(default=(), max_length=64)
    key: KeyId | None = None
    clock: ClockState | None = None
    disk_free_bytes: int | None = Field(default=None, ge=0)
    disk_total_bytes: int | None = Field(default=None, ge=0)
    days_left: float | None = Field(default=None, ge=0)
    """Until the disk is full at the rate of the last day, with what may be deleted deleted."""


class NodeHealth(Wire):
    """A node's own word on itself, retained; its last will says ``LOST``."""

    node_id: NodeId
    state: NodeState
    utc_ms: UtcMs
    boot_id: str = Field(default="", max_length=64)
    version: str = Field(default="", max_length=32)
    api_url: str | None = Field(default=None, max_length=200, pattern=r"^https?://[^@\s]+$")
    rooms: tuple[RoomId, ...] = Field(default=(), max_length=64)
    cameras: tuple[CameraHealth, ...] = Field(default=(), max_length=64)
    outbox_depth: int = Field(default=0, ge=0)
    disk_free_bytes: int | None = Field(default=None, ge=0)
    recording: RecordingHealth | None = None


class EntryAppended(Wire):
    """A track's chain has a new entry: the manifest's line itself, signed by the node."""

    room_id: RoomId
    node_id: NodeId
    track_id: TrackId
    line: str = Field(max_length=LINE_MAX_BYTES)
    public_key: str | None = Field(default=None, max_length=200)
    """Raw public key of the line's ``key``, base64: for a controller that never saw it opened."""


class CheckpointTaken(Wire):
    """A signed line of ``contracts.evidence.entries.Checkpoint``."""

    node_id: NodeId
    room_id: RoomId
    track_id: TrackId
    line: str = Field(max_length=LINE_MAX_BYTES)


class WitnessGiven(Wire):
    """A signed line of ``contracts.evidence.entries.Witness``."""

    node_id: NodeId
    track_id: TrackId
    line: str = Field(max_length=LINE_MAX_BYTES)


class AccessKind(StrEnum):
    """What a door or an ID terminal reports."""

    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    DOOR_OPENED = "door_opened"
    DOOR_CLOSED = "door_closed"
    DENIED = "denied"


class AccessEvent(Wire):
    """A door or an ID terminal reports; ``seat`` is a place on the roster, never a name.

    ``expert_code`` is a number of the register of experts, which a terminal reads off a card.
    """

    event_id: MessageId
    room_id: RoomId
    kind: AccessKind
    utc_ms: UtcMs
    seat: str | None = Field(default=None, max_length=16)
    expert_code: str | None = Field(default=None, max_length=32)


class VoiceKind(StrEnum):
    """Which way sound goes between a room and the outside."""

    TALK = "talk"
    LISTENING = "listening"


VOICE_MAX_MS = 600_000  # of one talk: what is longer is a speech


class VoiceTold(Wire):
    """A node says that somebody talks into a room or hears it, and when that is over.

    It comes twice under one ``voice_id``: at the begin, and with ``ended_utc_ms``. ``sha256``,
    ``bytes`` and ``duration_ms`` are those of the file of what was said. ``why``: what ended it.
    """

    voice_id: MessageId
    kind: VoiceKind
    room_id: RoomId
    node_id: NodeId
    source_id: CameraId | PickupId
    by: str = Field(min_length=1, max_length=80)
    began_utc_ms: UtcMs
    ended_utc_ms: UtcMs | None = None
    why: str = Field(default="", pattern=r"^[a-z_]{0,40}$")
    sha256: Sha256Hex | None = None
    bytes: int | None = Field(default=None, ge=0)
    duration_ms: int | None = Field(default=None, ge=0, le=VOICE_MAX_MS)


class SealApplied(Wire):
    """A node's answer to ``Seal`` and ``Release``: what it now enforces."""

    node_id: NodeId
    room_id: RoomId
    session_id: SessionId | None = None
    sealed: bool
    admitted: int | None = Field(default=None, ge=0)
    command_id: MessageId
    utc_ms: UtcMs
