"""Routes of the robot map, and of doors, lifts and the fire alarm."""

from typing import Annotated

from fastapi import APIRouter, Depends

from contracts.api import BASE
from contracts.api.facilities import FacilitiesView, FireReleaseBody, FireView, MapView
from controller.api.context import Caller, ContextNeeded, Needs
from controller.api.http_rules import problem_responses
from controller.api.problems import problem_of
from controller.auth.scopes import Scope
from controller.core import facility_views
from controller.core.facility_words import FireReleased
from controller.core.outputs import Refused

router = APIRouter(prefix=BASE, tags=["facilities"])

Reads = Depends(Needs(Scope.ROBOTS))
Acts = Annotated[Caller, Depends(Needs(Scope.ROBOTS_ACT))]


@router.get("/map", dependencies=[Reads])
async def get_map(context: ContextNeeded) -> MapView:
    """The robot map: floors, nodes, ways, zones, one-lane stretches, doors, lifts, refuges."""
    return facility_views.map_view(context.state().plan)


@router.get("/facilities", dependencies=[Reads])
async def get_facilities(context: ContextNeeded) -> FacilitiesView:
    """Doors, lifts and the fire alarm now; follow the event ``facilities`` for what changes."""
    return facility_views.facilities_view(context.state())


@router.post("/fire/release", responses=problem_responses(409, 503))
async def release_fire(body: FireReleaseBody, context: ContextNeeded, caller: Acts) -> FireView:
    """Let robots drive again after a fire alarm, with the reason; not while it still rings."""
    answer = await context.intake.ask(FireReleased(caller.user.username, body.reason))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return facility_views.facilities_view(context.state()).fire
