"""Decides how a file of lines is cut into lines, so that not one byte of it goes unread."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from contracts.evidence.lines import LINE_MAX_BYTES, SIGNATURE_MEMBER

_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, counted from 1; ``raw`` is without its line feed."""

    number: int
    raw: bytes
    ended: bool
    """Whether a line feed ended it; only the last line of a file can lack one."""

    @property
    def torn(self) -> bool:
        """Half a line, as a power cut or a writer at work leaves it.

        A whole line whose line feed was cut off or altered is not torn.
        """
        whole = SIGNATURE_MEMBER.search(self.raw) or SIGNATURE_MEMBER.search(self.raw[:-1])
        return not self.ended and whole is None


def lines_of(file: BinaryIO) -> Iterator[Line]:
    """The lines of a file; one above the limit comes in several pieces, each no entry."""
    rest, number = b"", 0
    while block := file.read(_READ_BYTES):
        *whole, rest = (rest + block).split(b"\n")
        for raw in whole:
            number += 1
            yield Line(number, raw, ended=True)
        if len(rest) > LINE_MAX_BYTES + 1:  # nothing of ours; do not gather it in memory
            number += 1
            yield Line(number, rest, ended=True)
            rest = b""
    if rest:
        yield Line(number + 1, rest, ended=False)
