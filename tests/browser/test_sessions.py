"""Sessions on real processes: import with its mistakes, roster, check-in, seal with reasons."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.fakes.office import PHONE, Office

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

BAD = "评标室,名称,开始时间,准入人数\nroom-9,甲,2099-13-01 09:00,0\n"
GOOD = "评标室,名称,开始时间,准入人数\nroom-2,乙标段,2099-12-01 09:00,5\n"


async def chosen(page: Page, folder: Path, text: str) -> None:
    file = folder / "schedule.csv"
    file.write_bytes(text.encode("gbk"))
    await page.get_by_test_id("import-file").set_input_files(file)


async def test_a_schedule_with_a_bad_row_is_told_and_a_good_one_is_taken(
    office: Office, tmp_path: Path
) -> None:
    page = await office.enter("supervisor", "/sessions")
    await page.get_by_test_id("import-open").click()
    await chosen(page, tmp_path, BAD)
    await expect(page.get_by_test_id("import-problem")).to_have_count(3)
    await expect(page.get_by_test_id("import-do")).to_be_disabled()
    await office.shoot(page, "sessions-import-en")
    await chosen(page, tmp_path, GOOD)
    await expect(page.get_by_test_id("import-good")).to_be_visible()
    await page.get_by_test_id("import-do").click()
    await expect(page.get_by_test_id("import-done")).to_be_visible()
    await page.get_by_test_id("import-form").get_by_role("button", name="Close").last.click()
    await expect(page.get_by_text("乙标段")).to_be_visible()
    (made,) = [
        row for row in (await (await office.client()).sessions()).items if row.title == "乙标段"
    ]
    await office.shoot(page, "sessions-en")
    for language, size, name in (("zh", None, "sessions-zh"), ("zh", PHONE, "sessions-phone")):
        how = {"size": size} if size is not None else {}
        other = await office.enter("supervisor", "/sessions", language, **how)
        await expect(other.get_by_test_id(f"row-{made.id}")).to_be_visible()
        await office.shoot(other, name)
    assert office.errors == []


async def test_a_session_is_sealed_from_its_desk_with_a_reason_for_what_is_not_met(
    office: Office,
) -> None:
    await office.idle("room-1")
    await office.people("room-1", 2)
    page = await office.enter("supervisor", "/sessions")
    await page.get_by_test_id("session-new").click()
    await page.get_by_test_id("session-title").fill("供水管网改造")
    await page.get_by_test_id("session-create").click()
    await page.get_by_text("供水管网改造").click()
    await page.get_by_test_id("session-edit").click()
    await page.get_by_test_id("change-title").fill("供水管网改造二期")
    await page.get_by_test_id("change-admitted").fill("3")
    await office.shoot(page, "session-edit-en")
    await page.get_by_test_id("change-save").click()
    await expect(page.get_by_test_id("session-desk").locator("h1")).to_have_text("供水管网改造二期")
    await page.get_by_test_id("roster-edit").click()
    await page.get_by_test_id("seat-add").click()
    for place in (0, 1):
        await page.get_by_test_id(f"code-{place}").fill(f"E0{place}")
    await page.get_by_test_id("roster-save").click()
    await expect(page.get_by_test_id("person-1")).to_be_visible()
    await page.get_by_test_id("step-gather").click()
    await page.get_by_test_id("step-go").click()
    await expect(page.get_by_test_id("demand-all_checked_in")).to_have_attribute(
        "data-state", "failed"
    )
    await page.get_by_test_id("came-1").click()
    await expect(page.get_by_test_id("person-1")).to_have_attribute("data-attendance", "present")
    await expect(page.get_by_test_id("presence")).to_contain_text("2 of 2")
    await office.shoot(page, "session-check-en")
    await page.get_by_test_id("step-seal").click()
    reasons = page.get_by_test_id("overrides").locator("input")
    await expect(page.get_by_test_id("override-all_checked_in")).to_be_visible()
    for place in range(await reasons.count()):
        await reasons.nth(place).fill("is on the way")
    await page.get_by_test_id("step-go").click()
    await expect(page.get_by_test_id("session-state")).to_contain_text("Sealed")
    await expect(
        page.get_by_test_id("record").locator("[data-kind=override]").first
    ).to_be_visible()
    await page.get_by_test_id("amend").click()
    await page.get_by_test_id("amend-kind").select_option("recused")
    await page.get_by_test_id("amend-seat").fill("2")
    await page.get_by_test_id("amend-reason").fill("same employer")
    await page.get_by_test_id("amend-go").click()
    await expect(page.get_by_test_id("amendment-1")).to_have_attribute("data-state", "pending")
    await expect(page.get_by_test_id("approve-1")).to_have_count(0)
    await office.shoot(
        page,
        "session-en",
    )
    for size, name in ((None, "session-zh"), (PHONE, "session-phone")):
        how = {"size": size} if size is not None else {}
        path = page.url[page.url.index("/sessions") :]
        other = await office.enter("supervisor", path, "zh", **how)
        await expect(other.get_by_test_id("seal-confirmed")).to_be_visible()
        await office.shoot(other, name)
    await office.idle("room-1")
    assert office.errors == []
