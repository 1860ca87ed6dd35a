"""Decides what a robot's word does to the site: it came on the bus, it reported, it moved."""

from dataclasses import replace
from math import hypot
from typing import Final, assert_never

from contracts.api import Pose
from contracts.units import MonoMs
from contracts.vda5050.state import ConnectionState
from controller.core import dispatch, fleet, fleet_steps, handover, state
from controller.core.fleet import Duty, RobotLive, RobotReport
from controller.core.outputs import Output
from controller.core.state import Now, SiteState, changed, copied

MOVED_M: Final = 0.1  # a standing robot's place shakes by some centimetres
PACE_MIN_MS: Final = 200  # over less, a late message makes a pace that nobody drove
PACE_MAX_MS: Final = 3_000  # over more, it may have stood in between

Result = tuple[SiteState, tuple[Output, ...]]
RobotInput = state.RobotConnected | state.RobotReported | state.RobotMoved


def step(site: SiteState, given: RobotInput, now: Now) -> Result:
    """Take what a robot, or its last will, says."""
    live = site.robots.get(given.robot_id)
    duty = site.duties.get(given.robot_id)
    if live is None or duty is None:
        return site, ()
    match given:
        case state.RobotMoved():
            moved = _at(live, given.pose, now.mono_ms)
            return copied(site, robots=changed(site.robots, given.robot_id, moved)), ()
        case state.RobotConnected():
            # Any connection message may mean a reboot: its states are counted from the start again.
            site = fleet_steps.connected(site, given.robot_id)
            heard = replace(
                live,
                connection=given.connection,
                report_header_id=-1,
                silent_since_mono_ms=now.mono_ms,
                back_mono_ms=_back(live, given.connection, now.mono_ms),
            )
            duty = site.duties[given.robot_id]
        case state.RobotReported():
            if not fleet.fresh(live, given.header_id):
                said = (given.robot_id, given.header_id, given.report)
                return fleet_steps.stale(site, *said, now), ()
            site = fleet_steps.judged(site, given.robot_id, given.report, now)
            before = site.duties[given.robot_id]
            duty = fleet.heard(before, given.report)
            heard = _reported(live, duty, given, now)
            site = _passed(site, before, duty, now)
        case _:
            assert_never(given)
    site = copied(
        site,
        robots=changed(site.robots, given.robot_id, heard),
        duties=dispatch.same_or(site.duties, given.robot_id, duty),
    )
    return dispatch.settle(site, now)


def _back(live: RobotLive, said: ConnectionState, mono_ms: MonoMs) -> MonoMs:
    """When it came back to the bus; one that only says again that it is there never left."""
    there = said is ConnectionState.ONLINE and live.connection in (None, ConnectionState.ONLINE)
    return live.back_mono_ms if there else mono_ms


def _passed(site: SiteState, before: Duty, after: Duty, now: Now) -> SiteState:
    """Zones that it went through between two reports stand in the proof as well."""
    old, new = before.mission, after.mission
    if old is None or new is None or new.passed - old.passed <= 1:
        return site
    between = new.route[old.passed + 1 : new.passed]
    states = dispatch.clearances(site, now.mono_ms)
    return handover.passed_by(site, after, between, states, now.utc_ms)


def _reported(live: RobotLive, duty: Duty, given: state.RobotReported, now: Now) -> RobotLive:
    report = given.report
    unfit = fleet.unfit(duty, report) is not None or duty.refusals >= fleet.REFUSALS_MAX
    since = live.unfit_since_mono_ms if live.unfit_since_mono_ms is not None else now.mono_ms
    if report.pose is not None:
        live = _at(live, report.pose, now.mono_ms)
    return replace(
        live,
        # A robot that sends its state is on the bus, whatever became of its connection message.
        connection=ConnectionState.ONLINE,
        report=report,
        report_header_id=given.header_id,
        report_mono_ms=now.mono_ms,
        seen_utc_ms=now.utc_ms,
        moved_mono_ms=_moved(live, duty, report, now.mono_ms),
        unfit_since_mono_ms=since if unfit else None,
    )


def _at(live: RobotLive, pose: Pose, mono_ms: MonoMs) -> RobotLive:
    """Where it is now, and how fast it came there from where it was last."""
    before, since = live.pose, live.pose_mono_ms
    pace = None
    if before is not None and since is not None and before.map_id == pose.map_id:
        past_ms = mono_ms - since
        if past_ms < PACE_MIN_MS:
            pace = live.pace_m_s
        elif past_ms <= PACE_MAX_MS:
            pace = hypot(pose.x_m - before.x_m, pose.y_m - before.y_m) * 1_000 / past_ms
    return replace(live, pose=pose, pose_mono_ms=mono_ms, pace_m_s=pace)


def _moved(live: RobotLive, duty: Duty, report: RobotReport, mono_ms: MonoMs) -> MonoMs:
    """When it was last elsewhere, or had no reason to move."""
    before, mission = live.report, duty.mission
    if before is None or mission is None or mission.released - 1 <= mission.passed:
        return mono_ms
    if report.paused or before.last_node != report.last_node:
        return mono_ms
    if before.pose is None or report.pose is None:
        return mono_ms if report.driving else live.moved_mono_ms
    shift_m = hypot(before.pose.x_m - report.pose.x_m, before.pose.y_m - report.pose.y_m)
    return mono_ms if shift_m > MOVED_M else live.moved_mono_ms
