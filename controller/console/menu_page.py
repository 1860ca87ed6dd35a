"""``/kitchen/menu``: what can be ordered and on which terms; saved whole, or not at all."""

from typing import Final

from fastapi import Request
from nicegui.events import GenericEventArguments
from pydantic import ValidationError

from client import ControllerLost, RefusedError
from contracts.api import MenuBody, MenuView
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part
from controller.console.present import menu_edit

LOOK_EVERY_MS: Final = 15_000  # who edits learns within so long that somebody else has saved
STALE: Final = 412


class MenuEditor(
    Part, component=ASSETS / "ze_menu.js", esm={"zeroentry-console": str(ASSETS / "lib")}
):
    """Dishes and terms, as a form."""


class MenuPage(Page):
    """``/kitchen/menu``."""

    texts = ("menu",)
    here = "kitchen"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._menu: MenuView | None = None
        self._etag = ""
        self._errors: dict[str, str] = {}
        self._stale = False
        self._saved = 0

    def build(self) -> None:
        self.editor = MenuEditor()
        self.editor.on("save", self._save)
        self.editor.on("theirs", self._theirs)
        self.keep_looking(self._load, LOOK_EVERY_MS, "console-menu-editor")

    async def _load(self) -> None:
        try:
            self._menu, self._etag = await self.api.menu()
        except (RefusedError, ControllerLost):
            return  # what was known stays; the banner says what is lost
        self.changed()

    def draw(self) -> None:
        words = self.words
        self.editor.show(
            t=self.t(),
            menu=menu_edit.draft(self._menu),
            choices=menu_edit.choices(words),
            changed_by=menu_edit.changed_by(self._menu, words),
            errors=self._errors,
            stale=self._stale,
            saved=self._saved,
            loading=self._menu is None,
        )

    async def _save(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        self._stale, self._errors = False, {}
        try:
            body = MenuBody.model_validate({key: sent.get(key) for key in ("dishes", "terms")})
        except ValidationError as error:
            self._errors = menu_edit.complaints(error, self.words)
            self.redraw()
            return
        if self._menu is None or sent.get("revision") != self._menu.revision:
            self._stale = True
            self.redraw()
            return
        if await self.attempt(self._put(body)) and not self._stale:
            self._saved += 1
        await self._load()
        self.redraw()

    async def _put(self, body: MenuBody) -> bool:
        try:
            await self.api.put_menu(body, self._etag)
        except RefusedError as error:
            if error.problem.status != STALE:
                raise
            self._stale = True
        return True

    async def _theirs(self) -> None:
        self._stale, self._errors = False, {}
        await self._load()
        self.redraw()
