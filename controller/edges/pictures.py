"""Copies alerts' pictures from the edge nodes into a store of its own, checked by their hash."""

import asyncio
import hashlib
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import structlog

from contracts.observations import PictureRef
from contracts.units import NodeId
from controller.core.outputs import FetchPicture, FetchSnapshot
from controller.core.state import PictureStored
from controller.ports import Intake, StoreLost
from runtime.clock import Clock, backoff_ms

log = structlog.get_logger(__name__)

PICTURE_MAX_BYTES: Final = 8_388_608  # PictureRef.bytes: a 4K JPEG at quality 95 stays below
FETCH_TIMEOUT_S: Final = 10.0
RETRY_FIRST_MS: Final = 500
RETRY_MAX_MS: Final = 60_000
TRIES_MAX: Final = 200  # at the longest wait over three hours; then the edge's copy is all there is
SNAPSHOT_TRIES_MAX: Final = 5  # a snapshot of later shows another moment: better none


class PictureLost(Exception):
    """A picture could not be fetched now; says why."""


class PictureStore:
    """Pictures on disk, each under its own SHA-256: written once, never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where a picture lies; two levels, so that no folder grows without end."""
        return self._folder / sha256[:2] / f"{sha256}.jpg"

    def read(self, sha256: str) -> bytes | None:
        """A picture; None when it is not here."""
        path = self.path(sha256)
        return path.read_bytes() if path.exists() else None

    def write(self, data: bytes) -> str:
        """Keep a picture and return its SHA-256; on disk on return."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if path.exists():
            return sha256
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return sha256


class PictureFetcher:
    """Fetches over the edge nodes' API; tries again with backoff, and after a restart too."""

    def __init__(
        self,
        store: PictureStore,
        client: httpx.AsyncClient,
        clock: Clock,
        *,
        rng: random.Random,
        edge_token: str | None,
        api_url: Callable[[NodeId], str | None],
    ) -> None:
        self._store = store
        self._client = client
        self._clock = clock
        self._rng = rng
        self._headers = {"Authorization": f"Bearer {edge_token}"} if edge_token else {}
        self._api_url = api_url
        self.service: Intake | None = None
        self.counts: Counter[str] = Counter()
        """fetched, retried, given_up."""

    async def fetch(self, wanted: FetchPicture | FetchSnapshot) -> None:
        """Fetch one picture and tell the service; returns when it is here, or not to be had."""
        snapshot = isinstance(wanted, FetchSnapshot)
        for attempt in range(SNAPSHOT_TRIES_MAX if snapshot else TRIES_MAX):
            try:
                picture = await self._fetch(wanted)
            except PictureLost as lost:
                self.counts["retried"] += 1
                if attempt == 0:
                    log.warning("picture_lost", alert_id=wanted.alert_id, error=str(lost))
                wait_ms = backoff_ms(
                    attempt, self._rng, first_ms=RETRY_FIRST_MS, max_ms=RETRY_MAX_MS
                )
                await self._clock.sleep_ms(wait_ms)
                continue
            self.counts["fetched"] += 1
            await self._tell(wanted.alert_id, picture)
            return
        self.counts["given_up"] += 1
        log.error("picture_given_up", alert_id=wanted.alert_id, node_id=wanted.node_id)

    async def _tell(self, alert_id: str, picture: PictureRef) -> None:
        if self.service is None:
            raise AssertionError("wire the service before pictures are fetched")
        while True:
            try:
                await self.service.ask(PictureStored(alert_id, picture))
            except StoreLost:
                await self._clock.sleep_ms(RETRY_FIRST_MS)
            else:
                return

    async def _fetch(self, wanted: FetchPicture | FetchSnapshot) -> PictureRef:
        if isinstance(wanted, FetchPicture):
            if self._store.read(wanted.picture.sha256) is not None:
                return wanted.picture
            data = await self._get(wanted.node_id, wanted.picture.path)
            found = hashlib.sha256(data).hexdigest()
            if found != wanted.picture.sha256:
                raise PictureLost(f"hash is {found}, the alert said {wanted.picture.sha256}")
            await asyncio.to_thread(self._store.write, data)
            return wanted.picture
        path = f"/api/v1/cameras/{wanted.camera_id}/snapshot.jpg"
        data = await self._get(wanted.node_id, path)
        sha256 = await asyncio.to_thread(self._store.write, data)
        return PictureRef(
            sha256=sha256,
            bytes=len(data),
            path=f"/api/v1/pictures/{sha256}.jpg",
            camera_id=wanted.camera_id,
            taken_utc_ms=self._clock.utc_ms(),
        )

    async def _get(self, node_id: NodeId, path: str) -> bytes:
        base = self._api_url(node_id)
        if base is None:
            raise PictureLost(f"node {node_id} has not said where its API is")
        try:
            answer = await self._client.get(
                base.rstrip("/") + path, headers=self._headers, timeout=FETCH_TIMEOUT_S
            )
        except httpx.HTTPError as error:
            raise PictureLost(f"{type(error).__name__} from {base}") from error
        if answer.status_code != httpx.codes.OK:
            raise PictureLost(f"{base}{path} answered {answer.status_code}")
        if not 0 < len(answer.content) <= PICTURE_MAX_BYTES:
            raise PictureLost(f"{len(answer.content)} bytes are no picture of ours")
        return answer.content
