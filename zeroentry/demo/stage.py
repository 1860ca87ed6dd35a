"""The simulated world as the director moves it: people, faults, and the truth of both."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from contracts.units import CameraId, UtcMs
from zeroentry.composer.model import Vest

ROOM_CAMERA: Final = "room-1-cam"
OTHER_CAMERA: Final = "room-2-cam"
CORRIDOR_CAMERA: Final = "corridor-1-cam"
INTRUDER: Final = "intruder"
OUTSIDER: Final = "outsider"


class StageLost(Exception):
    """The process of simulated cameras did not answer."""


@dataclass(slots=True)
class Stage:
    """Cues for the simulated cameras, and their own log of what they showed when."""

    http: httpx.AsyncClient
    url: str
    token: str
    truth_file: Path

    async def gather(self, camera: CameraId, count: int, stagger_ms: int) -> None:
        """Experts come in one after another and sit down."""
        await self._cue(camera, cue="gather", count=count, stagger_ms=stagger_ms)

    async def seat(self, camera: CameraId, count: int) -> None:
        """Experts sit there at once."""
        await self._cue(camera, cue="seat", count=count)

    async def intrude(self, camera: CameraId, person: str, vest: Vest = Vest.NONE) -> None:
        """A person comes in by the door; without a vest unless told otherwise."""
        await self._cue(camera, cue="intrude", person=person, vest=vest.value)

    async def withdraw(self, camera: CameraId, person: str) -> None:
        """That person goes out again."""
        await self._cue(camera, cue="withdraw", person=person)

    async def leave(self, camera: CameraId, stagger_ms: int) -> None:
        """Everybody goes out."""
        await self._cue(camera, cue="leave", stagger_ms=stagger_ms)

    async def block_corridor(self, person: str) -> None:
        """An outsider comes into the corridor and stands there."""
        await self._cue(CORRIDOR_CAMERA, cue="outsider", person=person)

    async def clear_corridor(self) -> None:
        """Whoever stands in the corridor walks on."""
        await self._cue(CORRIDOR_CAMERA, cue="clear")

    async def robot_at(self, progress: float | None) -> None:
        """Show the robot in the corridor's picture: 0 left edge, 1 right edge, None elsewhere."""
        await self._cue(CORRIDOR_CAMERA, cue="robot_at", progress=progress)

    async def fault(self, camera: CameraId, **faults: bool) -> None:
        """Set a camera's faults: ``unplugged``, ``frozen``, ``silent``; none: all is well."""
        await self._send("PUT", f"/cameras/{camera}/fault", faults)

    async def ready(self) -> bool:
        """Whether the cameras answer."""
        try:
            await self._send("GET", "/health", None)
        except StageLost:
            return False
        return True

    def seen_utc_ms(
        self, camera: CameraId, person: str, after_utc_ms: UtcMs, *, half: bool
    ) -> UtcMs | None:
        """When a person came into a camera's picture after a moment, by the camera's own log.

        ``half``: the first picture with at least half of the person; else the first with any.
        """
        for row in self._truth():
            if row["camera_id"] != camera or row["utc_ms"] < after_utc_ms:
                continue
            if person in row["half" if half else "persons"]:
                return UtcMs(row["utc_ms"])
        return None

    def steady(self, camera: CameraId) -> bool:
        """Whether everybody before a camera sits or stands still now."""
        rows = [row for row in self._truth() if row["camera_id"] == camera]
        return bool(rows) and bool(rows[-1]["steady"])

    def _truth(self) -> list[dict[str, Any]]:
        text = self.truth_file.read_text("utf-8") if self.truth_file.exists() else ""
        # the last line may still be in the writing
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    async def _cue(self, camera: CameraId, **cue: object) -> None:
        await self._send("POST", f"/cameras/{camera}/cue", cue)

    async def _send(self, method: str, path: str, body: object) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            answer = await self.http.request(method, self.url + path, json=body, headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise StageLost(f"simulated cameras, {method} {path}: {error!r}") from error
