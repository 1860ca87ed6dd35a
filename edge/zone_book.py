"""Keeps the zones of this node's cameras: those the site declares, on disk those drawn since."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import Field, ValidationError

from contracts.envelope import Strict
from contracts.units import CameraId, UtcMs
from contracts.zones import ZONES_MAX, PictureZone
from edge.store import EdgeStore, StoreError

NAME_MAX_CHARS: Final = 64  # as a token's name
MARK_CHARS: Final = 32  # of a hash: two sets of zones never share them by chance


class ZoneSource(StrEnum):
    """Where a camera's zones come from."""

    DECLARED = "declared"
    """The site's YAML."""
    DRAWN = "drawn"
    """Somebody drew them since; the YAML's are not used."""


class DrawnZones(Strict):
    """The zones of one camera as they lie on disk: which, by whom, when."""

    zones: tuple[PictureZone, ...] = Field(max_length=ZONES_MAX)
    by: str = Field(max_length=NAME_MAX_CHARS)
    at_utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class CameraZones:
    """The zones in force on one camera; ``drawn`` None: those declared."""

    declared: tuple[PictureZone, ...]
    drawn: DrawnZones | None = None

    @property
    def source(self) -> ZoneSource:
        return ZoneSource.DECLARED if self.drawn is None else ZoneSource.DRAWN

    @property
    def zones(self) -> tuple[PictureZone, ...]:
        return self.declared if self.drawn is None else self.drawn.zones

    @property
    def mark(self) -> str:
        """The same for the same zones from the same source: what an editor says it began with."""
        rows = [zone.model_dump(mode="json") for zone in self.zones]
        text = json.dumps([self.source, rows], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:MARK_CHARS]


class ZoneBook:
    """The zones of one node's cameras. Reading is free of I/O; changes are one at a time."""

    def __init__(
        self,
        store: EdgeStore,
        disk: Executor,
        declared: Mapping[CameraId, tuple[PictureZone, ...]],
        changing: asyncio.Lock,
    ) -> None:
        """Read what was drawn; ``declared`` has every camera of the node.

        ``changing`` is the lock that orders of a session hold too.

        Raises:
            StoreError: drawn zones on disk cannot be read.
        """
        drawn = _stored(store)
        self._store = store
        self._disk = disk
        self._zones = {
            camera_id: CameraZones(zones, drawn.get(camera_id))
            for camera_id, zones in declared.items()
        }
        self.changing = changing
        """Held by who changes zones, from the look whether the room is sealed to the change."""

    def of(self, camera_id: CameraId) -> CameraZones:
        """The zones of a camera; KeyError when it is not on this node."""
        return self._zones[camera_id]

    async def put(self, camera_id: CameraId, drawn: DrawnZones | None) -> CameraZones:
        """Keep what was drawn, or go back to what is declared; on disk when this returns.

        Raises:
            sqlite3.Error: the disk refused; nothing has changed.
        """
        changed = CameraZones(self._zones[camera_id].declared, drawn)
        body = None if drawn is None else drawn.model_dump_json()
        await asyncio.get_running_loop().run_in_executor(
            self._disk, self._store.draw_zones, camera_id, body
        )
        self._zones[camera_id] = changed
        return changed


def _stored(store: EdgeStore) -> Mapping[CameraId, DrawnZones]:
    found: dict[CameraId, DrawnZones] = {}
    for camera_id, body in store.drawn_zones().items():
        try:
            found[camera_id] = DrawnZones.model_validate_json(body)
        except ValidationError as error:
            # Never passed over in silence: a room without its zones would look quiet, not blind.
            raise StoreError(
                f"the drawn zones of {camera_id} cannot be read: {error}. Go back to the version "
                "that drew them, or remove its row of drawn_zones from the node's database"
            ) from error
    return found
