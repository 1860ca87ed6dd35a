"""One alert with everything around it: in a dialog on the wall, or at its own address."""

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from client import ControllerLost, RefusedError
from contracts.api import AlertView, Role
from contracts.api.record import RecordLine
from controller.console.clips import OpenedClip
from controller.console.handling_desk import HandlingDesk
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import AlertCard
from controller.console.present import alerts, around

TEXTS = ("alert", "around", "wave", "clip", "track", "handling")
"""Groups of texts that a page with an ``AlertDesk`` needs."""

RECORDING_ROLES = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR, Role.AUDITOR)
"""Who is offered clip and sound; the controller decides."""

PAGES_MAX = 20  # of the record: 4,000 lines, more than a session of ten hours has
NOT_FOUND = 404


class AlertDesk:
    """What a page shows of the one alert that it has open. It draws itself where it is made."""

    def __init__(self, page: Page, *, modal: bool) -> None:
        self._page = page
        self._modal = modal
        self.alert_id: str | None = None
        self._fetched: AlertView | None = None
        self._missing = False
        self._lines: tuple[RecordLine, ...] = ()
        self._reading = False
        self._why = ""
        self.clip = OpenedClip(page)
        self.card = AlertCard()
        with self.card:
            self.handling = HandlingDesk(page)
        self.card.on("close", self.close)
        self.card.on("clip", self._open_clip)
        self.card.on("listen", self._listen)

    @property
    def alert(self) -> AlertView | None:
        """The newest that is known of the open alert."""
        house = self._page.login.feed.house
        known = house.alerts.get(self.alert_id or "") if house is not None else None
        return known or (self._fetched if self.alert_id is not None else None)

    async def open(self, alert_id: str) -> None:
        """Show an alert: at once what is known of it, then its clip and what was around it."""
        self.alert_id, self._fetched, self._missing = alert_id, None, False
        self._lines, self._why = (), ""
        self.clip.close()
        if self.alert is None:
            await self._fetch(alert_id)
        if self.alert is None or self.alert_id != alert_id:
            self._page.redraw()
            return
        self.handling.open(alert_id)
        self._page.redraw()
        background_tasks.create(self._read_record(), name="console-around")
        if self._hears():
            await self.clip.open(alert_id)

    def close(self) -> None:
        """No alert is open."""
        if self.alert_id is None:
            return
        self.alert_id = self._fetched = None
        self.clip.close()
        self.handling.close()
        self._page.redraw()

    def draw(self) -> None:
        """Draw what is known now."""
        page, house, alert = self._page, self._page.login.feed.house, self.alert
        words = page.words
        shown = alert is not None and house is not None
        self.card.show(
            t=page.t(),
            modal=self._modal,
            loading=house is None or (alert is None and not self._missing),
            missing=self._missing,
            may_hear=self._hears(),
            detail=alerts.detail(alert, house, words) if alert and house else None,
            clip=self.clip.drawn(words) if shown else None,
            sound=self.clip.heard(words) if shown else None,
            around=self._around() if shown else None,
        )
        self.handling.draw(alert if shown else None)

    def _hears(self) -> bool:
        return self._page.has(*RECORDING_ROLES)

    def _around(self) -> dict[str, object] | None:
        house, alert = self._page.login.feed.house, self.alert
        if house is None or alert is None:
            return None
        now = int(self._page.shared.clock.utc_ms())
        return around.drawn(
            alert,
            house,
            self._lines,
            now - now % 10_000,  # a bar that grows by the moment would be sent every moment
            self._page.words,
            loading=self._reading,
            why=self._why,
        )

    async def _fetch(self, alert_id: str) -> None:
        try:
            self._fetched = await self._page.api.alert(alert_id)
        except RefusedError as error:
            self._missing = error.problem.status == NOT_FOUND
            if not self._missing:
                self._page.show_problem(error.problem.detail or error.problem.title)
        except ControllerLost:
            pass  # the banner says so

    async def _read_record(self) -> None:
        """The lines of the alert's session; where it has none, nothing is on record."""
        alert = self.alert
        if alert is None or alert.session_id is None:
            return
        self._reading = True
        lines: list[RecordLine] = []
        try:
            after: int | None = 0
            for _ in range(PAGES_MAX):
                if after is None:
                    break
                found = await self._page.api.session_record(alert.session_id, after=after)
                lines += found.items
                after = found.next_after
        except RefusedError as error:
            self._why = error.problem.detail or error.problem.title
        except ControllerLost:
            self._why = self._page.words.say("around.lost")
        self._reading = False
        if self.alert_id == alert.id:
            self._lines = tuple(lines)
            self._page.changed()

    async def _open_clip(self, event: GenericEventArguments) -> None:
        if self.alert_id is not None and self._hears():
            await self.clip.open(self.alert_id, early=event.args is True)

    async def _listen(self) -> None:
        if self.alert_id is not None and self._hears():
            await self.clip.listen(self.alert_id)


class AlertPage(Page):
    """``/alerts/{alert_id}``."""

    texts = TEXTS
    here = "alerts"

    def __init__(self, shared: Shared, login: Login, request: Request, alert_id: str) -> None:
        super().__init__(shared, login, request)
        self._wanted = alert_id
        self._asked = False

    def build(self) -> None:
        with ui.element("main").classes("ze-page ze-alert-main"):
            self.desk = AlertDesk(self, modal=False)

    def draw(self) -> None:
        if not self._asked and self.login.feed.house is not None:
            self._asked = True
            background_tasks.create(self.desk.open(self._wanted), name="console-alert")
        self.desk.draw()
