"""Routes of deliveries: order, follow, say loaded, unlock with the PIN, call off."""

import asyncio
import hashlib
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from contracts.api import (
    BASE,
    PAGE_MAX,
    CancelBody,
    DeliveryBody,
    DeliveryGiven,
    DeliveryView,
    LoadedBody,
    Sentence,
    UnlockBody,
)
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.problems import ProblemError, not_found, problem_of
from controller.auth.pins import pin_digest, pin_matches
from controller.auth.scopes import Scope
from controller.core import views
from controller.core.deliveries import Delivery
from controller.core.outputs import Answer, Refused
from controller.core.state import (
    DeliveryCancelled,
    DeliveryLoaded,
    DeliveryOrdered,
    PinTried,
)

router = APIRouter(prefix=f"{BASE}/deliveries", tags=["deliveries"])

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


async def _done(context: Context, answer: Answer) -> DeliveryView:
    if isinstance(answer, Refused):
        raise problem_of(answer)
    delivery = await find_delivery(context, answer.entity_id)
    return views.delivery_view(context.state(), delivery)


@router.get("")
async def get_deliveries(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.DELIVERIES, Scope.DELIVERIES_OWN))],
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
) -> tuple[DeliveryView, ...]:
    """The newest first; a tablet sees its own room's."""
    room_id = caller.room_only(Scope.DELIVERIES)
    rows = await asyncio.to_thread(lambda: context.reader.deliveries(limit=limit, room_id=room_id))
    state = context.state()
    return tuple(views.delivery_view(state, row) for row in rows)


@router.get("/{delivery_id}")
async def get_delivery(
    delivery_id: DeliveryPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.DELIVERIES, Scope.DELIVERIES_OWN))],
) -> DeliveryView:
    """One delivery."""
    delivery = await find_delivery(context, delivery_id)
    caller.check_room(Scope.DELIVERIES, delivery.room_id)
    return views.delivery_view(context.state(), delivery)


@router.post("", status_code=201)
async def order(
    body: DeliveryBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ORDER, Scope.ORDER_OWN))],
    response: Response,
    idempotency_key: KeyHeader = None,
) -> DeliveryGiven:
    """Order a meal. The PIN is in this answer alone; a repeated key gives the order without it."""
    caller.check_room(Scope.ORDER, body.room_id)
    _check_menu(context, body)
    key = None
    if idempotency_key is not None:
        named = f"{caller.user.username}\0{idempotency_key}".encode()
        key = hashlib.sha256(named).hexdigest()
        known = await asyncio.to_thread(context.reader.find_delivery_by_key, key)
        if known is not None:
            response.status_code = HTTPStatus.OK
            view = views.delivery_view(context.state(), known)
            return DeliveryGiven(delivery=view, pin=None)
    delivery_id = f"d-{context.new_id()}"
    pin = context.pins.new_pin()
    digest = await asyncio.to_thread(pin_digest, pin)
    answer = await context.intake.ask(
        DeliveryOrdered(delivery_id, body, caller.user.username, digest, key)
    )
    view = await _done(context, answer)
    if view.id != delivery_id:
        response.status_code = HTTPStatus.OK
        return DeliveryGiven(delivery=view, pin=None)
    return DeliveryGiven(delivery=view, pin=pin)


@router.post("/{delivery_id}/loaded")
async def loaded(
    delivery_id: DeliveryPath,
    body: LoadedBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.LOAD))],
) -> DeliveryView:
    """The meal is in the compartment and the lid shut; the sensors must agree before it drives."""
    said = DeliveryLoaded(delivery_id, body.compartment, caller.user.username)
    return await _done(context, await context.intake.ask(said))


@router.post("/{delivery_id}/unlock")
async def unlock(
    delivery_id: DeliveryPath,
    body: UnlockBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.UNLOCK))],
) -> DeliveryView:
    """The PIN, typed at the robot. After five wrong ones the supervisor decides."""
    delivery = await find_delivery(context, delivery_id)
    right = await asyncio.to_thread(pin_matches, body.pin, delivery.pin_digest)
    tried = PinTried(delivery_id, right, caller.user.username)
    return await _done(context, await context.intake.ask(tried))


@router.post("/{delivery_id}/cancel")
async def cancel(
    delivery_id: DeliveryPath,
    body: CancelBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.CANCEL, Scope.CANCEL_OWN))],
) -> DeliveryView:
    """Call it off; what is loaded goes back to the kitchen first."""
    delivery = await find_delivery(context, delivery_id)
    caller.check_room(Scope.CANCEL, delivery.room_id)
    called = DeliveryCancelled(delivery_id, body.reason, caller.user.username)
    return await _done(context, await context.intake.ask(called))


def _check_menu(context: Context, body: DeliveryBody) -> None:
    known = {dish.id for dish in context.menu}
    wrong = sorted({line.dish for line in body.lines} - known)
    if wrong:
        text = Sentence(
            zh=f"菜单中没有：{'、'.join(wrong)}"[:400],
            en=f"Not on the menu: {', '.join(wrong)}; see GET {BASE}/menu."[:400],
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text)
