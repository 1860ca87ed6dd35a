"""``/statistics``: figures of some weeks as plots and as tables, and as CSV."""

from typing import Final

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from client import ControllerLost, RefusedError
from contracts.api.search import Place
from contracts.api.statistics import Statistics
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part
from controller.console.present import statistics
from controller.console.present.evidence import local

_LIB: Final = {"zeroentry-console": str(ASSETS / "lib")}
DAYS_SHOWN: Final = 30
DAY_MS: Final = 86_400_000
PLOTS: Final = ("by_day", "by_rule", "by_room")


class StatisticsHead(Part, component=ASSETS / "ze_statistics.js", esm=_LIB):
    """Interval, figures on top, states."""


class StatisticsTables(Part, component=ASSETS / "ze_statistics_tables.js", esm=_LIB):
    """What the plots show, as tables."""


class StatisticsPage(Page):
    """``/statistics``."""

    texts = ("statistics",)
    here = "statistics"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._first = self._last = ""
        self._room = ""
        self._figures: Statistics | None = None
        self._failed = ""
        self._loading = True
        self._plotted: dict[str, object] = {}
        self._asked = 0
        self._places: tuple[Place, ...] = ()

    def build(self) -> None:
        with ui.element("main").classes("ze-st"):
            self.head = StatisticsHead()
            self.plots: dict[str, ui.echart] = {}
            self.titles: dict[str, ui.label] = {}
            with ui.element("div").classes("ze-st-plots") as self.area:
                for name in PLOTS:
                    with ui.element("section").classes("ze-panel ze-st-plot"):
                        title = ui.label().classes("ze-st-name").props("role=heading aria-level=2")
                        self.titles[name] = title
                        chart = ui.echart({}).classes("ze-st-chart")
                        self.plots[name] = chart.props(f'data-testid="plot-{name}" role=img')
            self.tables = StatisticsTables()
        self.head.on("show", self._on_show)
        self.head.on("csv", self._csv)

    def _begin(self) -> None:
        now, zone = int(self.shared.clock.utc_ms()), self.words.zone
        self._last = local(now, zone)[:10]
        self._first = local(now - (DAYS_SHOWN - 1) * DAY_MS, zone)[:10]
        background_tasks.create(self._load(), name="console-statistics")

    def draw(self) -> None:
        words, figures = self.words, self._figures
        if not self._first and self.login.feed.site is not None:
            self._begin()  # the site's time zone is known: these are its days
        rooms = {row.room_id: words.name(row.name) for row in self._places}
        self.head.show(
            t=self.t(),
            first=self._first,
            last=self._last,
            room=self._room,
            rooms=[{"id": key, "name": name} for key, name in rooms.items()],
            zone=words.zone.key,
            loading=self._loading,
            failed=self._failed,
            cards=statistics.cards(figures, words) if figures else [],
            incomplete=figures.incomplete if figures else False,
        )
        self.area.set_visibility(figures is not None)
        self.tables.show(
            t=self.t(),
            data=statistics.tables(figures, words, rooms) if figures else None,
            labels=statistics.labels(words),
        )
        if figures is None:
            return
        options = {
            "by_day": statistics.plot_days(figures, words),
            "by_rule": statistics.plot_rules(figures, words),
            "by_room": statistics.plot_rooms(figures, words, rooms),
        }
        for name, option in options.items():
            self.titles[name].text = words.say(f"statistics.{name}")
            if self._plotted.get(name) != option:
                self._plotted[name] = option
                self.plots[name].options.clear()
                self.plots[name].options.update(option)
                self.plots[name].update()

    async def _on_show(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        first, last = str(sent.get("first", "")), str(sent.get("last", ""))
        if statistics.interval(first, last, self.words.zone) is None:
            self._failed = self.words.say("statistics.bad_dates")
            self.redraw()
            return
        self._first, self._last = first, last
        self._room = str(sent.get("room", ""))[:40]
        await self._load()

    async def _load(self) -> None:
        found = statistics.interval(self._first, self._last, self.words.zone)
        if found is None:
            return
        self._asked += 1
        number = self._asked
        self._loading, self._failed = True, ""
        self.changed()
        figures, failed = None, ""
        try:
            if not self._places:
                self._places = await self.api.places()
            figures = await self.api.statistics(*found, self._room or None)
        except RefusedError as error:
            failed = error.problem.detail or error.problem.title
        except ControllerLost:
            failed = self.words.say("problem.lost")
        if number == self._asked:
            self._figures, self._failed, self._loading = figures, failed, False
            self.changed()

    async def _csv(self) -> None:
        found = statistics.interval(self._first, self._last, self.words.zone)
        if found is None:
            return
        content = await self.attempt(self.api.statistics_csv(*found, self._room or None))
        if content is not None:
            with self.client:
                name = f"statistics-{self._first}-{self._last}.csv"
                ui.download.content(content, name, "text/csv")
