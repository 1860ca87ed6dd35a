"""Makes the state that a scenario's room starts in: its cameras, pickups, zones, rules, policy."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.admission import AdmissionPolicy, AreaKind, ProcurementKind
from contracts.observations import Mode
from contracts.units import CameraId, PickupId, RuleCode, ZoneId
from contracts.zones import PictureZone, Point, ZoneKind, ZoneName
from edge.core.rule_settings import RuleChange, rule_settings
from edge.core.state import CameraSetup, RoomSetup, RoomState, restore
from edge.core.streams import StreamDeclared
from tests.corpus.scenario import CAMERA, NODE_ID, ROOM_ID, moment

Floor = tuple[tuple[float, float, float, float], ...]


def room(
    cameras: Sequence[CameraId] = (CAMERA,),
    *,
    sound: bool = False,
    pickups: Sequence[PickupId] = (),
    zones: Mapping[CameraId, Sequence[PictureZone]] | None = None,
    floor: Mapping[CameraId, Floor] | None = None,
    streams: Mapping[CameraId, StreamDeclared] | None = None,
    rules: Mapping[RuleCode, Mapping[str, float]] | None = None,
    modes: Mapping[RuleCode, Mode] | None = None,
    kind: AreaKind = AreaKind.EVALUATION,
    **more: Any,
) -> RoomState:
    """A room that has just started: every rule as the catalogue has it but for what is said.

    ``rules``: numbers by rule and parameter; ``modes``: by rule. ``more`` goes into ``RoomSetup``.
    The default policy of admission holds; ``admits={}`` switches the check off.
    """
    changes = {
        code: RuleChange(mode=(modes or {}).get(code), parameters=dict((rules or {}).get(code, {})))
        for code in {*(rules or {}), *(modes or {})}
    }
    more.setdefault("admits", {one: AdmissionPolicy().admits(one, kind) for one in ProcurementKind})
    setup = RoomSetup(
        room_id=ROOM_ID,
        node_id=NODE_ID,
        cameras=tuple(
            CameraSetup(
                camera_id,
                has_sound=sound,
                zones=tuple((zones or {}).get(camera_id, ())),
                floor=(floor or {}).get(camera_id, ()),
                stream=(streams or {}).get(camera_id),
            )
            for camera_id in cameras
        ),
        rules=rule_settings(changes),
        pickups=tuple(pickups),
        kind=kind,
        **more,
    )
    return restore(setup, None, moment(0))


def zone(zone_id: str, kind: ZoneKind, points: Sequence[Point], **more: object) -> PictureZone:
    """A zone on a picture, points in shares of it."""
    name = ZoneName(zh=zone_id, en=zone_id)
    fields = {"id": ZoneId(zone_id), "name": name, "kind": kind, "points": tuple(points), **more}
    return PictureZone.model_validate(fields)
