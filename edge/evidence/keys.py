"""Holds the node's signing key, and hands every chain over to a new one, whatever crashes between.

A rotation leaves its trace on the disk before any chain hears of it:

1. the new key lies beside the old one; 2. its public part lies among the recordings; 3. each chain
gets an entry in which the old key names the new one; 4. the new key takes the old one's place.

A start that finds a second key lets each chain go on with the key its last entry named, and goes
on with step 3. So no entry is ever signed by a key that its chain has not been told of.
"""

import threading
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

import structlog

from edge.core.recording import Written
from edge.evidence.disk import Disk, write_whole
from edge.evidence.manifest import Chain
from runtime.signing import SigningKey, check_private, public_key_name

log = structlog.get_logger(__name__)

KEY_FILE: Final = "node-evidence.pem"
NEXT_FILE: Final = "node-evidence.next.pem"
PUBLIC_FOLDER: Final = "keys"


class NodeKeys:
    """The node's key, and during a rotation the next one (``manifest.KeyRing``).

    ``private`` is a disk whose root is the folder of keys, ``public`` the recordings' disk.
    """

    def __init__(self, private: Disk, public: Disk) -> None:
        self._private = private
        self._public = public
        self._current, self._next = self._open()
        self._published: str | None = None
        self._publishing = threading.Lock()

    @property
    def current(self) -> SigningKey:
        """What a new chain is signed with: what all chains know."""
        return self._current

    @property
    def is_rotating(self) -> bool:
        """A rotation was begun and some chain may not have heard of it."""
        return self._next is not None

    def get(self, key_id: str) -> SigningKey | None:
        """The private key of that id, if this node has it."""
        for key in (self._current, self._next):
            if key is not None and key.id == key_id:
                return key
        return None

    def publish(self) -> None:
        """Have the public key among the recordings before anything is signed with it.

        Raises:
            OSError: the disk refuses.
        """
        with self._publishing:  # each track's thread calls, all at once at a start
            if self._published != self._current.id:
                export_public(self._public, self._current)
                self._published = self._current.id

    def rotate(self, chains: Iterable[Chain]) -> tuple[Written, ...]:
        """Make a new key and hand every chain over to it; what was written.

        ``chains`` are those of every track on the disk (``recovery.tracks_on_disk``), recorded or
        not, for the old key is gone afterwards.

        Raises:
            OSError: the disk refuses. The rotation stays begun: call ``finish_rotation``.
            ChainNotOpenError: a chain is not open. As above.
        """
        if self._next is None:
            fresh = SigningKey.generate()
            write_whole(self._private, NEXT_FILE, fresh.to_pem(), private=True)
            self._next = fresh
        return self.finish_rotation(chains)

    def finish_rotation(self, chains: Iterable[Chain]) -> tuple[Written, ...]:
        """Go on with a rotation that was begun, if one was; what was written.

        Raises:
            OSError, ChainNotOpenError: as ``rotate``.
        """
        fresh = self._next
        if fresh is None:
            return ()
        export_public(self._public, fresh)
        request_id = f"rotate-{fresh.id.rpartition(':')[2]}"
        written = tuple(
            told for chain in chains if (told := chain.hand_over(request_id, fresh)) is not None
        )
        # Not renamed: the new key must be on disk under one name until it is under the other.
        write_whole(self._private, KEY_FILE, fresh.to_pem(), private=True)
        self._drop_next()
        self._current, self._next = fresh, None
        log.info("signing_key_rotated", key=fresh.id, chains=len(written))
        return written

    def _open(self) -> tuple[SigningKey, SigningKey | None]:
        current, following = self._read(KEY_FILE), self._read(NEXT_FILE)
        if current is None:
            current = SigningKey.generate()
            write_whole(self._private, KEY_FILE, current.to_pem(), private=True)
        if following is not None and following.id == current.id:
            self._drop_next()
            following = None
        return current, following

    def _drop_next(self) -> None:
        if self._private.unlink(NEXT_FILE):
            self._private.sync_folder("")

    def _read(self, name: str) -> SigningKey | None:
        try:
            mode = self._private.mode(name)
        except FileNotFoundError:
            return None
        check_private(PurePosixPath(name), mode)
        return SigningKey.from_pem(self._private.read(name), said=name)


def export_public(disk: Disk, key: SigningKey) -> str:
    """Lay a public key among the recordings, for whoever verifies them; its path out.

    Raises:
        OSError: the disk refuses.
    """
    if disk.make_folder(PUBLIC_FOLDER):
        disk.sync_folder("")
    path = f"{PUBLIC_FOLDER}/{public_key_name(key.id)}"
    pem = key.public_pem()
    try:
        if disk.read(path) == pem:
            return path
    except FileNotFoundError:
        pass
    write_whole(disk, path, pem)
    return path
