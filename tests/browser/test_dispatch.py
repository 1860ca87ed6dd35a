"""A room's order on real processes: tablet, approval, kitchen, robot, door, two persons, proof."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from contracts.api import DeliveryKind, DeliveryState, DeliveryView, Role
from contracts.api.record import RecordPage
from tests.browser.accessibility import complaints
from tests.browser.conftest import PHONE
from tests.fakes.office import Office
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

ROOM = "room-1"
OFFICE_ZONE = ZoneInfo("Asia/Shanghai")
TABLET = {"width": 1024, "height": 768}
DRIVE_MS = 60_000  # fourteen metres at 1.2 m/s, on a machine that runs nine suites
TOUCH_PX = 48  # a finger, not a mouse


async def no_sideways(page: Page) -> None:
    wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} px wider than the screen"


async def small_targets(page: Page) -> list[str]:
    """Buttons that a finger misses."""
    return list(
        await page.evaluate(
            """(least) => [...document.querySelectorAll("button")].filter((b) => b.offsetParent)
              .map((b) => [b.getBoundingClientRect(), b.dataset.testid || b.textContent])
              .filter(([r]) => r.width < least || r.height < least)
              .map(([r, name]) => `${name} ${Math.round(r.width)}x${Math.round(r.height)}`)""",
            TOUCH_PX - 0.5,
        )
    )


async def orders(office: Office) -> dict[DeliveryKind, DeliveryView]:
    rows = (await (await office.client()).overview()).deliveries
    return {row.kind: row for row in rows if row.room_id == ROOM}


async def test_a_room_changes_its_mind_and_the_kitchen_its_menu(office: Office) -> None:
    tablet = await office.enter(Role.TABLET, f"/tablet/{ROOM}", language="zh", size=TABLET)
    await tablet.get_by_test_id("more-box-standard").click()
    await tablet.get_by_test_id("portion-box-standard-large").click()
    await tablet.get_by_test_id("avoid-gluten").click()
    await expect(tablet.get_by_test_id("more-noodles")).to_be_disabled()
    await expect(tablet.get_by_test_id("allergens-noodles")).to_contain_text("麸质")
    assert await small_targets(tablet) == []
    await office.shoot(tablet, "dispatch-tablet-zh", full=True)
    slot = tablet.locator("[data-testid^='slot-']").last
    await slot.click()
    await tablet.get_by_test_id("place-order").click()
    await expect(tablet.get_by_test_id("pin")).to_be_visible()
    await office.shoot(tablet, "dispatch-tablet-pin-zh")
    await tablet.get_by_test_id("hide-pin").click()
    made = (await orders(office))[DeliveryKind.MEAL]
    assert (made.window is not None, made.lines[0].portion.value) == (True, "large")
    assert [one.value for one in made.lines[0].avoid] == ["gluten"]
    await tablet.get_by_test_id("language").click()
    await tablet.get_by_test_id(f"change-{made.id}").click()
    await tablet.get_by_test_id("more-box-standard").click()
    await tablet.get_by_test_id("place-order").click()
    await expect(tablet.get_by_test_id("tablet-editing")).to_have_count(0)
    await _the_kitchen_prepares(office, made)
    await tablet.get_by_test_id(f"cancel-{made.id}").click()
    await tablet.get_by_test_id("cancel-not_needed").click()
    await expect(tablet.get_by_test_id(f"delivery-{made.id}")).to_have_attribute(
        "data-state", "cancelled"
    )
    await tablet.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await no_sideways(tablet)
    await office.shoot(tablet, "dispatch-tablet-phone-en", full=True)
    assert office.errors == []


async def _the_kitchen_prepares(office: Office, made: DeliveryView) -> None:
    kitchen = await office.enter(Role.KITCHEN, "/kitchen")
    card = kitchen.get_by_test_id(f"load-{made.id}")
    await expect(card).to_contain_text("Set lunch")
    await expect(card).to_contain_text("Must not contain: gluten")
    await office.shoot(kitchen, "dispatch-kitchen-en", full=True)
    await kitchen.get_by_test_id("kitchen-menu").locator("summary").click()
    await kitchen.get_by_test_id("sold-soup").click()
    await expect(kitchen.get_by_test_id("sold-soup")).to_have_attribute("aria-checked", "false")
    await kitchen.get_by_test_id("sold-soup").click()
    await expect(kitchen.get_by_test_id("sold-soup")).to_have_attribute("aria-checked", "true")
    await kitchen.get_by_test_id("kitchen-recurring").locator("summary").click()
    # Far from now: just before its time it would order for the room at once.
    at = f"{datetime.now(OFFICE_ZONE) + timedelta(hours=6):%H:%M}"
    await kitchen.get_by_test_id("recurring-at").fill(at)
    await kitchen.get_by_test_id("recurring-add").click()
    row = kitchen.locator("[data-testid^='recurring-s-']")
    await expect(row).to_contain_text(at)
    await row.get_by_role("button").click()
    await expect(row).to_have_count(0)
    await kitchen.get_by_test_id("kitchen-accounting").locator("summary").click()
    async with kitchen.expect_download() as coming:
        await kitchen.get_by_test_id("meals-csv").click()
    download = await coming.value
    assert re.fullmatch(r"meals-[0-9-]+\.csv", download.suggested_filename)
    await kitchen.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await no_sideways(kitchen)
    await office.shoot(kitchen, "dispatch-kitchen-phone-en", full=True)


async def test_papers_are_approved_loaded_and_opened_by_their_pin(
    office: Office, robot: str
) -> None:
    session = await office.sealed(ROOM)
    tablet = await office.enter(Role.TABLET, f"/tablet/{ROOM}", size=TABLET)
    await tablet.get_by_test_id("kind-papers").click()
    await expect(tablet.get_by_test_id("needs-approval")).to_be_visible()
    await tablet.get_by_test_id("more-paper").click()
    await tablet.get_by_test_id("place-order").click()
    pin = await tablet.get_by_test_id("pin").get_attribute("data-pin")
    assert pin is not None
    await tablet.get_by_test_id("hide-pin").click()
    papers = (await orders(office))[DeliveryKind.PAPERS]
    line = tablet.get_by_test_id(f"delivery-{papers.id}")
    await expect(line.get_by_test_id("waits-approval")).to_be_visible()
    about = tablet.get_by_test_id(f"about-{papers.id}")
    await expect(about).to_have_count(0)  # who knows when somebody approves it
    desk = await office.enter(Role.SUPERVISOR, "/robots", language="zh")
    await expect(desk.get_by_test_id(f"approve-{papers.id}")).to_be_disabled()
    await desk.get_by_test_id(f"reason-{papers.id}").fill("评审需要空白纸")
    await office.shoot(desk, "dispatch-desk-approval-zh", full=True)
    await desk.get_by_test_id(f"approve-{papers.id}").click()
    kitchen = await office.enter(Role.KITCHEN, "/kitchen", language="zh")
    load = kitchen.get_by_test_id(f"loaded-{papers.id}")
    await expect(load).to_be_visible(timeout=DRIVE_MS)
    await office.shoot(kitchen, "dispatch-kitchen-load-zh", full=True)
    await _ticket(office, kitchen, papers.id)
    await expect(about).to_contain_text(re.compile(r"about \d\d:\d\d"))
    await expect(about).to_have_attribute("data-late", "false")
    await office.shoot(tablet, "dispatch-tablet-about-en")
    await load.click()
    door = await office.enter(Role.DOOR_PANEL, f"/door/{robot}", size=TABLET)
    assert pin not in await door.content(), "never shown and entered on one device"
    await office.shoot(desk, "dispatch-desk-way-zh", full=True)
    await expect(desk.get_by_test_id(f"robot-{robot}")).to_be_visible()
    await expect(door.get_by_test_id("door")).to_have_attribute(
        "data-face", "enter", timeout=DRIVE_MS
    )
    await expect(line.get_by_test_id("robot-here")).to_be_visible()
    await expect(desk.get_by_test_id(f"release-ask-{papers.id}")).to_be_disabled()
    await office.shoot(desk, "dispatch-desk-door-zh", full=True)
    await _typed(office, door, pin)
    await _taken(office, DeliveryKind.PAPERS)
    steps = set(await _lines(office, session.id))
    assert {"ordered", "approved", "loaded", "arrived", "pin_wrong", "pin_right"} <= steps
    custody = desk.get_by_test_id(f"custody-{papers.id}")
    await custody.locator("summary").click()
    await expect(custody).to_contain_text("取餐码正确")
    await office.shoot(desk, "dispatch-desk-custody-zh", full=True)
    await _held_and_seen(office, desk, robot)
    assert office.errors == []


async def _ticket(office: Office, kitchen: Page, delivery_id: str) -> None:
    """What is printed: door, robot, compartment and counts, and nothing of the page around it."""
    await kitchen.get_by_test_id(f"ticket-{delivery_id}").click()
    await kitchen.emulate_media(media="print")
    ticket = kitchen.get_by_test_id("ticket")
    await expect(ticket).to_be_visible()
    await expect(ticket).to_contain_text("ROOM-1")
    await expect(ticket).to_contain_text("1 × 空白纸")
    await expect(kitchen.get_by_test_id(f"loaded-{delivery_id}")).to_be_hidden()
    await office.shoot(kitchen, "dispatch-ticket-zh")
    await kitchen.emulate_media(media="screen")


async def _typed(office: Office, door: Page, pin: str) -> None:
    await expect(door.get_by_test_id("door")).to_have_attribute("data-face", "enter")
    assert await small_targets(door) == []
    wrong = str((int(pin[0]) + 1) % 10) + pin[1:]
    for digit in wrong:
        await door.get_by_test_id(f"key-{digit}").click()
    await expect(door.get_by_test_id("tries")).to_contain_text("4")
    await office.shoot(door, "dispatch-door-wrong-en")
    for digit in pin:
        await door.get_by_test_id(f"key-{digit}").click()
    await expect(door.get_by_test_id("door")).to_have_attribute(
        "data-face", re.compile("unlocking|open|thanks")
    )
    await office.shoot(door, "dispatch-door-open-en")


async def _taken(office: Office, kind: DeliveryKind) -> None:
    async def taken() -> bool:
        legs = (await orders(office))[kind].legs
        return any(leg.name == DeliveryState.COLLECTED for leg in legs)

    await until(taken, within_s=30, what=f"{kind} is taken")


async def _lines(office: Office, session_id: str) -> list[str]:
    api = await office.client()
    page = await api.ask(RecordPage, "GET", f"/sessions/{session_id}/record")
    return [line.data.get("step", "") for line in page.items if line.kind == "delivery"]


async def _held_and_seen(office: Office, desk: Page, robot: str) -> None:
    """On its way home a supervisor holds it and lets it go; the map tells so by word, too."""
    await desk.get_by_test_id(f"reason-{robot}").fill("走廊有人")
    await desk.get_by_test_id(f"hold-{robot}").click()
    row = desk.get_by_test_id(f"desk-{robot}")
    await expect(row).to_have_attribute("data-hold", "hold")
    await expect(row).to_contain_text("走廊有人")
    await desk.get_by_test_id("floor-list").click()
    await expect(desk.get_by_test_id("floor-as-list")).to_contain_text("走廊西段")
    await desk.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await no_sideways(desk)
    await office.shoot(desk, "dispatch-desk-phone-zh", full=True)
    await desk.get_by_test_id("floor-list").click()
    await desk.get_by_test_id(f"reason-{robot}").fill("已离开")
    await desk.get_by_test_id(f"resume-{robot}").click()
    await expect(row).to_have_attribute("data-hold", "")
    assert await complaints(desk) == []
