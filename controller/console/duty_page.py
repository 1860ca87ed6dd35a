"""Duty: who is on duty, the roster of a week, hand-over, escalation, channels, notices sent."""

import contextlib
from typing import Final

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client import ControllerLost, RefusedError
from contracts.api import Role
from contracts.api.duty import (
    DutyLevel,
    DutyNow,
    DutyWeek,
    EscalationSettings,
    EscalationView,
    HandoverBody,
    RosterBody,
    RosterView,
)
from contracts.api.notices import ChannelBody, ChannelList, NoticePage
from controller.console.page import Page
from controller.console.parts import ASSETS, Part
from controller.console.present import duty
from controller.console.texts import say

LOOK_MS: Final = 5_000  # duty changes by the hour; a test message is looked for by the second
WEEK_DAYS: Final = 7
LOG_ROWS: Final = 20
EDITING_ROLES: Final = (Role.SUPERVISOR, Role.SYSTEM_ADMIN)
CHANNEL_ROLES: Final = (Role.SUPERVISOR, Role.OPS, Role.SYSTEM_ADMIN)
DUTY_ROLES: Final = (
    Role.SUPERVISOR,
    Role.SECTOR_SUPERVISOR,
    Role.DUTY_OFFICER,
    Role.OPS,
    Role.SYSTEM_ADMIN,
)


class DutyBoard(Part, component=ASSETS / "ze_duty.js"):
    """Who is on duty, the week, hand-over, escalation, and the roster's editor."""


class NoticeBoard(Part, component=ASSETS / "ze_duty_notices.js"):
    """Channels and what was sent through them."""


class _Channel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=40)
    name: str = Field(min_length=1, max_length=40)
    address: str = Field(default="", max_length=1_000, repr=False)
    language: str = "zh-CN"
    levels: tuple[DutyLevel, ...] = ()
    enabled: bool = True


class DutyPage(Page):
    """``/duty``."""

    texts = ("duty", "severity")
    here = "duty"

    def build(self) -> None:
        self._now: DutyNow | None = None
        self._week: DutyWeek | None = None
        self._roster: RosterView | None = None
        self._etag = ""
        self._escalation: EscalationView | None = None
        self._escalation_etag = self._escalation_seen = ""
        self._rules_problem = ""
        self._channels: ChannelList | None = None
        self._channels_etag = ""
        self._log: NoticePage | None = None
        self._log_before: int | None = None
        self._weeks = 0
        self._failed = False
        self._saved = 0
        self._edit_problem = ""
        self._channel_problem = ""
        self._said = ""
        with ui.element("main").classes("ze-page ze-duty"):
            self.board = DutyBoard()
            self.notices = NoticeBoard()
        self.board.on("week", self._turn)
        self.board.on("save", self._save)
        self.board.on("rules_open", self._open_rules)
        self.board.on("rules", self._set_rules)
        self.board.on("handover", self._hand_over)
        self.board.on("again", lambda _: self._look_soon())
        self.notices.on("channel", self._put_channel)
        self.notices.on("remove", self._remove_channel)
        self.notices.on("test", self._test)
        self.notices.on("retry", self._retry)
        self.notices.on("older", self._older)
        self.keep_looking(self._look, LOOK_MS, "console-duty")

    def draw(self) -> None:
        t, words = self.t(), self.words
        clock_ms = int(self.shared.clock.utc_ms())
        self.board.show(
            t=t,
            now=duty.now(self._now, words) if self._now else None,
            week=duty.week(self._week, self._roster, clock_ms, words) if self._week else [],
            weeks=self._weeks,
            escalation=duty.escalation(self._escalation.rules, words) if self._escalation else None,
            rules=self._escalation.rules.model_dump(mode="json") if self._escalation else None,
            rules_problem=self._rules_problem,
            roster=self._roster.roster.model_dump(mode="json") if self._roster else None,
            revision=self._roster.revision if self._roster else 0,
            may_edit=self.has(*EDITING_ROLES),
            may_hand_over=self.has(*DUTY_ROLES),
            loading=self._now is None and not self._failed,
            failed=self._failed,
            saved=self._saved,
            problem=self._edit_problem,
        )
        self.notices.show(
            t=t,
            channels=duty.channels(self._channels.items, words) if self._channels else [],
            log=duty.log(self._log.items, words) if self._log else [],
            older=bool(self._log and self._log.next_before),
            may=self.has(*CHANNEL_ROLES),
            loading=self._channels is None and not self._failed,
            problem=self._channel_problem,
            said=self._said,
            saved=self._saved,
        )

    def _look_soon(self) -> None:
        background_tasks.create(self._look(), name="console-duty-look")

    async def _look(self) -> None:
        api, words = self.api, self.words
        try:
            self._now = await api.duty_now()
            self._roster, self._etag = await api.duty_roster()
            start = duty.monday_of(
                int(self.shared.clock.utc_ms()) + self._weeks * WEEK_DAYS * duty.DAY_MS, words
            )
            self._week = await api.duty_days(start, WEEK_DAYS)
            self._escalation, self._escalation_etag = await api.escalation()
            if self.has(*CHANNEL_ROLES):
                self._channels, self._channels_etag = await api.channels()
                self._log = await api.notices(before=self._log_before, limit=LOG_ROWS)
            self._failed = False
        except (RefusedError, ControllerLost):
            self._failed = self._now is None
        self.changed()

    async def _turn(self, event: GenericEventArguments) -> None:
        if event.args in {-1, 0, 1}:
            self._weeks = self._weeks + event.args if event.args else 0
            await self._look()

    async def _save(self, event: GenericEventArguments) -> None:
        """Write the roster as the editor has it; what is wrong with it is told in the editor."""
        try:
            body = RosterBody.model_validate(event.args)
        except ValidationError as error:
            rows = error.errors()[:5]
            self._edit_problem = "; ".join(
                f"{'.'.join(str(part) for part in row['loc'])} {_plain(row['msg'])}".strip()
                for row in rows
            )
            self.redraw()
            return
        try:
            self._roster = await self.api.put_duty_roster(body, self._etag)
        except RefusedError as error:
            self._edit_problem = " ".join((error.problem.detail, *error.problem.errors[:5]))
        except ControllerLost:
            self._edit_problem = say("problem.lost", self.language)
        else:
            self._edit_problem = ""
            self._saved += 1
        await self._look()

    def _open_rules(self) -> None:
        """What the editor shows is what a change is made of, whatever comes in meanwhile."""
        self._escalation_seen, self._rules_problem = self._escalation_etag, ""
        self.redraw()

    async def _set_rules(self, event: GenericEventArguments) -> None:
        try:
            rules = EscalationSettings.model_validate(event.args)
        except ValidationError as error:
            rows = error.errors()[:5]
            self._rules_problem = "; ".join(
                f"{'.'.join(str(part) for part in row['loc'])} {_plain(row['msg'])}".strip()
                for row in rows
            )
            self.redraw()
            return
        try:
            await self.api.put_escalation(rules, self._escalation_seen)
        except RefusedError as error:
            self._rules_problem = " ".join((error.problem.detail, *error.problem.errors[:5]))
        except ControllerLost:
            self._rules_problem = say("problem.lost", self.language)
        else:
            self._rules_problem = ""
            self._saved += 1
        await self._look()

    async def _hand_over(self, event: GenericEventArguments) -> None:
        with contextlib.suppress(ValidationError):
            body = HandoverBody.model_validate(event.args)
            if await self.attempt(self.api.hand_over_duty(body)) is not None:
                self._saved += 1
                await self._look()

    async def _put_channel(self, event: GenericEventArguments) -> None:
        try:
            sent = _Channel.model_validate(event.args)
            body = ChannelBody(
                name=sent.name,
                address=sent.address.strip() or None,
                language=sent.language,
                levels=sent.levels,
                enabled=sent.enabled,
            )
        except ValidationError as error:
            # Never the input itself: it may hold the address.
            self._channel_problem = "; ".join(_plain(row["msg"]) for row in error.errors()[:3])
            self.redraw()
            return
        try:
            await self.api.put_channel(sent.id, body, self._channels_etag)
        except RefusedError as error:
            self._channel_problem = error.problem.detail
            self._channel_problem += " " + "; ".join(error.problem.errors[:3])
        except ControllerLost:
            self._channel_problem = say("problem.lost", self.language)
        else:
            self._channel_problem, self._said = "", say("duty.saved", self.language)
            self._saved += 1
        await self._look()

    async def _remove_channel(self, event: GenericEventArguments) -> None:
        gone = await self.attempt(self.api.delete_channel(str(event.args), self._channels_etag))
        if gone is not None:
            self._said = say("duty.saved", self.language)
        await self._look()

    async def _test(self, event: GenericEventArguments) -> None:
        if await self.attempt(self.api.test_channel(str(event.args))) is not None:
            self._said = say("duty.tested", self.language)
        self._log_before = None
        await self._look()

    async def _retry(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, int):
            await self.attempt(self.api.retry_delivery(event.args))
            await self._look()

    async def _older(self, event: GenericEventArguments) -> None:
        self._log_before = self._log.next_before if self._log and event.args else None
        await self._look()


def _plain(said: str) -> str:
    """What a check said, without the library's own word before it."""
    return said.removeprefix("Value error, ")
