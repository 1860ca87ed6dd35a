"""Acting from outside on real processes: call, text, talk with a microphone, entry, listening."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from contracts.api import Role
from contracts.api.record import RecordKind, RecordPage
from tests.browser.conftest import PHONE
from tests.fakes.office import Office
from tests.fakes.office_voices import OfficeVoices, voices
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

ROOM = "room-1"
TABLET = {"width": 1024, "height": 768}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def room_voices(
    open_office: Office, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[OfficeVoices]:
    folder: Path = tmp_path_factory.mktemp("voices")
    async with voices(open_office.node_of(ROOM), ROOM, folder) as made:
        yield made


async def steps(office: Office, session_id: str, kind: RecordKind) -> list[dict[str, str]]:
    api = await office.client()
    page = await api.ask(RecordPage, "GET", f"/sessions/{session_id}/record")
    return [line.data for line in page.items if line.kind is kind]


async def no_sideways(page: Page) -> None:
    wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} px wider than the screen"


async def test_a_call_rings_at_the_desk_and_its_answer_stands_big_on_the_tablet(
    office: Office,
) -> None:
    session = await office.sealed(ROOM)
    tablet = await office.enter(Role.TABLET, f"/tablet/{ROOM}", language="zh", size=TABLET)
    await tablet.get_by_test_id("call-supervisor").click()
    await office.shoot(tablet, "outside-tablet-call-zh")
    await tablet.get_by_test_id("call-unwell").click()
    await expect(tablet.get_by_test_id("tablet-call-state")).to_have_attribute(
        "data-state", "waiting"
    )
    await office.shoot(tablet, "outside-tablet-waiting-zh")
    await tablet.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await no_sideways(tablet)
    await office.shoot(tablet, "outside-tablet-waiting-phone-zh")
    await tablet.set_viewport_size({"width": TABLET["width"], "height": TABLET["height"]})
    desk = await office.enter(Role.SUPERVISOR, f"/outside/{ROOM}")
    await expect(desk.get_by_test_id(f"outside-call-{ROOM}")).to_contain_text("unwell")
    await office.shoot(desk, "outside-desk-call-en", full=True)
    await desk.get_by_test_id("text-template").select_option("coming")
    await desk.get_by_test_id("text-send").click()
    await expect(tablet.get_by_test_id("tablet-text-words")).to_contain_text("已收到呼叫")
    await office.shoot(tablet, "outside-tablet-text-zh")
    await expect(tablet.get_by_test_id("tablet-call-state")).to_have_attribute(
        "data-state", "answered"
    )
    row = desk.get_by_test_id("outside-text").locator("li").first
    await expect(row).to_have_attribute("data-state", "unread")
    await tablet.reload()  # a tablet that comes back shows what is not read yet
    await tablet.get_by_test_id("tablet-text-read").click()
    await expect(row).to_have_attribute("data-state", "read")
    await expect(tablet.get_by_test_id("tablet-text")).to_have_count(0)
    await desk.get_by_test_id("settle-call").click()
    await expect(tablet.get_by_test_id("tablet-call-state")).to_have_count(0)
    calls = [row["step"] for row in await steps(office, session.id, RecordKind.CALL)]
    texts = [row["step"] for row in await steps(office, session.id, RecordKind.TEXT)]
    assert (calls, texts) == (["raised", "answered", "ended"], ["sent", "read"])
    assert office.errors == []


async def test_what_a_microphone_says_arrives_in_the_room_and_in_the_record(
    office: Office, room_voices: OfficeVoices
) -> None:
    session = await office.sealed(ROOM)
    desk = await office.enter(Role.SUPERVISOR, f"/outside/{ROOM}")
    button = desk.get_by_test_id("talk-button")
    await expect(button).to_have_attribute("data-state", "idle")
    await button.hover()
    await desk.mouse.down()
    await expect(button).to_have_attribute("data-state", "live")
    await until(
        lambda: room_voices.camera.heard().size >= 8_000, within_s=40, what="a second is heard"
    )
    await office.shoot(desk, "outside-talk-live-en", full=True)
    await desk.mouse.up()
    await expect(desk.get_by_test_id("talk-said")).to_be_visible()
    heard = room_voices.camera.heard()
    assert np.abs(heard.astype(int)).max() > 1_000, "Chromium's microphone beeps once a second"

    async def filed() -> list[dict[str, str]]:
        rows = await steps(office, session.id, RecordKind.TALK)
        return [row for row in rows if row["step"] == "ended"]

    await until(filed, what="the talk stands in the record")
    (line,) = await filed()
    assert len(line["sha256"]) == 64
    assert int(line["duration_ms"]) >= 950
    assert office.errors == []


async def test_a_room_is_heard_by_one_click_and_everybody_sees_who_listens(
    office: Office, room_voices: OfficeVoices
) -> None:
    session = await office.sealed(ROOM)
    desk = await office.enter(Role.SUPERVISOR, f"/outside/{ROOM}", language="zh")
    await desk.get_by_test_id("listen-start").click()
    await expect(desk.get_by_test_id("listen-stop")).to_have_attribute("data-state", "live")
    await expect(desk.get_by_test_id("listeners")).to_contain_text("supervisor")
    await office.shoot(desk, "outside-listen-zh", full=True)
    lines = await steps(office, session.id, RecordKind.LISTENING)
    assert [row["step"] for row in lines] == ["began"], lines
    assert [one.by for one in room_voices.sound.listeners] == ["supervisor"]
    await desk.get_by_test_id("listen-stop").click()
    await until(lambda: not room_voices.sound.listeners, what="the node sends no more sound")

    async def recorded() -> bool:
        lines = await steps(office, session.id, RecordKind.LISTENING)
        return [row["step"] for row in lines] == ["began", "ended"]

    await until(recorded, what="the record says when the listening began and ended")
    assert office.errors == []


async def test_an_entry_is_asked_by_one_and_approved_by_two_others(office: Office) -> None:
    session = await office.sealed(ROOM)
    duty = await office.enter(Role.DUTY_OFFICER, f"/outside/{ROOM}", size=PHONE)
    await duty.get_by_test_id("entry-kind").select_option("security")
    await duty.get_by_test_id("entry-reason").fill("two people quarrel")
    await duty.get_by_test_id("entry-minutes").fill("5")
    await duty.get_by_test_id("entry-ask").click()
    row = duty.get_by_test_id("outside-entry").locator(".is-entry")
    await expect(row).to_have_attribute("data-state", "asked")
    await expect(duty.get_by_test_id("entry-approve")).to_have_count(0)
    for role in (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR):
        page = await office.enter(role, f"/outside/{ROOM}", language="zh")
        await page.get_by_test_id("entry-approve").click()
        await expect(page.get_by_test_id("entry-approve")).to_have_count(0)
    await expect(row).to_have_attribute("data-state", "open")
    await no_sideways(duty)
    await office.shoot(duty, "outside-entry-phone-en", full=True)
    await office.shoot(page, "outside-entry-zh", full=True)
    await duty.get_by_test_id("entry-end").click()
    await expect(row).to_have_count(0)
    lines = await steps(office, session.id, RecordKind.ENTRY)
    assert [row["step"] for row in lines] == ["asked", "approved", "approved", "begun", "ended"]
    assert office.errors == []
