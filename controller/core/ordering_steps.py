"""Decides what becomes of an order before a robot goes: taken, changed, approved, recurring."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, assert_never
from zoneinfo import ZoneInfo

from contracts.api import (
    Approval,
    ArrivalWindow,
    ChangeBody,
    DeliveryBody,
    DeliveryKind,
    DeliveryState,
    Found,
    Inspection,
    OrderLine,
    Sentence,
    SessionState,
)
from contracts.api.record import RecordKind
from contracts.observations import Alert, Condition, Severity
from contracts.units import RoomId, UtcMs
from controller.core import (
    acts,
    alerts,
    assignment,
    custody,
    deliveries,
    dispatch,
    ordering,
    releasing,
)
from controller.core import ordering_inputs as given_as
from controller.core.assignment import Ask
from controller.core.deliveries import Delivery
from controller.core.ordering import Desk, Standing, menu_in
from controller.core.ordering_inputs import OrderingInput
from controller.core.outputs import Accepted, FileRecord, Output, Refusal, Refused
from controller.core.plan import length_m, route
from controller.core.state import (
    DeliveryOrdered,
    Now,
    SiteState,
    changed,
    kept,
    own_alert_id,
)

Result = tuple[SiteState, tuple[Output, ...]]

OPEN_PER_ROOM_MAX: Final = 12  # a week's lunches and a drink; more is a tablet gone wild
PIN_ISSUES_MAX: Final = 5  # who has forgotten it five times asks the supervisor
DRIVE_M_S: Final = 0.6  # a delivery robot indoors, with its turns
LOAD_MS: Final = 90_000  # a cook walks over, loads, shuts the lid
RECURRING: Final = "recurring "  # what an account cannot be called: it has a space
STANDING_MAX: Final = 60  # recurring orders of a site: each is looked at on every tick

CHANGEABLE: Final = frozenset(
    {DeliveryState.PROPOSED, DeliveryState.REQUESTED, DeliveryState.TO_KITCHEN}
)
"""An order may be changed, or called off by its room, until loading begins."""

BEFORE_DOOR: Final = CHANGEABLE | {
    DeliveryState.LOADING,
    DeliveryState.LOCKING,
    DeliveryState.TRAVELLING,
    DeliveryState.ARRIVED,
}


def step(site: SiteState, given: OrderingInput, now: Now) -> Result:  # one a kind
    """Apply one input."""
    match given:
        case given_as.DeliveryChanged():
            return _changed(site, given, now)
        case given_as.DeliveryJudged():
            return _judged(site, given, now)
        case given_as.PinIssued():
            return _pin_issued(site, given, now)
        case given_as.ReleaseAsked():
            return releasing.asked(site, given, now)
        case given_as.ReleaseJudged():
            return releasing.judged(site, given, now)
        case given_as.CompartmentInspected():
            return _inspected(site, given, now)
        case given_as.MenuEdited():
            return _menu_edited(site, given, now)
        case given_as.StandingSet():
            return _standing_set(site, given, now)
        case _:
            assert_never(given)


# --- what an order is judged by -----------------------------------------------------------------


def zone_of(site: SiteState) -> ZoneInfo:
    """The site's time zone."""
    return ZoneInfo(site.plan.site.config.time_zone)


def earliest(site: SiteState, room_id: RoomId, now: Now) -> UtcMs:
    """When a robot can be at a room's door with what is ordered now: an estimate, not a promise.

    What is cooked and loaded before, and the way from the kitchen; or when the first robot is free
    of all that is more urgent, if that is later. While no robot answers, as if one did.
    """
    plan = site.plan
    door = plan.door_nodes.get(room_id, plan.kitchen_node)
    way = route(plan, plan.kitchen_node, door)
    drive_ms = int(length_m(plan, way) / DRIVE_M_S * 1_000) if way is not None else 0
    prepare_ms = menu_in(site.ordering).terms.prepare_min * ordering.MINUTE_MS
    cooked = UtcMs(now.utc_ms + prepare_ms + LOAD_MS + drive_ms)
    if room_id not in plan.door_nodes:
        return cooked
    ask = Ask("new", room_id, door, now.utc_ms)
    free = assignment.earliest(
        plan, dispatch.offers(site, now), dispatch.asks(site), ask, now.utc_ms
    )
    return cooked if free is None else max(cooked, free)


def desk(site: SiteState, room_id: RoomId, now: Now, without: str = "") -> Desk:
    """What an order of this room is judged by now; ``without``: the delivery that is changed."""
    others = tuple(row for row in site.deliveries.values() if row.id != without)
    return Desk(
        menu_in(site.ordering), zone_of(site), now.utc_ms, earliest(site, room_id, now), others
    )


def people_in(site: SiteState, room_id: RoomId) -> tuple[int, str]:
    """For how many a meal is needed, and how that is known; ``contracts.api.SuggestionView``."""
    session = acts.session_of(site, room_id)
    if session is None:
        return 0, "none"
    here = [
        row
        for row in session.roster.active
        if session.roster.came(row.number) is not None and session.roster.left(row.number) is None
    ]
    if here:
        return len(here), "check_in"
    live = site.rooms.get(room_id)
    seen = live.observation.head_count if live is not None else None
    return (seen, "seen") if seen else (session.admitted, "admitted")


# --- ordering -----------------------------------------------------------------------------------


def ordered(site: SiteState, given: DeliveryOrdered, now: Now) -> Result:
    """Somebody orders; the same key is the same order."""
    for row in site.deliveries.values():
        if given.idempotency_key is not None and row.idempotency_key == given.idempotency_key:
            return site, (Accepted(row.id),)
    refusal = _refusal(site, given.body, now)
    if refusal is not None:
        return site, (refusal,)
    site = _placed(site, given, now)
    site, outputs = dispatch.settle(site, now)
    return site, (Accepted(given.delivery_id), *outputs)


def _placed(site: SiteState, given: DeliveryOrdered, now: Now) -> SiteState:
    session = acts.session_of(site, given.body.room_id)
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
    return replace(site, deliveries=kept(site.deliveries, delivery.id, delivery))


def _refusal(
    site: SiteState, body: DeliveryBody, now: Now, *, closes: bool = True
) -> Refused | None:
    room = body.room_id
    if not acts.knows_room(site, room):
        return acts.no_room(room)
    if room not in site.plan.door_nodes:
        return acts.conflict(
            f"{room} 没有机器人停靠点（door_node）。",
            f"Robots cannot serve {room}: its area has no door_node.",
        )
    waiting = [row for row in site.deliveries.values() if row.room_id == room and not row.ended]
    if len(waiting) >= OPEN_PER_ROOM_MAX:
        return acts.conflict(
            f"{room} 已有 {len(waiting)} 单在途，请等待送达或取消一单。",
            f"{room} has {len(waiting)} deliveries under way; wait for one to end, or call one "
            "off.",
        )
    wanted = ChangeBody(lines=body.lines, window=body.window, cutlery=body.cutlery)
    around = replace(desk(site, room, now), closes=closes)
    return ordering.check(around, room, body.kind, wanted)


def _changed(site: SiteState, given: given_as.DeliveryChanged, now: Now) -> Result:
    delivery = _find(site, given.delivery_id)
    if isinstance(delivery, Refused):
        return site, (delivery,)
    if delivery.state not in CHANGEABLE:
        name = deliveries.STATE_NAMES[delivery.state]
        return site, (
            acts.conflict(
                f"当前状态为“{name.zh}”，装餐开始后不能修改。",
                f"It is {name.en}; an order can be changed until loading begins.",
            ),
        )
    if as_ordered(delivery) != given.seen:
        return site, (_stale(),)
    if given.body == given.seen:
        return site, (Accepted(delivery.id),)
    closed = _closed(site, delivery, now)
    around = desk(site, delivery.room_id, now, without=delivery.id)
    around = replace(around, closes=not _recurring(delivery))
    refused = closed or ordering.check(around, delivery.room_id, delivery.kind, given.body)
    if refused is not None:
        return site, (refused,)
    after = replace(
        delivery,
        lines=given.body.lines,
        window=given.body.window,
        cutlery=given.body.cutlery,
        custody=custody.recorded(delivery.custody, "changed", given.by, now.utc_ms),
    )
    if delivery.approval is not None:
        # What was approved is no longer what is ordered: the supervisor is asked again.
        after = deliveries.enter(after, DeliveryState.PROPOSED, now.mono_ms, now.utc_ms)
        after = replace(after, approval=None)
    return _settled(dispatch.with_delivery(site, after, (), now), delivery.id, now)


def as_ordered(delivery: Delivery) -> ChangeBody:
    """What somebody ordered, as a change takes it."""
    return ChangeBody(lines=delivery.lines, window=delivery.window, cutlery=delivery.cutlery)


def _closed(site: SiteState, delivery: Delivery, now: Now) -> Refused | None:
    """Whether the kitchen has counted this order already."""
    if delivery.window is None or delivery.kind is not DeliveryKind.MEAL or _recurring(delivery):
        return None
    zone, terms = zone_of(site), menu_in(site.ordering).terms
    until = ordering.cut_off(terms, delivery.window, zone)
    if until is None or now.utc_ms <= until:
        return None
    at = ordering.local_minute(until, zone, now.utc_ms)
    return acts.conflict(
        f"该餐次已于 {at} 截止，不能再修改；如需取消请按“取消”。",
        f"That meal closed at {at} and cannot be changed any more; it can still be called off.",
    )


def _recurring(delivery: Delivery) -> bool:
    """The kitchen ordered it itself, for as many as were there: the room may still correct it."""
    return delivery.ordered_by.startswith(RECURRING)


def _judged(site: SiteState, given: given_as.DeliveryJudged, now: Now) -> Result:
    delivery = _find(site, given.delivery_id)
    if isinstance(delivery, Refused):
        return site, (delivery,)
    if delivery.state is not DeliveryState.PROPOSED:
        name = deliveries.STATE_NAMES[delivery.state]
        zh, en = f"该单状态为“{name.zh}”，无需审批。", f"It is {name.en}; it waits for no approval."
        return site, (acts.conflict(zh, en),)
    if given.by == delivery.ordered_by:
        detail = Sentence(
            zh="下单人不能审批自己的申请，请另一名监督人员审批。",
            en="Who ordered does not approve; another supervisor decides.",
        )
        return site, (Refused(Refusal.FORBIDDEN, detail),)
    said = Approval(approved=given.approved, by=given.by, utc_ms=now.utc_ms, reason=given.reason)
    goal = DeliveryState.REQUESTED if given.approved else DeliveryState.CANCELLED
    word = "approved" if given.approved else "refused"
    after = deliveries.enter(delivery, goal, now.mono_ms, now.utc_ms)
    why = Sentence(
        zh=f"{given.by} 未批准：{given.reason}"[:400],
        en=f"Refused by {given.by}: {given.reason}"[:400],
    )
    after = replace(
        after,
        approval=said,
        explanation=None if given.approved else why,
        custody=custody.recorded(after.custody, word, given.by, now.utc_ms),
    )
    return _settled(dispatch.with_delivery(site, after, (), now), delivery.id, now)


def _pin_issued(site: SiteState, given: given_as.PinIssued, now: Now) -> Result:
    delivery = _find(site, given.delivery_id)
    if isinstance(delivery, Refused):
        return site, (delivery,)
    if delivery.state not in BEFORE_DOOR:
        name = deliveries.STATE_NAMES[delivery.state]
        zh, en = f"当前状态为“{name.zh}”，不再需要取餐码。", f"It is {name.en}; no PIN is needed."
        return site, (acts.conflict(zh, en),)
    if delivery.pin_issues >= PIN_ISSUES_MAX or delivery.pin_tries_left == 0:
        return site, (
            acts.conflict(
                "取餐码已多次重新生成或已锁定，请呼叫监督人员。",
                "The PIN was shown too often or is locked; call the supervisor.",
            ),
        )
    after = replace(
        delivery,
        pin_digest=given.pin_digest,
        pin_issues=delivery.pin_issues + 1,
        custody=custody.recorded(delivery.custody, "pin_issued", given.by, now.utc_ms),
    )
    return _settled(dispatch.with_delivery(site, after, (), now), delivery.id, now)


def _inspected(site: SiteState, given: given_as.CompartmentInspected, now: Now) -> Result:
    delivery = _find(site, given.delivery_id)
    if isinstance(delivery, Refused):
        return site, (delivery,)
    if delivery.compartment is None or not (
        delivery.ended or delivery.state is DeliveryState.RETURNING
    ):
        name = deliveries.STATE_NAMES[delivery.state]
        return site, (
            acts.conflict(
                f"当前状态为“{name.zh}”，返回后才能检查。",
                f"It is {name.en}; a compartment is looked into when it is back.",
            ),
        )
    if delivery.inspected is not None:
        return site, (Accepted(delivery.id),)
    seen = Inspection(found=given.found, by=given.by, utc_ms=now.utc_ms)
    word = f"inspected_{given.found}"
    events = custody.recorded(delivery.custody, word, given.by, now.utc_ms)
    after = replace(delivery, inspected=seen, custody=events)
    if given.found is Found.OTHER:
        site = _foreign_load(site, after, now)
    return _settled(dispatch.with_delivery(site, after, (), now), delivery.id, now)


def _foreign_load(site: SiteState, delivery: Delivery, now: Now) -> SiteState:
    """Tell people that a robot brought out of a room what nobody had sent: it is no messenger."""
    alert = Alert(
        alert_id=own_alert_id(alerts.FOREIGN_LOAD, delivery.id, now.utc_ms),
        rule=alerts.FOREIGN_LOAD,
        condition=Condition.ACTIVE,
        severity=Severity.WARNING,
        room_id=delivery.room_id,
        node_id=site.plan.watcher.get(delivery.room_id, acts.NO_NODE),
        session_id=delivery.session_id,
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
    )
    site = dispatch.raise_alert(site, alert, delivery.id, now)
    # It was seen in one moment; what is to be done about it is for who handles the alert.
    return dispatch.lower(site, alerts.FOREIGN_LOAD, delivery.id, now)


def _settled(site: SiteState, delivery_id: str, now: Now) -> Result:
    site, outputs = dispatch.settle(site, now)
    return site, (Accepted(delivery_id), *outputs)


def _find(site: SiteState, delivery_id: str) -> Delivery | Refused:
    found = site.deliveries.get(delivery_id)
    if found is not None:
        return found
    name = delivery_id[:80]
    return Refused(
        Refusal.NOT_FOUND,
        Sentence(zh=f"没有在办的配送 {name}。", en=f"There is no open delivery {name}."),
    )


def _stale() -> Refused:
    return Refused(
        Refusal.STALE,
        Sentence(
            zh="内容已被他人修改，请重新读取后再改。",
            en="It has changed since you read it: read it again, then change it.",
        ),
    )


# --- menu and recurring orders ------------------------------------------------------------------


def _menu_edited(site: SiteState, given: given_as.MenuEdited, now: Now) -> Result:
    menu = menu_in(site.ordering)
    if menu.revision != given.expected:
        return site, (_stale(),)
    after = ordering.edited(menu, given.body, given.by, now.utc_ms)
    return replace(site, ordering=changed(site.ordering, after.id, after)), (Accepted(after.id),)


def _standing_set(site: SiteState, given: given_as.StandingSet, now: Now) -> Result:
    before = site.ordering.get(given.standing_id)
    known = before if isinstance(before, Standing) and not before.removed else None
    if given.body is None:
        if known is None:
            name = given.standing_id[:80]
            text = Sentence(zh=f"没有定期订餐 {name}。", en=f"There is no recurring order {name}.")
            return site, (Refused(Refusal.NOT_FOUND, text),)
        gone = replace(known, removed=True)
        return _with(site, gone), (Accepted(gone.id),)
    if known is not None and given.seen is not None and known.body != given.seen:
        return site, (_stale(),)
    refused = _standing_refusal(site, given, known)
    if refused is not None:
        return site, (refused,)
    after = (
        Standing(given.standing_id, given.body, given.by, now.utc_ms)
        if known is None
        else replace(known, body=given.body, made_by=given.by, made_utc_ms=now.utc_ms)
    )
    return _with(site, after), (Accepted(after.id),)


def _with(site: SiteState, row: Standing) -> SiteState:
    return replace(site, ordering=changed(site.ordering, row.id, row))


def _standing_refusal(
    site: SiteState, given: given_as.StandingSet, known: Standing | None
) -> Refused | None:
    body = given.body
    if body is None:
        return None
    dish = menu_in(site.ordering).dishes.get(body.dish)
    if dish is None or dish.kind is not DeliveryKind.MEAL:
        return Refused(
            Refusal.INVALID,
            Sentence(
                zh=f"菜单中没有餐食 {body.dish}（GET /menu）。",
                en=f"There is no meal {body.dish} on the menu (GET /menu).",
            ),
        )
    strange = sorted(set(body.rooms or ()) - set(site.plan.door_nodes))
    if strange:
        return Refused(
            Refusal.INVALID,
            Sentence(
                zh=f"机器人无法送达：{'、'.join(strange)}"[:400],
                en=f"Robots do not serve {', '.join(strange)}; take them out."[:400],
            ),
        )
    rows = [row for row in standing_orders(site) if row is not known]
    if known is None and len(rows) >= STANDING_MAX:
        return acts.conflict(
            f"最多 {STANDING_MAX} 个定期订餐，请先删除一个。",
            f"A site has at most {STANDING_MAX} recurring orders; take one away first.",
        )
    return None


def standing_orders(site: SiteState) -> tuple[Standing, ...]:
    """The recurring orders that have not been taken away."""
    rows = (row for row in site.ordering.values() if isinstance(row, Standing))
    return tuple(row for row in rows if not row.removed)


def watch(site: SiteState, now: Now) -> Result:
    """Look at the time: locks of PINs that are over, rounds of recurring orders that are due."""
    outputs: tuple[Output, ...] = ()
    for row in tuple(site.deliveries.values()):
        after = deliveries.lock_over(row, now.mono_ms, now.utc_ms)
        if after is not row:
            site = replace(site, deliveries=changed(site.deliveries, row.id, after))
            if after.robot_id is not None:
                site = dispatch.lower(site, alerts.PIN_LOCKED, after.robot_id, now)
    zone = zone_of(site)
    for standing in standing_orders(site):
        found = ordering.due(standing, now.utc_ms, zone)
        if found is not None:
            day, window = found
            site, told = _round(site, standing, day, window, now)
            site = _with(site, replace(standing, last_day=day))
            outputs += told
    return site, outputs


def _round(
    site: SiteState, standing: Standing, day: str, window: ArrivalWindow, now: Now
) -> Result:
    outputs: tuple[Output, ...] = ()
    for room_id in standing.body.rooms or tuple(site.plan.door_nodes):
        session = acts.session_of(site, room_id)
        if session is None or session.state is not SessionState.SEALED:
            continue
        if _has_meal(site, room_id, window):
            continue
        people, _ = people_in(site, room_id)
        most = menu_in(site.ordering).terms.boxes_per_compartment
        for number, count in enumerate(_shares(people, most), 1):
            site, told = _one(site, standing, room_id, (day, number, count), window, now)
            outputs += told
    return site, outputs


def _one(  # what names one order of a round
    site: SiteState,
    standing: Standing,
    room_id: RoomId,
    which: tuple[str, int, int],
    window: ArrivalWindow,
    now: Now,
) -> Result:
    day, number, count = which
    body = DeliveryBody(
        room_id=room_id,
        lines=(OrderLine(dish=standing.body.dish, count=count),),
        window=window,
        cutlery=standing.body.cutlery,
    )
    delivery_id = f"d-{standing.id}-{day.replace('-', '')}-{room_id}-{number}"
    given = DeliveryOrdered(delivery_id, body, f"{RECURRING}{standing.id}", "")
    refused = _refusal(site, body, now, closes=False)
    if refused is None:
        return _placed(site, given, now), ()
    text = Sentence(
        zh=f"定期订餐未下单：{refused.detail.zh}"[:400],
        en=f"The recurring order was not made: {refused.detail.en}"[:400],
    )
    line = FileRecord(
        room_id=room_id,
        utc_ms=now.utc_ms,
        record_kind=RecordKind.DELIVERY,
        by="controller",
        text=text,
        session_id=acts.session_id_of(site, room_id),
        subject=standing.id,
        data={"step": "recurring_refused", "day": day},
    )
    return site, (line,)


def _shares(people: int, most: int) -> Iterable[int]:
    """So many people in as few compartments as hold them, as evenly as may be."""
    parts = -(-people // most)
    for index in range(parts):
        yield people // parts + (index < people % parts)


def _has_meal(site: SiteState, room_id: RoomId, window: ArrivalWindow) -> bool:
    """Whether a room has ordered a meal for this time itself."""
    return any(
        row.room_id == room_id
        and ordering.counts(row)
        and row.window is not None
        and row.window.from_utc_ms < window.until_utc_ms
        and window.from_utc_ms < row.window.until_utc_ms
        for row in site.deliveries.values()
    )
