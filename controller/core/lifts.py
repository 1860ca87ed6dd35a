"""Decides a lift's session: call, board, ride, leave, let go; one robot at a time.

The session is nobody's memory: each step reads from the claims who is in the car, so it survives a
restart. Every wait has an end: a robot that does not board lets the next one have its turn, a lift
that does not come is asked again for as long as it is wanted, and a person is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final, assert_never

from contracts.facilities import LiftConfig
from contracts.units import MonoMs, RobotId
from controller.core.facility_words import (
    LET_GO,
    FacilityClaim,
    LiftOrder,
    LiftSaid,
    TroubleKind,
)
from controller.core.plan import SitePlan

CALL_AHEAD_M: Final = 15.0
# A robot this near has the car called: it takes the robot 13 s and a car 10 to 60 s to come.

RESEND_MS: Final = 3_000  # a button is pressed this often until the car is there
RENEW_MS: Final = 10_000
# While a door is held it is told so again: a board that hears nothing for long lets go by itself.
LET_GO_SENDS: Final = 3  # nothing tells that a lift was let go, so it is said three times
PASSED_OVER_MS: Final = 20_000  # when nobody in line boards, people may have it for this long

_START: Final = MonoMs(0)


class LiftPhase(StrEnum):
    """How far a lift's session is."""

    IDLE = "idle"
    CALLING = "calling"
    BOARDING = "boarding"
    RIDING = "riding"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class LiftLive:
    """What is known of a lift now.

    ``floor``: where this phase wants the car. ``last_floor``: where it was known to stand last.
    ``open_ways``: the edges at its car that may be driven now. ``passed_over`` did not board: until
    somebody does, all others come first, and once all had their turn nobody has it before
    ``passed_until_mono_ms``.
    """

    phase: LiftPhase = LiftPhase.IDLE
    since_mono_ms: MonoMs = _START
    robot_id: RobotId | None = None
    floor: str | None = None
    said: LiftSaid | None = None
    last_floor: str | None = None
    away: bool = True
    away_since_mono_ms: MonoMs = _START
    late: bool = False
    open_ways: frozenset[tuple[str, str]] = frozenset()
    passed_over: tuple[RobotId, ...] = ()
    passed_until_mono_ms: MonoMs = _START
    sent: LiftOrder | None = None
    sent_mono_ms: MonoMs = _START
    sends: int = 0

    def ready_at(self, floor: str | None) -> bool:
        """It says that it stands at a floor with its door open, and serves robots."""
        said = self.said
        return (
            said is not None
            and not self.away
            and said.in_service
            and said.door_open
            and floor is not None
            and said.floor == floor
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What one robot wants of the lift. ``inside``: it is in the car, or half in or out.

    ``floor`` is where the car must come next; ``entering``: the way in is base already;
    ``coming``: it stands before the car, or drives there; else it waits for others on its way.
    """

    robot_id: RobotId
    phase: LiftPhase
    floor: str
    ways: frozenset[tuple[str, str]]
    inside: bool = False
    entering: bool = False
    coming: bool = True


def heard(live: LiftLive, said: LiftSaid | None, mono_ms: MonoMs) -> LiftLive:
    """A lift's word on itself; None: its board is away, and what it was told is forgotten."""
    if said is None:
        if live.away:
            return live
        return replace(live, away=True, away_since_mono_ms=mono_ms, sent=None)
    if live.said == said and not live.away:
        return live
    sent = None if live.away else live.sent
    return replace(live, said=said, away=False, sent=sent, last_floor=said.floor or live.last_floor)


def step(
    plan: SitePlan,
    lift: LiftConfig,
    live: LiftLive,
    claims: Sequence[FacilityClaim],
    mono_ms: MonoMs,
    *,
    fire: bool,
) -> tuple[LiftLive, LiftOrder | None]:
    """Where the session is now, and what to tell the lift; None: nothing now."""
    wish = _chosen(plan, lift, live, claims, fire=fire)
    boards = wish is not None and (wish.inside or wish.entering)
    if live.passed_over and (boards or (wish is None and mono_ms >= live.passed_until_mono_ms)):
        live = replace(live, passed_over=())
        wish = _chosen(plan, lift, live, claims, fire=fire)
    live = _moved(lift, live, wish, mono_ms)
    if live.late and live.phase is LiftPhase.BOARDING and wish is not None and not wish.entering:
        live = replace(
            live,
            passed_over=(*live.passed_over, wish.robot_id),
            passed_until_mono_ms=MonoMs(mono_ms + PASSED_OVER_MS),
        )
        wish = _chosen(plan, lift, live, claims, fire=fire)
        live = _moved(lift, live, wish, mono_ms)
    open_ways = frozenset[tuple[str, str]]()
    if wish is not None and live.phase is not LiftPhase.CALLING and live.ready_at(wish.floor):
        open_ways = wish.ways
    if open_ways != live.open_ways:
        live = replace(live, open_ways=open_ways)
    order = _order(live)
    if live.away or not _due(live, order, mono_ms):
        return live, None
    sends = live.sends + 1 if live.sent == order else 1
    return replace(live, sent=order, sent_mono_ms=mono_ms, sends=sends), order


def exit_node(lift: LiftConfig, live: LiftLive, here: str) -> str:
    """On fire: the cab node of the floor where a robot in the car leaves it.

    Where the car stands with its door open, else the floor that it was at last, else where the
    robot entered: the car may be called to the ground by the fire control, and then that counts.
    """
    said = live.said
    floor = said.floor if said is not None and said.floor is not None else live.last_floor
    return (lift.cab_at(floor) if floor is not None else None) or here


def _chosen(
    plan: SitePlan,
    lift: LiftConfig,
    live: LiftLive,
    claims: Sequence[FacilityClaim],
    *,
    fire: bool,
) -> Wish | None:
    """Whose turn it is: who is in the car, then who has it already, then the first in line.

    Of those in line who did not board have no turn before all others had one: whom they wait for
    may be among those. For the same reason who comes goes before who waits far from the lift.
    """
    found = [_wish(plan, lift, live, claim, fire=fire) for claim in claims]
    wishes = [wish for wish in found if wish is not None]
    inside = next((wish for wish in wishes if wish.inside), None)
    inside = inside or next((wish for wish in wishes if wish.entering), None)
    if inside is not None or fire:
        return inside
    line = [wish for wish in wishes if wish.robot_id not in live.passed_over]
    line = [wish for wish in line if wish.coming] or line
    held = next((wish for wish in line if wish.robot_id == live.robot_id), None)
    return held or next(iter(line), None)


def _wish(
    plan: SitePlan, lift: LiftConfig, live: LiftLive, claim: FacilityClaim, *, fire: bool
) -> Wish | None:
    cabs = [
        node for node in (claim.here, *claim.occupied) if plan.cab_of.get(node or "") == lift.id
    ]
    if cabs:
        return _wish_inside(plan, lift, live, claim, cabs[0] or "", fire=fire)
    reach_m = 0.0
    for at, (start, end) in enumerate(pairwise(claim.path)):
        if plan.cab_of.get(end) == lift.id:
            floor = lift.floor_of(end)
            entering = at < claim.released
            if floor is None or not (entering or reach_m <= CALL_AHEAD_M):
                return None
            ways = frozenset[tuple[str, str]]() if fire else frozenset({(start, end)})
            coming = at == 0 or claim.released > 0
            return Wish(
                claim.robot_id,
                LiftPhase.BOARDING,
                floor,
                ways,
                entering=entering,
                coming=coming,
            )
        edge = plan.ways.get(start, {}).get(end)
        reach_m += edge.length_m if edge is not None else 0.0
    return None


def _wish_inside(
    plan: SitePlan,
    lift: LiftConfig,
    live: LiftLive,
    claim: FacilityClaim,
    cab: str,
    *,
    fire: bool,
) -> Wish | None:
    """A robot in the car, or with a part of it there."""
    half_way = any(
        node != cab and plan.cab_of.get(node) != lift.id and node in plan.ways.get(cab, {})
        for node in claim.standing
    )
    goal = _ride_goal(plan, lift, claim.path, cab)
    if fire and not half_way:
        goal = exit_node(lift, live, cab)
    floor, here = lift.floor_of(goal), lift.floor_of(cab)
    if floor is None or here is None:
        return None
    leaving = goal == cab or half_way
    if leaving:
        ways = {(cab, end) for end in plan.ways.get(cab, {}) if plan.cab_of.get(end) != lift.id}
        return Wish(claim.robot_id, LiftPhase.LEAVING, here, frozenset(ways), inside=True)
    along = {
        (start, end)
        for start, end in pairwise((cab, *claim.path))
        if plan.cab_of.get(start) == plan.cab_of.get(end) == lift.id
    }
    ways = {(cab, goal), *along}
    if fire:
        ways |= {(goal, end) for end in plan.ways.get(goal, {}) if end not in plan.cab_of}
    return Wish(claim.robot_id, LiftPhase.RIDING, floor, frozenset(ways), inside=True)


def _ride_goal(plan: SitePlan, lift: LiftConfig, path: Sequence[str], cab: str) -> str:
    """The last node of the car on the way: where the robot means to leave it."""
    goal = cab
    if cab not in path:
        return goal
    for node in path[path.index(cab) :]:
        if plan.cab_of.get(node) != lift.id:
            break
        goal = node
    return goal


def _moved(lift: LiftConfig, live: LiftLive, wish: Wish | None, mono_ms: MonoMs) -> LiftLive:
    if wish is None:
        if live.phase is LiftPhase.IDLE:
            return live
        return replace(
            live,
            phase=LiftPhase.IDLE,
            since_mono_ms=mono_ms,
            robot_id=None,
            floor=None,
            late=False,
        )
    phase = wish.phase
    if phase is LiftPhase.BOARDING and not live.ready_at(wish.floor) and not wish.entering:
        phase = LiftPhase.CALLING
    elif phase is LiftPhase.RIDING and live.ready_at(wish.floor):
        phase = LiftPhase.LEAVING
    if (phase, wish.robot_id, wish.floor) != (live.phase, live.robot_id, live.floor):
        return replace(
            live,
            phase=phase,
            since_mono_ms=mono_ms,
            robot_id=wish.robot_id,
            floor=wish.floor,
            late=False,
        )
    late = mono_ms - live.since_mono_ms > _limit_ms(lift, phase)
    return live if late is live.late else replace(live, late=late)


def _limit_ms(lift: LiftConfig, phase: LiftPhase) -> int:
    match phase:
        case LiftPhase.CALLING | LiftPhase.IDLE:
            return lift.call_within_ms
        case LiftPhase.BOARDING:
            return lift.board_within_ms
        case LiftPhase.RIDING:
            return lift.ride_within_ms
        case LiftPhase.LEAVING:
            return lift.leave_within_ms
        case _:
            assert_never(phase)


def limits_ms(lift: LiftConfig) -> tuple[int, ...]:
    """How long any of its phases may last."""
    return tuple(_limit_ms(lift, phase) for phase in LiftPhase)


def _order(live: LiftLive) -> LiftOrder:
    if live.phase is LiftPhase.IDLE:
        return LET_GO
    hold = live.phase in {LiftPhase.BOARDING, LiftPhase.LEAVING}
    return LiftOrder(floor=live.floor, hold=hold, reserve=True)


def _due(live: LiftLive, order: LiftOrder, mono_ms: MonoMs) -> bool:
    if live.sent != order:
        return True
    since_ms = mono_ms - live.sent_mono_ms
    if live.phase is LiftPhase.IDLE:
        return live.sends < LET_GO_SENDS and since_ms >= RESEND_MS
    return since_ms >= (RENEW_MS if live.ready_at(live.floor) else RESEND_MS)


def trouble(live: LiftLive) -> TroubleKind | None:
    """What people must be told about a lift."""
    if live.away:
        return TroubleKind.OFFLINE
    if not live.late:
        return None
    if live.phase in (LiftPhase.BOARDING, LiftPhase.LEAVING) and live.ready_at(live.floor):
        return TroubleKind.LIFT_BLOCKED
    return TroubleKind.LIFT_STUCK
