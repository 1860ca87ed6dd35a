"""Gives adapters and routes what is kept of other sites, on the connections of the database."""

from collections.abc import Sequence

from controller.core.sites import Document, HeardLine, JointSession
from controller.store import sites
from controller.store.database import Database


class SiteStore:
    """Reads the logs between sites, and keeps documents. Methods block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sent(self, peer: str, *, after: int, limit: int) -> tuple[str, ...]:
        """Our lines for a peer behind a number, oldest first."""
        return self._database.read(
            lambda connection: sites.sent_lines(connection, peer, after=after, limit=limit)
        )

    def heard(self, peer: str, *, after: int, limit: int) -> tuple[HeardLine, ...]:
        """A peer's lines to us behind a number, oldest first."""
        return self._database.read(
            lambda connection: sites.heard_lines(connection, peer, after=after, limit=limit)
        )

    def heard_of(
        self, joint_id: str, kind: str, *, after: tuple[int, str, int], limit: int
    ) -> tuple[HeardLine, ...]:
        """Lines of a kind about a joint session behind (time here, peer, number)."""
        return self._database.read(
            lambda connection: sites.heard_of_joint(
                connection, joint_id, kind, after=after, limit=limit
            )
        )

    def newest(self, joint_id: str, kind: str, *, limit: int) -> tuple[HeardLine, ...]:
        """The last line about each subject of a kind, newest first."""
        return self._database.read(
            lambda connection: sites.newest_by_subject(connection, joint_id, kind, limit=limit)
        )

    def count(self, peer: str, joint_id: str) -> int:
        """How many lines of a peer are about a joint session."""
        return self._database.read(lambda connection: sites.heard_count(connection, peer, joint_id))

    def joint(self, joint_id: str) -> JointSession | None:
        """A joint session that is no longer in memory."""
        return self._database.read(lambda connection: sites.find_joint(connection, joint_id))

    def put(self, document: Document) -> None:
        """Keep a document; the same again changes nothing.

        Raises:
            ValueError: its hash is not that of its text.
        """
        self._database.write(lambda connection: sites.put_document(connection, document))

    def find(self, sha256: str) -> Document | None:
        """A document by its hash."""
        return self._database.read(lambda connection: sites.find_document(connection, sha256))

    def all_of(self, hashes: Sequence[str]) -> tuple[Document, ...]:
        """Those of these documents that are here."""
        return tuple(row for key in hashes if (row := self.find(key)) is not None)
