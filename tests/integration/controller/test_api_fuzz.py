"""schemathesis over the OpenAPI as each role: no 5xx, no answer outside it, no right leaked."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.api import BASE, Role
from controller.api.context import Needs
from controller.auth.scopes import SCOPES, Scope
from tests.fakes.controller_site import Bench, bench

AnyCase = Case[Any]

EXAMPLES: Final = 1  # of each operation, each sent as every role
SEED: Final = 20_261_122
ANSWER_S: Final = 10.0
CHECKS: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
ENDLESS: Final = {f"{BASE}/events"}
"""A stream does not end; tests of the hub and of the real process follow it."""
KEEPS_TOKEN: Final = {f"{BASE}/logout"}
"""Log-out would log everybody out for what comes after it."""


def scopes_by_route(app: FastAPI) -> dict[tuple[str, str], frozenset[Scope]]:
    """Which scopes each route asks for: any one of them opens it."""
    found: dict[tuple[str, str], frozenset[Scope]] = {}
    for route in app.routes:
        if not isinstance(route, APIRoute):
            continue
        needs = [row.call for row in _dependencies(route.dependant) if isinstance(row.call, Needs)]
        scopes = frozenset().union(*(row.scopes for row in needs)) if needs else frozenset()
        for verb in route.methods or ():
            found[verb, route.path] = scopes
    return found


def _dependencies(dependant: Any) -> Iterator[Any]:
    for row in dependant.dependencies:
        yield row
        yield from _dependencies(row)


def cases_of(app: FastAPI, examples: int) -> list[AnyCase]:
    """Some requests of each operation, the same in each run."""
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(app.openapi())))
    cases: list[AnyCase] = []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr] # our own document is sound
        if operation.path in ENDLESS | KEEPS_TOKEN:
            continue

        @seed(SEED)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def collect(case: AnyCase) -> None:
            cases.append(case)

        collect()
    return cases


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Bench]:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    made.controller.database.close()


async def token_of(client: httpx.AsyncClient, role: Role) -> str:
    body = {"username": role.value, "password": f"{role.value}-password"}
    answer = await client.post(f"{BASE}/login", json=body)
    assert answer.status_code == 200, (role, answer.text)
    return str(answer.json()["token"])


async def sent(client: httpx.AsyncClient, case: AnyCase, token: str) -> httpx.Response:
    given = case.as_transport_kwargs(base_url="http://controller")
    headers = {
        name: value for name, value in dict(given.pop("headers")).items() if value is not None
    } | {"Authorization": f"Bearer {token}"}
    known = {name: given[name] for name in ("params", "json", "cookies") if given.get(name)}
    if given.get("data") is not None:
        known["content"] = given["data"]
    if given.get("files"):
        known["files"] = given["files"]
    request = client.build_request(given["method"], given["url"], headers=headers, **known)
    await request.aread()  # a check shows it
    async with asyncio.timeout(ANSWER_S):
        return await client.send(request)


async def test_no_request_of_any_role_breaks_the_api(made: Bench) -> None:
    app = made.controller.app
    rows = [
        {"username": role.value, "password": f"{role.value}-password", "roles": [role.value]}
        | ({"room_id": "room-1"} if role is Role.TABLET else {})
        for role in Role
    ]
    made.controller.accounts.bootstrap({"ZEROENTRY_BOOTSTRAP_ACCOUNTS": json.dumps(rows)})
    scopes = scopes_by_route(app)
    wrong: dict[str, str] = {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
        tokens = {role: await token_of(client, role) for role in Role}
        count = 0
        for case in cases_of(app, EXAMPLES):
            path = case.operation.path
            needed = scopes.get((case.method.upper(), path), frozenset())
            for role, token in tokens.items():
                answer = await sent(client, case, token)
                count += 1
                what = f"{case.method} {path} as {role.value}"
                if needed and not needed & SCOPES[role] and answer.status_code < 400:
                    wrong[what] = f"a right leaked: {answer.status_code}"
                try:
                    case.validate_response(answer, checks=list(CHECKS))
                except FailureGroup as found:
                    said = " | ".join(" ".join(str(error).split()) for error in found.exceptions)
                    wrong[f"{case.method} {path} -> {answer.status_code}"] = said[:400]
    assert count > 1_000
    assert wrong == {}, "\n".join(f"{name}: {why}" for name, why in wrong.items())
