"""Every sentence calls robots and places as the pages do: by their names, in both languages."""

from dataclasses import replace

import pytest

from contracts.api import DeliveryState, Sentence
from contracts.devices import Named
from contracts.units import MonoMs, UtcMs
from controller.core import alerts, delivery_life, names, own_alerts
from controller.core.assignment import Ask, Offer, plan_tours
from controller.core.deliveries import Facts
from controller.core.delivery_life import At
from controller.core.dispatch_inputs import RobotCommanded
from controller.core.dispatch_steps import step
from controller.core.fleet import HoldVerb
from controller.core.outputs import FileRecord, Refused
from controller.core.plan import SitePlan, plan_of
from controller.core.state import Now
from tests.fakes.controller_site import fresh_state, small_map, small_site
from tests.fakes.orders import a_delivery

NOW = Now(MonoMs(1_000), UtcMs(1_780_000_000_000))
FIRST = Named(zh="送餐车甲", en="Trolley A")


@pytest.fixture
def plan() -> SitePlan:
    site, robot_map = small_site(), small_map()
    second = Named(zh="送餐车乙", en="Trolley B")
    robots = tuple(
        row.model_copy(update={"name": name})
        for row, name in zip(site.robots, (FIRST, second), strict=True)
    )
    place = replace(robot_map.nodes["c1"], name="东走廊 / East corridor")
    nodes = {**robot_map.nodes, "c1": place}
    return plan_of(site.model_copy(update={"robots": robots}), replace(robot_map, nodes=nodes))


def test_a_name_is_given_in_both_languages_and_an_unknown_thing_by_its_id(plan: SitePlan) -> None:
    assert names.robot_name(plan, "robot-1") == ("送餐车甲", "Trolley A")
    assert names.robot_name(plan, "robot-9") == ("robot-9", "robot-9")
    assert names.place_name(plan, "c1") == ("东走廊", "East corridor")
    assert names.place_name(plan, "c2") == ("c2", "c2")
    assert names.place_name(plan, "nowhere") == ("nowhere", "nowhere")
    assert names.zone_name(plan, "corridor") == ("Corridor", "Corridor")
    assert names.zone_name(plan, "attic") == ("attic", "attic")


@pytest.mark.parametrize("name", ["3 / 4", "Dock", " / Dock", "充电位 / "])
def test_only_a_text_with_two_halves_is_taken_apart(name: str) -> None:
    halves = ("3", "4") if name == "3 / 4" else (name, name)
    assert names.both(name) == halves


def test_a_delivery_says_why_this_robot_and_which_others_cannot_go_by_name(plan: SitePlan) -> None:
    ask = Ask("d1", "room-1", "door-1", UtcMs(NOW.utc_ms - 1_000))
    near, far = Offer("robot-1", "kitchen", 0, (1,), 90.0), Offer("robot-2", "c2", 0, (1,), 90.0)
    taken = plan_tours(plan, [near, far], [ask], NOW.utc_ms).tours[0].why
    assert taken.zh.startswith("送餐车甲 约")
    assert taken.en.startswith("Trolley A is at the kitchen")
    late = plan_tours(plan, [replace(near, in_s=60.0)], [ask], NOW.utc_ms).waiting["d1"]
    assert late.zh.startswith("送餐车甲 约")
    assert late.en.startswith("Trolley A takes it when it is free")
    unfit = {"robot-2": Sentence(zh="离线", en="offline")}
    empty = replace(near, compartments=())
    nobody = plan_tours(plan, [empty], [ask], NOW.utc_ms, unfit).waiting["d1"]
    assert "送餐车甲 没有空箱格；送餐车乙 离线" in nobody.zh
    assert "Trolley A no empty, shut compartment; Trolley B offline" in nobody.en


def test_a_delivery_whose_robot_stopped_says_which_and_where_by_name() -> None:
    made = a_delivery(DeliveryState.TRAVELLING)
    facts = Facts(lost_ms=301_000, at_node="c1", robot=FIRST, place="东走廊 / East corridor")
    at = At("kitchen", "door-1", MonoMs(2), UtcMs(2))
    why = delivery_life.advance(made, facts, at)[0].explanation
    assert why is not None
    assert why.zh.startswith("送餐车甲 中途停运，物品锁在 1 号箱格（东走廊）。")
    assert why.en.startswith("Trolley A stopped on the way; it is locked in compartment 1 at East")


def test_what_people_tell_robots_is_refused_and_recorded_by_name(plan: SitePlan) -> None:
    state = fresh_state(plan)
    _, outputs = step(state, RobotCommanded("robot-1", HoldVerb.RETURNED, "back", "sup"), NOW)
    (refused,) = (row for row in outputs if isinstance(row, Refused))
    assert refused.detail.zh == "送餐车甲 没有被移离通道。"
    assert refused.detail.en == "Nobody has taken Trolley A off the floor."
    duty = replace(state.duties["robot-1"], at_node="c1")
    state = replace(state, duties={**state.duties, "robot-1": duty})
    _, outputs = step(state, RobotCommanded("robot-1", HoldVerb.REMOVED, "wheel", "sup"), NOW)
    (line,) = (row for row in outputs if isinstance(row, FileRecord))
    assert "sup 在 东走廊 移离了 送餐车甲：wheel" in line.text.zh
    assert "sup took off the floor Trolley A at East corridor: wheel" in line.text.en
    assert (line.subject, line.data["node"]) == ("robot-1", "c1"), "records keep the ids"


def test_an_alert_whose_title_says_all_names_the_robot_and_where_it_is(plan: SitePlan) -> None:
    site = fresh_state(plan, NOW)
    duty = replace(site.duties["robot-1"], at_node="c1")
    site = replace(site, duties={**site.duties, "robot-1": duty})
    site = own_alerts.warn(site, alerts.BATTERY_LOW, "robot-1", "corridor", NOW)
    site = own_alerts.warn(site, alerts.BATTERY_LOW, "robot-2", "corridor", NOW)
    saw = [row.alert.saw for row in site.alerts.values()]
    assert [(one.zh, one.en) for one in saw if one is not None] == [
        ("送餐车甲，位于 东走廊。", "Trolley A, at East corridor."),
        ("送餐车乙。", "Trolley B."),
    ]
