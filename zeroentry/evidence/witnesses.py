"""Decides which countersignatures of heads count, and whether the hourly roots are in order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from contracts.evidence.chain import spelled_exactly
from contracts.evidence.entries import NOTHING, Root, Witness
from contracts.evidence.lines import KeyId, LineError, SignedLine, split_line
from zeroentry.evidence.findings import Finding, Kind
from zeroentry.evidence.lines_of import Line
from zeroentry.evidence.trust import check_signature

_WORD: Final[TypeAdapter[Witness | Root]] = TypeAdapter(
    Annotated[Witness | Root, Field(discriminator="kind")]
)


@dataclass(slots=True)
class Witnesses:
    """What was countersigned, by track and sequence; and what was wrong in reading it."""

    heads: dict[str, dict[int, list[Witness]]] = field(default_factory=dict)
    roots: int = 0
    checked: int = 0
    """Signatures that were checked and are good."""
    findings: list[Finding] = field(default_factory=list)
    strange: dict[tuple[str, KeyId], int] = field(default_factory=dict)
    """First line by a key that was not given, by file and key."""
    _root_head: str = ""
    _root_number: int = 0

    def read(
        self,
        lines: Iterable[Line],
        path: str,
        keys: Mapping[KeyId, bytes],
        *,
        track: str | None = None,
    ) -> None:
        """Take over the lines of one file; ``track``: the only one that they may be about."""
        for line in lines:
            if line.torn:
                self.findings.append(Finding(Kind.WITNESS_TORN, path, line.number))
                continue
            try:
                signed = split_line(line.raw)
                word = _WORD.validate_json(signed.signed)
            except LineError as error:
                self._wrong(Kind.WITNESS_UNREADABLE, path, line, str(error))
            except ValidationError as error:
                self._wrong(Kind.WITNESS_UNREADABLE, path, line, error.errors()[0]["msg"])
            else:
                self._judge(word, signed, keys, path, line, track)

    def _wrong(self, kind: Kind, path: str, line: Line, *values: str | int) -> None:
        self.findings.append(Finding(kind, path, line.number, values=values))

    def _judge(
        self,
        word: Witness | Root,
        signed: SignedLine,
        keys: Mapping[KeyId, bytes],
        path: str,
        line: Line,
        track: str | None,
    ) -> None:
        public = keys.get(word.key)
        if public is None:
            self.strange.setdefault((path, word.key), line.number)
            return
        if not spelled_exactly(signed) or not check_signature(
            public, signed.signed, signed.signature
        ):
            self._wrong(Kind.WITNESS_SIGNATURE, path, line, word.key)
            return
        self.checked += 1
        if isinstance(word, Root):
            self._root(word, signed, path, line)
        elif track is not None and word.track != track:
            self._wrong(Kind.WITNESS_PLACE, path, line, f"{word.site}/{word.node}/{word.track}")
        else:
            self.heads.setdefault(word.track, {}).setdefault(word.sequence, []).append(word)

    def _root(self, word: Root, signed: SignedLine, path: str, line: Line) -> None:
        """Roots follow one another; the first at hand may be a later one than the first of all."""
        expected = self._root_head or (NOTHING if word.number == 1 else word.previous)
        follows = not self._root_number or word.number == self._root_number + 1
        if word.previous != expected or not follows:
            self._wrong(Kind.ROOT_ORDER, path, line, word.number)
        self._root_head, self._root_number = signed.sha256, word.number
        self.roots += 1
