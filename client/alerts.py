"""Alerts: seen, heard, handled."""

from client.base import Asking, part
from contracts.api import (
    AlertView,
    ClipLink,
    ResolveBody,
    SoundLink,
)


class AlertCalls(Asking):
    """Alerts: seen, heard, handled."""

    async def clip(self, alert_id: str, *, early: bool = False) -> ClipLink:
        """Where a browser plays what was recorded around an alert; ``early``: as far as it goes."""
        query = "?early=true" if early else ""
        return await self.ask(ClipLink, "GET", f"/alerts/{part(alert_id)}/clip{query}")

    async def sound(self, alert_id: str) -> SoundLink:
        """Where a browser hears what belongs to an alert; the controller logs who asked."""
        return await self.ask(SoundLink, "GET", f"/alerts/{part(alert_id)}/sound")

    async def alert(self, alert_id: str) -> AlertView:
        """One alert, however old."""
        return await self.ask(AlertView, "GET", f"/alerts/{part(alert_id)}")

    async def acknowledge(self, alert_id: str) -> AlertView:
        """Say that a person has seen the alert."""
        return await self.ask(AlertView, "POST", f"/alerts/{part(alert_id)}/acknowledge")

    async def resolve(self, alert_id: str, body: ResolveBody) -> AlertView:
        """Close the people's side of the alert with what it was found to be."""
        return await self.ask(AlertView, "POST", f"/alerts/{part(alert_id)}/resolve", body)
