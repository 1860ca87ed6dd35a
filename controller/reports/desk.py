"""Decides when a session's report is made, makes it once, and tells where it stands.

The first version is made by itself after the release, as soon as the recordings of the session are
announced up to it, and at the latest ``WAIT_MS`` later. What comes in after that makes a further
version only when a person asks for one.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from contracts.api import Sentence, SessionState, WitnessReport
from contracts.api.record import RecordKind
from contracts.api.report import HeadCountPoint, ReportFile, ReportState, ReportVersion
from contracts.units import UtcMs
from controller.core import recording
from controller.core.alerts import AlertRecord
from controller.core.outputs import FileRecord
from controller.core.sessions import Session
from controller.core.state import RecordNoted, SiteState
from controller.ports import Blocking, Intake
from controller.reports.gather import Facts, Gathered, concerned, gather
from controller.reports.roster_lines import roster_lines
from controller.reports.versions import ReportShelf, Signer, file_of, make_version, same_facts
from runtime.clock import Clock

log = structlog.get_logger(__name__)

WAIT_MS: Final = 180_000
# A segment of a minute is entered when it is full, and a node repeats what a broker lost within
# two: after three a recording that is not announced is told as it is.
LOOK_MS: Final = 2_000  # how often the desk looks whether a session was released
RETRY_MS: Final = 60_000  # a disk that was full, or a font that was missing
RELEASED_MAX: Final = 500  # sessions looked through at a start for a report that was never made
OVER: Final = (SessionState.RELEASED, SessionState.ARCHIVED)
MACHINE: Final = "controller"


class NoVersionError(Exception):
    """A version cannot be made; ``why`` says so to a person."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why.en)
        self.why = why


class Pictures(Protocol):
    """The controller's own pictures by SHA-256. Blocks."""

    def read(self, sha256: str) -> bytes | None: ...


class Versions(Protocol):
    """Where versions are filed. Methods block."""

    def head_counts(self, session_id: str, limit: int) -> tuple[HeadCountPoint, ...]: ...

    def versions(self, session_id: str) -> tuple[tuple[ReportVersion, str], ...]: ...

    def add_version(self, version: ReportVersion, statement: str) -> None: ...

    def unreported(self, limit: int) -> tuple[str, ...]: ...


class Reader(Facts, Protocol):
    """What the desk reads of the store. Methods block."""

    def find_session(self, session_id: str) -> Session | None: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Makes and gives out reports. One a controller; ``run`` makes those that are due."""

    state: Callable[[], SiteState]
    reader: Reader
    store: Versions
    pictures: Pictures
    shelf: ReportShelf
    signer: Signer
    intake: Intake
    clock: Clock
    making: asyncio.Lock
    blocking: Blocking = asyncio.to_thread

    def draft(self, session: Session) -> Gathered:
        """The report as it stands now. Blocks."""
        state, now = self.state(), self.clock.utc_ms()
        roster = roster_lines(state, session, now)
        return gather(state, self.reader, self.store, session, now, roster)

    def newest(self, session: Session) -> WitnessReport | None:
        """The newest signed version's own data; None where there is none. Blocks."""
        filed = self.store.versions(session.id)
        if not filed:
            return None
        content = self.shelf.read(filed[-1][0].files[ReportFile.JSON].sha256)
        return None if content is None else WitnessReport.model_validate_json(content)

    def stills(self, alerts: Iterable[AlertRecord]) -> dict[str, bytes]:
        """The pictures of alerts that are here, by SHA-256. Blocks."""
        found: dict[str, bytes] = {}
        for row in alerts:
            picture = row.alert.picture
            if picture is not None and not row.shadow and picture.sha256 not in found:
                content = self.pictures.read(picture.sha256)
                if content is not None:
                    found[picture.sha256] = content
        return found

    def status(self, session: Session) -> ReportState:
        """Where a session's report stands. Blocks."""
        filed = self.store.versions(session.id)
        rows = tuple(version for version, _ in filed)
        over = session.state in OVER
        late = bool(rows) and self._late(session, rows[-1])
        due = None
        if over and not rows and session.released_utc_ms is not None:
            due = UtcMs(session.released_utc_ms + WAIT_MS)
        return ReportState(
            session_id=session.id,
            versions=rows,
            released=over,
            due_utc_ms=due,
            waiting_for=self.waiting_for(session) if due is not None else (),
            late_facts=late,
        )

    def _late(self, session: Session, newest: ReportVersion) -> bool:
        content = self.shelf.read(newest.files[ReportFile.JSON].sha256)
        if content is None:
            return True
        told = WitnessReport.model_validate_json(content)
        return not same_facts(told, self.draft(session).report)

    def waiting_for(self, session: Session) -> tuple[str, ...]:
        """Tracks whose recording is not announced up to the release yet."""
        state, until = self.state(), session.released_utc_ms
        if until is None or session.sealed_utc_ms is None:
            return ()
        waiting = []
        for track in concerned(state, session):
            chain = recording.chain_of(state, track)
            told = chain.told_to if chain is not None else None
            if chain is not None and (told is None or told.utc_ms < until):
                waiting.append(track.id)
        return tuple(waiting)

    def file(self, name: ReportFile, session_id: str, version: int) -> bytes | None:
        """One file of a version; None when there is none. Blocks."""
        for row, statement in self.store.versions(session_id):
            if row.version == version:
                return file_of(name, row, statement, self.shelf, self.signer.public_pem)
        return None

    async def make(self, session: Session, by: str, reason: str) -> ReportVersion:
        """Make the next version and file it, once.

        Raises:
            NoVersionError: the session is not over, a reason is wanted, or nothing is new.
            DocumentError, OSError, StoreLost: it could not be made; nothing is filed.
        """
        async with self.making:
            made = await self.blocking(self._make, session, by, reason)
        text = Sentence(
            zh=f"见证报告第 {made.version} 版已生成并签名。",
            en=f"Version {made.version} of the witness report was made and signed.",
        )
        data = {"version": str(made.version), "sha256": made.files[ReportFile.JSON].sha256}
        line = FileRecord(
            room_id=session.room_id,
            utc_ms=made.made_utc_ms,
            record_kind=RecordKind.REPORT,
            by=by,
            text=text,
            session_id=session.id,
            data=data,
        )
        await self.intake.ask(RecordNoted(line))
        return made

    def _make(self, session: Session, by: str, reason: str) -> ReportVersion:
        if session.state not in OVER:
            raise NoVersionError(
                Sentence(
                    zh="场次尚未解封：目前只有草稿。解封后会自动生成正式报告。",
                    en="The session is not released: there is a draft only. The report is made "
                    "by itself after the release.",
                )
            )
        before = self.store.versions(session.id)
        gathered = self.draft(session)
        previous = before[-1][0] if before else None
        if previous is not None:
            self._check_further(session, previous, reason)
        report = gathered.report.model_copy(
            update={
                "draft": False,
                "version": len(before) + 1,
                "previous_sha256": previous.files[ReportFile.JSON].sha256 if previous else None,
                "reason": reason,
                "made_by": by,
            }
        )
        made = make_version(report, self.stills(gathered.alerts), self.signer, self.shelf)
        self.store.add_version(made.version, made.statement)
        log.info("report_made", session_id=session.id, version=made.version.version, by=by)
        return made.version

    def _check_further(self, session: Session, previous: ReportVersion, reason: str) -> None:
        if not reason.strip():
            raise NoVersionError(
                Sentence(
                    zh="报告已有正式版本；出具新版本须写明原因。",
                    en="There is a signed version already: a further one needs a reason.",
                )
            )
        if not self._late(session, previous):
            raise NoVersionError(
                Sentence(
                    zh=f"自第 {previous.version} 版以来没有新的事实，不出具新版本。",
                    en=f"Nothing has come in since version {previous.version}: no further version.",
                )
            )

    async def run(self) -> None:
        """Make the first version of each session that is over, until cancelled."""
        waiting = set(await self.blocking(self.store.unreported, RELEASED_MAX))
        again: dict[str, int] = {}
        known: set[str] = set()
        while True:
            for session in self.state().sessions.values():
                if session.state in OVER and session.id not in known:
                    known.add(session.id)
                    waiting.add(session.id)
            for session_id in sorted(waiting):
                if again.get(session_id, 0) > self.clock.mono_ms():
                    continue
                try:
                    done = await self._first(session_id)
                except Exception as error:  # noqa: BLE001  # boundary: the site goes on without it
                    log.error("report_not_made", session_id=session_id, error=str(error))
                    again[session_id] = self.clock.mono_ms() + RETRY_MS
                    continue
                if done:
                    waiting.discard(session_id)
            await self.clock.sleep_ms(LOOK_MS)

    async def _first(self, session_id: str) -> bool:
        """Make the first version if it is due; whether there is nothing left to do."""
        session = self.state().sessions.get(session_id) or await self.blocking(
            self.reader.find_session, session_id
        )
        if session is None or session.state not in OVER or session.released_utc_ms is None:
            return True
        if await self.blocking(self.store.versions, session_id):
            return True
        late = self.clock.utc_ms() >= session.released_utc_ms + WAIT_MS
        if not late and self.waiting_for(session):
            return False
        try:
            await self.make(session, MACHINE, "")
        except NoVersionError:
            log.info("report_made_meanwhile", session_id=session_id)
        return True
