"""Decides how state looks to people: from the cores' values to the public API's models."""

from collections.abc import Iterable, Mapping
from typing import Final

from contracts.api import (
    AlertView,
    CameraStatus,
    CompartmentView,
    DeliveryView,
    MapEdgeView,
    MapNodeView,
    MenuView,
    ReleaseView,
    ReportAlert,
    ReportGap,
    ReportTrack,
    RobotCondition,
    RobotView,
    RoomView,
    Sentence,
    SessionState,
    SessionView,
    SiteView,
    WitnessReport,
    ZoneVerdict,
    ZoneView,
)
from contracts.api.alerts import AlertHistory, HandlingStep
from contracts.api.floor import HoldView, RemovalView
from contracts.devices import Area, CameraConfig, Named
from contracts.observations import CameraState, CameraView, Condition, NodeState, SoundState
from contracts.units import MonoMs, RobotId, RoomId, UtcMs, ZoneId
from controller.core import capability, dispatch, evidence_views, handover, ordering
from controller.core.alerts import AlertRecord, title_of
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty, RobotLive
from controller.core.interlock import LEASE_MS, Clearance
from controller.core.sessions import HOLDS_ROOM, Session
from controller.core.state import SiteState

STALE_MS: Final = 5_000
# After this an observation no longer says how the room is now: the count shows as unknown.


def session_view(session: Session) -> SessionView:
    """A session as people see it."""
    return SessionView(
        id=session.id,
        room_id=session.room_id,
        title=session.title,
        state=session.state,
        admitted=session.admitted,
        scheduled_utc_ms=session.scheduled_utc_ms,
        gathering_utc_ms=session.gathering_utc_ms,
        sealed_utc_ms=session.sealed_utc_ms,
        released_utc_ms=session.released_utc_ms,
        seal_confirmed=session.seal_confirmed,
        sealed_by=session.sealed_by,
        released_by=session.released_by,
        keep_days=session.keep_days,
        procurement=session.procurement,
        sector=session.sector,
        code=session.public_code,
        room_ids=session.rooms,
        confirmed_rooms=tuple(row.room_id for row in session.seals if row.confirmed),
        suspension=session.suspension,
        suspended_utc_ms=session.suspended_utc_ms,
        cancelled_utc_ms=session.cancelled_utc_ms,
        archived_utc_ms=session.archived_utc_ms,
        reason=session.reason,
        scheduled_by=session.scheduled_by,
        revision=session.revision,
        seats=len(session.roster.active),
        checked_in=len(session.roster.active) - len(session.roster.missing),
        pending_amendments=len(session.roster.pending),
    )


def alert_view(
    record: AlertRecord, picture_url: str | None = None, due_utc_ms: UtcMs | None = None
) -> AlertView:
    """An alert as people see it; ``picture_url`` bears the asking user's own ticket.

    ``due_utc_ms``: see ``escalation.due_utc_ms``.
    """
    alert = record.alert
    return AlertView(
        id=record.id,
        number=record.number,
        rule=alert.rule,
        title=title_of(alert.rule),
        severity=alert.severity,
        condition=alert.condition,
        handling=record.handling,
        room_id=alert.room_id,
        camera_id=alert.camera_id,
        pickup_id=alert.pickup_id,
        node_id=alert.node_id,
        session_id=alert.session_id,
        since_utc_ms=alert.since_utc_ms,
        raised_utc_ms=alert.raised_utc_ms,
        received_utc_ms=record.received_utc_ms,
        cleared_utc_ms=alert.cleared_utc_ms,
        dwell_ms=alert.dwell_ms,
        confidence=alert.confidence,
        measured=alert.measured,
        boxes=alert.boxes,
        mode=alert.mode,
        risk_code=alert.risk_code,
        zone_id=alert.zone_id,
        saw=Sentence(zh=alert.saw.zh, en=alert.saw.en) if alert.saw else None,
        settings=alert.settings,
        sound_sha256=alert.sound.sha256 if alert.sound else None,
        picture_sha256=alert.picture.sha256 if alert.picture else None,
        picture_url=picture_url,
        acknowledged_by=record.acknowledged_by,
        acknowledged_utc_ms=record.acknowledged_utc_ms,
        disposition=record.disposition,
        note=record.note,
        detail=record.detail,
        revision=record.revision,
        owner=record.owner,
        due_utc_ms=due_utc_ms,
        latched=record.latched,
        urged_utc_ms=record.urged_utc_ms,
        resolved_by=record.resolved_by,
        resolved_utc_ms=record.resolved_utc_ms,
        closed_by=record.closed_by,
        closed_utc_ms=record.closed_utc_ms,
        seat=record.seat,
        statement=record.statement,
        told_level=record.told.level,
        told_utc_ms=record.told.utc_ms,
        returns=record.returns,
        follows=record.follows,
    )


def alert_history(record: AlertRecord) -> AlertHistory:
    """All that was done about an alert."""
    return AlertHistory(
        alert_id=record.id,
        revision=record.revision,
        steps=tuple(
            HandlingStep(
                number=step.number,
                verb=step.verb,
                utc_ms=step.utc_ms,
                by=step.by,
                text=step.text,
                to=step.to,
                disposition=step.disposition,
                handling=step.handling,
            )
            for step in record.history
        ),
    )


def room_view(site: SiteState, area: Area, mono_ms: MonoMs) -> RoomView:
    """One area now; what is older than STALE_MS shows as unknown."""
    live = site.rooms.get(area.id)
    node_id = site.plan.watcher.get(area.id)
    node = site.nodes.get(node_id) if node_id else None
    stale = live is None or mono_ms - live.received_mono_ms > STALE_MS
    gone = node is not None and node.health.state is not NodeState.RUNNING
    seen = None if live is None or stale or gone else live.observation
    views = {view.camera_id: view for view in (seen.views if seen else ())}
    session = held_by(site, area.id)
    return RoomView(
        id=area.id,
        name=area.name,
        kind=area.kind,
        node_id=node_id,
        node_state=node.health.state if node else None,
        head_count=seen.head_count if seen else None,
        admitted=session.admitted if session else None,
        session=session_view(session) if session else None,
        cameras=tuple(
            _camera(camera, views.get(camera.id)) for camera in site.plan.site.cameras_of(area.id)
        ),
        active_alerts=sum(
            1
            for row in site.alerts.values()
            if row.alert.room_id == area.id
            and row.alert.condition is Condition.ACTIVE
            and not row.shadow
        ),
        observed_utc_ms=live.observation.utc_ms if live else None,
        tracks=evidence_views.track_views(site, area.id),
        clock=evidence_views.clock_of(site, area.id),
        key_confirmed=evidence_views.key_confirmed(site, node_id),
    )


def held_by(site: SiteState, room_id: RoomId) -> Session | None:
    """The session that a room belongs to now, else the next one scheduled there."""
    rows = [row for row in site.sessions.values() if room_id in row.rooms and not row.ended]
    held = next((row for row in rows if row.state in HOLDS_ROOM), None)
    return held or min(rows, key=lambda row: row.scheduled_utc_ms, default=None)


def _camera(camera: CameraConfig, view: CameraView | None) -> CameraStatus:
    if view is None:
        return CameraStatus(
            id=camera.id, name=camera.name, state=CameraState.OFFLINE, sound=SoundState.ABSENT
        )
    return CameraStatus(
        id=camera.id,
        name=camera.name,
        state=view.state,
        sound=view.sound,
        level_dbfs=view.level_dbfs,
        people=view.people if view.state is CameraState.LIVE else (),
        seen_utc_ms=view.frame_utc_ms,
    )


def menu_view(site: SiteState) -> MenuView:
    """The menu in force."""
    menu = ordering.menu_in(site.ordering)
    return MenuView(
        dishes=menu.body.dishes,
        terms=menu.terms,
        revision=menu.revision,
        changed_by=menu.changed_by,
        changed_utc_ms=menu.changed_utc_ms,
        former=menu.former,
    )


def delivery_view(site: SiteState, delivery: Delivery) -> DeliveryView:
    """A delivery as people see it; a hold says which zone it waits for, and why."""
    duty = site.duties.get(delivery.robot_id or "")
    mine = duty if duty is not None and duty.delivery_id == delivery.id else None
    held = mine is not None and bool(mine.held_for) and not delivery.ended
    return DeliveryView(
        id=delivery.id,
        room_id=delivery.room_id,
        session_id=delivery.session_id,
        kind=delivery.kind,
        lines=delivery.lines,
        window=delivery.window,
        cutlery=delivery.cutlery,
        boxes=ordering.boxes_of(ordering.menu_in(site.ordering), delivery.lines),
        approval=delivery.approval,
        has_pin=bool(delivery.pin_digest),
        pin_locked_until_utc_ms=delivery.pin_locked_until_utc_ms,
        release=_release(delivery),
        inspected=delivery.inspected,
        state=delivery.state,
        held=held,
        robot_id=delivery.robot_id,
        compartment=delivery.compartment,
        ordered_utc_ms=delivery.ordered_utc_ms,
        ordered_by=delivery.ordered_by,
        ended_utc_ms=delivery.ended_utc_ms,
        pin_tries_left=delivery.pin_tries_left,
        legs=delivery.legs,
        zones=delivery.zones,
        custody=delivery.custody,
        explanation=_held(site, mine) if held and mine else delivery.explanation,
        troubled=held or handover.troubled(delivery),
    )


def without_names(view: DeliveryView) -> DeliveryView:
    """The same for kitchen, door and tablet: not who ordered, nor for which session."""
    hidden = {"session_id": None, "ordered_by": "", "custody": (), "approval": None}
    return view.model_copy(update={**hidden, "release": None})


def _release(delivery: Delivery) -> ReleaseView | None:
    if not delivery.released_by or delivery.release_asked_utc_ms is None:
        return None
    return ReleaseView(
        asked_by=delivery.released_by[0],
        reason=delivery.release_reason,
        asked_utc_ms=delivery.release_asked_utc_ms,
        approved_by=delivery.released_by[1] if len(delivery.released_by) > 1 else "",
    )


def _held(site: SiteState, duty: Duty) -> Sentence:
    names = [site.plan.zones[zone].name for zone in duty.held_for if zone in site.plan.zones]
    zh = "、".join(name.zh for name in names)
    en = ", ".join(name.en for name in names)
    return Sentence(
        zh=f"机器人等待：{zh} 有人或无法确认无人。"[:400],
        en=f"The robot waits until these are seen to be clear: {en}."[:400],
    )


def robot_view(site: SiteState, robot_id: RobotId, mono_ms: MonoMs) -> RobotView:
    """One robot now."""
    config = site.plan.robots[robot_id]
    duty = site.duties.get(robot_id, Duty(robot_id))
    live = site.robots.get(robot_id, RobotLive())
    report, mission = live.report, duty.mission
    return RobotView(
        id=robot_id,
        name=config.name,
        condition=_condition(duty, live, mono_ms),
        pose=live.pose if duty.removed is None else None,
        battery_percent=report.battery_percent if report else None,
        last_node=duty.at_node,
        route=mission.route[mission.passed :] if mission else (),
        base_nodes=max(0, mission.released - mission.passed) if mission else 0,
        delivery_id=duty.delivery_id,
        held_for=duty.held_for,
        compartments=tuple(
            CompartmentView(
                number=box.compartment, lid=box.lid, lock=box.lock, occupied=box.occupied
            )
            for box in (report.compartments if report else ())
        ),
        errors=tuple(f"{row.type}: {row.text}" for row in (report.problems if report else ())),
        seen_utc_ms=live.seen_utc_ms,
        tour=duty.tour.deliveries if duty.tour is not None else (),
        hold=_hold_view(duty),
        removed=_removal_view(duty),
        doubt=duty.doubted.text if duty.doubted is not None else None,
        unfit=capability.unfit(site.plan, config, duty.declared, duty.doubted),
    )


def _hold_view(duty: Duty) -> HoldView | None:
    hold = duty.hold
    if hold is None:
        return None
    return HoldView(verb=hold.verb.value, reason=hold.reason, by=hold.by, utc_ms=hold.utc_ms)


def _removal_view(duty: Duty) -> RemovalView | None:
    said = duty.removed
    if said is None:
        return None
    return RemovalView(
        reason=said.reason,
        by=said.by,
        utc_ms=said.utc_ms,
        node=said.node,
        loaded=said.loaded,
    )


def _condition(duty: Duty, live: RobotLive, mono_ms: MonoMs) -> RobotCondition:
    report = live.report
    if duty.removed is not None:
        return RobotCondition.REMOVED
    if report is None or not live.online(mono_ms):
        return RobotCondition.OFFLINE
    if any(row.fatal for row in report.problems):
        return RobotCondition.ERROR
    if report.paused:
        return RobotCondition.PAUSED
    if report.driving:
        return RobotCondition.DRIVING
    return RobotCondition.HELD if duty.held_for else RobotCondition.IDLE


def zone_view(site: SiteState, zone_id: ZoneId, mono_ms: MonoMs) -> ZoneView:
    """One zone now. What is shown is what was seen, also while nothing is enforced."""
    zone = site.plan.zones[zone_id]
    sight = site.sights.get(zone_id)
    fresh = sight is not None and sight.seen and mono_ms - sight.received_mono_ms <= LEASE_MS
    states = dispatch.clearances(site, mono_ms)
    clear: bool | None = None
    if fresh and sight is not None:
        clear = sight.unadmitted == 0
        if states[zone_id] is Clearance.WAITING:
            clear = False
    return ZoneView(
        id=zone.id,
        name=zone.name,
        policy=zone.policy,
        nodes=zone.nodes,
        seen_by=zone.seen_by,
        clear=clear,
        people=sight.people if fresh and sight is not None else None,
        holding=tuple(duty.robot_id for duty in site.duties.values() if zone_id in duty.held_for),
    )


def site_view(site: SiteState, *, demo: bool) -> SiteView:
    """What stays the same while the controller runs."""
    plan, config = site.plan, site.plan.site.config
    return SiteView(
        id=config.id,
        name=config.name,
        time_zone=config.time_zone,
        demo=demo,
        nodes=tuple(
            MapNodeView(id=node.id, name=node.name, x_m=node.x_m, y_m=node.y_m, map_id=node.map_id)
            for node in plan.map.nodes.values()
        ),
        edges=tuple(MapEdgeView(start=row.start, end=row.end) for row in plan.map.edges.values()),
        kitchen_node=plan.kitchen_node,
        door_nodes=dict(plan.door_nodes),
        menu=ordering.menu_in(site.ordering).body.dishes,
        room_names={area.id: area.name for area in config.areas},
    )


def witness_report(
    site: SiteState,
    session: Session,
    alerts: Iterable[AlertRecord],
    deliveries: Iterable[Delivery],
    made_utc_ms: UtcMs,
    *,
    recordings: tuple[ReportTrack, ...] = (),
    gaps: tuple[ReportGap, ...] = (),
) -> WitnessReport:
    """The draft of a session's report: seal, alerts, deliveries with custody, recordings, gaps."""
    found = sorted(alerts, key=lambda row: row.number)
    rows = tuple(row for row in found if not row.shadow)
    carried = tuple(
        delivery_view(site, row) for row in sorted(deliveries, key=lambda row: row.ordered_utc_ms)
    )
    names: Mapping[RoomId, Named] = {area.id: area.name for area in site.plan.site.config.areas}
    sealed, until = session.sealed_utc_ms, session.released_utc_ms or made_utc_ms
    return WitnessReport(
        session=session_view(session),
        room=names.get(session.room_id, Named(zh=session.room_id, en=session.room_id)),
        site=site.plan.site.config.name,
        made_utc_ms=made_utc_ms,
        sealed_for_ms=until - sealed if sealed is not None else None,
        alerts=tuple(
            ReportAlert(
                number=row.number,
                title=title_of(row.alert.rule),
                since_utc_ms=row.alert.since_utc_ms,
                cleared_utc_ms=row.alert.cleared_utc_ms,
                handling=row.handling,
                disposition=row.disposition,
                acknowledged_by=row.acknowledged_by,
                picture_sha256=row.alert.picture.sha256 if row.alert.picture else None,
                id=row.id,
                camera_id=row.alert.camera_id,
                seat=row.seat or None,
                incident=row.confirmed,
                note=row.note,
                statement=row.statement,
                resolved_by=row.resolved_by,
            )
            for row in rows
        ),
        deliveries=carried,
        statement=_statement(session, len(rows), carried, len(gaps), len(found) - len(rows)),
        recordings=recordings,
        gaps=gaps,
        shadow_findings=len(found) - len(rows),
    )


def _statement(
    session: Session,
    alerts: int,
    carried: tuple[DeliveryView, ...],
    gaps: int,
    shadowed: int,
) -> Sentence:
    passages = [row for delivery in carried for row in delivery.zones]
    proven = sum(1 for row in passages if row.verdict is ZoneVerdict.NO_UNADMITTED_PERSON)
    over = session.state in (SessionState.RELEASED, SessionState.ARCHIVED)
    ended_zh, ended_en = ("已解封", "released") if over else ("尚未解封", "not yet released")
    # Said only where there are any: nobody was told of them, and nobody has judged them.
    silent_zh = f"静默试运行的规则另有记录 {shadowed} 条，未告知任何人。" if shadowed else ""
    silent_en = (
        f" Rules in trial noted {shadowed} findings of which nobody was told." if shadowed else ""
    )
    return Sentence(
        zh=(
            f"本场次{ended_zh}。封闭期间共有预警 {alerts} 条，机器人配送 {len(carried)} 次；"
            f"所经区域 {len(passages)} 段中，{proven} 段有影像证明无未准入人员。"
            f"录像缺失 {gaps} 处。{silent_zh}"
        ),
        en=(
            f"The session is {ended_en}. Alerts while it was sealed: {alerts}. Deliveries by "
            f"robot: {len(carried)}. Passages through zones: {len(passages)}, of which cameras "
            f"prove {proven} to have had no unadmitted person. Gaps in the recordings: {gaps}."
            f"{silent_en}"
        ),
    )
