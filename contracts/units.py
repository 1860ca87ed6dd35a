"""Holds the scalar types that every message shares: two kinds of time, and the names of things."""

from typing import Annotated, NewType, Self

from pydantic import AfterValidator, StringConstraints

MonoMs = NewType("MonoMs", int)
"""Milliseconds of a clock that never steps (CLOCK_BOOTTIME). Only differences on one boot count."""

UtcMs = NewType("UtcMs", int)
"""Milliseconds since 1970-01-01T00:00:00Z. For records and people, never for intervals."""

ID_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
# 40 characters: fits a DNS label with room to spare, and an MQTT level without escaping.

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

_Id = StringConstraints(pattern=ID_PATTERN)

SiteId = Annotated[str, _Id]
RoomId = Annotated[str, _Id]
ZoneId = Annotated[str, _Id]
CameraId = Annotated[str, _Id]
PickupId = Annotated[str, _Id]
NodeId = Annotated[str, _Id]
RobotId = Annotated[str, _Id]
DoorId = Annotated[str, _Id]
LiftId = Annotated[str, _Id]
FireId = Annotated[str, _Id]
FacilityId = Annotated[str, _Id]
"""A door, a lift or a fire input: they share one set of names."""
SessionId = Annotated[str, _Id]
RuleCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")]
"""A rule of the catalogue, group first: ``area.over_admitted``, ``sound.pickup_dead``."""

MESSAGE_ID_MAX_CHARS = 64  # a UUID, or a digest in hex: nothing longer names one message
MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def plain(text: str) -> str:
    """A text without control characters.

    Raises:
        ValueError: it has some.
    """
    if any(ord(char) < 32 and char not in "\n\t" for char in text):
        raise ValueError("contains control characters; send plain text")
    return text


NOTE_MAX_CHARS = 500  # a reason a person types; longer belongs in a report
Note = Annotated[str, StringConstraints(max_length=NOTE_MAX_CHARS), AfterValidator(plain)]


class Bilingual(tuple[str, str]):
    """A text in both languages of the product: ``(zh, en)``."""

    __slots__ = ()

    def __new__(cls, zh: str, en: str) -> Self:
        return super().__new__(cls, (zh, en))

    @property
    def zh(self) -> str:
        return self[0]

    @property
    def en(self) -> str:
        return self[1]

    def pick(self, language: str) -> str:
        """The text in ``zh-CN`` (or any zh), else in English."""
        return self.zh if language.startswith("zh") else self.en
