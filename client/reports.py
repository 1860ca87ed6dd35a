"""Witness reports and their signed versions, conduct reports, retrieval."""

from typing import Final

from client.base import Asking, part
from contracts.api.conduct import ConductReport
from contracts.api.report import NewVersionBody, ReportFile, ReportState, ReportVersion
from contracts.api.retrieval import (
    CameraChoice,
    DecisionBody,
    RetrievalBody,
    RetrievalLink,
    RetrievalPage,
    RetrievalView,
)

ROWS: Final = 50


class ReportCalls(Asking):
    """Witness reports and their signed versions, conduct reports, retrieval."""

    async def report_state(self, session_id: str) -> ReportState:
        """The signed versions of a session's report, and what the next one waits for."""
        return await self.ask(ReportState, "GET", f"/sessions/{part(session_id)}/report/state")

    async def report_version(self, session_id: str, reason: str = "") -> ReportVersion:
        """Have a version made and signed now."""
        path = f"/sessions/{part(session_id)}/report/versions"
        return await self.ask(ReportVersion, "POST", path, NewVersionBody(reason=reason))

    async def report_file(self, session_id: str, version: int, name: ReportFile) -> bytes:
        """One file of a signed version."""
        path = f"/sessions/{part(session_id)}/report/versions/{version}/{name.value}"
        return (await self.send("GET", path)).content

    async def report_draft_pdf(self, session_id: str, language: str) -> bytes:
        """The draft as PDF."""
        path = f"/sessions/{part(session_id)}/report.pdf?lang={part(language)}"
        return (await self.send("GET", path)).content

    async def conduct(self, kind: str, name: str) -> ConductReport:
        """A conduct report: ``months`` 2026/11, ``quarters`` 2026/4 or ``sessions`` ID."""
        return await self.ask(ConductReport, "GET", f"/conduct/{kind}/{name}")

    async def conduct_file(self, kind: str, name: str, file: str, language: str) -> bytes:
        """The same as ``csv``, ``xlsx`` or ``pdf``."""
        path = f"/conduct/{kind}/{name}?format={part(file)}&lang={part(language)}"
        return (await self.send("GET", path)).content

    async def retrievals(self, before: int | None = None, limit: int = ROWS) -> RetrievalPage:
        """Retrievals that this user may see, newest first."""
        behind = f"&before={before}" if before is not None else ""
        return await self.ask(RetrievalPage, "GET", f"/retrievals?limit={limit}{behind}")

    async def retrieval_cameras(self) -> tuple[CameraChoice, ...]:
        """The cameras whose recordings this user may ask for."""
        return await self.rows("/retrievals/cameras", CameraChoice)

    async def retrieval(self, retrieval_id: str) -> RetrievalView:
        """One retrieval."""
        return await self.ask(RetrievalView, "GET", f"/retrievals/{part(retrieval_id)}")

    async def ask_retrieval(self, body: RetrievalBody, key: str | None = None) -> RetrievalView:
        """Ask for recordings; the same ``key`` is the same request."""
        headers = {"Idempotency-Key": key} if key else None
        return await self.ask(RetrievalView, "POST", "/retrievals", body, headers)

    async def decide_retrieval(
        self, retrieval_id: str, body: DecisionBody, *, approve: bool
    ) -> RetrievalView:
        """Approve or refuse somebody else's request."""
        verb = "approve" if approve else "refuse"
        return await self.ask(
            RetrievalView, "POST", f"/retrievals/{part(retrieval_id)}/{verb}", body
        )

    async def withdraw_retrieval(self, retrieval_id: str) -> RetrievalView:
        """Take one's own request back."""
        return await self.ask(RetrievalView, "POST", f"/retrievals/{part(retrieval_id)}/withdraw")

    async def retrieval_link(self, retrieval_id: str) -> RetrievalLink:
        """Where a package is fetched, for minutes; it counts as a viewing."""
        return await self.ask(RetrievalLink, "POST", f"/retrievals/{part(retrieval_id)}/link")
