"""Alerts in work: owners, urging, duty roster, notices."""

from urllib.parse import urlencode

from client.base import Asking, part
from contracts.api import AlertPage, AlertView
from contracts.api.alerts import (
    AlertHistory,
    AssignBody,
    CloseBody,
    SaidBody,
    StatementBody,
    UrgeBody,
)
from contracts.api.duty import (
    DutyNow,
    DutyWeek,
    EscalationSettings,
    EscalationView,
    Handover,
    HandoverBody,
    HandoverPage,
    RosterBody,
    RosterView,
)
from contracts.api.notices import ChannelBody, ChannelList, NoticePage, NoticeSent
from contracts.catalogue.record import RuleRecord


class HandlingCalls(Asking):
    """Alerts in work: owners, urging, duty roster, notices."""

    async def alerts(
        self, wanted: dict[str, str | list[str]], *, before: int | None = None, limit: int = 50
    ) -> AlertPage:
        """A page of alerts that fit; ``wanted`` are the query's parts by their names."""
        query = {**wanted, "limit": str(limit)} | ({"before": str(before)} if before else {})
        return await self.ask(AlertPage, "GET", f"/alerts?{urlencode(query, doseq=True)}")

    async def alert(self, alert_id: str) -> AlertView:
        """One alert."""
        return await self.ask(AlertView, "GET", f"/alerts/{part(alert_id)}")

    async def alert_history(self, alert_id: str) -> AlertHistory:
        """Who did what about an alert."""
        return await self.ask(AlertHistory, "GET", f"/alerts/{part(alert_id)}/history")

    async def rule_records(self) -> tuple[RuleRecord, ...]:
        """What each rule's alerts came to, and what that speaks for."""
        return await self.rows("/alerts/rules", RuleRecord)

    async def assign(self, alert_id: str, body: AssignBody, seen: int | None = None) -> AlertView:
        """Give an alert to a person; ``seen``: the revision that the asker saw."""
        return await self._step(alert_id, "assign", body, seen)

    async def start(self, alert_id: str, seen: int | None = None) -> AlertView:
        """Say that the asker is at it."""
        return await self._step(alert_id, "start", None, seen)

    async def note(self, alert_id: str, body: SaidBody) -> AlertView:
        """Write something down about an alert."""
        return await self._step(alert_id, "note", body, None)

    async def urge(self, alert_id: str, body: UrgeBody, seen: int | None = None) -> AlertView:
        """Ask whoever has it to act."""
        return await self._step(alert_id, "urge", body, seen)

    async def reply(self, alert_id: str, body: SaidBody, seen: int | None = None) -> AlertView:
        """Answer an urge."""
        return await self._step(alert_id, "reply", body, seen)

    async def statement(
        self, alert_id: str, body: StatementBody, seen: int | None = None
    ) -> AlertView:
        """Attach the expert's statement to a confirmed violation."""
        return await self._step(alert_id, "statement", body, seen)

    async def close_alert(
        self, alert_id: str, body: CloseBody, seen: int | None = None
    ) -> AlertView:
        """Put a resolved alert away."""
        return await self._step(alert_id, "close", body, seen)

    async def reopen(self, alert_id: str, body: SaidBody, seen: int | None = None) -> AlertView:
        """Take a resolved alert up again."""
        return await self._step(alert_id, "reopen", body, seen)

    async def _step(
        self,
        alert_id: str,
        verb: str,
        body: AssignBody | SaidBody | UrgeBody | StatementBody | CloseBody | None,
        seen: int | None,
    ) -> AlertView:
        headers = {} if seen is None else {"If-Match": f'"{seen}"'}
        return await self.ask(AlertView, "POST", f"/alerts/{part(alert_id)}/{verb}", body, headers)

    # --- duty -----------------------------------------------------------------------------------

    async def duty_roster(self) -> tuple[RosterView, str]:
        """The roster, and the ETag that a change must name."""
        answer = await self.send("GET", "/duty/roster")
        return RosterView.model_validate_json(answer.content), answer.headers.get("ETag", "")

    async def put_duty_roster(self, body: RosterBody, etag: str) -> RosterView:
        """Write the roster anew."""
        return await self.ask(RosterView, "PUT", "/duty/roster", body, {"If-Match": etag})

    async def duty_now(self) -> DutyNow:
        """Who is on duty, and what is wrong with it."""
        return await self.ask(DutyNow, "GET", "/duty/now")

    async def duty_days(self, start_utc_ms: int, days: int = 7) -> DutyWeek:
        """Duty over some days, with its gaps."""
        path = f"/duty/days?start_utc_ms={start_utc_ms}&days={days}"
        return await self.ask(DutyWeek, "GET", path)

    async def escalation(self) -> tuple[EscalationView, str]:
        """Whom an alert that nobody takes is told to, and when; the ETag that a change names."""
        answer = await self.send("GET", "/duty/escalation")
        return EscalationView.model_validate_json(answer.content), answer.headers.get("ETag", "")

    async def put_escalation(self, rules: EscalationSettings, etag: str) -> EscalationView:
        """Set the rules of escalation."""
        return await self.ask(EscalationView, "PUT", "/duty/escalation", rules, {"If-Match": etag})

    async def hand_over_duty(self, body: HandoverBody) -> Handover:
        """Give the duty over."""
        return await self.ask(Handover, "POST", "/duty/handovers", body)

    async def handovers(self, *, before: int | None = None, limit: int = 20) -> HandoverPage:
        """Hand-overs, newest first."""
        query = f"?limit={limit}" + (f"&before={before}" if before else "")
        return await self.ask(HandoverPage, "GET", f"/duty/handovers{query}")

    # --- notices --------------------------------------------------------------------------------

    async def channels(self) -> tuple[ChannelList, str]:
        """Where notices go, without addresses, and the ETag that a change must name."""
        answer = await self.send("GET", "/notices/channels")
        return ChannelList.model_validate_json(answer.content), answer.headers.get("ETag", "")

    async def put_channel(self, channel_id: str, body: ChannelBody, etag: str) -> ChannelList:
        """Add or change a channel; an address goes in and never comes out."""
        path = f"/notices/channels/{part(channel_id)}"
        return await self.ask(ChannelList, "PUT", path, body, {"If-Match": etag})

    async def delete_channel(self, channel_id: str, etag: str) -> ChannelList:
        """Forget a channel."""
        path = f"/notices/channels/{part(channel_id)}"
        return await self.ask(ChannelList, "DELETE", path, None, {"If-Match": etag})

    async def test_channel(self, channel_id: str) -> NoticeSent:
        """Send a test message."""
        return await self.ask(NoticeSent, "POST", f"/notices/channels/{part(channel_id)}/test")

    async def notices(
        self, *, before: int | None = None, limit: int = 20, alert_id: str = ""
    ) -> NoticePage:
        """Notices with every try, newest first."""
        query = f"?limit={limit}" + (f"&before={before}" if before else "")
        query += f"&alert_id={part(alert_id)}" if alert_id else ""
        return await self.ask(NoticePage, "GET", f"/notices{query}")

    async def retry_delivery(self, number: int) -> NoticeSent:
        """Try a delivery again that was given up."""
        return await self.ask(NoticeSent, "POST", f"/notices/deliveries/{number}/retry")
