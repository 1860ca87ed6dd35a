"""Makes the packages of approved retrievals, one at a time, out of what edge nodes hold.

The controller has no recordings. It has the second copy of each chain, so it knows which files an
interval consists of and what their bytes must hash to; it asks the nodes for exactly these.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlencode

import httpx
import structlog

from contracts.api import BASE, Sentence
from contracts.api.record import RecordKind
from contracts.api.retrieval import RetrievalForm, RetrievalState
from contracts.evidence.entries import Segment, parse_entry
from contracts.evidence.exports import SEAL_SUFFIX, ExportSeal
from contracts.evidence.lines import sign_line
from contracts.units import CameraId, NodeId, RoomId, UtcMs
from controller.core import retrievals
from controller.core.ledger import chain_id
from controller.core.outputs import FileEntry, FileRecord, Refused
from controller.core.retrievals import Retrieval
from controller.core.state import RecordNoted, SiteState
from controller.ports import Blocking, Intake, StoreLost
from controller.reports.package_cuts import put_cut, sticks_out
from controller.reports.package_zip import (
    CONTROLLER,
    PackageZip,
    TrackPart,
    name_of,
    put_chain,
    put_notes,
)
from controller.reports.versions import Signer
from runtime.clock import Clock
from runtime.signing import public_key_name, public_pem
from runtime.tokens import TICKET_TTL_MAX_MS, issue_ticket

log = structlog.get_logger(__name__)

LOOK_MS: Final = 2_000
RETRY_MS: Final = 30_000  # a node that was away is asked again
ROWS_MAX: Final = 200  # retrievals looked at in one go; a site has a handful open
ENTRIES_MAX: Final = 20_000  # of one track: 24 h have some 1,500
PAGE: Final = 1_000
RESERVE_BYTES: Final = 2 * 1024**3  # the controller's own disk goes on being written
PACKAGE_MAX_BYTES: Final = 80 * 1024**3  # 24 hours at 7 Mb/s
PIECE_MS: Final = 60_000  # of watermarked video: a node encodes a minute well within its answer
SETTLE_MS: Final = 180_000  # a minute's file is entered when it is full; then it is not "missing"
MARKED_BYTES_S: Final = 150_000  # of watermarked video, about; for the room on the disk only
TIMEOUT: Final = httpx.Timeout(180.0, connect=5.0)
CHUNK_BYTES: Final = 1024 * 1024
RECORDING: Final = "recording"
WATERMARK: Final = "watermark"
"""The edge nodes' names of scopes of tickets."""


class PackageLost(Exception):
    """It cannot be made now; ``why`` says so to a person. It is tried again."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why.en)
        self.why = why


class PackageRefusedError(Exception):
    """It can never be made; ``why`` says so to a person."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why.en)
        self.why = why


class RetrievalRows(Protocol):
    """Where retrievals are kept. Methods block."""

    def retrievals_in(
        self, states: tuple[RetrievalState, ...], limit: int
    ) -> tuple[Retrieval, ...]: ...

    def change_retrieval(
        self, retrieval_id: str, change: Callable[[Retrieval], Retrieval | Refused]
    ) -> Retrieval | Refused | None: ...


class PackageFacts(Protocol):
    """The second copy of the chains. Methods block."""

    def stretches(
        self, node_id: str, track_id: str, *, since: UtcMs, until: UtcMs
    ) -> tuple[FileEntry, ...]: ...

    def entries(
        self, node_id: str, track_id: str, *, life: int, after: int, limit: int
    ) -> tuple[FileEntry, ...]: ...


@dataclass(frozen=True, slots=True)
class Packages:
    """The finished packages on disk."""

    folder: Path

    def path(self, retrieval_id: str) -> Path:
        """Where a package lies; its seal lies beside it."""
        return self.folder / f"{retrieval_id}.zip"

    def drop(self, retrieval_id: str) -> None:
        """Delete a package and whatever was begun of it. Blocks."""
        path = self.path(retrieval_id)
        for suffix in ("", SEAL_SUFFIX, ".part"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def record_lines(
    row: Retrieval, state: SiteState, utc_ms: UtcMs, by: str, text: Sentence
) -> tuple[FileRecord, ...]:
    """What the sessions and rooms of a retrieval say of one step of it."""
    owners: dict[RoomId, str | None] = dict.fromkeys(row.rooms)
    lines: list[tuple[RoomId, str | None]] = []
    for session_id in row.sessions:
        session = state.sessions.get(session_id)
        room_id = session.room_id if session is not None else row.rooms[0]
        owners.pop(room_id, None)
        lines.append((room_id, session_id))
    lines += [(room_id, None) for room_id in owners]
    return tuple(
        FileRecord(
            room_id=room_id,
            utc_ms=utc_ms,
            record_kind=RecordKind.RETRIEVAL,
            by=by,
            text=text,
            session_id=session_id,
            subject=row.id,
            data={"number": str(row.number), "state": row.state.value},
        )
        for room_id, session_id in lines
    )


async def tell(intake: Intake, lines: tuple[FileRecord, ...]) -> None:
    """File lines of the record."""
    for line in lines:
        await intake.ask(RecordNoted(line))


class PackageMaker:
    """Makes what was approved, and ends what is over. One a controller."""

    def __init__(  # noqa: PLR0913  # everything is passed by argument
        self,
        rows: RetrievalRows,
        facts: PackageFacts,
        packages: Packages,
        client: httpx.AsyncClient,
        clock: Clock,
        signer: Signer,
        *,
        state: Callable[[], SiteState],
        node_keys: Mapping[NodeId, bytes],
        intake: Intake,
        blocking: Blocking = asyncio.to_thread,
    ) -> None:
        self._blocking = blocking
        self._rows = rows
        self._facts = facts
        self._packages = packages
        self._client = client
        self._clock = clock
        self._signer = signer
        self._state = state
        self._node_keys = node_keys
        self._intake = intake
        self._again: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled. What a crash left half made is made anew."""
        await self._blocking(self._put_back)
        while True:
            try:
                await self._look()
            except StoreLost as error:
                log.error("retrievals_wait", error=str(error))
            await self._clock.sleep_ms(LOOK_MS)

    def _put_back(self) -> None:
        for row in self._rows.retrievals_in((RetrievalState.MAKING,), ROWS_MAX):
            self._packages.drop(row.id)
            text = Sentence(zh="控制器重启，重新制作。", en="The controller restarted: made anew.")
            self._rows.change_retrieval(row.id, partial(_waiting, text))

    async def _look(self) -> None:
        open_states = (RetrievalState.ASKED, RetrievalState.APPROVED, RetrievalState.READY)
        rows = await self._blocking(self._rows.retrievals_in, open_states, ROWS_MAX)
        now = self._clock.utc_ms()
        for row in rows:
            if retrievals.expired(row, now) != row:
                await self._end(row, now)
            elif row.state is RetrievalState.APPROVED and self._due(row):
                try:
                    await self._make(row)
                except StoreLost:
                    raise
                except Exception as error:  # noqa: BLE001  # boundary: the site goes on without it
                    log.error("retrieval_broke", retrieval_id=row.id, error=repr(error))
                    await self._fail(row, _broke())

    def _due(self, row: Retrieval) -> bool:
        return self._again.get(row.id, 0) <= self._clock.mono_ms()

    async def _end(self, row: Retrieval, now: UtcMs) -> None:
        await self._change(row.id, lambda old: retrievals.expired(old, now))
        await self._blocking(self._packages.drop, row.id)
        text = Sentence(
            zh=f"调阅申请 {row.number} 已过期，文件已删除。",
            en=f"Retrieval {row.number} has expired; its package is deleted.",
        )
        await tell(self._intake, record_lines(row, self._state(), now, CONTROLLER, text))
        log.info("retrieval_expired", retrieval_id=row.id)

    async def _change(
        self, retrieval_id: str, change: Callable[[Retrieval], Retrieval | Refused]
    ) -> None:
        await self._blocking(self._rows.change_retrieval, retrieval_id, change)

    async def _make(self, row: Retrieval) -> None:
        why = retrievals.may_be_made(row, self._state().sessions.values())
        if why is not None:
            await self._wait(row, why)
            return
        await self._change(row.id, retrievals.begun)
        package = PackageZip(self._packages.path(row.id))
        try:
            made = await self._fill(package, row)
        except PackageLost as lost:
            await self._blocking(package.discard)
            await self._wait(row, lost.why)
        except PackageRefusedError as error:
            await self._blocking(package.discard)
            await self._fail(row, error.why)
        except OSError as error:
            await self._blocking(package.discard)
            log.error("retrieval_disk", retrieval_id=row.id, error=str(error))
            await self._wait(row, _disk_full())
        except BaseException:
            await self._blocking(package.discard)
            raise
        else:
            await self._finish(row, *made)

    async def _wait(self, row: Retrieval, why: Sentence) -> None:
        self._again[row.id] = self._clock.mono_ms() + RETRY_MS
        await self._change(row.id, lambda old: retrievals.waits(old, why))
        log.warning("retrieval_waits", retrieval_id=row.id, why=why.en)

    async def _fail(self, row: Retrieval, why: Sentence) -> None:
        await self._change(row.id, lambda old: retrievals.failed(old, why))
        text = Sentence(
            zh=f"调阅申请 {row.number} 制作失败：{why.zh}"[:400],
            en=f"Retrieval {row.number} failed: {why.en}"[:400],
        )
        now = self._clock.utc_ms()
        await tell(self._intake, record_lines(row, self._state(), now, CONTROLLER, text))

    async def _finish(self, row: Retrieval, sha256: str, size: int, gaps: int) -> None:
        now = self._clock.utc_ms()
        path = self._packages.path(row.id)
        site = self._state().plan.site.config.id
        seal = ExportSeal(
            site=site,
            node=CONTROLLER,
            file=path.name,
            bytes=size,
            sha256=sha256,
            made_utc_ms=now,
            by=row.asked_by,
            reason=row.body.reason,
            key=self._signer.key,
        )
        line = sign_line(seal, self._signer.sign).decode()
        beside = path.with_name(path.name + SEAL_SUFFIX)
        await self._blocking(beside.write_text, line + "\n")
        await self._change(row.id, lambda old: retrievals.ready(old, sha256, size, line, gaps, now))
        text = Sentence(
            zh=f"调阅申请 {row.number} 的文件已制作，SHA-256 {sha256}。",
            en=f"The package of retrieval {row.number} was made, SHA-256 {sha256}.",
        )
        await tell(self._intake, record_lines(row, self._state(), now, CONTROLLER, text))
        log.info("retrieval_ready", retrieval_id=row.id, bytes=size)

    # --- what goes in ---------------------------------------------------------------------------

    async def _fill(self, package: PackageZip, row: Retrieval) -> tuple[str, int, int]:
        parts = [await self._blocking(self._part, row, camera) for camera in row.body.cameras]
        if not any(part.wanted for part in parts):
            raise PackageRefusedError(
                Sentence(
                    zh="所申请的时段没有任何录像。缺失及其原因见见证报告。",
                    en="Nothing was recorded in this interval. The witness report tells the gaps.",
                )
            )
        await self._room(row, parts)
        for part in parts:
            put_chain(package, part)
        self._put_keys(package, parts)
        if row.body.form is RetrievalForm.WATERMARKED:
            await self._marked(package, row, parts)
        else:
            await self._recorded(package, row, parts)
        site = self._state().plan.site.config.id
        put_notes(package, row, parts, site, self._clock.utc_ms())
        sha256, size = await self._blocking(package.close)
        return sha256, size, sum(len(part.gaps) for part in parts)

    async def _room(self, row: Retrieval, parts: list[TrackPart]) -> None:
        if row.body.form is not RetrievalForm.WATERMARKED:
            wanted = sum(entry.bytes for part in parts for entry in part.wanted)
        else:
            lasts_ms = row.body.to_utc_ms - row.body.from_utc_ms
            wanted = lasts_ms // 1_000 * MARKED_BYTES_S * len(parts)
        if wanted > PACKAGE_MAX_BYTES:
            raise PackageRefusedError(
                Sentence(
                    zh=f"文件将超过 {PACKAGE_MAX_BYTES >> 30} GiB，请分次申请。",
                    en=f"The package would be above {PACKAGE_MAX_BYTES >> 30} GiB: ask in parts.",
                )
            )
        usage = await self._blocking(shutil.disk_usage, self._packages.folder)
        if usage.free < wanted + RESERVE_BYTES:
            raise PackageLost(_disk_full())

    def _part(self, row: Retrieval, camera: CameraId) -> TrackPart:
        state, body = self._state(), row.body
        room = next((one.area for one in state.plan.site.cameras if one.id == camera), "")
        node_id = state.plan.watcher.get(room, "")
        chain = state.ledger.chains.get(chain_id(node_id, camera))
        if chain is None:
            return TrackPart(camera, room, node_id, (), (), gaps=["never recorded / 无录像登记"])
        rows = self._facts.stretches(node_id, camera, since=body.from_utc_ms, until=body.to_utc_ms)
        rows = tuple(one for one in rows if one.life == chain.life)
        told_to = max(((one.start_utc_ms or 0) + (one.duration_ms or 0) for one in rows), default=0)
        if told_to < body.to_utc_ms and self._clock.utc_ms() < body.to_utc_ms + SETTLE_MS:
            raise PackageLost(
                Sentence(
                    zh="该时段刚结束，最后一段录像尚未登记，稍后自动重试。",
                    en="The interval has only just ended and its last recording is not entered "
                    "yet: tried again by itself.",
                )
            )
        if not rows:
            return TrackPart(camera, room, node_id, (), (), gaps=["nothing told / 无登记"])
        entries = self._between(node_id, camera, chain.life, rows[0].sequence, rows[-1].sequence)
        return _sorted_out(camera, room, node_id, entries, (body.from_utc_ms, body.to_utc_ms))

    def _between(
        self, node_id: str, camera: str, life: int, first: int, last: int
    ) -> tuple[FileEntry, ...]:
        found: list[FileEntry] = []
        after = first - 1
        while after < last and len(found) < ENTRIES_MAX:
            page = self._facts.entries(
                node_id, camera, life=life, after=after, limit=min(PAGE, last - after)
            )
            if not page:
                break
            found += page
            after = page[-1].sequence
        return tuple(found)

    def _put_keys(self, package: PackageZip, parts: list[TrackPart]) -> None:
        known = self._state().ledger.keys
        for node_id in sorted({part.node_id for part in parts}):
            key = known.get(node_id)
            if key is not None:
                name = public_key_name(key.current.key)
                package.text(f"keys/{name}", public_pem(key.current.raw), listed=False)
        name = public_key_name(self._signer.key)
        package.text(f"keys/{name}", self._signer.public_pem, listed=False)

    async def _recorded(self, package: PackageZip, row: Retrieval, parts: list[TrackPart]) -> None:
        total = sum(entry.bytes for part in parts for entry in part.wanted) or 1
        done = 0
        for part in parts:
            for entry in part.wanted:
                path = f"{BASE}/cameras/{part.track}/recordings/{entry.number}.mp4"
                found = self._fetch(row, part, path, {}, RECORDING)
                try:
                    if row.body.form is RetrievalForm.EXACT and sticks_out(entry, row):
                        sha256 = await put_cut(package, part, entry, row, found)
                    else:
                        sha256 = await package.stream(name_of(part, entry), found, listed=False)
                except FileGone:
                    raise PackageRefusedError(_gone(part.track, entry)) from None
                if sha256 != entry.sha256:
                    raise PackageRefusedError(_altered(part.track, entry))
                done += entry.bytes
                await self._progress(row, done / total)

    async def _marked(self, package: PackageZip, row: Retrieval, parts: list[TrackPart]) -> None:
        by_track = {part.track: part for part in parts}
        pieces = retrievals.clips_of(row.body.cameras, row.body, PIECE_MS)
        for place, (camera, begin, end) in enumerate(pieces, start=1):
            part = by_track[camera]
            recorded = any(
                one.start.utc_ms < end and begin < one.start.utc_ms + one.duration_ms
                for one in part.wanted
            )
            if recorded:
                path = f"{BASE}/cameras/{camera}/watermarked.mp4"
                asked = {"from": str(begin), "to": str(end)}
                name = f"{camera}_{begin}.mp4"
                found = self._fetch(row, part, path, asked, WATERMARK)
                try:
                    await package.stream(name, found, listed=True)
                except FileGone:
                    raise PackageRefusedError(_nothing(camera)) from None
            await self._progress(row, place / len(pieces))
        for part in parts:
            part.left_out = [entry.number for entry in part.wanted] + part.left_out

    async def _progress(self, row: Retrieval, done: float) -> None:
        await self._change(row.id, lambda old: retrievals.progressed(old, done))

    async def _fetch(
        self, row: Retrieval, part: TrackPart, path: str, asked: Mapping[str, str], scope: str
    ) -> AsyncIterator[bytes]:
        node = self._state().nodes.get(part.node_id)
        key = self._node_keys.get(part.node_id)
        if node is None or node.health.api_url is None or key is None:
            raise PackageLost(_away(part.node_id))
        base = node.health.api_url.rstrip("/")
        subject = retrievals.watermark_of(row)
        resource = f"{BASE}/cameras/{part.track}"
        now = self._clock.utc_ms()
        ticket = issue_ticket(key, subject, scope, resource, now, TICKET_TTL_MAX_MS)
        url = f"{base}{path}?{urlencode({**asked, 'ticket': ticket})}"
        try:
            async with self._client.stream("GET", url, timeout=TIMEOUT) as answer:
                if answer.status_code in (404, 410):
                    raise FileGone
                if answer.status_code != 200:
                    raise PackageLost(_refused_by(part.node_id, answer.status_code))
                async for chunk in answer.aiter_bytes(CHUNK_BYTES):
                    yield chunk
        except httpx.HTTPError as error:
            log.warning("node_lost", node_id=part.node_id, error=repr(error))
            raise PackageLost(_away(part.node_id)) from error


def _waiting(why: Sentence, row: Retrieval) -> Retrieval:
    return retrievals.waits(row, why)


class FileGone(Exception):
    """The node has no such file."""


def _sorted_out(
    camera: CameraId,
    room: RoomId,
    node_id: NodeId,
    entries: tuple[FileEntry, ...],
    interval: tuple[UtcMs, UtcMs],
) -> TrackPart:
    """Which files of a chain's part are wanted, which are not there, and where nothing is."""
    since, until = interval
    wanted: list[Segment] = []
    left_out: list[int] = []
    gaps: list[str] = []
    for row in entries:
        _, entry = parse_entry(row.line.encode())
        begin, lasts = row.start_utc_ms or 0, row.duration_ms or 0
        touches = begin < until and since < begin + lasts
        if isinstance(entry, Segment):
            if touches:
                wanted.append(entry)
            else:
                left_out.append(entry.number)
        elif row.entry_kind == "gap" and touches:
            gaps.append(f"{row.reason} {lasts / 1_000:.1f} s, UTC ms {begin}")
    return TrackPart(camera, room, node_id, entries, tuple(wanted), left_out, gaps)


def _away(node_id: str) -> Sentence:
    return Sentence(
        zh=f"录像节点 {node_id} 无法连接，稍后自动重试。",
        en=f"The recording node {node_id} cannot be reached: tried again by itself.",
    )


def _refused_by(node_id: str, status: int) -> Sentence:
    return Sentence(
        zh=f"录像节点 {node_id} 暂不能提供（{status}），稍后自动重试。",
        en=f"The recording node {node_id} cannot serve it now ({status}): tried again by itself.",
    )


def _disk_full() -> Sentence:
    return Sentence(
        zh="控制器磁盘空间不足或无法写入；腾出空间后自动重试。",
        en="The controller's disk is too full or cannot be written; tried again by itself once "
        "there is room.",
    )


def _broke() -> Sentence:
    return Sentence(
        zh="制作时出错，未留下任何文件；请联系运维查看控制器日志（retrieval_broke）。",
        en="Making it failed and left nothing: operations find why in the controller's log "
        "(retrieval_broke).",
    )


def _gone(track: str, entry: Segment) -> Sentence:
    return Sentence(
        zh=f"{track} 的文件 {entry.file} 已不在录像节点上；请从备份恢复，或申请其他时段。",
        en=f"{track}: the file {entry.file} is no longer on its node; restore it from a copy, or "
        "ask for another interval.",
    )


def _altered(track: str, entry: Segment) -> Sentence:
    return Sentence(
        zh=f"{track} 的文件 {entry.file} 与登记的哈希值不符，可能被改动或损坏；未制作任何文件。",
        en=f"{track}: the file {entry.file} is not what its signed entry says: altered or damaged. "
        "Nothing was made of it.",
    )


def _nothing(track: str) -> Sentence:
    return Sentence(
        zh=f"{track} 的录像已不在录像节点上；请从备份恢复，或申请其他时段。",
        en=f"{track}: its recordings are no longer on the node; restore them from a copy, or ask "
        "for another interval.",
    )
