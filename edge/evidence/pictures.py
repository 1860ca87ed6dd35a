"""Keeps alert pictures on disk by content, and deletes the oldest fetched ones first."""

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import structlog

from contracts.observations import PictureRef
from contracts.units import CameraId
from edge.core.people import Instant
from edge.ports import Rgb

log = structlog.get_logger(__name__)

JPEG_QUALITY: Final = 90  # faces of evidence stay clear; 640x360 gives about 60 KB
PICTURE_BYTES_MAX: Final = 8_388_608  # the limit that PictureRef states
KEEP_BYTES: Final = 2 * 1024**3
# About 30,000 pictures. Beyond it, those that were fetched go, oldest first.
HARD_BYTES: Final = 4 * 1024**3
# Beyond it unfetched ones go too: the controller was away for weeks, and recording needs the disk.
FETCHED_SUFFIX: Final = ".fetched"


@dataclass(frozen=True, slots=True)
class _Stored:
    path: Path
    bytes: int
    modified_ns: int
    fetched: bool


def doomed(stored: Mapping[str, _Stored], keep_bytes: int, hard_bytes: int) -> tuple[str, ...]:
    """Which go: fetched ones above ``keep_bytes``, any above ``hard_bytes``; oldest first."""
    total = sum(picture.bytes for picture in stored.values())
    gone: list[str] = []
    by_age = sorted(stored, key=lambda name: stored[name].modified_ns)
    for limit, candidates in (
        (keep_bytes, [name for name in by_age if stored[name].fetched]),
        (hard_bytes, by_age),
    ):
        for name in candidates:
            if total <= limit:
                break
            if name not in gone:
                gone.append(name)
                total -= stored[name].bytes
    return tuple(gone)


class Pictures:
    """A folder of ``<sha256>.jpg``; safe to use from several threads (``ports.PictureShelf``)."""

    def __init__(
        self, folder: Path, *, keep_bytes: int = KEEP_BYTES, hard_bytes: int = HARD_BYTES
    ) -> None:
        self._folder = folder
        self._keep_bytes = keep_bytes
        self._hard_bytes = hard_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        for left in folder.glob("*.part"):
            left.unlink()  # a crash while writing; nothing refers to it
        self._bytes = sum(path.stat().st_size for path in folder.glob("*.jpg"))

    def keep(self, rgb: Rgb, camera_id: CameraId, taken: Instant) -> PictureRef:
        """See ``ports.PictureShelf``."""
        content = jpeg(rgb)
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._folder / f"{sha256}.jpg"
        with self._lock:
            if not path.exists():
                self._write(path, content)
                self._bytes += len(content)
            if self._bytes > self._keep_bytes:
                self._make_room(sha256)
        return PictureRef(
            sha256=sha256,
            bytes=len(content),
            path=f"/api/v1/pictures/{sha256}.jpg",
            camera_id=camera_id,
            taken_utc_ms=taken.utc_ms,
        )

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # or else the name may be missing after a power cut
        finally:
            os.close(folder)

    def read(self, sha256: str) -> bytes | None:
        """The picture of this hash; None when it is not here (any more)."""
        try:
            return (self._folder / f"{sha256}.jpg").read_bytes()
        except FileNotFoundError:
            return None

    def mark_fetched(self, sha256: str) -> None:
        """The controller has this picture: it may go when room is needed."""
        if (self._folder / f"{sha256}.jpg").exists():
            (self._folder / f"{sha256}{FETCHED_SUFFIX}").touch()

    def _make_room(self, newest: str) -> None:
        stored = self._stored()
        for name in doomed(stored, self._keep_bytes, self._hard_bytes):
            if name == newest:
                continue
            if not stored[name].fetched:
                log.error("picture_lost", sha256=name, limit_bytes=self._hard_bytes)
            stored[name].path.unlink(missing_ok=True)
            (self._folder / f"{name}{FETCHED_SUFFIX}").unlink(missing_ok=True)
            self._bytes -= stored[name].bytes

    def _stored(self) -> dict[str, _Stored]:
        stored: dict[str, _Stored] = {}
        for path in self._folder.glob("*.jpg"):
            facts = path.stat()
            fetched = path.with_suffix(FETCHED_SUFFIX).exists()
            stored[path.stem] = _Stored(path, facts.st_size, facts.st_mtime_ns, fetched)
        return stored


def jpeg(rgb: Rgb, quality: int = JPEG_QUALITY) -> bytes:
    """A picture as JPEG of at most ``PICTURE_BYTES_MAX``.

    Raises:
        ValueError: it has no pixels or more than JPEG can hold.
    """
    while True:
        done, content = cv2.imencode(
            ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
        if not done:
            raise ValueError(f"cannot encode a picture of shape {rgb.shape}")
        if content.size <= PICTURE_BYTES_MAX or quality <= 10:
            return content.tobytes()
        quality -= 20
