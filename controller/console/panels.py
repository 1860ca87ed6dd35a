"""The pages beside the wall: tablet in a room, screen of a robot, kitchen, witness report."""

import secrets

from fastapi import Request
from nicegui.events import GenericEventArguments
from pydantic import TypeAdapter, ValidationError

from client import RefusedError
from contracts.api import PIN_DIGITS, PIN_TRIES_MAX, DeliveryBody, LoadedBody, OrderLine, Role
from contracts.api.outside import CallReason
from controller.console.feed import Link
from controller.console.house import House
from controller.console.logins import Login
from controller.console.page import Page, Shared, robot_under_way
from controller.console.parts import DoorPanel, Kitchen, Tablet
from controller.console.present import deliveries, outside
from controller.console.present.alerts import room_name
from controller.console.texts import say

WRONG_PIN = (401, 403, 422)
_LINES = TypeAdapter(tuple[OrderLine, ...])


class TabletPage(Page):
    """``/tablet/{room}``."""

    texts = ("header", "banner", "tablet", "step", "delivery", "call")
    framed = False

    def __init__(self, shared: Shared, login: Login, request: Request, room_id: str) -> None:
        super().__init__(shared, login, request)
        self._room_id = room_id
        self._pin = ""
        self._keys: dict[tuple[OrderLine, ...], str] = {}

    def build(self) -> None:
        self.tablet = Tablet()
        self.tablet.on("order", self._order)
        self.tablet.on("hide", self._hide)
        self.tablet.on("language", self.switch_language)
        self.tablet.on("call", self._call)
        self.tablet.on("withdraw", self._withdraw)
        self.tablet.on("read", self._read)

    def _room_name(self) -> str:
        site = self.login.feed.site
        named = site.room_names.get(self._room_id) if site else None
        return self.words.name(named) if named else self._room_id

    def draw(self) -> None:
        feed, words = self.login.feed, self.words
        ready = feed.house is not None and feed.site is not None
        self.tablet.show(
            t=self.t(),
            room=self._room_name(),
            menu=deliveries.menu(feed.site, words) if feed.site else [],
            deliveries=deliveries.of_room(self._room_id, feed.house, feed.site, words)
            if feed.house and feed.site
            else [],
            calls=outside.calls(feed.house, self._room_id, words) if feed.house else [],
            reasons=outside.reasons(words),
            texts=outside.unread(feed.house, self._room_id, words) if feed.house else [],
            talker=outside.talker(feed.house, self._room_id) if feed.house else "",
            pin=self._pin,
            problem=self.problem,
            lost=feed.link is Link.LOST,
            loading=not ready,
        )

    async def _order(self, event: GenericEventArguments) -> None:
        try:
            lines = _LINES.validate_python(event.args)
            body = DeliveryBody(room_id=self._room_id, lines=lines)
        except ValidationError:
            return
        # Pressed again after a lost answer, the same lines are the same order.
        key = self._keys.setdefault(lines, secrets.token_hex(16))
        given = await self.attempt(self.api.order(body, key))
        if given is None:
            return
        self._keys.clear()
        if given.pin is None:
            self.show_problem(say("tablet.pin_gone", self.language))
        self._pin = given.pin or ""
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
        self._pin = ""
        self.redraw()


class DoorPage(Page):
    """``/door/{robot}``; without a robot it follows the one under way."""

    texts = ("header", "banner", "door")
    framed = False

    def __init__(self, shared: Shared, login: Login, request: Request, robot_id: str) -> None:
        super().__init__(shared, login, request)
        self._robot_id = robot_id
        self._wrong = 0

    def build(self) -> None:
        self.panel = DoorPanel()
        self.panel.on("pin", self._typed)
        self.panel.on("language", self.switch_language)

    def draw(self) -> None:
        feed, words = self.login.feed, self.words
        house = feed.house
        robot_id = self._robot(house)
        robot = house.robots.get(robot_id) if house else None
        delivery = deliveries.at_door(robot_id, house) if house else None
        face = deliveries.door(delivery)
        room = ""
        if house and delivery and face != "idle":
            room = room_name(delivery.room_id, house, words)
        self.panel.show(
            t=self.t(),
            robot=words.name(robot.name) if robot else robot_id,
            face=face,
            room=room,
            tries=delivery.pin_tries_left if delivery else PIN_TRIES_MAX,
            tries_max=PIN_TRIES_MAX,
            wrong=self._wrong,
            problem=self.problem,
            lost=feed.link is Link.LOST,
        )

    async def _typed(self, event: GenericEventArguments) -> None:
        pin = str(event.args)
        house = self.login.feed.house
        delivery = deliveries.at_door(self._robot(house), house) if house else None
        if delivery is None or len(pin) != PIN_DIGITS or not pin.isdecimal():
            return
        await self.attempt(self._unlock(delivery.id, pin))

    def _robot(self, house: House | None) -> str:
        return self._robot_id or (robot_under_way(house) if house else None) or ""

    async def _unlock(self, delivery_id: str, pin: str) -> None:
        try:
            await self.api.unlock(delivery_id, pin)
        except RefusedError as error:
            if error.problem.status not in WRONG_PIN:
                raise
            self._wrong += 1
            self.changed()


class KitchenPage(Page):
    """``/kitchen``."""

    texts = ("kitchen", "delivery")
    here = "kitchen"

    def build(self) -> None:
        self.kitchen = Kitchen()
        self.kitchen.on("loaded", self._loaded)

    def draw(self) -> None:
        feed = self.login.feed
        ready = feed.house is not None and feed.site is not None
        self.kitchen.show(
            t=self.t(),
            orders=deliveries.kitchen(feed.house, feed.site, self.words)
            if feed.house and feed.site
            else [],
            loading=not ready,
            may=self.has(Role.KITCHEN),
        )

    async def _loaded(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            body = LoadedBody.model_validate({"compartment": sent.get("compartment")})
        except ValidationError:
            return
        await self.attempt(self.api.loaded(str(sent.get("id")), body.compartment))
