"""Decides which page answers which address, and who may see it."""

from collections.abc import Callable
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import app, ui

from contracts.api import Role
from controller.console import login_pages, node_pages
from controller.console.account_pages import AccountPage
from controller.console.alert_view import AlertPage
from controller.console.alerts_page import AlertsPage
from controller.console.dispatch_page import DispatchPage
from controller.console.duty_page import DUTY_ROLES, DutyPage
from controller.console.evidence_page import EvidencePage
from controller.console.kitchen_page import KitchenPage
from controller.console.logins import Login
from controller.console.menu_page import MenuPage
from controller.console.nav import WALL_ROLES, home_of, roles_of
from controller.console.outside_desk import ACTING
from controller.console.outside_page import OutsidePage
from controller.console.page import Page, Shared, browser_id, language_of
from controller.console.panels import DoorPage
from controller.console.parts import ASSETS, Notice
from controller.console.report_pages import ConductPage, ReportView
from controller.console.retrieval_page import RetrievalsPage
from controller.console.sessions_page import SessionPage, SessionsPage
from controller.console.settings_pages import SettingsPage
from controller.console.sites_page import SitesPage
from controller.console.statistics_page import StatisticsPage
from controller.console.tablet_page import TabletPage
from controller.console.texts import Language, group, say
from controller.console.wall import Wall

_STYLE = ASSETS / "console.css"


def register(shared: Shared) -> None:
    """Declare the pages. Once a process: NiceGUI keeps routes for the whole of it."""
    app.add_static_files("/assets", str(ASSETS), max_cache_age=0)
    version = int(_STYLE.stat().st_mtime)
    ui.add_head_html(f'<link rel="stylesheet" href="/assets/console.css?v={version}">', shared=True)
    login_pages.register(shared)
    guard = _Guard(shared)
    _register_accounts(shared, guard)

    @ui.page("/")
    def wall(request: Request) -> Response | None:
        home = guard.home()
        if home is not None:
            return RedirectResponse(home)
        return guard.open(request, WALL_ROLES, lambda login: Wall(shared, login, request))

    _register_handling(shared, guard)
    _register_sessions(shared, guard)

    @ui.page("/alerts/{alert_id}")
    def alert(request: Request, alert_id: str) -> Response | None:
        return guard.open(
            request, WALL_ROLES, lambda login: AlertPage(shared, login, request, alert_id)
        )

    @ui.page("/sites")
    def sites(request: Request) -> Response | None:
        roles = roles_of("sites")
        return guard.open(request, roles, lambda login: SitesPage(shared, login, request))

    _register_panels(shared, guard)
    _register_reports(shared, guard)
    _register_search(shared, guard)
    node_pages.register(shared)

    @ui.page("/outside")
    @ui.page("/outside/{room_id}")
    def outside(request: Request, room_id: str = "") -> Response | None:
        return guard.open(
            request, ACTING, lambda login: OutsidePage(shared, login, request, room_id)
        )

    @ui.page("/{path:path}")
    def nowhere(request: Request) -> None:
        ui.context.client.status_code = 404
        _notice("state.not_found", language_of(request))


def _register_panels(shared: Shared, guard: "_Guard") -> None:
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

    @ui.page("/robots")
    def robots(request: Request) -> Response | None:
        roles = roles_of("robots")
        return guard.open(request, roles, lambda login: DispatchPage(shared, login, request))

    @ui.page("/kitchen")
    def kitchen(request: Request) -> Response | None:
        roles = (Role.KITCHEN, Role.SUPERVISOR)
        return guard.open(request, roles, lambda login: KitchenPage(shared, login, request))

    @ui.page("/kitchen/menu")
    def menu(request: Request) -> Response | None:
        roles = (Role.KITCHEN, Role.SUPERVISOR)
        return guard.open(request, roles, lambda login: MenuPage(shared, login, request))


def _register_reports(shared: Shared, guard: "_Guard") -> None:
    @ui.page("/report/{session_id}")
    def report(request: Request, session_id: str) -> Response | None:
        return guard.open(
            request, WALL_ROLES, lambda login: ReportView(shared, login, request, session_id)
        )

    @ui.page("/conduct")
    def conduct(request: Request) -> Response | None:
        roles = roles_of("conduct")
        return guard.open(request, roles, lambda login: ConductPage(shared, login, request))

    @ui.page("/retrievals")
    def retrievals(request: Request) -> Response | None:
        roles = roles_of("retrievals")
        return guard.open(request, roles, lambda login: RetrievalsPage(shared, login, request))


def _register_accounts(shared: Shared, guard: "_Guard") -> None:
    @ui.page("/account")
    def account(request: Request) -> Response | None:
        return guard.open(request, None, lambda login: AccountPage(shared, login, request))

    @ui.page("/settings")
    def settings(request: Request) -> Response | None:
        roles = roles_of("settings")
        return guard.open(request, roles, lambda login: SettingsPage(shared, login, request))


def _register_sessions(shared: Shared, guard: "_Guard") -> None:
    @ui.page("/sessions")
    def all_sessions(request: Request) -> Response | None:
        return guard.open(request, WALL_ROLES, lambda login: SessionsPage(shared, login, request))

    @ui.page("/sessions/{session_id}")
    def one_session(request: Request, session_id: str) -> Response | None:
        return guard.open(
            request, WALL_ROLES, lambda login: SessionPage(shared, login, request, session_id)
        )


def _register_handling(shared: Shared, guard: "_Guard") -> None:
    @ui.page("/alerts")
    def all_alerts(request: Request) -> Response | None:
        return guard.open(request, WALL_ROLES, lambda login: AlertsPage(shared, login, request))

    @ui.page("/duty")
    def duty(request: Request) -> Response | None:
        return guard.open(request, DUTY_ROLES, lambda login: DutyPage(shared, login, request))


def _register_search(shared: Shared, guard: "_Guard") -> None:
    @ui.page("/evidence")
    def evidence(request: Request) -> Response | None:
        roles = roles_of("evidence")
        return guard.open(request, roles, lambda login: EvidencePage(shared, login, request))

    @ui.page("/statistics")
    def statistics(request: Request) -> Response | None:
        roles = roles_of("statistics")
        return guard.open(request, roles, lambda login: StatisticsPage(shared, login, request))


class _Guard:
    """Lets the logged-in in, and only where their roles reach."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def open(
        self,
        request: Request,
        roles: tuple[Role, ...] | None,
        make: Callable[[Login], Page],
    ) -> Response | None:
        """The page; ``roles`` None: everybody's, and the one for who must do something first."""
        login = self._shared.logins.of(browser_id())
        if login is None:
            goal = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(goal)}")
        if roles is not None and login.user.must:
            return RedirectResponse("/account")
        if roles is not None and not any(role in login.user.roles for role in roles):
            ui.context.client.status_code = 403
            _notice("state.forbidden", language_of(request))
            return None
        make(login).open()
        return None

    def home(self) -> str | None:
        """Where a panel belongs that has no wall; None for those who have one."""
        login = self._shared.logins.of(browser_id())
        return None if login is None else home_of(login.user)


def _notice(key: str, language: Language) -> None:
    Notice().show(t=group(("state",), language), text=say(key, language), href="/")
