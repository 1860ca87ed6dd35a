"""The page of retrievals: ask for recordings, decide on what others ask, fetch what is ready."""

import uuid
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from pydantic import ValidationError

from contracts.api import Role
from contracts.api.retrieval import (
    CameraChoice,
    DecisionBody,
    RetrievalBody,
    RetrievalForm,
    RetrievalState,
    RetrievalView,
)
from contracts.units import UtcMs
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import Retrievals
from controller.console.present.words import Drawn, Words
from controller.console.texts import say

DECIDERS: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR)
LOOK_S: Final = 3.0  # while something is being made its progress moves
MIB: Final = 1024 * 1024


class RetrievalsPage(Page):
    """``/retrievals``."""

    texts = ("ret",)
    here = "retrievals"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._rows: tuple[RetrievalView, ...] | None = None
        self._done = 0
        self._cameras: tuple[CameraChoice, ...] = ()

    def build(self) -> None:
        with ui.element("main").classes("ze-page"):
            self.part = Retrievals()
        self.part.on("ask", self._ask)
        self.part.on("decide", self._decide)
        self.part.on("withdraw", self._withdraw)
        self.part.on("fetch", self._download)
        background_tasks.create(self._begin(), name="console-retrievals")
        ui.timer(LOOK_S, self._fetch)

    def draw(self) -> None:
        words = self.words
        self.part.show(
            t=self.t(),
            loading=self._rows is None,
            rows=[self._row(row, words) for row in self._rows or ()],
            cameras=[
                {"id": row.id, "name": f"{words.name(row.room)} · {words.name(row.name)}"}
                for row in self._cameras
            ],
            # Until the site is known, a time of the form would be read in the wrong zone.
            zone=words.zone.key if self.login.feed.site is not None else "",
            done=self._done,
            decides=self.has(*DECIDERS),
        )

    def _row(self, row: RetrievalView, words: Words) -> Drawn:
        own = row.asked_by == self.login.user.username
        open_states = (RetrievalState.ASKED, RetrievalState.APPROVED)
        decider = row.decided_by == self.login.user.username
        note = row.note
        return {
            "id": row.id,
            "number": row.number,
            "state": row.state.value,
            "state_label": words.say(f"ret.state_{row.state.value}"),
            "reason": row.reason,
            "behalf": row.on_behalf_of,
            "cameras": ", ".join(row.cameras),
            "interval": f"{words.day_and_time(row.from_utc_ms)[:19]} – "
            f"{words.day_and_time(row.to_utc_ms)[:19]}",
            "form": words.say(f"ret.{row.form.value}_short"),
            "asked_by": row.asked_by,
            "asked": words.day_and_time(row.asked_utc_ms)[:19],
            "decided_by": row.decided_by or "",
            "decision": row.decision,
            "progress": round(row.progress * 100),
            "note": ""
            if note is None
            else (note.zh if words.language.value == "zh-CN" else note.en),
            "size": f"{row.bytes / MIB:.1f} MiB" if row.bytes is not None else "",
            "sha256": row.sha256 or "",
            "expires": words.day_and_time(row.expires_utc_ms)[:19] if row.expires_utc_ms else "",
            "views": row.views,
            "gaps": row.gaps,
            "own": own,
            "may_decide": row.state is RetrievalState.ASKED and not own and self.has(*DECIDERS),
            "may_withdraw": own and row.state in open_states,
            "may_fetch": row.state is RetrievalState.READY and (own or decider),
        }

    async def _begin(self) -> None:
        self._cameras = await self.attempt(self.api.retrieval_cameras()) or ()
        await self._fetch()
        self.changed()

    async def _fetch(self) -> None:
        page = await self.attempt(self.api.retrievals())
        if page is not None and page.items != self._rows:
            self._rows = page.items
            self.changed()

    async def _ask(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        if self.login.feed.site is None:
            return
        zone = self.words.zone
        try:
            body = RetrievalBody(
                reason=str(sent.get("reason", "")).strip(),
                on_behalf_of=str(sent.get("behalf", "")).strip()[:120],
                cameras=tuple(str(one) for one in sent.get("cameras", ())),
                from_utc_ms=_utc_ms(str(sent.get("from")), zone),
                to_utc_ms=_utc_ms(str(sent.get("to")), zone),
                form=RetrievalForm(str(sent.get("form"))),
            )
        except (ValidationError, ValueError, TypeError):
            self.show_problem(say("ret.bad", self.language))
            return
        made = await self.attempt(self.api.ask_retrieval(body, uuid.uuid4().hex))
        if made is not None:
            self._done += 1  # the form closes
        await self._fetch()

    async def _decide(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            body = DecisionBody.model_validate(
                {
                    "reason": str(sent.get("reason", "")).strip(),
                    "keep_days": sent.get("days", 7),
                    "during_session": sent.get("during") is True,
                }
            )
        except ValidationError:
            self.show_problem(say("ret.decision", self.language))
            return
        approve = sent.get("approve") is True
        doing = self.api.decide_retrieval(str(sent.get("id")), body, approve=approve)
        if await self.attempt(doing) is not None:
            self._done += 1
        await self._fetch()

    async def _withdraw(self, event: GenericEventArguments) -> None:
        await self.attempt(self.api.withdraw_retrieval(str(event.args)))
        await self._fetch()

    async def _download(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        link = await self.attempt(self.api.retrieval_link(str(sent.get("id"))))
        if link is not None:
            with self.client:
                # From the controller itself: a package is far too large to go through the console.
                ui.navigate.to(link.seal_url if sent.get("seal") is True else link.url)
        await self._fetch()


def _utc_ms(text: str, zone: ZoneInfo) -> UtcMs:
    """A ``datetime-local`` of a browser, in the site's zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return UtcMs(round(moment.astimezone(UTC).timestamp() * 1_000))
