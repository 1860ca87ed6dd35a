"""Stores and reads accounts, and the digests of the secrets that were given away."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from contracts.api import Role
from contracts.api.accounts import ADMINS, Grants
from contracts.units import UtcMs
from controller.ports import Account, Token, TokenKind
from controller.store import schema


def find(connection: Connection, username: str) -> Account | None:
    """The account of this name."""
    table = schema.ACCOUNT
    row = connection.execute(select(table).where(table.c.username == username)).one_or_none()
    return None if row is None else _account(row)


def find_external(connection: Connection, external: str) -> Account | None:
    """The account of this subject at an identity provider."""
    table = schema.ACCOUNT
    row = connection.execute(select(table).where(table.c.external == external)).first()
    return None if row is None else _account(row)


def page(connection: Connection, *, after: str, limit: int) -> tuple[Account, ...]:
    """Accounts behind a name, by name."""
    table = schema.ACCOUNT
    query = select(table).where(table.c.username > after).order_by(table.c.username).limit(limit)
    return tuple(_account(row) for row in connection.execute(query))


def admins(connection: Connection) -> tuple[Account, ...]:
    """All that hold one of the administrators' roles."""
    rows = (_account(row) for row in connection.execute(select(schema.ACCOUNT)))
    return tuple(row for row in rows if set(row.roles) & set(ADMINS))


def put(connection: Connection, account: Account) -> None:
    """Add or replace an account."""
    table = schema.ACCOUNT
    values = account_row(account)
    query = update(table).where(table.c.username == account.username)
    if connection.execute(query, values).rowcount == 0:
        connection.execute(insert(table), values)


def fail(connection: Connection, username: str, failed_max: int, until: UtcMs) -> UtcMs | None:
    """Count a wrong log-in; at ``failed_max`` lock the name: returns until when."""
    table = schema.ACCOUNT
    mine = table.c.username == username
    failed = int(connection.execute(select(table.c.failed).where(mine)).scalar() or 0) + 1
    locks = failed >= failed_max
    values = {"failed": 0, "locked_until_utc_ms": until} if locks else {"failed": failed}
    connection.execute(update(table).where(mine), values)
    return until if locks else None


def admit(connection: Connection, username: str, now: UtcMs) -> bool:
    """Forget wrong log-ins; False when it was locked or disabled meanwhile."""
    table = schema.ACCOUNT
    until = func.coalesce(table.c.locked_until_utc_ms, 0)
    query = update(table).where(table.c.username == username, ~table.c.disabled, until <= now)
    values = {"failed": 0, "locked_until_utc_ms": None, "login_utc_ms": now}
    return connection.execute(query, values).rowcount == 1


def change(connection: Connection, account: Account, version: int) -> bool:
    """Replace an account of this version; whether it was there."""
    table = schema.ACCOUNT
    values = account_row(account)
    query = update(table).where(table.c.username == account.username, table.c.version == version)
    return connection.execute(query, values).rowcount == 1


def account_row(account: Account) -> dict[str, Any]:
    """An account as its table keeps it."""
    return {
        "username": account.username,
        "roles": json.dumps([role.value for role in account.roles]),
        "room_id": account.room_id,
        "password_hash": account.password_hash,
        "failed": account.failed,
        "locked_until_utc_ms": account.locked_until_utc_ms,
        "disabled": account.disabled,
        "grants": account.grants.model_dump_json(),
        "must_change": account.must_change,
        "totp": account.totp,
        "totp_offered": account.totp_offered,
        "totp_step": account.totp_step,
        "recovery": json.dumps(account.recovery),
        "past_hashes": json.dumps(account.past_hashes),
        "external": account.external,
        "made_utc_ms": account.made_utc_ms,
        "made_by": account.made_by,
        "password_utc_ms": account.password_utc_ms,
        "login_utc_ms": account.login_utc_ms,
        "version": account.version,
    }


def _account(row: Row[Any]) -> Account:
    return Account(
        username=row.username,
        roles=tuple(Role(role) for role in json.loads(row.roles)),
        room_id=row.room_id,
        password_hash=row.password_hash,
        failed=row.failed,
        locked_until_utc_ms=row.locked_until_utc_ms,
        disabled=bool(row.disabled),
        grants=Grants.model_validate_json(row.grants),
        must_change=bool(row.must_change),
        totp=row.totp,
        totp_offered=row.totp_offered,
        totp_step=row.totp_step,
        recovery=tuple(json.loads(row.recovery)),
        past_hashes=tuple(json.loads(row.past_hashes)),
        external=row.external,
        made_utc_ms=row.made_utc_ms,
        made_by=row.made_by,
        password_utc_ms=row.password_utc_ms,
        login_utc_ms=row.login_utc_ms,
        version=row.version,
    )


def add_token(connection: Connection, token: Token, now: UtcMs) -> None:
    """Keep a digest; expired ones are forgotten on the way."""
    table = schema.TOKEN
    connection.execute(delete(table).where(table.c.expires_utc_ms <= now))
    values = {
        "sha256": token.sha256,
        "username": token.username,
        "expires_utc_ms": token.expires_utc_ms,
        "id": token.id,
        "kind": token.kind.value,
        "name": token.name,
        "scopes": None if token.scopes is None else json.dumps(token.scopes),
        "made_utc_ms": token.made_utc_ms,
        "used_utc_ms": token.used_utc_ms,
        "address": token.address,
        "agent": token.agent,
    }
    connection.execute(insert(table), values)


def find_token(connection: Connection, sha256: str, now: UtcMs) -> Token | None:
    """What this digest belongs to, while it lives."""
    table = schema.TOKEN
    query = select(table).where(table.c.sha256 == sha256, table.c.expires_utc_ms > now)
    row = connection.execute(query).one_or_none()
    return None if row is None else _token(row)


def tokens(
    connection: Connection, *, username: str | None, kind: TokenKind, now: UtcMs
) -> tuple[Token, ...]:
    """Living ones of a kind, newest first."""
    table = schema.TOKEN
    query = select(table).where(table.c.kind == kind.value, table.c.expires_utc_ms > now)
    if username is not None:
        query = query.where(table.c.username == username)
    rows = connection.execute(query.order_by(table.c.made_utc_ms.desc(), table.c.id))
    return tuple(_token(row) for row in rows)


def touch_token(connection: Connection, sha256: str, used_utc_ms: UtcMs) -> None:
    """It was used."""
    table = schema.TOKEN
    query = update(table).where(table.c.sha256 == sha256)
    connection.execute(query, {"used_utc_ms": used_utc_ms})


def drop_token(connection: Connection, sha256: str) -> bool:
    """Forget one; whether it was there."""
    table = schema.TOKEN
    return connection.execute(delete(table).where(table.c.sha256 == sha256)).rowcount == 1


def drop_tokens(
    connection: Connection, username: str, kinds: Sequence[TokenKind], but: str | None
) -> int:
    """Forget an account's, but this digest; how many."""
    table = schema.TOKEN
    query = delete(table).where(
        table.c.username == username, table.c.kind.in_([kind.value for kind in kinds])
    )
    if but is not None:
        query = query.where(table.c.sha256 != but)
    return int(connection.execute(query).rowcount)


def _token(row: Row[Any]) -> Token:
    return Token(
        sha256=row.sha256,
        id=row.id,
        kind=TokenKind(row.kind),
        username=row.username,
        made_utc_ms=row.made_utc_ms,
        used_utc_ms=row.used_utc_ms,
        expires_utc_ms=row.expires_utc_ms,
        name=row.name,
        scopes=None if row.scopes is None else tuple(json.loads(row.scopes)),
        address=row.address,
        agent=row.agent,
    )
