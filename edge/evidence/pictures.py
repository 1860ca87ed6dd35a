"""Keeps alert pictures on disk by content, as JPEG."""

from pathlib import Path
from typing import Final

import cv2

from contracts.observations import PictureRef
from contracts.units import CameraId
from edge.core.people import Instant
from edge.evidence.content_shelf import ContentShelf
from edge.ports import Rgb

JPEG_QUALITY: Final = 90  # faces of evidence stay clear; 640x360 gives about 60 KB
PICTURE_BYTES_MAX: Final = 8_388_608  # the limit that PictureRef states
KEEP_BYTES: Final = 2 * 1024**3
# About 30,000 pictures. Beyond it, those that were fetched go, oldest first.
HARD_BYTES: Final = 4 * 1024**3
# Beyond it unfetched ones go too: the controller was away for weeks, and recording needs the disk.


class Pictures:
    """A folder of ``<sha256>.jpg``; safe to use from several threads (``ports.PictureShelf``)."""

    def __init__(
        self, folder: Path, *, keep_bytes: int = KEEP_BYTES, hard_bytes: int = HARD_BYTES
    ) -> None:
        self._shelf = ContentShelf(folder, ".jpg", keep_bytes=keep_bytes, hard_bytes=hard_bytes)

    def keep(self, rgb: Rgb, camera_id: CameraId, taken: Instant) -> PictureRef:
        """See ``ports.PictureShelf``."""
        content = jpeg(rgb)
        sha256 = self._shelf.put(content)
        return PictureRef(
            sha256=sha256,
            bytes=len(content),
            path=f"/api/v1/pictures/{sha256}.jpg",
            camera_id=camera_id,
            taken_utc_ms=taken.utc_ms,
        )

    def read(self, sha256: str) -> bytes | None:
        """The picture of this hash; None when it is not here (any more)."""
        return self._shelf.read(sha256)

    def mark_fetched(self, sha256: str) -> None:
        """The controller has this picture: it may go when room is needed."""
        self._shelf.mark_fetched(sha256)


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
