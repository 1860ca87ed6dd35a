"""The kitchen changes its menu in a real browser: two at a time, mistakes, and a dish that goes."""

import pytest
from playwright.async_api import expect

from contracts.api import DeliveryBody, MenuBody, OrderLine, Role
from contracts.api.menu import Portion
from tests.browser.accessibility import complaints
from tests.browser.conftest import PHONE
from tests.browser.test_dispatch import TABLET, no_sideways
from tests.fakes.office import Office

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

ROOM, DISH, OTHER, GOES = "room-1", "box-halal", "soup", "noodles"


async def test_two_cooks_edit_one_menu_and_an_order_outlives_its_dish(office: Office) -> None:
    api = await office.client(Role.KITCHEN)
    before, _ = await api.menu()
    tablet = await office.client(Role.TABLET)
    lines = (OrderLine(dish=GOES, count=2, portion=Portion.LARGE),)
    meal = DeliveryBody(room_id=ROOM, lines=lines)
    given = await tablet.order(meal, f"menu-{office.clock.utc_ms()}")
    try:
        await _edited(office, given.delivery.id)
    finally:
        _, etag = await api.menu()
        await api.put_menu(MenuBody(dishes=before.dishes, terms=before.terms), etag)
        await (await office.client()).cancel(given.delivery.id, "the test is over")
    assert office.errors == []


async def _edited(office: Office, delivery_id: str) -> None:
    cook = await office.enter(Role.KITCHEN, "/kitchen/menu", language="zh")
    other = await office.enter(Role.SUPERVISOR, "/kitchen/menu")
    await expect(cook.get_by_test_id("menu-save")).to_be_disabled()
    await cook.get_by_test_id(f"open-{DISH}").click()
    await other.get_by_test_id(f"open-{DISH}").click()
    await other.get_by_test_id(f"name-en-{DISH}").fill("Halal lunch, of another")
    await cook.get_by_test_id(f"name-zh-{DISH}").fill("")
    await cook.get_by_test_id(f"open-{OTHER}").click()
    await cook.get_by_test_id(f"from-{OTHER}").fill("11:00")
    await cook.get_by_test_id("term-prepare_min").fill("999")
    await cook.get_by_test_id("menu-save").click()
    await expect(cook.get_by_test_id(f"wrong-name-zh-{DISH}")).to_have_text("请填写。")
    await expect(cook.get_by_test_id(f"wrong-until-{OTHER}")).to_be_visible()
    await expect(cook.get_by_test_id("wrong-prepare_min")).to_have_text("不得大于 240")
    await office.shoot(cook, "menu-wrong-zh", full=True)
    untouched, _ = await (await office.client(Role.KITCHEN)).menu()
    assert {row.id: row.name.zh for row in untouched.dishes}[DISH] == "清真盒饭"
    await cook.get_by_test_id(f"name-zh-{DISH}").fill("清真牛肉饭")
    await cook.get_by_test_id(f"from-{OTHER}").fill("")
    await cook.get_by_test_id("term-prepare_min").fill("15")
    await cook.get_by_test_id(f"allergens-soy-{DISH}").click()
    await cook.get_by_test_id(f"remove-{GOES}").click()
    await cook.get_by_test_id("menu-save").click()
    await expect(cook.get_by_test_id("menu-status")).to_have_text("已保存。")
    await other.get_by_test_id("menu-save").click()
    await expect(other.get_by_test_id("menu-stale")).to_be_visible()
    await office.shoot(other, "menu-stale-en", full=True)
    after, _ = await (await office.client(Role.KITCHEN)).menu()
    named = {row.id: (row.name.zh, row.name.en) for row in after.dishes}
    assert named[DISH] == ("清真牛肉饭", "Halal lunch")
    assert (GOES in named, after.terms.prepare_min) == (False, 15)
    await other.get_by_test_id("menu-theirs").click()
    await expect(other.get_by_test_id(f"dish-{GOES}")).to_have_count(0)
    assert await complaints(cook) == []
    await cook.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await no_sideways(cook)
    await office.shoot(cook, "menu-phone-zh", full=True)
    await _outlives(office, delivery_id)


async def _outlives(office: Office, delivery_id: str) -> None:
    """What was ordered before is cooked under its name; nobody can order it any more."""
    kitchen = await office.enter(Role.KITCHEN, "/kitchen")
    await expect(kitchen.get_by_test_id(f"load-{delivery_id}")).to_contain_text("Beef noodles")
    tablet = await office.enter(Role.TABLET, f"/tablet/{ROOM}", size=TABLET)
    await expect(tablet.get_by_test_id(f"delivery-{delivery_id}")).to_contain_text("Beef noodles")
    await expect(tablet.get_by_test_id("more-box-standard")).to_be_visible()
    await expect(tablet.get_by_test_id(f"more-{GOES}")).to_have_count(0)
