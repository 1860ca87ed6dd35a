"""Sessions from schedule to report."""

from urllib.parse import quote

from client.base import Asking, part
from contracts.api import (
    SessionBody,
    SessionView,
    WitnessReport,
)


class SessionCalls(Asking):
    """Sessions from schedule to report."""

    async def schedule(self, body: SessionBody) -> SessionView:
        """Schedule a session in a room."""
        return await self.ask(SessionView, "POST", "/sessions", body)

    async def session_step(self, session_id: str, step: str) -> SessionView:
        """Take a session on: ``gather``, ``seal``, ``release`` or ``cancel``."""
        return await self.ask(SessionView, "POST", f"/sessions/{part(session_id)}/{part(step)}")

    async def report_html(self, session_id: str, language: str) -> str:
        """The witness report of a session as one page of HTML."""
        path = f"/sessions/{part(session_id)}/report.html?lang={quote(language)}"
        return (await self.send("GET", path)).text

    async def report(self, session_id: str) -> WitnessReport:
        """The witness report of a session."""
        return await self.ask(WitnessReport, "GET", f"/sessions/{part(session_id)}/report")
