"""The wall on real processes: tiles, layouts, alarms, keys, sound."""

import pytest
from playwright.async_api import expect

from tests.fakes.office import Office

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def test_an_alert_of_a_node_stands_on_the_wall(office: Office) -> None:
    session = await office.sealed("room-1")
    await office.people("room-1", 5, visitors=1)
    page = await office.enter()
    alert = office.raise_alert("room-1", sound=True)
    await expect(page.get_by_test_id(f"alert-{alert}")).to_be_visible()
    await expect(page.get_by_test_id("count-room-1")).to_contain_text("6/5")
    await office.shoot(page, "wall-office-en")
    await (await office.client()).session_step(session.id, "release")
    assert office.errors == []
