"""The day that the demo plays, as data: its steps in order, what the visitor may do in each."""

from enum import StrEnum
from typing import Final

from pydantic import Field

from contracts.api import Sentence
from contracts.devices import Named
from contracts.envelope import Strict


class StepId(StrEnum):
    """The steps of the day, in order."""

    READY = "ready"
    GATHER = "gather"
    SEAL = "seal"
    SIXTH = "sixth-person"
    ACKNOWLEDGE = "acknowledge"
    WITHDRAW = "withdraw"
    ORDER = "order"
    LOAD = "load"
    TRAVEL = "travel"
    BLOCKED = "blocked"
    RESUME = "resume"
    ARRIVE = "arrive"
    UNLOCK = "unlock"
    COLLECT = "collect"
    RETURN = "return"
    RELEASE = "release"
    REPORT = "report"
    PROOF = "proof"


class StepStatus(StrEnum):
    """How far a step is."""

    WAITING = "waiting"
    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"


class StepView(Strict):
    """One step as the console shows it; ``todo`` says what the visitor may do now.

    A step that comes to a result has it as its title.
    """

    id: StepId
    title: Sentence
    status: StepStatus = StepStatus.WAITING
    seconds: float | None = None
    todo: Named | None = None


class DemoState(Strict):
    """The whole story now; ``loop`` counts the days played."""

    running: bool
    loop: int = Field(ge=0)
    steps: tuple[StepView, ...]


TITLES: Final[dict[StepId, Sentence]] = {
    StepId.READY: Sentence(zh="摄像机和机器人就绪", en="Cameras and robots are ready"),
    StepId.GATHER: Sentence(zh="五位专家入座", en="Five experts take their seats"),
    StepId.SEAL: Sentence(zh="评标室封闭", en="The room is sealed"),
    StepId.SIXTH: Sentence(zh="第六人进入，触发预警", en="A sixth person enters: alert"),
    StepId.ACKNOWLEDGE: Sentence(zh="监督人员确认预警", en="The supervisor acknowledges"),
    StepId.WITHDRAW: Sentence(zh="该人离开，预警解除", en="The person leaves, the alert clears"),
    StepId.ORDER: Sentence(zh="评标室点餐", en="The room orders a meal"),
    StepId.LOAD: Sentence(zh="厨房装载并上锁", en="The kitchen loads, the lid locks"),
    StepId.TRAVEL: Sentence(zh="机器人出发", en="The robot sets out"),
    StepId.BLOCKED: Sentence(
        zh="走廊有外人，机器人停下", en="An outsider in the corridor stops it"
    ),
    StepId.RESUME: Sentence(zh="走廊清空，继续前行", en="The corridor is clear, it goes on"),
    StepId.ARRIVE: Sentence(zh="到达评标室门口", en="It stands at the door"),
    StepId.UNLOCK: Sentence(zh="输入取餐码开箱", en="The PIN opens the lid"),
    StepId.COLLECT: Sentence(zh="餐食已取走", en="The meal is collected"),
    StepId.RETURN: Sentence(zh="机器人返回", en="The robot returns"),
    StepId.RELEASE: Sentence(zh="评标结束，解除封闭", en="The session is released"),
    StepId.REPORT: Sentence(zh="见证报告（已签名）", en="Witness report (signed)"),
    StepId.PROOF: Sentence(
        zh="离线核验录像：链、签名、联署", en="The recordings are verified offline"
    ),
}

TODO: Final[dict[StepId, Named]] = {
    StepId.ACKNOWLEDGE: Named(
        zh="请确认预警：按空格键或点击“确认”",
        en="Acknowledge the alert: press space, or the button",
    ),
    StepId.ORDER: Named(
        zh="请点餐：点击“点餐”，在平板页面下单",
        en="Order a meal: press “Order a meal”, then the tablet page",
    ),
    StepId.UNLOCK: Named(zh="请在机器人面板输入取餐码", en="Type the PIN on the robot's panel"),
    StepId.REPORT: Named(zh="请打开见证报告", en="Open the witness report"),
}


def fresh_steps() -> tuple[StepView, ...]:
    """All steps, none begun."""
    return tuple(StepView(id=step, title=TITLES[step]) for step in StepId)
