"""Alerts in work and duty on real processes: who has it, what was done, who is told."""

import pytest
from playwright.async_api import expect

from contracts.api import Role
from tests.fakes.office import PHONE, Office
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def known(office: Office, alert_id: str) -> None:
    """Wait until the controller has it."""
    client = await office.client()

    async def told() -> bool:
        return alert_id in {row.id for row in (await client.alerts({})).items}

    await until(told, within_s=30, what="the controller has the alert")


async def test_an_alert_goes_its_way_and_everybody_sees_who_did_what(office: Office) -> None:
    alert = office.raise_alert("room-2")
    await known(office, alert)
    officer = await office.enter(Role.DUTY_OFFICER, f"/alerts/{alert}")
    await officer.get_by_test_id("handling-start").click()
    await expect(officer.get_by_test_id("handling-owner")).to_have_text("duty_officer")

    chief = await office.enter(Role.SUPERVISOR, f"/alerts/{alert}", "zh")
    await expect(chief.get_by_test_id("handling-owner")).to_have_text("duty_officer")
    await chief.get_by_test_id("handling-urge").click()
    await chief.get_by_test_id("handling-text").fill("请尽快核实")
    await office.shoot(chief, "handling-urge-zh")
    await chief.get_by_test_id("handling-send").click()
    await expect(chief.get_by_test_id("handling-urged")).to_be_visible()

    await expect(officer.get_by_test_id("handling-urged")).to_be_visible()
    await officer.get_by_test_id("handling-reply").click()
    await officer.get_by_test_id("handling-text").fill("on my way")
    await officer.get_by_test_id("handling-send").click()
    await expect(officer.get_by_test_id("handling-urged")).to_have_count(0)

    await officer.get_by_test_id("handling-resolve").click()
    await officer.get_by_test_id("handling-disposition").select_option("violation")
    await officer.get_by_test_id("handling-seat").fill("3")
    await officer.get_by_test_id("handling-text").fill("sixth person left at once")
    await officer.get_by_test_id("handling-send").click()
    await expect(officer.get_by_test_id("handling-state")).to_have_text("Resolved")
    await expect(officer.get_by_test_id("handling-close")).to_be_disabled()
    office.node_of("room-2").clear_alert(alert)
    await expect(officer.get_by_test_id("handling-close")).to_be_enabled()
    await officer.get_by_test_id("handling-close").click()
    await officer.get_by_test_id("handling-send").click()
    steps = officer.get_by_test_id("handling-steps").locator("li")
    await expect(steps.first).to_have_attribute("data-verb", "close")
    verbs = [await one.get_attribute("data-verb") for one in await steps.all()]
    assert [verb for verb in verbs if verb != "tell"] == [
        "close",
        "resolve",
        "reply",
        "urge",
        "start",
    ]
    await expect(chief.get_by_test_id("handling-reopen")).to_be_visible()
    await office.shoot(officer, "handling-en")
    phone = await office.enter(Role.SUPERVISOR, f"/alerts/{alert}", "zh", PHONE)
    await expect(phone.get_by_test_id("handling-steps")).to_be_visible()
    await office.shoot(phone, "handling-phone-zh", full=True)
    assert office.errors == []


async def test_the_list_finds_what_is_asked_for(office: Office) -> None:
    alert = office.raise_alert("room-1")
    page = await office.enter(Role.SUPERVISOR, "/alerts")
    await expect(page.get_by_test_id(f"row-{alert}")).to_be_visible()
    await page.get_by_test_id("filter-room").select_option("room-1")
    await page.get_by_test_id("filter-open").check()
    await page.get_by_test_id("filter-apply").click()
    await expect(page.get_by_test_id(f"row-{alert}")).to_be_visible()
    await office.shoot(page, "alerts-en")
    await page.get_by_test_id("filter-from").fill("2099-01-01")
    await page.get_by_test_id("filter-apply").click()
    await expect(page.get_by_test_id("alerts-empty")).to_be_visible()
    await page.get_by_test_id("filter-clear").click()
    await page.get_by_test_id(f"open-{alert}").click()
    await expect(page.get_by_test_id("handling")).to_be_visible()
    phone = await office.enter(Role.AUDITOR, "/alerts", "zh", PHONE)
    await expect(phone.get_by_test_id(f"row-{alert}")).to_be_visible()
    await office.shoot(phone, "alerts-phone-zh")
    office.node_of("room-1").clear_alert(alert)
    assert office.errors == []


async def test_a_roster_is_written_and_a_channel_told(office: Office) -> None:
    page = await office.enter(Role.SUPERVISOR, "/duty")
    await expect(page.get_by_test_id("duty-warnings")).to_contain_text("Nobody is on duty")
    await office.shoot(page, "duty-empty-en")
    await page.get_by_test_id("channel-add").click()
    await page.get_by_test_id("channel-id").fill("hook")
    await page.get_by_test_id("channel-name").fill("Webhook")
    await page.get_by_test_id("channel-address").fill("json://user:very-secret@127.0.0.1:9/x")
    await page.get_by_test_id("channel-save").click()
    await expect(page.get_by_test_id("channel-hook")).to_contain_text("json://127.0.0.1")
    await page.get_by_test_id("test-hook").click()
    await expect(page.get_by_test_id("notice-log")).to_contain_text("Test: this channel works")
    assert "very-secret" not in await page.content()
    assert "very-secret" not in office.log_of("controller")

    await page.get_by_test_id("roster-edit").click()
    await page.get_by_test_id("add-person").click()
    await page.get_by_test_id("person-0").fill("duty_officer")
    await page.get_by_test_id("person-channels-0").fill("hook")
    await page.get_by_test_id("add-shift").click()
    await page.get_by_test_id("shift-people-0").fill("nobody-known")
    await page.get_by_test_id("roster-save").click()
    await expect(page.get_by_test_id("roster-problem")).to_contain_text("not among people")
    await page.get_by_test_id("shift-people-0").fill("duty_officer")
    await office.shoot(page, "duty-edit-en")
    await page.get_by_test_id("roster-save").click()
    await expect(page.get_by_test_id("duty-week")).to_contain_text("duty_officer")
    await page.get_by_test_id("rules-edit").click()
    await page.get_by_test_id("after-alarm-1").fill("0")
    await page.get_by_test_id("rules-save").click()
    await expect(page.get_by_test_id("rules-problem")).to_contain_text("must rise")
    await page.get_by_test_id("after-alarm-1").fill("4")
    await office.shoot(page, "duty-rules-en")
    await page.get_by_test_id("rules-save").click()
    await expect(page.get_by_test_id("escalation")).to_contain_text("4 min after")
    await page.get_by_test_id("handover-open").click()
    await page.get_by_test_id("handover-to").fill("duty_officer")
    await page.get_by_test_id("handover-text").fill("Camera 3 was cleaned")
    await page.get_by_test_id("handover-send").click()
    await expect(page.get_by_test_id("handover-last")).to_contain_text("Camera 3 was cleaned")
    await office.shoot(page, "duty-en", full=True)
    zh = await office.enter(Role.DUTY_OFFICER, "/duty", "zh")
    await expect(zh.get_by_test_id("duty-week")).to_contain_text("duty_officer")
    await office.shoot(zh, "duty-zh", full=True)
    phone = await office.enter(Role.SUPERVISOR, "/duty", "zh", PHONE)
    await expect(phone.get_by_test_id("channel-hook")).to_be_visible()
    await office.shoot(phone, "duty-phone-zh", full=True)
    assert office.errors == []
