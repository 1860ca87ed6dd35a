"""Decides what one input does to the whole site: ``step`` alone composes the other cores.

The same state, input and clock reading give the same result, so the journal replays an incident.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol, TypeVar, assert_never

from contracts.api import Sentence, SessionState
from contracts.observations import (
    Alert,
    Condition,
    Mode,
    NodeHealth,
    NodeState,
    RoomObservation,
    SealApplied,
)
from contracts.units import MonoMs, NodeId
from contracts.vda5050.state import ConnectionState
from controller.core import (
    alerts,
    deliveries,
    dispatch,
    fleet,
    head_count,
    interlock,
    recording,
    robot_alerts,
    sessions,
    state,
)
from controller.core.alerts import AlertRecord
from controller.core.outputs import (
    Accepted,
    FetchPicture,
    Output,
    Refusal,
    Refused,
    SendCommand,
)
from controller.core.sessions import Session
from controller.core.state import Input, NodeLive, Now, RoomLive, SiteState, changed

NODE_SILENT_MS: Final = 20_000
# Health comes every few seconds. A broker killed with -9 sends no last will, so silence must count
# too; and its restart takes less than this.

Result = tuple[SiteState, tuple[Output, ...]]


def step(site: SiteState, given: Input, now: Now) -> Result:  # noqa: PLR0911  # one a kind
    """Apply one input: the state after it, and what is to be done once that is committed."""
    match given:
        case state.AlertCame():
            return _alert_came(site, given, now)
        case state.SealWasApplied():
            return _applied(site, given.applied)
        case state.EntryCame() | state.CheckpointCame() | state.KeyConfirmed():
            return recording.step(site, given, now)
        case state.Noted():
            return site, ()
        case state.RecordNoted():
            return site, (given.line, Accepted(given.line.subject))
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
            return _robot(site, given, now)
        case _:
            assert_never(given)


_Handled = (
    state.SessionScheduled
    | state.SessionActed
    | state.AlertAcknowledged
    | state.AlertResolved
    | state.PictureStored
)


def _handled(site: SiteState, given: _Handled, now: Now) -> Result:
    match given:
        case state.SessionScheduled():
            return _scheduled(site, given, now)
        case state.SessionActed():
            return _acted(site, given, now)
        case state.AlertAcknowledged():
            record = site.alerts.get(given.alert_id, given.known)
            if record is None:
                return site, (_no("alert", given.alert_id),)
            return _alert_after(site, alerts.acknowledge(record, given.by, now.utc_ms))
        case state.AlertResolved():
            record = site.alerts.get(given.alert_id, given.known)
            if record is None:
                return site, (_no("alert", given.alert_id),)
            after = alerts.resolve(
                record, given.by, given.body.disposition, given.body.note, now.utc_ms
            )
            return _alert_after(site, after)
        case state.PictureStored():
            record = site.alerts.get(given.alert_id, given.known)
            if record is None:
                return site, (_no("alert", given.alert_id),)
            return _alert_after(site, alerts.with_picture(record, given.picture))
        case _:
            assert_never(given)


def _alert_came(site: SiteState, given: state.AlertCame, now: Now) -> Result:
    known = site.alerts.get(given.alert.alert_id, given.known)
    record = alerts.receive(known, given.alert, site.next_number, now.utc_ms)
    if record is known:
        return site, ()
    after = replace(site, alerts=_kept(site.alerts, record.id, record))
    if known is None:
        after = replace(after, next_number=site.next_number + 1)
    picture = record.alert.picture
    if picture is None or (known is not None and known.alert.picture is not None):
        return after, ()
    return after, (FetchPicture(record.id, record.alert.node_id, picture),)


def _alert_after(site: SiteState, after: AlertRecord | Refused) -> Result:
    if isinstance(after, Refused):
        return site, (after,)
    done = Accepted(after.id)
    if site.alerts.get(after.id) == after:
        return site, (done,)
    return replace(site, alerts=_kept(site.alerts, after.id, after)), (done,)


def _scheduled(site: SiteState, given: state.SessionScheduled, now: Now) -> Result:
    known = {area.id for area in site.plan.site.config.areas}
    if given.body.room_id not in known:
        return site, (_no("room", given.body.room_id),)
    keep_days = site.plan.site.config.keep_sealed_days
    session = sessions.schedule(given.session_id, given.body, given.by, now.utc_ms, keep_days)
    after = replace(site, sessions=_kept(site.sessions, session.id, session))
    return after, (Accepted(session.id),)


def _acted(site: SiteState, given: state.SessionActed, now: Now) -> Result:
    session = site.sessions.get(given.session_id)
    if session is None:
        return site, (_no("session", given.session_id),)
    after = sessions.act(session, given.verb, given.by, site.sessions.values(), now.utc_ms)
    if isinstance(after, Refused):
        return site, (after,)
    moved, command = after
    moved = _with_heads(site, session, moved)
    moved, keeps = sessions.keep_passages(session, moved, site.plan.passages, now.utc_ms)
    outputs: list[Output] = [Accepted(moved.id)]
    for order in (command, *keeps):
        node_id = site.plan.watcher.get(order.room_id) if order is not None else None
        if order is not None and node_id is not None:
            outputs.append(SendCommand(node_id, order))
    site = replace(site, sessions=_kept(site.sessions, moved.id, moved))
    site, more = dispatch.settle(site, now)
    return site, (*outputs, *more)


def _with_heads(site: SiteState, before: Session, moved: Session) -> Session:
    """The session with the ends of its room's chains, as its report tells them for ever."""
    if moved.sealed_utc_ms is not None and before.sealed_utc_ms is None:
        return replace(moved, heads_at_seal=recording.heads_of(site, moved.room_id))
    if moved.ended and not before.ended:
        return replace(moved, heads_at_release=recording.heads_of(site, moved.room_id))
    return moved


def _applied(site: SiteState, applied: SealApplied) -> Result:
    session = next(
        (row for row in site.sessions.values() if row.command_id == applied.command_id), None
    )
    if session is None:
        return site, ()
    after = sessions.confirm(session, applied)
    if after is session:
        return site, ()
    return replace(site, sessions=changed(site.sessions, after.id, after)), ()


def _observed(site: SiteState, seen: RoomObservation, now: Now) -> Result:
    before = site.rooms.get(seen.room_id)
    if before is not None and _older(before.observation, seen):
        return site, ()
    site = replace(site, rooms=changed(site.rooms, seen.room_id, RoomLive(seen, now.mono_ms)))
    site, counts = head_count.observed(site, seen, now)
    watched = [zone for zone in site.plan.zones.values() if zone.seen_by == seen.room_id]
    if not watched:
        return site, counts
    sights = dict(site.sights)
    for zone in watched:
        sights[zone.id] = interlock.look(zone, sights.get(zone.id), seen, now.mono_ms)
    site, sends = dispatch.settle(replace(site, sights=sights), now)
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
        room_id=session.room_id if session else rooms[0],
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
            if row.room_id in rooms and row.state is SessionState.SEALED
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
    site, sends = dispatch.settle(site, now)
    return site, (*filed, *counts, *sends)


_Delivery = state.DeliveryOrdered | state.DeliveryLoaded | state.PinTried | state.DeliveryCancelled


def _delivery(site: SiteState, given: _Delivery, now: Now) -> Result:
    if isinstance(given, state.DeliveryOrdered):
        return _ordered(site, given, now)
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
            delivery, wishes, refused = deliveries.tried(
                delivery,
                right=given.right,
                by=given.by,
                mono_ms=now.mono_ms,
                utc_ms=now.utc_ms,
            )
            answer = refused or answer
        case state.DeliveryCancelled():
            called = deliveries.cancel(
                delivery,
                given.reason,
                given.by,
                site.plan.kitchen_node,
                now.mono_ms,
                now.utc_ms,
            )
            if isinstance(called, Refused):
                return site, (called,)
            delivery, wishes = called
        case _:
            assert_never(given)
    site = dispatch.with_delivery(site, delivery, wishes, now)
    site, outputs = dispatch.settle(site, now)
    return site, (answer, *outputs)


def _ordered(site: SiteState, given: state.DeliveryOrdered, now: Now) -> Result:
    for row in site.deliveries.values():
        if given.idempotency_key is not None and row.idempotency_key == given.idempotency_key:
            return site, (Accepted(row.id),)
    refusal = _order_refusal(site, given)
    if refusal is not None:
        return site, (refusal,)
    session = _holder(site, [given.body.room_id])
    delivery = deliveries.order(
        given.delivery_id,
        given.body,
        by=given.by,
        session_id=session.id if session else None,
        pin_digest=given.pin_digest,
        idempotency_key=given.idempotency_key,
        mono_ms=now.mono_ms,
        utc_ms=now.utc_ms,
    )
    site = replace(site, deliveries=_kept(site.deliveries, delivery.id, delivery))
    site, outputs = dispatch.settle(site, now)
    return site, (Accepted(delivery.id), *outputs)


OPEN_PER_ROOM_MAX: Final = 4  # a robot has at most four compartments; a room orders once a meal


def _order_refusal(site: SiteState, given: state.DeliveryOrdered) -> Refused | None:
    room = given.body.room_id
    if room not in {area.id for area in site.plan.site.config.areas}:
        return _no("room", room)
    if room not in site.plan.door_nodes:
        text = Sentence(
            zh=f"{room} 没有机器人停靠点（door_node）。",
            en=f"Robots cannot serve {room}: its area has no door_node.",
        )
        return Refused(Refusal.CONFLICT, text)
    waiting = [row for row in site.deliveries.values() if row.room_id == room and not row.ended]
    if len(waiting) >= OPEN_PER_ROOM_MAX:
        text = Sentence(
            zh=f"{room} 已有 {len(waiting)} 单在途，请等待送达。",
            en=f"{room} has {len(waiting)} deliveries under way; wait for one to end.",
        )
        return Refused(Refusal.CONFLICT, text)
    return None


_Robot = state.RobotConnected | state.RobotReported | state.RobotMoved


def _robot(site: SiteState, given: _Robot, now: Now) -> Result:
    live = site.robots.get(given.robot_id)
    duty = site.duties.get(given.robot_id)
    if live is None or duty is None:
        return site, ()
    match given:
        case state.RobotMoved():
            moved = replace(live, pose=given.pose)
            return replace(site, robots=changed(site.robots, given.robot_id, moved)), ()
        case state.RobotConnected():
            # Any connection message may mean a reboot: its states are counted from the start again.
            heard = replace(
                live,
                connection=given.connection,
                report_header_id=-1,
                silent_since_mono_ms=now.mono_ms,
            )
        case state.RobotReported():
            if not fleet.fresh(live, given.header_id):
                return site, ()
            heard = _reported(live, given, now.mono_ms, now)
            duty = fleet.heard(duty, given.report)
        case _:
            assert_never(given)
    site = replace(
        site,
        robots=changed(site.robots, given.robot_id, heard),
        duties=dispatch.same_or(site.duties, given.robot_id, duty),
    )
    return dispatch.settle(site, now)


def _reported(
    live: fleet.RobotLive, given: state.RobotReported, mono_ms: MonoMs, now: Now
) -> fleet.RobotLive:
    return replace(
        live,
        # A robot that sends its state is on the bus, whatever became of its connection message.
        connection=ConnectionState.ONLINE,
        report=given.report,
        report_header_id=given.header_id,
        report_mono_ms=mono_ms,
        seen_utc_ms=now.utc_ms,
        pose=given.report.pose or live.pose,
    )


class _Entity(Protocol):
    @property
    def ended(self) -> bool: ...


_E = TypeVar("_E", bound=_Entity)


def _kept(rows: Mapping[str, _E], key: str, row: _E) -> Mapping[str, _E]:
    """The entities with one set; the oldest ended ones leave memory, the store has them all."""
    after = {**rows, key: row}
    ended = [name for name, one in after.items() if one.ended]
    for name in ended[: max(0, len(ended) - state.ENDED_KEPT)]:
        if name != key:
            del after[name]
    return after


def _no(what: str, name: str) -> Refused:
    text = Sentence(zh=f"没有 {what} {name[:80]}。", en=f"There is no {what} {name[:80]}.")
    return Refused(Refusal.NOT_FOUND, text)
