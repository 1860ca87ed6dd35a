"""Explains alerts: what was seen, since when, by which rule and parameters, and how sure.

Of alerts that stand and of those that cleared lately, as far as the node remembers them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

from fastapi import Depends, FastAPI, Path, Query, Response
from pydantic import Field

from contracts.api import Problem
from contracts.catalogue import CATALOGUE
from contracts.envelope import Strict
from contracts.observations import Alert, Condition, Measured, Mode, Severity
from contracts.units import (
    Bilingual,
    CameraId,
    MessageId,
    PickupId,
    RoomId,
    RuleCode,
    SessionId,
    UtcMs,
    ZoneId,
)
from contracts.zones import Point
from edge.api.access import Caller, Needs, Scope, media_caller
from edge.api.problems import ProblemError
from edge.api.rule_models import Text
from edge.core.state import RoomState
from runtime.clock import Clock

BASE: Final = "/api/v1"

_View = Depends(Needs(Scope.VIEW))
_AlertIdPath = Annotated[MessageId, Path(description="Id of an alert.")]
_AreaQuery = Annotated[RoomId | None, Query(alias="area", description="Of one area alone.")]
_MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "The node does not remember this alert."}
}
_JPEG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}

DrawBoxes = Callable[[bytes, Alert, tuple[Point, ...]], bytes]
"""A picture's bytes, its alert and the corners of its zone in; a JPEG with them drawn out."""


class AlertRoom(Protocol):
    """What is asked of a room."""

    @property
    def state(self) -> RoomState: ...

    def alerts(self) -> tuple[Alert, ...]:
        """Those that stand, then those that stood lately."""
        ...


class PictureSource(Protocol):
    """What is asked of the pictures on disk."""

    def read(self, sha256: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class ExplanationDesk:
    """What the API needs to explain alerts. ``records``: there are recordings to cut clips from."""

    rooms: Mapping[RoomId, AlertRoom]
    pictures: PictureSource
    draw: DrawBoxes
    clock: Clock
    records: bool


class ParameterSaid(Strict):
    """A parameter as it was when the alert began."""

    name: str
    title: Text
    value: float
    unit: str


class PictureLinks(Strict):
    """The picture of an alert: plain as it is evidence, and a copy with what was seen drawn."""

    plain: str
    boxes: str
    camera_id: CameraId
    taken_utc_ms: UtcMs


class Explanation(Strict):
    """Why there is (or was) an alert, in both languages."""

    alert_id: MessageId
    condition: Condition
    rule: RuleCode
    title: Text
    text: Text = Field(description="When the rule alerts, and when it clears.")
    says: Text = Field(description="What was seen, for how long, and how sure: to be read.")
    mode: Mode
    severity: Severity
    risk_code: str
    area: RoomId
    session_id: SessionId | None = None
    camera_id: CameraId | None = None
    pickup_id: PickupId | None = None
    zone_id: ZoneId | None = None
    since_utc_ms: UtcMs
    raised_utc_ms: UtcMs
    cleared_utc_ms: UtcMs | None = None
    lasted_ms: int = Field(description="Until it cleared, or until now.")
    confidence: float
    measured: tuple[Measured, ...] = Field(description="Each against the limit, where it has one.")
    parameters: tuple[ParameterSaid, ...]
    picture: PictureLinks | None = None
    sound: str | None = Field(default=None, description="The last seconds before it.")
    clip: str | None = Field(
        default=None, description="From the recordings; needs the scope recording."
    )


def add_explanations(app: FastAPI, desk: ExplanationDesk) -> None:
    """Add the routes of alerts."""

    @app.get(f"{BASE}/alerts", tags=["alerts"], dependencies=[_View])
    async def get_alerts(area: _AreaQuery = None) -> list[Explanation]:
        """Alerts that stand, then those that cleared lately, each explained."""
        rooms = [room for room_id, room in desk.rooms.items() if area in {None, room_id}]
        return [explained(desk, alert) for room in rooms for alert in room.alerts()]

    @app.get(
        f"{BASE}/alerts/{{alert_id}}/explanation",
        tags=["alerts"],
        dependencies=[_View],
        responses=_MISSING,
    )
    async def get_explanation(alert_id: _AlertIdPath) -> Explanation:
        """Why there is, or lately was, this alert."""
        return explained(desk, _found(desk, alert_id)[0])

    @app.get(
        f"{BASE}/alerts/{{alert_id}}/picture.jpg",
        tags=["alerts"],
        response_class=Response,
        responses={**_JPEG, **_MISSING},
    )
    def get_boxed_picture(
        alert_id: _AlertIdPath, caller: Annotated[Caller, Depends(media_caller)]
    ) -> Response:
        """A copy of the alert's picture with boxes and zone drawn; the plain one is evidence.

        Also with `?ticket=`.
        """
        alert, room = _found(desk, alert_id)
        content = desk.pictures.read(alert.picture.sha256) if alert.picture is not None else None
        if content is None:
            raise ProblemError(404, "No picture", "this alert has none, or its time is over")
        drawn = desk.draw(content, alert, _zone_of(room.state, alert))
        headers = {"Cache-Control": "no-store", "X-Evidence": "no"}
        return Response(drawn, media_type="image/jpeg", headers=headers)


def _found(desk: ExplanationDesk, alert_id: MessageId) -> tuple[Alert, AlertRoom]:
    for room in desk.rooms.values():
        for alert in room.alerts():
            if alert.alert_id == alert_id:
                return alert, room
    raise ProblemError(
        404, "No such alert", f"alert {alert_id} does not stand here, and did not lately"
    )


def _zone_of(state: RoomState, alert: Alert) -> tuple[Point, ...]:
    if alert.zone_id is None or alert.camera_id is None:
        return ()
    drawn = state.zones.get(alert.camera_id, ())
    return next((zone.points for zone in drawn if zone.id == alert.zone_id), ())


def explained(desk: ExplanationDesk, alert: Alert) -> Explanation:
    """The explanation of one alert."""
    spec = CATALOGUE.get(alert.rule)
    title = _title(alert)
    end = alert.cleared_utc_ms if alert.cleared_utc_ms is not None else desk.clock.utc_ms()
    lasted_ms = max(end - alert.since_utc_ms, 0)
    titles = {one.name: one.title for one in spec.parameters} if spec is not None else {}
    return Explanation(
        alert_id=alert.alert_id,
        condition=alert.condition,
        rule=alert.rule,
        title=Text.of(title),
        text=Text.of(spec.text if spec is not None else title),
        says=_says(alert, lasted_ms),
        mode=alert.mode,
        severity=alert.severity,
        risk_code=alert.risk_code,
        area=alert.room_id,
        session_id=alert.session_id,
        camera_id=alert.camera_id,
        pickup_id=alert.pickup_id,
        zone_id=alert.zone_id,
        since_utc_ms=alert.since_utc_ms,
        raised_utc_ms=alert.raised_utc_ms,
        cleared_utc_ms=alert.cleared_utc_ms,
        lasted_ms=lasted_ms,
        confidence=alert.confidence,
        measured=alert.measured,
        parameters=tuple(
            ParameterSaid(
                name=one.name,
                title=Text.of(titles[one.name]),
                value=one.value,
                unit=one.unit,
            )
            for one in alert.settings
            if one.name in titles
        ),
        picture=PictureLinks(
            plain=alert.picture.path,
            boxes=f"{BASE}/alerts/{alert.alert_id}/picture.jpg",
            camera_id=alert.picture.camera_id,
            taken_utc_ms=alert.picture.taken_utc_ms,
        )
        if alert.picture is not None
        else None,
        sound=alert.sound.path if alert.sound is not None else None,
        clip=f"{BASE}/alerts/{alert.alert_id}/clip.mp4" if desk.records else None,
    )


def _title(alert: Alert) -> Bilingual:
    """The rule's title; its code where it is of an older catalogue, before an upgrade."""
    spec = CATALOGUE.get(alert.rule)
    return spec.title if spec is not None else Bilingual(alert.rule, alert.rule)


def _says(alert: Alert, lasted_ms: int) -> Text:
    title = _title(alert)
    saw_zh = alert.saw.zh if alert.saw is not None else title.zh
    saw_en = alert.saw.en if alert.saw is not None else title.en
    parts_zh = [saw_zh.rstrip("。")]
    parts_en = [saw_en.rstrip(".")]
    before_s = (alert.raised_utc_ms - alert.since_utc_ms) / 1000
    parts_zh.append(f"情况持续 {before_s:.1f} 秒后告警（规定 {alert.dwell_ms / 1000:g} 秒）")
    parts_en.append(
        f"It had lasted {before_s:.1f} s as the alert was raised; {alert.dwell_ms / 1000:g} s are "
        "set"
    )
    for part_zh, part_en in _limits(alert.measured):
        parts_zh.append(part_zh)
        parts_en.append(part_en)
    over = alert.condition is Condition.CLEARED
    parts_zh.append(f"共持续 {lasted_ms / 1000:.0f} 秒" + ("，已解除" if over else "，仍在持续"))
    parts_en.append(
        f"It lasted {lasted_ms / 1000:.0f} s and is over"
        if over
        else f"It has lasted {lasted_ms / 1000:.0f} s and goes on"
    )
    parts_zh.append(f"把握 {alert.confidence:.0%}")
    parts_en.append(f"Sure to {alert.confidence:.0%}")
    if alert.mode is Mode.SHADOW:
        parts_zh.append("规则处于影子模式，未通知任何人")
        parts_en.append("The rule is in shadow: nobody was told")
    return Text(zh="。".join(parts_zh) + "。", en=". ".join(parts_en) + ".")


def _limits(measured: Iterable[Measured]) -> list[tuple[str, str]]:
    """Each number with its limit, in words that hold whichever side of it is wrong."""
    said = []
    for one in measured:
        value = f"{one.name} {one.value:g} {one.unit}".rstrip()
        if one.limit is None:
            said.append((value, value))
        else:
            limit = f"{one.limit:g} {one.unit}".rstrip()
            said.append((f"{value}（界限 {limit}）", f"{value} against {limit}"))
    return said
