"""Other sites of a remote evaluation."""

from typing import Final
from urllib.parse import quote, urlencode

import httpx
from pydantic import ValidationError

from client.base import CONNECT_TIMEOUT_S, Asking, ControllerLost, RefusedError, part, problem
from contracts.api.sites import (
    DOCUMENT_MAX_BYTES,
    FEED_BYTES_MAX,
    FeedPage,
    GuestAlert,
    HandoverList,
    JointActBody,
    JointBody,
    JointRecordPage,
    JointReport,
    JointVerb,
    JointView,
    PeerTrustBody,
    ReceiptBody,
    SignedText,
    SitesView,
)

FEED_SLACK_S: Final = 10.0  # what an answer may take beyond the time it is held back on purpose


class SiteCalls(Asking):
    """Other sites of a remote evaluation."""

    async def sites(self) -> SitesView:
        """This site, its peers, and the joint sessions that are not over."""
        return await self.ask(SitesView, "GET", "/sites")

    async def make_joint(self, body: JointBody, idempotency_key: str) -> JointView:
        """Make a joint session and invite its guests."""
        return await self.ask(
            JointView, "POST", "/sites/sessions", body, {"Idempotency-Key": idempotency_key}
        )

    async def joint(self, joint_id: str) -> JointView:
        """One joint session."""
        return await self.ask(JointView, "GET", f"/sites/sessions/{part(joint_id)}")

    async def joint_step(self, joint_id: str, verb: JointVerb, body: JointActBody) -> JointView:
        """Act on a joint session."""
        path = f"/sites/sessions/{part(joint_id)}/{verb.value}"
        return await self.ask(JointView, "POST", path, body)

    async def joint_alerts(self, joint_id: str) -> tuple[GuestAlert, ...]:
        """Alerts at guests, to read; newest first."""
        return await self.rows(f"/sites/sessions/{part(joint_id)}/alerts", GuestAlert)

    async def joint_record(self, joint_id: str, after: str | None = None) -> JointRecordPage:
        """The record of all sites, merged by time."""
        query = f"?after={quote(after, safe='')}" if after else ""
        path = f"/sites/sessions/{part(joint_id)}/record{query}"
        return await self.ask(JointRecordPage, "GET", path)

    async def joint_report(self, joint_id: str) -> JointReport:
        """The merged report: a part for each site, each by its own controller."""
        return await self.ask(JointReport, "GET", f"/sites/sessions/{part(joint_id)}/report")

    async def trust_peer(self, site: str, body: PeerTrustBody) -> SitesView:
        """Accept a peer's new key, or that its log began anew."""
        return await self.ask(SitesView, "POST", f"/sites/{part(site)}/trust", body)

    async def joint_pdf(self, joint_id: str, language: str) -> bytes:
        """The merged report as PDF."""
        path = f"/sites/sessions/{part(joint_id)}/report.pdf?lang={part(language)}"
        return (await self.send("GET", path)).content

    async def offer_evidence(self, joint_id: str) -> JointView:
        """Guest: make the list of what is handed over, and tell the host."""
        return await self.ask(JointView, "POST", f"/sites/sessions/{part(joint_id)}/handover")

    async def evidence_list(self, joint_id: str, site: str) -> HandoverList:
        """What a guest hands over."""
        path = f"/sites/sessions/{part(joint_id)}/handovers/{part(site)}"
        return await self.ask(HandoverList, "GET", path)

    async def give_evidence_receipt(self, joint_id: str, site: str, body: ReceiptBody) -> JointView:
        """Host: confirm what has come."""
        path = f"/sites/sessions/{part(joint_id)}/handovers/{part(site)}/receipt"
        return await self.ask(JointView, "POST", path, body)

    async def evidence_receipt(self, joint_id: str, site: str) -> SignedText:
        """The host's signed receipt for a guest."""
        path = f"/sites/sessions/{part(joint_id)}/handovers/{part(site)}/receipt"
        return await self.ask(SignedText, "GET", path)

    # --- what one controller asks another -------------------------------------------------------

    async def site_feed(self, own: str, *, after: int, tag: str, wait_ms: int) -> FeedPage:
        """What the other site's log for us holds behind a number; waits for news there.

        Raises:
            ControllerLost: no answer, one that is too large, or none that can be read.
            RefusedError: it said why not.
        """
        query = urlencode({"after": after, "rooms_tag": tag, "wait_ms": wait_ms})
        wait_s = wait_ms / 1_000 + FEED_SLACK_S
        body = await self._bounded(f"/sites/{part(own)}/feed?{query}", FEED_BYTES_MAX, wait_s)
        try:
            return FeedPage.model_validate_json(body)
        except ValidationError as error:
            raise ControllerLost(f"its feed cannot be read: {error.error_count()} faults") from None

    async def site_document(self, own: str, sha256: str) -> bytes:
        """A document that the other site announced to us, as its exact bytes."""
        path = f"/sites/{part(own)}/documents/{part(sha256)}"
        return await self._bounded(path, DOCUMENT_MAX_BYTES, FEED_SLACK_S * 6)

    async def _bounded(self, path: str, limit: int, wait_s: float) -> bytes:
        """An answer's body, given up as soon as it is larger than ``limit``."""
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=wait_s)
        parts: list[bytes] = []
        size = 0
        try:
            async with self.http.stream(
                "GET", self.address + path, headers=self.headers(), timeout=timeout
            ) as answer:
                async for piece in answer.aiter_bytes():
                    size += len(piece)
                    if size > limit:
                        raise ControllerLost(f"its answer is larger than {limit} bytes")
                    parts.append(piece)
        except httpx.HTTPError as error:
            raise ControllerLost(f"GET {self.address}{path}: {error!r}") from error
        body = b"".join(parts)
        if answer.is_error:
            raise RefusedError(
                problem(httpx.Response(answer.status_code, content=body, request=answer.request))
            )
        return body
