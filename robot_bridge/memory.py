"""Keeps the robot's memory in one file, replaced as a whole and on disk before it returns."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from robot_bridge.core.work import Mission
from robot_bridge.ports import Memory, MemoryLost

KEPT_VERSION: Final = 1
KEPT_MAX_BYTES: Final = 8 * 1024 * 1024
# An order of 64 KiB with its repetition and a thousand command ids is a quarter of a MiB.


@dataclass(frozen=True, slots=True)
class Kept:
    """What a bridge is after a restart. ``vehicle`` is the vehicle's own memory."""

    mission: Mission
    vehicle: str
    version: int = KEPT_VERSION


_KEPT: Final = TypeAdapter(Kept)


def recall(memory: Memory) -> Kept | None:
    """What was kept; None on the first start.

    Raises:
        MemoryLost: it is there but cannot be read, or is of a newer version.
    """
    text = memory.load()
    if text is None:
        return None
    try:
        kept = _KEPT.validate_json(text)
    except ValidationError as error:
        row = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in row["loc"])
        raise MemoryLost(f"the robot's memory cannot be read at {where}: {row['msg']}") from None
    if kept.version != KEPT_VERSION:
        raise MemoryLost(f"the robot's memory has version {kept.version}, not {KEPT_VERSION}")
    return kept


def retain(memory: Memory, mission: Mission, vehicle: str) -> None:
    """Return once all is on the disk.

    Raises:
        MemoryLost: the disk refused.
    """
    memory.keep(_KEPT.dump_json(Kept(mission, vehicle)).decode())


class FileMemory:
    """A file that is whole at any instant: written beside, synced, renamed, directory synced."""

    def __init__(self, path: Path) -> None:
        """Keep in ``path``; its folder is made when it is not there.

        Raises:
            MemoryLost: the folder cannot be made.
        """
        self._path = path
        self._beside = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MemoryLost(f"cannot make {path.parent}: {error.strerror} (data_dir)") from error

    def load(self) -> str | None:
        """See ``Memory.load``."""
        try:
            with self._path.open("rb") as file:
                content = file.read(KEPT_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MemoryLost(f"cannot read {self._path}: {error.strerror}") from error
        if len(content) > KEPT_MAX_BYTES:
            raise MemoryLost(f"{self._path} is larger than {KEPT_MAX_BYTES} bytes: not ours")
        return content.decode(errors="replace")

    def keep(self, text: str) -> None:
        """See ``Memory.keep``."""
        try:
            with self._beside.open("wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            self._beside.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise MemoryLost(f"cannot write {self._path}: {error.strerror}") from error
