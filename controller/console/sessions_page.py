"""The list of sessions by day with its import, and the desk of one session."""

import base64
import binascii
import contextlib
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client import FORBIDDEN, ControllerLost, RefusedError
from contracts.admission import ProcurementKind, Sector
from contracts.api import Role, SessionBody, SessionState, SessionView
from contracts.api.record import RecordLine
from contracts.api.roster import (
    AmendmentBody,
    AmendmentKind,
    ManualCheckIn,
    RosterBody,
    RosterView,
    SeatBody,
    SweepBody,
    SweepView,
)
from contracts.api.sessions import ActBody, ImportResult, SealCheck, SessionChange
from contracts.units import RoomId, UtcMs
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part
from controller.console.present import session_desk
from controller.console.texts import say

LOOK_MS: Final = 2_000  # a head count settles within seconds; who waits to seal looks at the list
LIST_LOOK_MS: Final = 10_000
PAGE_ROWS: Final = 50
RECORD_KEPT: Final = 400  # newest lines on the page; the report has all
FILE_MAX_BYTES: Final = 700_000
NOT_FOUND: Final = 404
ACTING: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR)


class SessionList(Part, component=ASSETS / "ze_session_list.js"):
    """Filters, days, the form of a new session, the import."""


class SessionDesk(Part, component=ASSETS / "ze_session_desk.js"):
    """One session: steps, seal check, people, amendments, sweep, record."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Wanted(_Asked):
    """What the filters say; empty takes all. Days are the site's own, both included."""

    state: SessionState | None = None
    room: str = Field(default="", max_length=40)
    first_day: str = Field(default="", max_length=10)
    last_day: str = Field(default="", max_length=10)


class _New(_Asked):
    rooms: tuple[RoomId, ...] = Field(min_length=1)
    title: str
    admitted: int
    starts: str = Field(max_length=16)
    procurement: ProcurementKind
    sector: Sector


class _File(_Asked):
    name: str = Field(max_length=100)
    content: str = Field(max_length=FILE_MAX_BYTES * 2, repr=False)


class _Sweep(SweepBody):
    room: RoomId


class _Decision(_Asked):
    number: int
    approve: bool


class _Amendment(_Asked):
    kind: AmendmentKind
    seat: str
    reason: str
    role: str = ""
    expert_code: str = ""
    organisation: str = ""
    name: str = Field(default="", repr=False)

    def body(self) -> AmendmentBody:
        """As the API takes it."""
        come = None
        if self.kind is not AmendmentKind.RECUSED:
            come = _seat(self.model_dump(exclude={"kind", "reason"}))
        return AmendmentBody(kind=self.kind, seat=self.seat, reason=self.reason, incoming=come)


def _seat(given: dict[str, object]) -> SeatBody:
    return SeatBody.model_validate({**given, "name": given.get("name") or None})


class SessionsPage(Page):
    """``/sessions``."""

    texts = ("sessions", "import", "session")
    here = "sessions"

    def build(self) -> None:
        self._wanted = _Wanted()
        self._views: tuple[SessionView, ...] | None = None
        self._before: str | None = None
        self._older: str | None = None
        self._failed = self._busy = False
        self._found: ImportResult | None = None
        self._templates: dict[str, str] = {}
        with ui.element("main").classes("ze-page"):
            self.list = SessionList()
        self.list.on("search", self._search)
        self.list.on("older", lambda _: self._turn(self._older))
        self.list.on("newest", lambda _: self._turn(None))
        self.list.on("schedule", self._schedule)
        self.list.on("read", lambda event: self._import(event, dry_run=True))
        self.list.on("take", lambda event: self._import(event, dry_run=False))
        self.list.on("drop", self._drop)
        background_tasks.create(self._follow(), name="console-sessions")

    def draw(self) -> None:
        house, words, now = self.login.feed.house, self.words, int(self.shared.clock.utc_ms())
        known = house.sessions if house is not None else {}
        views = [known.get(view.id, view) for view in self._views or ()]
        soon = session_desk.local(now, words).replace(second=0, microsecond=0)
        self.list.show(
            t=self.t(),
            days=session_desk.by_day(views, house, words, now),
            options=session_desk.options(house, words),
            wanted=self._wanted.model_dump(mode="json") | {"state": self._wanted.state or ""},
            loading=self._views is None,
            failed=self._failed,
            older=self._older is not None,
            first=self._before is None,
            may=self.has(*ACTING),
            found=session_desk.imported(self._found, words),
            busy=self._busy,
            starts=f"{soon + timedelta(minutes=30):%Y-%m-%dT%H:%M}",
            template=self._templates,
        )

    def switch_language(self) -> None:
        super().switch_language()
        background_tasks.create(self._fetch_templates(), name="console-templates")

    async def _follow(self) -> None:
        await self._fetch_templates()
        while not self.client.is_deleted:
            await self._ask()
            await self.shared.clock.sleep_ms(LIST_LOOK_MS)

    async def _fetch_templates(self) -> None:
        if not self.has(*ACTING):
            return
        for kind, media in (("csv", "text/csv"), ("xlsx", "application/octet-stream")):
            with contextlib.suppress(ControllerLost, RefusedError):
                content = await self.api.import_template(kind, self.language.value)
                data = base64.b64encode(content).decode()
                self._templates = {**self._templates, kind: f"data:{media};base64,{data}"}
        self.changed()

    async def _ask(self) -> None:
        wanted = self._wanted
        try:
            page = await self.api.sessions(
                before=self._before,
                limit=PAGE_ROWS,
                states=(wanted.state,) if wanted.state is not None else (),
                from_utc_ms=_day(wanted.first_day, self.words.zone),
                to_utc_ms=_day(wanted.last_day, self.words.zone, days=1),
                room=wanted.room or None,
            )
        except (ControllerLost, RefusedError):
            self._failed = True
        else:
            if wanted == self._wanted:
                self._views, self._older, self._failed = page.items, page.next_before, False
        self.changed()

    async def _search(self, event: GenericEventArguments) -> None:
        given = event.args if isinstance(event.args, dict) else {}
        try:
            self._wanted = _Wanted.model_validate({**given, "state": given.get("state") or None})
        except ValidationError:
            return
        await self._turn(None)

    async def _turn(self, before: str | None) -> None:
        self._before, self._views = before, None
        self.redraw()
        await self._ask()

    async def _schedule(self, event: GenericEventArguments) -> None:
        try:
            new = _New.model_validate(event.args)
            body = SessionBody(
                room_id=new.rooms[0],
                room_ids=new.rooms if len(new.rooms) > 1 else (),
                title=new.title,
                admitted=new.admitted,
                starts_utc_ms=_moment(new.starts, self.words.zone),
                procurement=new.procurement,
                sector=new.sector,
            )
        except ValidationError:
            return
        if await self.attempt(self.api.schedule(body)) is not None:
            await self._turn(None)

    async def _import(self, event: GenericEventArguments, *, dry_run: bool) -> None:
        try:
            file = _File.model_validate(event.args)
            content = base64.b64decode(file.content, validate=True)
        except (ValidationError, binascii.Error):
            return
        self._busy, self._found = True, None
        self.redraw()
        self._found = await self.attempt(
            self.api.import_sessions(file.name, content, dry_run=dry_run)
        )
        self._busy = False
        self.redraw()
        if not dry_run:
            await self._ask()

    def _drop(self) -> None:
        self._found = None
        self.redraw()


def _day(text: str, zone: ZoneInfo, *, days: int = 0) -> int | None:
    """The first moment of a day in the site's zone, or of one ``days`` after it; None for none."""
    try:
        day = datetime.fromisoformat(text).replace(tzinfo=zone) if text else None
        return (
            None if day is None else max(0, int((day + timedelta(days=days)).timestamp() * 1_000))
        )
    except (ValueError, OverflowError):
        return None


def _moment(text: str, zone: ZoneInfo) -> UtcMs | None:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=zone)
        return UtcMs(int(moment.timestamp() * 1_000))
    except (ValueError, OverflowError):
        return None


class SessionPage(Page):
    """``/sessions/{id}``."""

    texts = ("sessions", "session", "desk", "demand")
    here = "sessions"

    def __init__(self, shared: Shared, login: Login, request: Request, session_id: str) -> None:
        super().__init__(shared, login, request)
        self._id = session_id
        self._view: SessionView | None = None
        self._missing = False
        self._check: SealCheck | None = None
        self._roster: RosterView | None = None
        self._sweeps: tuple[SweepView, ...] = ()
        self._record: tuple[RecordLine, ...] = ()
        self._tag: str | None = None
        """Of the session as it was when its form was opened: who was quicker is not overwritten."""

    def build(self) -> None:
        with ui.element("main").classes("ze-page"):
            self.desk = SessionDesk()
        self.desk.on("step", self._step)
        self.desk.on("sweep", self._sweep)
        self.desk.on("fill", self._fill)
        self.desk.on("ask", self._ask)
        self.desk.on("decide", self._decide)
        self.desk.on("came", self._came)
        self.desk.on("edit", self._edit)
        self.desk.on("change", self._change)
        self.keep_looking(self._load, LOOK_MS, "console-session")

    def title(self) -> str:
        view = self._view
        return f"{view.code} {view.title}" if view is not None else super().title()

    def draw(self) -> None:
        house, words = self.login.feed.house, self.words
        view, may = self._view, self.has(*ACTING)
        live = view is not None and view.state in session_desk.LIVE
        self.desk.show(
            t=self.t(),
            session=session_desk.head(view, house, words, may=may) if view is not None else None,
            missing=self._missing,
            may=may and view is not None and (live or view.state is SessionState.SCHEDULED),
            checked=view is not None and view.state in session_desk.CHECKED,
            check=session_desk.check(self._check, words),
            roster=session_desk.roster(self._roster, words, self.login.user.username),
            sweeps=session_desk.sweeps(self._sweeps, house, words),
            record=session_desk.record(self._record[-RECORD_KEPT:], words),
            options=session_desk.options(house, words),
            amendable=may and live,
            editable=may and view is not None and view.state is SessionState.SCHEDULED,
        )

    async def _load(self) -> None:
        """Look at everything once; a part that this account may not read stays empty."""
        try:
            self._view = await self.api.session(self._id)
            self._missing = False
        except RefusedError as error:
            self._missing = error.problem.status in (NOT_FOUND, FORBIDDEN, 422)
            self.changed()
            return
        except ControllerLost:
            return
        await self._load_parts(self._view)
        self.changed()

    async def _load_parts(self, view: SessionView) -> None:
        api = self.api
        with contextlib.suppress(ControllerLost, RefusedError):
            checked = view.state in session_desk.CHECKED
            self._check = await api.seal_check(self._id) if checked else None
        with contextlib.suppress(ControllerLost, RefusedError):
            rooms = session_desk.rooms_of(view)
            self._sweeps = tuple([await api.room_sweep(room) for room in rooms])
        with contextlib.suppress(ControllerLost, RefusedError):
            self._roster = await api.roster(self._id)
        with contextlib.suppress(ControllerLost, RefusedError):
            last = self._record[-1].number if self._record else 0
            page = await api.session_record(self._id, after=last)
            while page.items:
                self._record = (*self._record, *page.items)
                if page.next_after is None:
                    break
                page = await api.session_record(self._id, after=page.next_after)

    async def _step(self, event: GenericEventArguments) -> None:
        given = dict(event.args) if isinstance(event.args, dict) else {}
        step = str(given.pop("step", ""))
        try:
            said = ActBody.model_validate(given)
        except ValidationError:
            self.show_problem(say("desk.override_head", self.language))
            return
        await self.attempt(self.api.session_step(self._id, step, said))
        await self._load()

    async def _sweep(self, event: GenericEventArguments) -> None:
        try:
            asked = _Sweep.model_validate(event.args)
        except ValidationError:
            return
        body = SweepBody.model_validate(asked.model_dump(exclude={"room"}))
        await self.attempt(self.api.sweep(asked.room, body))
        await self._load()

    async def _fill(self, event: GenericEventArguments) -> None:
        try:
            seats = tuple(_seat(row) for row in event.args)
            body = RosterBody(seats=seats)
        except (ValidationError, TypeError) as error:
            self.show_problem(_why(error))
            return
        await self.attempt(self.api.put_roster(self._id, body))
        await self._load()

    async def _edit(self) -> None:
        self._tag = await self.attempt(self.api.session_tag(self._id))

    async def _change(self, event: GenericEventArguments) -> None:
        try:
            new = _New.model_validate(event.args)
            body = SessionChange(
                title=new.title,
                room_ids=new.rooms,
                admitted=new.admitted,
                starts_utc_ms=_moment(new.starts, self.words.zone),
                procurement=new.procurement,
                sector=new.sector,
            )
        except ValidationError as error:
            self.show_problem(_why(error))
            return
        await self.attempt(self.api.change_session(self._id, body, self._tag))
        await self._load()

    async def _ask(self, event: GenericEventArguments) -> None:
        try:
            body = _Amendment.model_validate(event.args).body()
        except ValidationError as error:
            self.show_problem(_why(error))
            return
        await self.attempt(self.api.ask_amendment(self._id, body))
        await self._load()

    async def _decide(self, event: GenericEventArguments) -> None:
        try:
            asked = _Decision.model_validate(event.args)
        except ValidationError:
            return
        await self.attempt(self.api.decide_amendment(self._id, asked.number, approve=asked.approve))
        await self._load()

    async def _came(self, event: GenericEventArguments) -> None:
        try:
            body = ManualCheckIn.model_validate(event.args)
        except ValidationError:
            return
        await self.attempt(self.api.check_in_by_hand(self._id, body))
        await self._load()


def _why(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return ""
    return "; ".join(str(row["msg"]) for row in error.errors()[:3])
