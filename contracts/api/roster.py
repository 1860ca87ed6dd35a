"""Holds a session's roster as the API takes and shows it: seats and roles, and never a name."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.admission import ROLE_MAX, Role
from contracts.api.base import Sentence
from contracts.envelope import Strict
from contracts.observations import AccessKind
from contracts.units import MessageId, Note, RoomId, SessionId, Sha256Hex, UtcMs

SEATS_MAX = ROLE_MAX
"""Seats of one session: as many people as may be admitted at all."""
SEAT_MAX_CHARS = 16  # as an access event carries it
CODE_MAX_CHARS = 32  # codes of experts and organisations are numbers of a register
NAME_MAX_CHARS = 60


def _plain(text: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in text) or text != text.strip():
        raise ValueError("contains control characters or blanks at its ends")
    return text


SeatName = Annotated[
    str, StringConstraints(min_length=1, max_length=SEAT_MAX_CHARS), AfterValidator(_plain)
]
RegisterCode = Annotated[str, StringConstraints(max_length=CODE_MAX_CHARS), AfterValidator(_plain)]
PersonName = Annotated[
    str, StringConstraints(min_length=1, max_length=NAME_MAX_CHARS), AfterValidator(_plain)
]


class Seat(Strict):
    """One place on a roster: who may sit there by role and codes of registers, not by name.

    ``room_id``: its room, where a session holds several; left out, any of them.
    """

    seat: SeatName
    role: Role = Role.EXPERT
    organisation: RegisterCode = ""
    """Code of who sends the participant: an agency, an owner."""
    expert_code: RegisterCode = ""
    """Code in the register of experts; ID terminals report it."""
    room_id: RoomId | None = None


class SeatBody(Seat):
    """A place and, if wanted, the name: kept encrypted, apart from everything else."""

    name: PersonName | None = None

    def bare(self) -> Seat:
        """The place without the name."""
        return Seat.model_validate(self.model_dump(exclude={"name"}))


def seats_differ(seats: tuple[Seat, ...]) -> None:
    """Refuse a roster that names a seat or an expert twice.

    Raises:
        ValueError: names them.
    """
    for what, given in (
        ("seat", [row.seat for row in seats]),
        ("expert_code", [row.expert_code for row in seats if row.expert_code]),
    ):
        twice = sorted({one for one in given if given.count(one) > 1})
        if twice:
            raise ValueError(f"{what} used twice: {', '.join(twice)}")


class RosterBody(Strict):
    """The whole roster of a scheduled session; it replaces the one before."""

    seats: tuple[SeatBody, ...] = Field(max_length=SEATS_MAX)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seats_differ(self.seats)
        return self


class Standing(StrEnum):
    """Whether a participant still belongs to the session."""

    ACTIVE = "active"
    REPLACED = "replaced"
    RECUSED = "recused"
    """回避"""


class Attendance(StrEnum):
    """What check-ins say against the schedule. Video never says who is late."""

    EXPECTED = "expected"
    PRESENT = "present"
    LATE = "late"
    OVERDUE = "overdue"
    """Later than its role may be, and not yet counted as absent."""
    ABSENT = "absent"


class ParticipantView(Strict):
    """One participant. ``number`` is its own in this session; a replaced seat has two."""

    number: int
    seat: str
    role: Role
    organisation: str = ""
    expert_code: str = ""
    room_id: RoomId | None = None
    standing: Standing = Standing.ACTIVE
    attendance: Attendance
    due_utc_ms: UtcMs
    checked_in_utc_ms: UtcMs | None = None
    checked_out_utc_ms: UtcMs | None = None
    late_ms: int | None = None


class AmendmentKind(StrEnum):
    """How a roster changes once people have gathered."""

    REPLACED = "replaced"
    RECUSED = "recused"
    ADDED = "added"


class AmendmentBody(Strict):
    """Ask for a change of the roster; another person has to approve it.

    ``seat``: of whom it is about, or the new seat. ``incoming``: who comes, where somebody does.
    """

    kind: AmendmentKind
    seat: SeatName
    reason: Annotated[Note, StringConstraints(min_length=1)]
    incoming: SeatBody | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        comes = self.kind is not AmendmentKind.RECUSED
        if comes != (self.incoming is not None):
            raise ValueError("incoming belongs to replaced and added, and only to them")
        return self


class AmendmentState(StrEnum):
    """Where a change of the roster stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


class DecisionBody(Strict):
    """A word beside an approval or a refusal."""

    note: Note = ""


class AmendmentView(Strict):
    """One change of the roster, who asked and who decided."""

    number: int
    kind: AmendmentKind
    seat: str
    incoming: Seat | None = None
    reason: str
    state: AmendmentState
    asked_by: str
    asked_utc_ms: UtcMs
    decided_by: str | None = None
    decided_utc_ms: UtcMs | None = None
    note: str = ""


class RefusedCheckIn(Strict):
    """A terminal reported somebody whom the roster does not know."""

    event_id: str
    utc_ms: UtcMs
    expert_code: str = ""
    seat: str = ""
    by: str


class Presence(Strict):
    """What video says beside the roster: how many, never who. ``seen`` None: nobody can see."""

    seen: int | None
    admitted: int
    confidence: float | None = None


class RosterView(Strict):
    """A session's roster. ``sha256`` is what a seal freezes; ``frozen_sha256`` what it has."""

    session_id: SessionId
    revision: int
    sha256: Sha256Hex | None = None
    frozen_sha256: Sha256Hex | None = None
    participants: tuple[ParticipantView, ...] = ()
    amendments: tuple[AmendmentView, ...] = ()
    refused: tuple[RefusedCheckIn, ...] = ()
    presence: Presence


class NamedSeat(Strict):
    """A participant's name; given out after the result alone, and audited."""

    number: int
    seat: str
    name: str


class NamesView(Strict):
    """The names of a roster, as far as any were given."""

    session_id: SessionId
    names: tuple[NamedSeat, ...] = ()


class ManualCheckIn(Strict):
    """A person at the door says who came or went."""

    seat: SeatName
    kind: AccessKind = AccessKind.CHECK_IN
    utc_ms: UtcMs | None = None
    event_id: MessageId | None = None


class CheckInBody(Strict):
    """What a door or an ID terminal reports; the same ``event_id`` counts once.

    Without ``room_id`` the session is found by the expert's code.
    """

    event_id: MessageId | None = None
    kind: AccessKind = AccessKind.CHECK_IN
    utc_ms: UtcMs | None = None
    room_id: RoomId | None = None
    seat: SeatName | None = None
    expert_code: RegisterCode | None = None


class CheckInGiven(Strict):
    """What became of an event. ``known`` False: it is noted, and the roster knows nobody for it."""

    event_id: str
    known: bool
    session_code: str | None = None
    seat: str | None = None
    text: Sentence


class SweepBody(Strict):
    """A room was looked through: each True is a thing that somebody made sure of."""

    empty: bool
    """Nobody is inside."""
    phones_cleared: bool
    """No telephone or other device was left."""
    papers_cleared: bool
    """No paper was left."""
    note: Note = ""


class SweepView(Strict):
    """How a room was last swept. ``needed``: a session was there since."""

    room_id: RoomId
    needed: bool
    swept_utc_ms: UtcMs | None = None
    swept_by: str | None = None
    empty: bool | None = None
    phones_cleared: bool | None = None
    papers_cleared: bool | None = None
    note: str = ""
    released_utc_ms: UtcMs | None = None


class NamesShown(StrEnum):
    """When names may be seen by who has the right to."""

    AFTER_RELEASE = "after_release"
    NEVER = "never"


LateMin = Annotated[int, Field(ge=0, le=240)]


class SessionPolicy(Strict):
    """A site's rules on sessions, beside who may be where."""

    late_after_min: dict[Role, LateMin] = Field(default_factory=lambda: {Role.EXPERT: 5})
    """Minutes after the start from which a role counts as late."""
    others_late_after_min: int = Field(default=10, ge=0, le=240)
    absent_after_min: int = Field(default=30, ge=0, le=1_440)
    early_min: int = Field(default=240, ge=0, le=1_440)
    """How long before the start a check-in counts for a session."""
    roster_required: bool = False
    """A session without a roster cannot be sealed."""
    names: NamesShown = NamesShown.AFTER_RELEASE
