"""``/outside``: every room that one may act on from outside, and the desk of the one chosen."""

from fastapi import Request
from nicegui import ui

from contracts.admission import AreaKind
from controller.console.logins import Login
from controller.console.outside_desk import OutsideBanner, OutsideDesk
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part


class RoomList(Part, component=ASSETS / "ze_talk_rooms.js"):
    """The rooms, with how many calls wait in each."""


class OutsidePage(Page):
    """``/outside`` and ``/outside/{room}``."""

    texts = ("outside", "voice")
    here = "wall"

    def __init__(self, shared: Shared, login: Login, request: Request, room_id: str) -> None:
        super().__init__(shared, login, request)
        self._room_id = room_id

    def build(self) -> None:
        self.banner = OutsideBanner(self, self._choose)
        with ui.element("main").classes("ze-outside-page"):
            self.rooms = RoomList()
            self.desk = OutsideDesk(self)
        self.rooms.on("choose", lambda event: self._choose(str(event.args), None))
        if self._room_id:
            self.desk.open(self._room_id)

    def draw(self) -> None:
        house, words = self.login.feed.house, self.words
        rooms = [] if house is None else [
            {
                "id": room.id,
                "name": words.name(room.name),
                "calls": sum(call.room_id == room.id for call in house.open_calls()),
                "sealed": room.session is not None,
            }
            for room in house.rooms.values()
            if room.kind is AreaKind.EVALUATION
        ]  # fmt: skip
        self.rooms.show(t=self.t(), rooms=rooms, chosen=self._room_id, loading=house is None)
        self.banner.draw()
        self.desk.draw()

    def _choose(self, room_id: str, call_id: str | None) -> None:
        self._room_id = room_id
        self.desk.open(room_id, call_id)
        self.redraw()
