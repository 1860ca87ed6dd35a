"""Decides which robot takes a waiting delivery, and says why, or why none can."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.api import Sentence
from contracts.units import MonoMs, RobotId
from contracts.vda5050.profile import CompartmentState
from controller.core.fleet import Duty, GoalKind, RobotLive
from controller.core.plan import SitePlan, length_m, route

BATTERY_MIN_PERCENT: Final = 25.0  # a tour takes a few percent; below it a robot may strand


@dataclass(frozen=True, slots=True)
class Assigned:
    """A robot and the compartment that it carries the delivery in."""

    robot_id: RobotId
    compartment: int
    why: Sentence


def assign(
    plan: SitePlan, duties: Iterable[Duty], lives: Mapping[RobotId, RobotLive], mono_ms: MonoMs
) -> Assigned | Sentence:
    """The nearest robot that can go to the kitchen now; else why each robot cannot."""
    best: tuple[float, Duty, int] | None = None
    reasons: list[tuple[Duty, Sentence]] = []
    for duty in sorted(duties, key=lambda row: row.robot_id):
        live = lives.get(duty.robot_id, RobotLive())
        compartment = _fit(duty, live, mono_ms)
        if isinstance(compartment, Sentence):
            reasons.append((duty, compartment))
            continue
        way = route(plan, duty.at_node or "", plan.kitchen_node)
        if way is None:
            reasons.append((duty, Sentence(zh="无路可达厨房", en="no way to the kitchen")))
            continue
        far_m = length_m(plan, way)
        if best is None or far_m < best[0]:
            best = far_m, duty, compartment
    if best is None:
        return _nobody(reasons)
    far_m, duty, compartment = best
    why = Sentence(
        zh=f"{duty.robot_id} 是最近的空闲机器人，距厨房 {far_m:.0f} 米。",
        en=f"{duty.robot_id} is the nearest idle robot, {far_m:.0f} m from the kitchen.",
    )
    return Assigned(duty.robot_id, compartment, why)


def _fit(  # noqa: PLR0911  # one reason each
    duty: Duty, live: RobotLive, mono_ms: MonoMs
) -> int | Sentence:
    report = live.report
    if report is None or not live.online(mono_ms):
        return Sentence(zh="离线", en="offline")
    if duty.delivery_id is not None:
        return Sentence(zh="正在配送", en="on a delivery")
    if duty.mission is not None or report.driving:
        return Sentence(zh="正在返回", en="on its way home")
    if duty.goal is not None and duty.goal.kind is not GoalKind.HOME:
        return Sentence(zh="另有任务", en="has another task")
    if not report.automatic:
        return Sentence(zh="人工操作中", en="driven by hand")
    if any(problem.fatal for problem in report.problems):
        return Sentence(zh="故障", en="has an error")
    if report.battery_percent < BATTERY_MIN_PERCENT:
        level = f"{report.battery_percent:.0f}"
        return Sentence(zh=f"电量 {level}%", en=f"battery {level} %")
    if duty.at_node is None:
        return Sentence(zh="位置未知", en="place unknown")
    free = [row.compartment for row in report.compartments if _empty(row)]
    return free[0] if free else Sentence(zh="没有空箱格", en="no empty, shut compartment")


def _empty(row: CompartmentState) -> bool:
    # Checked empty before reuse, and shut: nothing was put in since.
    return row.shut and not row.occupied


def _nobody(reasons: list[tuple[Duty, Sentence]]) -> Sentence:
    if not reasons:
        return Sentence(zh="本中心没有机器人。", en="This site has no robot.")
    shown = reasons[:4]  # a sentence that a person still reads; the robots' page shows the rest
    zh = "；".join(f"{duty.robot_id}{why.zh}"[:60] for duty, why in shown)
    en = "; ".join(f"{duty.robot_id} {why.en}"[:60] for duty, why in shown)
    return Sentence(zh=f"等待机器人：{zh}"[:400], en=f"Waiting: {en}"[:400])
