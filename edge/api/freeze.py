"""Decides who may change what a seal froze: nobody alone."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Protocol

import structlog
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from contracts.api import Problem
from contracts.units import RoomId
from edge.api.access import Caller, Scope, gate_of
from edge.api.problems import ProblemError
from edge.core.state import RoomState
from edge.freezing import Consent

log = structlog.get_logger(__name__)

SECOND_HEADER: Final = "X-Second-Token"

second_token = APIKeyHeader(
    name=SECOND_HEADER,
    auto_error=False,
    description="The token of a second person, with the scope approve: needed where a session is "
    "sealed. Never kept or logged; both names are.",
)
SecondToken = Annotated[str | None, Depends(second_token)]
"""Declare it as a parameter of a route that may need a second person, for its description."""

SECOND_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "A session is sealed: a second person is needed."}
}


class ClosableRoom(Protocol):
    """What is asked of a room."""

    @property
    def room_id(self) -> RoomId: ...

    @property
    def state(self) -> RoomState: ...


def require_unsealed_or_second(
    request: Request, caller: Caller, rooms: Iterable[ClosableRoom]
) -> Consent:
    """Who changes these rooms, and who stands by where one of them is closed.

    Raises:
        ProblemError: 409 a room is closed and nobody stands by; 401, 403 the second token is
            unknown, lacks ``approve``, or belongs to the one who asks.
    """
    closed = sorted(room.room_id for room in rooms if room.state.closed)
    if not closed:
        return Consent(caller.name)
    token = request.headers.get(SECOND_HEADER)
    if not token:
        raise ProblemError(
            409,
            "Needs a second person",
            f"a session is sealed in {', '.join(closed)}: send a second person's token, with the "
            f"scope {Scope.APPROVE.value}, in the header {SECOND_HEADER}. The change raises an "
            "alert and stands in the evidence",
        )
    second = gate_of(request).by_token(token, Scope.APPROVE)
    if second.name == caller.name:
        raise ProblemError(
            403,
            "Needs a second person",
            f"{SECOND_HEADER} bears a token of {caller.name} too: another person must agree",
        )
    log.warning("frozen_changed", rooms=closed, by=caller.name, second=second.name)
    return Consent(caller.name, second.name)
