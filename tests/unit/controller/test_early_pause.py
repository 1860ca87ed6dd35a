"""A pause goes out before its commit; one whose commit was lost is ended all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from contracts.api import DeliveryBody, OrderLine, Pose
from contracts.units import UtcMs
from contracts.vda5050.state import ActionStatus, ConnectionState
from controller.core import deliveries, fleet
from controller.core.fleet import ActionDuty, ActionReport, Duty, Mission, RobotLive, RobotReport
from controller.core.outputs import ActionKind
from controller.core.state import Observed, changed
from controller.ports import Batch, OutputId, StoreLost
from tests.fakes.controller_site import Bench, at_once, bench, observation, person
from tests.fakes.robot_words import standing_at

WAY = ("kitchen", "k", "c1", "c2", "door-1")
TOPIC = "uagv/v2/ZeroEntry/R1/instantActions"


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[Bench]:
    made = bench(tmp_path, blocking=at_once)
    task = asyncio.create_task(made.controller.run())
    await made.clock.settle()
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def report(*, paused: bool = False, actions: tuple[ActionReport, ...] = ()) -> RobotReport:
    return standing_at(
        "c1",
        order_id="o",
        last_sequence_id=4,
        driving=not paused,
        paused=paused,
        pose=Pose(x_m=5.0, y_m=0.0, theta_rad=0.0, map_id="floor-1"),
        actions=actions,
        speed_m_s=0.0 if paused else 1.0,
    )


async def test_a_pause_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        service, clock = made.controller.service, made.clock
        mission = Mission("o", WAY, 4, passed=2, answered=0)
        duty = Duty("robot-1", mission=mission, at_node="c1")
        said = report()
        live = RobotLive(
            ConnectionState.ONLINE, report=said, report_mono_ms=clock.mono_ms(), pose=said.pose
        )
        service.state = replace(
            service.state,
            duties=changed(service.state.duties, "robot-1", duty),
            robots=changed(service.state.robots, "robot-1", live),
        )
        store, published_at_commit = made.controller.database, []

        def refusing(batch: Batch) -> tuple[tuple[OutputId, ...], ...]:
            published_at_commit.append([row.topic for row in made.broker.sent].count(TOPIC))
            raise StoreLost("the disk is full (test)")

        store.commit = refusing  # type: ignore[method-assign]  # a disk that fails
        _something_delivered(made)
        seen = observation(index=1, utc_ms=clock.utc_ms(), people=(person(),))
        await service.offer(Observed(seen))
        await clock.settle()
        assert published_at_commit[0] == 1
        assert service.state.duties["robot-1"].pause_wanted is None


def _something_delivered(made: Bench) -> None:
    """Nothing is enforced while nothing is delivered."""
    body = DeliveryBody(room_id="room-1", lines=(OrderLine(dish="box-standard", count=1),))
    service = made.controller.service
    row = deliveries.order(
        "d-1",
        body,
        by="sup",
        session_id=None,
        pin_digest="",
        idempotency_key=None,
        mono_ms=made.clock.mono_ms(),
        utc_ms=made.clock.utc_ms(),
    )
    service.state = replace(service.state, deliveries={row.id: row})


def test_a_pause_of_a_lost_commit_is_known_again_and_ended() -> None:
    duty = Duty("robot-1", mission=Mission("o", WAY, 4, answered=0))
    sent = fleet.with_pause(duty, UtcMs(10_000)).actions[-1]
    assert sent.action is ActionKind.PAUSE
    shown = (ActionReport(sent.action_id, ActionStatus.FINISHED),)
    # The state that sent it was never committed: the duty knows nothing of it.
    after = fleet.stray_arrived(duty, report(paused=True, actions=shown), UtcMs(11_000))
    assert after.pause_wanted is False


def test_who_is_paused_by_somebody_else_is_left_alone() -> None:
    duty = Duty("robot-1", mission=Mission("o", WAY, 4, answered=0))
    other = (ActionReport("somebody-else", ActionStatus.FINISHED),)
    paused = report(paused=True, actions=other)
    assert fleet.stray_arrived(duty, paused, UtcMs(11_000)).pause_wanted is None
    known = replace(fleet.with_pause(duty, UtcMs(10_000)), actions=())
    older = (ActionReport("robot-1-p1-9000", ActionStatus.FINISHED),)
    paused = report(paused=True, actions=older)
    assert fleet.stray_arrived(known, paused, UtcMs(11_000)).pause_wanted is None


def test_a_pause_that_takes_effect_late_is_lifted() -> None:
    duty = fleet.with_pause(Duty("robot-1"), UtcMs(10_000))
    ended = replace(duty.actions[-1], status=ActionStatus.FINISHED)
    duty = replace(duty, actions=(ended,))
    assert fleet.stray_arrived(duty, report(paused=True), UtcMs(12_000)).pause_wanted is False
    late = UtcMs(10_000 + fleet.EFFECT_MAX_MS + 1)
    assert fleet.stray_arrived(duty, report(paused=True), late).pause_wanted is None


def test_a_late_copy_of_a_pause_that_the_robot_had_forgotten_is_lifted() -> None:
    duty = fleet.with_pause(Duty("robot-1"), UtcMs(10_000))
    lifted = ActionDuty("robot-1-2", ActionKind.RESUME, asked_utc_ms=UtcMs(12_000))
    duty = fleet.with_action(duty, lifted)
    both = tuple(ActionReport(row.action_id, ActionStatus.FINISHED) for row in duty.actions)
    duty = fleet.heard(duty, report(actions=both))

    def wanted(shown: tuple[ActionReport, ...], utc_ms: int = 13_000) -> bool | None:
        said = report(paused=True, actions=shown)
        return fleet.stray_arrived(duty, said, UtcMs(utc_ms)).pause_wanted

    # A new order made it forget both; then the pause came once more, and it took that for new.
    assert wanted(both[:1]) is False
    # Where it shows that the pause was ended, somebody has pressed a button since.
    assert wanted(both) is None
    assert wanted(()) is None
    assert wanted(both[:1], 10_000 + fleet.EFFECT_MAX_MS + 1) is None
