"""Decides what cameras prove of each zone a delivery passed: "no unadmitted person", or less."""

from collections.abc import Mapping
from typing import Final

from contracts.api import ZonePassage, ZoneVerdict
from contracts.devices import Zone
from contracts.units import UtcMs, ZoneId
from controller.core.fleet import LetThrough
from controller.core.interlock import Clearance
from controller.core.plan import SitePlan

PASSAGES_MAX: Final = 100  # a tour passes a handful of zones twice; more goes in circles

DETAIL_MAX: Final = 400

_RANK: Final[Mapping[ZoneVerdict, int]] = {
    ZoneVerdict.NO_UNADMITTED_PERSON: 0,
    ZoneVerdict.UNPROVEN: 1,
    ZoneVerdict.PERSON_SEEN: 2,
}


def passed(
    passages: tuple[ZonePassage, ...],
    plan: SitePlan,
    node: str | None,
    states: Mapping[ZoneId, Clearance],
    utc_ms: UtcMs,
    let: tuple[LetThrough, ...] = (),
) -> tuple[ZonePassage, ...]:
    """The passages after a look at where the robot is and what its zone shows.

    A verdict only ever gets worse: one unseen second leaves a passage unproven. Who let the robot
    through what nobody saw stands beside it, with the reason.
    """
    zone = plan.zone_at.get(node) if node is not None else None
    current = passages[-1] if passages and passages[-1].left_utc_ms is None else None
    if current is not None and (zone is None or zone.id != current.zone_id):
        passages = (*passages[:-1], current.model_copy(update={"left_utc_ms": utc_ms}))
        current = None
    if zone is None or (len(passages) >= PASSAGES_MAX and current is None):
        return passages
    verdict = _verdict(states.get(zone.id, Clearance.UNSEEN), seen=zone.seen_by is not None)
    detail = ""
    if verdict is ZoneVerdict.UNPROVEN:
        detail = next(
            (f"{one.by}: {one.reason}"[:400] for one in let if one.zone_id == zone.id), ""
        )
    if current is None:
        opened = ZonePassage(
            zone_id=zone.id,
            name=zone.name,
            seen_by=zone.seen_by,
            entered_utc_ms=utc_ms,
            verdict=verdict,
            detail=detail,
        )
        return (*passages, opened)
    if _RANK[verdict] <= _RANK[current.verdict] and (not detail or current.detail):
        return passages
    worst = max(verdict, current.verdict, key=_RANK.__getitem__)
    changes = {"verdict": worst, "detail": current.detail or detail}
    return (*passages[:-1], current.model_copy(update=changes))


def entered(
    passages: tuple[ZonePassage, ...], zone: Zone, utc_ms: UtcMs, detail: str
) -> tuple[ZonePassage, ...]:
    """The passages after a person has said that they were in a zone where nobody may be.

    Whatever cameras saw of it: no verdict is worse than what a person says of themselves.
    """
    changes = {"verdict": ZoneVerdict.PERSON_SEEN, "detail": detail[:DETAIL_MAX]}
    current = passages[-1] if passages and passages[-1].left_utc_ms is None else None
    if current is not None and current.zone_id == zone.id:
        return (*passages[:-1], current.model_copy(update=changes))
    opened = ZonePassage(
        zone_id=zone.id,
        name=zone.name,
        seen_by=zone.seen_by,
        entered_utc_ms=utc_ms,
        left_utc_ms=utc_ms,
        verdict=ZoneVerdict.PERSON_SEEN,
        detail=detail[:DETAIL_MAX],
    )
    # What says that a person was there is never left out, however long the list is.
    return (*closed(passages, utc_ms), opened)


def closed(passages: tuple[ZonePassage, ...], utc_ms: UtcMs) -> tuple[ZonePassage, ...]:
    """The delivery is over: what the robot does next is no part of its proof."""
    if not passages or passages[-1].left_utc_ms is not None:
        return passages
    return (*passages[:-1], passages[-1].model_copy(update={"left_utc_ms": utc_ms}))


def _verdict(state: Clearance, *, seen: bool) -> ZoneVerdict:
    if state is Clearance.PERSON:
        return ZoneVerdict.PERSON_SEEN
    if state is Clearance.UNSEEN or not seen:
        return ZoneVerdict.UNPROVEN
    return ZoneVerdict.NO_UNADMITTED_PERSON
