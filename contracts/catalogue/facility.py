"""Holds the rules on doors, lifts and the fire alarm; the controller judges them."""

from typing import Final

from contracts.catalogue.spec import JudgedBy, RuleSpec, Subject, clear, dwell
from contracts.observations import Severity
from contracts.units import Bilingual

# How long a door or lift may take is set in its own file (`open_within_ms` ...): nothing is added
# to it here unless a site wants so.
_AT_ONCE: Final = (dwell(0, 0, 600_000), clear(0))

OFFLINE: Final = RuleSpec(
    code="facility.offline",
    title=Bilingual("门或电梯控制器离线", "Door or lift controller offline"),
    text=Bilingual(
        "门、电梯或火警输入的控制器失去联系时告警；机器人不再通过该处；恢复联系后解除。",
        "What speaks for a door, a lift or the fire alarm is away; robots are not sent through "
        "there. Clears when it is back.",
    ),
    severity=Severity.WARNING,
    subject=Subject.FACILITY,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    # A board that restarts is back within this.
    parameters=(dwell(30_000, 0, 600_000), clear(0)),
)

DOOR_STUCK: Final = RuleSpec(
    code="facility.door_stuck",
    title=Bilingual("门未能打开", "Door does not open"),
    text=Bilingual(
        "为机器人开门后，超过该门规定时间仍未报告打开时告警；打开或不再需要时解除。",
        "A door has not said that it is open within its time after it was told to open for a "
        "robot; clears when it opens, or is no longer wanted.",
    ),
    severity=Severity.WARNING,
    subject=Subject.FACILITY,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=_AT_ONCE,
)

DOOR_OPEN: Final = RuleSpec(
    code="facility.door_open",
    title=Bilingual("门未能关闭", "Door does not close"),
    text=Bilingual(
        "机器人通过后门在规定时间内仍未关闭，或机器人停在门口使门久开时告警；关闭后解除。",
        "A door stays open after a robot has passed, or is held open for long because a robot "
        "stands in it; clears when it closes.",
    ),
    severity=Severity.WARNING,
    subject=Subject.FACILITY,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=_AT_ONCE,
)

LIFT_STUCK: Final = RuleSpec(
    code="facility.lift_stuck",
    title=Bilingual("电梯未到达", "Lift does not come or arrive"),
    text=Bilingual(
        "为机器人呼叫或运送的电梯超时未到或未开门时告警；到达并开门，或不再需要时解除。",
        "A lift that was called for a robot, or that carries one, does not say within its time "
        "that it is there with its door open; clears when it is, or is no longer wanted.",
    ),
    severity=Severity.WARNING,
    subject=Subject.FACILITY,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=_AT_ONCE,
)

LIFT_BLOCKED: Final = RuleSpec(
    code="facility.lift_blocked",
    title=Bilingual("机器人占住电梯", "Robot blocks a lift"),
    text=Bilingual(
        "电梯门已开，机器人却未在规定时间内驶入或驶出时告警；机器人离开轿厢后解除。",
        "A lift stands open and the robot has not driven in or out within its time; clears when "
        "the robot has left the car.",
    ),
    severity=Severity.ALARM,
    subject=Subject.FACILITY,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=_AT_ONCE,
)

FIRE: Final = RuleSpec(
    code="facility.fire",
    title=Bilingual("火警", "Fire alarm"),
    text=Bilingual(
        "收到火警信号时告警：机器人不进电梯、驶离轿厢并前往避让位；火警结束且由人员放行后解除。",
        "The fire alarm rings: robots stay out of lifts, leave them, and drive to refuges. Clears "
        "when it is over and a person has let robots drive again.",
    ),
    severity=Severity.ALARM,
    subject=Subject.FACILITY,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=_AT_ONCE,
)

RULES: Final = (OFFLINE, DOOR_STUCK, DOOR_OPEN, LIFT_STUCK, LIFT_BLOCKED, FIRE)
