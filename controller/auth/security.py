"""Holds everything that guards the API: accounts, rights, audit, break-glass, the provider."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import structlog
from argon2 import PasswordHasher

from contracts.api.audit import AuditHead, AuditLine
from contracts.units import UtcMs
from controller.auth.accounts import Accounts
from controller.auth.audit import AuditLog
from controller.auth.factors import open_box
from controller.auth.glass import Glass, GlassStore
from controller.auth.oidc import Oidc
from controller.auth.people import People
from controller.auth.policy import SecuritySettings
from controller.ports import AccountStore, AuditStore, Blocking
from runtime.clock import Clock
from runtime.signing import SigningKey

log = structlog.get_logger(__name__)


class AuditReader(AuditStore, GlassStore, Protocol):
    """What is read of the audit log. Methods block."""

    def audit_first(self) -> int: ...

    def audit_page(
        self,
        *,
        before: int | None,
        limit: int,
        by: str = "",
        what: str = "",
        subject: str = "",
        since: UtcMs | None = None,
        until: UtcMs | None = None,
    ) -> tuple[AuditLine, ...]: ...

    def audit_lines(self, after: int, limit: int) -> tuple[str, ...]: ...

    def audit_heads(self, *, limit: int) -> tuple[AuditHead, ...]: ...


@dataclass(frozen=True, slots=True)
class Security:
    """What guards the API."""

    policy: SecuritySettings
    accounts: Accounts
    people: People
    audit: AuditLog
    audit_store: AuditReader
    glass: Glass
    oidc: Oidc | None
    data_dir: Path

    async def run(self) -> None:
        """Tend the audit log until cancelled."""
        await self.audit.run()


def security_of(  # noqa: PLR0913  # everything is passed by argument
    policy: SecuritySettings,
    data_dir: Path,
    accounts: AccountStore,
    audit: AuditReader,
    clock: Clock,
    *,
    hasher: PasswordHasher,
    key: SigningKey,
    http: httpx.AsyncClient,
    oidc_secret: str = "",
    blocking: Blocking = asyncio.to_thread,
) -> Security:
    """Put it together.

    Raises:
        FactorKeyError: the key of the second factors cannot be used.
        StoreLost: the database is away.
    """
    kept = Accounts(accounts, clock, hasher, policy, open_box(data_dir))
    oidc = None if policy.oidc is None else Oidc(policy.oidc, oidc_secret, http, clock)
    return Security(
        policy=policy,
        accounts=kept,
        people=People(kept),
        audit=AuditLog(audit, clock, key, policy.audit_days, blocking),
        audit_store=audit,
        glass=Glass(audit, clock, policy.break_glass_max_min),
        oidc=oidc,
        data_dir=data_dir,
    )
