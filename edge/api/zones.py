"""Answers for zones on cameras' pictures: which are in force, who is in them, and new ones.

Two editors cannot overwrite one another: a change names by ``If-Match`` what it began with.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

import structlog
import yaml
from fastapi import Depends, FastAPI, Header, Path, Request, Response
from pydantic import Field, ValidationError

from contracts.api import Problem
from contracts.catalogue import CATALOGUE
from contracts.catalogue.zone import RULES_OF
from contracts.devices import Area, Named
from contracts.envelope import Strict
from contracts.observations import Alert, Appearance, Box, Mode
from contracts.units import CameraId, RoomId, RuleCode, UtcMs, ZoneId
from contracts.zones import (
    LINES,
    POINTS_MAX,
    ZONES_MAX,
    PictureZone,
    Point,
    ZoneKind,
    zone_problems,
)
from edge.api.access import Caller, zones_caller, zones_editor
from edge.api.freeze import SECOND_RESPONSES, SecondToken, require_unsealed_or_second
from edge.api.problems import ProblemError
from edge.core import geometry
from edge.core.places import Spot
from edge.core.room import ZonesDrawn, seen_person
from edge.core.state import RoomState
from edge.freezing import Consent
from edge.zone_book import CameraZones, DrawnZones, ZoneBook, ZoneSource
from runtime.clock import Clock

log = structlog.get_logger(__name__)

ROUTE: Final = "/api/v1/cameras/{camera_id}/zones"
BODY_MAX_BYTES: Final = 128 * 1024  # 32 zones of 32 corners in full digits are half of it
ERRORS_MAX: Final = 40  # one a zone and more: the rest comes up when these are corrected
CROSSINGS_TOLD: Final = 8  # enough to see what just happened on each line
WAY_OUT: Final = "GET the zones again, put your change into them, send that with their ETag"


class RuleOfZone(Strict):
    """A rule that looks at zones of one kind, as it is set in the camera's room."""

    code: RuleCode
    title: Named
    mode: Mode


class KindInfo(Strict):
    """One kind of zone and which rules use it."""

    kind: ZoneKind
    line: bool = Field(description="Two points instead of at least three.")
    rules: tuple[RuleOfZone, ...]


class AreaName(Strict):
    """An area that a door may lead to."""

    id: RoomId
    name: Named


class ZonesInfo(Strict):
    """The zones in force on one camera, and what an editor must know to draw others."""

    camera_id: CameraId
    name: Named
    area: RoomId
    source: ZoneSource
    drawn_by: str | None = None
    drawn_utc_ms: UtcMs | None = None
    zones: tuple[PictureZone, ...]
    sealed: bool = Field(description="Frozen: a change needs a second person.")
    kinds: tuple[KindInfo, ...]
    areas: tuple[AreaName, ...]
    zones_max: int = ZONES_MAX
    points_max: int = POINTS_MAX


class PersonInZones(Strict):
    """One person of the newest picture: the points that zones go by, and the zones around."""

    track: int
    box: Box
    standing: Point
    trunk: Point
    appearance: Appearance
    zones: tuple[ZoneId, ...]


class CrossingInfo(Strict):
    """Somebody crossed a line lately. ``inward``: from its left hand to its right."""

    number: int
    zone_id: ZoneId
    inward: bool
    utc_ms: UtcMs


class PeopleInZones(Strict):
    """Who is where now. ``frame_utc_ms`` None: the camera shows nothing that could be told."""

    frame_utc_ms: UtcMs | None = None
    people: tuple[PersonInZones, ...] = ()
    crossings: tuple[CrossingInfo, ...] = ()
    alerts: tuple[Alert, ...] = Field(default=(), description="That stand on zones here.")


class ZonedRoom(Protocol):
    """What is asked of a camera's room."""

    @property
    def room_id(self) -> RoomId: ...

    @property
    def state(self) -> RoomState: ...

    async def amend(self, given: ZonesDrawn, consent: Consent | None) -> None:
        """Put other zones in force; says who did it where a session is sealed."""
        ...


@dataclass(frozen=True, slots=True)
class ZonedCamera:
    """A camera whose zones may be drawn."""

    id: CameraId
    name: Named
    room: ZonedRoom


@dataclass(frozen=True, slots=True)
class ZoneDesk:
    """What the routes need: the book of zones, the cameras, and the areas of the site."""

    book: ZoneBook
    cameras: Mapping[CameraId, ZonedCamera]
    areas: Sequence[Area]
    clock: Clock

    def camera(self, camera_id: CameraId) -> ZonedCamera:
        """The camera.

        Raises:
            ProblemError: 404.
        """
        try:
            return self.cameras[camera_id]
        except KeyError:
            raise ProblemError(
                404, "No such camera", f"camera {camera_id} is not on this node"
            ) from None

    def info(self, camera_id: CameraId) -> ZonesInfo:
        """What an editor is told of a camera."""
        camera, kept = self.camera(camera_id), self.book.of(camera_id)
        state = camera.room.state
        return ZonesInfo(
            camera_id=camera_id,
            name=camera.name,
            area=camera.room.room_id,
            source=kept.source,
            drawn_by=kept.drawn.by if kept.drawn else None,
            drawn_utc_ms=kept.drawn.at_utc_ms if kept.drawn else None,
            zones=kept.zones,
            sealed=state.closed,
            kinds=tuple(_kind(kind, state) for kind in ZoneKind),
            areas=tuple(AreaName(id=area.id, name=area.name) for area in self.areas),
        )


def _kind(kind: ZoneKind, state: RoomState) -> KindInfo:
    rules = tuple(
        RuleOfZone(
            code=code,
            title=Named(zh=CATALOGUE[code].title.zh, en=CATALOGUE[code].title.en),
            mode=state.rules[code].mode,
        )
        for code in RULES_OF[kind]
    )
    return KindInfo(kind=kind, line=kind in LINES, rules=rules)


def people_in_zones(state: RoomState, camera_id: CameraId) -> PeopleInZones:
    """Who is where on the newest picture of a camera."""
    spots = state.places.spots.get(camera_id, {})
    frame_at = state.cameras[camera_id].frame_at
    if frame_at is None:
        return PeopleInZones()
    return PeopleInZones(
        frame_utc_ms=frame_at.utc_ms,
        people=tuple(_person(spot) for spot in spots.values() if spot.counts),
        crossings=tuple(
            CrossingInfo(
                number=one.number, zone_id=one.zone_id, inward=one.inward, utc_ms=one.at.utc_ms
            )
            for one in state.places.crossings
            if one.camera_id == camera_id
        )[-CROSSINGS_TOLD:],
        alerts=tuple(
            alert
            for alert in state.alerts
            if alert.camera_id == camera_id and alert.zone_id is not None
        ),
    )


def _person(spot: Spot) -> PersonInZones:
    seen = seen_person(spot.track)
    return PersonInZones(
        track=seen.track,
        box=seen.box,
        standing=geometry.standing_point(spot.track.rect),
        trunk=geometry.trunk_point(spot.track.rect),
        appearance=seen.appearance,
        zones=tuple(spot.inside),
    )


def parse_zones(body: bytes, areas: Sequence[Area]) -> tuple[PictureZone, ...]:
    """The zones of a request: ``{"zones": [...]}``.

    Raises:
        ProblemError: 422; ``errors`` name each zone and field and say what is allowed.
    """
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid(["body: is no JSON"]) from None
    rows = sent.get("zones") if isinstance(sent, dict) else None
    if not isinstance(rows, list) or set(sent) != {"zones"}:
        raise _invalid(['body: must be {"zones": [...]}, nothing else'])
    if len(rows) > ZONES_MAX:
        raise _invalid([f"zones: {len(rows)} are sent; at most {ZONES_MAX} on one picture"])
    zones: list[PictureZone] = []
    errors: list[str] = []
    for number, row in enumerate(rows):
        try:
            zones.append(PictureZone.model_validate_json(json.dumps(row)))
        except ValidationError as error:
            errors += _errors_of(number, row, error)
    known = {area.id for area in areas}
    errors += [
        f"{_where(number, row)}.leads_to: no area {row['leads_to']!r}; areas: {sorted(known)}"
        for number, row in enumerate(rows)
        if isinstance(row, dict) and isinstance(row.get("leads_to"), str)
        if row["leads_to"] not in known
    ]
    errors += [f"zones: {problem}" for problem in zone_problems(tuple(zones))]
    if errors:
        raise _invalid(errors)
    return tuple(zones)


def _where(number: int, row: object) -> str:
    named = row.get("id") if isinstance(row, dict) else None
    return f"zones.{number} ({named})" if isinstance(named, str) else f"zones.{number}"


def _errors_of(number: int, row: object, error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        text = one["msg"].removeprefix("Value error, ")
        path = ".".join(str(part) for part in one["loc"])
        yield f"{_where(number, row)}.{path}: {text}" if path else f"{_where(number, row)}.{text}"


def _invalid(errors: Sequence[str]) -> ProblemError:
    return ProblemError(
        422,
        "Zones not valid",
        "nothing was changed; correct what errors names",
        errors=tuple(errors[:ERRORS_MAX]),
    )


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > BODY_MAX_BYTES:
            raise ProblemError(
                413, "Too large", f"zones of one camera fit into {BODY_MAX_BYTES} bytes"
            )
    return bytes(content)


def _etag(kept: CameraZones) -> str:
    return f'"{kept.mark}"'


def _must_match(if_match: str | None, kept: CameraZones) -> None:
    """Refuse a change of what has changed since.

    Raises:
        ProblemError: 428 nothing to compare with, 412 somebody else was faster.
    """
    if if_match is None:
        raise ProblemError(
            428, "If-Match missing", "send the ETag of the zones that you began with as If-Match"
        )
    sent = {part.strip().removeprefix("W/") for part in if_match.split(",")}
    if "*" not in sent and _etag(kept) not in sent:
        by = f" by {kept.drawn.by}" if kept.drawn else ""
        raise ProblemError(
            412,
            "Zones have changed",
            f"they are others by now{by}. {WAY_OUT}",
            headers={"ETag": _etag(kept)},
        )


def yaml_of(camera_id: CameraId, zones: Sequence[PictureZone]) -> str:
    """Zones as they stand in a camera's file of the site folder."""
    rows = [zone.model_dump(mode="json", exclude_defaults=True) for zone in zones]
    text: str = yaml.safe_dump(
        {"zones": rows}, allow_unicode=True, sort_keys=False, default_flow_style=None, width=96
    )
    return f"# Zones of {camera_id}: put them into its file in cameras/ of the site folder.\n{text}"


_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "Not on this node."},
}
_CHANGE_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    **_ERRORS,
    **SECOND_RESPONSES,
    412: {"model": Problem, "description": "Somebody else has changed them since."},
    422: {"model": Problem, "description": "Not valid: names the zone and the field."},
    428: {"model": Problem, "description": "If-Match is missing."},
}
_ZONES_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["zones"],
                    "additionalProperties": False,
                    "properties": {
                        "zones": {
                            "type": "array",
                            "maxItems": ZONES_MAX,
                            "items": {"$ref": "#/components/schemas/PictureZone"},
                        }
                    },
                }
            }
        },
    }
}

CameraIdPath = Annotated[CameraId, Path(description="Id of a camera.")]
Reader = Annotated[Caller, Depends(zones_caller)]
Editor = Annotated[Caller, Depends(zones_editor)]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag of the zones that were changed.")
]


def add_zones(app: FastAPI, desk: ZoneDesk) -> None:
    """Add the routes of zones."""

    @app.get(ROUTE, tags=["zones"], responses=_ERRORS)
    async def get_zones(camera_id: CameraIdPath, caller: Reader, response: Response) -> ZonesInfo:
        """The zones in force on a camera, and what may be drawn; also with `?ticket=`."""
        info = desk.info(camera_id)
        response.headers["ETag"] = _etag(desk.book.of(camera_id))
        response.headers["Cache-Control"] = "no-store"
        return info

    @app.get(
        f"{ROUTE}.yaml",
        tags=["zones"],
        response_class=Response,
        responses={**_ERRORS, 200: {"content": {"application/yaml": {}}}},
    )
    async def get_yaml(camera_id: CameraIdPath, caller: Reader) -> Response:
        """The zones in force as the site folder has them; also with `?ticket=`."""
        desk.camera(camera_id)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{camera_id}-zones.yaml"',
        }
        text = yaml_of(camera_id, desk.book.of(camera_id).zones)
        return Response(text, media_type="application/yaml; charset=utf-8", headers=headers)

    @app.get(f"{ROUTE}/people", tags=["zones"], responses=_ERRORS)
    async def get_people(
        camera_id: CameraIdPath, caller: Reader, response: Response
    ) -> PeopleInZones:
        """Who is where now, and who crossed which line lately; also with `?ticket=`."""
        response.headers["Cache-Control"] = "no-store"
        return people_in_zones(desk.camera(camera_id).room.state, camera_id)

    _add_changes(app, desk)


def _add_changes(app: FastAPI, desk: ZoneDesk) -> None:
    @app.put(ROUTE, tags=["zones"], responses=_CHANGE_ERRORS, openapi_extra=_ZONES_BODY)
    async def put_zones(
        request: Request,
        response: Response,
        camera_id: CameraIdPath,
        caller: Editor,
        second: SecondToken = None,
        if_match: IfMatch = None,
    ) -> ZonesInfo:
        """Draw the zones of a camera: all of them, in place of those before."""
        desk.camera(camera_id)
        zones = parse_zones(await _body(request), desk.areas)
        drawn = DrawnZones(zones=zones, by=caller.name, at_utc_ms=desk.clock.utc_ms())
        return await _change(request, response, caller, camera_id, drawn, if_match)

    @app.delete(ROUTE, tags=["zones"], responses=_CHANGE_ERRORS)
    async def delete_zones(
        request: Request,
        response: Response,
        camera_id: CameraIdPath,
        caller: Editor,
        second: SecondToken = None,
        if_match: IfMatch = None,
    ) -> ZonesInfo:
        """Go back to the zones that the site's YAML declares."""
        desk.camera(camera_id)
        return await _change(request, response, caller, camera_id, None, if_match)

    async def _change(
        request: Request,
        response: Response,
        caller: Caller,
        camera_id: CameraId,
        drawn: DrawnZones | None,
        if_match: str | None,
    ) -> ZonesInfo:
        camera = desk.camera(camera_id)
        async with desk.book.changing:
            _must_match(if_match, desk.book.of(camera_id))
            consent = require_unsealed_or_second(request, caller, (camera.room,))
            try:
                kept = await desk.book.put(camera_id, drawn)
            except sqlite3.Error as error:
                raise ProblemError(
                    503, "Disk refused", f"nothing was changed: {error}", retry_after_s=5
                ) from error
            await camera.room.amend(ZonesDrawn(camera_id, kept.zones), consent)
        log.info(
            "zones_changed",
            camera_id=camera_id,
            by=str(consent),
            source=kept.source.value,
            zones=len(kept.zones),
        )
        response.headers["ETag"] = _etag(kept)
        return desk.info(camera_id)
