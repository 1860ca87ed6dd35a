"""Orders by API: who may what, what a refusal says, ETags, approvals, the record, the counts."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contracts.api import DeliveryState
from contracts.units import RobotId
from controller.core.state import SiteState
from tests.fakes.controller_site import bench
from tests.fakes.sealed_house import SealedHouse, sealed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TEA = {"room_id": "room-1", "lines": [{"dish": "tea", "count": 2}]}
PAPERS = {"room_id": "room-1", "kind": "papers", "lines": [{"dish": "paper", "count": 1}]}


class House(SealedHouse):
    """A sealed house, and what these tests ask of it."""

    async def ask(
        self, name: str, method: str, path: str, body: object = None, status: int = 200, **sent: str
    ) -> Any:  # JSON
        headers = {key.replace("_", "-"): value for key, value in sent.items()}
        answer = await (await self.of(name)).request(method, path, json=body, headers=headers)
        assert answer.status_code == status, (name, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def order(self, body: object = TEA, name: str = "tab1") -> Any:  # JSON
        return (await self.ask(name, "POST", "/deliveries", body, 201))["delivery"]

    async def steps(self) -> list[str]:
        rows = (await self.ask("sup", "GET", f"/sessions/{self.session}/record"))["items"]
        return [row["data"]["step"] for row in rows if row["kind"] == "delivery"]

    def put(self, delivery_id: str, **fields: object) -> None:
        """What the dispatcher would make of a delivery, without a robot that drives."""
        service = self.made.controller.service
        state: SiteState = service.state
        row = replace(state.deliveries[delivery_id], **fields)  # type: ignore[arg-type]  # by name
        service.state = replace(state, deliveries={**state.deliveries, delivery_id: row})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with sealed(tmp_path, House) as found:
        yield found


async def test_a_room_orders_changes_and_calls_off_by_closed_choices(house: House) -> None:
    key = {"Idempotency_Key": "one-order"}
    given = await house.ask("tab1", "POST", "/deliveries", TEA, 201, **key)
    again = await house.ask("tab1", "POST", "/deliveries", TEA, 200, **key)
    assert len(given["pin"]) == 6
    assert (again["pin"], again["delivery"]["id"]) == (None, given["delivery"]["id"])
    await house.ask("tab2", "POST", "/deliveries", TEA, 403)
    words = TEA | {"note": "help"}
    await house.ask("tab1", "POST", "/deliveries", words, 422)  # no free text leaves a room
    one = f"/deliveries/{given['delivery']['id']}"
    water = {"lines": [{"dish": "water", "count": 1}]}
    await house.ask("tab1", "PUT", one, water, 428)
    await house.ask("tab1", "PUT", one, water, 412, If_Match='"old"')
    etag = (await (await house.of("tab1")).get(one)).headers["etag"]
    changed = await house.ask("tab1", "PUT", one, water, 200, If_Match=etag)
    assert changed["lines"][0]["dish"] == "water"
    await house.ask("tab1", "PUT", one, water, 412, If_Match=etag)
    said = await house.ask("tab1", "POST", f"{one}/cancel", {"reason": "tell them all"}, 422)
    assert "not_needed" in said["detail"]
    house.put(given["delivery"]["id"], state=DeliveryState.LOADING)
    await house.ask("tab1", "POST", f"{one}/cancel", {"reason": "wrong"}, 409)
    house.put(given["delivery"]["id"], state=DeliveryState.REQUESTED)
    gone = await house.ask("tab1", "POST", f"{one}/cancel", {"reason": "wrong"})
    assert gone["state"] == "cancelled"
    assert await house.steps() == ["ordered", "changed", "cancelled", "ended_cancelled"]


async def test_a_window_that_cannot_be_met_is_refused_with_the_earliest_time(house: House) -> None:
    now = house.made.clock.utc_ms()
    soon = {"from_utc_ms": now, "until_utc_ms": now + 10 * 60_000}
    for language, word in (("en", "earliest possible is 09:1"), ("zh-CN", "最早 09:1")):
        client = await house.of("tab1")
        answer = await client.post(
            "/deliveries", json=TEA | {"window": soon}, headers={"Accept-Language": language}
        )
        assert answer.status_code == 409
        assert word in answer.json()["detail"], answer.text
    backwards = {"from_utc_ms": now + 1, "until_utc_ms": now}
    await house.ask("tab1", "POST", "/deliveries", TEA | {"window": backwards}, 422)
    people = await house.ask("tab1", "GET", "/rooms/room-1/meal-suggestion")
    assert (people["people"], people["source"]) == (5, "admitted")
    assert people["earliest_utc_ms"] > now
    await house.ask("tab1", "GET", "/rooms/room-2/meal-suggestion", status=403)
    papers = await house.order(PAPERS)
    rows = await house.ask("tab1", "GET", "/rooms/room-1/arrivals")
    assert {"delivery_id": papers["id"], "about_utc_ms": None, "late": False} in rows
    await house.ask("tab1", "GET", "/rooms/room-2/arrivals", status=403)
    await house.ask("sup", "GET", "/rooms/nowhere/arrivals", status=404)


async def test_papers_need_another_person_and_the_reason_stands_in_the_record(
    house: House,
) -> None:
    made = await house.order(PAPERS)
    assert made["state"] == "proposed"
    path = f"/deliveries/{made['id']}/judge"
    yes = {"approve": True, "reason": "sealed by the agency"}
    for name in ("tab1", "cook", "panel", "duty", "ops", "audit"):
        await house.ask(name, "POST", path, yes, 403)
    await house.ask("sup", "POST", path, {"approve": True, "reason": ""}, 422)
    done = await house.ask("sup", "POST", path, yes)
    assert (done["state"], done["approval"]["by"]) == ("requested", "sup")
    await house.ask("sup", "POST", path, yes, 409)
    own = await house.order(PAPERS, "sup")
    refused = await house.ask("sup", "POST", f"/deliveries/{own['id']}/judge", yes, 403)
    assert "another supervisor" in refused["detail"]
    rows = (await house.ask("sup", "GET", f"/sessions/{house.session}/record"))["items"]
    (line,) = [row for row in rows if row["data"].get("step") == "approved"]
    assert "sealed by the agency" in line["text"]["en"]
    assert (line["by"], line["subject"]) == ("sup", made["id"])


async def test_kitchen_and_door_see_neither_who_nor_which_session(house: House) -> None:
    made = await house.order(PAPERS)
    yes = {"approve": True, "reason": "they may"}
    await house.ask("sup", "POST", f"/deliveries/{made['id']}/judge", yes)
    for name in ("cook", "panel", "tab1"):
        for row in (
            await house.ask(name, "GET", f"/deliveries/{made['id']}"),
            (await house.ask(name, "GET", "/deliveries"))[0],
        ):
            hidden = (row["session_id"], row["ordered_by"], row["custody"], row["approval"])
            assert hidden == (None, "", [], None), name
    row = await house.ask("sup", "GET", f"/deliveries/{made['id']}")
    assert (row["session_id"], row["ordered_by"]) == (house.session, "tab1")


async def test_the_pin_is_shown_on_the_rooms_own_tablet_alone(house: House) -> None:
    made = await house.order()
    path = f"/deliveries/{made['id']}/pin"
    for name in ("tab2", "sup", "cook", "panel"):
        await house.ask(name, "POST", path, status=403)
    new = await house.ask("tab1", "POST", path)
    assert len(new["pin"]) == 6
    state = house.made.controller.service.state
    assert new["pin"] not in repr(state), "it is kept as a slow hash"
    for _ in range(4):
        await house.ask("tab1", "POST", path)
    await house.ask("tab1", "POST", path, status=409)


async def test_a_release_takes_two_supervisors_and_a_robot_at_the_door(house: House) -> None:
    made = await house.order()
    path = f"/deliveries/{made['id']}/release"
    why = {"reason": "the tablet is broken"}
    await house.ask("sup", "POST", path, why, 409)
    robot = RobotId("robot-1")
    house.put(made["id"], state=DeliveryState.ARRIVED, robot_id=robot, compartment=1)
    await house.ask("duty", "POST", path, why, 403)
    seen = await house.ask("sup", "POST", path, why)
    assert (seen["release"]["asked_by"], seen["release"]["reason"]) == ("sup", why["reason"])
    await house.ask("sup2", "POST", path, why, 409)
    await house.ask("sup", "POST", f"{path}/judge", {"approve": True}, 403)
    said = await house.ask("sup2", "POST", f"{path}/judge", {"approve": True}, 409)
    assert "does not say that it stands at the door" in said["detail"], "no robot reports there"
    done = await house.ask("sup2", "POST", f"{path}/judge", {"approve": False})
    assert done["release"] is None
    events = [(row["what"], row["by"]) for row in done["custody"]]
    assert ("release_asked", "sup") in events
    assert ("release_refused", "sup2") in events
    assert {"release_asked", "release_refused"} <= set(await house.steps())


async def test_the_kitchen_edits_the_menu_that_it_saw(house: House) -> None:
    cook = await house.of("cook")
    answer = await cook.get("/menu")
    menu, etag = answer.json(), answer.headers["etag"]
    body = {"dishes": menu["dishes"], "terms": menu["terms"]}
    for row in body["dishes"]:
        row["sold_out"] = row["id"] == "tea"
    for name in ("tab1", "duty", "ops", "audit", "panel"):
        await house.ask(name, "PUT", "/menu", body, 403, If_Match=etag)
    await house.ask("cook", "PUT", "/menu", body, 428)
    seen = await house.ask("cook", "PUT", "/menu", body, 200, If_Match=etag)
    assert (seen["revision"], seen["changed_by"]) == (1, "cook")
    await house.ask("cook", "PUT", "/menu", body, 412, If_Match=etag)
    said = await house.ask("tab1", "POST", "/deliveries", TEA, 422)
    assert "sold out" in said["detail"]
    twice = body | {"dishes": [menu["dishes"][0]] * 2}
    etag = (await cook.get("/menu")).headers["etag"]
    bad = await house.ask("cook", "PUT", "/menu", twice, 422, If_Match=etag)
    assert "stands there twice" in str(bad["errors"])


async def test_recurring_orders_are_made_once_and_taken_away(house: House) -> None:
    body = {"dish": "box-standard", "at_local": "12:00"}
    key = {"Idempotency_Key": "noon-for-all"}
    made = await house.ask("cook", "POST", "/recurring-orders", body, 201, **key)
    again = await house.ask("cook", "POST", "/recurring-orders", body, 201, **key)
    assert made["id"] == again["id"]
    await house.ask("tab1", "POST", "/recurring-orders", body, 403)
    await house.ask("cook", "POST", "/recurring-orders", body | {"at_local": "25:00"}, 422)
    await house.ask("cook", "POST", "/recurring-orders", body | {"rooms": ["corridor"]}, 422)
    path = f"/recurring-orders/{made['id']}"
    etag = (await (await house.of("cook")).get(path)).headers["etag"]
    off = await house.ask("cook", "PUT", path, body | {"active": False}, 200, If_Match=etag)
    assert off["body"]["active"] is False
    await house.ask("cook", "PUT", path, body, 412, If_Match=etag)
    await house.ask("cook", "DELETE", path, status=204)
    assert await house.ask("cook", "GET", "/recurring-orders") == []
    await house.ask("cook", "DELETE", path, status=404)


async def test_accounting_gets_its_counts_as_json_csv_and_xlsx(house: House) -> None:
    first = await house.order()
    second = await house.order(TEA | {"lines": [{"dish": "soup", "count": 3}]})
    await house.ask("tab1", "POST", f"/deliveries/{second['id']}/cancel", {"reason": "wrong"})
    assert first["state"] == "requested"
    counts = await house.ask("cook", "GET", "/meals")
    day = counts["from_day"]
    rows = {row["dish"]: (row["ordered"], row["cancelled"]) for row in counts["rows"]}
    assert rows == {"tea": (2, 0), "soup": (3, 3)}
    await house.ask("tab1", "GET", "/meals", status=403)
    await house.ask("cook", "GET", "/meals?from=2020-01-01&to=2026-01-01", status=422)
    cook = await house.of("cook")
    sheet = await cook.get(f"/meals?from={day}&to={day}&format=csv&lang=en")
    table = list(csv.reader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert table[0][:4] == ["day", "room", "dish id", "dish"]
    assert [row[4:] for row in table[1:]] == [["3", "0", "0", "3"], ["2", "0", "0", "0"]]
    book = await cook.get(f"/meals?from={day}&to={day}&format=xlsx")
    loaded = openpyxl.load_workbook(io.BytesIO(book.content))
    cells = [[cell.value for cell in row] for row in loaded.worksheets[0].iter_rows()]
    assert cells[0][0] == "日期"
    assert [row[2] for row in cells[1:]] == ["soup", "tea"]


async def test_what_came_back_is_inspected_by_the_kitchen(house: House) -> None:
    made = await house.order()
    path = f"/deliveries/{made['id']}/inspected"
    await house.ask("cook", "POST", path, {"found": "food"}, 409)
    house.put(made["id"], state=DeliveryState.FAILED, compartment=1)
    await house.ask("tab1", "POST", path, {"found": "other"}, 403)
    await house.ask("cook", "POST", path, {"found": "a letter"}, 422)
    seen = await house.ask("cook", "POST", path, {"found": "other"})
    assert (seen["inspected"]["found"], seen["inspected"]["by"]) == ("other", "cook")
    assert "inspected_other" in await house.steps()
    (alert,) = (await house.ask("sup", "GET", "/alerts"))["items"]
    told = (alert["rule"], alert["handling"], alert["session_id"])
    assert told == ("delivery.foreign_load", "new", house.session)


async def test_orders_menu_and_rounds_outlive_a_restart(house: House, tmp_path: Path) -> None:
    made = await house.order(PAPERS)
    body = {"dish": "box-standard", "at_local": "12:00"}
    noon = await house.ask("cook", "POST", "/recurring-orders", body, 201)
    menu = (await house.ask("cook", "GET", "/menu"))["dishes"][:2]
    await house.ask("cook", "PUT", "/menu", {"dishes": menu}, If_Match="*")
    other = bench(tmp_path)
    state = other.controller.service.state
    assert state.deliveries[made["id"]].state is DeliveryState.PROPOSED
    assert set(state.ordering) == {"menu", noon["id"]}
    assert len(state.ordering["menu"].body.dishes) == 2  # type: ignore[union-attr]  # a menu


async def test_what_was_ordered_stays_as_it_was_when_its_dish_leaves_the_menu(
    house: House,
) -> None:
    lines = [{"dish": "noodles", "count": 2, "portion": "large"}]
    made = await house.order({"room_id": "room-1", "lines": lines})
    client = await house.of("cook")
    answer = await client.get("/menu")
    menu = answer.json()
    double = [row | ({"boxes": 2} if row["id"] == "noodles" else {}) for row in menu["dishes"]]
    body = {"dishes": double, "terms": menu["terms"]}
    await house.ask("cook", "PUT", "/menu", body, 200, If_Match=answer.headers["etag"])
    await house.ask("cook", "PUT", "/menu", body, 412, If_Match=answer.headers["etag"])
    etag = (await client.get("/menu")).headers["etag"]
    body["dishes"] = [row for row in double if row["id"] != "noodles"]
    after = await house.ask("cook", "PUT", "/menu", body, 200, If_Match=etag)
    assert [(row["id"], row["boxes"]) for row in after["former"]] == [("noodles", 2)]
    stays = await house.ask("sup", "GET", f"/deliveries/{made['id']}")
    assert (stays["state"], stays["lines"], stays["boxes"]) == (made["state"], made["lines"], 4)
    said = await house.ask(
        "tab1", "POST", "/deliveries", {"room_id": "room-1", "lines": lines}, 422
    )
    assert "noodles" in said["detail"]
    rows = (await house.ask("sup", "GET", "/meals"))["rows"]
    assert {row["name"]["en"] for row in rows if row["dish"] == "noodles"} == {"Beef noodles"}
    etag = (await client.get("/menu")).headers["etag"]
    back = {"dishes": double, "terms": menu["terms"]}
    again = await house.ask("cook", "PUT", "/menu", back, 200, If_Match=etag)
    assert again["former"] == []
