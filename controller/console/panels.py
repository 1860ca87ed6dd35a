"""``/door/{robot}``: the panel at a door or on a robot, where the code is typed."""

from fastapi import Request
from nicegui.events import GenericEventArguments

from client import RefusedError
from contracts.api import PIN_DIGITS, PIN_TRIES_MAX
from controller.console.feed import Link
from controller.console.house import House
from controller.console.logins import Login
from controller.console.page import Page, Shared, robot_under_way
from controller.console.parts import DoorPanel
from controller.console.present import deliveries

WRONG_PIN = (401, 403, 422)


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
            named = feed.site.room_names.get(delivery.room_id) if feed.site else None
            room = words.name(named) if named else delivery.room_id
        self.panel.show(
            t=self.t(),
            robot=words.name(robot.name) if robot else robot_id,
            face=face,
            room=room,
            tries=delivery.pin_tries_left if delivery else PIN_TRIES_MAX,
            tries_max=PIN_TRIES_MAX,
            locked_until=words.minute(delivery.pin_locked_until_utc_ms) if delivery else "",
            no_pin=delivery is not None and not delivery.has_pin,
            releasing=delivery is not None
            and delivery.release is not None
            and not delivery.release.approved_by,
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
