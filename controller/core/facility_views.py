"""Makes what the API shows of doors, lifts, the fire alarm, and the map that they lie on."""

from typing import Final

from contracts.api import MapEdgeView, MapNodeView, Sentence
from contracts.api.facilities import (
    FacilitiesView,
    FacilityCondition,
    FacilityView,
    FireView,
    FloorView,
    MapDoorView,
    MapLiftView,
    MapStopView,
    MapView,
    MapZoneView,
    OneLaneView,
)
from controller.core import doors, lifts
from controller.core.doors import DoorLive, DoorPhase
from controller.core.facility_words import DoorPosition, TroubleKind
from controller.core.lifts import LiftLive, LiftPhase
from controller.core.map_checks import one_lane
from controller.core.plan import SitePlan
from controller.core.state import SiteState

_DOORS: Final = {
    DoorPhase.RESTING: FacilityCondition.RESTING,
    DoorPhase.OPENING: FacilityCondition.OPENING,
    DoorPhase.OPEN: FacilityCondition.OPEN,
    DoorPhase.CLOSING: FacilityCondition.CLOSING,
}
_LIFTS: Final = {
    LiftPhase.IDLE: FacilityCondition.RESTING,
    LiftPhase.CALLING: FacilityCondition.CALLED,
    LiftPhase.BOARDING: FacilityCondition.BOARDING,
    LiftPhase.RIDING: FacilityCondition.RIDING,
    LiftPhase.LEAVING: FacilityCondition.LEAVING,
}
_WHY: Final = {
    FacilityCondition.OFFLINE: ("控制器离线，机器人不从此通过", "controller away; robots keep out"),
    FacilityCondition.RESTING: ("没有机器人需要它", "no robot wants it"),
    FacilityCondition.OPENING: ("正为机器人打开", "being opened for a robot"),
    FacilityCondition.OPEN: ("为机器人保持打开", "held open for a robot"),
    FacilityCondition.CLOSING: ("机器人已通过，等待关闭", "a robot has passed; to close"),
    FacilityCondition.CALLED: ("已呼叫，等待到达并开门", "called; to come and open"),
    FacilityCondition.BOARDING: ("到达，等机器人驶入", "there; a robot is to drive in"),
    FacilityCondition.RIDING: ("运送机器人中", "carries a robot"),
    FacilityCondition.LEAVING: ("到达，等机器人驶出", "there; a robot is to drive out"),
}
_TROUBLES: Final = {
    TroubleKind.DOOR_STUCK: (
        "未能打开；会继续重试，请人员查看",
        "does not open; it is asked again, somebody should look",
    ),
    TroubleKind.DOOR_OPEN: ("未能关闭，请人员查看", "does not close; somebody should look"),
    TroubleKind.LIFT_STUCK: (
        "未到达或未开门；会继续重试，请人员查看",
        "does not come or open; it is asked again, somebody should look",
    ),
    TroubleKind.LIFT_BLOCKED: ("机器人占住轿厢，请人员查看", "a robot blocks the car; look at it"),
}


def facilities_view(site: SiteState) -> FacilitiesView:
    """All doors and lifts and the fire alarm, now."""
    plan, live = site.plan, site.facilities
    rows = [_door(plan, name, live.doors.get(name, DoorLive())) for name in plan.doors]
    rows += [_lift(plan, name, live.lifts.get(name, LiftLive())) for name in plan.lifts]
    alarm = live.alarm
    return FacilitiesView(
        facilities=tuple(rows),
        fire=FireView(
            burning=bool(alarm.burning),
            latched=alarm.latched,
            silent=tuple(sorted(alarm.away_since)),
        ),
    )


def _door(plan: SitePlan, name: str, live: DoorLive) -> FacilityView:
    trouble = doors.trouble(live)
    condition = _condition(_DOORS[live.phase], trouble)
    said = None if live.away or live.said is None else live.said.position
    return FacilityView(
        id=name,
        kind="door",
        name=plan.doors[name].name,
        condition=condition,
        why=_why(condition, trouble),
        door_open=None if said is None else said is DoorPosition.OPEN,
    )


def _lift(plan: SitePlan, name: str, live: LiftLive) -> FacilityView:
    trouble = lifts.trouble(live)
    condition = _condition(_LIFTS[live.phase], trouble)
    said = None if live.away else live.said
    return FacilityView(
        id=name,
        kind="lift",
        name=plan.lifts[name].name,
        condition=condition,
        why=_why(condition, trouble),
        door_open=None if said is None else said.door_open,
        floor=None if said is None else said.floor,
        robot_id=live.robot_id,
    )


def _condition(phase: FacilityCondition, trouble: TroubleKind | None) -> FacilityCondition:
    if trouble is TroubleKind.OFFLINE:
        return FacilityCondition.OFFLINE
    return phase if trouble is None else FacilityCondition.STUCK


def _why(condition: FacilityCondition, trouble: TroubleKind | None) -> Sentence:
    zh, en = _TROUBLES[trouble] if trouble in _TROUBLES else _WHY[condition]
    return Sentence(zh=f"{zh}。", en=f"{en[0].upper()}{en[1:]}.")


def map_view(plan: SitePlan) -> MapView:
    """The robot map with its floors; it changes only with the site's files."""
    known = dict(plan.map.floors)
    for node in plan.map.nodes.values():
        known.setdefault(node.map_id, node.map_id)
    return MapView(
        floors=tuple(FloorView(id=floor, name=name) for floor, name in known.items()),
        nodes=nodes_of(plan),
        edges=tuple(MapEdgeView(start=row.start, end=row.end) for row in plan.map.edges.values()),
        zones=tuple(
            MapZoneView(
                id=zone.id,
                name=zone.name,
                policy=zone.policy,
                nodes=zone.nodes,
                seen_by=zone.seen_by,
            )
            for zone in plan.zones.values()
        ),
        doors=tuple(
            MapDoorView(id=door.id, name=door.name, ways=door.ways, fire_door=door.fire_door)
            for door in plan.doors.values()
        ),
        lifts=tuple(
            MapLiftView(
                id=lift.id,
                name=lift.name,
                floors=tuple(
                    MapStopView(floor=row.floor, cab_node=row.cab_node) for row in lift.floors
                ),
            )
            for lift in plan.lifts.values()
        ),
        one_lane=tuple(
            OneLaneView(nodes=row.nodes, length_m=round(row.length_m, 2), only_way=row.only_way)
            for row in one_lane(plan.map)
        ),
        refuges=plan.refuges,
        chargers=tuple(sorted(plan.chargers)),
        kitchen=plan.kitchen_node,
        room_doors=dict(plan.door_nodes),
    )


def nodes_of(plan: SitePlan) -> tuple[MapNodeView, ...]:
    """The map's nodes as the API shows them."""
    return tuple(
        MapNodeView(id=node.id, name=node.name, x_m=node.x_m, y_m=node.y_m, map_id=node.map_id)
        for node in plan.map.nodes.values()
    )
