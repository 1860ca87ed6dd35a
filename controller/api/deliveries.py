"""Routes of deliveries: order, change, approve, follow, load, PIN, release by two, call off."""

import asyncio
import hashlib
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from contracts.api import (
    BASE,
    PAGE_MAX,
    CancelBody,
    CancelReason,
    ChangeBody,
    DeliveryBody,
    DeliveryGiven,
    DeliveryState,
    DeliveryView,
    InspectBody,
    JudgeBody,
    LoadedBody,
    PinGiven,
    ReleaseBody,
    ReleaseJudgeBody,
    Sentence,
    UnlockBody,
)
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import IfMatch, check_if_match, problem_responses, with_etag
from controller.api.problems import ProblemError, forbidden, not_found, problem_of
from controller.auth.pins import pin_digest, pin_matches
from controller.auth.scopes import Scope
from controller.core import views
from controller.core.deliveries import Delivery
from controller.core.ordering_inputs import (
    CompartmentInspected,
    DeliveryChanged,
    DeliveryJudged,
    PinIssued,
    ReleaseAsked,
    ReleaseJudged,
)
from controller.core.ordering_steps import CHANGEABLE, as_ordered
from controller.core.outputs import Answer, Refused
from controller.core.state import (
    DeliveryCancelled,
    DeliveryLoaded,
    DeliveryOrdered,
    PinTried,
)

router = APIRouter(
    prefix=f"{BASE}/deliveries", tags=["deliveries"], responses=problem_responses(404, 409, 503)
)

KEY_MAX_CHARS: Final = 128  # a UUID, or what a tablet makes of room and time

DeliveryPath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$", description="Id of a delivery.")]
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_MAX_CHARS,
        description="The same key of the same account is the same order.",
    ),
]


async def find_delivery(context: Context, delivery_id: str) -> Delivery:
    """A delivery from memory or the store.

    Raises:
        ProblemError: 404.
    """
    delivery = context.state().deliveries.get(delivery_id)
    if delivery is None:
        delivery = await asyncio.to_thread(context.reader.find_delivery, delivery_id)
    if delivery is None:
        raise not_found("delivery", delivery_id)
    return delivery


def shown(context: Context, caller: Caller, delivery: Delivery) -> DeliveryView:
    """A delivery as this caller sees it: kitchen, door and tablet without names and sessions."""
    view = views.delivery_view(context.state(), delivery)
    return view if Scope.SESSIONS in caller.scopes else views.without_names(view)


async def seen_delivery(context: Context, caller: Caller, delivery_id: str) -> Delivery:
    """A delivery of a room that the caller's grants reach.

    Raises:
        ProblemError: 404.
    """
    delivery = await find_delivery(context, delivery_id)
    if not caller.sees_room_now(context, delivery.room_id):
        raise not_found("delivery", delivery_id)
    return delivery


async def _done(context: Context, caller: Caller, answer: Answer) -> DeliveryView:
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return shown(context, caller, await find_delivery(context, answer.entity_id))


async def _told(
    context: Context, caller: Caller, given: DeliveryJudged | ReleaseAsked | ReleaseJudged
) -> DeliveryView:
    """What a supervisor says of a delivery; one of a room that is not theirs does not exist."""
    await seen_delivery(context, caller, given.delivery_id)
    return await _done(context, caller, await context.intake.ask(given))


@router.get("")
async def get_deliveries(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.DELIVERIES, Scope.DELIVERIES_OWN))],
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
) -> tuple[DeliveryView, ...]:
    """The newest first; a tablet sees its own room's."""
    room_id = caller.room_only(Scope.DELIVERIES)
    rows = await asyncio.to_thread(lambda: context.reader.deliveries(limit=limit, room_id=room_id))
    return tuple(shown(context, caller, row) for row in rows if caller.sees_room(row.room_id))


@router.get("/{delivery_id}")
async def get_delivery(
    delivery_id: DeliveryPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.DELIVERIES, Scope.DELIVERIES_OWN))],
    response: Response,
) -> DeliveryView:
    """One delivery, with its ETag for a change."""
    delivery = await seen_delivery(context, caller, delivery_id)
    caller.check_room(Scope.DELIVERIES, delivery.room_id)
    return with_etag(response, shown(context, caller, delivery))


@router.post("", status_code=201)
async def order(
    body: DeliveryBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ORDER, Scope.ORDER_OWN))],
    response: Response,
    idempotency_key: KeyHeader = None,
) -> DeliveryGiven:
    """Order. The PIN is in this answer alone; a repeated key gives the order without it.

    A window that cannot be met is refused with the earliest possible time.
    """
    caller.check_room(Scope.ORDER, body.room_id)
    if not caller.sees_room_now(context, body.room_id):
        raise not_found("room", body.room_id)
    key = None
    if idempotency_key is not None:
        named = f"{caller.user.username}\0{idempotency_key}".encode()
        key = hashlib.sha256(named).hexdigest()
        known = await asyncio.to_thread(context.reader.find_delivery_by_key, key)
        if known is not None:
            response.status_code = HTTPStatus.OK
            return DeliveryGiven(delivery=shown(context, caller, known), pin=None)
    delivery_id = f"d-{context.new_id()}"
    pin = context.pins.new_pin()
    digest = await asyncio.to_thread(pin_digest, pin)
    answer = await context.intake.ask(
        DeliveryOrdered(delivery_id, body, caller.user.username, digest, key)
    )
    view = await _done(context, caller, answer)
    if view.id != delivery_id:
        response.status_code = HTTPStatus.OK
        return DeliveryGiven(delivery=view, pin=None)
    return DeliveryGiven(delivery=view, pin=pin)


@router.put("/{delivery_id}", responses=problem_responses(412, 428))
async def change(
    delivery_id: DeliveryPath,
    body: ChangeBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ORDER, Scope.ORDER_OWN))],
    response: Response,
    if_match: IfMatch = None,
) -> DeliveryView:
    """Order something else instead, until loading begins. What was approved is asked anew."""
    delivery = await seen_delivery(context, caller, delivery_id)
    caller.check_room(Scope.ORDER, delivery.room_id)
    check_if_match(if_match, shown(context, caller, delivery))
    given = DeliveryChanged(delivery_id, body, as_ordered(delivery), caller.user.username)
    return with_etag(response, await _done(context, caller, await context.intake.ask(given)))


@router.post("/{delivery_id}/judge")
async def judge(
    delivery_id: DeliveryPath,
    body: JudgeBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.DELIVERIES_APPROVE))],
) -> DeliveryView:
    """Approve or refuse papers, a device or medicine, with the reason. Not one's own order."""
    given = DeliveryJudged(delivery_id, body.approve, body.reason, caller.user.username)
    return await _told(context, caller, given)


@router.post("/{delivery_id}/pin")
async def show_pin(
    delivery_id: DeliveryPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ORDER_OWN))],
) -> PinGiven:
    """Show a new PIN on the room's own tablet; the one before counts no more."""
    delivery = await find_delivery(context, delivery_id)
    if caller.user.room_id != delivery.room_id:
        raise forbidden()
    pin = context.pins.new_pin()
    digest = await asyncio.to_thread(pin_digest, pin)
    given = PinIssued(delivery_id, digest, caller.user.username)
    await _done(context, caller, await context.intake.ask(given))
    return PinGiven(pin=pin)


@router.post("/{delivery_id}/loaded")
async def loaded(
    delivery_id: DeliveryPath,
    body: LoadedBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.LOAD))],
) -> DeliveryView:
    """It is in the compartment and the lid shut; the sensors must agree before it drives."""
    said = DeliveryLoaded(delivery_id, body.compartment, caller.user.username)
    return await _done(context, caller, await context.intake.ask(said))


@router.post("/{delivery_id}/inspected")
async def inspected(
    delivery_id: DeliveryPath,
    body: InspectBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.LOAD))],
) -> DeliveryView:
    """The kitchen has looked into a compartment that came back, and emptied it."""
    given = CompartmentInspected(delivery_id, body.found, caller.user.username)
    return await _done(context, caller, await context.intake.ask(given))


@router.post("/{delivery_id}/unlock")
async def unlock(
    delivery_id: DeliveryPath,
    body: UnlockBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.UNLOCK))],
) -> DeliveryView:
    """The PIN, typed at the door. Five wrong ones lock it for a time and tell the supervisor."""
    delivery = await find_delivery(context, delivery_id)
    right = bool(delivery.pin_digest) and await asyncio.to_thread(
        pin_matches, body.pin, delivery.pin_digest
    )
    tried = PinTried(delivery_id, right, caller.user.username)
    return await _done(context, caller, await context.intake.ask(tried))


@router.post("/{delivery_id}/release")
async def ask_release(
    delivery_id: DeliveryPath,
    body: ReleaseBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RELEASE))],
) -> DeliveryView:
    """Ask to open it at the door without the PIN, with the reason; another person approves."""
    given = ReleaseAsked(delivery_id, body.reason, caller.user.username)
    return await _told(context, caller, given)


@router.post("/{delivery_id}/release/judge")
async def judge_release(
    delivery_id: DeliveryPath,
    body: ReleaseJudgeBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RELEASE))],
) -> DeliveryView:
    """The second person's word: yes opens it once, at this door; no ends the asking."""
    given = ReleaseJudged(delivery_id, body.approve, caller.user.username)
    return await _told(context, caller, given)


@router.post("/{delivery_id}/cancel", responses=problem_responses(412))
async def cancel(
    delivery_id: DeliveryPath,
    body: CancelBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.CANCEL, Scope.CANCEL_OWN))],
    if_match: IfMatch = None,
) -> DeliveryView:
    """Call it off; what is loaded goes back to the kitchen first. A room may until loading."""
    delivery = await seen_delivery(context, caller, delivery_id)
    caller.check_room(Scope.CANCEL, delivery.room_id)
    check_if_match(if_match, shown(context, caller, delivery), required=False)
    if Scope.CANCEL not in caller.scopes:
        _check_own_cancel(delivery, body)
    called = DeliveryCancelled(delivery_id, body.reason, caller.user.username)
    return await _done(context, caller, await context.intake.ask(called))


def _check_own_cancel(delivery: Delivery, body: CancelBody) -> None:
    """What a room may: closed reasons, for no free text leaves it, and before loading begins."""
    reasons = ", ".join(CancelReason)
    if body.reason not in set(CancelReason):
        text = Sentence(
            zh=f"取消原因须为：{reasons}。",
            en=f"A room calls off by one of these reasons: {reasons}.",
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    if delivery.state not in CHANGEABLE | {DeliveryState.CANCELLED}:
        text = Sentence(
            zh="装餐已开始，不能再取消；请呼叫监督人员。",
            en="Loading has begun; call the supervisor to have it called off.",
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
