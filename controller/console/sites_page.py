"""``/sites``: other sites, how the way to them is, and the joint sessions with them."""

import re
import secrets
from collections.abc import Awaitable
from typing import Final

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from pydantic import ValidationError

from client import ControllerLost, RefusedError
from contracts.api import Role
from contracts.api.sites import (
    GuestAlert,
    JointActBody,
    JointBody,
    JointRecordLine,
    JointVerb,
    JointView,
    PeerTrustBody,
    ReceiptBody,
    SitesView,
)
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part
from controller.console.present import sites
from controller.console.texts import say

_LIB: Final = {"zeroentry-console": str(ASSETS / "lib")}
ASK_MS: Final = 1_500  # a link's state and a guest's head count are worth a second or two
LINES_SHOWN: Final = 300
_HASH: Final = re.compile(r"\b[0-9a-f]{64}\b")


class Sites(Part, component=ASSETS / "ze_sites.js", esm=_LIB):
    """Peers, joint sessions, guests' alerts, hand-over."""


class SitesPage(Page):
    """``/sites``."""

    texts = ("sites", "handling", "alerts")
    here = "sites"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._view: SitesView | None = None
        self._failed = False
        self._shown = ""
        self._alerts: tuple[GuestAlert, ...] = ()
        self._record: tuple[JointRecordLine, ...] = ()
        self._key = secrets.token_hex(16)

    def title(self) -> str:
        """The name of the browser's tab."""
        return say("sites.title", self.language)

    def build(self) -> None:
        with ui.element("main").classes("ze-page"):
            self.sites = Sites()
        self.sites.on("act", self._act)
        self.sites.on("make", self._make)
        self.sites.on("show", self._show)
        self.sites.on("offer", self._offer)
        self.sites.on("sign", self._sign)
        self.sites.on("pdf", self._pdf)
        self.sites.on("trust", self._trust)
        background_tasks.create(self._follow(), name="console-sites")

    async def _follow(self) -> None:
        while not self.client.is_deleted:
            await self._load()
            await self.shared.clock.sleep_ms(ASK_MS)

    async def _load(self) -> None:
        try:
            self._view = await self.api.sites()
            self._failed = False
            if self._shown:
                self._alerts = await self.api.joint_alerts(self._shown)
                self._record = await self._whole_record(self._shown)
        except (RefusedError, ControllerLost):
            self._failed = True
        self.changed()

    async def _whole_record(self, joint_id: str) -> tuple[JointRecordLine, ...]:
        rows: list[JointRecordLine] = []
        after: str | None = None
        while True:
            page = await self.api.joint_record(joint_id, after)
            rows += page.items
            after = page.next_after
            if after is None:
                return tuple(rows[-LINES_SHOWN:])

    def draw(self) -> None:
        words, view = self.words, self._view
        may = self.has(Role.SUPERVISOR)
        joints = view.joints if view else ()
        names = {row.site: words.name(row.name) for row in view.peers} if view else {}
        if view is not None:
            names[view.site] = words.name(view.name)
        parts = (part for row in joints for part in row.parts)
        rooms = {told.id: words.name(told.room) for part in parts for told in part.sessions}
        self.sites.show(
            t=self.t(),
            loading=view is None and not self._failed,
            failed=self._failed,
            own=words.name(view.name) if view else "",
            own_key=view.public_key if view else "",
            own_key_id=view.key if view else "",
            peers=[sites.peer(row, words) for row in view.peers] if view else [],
            joints=[sites.joint(row, words, may=may) for row in joints],
            sessions=sites.open_sessions(self.login.feed.house, joints, words),
            may=may,
            may_trust=may,
            shown=self._shown,
            alerts=[sites.alert(row, names, rooms, words) for row in self._alerts],
            record=[sites.record(row, names, words) for row in reversed(self._record)],
        )

    async def _show(self, event: GenericEventArguments) -> None:
        wanted = str(event.args or "")
        self._shown = wanted if wanted != self._shown else ""
        self._alerts, self._record = (), ()
        await self._load()

    async def _act(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            verb = JointVerb(str(sent.get("verb")))
            body = JointActBody(
                sessions=tuple(sent.get("sessions") or ()),
                site=sent.get("site") or None,
                reason=str(sent.get("reason") or "")[:500],
                subject=str(sent.get("subject") or ""),
            )
        except (ValidationError, ValueError):
            return
        await self._done(self.api.joint_step(str(sent.get("id")), verb, body))

    async def _make(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            body = JointBody.model_validate(
                {
                    "title": sent.get("title"),
                    "sessions": sent.get("sessions"),
                    "guests": sent.get("guests"),
                    "note": sent.get("note") or "",
                }
            )
        except ValidationError:
            return
        await self._done(self.api.make_joint(body, self._key))
        self._key = secrets.token_hex(16)

    async def _offer(self, event: GenericEventArguments) -> None:
        await self._done(self.api.offer_evidence(str(event.args)))

    async def _sign(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        found = tuple(dict.fromkeys(_HASH.findall(str(sent.get("hashes") or "").lower())))
        try:
            body = ReceiptBody(everything=bool(sent.get("everything")), received=found)
        except ValidationError:
            return
        doing = self.api.give_evidence_receipt(str(sent.get("id")), str(sent.get("site")), body)
        await self._done(doing)

    async def _trust(self, event: GenericEventArguments) -> None:
        sent = dict(event.args) if isinstance(event.args, dict) else {}
        site = str(sent.pop("site", ""))
        try:
            body = PeerTrustBody.model_validate(sent)
        except ValidationError:
            self.show_problem(say("sites.trust_what", self.language))
            return
        await self.attempt(self.api.trust_peer(site, body))
        await self._load()

    async def _pdf(self, event: GenericEventArguments) -> None:
        joint_id = str(event.args)[:40]
        content = await self.attempt(self.api.joint_pdf(joint_id, self.language.value))
        if content is not None:
            with self.client:
                ui.download.content(content, f"{joint_id}.{self.language.value[:2]}.pdf")

    async def _done(self, doing: Awaitable[JointView]) -> None:
        await self.attempt(doing)
        await self._load()
