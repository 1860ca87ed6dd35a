"""Routes of one's own account: password, second factor, log-ins, API tokens."""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from contracts.api import BASE, Sentence
from contracts.api.accounts import (
    CodeBody,
    LoginView,
    MyAccount,
    PasswordBody,
    RecoveryCodes,
    SecondFactorOffer,
    TokenBody,
    TokenGiven,
    TokenView,
)
from contracts.units import UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs, person_of
from controller.api.login import audited
from controller.api.problems import ProblemError, forbidden, not_found, problem_of
from controller.auth import factors
from controller.auth.accounts import is_machine
from controller.auth.people import stale
from controller.auth.scopes import Scope
from controller.core.outputs import Refused
from controller.ports import Account, Token, TokenKind

router = APIRouter(prefix=f"{BASE}/account", tags=["account"])

IdPath = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", description="Id of a log-in or token.")]
ISSUER = "Zero Entry"


def _person(caller: Annotated[Caller, Depends(Needs(Scope.SELF))]) -> Caller:
    return person_of(caller)


Person = Annotated[Caller, Depends(_person)]


def _own(context: Context, caller: Caller) -> Account:
    account = context.accounts.store.find_account(caller.user.username)
    if account is None:
        raise not_found("account", caller.user.username)
    return account


def _conflict(zh: str, en: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, Sentence(zh=zh, en=en))


def _store(context: Context, account: Account, version: int) -> None:
    if not context.accounts.store.change_account(account, version):
        raise problem_of(stale())


@router.get("")
async def get_account(context: ContextNeeded, caller: Person) -> MyAccount:
    """My account."""
    account = await asyncio.to_thread(_own, context, caller)
    return MyAccount(
        user=caller.user,
        second_factor=account.totp is not None,
        second_factor_required=context.security.people.required(account),
        recovery_codes_left=len(account.recovery),
        password_utc_ms=account.password_utc_ms,
        external=bool(account.external),
        password_min_chars=context.security.policy.password_min,
        scopes=tuple(sorted(scope.value for scope in caller.scopes)),
    )


@router.post("/password", status_code=204)
async def change_password(
    body: PasswordBody, context: ContextNeeded, caller: Person, request: Request
) -> None:
    """Change my password; my other log-ins end. A wrong old one counts as a wrong log-in."""
    await asyncio.to_thread(_change_password, context, caller, body, request)


def _change_password(
    context: Context, caller: Caller, body: PasswordBody, request: Request
) -> None:
    accounts, account = context.accounts, _own(context, caller)
    if account.external:
        raise _conflict("该账号由统一身份认证登录。", "This account logs in at the provider.")
    _check_password(context, account, body.old, request)
    changed = accounts.with_password(account, body.new)
    if isinstance(changed, Sentence):
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, changed)
    _store(context, changed, account.version)
    own = caller.login.sha256 if caller.login else None
    accounts.store.drop_tokens(account.username, (TokenKind.LOGIN, TokenKind.LINK), but=own)


def _check_password(context: Context, account: Account, password: str, request: Request) -> None:
    accounts, policy, now = context.accounts, context.security.policy, context.clock.utc_ms()
    until = account.locked_until_utc_ms
    if until is not None and until > now:
        text = Sentence(zh="账号已锁定，请稍后再试。", en="The account is locked; try later.")
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS, text, retry_after_s=max(1, (until - now) // 1_000)
        )
    if not accounts.matches(account.password_hash, password):
        audited(request, note="wrong password")
        # Who found an unlocked screen guesses no more often than who stands before a log-in.
        accounts.store.fail_account(
            account.username, policy.failed_max, UtcMs(now + policy.lock_ms)
        )
        text = Sentence(zh="当前密码不正确。", en="The current password is wrong.")
        raise ProblemError(HTTPStatus.FORBIDDEN, text)


# --- second factor ------------------------------------------------------------------------------


@router.post("/second-factor", status_code=201)
async def offer_second_factor(context: ContextNeeded, caller: Person) -> SecondFactorOffer:
    """A new second factor for my authenticator, shown once; it counts after its first code."""
    return await asyncio.to_thread(_offer, context, caller)


def _offer(context: Context, caller: Caller) -> SecondFactorOffer:
    account = _own(context, caller)
    if is_machine(caller.user):
        raise forbidden()
    if account.totp is not None:
        raise _conflict(
            "已启用第二因素；如需更换，请先停用或请安全管理员重置。",
            "A second factor is enrolled; remove it first, or have it reset.",
        )
    made = factors.offer(account.username, ISSUER)
    sealed = context.accounts.box.seal(account.username, made.secret)
    changed = replace(account, totp_offered=sealed, version=account.version + 1)
    _store(context, changed, account.version)
    return SecondFactorOffer(secret=made.secret, uri=made.uri, qr_svg=made.qr_svg)


@router.post("/second-factor/confirm")
async def confirm_second_factor(
    body: CodeBody, context: ContextNeeded, caller: Person, request: Request
) -> RecoveryCodes:
    """The first code: the second factor counts from now on. Gives the recovery codes, once."""
    return await asyncio.to_thread(_confirm, context, caller, body.code, request)


def _confirm(context: Context, caller: Caller, code: str, request: Request) -> RecoveryCodes:
    account, accounts = _own(context, caller), context.accounts
    if account.totp is not None or account.totp_offered is None:
        raise _conflict("请先申请新的第二因素。", "Ask for a new second factor first.")
    secret = accounts.box.opened(account.username, account.totp_offered)
    now = context.clock.utc_ms()
    step = None if secret is None else factors.step_of(secret, code, now, 0)
    if step is None:
        audited(request, note="wrong code")
        raise _wrong_code()
    codes = factors.recovery_codes()
    changed = replace(
        account,
        totp=account.totp_offered,
        totp_offered=None,
        totp_step=step,
        recovery=tuple(factors.recovery_digest(account.username, one) for one in codes),
        version=account.version + 1,
    )
    _store(context, changed, account.version)
    own = caller.login.sha256 if caller.login else None
    accounts.store.drop_tokens(account.username, (TokenKind.LOGIN,), but=own)
    return RecoveryCodes(codes=codes)


def _wrong_code() -> ProblemError:
    text = Sentence(
        zh="口令不正确。请检查手机时间是否准确，然后输入新的口令。",
        en="The code is wrong. Check the clock of your phone, then type a new one.",
    )
    return ProblemError(HTTPStatus.FORBIDDEN, text)


@router.post("/second-factor/remove", status_code=204)
async def remove_second_factor(
    body: CodeBody, context: ContextNeeded, caller: Person, request: Request
) -> None:
    """Remove my second factor with a code of it; where it is required, another is enrolled next."""
    await asyncio.to_thread(_remove, context, caller, body.code, request)


def _remove(context: Context, caller: Caller, code: str, request: Request) -> None:
    account = _own(context, caller)
    now = context.clock.utc_ms()
    found = context.accounts.with_code(account, code, now)
    if found is None:
        audited(request, note="wrong code")
        context.accounts.store.fail_account(
            account.username,
            context.security.policy.failed_max,
            UtcMs(now + context.security.policy.lock_ms),
        )
        raise _wrong_code()
    _store(context, replace(found, totp=None, totp_offered=None, recovery=()), account.version)


# --- log-ins and tokens -------------------------------------------------------------------------


@router.get("/logins")
async def get_logins(context: ContextNeeded, caller: Person) -> tuple[LoginView, ...]:
    """Where I am logged in."""
    store, now = context.accounts.store, context.clock.utc_ms()
    rows = await asyncio.to_thread(
        lambda: store.tokens(username=caller.user.username, kind=TokenKind.LOGIN, now=now)
    )
    own = caller.login.sha256 if caller.login else ""
    return tuple(
        LoginView(
            id=row.id,
            made_utc_ms=row.made_utc_ms,
            used_utc_ms=row.used_utc_ms,
            expires_utc_ms=row.expires_utc_ms,
            address=row.address,
            agent=row.agent,
            current=row.sha256 == own,
        )
        for row in rows
    )


@router.post("/logins/end-others", status_code=204)
async def end_other_logins(context: ContextNeeded, caller: Person) -> None:
    """End all my log-ins but this one."""
    own = caller.login.sha256 if caller.login else None
    name, store = caller.user.username, context.accounts.store
    await asyncio.to_thread(lambda: store.drop_tokens(name, (TokenKind.LOGIN,), but=own))


@router.delete("/logins/{login_id}", status_code=204)
async def end_login(login_id: IdPath, context: ContextNeeded, caller: Person) -> None:
    """End one of my log-ins."""
    drop, name = context.security.people.drop, caller.user.username
    if not await asyncio.to_thread(drop, TokenKind.LOGIN, login_id, name):
        raise not_found("login", login_id)


def token_view(row: Token) -> TokenView:
    """An API token as it is listed."""
    return TokenView(
        id=row.id,
        name=row.name,
        username=row.username,
        scopes=row.scopes or (),
        made_utc_ms=row.made_utc_ms,
        used_utc_ms=row.used_utc_ms or None,
        expires_utc_ms=row.expires_utc_ms,
    )


@router.get("/tokens")
async def get_tokens(context: ContextNeeded, caller: Person) -> tuple[TokenView, ...]:
    """My API tokens."""
    store, now = context.accounts.store, context.clock.utc_ms()
    rows = await asyncio.to_thread(
        lambda: store.tokens(username=caller.user.username, kind=TokenKind.API, now=now)
    )
    return tuple(token_view(row) for row in rows)


@router.post("/tokens", status_code=201)
async def make_token(
    body: TokenBody, context: ContextNeeded, caller: Person, request: Request
) -> TokenGiven:
    """An API token for a program of mine, with some of my scopes; shown once."""
    if is_machine(caller.user) or caller.user.must:
        raise forbidden()
    made = await asyncio.to_thread(
        context.security.people.make_token,
        caller.user.username,
        body.name,
        body.scopes,
        body.days,
    )
    if isinstance(made, Refused):
        raise problem_of(made)
    secret, row = made
    audited(request, note=f"token {row.id}: {' '.join(row.scopes or ())}"[:200])
    return TokenGiven(token=secret, view=token_view(row))


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_token(token_id: IdPath, context: ContextNeeded, caller: Person) -> None:
    """Revoke one of my API tokens."""
    drop, name = context.security.people.drop, caller.user.username
    if not await asyncio.to_thread(drop, TokenKind.API, token_id, name):
        raise not_found("token", token_id)
