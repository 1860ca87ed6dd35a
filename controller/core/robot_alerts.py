"""Decides which alerts on robots stand: asks ``robot_watch`` of each robot, once a tick."""

from typing import Final

from contracts.catalogue import CATALOGUE
from contracts.observations import Alert, Condition, Measured, Mode
from contracts.units import RobotId, UtcMs
from controller.core import robot_watch
from controller.core.dispatch import lower, raise_alert
from controller.core.fleet import RobotLive
from controller.core.robot_watch import Facts, Judged, RobotWatch
from controller.core.state import Now, SiteState, changed, copied, own_alert_id

NO_NODE: Final = "controller"  # an alert of ours where no edge node watches the area


def watch_robots(site: SiteState, now: Now) -> SiteState:
    """Judge every robot of the site; alerts begin after their dwell and clear at once."""
    for robot_id, duty in site.duties.items():
        if duty.removed is not None:
            continue
        delivery = site.deliveries.get(duty.delivery_id or "")
        facts = Facts(
            duty=duty,
            live=site.robots.get(robot_id, RobotLive()),
            delivery=delivery,
            at_stop=_at_stop(site, robot_id),
            aboard=tuple(
                row
                for row in site.deliveries.values()
                if row.robot_id == robot_id and row.compartment is not None and not row.ended
            ),
        )
        before = site.watches.get(robot_id, RobotWatch())
        after, judged = robot_watch.step(
            before, facts, site.plan, site.sights, now.mono_ms, now.utc_ms
        )
        # Its keeping costs nothing on disk: what is watched is lost with the process.
        if after != before:
            site = _with_watch(site, robot_id, after)
        for one in judged:
            site = _told(site, robot_id, one, now)
    return site


def _with_watch(site: SiteState, robot_id: RobotId, watch: RobotWatch) -> SiteState:
    return copied(site, watches=changed(site.watches, robot_id, watch))


def _at_stop(site: SiteState, robot_id: RobotId) -> bool:
    duty = site.duties[robot_id]
    plan = site.plan
    stops = {plan.kitchen_node, plan.robots[robot_id].home_node, *plan.door_nodes.values()}
    return duty.at_node in stops


def _told(site: SiteState, robot_id: RobotId, judged: Judged, now: Now) -> SiteState:
    if judged.cleared:
        return lower(site, judged.rule, robot_id, now)
    if not judged.raised:
        return site
    spec, settings = CATALOGUE[judged.rule], site.plan.rules[judged.rule]
    if settings.mode is Mode.OFF:
        return site
    delivery = site.deliveries.get(site.duties[robot_id].delivery_id or "")
    room_id = delivery.room_id if delivery is not None else _anywhere(site)
    since_mono = site.watches[robot_id].since[judged.rule]
    alert = Alert(
        alert_id=own_alert_id(judged.rule, robot_id, now.utc_ms),
        rule=judged.rule,
        condition=Condition.ACTIVE,
        severity=settings.severity,
        room_id=room_id,
        node_id=site.plan.watcher.get(room_id, NO_NODE),
        session_id=delivery.session_id if delivery is not None else None,
        since_utc_ms=UtcMs(now.utc_ms - (now.mono_ms - since_mono)),
        raised_utc_ms=now.utc_ms,
        dwell_ms=int(settings["dwell_ms"]),
        measured=judged.measured,
        mode=settings.mode,
        risk_code=settings.risk_code,
        saw=judged.saw,
        settings=tuple(
            Measured(name=one.name, value=settings[one.name], unit=one.unit)
            for one in spec.parameters
        ),
    )
    return raise_alert(site, alert, robot_id, now)


def _anywhere(site: SiteState) -> str:
    """An area to put an alert in that belongs to none: the first passage, else the first area."""
    passages = site.plan.passages
    return passages[0] if passages else site.plan.site.config.areas[0].id
