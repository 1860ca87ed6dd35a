"""Holds what routes share of HTTP: problems they name, ETags, answers that are given again."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol, TypeVar

from fastapi import Header, Response
from pydantic import BaseModel

from contracts.api import Sentence
from contracts.units import UtcMs
from controller.api.problems import CONTENT_TYPE, ProblemError
from controller.ports import Blocking

KEY_PATTERN: Final = r"^[!-~]{8,80}$"
# Below eight characters two people choose the same; printable ASCII is what a header carries.
ANSWERS_KEPT_MS: Final = 86_400_000  # who has not asked again within a day has given up
ASKING_MAX: Final = 1_000  # requests with a key under way; behind one another, never beside

ModelT = TypeVar("ModelT", bound=BaseModel)

_WHY: Final[dict[int, str]] = {
    400: "The request cannot be read.",
    401: "No token, or one that is unknown or has expired.",
    403: "This account may not do this.",
    404: "There is none of this name, or none that this account may see.",
    409: "It is not in the state for this, or the key was used for another request.",
    410: "It was there and is gone; the answer says why.",
    412: "It has changed since it was read: read it again, then change it.",
    413: "The body is larger than any that is taken.",
    422: "The answer names what is wrong with which field.",
    425: "Not yet; `Retry-After` says when.",
    428: "Send `If-Match` with the ETag that you read.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "The database or an edge node is away; `Retry-After` says when to try again.",
}

Responses = dict[int | str, dict[str, Any]]


def problem_responses(*statuses: int) -> Responses:
    """``responses=`` of a route: the problems that it answers with beside 401, 403 and 422."""
    return {
        status: {
            "description": _WHY[status],
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


# --- ETag and If-Match --------------------------------------------------------------------------

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=200, description="The ETag that you read, or `*`."),
]


def etag_of(model: BaseModel) -> str:
    """A strong ETag of what is shown."""
    return f'"{hashlib.sha256(model.model_dump_json().encode()).hexdigest()[:32]}"'


def with_etag(response: Response, model: ModelT) -> ModelT:
    """The same model, its ETag in the answer's header."""
    response.headers["ETag"] = etag_of(model)
    return model


def check_if_match(given: str | None, current: BaseModel, *, required: bool = True) -> None:
    """Refuse a change of what somebody else has changed meanwhile.

    Raises:
        ProblemError: 412, it has changed; 428, no ``If-Match`` where one is ``required``.
    """
    if given is None:
        if required:
            text = Sentence(
                zh="请先读取，并在 If-Match 中带上其 ETag，以免覆盖他人的修改。",
                en="Read it first and send its ETag as If-Match, so that no change is lost.",
            )
            raise ProblemError(HTTPStatus.PRECONDITION_REQUIRED, text)
        return
    sent = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    if "*" not in sent and etag_of(current) not in sent:
        text = Sentence(
            zh="内容已被他人修改，请重新读取后再改。",
            en="It has changed since you read it: read it again, then change it.",
        )
        raise ProblemError(HTTPStatus.PRECONDITION_FAILED, text)


# --- Idempotency-Key ----------------------------------------------------------------------------

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        description="Of your choosing, one a thing: sent again, the same answer comes again.",
    ),
]


class AnswerStore(Protocol):
    """Where answers are kept by key. Methods block."""

    def find(self, username: str, key: str, since: UtcMs) -> tuple[str, str, str] | None:
        """Request, digest of its body, and answer."""
        ...

    def keep(
        self, username: str, key: str, told: tuple[str, str, str], now: UtcMs, before: UtcMs
    ) -> None:
        """Keep one, and forget those older than ``before``."""
        ...


class Once:
    """Gives the same answer again to a request that comes again with its key.

    A crash between the act and its answer's being kept leaves the key free: then the act's own
    rules (an id of the client's, a state that is left once) have to stop a second one.
    """

    def __init__(
        self,
        store: AnswerStore,
        now: Callable[[], UtcMs],
        blocking: Blocking = asyncio.to_thread,
    ) -> None:
        self._store = store
        self._now = now
        self._blocking = blocking
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def __call__(
        self,
        username: str,
        key: str | None,
        request: str,
        body: BaseModel | None,
        model: type[ModelT],
        make: Callable[[], Awaitable[ModelT]],
    ) -> ModelT:
        """What ``make`` answers, or what it answered before. ``request`` names method and path.

        Raises:
            ProblemError: 409, the key was used for something else; and what ``make`` raises.
        """
        if key is None:
            return await make()
        digest = hashlib.sha256((body.model_dump_json() if body else "").encode()).hexdigest()
        if len(self._locks) > ASKING_MAX:
            self._locks = {name: lock for name, lock in self._locks.items() if lock.locked()}
        async with self._locks.setdefault((username, key), asyncio.Lock()):
            now = self._now()
            since = UtcMs(now - ANSWERS_KEPT_MS)
            known = await self._blocking(self._store.find, username, key, since)
            if known is not None:
                return _again(known, request, digest, model)
            answer = await make()
            told = (request, digest, answer.model_dump_json())
            await self._blocking(self._store.keep, username, key, told, now, since)
            return answer


def _again(known: tuple[str, str, str], request: str, digest: str, model: type[ModelT]) -> ModelT:
    if known[:2] != (request, digest):
        text = Sentence(
            zh="该 Idempotency-Key 已用于另一请求，请换用新的。",
            en="This Idempotency-Key was used for another request; choose a new one.",
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
    return model.model_validate(json.loads(known[2]))
