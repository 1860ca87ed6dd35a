"""Holds the rules on doors, lifts and the fire alarm; the controller judges them."""

from typing import Final

from contracts.catalogue.spec import JudgedBy, Parameter, RuleSpec, Subject, clear, dwell
from contracts.observations import Severity
from contracts.units import Bilingual

# How long a door or lift may take is set in its own file (`open_within_ms` ...): nothing is added
# to it here unless a site wants so.
_AT_ONCE: Final = (dwell(0, 0, 600_000), clear(0))
# A board that restarts is back within this.
_AFTER_A_RESTART: Final = (dwell(30_000, 0, 600_000), clear(0))


def _rule(
    code: str,
    title: Bilingual,
    text: Bilingual,
    severity: Severity = Severity.WARNING,
    parameters: tuple[Parameter, ...] = _AT_ONCE,
) -> RuleSpec:
    """A rule on something that opens or rings: no camera sees it, and the controller judges it."""
    return RuleSpec(
        code=code,
        title=title,
        text=text,
        severity=severity,
        subject=Subject.FACILITY,
        evidence=(),
        judged_by=JudgedBy.CONTROLLER,
        parameters=parameters,
    )


OFFLINE: Final = _rule(
    "facility.offline",
    Bilingual("门或电梯控制器离线", "Door or lift controller offline"),
    Bilingual(
        "门、电梯或火警输入的控制器失去联系时告警；机器人不再通过该处；恢复联系后解除。",
        "What speaks for a door, a lift or the fire alarm is away; robots are not sent through "
        "there. Clears when it is back.",
    ),
    parameters=_AFTER_A_RESTART,
)

DOOR_STUCK: Final = _rule(
    "facility.door_stuck",
    Bilingual("门未能打开", "Door does not open"),
    Bilingual(
        "为机器人开门后，超过该门规定时间仍未报告打开时告警；打开或不再需要时解除。",
        "A door has not said that it is open within its time after it was told to open for a "
        "robot; clears when it opens, or is no longer wanted.",
    ),
)

DOOR_OPEN: Final = _rule(
    "facility.door_open",
    Bilingual("门未能关闭", "Door does not close"),
    Bilingual(
        "机器人通过后门在规定时间内仍未关闭，或机器人停在门口使门久开时告警；关闭后解除。",
        "A door stays open after a robot has passed, or is held open for long because a robot "
        "stands in it; clears when it closes.",
    ),
)

LIFT_STUCK: Final = _rule(
    "facility.lift_stuck",
    Bilingual("电梯未到达", "Lift does not come or arrive"),
    Bilingual(
        "为机器人呼叫或运送的电梯超时未到或未开门时告警；到达并开门，或不再需要时解除。",
        "A lift that was called for a robot, or that carries one, does not say within its time "
        "that it is there with its door open; clears when it is, or is no longer wanted.",
    ),
)

LIFT_BLOCKED: Final = _rule(
    "facility.lift_blocked",
    Bilingual("机器人占住电梯", "Robot blocks a lift"),
    Bilingual(
        "电梯门已开，机器人却未在规定时间内驶入或驶出时告警；机器人离开轿厢后解除。",
        "A lift stands open and the robot has not driven in or out within its time; clears when "
        "the robot has left the car.",
    ),
    Severity.ALARM,
)

FIRE: Final = _rule(
    "facility.fire",
    Bilingual("火警", "Fire alarm"),
    Bilingual(
        "收到火警信号时告警：机器人不进电梯、驶离轿厢并前往避让位；火警结束且由人员放行后解除。",
        "The fire alarm rings: robots stay out of lifts, leave them, and drive to refuges. Clears "
        "when it is over and a person has let robots drive again.",
    ),
    Severity.ALARM,
)

RULES: Final = (OFFLINE, DOOR_STUCK, DOOR_OPEN, LIFT_STUCK, LIFT_BLOCKED, FIRE)
