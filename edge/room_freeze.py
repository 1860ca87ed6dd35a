"""Keeps what a seal froze in one room, and tells the room's chains when that is changed."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import structlog

from contracts.units import SessionId, Sha256Hex
from edge.core.recording import Request
from edge.core.room import IdSource
from edge.core.state import RoomState
from edge.freezing import (
    Consent,
    Frozen,
    drifted,
    frozen_after,
    frozen_of,
    hash_of_text,
    text_of,
    texts_of,
    untold,
)
from edge.store import EdgeStore, Freeze
from runtime.clock import Clock
from runtime.logs import Repeats

log = structlog.get_logger(__name__)


class RoomFreeze:
    """What one room was closed with. Asked by the room's service alone."""

    def __init__(  # where, by what, and what was: wired once, by name
        self,
        store: EdgeStore,
        disk: Executor,
        clock: Clock,
        new_id: IdSource,
        *,
        devices: object = None,
        stored: Frozen | None = None,
        ask: Callable[[], None] | None = None,
    ) -> None:
        """``devices``: what is declared of them, as JSON values; it does not change meanwhile.

        ``ask``: a request to the recorder waits; None: this node records nothing.
        """
        self._store = store
        self._disk = disk
        self._new_id = new_id
        self._devices = text_of(devices)
        self._frozen = stored
        self._ask = ask
        self._consent: Consent | None = None
        self._behind = False
        self._faults = Repeats(clock)

    @property
    def is_behind(self) -> bool:
        """Whether the disk refused what the last comparison found."""
        return self._behind

    def texts(self, state: RoomState) -> dict[str, str]:
        """What a seal freezes here, as it is in force in this state; by name."""
        return texts_of(self._devices, state.rules, state.zones)

    def hashes(self, state: RoomState) -> dict[str, Sha256Hex]:
        """The same by hash."""
        return frozen_of(self.texts(state))

    def measure(self, state: RoomState, session_id: SessionId) -> Mapping[str, Sha256Hex]:
        """What an order to seal this room writes down: an amendment, what its seal froze."""
        if self._frozen is not None and self._frozen.session_id == session_id:
            return self._frozen.hashes
        return self.hashes(state)

    def after(self, state: RoomState) -> Freeze:
        """What is to be on disk for this state."""
        return self._freeze(state, frozen_after(self._frozen, state, lambda: self.hashes(state)))

    def _freeze(self, state: RoomState, frozen: Frozen | None) -> Freeze:
        is_new = frozen is not None and frozen != self._frozen
        texts = self.texts(state).values() if is_new else ()
        return Freeze(state.setup.room_id, frozen, {hash_of_text(text): text for text in texts})

    def committed(self, freeze: Freeze) -> None:
        """This is on disk now."""
        self._frozen = freeze.frozen

    async def compare(self, state: RoomState, consent: Consent | None) -> tuple[str, ...]:
        """The names of what differs from what was frozen, once the chains are asked to say so."""
        self._consent = consent or self._consent
        hashes = self.hashes(state)
        frozen = frozen_after(self._frozen, state, lambda: hashes)
        notes = untold(frozen, hashes, self._consent, self._new_id) if self._ask else ()
        if frozen is not None:
            frozen = frozen.model_copy(update={"told": hashes})
        self._behind = frozen != self._frozen and not await self._keep(state, frozen, notes)
        if not self._behind:
            self._consent = None
        return drifted(frozen, hashes)

    async def _keep(
        self, state: RoomState, frozen: Frozen | None, notes: Sequence[Request]
    ) -> bool:
        store, freeze = self._store, self._freeze(state, frozen)
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._disk,
                lambda: store.commit(freeze=freeze, requests=notes),
            )
        except (sqlite3.Error, OSError) as error:
            if times := self._faults.due("frozen"):
                log.error("disk_refused", room_id=freeze.room_id, error=str(error), times=times)
            return False
        self._frozen = frozen
        if notes and self._ask is not None:
            self._ask()
        return True
