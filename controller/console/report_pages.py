"""The pages of reports: a session's witness report, and conduct by session, month and quarter."""

from html import escape
from typing import Final

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from client import ControllerLost, RefusedError
from contracts.api import Role
from contracts.api.conduct import ConductReport
from contracts.api.report import ReportFile, ReportState
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import Conduct, ReportPage
from controller.console.present.words import Drawn, Words
from controller.console.texts import say

MAKERS: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR)
FILES: Final = {
    "pdf_zh": ReportFile.PDF_ZH,
    "pdf_en": ReportFile.PDF_EN,
    "json": ReportFile.JSON,
    "bundle": ReportFile.BUNDLE,
}
KINDS: Final = ("months", "quarters", "sessions")
FORMATS: Final = ("xlsx", "pdf", "csv")
DAY_MS: Final = 86_400_000


class ReportView(Page):
    """``/report/{session}``."""

    texts = ("report", "rep")
    here = "sessions"

    def __init__(self, shared: Shared, login: Login, request: Request, session_id: str) -> None:
        super().__init__(shared, login, request)
        self._session_id = session_id
        self._html = ""
        self._failed = ""
        self._busy = False
        self._state: ReportState | None = None

    def build(self) -> None:
        self.report = ReportPage()
        self.report.on("fetch", self._download)
        self.report.on("make", self._make)
        background_tasks.create(self._fetch(), name="console-report")
        ui.timer(3.0, self._look)

    def draw(self) -> None:
        state, words = self._state, self.words
        self.report.show(
            t=self.t(),
            html=self._html,
            problem=self._failed,
            busy=self._busy,
            may=self.has(*MAKERS),
            state=_report_state(state, words) if state is not None else None,
        )

    def switch_language(self) -> None:
        super().switch_language()
        background_tasks.create(self._fetch(), name="console-report")

    async def _look(self) -> None:
        """A report that is due appears by itself."""
        due = self._state is not None and not self._state.versions
        if due and not self._busy and not self._failed:
            try:
                self._state = await self.api.report_state(self._session_id)
            except (RefusedError, ControllerLost):
                return
            self.changed()

    async def _fetch(self) -> None:
        try:
            self._html = await self.api.report_html(self._session_id, self.language.value)
            self._state = await self.api.report_state(self._session_id)
            self._failed = ""
        except RefusedError as error:
            self._failed = f"{say('report.failed', self.language)} {escape(error.problem.detail)}"
        except ControllerLost:
            self._failed = say("problem.lost", self.language)
        self.changed()

    async def _make(self, event: GenericEventArguments) -> None:
        if self._busy:
            return
        self._busy = True
        self.changed()
        reason = str(event.args or "")[:500]
        await self.attempt(self.api.report_version(self._session_id, reason))
        self._busy = False
        await self._fetch()

    async def _download(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        what, version = str(sent.get("what")), sent.get("version")
        if what == "draft":
            doing = self.api.report_draft_pdf(self._session_id, self.language.value)
            name = f"{self._session_id}-draft.pdf"
        elif what in FILES and isinstance(version, int):
            doing = self.api.report_file(self._session_id, version, FILES[what])
            name = f"{self._session_id}-v{version}-{FILES[what].value}"
        else:
            return
        content = await self.attempt(doing)
        if content is not None:
            with self.client:
                ui.download.content(content, name)


def _report_state(state: ReportState, words: Words) -> Drawn:
    return {
        "released": state.released,
        "late": state.late_facts,
        "due": words.at(state.due_utc_ms) if state.due_utc_ms is not None else "",
        "waiting": ", ".join(state.waiting_for),
        "versions": [
            {
                "version": row.version,
                "made": words.day_and_time(row.made_utc_ms)[:19],
                "by": row.made_by,
                "reason": row.reason,
                "key": row.key,
                "sha256": row.files[ReportFile.JSON].sha256,
            }
            for row in reversed(state.versions)
        ],
    }


class ConductPage(Page):
    """``/conduct``."""

    texts = ("con",)
    here = "conduct"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._kind = "months"
        self._name = ""
        self._report: ConductReport | None = None
        self._loading = False

    def build(self) -> None:
        with ui.element("main").classes("ze-page"):
            self.part = Conduct()
        self.part.on("show", self._show)
        self.part.on("file", self._file)
        self._name = self.words.day_and_time(self.shared.clock.utc_ms())[:19][:7]
        background_tasks.create(self._fetch(), name="console-conduct")

    def draw(self) -> None:
        report, words = self._report, self.words
        self.part.show(
            t=self.t(),
            kind=self._kind,
            name=self._name,
            loading=self._loading,
            report=_conduct(report, words) if report is not None else None,
        )

    async def _show(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        kind, name = str(sent.get("kind")), str(sent.get("name", "")).strip()
        if kind in KINDS and name:
            self._kind, self._name, self._report = kind, name[:40], None
            await self._fetch()

    def _path(self) -> str | None:
        if self._kind == "sessions":
            return self._name if self._name.replace("-", "").isalnum() else None
        year, _, number = self._name.partition("-")
        number = number.removeprefix("Q")
        if not (year.isascii() and year.isdigit() and number.isascii() and number.isdigit()):
            return None
        return f"{int(year)}/{int(number)}"

    async def _fetch(self) -> None:
        path = self._path()
        if path is None:
            self.show_problem(say("con.bad", self.language))
            return
        self._loading = True
        self.changed()
        self._report = await self.attempt(self.api.conduct(self._kind, path))
        self._loading = False
        self.changed()

    async def _file(self, event: GenericEventArguments) -> None:
        path, file = self._path(), str(event.args)
        if path is None or file not in FORMATS:
            return
        doing = self.api.conduct_file(self._kind, path, file, self.language.value)
        content = await self.attempt(doing)
        if content is not None:
            with self.client:
                ui.download.content(content, f"conduct-{self._name}.{file}")


def _conduct(report: ConductReport, words: Words) -> Drawn:
    def whom(kind: str | None) -> str:
        return words.say(f"con.{kind}") if kind else words.say("con.nobody")

    return {
        "name": report.period.name,
        "sessions": report.sessions,
        "lines": [
            {
                "subject": whom(row.subject.value),
                "code": row.code or words.say("con.no_code"),
                "held": row.sessions,
                "late": row.late,
                "absent": row.absent,
                "replaced": row.replaced,
                "recused": row.recused,
                "violations": row.violations,
            }
            for row in report.lines
        ],
        "incidents": [
            {
                "id": row.alert_id,
                "number": row.number,
                "when": words.day_and_time(row.utc_ms)[:19],
                "subject": whom(row.subject.value if row.subject else None),
                "code": row.code,
                "seat": row.seat,
                "what": words.name(row.title),
                "statement": row.statement,
            }
            for row in report.incidents
        ],
    }
