"""Makes and checks the documents of remote evaluation, and holds what its routes work with."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import BaseModel, ValidationError

from contracts.api import WitnessReport
from contracts.api.sites import (
    DOCUMENT_MAX_BYTES,
    ITEMS_MAX,
    FeedPage,
    HandoverFile,
    HandoverList,
    HandoverSession,
    Receipt,
    RoomNow,
)
from contracts.evidence.lines import LineError, sign_line, split_line
from contracts.units import SiteId, UtcMs
from controller.core import recording
from controller.core.outputs import FileEntry
from controller.core.sessions import Session
from controller.core.site_views import rooms_now
from controller.core.sites import Document, HeardLine, JointSession, Part
from controller.core.state import SiteState
from controller.sites.feed import FeedBell
from runtime.clock import Clock

ROOMS_NEWS_MS: Final = 1_000  # head counts flicker: the peer hears of rooms once a second at most


class Stretches(Protocol):
    """Where the second copy of the manifests is read. Blocks."""

    def stretches(
        self, node_id: str, track_id: str, *, since: UtcMs, until: UtcMs
    ) -> tuple[FileEntry, ...]: ...


class Shelf(Protocol):
    """What is kept of other sites (``store.site_documents.SiteStore``). Methods block."""

    def sent(self, peer: str, *, after: int, limit: int) -> tuple[str, ...]: ...

    def heard(self, peer: str, *, after: int, limit: int) -> tuple[HeardLine, ...]: ...

    def heard_of(
        self, joint_id: str, kind: str, *, after: tuple[int, str, int], limit: int
    ) -> tuple[HeardLine, ...]: ...

    def newest(self, joint_id: str, kind: str, *, limit: int) -> tuple[HeardLine, ...]: ...

    def count(self, peer: str, joint_id: str) -> int: ...

    def joint(self, joint_id: str) -> JointSession | None: ...

    def put(self, document: Document) -> None: ...

    def find(self, sha256: str) -> Document | None: ...


class DocumentFault(Exception):
    """A document of a peer is not what it must be, or ours would be too large; says why."""


@dataclass(frozen=True, slots=True)
class SiteDesk:
    """What the routes of other sites work with."""

    store: Shelf
    bell: FeedBell
    state: Callable[[], SiteState]
    clock: Clock
    entries: Stretches

    async def feed(
        self, peer: SiteId, *, after: int, rooms_tag: str, wait_ms: int, limit: int
    ) -> FeedPage:
        """Our log for a peer behind a number; held back until there is news or time is up."""
        began = self.clock.mono_ms()
        while True:
            state = self.state()
            log = state.remote.log(peer)
            waited = int(self.clock.mono_ms() - began)
            lines: tuple[str, ...] = ()
            if log.sent > after:
                lines = await asyncio.to_thread(self.store.sent, peer, after=after, limit=limit)
                state = self.state()
            rooms = rooms_now(state, peer, self.clock.mono_ms())
            tag = _tag(rooms)
            news = tag != rooms_tag and (not rooms_tag or waited >= ROOMS_NEWS_MS)
            if lines or news or waited >= wait_ms:
                return FeedPage(
                    site=state.plan.site.config.id,
                    head=state.remote.log(peer).sent,
                    lines=lines,
                    rooms=rooms,
                    rooms_tag=tag,
                    utc_ms=self.clock.utc_ms(),
                    waited_ms=waited,
                )
            left = min(ROOMS_NEWS_MS, wait_ms - waited)
            await self.bell.wait(peer, left / 1_000)

    def package(
        self,
        joint: JointSession,
        sessions: Sequence[tuple[Session, WitnessReport]],
        to: SiteId,
        by: str,
    ) -> HandoverList:
        """All that our sessions of a joint one left: reports, heads of chains, every file's hash.

        Raises:
            DocumentFault: it would be larger than a document may be.
        """
        state, now = self.state(), self.clock.utc_ms()
        files: dict[tuple[str, str, int], HandoverFile] = {}
        for session, _ in sessions:
            for row in self._files(state, session, now):
                files[row.node_id, row.track_id, row.sequence] = row
        if len(files) > ITEMS_MAX:
            raise DocumentFault(f"{len(files)} files; a list holds at most {ITEMS_MAX}")
        return HandoverList(
            joint=joint.id,
            site=state.plan.site.config.id,
            to=to,
            made_utc_ms=now,
            made_by=by,
            sessions=tuple(_handed(session, report) for session, report in sessions),
            files=tuple(files[key] for key in sorted(files)),
            key=state.ledger.notary.key,
        )

    def _files(self, state: SiteState, session: Session, now: UtcMs) -> list[HandoverFile]:
        since, until = session.sealed_utc_ms, session.released_utc_ms or now
        if since is None:
            return []
        rows: list[HandoverFile] = []
        for track in recording.concerned(state, *session.rooms):
            node_id = state.plan.watcher.get(track.room_id, "")
            found = self.entries.stretches(node_id, track.id, since=since, until=until)
            rows += [
                HandoverFile(
                    node_id=row.node_id,
                    track_id=row.track_id,
                    sequence=row.sequence,
                    start_utc_ms=row.start_utc_ms,
                    duration_ms=row.duration_ms,
                    bytes=row.bytes or 0,
                    sha256=row.media_sha256,
                )
                for row in found
                if row.media_sha256 is not None
            ]
        return rows

    def signed(self, document: BaseModel) -> tuple[str, str]:
        """A document signed with our key: its exact text and that text's hash.

        Raises:
            DocumentFault: it is larger than a document may be.
        """
        try:
            raw = sign_line(document, self.state().ledger.notary.sign, DOCUMENT_MAX_BYTES)
        except LineError as error:
            raise DocumentFault(str(error)) from error
        return raw.decode(), hashlib.sha256(raw).hexdigest()

    def read(self, document: Document, by: SiteId) -> HandoverList | Receipt:
        """A document that ``by`` signed, its signature checked.

        Raises:
            DocumentFault: it is not by that site, or cannot be read.
        """
        state = self.state()
        notary, peer = state.ledger.notary, state.remote.plan.peers.get(by)
        try:
            split = split_line(document.body.encode(), DOCUMENT_MAX_BYTES)
            members = json.loads(split.raw)
            members.pop("signature", None)
            model = Receipt if "list_sha256" in members else HandoverList
            found = model.model_validate(members)
        except (LineError, ValidationError, ValueError, AttributeError, RecursionError) as error:
            raise DocumentFault(f"the document cannot be read ({type(error).__name__})") from None
        own = by == state.plan.site.config.id
        good = own or (
            peer is not None
            and found.key == peer.key
            and notary.check(peer.public_raw, split.signed, split.signature)
        )
        if not good or found.site != by:
            raise DocumentFault(f"the document is not signed by {by}")
        return found

    def receipt(
        self, joint: JointSession, part: Part, listed: HandoverList, have: frozenset[str], by: str
    ) -> Receipt:
        """What of a list has come, by hash."""
        state = self.state()
        hashes = hashes_of(listed)
        return Receipt(
            joint=joint.id,
            site=state.plan.site.config.id,
            to=part.site,
            list_sha256=part.handover.list_sha256 or "",
            made_utc_ms=self.clock.utc_ms(),
            made_by=by,
            received=tuple(row for row in hashes if row in have),
            missing=tuple(row for row in hashes if row not in have),
            key=state.ledger.notary.key,
        )


def hashes_of(listed: HandoverList) -> tuple[str, ...]:
    """Every hash that a list hands over, each once: files first, then reports."""
    rows = [row.sha256 for row in listed.files] + [row.report_sha256 for row in listed.sessions]
    return tuple(dict.fromkeys(rows))


def _handed(session: Session, report: WitnessReport) -> HandoverSession:
    text = report.model_dump_json()
    return HandoverSession(
        session_id=session.id,
        heads_at_seal=session.heads_at_seal,
        heads_at_release=session.heads_at_release,
        report=text,
        report_sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _tag(rooms: Sequence[RoomNow]) -> str:
    text = json.dumps([row.model_dump(mode="json") for row in rooms], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
