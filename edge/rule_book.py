"""Keeps how each rule is set on this node, layer over layer, and on disk what the API changed."""

import asyncio
import sqlite3
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pydantic import Field, ValidationError

from contracts.envelope import Strict
from contracts.units import RoomId, RuleCode, SessionId, UtcMs
from edge.core.rule_settings import (
    Layer,
    LayeredRule,
    RuleChange,
    RuleChanges,
    RuleSettings,
    change_problems,
    layered_rules,
)
from edge.store import EdgeStore, RulePlace, StoredRule
from runtime.clock import Clock

log = structlog.get_logger(__name__)

SESSIONS_MAX: Final = 64  # of one room that have settings of their own: a month of sessions ahead
FORGET_AFTER_MS: Final = 180 * 86_400_000
# Half a year. A session that was called off is never released, so nothing else ends its layer.

SITE: Final = RulePlace(Layer.SITE)


def room_place(room_id: RoomId) -> RulePlace:
    """What holds in one room."""
    return RulePlace(Layer.ROOM, room_id)


def session_place(room_id: RoomId, session_id: SessionId) -> RulePlace:
    """What holds in one room during one session."""
    return RulePlace(Layer.SESSION, room_id, session_id)


class BookFullError(Exception):
    """Too many sessions have settings of their own; says what to do."""


class KeptChange(Strict):
    """A change as it is stored: what, when, by whom, and who stood by."""

    change: RuleChange
    by: str = Field(max_length=64)
    second: str | None = Field(default=None, max_length=64)
    at_utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class Entry:
    """What is set for one rule at one place. ``kept`` None: it cannot be read."""

    kept: KeptChange | None
    refused: str | None = None
    """Why it is not in force."""


@dataclass(frozen=True, slots=True)
class Pages:
    """All layers of one node: what its file declares, and what was set over the API since."""

    declared: RuleChanges
    places: Mapping[RulePlace, Mapping[RuleCode, Entry]]

    def entry(self, place: RulePlace, code: RuleCode) -> Entry | None:
        """What is set for a rule at a place; None: nothing."""
        return self.places.get(place, {}).get(code)

    def rules(
        self, room_id: RoomId, session_id: SessionId | None
    ) -> Mapping[RuleCode, RuleSettings]:
        """How every rule is set in a room while this session is sealed there."""
        return {code: one.settings for code, one in self.layered(room_id, session_id).items()}

    def layered(
        self, room_id: RoomId | None, session_id: SessionId | None
    ) -> Mapping[RuleCode, LayeredRule]:
        """The same with the layer of each value. No room: what rooms inherit."""
        places = [SITE]
        if room_id is not None:
            places.append(room_place(room_id))
            if session_id is not None:
                places.append(session_place(room_id, session_id))
        own = ((Layer(place.layer), self._in_force(place)) for place in places)
        return layered_rules(((Layer.FILE, self.declared), *own))

    def _in_force(self, place: RulePlace) -> RuleChanges:
        return {
            code: entry.kept.change
            for code, entry in self.places.get(place, {}).items()
            if entry.kept is not None and entry.refused is None
        }

    def having(self, place: RulePlace, code: RuleCode, entry: Entry | None) -> "Pages":
        """With this at its place; None: with nothing there."""
        rows = {key: row for key, row in self.places.get(place, {}).items() if key != code}
        if entry is not None:
            rows[code] = entry
        others = {key: page for key, page in self.places.items() if key != place}
        return replace(self, places={**others, place: rows} if rows else others)

    def without_session(self, room_id: RoomId, session_id: SessionId) -> "Pages":
        """Without what was set for one session."""
        over = session_place(room_id, session_id)
        return replace(self, places={key: page for key, page in self.places.items() if key != over})


class RuleBook:
    """The layers of one node, on disk. Reading is free of I/O."""

    def __init__(
        self, declared: RuleChanges, store: EdgeStore, disk: Executor, clock: Clock
    ) -> None:
        """``declared``: ``rules:`` of the node's file, checked. Reads what is stored.

        What the catalogue does not allow (any more) is left out, and logged.
        """
        self.changing: Final = asyncio.Lock()
        """Held from the look whether a room is sealed until the change is in force."""
        self._store = store
        self._disk = disk
        pages = Pages(declared, {})
        for stored in store.rule_changes():
            entry = _entry_of(stored)
            if _is_stale(stored.place, entry, clock.utc_ms()):
                store.commit(rules=StoredRule(stored.place, stored.code, None))
                continue
            pages = pages.having(stored.place, stored.code, entry)
        self._pages = pages

    @property
    def pages(self) -> Pages:
        """What is set now."""
        return self._pages

    def rules(
        self, room_id: RoomId, session_id: SessionId | None
    ) -> Mapping[RuleCode, RuleSettings]:
        """How every rule is set in a room while this session is sealed there."""
        return self._pages.rules(room_id, session_id)

    async def put(self, place: RulePlace, code: RuleCode, kept: KeptChange | None) -> None:
        """Set a rule at a place, or (None) nothing any more; on disk on return.

        Raises:
            BookFullError: too many sessions of the room have settings of their own.
            sqlite3.Error, OSError: the disk refused; nothing changed.
        """
        if place.session_id is not None and place not in self._pages.places:
            sessions = [
                one for one in self._pages.places
                if one.session_id is not None and one.room_id == place.room_id
            ]  # fmt: skip
            if kept is not None and len(sessions) >= SESSIONS_MAX:
                raise BookFullError(
                    f"{len(sessions)} sessions of {place.room_id} have rules of their own; delete "
                    "those of sessions that will not be held"
                )
        stored = StoredRule(place, code, None if kept is None else kept.model_dump_json())
        await asyncio.get_running_loop().run_in_executor(
            self._disk, lambda: self._store.commit(rules=stored)
        )
        self._pages = self._pages.having(place, code, None if kept is None else Entry(kept))

    def session_over(self, room_id: RoomId, session_id: SessionId) -> None:
        """A release was committed, and with it that nothing is set for the session any more."""
        self._pages = self._pages.without_session(room_id, session_id)


DiskRefused: Final = (sqlite3.Error, OSError)
"""What ``RuleBook.put`` raises when the disk refuses."""


def _is_stale(place: RulePlace, entry: Entry, now: UtcMs) -> bool:
    if place.session_id is None or entry.kept is None:
        return False
    return now - entry.kept.at_utc_ms > FORGET_AFTER_MS


def _entry_of(stored: StoredRule) -> Entry:
    kept: KeptChange | None = None
    try:
        kept = KeptChange.model_validate_json(stored.body or "")
        refused = "; ".join(str(one) for one in change_problems(stored.code, kept.change))
    except ValidationError as error:
        row = error.errors()[0]
        refused = f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}"
    if refused:
        log.error(
            "rule_change_refused",
            rule=stored.code,
            layer=stored.place.layer,
            room_id=stored.place.room_id,
            session_id=stored.place.session_id,
            error=refused,
        )
    return Entry(kept, refused or None)
