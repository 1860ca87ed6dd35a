"""``/evidence``: search on the left, and the timeline of a room with all its cameras in step."""

import contextlib
from typing import Final

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from client import ControllerLost, RefusedError
from client.search import Filter
from contracts.api.search import (
    TIMELINE_MAX_MS,
    Found,
    FoundKind,
    Place,
    RoomPlayers,
    Timeline,
)
from contracts.catalogue import CATALOGUE
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part
from controller.console.present import evidence
from controller.console.present.words import Drawn
from controller.console.texts import group

_LIB: Final = {"zeroentry-console": str(ASSETS / "lib")}

PAGE_ROWS: Final = 50
ROWS_MAX: Final = 1_000  # of one list on a page: then people narrow the search
WINDOW_MS: Final = 24 * 3_600_000
KINDS_AT_FIRST: Final = tuple(kind.value for kind in FoundKind if kind is not FoundKind.SEGMENT)
# A segment a minute and camera would hide all else; who chooses them gets them.
MS_MAX: Final = 4_102_444_800_000  # the year 2100


class EvidenceSearch(Part, component=ASSETS / "ze_evidence.js", esm=_LIB):
    """Form and results."""


class EvidenceTimeline(Part, component=ASSETS / "ze_evidence_timeline.js", esm=_LIB):
    """Ruler, tracks, players."""


class EvidencePage(Page):
    """``/evidence``, with ``?room=&at=`` at a moment of a room, ``?text=`` with a search."""

    texts = ("evidence", "kind", "timeline", "severity", "handling", "disposition", "gap")
    here = "evidence"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        given = request.query_params
        self._filters: dict[str, Filter] = {}
        if given.get("text"):
            self._filters["text"] = given["text"][: evidence.TEXT_MAX]
        self._rows: tuple[Found, ...] = ()
        self._next: str | None = None
        self._searching = False
        self._failed = ""
        self._asked = 0
        self._room = given.get("room", "")[:40]
        at = given.get("at", "")
        known = at.isascii() and at.isdigit() and len(at) < 15
        self._at = min(int(at), MS_MAX) if known else int(shared.clock.utc_ms())
        self._timeline: Timeline | None = None
        self._players: RoomPlayers | None = None
        self._loading = False
        self._timeline_failed = ""
        self._players_failed = ""
        self._jump = 0
        self._places: tuple[Place, ...] = ()

    def build(self) -> None:
        with ui.element("main").classes("ze-ev"):
            self.search = EvidenceSearch()
            self.timeline = EvidenceTimeline()
        self.search.on("search", self._on_search)
        self.search.on("more", self._more)
        self.search.on("show", self._on_show)
        self.timeline.on("window", self._on_window)
        self.timeline.on("go", self._on_go)
        self.timeline.on("tickets", self._tickets)
        background_tasks.create(self._know_places(), name="console-places")
        background_tasks.create(self._run(anew=True), name="console-search")
        if self._room:
            background_tasks.create(self._load(), name="console-timeline")

    def draw(self) -> None:
        words = self.words
        rooms = {row.room_id: words.name(row.name) for row in self._places}
        named: list[Drawn] = [{"id": key, "name": name} for key, name in rooms.items()]
        self.search.show(
            t=self.t(),
            rows=[evidence.found(row, words, rooms) for row in evidence.joined(self._rows)],
            more=self._next is not None and len(self._rows) < ROWS_MAX,
            searching=self._searching,
            failed=self._failed,
            rooms=named,
            kinds=[{"id": row.value, "name": words.say(f"kind.{row.value}")} for row in FoundKind],
            rules=[
                {"id": code, "name": spec.title.pick(self.language.value)}
                for code, spec in CATALOGUE.items()
            ],
            tracks=[
                {"id": track.track_id, "name": words.name(track.name), "room": place.room_id}
                for place in self._places
                for track in place.tracks
            ],
            zone=words.zone.key,
            initial=str(self._filters.get("text") or ""),
        )
        timeline = self._timeline
        self.timeline.show(
            t=group(("timeline", "evidence", "kind", "state"), self.language),
            lang=self.language.value,
            zone=words.zone.key,
            rooms=named,
            room=self._room,
            at=self._at,
            jump=self._jump,
            now=self._server_ms(),
            data=evidence.timeline(timeline, words, rooms) if timeline else None,
            players=evidence.players(self._players, words) if self._players else None,
            loading=self._loading,
            failed=self._timeline_failed,
            players_failed=self._players_failed,
        )

    async def _know_places(self) -> None:
        with contextlib.suppress(RefusedError, ControllerLost):  # the search itself says it
            self._places = await self.api.places()
            self.changed()

    # --- search ---------------------------------------------------------------------------------

    async def _on_search(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        self._filters = dict(evidence.filters(sent, self.words.zone))
        await self._run(anew=True)

    async def _more(self) -> None:
        if self._next is not None and not self._searching and len(self._rows) < ROWS_MAX:
            await self._run(anew=False)

    async def _run(self, *, anew: bool) -> None:
        self._asked += 1
        number = self._asked
        self._searching, self._failed = True, ""
        if anew:
            self._rows, self._next = (), None
        self.changed()
        failed = ""
        try:
            asked = {"kind": KINDS_AT_FIRST, **self._filters}
            page = await self.api.search(asked, cursor=self._next, limit=PAGE_ROWS)
        except RefusedError as error:
            page, failed = None, error.problem.detail or error.problem.title
        except ControllerLost:
            page, failed = None, self.words.say("problem.lost")
        if number != self._asked:
            return  # another search was begun meanwhile
        self._searching, self._failed = False, failed
        if page is not None:
            self._rows = (*self._rows, *page.items)
            self._next = page.next_cursor
        self.changed()

    # --- timeline -------------------------------------------------------------------------------

    async def _on_show(self, event: GenericEventArguments) -> None:
        """A moment of a room, out of a result."""
        sent = event.args if isinstance(event.args, dict) else {}
        await self._go(str(sent.get("room", ""))[:40], sent.get("at"))

    async def _on_go(self, event: GenericEventArguments) -> None:
        """A room and a moment as a person wrote it, in the site's zone."""
        sent = event.args if isinstance(event.args, dict) else {}
        await self._go(
            str(sent.get("room", ""))[:40], evidence.instant(sent.get("local"), self.words.zone)
        )

    async def _on_window(self, event: GenericEventArguments) -> None:
        """The ruler left what it knows."""
        if isinstance(event.args, int | float):
            self._at = self._moment(event.args)
            await self._load()

    async def _go(self, room: str, at: object) -> None:
        if not room:
            return
        self._room = room
        if isinstance(at, int | float):
            self._at = self._moment(at)
        self._jump += 1
        await self._load()

    def _moment(self, at: float) -> int:
        return int(min(max(at, 0), MS_MAX)) if at == at else self._at  # noqa: PLR0124  # not a number is not itself

    async def _load(self) -> None:
        """A day around the moment."""
        self._loading, self._timeline_failed = True, ""
        self.changed()
        room, begin = self._room, max(self._at - WINDOW_MS // 2, 0)
        failed, found = "", None
        try:
            found = await self.api.timeline(room, begin, begin + min(WINDOW_MS, TIMELINE_MAX_MS))
        except RefusedError as error:
            failed = error.problem.detail or error.problem.title
        except ControllerLost:
            failed = self.words.say("problem.lost")
        if room != self._room:
            return
        self._loading, self._timeline_failed = False, failed
        self._timeline = found
        if found is not None and (self._players is None or self._players.room_id != room):
            await self._tickets()
        self.changed()

    async def _tickets(self) -> None:
        """New tickets: they end within minutes."""
        room, failed, found = self._room, "", None
        try:
            found = await self.api.players(room)
        except RefusedError as error:
            failed = error.problem.detail or error.problem.title
        except ControllerLost:
            failed = self.words.say("problem.lost")
        if room == self._room:
            self._players, self._players_failed = found, failed
            self.changed()
