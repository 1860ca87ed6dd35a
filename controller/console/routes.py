"""Decides which page answers which address, and who may see it."""

from collections.abc import Callable

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import app, ui
from nicegui.events import GenericEventArguments

from client import ControllerLost, RefusedError
from contracts.api import Role
from controller.console import node_pages
from controller.console.alert_view import AlertPage
from controller.console.alerts_page import AlertsPage
from controller.console.duty_page import DUTY_ROLES, DutyPage
from controller.console.evidence_page import EvidencePage
from controller.console.logins import Login
from controller.console.nav import WALL_ROLES, home_of, roles_of
from controller.console.page import Page, Shared, browser_id, keep_language, language_of
from controller.console.panels import DoorPage, KitchenPage, ReportView, TabletPage
from controller.console.parts import ASSETS, LoginForm, Notice
from controller.console.sites_page import SitesPage
from controller.console.statistics_page import StatisticsPage
from controller.console.texts import Language, group, say
from controller.console.wall import Wall

LOCKED_STATUS = (423, 429)
_STYLE = ASSETS / "console.css"


def register(shared: Shared) -> None:
    """Declare the pages. Once a process: NiceGUI keeps routes for the whole of it."""
    app.add_static_files("/assets", str(ASSETS), max_cache_age=0)
    version = int(_STYLE.stat().st_mtime)
    ui.add_head_html(f'<link rel="stylesheet" href="/assets/console.css?v={version}">', shared=True)
    _register_login(shared)
    guard = _Guard(shared)

    @ui.page("/")
    def wall(request: Request) -> Response | None:
        home = guard.home()
        if home is not None:
            return RedirectResponse(home)
        return guard.open(request, WALL_ROLES, lambda login: Wall(shared, login, request))

    _register_handling(shared, guard)

    @ui.page("/alerts/{alert_id}")
    def alert(request: Request, alert_id: str) -> Response | None:
        return guard.open(
            request, WALL_ROLES, lambda login: AlertPage(shared, login, request, alert_id)
        )

    @ui.page("/evidence")
    def evidence(request: Request) -> Response | None:
        roles = roles_of("evidence")
        return guard.open(request, roles, lambda login: EvidencePage(shared, login, request))

    @ui.page("/statistics")
    def statistics(request: Request) -> Response | None:
        roles = roles_of("statistics")
        return guard.open(request, roles, lambda login: StatisticsPage(shared, login, request))

    @ui.page("/sites")
    def sites(request: Request) -> Response | None:
        roles = roles_of("sites")
        return guard.open(request, roles, lambda login: SitesPage(shared, login, request))

    @ui.page("/tablet/{room_id}")
    def tablet(request: Request, room_id: str) -> Response | None:
        return guard.open(
            request, (Role.TABLET,), lambda login: TabletPage(shared, login, request, room_id)
        )

    @ui.page("/door")
    @ui.page("/door/{robot_id}")
    def door(request: Request, robot_id: str = "") -> Response | None:
        return guard.open(
            request, (Role.DOOR_PANEL,), lambda login: DoorPage(shared, login, request, robot_id)
        )

    @ui.page("/kitchen")
    def kitchen(request: Request) -> Response | None:
        roles = (Role.KITCHEN, Role.SUPERVISOR)
        return guard.open(request, roles, lambda login: KitchenPage(shared, login, request))

    @ui.page("/report/{session_id}")
    def report(request: Request, session_id: str) -> Response | None:
        return guard.open(
            request, WALL_ROLES, lambda login: ReportView(shared, login, request, session_id)
        )

    node_pages.register(shared)

    @ui.page("/{path:path}")
    def nowhere(request: Request) -> None:
        ui.context.client.status_code = 404
        _notice("state.not_found", language_of(request))


def _register_handling(shared: Shared, guard: "_Guard") -> None:
    @ui.page("/alerts")
    def all_alerts(request: Request) -> Response | None:
        return guard.open(request, WALL_ROLES, lambda login: AlertsPage(shared, login, request))

    @ui.page("/duty")
    def duty(request: Request) -> Response | None:
        return guard.open(request, DUTY_ROLES, lambda login: DutyPage(shared, login, request))


class _Guard:
    """Lets the logged-in in, and only where their roles reach."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def open(
        self, request: Request, roles: tuple[Role, ...], make: Callable[[Login], Page]
    ) -> Response | None:
        login = self._shared.logins.of(browser_id())
        if login is None:
            return RedirectResponse(f"/login?next={request.url.path}")
        if not any(role in login.user.roles for role in roles):
            ui.context.client.status_code = 403
            _notice("state.forbidden", language_of(request))
            return None
        make(login).open()
        return None

    def home(self) -> str | None:
        """Where a panel belongs that has no wall; None for those who have one."""
        login = self._shared.logins.of(browser_id())
        return None if login is None else home_of(login.user)


class _LoginPage:
    """``/login``."""

    def __init__(self, shared: Shared, request: Request, goal: str) -> None:
        self._shared = shared
        self._browser = browser_id()
        self._goal = goal if goal.startswith("/") and not goal.startswith("//") else "/"
        self._language = language_of(request)
        self._problem = ""
        self._busy = False
        self._client = ui.context.client
        self._form = LoginForm()
        self._form.on("submit", self._submit)
        self._form.on("language", self._switch_language)
        self._draw()

    def _draw(self) -> None:
        self._form.show(
            t=group(("app", "login", "header"), self._language),
            problem=say(self._problem, self._language) if self._problem else "",
            busy=self._busy,
        )

    def _switch_language(self) -> None:
        self._language = Language.EN if self._language is Language.ZH else Language.ZH
        with self._client:
            keep_language(self._language)
        self._draw()

    async def _submit(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        username, password = str(sent.get("username", ""))[:64], str(sent.get("password", ""))[:256]
        if self._busy or not username or not password:
            return
        self._busy, self._problem = True, ""
        self._draw()
        self._problem = await self._sign_in(username, password)
        self._busy = False
        self._draw()
        if not self._problem:
            if self._shared.director is not None:
                self._shared.director.start()
            self._client.open(self._goal)

    async def _sign_in(self, username: str, password: str) -> str:
        """Empty, or the key of the text that says why not."""
        try:
            await self._shared.logins.sign_in(self._browser, username, password)
        except RefusedError as error:
            return "login.locked" if error.problem.status in LOCKED_STATUS else "login.wrong"
        except ControllerLost:
            return "login.lost"
        return ""


def _register_login(shared: Shared) -> None:
    @ui.page("/login")
    def login(request: Request, next: str = "/") -> Response | None:  # noqa: A002 - as in the address
        if shared.logins.of(browser_id()) is not None:
            return RedirectResponse("/")
        ui.context.client.title = say("login.title", language_of(request))
        _LoginPage(shared, request, next)
        return None


def _notice(key: str, language: Language) -> None:
    Notice().show(t=group(("state",), language), text=say(key, language), href="/")
