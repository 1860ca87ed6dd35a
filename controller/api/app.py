"""Builds the API: every route behind a scope, log-in and the OpenAPI document excepted."""

from collections import deque
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from contracts.api import (
    BASE,
    PAGE_MAX,
    ControllerHealth,
    Overview,
    Problem,
    RobotView,
    SiteView,
    ZoneView,
)
from controller.api import (
    account,
    accounts,
    alerts,
    audit,
    conduct,
    deliveries,
    duty,
    events,
    evidence,
    facilities,
    handling,
    login,
    menu,
    notices,
    openapi,
    outside,
    playback,
    problems,
    record,
    reports,
    retrievals,
    robots,
    rooms,
    roster,
    search,
    sessions,
    sites,
    statistics,
)
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.guards import Audited, RateLimit
from controller.api.login import LOGINS_PER_MINUTE_MAX
from controller.api.sheets import FILE_MAX_BYTES
from controller.auth.scopes import Scope
from controller.core import views
from runtime.clock import Clock

BODY_MAX_BYTES: Final = 65_536  # the largest body of ours is an order of twenty lines
ADDRESSES_MAX: Final = 1_000

router = APIRouter(prefix=BASE)

# In this order: a route with a word in a place stands before one with a name there.
_PARTS: Final = (
    roster,
    record,
    sessions,
    rooms,
    handling,
    alerts,
    playback,
    deliveries,
    menu,
    robots,
    facilities,
    events,
    reports,
    evidence,
    duty,
    notices,
    login,
    account,
    accounts,
    audit,
    retrievals,
    conduct,
    search,
    statistics,
    outside,
    sites,
)


def declared() -> tuple[APIRoute, ...]:
    """Every route of the API, without a controller to serve it: for the table of rights."""
    parts = (router, *(part.router for part in _PARTS))
    return tuple(route for part in parts for route in part.routes if isinstance(route, APIRoute))


def build(context: Context) -> FastAPI:
    """The application; ``context`` is all that it works with."""
    app = FastAPI(
        title="Zero Entry controller",
        version=context.version,
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,
        redoc_url=None,
        # As they are: include_router() would build each route once more, at the first request.
        routes=list(declared()),
    )
    app.state.context = context
    app.state.logins = LoginRate(context.clock)
    problems.install(app)
    # The last one added stands outermost: who asks too often costs nothing else.
    app.add_middleware(BodyLimit)
    app.add_middleware(Audited, routes=declared(), audit=context.security.audit)
    app.add_middleware(RateLimit, policy=context.security.policy, clock=context.clock)
    openapi.install(app)
    return app


FORM_BYTES: Final = 4_096  # a form's boundaries and headers beside its file
LIMIT_OF: Final = {
    f"{BASE}/sessions/import": FILE_MAX_BYTES + FORM_BYTES,
    f"{BASE}/sessions/batch": FILE_MAX_BYTES,
}
"""Routes that take more: a schedule of two months."""


class BodyLimit:
    """Refuses a body that is larger than any of ours before it is read into memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers") or ())
        length = headers.get(b"content-length", b"0")
        chunked = b"transfer-encoding" in headers
        limit = LIMIT_OF.get(str(scope.get("path", "")), BODY_MAX_BYTES)
        if scope["type"] == "http" and (chunked or not length.isdigit() or int(length) > limit):
            text = f"send at most {limit} bytes with a Content-Length"
            problem = Problem(title="Content Too Large", status=413, detail=text)
            response = Response(
                problem.model_dump_json(), status_code=413, media_type=problems.CONTENT_TYPE
            )
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


class LoginRate:
    """Counts the log-ins of each address over the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: dict[str, deque[int]] = {}

    def allows(self, address: str) -> bool:
        """Count one; whether it is within the limit."""
        now = int(self._clock.mono_ms())
        times = self._times.setdefault(address, deque())
        while times and now - times[0] >= 60_000:
            times.popleft()
        if len(self._times) > ADDRESSES_MAX:
            self._times.pop(next(iter(self._times)))
        if len(times) >= LOGINS_PER_MINUTE_MAX:
            return False
        times.append(now)
        return True


@router.get("/site", tags=["site"], dependencies=[Depends(Needs(Scope.SITE))])
async def get_site(context: ContextNeeded) -> SiteView:
    """What does not change while the controller runs."""
    return views.site_view(context.state(), demo=context.demo)


@router.get("/overview", tags=["site"])
async def get_overview(
    context: ContextNeeded, caller: Annotated[Caller, Depends(Needs(Scope.OVERVIEW))]
) -> Overview:
    """Everything that a console draws; then follow /events with ``Last-Event-ID: event_id``."""
    # The id first: an event between the two is then seen twice, never missed.
    event_id = context.hub.last_id
    state, now = context.state(), context.clock.mono_ms()
    told = (
        row for row in state.alerts.values() if not row.shadow and caller.sees_alert(context, row)
    )
    records = sorted(told, key=lambda row: -row.number)[:PAGE_MAX]
    return Overview(
        event_id=event_id,
        rooms=rooms.rooms_seen(context, caller),
        zones=tuple(views.zone_view(state, zone, now) for zone in state.plan.zones),
        robots=tuple(views.robot_view(state, robot, now) for robot in state.plan.robots),
        alerts=tuple(context.alert_view(row, caller.user) for row in records),
        deliveries=tuple(
            views.delivery_view(state, row)
            for row in state.deliveries.values()
            if caller.sees_room(row.room_id)
        ),
        sessions=tuple(
            views.session_view(row) for row in state.sessions.values() if caller.sees_session(row)
        ),
        outside=outside.outside_of(context, caller),
    )


@router.get("/robots", tags=["robots"], dependencies=[Depends(Needs(Scope.ROBOTS))])
async def get_robots(context: ContextNeeded) -> tuple[RobotView, ...]:
    """All robots now."""
    state, now = context.state(), context.clock.mono_ms()
    return tuple(views.robot_view(state, robot, now) for robot in state.plan.robots)


@router.get("/zones", tags=["robots"], dependencies=[Depends(Needs(Scope.ZONES))])
async def get_zones(context: ContextNeeded) -> tuple[ZoneView, ...]:
    """All zones of the robot map now."""
    state, now = context.state(), context.clock.mono_ms()
    return tuple(views.zone_view(state, zone, now) for zone in state.plan.zones)


@router.get("/health", tags=["service"], dependencies=[Depends(Needs(Scope.HEALTH))])
async def get_health(context: ContextNeeded) -> ControllerHealth:
    """How the controller fares."""
    return ControllerHealth(
        version=context.version,
        broker_connected=context.broker_connected(),
        uptime_ms=context.clock.mono_ms() - context.started_mono_ms,
        queue=context.queue(),
        clients=context.hub.clients,
        event_id=context.hub.last_id,
        nodes={key: row.health.state for key, row in context.state().nodes.items()},
    )


@router.get(
    "/metrics",
    tags=["service"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    dependencies=[Depends(Needs(Scope.METRICS))],
)
async def get_metrics(context: ContextNeeded) -> Response:
    """Prometheus text."""
    return Response(context.metrics.render(), media_type="text/plain; version=0.0.4")
