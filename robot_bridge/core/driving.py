"""Decides where the robot may drive now, and when it takes the next floor's pose in a lift."""

from dataclasses import replace
from typing import Final

from contracts.vda5050.state import EStop
from robot_bridge.core.vehicle import Charge, Drive, Halt, Pose, Reading, SetPose, Waypoint
from robot_bridge.core.work import Mission, Turn

AT_NODE_M: Final = 0.5
# How far from its last node a standing robot still is "at" it; the next node is farther.


def standing_at(mission: Mission, reading: Reading | None) -> str | None:
    """The node that the robot stands at; None while it moves, is lost, or stands between nodes."""
    place = mission.progress.last_node_pose
    if reading is None or place is None or reading.driving or not reading.localised:
        return None
    if place.map_id != reading.pose.map_id:
        return None
    near = reading.pose.distance_m(place.x_m, place.y_m) <= AT_NODE_M
    return mission.progress.last_node_id if near else None


def route(mission: Mission, reading: Reading | None) -> tuple[Waypoint, ...]:
    """Where the robot may drive now: the base up to where it must stand. Often empty."""
    if reading is None or not _may_drive(mission, reading):
        return ()
    progress = mission.progress
    stops = {row.sequence_id for row in mission.actions if not row.ended and row.stops_drive}
    way: list[Waypoint] = []
    for node, edge in zip(progress.nodes, progress.edges, strict=True):
        place = node.node_position
        if not (node.released and edge.released) or place is None:
            break
        if place.map_id != reading.pose.map_id:
            break  # a lift: the robot stands in the car until the edge to the next floor is begun
        if edge.sequence_id in stops and way:
            break
        way.append(
            Waypoint(
                node.sequence_id,
                node.node_id,
                place.x,
                place.y,
                place.theta,
                place.map_id,
                edge.max_speed,
            )
        )
        if node.sequence_id in stops:
            break
    return tuple(way)


def _may_drive(mission: Mission, reading: Reading) -> bool:
    return (
        not mission.paused
        and not mission.cancelling
        and mission.retry_at is None
        and reading.localised
        and reading.obeys
        and reading.e_stop is EStop.NONE
        and all(row.shut for row in reading.compartments)
        and not any(row.holds_drive for row in mission.actions)
    )


def drive(turn: Turn) -> Turn:
    """Tell the vehicle its route when that has changed; it never goes beyond the base."""
    mission = turn.mission
    reading = turn.reading
    if reading is None:
        return turn
    way = route(mission, reading)
    wanted = tuple(point.sequence_id for point in way)
    if wanted == mission.told:
        return turn
    turn = replace(turn, mission=replace(mission, told=wanted))
    if not wanted:
        return turn.also(Halt())
    if reading.charging:
        turn = turn.also(Charge(on=False))
    return turn.also(Drive(mission.progress.order_id, way))


def ride(turn: Turn) -> Turn:
    """In a lift: take the pose of the next floor's node once the edge to it is released.

    The robot stands in the car at the last node; whoever releases the edge says that the car has
    come to the next floor.
    """
    mission, reading = turn.mission, turn.reading
    nodes, edges = mission.progress.nodes, mission.progress.edges
    if reading is None or not nodes or not _may_drive(mission, reading):
        return turn
    place = nodes[0].node_position
    if place is None or not (nodes[0].released and edges[0].released):
        return turn
    if place.map_id == reading.pose.map_id or mission.riding == nodes[0].sequence_id:
        return turn
    if standing_at(mission, reading) != mission.progress.last_node_id:
        return turn
    theta = reading.pose.theta_rad if place.theta is None else place.theta
    riding = replace(mission, riding=nodes[0].sequence_id)
    pose = Pose(place.x, place.y, theta, place.map_id)
    return replace(turn, mission=riding).also(SetPose(pose))
