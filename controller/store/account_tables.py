"""Keeps accounts, secrets given away, the audit log and break-glass requests in the database."""

from collections.abc import Sequence

from contracts.api.accounts import GlassView
from contracts.api.audit import AuditHead, AuditLine
from contracts.units import UtcMs
from controller.ports import Account, Token, TokenKind
from controller.store import accounts, audit
from controller.store.database import Database


class AccountTables:
    """``ports.AccountStore`` on the controller's database. Methods block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_account(self, username: str) -> Account | None:
        return self._database.read(lambda link: accounts.find(link, username))

    def find_external(self, external: str) -> Account | None:
        return self._database.read(lambda link: accounts.find_external(link, external))

    def accounts(self, *, after: str = "", limit: int) -> tuple[Account, ...]:
        return self._database.read(lambda link: accounts.page(link, after=after, limit=limit))

    def admins(self) -> tuple[Account, ...]:
        return self._database.read(accounts.admins)

    def put_account(self, account: Account) -> None:
        self._database.write(lambda link: accounts.put(link, account))

    def fail_account(self, username: str, failed_max: int, until: UtcMs) -> UtcMs | None:
        return self._database.write(lambda link: accounts.fail(link, username, failed_max, until))

    def admit_account(self, username: str, now: UtcMs) -> bool:
        return self._database.write(lambda link: accounts.admit(link, username, now))

    def change_account(self, account: Account, version: int) -> bool:
        return self._database.write(lambda link: accounts.change(link, account, version))

    def add_token(self, token: Token, now: UtcMs) -> None:
        self._database.write(lambda link: accounts.add_token(link, token, now))

    def find_token(self, sha256: str, now: UtcMs) -> Token | None:
        return self._database.read(lambda link: accounts.find_token(link, sha256, now))

    def tokens(self, *, username: str | None, kind: TokenKind, now: UtcMs) -> tuple[Token, ...]:
        return self._database.read(
            lambda link: accounts.tokens(link, username=username, kind=kind, now=now)
        )

    def touch_token(self, sha256: str, used_utc_ms: UtcMs) -> None:
        self._database.write(lambda link: accounts.touch_token(link, sha256, used_utc_ms))

    def drop_token(self, sha256: str) -> bool:
        return self._database.write(lambda link: accounts.drop_token(link, sha256))

    def drop_tokens(
        self, username: str, kinds: Sequence[TokenKind], *, but: str | None = None
    ) -> int:
        return self._database.write(lambda link: accounts.drop_tokens(link, username, kinds, but))


class AuditTables:
    """``ports.AuditStore`` on the controller's database. Methods block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def audit_end(self) -> tuple[int, str]:
        return self._database.read(audit.end)

    def audit_first(self) -> int:
        """Number of the oldest line kept; 0 when there is none."""
        return self._database.read(audit.first)

    def add_audit(self, lines: Sequence[AuditLine], heads: Sequence[AuditHead]) -> None:
        self._database.write(lambda link: audit.add(link, lines, heads))

    def cut_audit(self, before_utc_ms: UtcMs) -> int:
        return self._database.write(lambda link: audit.cut(link, before_utc_ms))

    def audit_page(  # one argument for each thing to search by
        self,
        *,
        before: int | None,
        limit: int,
        by: str = "",
        what: str = "",
        subject: str = "",
        since: UtcMs | None = None,
        until: UtcMs | None = None,
    ) -> tuple[AuditLine, ...]:
        """Lines with numbers below ``before``, newest first."""
        return self._database.read(
            lambda link: audit.page(
                link,
                before=before,
                limit=limit,
                by=by,
                what=what,
                subject=subject,
                since=since,
                until=until,
            )
        )

    def audit_lines(self, after: int, limit: int) -> tuple[str, ...]:
        """Lines behind a number, oldest first, as they were hashed."""
        return self._database.read(lambda link: audit.lines_after(link, after, limit))

    def audit_heads(self, *, limit: int) -> tuple[AuditHead, ...]:
        """The newest signed heads first."""
        return self._database.read(lambda link: audit.heads(link, limit=limit))

    def put_glass(self, glass: GlassView) -> None:
        """Add or replace a break-glass request."""
        self._database.write(lambda link: audit.put_glass(link, glass))

    def glasses(self) -> tuple[GlassView, ...]:
        """The newest break-glass requests, oldest of them first."""
        return self._database.read(audit.glasses)
