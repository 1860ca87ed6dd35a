"""Reports, conduct and retrieval in a real browser: signed, by two people, in both languages."""

import io
from pathlib import Path

import pypdf
import pytest

from contracts.api.report import ReportFile
from contracts.evidence.report_bundle import unpack
from runtime.signing import PublicKeys
from tests.fakes.office import PHONE, WIDE, Office
from tests.fakes.waiting import until
from zeroentry.reports.judge import Exit, Judgement, judge

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]


def _read(path: str | Path) -> bytes:
    return Path(path).read_bytes()


async def released(office: Office) -> str:
    session = await office.sealed("room-1")
    client = await office.client("supervisor")
    await client.session_step(session.id, "release")
    return session.id


async def test_a_released_session_has_a_signed_report_that_verifies(office: Office) -> None:
    session_id = await released(office)
    client = await office.client("supervisor")
    page = await office.enter("supervisor", f"/report/{session_id}", "zh", WIDE)
    await page.get_by_test_id("report-state").wait_for()

    async def signed() -> bool:
        return bool((await client.report_state(session_id)).versions)

    make = page.get_by_test_id("report-make")
    if await make.count():
        await make.click()
    await until(signed, within_s=30, what="the report is signed")
    await page.get_by_test_id("report-pdf-zh").wait_for(timeout=15_000)
    async with page.expect_download() as waiting:
        await page.get_by_test_id("report-pdf-zh").click()
    fetched = _read(await (await waiting.value).path())
    pdf = pypdf.PdfReader(io.BytesIO(fetched))
    assert "见证报告" in pdf.pages[0].extract_text()
    files = unpack(await client.report_file(session_id, 1, ReportFile.BUNDLE))
    assert files["report.zh.pdf"] == fetched
    keys = PublicKeys()
    keys.add_pem((await client.evidence_key()).encode())
    judgement = Judgement()
    judge(files, keys, judgement)
    assert judgement.exit is Exit.WHOLE
    await office.shoot(page, "report-zh")
    phone = await office.enter("supervisor", f"/report/{session_id}", "en", PHONE)
    await phone.get_by_test_id("report-pdf-en").wait_for()
    await office.shoot(phone, "report-phone-en")


async def test_conduct_is_shown_by_month_and_downloads(office: Office) -> None:
    page = await office.enter("supervisor", "/conduct", "zh", WIDE)
    await page.get_by_text("行为通报").first.wait_for()
    await page.wait_for_selector("[data-testid=conduct-empty], [data-testid=conduct-lines]")
    async with page.expect_download() as waiting:
        await page.get_by_test_id("conduct-xlsx").click()
    assert (await waiting.value).suggested_filename.endswith(".xlsx")
    await office.shoot(page, "conduct-zh")
    phone = await office.enter("supervisor", "/conduct", "en", PHONE)
    await phone.wait_for_selector("[data-testid=conduct-empty], [data-testid=conduct-lines]")
    await office.shoot(phone, "conduct-phone-en")


async def test_who_asks_for_recordings_cannot_approve_them(office: Office) -> None:
    page = await office.enter("auditor", "/retrievals", "zh", WIDE)
    await page.get_by_test_id("retrieval-new").click()
    await page.get_by_test_id("retrieval-reason").fill("行政监督部门协查函 2026-118 号")
    await page.get_by_test_id("retrieval-cameras").select_option(index=0)
    await page.get_by_test_id("retrieval-from").fill("2026-11-20T09:00:00")
    await page.get_by_test_id("retrieval-to").fill("2026-11-20T09:10:00")
    await office.shoot(page, "retrieval-form-zh")
    await page.get_by_test_id("retrieval-submit").click()
    row = page.locator("[data-state=asked]").first
    await row.wait_for()
    number = (await row.get_attribute("data-testid") or "").removeprefix("retrieval-")
    assert await page.get_by_test_id(f"decide-{number}").count() == 0
    other = await office.enter("supervisor", "/retrievals", "en", WIDE)
    await other.get_by_test_id(f"decide-{number}").click()
    await other.get_by_test_id("decision-reason").fill("letter checked")
    await other.get_by_test_id("decision-yes").click()
    over = f"[data-testid=retrieval-{number}]:not([data-state=asked])"
    await other.wait_for_selector(over)
    await office.shoot(other, "retrievals-en")
    phone = await office.enter("supervisor", "/retrievals", "zh", PHONE)
    await phone.get_by_test_id(f"retrieval-{number}").wait_for()
    await office.shoot(phone, "retrievals-phone-zh")
