"""Taking a robot off the floor by API: who may say so, what is refused, what is kept of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.api.floor import RobotVerb
from controller.core.fleet import HoldVerb
from tests.fakes.sealed_house import sealed
from tests.unit.controller.test_ordering_api import House

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PATH = "/robots/robot-1/commands"
REMOVED = {"verb": "removed", "reason": "a wheel is off"}
RETURNED = {"verb": "returned", "reason": "mended"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with sealed(tmp_path, House) as found:
        yield found


def test_the_api_and_the_core_have_the_same_verbs() -> None:
    assert [row.value for row in RobotVerb] == [row.value for row in HoldVerb]


async def test_a_supervisor_says_it_with_a_reason_and_nobody_else_may(house: House) -> None:
    await house.ask("sup", "POST", PATH, {"verb": "removed", "reason": "no"}, 422)
    for name in ("tab1", "cook"):
        await house.ask(name, "POST", PATH, REMOVED, 403)
    await house.ask("sup", "POST", "/robots/robot-9/commands", REMOVED, 404)
    view = await house.ask("sup", "POST", PATH, REMOVED)
    assert view["condition"] == "removed"
    assert view["pose"] is None
    said = view["removed"]
    assert (said["reason"], said["by"]) == ("a wheel is off", "sup")
    again = await house.ask("sup", "POST", PATH, REMOVED, 409)
    assert "already" in again["detail"]
    held = await house.ask("sup", "POST", PATH, {"verb": "hold", "reason": "why not"}, 409)
    assert "sup" in held["detail"]
    back = await house.ask("sup", "POST", PATH, RETURNED, 409)
    assert "off line" in back["detail"]


async def test_the_record_and_the_audit_have_name_and_reason(house: House) -> None:
    order = await house.order()
    house.put(order["id"], robot_id="robot-1", compartment=1, state="to_kitchen")
    await house.ask("sup", "POST", PATH, REMOVED)
    rows = (await house.ask("sup", "GET", f"/sessions/{house.session}/record"))["items"]
    line = next(row for row in rows if row["data"].get("verb") == "removed")
    assert line["by"] == "sup"
    assert line["data"]["reason"] == "a wheel is off"
    assert "a wheel is off" in line["text"]["zh"]
    after = await house.ask("sup", "GET", f"/deliveries/{order['id']}")
    assert after["robot_id"] is None
    assert after["state"] == "requested"
    audit = (await house.ask("audit", "GET", "/audit"))["items"]
    said = next(row for row in audit if row["what"].endswith("/commands"))
    assert (said["by"], said["note"]) == ("sup", "removed: a wheel is off")
