"""Decides in words what of a robot is missing, or different from its file in the site's folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from contracts.api import Sentence
from contracts.devices import RobotConfig
from contracts.units import UtcMs
from contracts.vda5050.factsheet import ActionScope
from contracts.vda5050.profile import compartments_in
from contracts.vda5050.state import ConnectionState, EStop, OperatingMode, State
from controller.core.capability import declared_of, lacks
from controller.core.plan import SitePlan, nearest_node, off_node_m
from robot_bridge.conformance.asked import Said

OFF_MAP_M = 5.0
"""A robot farther than this from any node of the map is on another map, or lost."""

BATTERY_LOW_PERCENT = 20.0


class Weight(StrEnum):
    """WRONG: the robot gets no order or cannot do its work. NOTE: good to know."""

    WRONG = "wrong"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about a robot, in both languages."""

    weight: Weight
    text: Sentence


def remarks(plan: SitePlan, robot: RobotConfig, said: Said) -> tuple[Remark, ...]:
    """All that is missing or different; empty: the robot and its file agree."""
    found = [*_connection(said), *_factsheet(plan, robot, said), *_state(plan, robot, said)]
    found += [
        _wrong(f"一条消息无法读取：{text}", f"a message cannot be read: {text}")
        for text in said.refused
    ]
    return tuple(found)


def _wrong(zh: str, en: str) -> Remark:
    return Remark(Weight.WRONG, Sentence(zh=zh[:400], en=en[:400]))


def _note(zh: str, en: str) -> Remark:
    return Remark(Weight.NOTE, Sentence(zh=zh[:400], en=en[:400]))


def _connection(said: Said) -> Iterator[Remark]:
    if said.connection is None:
        yield _wrong(
            "主题 connection 上没有保留消息：机器人从未上线，或序列号、制造商、前缀不对",
            "nothing retained on its topic `connection`: it was never online, or serial number, "
            "manufacturer or topic prefix differ",
        )
    elif said.connection is not ConnectionState.ONLINE:
        yield _wrong(f"不在线：{said.connection}", f"is not online: {said.connection}")


def _factsheet(plan: SitePlan, robot: RobotConfig, said: Said) -> Iterator[Remark]:
    factsheet = said.factsheet
    declared = None if factsheet is None else declared_of(factsheet, UtcMs(0))
    for row in lacks(plan, robot, declared):
        yield Remark(Weight.WRONG, row)
    if factsheet is None:
        return
    speed = factsheet.physical_parameters.speed_max
    if 0 < speed < robot.speed_max_m_s:
        yield _note(
            f"最高速度 {speed:g} m/s，低于配置的 {robot.speed_max_m_s:g}；按机器人的值行驶",
            f"drives at most {speed:g} m/s, its file says {robot.speed_max_m_s:g}; the robot's "
            "own value counts",
        )
    brakes = factsheet.physical_parameters.deceleration_max
    if 0 < brakes < robot.deceleration_m_s2:
        yield _note(
            f"制动 {brakes:g} m/s²，弱于配置的 {robot.deceleration_m_s2:g}；按机器人的值计算",
            f"brakes with {brakes:g} m/s2, its file says {robot.deceleration_m_s2:g}; the robot's "
            "own value counts",
        )
    places = factsheet.load_specification.load_positions
    if places is not None and len(places) != robot.compartments:
        yield _wrong(
            f"声明 {len(places)} 个箱格，配置为 {robot.compartments}",
            f"declares {len(places)} compartments, its file says {robot.compartments}",
        )
    charges = any(
        row.action_type == "startCharging" and ActionScope.INSTANT in row.action_scopes
        for row in factsheet.protocol_features.agv_actions
    )
    if not charges:
        yield _note(
            "未声明 startCharging：需要它自己会充电，或由人充电",
            "does not declare startCharging: it must charge by itself, or a person must see to it",
        )


def _state(plan: SitePlan, robot: RobotConfig, said: Said) -> Iterator[Remark]:
    state = said.state
    if state is None:
        yield _wrong(
            "没有发来可读的 state，对 stateRequest 也没有应答",
            "sent no state that can be read, and did not answer a stateRequest",
        )
        return
    if state.operating_mode not in (OperatingMode.AUTOMATIC, OperatingMode.SEMIAUTOMATIC):
        yield _wrong(
            f"运行模式为 {state.operating_mode}：请在机器人上切换到自动",
            f"operating mode is {state.operating_mode}: switch it to automatic at the robot",
        )
    if state.safety_state.e_stop is not EStop.NONE:
        yield _wrong("急停已按下", "the emergency stop is pressed")
    for error in state.errors:
        text = f"{error.error_type}: {error.error_description or ''}"[:200]
        yield _wrong(f"机器人报告错误 {text}", f"the robot reports {text}")
    boxes = compartments_in(state.information)
    if boxes and len(boxes) != robot.compartments:
        yield _wrong(
            f"报告 {len(boxes)} 个箱格，配置为 {robot.compartments}",
            f"reports {len(boxes)} compartments, its file says {robot.compartments}",
        )
    if state.battery_state.battery_charge < BATTERY_LOW_PERCENT:
        percent = state.battery_state.battery_charge
        yield _note(f"电量仅 {percent:g}%", f"the battery is at {percent:g} %")
    yield from _place(plan, robot, state)


def _place(plan: SitePlan, robot: RobotConfig, state: State) -> Iterator[Remark]:
    if robot.home_node and robot.home_node not in plan.map.nodes:
        yield _wrong(
            f"驻点 {robot.home_node} 不在地图上", f"its home {robot.home_node} is not on the map"
        )
    place = state.agv_position
    if place is None or not place.position_initialized:
        yield _wrong(
            "不知道自己的位置：请发送 initPosition 或重新定位",
            "does not know where it is: send initPosition, or localise it again",
        )
        return
    maps = {node.map_id for node in plan.map.nodes.values()}
    if place.map_id not in maps:
        known = ", ".join(sorted(maps))
        yield _wrong(
            f"在地图 {place.map_id} 上，站点的地图为 {known}",
            f"is on map {place.map_id}; the site's maps are {known}",
        )
        return
    near = nearest_node(plan, place.x, place.y)
    away_m = OFF_MAP_M if near is None else off_node_m(plan, near, place.x, place.y)
    if away_m >= OFF_MAP_M:
        yield _wrong(
            f"离最近的节点 {away_m:.1f} 米：坐标系可能不同",
            f"is {away_m:.1f} m from the nearest node: its coordinates may be another system's",
        )
