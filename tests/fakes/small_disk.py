"""A small real disk that a test can fill and make read-only: a tmpfs, mounted as this machine lets.

As root it is mounted here. As anybody else it is mounted in a user namespace that a process of ours
holds open; what shall see the disk is started inside it (``inside``).
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 4_096
BALLAST = "ballast"


class NoSmallDiskError(Exception):
    """Neither way of mounting works here; says what each one answered."""


@dataclass(frozen=True)
class SmallDisk:
    """A mounted tmpfs. ``root`` leads this process to the file system that the disk is seen in."""

    at: Path
    """Where it is mounted, as a process inside sees it."""
    root: Path
    inside: tuple[str, ...]
    """Goes before the command of a process that shall see it."""

    def seen(self, path: Path) -> Path:
        """A path of the processes inside, as this process reaches it."""
        return self.root / path.relative_to("/")

    def fill(self) -> None:
        """Take all room that is left."""
        with contextlib.suppress(OSError), (self.seen(self.at) / BALLAST).open("ab", 0) as file:
            while True:
                file.write(bytes(BLOCK_BYTES))

    def free(self) -> None:
        """Give it back."""
        (self.seen(self.at) / BALLAST).unlink()

    def turn_read_only(self) -> None:
        """Let nothing be made or opened for writing any more.

        What is open stays writable: a kernel that is asked to make the whole disk read-only refuses
        while anything is. So a read-only view of it is mounted in its place.
        """
        assert self.say("mount", "--bind", str(self.at), str(self.at)) == ""
        assert self.say("mount", "-o", "remount,bind,ro", str(self.at)) == ""

    def turn_writable(self) -> None:
        """Take the read-only view away."""
        assert self.say("umount", "--lazy", str(self.at)) == ""

    def say(self, *command: str) -> str:
        """Run a command inside; empty, or what it complained of."""
        done = subprocess.run((*self.inside, *command), capture_output=True, check=False)
        return done.stderr.decode().strip() or ("" if done.returncode == 0 else "failed")


@contextmanager
def small_disk(at: Path, mib: int) -> Iterator[SmallDisk]:
    """Mount one at a folder that is there, until the block ends.

    Raises:
        NoSmallDiskError: this machine does not let us.
    """
    mount = ("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "tmpfs", str(at))
    here = SmallDisk(at, Path("/"), ())
    as_root = here.say(*mount) if os.geteuid() == 0 else "not root"
    if not as_root:
        try:
            yield here
        finally:
            here.say("umount", "--lazy", str(at))
        return
    with _namespace() as holder:
        enter = ("nsenter", "--user", "--mount", "--preserve-credentials", "-t", str(holder))
        there = SmallDisk(at, Path(f"/proc/{holder}/root"), enter)
        in_namespace = there.say(*mount)
        if in_namespace:
            raise NoSmallDiskError(
                f"no tmpfs can be mounted here. As root: {as_root}. "
                f"In a user namespace: {in_namespace}"
            )
        yield there


@contextmanager
def _namespace() -> Iterator[int]:
    """A process that holds a user and mount namespace; its pid."""
    command = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "echo in; exec cat")
    holder = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        if holder.stdout is None or not holder.stdout.readline():
            raise NoSmallDiskError("no tmpfs can be mounted here: not root, and unshare refuses")
        yield holder.pid
    finally:
        holder.kill()
        holder.communicate()
