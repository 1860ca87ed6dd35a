"""Stands around every request: how many may come; what must be audited is, or is not done."""

import hashlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi.dependencies.models import Dependant
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from contracts.api import BASE, Problem, Sentence
from controller.api.context import Needs
from controller.api.problems import CONTENT_TYPE
from controller.auth.audit import AuditLog, Happened
from controller.auth.limits import Buckets
from controller.auth.policy import SecuritySettings
from controller.auth.scopes import Scope
from controller.ports import StoreLost
from runtime.clock import Clock

log = structlog.get_logger(__name__)

AUDITED_READS: Final = frozenset({
    Scope.MEDIA, Scope.RECORDINGS, Scope.SOUND, Scope.LISTEN, Scope.EVIDENCE, Scope.REPORTS,
    Scope.RETRIEVAL,
    Scope.RETRIEVAL_APPROVE, Scope.SEARCH, Scope.NAMES, Scope.AUDIT, Scope.CONDUCT, Scope.RIGHTS,
    Scope.ACCOUNTS, Scope.ZONES_DRAW,
})  # fmt: skip
"""Who reads by one of these leaves a line; what consoles poll is not among them."""

TICKETED: Final = frozenset({
    f"{BASE}/alerts/{{alert_id}}/picture.jpg",
    f"{BASE}/retrievals/{{retrieval_id}}/{{name}}",
})  # fmt: skip
"""Opened by a ticket in the address instead of a token, for who was given it."""

TICKETED_AUDITED: Final = frozenset({f"{BASE}/retrievals/{{retrieval_id}}/{{name}}"})

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NOBODY: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})


def address_of(scope: AsgiScope, trusted: Iterable[str]) -> str:
    """Who asks: the peer, or whom a trusted proxy names last that is no proxy itself."""
    client = scope.get("client")
    peer = str(client[0]) if client else "unknown"
    known = set(trusted)
    if peer not in known:
        return peer
    sent = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
    hops = [hop.strip() for hop in b",".join(sent).decode("latin-1").split(",") if hop.strip()]
    for hop in reversed(hops):
        if hop not in known:
            return hop[:80] if hop.isprintable() else peer
    return peer


def needs_of(dependant: Dependant) -> tuple[frozenset[Scope], ...]:
    """The sets of scopes that a route asks for, one of each."""
    own = (dependant.call.scopes,) if isinstance(dependant.call, Needs) else ()
    return own + tuple(found for below in dependant.dependencies for found in needs_of(below))


async def _answer(scope: AsgiScope, receive: Receive, send: Send, refused: "_Refusal") -> None:
    headers = dict(scope.get("headers") or ())
    chinese = headers.get(b"accept-language", b"").lower().startswith(b"zh")
    problem = Problem(
        title=refused.status.phrase,
        status=refused.status,
        detail=refused.text.zh if chinese else refused.text.en,
    )
    response = JSONResponse(
        problem.model_dump(mode="json"),
        status_code=refused.status,
        media_type=CONTENT_TYPE,
        headers={"Retry-After": str(refused.wait_s)},
    )
    await response(scope, receive, send)


class _Refusal:
    def __init__(self, status: HTTPStatus, text: Sentence, wait_s: int) -> None:
        self.status = status
        self.text = text
        self.wait_s = wait_s


_UNWRITTEN: Final = _Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    Sentence(
        zh="审计日志暂时无法写入，需审计的操作被拒绝；请检查控制器的磁盘与数据库。",
        en="The audit log cannot be written, so nothing that must be audited is done; look at the "
        "controller's disk and database.",
    ),
    5,
)
_DONE_UNWRITTEN: Final = _Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    Sentence(
        zh="操作可能已执行，但审计日志未能写入；记录将在恢复后补写，请先查看结果再重试。",
        en="This may have been done, but the audit log could not be written; its line follows when "
        "the log is back. Look before you try again.",
    ),
    5,
)


class RateLimit:
    """Refuses who asks too often: by token, by address, and by answers of 401."""

    def __init__(self, app: ASGIApp, policy: SecuritySettings, clock: Clock) -> None:
        self._app = app
        self._policy = policy
        rate = policy.rate

        def now_ms() -> int:
            return int(clock.mono_ms())

        self._tokens = Buckets(rate.token_per_s, rate.token_burst, now_ms)
        self._addresses = Buckets(rate.address_per_s, rate.address_burst, now_ms)
        self._refused = Buckets(rate.refused_per_s, rate.refused_burst, now_ms)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = address_of(scope, self._policy.trusted_proxies)
        scope.setdefault("state", {})["address"] = address
        token = dict(scope.get("headers") or ()).get(b"authorization", b"")
        key = hashlib.sha256(token).hexdigest() if token else ""
        wait_s = max(
            self._addresses.waits_s(address),
            self._refused.waits_s(address),
            self._tokens.waits_s(key) if key else 0,
        )
        if wait_s:
            text = Sentence(
                zh=f"请求过于频繁，请 {wait_s} 秒后再试。",
                en=f"Too many requests; try again in {wait_s} s.",
            )
            refused = _Refusal(HTTPStatus.TOO_MANY_REQUESTS, text, wait_s)
            await _answer(scope, receive, send, refused)
            return
        self._addresses.take(address)
        if key:
            self._tokens.take(key)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401:
                self._refused.take(address)
            await send(message)

        await self._app(scope, receive, counted)


class Audited:
    """Writes a line for each request that changes something or reads what is protected.

    The answer is held back until the line is on the disk. While the log cannot be written, such
    requests are refused before anything is done.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[APIRoute], audit: AuditLog) -> None:
        self._app = app
        self._audit = audit
        self._reads = tuple(route for route in routes if _is_audited_read(route))

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._must(scope):
            await self._app(scope, receive, send)
            return
        if not self._audit.writable and not await self._audit.recover():
            await _answer(scope, receive, send, _UNWRITTEN)
            return
        scope.setdefault("state", {})
        lost = False

        async def told(message: Message) -> None:
            nonlocal lost
            if message["type"] == "http.response.start":
                lost = not await self._wrote(scope, int(message["status"]))
                if lost:
                    await _answer(scope, receive, send, _DONE_UNWRITTEN)
            if not lost:
                await send(message)

        await self._app(scope, receive, told)

    def _must(self, scope: AsgiScope) -> bool:
        if scope["method"] not in _SAFE:
            return True
        return any(route.matches(scope)[0] is Match.FULL for route in self._reads)

    async def _wrote(self, scope: AsgiScope, status: int) -> bool:
        state: dict[str, Any] = scope["state"]
        route = scope.get("route")
        path = getattr(route, "path", None)
        if path is None and status in _NOBODY:
            return True  # no such route: nothing can have been done
        happened = Happened(
            by=str(state.get("audit_by", "")),
            what=f"{scope['method']} {path or '?'}",
            subject={key: str(value) for key, value in scope.get("path_params", {}).items()}
            | state.get("audit_subject", {}),
            address=str(state.get("address", "")),
            status=status,
            note=str(state.get("audit_note", "")),
        )
        try:
            await self._audit.write(happened)
        except StoreLost:
            return False
        return True


def audited_by(sets: Iterable[frozenset[Scope]]) -> bool:
    """Whether a read that asks for these leaves a line: one set holds protected scopes alone.

    A view that others may read too, such as what goes on outside, is polled and leaves none.
    """
    return any(scopes <= AUDITED_READS for scopes in sets)


def _is_audited_read(route: APIRoute) -> bool:
    if route.path in TICKETED_AUDITED:
        return True
    reads = "GET" in (route.methods or ())
    return reads and audited_by(needs_of(route.dependant))
