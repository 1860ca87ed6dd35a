"""Holds the witness report of a session, its versions, and the statement that signs them."""

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from contracts.api.alerts import Disposition, Handling
from contracts.api.base import Sentence
from contracts.api.deliveries import DeliveryView
from contracts.api.record import RecordLine
from contracts.api.rooms import TrackKind
from contracts.api.sessions import SessionView
from contracts.devices import Named
from contracts.envelope import Strict, Wire
from contracts.evidence.entries import GapReason, TrackId
from contracts.evidence.lines import KeyId
from contracts.units import NodeId, Note, RoomId, SessionId, Sha256Hex, SiteId, UtcMs


class ReportAlert(Strict):
    """An alert as a line of the witness report."""

    number: int
    title: Named
    since_utc_ms: UtcMs
    cleared_utc_ms: UtcMs | None
    handling: Handling
    disposition: Disposition | None
    acknowledged_by: str | None
    picture_sha256: str | None
    id: str = ""
    camera_id: str | None = None
    seat: str | None = None
    incident: bool = False
    """A person confirmed it as a violation."""
    note: str = ""
    statement: str = ""
    """What the participant said of it."""
    resolved_by: str | None = None


class HeadSeen(Strict):
    """The end of a track's chain as the controller had it at one moment."""

    node_id: NodeId
    track_id: TrackId
    sequence: int
    sha256: Sha256Hex
    utc_ms: UtcMs


class ReportGap(Strict):
    """Time without a recording while the room was sealed, as a line of the witness report.

    ``told_by_node`` false: no entry of the node explains it; the controller found the hole between
    what was announced.
    """

    track_id: TrackId
    name: Named
    reason: GapReason | None
    detail: str
    started_utc_ms: UtcMs
    duration_ms: int
    ended: bool
    sequence: int
    told_by_node: bool = True


class ReportTrack(Strict):
    """One recording of a session: its chain's head at seal and release, and what it covers."""

    track_id: TrackId
    name: Named
    kind: TrackKind
    room_id: RoomId
    node_id: NodeId | None
    key: KeyId | None
    key_confirmed: bool
    known_from: int | None
    head_at_seal: HeadSeen | None
    head_at_release: HeadSeen | None
    seal_entry: int | None
    """Sequence of the node's own ``seal`` entry for this session."""
    release_entry: int | None
    segments: int
    recorded_ms: int
    refused_lines: int


class HeadCountPoint(Strict):
    """From this moment on the room held so many people; ``people`` null: nobody could tell."""

    utc_ms: UtcMs
    people: int | None = Field(default=None, ge=0)


class ReportSeat(Strict):
    """One line of the roster: by seat, role and code; never by name."""

    seat: str
    role: str
    code: str = ""
    organisation: str = ""
    state: str = ""
    """``present``, ``late``, ``absent``, ``expected``, ``replaced``, ``recused``."""
    checked_in_utc_ms: UtcMs | None = None
    late_ms: int | None = None


class WitnessReport(Strict):
    """The witness report of a session; a draft until a version of it is made and signed.

    ``recordings`` are the tracks of the room and of the passages that a sealed session keeps.
    ``record`` is the record of the session, line by line. ``head_counts`` tell each change;
    ``counts_left_out`` says how many of them were thinned out. ``left_out`` names what a limit
    kept out of the report.
    """

    v: Literal[1] = 1
    kind: Literal["witness_report"] = "witness_report"
    draft: bool = True
    version: int = Field(default=0, ge=0)
    """0: a draft. From 1 on: signed, and never changed."""
    previous_sha256: Sha256Hex | None = None
    """Of the JSON of the version before this one."""
    reason: str = Field(default="", max_length=500)
    """Why a further version was made."""
    made_by: str = ""
    session: SessionView
    room: Named
    site: Named
    site_id: str = ""
    time_zone: str = "UTC"
    made_utc_ms: UtcMs
    sealed_for_ms: int | None
    statement: Sentence
    roster: tuple[ReportSeat, ...] = ()
    head_counts: tuple[HeadCountPoint, ...] = ()
    counts_left_out: int = Field(default=0, ge=0)
    alerts: tuple[ReportAlert, ...]
    deliveries: tuple[DeliveryView, ...]
    recordings: tuple[ReportTrack, ...] = ()
    gaps: tuple[ReportGap, ...] = ()
    record: tuple[RecordLine, ...] = ()
    shadow_findings: int = Field(default=0, ge=0)
    """What rules in shadow found in this session; nobody was told, so none is an alert."""
    left_out: tuple[Sentence, ...] = ()


class ReportFile(StrEnum):
    """The files of a signed version, as they are named in an address and on a disk."""

    JSON = "report.json"
    PDF_ZH = "report.zh.pdf"
    PDF_EN = "report.en.pdf"
    STATEMENT = "statement.json"
    JSON_SIGNATURE = "report.json.sig"
    PDF_ZH_SIGNATURE = "report.zh.pdf.sig"
    PDF_EN_SIGNATURE = "report.en.pdf.sig"
    KEY = "controller.pem"
    BUNDLE = "report.zip"
    """All of the others."""


SIGNED_FILES: Final = (ReportFile.JSON, ReportFile.PDF_ZH, ReportFile.PDF_EN)


class SignedFile(Strict):
    """One file of a version. ``signature``: Ed25519 over its exact bytes, base64."""

    sha256: Sha256Hex
    bytes: int = Field(ge=0)
    signature: str


class ReportStatement(Wire):
    """What a version's files are: one signed line (``contracts.evidence.lines``)."""

    v: Literal[1] = 1
    kind: Literal["witness_statement"] = "witness_statement"
    site: SiteId
    session: SessionId
    version: int = Field(ge=1)
    made_utc_ms: UtcMs
    made_by: str = Field(max_length=80)
    previous: Sha256Hex | None = None
    """SHA-256 of the JSON of the version before this one."""
    files: dict[str, Sha256Hex]
    key: KeyId


class ReportVersion(Strict):
    """One signed version of a session's report."""

    session_id: SessionId
    version: int = Field(ge=1)
    made_utc_ms: UtcMs
    made_by: str
    reason: str = ""
    previous_sha256: Sha256Hex | None = None
    key: KeyId
    files: dict[ReportFile, SignedFile]


class ReportState(Strict):
    """Where a session's report stands.

    ``due_utc_ms``: the first version is made by itself then, at the latest. ``waiting_for``:
    tracks whose last recording is not announced yet. ``late_facts``: something has come in since
    the newest version; a person may have a further one made.
    """

    session_id: SessionId
    versions: tuple[ReportVersion, ...] = ()
    released: bool = False
    due_utc_ms: UtcMs | None = None
    waiting_for: tuple[TrackId, ...] = ()
    late_facts: bool = False


class NewVersionBody(Strict):
    """Have a version made now; a further one needs a reason, which stands in it."""

    reason: Note = Field(default="", examples=["the node of the corridor was away at release"])
