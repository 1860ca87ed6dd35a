"""Routes of notices: channels, whose addresses go in and never come out, and the delivery log."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.api import BASE, PAGE_MAX, Sentence
from contracts.api.notices import ChannelBody, ChannelList, NoticePage, NoticeSent
from controller.api.context import Caller, ContextNeeded, Needs
from controller.api.http_rules import (
    IdempotencyKey,
    IfMatch,
    check_if_match,
    problem_responses,
    with_etag,
)
from controller.api.problems import ProblemError, not_found
from controller.auth.scopes import Scope
from controller.notices.channels import ChannelRefusedError

router = APIRouter(prefix=f"{BASE}/notices", tags=["notices"])

Reading = Annotated[Caller, Depends(Needs(Scope.NOTICES))]
ChannelPath = Annotated[
    str, Path(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", description="Id of a channel.")
]


@router.get("")
async def get_notices(
    context: ContextNeeded,
    _: Reading,
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    alert_id: Annotated[str | None, Query(max_length=64)] = None,
) -> NoticePage:
    """Notices with each delivery and each try, newest first."""
    rows = await asyncio.to_thread(
        lambda: context.duty.log.page(before=before, limit=limit + 1, alert_id=alert_id)
    )
    more = len(rows) > limit
    return NoticePage(items=rows[:limit], next_before=rows[limit - 1].number if more else None)


@router.get("/channels")
async def get_channels(context: ContextNeeded, _: Reading, response: Response) -> ChannelList:
    """Where notices go: kind, name and levels; never an address."""
    return with_etag(response, context.duty.notices.book.list())


@router.put("/channels/{channel_id}", responses=problem_responses(409, 412, 428))
async def put_channel(
    channel_id: ChannelPath,
    body: ChannelBody,
    context: ContextNeeded,
    _: Reading,
    response: Response,
    seen: IfMatch = None,
) -> ChannelList:
    """Add or change a channel. Its address is stored and never shown; left out, it stays."""
    book = context.duty.notices.book
    before = book.list()
    check_if_match(seen, before)
    try:
        after = await asyncio.to_thread(book.put, channel_id, body, before.revision)
    except ChannelRefusedError as refused:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, refused.text) from None
    if after is None:
        raise ProblemError(HTTPStatus.PRECONDITION_FAILED, _changed())
    return with_etag(response, after)


@router.delete("/channels/{channel_id}", responses=problem_responses(404, 409, 412, 428))
async def delete_channel(
    channel_id: ChannelPath,
    context: ContextNeeded,
    _: Reading,
    response: Response,
    seen: IfMatch = None,
) -> ChannelList:
    """Forget a channel and its address."""
    book = context.duty.notices.book
    before = book.list()
    check_if_match(seen, before)
    try:
        after = await asyncio.to_thread(book.remove, channel_id, before.revision)
    except KeyError:
        raise not_found("channel", channel_id) from None
    except ChannelRefusedError as refused:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, refused.text) from None
    if after is None:
        raise ProblemError(HTTPStatus.PRECONDITION_FAILED, _changed())
    return with_etag(response, after)


@router.post(
    "/channels/{channel_id}/test", status_code=202, responses=problem_responses(404, 409, 503)
)
async def send_test(
    channel_id: ChannelPath,
    context: ContextNeeded,
    caller: Reading,
    key: IdempotencyKey = None,
) -> NoticeSent:
    """Send a test message to one channel; what became of it is in the log."""
    rows = {row.id: row for row in context.duty.notices.book.list().items}
    channel = rows.get(channel_id)
    if channel is None:
        raise not_found("channel", channel_id)

    async def make() -> NoticeSent:
        notice_id = f"test-{context.new_id()}"
        await context.duty.notices.test(channel_id, notice_id, channel.language)
        return NoticeSent(notice_id=notice_id)

    request = f"POST /notices/channels/{channel_id}/test"
    return await context.once(caller.user.username, key, request, None, NoticeSent, make)


@router.post("/deliveries/{number}/retry", status_code=202, responses=problem_responses(404, 503))
async def retry_delivery(
    number: Annotated[int, Path(ge=1, le=2**53)], context: ContextNeeded, _: Reading
) -> NoticeSent:
    """Try a delivery again that was given up."""
    if not await context.duty.notices.again(number):
        raise not_found("dead delivery", str(number))
    return NoticeSent(notice_id=str(number))


def _changed() -> Sentence:
    return Sentence(
        zh="通道刚被他人修改，请重新读取后再改。",
        en="The channels were changed a moment ago: read them again, then change them.",
    )
