"""Decides what one input does to the whole site: ``step`` alone composes the other cores.

The same state, input and clock reading give the same result, so the journal replays an incident.
"""

from dataclasses import replace
from typing import Final, assert_never

from contracts.api import Sentence, SessionState
from contracts.api.alerts import HandlingVerb
from contracts.api.sessions import ActBody
from contracts.observations import (
    Alert,
    Condition,
    Mode,
    NodeHealth,
    NodeState,
    RoomObservation,
)
from contracts.units import NodeId, SessionId
from controller.core import (
    acting,
    alerts,
    deliveries,
    delivery_record,
    dispatch,
    dispatch_steps,
    entries,
    escalation,
    facility_steps,
    fleet_steps,
    handling,
    head_count,
    interlock,
    ordering_steps,
    recording,
    remote_watch,
    robot_alerts,
    robot_steps,
    session_steps,
    state,
)
from controller.core.alerts import AlertRecord
from controller.core.dispatch_inputs import DispatchInput
from controller.core.facility_words import FacilityInput
from controller.core.fleet_inputs import FleetInput
from controller.core.handling import Act
from controller.core.ordering_inputs import OrderingInput
from controller.core.outputs import (
    Accepted,
    FetchPicture,
    Output,
    Refusal,
    Refused,
)
from controller.core.outside import OutsideInput
from controller.core.session_inputs import RosterInput
from controller.core.sessions import Session, SessionVerb
from controller.core.sites import SitesInput
from controller.core.state import Input, NodeLive, Now, RoomLive, SiteState, changed, copied
from controller.core.state import kept as _kept

NODE_SILENT_MS: Final = 20_000
# Health comes every few seconds. A broker killed with -9 sends no last will, so silence must count
# too; and its restart takes less than this.

Result = tuple[SiteState, tuple[Output, ...]]


def step(site: SiteState, given: Input, now: Now) -> Result:
    """Apply one input: the state after it, and what is to be done once that is committed."""
    result = _decide(site, given, now)
    result = result[0], (*result[1], *delivery_record.after(site, result[0], now))
    if not result[0].remote.joints:
        return result
    ticks = isinstance(given, state.Tick)
    return remote_watch.after(site, result, _act, now, tick=ticks)


def _act(  # remote.Act
    site: SiteState, session_id: SessionId, verb: SessionVerb, by: str, said: ActBody, now: Now
) -> Result:
    return session_steps.acted(site, state.SessionActed(session_id, verb, by, said), now)


def _decide(  # noqa: C901, PLR0911, PLR0912  # one a kind
    site: SiteState, given: Input, now: Now
) -> Result:
    if isinstance(given, SitesInput):
        return remote_watch.step(site, given, _act, now)
    if isinstance(given, OutsideInput):
        return acting.step(site, given, now)
    if isinstance(given, RosterInput):
        return session_steps.step(site, given, now)
    if isinstance(given, FacilityInput):
        return _facility(site, given, now)
    if isinstance(given, FleetInput):
        return fleet_steps.step(site, given, now)
    if isinstance(given, DispatchInput):
        return dispatch_steps.step(site, given, now)
    if isinstance(given, OrderingInput):
        return ordering_steps.step(site, given, now)
    match given:
        case state.AlertCame():
            return _alert_came(site, given, now)
        case state.SealWasApplied():
            return session_steps.applied(site, given.applied)
        case state.EntryCame() | state.CheckpointCame() | state.KeyConfirmed():
            return recording.step(site, given, now)
        case state.Noted():
            return site, ()
        case state.RecordNoted():
            return site, (given.line, Accepted(given.line.subject))
        case state.EscalationSet():
            plan = replace(site.plan, escalation=given.settings)
            return replace(site, plan=plan), (Accepted("escalation"),)
        case state.Observed():
            return _observed(site, given.observation, now)
        case state.NodeSaid():
            return _node_said(site, given.health, now)
        case state.Tick():
            return _ticked(site, now)
        case (
            state.SessionScheduled()
            | state.SessionActed()
            | state.AlertAcknowledged()
            | state.AlertResolved()
            | state.AlertWorked()
            | state.PictureStored()
        ):
            return _handled(site, given, now)
        case (
            state.DeliveryOrdered()
            | state.DeliveryLoaded()
            | state.PinTried()
            | state.DeliveryCancelled()
        ):
            return _delivery(site, given, now)
        case state.RobotConnected() | state.RobotReported() | state.RobotMoved():
            return robot_steps.step(site, given, now)
        case _:
            assert_never(given)


def _facility(site: SiteState, given: FacilityInput, now: Now) -> Result:
    before = site.facilities
    site, said = facility_steps.step(site, given, now)
    if site.facilities is before:
        return site, said
    site, sends = dispatch.settle(site, now)
    return site, (*said, *sends)


_Handled = (
    state.SessionScheduled
    | state.SessionActed
    | state.AlertAcknowledged
    | state.AlertResolved
    | state.AlertWorked
    | state.PictureStored
)


def _handled(site: SiteState, given: _Handled, now: Now) -> Result:
    match given:
        case state.SessionScheduled():
            return session_steps.scheduled(site, given, now)
        case state.SessionActed():
            return session_steps.acted(site, given, now)
        case state.AlertAcknowledged():
            return _worked(site, given, Act(HandlingVerb.ACKNOWLEDGE, given.by), now)
        case state.AlertResolved():
            body = given.body
            asked = Act(
                HandlingVerb.RESOLVE,
                given.by,
                text=body.note,
                disposition=body.disposition,
                seat=body.seat,
            )
            return _worked(site, given, asked, now)
        case state.AlertWorked():
            return _worked(site, given, given.act, now, given.expected)
        case state.PictureStored():
            record = site.alerts.get(given.alert_id, given.known)
            if record is None:
                return site, (_no("alert", given.alert_id),)
            return _alert_after(site, alerts.with_picture(record, given.picture))
        case _:
            assert_never(given)


def _worked(
    site: SiteState,
    given: state.AlertAcknowledged | state.AlertResolved | state.AlertWorked,
    asked: Act,
    now: Now,
    expected: int | None = None,
) -> Result:
    """A person took a step: the alert after it, a line in its session's record, who is told."""
    record = site.alerts.get(given.alert_id, given.known)
    if record is None:
        return site, (_no("alert", given.alert_id),)
    after = handling.act(record, asked, now.utc_ms, expected)
    site, outputs = _alert_after(site, after)
    if isinstance(after, Refused) or after is record:
        return site, outputs
    line = handling.record_line(after)
    notice = escalation.after_act(after, asked)
    return site, (*outputs, *(one for one in (line, notice) if one is not None))


def _alert_came(site: SiteState, given: state.AlertCame, now: Now) -> Result:
    known = site.alerts.get(given.alert.alert_id, given.known)
    record = alerts.receive(known, given.alert, site.next_number, now.utc_ms)
    if record is known:
        return site, ()
    if known is None and not record.shadow:
        before = alerts.same_matter(site.alerts.values(), given.alert, now.utc_ms)
        record = record if before is None else alerts.carried(record, before)
    after = replace(site, alerts=_kept(site.alerts, record.id, record))
    if known is None:
        after = replace(after, next_number=site.next_number + 1)
    after, noted = entries.marked(after, record, now) if known is None else (after, ())
    picture = record.alert.picture
    if picture is None or (known is not None and known.alert.picture is not None):
        return after, noted
    return after, (*noted, FetchPicture(record.id, record.alert.node_id, picture))


def _alert_after(site: SiteState, after: AlertRecord | Refused) -> Result:
    if isinstance(after, Refused):
        return site, (after,)
    done = Accepted(after.id)
    if site.alerts.get(after.id) == after:
        return site, (done,)
    return replace(site, alerts=_kept(site.alerts, after.id, after)), (done,)


def _observed(site: SiteState, seen: RoomObservation, now: Now) -> Result:
    before = site.rooms.get(seen.room_id)
    if before is not None and _older(before.observation, seen):
        return site, ()
    rooms = changed(site.rooms, seen.room_id, RoomLive(seen, now.mono_ms))
    watched = [zone for zone in site.plan.zones.values() if zone.seen_by == seen.room_id]
    sights = interlock.look(watched, site.sights, seen, now.mono_ms) if watched else site.sights
    site = copied(site, rooms=rooms, sights=sights)
    site, counts = head_count.observed(site, seen, now)
    if not watched:
        return site, counts
    site, sends = dispatch.settle(site, now)
    return site, (*counts, *sends)


def _older(before: RoomObservation, seen: RoomObservation) -> bool:
    return before.boot_id == seen.boot_id and seen.index <= before.index


def _node_said(site: SiteState, health: NodeHealth, now: Now) -> Result:
    before = site.nodes.get(health.node_id)
    if health.state is NodeState.LOST and before is not None:
        # A last will knows nothing but the name: what was known before is kept beside it.
        health = before.health.model_copy(update={"state": NodeState.LOST})
    lost = health.state is NodeState.LOST
    after = NodeLive(health, now.mono_ms, lost=lost)
    site = replace(site, nodes=changed(site.nodes, health.node_id, after))
    return _node_alert(site, health.node_id, now, lost=lost), ()


def _node_alert(site: SiteState, node_id: NodeId, now: Now, *, lost: bool) -> SiteState:
    if not lost:
        return dispatch.lower(site, alerts.NODE_OFFLINE, node_id, now)
    rooms = [area for area, node in site.plan.watcher.items() if node == node_id]
    settings = site.plan.rules[alerts.NODE_OFFLINE]
    if not rooms or settings.mode is Mode.OFF:
        return site
    session = _holder(site, rooms)
    alert = Alert(
        alert_id=state.own_alert_id(alerts.NODE_OFFLINE, node_id, now.utc_ms),
        rule=alerts.NODE_OFFLINE,
        condition=Condition.ACTIVE,
        severity=settings.severity,
        mode=settings.mode,
        risk_code=settings.risk_code,
        room_id=next((room for room in rooms if session and room in session.rooms), rooms[0]),
        node_id=node_id,
        session_id=session.id if session else None,
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
    )
    return dispatch.raise_alert(site, alert, node_id, now)


def _holder(site: SiteState, rooms: list[str]) -> Session | None:
    return next(
        (
            row
            for row in site.sessions.values()
            if row.state is SessionState.SEALED and not set(rooms).isdisjoint(row.rooms)
        ),
        None,
    )


def _ticked(site: SiteState, now: Now) -> Result:
    for node_id, node in site.nodes.items():
        silent = now.mono_ms - node.heard_mono_ms > NODE_SILENT_MS
        if silent and not node.lost and node.health.state is NodeState.RUNNING:
            lost = replace(
                node, lost=True, health=node.health.model_copy(update={"state": NodeState.LOST})
            )
            site = replace(site, nodes=changed(site.nodes, node_id, lost))
            site = _node_alert(site, node_id, now, lost=True)
    site, filed = recording.watch(site, now)
    site, counts = head_count.ticked(site, now)
    site = robot_alerts.watch_robots(site, now)
    site = facility_steps.watch(site, now)
    site = fleet_steps.watch(site, now)
    site, acted = acting.watch(site, now)
    site, notices = escalation.watch(site, now)
    site, ordered = ordering_steps.watch(site, now)
    site, sends = dispatch.settle(site, now)
    return site, (*acted, *notices, *filed, *counts, *ordered, *sends)


_Delivery = state.DeliveryOrdered | state.DeliveryLoaded | state.PinTried | state.DeliveryCancelled


def _delivery(site: SiteState, given: _Delivery, now: Now) -> Result:
    if isinstance(given, state.DeliveryOrdered):
        return ordering_steps.ordered(site, given, now)
    delivery = site.deliveries.get(given.delivery_id)
    if delivery is None:
        return site, (_no("delivery", given.delivery_id),)
    wishes: tuple[deliveries.Wish, ...] = ()
    answer: Accepted | Refused = Accepted(delivery.id)
    match given:
        case state.DeliveryLoaded():
            said = deliveries.loaded(delivery, given.compartment, given.by)
            if isinstance(said, Refused):
                return site, (said,)
            delivery = said
        case state.PinTried():
            refused = dispatch.standing_refusal(site, delivery, now)
            if refused is not None:
                return site, (refused,)
            delivery, wishes, refused = deliveries.tried(
                delivery,
                right=given.right,
                by=given.by,
                mono_ms=now.mono_ms,
                utc_ms=now.utc_ms,
            )
            answer = refused or answer
        case state.DeliveryCancelled():
            called = deliveries.cancel(delivery, given.reason, given.by, now.mono_ms, now.utc_ms)
            if isinstance(called, Refused):
                return site, (called,)
            delivery = called
        case _:
            assert_never(given)
    site = dispatch.with_delivery(site, delivery, wishes, now)
    site, outputs = dispatch.settle(site, now)
    return site, (answer, *outputs)


def _no(what: str, name: str) -> Refused:
    text = Sentence(zh=f"没有 {what} {name[:80]}。", en=f"There is no {what} {name[:80]}.")
    return Refused(Refusal.NOT_FOUND, text)
