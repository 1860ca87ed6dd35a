"""Accounts on real processes: one-time link, second factor, rights, break-glass, audit log."""

import pyotp
import pytest
from playwright.async_api import Page, expect

from client import ApiClient, RefusedError
from contracts.api import Role
from contracts.api.accounts import AccountBody, RightsBody
from runtime.clock import SystemClock
from tests.fakes.office import PHONE, Office
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

GOOD = "violet tractor 88 lakes"


async def made(office: Office, name: str, *roles: Role) -> str:
    """A new account; gives its one-time secret. It may be there from a test before."""
    api = await office.client(Role.SYSTEM_ADMIN)
    try:
        secret = (await api.make_account(AccountBody(username=name))).link.secret
    except RefusedError:
        secret = (await api.account_link(name)).secret
    security = await office.client(Role.SECURITY_ADMIN)
    found = (await security.accounts()).items
    version = next(row.version for row in found if row.username == name)
    await security.give_rights(name, RightsBody(roles=roles), version)
    return secret


async def sign_in(page: Page, name: str, password: str) -> None:
    await page.get_by_test_id("login-username").fill(name)
    await page.get_by_test_id("login-password").fill(password)
    await page.get_by_test_id("login-submit").click()


async def fresh_code(secret: str, used: str = "") -> str:
    """A code that was not used yet; waits for the authenticator to show another."""
    clock, code = SystemClock(), used

    def new() -> bool:
        nonlocal code
        code = pyotp.TOTP(secret).at(int(clock.utc_ms()) // 1_000)
        return code != used

    await until(new, within_s=32, what="the authenticator shows another code")
    return code


async def test_a_link_a_password_and_a_second_factor_lead_to_the_wall(office: Office) -> None:
    secret = await made(office, "li.wei", Role.SUPERVISOR)
    page = await office.visit(f"/welcome#{secret}", language="zh")
    await expect(page.get_by_test_id("welcome")).to_have_attribute("data-state", "ready")
    assert secret not in page.url
    await page.get_by_test_id("welcome-password").fill("li.wei2026")
    await page.get_by_test_id("welcome-again").fill("li.wei2026")
    await page.get_by_test_id("welcome-submit").click()
    await expect(page.get_by_test_id("welcome-problem")).to_contain_text("用户名")
    await office.shoot(page, "welcome-zh")
    await page.get_by_test_id("welcome-password").fill(GOOD)
    await page.get_by_test_id("welcome-again").fill(GOOD)
    await page.get_by_test_id("welcome-submit").click()
    await page.get_by_test_id("welcome-login").click()
    await sign_in(page, "li.wei", GOOD)
    await page.get_by_test_id("login-form").wait_for(state="detached")
    await page.goto(f"{office.url}/account")
    await page.get_by_test_id("factor-offer").click()
    key = await page.get_by_test_id("factor-secret").inner_text()
    await expect(page.get_by_test_id("qr").locator("svg")).to_be_visible()
    await office.shoot(page, "account-enrol-zh", full=True)
    code = await fresh_code(key)
    await page.get_by_test_id("factor-code").fill(code)
    await page.get_by_test_id("factor-confirm").click()
    await expect(page.get_by_test_id("recovery").locator("li")).to_have_count(10)
    recovery = await page.get_by_test_id("recovery").locator("code").first.inner_text()
    await page.get_by_test_id("recovery-kept").click()
    other = await office.visit("/login", size=PHONE)
    await sign_in(other, "li.wei", GOOD)
    await expect(other.get_by_test_id("login-code")).to_be_visible()
    await office.shoot(other, "login-code-phone")
    await other.get_by_test_id("login-code").fill(code)
    await other.get_by_test_id("login-submit").click()
    await expect(other.get_by_test_id("login-problem")).to_be_visible()
    await other.get_by_test_id("login-code").fill(recovery)
    await other.get_by_test_id("login-submit").click()
    await other.get_by_test_id("login-form").wait_for(state="detached")
    await page.reload()
    await expect(page.get_by_test_id("login-row")).to_have_count(2)
    await page.get_by_test_id("end-others").click()
    await expect(page.get_by_test_id("login-row")).to_have_count(1)
    await office.shoot(page, "account-zh", full=True)
    assert office.errors == []


async def test_administrators_see_their_own_part_and_no_other(office: Office) -> None:
    await made(office, "zhang.min", Role.OPS)
    page = await office.enter(Role.SYSTEM_ADMIN, "/settings")
    await expect(page.get_by_test_id("account-zhang.min")).to_be_visible()
    await expect(page.get_by_test_id("rights-zhang.min")).to_have_count(0)
    await page.get_by_test_id("link-zhang.min").click()
    await expect(page.get_by_test_id("link-given")).to_contain_text("/welcome#")
    await office.shoot(page, "settings-accounts-en")
    security = await office.enter(Role.SECURITY_ADMIN, "/settings", "zh")
    await security.get_by_test_id("rights-zhang.min").click()
    await security.get_by_test_id("role-duty_officer").check()
    await security.get_by_test_id("rooms-all").uncheck()
    await security.get_by_test_id("room-room-1").check()
    await office.shoot(security, "settings-rights-zh")
    await security.get_by_test_id("rights-save").click()
    await expect(security.get_by_test_id("account-zhang.min")).to_contain_text("值班员")
    await expect(security.get_by_test_id("tab-audit")).to_have_count(0)
    audit = await office.enter(Role.AUDIT_ADMIN, "/settings?tab=audit", "zh", PHONE)
    await audit.get_by_test_id("audit-by").fill("security_admin")
    await audit.get_by_test_id("audit-what").fill("rights")
    await audit.get_by_test_id("audit-find").click()
    first = audit.get_by_test_id("audit-lines").locator("tbody tr").first
    await expect(first).to_contain_text("zhang.min")
    await office.shoot(audit, "settings-audit-phone", full=True)
    wide = await office.enter(Role.AUDIT_ADMIN, "/settings?tab=audit")
    await expect(wide.get_by_test_id("audit-lines")).to_be_visible()
    await office.shoot(wide, "settings-audit-en")
    async with wide.expect_download() as coming:
        await wide.get_by_test_id("audit-jsonl").click()
    assert (await coming.value).suggested_filename == "audit.jsonl"
    assert office.errors == []


async def test_glass_is_broken_by_two(office: Office) -> None:
    session = await office.sealed("room-1")
    ops = await office.client(Role.OPS)
    with pytest.raises(RefusedError, match="403"):
        await ops.media("room-1")
    page = await office.enter(Role.OPS, "/settings?tab=glass", "zh")
    await page.get_by_test_id("glass-room").select_option("room-1")
    await page.get_by_test_id("glass-reason").fill("摄像机画面偏移，需要校准")
    await page.get_by_test_id("glass-ask").click()
    asked = page.locator("[data-state=asked]").first
    await expect(asked).to_contain_text("摄像机画面偏移")
    other = await office.enter(Role.SUPERVISOR, "/settings?tab=glass")
    await other.locator("[data-testid^=approve-]").first.click()
    await expect(other.locator("[data-state=open]")).to_have_count(1)
    await office.shoot(other, "settings-glass-en")
    await office.shoot(page, "settings-glass-zh")
    assert (await ops.media("room-1"))[0].snapshot_url
    api: ApiClient = await office.client()
    await api.session_step(session.id, "release")
    lines = (await api.session_record(session.id)).items
    steps = [row.data["step"] for row in lines if row.kind == "break_glass"]
    assert steps[:3] == ["asked", "approved", "used"]
    assert office.errors == []
