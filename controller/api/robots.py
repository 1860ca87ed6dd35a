"""Routes of what a supervisor does to robots: hold, recall, remove, let through, clear a doubt."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request

from contracts.api import BASE, RobotView
from contracts.api.floor import ProceedBody, RobotReasonBody, RobotVerbBody
from contracts.units import ID_PATTERN
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import problem_responses
from controller.api.login import audited
from controller.api.problems import not_found, problem_of
from controller.auth.scopes import Scope
from controller.core import views
from controller.core.dispatch_inputs import RobotCommanded, ZoneLetThrough
from controller.core.fleet import HoldVerb
from controller.core.fleet_inputs import RobotCleared
from controller.core.outputs import Refused

router = APIRouter(
    prefix=f"{BASE}/robots", tags=["robots"], responses=problem_responses(404, 409, 503)
)

NOTE_MAX: Final = 200  # of the audit's line; the record keeps the reason whole

RobotPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a robot.")]
Acting = Annotated[Caller, Depends(Needs(Scope.ROBOTS_ACT))]


async def _done(
    context: Context, robot_id: str, given: RobotCommanded | ZoneLetThrough | RobotCleared
) -> RobotView:
    if robot_id not in context.state().plan.robots:
        raise not_found("robot", robot_id)
    answer = await context.intake.ask(given)
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return views.robot_view(context.state(), robot_id, context.clock.mono_ms())


@router.post("/{robot_id}/commands")
async def command(
    request: Request,
    robot_id: RobotPath,
    body: RobotVerbBody,
    context: ContextNeeded,
    caller: Acting,
) -> RobotView:
    """Hold a robot, let it go on, call it back, or say that it was taken off or put back."""
    audited(request, note=f"{body.verb.value}: {body.reason}"[:NOTE_MAX])
    verb = HoldVerb(body.verb.value)
    given = RobotCommanded(robot_id, verb, body.reason, caller.user.username)
    return await _done(context, robot_id, given)


@router.post("/{robot_id}/clear")
async def clear(
    robot_id: RobotPath, body: RobotReasonBody, context: ContextNeeded, caller: Acting
) -> RobotView:
    """Somebody has looked at a robot that told what cannot be true, and stands for it again."""
    return await _done(context, robot_id, RobotCleared(robot_id, body.reason, caller.user.username))


@router.post("/{robot_id}/proceed")
async def proceed(
    robot_id: RobotPath, body: ProceedBody, context: ContextNeeded, caller: Acting
) -> RobotView:
    """Let a robot through a zone that nobody sees, once; the delivery's proof says unproven."""
    if body.zone_id not in context.state().plan.zones:
        raise not_found("zone", body.zone_id)
    given = ZoneLetThrough(robot_id, body.zone_id, body.reason, caller.user.username)
    return await _done(context, robot_id, given)
