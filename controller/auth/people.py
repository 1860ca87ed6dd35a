"""Decides who may make accounts, give rights and links, and keeps the administrators apart."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from contracts.api import Role, Sentence
from contracts.api.accounts import (
    ADMINS,
    AccountBody,
    AccountView,
    FirstBody,
    LinkGiven,
    RightsBody,
)
from contracts.units import UtcMs
from controller.auth.accounts import API_TOKENS_MAX, Accounts, digest_of
from controller.auth.policy import needs_second_factor, roles_fault
from controller.auth.scopes import scopes_of
from controller.core.outputs import Refusal, Refused
from controller.ports import Account, Token, TokenKind

ACCOUNTS_MAX: Final = 2_000  # more than a city's centre has people
FIRST_TTL_MS: Final = 60 * 60_000  # who starts a controller sits before it
DAY_MS: Final = 86_400_000


def _refused(why: Refusal, zh: str, en: str) -> Refused:
    return Refused(why, Sentence(zh=zh[:400], en=en[:400]))


def _own() -> Refused:
    return _refused(
        Refusal.FORBIDDEN,
        "不能更改自己账号的权限，请由另一位管理员操作。",
        "Nobody changes the rights of his own account; another administrator does.",
    )


def _absent(username: str) -> Refused:
    name = username[:64]
    return _refused(Refusal.NOT_FOUND, f"没有账号 {name}。", f"There is no account {name}.")


def stale() -> Refused:
    """Somebody else has changed it meanwhile."""
    return _refused(
        Refusal.STALE,
        "此账号已被他人修改，请刷新后重试。",
        "Somebody else has changed this account; load it again.",
    )


@dataclass(frozen=True, slots=True)
class First:
    """What the first link made."""

    account: Account
    links: tuple[LinkGiven, ...]


class People:
    """Accounts and rights, as administrators change them. Methods block."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._store = accounts.store
        # Two administrators who disable one another at once would leave none.
        self._deciding = threading.Lock()

    # --- the first accounts ---------------------------------------------------------------------

    def empty(self) -> bool:
        """Whether nobody can log in here yet."""
        return not self._store.accounts(limit=1)

    def first_link(self) -> tuple[str, UtcMs] | None:
        """A one-time link that makes the first accounts; None when there are accounts."""
        if not self.empty():
            return None
        self._store.drop_tokens("", (TokenKind.LINK,))
        secret, row = self._accounts.give(TokenKind.LINK, "", FIRST_TTL_MS)
        return secret, row.expires_utc_ms

    def link(self, secret: str) -> Token | None:
        """What a one-time link is for, while it lives."""
        row = self._store.find_token(digest_of(secret), self._accounts.clock.utc_ms())
        return row if row is not None and row.kind is TokenKind.LINK else None

    def make_first(self, body: FirstBody) -> First | Refused:
        """Make the first accounts by the first link."""
        row = self.link(body.secret)
        if row is None or row.username or not self.empty():
            return self._dead_link()
        others = [name for name in (body.security_admin, body.audit_admin) if name]
        roles = _split(body)
        if len({body.username, *others}) != 1 + len(others):
            return _refused(
                Refusal.INVALID,
                "三位管理员的用户名必须互不相同。",
                "The three administrators need three names.",
            )
        for held in roles.values():
            fault = roles_fault(self._accounts.policy, held, None)
            if fault is not None:
                return Refused(Refusal.INVALID, fault)
        now = self._accounts.clock.utc_ms()
        empty = Account(body.username, roles[body.username], None, "", made_utc_ms=now)
        made = self._accounts.with_password(empty, body.password)
        if isinstance(made, Sentence):
            return Refused(Refusal.INVALID, made)
        if not self._store.drop_token(row.sha256):
            return self._dead_link()
        self._store.put_account(made)
        links = []
        for name in others:
            self._store.put_account(
                Account(name, roles[name], None, "", made_utc_ms=now, made_by=body.username)
            )
            links.append(self._link_for(name, body.username))
        return First(made, tuple(links))

    def set_password(self, secret: str, password: str) -> Account | Refused:
        """Set a password by a one-time link; every log-in of the account ends."""
        row = self.link(secret)
        account = self._store.find_account(row.username) if row and row.username else None
        if row is None or account is None or account.disabled:
            return self._dead_link()
        changed = self._accounts.with_password(account, password)
        if isinstance(changed, Sentence):
            return Refused(Refusal.INVALID, changed)
        if not self._store.drop_token(row.sha256):
            return self._dead_link()
        if not self._store.change_account(changed, account.version):
            return stale()
        self._store.drop_tokens(account.username, (TokenKind.LOGIN,))
        return changed

    def _dead_link(self) -> Refused:
        return _refused(
            Refusal.NOT_FOUND,
            "链接无效、已使用或已过期，请向管理员索取新的链接。",
            "This link is wrong, used or too old; ask an administrator for a new one.",
        )

    def _link_for(self, username: str, by: str) -> LinkGiven:
        self._store.drop_tokens(username, (TokenKind.LINK,))
        ttl = self._accounts.policy.link_hours * 3_600_000
        secret, row = self._accounts.give(TokenKind.LINK, username, ttl, by=by)
        return LinkGiven(username=username, secret=secret, expires_utc_ms=row.expires_utc_ms)

    # --- accounts: the system administrator -----------------------------------------------------

    def make(self, body: AccountBody, by: str) -> tuple[Account, LinkGiven] | Refused:
        """A new account and the link by which its owner sets a password."""
        if self._store.find_account(body.username) is not None:
            return _refused(
                Refusal.CONFLICT,
                f"账号 {body.username} 已存在（停用的账号也保留名称）。",
                f"There is an account {body.username} already; a disabled one keeps its name.",
            )
        if len(self._store.accounts(limit=ACCOUNTS_MAX)) >= ACCOUNTS_MAX:
            return _refused(
                Refusal.CONFLICT,
                f"账号数已达上限 {ACCOUNTS_MAX}。",
                f"There are {ACCOUNTS_MAX} accounts; that is the limit.",
            )
        fault = roles_fault(self._accounts.policy, body.roles, body.room_id)
        if fault is not None:
            return Refused(Refusal.INVALID, fault)
        account = Account(
            body.username,
            body.roles,
            body.room_id,
            "",
            grants=body.grants,
            made_utc_ms=self._accounts.clock.utc_ms(),
            made_by=by,
        )
        self._store.put_account(account)
        return account, self._link_for(body.username, by)

    def new_link(self, username: str, by: str) -> LinkGiven | Refused:
        """A new one-time link: the password that was is good until the link is used."""
        account = self._store.find_account(username)
        if account is None:
            return _absent(username)
        if account.disabled:
            return _refused(
                Refusal.CONFLICT, "账号已停用，请先启用。", "The account is disabled; enable it."
            )
        return self._link_for(username, by)

    def set_disabled(self, username: str, by: str, *, disabled: bool) -> Account | Refused:
        """Disable an account: its log-ins, tokens and links end at once; or enable it."""
        with self._deciding:
            return self._set_disabled(username, by, disabled=disabled)

    def _set_disabled(self, username: str, by: str, *, disabled: bool) -> Account | Refused:
        account = self._store.find_account(username)
        if account is None:
            return _absent(username)
        if username == by:
            return _own()
        if disabled:
            lonely = self._last_of(account, ())
            if lonely is not None:
                return lonely
        changed = replace(account, disabled=disabled, version=account.version + 1)
        if not self._store.change_account(changed, account.version):
            return stale()
        if disabled:
            kinds = (TokenKind.LOGIN, TokenKind.API, TokenKind.LINK)
            self._store.drop_tokens(username, kinds)
        return changed

    # --- rights: the security administrator -----------------------------------------------------

    def set_rights(
        self, username: str, body: RightsBody, by: str, version: int | None
    ) -> Account | Refused:
        """Give an account these roles and grants and no others."""
        with self._deciding:
            return self._set_rights(username, body, by, version)

    def _set_rights(
        self, username: str, body: RightsBody, by: str, version: int | None
    ) -> Account | Refused:
        account = self._store.find_account(username)
        if account is None:
            return _absent(username)
        if username == by:
            return _own()
        if version is not None and version != account.version:
            return stale()
        fault = roles_fault(self._accounts.policy, body.roles, body.room_id)
        if fault is not None:
            return Refused(Refusal.INVALID, fault)
        lonely = self._last_of(account, body.roles)
        if lonely is not None:
            return lonely
        changed = replace(
            account,
            roles=body.roles,
            room_id=body.room_id,
            grants=body.grants,
            version=account.version + 1,
        )
        if not self._store.change_account(changed, account.version):
            return stale()
        # Tokens of programs keep no scope that their owner has lost: ``known`` intersects.
        return changed

    def unlock(self, username: str, by: str) -> Account | Refused:
        """Let a locked name log in again now."""
        account = self._store.find_account(username)
        if account is None:
            return _absent(username)
        changed = replace(account, failed=0, locked_until_utc_ms=None, version=account.version + 1)
        return changed if self._store.change_account(changed, account.version) else stale()

    def reset_second_factor(self, username: str, by: str) -> Account | Refused:
        """Take an account's second factor away, because it was lost; its log-ins end."""
        account = self._store.find_account(username)
        if account is None:
            return _absent(username)
        if username == by:
            return _own()
        changed = replace(
            account, totp=None, totp_offered=None, recovery=(), version=account.version + 1
        )
        if not self._store.change_account(changed, account.version):
            return stale()
        self._store.drop_tokens(username, (TokenKind.LOGIN,))
        return changed

    def _last_of(self, account: Account, roles: Iterable[Role]) -> Refused | None:
        """Whether the account is the last living one of an administrator's role it would lose."""
        if account.disabled:
            return None
        kept = set(roles)
        others = {
            role
            for row in self._store.admins()
            if row.username != account.username and not row.disabled
            for role in row.roles
        }
        for role in ADMINS:
            if role in account.roles and role not in kept and role not in others:
                return _refused(
                    Refusal.CONFLICT,
                    f"这是最后一位 {role.value}，不能停用或撤销，请先指定另一位。",
                    f"This is the last {role.value}; appoint another one first.",
                )
        return None

    # --- tokens of programs ---------------------------------------------------------------------

    def make_token(
        self, username: str, name: str, scopes: tuple[str, ...], days: int
    ) -> tuple[str, Token] | Refused:
        """An API token of an account with some of its scopes."""
        account = self._store.find_account(username)
        if account is None or account.disabled:
            return _absent(username)
        allowed = {scope.value for scope in scopes_of(account.roles)}
        wrong = sorted(set(scopes) - allowed)
        if wrong:
            names = ", ".join(wrong)[:200]
            return _refused(
                Refusal.INVALID,
                f"该账号没有这些权限：{names}",
                f"The account itself does not hold: {names}",
            )
        now = self._accounts.clock.utc_ms()
        own = self._store.tokens(username=username, kind=TokenKind.API, now=now)
        if len(own) >= API_TOKENS_MAX:
            return _refused(
                Refusal.CONFLICT,
                f"每个账号最多 {API_TOKENS_MAX} 个令牌，请先吊销不用的。",
                f"An account has at most {API_TOKENS_MAX} tokens; revoke one first.",
            )
        return self._accounts.give(
            TokenKind.API, username, days * DAY_MS, name=name, scopes=tuple(sorted(set(scopes)))
        )

    def drop(self, kind: TokenKind, token_id: str, username: str | None) -> bool:
        """End a log-in or revoke a token by its id; whether there was one."""
        now = self._accounts.clock.utc_ms()
        for row in self._store.tokens(username=username, kind=kind, now=now):
            if row.id == token_id:
                return self._store.drop_token(row.sha256)
        return False

    def view(self, account: Account) -> AccountView:
        """An account as administrators see it."""
        now = self._accounts.clock.utc_ms()
        until = account.locked_until_utc_ms
        return AccountView(
            username=account.username,
            roles=account.roles,
            room_id=account.room_id,
            grants=account.grants,
            disabled=account.disabled,
            locked_until_utc_ms=until if until is not None and until > now else None,
            second_factor=account.totp is not None,
            password_set=bool(account.password_hash),
            external=bool(account.external),
            made_utc_ms=account.made_utc_ms,
            made_by=account.made_by,
            login_utc_ms=account.login_utc_ms,
            version=account.version,
        )

    def required(self, account: Account) -> bool:
        """Whether the profile asks this account for a second factor."""
        return needs_second_factor(self._accounts.policy, account.roles) and not account.external


def _split(body: FirstBody) -> dict[str, tuple[Role, ...]]:
    """The three administrators' roles by name; who has no other holds what is left."""
    roles: dict[str, list[Role]] = {body.username: [Role.SYSTEM_ADMIN]}
    for role, name in (
        (Role.SECURITY_ADMIN, body.security_admin),
        (Role.AUDIT_ADMIN, body.audit_admin),
    ):
        roles.setdefault(name or body.username, []).append(role)
    return {name: tuple(held) for name, held in roles.items()}
