"""The list of all alerts with filters, and how each rule fares."""

from datetime import datetime, timedelta
from typing import Final

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client import ControllerLost, RefusedError
from contracts.api import AlertView, Disposition, Handling
from contracts.catalogue.record import RuleRecord
from contracts.observations import Severity
from controller.console.page import Page
from controller.console.parts import ASSETS, Part
from controller.console.present import handling
from controller.console.present.words import Drawn

PAGE_ROWS: Final = 50  # three screens: what a person looks through before asking for less


class AlertList(Part, component=ASSETS / "ze_alerts.js"):
    """Filters, lines, pages, and the rules' records."""


class _Wanted(BaseModel):
    """What the filters say; empty takes all. Days are the site's own, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open: bool = False
    shadow: bool = False
    severity: Severity | None = None
    handling: Handling | None = None
    disposition: Disposition | None = None
    room_id: str = Field(default="", max_length=40)
    owner: str = Field(default="", max_length=64)
    rule: str = Field(default="", max_length=80)
    first_day: str = Field(default="", max_length=10)
    last_day: str = Field(default="", max_length=10)


class AlertsPage(Page):
    """``/alerts``."""

    texts = ("alerts", "rules", "handling", "severity", "disposition")
    here = "alerts"

    def build(self) -> None:
        self._wanted = _Wanted()
        self._rows: tuple[AlertView, ...] | None = None
        self._before: int | None = None
        self._older: int | None = None
        self._records: tuple[RuleRecord, ...] | None = None
        self._tab = "list"
        self._failed = False
        self._asking = 0
        with ui.element("main").classes("ze-page ze-alerts-page"):
            self.list = AlertList()
        self.list.on("search", self._search)
        self.list.on("older", lambda _: self._turn(self._older))
        self.list.on("newest", lambda _: self._turn(None))
        self.list.on("tab", self._show_tab)
        self._ask()

    def draw(self) -> None:
        house, words = self.login.feed.house, self.words
        rows = self._rows or ()
        if house is not None:
            rows = tuple(house.alerts.get(row.id, row) for row in rows)
            self._look_for_new()
        self.list.show(
            t=self.t(),
            tab=self._tab,
            rows=handling.listed(rows, house, words),
            rules=handling.rules(self._records or (), words),
            options=self._options(),
            wanted=self._wanted.model_dump(mode="json"),
            loading=(self._rows is None if self._tab == "list" else self._records is None)
            and not self._failed,
            failed=self._failed,
            older=self._older is not None,
            first=self._before is None,
        )

    def _options(self) -> Drawn:
        house, words = self.login.feed.house, self.words
        rooms = house.rooms.values() if house is not None else ()
        return {
            "rooms": [{"id": room.id, "label": words.name(room.name)} for room in rooms],
            "severity": [
                {"id": one.value, "label": words.say(f"severity.{one.value}")}
                for one in reversed(Severity)
            ],
            "handling": [
                {"id": one.value, "label": words.say(f"handling.{one.value}")} for one in Handling
            ],
            "disposition": [
                {"id": one.value, "label": words.say(f"disposition.{one.value}")}
                for one in Disposition
            ],
        }

    def _look_for_new(self) -> None:
        """On the first page of everything, what is new is shown without asking."""
        house = self.login.feed.house
        if house is None or self._rows is None or self._before is not None or self._asking:
            return
        newest = max((alert.number for alert in house.alerts.values()), default=0)
        shown = max((row.number for row in self._rows), default=0)
        if newest > shown and self._wanted in (_Wanted(), _Wanted(open=True)):
            self._ask()

    def _search(self, event: GenericEventArguments) -> None:
        try:
            self._wanted = _Wanted.model_validate(event.args)
        except ValidationError:
            return
        self._turn(None)

    def _turn(self, before: int | None) -> None:
        self._before, self._rows = before, None
        self._ask()
        self.redraw()

    def _show_tab(self, event: GenericEventArguments) -> None:
        self._tab = "rules" if event.args == "rules" else "list"
        self._failed = False
        if self._tab == "rules":
            background_tasks.create(self._ask_rules(), name="console-rules")
        self.redraw()

    def _ask(self) -> None:
        self._asking += 1
        background_tasks.create(self._fetch(self._asking), name="console-alerts")

    async def _fetch(self, asking: int) -> None:
        try:
            found = await self.api.alerts(self._query(), before=self._before, limit=PAGE_ROWS)
        except RefusedError as error:
            if asking == self._asking:
                self._failed, self._rows, self._asking = True, (), 0
                self.show_problem(error.problem.detail or error.problem.title)
            return
        except ControllerLost:
            if asking == self._asking:
                self._failed, self._asking = True, 0
                self.changed()
            return
        if asking == self._asking:
            self._rows, self._older, self._failed = found.items, found.next_before, False
            self._asking = 0
            self.changed()

    async def _ask_rules(self) -> None:
        try:
            self._records = await self.api.rule_records()
        except (RefusedError, ControllerLost):
            self._failed = True
        self.changed()

    def _query(self) -> dict[str, str | list[str]]:
        wanted = self._wanted
        query: dict[str, str | list[str]] = {}
        for name in ("open", "shadow"):
            if getattr(wanted, name):
                query[name] = "true"
        for name in ("severity", "handling", "disposition", "room_id", "owner", "rule"):
            value = getattr(wanted, name)
            if value:
                query[name] = str(value)
        for name, day, behind in (
            ("since_utc_ms", wanted.first_day, 0),
            ("until_utc_ms", wanted.last_day, 1),
        ):
            moment = self._midnight(day, behind)
            if moment is not None:
                query[name] = str(moment)
        return query

    def _midnight(self, day: str, behind: int) -> int | None:
        """When a day of the site begins, or the day behind it."""
        try:
            at = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=self.words.zone)
        except ValueError:
            return None
        return int((at + timedelta(days=behind)).timestamp() * 1000)
