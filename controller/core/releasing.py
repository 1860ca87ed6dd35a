"""Decides an opening without the PIN at the door: one supervisor asks, another one approves."""

from dataclasses import replace
from typing import Final

from contracts.api import DeliveryState, Sentence
from controller.core import acts, custody, deliveries, dispatch
from controller.core.deliveries import Delivery
from controller.core.ordering_inputs import ReleaseAsked, ReleaseJudged
from controller.core.outputs import Accepted, Output, Refusal, Refused
from controller.core.state import Now, SiteState

Result = tuple[SiteState, tuple[Output, ...]]

ASKED_MAX_MS: Final = 10 * 60_000  # a robot waits as long at a door


def asked(site: SiteState, given: ReleaseAsked, now: Now) -> Result:
    """A supervisor asks; who asks again, by another reason, asks anew."""
    delivery = _at_door(site, given.delivery_id)
    if isinstance(delivery, Refused):
        return site, (delivery,)
    if pending(delivery, now) and delivery.released_by[0] != given.by:
        detail = Sentence(
            zh=f"{delivery.released_by[0]} 已申请开箱，请批准或拒绝该申请。",
            en=f"{delivery.released_by[0]} has asked already; approve or refuse that.",
        )
        return site, (Refused(Refusal.CONFLICT, detail),)
    after = replace(
        delivery,
        released_by=(given.by,),
        release_reason=given.reason,
        release_asked_utc_ms=now.utc_ms,
        custody=custody.recorded(delivery.custody, "release_asked", given.by, now.utc_ms),
    )
    return dispatch.with_delivery(site, after, (), now), (Accepted(after.id),)


def judged(site: SiteState, given: ReleaseJudged, now: Now) -> Result:
    """Another person says yes, and the compartment opens once; or no."""
    delivery = _at_door(site, given.delivery_id)
    if isinstance(delivery, Refused):
        return site, (delivery,)
    if not pending(delivery, now):
        zh = "没有待批准的开箱申请，或申请已超过 10 分钟。"
        en = "Nobody asks for it, or it was asked more than 10 minutes ago: ask again."
        return site, (acts.conflict(zh, en),)
    first = delivery.released_by[0]
    if not given.approved:
        events = custody.recorded(delivery.custody, "release_refused", given.by, now.utc_ms)
        after = replace(delivery, released_by=(), release_asked_utc_ms=None, custody=events)
        return dispatch.with_delivery(site, after, (), now), (Accepted(after.id),)
    if given.by == first:
        detail = Sentence(
            zh="申请人不能自己批准，须由另一名监督人员批准。",
            en="Two persons release it: another supervisor than who asked must approve.",
        )
        return site, (Refused(Refusal.FORBIDDEN, detail),)
    standing = dispatch.standing_refusal(site, delivery, now)
    if standing is not None:
        return site, (standing,)
    both = (first, given.by)
    after = deliveries.enter(delivery, DeliveryState.UNLOCKING, now.mono_ms, now.utc_ms)
    events = custody.recorded(after.custody, "released", " + ".join(both), now.utc_ms)
    after = replace(after, released_by=both, custody=events)
    site = dispatch.with_delivery(site, after, (deliveries.Open(),), now)
    site, outputs = dispatch.settle(site, now)
    return site, (Accepted(after.id), *outputs)


def pending(delivery: Delivery, now: Now) -> bool:
    """Whether one person has asked and nobody has decided yet."""
    asked_at = delivery.release_asked_utc_ms
    return (
        len(delivery.released_by) == 1
        and asked_at is not None
        and now.utc_ms - asked_at <= ASKED_MAX_MS
    )


def _at_door(site: SiteState, delivery_id: str) -> Delivery | Refused:
    delivery = site.deliveries.get(delivery_id)
    if delivery is None:
        wanted = delivery_id[:80]
        text = Sentence(zh=f"没有在办的配送 {wanted}。", en=f"There is no open delivery {wanted}.")
        return Refused(Refusal.NOT_FOUND, text)
    if delivery.state is DeliveryState.ARRIVED:
        return delivery
    name = deliveries.STATE_NAMES[delivery.state]
    return acts.conflict(
        f"当前状态为“{name.zh}”，机器人在门口等候时才能由两人开箱。",
        f"It is {name.en}; two persons can release it while the robot waits at the door.",
    )
