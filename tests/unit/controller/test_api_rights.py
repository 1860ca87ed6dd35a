"""Every route asks for a token and for the right; log-in locks; secrets stay where they are."""

import json
import re
from pathlib import Path

import httpx
import pytest

from contracts.api import BASE, Role
from controller.auth.accounts import ACCOUNTS_ENV, FAILED_MAX, LOCK_MS, BootstrapError
from controller.auth.pins import SecretPins, pin_digest, pin_matches
from controller.auth.scopes import SCOPES, Scope
from tests.fakes.controller_site import Bench, bench
from zeroentry.reference.rights_page import rights_page

PUBLIC = {
    ("post", f"{BASE}/login"),
    ("get", f"{BASE}/login/oidc"),
    ("post", f"{BASE}/login/oidc"),
    ("post", f"{BASE}/login/oidc/start"),
    ("post", f"{BASE}/welcome"),
    ("post", f"{BASE}/welcome/ask"),
    ("post", f"{BASE}/welcome/first"),
}
"""Log-in, by whatever way: nobody has a token before it."""
NAMES = {
    "sup": Role.SUPERVISOR,
    "ops": Role.OPS,
    "cook": Role.KITCHEN,
    "tab1": Role.TABLET,
    "panel": Role.DOOR_PANEL,
    "audit": Role.AUDITOR,
}
BODIES: dict[str, dict[str, object]] = {
    f"{BASE}/sessions": {"room_id": "room-1", "title": "T", "admitted": 5},
    f"{BASE}/deliveries": {"room_id": "room-1", "lines": [{"dish": "tea", "count": 1}]},
    f"{BASE}/deliveries/{{delivery_id}}/loaded": {"compartment": 1},
    f"{BASE}/deliveries/{{delivery_id}}/unlock": {"pin": "000000"},
    f"{BASE}/deliveries/{{delivery_id}}/cancel": {"reason": "late"},
    f"{BASE}/alerts/{{alert_id}}/resolve": {"disposition": "test"},
}


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path)


def client_of(made: Bench) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(made.controller.app), base_url="http://controller"
    )


def routes(made: Bench) -> list[tuple[str, str]]:
    paths = made.controller.app.openapi()["paths"]
    return [(verb, path) for path, verbs in paths.items() for verb in verbs]


def filled(path: str) -> str:
    path = path.replace("{room_id}", "room-1").replace("{verb}", "seal")
    path = path.replace("{name}", "package.zip")
    return re.sub(r"\{\w+\}", "nothing", path)


async def test_every_route_but_log_in_refuses_without_a_token(made: Bench) -> None:
    async with client_of(made) as client:
        rows = routes(made)
        assert len(rows) >= 28
        for verb, path in rows:
            if (verb, path) in PUBLIC:
                continue
            answer = await client.request(verb, filled(path), json=BODIES.get(path))
            assert answer.status_code == 401, (verb, path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            for token in ("nonsense", ""):
                headers = {"Authorization": f"Bearer {token}"}
                again = await client.request(
                    verb, filled(path), json=BODIES.get(path), headers=headers
                )
                assert again.status_code == 401, (verb, path)


REFUSED = [
    ("cook", "get", "/alerts"),
    ("cook", "get", "/overview"),
    ("cook", "post", "/deliveries"),
    ("tab1", "get", "/robots"),
    ("tab1", "get", "/alerts"),
    ("tab1", "post", "/deliveries/{delivery_id}/unlock"),
    ("panel", "post", "/deliveries"),
    ("panel", "post", "/sessions"),
    ("audit", "get", "/rooms/{room_id}/media"),
    ("audit", "post", "/alerts/{alert_id}/resolve"),
    ("ops", "post", "/sessions/{session_id}/{verb}"),
    ("sup", "get", "/metrics"),
]


@pytest.mark.parametrize(("name", "verb", "path"), REFUSED)
async def test_roles_are_refused_what_is_not_theirs(
    made: Bench, name: str, verb: str, path: str
) -> None:
    async with client_of(made) as client:
        login = {"username": name, "password": f"{name}-password"}
        token = (await client.post(f"{BASE}/login", json=login)).json()["token"]
        answer = await client.request(
            verb,
            filled(BASE + path),
            json=BODIES.get(BASE + path),
            headers={"Authorization": f"Bearer {token}", "Accept-Language": "zh-CN"},
        )
        assert answer.status_code == 403, answer.text
        assert "权限" in answer.json()["detail"]


def test_every_role_has_scopes_and_none_has_all() -> None:
    assert set(SCOPES) == set(Role)
    assert all(scopes < set(Scope) for scopes in SCOPES.values())


async def test_log_in_locks_after_wrong_passwords_and_opens_again(made: Bench) -> None:
    async with client_of(made) as client:
        for _ in range(FAILED_MAX - 1):
            answer = await client.post(
                f"{BASE}/login", json={"username": "sup", "password": "wrong"}
            )
            assert answer.status_code == 401
        right = {"username": "sup", "password": "sup-password"}
        wrong = {**right, "password": "wrong"}
        assert (await client.post(f"{BASE}/login", json=wrong)).status_code == 429
        locked = await client.post(f"{BASE}/login", json=right)
        assert locked.status_code == 429
        assert int(locked.headers["retry-after"]) > 0
        made.clock.advance_ms(LOCK_MS + 1)
        assert (await client.post(f"{BASE}/login", json=right)).status_code == 200


async def test_a_token_ends_with_log_out_and_is_stored_as_a_digest(
    made: Bench, tmp_path: Path
) -> None:
    async with client_of(made) as client:
        login = {"username": "sup", "password": "sup-password"}
        token = (await client.post(f"{BASE}/login", json=login)).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        assert (await client.get(f"{BASE}/me")).json()["username"] == "sup"
        stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("controller.db*"))
        assert token.encode() not in stored
        assert b"sup-password" not in stored
        assert (await client.post(f"{BASE}/logout")).status_code == 204
        assert (await client.get(f"{BASE}/me")).status_code == 401


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("post", "/sessions", {"room_id": "room-1"}, 422),
        ("post", "/sessions", {**BODIES[f"{BASE}/sessions"], "extra": 1}, 422),
        ("get", "/alerts?limit=0", None, 422),
        ("get", "/alerts?before=x", None, 422),
        ("get", "/alerts/nothing", None, 404),
        ("get", "/sessions/nothing", None, 404),
        ("get", "/deliveries/nothing", None, 404),
        ("get", "/rooms/nothing", None, 404),
        ("get", "/nothing", None, 404),
        ("post", "/sessions/nothing/explode", None, 404),
        ("get", "/sessions/nothing/report.html?lang=fr", None, 422),
    ],
)
async def test_bad_requests_are_problems_that_say_what(
    made: Bench, verb: str, path: str, body: object, status: int
) -> None:
    async with client_of(made) as client:
        login = {"username": "sup", "password": "sup-password"}
        token = (await client.post(f"{BASE}/login", json=login)).json()["token"]
        answer = await client.request(
            verb, BASE + path, json=body, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == status, answer.text
        problem = answer.json()
        assert problem["status"] == status
        assert problem["detail"]
        if status == 422:
            assert problem["errors"]


async def test_a_large_body_is_refused_before_it_is_read(made: Bench) -> None:
    async with client_of(made) as client:
        answer = await client.post(f"{BASE}/login", content=b"x" * 70_000)
        assert answer.status_code == 413


def test_bootstrap_says_what_is_wrong_and_never_the_password(made: Bench) -> None:
    bad = json.dumps([{"username": "x", "password": "hunter2", "roles": ["supervisor"]}])
    with pytest.raises(BootstrapError) as refused:
        made.controller.accounts.bootstrap({ACCOUNTS_ENV: bad})
    assert "password" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_pins_are_six_digits_and_kept_as_slow_salted_hashes() -> None:
    pin = SecretPins().new_pin()
    assert re.fullmatch(r"[0-9]{6}", pin)
    digest = pin_digest(pin)
    assert pin not in digest
    assert digest != pin_digest(pin)
    assert pin_matches(pin, digest)
    assert not pin_matches("x" + pin[1:], digest)


def test_the_table_of_rights_holds_every_route_and_the_public_ones_are_known(made: Bench) -> None:
    rows = rights_page().splitlines()
    told = {tuple(row.split(" | ")[:3]) for row in rows if row.startswith("| ")}
    public = set()
    for verb, path in routes(made):
        short = f"`{path.removeprefix(BASE)}`"
        found = [row for row in told if row[:2] == (f"| {verb.upper()}", short)]
        assert len(found) == 1, (verb, path)
        if found[0][2] == "public":
            public.add((verb, path))
    assert public == PUBLIC
