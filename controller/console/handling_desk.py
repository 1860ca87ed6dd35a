"""The people's side of one alert: what this user may do about it, and who did what."""

from collections.abc import Awaitable
from typing import Final, Literal

from nicegui import background_tasks
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client import ControllerLost, RefusedError
from contracts.api import AlertView, Disposition, ResolveBody, Role
from contracts.api.alerts import (
    SAID_MAX_CHARS,
    AlertHistory,
    AssignBody,
    CloseBody,
    HandlingVerb,
    SaidBody,
    StatementBody,
    UrgeBody,
)
from contracts.units import UtcMs
from controller.console.page import Page
from controller.console.parts import ASSETS, Part
from controller.console.present import handling

ACTING_ROLES: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR, Role.DUTY_OFFICER, Role.OPS)
URGING_ROLES: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR)
MINUTE_MS: Final = 60_000
DUE_MAX_MIN: Final = 7 * 24 * 60


class Handling(Part, component=ASSETS / "ze_handling.js"):
    """State, owner, buttons, history."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: Literal[
        "acknowledge",
        "assign",
        "start",
        "note",
        "urge",
        "reply",
        "resolve",
        "statement",
        "close",
        "reopen",
    ]
    text: str = Field(default="", max_length=SAID_MAX_CHARS)
    to: str = Field(default="", max_length=64)
    due_min: int = Field(default=0, ge=0, le=DUE_MAX_MIN)
    disposition: Disposition | None = None
    seat: str = Field(default="", max_length=40)


class HandlingDesk:
    """Stands where it is made. The page says which alert is open, and draws it anew."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._alert_id: str | None = None
        self._alert: AlertView | None = None
        self._history: AlertHistory | None = None
        self._fetching = False
        self._failed = False
        self._people: tuple[str, ...] = ()
        self._sent = 0
        self.part = Handling()
        self.part.on("step", self._step)

    def open(self, alert_id: str) -> None:
        """This alert is shown from now on."""
        self._alert_id, self._alert, self._history = alert_id, None, None
        self._failed = False
        self._fetch_soon()
        if not self._people:
            background_tasks.create(self._fetch_people(), name="console-people")

    def close(self) -> None:
        """No alert is shown."""
        self._alert_id = self._alert = self._history = None

    def draw(self, alert: AlertView | None) -> None:
        """Draw what is known now; the history is read again when somebody took a step."""
        page = self._page
        if alert is not None and alert.id == self._alert_id:
            self._alert = alert
            known = self._history.revision if self._history is not None else -1
            if known != alert.revision and not self._fetching and not self._failed:
                self._fetch_soon()
        words, shown = page.words, self._alert
        self.part.show(
            t=page.t(),
            alert=handling.desk(
                shown,
                words,
                may=page.has(*ACTING_ROLES),
                may_urge=page.has(*URGING_ROLES),
            )
            if shown is not None
            else None,
            steps=handling.steps(self._history, words),
            people=list(self._people),
            me=page.login.user.username,
            loading=self._history is None and not self._failed,
            failed=self._failed,
            sent=self._sent,
        )

    async def acknowledge(self) -> None:
        """This user has seen the alert."""
        if self._alert_id is not None:
            await self._after(self._page.api.acknowledge(self._alert_id))

    async def _step(self, event: GenericEventArguments) -> None:
        try:
            asked = _Asked.model_validate(event.args)
            doing = self._call(asked)
        except ValidationError as error:
            self._page.show_problem("; ".join(row["msg"] for row in error.errors()[:3]))
            return
        if doing is not None:
            await self._after(doing)

    def _call(self, asked: _Asked) -> Awaitable[AlertView] | None:  # noqa: PLR0911  # one a verb
        """The request that a press stands for.

        Raises:
            ValidationError: what was typed does not do.
        """
        api, alert = self._page.api, self._alert
        if alert is None:
            return None
        key, seen, due = alert.id, alert.revision, self._due(asked.due_min)
        match HandlingVerb(asked.verb):
            case HandlingVerb.ACKNOWLEDGE:
                return api.acknowledge(key)
            case HandlingVerb.START:
                return api.start(key, seen)
            case HandlingVerb.ASSIGN:
                body = AssignBody(to=asked.to, due_utc_ms=due, note=asked.text)
                return api.assign(key, body, seen)
            case HandlingVerb.NOTE:
                return api.note(key, SaidBody(text=asked.text))
            case HandlingVerb.URGE:
                return api.urge(key, UrgeBody(text=asked.text, due_utc_ms=due), seen)
            case HandlingVerb.REPLY:
                return api.reply(key, SaidBody(text=asked.text), seen)
            case HandlingVerb.STATEMENT:
                return api.statement(key, StatementBody(text=asked.text, seat=asked.seat), seen)
            case HandlingVerb.CLOSE:
                return api.close_alert(key, CloseBody(note=asked.text), seen)
            case HandlingVerb.REOPEN:
                return api.reopen(key, SaidBody(text=asked.text), seen)
            case _:
                return self._resolve(alert, asked)

    def _resolve(self, alert: AlertView, asked: _Asked) -> Awaitable[AlertView] | None:
        if asked.disposition is None:
            return None
        body = ResolveBody(disposition=asked.disposition, note=asked.text, seat=asked.seat)
        return self._page.api.resolve(alert.id, body)

    def _due(self, minutes: int) -> UtcMs | None:
        if not minutes:
            return None
        return UtcMs(self._page.shared.clock.utc_ms() + minutes * MINUTE_MS)

    async def _after(self, doing: Awaitable[AlertView]) -> None:
        """Show what came of a step; where another was faster, show what they did."""
        answer = await self._page.attempt(doing)
        if answer is not None:
            self._sent += 1
            if answer.id == self._alert_id:
                self._alert = answer
        elif self._alert_id is not None:
            try:
                self._alert = await self._page.api.alert(self._alert_id)
            except (RefusedError, ControllerLost):
                return
        self._fetch_soon()
        self._page.changed()

    async def _fetch_people(self) -> None:
        try:
            view, _ = await self._page.api.duty_roster()
        except (RefusedError, ControllerLost):
            return  # who may not read the roster types a name
        self._people = tuple(person.username for person in view.roster.people)
        self._page.changed()

    def _fetch_soon(self) -> None:
        self._fetching = True
        background_tasks.create(self._fetch(), name="console-history")

    async def _fetch(self) -> None:
        alert_id = self._alert_id
        try:
            if alert_id is not None:
                found = await self._page.api.alert_history(alert_id)
                if alert_id == self._alert_id:
                    self._history, self._failed = found, False
        except (RefusedError, ControllerLost):
            self._failed = True
        finally:
            self._fetching = False
        self._page.changed()
