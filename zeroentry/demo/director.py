"""Plays the day: gives cues, waits for what the product does, stands in for a slow visitor."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from client import RefusedError
from contracts.api import (
    AlertView,
    DeliveryBody,
    DeliveryState,
    DeliveryView,
    Disposition,
    Handling,
    OrderLine,
    ResolveBody,
    RobotCondition,
    Sentence,
    SessionBody,
    SessionState,
    SessionView,
)
from contracts.devices import Named
from contracts.observations import Condition
from contracts.units import CameraId, RoomId, UtcMs
from runtime.clock import Clock
from zeroentry.demo.feed import Account, DeadlineError, Feed
from zeroentry.demo.proof import Proof
from zeroentry.demo.seal import said_with
from zeroentry.demo.sight import Sight
from zeroentry.demo.stage import (
    CORRIDOR_CAMERA,
    INTRUDER,
    OTHER_CAMERA,
    OUTSIDER,
    ROOM_CAMERA,
    Stage,
)
from zeroentry.demo.story import TODO, DemoState, StepId, StepStatus, StepView, fresh_steps
from zeroentry.evidence.findings import Exit

log = structlog.get_logger(__name__)

ROOM: Final = "room-1"
CORRIDOR: Final = "corridor-1"
ADMITTED: Final = 5
STANDING: Final = (RobotCondition.PAUSED, RobotCondition.HELD)
OVER_ADMITTED: Final = "area.over_admitted"
NOT_ADMITTED: Final = "area.appearance_not_admitted"
PERSON_IN_ZONE: Final = "robot.person_in_zone"

START_MS: Final = 120_000  # nine processes start cold on two cores, which others may share
GATHER_MS: Final = 60_000
SETTLED_MS: Final = 2_000  # a count that stands that long is what a seal demands
ALERT_MS: Final = 60_000  # a deadline, not a figure: a killed controller has to come back first
SHORT_MS: Final = 60_000
DRIVE_MS: Final = 120_000
PROOF_MS: Final = 60_000  # until the last entry is countersigned; commonly within a second
CORRIDOR_X_M: Final = (4.5, 19.5)
MIRROR_MS: Final = 250  # how often the robot's place in the corridor's picture is renewed


@dataclass(frozen=True, slots=True)
class Pace:
    """How the day is played: for a visitor who looks on, or as fast as it honestly goes."""

    visitor_ms: int
    """How long a visitor is waited for before the director acts in their place."""
    pause_ms: int
    """Rest between two steps, so that eyes can follow."""
    stagger_ms: int
    linger_ms: int
    """How long an outsider stands in the corridor, and the result of the proof in the panel."""


FOR_EYES: Final = Pace(visitor_ms=60_000, pause_ms=2_500, stagger_ms=1_200, linger_ms=6_000)
FOR_CHECK: Final = Pace(visitor_ms=0, pause_ms=0, stagger_ms=400, linger_ms=1_500)


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that happened on the stage, and the alert that it has to become."""

    rule: str
    room_id: str
    began_utc_ms: UtcMs
    alert_id: str | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long an alert took, beyond its rule's dwell, until it left the event stream.

    ``latency_ms`` counts from the first picture that showed half of the person (before that it is a
    hand on a door), ``first_pixel_ms`` from the first that showed anything, by the camera's log.
    """

    rule: str
    latency_ms: int
    first_pixel_ms: int


@dataclass(frozen=True, slots=True)
class Provoked:
    """An alert that the director brought about."""

    alert: AlertView
    expected: Expected
    latency: Latency


@dataclass(slots=True)
class Day:
    """What one day gave."""

    session: SessionView | None = None
    delivery: DeliveryView | None = None
    expected: list[Expected] = field(default_factory=list)
    right_too: list[tuple[str, str]] = field(default_factory=list)
    """Rule and room of alerts that are right as well, and need not come: who steps in for a moment
    may or may not show the camera that there is no vest."""
    latencies: list[Latency] = field(default_factory=list)
    proof: Proof | None = None
    pin_shown: str | None = None

    def note(self, found: Provoked) -> None:
        """Keep what an event on the stage became."""
        self.expected.append(found.expected)
        self.latencies.append(found.latency)


class Prover(Protocol):
    """Verifies the recordings as somebody would who believes nothing else (``proof.Stranger``)."""

    async def prove(self, within_ms: int) -> Proof: ...


Hook = Callable[[StepId], Awaitable[None]]

_CLOSING: Final = {
    SessionState.SEALED: "release",
    SessionState.SUSPENDED: "release",
    SessionState.GATHERING: "cancel",
    SessionState.SCHEDULED: "cancel",
}


async def _no_hook(_: StepId) -> None:
    return


@dataclass(slots=True)
class Director:
    """Plays days one after another. ``before`` is called as each step begins (chaos uses it)."""

    clock: Clock
    stage: Stage
    feed: Feed
    supervisor: Account
    tablet: Account
    kitchen: Account
    panel: Account
    stranger: Prover
    pace: Pace
    before: Hook = _no_hook
    loop: int = 0
    running: bool = False
    sight: Sight = field(init=False)
    steps: tuple[StepView, ...] = field(default_factory=fresh_steps)

    def __post_init__(self) -> None:
        self.sight = Sight(self.feed)

    def state(self) -> DemoState:
        """The story now, for the console."""
        return DemoState(running=self.running, loop=self.loop, steps=self.steps)

    async def play_day(self, day: Day) -> None:
        """Play one day from an empty room to the proof; what happens is noted in ``day``.

        Raises:
            DeadlineError: a step did not come to its end in its time; the step is marked failed.
        """
        self.loop, self.running, self.steps = self.loop + 1, True, fresh_steps()
        mirror = asyncio.create_task(self._mirror_robots())
        try:
            await self._room(day)
            await self._intrusion(day)
            await self._delivery(day)
            await self._release(day)
            await self.prove(day)
        finally:
            self.running = False
            mirror.cancel()
            await asyncio.gather(mirror, return_exceptions=True)

    async def tidy_up(self) -> None:
        """After a day, good or not: everybody out, faults mended, what is open is closed."""
        for camera in (ROOM_CAMERA, OTHER_CAMERA):
            await self.stage.fault(camera)
        await self.stage.clear_corridor()
        await self.stage.leave(ROOM_CAMERA, 200)
        for session in list(self.feed.sessions.values()):
            step = _CLOSING.get(session.state)
            if step is not None and session.room_id == ROOM:
                with contextlib.suppress(RefusedError):  # it has moved on by itself
                    await self.session_step(session.id, step)
        for delivery in list(self.feed.deliveries.values()):
            if delivery.ended_utc_ms is None:
                with contextlib.suppress(RefusedError):
                    await self._cancel(delivery.id)

    async def session_step(self, session_id: str, step: str) -> SessionView:
        """Gather, seal, release or cancel a session as the supervisor."""
        said = await said_with(self.supervisor, self.clock, session_id, step)
        return await self.supervisor.ask(step, lambda api: api.session_step(session_id, step, said))

    async def _cancel(self, delivery_id: str) -> DeliveryView:
        reason = "demo: the next day begins"
        return await self.supervisor.ask("cancel", lambda api: api.cancel(delivery_id, reason))

    async def cameras_live(self, within_ms: int) -> None:
        """Wait until every camera's pictures arrive."""
        await self.feed.until(self.sight.cameras_live, within_ms=within_ms, what="all cameras live")

    # --- the room fills and is sealed -----------------------------------------------------------

    async def _room(self, day: Day) -> None:
        async with self._step(StepId.READY):
            await self.feed.until(
                self.sight.all_ready, within_ms=START_MS, what="cameras live, robots online"
            )
            await self.stage.seat(OTHER_CAMERA, 3)
        async with self._step(StepId.GATHER):
            day.session = await self._schedule()
            await self.stage.gather(ROOM_CAMERA, ADMITTED, self.pace.stagger_ms)
            await self._settled(ROOM_CAMERA, ROOM, ADMITTED)
        async with self._step(StepId.SEAL):
            await self._take_session(day, "seal", SessionState.SEALED)
            await self.feed.until(
                lambda: self._session(day).seal_confirmed,
                within_ms=SHORT_MS,
                what="the edge node confirms the seal",
            )

    async def _schedule(self) -> SessionView:
        body = SessionBody(
            room_id=ROOM,
            title=f"演示标段 {self.loop:02d} / Demo lot {self.loop:02d}",
            admitted=ADMITTED,
        )
        session = await self.supervisor.ask("schedule a session", lambda api: api.schedule(body))
        return await self.session_step(session.id, "gather")

    # --- a sixth person ---------------------------------------------------------------------------

    async def _intrusion(self, day: Day) -> None:
        async with self._step(StepId.SIXTH):
            alert = await self.intrude(day)
        async with self._step(StepId.ACKNOWLEDGE):
            await self._acknowledged(alert.id)
        async with self._step(StepId.WITHDRAW):
            await self._withdraw(alert.id)

    async def intrude(self, day: Day) -> AlertView:
        """Send a sixth person in and wait for the alert; its latency goes into ``day``."""
        found = await self.provoke(
            self.stage.intrude(ROOM_CAMERA, INTRUDER), OVER_ADMITTED, ROOM, ROOM_CAMERA, INTRUDER
        )
        day.note(found)
        day.right_too.append((NOT_ADMITTED, ROOM))
        alert_id = found.alert.id
        await self.feed.until(
            lambda: self.feed.alerts[alert_id].picture_url,
            within_ms=SHORT_MS,
            what="the alert's picture",
        )
        return found.alert

    async def provoke(
        self, cue: Awaitable[None], rule: str, room: RoomId, camera: CameraId, person: str
    ) -> Provoked:
        """Let a person come in, and wait for the alert that has to come of it.

        Raises:
            DeadlineError: no alert came, or it came before anything of the person could be seen.
        """
        known, cued_utc_ms = set(self.feed.alerts), self.clock.utc_ms()
        await cue
        alert = await self.feed.until(
            lambda: self.sight.new_alert(rule, room, known),
            within_ms=ALERT_MS,
            what=f"alert {rule} in {room}",
        )
        arrived = self.feed.arrived_utc_ms[alert.id]
        first = self.stage.seen_utc_ms(camera, person, cued_utc_ms, half=False)
        if first is None or arrived < first:
            raise DeadlineError(f"{rule}: an alert came before {person} was in {camera}'s picture")
        began = await self.feed.until(
            lambda: self.stage.seen_utc_ms(camera, person, cued_utc_ms, half=True),
            within_ms=SHORT_MS,
            what=f"half of {person} in the picture of {camera}",
        )
        late = arrived - alert.dwell_ms
        return Provoked(
            alert, Expected(rule, room, began, alert.id), Latency(rule, late - began, late - first)
        )

    async def _settled(self, camera: CameraId, room: RoomId, count: int) -> None:
        """Wait until so many people sit before a camera, and are counted so for a while."""
        since_ms: int | None = None

        def settled() -> bool:
            nonlocal since_ms
            right = self.stage.steady(camera) and self.sight.head_count(room) == count
            since_ms = (since_ms or self.clock.mono_ms()) if right else None
            return since_ms is not None and self.clock.mono_ms() - since_ms >= SETTLED_MS

        await self.feed.until(settled, within_ms=GATHER_MS, what=f"{count} people sit in {room}")

    async def _acknowledged(self, alert_id: str) -> None:
        def seen() -> bool:
            return self.feed.alerts[alert_id].handling is not Handling.NEW

        if not await self._visitor_did(seen):
            await self.supervisor.ask("acknowledge", lambda api: api.acknowledge(alert_id))
            await self.feed.until(seen, within_ms=SHORT_MS, what="the acknowledgement is stored")

    async def _withdraw(self, alert_id: str) -> None:
        await self.stage.withdraw(ROOM_CAMERA, INTRUDER)
        await self.feed.until(
            lambda: self.feed.alerts[alert_id].condition is Condition.CLEARED,
            within_ms=SHORT_MS,
            what="the alert clears",
        )
        body = ResolveBody(
            disposition=Disposition.VIOLATION,
            note="演示：第六人进入 / demo: a sixth person came in",
        )
        if self.feed.alerts[alert_id].handling not in (Handling.RESOLVED, Handling.CLOSED):
            with contextlib.suppress(RefusedError):  # the visitor was quicker
                await self.supervisor.ask("resolve", lambda api: api.resolve(alert_id, body))

    # --- a meal -----------------------------------------------------------------------------------

    async def _delivery(self, day: Day) -> None:
        async with self._step(StepId.ORDER):
            delivery_id = await self._ordered(day)
        async with self._step(StepId.LOAD):
            await self._load(delivery_id)
        async with self._step(StepId.TRAVEL):
            await self.feed.until(
                lambda: self.sight.in_corridor(delivery_id),
                within_ms=DRIVE_MS,
                what="the robot drives in the corridor",
            )
        async with self._step(StepId.BLOCKED):
            alert = await self._block(day, delivery_id)
        async with self._step(StepId.RESUME):
            await self._resume(delivery_id, alert)
        async with self._step(StepId.ARRIVE):
            await self.sight.reaches(delivery_id, DeliveryState.ARRIVED, DRIVE_MS)
        async with self._step(StepId.UNLOCK, self._pin_todo(day)):
            await self._unlock(day, delivery_id)
        async with self._step(StepId.COLLECT):
            await self.sight.reaches(delivery_id, DeliveryState.COLLECTED, DRIVE_MS)
        async with self._step(StepId.RETURN):
            day.delivery = await self.sight.reaches(delivery_id, DeliveryState.RETURNED, DRIVE_MS)

    async def _ordered(self, day: Day) -> str:
        known = set(self.feed.deliveries)

        def ordered() -> str | None:
            return self.sight.new_delivery(ROOM, known)

        if await self._visitor_did(lambda: ordered() is not None):
            return ordered() or ""
        site = await self.tablet.ask("menu", lambda api: api.site())
        body = DeliveryBody(room_id=ROOM, lines=(OrderLine(dish=site.menu[0].id, count=ADMITTED),))
        key = uuid.uuid4().hex
        given = await self.tablet.ask("order a meal", lambda api: api.order(body, key))
        day.pin_shown = given.pin
        await self.feed.until(
            lambda: given.delivery.id in self.feed.deliveries,
            within_ms=SHORT_MS,
            what="the order is listed",
        )
        return given.delivery.id

    async def _load(self, delivery_id: str) -> None:
        delivery = await self.sight.reaches(delivery_id, DeliveryState.LOADING, DRIVE_MS)
        compartment = delivery.compartment
        if compartment is None:
            raise DeadlineError(f"delivery {delivery_id} is loading without a compartment")
        await self.feed.until(
            lambda: self.sight.filled(delivery),
            within_ms=DRIVE_MS,
            what="a meal in the compartment, its lid closed",
        )
        if self.feed.deliveries[delivery_id].state is DeliveryState.LOADING:
            with contextlib.suppress(RefusedError):  # the visitor pressed the kitchen's button
                await self.kitchen.ask("loaded", lambda api: api.loaded(delivery_id, compartment))
        await self.sight.reaches(delivery_id, DeliveryState.TRAVELLING, SHORT_MS)

    async def _block(self, day: Day, delivery_id: str) -> AlertView:
        found = await self.provoke(
            self.stage.block_corridor(OUTSIDER), PERSON_IN_ZONE, CORRIDOR, CORRIDOR_CAMERA, OUTSIDER
        )
        day.note(found)
        await self.feed.until(
            lambda: self.sight.robot_of(delivery_id).condition in STANDING,
            within_ms=SHORT_MS,
            what="the robot stands",
        )
        await self.clock.sleep_ms(self.pace.linger_ms)
        return found.alert

    async def _resume(self, delivery_id: str, alert: AlertView) -> None:
        await self.stage.clear_corridor()
        await self.feed.until(
            lambda: self.feed.alerts[alert.id].condition is Condition.CLEARED,
            within_ms=DRIVE_MS,
            what="the corridor is clear",
        )
        await self.feed.until(
            lambda: (
                self.sight.robot_of(delivery_id).condition is RobotCondition.DRIVING
                or self.feed.deliveries[delivery_id].state is not DeliveryState.TRAVELLING
            ),
            within_ms=SHORT_MS,
            what="the robot goes on",
        )

    async def _unlock(self, day: Day, delivery_id: str) -> None:
        def past() -> bool:
            return self.feed.deliveries[delivery_id].state is not DeliveryState.ARRIVED

        pin = day.pin_shown
        if pin is None or await self._visitor_did(past):
            await self.feed.until(past, within_ms=DRIVE_MS * 3, what="somebody types the PIN")
            return
        await self.panel.ask("unlock", lambda api: api.unlock(delivery_id, pin))

    def _pin_todo(self, day: Day) -> Named | None:
        base = TODO[StepId.UNLOCK]
        if day.pin_shown is None:
            return base
        return Named(zh=f"{base.zh}：{day.pin_shown}", en=f"{base.en}: {day.pin_shown}")

    # --- the end

    async def _release(self, day: Day) -> None:
        async with self._step(StepId.RELEASE):
            await self._take_session(day, "release", SessionState.RELEASED)
            await self.stage.leave(ROOM_CAMERA, self.pace.stagger_ms)
        async with self._step(StepId.REPORT):
            await self.feed.until(
                lambda: self.sight.head_count(ROOM) == 0,
                within_ms=GATHER_MS,
                what="the room is empty",
            )
            await self._sign_report(self._session(day).id)

    async def _sign_report(self, session_id: str) -> None:
        """Have the report made now; where this machine has no Chinese font it stays a draft.

        Raises:
            DeadlineError: a check, and it could not be made.
        """
        try:
            await self.supervisor.ask("report", lambda api: api.report_version(session_id))
        except RefusedError as error:
            told = await self.supervisor.ask("report", lambda api: api.report_state(session_id))
            if told.versions:  # it was made by itself meanwhile
                return
            if self.pace.visitor_ms == 0:
                raise DeadlineError(error.problem.detail) from error
            zh, en = (
                "见证报告（草稿：无法排版 PDF）",
                "Witness report (a draft: no PDF could be set)",
            )
            self._retitle(StepId.REPORT, Sentence(zh=zh, en=en))

    async def prove(self, day: Day) -> None:
        """Have the recordings verified; the step's title becomes the result in words.

        Raises:
            DeadlineError: they are not whole, or it cannot be told.
        """
        async with self._step(StepId.PROOF):
            day.proof = proof = await self.stranger.prove(PROOF_MS)
            self._retitle(StepId.PROOF, proof.told())
            if proof.exit is not Exit.WHOLE:
                raise DeadlineError(proof.told().en)
            await self.clock.sleep_ms(self.pace.linger_ms)  # a visitor reads it in the panel

    def _session(self, day: Day) -> SessionView:
        if day.session is None:
            raise DeadlineError("the day has no session yet")
        return self.feed.sessions.get(day.session.id, day.session)

    # --- how a step is told -----------------------------------------------------------------------

    def step_is(self, *ids: StepId) -> bool:
        """Whether one of these steps is under way."""
        return any(step.id in ids and step.status is StepStatus.ACTIVE for step in self.steps)

    async def _take_session(self, day: Day, step: str, state: SessionState) -> None:
        session = self._session(day)
        if session.state is not state:
            try:
                await self.session_step(session.id, step)
            except RefusedError:
                if self._session(day).state is not state:  # a repeat after a lost answer is refused
                    raise
        await self.feed.until(
            lambda: self._session(day).state is state,
            within_ms=SHORT_MS,
            what=f"the session is {state}",
        )

    async def _visitor_did(self, done: Callable[[], bool]) -> bool:
        if self.pace.visitor_ms == 0:
            return done()
        try:
            await self.feed.until(
                lambda: done() or None, within_ms=self.pace.visitor_ms, what="the visitor"
            )
        except DeadlineError:
            return False
        return True

    async def _mirror_robots(self) -> None:
        """Show a robot that drives in the corridor in the corridor camera's picture."""
        shown: float | None = None
        low, high = CORRIDOR_X_M
        while True:
            places = [
                (robot.pose.x_m - low) / (high - low)
                for robot in self.feed.robots.values()
                if robot.pose is not None and low <= robot.pose.x_m <= high
            ]
            progress = round(min(1.0, max(0.0, places[0])), 3) if places else None
            if progress != shown:
                await self.stage.robot_at(progress)
                shown = progress
            await self.clock.sleep_ms(MIRROR_MS)

    @contextlib.asynccontextmanager
    async def _step(self, step: StepId, todo: Named | None = None) -> AsyncIterator[None]:
        begun_ms = self.clock.mono_ms()
        self._mark(step, StepStatus.ACTIVE, None, todo or TODO.get(step))
        await self.before(step)
        try:
            yield
        except BaseException:
            self._mark(step, StepStatus.FAILED, self._seconds(begun_ms), None)
            raise
        self._mark(step, StepStatus.DONE, self._seconds(begun_ms), None)
        log.info("demo_step", step=step.value, seconds=self._seconds(begun_ms))
        await self.clock.sleep_ms(self.pace.pause_ms)

    def _seconds(self, begun_ms: int) -> float:
        return round((self.clock.mono_ms() - begun_ms) / 1000, 1)

    def _retitle(self, step: StepId, title: Sentence) -> None:
        self.steps = tuple(
            row.model_copy(update={"title": title}) if row.id is step else row for row in self.steps
        )

    def _mark(
        self, step: StepId, status: StepStatus, seconds: float | None, todo: Named | None
    ) -> None:
        self.steps = tuple(
            row.model_copy(update={"status": status, "seconds": seconds, "todo": todo})
            if row.id is step
            else row
            for row in self.steps
        )
