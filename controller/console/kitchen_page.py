"""``/kitchen``: what to load and what came back; the menu, recurring orders, accounting."""

import secrets
from datetime import UTC, date, datetime
from typing import Final

from fastapi import Request
from nicegui import ui
from nicegui.events import GenericEventArguments
from pydantic import ValidationError

from client import ControllerLost, RefusedError
from contracts.api import (
    Found,
    LoadedBody,
    MenuBody,
    MenuView,
    Role,
    StandingBody,
    StandingView,
)
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import Kitchen
from controller.console.present import orders

LOOK_EVERY_MS: Final = 30_000  # a menu that another cook changed is seen within half a minute
FILES: Final = ("csv", "xlsx")


class KitchenPage(Page):
    """``/kitchen``."""

    texts = ("kitchen", "delivery", "menu")
    here = "kitchen"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._menu: MenuView | None = None
        self._etag = ""
        self._rounds: tuple[StandingView, ...] = ()
        self._key = secrets.token_hex(16)

    def build(self) -> None:
        self.kitchen = Kitchen()
        self.kitchen.on("loaded", self._loaded)
        self.kitchen.on("inspected", self._inspected)
        self.kitchen.on("sold_out", self._sold_out)
        self.kitchen.on("add", self._add)
        self.kitchen.on("remove", self._remove)
        self.kitchen.on("file", self._file)
        self.keep_looking(self._load, LOOK_EVERY_MS, "console-kitchen")

    async def _load(self) -> None:
        try:
            self._menu, self._etag = await self.api.menu()
            self._rounds = await self.api.recurring()
        except (RefusedError, ControllerLost):
            return  # what was known stays; the banner says what is lost
        self.changed()

    def draw(self) -> None:
        feed, words = self.login.feed, self.words
        house, site = feed.house, feed.site
        dishes = self._menu.dishes if self._menu else site.menu if site else ()
        if site is not None:
            former = self._menu.former if self._menu else ()
            site = site.model_copy(update={"menu": (*dishes, *former)})
        self.kitchen.show(
            t=self.t(),
            orders=orders.to_load(house, site, words) if house and site else [],
            back=orders.to_inspect(house, site, words) if house and site else [],
            in_hand=orders.in_hand(house, site, words) if house and site else [],
            totals=orders.totals(house, site, words) if house and site else [],
            menu=orders.dishes(dishes, words),
            recurring=orders.recurring(self._rounds, self._menu, words),
            today=self._today().isoformat(),
            loading=house is None or site is None,
            may=self.has(Role.KITCHEN),
        )

    def _today(self) -> date:
        now = datetime.fromtimestamp(self.shared.clock.utc_ms() / 1_000, UTC)
        return now.astimezone(self.words.zone).date()

    async def _loaded(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            body = LoadedBody.model_validate({"compartment": sent.get("compartment")})
        except ValidationError:
            return
        await self.attempt(self.api.loaded(str(sent.get("id")), body.compartment))

    async def _inspected(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        if sent.get("found") in set(Found):
            await self.attempt(self.api.inspected(str(sent.get("id")), Found(sent["found"])))

    async def _sold_out(self, event: GenericEventArguments) -> None:
        if self._menu is None:
            return
        dishes = tuple(
            dish.model_copy(update={"sold_out": not dish.sold_out})
            if dish.id == event.args
            else dish
            for dish in self._menu.dishes
        )
        body = MenuBody(dishes=dishes, terms=self._menu.terms)
        await self.attempt(self.api.put_menu(body, self._etag))
        await self._load()

    async def _add(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            body = StandingBody.model_validate(sent)
        except ValidationError:
            return
        if await self.attempt(self.api.make_recurring(body, self._key)) is not None:
            self._key = secrets.token_hex(16)
        await self._load()

    async def _remove(self, event: GenericEventArguments) -> None:
        await self.attempt(self.api.remove_recurring(str(event.args)))
        await self._load()

    async def _file(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        kind = str(sent.get("kind"))
        first, last = str(sent.get("first", "")), str(sent.get("last", ""))
        if kind not in FILES:
            return
        content = await self.attempt(self.api.meals_file(first, last, kind, self.language.value))
        if content is not None:
            with self.client:
                ui.download.content(content, f"meals-{first}-{last}.{kind}")
