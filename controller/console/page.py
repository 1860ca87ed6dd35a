"""Holds what each page of a logged-in user has: language, header, banner, redrawing."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import app, background_tasks, ui
from nicegui.events import GenericEventArguments

from client import ApiClient, ControllerLost, RefusedError
from contracts.admission import AreaKind
from contracts.api import AlertView, Role
from contracts.observations import Mode, Severity
from controller.console.director import Cue, CueRefusedError, Director, StepStatus
from controller.console.feed import UNAUTHORISED, Link
from controller.console.house import House
from controller.console.logins import Login, Logins
from controller.console.nav import ENTRIES, WALL_ROLES, menu
from controller.console.parts import Banner, DemoBar, Header
from controller.console.present.deliveries import ENDED
from controller.console.present.words import Drawn, Words
from controller.console.texts import Language, group, say
from runtime.clock import Clock

REDRAW_MS = 120  # rooms and robots report five times a second: one redrawing for all of them
PROBLEM_SHOWN_MS = 12_000  # long enough to read two lines
LANGUAGE_COOKIE = "ze_language"
LANGUAGE_KEPT_S = 31_536_000  # a year: a tablet on a wall keeps its language

_CUE_SIGNS: Final = {
    Cue.SIXTH_PERSON: "person_add",
    Cue.UNPLUG_CAMERA: "plug",
    Cue.BLOCK_CORRIDOR: "barrier",
}

AnswerT = TypeVar("AnswerT")


def language_of(request: Request) -> Language:
    """The language last chosen at this browser, else the one that it prefers."""
    kept = request.cookies.get(LANGUAGE_COOKIE)
    if kept in (Language.ZH.value, Language.EN.value):
        return Language(kept)
    preferred = request.headers.get("accept-language", "").lower()
    return Language.EN if preferred.startswith("en") else Language.ZH


def keep_language(language: Language) -> None:
    """Remember the language at this browser, and name it to screen readers."""
    ui.run_javascript(
        f"document.cookie = '{LANGUAGE_COOKIE}={language.value}; path=/; SameSite=Lax; "
        f"max-age={LANGUAGE_KEPT_S}'; document.documentElement.lang = '{language.value}'"
    )


def browser_id() -> str:
    """Names this browser; it comes from the signed session cookie."""
    return str(app.storage.browser["id"])


class Shared:
    """What all pages of the process share."""

    def __init__(
        self, logins: Logins, clock: Clock, director: Director | None, pictures_url: str
    ) -> None:
        self.logins = logins
        self.pictures_url = pictures_url
        self.clock = clock
        self.director = director


class Page:
    """One open page of one logged-in user. A subclass adds its parts in ``build`` and draws them.

    ``texts`` names the groups of texts that the page's own parts need.
    """

    texts: tuple[str, ...] = ()
    here = ""
    """The page's entry of the menu (``nav.ENTRIES``)."""
    framed = True

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        self.shared = shared
        self.login = login
        self.language = language_of(request)
        self.problem = ""
        self._look_at = ""
        self._problems = 0
        self._drawing = False
        self._cue_sent = ""
        self._cue_refused = ""
        self._header: Header | None = None
        self._banner: Banner | None = None
        self._demo: DemoBar | None = None
        self.client = ui.context.client
        self._browser = browser_id()

    @property
    def words(self) -> Words:
        """The reader: this page's language and the site's time zone."""
        site = self.login.feed.site
        zone = ZoneInfo(site.time_zone if site else "UTC")
        return Words(self.language, zone, self.shared.pictures_url)

    @property
    def api(self) -> ApiClient:
        """The user's way to the controller, in the language of this page."""
        return self.login.api.in_language(self.language.value)

    def has(self, *roles: Role) -> bool:
        """Whether the user holds one of these roles."""
        return any(role in self.login.user.roles for role in roles)

    def open(self) -> None:
        """Build the page and follow the feed until the browser goes."""
        if self.framed:
            self._header = Header()
            self._header.on("language", self.switch_language)
            self._header.on("logout", self._logout)
            self._banner = Banner()
            self._banner.on("dismiss", self._dismiss)
            if self.shared.director is not None:
                self._demo = DemoBar()
                self._demo.on("cue", self._cue)
        self.build()
        leaving = [self.login.attend(self.changed)]
        if self.shared.director is not None:
            leaving.append(self.shared.director.listen(self.changed))
        self.redraw()

        def leave() -> None:
            for go in leaving:
                go()

        self.client.on_delete(leave)

    def build(self) -> None:
        """Make the page's own parts."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw the page's own parts."""
        raise NotImplementedError

    def changed(self) -> None:
        """Something has changed: redraw soon, once."""
        if not self._drawing and not self.client.is_deleted:
            self._drawing = True
            background_tasks.create(self._redraw_soon(), name="console-redraw")

    def keep_looking(self, look: Callable[[], Awaitable[None]], every_ms: int, name: str) -> None:
        """Look now, and again every so often, until the page is closed."""

        async def looking() -> None:
            while not self.client.is_deleted:
                await look()
                await self.shared.clock.sleep_ms(every_ms)

        background_tasks.create(looking(), name=name)

    async def _redraw_soon(self) -> None:
        await self.shared.clock.sleep_ms(REDRAW_MS)
        self._drawing = False
        if self.client.is_deleted:
            return
        if self.login.feed.link is Link.SIGNED_OUT:
            self.client.open("/login")
            return
        self.redraw()

    def redraw(self) -> None:
        """Draw the frame and the page."""
        if self._header is not None:
            self._draw_header(self._header)
        if self._banner is not None:
            self._draw_banner(self._banner)
        if self._demo is not None:
            self._draw_demo(self._demo)
        self.draw()

    def t(self) -> dict[str, str]:
        """The texts of the page's own parts."""
        return group(("app", "state", *self.texts), self.language)

    def switch_language(self) -> None:
        """The other language, at once and from now on."""
        self.language = Language.EN if self.language is Language.ZH else Language.ZH
        with self.client:
            keep_language(self.language)
        self.redraw()

    async def attempt(self, doing: Awaitable[AnswerT], look_at: str = "") -> AnswerT | None:
        """Do what the user asked for; what the controller refuses is shown above the page.

        ``look_at``: the page that tells more about a refusal, and where one can go on.
        """
        try:
            answer = await doing
        except RefusedError as error:
            if error.problem.status == UNAUTHORISED:
                self.client.open("/login")
                return None
            self.show_problem(error.problem.detail or error.problem.title, look_at)
            return None
        except ControllerLost:
            self.show_problem(say("problem.lost", self.language))
            return None
        self._dismiss()
        return answer

    def show_problem(self, text: str, look_at: str = "") -> None:
        """Show a problem for some seconds, with a way to the page ``look_at``."""
        self.problem, self._look_at = text, look_at
        self._problems += 1
        background_tasks.create(self._dismiss_later(self._problems), name="console-dismiss")
        self.redraw()

    async def _dismiss_later(self, number: int) -> None:
        await self.shared.clock.sleep_ms(PROBLEM_SHOWN_MS)
        if number == self._problems and not self.client.is_deleted:
            self._dismiss()

    def _dismiss(self) -> None:
        if self.problem:
            self.problem = ""
            self.redraw()

    async def _logout(self) -> None:
        await self.shared.logins.sign_out(self._browser)
        self.client.open("/login")

    async def _cue(self, event: GenericEventArguments) -> None:
        if self.shared.director is None or event.args not in set(Cue):
            return
        cue = Cue(event.args)
        try:
            await self.shared.director.cue(cue)
            self._cue_sent, self._cue_refused = cue.value, ""
        except CueRefusedError as error:
            self._cue_sent = ""
            self._cue_refused = error.why(self.language) or say("demo.lost", self.language)
        self.redraw()
        background_tasks.create(self._forget_cue(), name="console-cue")

    async def _forget_cue(self) -> None:
        await self.shared.clock.sleep_ms(PROBLEM_SHOWN_MS // 2)
        self._cue_sent = self._cue_refused = ""
        if not self.client.is_deleted:
            self.redraw()

    def _draw_header(self, header: Header) -> None:
        feed, words = self.login.feed, self.words
        new = self._unacknowledged()
        header.show(
            t=group(("app", "header", "nav", "ring"), self.language),
            site=words.name(feed.site.name) if feed.site else "",
            user=self.login.user.username,
            roles=" · ".join(words.say(f"role.{role.value}") for role in self.login.user.roles),
            nav=self._nav(),
            link=feed.link.value,
            waiting=len(new),
            ringing=self._ringing(new),
            server_ms=self._server_ms(),
            zone=words.zone.key,
            lang=self.language.value,
            sounds=self.has(*WALL_ROLES),
            here=self.title(),
        )

    def title(self) -> str:
        """What the browser's tab says before the product's name; empty on the wall."""
        named = any(entry.id == self.here != "wall" for entry in ENTRIES)
        return say(f"nav.{self.here}", self.language) if named else ""

    def _unacknowledged(self) -> list[AlertView]:
        """The alerts that this user sees and nobody has acknowledged."""
        house = self.login.feed.house
        if house is None or not self.has(*WALL_ROLES):
            return []
        rows = house.alerts.values()
        return [row for row in rows if row.handling == "new" and row.mode is Mode.ON]

    def _ringing(self, new: list[AlertView]) -> list[Drawn]:
        """What the alarm sounds for: new alerts above a notice, and calls nobody has answered."""
        house = self.login.feed.house
        calls = house.open_calls() if house is not None and self.has(*WALL_ROLES) else ()
        rows: list[Drawn] = [{"id": call.id, "severity": "call"} for call in calls]
        rows += [
            {"id": alert.id, "severity": alert.severity.value}
            for alert in new
            if alert.severity is not Severity.NOTICE
        ]
        return rows

    def _server_ms(self) -> int:
        """The time, told anew each minute: enough to keep the browser's clock right."""
        now = int(self.shared.clock.utc_ms())
        told = self._header.props.get("server_ms", 0) if self._header else 0
        return told if isinstance(told, int) and 0 <= now - told < 60_000 else now

    def _nav(self) -> list[Drawn]:
        panels = {"tablet": self.tablet_href(), "door": self.door_href()}
        return menu(self.login.user, self.here, panels, lambda key: say(key, self.language))

    def tablet_href(self) -> str:
        """The tablet of the user's room, or of the first room that robots serve."""
        feed = self.login.feed
        if self.login.user.room_id is not None:
            return f"/tablet/{self.login.user.room_id}"
        if feed.house is None or feed.site is None:
            return ""
        rooms = [room for room in feed.house.rooms.values() if room.kind is AreaKind.EVALUATION]
        served = [room.id for room in rooms if room.id in feed.site.door_nodes]
        return f"/tablet/{served[0]}" if served else ""

    def door_href(self) -> str:
        """The panel of the robot under way, or of the first robot."""
        house = self.login.feed.house
        robot = robot_under_way(house) if house else None
        return f"/door/{robot}" if robot else ""

    def _draw_banner(self, banner: Banner) -> None:
        feed = self.login.feed
        banner.show(
            t=group(("banner", "state", "problem"), self.language),
            lost=feed.link is Link.LOST,
            since=self.words.at(feed.lost_utc_ms),
            problem=self.problem,
            look={"href": self._look_at, "label": self.words.say("wall.look")},
            loading=feed.house is None and feed.link is Link.CONNECTING,
        )

    def _draw_demo(self, bar: DemoBar) -> None:
        director = self.shared.director
        story = director.story if director else None
        steps = story.steps if story else ()
        active = next((step for step in steps if step.status is StepStatus.ACTIVE), None)
        begun = any(step.status is StepStatus.DONE for step in steps)
        waiting = (step for step in steps if begun and step.status is StepStatus.WAITING)
        coming = next(waiting, None)
        words = self.words
        bar.show(
            t=group(("demo",), self.language),
            state="lost" if director and director.lost else "ok",
            loop=story.loop if story else 0,
            steps=[
                {"id": step.id, "title": words.name(step.title), "status": step.status.value}
                for step in steps
            ],
            todo=words.name(active.todo) if active and active.todo else "",
            now=words.name(active.title) if active else "",
            next=words.name(coming.title) if coming else "",
            sent=self._cue_sent,
            refused=self._cue_refused,
            cues=[
                {"id": cue.value, "label": words.say(f"demo.{cue.value}"), "sign": sign}
                for cue, sign in _CUE_SIGNS.items()
            ],
        )


def robot_under_way(house: House) -> str | None:
    """The robot with the newest delivery under way, else the first of the site."""
    carried = [
        view for view in house.deliveries.values() if view.robot_id and view.state not in ENDED
    ]
    newest = max(carried, key=lambda view: view.ordered_utc_ms, default=None)
    return newest.robot_id if newest else next(iter(house.robots), None)
