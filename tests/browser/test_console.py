"""The console in a real browser: what a supervisor, an expert, a cook and a visitor do."""

import re

import pytest
from playwright.async_api import Page, expect

from contracts.api import DeliveryState, Handling, Sentence, SessionState
from contracts.api.floor import RemovalView
from contracts.observations import CameraState, SoundState
from contracts.units import UtcMs
from tests.browser.conftest import PHONE, Stage
from tests.fakes.clip_mp4 import clip_mp4
from tests.fakes.console_controller import PIN
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

NOON = UtcMs(1_795_665_600_000)  # 2026-11-26 12:00 in Shanghai


async def order_a_meal(page: Page) -> None:
    await page.get_by_test_id("more-braised-chicken").click()
    await page.get_by_test_id("more-braised-chicken").click()
    await page.get_by_test_id("more-tea").click()
    await page.get_by_test_id("place-order").click()


async def pictures_stand(page: Page) -> None:
    await page.wait_for_function(
        "[...document.querySelectorAll('.ze-picture')].length > 2"
        " && [...document.querySelectorAll('.ze-picture')].every((img) => img.naturalWidth > 0)"
    )


async def test_a_wrong_password_is_named_and_a_right_one_leads_to_the_wall(stage: Stage) -> None:
    page = await stage.visit("/")
    await page.get_by_test_id("login-username").fill("visitor")
    await page.get_by_test_id("login-password").fill("wrong")
    await page.get_by_test_id("login-submit").click()
    await expect(page.get_by_test_id("login-problem")).to_contain_text("not right")
    await stage.shoot(page, "login-en")
    await page.get_by_test_id("login-password").fill("open-sesame")
    await page.get_by_test_id("login-submit").click()
    await expect(page.get_by_test_id("room-room-1")).to_be_visible()
    await expect(page.get_by_test_id("link-state")).to_have_attribute("data-state", "live")
    await until(lambda: stage.director.started == 1, what="the day is started")


async def test_an_alert_appears_and_space_acknowledges_it(stage: Stage) -> None:
    page = await stage.enter()
    await expect(page.get_by_test_id("rail-empty")).to_be_visible()
    alert = stage.house.raise_alert()
    card = page.get_by_test_id(f"alert-{alert.id}")
    await expect(card).to_have_attribute("data-handling", "new")
    await expect(page.get_by_test_id("room-room-1")).to_have_attribute("data-alarm", "alarm")
    await expect(page.get_by_test_id("count-room-1")).to_contain_text("6/5")
    await expect(page).to_have_title(re.compile(r"^\(1\)"))
    await page.keyboard.press("Space")
    await expect(card).to_have_attribute("data-handling", "acknowledged")
    assert stage.house.alerts[alert.id].acknowledged_by == "visitor"
    await expect(card).to_contain_text("visitor")
    assert stage.errors == []


async def test_what_is_not_recorded_is_told_in_words_on_tile_room_and_alert(stage: Stage) -> None:
    page = await stage.enter()
    mark = page.get_by_test_id("rec-room-1")
    await expect(mark).to_have_attribute("data-state", "recording")
    await expect(mark).to_contain_text("REC")
    await stage.shoot(page, "recording-en")
    alert = stage.house.lose_recording()
    await expect(mark).to_have_attribute("data-state", "gap")
    await expect(mark).to_contain_text("Not recorded · disk full")
    await page.get_by_test_id("room-room-1").locator("button").first.click()
    dialog = page.get_by_test_id("room-dialog")
    await expect(dialog.get_by_test_id("track-room-1-cam")).to_contain_text("413")
    await expect(dialog.get_by_test_id("track-room-1-cam")).to_contain_text("Chain broken")
    await expect(dialog.get_by_test_id("room-clock")).to_contain_text("not synchronised")
    await expect(dialog.get_by_test_id("room-key")).to_contain_text("not confirmed")
    await stage.shoot(page, "recording-room-en")
    await page.get_by_test_id("room-close").click()
    await page.get_by_test_id(f"alert-{alert.id}").click()
    await expect(page.get_by_test_id("alert-found")).to_contain_text("no entry or checkpoint")
    await expect(
        page.get_by_test_id("alert-dialog").get_by_test_id("track-room-1-cam")
    ).to_be_visible()
    await expect(page.get_by_test_id("alert-clock")).to_contain_text("not synchronised")
    await stage.shoot(page, "recording-alert-en")
    chinese = await stage.enter(language="zh")
    await expect(chinese.get_by_test_id("rec-room-1")).to_contain_text("无录像 · 硬盘已满")
    await stage.shoot(chinese, "recording-zh")
    assert stage.errors == []


async def test_space_takes_the_newest_and_a_clicked_button_does_not_swallow_it(
    stage: Stage,
) -> None:
    page = await stage.enter()
    older, newer = stage.house.raise_alert("room-1"), stage.house.raise_alert("room-2")
    await expect(page.get_by_test_id(f"alert-{newer.id}")).to_be_visible()
    await page.get_by_test_id("rail-all").click()
    await page.keyboard.press("Space")
    await expect(page.get_by_test_id(f"alert-{newer.id}")).to_have_attribute(
        "data-handling", "acknowledged"
    )
    assert stage.house.alerts[older.id].handling is Handling.NEW


async def test_the_dialog_explains_the_alert_and_space_acknowledges_it(stage: Stage) -> None:
    page = await stage.enter()
    alert = stage.house.raise_alert()
    await expect(page.get_by_test_id(f"alert-{alert.id}")).to_be_visible()
    await page.keyboard.press("a")
    await page.keyboard.press("Enter")
    dialog = page.get_by_test_id("alert-dialog")
    await expect(dialog).to_contain_text("the area holds more people than are admitted")
    await expect(dialog).to_contain_text("limit 5")
    await expect(dialog.locator("rect")).to_have_count(6)
    await stage.shoot(page, "alert-en")
    await page.keyboard.press("Space")
    card = page.get_by_test_id(f"alert-{alert.id}")
    await expect(card).to_have_attribute("data-handling", "acknowledged")
    assert stage.house.alerts[alert.id].acknowledged_by == "visitor"
    await page.keyboard.press("Escape")
    await expect(dialog).not_to_be_visible()
    assert stage.errors == []


async def test_the_language_switches_at_once_and_is_remembered(stage: Stage) -> None:
    page = await stage.enter()
    await expect(page.get_by_test_id("room-room-1")).to_contain_text("Evaluation room 1")
    await page.get_by_test_id("language").click()
    await expect(page.get_by_test_id("room-room-1")).to_contain_text("评标室 1")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await page.reload()
    await expect(page.get_by_test_id("room-room-1")).to_contain_text("评标室 1")


async def test_a_meal_is_ordered_loaded_and_collected(stage: Stage) -> None:
    wall = await stage.enter()
    tablet = await stage.beside(wall, "/tablet/room-1")
    await order_a_meal(tablet)
    await expect(tablet.get_by_test_id("pin")).to_have_attribute("data-pin", PIN)
    await stage.shoot(tablet, "tablet-pin-en")
    await expect(wall.get_by_test_id("delivery-d-1")).to_contain_text("2 × Braised chicken")
    await tablet.get_by_test_id("hide-pin").click()
    await expect(tablet.get_by_test_id("pin")).to_have_count(0)
    await tablet.reload()
    await expect(tablet.get_by_test_id("dish-tea")).to_be_visible()
    assert PIN not in await tablet.content()

    stage.house.move("d-1", DeliveryState.LOADING, robot_id="robot-1", compartment=1)
    kitchen = await stage.beside(wall, "/kitchen")
    await stage.shoot(kitchen, "kitchen-en")
    await kitchen.get_by_test_id("loaded-d-1").click()
    await until(
        lambda: stage.house.deliveries["d-1"].state is DeliveryState.LOCKING,
        what="the kitchen's word reaches the controller",
    )

    door = await stage.beside(wall, "/door/robot-1")
    stage.house.move("d-1", DeliveryState.ARRIVED)
    await expect(door.get_by_test_id("door")).to_have_attribute("data-face", "enter")
    for digit in "000000":
        await door.get_by_test_id(f"key-{digit}").click()
    await expect(door.get_by_test_id("tries")).to_contain_text("4")
    await stage.shoot(door, "door-wrong-en")
    await door.keyboard.type(PIN)
    await expect(door.get_by_test_id("door")).to_have_attribute("data-face", "open")
    await stage.shoot(door, "door-open-en")
    stage.house.move("d-1", DeliveryState.COLLECTED)
    await expect(door.get_by_test_id("door")).to_have_attribute("data-face", "thanks")
    stage.house.move("d-1", DeliveryState.RETURNED)
    await expect(wall.get_by_test_id("delivery-d-1")).to_have_attribute("data-state", "returned")
    # The refused PIN is no error of the page: the console's server asked, not the browser.
    assert stage.errors == []


async def test_a_session_is_sealed_only_after_a_second_look(stage: Stage) -> None:
    page = await stage.enter()
    await page.get_by_test_id("seal-s-2").click()
    await expect(page.get_by_test_id("session-confirm")).to_contain_text("Seal this room?")
    assert stage.house.sessions["s-2"].state is SessionState.GATHERING
    await page.get_by_test_id("confirm-yes").click()
    await expect(page.get_by_test_id("session-s-2")).to_have_attribute("data-state", "sealed")
    await expect(page.get_by_test_id("room-room-2")).to_have_attribute("data-seal", "sealed")
    await expect(page.get_by_test_id("count-room-2")).to_contain_text("3/5")


async def test_the_report_is_shown(stage: Stage) -> None:
    page = await stage.enter(path="/report/s-1")
    frame = page.frame_locator("[data-testid=report-page]")
    await expect(frame.locator("h1")).to_contain_text("Witness report")
    await stage.shoot(page, "report-en")
    assert stage.errors == []


async def test_a_lost_controller_is_said_and_comes_back(stage: Stage) -> None:
    page = await stage.enter()
    await expect(page.get_by_test_id("room-room-1")).to_be_visible()
    stage.house.down = True
    stage.house.drop_streams()
    await expect(page.get_by_test_id("banner-lost")).to_be_visible()
    await expect(page.locator("body")).to_have_class(re.compile("ze-stale"))
    await stage.shoot(page, "lost-en")
    stage.house.down = False
    alert = stage.house.raise_alert()
    await expect(page.get_by_test_id("banner-lost")).to_have_count(0)
    await expect(page.get_by_test_id(f"alert-{alert.id}")).to_be_visible()


async def test_the_demonstration_says_what_to_do_and_passes_on_cues(stage: Stage) -> None:
    page = await stage.enter()
    await expect(page.get_by_test_id("demo-todo")).to_contain_text("press space")
    await page.get_by_test_id("cue-sixth-person").click()
    await until(lambda: stage.director.cues == ["sixth-person"], what="the cue arrives")
    stage.director.refuse = True
    await page.get_by_test_id("cue-block-corridor").click()
    await expect(page.get_by_test_id("demo-refused")).to_contain_text("not sealed yet")


async def test_panels_have_their_own_home_and_nothing_else(stage: Stage) -> None:
    page = await stage.enter("tablet-1")
    await expect(page.get_by_test_id("tablet")).to_be_visible()
    assert page.url.endswith("/tablet/room-1")
    await page.goto(stage.url + "/kitchen")
    await expect(page.get_by_test_id("notice")).to_contain_text("may not see")


async def test_nothing_comes_from_outside_and_nothing_complains(stage: Stage) -> None:
    page = await stage.enter()
    stage.house.raise_alert()
    await pictures_stand(page)
    for path, part in (
        ("/kitchen", "kitchen"),
        ("/tablet/room-1", "dish-tea"),
        ("/door/robot-1", "door"),
        ("/report/s-1", "report-page"),
    ):
        other = await stage.beside(page, path)
        await expect(other.get_by_test_id(part)).to_be_visible()
    assert stage.hosts() == {"127.0.0.1"}
    assert stage.errors == []


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_view_has_its_portrait(stage: Stage, language: str) -> None:
    house = stage.house
    house.clip_mp4 = clip_mp4(1)  # on a slow machine the clip is complete before the picture is
    house.warn()
    house.raise_alert()
    house.put(house.zones["corridor-west"].model_copy(update={"clear": False, "people": 1}))
    house.put(house.zones["door-2"].model_copy(update={"clear": None}))
    room = house.rooms["corridor-1"]
    broken = room.cameras[0].model_copy(
        update={"state": CameraState.OFFLINE, "sound": SoundState.ABSENT}
    )
    house.put(room.model_copy(update={"cameras": (broken,), "head_count": None}))
    page = await stage.enter(language=language)
    await expect(page.get_by_test_id("alert-alert-2")).to_be_visible()
    tablet = await stage.beside(page, "/tablet/room-1")
    await tablet.get_by_test_id("more-tomato-noodles").click()
    await stage.shoot(tablet, f"tablet-{language}")
    await order_a_meal(tablet)
    await expect(tablet.get_by_test_id("pin")).to_be_visible()
    await stage.shoot(tablet, f"tablet-pin-{language}")
    await _the_kitchen_is_told(stage, page, language)
    house.move("d-1", DeliveryState.TRAVELLING, held=True)
    house.put(house.robots["robot-1"].model_copy(update=house.on_the_way()))
    await expect(page.get_by_test_id("robot-robot-1")).to_have_attribute("data-state", "held")
    await stage.shoot(page, f"wall-{language}")
    house.move("d-1", DeliveryState.ARRIVED, held=False)
    await tablet.get_by_test_id("hide-pin").click()
    await expect(tablet.get_by_test_id("robot-here")).to_be_visible()
    await stage.shoot(tablet, f"tablet-arrived-{language}")
    door = await stage.beside(page, "/door/robot-1")
    await expect(door.get_by_test_id("door")).to_have_attribute("data-face", "enter")
    await door.keyboard.type(PIN[:3])
    await stage.shoot(door, f"door-{language}")
    await page.get_by_test_id("alert-alert-2").click()
    await expect(page.get_by_test_id("alert-dialog")).to_be_visible()
    await stage.shoot(page, f"alert-{language}")
    login = await stage.visit("/login", language=language)
    await expect(login.get_by_test_id("login-form")).to_be_visible()
    await stage.shoot(login, f"login-{language}")
    assert stage.errors == []


async def _the_kitchen_is_told(stage: Stage, page: Page, language: str) -> None:
    """Why a robot comes, that it is kept, that it is here, and what a person has in hand."""
    house = stage.house
    chosen = Sentence(zh="机器人 1 约 12 秒到厨房。", en="Robot 1 is at the kitchen in 12 s.")
    house.move("d-1", DeliveryState.TO_KITCHEN, robot_id="robot-1", explanation=chosen)
    kitchen = await stage.beside(page, "/kitchen")
    why = kitchen.locator(".ze-delivery-why")
    await expect(why).to_contain_text("12")
    await expect(why).not_to_have_class(re.compile("is-trouble"))
    await stage.shoot(kitchen, f"kitchen-coming-{language}")
    blocked = Sentence(zh="机器人 2 停在 c3，挡住去往厨房的路。", en="Robot 2 stands at c3.")
    house.move("d-1", DeliveryState.TO_KITCHEN, explanation=blocked, troubled=True)
    await expect(why).to_have_class(re.compile("is-trouble"))
    await stage.shoot(kitchen, f"kitchen-blocked-{language}")
    house.move("d-1", DeliveryState.LOADING, compartment=1, explanation=None, troubled=False)
    await expect(kitchen.get_by_test_id("loaded-d-1")).to_be_visible()
    await stage.shoot(kitchen, f"kitchen-{language}")
    said = RemovalView(reason="left wheel", by="sup", utc_ms=NOON, node="c3", loaded=(1, 3))
    second = house.robots["robot-2"]
    house.put(second.model_copy(update={"removed": said}))
    in_hand = kitchen.get_by_test_id("in-hand-robot-2")
    await expect(in_hand).to_contain_text("1, 3")
    await expect(in_hand).to_contain_text("left wheel")
    await stage.shoot(kitchen, f"kitchen-in-hand-{language}", full=True)
    house.put(second)
    await expect(in_hand).to_have_count(0)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_phone_shows_everything_in_one_column(stage: Stage, language: str) -> None:
    stage.house.raise_alert()
    page = await stage.enter(language=language, size=PHONE)
    await expect(page.get_by_test_id("alert-alert-1")).to_be_visible()
    await pictures_stand(page)
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"the page is {width} wide and scrolls sideways"
    tile = await page.get_by_test_id("room-room-1").bounding_box()
    rail = await page.get_by_test_id("rail").bounding_box()
    assert tile is not None
    assert rail is not None
    assert rail["y"] > tile["y"] + tile["height"]
    await stage.shoot(page, f"phone-wall-{language}", full=True)
    tablet = await stage.beside(page, "/tablet/room-1")
    await expect(tablet.get_by_test_id("dish-tea")).to_be_visible()
    await stage.shoot(tablet, f"phone-tablet-{language}", full=True)
    door = await stage.beside(page, "/door/robot-1")
    await expect(door.get_by_test_id("door")).to_be_visible()
    await stage.shoot(door, f"phone-door-{language}")
    assert stage.errors == []
