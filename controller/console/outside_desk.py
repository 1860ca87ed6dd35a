"""Acting from outside on a page: calls, talk, texts, emergency entry and listening of one room."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Final

from nicegui import background_tasks
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client import ControllerLost, RefusedError
from contracts.api import Role
from contracts.api.outside import (
    EntryBody,
    ListenBody,
    ListeningGiven,
    OutsideId,
    TalkBody,
    TalkGiven,
    TextBody,
)
from controller.console.page import Page
from controller.console.parts import ASSETS, Part
from controller.console.present import outside
from controller.console.texts import group

RENEW_MS: Final = 6_000  # a ticket lives 20 s: two may be lost on the way
ACTING: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR, Role.DUTY_OFFICER)
APPROVING: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR)


class Desk(Part, component=ASSETS / "ze_talk_desk.js"):
    """Everything that one may do to a room from outside."""


class Strip(Part, component=ASSETS / "ze_talk_banner.js"):
    """What goes on between the outside and the rooms now, one line each."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: str = Field(max_length=20)
    id: Annotated[str, Field(max_length=40)] = ""


class OutsideDesk:
    """Stands where it is made. The page says which room is open, and draws it anew."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._room_id = ""
        self._call_id: str | None = None
        self._talk: TalkGiven | None = None
        self._heard: ListeningGiven | None = None
        self._key = secrets.token_hex(12)
        self.part = Desk()
        self.part.on("step", self._step)
        self.part.on("talk", self._ask_talk)
        self.part.on("talk_over", self._talk_over)
        self.part.on("text", self._text)
        self.part.on("entry", self._entry)
        self.part.on("listen", self._listen)
        self.part.on("unlisten", self._unlisten)
        page.client.on_delete(self._leave)

    @property
    def hears(self) -> str:
        """The room that is heard here; empty: none."""
        return self._heard.listening.room_id if self._heard is not None else ""

    async def listen(self, room_id: str) -> None:
        """Hear this room, and no other any more."""
        self.open(room_id)
        await self._hear(None)

    async def hush(self) -> None:
        """Hear nothing any more."""
        await self._unlisten()

    def open(self, room_id: str, call_id: str | None = None) -> None:
        """This room is acted on from now on."""
        if room_id != self._room_id:
            self._stop_soon()
            self._talk = None
        self._room_id, self._call_id = room_id, call_id

    def close(self) -> None:
        """Nothing is open; a listening ends with it."""
        self._stop_soon()
        self._room_id, self._call_id, self._talk = "", None, None

    def draw(self) -> None:
        """Draw the room that is open."""
        page, house, words = self._page, self._page.login.feed.house, self._page.words
        t = group(("outside", "voice"), page.language)
        if house is None or not self._room_id:
            self.part.show(t=t, room="")
            return
        room, user = self._room_id, page.login.user.username
        heard = self._heard
        if heard is not None:
            now = house.listenings.get(heard.listening.id)
            if now is not None and now.ended_utc_ms is not None:
                self._heard = heard = None
        talk = self._talk
        self.part.show(
            t=t,
            room=room,
            calls=outside.calls(house, room, words),
            texts=outside.texts(house, room, words),
            entries=outside.entries(house, room, user, words),
            listeners=outside.listeners(house, room),
            talker=outside.talker(house, room),
            user=user,
            templates=outside.templates(words),
            kinds=outside.entry_kinds(words),
            may_act=page.has(*ACTING),
            may_approve=page.has(*APPROVING),
            can_talk=room in house.talkable and page.has(*ACTING),
            can_hear=room in house.audible,
            talk={"id": talk.talk.id, "url": talk.url} if talk is not None else None,
            heard=_heard(heard) if heard is not None else None,
        )

    async def _step(self, event: GenericEventArguments) -> None:
        try:
            asked = _Asked.model_validate(event.args)
        except ValidationError:
            return
        api = self._page.api
        match asked.verb:
            case "answer":
                await self._page.attempt(api.answer_call(asked.id))
            case "settle":
                await self._page.attempt(api.end_call(asked.id))
            case "approve" | "refuse":
                approves = asked.verb == "approve"
                await self._page.attempt(api.judge_entry(asked.id, approves=approves))
            case "end_entry":
                await self._page.attempt(api.end_entry(asked.id))

    async def _ask_talk(self) -> None:
        body = TalkBody(call_id=self._call_id or self._waiting_call())
        self._talk = await self._page.attempt(self._page.api.talk(self._room_id, body))
        if self._talk is None:
            self.part.run_method("talkRefused")
        self._page.redraw()

    def _waiting_call(self) -> OutsideId | None:
        """The oldest call of the room that waits: words into the room answer it."""
        house = self._page.login.feed.house
        calls = house.open_calls() if house is not None else ()
        return next((one.id for one in calls if one.room_id == self._room_id), None)

    def _talk_over(self) -> None:
        self._talk = None
        self._page.redraw()

    async def _text(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            body = TextBody(
                template=sent.get("template") or None,
                text=sent.get("text") or None,
                call_id=self._call_id or self._waiting_call(),
            )
        except ValidationError:
            return
        done = await self._page.attempt(self._page.api.write_text(self._room_id, body, self._key))
        if done is not None:
            self._key = secrets.token_hex(12)
            self.part.run_method("textSent")

    async def _entry(self, event: GenericEventArguments) -> None:
        try:
            body = EntryBody.model_validate(event.args)
        except ValidationError:
            return
        done = await self._page.attempt(self._page.api.ask_entry(self._room_id, body, self._key))
        if done is not None:
            self._key = secrets.token_hex(12)
            self.part.run_method("entryAsked")

    async def _listen(self, event: GenericEventArguments) -> None:
        source = event.args if isinstance(event.args, str) and event.args else None
        await self._hear(source)

    async def _hear(self, source: str | None) -> None:
        body = ListenBody(source_id=source)
        self._heard = await self._page.attempt(self._page.api.listen(self._room_id, body))
        if self._heard is not None:
            background_tasks.create(
                self._keep_listening(self._heard.listening.id), name="console-listen"
            )
        self._page.redraw()

    async def _keep_listening(self, listening_id: str) -> None:
        while True:
            await self._page.shared.clock.sleep_ms(RENEW_MS)
            heard = self._heard
            if heard is None or heard.listening.id != listening_id or self._page.client.is_deleted:
                return
            try:
                self._heard = await self._page.api.renew_listening(listening_id)
            except RefusedError as error:
                self._heard = None
                self._page.show_problem(error.problem.detail or error.problem.title)
                return
            except ControllerLost:
                continue  # the lease lives on for a while; the banner says that it is away
            self._page.changed()

    async def _unlisten(self) -> None:
        heard, self._heard = self._heard, None
        self._page.redraw()
        if heard is not None:
            await self._page.attempt(self._page.api.stop_listening(heard.listening.id))

    def _leave(self) -> None:
        self._stop_soon()

    def _stop_soon(self) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            background_tasks.create(self._stop(heard.listening.id), name="console-unlisten")

    async def _stop(self, listening_id: str) -> None:
        with suppress(RefusedError, ControllerLost):  # it lapses by itself within seconds
            await self._page.api.stop_listening(listening_id)


def _heard(heard: ListeningGiven) -> dict[str, object]:
    return {
        "id": heard.listening.id,
        "url": heard.url.partition("?")[0],
        "ticket": heard.ticket,
        "source": heard.listening.source_id,
        "sources": list(heard.sources),
    }


class OutsideBanner:
    """The strip above the wall: who calls, who enters, who talks, who listens."""

    def __init__(self, page: Page, on_open: Callable[[str, str | None], None]) -> None:
        self._page = page
        self._on_open = on_open
        self.part = Strip()
        self.part.on("open", self._open)
        self.part.on("answer", self._answer)

    def draw(self) -> None:
        """Draw what goes on now."""
        house = self._page.login.feed.house
        t = group(("outside",), self._page.language)
        rows = outside.banner(house, self._page.words) if house is not None else []
        self.part.show(t=t, rows=rows, may_act=self._page.has(*ACTING))

    def _open(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        call = str(sent.get("id")) if sent.get("kind") == "call" else None
        self._on_open(str(sent.get("room_id", "")), call)

    async def _answer(self, event: GenericEventArguments) -> None:
        await self._page.attempt(self._page.api.answer_call(str(event.args)))
