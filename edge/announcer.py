"""Decides which lines of the manifests the controller is still to be told, and owes them durably.

The manifests themselves are the queue: a line is announced when a message for it and the cursor
behind it are committed in one transaction. So a line may be told twice, under the same id, and
never not at all; and while nobody listens, the outbox keeps room for alerts.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from contracts import topics
from contracts.evidence.entries import TrackId
from contracts.evidence.lines import KeyId, split_line
from contracts.observations import EntryAppended
from contracts.topics import Kind
from contracts.units import MESSAGE_ID_MAX_CHARS, NodeId, RoomId, SiteId
from edge.evidence.index import NewLine
from edge.store import Announced, EdgeStore, hand_over
from runtime.outbox import DEPTH_MAX, Entry, Outbox
from runtime.signing import KeyFileError, public_key_name, public_raw

log = structlog.get_logger(__name__)

OWED_MAX_MESSAGES: Final = DEPTH_MAX // 2  # the rest of the outbox is for alerts
PAGE: Final = 500  # lines of one transaction: a tenth of a second of the disk's thread
FIRST: Final = 1


class Lines(Protocol):
    """What of the index the announcer needs."""

    @property
    def behind(self) -> bool: ...

    def follow(self) -> tuple[NewLine, ...]: ...

    def lines_after(self, track_id: TrackId, sequence: int, limit: int) -> tuple[NewLine, ...]: ...


@dataclass(frozen=True, slots=True)
class Chains:
    """Whose chains are announced: the tracks of one node with their rooms, and its public keys."""

    site_id: SiteId
    node_id: NodeId
    rooms: Mapping[TrackId, RoomId]
    keys_dir: Path


def message_id(line: NewLine) -> str:
    """The id under which a line is announced, however often."""
    sha256 = split_line(line.line).sha256
    return f"{line.track_id}-{line.sequence}-{sha256[:16]}"[:MESSAGE_ID_MAX_CHARS]


class Announcer:
    """Announces one node's chains. Blocks for the disk: for its thread alone."""

    def __init__(self, chains: Chains, index: Lines, store: EdgeStore, outbox: Outbox) -> None:
        self._chains = chains
        self._index = index
        self._store = store
        self._outbox = outbox
        self._keys: dict[KeyId, str] = {}
        self._missing: set[KeyId] = set()
        self._announced = dict(store.announced())
        self._owing = set(chains.rooms)
        """Tracks of which lines may wait in the manifests that ``follow`` does not give again."""

    @property
    def tracks(self) -> Mapping[TrackId, Announced]:
        """How far each chain was announced."""
        return self._announced

    def step(self) -> bool:
        """Announce what there is, up to a limit; whether there is more to do at once.

        Raises:
            sqlite3.Error, OSError, OutboxFullError: not now; nothing is lost, call it again.
        """
        fresh = self._index.follow()
        known = [line for line in fresh if line.track_id in self._chains.rooms]
        # Should the commit fail, they are found in the manifests.
        late = self._owing
        self._owing = late | {line.track_id for line in known}
        self._forget_old_chains(known)
        if self._outbox.depth > OWED_MAX_MESSAGES:
            return False
        if late:
            more = self._pay(sorted(late))
            return more or bool(self._owing) or self._index.behind
        self._announce(known)
        self._owing = set()
        return self._index.behind

    def _pay(self, tracks: Iterable[TrackId]) -> bool:
        """Announce one page of each track from the manifests; whether one of them was full."""
        more = False
        for track_id in tracks:
            cursor = self._announced.get(track_id)
            lines = self._index.lines_after(track_id, cursor.sequence if cursor else 0, PAGE)
            self._announce(lines)
            if len(lines) < PAGE:
                self._owing.discard(track_id)
            else:
                more = True
        return more

    def _forget_old_chains(self, lines: Iterable[NewLine]) -> None:
        for line in lines:
            cursor = self._announced.get(line.track_id)
            if line.sequence == FIRST and cursor and cursor.chain != split_line(line.line).sha256:
                log.warning("chain_began_anew", track_id=line.track_id, announced=cursor.sequence)
                del self._announced[line.track_id]

    def _announce(self, lines: Iterable[NewLine]) -> None:
        entries: list[Entry] = []
        cursors = dict(self._announced)
        for line in lines:
            cursor = cursors.get(line.track_id)
            if cursor is not None and line.sequence <= cursor.sequence:
                continue  # the index was made again, and gives every line once more
            chain = cursor.chain if cursor else split_line(line.line).sha256
            cursors[line.track_id] = Announced(line.track_id, line.sequence, chain)
            entries.append(self._entry(line))
        if not entries:
            return
        moved = [one for name, one in cursors.items() if self._announced.get(name) != one]
        self._store.commit(entries=entries, announced=moved)
        self._announced = cursors
        hand_over(self._store, self._outbox, entries)

    def _entry(self, line: NewLine) -> Entry:
        chains = self._chains
        room_id = chains.rooms[line.track_id]
        message = EntryAppended(
            room_id=room_id,
            node_id=chains.node_id,
            track_id=line.track_id,
            line=line.line.decode("ascii"),
            public_key=self._public_key(line.entry.key),
        )
        topic = topics.room_topic(Kind.ENTRY, chains.site_id, room_id)
        return Entry(topic, message, room_id, message_id(line))

    def _public_key(self, key: KeyId) -> str | None:
        """The raw public key, base64, as it lies beside the recordings; None: it does not."""
        if key not in self._keys:
            path = self._chains.keys_dir / public_key_name(key)
            try:
                raw = public_raw(path.read_bytes(), said=str(path))
            except (OSError, KeyFileError) as error:
                if key not in self._missing:
                    log.warning("public_key_missing", key_id=key, error=str(error))
                    self._missing.add(key)
                return None
            self._keys[key] = base64.b64encode(raw).decode("ascii")
        return self._keys[key]
