"""``/account``: one's own password, second factor, log-ins, tokens of programs."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from client import ControllerLost, RefusedError
from contracts.api.accounts import (
    LoginView,
    MyAccount,
    RecoveryCodes,
    SecondFactorOffer,
    TokenView,
)
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part
from controller.console.present.words import Drawn, Words
from controller.console.texts import say

_LIB: Final = {"zeroentry-console": str(ASSETS / "lib")}
AGENT_MAX_CHARS: Final = 90  # what tells one browser from another; the rest is noise

T = TypeVar("T")


class AccountForm(Part, component=ASSETS / "ze_account.js", esm=_LIB):
    """Password, second factor, log-ins, tokens."""


class AccountPage(Page):
    """``/account``; without the frame while the account must do something first."""

    texts = ("account", "header", "problem")
    here = "account"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._must = tuple(login.user.must)
        self.framed = not self._must
        self._me: MyAccount | None = None
        self._logins: tuple[LoginView, ...] = ()
        self._tokens: tuple[TokenView, ...] = ()
        self._offer: SecondFactorOffer | None = None
        self._recovery: RecoveryCodes | None = None
        self._token = ""
        self._said = ""
        self._done = ""
        self._failed = False
        self._busy = False

    def build(self) -> None:
        with ui.element("main"):
            self._form = AccountForm()
        for name, handler in (
            ("password", self._password),
            ("confirm", self._confirm),
            ("remove", self._remove),
            ("end", self._end),
            ("make-token", self._make_token),
            ("revoke", self._revoke),
        ):
            self._form.on(name, handler)
        self._form.on("offer", self._ask_offer)
        self._form.on("end-others", self._end_others)
        self._form.on("hide", self._hide)
        self._form.on("language", self.switch_language)
        self._form.on("logout", self._logout)
        self._form.on("retry", self._load)
        background_tasks.create(self._load(), name="console-account")

    def draw(self) -> None:
        words, me = self.words, self._me
        self._form.show(
            t=self.t(),
            me=None if me is None else _me(me, words),
            must=[duty.value for duty in self._must],
            logins=[_login(row, words) for row in self._logins],
            tokens=[token_drawn(row, words) for row in self._tokens],
            offer={"secret": self._offer.secret, "svg": self._offer.qr_svg}
            if self._offer
            else None,
            recovery=list(self._recovery.codes) if self._recovery else [],
            token=self._token,
            problem=self._said,
            done=self._done,
            loading=me is None and not self._failed,
            failed=self._failed,
            busy=self._busy,
        )

    async def _load(self) -> None:
        try:
            self._me = await self.api.my_account()
            if not self._must:
                self._logins, self._tokens = await asyncio.gather(
                    self.api.my_logins(), self.api.my_tokens()
                )
            self._failed = False
        except RefusedError as error:
            self._failed, self._said = True, error.problem.detail
        except ControllerLost:
            self._failed = True
        if not self.client.is_deleted:
            self.draw()

    async def _do(self, doing: Awaitable[T], done: str) -> T | None:
        self._busy, self._said, self._done = True, "", ""
        self.draw()
        answer: T | None = None
        try:
            answer = await doing
            self._done = done
        except RefusedError as error:
            self._said = " ".join((error.problem.detail, *error.problem.errors))[:400]
        except ControllerLost:
            self._said = say("problem.lost", self.language)
        self._busy = False
        await self._refresh()
        return answer

    async def _refresh(self) -> None:
        """Read the account again; when nothing must be done any more, the way is open."""
        try:
            user = await self.api.me()
        except (RefusedError, ControllerLost):
            self.draw()
            return
        self.login.user = user
        freed = bool(self._must) and not user.must
        if freed and self._recovery is None:
            self.client.open("/")
            return
        if not freed:
            self._must = tuple(user.must)
        await self._load()

    async def _password(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        old, fresh = str(sent.get("old", ""))[:256], str(sent.get("fresh", ""))[:256]
        if old and fresh:
            await self._do(self.api.change_password(old, fresh), "password")

    async def _ask_offer(self) -> None:
        self._offer = await self._do(self.api.offer_second_factor(), "")
        self.draw()

    async def _confirm(self, event: GenericEventArguments) -> None:
        code = str(event.args or "").strip()[:20]
        if len(code) < 6:
            return
        doing = self.api.confirm_second_factor(code)

        async def confirmed() -> None:
            self._recovery = await doing
            self._offer = None

        await self._do(confirmed(), "factor")

    async def _remove(self, event: GenericEventArguments) -> None:
        code = str(event.args or "").strip()[:20]
        if len(code) >= 6:
            await self._do(self.api.remove_second_factor(code), "factor")

    async def _end(self, event: GenericEventArguments) -> None:
        await self._do(self.api.end_login(str(event.args)[:20]), "ended")

    async def _end_others(self) -> None:
        await self._do(self.api.end_other_logins(), "ended")

    async def _make_token(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        try:
            name, days = str(sent["name"])[:80], int(sent.get("days") or 90)
            scopes = [str(scope)[:40] for scope in sent["scopes"]][:100]
        except (KeyError, TypeError, ValueError):
            return
        if not (1 <= days <= 366) or not name.strip() or not scopes:
            return
        given = await self._do(self.api.make_my_token(name, scopes, days), "token")
        self._token = given.token if given is not None else ""
        self.draw()

    async def _revoke(self, event: GenericEventArguments) -> None:
        await self._do(self.api.revoke_my_token(str(event.args)[:20]), "token")

    async def _hide(self) -> None:
        self._token, self._offer = "", None
        was, self._recovery = self._recovery, None
        if was is not None and self._must and not self.login.user.must:
            self.client.open("/")
            return
        self.draw()


def _me(me: MyAccount, words: Words) -> Drawn:
    return {
        "username": me.user.username,
        "roles": [words.say(f"role.{role.value}") for role in me.user.roles],
        "least": me.password_min_chars,
        "second_factor": me.second_factor,
        "recovery_left": me.recovery_codes_left,
        "external": me.external,
        "scopes": list(me.scopes),
    }


def _login(row: LoginView, words: Words) -> Drawn:
    return {
        "id": row.id,
        "agent": row.agent[:AGENT_MAX_CHARS],
        "address": row.address,
        "made": second(words, row.made_utc_ms),
        "used": second(words, row.used_utc_ms),
        "current": row.current,
    }


def token_drawn(row: TokenView, words: Words) -> Drawn:
    """A token as both pages list it."""
    return {
        "id": row.id,
        "name": row.name,
        "username": row.username,
        "scopes": " ".join(row.scopes),
        "until": second(words, row.expires_utc_ms),
        "used": second(words, row.used_utc_ms),
    }


def second(words: Words, utc_ms: int | None) -> str:
    """Day and time to the second, in the site's zone."""
    return words.day_and_time(utc_ms)[:19]
