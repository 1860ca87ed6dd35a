"""What a robot must be able to do here, what it may carry, and how each version is spoken to."""

import json
from dataclasses import replace
from typing import Any

import pytest

from contracts.api.menu import DeliveryKind
from contracts.devices import RobotConfig
from contracts.units import UtcMs
from contracts.vda5050.codec import VdaMessage, decode_vda, encode_vda
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.profile import LOCK_COMPARTMENT, OPEN_COMPARTMENT
from controller.core import capability
from controller.core.capability import NEEDED, Declared
from controller.core.fleet import Duty, begin, extend, order_of
from controller.core.outputs import ActionKind, OrderNode, PublishAction, PublishOrder
from controller.core.plan import SitePlan, plan_of
from controller.fleet.master import address_of
from controller.fleet.translate import actions_message, order_message
from tests.fakes.controller_site import small_map, small_plan, small_site

PLAN = small_plan()
PLAIN = Declared(version="2.1.0", instant_actions=NEEDED)
BOXES = replace(PLAIN, instant_actions=(*NEEDED, OPEN_COMPARTMENT, LOCK_COMPARTMENT))


def robot(**more: Any) -> RobotConfig:
    given = {"kind": "robot", "manufacturer": "Acme", "serial_number": "AMR_0042", **more}
    return RobotConfig.model_validate(given)


def with_robot(one: RobotConfig) -> SitePlan:
    site = small_site(robots=1)
    return plan_of(site.model_copy(update={"robots": (one,)}), small_map())


def lacks(declared: Declared | None, **more: Any) -> str:
    found = capability.lacks(PLAN, robot(**more), declared)
    assert all(row.zh and row.en for row in found)
    return "; ".join(row.en for row in found)


def test_three_words_in_a_file_are_enough() -> None:
    one = robot(vda5050_version="3.0.0")
    assert (one.id, one.name.en, one.topic_prefix) == ("amr-0042", "AMR_0042", "vda5050")
    plan = with_robot(one)
    assert plan.robots["amr-0042"].home_node == "home-1"
    assert address_of(plan, "amr-0042").major == "v3"


@pytest.mark.parametrize(
    ("declared", "more", "wanted"),
    [
        (PLAIN, {}, ""),
        (BOXES, {}, ""),
        (None, {}, "has not said what it can do"),
        (None, {"factsheet": "assume"}, ""),
        (replace(PLAIN, version="2.0.0"), {}, "speaks VDA 5050 2.0.0"),
        (replace(PLAIN, instant_actions=("cancelOrder",)), {}, "startPause, stopPause"),
        (PLAIN, {"carries": "compartments"}, OPEN_COMPARTMENT),
        (replace(PLAIN, required=("order.edges.trajectory",)), {}, "trajectory"),
        (replace(PLAIN, required=("order.edges.maxSpeed",)), {}, ""),
        (replace(PLAIN, required=("order.edges.maxSpeed",)), {"sends": []}, "maxSpeed"),
        (replace(PLAIN, nodes_max=1), {}, "only 1 node"),
        (replace(PLAIN, ids_numerical=True), {}, "numerical"),
        (replace(PLAIN, id_chars_max=8), {}, "at most 8"),
        (replace(PLAIN, speed_max_m_s=0.0), {}, "no speed"),
    ],
)
def test_what_a_robot_lacks_is_said(
    declared: Declared | None, more: dict[str, Any], wanted: str
) -> None:
    found = lacks(declared, **more)
    assert (wanted in found) if wanted else not found


def test_a_robot_without_locks_carries_meals_on_a_tray_and_nothing_else() -> None:
    assert capability.carries_tray(robot(), PLAIN)
    assert not capability.carries_tray(robot(), BOXES)
    assert capability.may_carry(robot(), PLAIN, DeliveryKind.MEAL) is None
    for kind in (DeliveryKind.PAPERS, DeliveryKind.DEVICE, DeliveryKind.MEDICINE):
        assert capability.may_carry(robot(), PLAIN, kind) is not None
        assert capability.may_carry(robot(), BOXES, kind) is None
    assert capability.may_carry(robot(), None, DeliveryKind.MEAL) is not None
    assert capability.may_carry(robot(carries="nothing"), BOXES, DeliveryKind.MEAL) is not None


WAY = ("kitchen", "k", "c1", "c2", "door-1")


def order_for(one: RobotConfig, fields: tuple[str, ...] | None = None) -> dict[str, Any]:
    nodes = tuple(OrderNode(node, 2 * n, released=n < 3) for n, node in enumerate(WAY))
    plan = with_robot(one)
    wanted = PublishOrder(one.id, "o", 0, nodes, fields)
    found: dict[str, Any] = json.loads(encode_vda(order_message(wanted, plan, one, 7, UtcMs(0))))
    return found


def test_an_order_has_the_fields_that_the_robot_reads_and_the_names_of_its_version() -> None:
    old = order_for(robot(vda5050_version="2.0.0"))
    assert old["version"] == "2.0.0"
    assert old["edges"][0]["maxSpeed"] == 1.2
    assert "length" in old["edges"][0]
    few = order_for(robot(vda5050_version="2.1.0"), ("nodePosition",))
    assert set(few["edges"][0]) == {
        "actions", "edgeId", "endNodeId", "released", "sequenceId", "startNodeId",
    }  # fmt: skip
    bare = order_for(robot(sends=["maxSpeed"]))
    assert "nodePosition" not in bare["nodes"][1]
    new = order_for(robot(vda5050_version="3.0.0"))
    assert new["version"] == "3.0.0"
    assert new["edges"][0]["maximumSpeed"] == 1.2
    assert "maxSpeed" not in new["edges"][0]


def test_some_robots_want_their_instant_actions_under_another_name() -> None:
    one = robot(vda5050_version="2.0.0", instant_actions_key="instantActions")
    wanted = PublishAction(one.id, "a-1", ActionKind.PAUSE)
    message = actions_message(wanted, one, 1, UtcMs(0), None)
    body = json.loads(encode_vda(message, instant_actions_key=one.instant_actions_key))
    assert [row["actionType"] for row in body["instantActions"]] == ["startPause"]
    assert "actions" not in body


def test_a_robot_is_told_no_more_nodes_at_once_than_it_takes() -> None:
    small = replace(PLAIN, nodes_max=3)
    duty = begin(Duty("robot-1", declared=small), WAY, 1, "o")
    duty = extend(duty, 5)
    told = order_of(duty)
    assert told is not None
    assert [row.node_id for row in told.nodes] == ["kitchen", "k", "c1"]
    assert duty.mission is not None
    taken = replace(duty, mission=replace(duty.mission, answered=duty.mission.update_id))
    more = order_of(extend(taken, 5))
    assert more is not None
    assert [row.node_id for row in more.nodes] == ["c1", "c2", "door-1"]
    assert len(more.nodes) <= 3


def test_a_factsheet_is_read_with_its_limits() -> None:
    sheet = {
        "headerId": 1, "timestamp": "2026-01-01T00:00:00Z", "version": "2.0.0",
        "manufacturer": "Acme", "serialNumber": "AMR_0042",
        "typeSpecification": {"seriesName": "S", "agvKinematic": "DIFF", "agvClass": "CARRIER",
                              "maxLoadMass": 5, "localizationTypes": [], "navigationTypes": []},
        "physicalParameters": {"speedMin": 0, "speedMax": 0.8, "accelerationMax": 1,
                               "decelerationMax": 0.4, "heightMax": 1, "width": 0.5, "length": 0.5},
        "protocolLimits": {"maxStringLens": {"idLen": 80}, "maxArrayLens": {"order.nodes": 12},
                           "timing": {"minOrderInterval": 0.5, "minStateInterval": 0.1}},
        "protocolFeatures": {
            "optionalParameters": [{"parameter": "order.nodes.nodePosition",
                                    "support": "REQUIRED"}],
            "agvActions": [{"actionType": "startPause", "actionScopes": ["INSTANT"]},
                           {"actionType": "pick", "actionScopes": ["NODE"]}]},
        "agvGeometry": {}, "loadSpecification": {},
    }  # fmt: skip
    found = decode_vda("uagv/v2/Acme/AMR_0042/factsheet", json.dumps(sheet).encode())
    assert isinstance(found, VdaMessage)
    assert isinstance(found.body, Factsheet)
    declared = capability.declared_of(found.body, UtcMs(5))
    assert declared.instant_actions == ("startPause",)
    assert (declared.nodes_max, declared.id_chars_max) == (12, 80)
    assert declared.fields == ("nodePosition",)
    assert declared.order_interval_ms == 500
    assert capability.speed_max(robot(), declared) == 0.8
    assert capability.braking_m(robot(), declared, 0.8) == pytest.approx(0.8)
