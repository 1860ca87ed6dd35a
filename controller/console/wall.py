"""The supervisor's wall: rooms, alerts, robots, deliveries and sessions on one page."""

from typing import TypeVar

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ConfigDict, ValidationError

from client import FORBIDDEN, ControllerLost, RefusedError
from contracts.api import MediaLink, Role, SessionBody
from contracts.units import MonoMs
from controller.console.alert_view import RECORDING_ROLES, AlertDesk
from controller.console.alert_view import TEXTS as ALERT_TEXTS
from controller.console.feed import Link
from controller.console.house import House
from controller.console.outside_desk import OutsideBanner, OutsideDesk
from controller.console.page import Page
from controller.console.parts import Deliveries, Floor, Rail, Rooms, Sessions
from controller.console.present import alerts, deliveries, floor, rooms, sessions
from controller.console.present.words import Drawn, Words

MEDIA_LOOK_MS = 2_000  # a room's links are not asked for more often than this
SEEN_LOOK_MS = 200  # a page of tiles that is turned shows its pictures at once
MEDIA_RETRY_MS = 4_000  # a refused or failed link is asked for again
ID_MAX = 64
ROOMS_MAX = 256  # four times what a wall of this product holds

ModelT = TypeVar("ModelT", bound=BaseModel)


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Step(_Asked):
    id: str
    step: str


class Media:
    """Picture links of one user, fetched anew at half of their life."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.links: dict[str, tuple[MediaLink, ...]] = {}
        self.denied: set[str] = set()
        self.visible: frozenset[str] = frozenset()
        """The rooms that the browser shows now: only their pictures are asked for."""
        self._due: dict[str, MonoMs] = {}

    async def run(self) -> None:
        """Until the page is gone."""
        clock = self._page.shared.clock
        while not self._page.client.is_deleted:
            feed = self._page.login.feed
            if feed.house is not None and feed.link is Link.LIVE:
                for room_id in sorted(self.visible & set(feed.house.rooms)):
                    if clock.mono_ms() >= self._due.get(room_id, 0):
                        await self._fetch(room_id)
            await clock.sleep_ms(SEEN_LOOK_MS)

    def failed(self, room_id: str) -> None:
        """A browser could not fetch the picture: ask for new links soon."""
        soon = self._page.shared.clock.mono_ms() + MEDIA_LOOK_MS
        self._due[room_id] = MonoMs(min(self._due.get(room_id, MonoMs(soon)), soon))

    async def _fetch(self, room_id: str) -> None:
        clock = self._page.shared.clock
        wait_ms = MEDIA_RETRY_MS
        try:
            links = await self._page.api.media(room_id)
            self.links[room_id] = links
            self.denied.discard(room_id)
            left_ms = min((link.expires_utc_ms for link in links), default=0) - clock.utc_ms()
            wait_ms = max(left_ms // 2, MEDIA_LOOK_MS)
        except RefusedError as error:
            self.links.pop(room_id, None)
            if error.problem.status == FORBIDDEN:
                self.denied.add(room_id)
        except ControllerLost:
            pass  # the banner says so; links that still live are kept
        self._due[room_id] = MonoMs(clock.mono_ms() + wait_ms)
        self._page.changed()


class Wall(Page):
    """``/``."""

    texts = (
        *ALERT_TEXTS,
        *("room", "camera", "sound", "session", "map", "robot", "delivery"),
        *("wall", "keys", "listen", "outside", "voice"),
    )
    here = "wall"

    def build(self) -> None:
        self._plan: Drawn = {}
        self._robots: list[Drawn] = []
        self._tiles = rooms.Tiles(self.login.user.username)
        self._drawn_words: Words | None = None
        self._drawn_of: dict[str, tuple[object, ...]] = {}
        self.media = Media(self)
        with ui.element("main").classes("ze-wall"):
            with ui.element("div").classes("ze-wall-main"):
                self.strip = OutsideBanner(self, self._to_room)
                self.rooms = Rooms()
                with self.rooms:
                    self.outside = OutsideDesk(self)
                self.floor = Floor()
                self.deliveries = Deliveries()
            with ui.element("div").classes("ze-wall-side"):
                self.rail = Rail()
                self.sessions = Sessions()
        self.desk = AlertDesk(self, modal=True)
        self.rooms.on("visible", self._look)
        self.rooms.on("opened", self._opened)
        self.rooms.on("listen", self._listen)
        self.rooms.on("failed", lambda event: self.media.failed(str(event.args)))
        self.rail.on("acknowledge", self._acknowledge)
        self.rail.on("open", lambda event: self.desk.open(str(event.args)))
        self.sessions.on("step", self._step)
        self.sessions.on("schedule", self._schedule)
        background_tasks.create(self.media.run(), name="console-media")

    def draw(self) -> None:
        t, house = self.t(), self.login.feed.house
        if house is None:
            self._draw_waiting(t)
            return
        words = self.words
        drawn = self._draw_rooms(house, t)
        opened = self.desk.alert_id or ""
        if self._anew("rail", words, opened, house.alerts):
            self.rail.show(
                t=t,
                alerts=alerts.rail(house, words),
                opened=opened,
                may=self.has(Role.SUPERVISOR, Role.SECTOR_SUPERVISOR, Role.DUTY_OFFICER, Role.OPS),
                loading=False,
            )
        self.desk.draw()
        self.outside.draw()
        self.strip.draw()
        floor_of = (house.zones, house.robots, house.deliveries, house.facilities)
        if self._anew("floor", words, *floor_of):
            self._draw_floor(house, t)
        if self._anew("sessions", words, house.sessions):
            self._draw_sessions(house, drawn, t)

    def _anew(self, part: str, words: Words, *of: object) -> bool:
        """Whether what a part is drawn of has changed: of 64 rooms most changes are a count.

        The house replaces what changes and never alters it, so it is enough to look which it is.
        """
        now = (words, *of)
        before = self._drawn_of.get(part)
        self._drawn_of[part] = now
        return before is None or any(
            one is not other and (not isinstance(one, Words | str) or one != other)
            for one, other in zip(now, before, strict=True)
        )

    def _draw_sessions(self, house: House, drawn: list[Drawn], t: dict[str, str]) -> None:
        words, may_control = self.words, self.has(Role.SUPERVISOR)
        self.sessions.show(
            t=t,
            sessions=sessions.listed(house, words, may_control=may_control),
            rooms=[
                {"id": tile["id"], "name": tile["name"]}
                for tile in drawn
                if tile["kind"] == "evaluation"
            ],
            may=may_control,
            loading=False,
        )

    def _draw_rooms(self, house: House, t: dict[str, str]) -> list[Drawn]:
        """Send the tiles that changed; all of them only where nothing else will do."""
        words = self.words
        drawn, fresh = self._tiles.draw(house, self.media.links, self.media.denied, words)
        known = self.rooms.props.get("rooms")
        same = (
            words == self._drawn_words
            and isinstance(known, tuple)
            and [row["id"] for row in known] == [row["id"] for row in drawn]
        )
        self._drawn_words = words
        if same:
            self.rooms.keep(rooms=drawn)
            if fresh:
                self.rooms.run_method("patch", fresh)
        self.rooms.show(
            t=t, rooms=drawn, loading=False, tablets=self.has(Role.TABLET), **self._may()
        )
        return drawn

    def _look(self, event: GenericEventArguments) -> None:
        """The browser shows these rooms now."""
        if isinstance(event.args, list):
            self.media.visible = frozenset(str(one) for one in event.args[:ROOMS_MAX])

    def _to_room(self, room_id: str, call_id: str | None) -> None:
        """Open the room that something outside the wall is about."""
        self.outside.open(room_id, call_id)
        self.rooms.run_method("open", room_id)
        self.redraw()

    def _opened(self, event: GenericEventArguments) -> None:
        """The browser has opened a room, or closed it: what is heard then is heard on.

        Another room that is opened ends it: controls must never be those of a room not shown.
        """
        room_id = str(event.args)[:ID_MAX]
        if room_id:
            self.outside.open(room_id)
        elif not self.outside.hears:
            self.outside.close()
        self.redraw()

    async def _listen(self, event: GenericEventArguments) -> None:
        """Hear this room and no other; the same once more: hear none."""
        room_id = str(event.args)[:ID_MAX]
        if self.outside.hears == room_id:
            await self.outside.hush()
        else:
            await self.outside.listen(room_id)
        self.redraw()

    def _may(self) -> Drawn:
        """Which links to an edge node's pages this user is offered; the controller decides."""
        return {
            "live": self.has(Role.SUPERVISOR, Role.SECTOR_SUPERVISOR, Role.OPS),
            "recordings": self.has(*RECORDING_ROLES),
            "zones": self.has(Role.SUPERVISOR, Role.OPS),
            "may_listen": self.has(Role.SUPERVISOR, Role.SECTOR_SUPERVISOR),
        }

    def _draw_waiting(self, t: dict[str, str]) -> None:
        self._drawn_of.clear()
        self.desk.draw()
        self.outside.draw()
        self.strip.draw()
        self.rooms.show(t=t, rooms=[], loading=True, tablets=False)
        self.rail.show(t=t, alerts=[], opened="", may=False, loading=True)
        self.floor.show(t=t, plan={}, robots=[])
        self.deliveries.show(t=t, deliveries=[], order_href="", loading=True)
        self.sessions.show(t=t, sessions=[], rooms=[], may=False, loading=True)

    def _draw_floor(self, house: House, t: dict[str, str]) -> None:
        site, words = self.login.feed.site, self.words
        if site is None:
            return
        plan = floor.plan(site, house, words, self.login.feed.chart, house.facilities)
        robots = floor.robots(site, house, words)
        if plan != self._plan or self.floor.props.get("t") != t:
            self._plan, self._robots = plan, robots
            self.floor.show(t=t, plan=plan, robots=robots)
        elif robots != self._robots:
            # Robots report five times a second: they alone are sent, not the whole drawing.
            self._robots = robots
            self.floor.run_method("drive", robots)
        self.deliveries.show(
            t=t,
            deliveries=deliveries.strip(house, site, words),
            order_href=self.tablet_href() if self.has(Role.TABLET) else "",
            loading=False,
        )

    async def _acknowledge(self, event: GenericEventArguments) -> None:
        await self.attempt(self.api.acknowledge(str(event.args)))

    async def _step(self, event: GenericEventArguments) -> None:
        asked = _parsed(_Step, event.args)
        if asked is not None:
            doing = self.api.session_step(asked.id, asked.step)
            await self.attempt(doing, look_at=f"/sessions/{asked.id}")

    async def _schedule(self, event: GenericEventArguments) -> None:
        body = _parsed(SessionBody, event.args)
        if body is not None:
            await self.attempt(self.api.schedule(body))


def _parsed(model: type[ModelT], sent: object) -> ModelT | None:
    """What a browser sent, checked; None for what our own pages never send."""
    try:
        return model.model_validate(sent)
    except ValidationError:
        return None
