"""``/tablet/{room}``: order by closed choices, change, call off, see the code, call for help."""

import secrets
from typing import Final

from fastapi import Request
from nicegui import background_tasks
from nicegui.events import GenericEventArguments
from pydantic import ValidationError

from client import ControllerLost, RefusedError
from contracts.api import (
    ArrivalView,
    CancelReason,
    ChangeBody,
    DeliveryBody,
    MenuView,
    SiteView,
    SuggestionView,
)
from contracts.api.menu import OrderTerms
from contracts.api.outside import CallReason
from controller.console.feed import Link
from controller.console.house import House
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import Tablet
from controller.console.present import orders, outside
from controller.console.present.deliveries import ENDED
from controller.console.present.words import Drawn
from controller.console.texts import say

MENU_EVERY_MS: Final = 30_000  # a dish that sells out is gone from the tablet within half a minute
ARRIVALS_EVERY_MS: Final = 5_000  # what is shown is minutes; a robot is gone from a kitchen sooner


class TabletPage(Page):
    """``/tablet/{room}``."""

    texts = ("header", "banner", "tablet", "step", "delivery", "call")
    framed = False

    def __init__(self, shared: Shared, login: Login, request: Request, room_id: str) -> None:
        super().__init__(shared, login, request)
        self._room_id = room_id
        self._pin = ""
        self._pin_of = ""
        self._done = 0
        self._menu: MenuView | None = None
        self._people: SuggestionView | None = None
        self._keys: dict[DeliveryBody, str] = {}
        self._arrivals: dict[str, ArrivalView] = {}

    def build(self) -> None:
        self.tablet = Tablet()
        self.tablet.on("order", self._order)
        self.tablet.on("change", self._change)
        self.tablet.on("cancel", self._cancel)
        self.tablet.on("show_pin", self._show_pin)
        self.tablet.on("hide", self._hide)
        self.tablet.on("language", self.switch_language)
        self.tablet.on("call", self._call)
        self.tablet.on("withdraw", self._withdraw)
        self.tablet.on("read", self._read)
        background_tasks.create(self._follow(), name="console-menu")
        background_tasks.create(self._expect(), name="console-arrivals")

    async def _follow(self) -> None:
        while not self.client.is_deleted:
            await self._load()
            await self.shared.clock.sleep_ms(MENU_EVERY_MS)

    async def _load(self) -> None:
        try:
            self._menu, _ = await self.api.menu()
            self._people = await self.api.meal_suggestion(self._room_id)
        except (RefusedError, ControllerLost):
            return  # what was known stays; the banner says what is lost
        self.changed()

    async def _expect(self) -> None:
        while not self.client.is_deleted:
            await self._look_out()
            await self.shared.clock.sleep_ms(ARRIVALS_EVERY_MS)

    async def _look_out(self) -> None:
        """When the orders come; what is not known now is not shown, as an old guess would be."""
        try:
            rows = await self.api.arrivals(self._room_id)
        except (RefusedError, ControllerLost):
            rows = ()
        self._arrivals = {row.delivery_id: row for row in rows}
        self.changed()

    def _room_name(self) -> str:
        site = self.login.feed.site
        named = site.room_names.get(self._room_id) if site else None
        return self.words.name(named) if named else self._room_id

    def draw(self) -> None:
        feed, words = self.login.feed, self.words
        house, site = feed.house, feed.site
        dishes = self._menu.dishes if self._menu else site.menu if site else ()
        if site is not None and self._menu is not None:
            site = site.model_copy(update={"menu": (*dishes, *self._menu.former)})
        terms = self._menu.terms if self._menu else OrderTerms(meals=())
        soonest = self._people.earliest_utc_ms if self._people else None
        self._forget_pin()
        self.tablet.show(
            t=self.t(),
            room=self._room_name(),
            menu=orders.dishes(dishes, words),
            kinds=orders.kinds(dishes, words),
            choices=orders.choices(words),
            slots=orders.slots(terms, int(self.shared.clock.utc_ms()), soonest, words),
            at_once=terms.at_once,
            earliest=words.minute(soonest),
            people=self._people.people if self._people else 0,
            deliveries=self._mine(house, site) if house and site else [],
            calls=outside.calls(house, self._room_id, words) if house else [],
            reasons=outside.reasons(words),
            texts=outside.unread(house, self._room_id, words) if house else [],
            talker=outside.talker(house, self._room_id) if house else "",
            pin=self._pin,
            problem=self.problem,
            lost=feed.link is Link.LOST,
            loading=house is None or site is None,
            done=self._done,
        )

    def _mine(self, house: House, site: SiteView) -> list[Drawn]:
        now = int(self.shared.clock.utc_ms())
        return orders.of_room(self._room_id, house, site, self.words, self._arrivals, now)

    def _forget_pin(self) -> None:
        """A code whose delivery is over is of no more use to anybody."""
        house = self.login.feed.house
        view = house.deliveries.get(self._pin_of) if house else None
        if self._pin and view is not None and view.state in ENDED:
            self._pin = self._pin_of = ""

    async def _order(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            body = DeliveryBody.model_validate({"room_id": self._room_id, **sent})
        except ValidationError:
            return
        # Pressed again after a lost answer, the same order is the same order.
        key = self._keys.setdefault(body, secrets.token_hex(16))
        given = await self.attempt(self.api.order(body, key))
        if given is None:
            return
        self._keys.clear()
        if given.pin is None:
            self.show_problem(say("tablet.pin_gone", self.language))
        self._pin, self._pin_of = given.pin or "", given.delivery.id
        self._done += 1
        self.redraw()
        await self._look_out()

    async def _change(self, event: GenericEventArguments) -> None:
        sent = dict(event.args) if isinstance(event.args, dict) else {}
        delivery_id = str(sent.pop("id", ""))
        sent.pop("kind", None)
        try:
            body = ChangeBody.model_validate(sent)
        except ValidationError:
            return
        if await self.attempt(self._changed(delivery_id, body)) is not None:
            self._done += 1
            self.redraw()
            await self._look_out()

    async def _changed(self, delivery_id: str, body: ChangeBody) -> bool:
        _, etag = await self.api.delivery(delivery_id)
        await self.api.change_order(delivery_id, body, etag)
        return True

    async def _cancel(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        if sent.get("reason") in set(CancelReason):
            await self.attempt(self.api.cancel(str(sent.get("id")), str(sent["reason"])))

    async def _show_pin(self, event: GenericEventArguments) -> None:
        given = await self.attempt(self.api.show_pin(str(event.args)))
        if given is not None:
            self._pin, self._pin_of = given.pin, str(event.args)
            self.redraw()

    async def _call(self, event: GenericEventArguments) -> None:
        if event.args in set(CallReason):
            reason = CallReason(event.args)
            await self.attempt(self.api.call_supervisor(self._room_id, reason))

    async def _withdraw(self, event: GenericEventArguments) -> None:
        await self.attempt(self.api.end_call(str(event.args)))

    async def _read(self, event: GenericEventArguments) -> None:
        await self.attempt(self.api.read_text(str(event.args)))

    def _hide(self) -> None:
        self._pin = self._pin_of = ""
        self.redraw()
