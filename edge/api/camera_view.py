"""Takes a person's word that what a camera shows now is its right view."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Path, Request

from contracts.api import Problem
from contracts.envelope import Strict
from contracts.units import CameraId
from edge.api.access import Caller, Needs, Scope
from edge.api.freeze import (
    SECOND_RESPONSES,
    ClosableRoom,
    SecondToken,
    require_unsealed_or_second,
)
from edge.api.problems import ProblemError

log = structlog.get_logger(__name__)

ROUTE = "/api/v1/cameras/{camera_id}/view/accept"


@dataclass(frozen=True, slots=True)
class LearnedView:
    """One camera's learned view: the room that it shows, and how to have it learned anew."""

    room: ClosableRoom
    accept: Callable[[], None]


class ViewAccepted(Strict):
    """A camera learns its view anew."""

    camera_id: CameraId
    accepted_by: str
    second: str | None = None


def add_camera_view(app: FastAPI, views: Mapping[CameraId, LearnedView]) -> None:
    """Add the route."""

    @app.post(
        ROUTE,
        tags=["cameras"],
        responses={404: {"model": Problem, "description": "No such camera."}, **SECOND_RESPONSES},
    )
    async def accept_view(
        request: Request,
        camera_id: Annotated[CameraId, Path(description="Id of a camera.")],
        caller: Annotated[Caller, Depends(Needs(Scope.OPS))],
        second: SecondToken = None,
    ) -> ViewAccepted:
        """Accept what a camera shows now as its view: it was turned, or its room was changed.

        The view is learned anew within seconds, so alerts about the old one clear. Where a session
        is sealed, a second person must agree.
        """
        view = views.get(camera_id)
        if view is None:
            raise ProblemError(404, "No such camera", f"camera {camera_id} is not on this node")
        consent = require_unsealed_or_second(request, caller, (view.room,))
        view.accept()
        log.warning(
            "camera_view_accepted", camera_id=camera_id, by=consent.by, second=consent.second
        )
        return ViewAccepted(camera_id=camera_id, accepted_by=consent.by, second=consent.second)
