"""Holds where notices go, and what became of each."""

from enum import StrEnum

from pydantic import Field

from contracts.api.base import Sentence
from contracts.api.duty import ChannelId, DutyLevel
from contracts.envelope import Strict
from contracts.units import RoomId, UtcMs

ADDRESS_MAX_CHARS = 1_000  # an Apprise URL with tokens


class NoticeReason(StrEnum):
    """Why somebody is told."""

    NEW = "new"
    """Nobody has acknowledged an alert."""
    OVERDUE = "overdue"
    """It was acknowledged, but is not resolved in time, or an urge is not answered."""
    ASSIGNED = "assigned"
    URGED = "urged"
    NOBODY = "nobody"
    """Nobody is on duty."""
    TEST = "test"


class DeliveryState(StrEnum):
    """What became of one notice on one channel. ``DEAD``: given up after all tries."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class ChannelBody(Strict):
    """Where notices go. ``address`` is an Apprise URL: a secret, stored and never shown again.

    Left out, the stored address stays. ``levels``: a group's channel gets what these levels get.
    """

    name: str = Field(min_length=1, max_length=40)
    address: str | None = Field(default=None, min_length=5, max_length=ADDRESS_MAX_CHARS)
    language: str = Field(default="zh-CN", pattern=r"^(zh-CN|en)$")
    levels: tuple[DutyLevel, ...] = Field(default=(), max_length=3)
    enabled: bool = True


class ChannelView(Strict):
    """A channel without its secret: ``kind`` is the address's scheme, ``hint`` its host, masked."""

    id: ChannelId
    name: str
    kind: str
    hint: str = ""
    language: str
    levels: tuple[DutyLevel, ...] = ()
    enabled: bool = True
    from_environment: bool = False
    """Set in the controller's environment, so it cannot be changed here."""


class ChannelList(Strict):
    """All channels, with the revision of the list (also the ``ETag``)."""

    revision: int
    items: tuple[ChannelView, ...]


class Attempt(Strict):
    """One try of a delivery."""

    utc_ms: UtcMs
    outcome: DeliveryState
    error: str = ""


class DeliveryRow(Strict):
    """One notice to one recipient on one channel, with every try."""

    number: int
    notice_id: str
    channel_id: str
    recipient: str
    language: str
    state: DeliveryState
    tries: int
    next_utc_ms: UtcMs | None = None
    delivered_utc_ms: UtcMs | None = None
    error: str = ""
    attempts: tuple[Attempt, ...] = ()


class NoticeView(Strict):
    """One notice: who was to be told of what. Its text has a code, a room and a time, no more."""

    number: int
    id: str
    reason: NoticeReason
    level: DutyLevel | None = None
    to: str = ""
    alert_id: str = ""
    alert_number: int | None = None
    code: str
    room_id: RoomId | None = None
    severity: str = ""
    more: int = 0
    """How many other alerts it stands for."""
    created_utc_ms: UtcMs
    text: Sentence
    deliveries: tuple[DeliveryRow, ...] = ()
    nobody: bool = False
    """There was nobody to tell: no one on duty has a channel."""


class NoticePage(Strict):
    """Newest first; ``next_before`` asks for the page behind this one."""

    items: tuple[NoticeView, ...]
    next_before: int | None = None


class NoticeSent(Strict):
    """A test message is in line; its delivery is in the log under this id."""

    notice_id: str
