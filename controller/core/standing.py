"""Decides where a robot stands on the map: at a node, between two, or nowhere that is known."""

from dataclasses import replace

from contracts.units import MonoMs
from controller.core.fleet import Duty, RobotLive, RobotReport
from controller.core.plan import AT_NODE_M, nearest_node, off_node_m, other_end
from controller.core.state import SiteState


def off_m(site: SiteState, node: str, report: RobotReport) -> float:
    """How far a robot says it is from a node; 0 where it does not say, or says another floor."""
    pose = report.pose
    place = site.plan.map.nodes.get(node)
    if pose is None or place is None or pose.map_id not in ("", place.map_id):
        return 0.0
    return off_node_m(site.plan, node, pose.x_m, pose.y_m)


def beside(site: SiteState, here: str, report: RobotReport) -> tuple[str, float] | None:
    """Where a standing robot is beside its last node: the other end of its way, and how far off.

    ``("", 0)``: at the node itself. None: on no way of the map, so a person must move it.
    """
    away_m = off_m(site, here, report)
    if away_m <= AT_NODE_M or report.pose is None:
        return "", 0.0
    end = other_end(site.plan, here, report.pose.x_m, report.pose.y_m)
    return None if end is None else (end, away_m)


def here(site: SiteState, duty: Duty, report: RobotReport) -> str | None:
    """The node that a robot stands at or has passed last; None: nobody knows."""
    if report.last_node in site.plan.map.nodes:
        return report.last_node
    if report.pose is None:
        return duty.at_node
    return nearest_node(site.plan, report.pose.x_m, report.pose.y_m)


def placed(site: SiteState, duty: Duty) -> Duty:
    """A robot without an order that stands between two nodes keeps both from the others."""
    report = site.robots.get(duty.robot_id, RobotLive()).report
    towards = None
    if duty.mission is None:
        if report is None or duty.at_node is None:
            return duty  # not heard since the start: what was kept holds
        aside = beside(site, duty.at_node, report)
        towards = duty.towards if aside is None else aside[0] or None
        if towards is not None and _is_at(site, towards, report):
            # It has lost its memory, and names no node; where it says that it is, one is.
            return replace(duty, at_node=towards, towards=None)
    return duty if duty.towards == towards else replace(duty, towards=towards)


def _is_at(site: SiteState, node: str, report: RobotReport) -> bool:
    """Whether a standing robot that names no node of the map says that it is at this one."""
    pose, place = report.pose, site.plan.map.nodes.get(node)
    if pose is None or place is None or report.last_node in site.plan.map.nodes:
        return False
    here_too = pose.map_id in ("", place.map_id)
    return here_too and report.standing and off_m(site, node, report) <= AT_NODE_M


def standing_at(site: SiteState, duty: Duty, live: RobotLive, mono_ms: MonoMs) -> str | None:
    """The goal, once a robot says that it stands there with nothing left to drive."""
    report = live.report
    if duty.goal is None or duty.mission is not None or report is None:
        return None
    there = (
        report.standing
        and report.automatic
        and duty.at_node == duty.goal.node
        and live.online(mono_ms)
    )
    # A cancelled order may leave it between two nodes, the goal being the last it passed.
    there = there and off_m(site, duty.goal.node, report) <= AT_NODE_M
    return duty.goal.node if there else None
