"""Routes of accounts and rights, as administrators change them, and of break-glass by two."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from contracts.api import BASE, PAGE_MAX, Role, Sentence, SessionState
from contracts.api.accounts import (
    AccountBody,
    AccountGiven,
    AccountPage,
    AccountView,
    GlassBody,
    GlassView,
    LinkGiven,
    OwnedTokenBody,
    PlaceView,
    RightsBody,
    RoleView,
    SecurityView,
    TokenGiven,
    TokenView,
)
from contracts.units import ID_PATTERN
from controller.api.account import IdPath, token_view
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import IfMatch
from controller.api.login import audited
from controller.api.nodes import tell_glass
from controller.api.problems import ProblemError, forbidden, not_found, problem_of
from controller.auth.scopes import SCOPES, Scope
from controller.core import views
from controller.core.outputs import Refused
from controller.core.sessions import Session
from controller.ports import Account, TokenKind

router = APIRouter(prefix=BASE, tags=["accounts"])

NamePath = Annotated[str, Path(min_length=1, max_length=64, description="Name of an account.")]
GlassPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a break-glass request.")]
Reads = Annotated[Caller, Depends(Needs(Scope.ACCOUNTS, Scope.RIGHTS, Scope.AUDIT))]
Makes = Annotated[Caller, Depends(Needs(Scope.ACCOUNTS))]
Rights = Annotated[Caller, Depends(Needs(Scope.RIGHTS))]
Tokens = Annotated[Caller, Depends(Needs(Scope.TOKENS))]


@router.get("/accounts")
async def get_accounts(
    context: ContextNeeded,
    _: Reads,
    after: Annotated[str, Query(max_length=64, description="Names behind this.")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
) -> AccountPage:
    """Accounts by name."""
    people, store = context.security.people, context.accounts.store
    rows = await asyncio.to_thread(lambda: store.accounts(after=after, limit=limit + 1))
    more = len(rows) > limit
    return AccountPage(
        items=tuple(people.view(row) for row in rows[:limit]),
        next_after=rows[limit - 1].username if more else None,
    )


@router.get("/accounts/{username}")
async def get_one_account(
    username: NamePath, context: ContextNeeded, _: Reads, response: Response
) -> AccountView:
    """One account; its ETag is for ``If-Match`` when rights are given."""
    account = await asyncio.to_thread(context.accounts.store.find_account, username)
    if account is None:
        raise not_found("account", username)
    return _shown(context, account, response)


def _shown(context: Context, account: Account, response: Response) -> AccountView:
    response.headers["ETag"] = f'"{account.version}"'
    return context.security.people.view(account)


def _done(context: Context, done: Account | Refused, response: Response) -> AccountView:
    if isinstance(done, Refused):
        raise problem_of(done)
    return _shown(context, done, response)


@router.post("/accounts", status_code=201)
async def make_account(
    body: AccountBody, context: ContextNeeded, caller: Makes, request: Request
) -> AccountGiven:
    """Make an account; the link by which its owner sets a password is in this answer alone.

    Roles and grants need the right to give rights too: where the administrators are apart, the
    security administrator gives them afterwards.
    """
    gives = body.roles or body.room_id is not None or body.grants != AccountBody.model_fields[
        "grants"].default  # fmt: skip
    if gives and Scope.RIGHTS not in caller.scopes:
        text = Sentence(
            zh="您可以建立账号，但角色与权限须由安全管理员授予。",
            en="You may make the account; its roles and grants are the security administrator's.",
        )
        raise ProblemError(403, text)
    people = context.security.people
    done = await asyncio.to_thread(people.make, body, caller.user.username)
    if isinstance(done, Refused):
        raise problem_of(done)
    account, link = done
    roles = " ".join(role.value for role in account.roles)
    audited(request, note=f"made {account.username} {roles}"[:200])
    return AccountGiven(account=people.view(account), link=link)


@router.post("/accounts/{username}/link", status_code=201)
async def make_link(username: NamePath, context: ContextNeeded, caller: Makes) -> LinkGiven:
    """A new one-time link for an account that lost its password."""
    people, by = context.security.people, caller.user.username
    done = await asyncio.to_thread(people.new_link, username, by)
    if isinstance(done, Refused):
        raise problem_of(done)
    return done


@router.post("/accounts/{username}/disable")
async def disable_account(
    username: NamePath, context: ContextNeeded, caller: Makes, response: Response
) -> AccountView:
    """Disable an account; its log-ins and tokens end at once. It is never deleted."""
    people, by = context.security.people, caller.user.username
    done = await asyncio.to_thread(lambda: people.set_disabled(username, by, disabled=True))
    return _done(context, done, response)


@router.post("/accounts/{username}/enable")
async def enable_account(
    username: NamePath, context: ContextNeeded, caller: Makes, response: Response
) -> AccountView:
    """Let a disabled account log in again."""
    people, by = context.security.people, caller.user.username
    done = await asyncio.to_thread(lambda: people.set_disabled(username, by, disabled=False))
    return _done(context, done, response)


@router.put("/accounts/{username}/rights")
async def give_rights(  # noqa: PLR0917  # what FastAPI fills in
    username: NamePath,
    body: RightsBody,
    context: ContextNeeded,
    caller: Rights,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> AccountView:
    """Give an account these roles and grants and no others; nobody gives himself any."""
    version = _version(if_match)
    people, by = context.security.people, caller.user.username
    done = await asyncio.to_thread(people.set_rights, username, body, by, version)
    audited(request, note=_said(body))
    return _done(context, done, response)


def _said(body: RightsBody) -> str:
    grants = body.grants.model_dump_json(exclude_defaults=True)
    return f"{' '.join(role.value for role in body.roles)} {grants}"[:200]


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


@router.post("/accounts/{username}/unlock")
async def unlock_account(
    username: NamePath, context: ContextNeeded, caller: Rights, response: Response
) -> AccountView:
    """Let a locked name log in again now."""
    people, by = context.security.people, caller.user.username
    return _done(context, await asyncio.to_thread(people.unlock, username, by), response)


@router.post("/accounts/{username}/reset-second-factor")
async def reset_second_factor(
    username: NamePath, context: ContextNeeded, caller: Rights, response: Response
) -> AccountView:
    """Take a lost second factor away; the account's log-ins end."""
    people, by = context.security.people, caller.user.username
    done = await asyncio.to_thread(people.reset_second_factor, username, by)
    return _done(context, done, response)


@router.get("/roles")
async def get_roles(_: Reads) -> tuple[RoleView, ...]:
    """What each role may do."""
    return tuple(
        RoleView(role=role, scopes=tuple(sorted(scope.value for scope in SCOPES[role])))
        for role in Role
    )


@router.get("/security")
async def get_security(context: ContextNeeded, _: Reads) -> SecurityView:
    """The security settings in force."""
    policy, audit = context.security.policy, context.security.audit
    last, _sha = await asyncio.to_thread(context.security.audit_store.audit_end)
    return SecurityView(
        profile=policy.profile.value,
        three_admins=policy.level3,
        second_factor_required=policy.level3,
        idle_min=policy.idle_ms // 60_000,
        session_hours=policy.session_hours,
        password_min_chars=policy.password_min,
        failed_max=policy.failed_max,
        lock_min=policy.lock_ms // 60_000,
        audit_days=policy.audit_days,
        audit_lines=last,
        audit_writable=audit.writable,
        oidc=policy.oidc.name if policy.oidc else None,
        rooms=tuple(
            PlaceView(id=area.id, name=area.name) for area in context.state().plan.site.config.areas
        ),
    )


# --- tokens of programs, of any account ---------------------------------------------------------


@router.get("/tokens")
async def get_all_tokens(context: ContextNeeded, _: Tokens) -> tuple[TokenView, ...]:
    """The API tokens of all accounts."""
    store, now = context.accounts.store, context.clock.utc_ms()
    rows = await asyncio.to_thread(lambda: store.tokens(username=None, kind=TokenKind.API, now=now))
    return tuple(token_view(row) for row in rows)


@router.post("/tokens", status_code=201)
async def make_token_for(
    body: OwnedTokenBody, context: ContextNeeded, caller: Tokens, request: Request
) -> TokenGiven:
    """An API token in another account's name: a terminal's, another site's; shown once."""
    if body.username == caller.user.username:
        raise forbidden()
    made = await asyncio.to_thread(
        context.security.people.make_token, body.username, body.name, body.scopes, body.days
    )
    if isinstance(made, Refused):
        raise problem_of(made)
    secret, row = made
    audited(request, note=f"token {row.id} of {row.username}: {' '.join(row.scopes or ())}"[:200])
    return TokenGiven(token=secret, view=token_view(row))


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_any_token(token_id: IdPath, context: ContextNeeded, _: Tokens) -> None:
    """Revoke an API token of anybody."""
    drop = context.security.people.drop
    if not await asyncio.to_thread(drop, TokenKind.API, token_id, None):
        raise not_found("token", token_id)


# --- break-glass --------------------------------------------------------------------------------

Asks = Annotated[Caller, Depends(Needs(Scope.BREAK_GLASS))]
Approves = Annotated[Caller, Depends(Needs(Scope.BREAK_GLASS_APPROVE))]
Sees = Annotated[Caller, Depends(Needs(Scope.BREAK_GLASS, Scope.BREAK_GLASS_APPROVE, Scope.AUDIT))]


def _sealed(context: Context, room_id: str) -> Session | None:
    session = views.held_by(context.state(), room_id)
    return session if session is not None and session.state is SessionState.SEALED else None


@router.get("/break-glass")
async def get_glasses(context: ContextNeeded, caller: Sees) -> tuple[GlassView, ...]:
    """Break-glass requests, newest first; who may only ask sees their own."""
    rows = context.security.glass.views()
    if caller.scopes & {Scope.BREAK_GLASS_APPROVE, Scope.AUDIT}:
        return tuple(row for row in rows if caller.sees_room(row.room_id))
    return tuple(row for row in rows if row.asked_by == caller.user.username)


@router.post("/break-glass", status_code=201)
async def ask_glass(body: GlassBody, context: ContextNeeded, caller: Asks) -> GlassView:
    """Ask to see or hear a sealed room that my role does not; a second person must approve."""
    areas = {area.id for area in context.state().plan.site.config.areas}
    if body.room_id not in areas or not caller.sees_room(body.room_id):
        raise not_found("room", body.room_id)
    session = _sealed(context, body.room_id)
    if session is None:
        text = Sentence(
            zh="该房间未封闭，无需破窗授权。",
            en="This room is not sealed; there is no glass to break.",
        )
        raise ProblemError(409, text)
    done = await asyncio.to_thread(
        context.security.glass.ask, caller.user.username, body, session.id
    )
    if isinstance(done, Refused):
        raise problem_of(done)
    what = _what(done)
    text = Sentence(
        zh=f"{done.asked_by} 申请查看{what.zh} {done.minutes} 分钟：{done.reason}",
        en=f"{done.asked_by} asks for {what.en}, {done.minutes} min: {done.reason}",
    )
    await tell_glass(context, done, caller.user.username, "asked", text)
    return done


def _what(glass: GlassView) -> Sentence:
    if glass.picture and glass.sound:
        return Sentence(zh="画面和声音", en="picture and sound")
    if glass.picture:
        return Sentence(zh="画面", en="the picture")
    return Sentence(zh="声音", en="the sound")


@router.post("/break-glass/{glass_id}/approve")
async def approve_glass(glass_id: GlassPath, context: ContextNeeded, caller: Approves) -> GlassView:
    """Approve another person's request; it is open from now on, until its time or the release."""
    row = _glass(context, caller, glass_id)
    session = _sealed(context, row.room_id)
    if session is None or session.id != row.session_id:
        await asyncio.to_thread(context.security.glass.end, glass_id)
        text = Sentence(
            zh="该次封闭已结束，申请作废。", en="That seal has ended, and the request with it."
        )
        raise ProblemError(409, text)
    text = Sentence(
        zh=f"{caller.user.username} 批准了 {row.asked_by} 的破窗申请，{row.minutes} 分钟",
        en=f"{caller.user.username} approved the request of {row.asked_by}, {row.minutes} min",
    )
    return await _decided(context, caller, glass_id, text, approve=True)


@router.post("/break-glass/{glass_id}/refuse")
async def refuse_glass(glass_id: GlassPath, context: ContextNeeded, caller: Approves) -> GlassView:
    """Refuse another person's request."""
    row = _glass(context, caller, glass_id)
    text = Sentence(
        zh=f"{caller.user.username} 拒绝了 {row.asked_by} 的破窗申请",
        en=f"{caller.user.username} refused the request of {row.asked_by}",
    )
    return await _decided(context, caller, glass_id, text, approve=False)


def _glass(context: Context, caller: Caller, glass_id: str) -> GlassView:
    row = context.security.glass.find(glass_id)
    if row is None or not caller.sees_room(row.room_id):
        raise not_found("request", glass_id)
    return row


async def _decided(
    context: Context, caller: Caller, glass_id: str, text: Sentence, *, approve: bool
) -> GlassView:
    glass, by = context.security.glass, caller.user.username
    done = await asyncio.to_thread(lambda: glass.decide(glass_id, by, approve=approve))
    if isinstance(done, Refused):
        raise problem_of(done)
    await tell_glass(context, done, by, "approved" if approve else "refused", text)
    return done


@router.post("/break-glass/{glass_id}/end")
async def end_glass(glass_id: GlassPath, context: ContextNeeded, caller: Sees) -> GlassView:
    """Give it back before its time: who asked, or who may approve."""
    row = _glass(context, caller, glass_id)
    may = row.asked_by == caller.user.username or Scope.BREAK_GLASS_APPROVE in caller.scopes
    if not may:
        raise forbidden()
    done = await asyncio.to_thread(context.security.glass.end, glass_id)
    if isinstance(done, Refused):
        raise problem_of(done)
    by = caller.user.username
    text = Sentence(zh=f"{by} 结束了破窗授权", en=f"{by} ended the break-glass")
    await tell_glass(context, done, by, "ended", text)
    return done
