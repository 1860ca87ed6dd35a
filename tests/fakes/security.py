"""A controller with a security profile, people who log in there, and their authenticators."""

import json
from pathlib import Path

import httpx
import pyotp

from contracts.api import BASE, Role
from contracts.units import UtcMs
from controller.auth.policy import Profile, SecuritySettings
from controller.ports import Account
from runtime.clock import SimulatedClock
from tests.fakes.controller_site import NO_LIMITS, Bench, bench, cheap_hasher

GOOD = "violet tractor 88 lakes"
OTHER = "seven quiet herons 31"
BEGIN_MS = 1_800_000_000_000


def guarded(tmp_path: Path, profile: Profile = Profile.LEVEL2, **settings: object) -> Bench:
    """A bench with this profile."""
    policy = SecuritySettings.model_validate({"profile": profile, "rate": NO_LIMITS, **settings})
    clock = SimulatedClock()
    clock.step_utc_ms(BEGIN_MS - int(clock.utc_ms()))
    return bench(tmp_path, security=policy, clock=clock)


def empty(made: Bench) -> None:
    """Nobody has an account there any more."""
    made.controller.database.write(lambda link: link.exec_driver_sql("DELETE FROM account"))


def person(made: Bench, username: str, *roles: Role, totp: str | None = None) -> None:
    """An account with the password ``GOOD``."""
    accounts = made.controller.accounts
    sealed = accounts.box.seal(username, totp) if totp else None
    accounts.store.put_account(
        Account(username, roles, None, cheap_hasher().hash(GOOD), totp=sealed)
    )


def client_of(made: Bench, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client without a token."""
    transport = httpx.ASGITransport(made.controller.app, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url=f"http://controller{BASE}")


async def logged_in(
    made: Bench, username: str, password: str = GOOD, code: str | None = None
) -> httpx.AsyncClient:
    """A client with a token."""
    client = client_of(made)
    body = {"username": username, "password": password} | ({"code": code} if code else {})
    answer = await client.post("/login", json=body)
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


def code_of(made: Bench, secret: str) -> str:
    """What the authenticator shows now."""
    return pyotp.TOTP(secret).at(int(made.clock.utc_ms()) // 1_000)


def next_code(made: Bench) -> UtcMs:
    """Wait until the authenticator shows another code."""
    made.clock.advance_ms(30_000)
    return made.clock.utc_ms()


def audit_lines(made: Bench) -> list[dict[str, object]]:
    """Every line, oldest first."""
    rows = made.controller.security.audit_store.audit_lines(0, 10_000)
    return [json.loads(row) for row in rows]
