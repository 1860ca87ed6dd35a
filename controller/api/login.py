"""Routes of log-in: with a password and a second factor, with a one-time link, by a provider."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Request

from contracts.api import BASE, LoginBody, LoginGiven, Sentence, User
from contracts.api.accounts import (
    SECOND_FACTOR,
    FirstBody,
    FirstGiven,
    LinkAsked,
    LinkBody,
    LinkView,
    OidcBody,
    OidcStarted,
    OidcView,
)
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.problems import ProblemError, problem_of
from controller.auth.accounts import From, LoggedIn, LoginRefused, Why
from controller.auth.oidc import Oidc, ProviderLost, account_of
from controller.auth.scopes import Scope
from controller.core.outputs import Refused

log = structlog.get_logger(__name__)

router = APIRouter(prefix=BASE, tags=["account"])

LOGINS_PER_MINUTE_MAX: Final = (
    60  # of one address: a room of people behind one proxy, not a guesser
)

_SAID: Final = {
    Why.CODE_MISSING: Sentence(
        zh="请输入第二因素：动态口令或恢复码。",
        en="Type your second factor too: a code of your authenticator, or a recovery code.",
    ),
    Why.CODE: Sentence(
        zh="动态口令错误或已使用过，请等待下一个口令。",
        en="The code is wrong or was used already; wait for the next one.",
    ),
}
_WRONG: Final = Sentence(zh="用户名或密码错误。", en="User name or password is wrong.")


def origin_of(request: Request) -> From:
    """Where a request comes from, for the list of log-ins."""
    return From(
        address=str(getattr(request.state, "address", "")),
        agent="".join(
            char for char in request.headers.get("user-agent", "")[:200] if char.isprintable()
        ),
    )


def audited(request: Request, *, by: str | None = None, note: str = "") -> None:
    """What the audit line of this request says beside its address."""
    if by is not None:
        request.state.audit_by = by
    if note:
        request.state.audit_note = note


@router.post("/login")
async def log_in(body: LoginBody, context: ContextNeeded, request: Request) -> LoginGiven:
    """A token for a user name and password; shown once.

    401 of type ``urn:zeroentry:second-factor``: send it again with ``code``.
    """
    audited(request, by=body.username)
    origin = origin_of(request)
    _count(context, request, origin.address)
    found = await asyncio.to_thread(
        context.accounts.log_in, body.username, body.password, body.code, origin
    )
    return _given(context, request, found)


def _count(context: Context, request: Request, address: str) -> None:
    if not request.app.state.logins.allows(address):
        audited(request, note="too many log-ins")
        text = Sentence(zh="登录过于频繁，请一分钟后再试。", en="Too many log-ins; wait a minute.")
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, text, retry_after_s=60)


def _given(context: Context, request: Request, found: LoggedIn | LoginRefused) -> LoginGiven:
    if isinstance(found, LoggedIn):
        audited(request, note="logged in")
        return LoginGiven(token=found.token, expires_utc_ms=found.expires_utc_ms, user=found.user)
    audited(request, note=found.why.value)
    if found.locked_until_utc_ms is not None:
        wait_s = max(1, (found.locked_until_utc_ms - context.clock.utc_ms()) // 1_000)
        text = Sentence(
            zh=f"多次输错，已锁定，请 {wait_s} 秒后再试，或请安全管理员解锁。",
            en=f"Locked after wrong passwords; try again in {wait_s} s, or ask the security "
            "administrator.",
        )
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, text, retry_after_s=wait_s)
    asked = found.why in {Why.CODE_MISSING, Why.CODE}
    kind = SECOND_FACTOR if asked else "about:blank"
    raise ProblemError(HTTPStatus.UNAUTHORIZED, _SAID.get(found.why, _WRONG), kind=kind)


@router.post("/logout", status_code=204)
async def log_out(
    context: ContextNeeded, caller: Annotated[Caller, Depends(Needs(Scope.SELF))]
) -> None:
    """Forget the token that this request bears."""
    await asyncio.to_thread(context.accounts.log_out, caller.token)


@router.get("/me")
async def me(caller: Annotated[Caller, Depends(Needs(Scope.SELF))]) -> User:
    """Who is asking."""
    return caller.user


# --- one-time links -----------------------------------------------------------------------------


@router.post("/welcome/ask")
async def ask_link(body: LinkAsked, context: ContextNeeded, request: Request) -> LinkView:
    """What a one-time link is for, while it is good."""
    _count(context, request, origin_of(request).address)
    people, policy = context.security.people, context.security.policy
    row = await asyncio.to_thread(people.link, body.secret)
    if row is None:
        audited(request, note="no such link")
        text = Sentence(
            zh="链接无效、已使用或已过期，请向管理员索取新的链接。",
            en="This link is wrong, used or too old; ask an administrator for a new one.",
        )
        raise ProblemError(HTTPStatus.NOT_FOUND, text)
    audited(request, by=row.username)
    return LinkView(
        first=not row.username,
        username=row.username,
        three_admins=policy.level3,
        password_min_chars=policy.password_min,
    )


@router.post("/welcome", status_code=204)
async def use_link(body: LinkBody, context: ContextNeeded, request: Request) -> None:
    """Set a password by a one-time link, which is used up by it."""
    _count(context, request, origin_of(request).address)
    done = await asyncio.to_thread(context.security.people.set_password, body.secret, body.password)
    if isinstance(done, Refused):
        raise problem_of(done)
    audited(request, by=done.username, note="password set by link")


@router.post("/welcome/first", status_code=201)
async def use_first_link(body: FirstBody, context: ContextNeeded, request: Request) -> FirstGiven:
    """Make the first accounts by the link that the controller left at its first start."""
    _count(context, request, origin_of(request).address)
    done = await asyncio.to_thread(context.security.people.make_first, body)
    if isinstance(done, Refused):
        raise problem_of(done)
    names = ", ".join(row.username for row in done.links)
    audited(request, by=done.account.username, note=f"first accounts; links for: {names}"[:200])
    return FirstGiven(user=context.accounts.user_of(done.account), links=done.links)


# --- an identity provider -----------------------------------------------------------------------


def _provider(context: Context) -> Oidc:
    if context.security.oidc is None:
        text = Sentence(zh="本站点没有配置统一身份认证。", en="This site has no identity provider.")
        raise ProblemError(HTTPStatus.NOT_FOUND, text)
    return context.security.oidc


def _lost(request: Request, error: ProviderLost) -> ProblemError:
    log.warning("identity_provider_lost", why=str(error))
    audited(request, note=str(error))
    text = Sentence(
        zh="身份提供方没有给出有效的应答，请重试或使用本地账号。",
        en="The identity provider gave no good answer; try again, or use a local account.",
    )
    return ProblemError(HTTPStatus.BAD_GATEWAY, text)


@router.get("/login/oidc")
async def get_oidc(context: ContextNeeded) -> OidcView:
    """Whether one may log in by an identity provider, and what it is called."""
    oidc = context.security.oidc
    return OidcView(name=None if oidc is None else oidc.settings.name)


@router.post("/login/oidc/start")
async def start_oidc(context: ContextNeeded, request: Request) -> OidcStarted:
    """Begin a log-in there: the address for the browser, and the state that comes back with it."""
    _count(context, request, origin_of(request).address)
    try:
        url, state = await _provider(context).start()
    except ProviderLost as error:
        raise _lost(request, error) from None
    return OidcStarted(url=url, state=state)


@router.post("/login/oidc")
async def finish_oidc(body: OidcBody, context: ContextNeeded, request: Request) -> LoginGiven:
    """A token for who came back from the identity provider."""
    _count(context, request, origin_of(request).address)
    oidc = _provider(context)
    try:
        claims = await oidc.finish(body.state, body.code)
    except ProviderLost as error:
        raise _lost(request, error) from None
    if claims is None:
        text = Sentence(
            zh="此次登录已过期或已使用，请重新开始。",
            en="This log-in is too old or was used already; begin anew.",
        )
        raise ProblemError(HTTPStatus.UNAUTHORIZED, text)
    account = await asyncio.to_thread(account_of, context.accounts, oidc.settings, claims)
    if isinstance(account, Refused):
        audited(request, by=str(claims.get("sub", ""))[:80], note=account.detail.en)
        raise problem_of(account)
    audited(request, by=account.username)
    found = await asyncio.to_thread(context.accounts.admit, account, origin_of(request))
    return _given(context, request, found)
