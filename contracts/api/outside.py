"""Holds acting from outside a sealed room: calls, texts, talk, emergency entry, listening.

Nobody may go in, so every one of these is an act with a begin, an end and a name, and stands in
the record of the session.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.api.base import Sentence
from contracts.envelope import Strict
from contracts.units import (
    CameraId,
    PickupId,
    RoomId,
    SessionId,
    Sha256Hex,
    UtcMs,
    plain,
)

TEXT_MAX_CHARS = 200  # what a tablet shows big, to be read at a glance from a chair
REASON_MAX_CHARS = 200
ENTRY_MINUTES_MAX = 60  # longer is no emergency: suspend the session
ENTRY_PERSONS_MAX = 10
APPROVERS = 2

OutsideId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
PlainText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TEXT_MAX_CHARS, strip_whitespace=True),
    AfterValidator(plain),
]


class CallReason(StrEnum):
    """What an expert calls for. Choices alone: no word may leave the room."""

    QUESTION = "question"
    """A question on procedure."""
    EQUIPMENT = "equipment"
    """Computer, network or room equipment."""
    PAPERS = "papers"
    """Papers or material are missing."""
    LEAVE = "leave"
    """Somebody asks to leave the closed area."""
    UNWELL = "unwell"
    """Somebody is unwell."""
    DANGER = "danger"
    """Fire, smoke, or another danger."""


CALL_REASONS: Final[Mapping[CallReason, Sentence]] = {
    CallReason.QUESTION: Sentence(zh="流程咨询", en="Question on procedure"),
    CallReason.EQUIPMENT: Sentence(zh="设备故障", en="Equipment fault"),
    CallReason.PAPERS: Sentence(zh="缺少资料", en="Papers missing"),
    CallReason.LEAVE: Sentence(zh="申请离开", en="Asks to leave"),
    CallReason.UNWELL: Sentence(zh="身体不适", en="Somebody is unwell"),
    CallReason.DANGER: Sentence(zh="火情或其他危险", en="Fire or other danger"),
}


class CallBody(Strict):
    """Call the supervisor."""

    reason: CallReason


class CallView(Strict):
    """One call from a room. ``repeats``: how often it has called again because nobody answered."""

    id: OutsideId
    room_id: RoomId
    session_id: SessionId | None = None
    reason: CallReason
    raised_utc_ms: UtcMs
    raised_by: str
    repeats: int = 0
    overdue: bool = False
    answered_by: str | None = None
    answered_utc_ms: UtcMs | None = None
    ended_by: str | None = None
    ended_utc_ms: UtcMs | None = None


class TextTemplate(StrEnum):
    """Texts that exist in both languages; the tablet shows the one of its own."""

    COMING = "coming"
    WAIT = "wait"
    CONTINUE = "continue"
    SEATS = "seats"
    QUIET = "quiet"
    PHONES = "phones"
    MEAL = "meal"
    SUSPEND = "suspend"
    EVACUATE = "evacuate"
    CALL_BACK = "call_back"


TEMPLATES: Final[Mapping[TextTemplate, Sentence]] = {
    TextTemplate.COMING: Sentence(
        zh="已收到呼叫，监督人员正在处理，请稍候。",
        en="Your call was received. A supervisor is seeing to it; please wait.",
    ),
    TextTemplate.WAIT: Sentence(
        zh="请暂停评标，等候通知。", en="Please pause the evaluation and wait for notice."
    ),
    TextTemplate.CONTINUE: Sentence(zh="可以继续评标。", en="You may go on with the evaluation."),
    TextTemplate.SEATS: Sentence(
        zh="请各位专家回到各自座位。", en="Please return to your own seats."
    ),
    TextTemplate.QUIET: Sentence(
        zh="请独立评审，不要相互讨论评分。",
        en="Please evaluate independently; do not discuss scores with one another.",
    ),
    TextTemplate.PHONES: Sentence(
        zh="检测到疑似通讯设备，请立即交出。",
        en="A telephone may be in the room. Please hand it over at once.",
    ),
    TextTemplate.MEAL: Sentence(
        zh="餐食已送达门口，请凭取餐码领取。",
        en="The meal is at the door; collect it with your PIN.",
    ),
    TextTemplate.SUSPEND: Sentence(
        zh="评标暂停，请将资料留在原处，按指引离开。",
        en="The evaluation is suspended. Leave all papers in place and follow the guidance.",
    ),
    TextTemplate.EVACUATE: Sentence(
        zh="请立即沿疏散通道撤离，资料留在原处。",
        en="Leave at once by the escape route; leave all papers behind.",
    ),
    TextTemplate.CALL_BACK: Sentence(
        zh="请按“呼叫监督”说明情况。", en="Please press \u201cCall supervisor\u201d and choose why."
    ),
}
"""What each template says; free words are shown as they were written."""


class TextBody(Strict):
    """Write to a room's tablet: a template, or words of one's own."""

    template: TextTemplate | None = None
    text: PlainText | None = None
    call_id: OutsideId | None = None
    """The call that this answers."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.template is None) == (self.text is None):
            raise ValueError("give either template or text, not both and not neither")
        return self


class TextView(Strict):
    """One text to a room. ``read_utc_ms``: somebody there has pressed "read"."""

    id: OutsideId
    room_id: RoomId
    session_id: SessionId | None = None
    text: Sentence
    template: TextTemplate | None = None
    sent_by: str
    sent_utc_ms: UtcMs
    call_id: OutsideId | None = None
    read_utc_ms: UtcMs | None = None
    ended_utc_ms: UtcMs | None = None
    """Read, or withdrawn because its session is over."""


class TalkBody(Strict):
    """Talk into a room; without ``camera_id`` over its first camera that can."""

    camera_id: CameraId | None = None
    call_id: OutsideId | None = None


class TalkView(Strict):
    """One talk into a room, while it lasts and after it.

    ``sha256`` and ``duration_ms``: what was sent, as a FLAC file at the room's node.
    ``failed``: why nothing could be said.
    """

    id: OutsideId
    room_id: RoomId
    session_id: SessionId | None = None
    camera_id: CameraId
    by: str
    asked_utc_ms: UtcMs
    call_id: OutsideId | None = None
    began_utc_ms: UtcMs | None = None
    ended_utc_ms: UtcMs | None = None
    sha256: Sha256Hex | None = None
    duration_ms: int | None = None
    failed: str | None = None


class TalkGiven(Strict):
    """Where a browser sends its microphone (a WebSocket), and until when it may begin."""

    talk: TalkView
    url: str
    expires_utc_ms: UtcMs
    limit_ms: int


class TalkSound(Strict):
    """Where a browser hears what was said into a room, for some minutes."""

    talk_id: OutsideId
    sha256: Sha256Hex
    url: str
    expires_utc_ms: UtcMs


class EntryKind(StrEnum):
    """Why somebody enters a sealed room."""

    FIRE = "fire"
    MEDICAL = "medical"
    SECURITY = "security"
    """Quarrel, violence, intrusion."""
    EQUIPMENT = "equipment"
    """A fault that the evaluation cannot go on with."""
    OTHER = "other"


AT_ONCE = frozenset({EntryKind.FIRE, EntryKind.MEDICAL})
"""They need nobody's approval; who pressed stands in the record."""


ENTRY_KINDS: Final[Mapping[EntryKind, Sentence]] = {
    EntryKind.FIRE: Sentence(zh="火情", en="Fire"),
    EntryKind.MEDICAL: Sentence(zh="医疗急救", en="Medical emergency"),
    EntryKind.SECURITY: Sentence(zh="安全事件", en="Security incident"),
    EntryKind.EQUIPMENT: Sentence(zh="设备抢修", en="Equipment repair"),
    EntryKind.OTHER: Sentence(zh="其他", en="Other"),
}


class EntryState(StrEnum):
    """``asked`` -> ``open`` (two approved, or at once) -> ``ended``; or ``refused``, ``lapsed``."""

    ASKED = "asked"
    OPEN = "open"
    ENDED = "ended"
    REFUSED = "refused"
    LAPSED = "lapsed"
    """Nobody approved in time."""


class EntryBody(Strict):
    """Ask for an emergency entry."""

    kind: EntryKind
    reason: Annotated[
        str,
        StringConstraints(min_length=4, max_length=REASON_MAX_CHARS, strip_whitespace=True),
        AfterValidator(plain),
    ]
    minutes: int = Field(default=10, ge=1, le=ENTRY_MINUTES_MAX)
    persons: int = Field(default=1, ge=1, le=ENTRY_PERSONS_MAX)


class EntryApproval(Strict):
    """Who approved an entry, and when."""

    by: str
    utc_ms: UtcMs


class EntryView(Strict):
    """One emergency entry. ``overdue``: its time is over and nobody has said that it has ended."""

    id: OutsideId
    room_id: RoomId
    session_id: SessionId | None = None
    kind: EntryKind
    reason: str
    minutes: int
    persons: int
    state: EntryState
    asked_by: str
    asked_utc_ms: UtcMs
    approvals: tuple[EntryApproval, ...] = ()
    approvals_needed: int = APPROVERS
    began_utc_ms: UtcMs | None = None
    until_utc_ms: UtcMs | None = None
    overdue: bool = False
    ended_by: str | None = None
    ended_utc_ms: UtcMs | None = None
    alerts: int = 0
    """Alerts of the room that came while it was open; none of them was kept back."""


class ListeningView(Strict):
    """Who hears which room. ``ended_utc_ms`` None: now."""

    id: OutsideId
    room_id: RoomId
    session_id: SessionId | None = None
    source_id: CameraId | PickupId
    by: str
    began_utc_ms: UtcMs
    ended_utc_ms: UtcMs | None = None
    why: str | None = None
    """Why it ended: stopped, other_room, lapsed (not renewed), session_over, or a node's word."""


class ListenBody(Strict):
    """Hear a room; without ``source_id`` its first microphone."""

    source_id: CameraId | PickupId | None = None


class ListeningGiven(Strict):
    """A listening and its ticket; renew it before ``expires_utc_ms``, or the node cuts it off."""

    listening: ListeningView
    url: str
    """A WebSocket of the room's node, with the ticket in it: 16-bit mono samples at 16 kHz."""
    ticket: str
    sources: tuple[CameraId | PickupId, ...]
    """What can be heard in this room."""
    expires_utc_ms: UtcMs


class OutsideView(Strict):
    """All that goes on now between the outside and the rooms that the asker may see."""

    calls: tuple[CallView, ...] = ()
    texts: tuple[TextView, ...] = ()
    talks: tuple[TalkView, ...] = ()
    entries: tuple[EntryView, ...] = ()
    listenings: tuple[ListeningView, ...] = ()
    talkable: tuple[RoomId, ...] = ()
    """Rooms with a camera that is set to try an audio back channel."""
    audible: tuple[RoomId, ...] = ()
    """Rooms with a microphone."""
