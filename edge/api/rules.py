"""Answers for rules: the catalogue, what is in force, and what a layer sets; changes, safely."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, FastAPI, Header, Path, Request, Response
from pydantic import ValidationError

from contracts.api import Problem
from contracts.catalogue import CATALOGUE, JudgedBy, RuleSpec
from contracts.units import RoomId, RuleCode, SessionId, Sha256Hex
from edge.api import rule_models as models
from edge.api.access import Caller, Needs, Scope
from edge.api.freeze import SECOND_RESPONSES, SecondToken, require_unsealed_or_second
from edge.api.problems import ProblemError
from edge.api.rule_models import AreaRules, RuleAtLayer, RuleInfo
from edge.core.room import RulesChanged
from edge.core.rule_settings import RuleChange, near_codes, parameter_problems
from edge.freezing import Consent
from edge.room_service import RoomService
from edge.rule_book import (
    SITE,
    BookFullError,
    DiskRefused,
    Entry,
    KeptChange,
    Pages,
    RuleBook,
    room_place,
    session_place,
)
from edge.store import RulePlace
from runtime.clock import Clock

log = structlog.get_logger(__name__)

BASE: Final = "/api/v1"
BODY_MAX_BYTES: Final = 16_384  # sixteen parameters take one; more is no change of a rule

_View = Depends(Needs(Scope.VIEW))
_Changer = Annotated[Caller, Depends(Needs(Scope.OPS))]
RuleCodePath = Annotated[
    str, Path(max_length=80, description="Code of a rule, such as area.over_admitted.")
]
_AreaIdPath = Annotated[RoomId, Path(description="Id of an area.")]
_SessionIdPath = Annotated[
    SessionId, Path(description="Id of a session: the sealed one, or one that is to come.")
]
_IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The ETag that was read: 412 if it changed.")
]

_READ: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "No such rule, with near matches; or no such area."}
}
_CHANGE: Final[dict[int | str, dict[str, Any]]] = {
    **_READ,
    **SECOND_RESPONSES,
    412: {"model": Problem, "description": "Somebody has changed it since it was read."},
    503: {"model": Problem, "description": "The node's disk refuses."},
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/RuleChange"},
                "examples": {
                    "shadow": {"value": {"mode": "shadow"}},
                    "risk point": {"value": {"risk_code": "RP-031"}},
                    "parameter": {"value": {"parameters": {"dwell_ms": 3000}}},
                },
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class RuleDesk:
    """What the API needs to show and to set rules."""

    book: RuleBook
    rooms: Mapping[RoomId, RoomService]
    clock: Clock
    frozen_text: Callable[[Sha256Hex], str | None]
    """What a chain names by a hash."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to change a rule, by somebody who may."""

    request: Request
    caller: Caller
    spec: RuleSpec
    if_match: str | None


def asked(
    request: Request,
    caller: _Changer,
    code: RuleCodePath,
    second: SecondToken,
    if_match: _IfMatch = None,
) -> Asked:
    """Dependency: what every change of a rule needs. The second token is read where needed."""
    return Asked(request, caller, _spec(code), if_match)


_Asked = Annotated[Asked, Depends(asked)]


def add_rules(app: FastAPI, desk: RuleDesk) -> None:
    """Add every route of rules."""
    _add_catalogue(app)
    _add_areas(app, desk)
    _add_site(app, desk)
    _add_rooms(app, desk)
    _add_sessions(app, desk)
    _add_frozen(app, desk)


def _add_frozen(app: FastAPI, desk: RuleDesk) -> None:
    @app.get(
        f"{BASE}/frozen/{{sha256}}.json",
        tags=["rules"],
        dependencies=[Depends(Needs(Scope.RECORDING))],
        response_class=Response,
        responses={
            200: {"content": {"application/json": {"schema": {"type": "object"}}}},
            404: {"model": Problem, "description": "This node has not frozen it."},
        },
    )
    def get_frozen(
        sha256: Annotated[Sha256Hex, Path(description="Hash that a seal or a change names.")],
    ) -> Response:
        """Rules, zones or devices as they were frozen, byte for byte as hashed."""
        text = desk.frozen_text(sha256)
        if text is None:
            raise ProblemError(404, "Not frozen here", "no seal of this node named it")
        headers = {"ETag": f'"{sha256}"', "Cache-Control": "private, max-age=86400, immutable"}
        return Response(text, media_type="application/json", headers=headers)


def _add_catalogue(app: FastAPI) -> None:
    @app.get(f"{BASE}/rules", tags=["rules"], dependencies=[_View])
    async def get_catalogue() -> list[RuleInfo]:
        """Every rule of the product: what it watches, what it may be set to."""
        return [models.rule_info(spec) for spec in CATALOGUE.values()]


def _add_areas(app: FastAPI, desk: RuleDesk) -> None:
    @app.get(
        f"{BASE}/areas/{{area_id}}/rules", tags=["rules"], dependencies=[_View], responses=_READ
    )
    async def get_area_rules(area_id: _AreaIdPath) -> AreaRules:
        """Every rule that this node judges in an area, the layer of each value, and counts."""
        room = _room(desk, area_id)
        pages, state = desk.book.pages, room.state
        layered = pages.layered(area_id, room.sealed_session)
        standing = [alert.rule for alert in state.alerts]
        return AreaRules(
            area=area_id,
            session_id=room.sealed_session,
            closed=state.closed,
            drifted=state.drifted,
            rules=tuple(
                models.in_force(code, rule, room.lately, standing.count(code))
                for code, rule in layered.items()
                if CATALOGUE[code].judged_by is JudgedBy.EDGE
            ),
            refused=models.refused_of(pages.places, area_id),
        )


def _add_site(app: FastAPI, desk: RuleDesk) -> None:
    path = f"{BASE}/rules/{{code}}"

    @app.get(path, tags=["rules"], dependencies=[_View], responses=_READ)
    async def get_site_rule(code: RuleCodePath, response: Response) -> RuleAtLayer:
        """What was set over the API for all rooms of this node, and what they inherit."""
        return _shown(desk, SITE, _spec(code), response)

    @app.put(path, tags=["rules"], responses=_CHANGE, openapi_extra=_BODY)
    async def put_site_rule(it: _Asked, response: Response) -> RuleAtLayer:
        """Set a rule for all rooms of this node; what the body leaves out is inherited."""
        return await _put(desk, it, SITE, response)

    @app.delete(path, tags=["rules"], responses=_CHANGE)
    async def delete_site_rule(it: _Asked, response: Response) -> RuleAtLayer:
        """Set nothing for it any more: the node's file and the catalogue say it again."""
        return await _change(desk, it, SITE, None, response)


def _add_rooms(app: FastAPI, desk: RuleDesk) -> None:
    path = f"{BASE}/areas/{{area_id}}/rules/{{code}}"

    @app.get(path, tags=["rules"], dependencies=[_View], responses=_READ)
    async def get_area_rule(
        area_id: _AreaIdPath, code: RuleCodePath, response: Response
    ) -> RuleAtLayer:
        """What is set for one area, and what is in force there without a session's own."""
        _room(desk, area_id)
        return _shown(desk, room_place(area_id), _spec(code), response)

    @app.put(path, tags=["rules"], responses=_CHANGE, openapi_extra=_BODY)
    async def put_area_rule(it: _Asked, area_id: _AreaIdPath, response: Response) -> RuleAtLayer:
        """Set a rule for one area; what the body leaves out is inherited from the site."""
        _room(desk, area_id)
        return await _put(desk, it, room_place(area_id), response)

    @app.delete(path, tags=["rules"], responses=_CHANGE)
    async def delete_area_rule(it: _Asked, area_id: _AreaIdPath, response: Response) -> RuleAtLayer:
        """Set nothing for it in this area any more: the site's value holds again."""
        _room(desk, area_id)
        return await _change(desk, it, room_place(area_id), None, response)


def _add_sessions(app: FastAPI, desk: RuleDesk) -> None:
    path = f"{BASE}/areas/{{area_id}}/sessions/{{session_id}}/rules/{{code}}"

    @app.get(path, tags=["rules"], dependencies=[_View], responses=_READ)
    async def get_session_rule(
        area_id: _AreaIdPath, session_id: _SessionIdPath, code: RuleCodePath, response: Response
    ) -> RuleAtLayer:
        """What is set for one session in one area, and what is in force while it is sealed."""
        _room(desk, area_id)
        return _shown(desk, session_place(area_id, session_id), _spec(code), response)

    @app.put(path, tags=["rules"], responses=_CHANGE, openapi_extra=_BODY)
    async def put_session_rule(
        it: _Asked, area_id: _AreaIdPath, session_id: _SessionIdPath, response: Response
    ) -> RuleAtLayer:
        """Set a rule for one session, sealed or to come. Its release ends it."""
        _room(desk, area_id)
        return await _put(desk, it, session_place(area_id, session_id), response)

    @app.delete(path, tags=["rules"], responses=_CHANGE)
    async def delete_session_rule(
        it: _Asked, area_id: _AreaIdPath, session_id: _SessionIdPath, response: Response
    ) -> RuleAtLayer:
        """Set nothing for it in this session any more: the area's value holds again."""
        _room(desk, area_id)
        return await _change(desk, it, session_place(area_id, session_id), None, response)


def _room(desk: RuleDesk, area_id: RoomId) -> RoomService:
    room = desk.rooms.get(area_id)
    if room is None:
        raise ProblemError(404, "No such area", f"area {area_id} is not on this node")
    return room


def _spec(code: str) -> RuleSpec:
    spec = CATALOGUE.get(code)
    if spec is not None:
        return spec
    near = near_codes(code)
    hint = f"did you mean {' or '.join(near)}?" if near else f"GET {BASE}/rules lists all of them"
    raise ProblemError(404, "No such rule", f"no rule {code}; {hint}")


def _shown(
    desk: RuleDesk, place: RulePlace, spec: RuleSpec, response: Response, pages: Pages | None = None
) -> RuleAtLayer:
    pages = pages or desk.book.pages
    entry = pages.entry(place, spec.code)
    response.headers["ETag"] = models.etag_of(entry)
    response.headers["Cache-Control"] = "no-store"
    rule = pages.layered(place.room_id, place.session_id)[spec.code]
    return models.at_layer(spec.code, place, entry, models.in_force(spec.code, rule))


async def _put(desk: RuleDesk, asked: Asked, place: RulePlace, response: Response) -> RuleAtLayer:
    if asked.spec.judged_by is JudgedBy.CONTROLLER:
        raise ProblemError(
            409,
            "Not judged here",
            f"{asked.spec.code} is judged by the controller, which knows the robots and hears "
            "nodes go: set it in the controller's settings",
        )
    change = _read(await asked.request.body(), asked.spec)
    return await _change(desk, asked, place, change, response)


def _read(raw: bytes, spec: RuleSpec) -> RuleChange:
    """The change that a body asks for.

    Raises:
        ProblemError: 422 with everything that is wrong, each with its JSON pointer.
    """
    if len(raw) > BODY_MAX_BYTES:
        raise ProblemError(
            413, "Too long", f"a change of a rule has at most {BODY_MAX_BYTES} bytes"
        )
    errors: list[str] = []
    change = RuleChange()
    try:
        change = RuleChange.model_validate_json(raw, strict=True)
    except ValidationError as error:
        errors = [_told(row["loc"], row["msg"], row.get("input")) for row in error.errors()]
    parameters = change.parameters if not errors else _numbers(raw)
    for problem in parameter_problems(spec, parameters):
        errors.append(f"#/{'/'.join(problem.where)}: {problem.message}")
    if errors:
        raise ProblemError(
            422,
            "Rule cannot be set so",
            f"correct what errors names; GET {BASE}/rules shows what is allowed",
            errors=tuple(errors),
        )
    return change


def _told(where: Sequence[int | str], message: str, given: object) -> str:
    pointer = "#/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in where)
    shown = json.dumps(given, ensure_ascii=False, default=str)
    return f"{pointer if where else '#'}: {message}; given: {shown[:80]}"


def _numbers(raw: bytes) -> dict[str, float]:
    """Those parameters of a faulty body that are numbers: they are told what is wrong too."""
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    given = body.get("parameters") if isinstance(body, dict) else None
    if not isinstance(given, dict):
        return {}
    return {
        name: float(value)
        for name, value in given.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


async def _change(
    desk: RuleDesk, asked: Asked, place: RulePlace, change: RuleChange | None, response: Response
) -> RuleAtLayer:
    """Put a change (None: no change any more) in force: checked, stored, told to the rooms."""
    book, code = desk.book, asked.spec.code
    async with book.changing:
        before = book.pages.entry(place, code)
        _unchanged(before, asked.if_match)
        consent = require_unsealed_or_second(
            asked.request, asked.caller, _touched(desk, place, code, change)
        )
        await _store(desk, place, code, change, consent)
        for room in desk.rooms.values():
            rules = book.rules(room.room_id, room.sealed_session)
            if rules != room.state.rules:
                await room.amend(RulesChanged(rules), consent)
    return _shown(desk, place, asked.spec, response)


async def _store(
    desk: RuleDesk, place: RulePlace, code: RuleCode, change: RuleChange | None, consent: Consent
) -> None:
    kept = None
    if change is not None and change != RuleChange():
        kept = KeptChange(
            change=change, by=consent.by, second=consent.second, at_utc_ms=desk.clock.utc_ms()
        )
    try:
        await desk.book.put(place, code, kept)
    except BookFullError as error:
        raise ProblemError(409, "Too many sessions", str(error)) from None
    except DiskRefused as error:
        log.error("rule_not_stored", rule=code, error=str(error))
        raise ProblemError(
            503, "Disk refuses", "nothing was changed; look at the node's disk", retry_after_s=5
        ) from None
    log.info(
        "rule_changed",
        rule=code,
        layer=place.layer,
        area=place.room_id,
        session_id=place.session_id,
        by=consent.by,
        second=consent.second,
        change=kept.change.model_dump(mode="json", exclude_defaults=True) if kept else None,
    )


def _unchanged(entry: Entry | None, if_match: str | None) -> None:
    if if_match is None:
        return
    now = models.etag_of(entry)
    wanted = [part.strip().removeprefix("W/") for part in if_match.split(",")]
    if now in wanted or ("*" in wanted and entry is not None):
        return
    raise ProblemError(
        412, "Changed since", "somebody has changed it since you read it: read it again"
    )


def _touched(
    desk: RuleDesk, place: RulePlace, code: RuleCode, change: RuleChange | None
) -> list[RoomService]:
    """The rooms in which other rules would be in force after a change."""
    kept = None
    if change is not None:
        kept = Entry(KeptChange(change=change, by="", at_utc_ms=desk.clock.utc_ms()))
    pages = desk.book.pages.having(place, code, kept)
    return [
        room
        for room in desk.rooms.values()
        if pages.rules(room.room_id, room.sealed_session)[code] != room.state.rules[code]
    ]
