"""Sessions from schedule to report: lists, steps, rosters, check-ins, sweeps, imports."""

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from client.base import Asking, part
from contracts.api import (
    SessionBody,
    SessionState,
    SessionView,
    WitnessReport,
)
from contracts.api.roster import (
    AmendmentBody,
    AmendmentView,
    CheckInBody,
    CheckInGiven,
    DecisionBody,
    ManualCheckIn,
    NamesView,
    RosterBody,
    RosterView,
    SweepBody,
    SweepView,
)
from contracts.api.sessions import (
    ActBody,
    ImportBatch,
    ImportResult,
    SealCheck,
    SessionChange,
    SessionPage,
)


class SessionCalls(Asking):
    """Sessions from schedule to report."""

    async def sessions(
        self,
        *,
        before: str | None = None,
        limit: int = 50,
        states: Iterable[SessionState] = (),
        from_utc_ms: int | None = None,
        to_utc_ms: int | None = None,
        room: str | None = None,
        sector: str | None = None,
    ) -> SessionPage:
        """Sessions by their start, latest first."""
        given: list[tuple[str, str | int | None]] = [
            ("before", before),
            ("limit", limit),
            ("from_utc_ms", from_utc_ms),
            ("to_utc_ms", to_utc_ms),
            ("room", room),
            ("sector", sector),
            *(("state", state.value) for state in states),
        ]
        query = urlencode([(name, value) for name, value in given if value is not None])
        return await self.ask(SessionPage, "GET", f"/sessions?{query}")

    async def session(self, session_id: str) -> SessionView:
        """One session."""
        return await self.ask(SessionView, "GET", f"/sessions/{part(session_id)}")

    async def schedule(self, body: SessionBody, idempotency_key: str | None = None) -> SessionView:
        """Schedule a session in a room; the same key is the same session."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return await self.ask(SessionView, "POST", "/sessions", body, headers)

    async def session_tag(self, session_id: str) -> str:
        """What names a session as it stands now: give it back with a change."""
        answer = await self.send("GET", f"/sessions/{part(session_id)}")
        return str(answer.headers.get("etag", ""))

    async def change_session(
        self, session_id: str, body: SessionChange, seen: str | None = None
    ) -> SessionView:
        """Change a scheduled session; ``seen``: the tag of what the change was made of.

        Without it the change is of the session as it stands now.
        """
        path = f"/sessions/{part(session_id)}"
        tag = seen if seen is not None else await self.session_tag(session_id)
        return await self.ask(SessionView, "PATCH", path, body, {"If-Match": tag})

    async def session_step(
        self, session_id: str, step: str, said: ActBody | None = None
    ) -> SessionView:
        """Take a session on: ``gather``, ``seal``, ``suspend``, ``release``, ``cancel``..."""
        path = f"/sessions/{part(session_id)}/{part(step)}"
        return await self.ask(SessionView, "POST", path, said)

    async def seal_check(self, session_id: str) -> SealCheck:
        """What a seal demands, and how each demand stands."""
        return await self.ask(SealCheck, "GET", f"/sessions/{part(session_id)}/seal-check")

    async def report_html(self, session_id: str, language: str) -> str:
        """The witness report of a session as one page of HTML."""
        path = f"/sessions/{part(session_id)}/report.html?lang={quote(language)}"
        return (await self.send("GET", path)).text

    async def report(self, session_id: str) -> WitnessReport:
        """The witness report of a session."""
        return await self.ask(WitnessReport, "GET", f"/sessions/{part(session_id)}/report")

    # --- people ---------------------------------------------------------------------------------

    async def roster(self, session_id: str) -> RosterView:
        """Seats and roles, who has come and who is late; no names."""
        return await self.ask(RosterView, "GET", f"/sessions/{part(session_id)}/roster")

    async def put_roster(self, session_id: str, body: RosterBody) -> RosterView:
        """Set the whole roster of a scheduled session as it stands now."""
        path = f"/sessions/{part(session_id)}/roster"
        tag = (await self.send("GET", path)).headers.get("etag", "")
        return await self.ask(RosterView, "PUT", path, body, {"If-Match": tag})

    async def names(self, session_id: str) -> NamesView:
        """Participants' names, after the result alone."""
        return await self.ask(NamesView, "GET", f"/sessions/{part(session_id)}/roster/names")

    async def ask_amendment(self, session_id: str, body: AmendmentBody) -> AmendmentView:
        """Ask for a change of the roster after people have gathered."""
        path = f"/sessions/{part(session_id)}/amendments"
        return await self.ask(AmendmentView, "POST", path, body)

    async def decide_amendment(
        self, session_id: str, number: int, *, approve: bool, note: str = ""
    ) -> AmendmentView:
        """Approve or refuse a change that another person asked for."""
        verb = "approve" if approve else "refuse"
        path = f"/sessions/{part(session_id)}/amendments/{number}/{verb}"
        return await self.ask(AmendmentView, "POST", path, DecisionBody(note=note))

    async def check_in_by_hand(self, session_id: str, body: ManualCheckIn) -> RosterView:
        """Say who came or went."""
        path = f"/sessions/{part(session_id)}/check-ins"
        return await self.ask(RosterView, "POST", path, body)

    async def check_in(self, body: CheckInBody) -> CheckInGiven:
        """Report an event as a terminal does."""
        return await self.ask(CheckInGiven, "POST", "/check-ins", body)

    async def room_sweep(self, room_id: str) -> SweepView:
        """How a room was last swept."""
        return await self.ask(SweepView, "GET", f"/rooms/{part(room_id)}/sweep")

    async def sweep(self, room_id: str, body: SweepBody) -> SweepView:
        """Say that a room was looked through."""
        return await self.ask(SweepView, "POST", f"/rooms/{part(room_id)}/sweep", body)

    # --- imports --------------------------------------------------------------------------------

    async def import_sessions(self, name: str, content: bytes, *, dry_run: bool) -> ImportResult:
        """Plan a schedule from a CSV or XLSX file, or only say what is wrong with it."""
        return await self.upload(
            ImportResult,
            "/sessions/import",
            file=(name, content),
            fields={"dry_run": "true" if dry_run else "false"},
        )

    async def import_list(self, body: ImportBatch, *, dry_run: bool) -> ImportResult:
        """Plan several sessions at once, or only say what is wrong with them."""
        query = "?dry_run=true" if dry_run else ""
        return await self.ask(ImportResult, "POST", f"/sessions/batch{query}", body)

    async def import_template(self, kind: str, language: str) -> bytes:
        """An empty schedule to fill in; ``kind`` is csv or xlsx."""
        path = f"/sessions/import-template.{part(kind)}?lang={quote(language)}"
        return (await self.send("GET", path)).content
