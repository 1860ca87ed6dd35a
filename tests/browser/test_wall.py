"""The wall on real processes: pictures, keys, layouts, alarm sound, an alert's page, access."""

import re

import pytest
from playwright.async_api import Page, expect

from contracts.api.outside import ListenBody
from contracts.devices import Named
from contracts.observations import Severity
from tests.browser.accessibility import complaints, focus_walk
from tests.browser.conftest import Stage
from tests.fakes.office import PHONE, Office
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

FLAC_MS = 6_000
ROOMS = 64
ROTATE_MS = 15_100  # the wall turns its page every fifteen seconds
TILE_MIN_PX = 80  # a number of people is still read off a tile of that width
NO_SOUND = (
    "AudioContext.prototype.resume = () => Promise.reject(new Error('no gesture'));"
    "Object.defineProperty(AudioContext.prototype, 'state', { get: () => 'suspended' });"
)


async def focused(page: Page) -> str:
    """The room whose tile has the focus, or the alert."""
    found: str = await page.evaluate(
        "(() => { const at = document.activeElement;"
        " return at.closest('[data-room]')?.dataset.room || at.dataset.alert || ''; })()"
    )
    return found


async def test_pictures_stand_and_only_those_that_are_seen_are_fetched(office: Office) -> None:
    await office.people("room-1", 3)
    page = await office.enter()
    await page.wait_for_function(
        "[...document.querySelectorAll('.ze-tile img')]"
        ".filter((one) => one.naturalWidth).length >= 3"
    )
    await expect(page.get_by_test_id("count-room-1")).to_contain_text("3")
    await page.set_viewport_size({"width": 390, "height": 400})
    await page.evaluate("scrollTo(0, 0)")
    node = office.node_of("corridor-1")
    await expect(page.get_by_test_id("room-corridor-1").locator("img")).to_have_count(0)
    node.requests.clear()
    await page.evaluate("document.querySelector('[data-room=corridor-1]').scrollIntoView()")
    await expect(page.get_by_test_id("room-corridor-1").locator("img")).not_to_have_count(0)
    assert office.errors == []


async def test_arrows_move_enter_opens_and_escape_closes(office: Office) -> None:
    page = await office.enter()
    await expect(page.get_by_test_id("room-room-2")).to_be_visible()
    await page.keyboard.press("ArrowRight")
    assert await focused(page) == "room-1"
    await page.keyboard.press("ArrowRight")
    assert await focused(page) == "room-2"
    await page.keyboard.press("ArrowLeft")
    assert await focused(page) == "room-1"
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("room-dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("room-dialog")).not_to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("keys-dialog")).to_contain_text("Acknowledge the selected")
    await office.shoot(page, "keys-en")
    await page.keyboard.press("Escape")
    assert office.errors == []


async def test_sixty_four_rooms_stand_on_one_page_or_turn_by_themselves(stage: Stage) -> None:
    house = stage.house
    pattern = house.rooms["room-1"]
    house.rooms = {
        f"room-{place}": pattern.model_copy(
            update={
                "id": f"room-{place}",
                "name": Named(zh=f"评标室 {place}", en=f"Evaluation room {place}"),
            }
        )
        for place in range(1, ROOMS + 1)
    }
    page = await stage.enter()
    turning = await page.context.new_page()
    stage.watch(turning)
    await page.close()
    await turning.clock.install()
    await turning.goto(stage.url)
    tiles, number = turning.locator("[data-room]"), turning.get_by_test_id("wall-page")
    await expect(tiles).to_have_count(16)
    await expect(number).to_have_text("1 / 4")
    await turning.get_by_test_id("wall-rotate").click()
    for shown in ("2 / 4", "3 / 4"):
        await turning.clock.fast_forward(ROTATE_MS)
        await expect(number).to_have_text(shown)
    await expect(tiles.first).to_have_attribute("data-room", "room-33")
    late = house.raise_alert("room-64")
    await expect(turning.get_by_test_id(f"alert-{late.id}")).to_be_visible()
    await expect(turning.get_by_test_id("wall-elsewhere")).to_contain_text("1")
    await turning.get_by_test_id("wall-layout").select_option("64")
    await expect(tiles).to_have_count(ROOMS)
    await expect(turning.get_by_test_id("wall-rotate")).to_have_count(0)
    sides = await tiles.evaluate_all(
        "(all) => all.map((one) => { const at = one.getBoundingClientRect();"
        " return [at.left, at.right, at.width, at.height]; })"
    )
    assert len({round(left) for left, *_ in sides}) == 8, "sixty-four are eight by eight"
    assert min(width for _, _, width, _ in sides) >= TILE_MIN_PX
    assert len({round(height) for *_, height in sides}) == 1, "a tile is taller than its row"
    await expect(turning.get_by_test_id("room-room-64")).to_have_attribute("data-alarm", "alarm")
    await stage.shoot(turning, "wall-64-en", full=True)
    assert stage.errors == []


async def test_space_takes_the_alert_of_the_selected_room(office: Office) -> None:
    await office.quiet()  # or space would take what another test left in the room
    page = await office.enter()
    of_room, newer = office.raise_alert("room-1"), office.raise_alert("room-2")
    first, second = page.get_by_test_id(f"alert-{of_room}"), page.get_by_test_id(f"alert-{newer}")
    await expect(second).to_be_visible()
    await page.get_by_test_id("room-room-1").locator("button").first.focus()
    assert await focused(page) == "room-1"
    await page.keyboard.press("Space")
    await expect(first).to_have_attribute("data-handling", "acknowledged")
    await expect(second).to_have_attribute("data-handling", "new")
    await expect(page.get_by_test_id("room-dialog")).not_to_be_visible()
    await page.keyboard.press("Space")
    await expect(second).to_have_attribute("data-handling", "acknowledged")
    for alert in (of_room, newer):
        office.raise_over(alert)
    assert office.errors == []


async def test_the_alarm_rings_for_what_it_is_told_to_and_says_when_it_may_not(
    office: Office,
) -> None:
    await office.quiet()
    page = await office.enter()
    ring = page.get_by_test_id("ring")
    await expect(ring).to_have_attribute("data-state", re.compile("on|blocked"))
    before = int(await ring.get_attribute("data-rung") or 0)
    await page.mouse.click(700, 880)
    await expect(ring).to_have_attribute("data-state", "on")
    warning = office.raise_alert("room-1", rule="sound.pickup_dead", severity=Severity.WARNING)
    await expect(page.get_by_test_id(f"alert-{warning}")).to_be_visible()
    await expect(ring).to_have_attribute("data-rung", str(before))
    # A condition that comes back soon is the same alert, and does not ring again: take others.
    alarm = office.raise_alert("room-1", rule="area.gate_crossed")
    await expect(ring).not_to_have_attribute("data-rung", str(before))
    await page.get_by_test_id("mute").click()
    await page.get_by_test_id("ring-on").uncheck()
    await expect(ring).to_have_attribute("data-state", "off")
    mute = await page.context.new_page()
    await mute.add_init_script(NO_SOUND)
    await mute.goto(office.url)
    await mute.get_by_test_id("mute").click()
    await mute.get_by_test_id("ring-on").check()
    await expect(mute.get_by_test_id("ring")).to_have_attribute("data-state", "blocked")
    again = office.raise_alert("room-2", rule="area.gate_crossed")
    await expect(mute.get_by_test_id("ring-missed")).to_contain_text("blocks sound")
    for alert in (warning, alarm, again):
        office.raise_over(alert)


async def test_a_tile_says_who_listens(office: Office) -> None:
    session = await office.sealed("room-1")
    page = await office.enter()
    await expect(page.get_by_test_id("listen-room-1")).to_be_visible()
    other = await office.client("sector_supervisor")
    heard = await other.listen("room-1", ListenBody())
    await expect(page.get_by_test_id("ear-room-1")).to_contain_text(
        "sector_supervisor is listening"
    )
    await expect(page.get_by_test_id("listen-room-1")).to_have_count(0)
    await office.shoot(page, "wall-listening-en")
    await other.stop_listening(heard.listening.id)
    await expect(page.get_by_test_id("listen-room-1")).to_be_visible()
    await page.get_by_test_id("listen-room-1").click()
    await expect(page.get_by_test_id("listen-room-1")).to_have_attribute("aria-pressed", "true")
    await page.get_by_test_id("listen-room-1").click()
    await expect(page.get_by_test_id("listen-room-1")).to_have_attribute("aria-pressed", "false")
    await (await office.client()).session_step(session.id, "release")


async def test_an_alert_has_a_page_with_its_sound_and_what_else_happened(office: Office) -> None:
    session = await office.sealed("room-1")
    await office.people("room-1", 5, visitors=1)
    alert = office.raise_alert("room-1", sound=True)
    api = await office.client()

    async def known() -> bool:
        return any(row.id == alert for row in (await api.overview()).alerts)

    await until(known, what="the alert is known")
    for language in ("en", "zh"):
        page = await office.enter("supervisor", f"/alerts/{alert}", language)
        await expect(page.get_by_test_id("alert-page")).to_be_visible()
        await expect(page.get_by_test_id("around-list").locator("li").nth(2)).to_be_visible()
        await expect(page.get_by_test_id("alert-rule")).to_have_attribute(
            "href", "/alerts?rule=area.over_admitted"
        )
        assert await page.get_by_test_id("wave").count() == 0
        await page.get_by_test_id("listen").click()
        await expect(page.get_by_test_id("wave")).to_have_attribute("data-state", "drawn")
        assert await page.locator("[data-testid=wave] rect").count() > 100
        await office.shoot(page, f"alert-page-{language}", full=True)
        assert await complaints(page) == []
    phone = await office.enter("supervisor", f"/alerts/{alert}", "zh", PHONE)
    await expect(phone.get_by_test_id("around-list").locator("li").first).to_be_visible()
    assert await phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await office.shoot(phone, "phone-alert-page-zh", full=True)
    missing = await office.enter("supervisor", "/alerts/no-such-alert")
    await expect(missing.get_by_test_id("alert-missing")).to_be_visible()
    office.raise_over(alert)
    await office.people("room-1", 0)
    await api.session_step(session.id, "release")


async def test_the_menu_goes_by_role_and_is_a_drawer_on_a_phone(office: Office) -> None:
    page = await office.enter()
    await page.get_by_test_id("nav-records").click()
    await expect(page.get_by_test_id("nav-retrievals")).to_be_visible()
    await office.shoot(page, "menu-en")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("nav-retrievals")).not_to_be_visible()
    await expect(page.get_by_test_id("nav-kitchen")).to_have_count(0)
    phone = await office.enter("auditor", "/", "zh", PHONE)
    await phone.get_by_test_id("drawer-open").click()
    drawer = phone.get_by_test_id("drawer")
    await expect(drawer.get_by_test_id("drawer-evidence")).to_be_visible()
    await office.shoot(phone, "phone-menu-zh")
    await phone.keyboard.press("Escape")
    await expect(drawer).not_to_be_visible()
    assert office.errors == []


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_wall_is_for_keyboards_and_screen_readers(office: Office, language: str) -> None:
    page = await office.enter("supervisor", "/", language)
    await expect(page.get_by_test_id("room-room-1")).to_be_visible()
    assert await complaints(page) == []
    walked = await focus_walk(page, 14)
    assert [row for row in walked if not row["ring"]] == []
    said = await page.evaluate("document.querySelector('#popup span').textContent")
    assert said == ("与监督台失去连接。" if language == "zh" else "Connection to the console lost.")
    await page.get_by_test_id("language").click()
    await expect(page.locator("html")).to_have_attribute(
        "lang", "en" if language == "zh" else "zh-CN"
    )
    after = await page.evaluate("document.querySelector('#popup span').textContent")
    assert after != said
    await office.shoot(page, f"wall-office-{'zh' if language == 'en' else 'en'}")
    assert office.errors == []
