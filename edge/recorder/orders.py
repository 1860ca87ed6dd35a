"""Performs what is asked of the recorder: each order becomes an entry in the chains it concerns."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog

from contracts.evidence.entries import TrackId
from contracts.units import MessageId, RoomId
from edge.core.recording import (
    DeleteFiles,
    HoldTracks,
    KeepTracks,
    LiftHold,
    NoteTracks,
    ReleaseTracks,
    Reply,
    Request,
    RotateKey,
    SaveSpace,
    SealTracks,
    Written,
)
from edge.evidence import recovery
from edge.evidence.disk import Disk
from edge.evidence.keys import NodeKeys
from edge.evidence.manifest import Chain, ChainNotOpenError, RefusedError
from edge.evidence.orders import Order

log = structlog.get_logger(__name__)

REPLIES_KEPT: Final = 200
# A request is repeated within minutes, when a link broke before its reply. The chains themselves
# remember what was entered, for as long as their last two days.
ERROR_MAX_CHARS: Final = 400

NewChain = Callable[[TrackId], Chain]
"""The chain of a track that lies on disk, not opened yet."""


class Orders:
    """Everything that is asked of the chains of one node. Blocks for the disk; one thread calls."""

    def __init__(
        self,
        rooms: Mapping[TrackId, RoomId],
        chains: Mapping[TrackId, Chain],
        disk: Disk,
        keys: NodeKeys,
        new_chain: NewChain,
    ) -> None:
        self._rooms = rooms
        self._chains = dict(chains)
        self._disk = disk
        self._keys = keys
        self._new_chain = new_chain
        self._others: dict[TrackId, Chain] = {}
        self._replies: OrderedDict[MessageId, Reply] = OrderedDict()

    def perform(self, request: Request) -> Reply:
        """Do what is asked; a reply that is not an error comes again for the same id."""
        if request.id in self._replies:
            return self._replies[request.id]
        try:
            written = self._perform(request)
        except RefusedError as error:
            return Reply(id=request.id, error=str(error)[:ERROR_MAX_CHARS])
        except (OSError, ChainNotOpenError) as error:
            log.error("order_waits", request_id=request.id, error=str(error))
            text = f"the disk refuses: {error}"[:ERROR_MAX_CHARS]
            return Reply(id=request.id, error=text, again=True)
        reply = Reply(id=request.id, written=tuple(written))
        self._replies[request.id] = reply
        if len(self._replies) > REPLIES_KEPT:
            self._replies.popitem(last=False)
        log.info("order_performed", request_id=request.id, kind=request.body.kind)
        return reply

    def upkeep(self) -> None:
        """Publish the key and finish a rotation that a crash interrupted; until it succeeds.

        Raises:
            OSError, ChainNotOpenError: not yet.
        """
        self._keys.publish()
        if self._keys.is_rotating:
            self._keys.finish_rotation(self._all())

    def close(self) -> None:
        """Let go of the chains that nobody records any more."""
        for chain in self._others.values():
            chain.close()
        self._others.clear()

    def _perform(self, request: Request) -> Iterable[Written]:
        body = request.body
        match body:
            case SealTracks() | ReleaseTracks() | KeepTracks() | NoteTracks():
                return self._in_room(body.room_id, request.id, body)
            case HoldTracks():
                chains = [self._chain(track_id) for track_id in body.tracks]
                return self._in_all(chains, request.id, body)
            case LiftHold():
                return self._lift(request.id, body)
            case DeleteFiles():
                return self._in_all([self._chain(body.track_id)], request.id, body)
            case RotateKey():
                return self._keys.rotate(self._all())
            case SaveSpace():
                return ()  # the service's own; nothing of it is in a chain but the gap it makes

    def _in_room(self, room_id: RoomId, request_id: MessageId, order: Order) -> list[Written]:
        chains = [self._chains[name] for name, room in self._rooms.items() if room == room_id]
        if not chains:
            known = ", ".join(sorted(set(self._rooms.values()))) or "none"
            raise RefusedError(f"this node records nothing in {room_id!r}; areas here: {known}")
        return self._in_all(chains, request_id, order)

    def _in_all(
        self, chains: Iterable[Chain], request_id: MessageId, order: Order
    ) -> list[Written]:
        done = (chain.perform(request_id, order) for chain in chains)
        return [written for written in done if written is not None]

    def _lift(self, request_id: MessageId, order: LiftHold) -> list[Written]:
        written = self._in_all(self._all(), request_id, order)
        if not written:
            raise RefusedError(f"no track here has a hold {order.hold_id!r}")
        return written

    def _all(self) -> list[Chain]:
        """The chains of all tracks that lie on disk, recorded now or not."""
        names = (*self._chains, *recovery.tracks_on_disk(self._disk))
        return [self._chain(name) for name in dict.fromkeys(names)]

    def _chain(self, track_id: TrackId) -> Chain:
        if track_id in self._chains:
            return self._chains[track_id]
        if track_id not in self._others:
            if track_id not in recovery.tracks_on_disk(self._disk):
                known = ", ".join(sorted(self._chains)) or "none"
                raise RefusedError(f"no recordings of track {track_id!r} here; tracks: {known}")
            chain = self._new_chain(track_id)
            chain.open()
            self._others[track_id] = chain
        return self._others[track_id]
