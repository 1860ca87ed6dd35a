"""The pages before a log-in: name and password, second factor, one-time links, the provider."""

from typing import Final

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from client import ControllerLost, RefusedError
from contracts.api.accounts import SECOND_FACTOR, FirstBody, LinkView
from controller.console.logins import At, ForeignStateError
from controller.console.page import Shared, browser_id, keep_language, language_of
from controller.console.parts import ASSETS, LoginForm, Notice, Part
from controller.console.texts import Language, group, say

LOCKED_STATUS: Final = (423, 429)
_LIB: Final = {"zeroentry-console": str(ASSETS / "lib")}


class WelcomeForm(Part, component=ASSETS / "ze_account_welcome.js", esm=_LIB):
    """What a one-time link opens."""


def at(request: Request) -> At:
    """Where the browser is and what it is, for the controller's counting and its audit log."""
    address = request.client.host if request.client is not None else ""
    return address, request.headers.get("user-agent", "")


def register(shared: Shared) -> None:
    """Declare ``/login``, ``/login/oidc`` and ``/welcome``."""

    @ui.page("/login")
    def login(request: Request, next: str = "/") -> Response | None:  # noqa: A002 - as in the address
        if shared.logins.of(browser_id()) is not None:
            return RedirectResponse("/")
        ui.context.client.title = say("login.title", language_of(request))
        _LoginPage(shared, request, next)
        return None

    @ui.page("/login/oidc", response_timeout=15.0)
    async def back(request: Request, state: str = "", code: str = "") -> Response | None:
        language = language_of(request)
        try:
            await shared.logins.finish_oidc(browser_id(), state[:256], code[:2048], at(request))
        except RefusedError as error:
            ui.context.client.status_code = error.problem.status
            text = error.problem.detail or error.problem.title
        except ForeignStateError:
            ui.context.client.status_code = 401
            text = say("login.foreign", language)
        except ControllerLost:
            ui.context.client.status_code = 502
            text = say("login.lost", language)
        else:
            return RedirectResponse("/")
        Notice().show(t=group(("state",), language), text=text, href="/login")
        return None

    @ui.page("/welcome")
    def welcome(request: Request) -> None:
        ui.context.client.title = say("welcome.title", language_of(request))
        _WelcomePage(shared, request)


class _LoginPage:
    """``/login``."""

    def __init__(self, shared: Shared, request: Request, goal: str) -> None:
        self._shared = shared
        self._browser = browser_id()
        self._at = at(request)
        self._goal = goal if goal.startswith("/") and not goal.startswith("//") else "/"
        self._language = language_of(request)
        self._problem = ""
        self._busy = False
        self._code_needed = False
        self._sso = ""
        self._client = ui.context.client
        self._form = LoginForm()
        self._form.on("submit", self._submit)
        self._form.on("sso", self._to_provider)
        self._form.on("back", self._back)
        self._form.on("language", self._switch_language)
        self._draw()
        background_tasks.create(self._ask_provider(), name="console-provider")

    def _draw(self) -> None:
        self._form.show(
            t=group(("app", "login", "header"), self._language),
            problem=say(self._problem, self._language) if self._problem in _KEYS else self._problem,
            busy=self._busy,
            code_needed=self._code_needed,
            sso=self._sso,
        )

    def _switch_language(self) -> None:
        self._language = Language.EN if self._language is Language.ZH else Language.ZH
        with self._client:
            keep_language(self._language)
        self._draw()

    def _back(self) -> None:
        self._code_needed, self._problem = False, ""
        self._draw()

    async def _ask_provider(self) -> None:
        try:
            view = await self._shared.logins.api.oidc()
        except (RefusedError, ControllerLost):
            return
        if view.name and not self._client.is_deleted:
            self._sso = view.name
            self._draw()

    async def _to_provider(self) -> None:
        try:
            url = await self._shared.logins.begin_oidc(self._browser, self._at)
        except (RefusedError, ControllerLost):
            self._problem = "login.sso_lost"
            self._draw()
            return
        self._client.open(url)

    async def _submit(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        username, password = str(sent.get("username", ""))[:64], str(sent.get("password", ""))[:256]
        code = str(sent.get("code", ""))[:20]
        if self._busy or not username or not password:
            return
        self._busy, self._problem = True, ""
        self._draw()
        self._problem = await self._sign_in(username, password, code)
        self._busy = False
        self._draw()
        if not self._problem and not self._asks:
            if self._shared.director is not None:
                self._shared.director.start()
            self._client.open(self._goal)

    async def _sign_in(self, username: str, password: str, code: str) -> str:
        """Empty, or the key of the text that says why not; ``_asks``: a code is to be typed."""
        self._asks = False
        if self._code_needed and len(code) < 6:
            self._asks = True
            return ""
        try:
            await self._shared.logins.sign_in(
                self._browser, username, password, code or None, self._at
            )
        except RefusedError as error:
            if error.problem.type == SECOND_FACTOR:
                wrong = self._code_needed
                self._code_needed = self._asks = True
                return error.problem.detail if wrong else ""
            self._code_needed = False
            return "login.locked" if error.problem.status in LOCKED_STATUS else "login.wrong"
        except ControllerLost:
            return "login.lost"
        return ""


_KEYS: Final = frozenset({"login.locked", "login.wrong", "login.lost", "login.sso_lost"})


class _WelcomePage:
    """``/welcome#SECRET``."""

    def __init__(self, shared: Shared, request: Request) -> None:
        self._language = language_of(request)
        self._base = str(request.base_url).rstrip("/")
        self._api = shared.logins.api.for_browser(*at(request))
        self._client = ui.context.client
        self._secret = ""
        self._view: LinkView | None = None
        self._state = "asking"
        self._problem = ""
        self._busy = False
        self._links: list[dict[str, str]] = []
        self._form = WelcomeForm()
        self._form.on("secret", self._ask)
        self._form.on("submit", self._submit)
        self._form.on("language", self._switch_language)
        self._draw()

    def _draw(self) -> None:
        view = self._view
        self._form.show(
            t=group(("app", "login", "header", "welcome", "account", "role", "state"),
                    self._language),
            state=self._state,
            first=view.first if view else False,
            three=view.three_admins if view else False,
            username=view.username if view else "",
            least=view.password_min_chars if view else 1,
            problem=self._problem,
            busy=self._busy,
            links=self._links,
        )  # fmt: skip

    def _switch_language(self) -> None:
        self._language = Language.EN if self._language is Language.ZH else Language.ZH
        with self._client:
            keep_language(self._language)
        self._draw()

    async def _ask(self, event: GenericEventArguments) -> None:
        if self._view is not None:
            return
        self._secret = str(event.args or "")[:128]
        try:
            self._view = await self._api.in_language(self._language.value).link_asked(
                self._secret or "-"
            )
            self._state = "ready"
        except RefusedError as error:
            self._state, self._problem = "dead", error.problem.detail
        except ControllerLost:
            self._state, self._problem = "dead", say("login.lost", self._language)
        self._draw()

    async def _submit(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        if self._busy or self._view is None or self._state != "ready":
            return
        self._busy, self._problem = True, ""
        self._draw()
        try:
            await self._send({key: str(value)[:256] for key, value in sent.items()})
            self._state, self._secret = "done", ""
        except RefusedError as error:
            self._problem = " ".join((error.problem.detail, *error.problem.errors))[:400]
        except ControllerLost:
            self._problem = say("login.lost", self._language)
        except ValueError:
            self._problem = say("login.wrong", self._language)
        self._busy = False
        self._draw()

    async def _send(self, sent: dict[str, str]) -> None:
        api = self._api.in_language(self._language.value)
        password = sent.get("password", "")
        if self._view is None or not self._view.first:
            await api.password_by_link(self._secret, password)
            return
        body = FirstBody(
            secret=self._secret,
            username=sent.get("name", ""),
            password=password,
            security_admin=sent.get("security") or None,
            audit_admin=sent.get("audit") or None,
        )
        given = await api.first_accounts(body)
        self._links = [
            {"username": row.username, "url": f"{self._base}/welcome#{row.secret}"}
            for row in given.links
        ]
