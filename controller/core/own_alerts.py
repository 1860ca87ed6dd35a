"""Decides when an alert that the controller itself makes begins, stands and is over."""

from dataclasses import replace

from contracts.api import Sentence
from contracts.api.alerts import HandlingVerb
from contracts.observations import Alert, Condition, Said, Severity
from contracts.units import Bilingual, RoomId
from controller.core import alerts
from controller.core.handling import Act, with_step
from controller.core.names import place_name, robot_name
from controller.core.state import Now, SiteState, changed, mark_of, own_alert_id


def raise_alert(site: SiteState, alert: Alert, subject: str, now: Now) -> SiteState:
    """Make an alert of ours, once while it stands."""
    mark = mark_of(alert.rule, subject)
    if mark in site.marks:
        return site
    before = alerts.gone_lately(site.alerts.values(), alert, now.utc_ms)
    if before is not None:
        back = Act(HandlingVerb.RETURN, "controller")
        record = with_step(alerts.again(before), back, now.utc_ms, by_person=False)
        return replace(
            site,
            alerts=changed(site.alerts, before.id, record),
            marks=changed(site.marks, mark, before.id),
        )
    record = alerts.receive(None, alert, site.next_number, now.utc_ms)
    return replace(
        site,
        alerts=changed(site.alerts, record.id, record),
        marks=changed(site.marks, mark, record.id),
        next_number=site.next_number + 1,
    )


def lower(site: SiteState, rule: str, subject: str, now: Now) -> SiteState:
    """What an alert of ours was about is over."""
    mark = mark_of(rule, subject)
    alert_id = site.marks.get(mark)
    if alert_id is None:
        return site
    marks = {key: value for key, value in site.marks.items() if key != mark}
    record = site.alerts.get(alert_id)
    site = replace(site, marks=marks)
    if record is None:
        return site
    return replace(site, alerts=changed(site.alerts, alert_id, alerts.clear(record, now.utc_ms)))


def warn(
    site: SiteState,
    rule: str,
    subject: str,
    room_id: RoomId,
    now: Now,
    *,
    saw: Sentence | None = None,
    severity: Severity = Severity.WARNING,
) -> SiteState:
    """Tell people of a robot, once while it stands; ``saw`` says what exactly it is.

    Where the rule's title says all there is, people are told which robot it is, and where.
    """
    if mark_of(rule, subject) in site.marks:
        return site
    alert = Alert(
        alert_id=own_alert_id(rule, subject, now.utc_ms),
        rule=rule,
        condition=Condition.ACTIVE,
        severity=severity,
        room_id=room_id,
        node_id=site.plan.watcher.get(room_id, "controller"),
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
        saw=Said.of(_which(site, subject) if saw is None else Bilingual(saw.zh, saw.en)),
    )
    return raise_alert(site, alert, subject, now)


def _which(site: SiteState, robot_id: str) -> Bilingual:
    robot, duty = robot_name(site.plan, robot_id), site.duties.get(robot_id)
    if duty is None or duty.at_node is None:
        return Bilingual(f"{robot.zh}。", f"{robot.en}.")
    place = place_name(site.plan, duty.at_node)
    return Bilingual(f"{robot.zh}，位于 {place.zh}。", f"{robot.en}, at {place.en}.")


def anywhere(site: SiteState) -> RoomId:
    """An area to put an alert in that belongs to none: the first passage, else the first area."""
    passages = site.plan.passages
    return passages[0] if passages else site.plan.site.config.areas[0].id
