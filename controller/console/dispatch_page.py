"""``/robots``: the floor, approvals, what a supervisor does to robots, custody and proof."""

from typing import Final

from fastapi import Request
from nicegui import ui
from nicegui.events import GenericEventArguments
from pydantic import ValidationError

from contracts.api import CancelBody, JudgeBody, Role
from contracts.api.floor import ProceedBody, RobotReasonBody, RobotVerb, RobotVerbBody
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Floor, Part
from controller.console.present import dispatch, floor
from controller.console.present.words import Drawn

_LIB: Final = {"zeroentry-console": str(ASSETS / "lib")}
REASON_MIN: Final = 3  # as the API's: "ok" is no reason


class Dispatch(Part, component=ASSETS / "ze_dispatch.js", esm=_LIB):
    """Approvals, robots, deliveries."""


class DispatchPage(Page):
    """``/robots``."""

    texts = ("dispatch", "map", "robot", "delivery", "step", "handling")
    here = "robots"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._plan: Drawn = {}
        self._robots: list[Drawn] = []

    def build(self) -> None:
        with ui.element("main").classes("ze-page ze-dispatch-page"):
            self.floor = Floor()
            self.desk = Dispatch()
        self.desk.on("judge", self._judge)
        self.desk.on("command", self._command)
        self.desk.on("clear", self._clear)
        self.desk.on("proceed", self._proceed)
        self.desk.on("release", self._release)
        self.desk.on("judge_release", self._judge_release)
        self.desk.on("cancel", self._cancel)
        self.desk.on("fire", self._fire)

    def draw(self) -> None:
        house, site, words = self.login.feed.house, self.login.feed.site, self.words
        t = self.t()
        if house is None or site is None:
            self.floor.show(t=t, plan={}, robots=[])
            self.desk.show(t=t, loading=True, approvals=[], robots=[], deliveries=[], may=False)
            return
        plan = floor.plan(site, house, words, self.login.feed.chart, house.facilities)
        robots = floor.robots(site, house, words)
        if plan != self._plan or self.floor.props.get("t") != t:
            self._plan, self._robots = plan, robots
            self.floor.show(t=t, plan=plan, robots=robots)
        elif robots != self._robots:
            self._robots = robots
            self.floor.run_method("drive", robots)
        user = self.login.user.username
        self.desk.show(
            t=t,
            loading=False,
            approvals=dispatch.approvals(house, site, user, words),
            robots=dispatch.robots(house, site, words),
            deliveries=dispatch.deliveries(house, site, user, words),
            may=self.has(Role.SUPERVISOR),
            fire=dispatch.fire(house),
            judges=self.has(Role.SUPERVISOR, Role.SECTOR_SUPERVISOR),
        )

    async def _judge(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        try:
            body = JudgeBody(approve=bool(sent.get("approve")), reason=_reason(sent))
        except ValidationError:
            return
        doing = self.api.judge_delivery(_id(sent), approve=body.approve, reason=body.reason)
        await self.attempt(doing)

    async def _command(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        try:
            verb = RobotVerb(str(sent.get("verb")))
            body = RobotVerbBody(verb=verb, reason=_reason(sent))
        except ValueError:
            return
        await self.attempt(self.api.command_robot(_id(sent), body.verb, body.reason))

    async def _clear(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        try:
            body = RobotReasonBody(reason=_reason(sent))
        except ValidationError:
            return
        await self.attempt(self.api.clear_robot(_id(sent), body.reason))

    async def _proceed(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        try:
            body = ProceedBody(zone_id=str(sent.get("zone")), reason=_reason(sent))
        except ValidationError:
            return
        await self.attempt(self.api.let_through(_id(sent), body.zone_id, body.reason))

    async def _release(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        if len(_reason(sent)) >= REASON_MIN:
            await self.attempt(self.api.ask_release(_id(sent), _reason(sent)))

    async def _judge_release(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        doing = self.api.judge_release(_id(sent), approve=bool(sent.get("approve")))
        await self.attempt(doing)

    async def _fire(self, event: GenericEventArguments) -> None:
        reason = _reason(_sent(event))
        if len(reason) >= REASON_MIN:
            await self.attempt(self.api.release_fire(reason))

    async def _cancel(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        try:
            body = CancelBody(reason=_reason(sent))
        except ValidationError:
            return
        await self.attempt(self.api.cancel(_id(sent), body.reason))


def _sent(event: GenericEventArguments) -> dict[str, object]:
    return event.args if isinstance(event.args, dict) else {}


def _id(sent: dict[str, object]) -> str:
    return str(sent.get("id"))


def _reason(sent: dict[str, object]) -> str:
    return str(sent.get("reason", "")).strip()
