"""Accounts: made by one-time links, guarded by policy and second factors, kept apart."""

from pathlib import Path

import pytest

from contracts.api import Role
from contracts.api.accounts import MUST, SECOND_FACTOR
from controller.auth import factors
from controller.auth.first_link import leave_first_link
from controller.auth.policy import Profile, SecuritySettings, password_fault, roles_fault
from tests.fakes.security import (
    GOOD,
    OTHER,
    client_of,
    code_of,
    empty,
    guarded,
    logged_in,
    next_code,
    person,
)

L3 = Profile.LEVEL3
SECRET = "JBSWY3DPEHPK3PXP"


async def test_the_first_link_makes_the_first_administrator_once(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    empty(made)
    shown: list[str] = []
    path = leave_first_link(
        made.controller.security.people, tmp_path, "http://console", shown.append
    )
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().strip() == shown[0]
    secret = shown[0].partition("/welcome#")[2]
    async with client_of(made) as client:
        asked = (await client.post("/welcome/ask", json={"secret": secret})).json()
        assert asked["first"] is True
        body = {"secret": secret, "username": "root.wang", "password": "root.wang2026"}
        weak = await client.post("/welcome/first", json=body)
        assert weak.status_code == 422
        assert "user name" in weak.json()["detail"]
        done = await client.post("/welcome/first", json={**body, "password": GOOD})
        assert done.status_code == 201, done.text
        assert set(done.json()["user"]["roles"]) == {
            "system_admin",
            "security_admin",
            "audit_admin",
        }
        again = await client.post("/welcome/first", json={**body, "password": GOOD})
        assert again.status_code == 404
    assert leave_first_link(made.controller.security.people, tmp_path, "http://c", None) is None
    assert not path.exists()
    await (await logged_in(made, "root.wang")).aclose()


async def test_a_link_ends_after_its_time_and_is_used_once(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    person(made, "boss", Role.SYSTEM_ADMIN)
    boss = await logged_in(made, "boss")
    given = (await boss.post("/accounts", json={"username": "li"})).json()["link"]["secret"]
    async with client_of(made) as client:
        body = {"secret": given, "password": GOOD}
        assert (await client.post("/login", json={"username": "li", "password": GOOD})
                ).status_code == 401  # fmt: skip
        assert (await client.post("/welcome", json=body)).status_code == 204
        assert (await client.post("/welcome", json={**body, "password": OTHER})).status_code == 404
        await (await logged_in(made, "li")).aclose()
        late = (await boss.post("/accounts/li/link")).json()["secret"]
        made.clock.advance_ms(24 * 3_600_000)
        assert (await client.post("/welcome", json={"secret": late, "password": OTHER})
                ).status_code == 404  # fmt: skip
    await boss.aclose()


async def test_level_3_needs_three_people_at_the_start(tmp_path: Path) -> None:
    made = guarded(tmp_path, L3)
    empty(made)
    given = made.controller.security.people.first_link()
    assert given is not None
    body = {"secret": given[0], "username": "sys", "password": GOOD}
    async with client_of(made) as client:
        assert (await client.post("/welcome/first", json=body)).status_code == 422
        twice = {**body, "security_admin": "sec", "audit_admin": "sec"}
        assert (await client.post("/welcome/first", json=twice)).status_code == 422
        three = {**body, "security_admin": "sec", "audit_admin": "aud"}
        done = (await client.post("/welcome/first", json=three)).json()
        assert [row["username"] for row in done["links"]] == ["sec", "aud"]
        for row in done["links"]:
            answer = await client.post(
                "/welcome", json={"secret": row["secret"], "password": OTHER}
            )
            assert answer.status_code == 204


async def test_level_3_lets_nobody_do_anything_before_the_second_factor(tmp_path: Path) -> None:
    made = guarded(tmp_path, L3)
    person(made, "wu", Role.SUPERVISOR)
    wu = await logged_in(made, "wu")
    assert (await wu.get("/me")).json()["must"] == ["enrol_second_factor"]
    refused = await wu.get("/overview")
    assert (refused.status_code, refused.json()["type"]) == (403, MUST)
    token = await wu.post("/account/tokens", json={"name": "way round", "scopes": ["overview"]})
    assert token.status_code == 403
    offer = (await wu.post("/account/second-factor")).json()
    assert offer["uri"].startswith("otpauth://totp/Zero%20Entry:wu")
    assert "<svg" in offer["qr_svg"]
    wrong = await wu.post("/account/second-factor/confirm", json={"code": "000000"})
    assert wrong.status_code == 403
    code = code_of(made, offer["secret"])
    done = await wu.post("/account/second-factor/confirm", json={"code": code})
    recovery = done.json()["codes"]
    assert len(set(recovery)) == factors.RECOVERY_CODES
    assert (await wu.get("/overview")).status_code == 200
    async with client_of(made) as client:
        body = {"username": "wu", "password": GOOD}
        missing = await client.post("/login", json=body)
        assert (missing.status_code, missing.json()["type"]) == (401, SECOND_FACTOR)
        replayed = await client.post("/login", json={**body, "code": code})
        assert (replayed.status_code, replayed.json()["type"]) == (401, SECOND_FACTOR)
        next_code(made)
        fresh = code_of(made, offer["secret"])
        assert (await client.post("/login", json={**body, "code": fresh})).status_code == 200
        assert (await client.post("/login", json={**body, "code": fresh})).status_code == 401
        spare = {**body, "code": recovery[0].upper()}
        assert (await client.post("/login", json=spare)).status_code == 200
        assert (await client.post("/login", json=spare)).status_code == 401
    assert (await wu.get("/account")).json()["recovery_codes_left"] == len(recovery) - 1
    await wu.aclose()


async def test_a_secret_is_sealed_to_its_account(tmp_path: Path) -> None:
    box = factors.open_box(tmp_path)
    sealed = box.seal("wu", SECRET)
    assert SECRET not in sealed
    assert box.opened("wu", sealed) == SECRET
    assert box.opened("li", sealed) is None
    assert factors.open_box(tmp_path).opened("wu", sealed) == SECRET
    (tmp_path / factors.KEY_FILE).chmod(0o644)
    with pytest.raises(factors.FactorKeyError, match="second-factors"):
        factors.open_box(tmp_path)


async def test_an_unused_log_in_ends_and_a_long_one_too(tmp_path: Path) -> None:
    made = guarded(tmp_path, idle_min=30)
    idle, busy = (
        await logged_in(made, "sup", "sup-password"),
        await logged_in(made, "sup", "sup-password"),
    )
    for _ in range(12 * 60 // 20 - 1):
        made.clock.advance_ms(20 * 60_000)
        assert (await busy.get("/me")).status_code == 200
    assert (await idle.get("/me")).status_code == 401
    made.clock.advance_ms(20 * 60_000)
    assert (await busy.get("/me")).status_code == 401
    await idle.aclose()
    await busy.aclose()


async def test_a_new_password_ends_the_other_log_ins(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    person(made, "chen", Role.OPS)
    here, there = await logged_in(made, "chen"), await logged_in(made, "chen")
    rows = (await here.get("/account/logins")).json()
    assert [row["current"] for row in rows].count(True) == 1
    wrong = await here.post("/account/password", json={"old": OTHER, "new": OTHER})
    assert wrong.status_code == 403
    same = await here.post("/account/password", json={"old": GOOD, "new": GOOD})
    assert same.status_code == 422
    assert (await here.post("/account/password", json={"old": GOOD, "new": OTHER})
            ).status_code == 204  # fmt: skip
    assert (await here.get("/me")).status_code == 200
    assert (await there.get("/me")).status_code == 401
    third = await logged_in(made, "chen", OTHER)
    own = [row["id"] for row in (await here.get("/account/logins")).json() if not row["current"]]
    assert (await here.delete(f"/account/logins/{own[0]}")).status_code == 204
    assert (await third.get("/me")).status_code == 401
    for client in (here, there, third):
        await client.aclose()


async def test_many_guesses_at_once_are_as_many_wrong_ones(tmp_path: Path) -> None:
    import asyncio

    made = guarded(tmp_path)
    person(made, "zhao", Role.OPS)
    async with client_of(made) as client:
        wrong = {"username": "zhao", "password": "wrong"}
        answers = await asyncio.gather(*(client.post("/login", json=wrong) for _ in range(8)))
        assert 429 in {row.status_code for row in answers}
        right = await client.post("/login", json={"username": "zhao", "password": GOOD})
        assert right.status_code == 429
    person(made, "sec", Role.SECURITY_ADMIN)
    sec = await logged_in(made, "sec")
    assert (await sec.get("/accounts/zhao")).json()["locked_until_utc_ms"]
    assert (await sec.post("/accounts/zhao/unlock")).status_code == 200
    await (await logged_in(made, "zhao")).aclose()
    await sec.aclose()


async def test_an_address_that_guesses_names_waits_and_others_do_not(tmp_path: Path) -> None:
    made = guarded(tmp_path, address_failed_max=5)
    async with client_of(made, "10.0.0.9") as guesser, client_of(made, "10.0.0.8") as other:
        for number in range(5):
            body = {"username": f"name{number}", "password": "x"}
            assert (await guesser.post("/login", json=body)).status_code == 401
        right = {"username": "sup", "password": "sup-password"}
        assert (await guesser.post("/login", json=right)).status_code == 429
        assert (await other.post("/login", json=right)).status_code == 200


async def test_nobody_changes_his_own_rights_and_the_last_one_stays(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    person(made, "sys", Role.SYSTEM_ADMIN)
    person(made, "sec", Role.SECURITY_ADMIN)
    sys_, sec = await logged_in(made, "sys"), await logged_in(made, "sec")
    own = await sec.put("/accounts/sec/rights", json={"roles": ["supervisor"]})
    assert own.status_code == 403
    assert (await sys_.post("/accounts/sys/disable")).status_code == 403
    assert (await sys_.post("/accounts/sec/disable")).status_code == 409
    assert (await sec.put("/accounts/sys/rights", json={"roles": []})).status_code == 409
    assert (await sys_.put("/accounts/sup/rights", json={"roles": ["ops"]})).status_code == 403
    assert (await sec.post("/accounts", json={"username": "x"})).status_code == 403
    gives = await sys_.post("/accounts", json={"username": "x", "roles": ["ops"]})
    assert gives.status_code == 403
    person(made, "sec2", Role.SECURITY_ADMIN)
    assert (await sys_.post("/accounts/sec/disable")).status_code == 200
    assert (await sec.get("/me")).status_code == 401
    await sys_.aclose()
    await sec.aclose()


async def test_rights_are_given_to_what_was_read(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    person(made, "sec", Role.SECURITY_ADMIN)
    sec = await logged_in(made, "sec")
    tag = (await sec.get("/accounts/ops")).headers["etag"]
    body = {"roles": ["ops"], "grants": {"rooms": ["room-2"], "picture": False}}
    url = "/accounts/ops/rights"
    assert (await sec.put(url, json=body, headers={"If-Match": tag})).status_code == 200
    assert (await sec.put(url, json=body, headers={"If-Match": tag})).status_code == 412
    ops = await logged_in(made, "ops", "ops-password")
    assert [row["id"] for row in (await ops.get("/rooms")).json()] == ["room-2"]
    assert (await ops.get("/rooms/room-1")).status_code == 404
    assert (await ops.get("/rooms/room-1/media")).status_code == 404
    assert (await ops.get("/rooms/room-2/media")).status_code == 403
    assert [row["id"] for row in (await ops.get("/overview")).json()["rooms"]] == ["room-2"]
    await ops.aclose()
    await sec.aclose()


async def test_a_programs_token_holds_what_it_was_given_and_not_more(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    sup = await logged_in(made, "sup", "sup-password")
    too_much = await sup.post("/account/tokens", json={"name": "n", "scopes": ["audit"]})
    assert too_much.status_code == 422
    body = {"name": "wall display", "scopes": ["rooms"], "days": 1}
    given = (await sup.post("/account/tokens", json=body)).json()
    assert given["token"] not in (await sup.get("/account/tokens")).text
    async with client_of(made) as program:
        program.headers["Authorization"] = f"Bearer {given['token']}"
        assert (await program.get("/rooms")).status_code == 200
        assert (await program.get("/overview")).status_code == 403
        assert (await program.get("/account")).status_code == 403
        person(made, "sec", Role.SECURITY_ADMIN)
        sec = await logged_in(made, "sec")
        await sec.put("/accounts/sup/rights", json={"roles": ["kitchen"]})
        assert (await program.get("/rooms")).status_code == 403
        await sec.put("/accounts/sup/rights", json={"roles": ["supervisor"]})
        assert (await program.get("/rooms")).status_code == 200
        listed = (await sec.get("/tokens")).json()
        assert [row["used_utc_ms"] is not None for row in listed] == [True]
        assert (await sec.delete(f"/tokens/{listed[0]['id']}")).status_code == 204
        assert (await program.get("/rooms")).status_code == 401
        again = (await sup.post("/account/tokens", json=body)).json()["token"]
        program.headers["Authorization"] = f"Bearer {again}"
        made.clock.advance_ms(86_400_000)
        assert (await program.get("/rooms")).status_code == 401
        await sec.aclose()
    await sup.aclose()


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("short", "at least 12"),
        ("li.wei-2026-x", "user name"),
        ("aaaaaaaaaaaaaaaa", "repeats itself"),
        ("Password123456!", "tried first"),
        ("admin888888admin", "tried first"),
        (GOOD, None),
        ("评标室的钥匙在湖底下面呢", None),
    ],
)
def test_passwords_are_judged(password: str, says: str | None) -> None:
    fault = password_fault(SecuritySettings(profile=L3), "li.wei", password)
    assert (fault is None) if says is None else (fault is not None and says in fault.en)


@pytest.mark.parametrize(
    ("roles", "good"),
    [
        ([Role.SYSTEM_ADMIN], True),
        ([Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN], False),
        ([Role.SECURITY_ADMIN, Role.SUPERVISOR], False),
        ([Role.SUPERVISOR, Role.DUTY_OFFICER], True),
        ([Role.SUPERVISOR, Role.TABLET], False),
    ],
)
def test_level_3_keeps_roles_apart_and_level_2_does_not(roles: list[Role], *, good: bool) -> None:
    assert (roles_fault(SecuritySettings(profile=L3), roles, "room-1") is None) is good
    assert roles_fault(SecuritySettings(), roles, "room-1") is None
