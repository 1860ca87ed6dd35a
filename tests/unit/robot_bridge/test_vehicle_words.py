"""What `zeroentry bridge check` says of a robot, in both languages, and what it does not say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.units import RobotId
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.state import (
    ConnectionState,
    ErrorLevel,
    EStop,
    OperatingMode,
    SafetyState,
    State,
    VehicleError,
)
from controller.core.plan import plan_of
from robot_bridge.conformance.asked import Said
from robot_bridge.core.report import Body, Stamp, factsheet, state
from runtime.site import load_folder
from tests.unit.robot_bridge.scenes import STAMP, World
from zeroentry.vehicle_words import Weight, remarks

DEMO = Path(__file__).parents[3] / "firmware_configs" / "demo"
PLAN = plan_of(*load_folder(DEMO))
ROBOT = PLAN.robots[RobotId("robot-1")]
NODE = PLAN.map.nodes[ROBOT.home_node]
HEADER = Stamp(1, STAMP, ROBOT.manufacturer, ROBOT.serial_number)


def sheet(**changes: Any) -> Factsheet:
    values: dict[str, Any] = {
        "series_name": "test",
        "speed_max_mps": 3.0,
        "acceleration_mps2": 1.0,
        "deceleration_mps2": 3.0,
        "length_m": 0.6,
        "width_m": 0.5,
        "height_m": 1.0,
        "load_max_kg": 10.0,
        "compartments": ROBOT.compartments,
        "state_interval_ms": 1_000,
        "visualization_interval_ms": 200,
    }
    return factsheet(Body(**(values | changes)), HEADER)


def standing(**changes: Any) -> State:
    world = World(compartments=ROBOT.compartments)
    pose = replace(world.reading.pose, x_m=NODE.x_m, y_m=NODE.y_m, map_id=NODE.map_id)
    found = state(world.mission, replace(world.reading, pose=pose), HEADER)
    return found.model_copy(update=changes)


def said(**changes: Any) -> Said:
    values: dict[str, Any] = {
        "connection": ConnectionState.ONLINE,
        "factsheet": sheet(),
        "state": standing(),
    }
    return Said(**(values | changes))


def test_a_robot_that_is_as_its_file_says_earns_no_remark() -> None:
    assert remarks(PLAN, ROBOT, said()) == ()


def moved(state_: State, **changes: Any) -> State:
    place = state_.agv_position
    assert place is not None
    return state_.model_copy(update={"agv_position": place.model_copy(update=changes)})


FEATURES = sheet().protocol_features
ONE_BOX = (standing().information or ())[:1]
PLAIN = FEATURES.model_copy(
    update={
        "agv_actions": tuple(
            row
            for row in FEATURES.agv_actions
            if row.action_type not in ("cancelOrder", "startCharging")
        )
    }
)


@pytest.mark.parametrize(
    ("changes", "weight", "en", "zh"),
    [
        ({"connection": None}, Weight.WRONG, "never online", "从未上线"),
        ({"connection": ConnectionState.CONNECTION_BROKEN}, Weight.WRONG, "not online", "不在线"),
        ({"factsheet": None}, Weight.WRONG, "factsheet", "factsheet"),
        ({"factsheet": sheet(speed_max_mps=0.4)}, Weight.NOTE, "at most 0.4 m/s", "0.4 m/s"),
        ({"factsheet": sheet(deceleration_mps2=0.1)}, Weight.NOTE, "brakes with 0.1", "制动 0.1"),
        ({"factsheet": sheet(compartments=1)}, Weight.WRONG, "declares 1 compart", "1 个箱格"),
        (
            {"factsheet": sheet().model_copy(update={"protocol_features": PLAIN})},
            Weight.WRONG,
            "cancelOrder",
            "cancelOrder",
        ),
        (
            {"factsheet": sheet().model_copy(update={"protocol_features": PLAIN})},
            Weight.NOTE,
            "startCharging",
            "startCharging",
        ),
        (
            {"factsheet": sheet().model_copy(update={"version": "2.0.0"})},
            Weight.WRONG,
            "2.0.0",
            "2.0.0",
        ),
        ({"state": None}, Weight.WRONG, "sent no state", "没有发来"),
        (
            {"state": standing(operating_mode=OperatingMode.MANUAL)},
            Weight.WRONG,
            "MANUAL",
            "MANUAL",
        ),
        (
            {
                "state": standing(
                    safety_state=SafetyState(e_stop=EStop.MANUAL, field_violation=False)
                )
            },
            Weight.WRONG,
            "emergency stop",
            "急停",
        ),
        (
            {
                "state": standing(
                    errors=(VehicleError(error_type="hot", error_level=ErrorLevel.FATAL),)
                )
            },
            Weight.WRONG,
            "reports hot",
            "hot",
        ),
        ({"state": standing(information=ONE_BOX)}, Weight.WRONG, "1 comp", "1"),
        ({"state": moved(standing(), position_initialized=False)}, Weight.WRONG, "where", "位置"),
        ({"state": moved(standing(), map_id="mars")}, Weight.WRONG, "map mars", "mars"),
        ({"state": moved(standing(), x=900.0)}, Weight.WRONG, "nearest node", "最近的节点"),
        ({"refused": ("state: nodes missing",)}, Weight.WRONG, "nodes missing", "无法读取"),
    ],
)
def test_what_differs_is_said(changes: dict[str, Any], weight: Weight, en: str, zh: str) -> None:
    found = remarks(PLAN, ROBOT, said(**changes))
    hits = [row for row in found if en in row.text.en and zh in row.text.zh]
    assert [row.weight for row in hits] == [weight], found


def test_a_low_battery_is_worth_a_note() -> None:
    battery = standing().battery_state.model_copy(update={"battery_charge": 12.0})
    found = remarks(PLAN, ROBOT, said(state=standing(battery_state=battery)))
    assert [(row.weight, row.text.en) for row in found] == [(Weight.NOTE, "the battery is at 12 %")]


def test_a_home_that_is_not_on_the_map_is_wrong() -> None:
    lost = ROBOT.model_copy(update={"home_node": "nowhere"})
    assert any("nowhere" in row.text.en for row in remarks(PLAN, lost, said()))
