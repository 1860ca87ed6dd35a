"""A track's chain as an edge node writes it: signed lines, made one after the other."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from contracts.evidence.chain import file_name, handover_proof
from contracts.evidence.entries import (
    NOTHING,
    At,
    Checkpoint,
    ClockSource,
    ClockState,
    Ending,
    Entry,
    Gap,
    GapReason,
    HandedOver,
    Media,
    Opened,
    Released,
    Sealed,
    Segment,
)
from contracts.evidence.lines import sign_line
from contracts.observations import CheckpointTaken, EntryAppended
from contracts.units import MonoMs, UtcMs
from runtime.signing import PublicKeys, SigningKey

CLOCK = ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.2)


def key_of(seed: str) -> SigningKey:
    """A new key; ``seed`` only names it for the reader."""
    assert seed
    return SigningKey.generate()


def public_text(key: SigningKey) -> str:
    """The raw public key in base64."""
    return base64.b64encode(key.public_raw).decode()


def check(public: bytes, data: bytes, signature: bytes) -> bool:
    """``contracts.evidence.chain.CheckSignature``."""
    keys = PublicKeys()
    return keys.verify(keys.add_raw(public), data, signature)


@dataclass
class NodeChain:
    """The chain of one track. ``utc_ms`` is the end of what it has told."""

    key: SigningKey = field(default_factory=lambda: key_of("node"))
    site: str = "centre"
    node: str = "edge-1"
    track: str = "cam-1"
    room: str = "room-1"
    utc_ms: int = 1_000_000
    boot_id: str = "boot-1"
    sequence: int = 0
    head: str = NOTHING
    number: int = 0
    lines: list[str] = field(default_factory=list)

    def opened(self) -> EntryAppended:
        return self._append(
            Opened(**self._fields(), version="1.0", public_key=public_text(self.key))
        )

    def segment(self, duration_ms: int = 60_000, *, after_ms: int = 0) -> EntryAppended:
        """The next file; ``after_ms`` behind the end of what was told."""
        self.utc_ms += after_ms
        self.number += 1
        start, self.utc_ms = self.utc_ms, self.utc_ms + duration_ms
        return self._append(
            Segment(
                **self._fields(),
                number=self.number,
                file=file_name(self.track, self.number, start),
                bytes=1_000 * self.number,
                sha256=hashlib.sha256(f"{self.track}-{self.number}".encode()).hexdigest(),
                start=self._at(start),
                duration_ms=duration_ms,
                media=Media(video="h264", width=640, height=360),
                ending=Ending.FULL,
            )
        )

    def gap(
        self,
        duration_ms: int,
        reason: GapReason = GapReason.CAMERA_OFFLINE,
        *,
        ended: bool = True,
    ) -> EntryAppended:
        start, self.utc_ms = self.utc_ms, self.utc_ms + duration_ms
        return self._append(
            Gap(
                **self._fields(),
                reason=reason,
                start=self._at(start),
                duration_ms=duration_ms,
                ended=ended,
            )
        )

    def sealed(self, session_id: str = "s-1") -> EntryAppended:
        return self._append(
            Sealed(
                **self._fields(),
                request_id=f"{session_id}-1",
                session_id=session_id,
                admitted=5,
                keep_days=10,
            )
        )

    def released(self, session_id: str = "s-1") -> EntryAppended:
        return self._append(
            Released(**self._fields(), request_id=f"{session_id}-2", session_id=session_id)
        )

    def handed_over(self, new: SigningKey) -> EntryAppended:
        said = self._append(
            HandedOver(
                **self._fields(),
                request_id="rotate-1",
                new_key=new.id,
                new_public_key=public_text(new),
                proof=base64.b64encode(new.sign(handover_proof(self.key.id, new.id))).decode(),
            )
        )
        self.key = new
        return said

    def checkpoint(self, offset: int = 4_096) -> CheckpointTaken:
        """A word on the file that is being written."""
        number = self.number + 1
        line = sign_line(
            Checkpoint(
                site=self.site,
                node=self.node,
                track=self.track,
                number=number,
                file=file_name(self.track, number, self.utc_ms),
                head=self.head,
                sequence=self.sequence,
                offset=offset,
                sha256="0" * 64,
                start=self._at(self.utc_ms),
                recorded=self._at(self.utc_ms),
                key=self.key.id,
            ),
            self.key.sign,
        )
        return CheckpointTaken(
            node_id=self.node, room_id=self.room, track_id=self.track, line=line.decode()
        )

    def announced(self, line: str, public_key: str | None = None) -> EntryAppended:
        """Any line as this node would announce it."""
        return EntryAppended(
            room_id=self.room,
            node_id=self.node,
            track_id=self.track,
            line=line,
            public_key=public_key,
        )

    def _append(self, entry: Entry) -> EntryAppended:
        line = sign_line(entry, self.key.sign)
        self.head = hashlib.sha256(line).hexdigest()
        self.sequence = entry.sequence
        self.lines.append(line.decode())
        return self.announced(line.decode(), public_text(self.key))

    def _at(self, utc_ms: int) -> At:
        return At(utc_ms=UtcMs(utc_ms), mono_ms=MonoMs(utc_ms - 900_000), boot_id=self.boot_id)

    def _fields(self) -> dict[str, Any]:
        return {
            "key": self.key.id,
            "site": self.site,
            "node": self.node,
            "track": self.track,
            "sequence": self.sequence + 1,
            "previous": self.head,
            "recorded": self._at(self.utc_ms),
            "clock": CLOCK,
        }
