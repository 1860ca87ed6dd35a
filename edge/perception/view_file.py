"""Keeps a camera's learned view on disk, so that a camera turned during a restart is noticed."""

from pathlib import Path

import cv2
import numpy as np
import structlog

from edge.perception.background import SEEN_MAX, WORK_PX, Background

log = structlog.get_logger(__name__)


class ViewFile:
    """One picture file of two planes, 180x320: the view, and how well each spot of it is known.

    A file that cannot be read or written costs the memory, never the watching.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Background | None:
        """The view as it was kept; None: none, or nothing that could be read."""
        try:
            content = np.frombuffer(self._path.read_bytes(), np.uint8)
            planes = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
        except FileNotFoundError:
            return None
        except (OSError, cv2.error) as error:
            log.warning("view_not_read", file=str(self._path), error=str(error))
            return None
        if planes is None or planes.shape != (WORK_PX[1], WORK_PX[0], 3):
            log.warning("view_not_read", file=str(self._path), error="not a view of this version")
            return None
        view = Background()
        view.mean = planes[:, :, 0].astype(np.float32)
        small = cv2.resize(planes[:, :, 1], (view.seen.shape[1], view.seen.shape[0]))
        view.seen = (small.astype(np.float32) * (SEEN_MAX / 255)).astype(np.float32)
        return view

    def keep(self, view: Background) -> None:
        """Write the view; the old file stays whole until the new one is."""
        seen = np.ceil(view.seen * (255 / SEEN_MAX)).clip(0, 255).astype(np.uint8)
        planes = np.zeros((WORK_PX[1], WORK_PX[0], 3), np.uint8)
        planes[:, :, 0] = view.mean.round().clip(0, 255).astype(np.uint8)
        planes[:, :, 1] = cv2.resize(seen, WORK_PX, interpolation=cv2.INTER_NEAREST)
        _, content = cv2.imencode(".png", planes)
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content.tobytes())
            part.replace(self._path)
        except OSError as error:
            log.warning("view_not_kept", file=str(self._path), error=str(error))

    def drop(self) -> None:
        """Forget the kept view."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("view_not_dropped", file=str(self._path), error=str(error))
