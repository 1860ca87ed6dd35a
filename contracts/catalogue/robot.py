"""Holds the rules on robots; the controller judges them, because it knows where robots are."""

from typing import Final

from contracts.catalogue.spec import JudgedBy, Parameter, RuleSpec, Subject, clear, dwell
from contracts.observations import Severity
from contracts.units import Bilingual

PERSON_IN_ZONE: Final = RuleSpec(
    code="robot.person_in_zone",
    title=Bilingual("机器人通道内有人", "Person in a robot's zone"),
    text=Bilingual(
        "有人在机器人要通过的区域内使其停下时告警；区域清空后解除。",
        "A person holds a robot by being in a zone that it must pass; clears when it is clear.",
    ),
    severity=Severity.WARNING,
    subject=Subject.ROOM,
    judged_by=JudgedBy.CONTROLLER,
    # A robot must stop at once: whatever waits here is added to its braking distance.
    parameters=(dwell(0, 0, 10_000), clear(0)),
)

PERSON_FOLLOWS: Final = RuleSpec(
    code="robot.person_follows",
    title=Bilingual("有人尾随机器人", "Person follows a robot"),
    text=Bilingual(
        "有人持续跟在行驶的机器人后面时告警；停止跟随后解除。",
        "A person stays in the zones that a moving robot has just left, one after another; clears "
        "when nobody follows it any more.",
    ),
    severity=Severity.WARNING,
    subject=Subject.ROBOT,
    judged_by=JudgedBy.CONTROLLER,
    parameters=(dwell(5_000, 1_000, 60_000), clear(5_000)),
)

COMPARTMENT_OPEN: Final = RuleSpec(
    code="robot.compartment_open",
    title=Bilingual("箱格在不应打开处打开", "Compartment open where it must not be"),
    text=Bilingual(
        "机器人箱格在途中或未授权的站点打开时告警；关闭后解除。",
        "A compartment is open on the way, or at a stop where nobody was let at it; clears when "
        "it is shut.",
    ),
    severity=Severity.ALARM,
    subject=Subject.ROBOT,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=(dwell(1_000, 0, 60_000), clear(1_000)),
)

STOPPED_OFF_STOP: Final = RuleSpec(
    code="robot.stopped_off_stop",
    title=Bilingual("机器人停在站点之外", "Robot stopped off its stop"),
    text=Bilingual(
        "机器人无故停在途中过久时告警；继续行驶后解除。",
        "A robot stands on its way for long without a reason; clears when it drives on.",
    ),
    severity=Severity.WARNING,
    subject=Subject.ROBOT,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=(dwell(30_000, 5_000, 600_000), clear(2_000)),
)

OVERDUE: Final = RuleSpec(
    code="robot.overdue",
    title=Bilingual("配送超时", "Delivery overdue"),
    text=Bilingual(
        "下单后超过规定时间仍未送达时告警；到达或取消后解除。",
        "A delivery has not arrived within the time that a site allows from the order on; clears "
        "when it has, or is called off.",
    ),
    severity=Severity.NOTICE,
    subject=Subject.ROBOT,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=(
        Parameter(
            "arrive_within_s", "s", 1_800, 60, 14_400, Bilingual("送达时限", "To arrive within")
        ),
        dwell(0, 0, 60_000),
        clear(0),
    ),
)

IMPLAUSIBLE: Final = RuleSpec(
    code="robot.implausible",
    title=Bilingual("机器人报告不可信", "Robot reports what cannot be"),
    text=Bilingual(
        "机器人报告瞬移、电量突变、未放行的节点等不可能的情况时告警；人工核实并恢复后解除。",
        "A robot reports what cannot be true (it jumped, its battery leapt, it passed a node that "
        "was not released); clears when a person has looked at it and stands for it again.",
    ),
    severity=Severity.ALARM,
    subject=Subject.ROBOT,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    # How long each contradiction must stand is physics (controller.core.plausible), not taste.
    parameters=(dwell(0, 0, 60_000), clear(0)),
)

UNFIT: Final = RuleSpec(
    code="robot.unfit",
    title=Bilingual("机器人能力不足", "Robot cannot do what it must"),
    text=Bilingual(
        "机器人没有说明能力，或缺少本中心所需的能力时告警；满足后解除。",
        "A robot has not said what it can do, or lacks what this site needs, and gets no order; "
        "clears when it can.",
    ),
    severity=Severity.WARNING,
    subject=Subject.ROBOT,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=(dwell(0, 0, 60_000), clear(0)),
)

FAULT: Final = RuleSpec(
    code="robot.fault",
    title=Bilingual("机器人报告故障", "Robot reports a fault"),
    text=Bilingual(
        "机器人报告需要立即处理的错误（URGENT、CRITICAL 或 FATAL）时告警；错误消失后解除。",
        "A robot reports an error that somebody must look at (URGENT, CRITICAL or FATAL); clears "
        "when it no longer does.",
    ),
    severity=Severity.WARNING,
    subject=Subject.ROBOT,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    parameters=(dwell(0, 0, 60_000), clear(0)),
)

IGNORES_PAUSE: Final = RuleSpec(
    code="robot.ignores_pause",
    title=Bilingual("机器人不服从暂停", "Robot does not obey a pause"),
    text=Bilingual(
        "要求机器人暂停后，它既不报告已暂停又继续行驶时告警；停下后解除。",
        "A robot was told to pause, does not say that it is paused, and drives on; clears when it "
        "stands or says so.",
    ),
    severity=Severity.ALARM,
    subject=Subject.ROBOT,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    # From 1.8 m/s at 0.6 m/s2 a robot stands after three seconds: until then it may be braking.
    parameters=(dwell(3_000, 1_000, 60_000), clear(0)),
)

RULES: Final = (
    PERSON_IN_ZONE,
    PERSON_FOLLOWS,
    COMPARTMENT_OPEN,
    STOPPED_OFF_STOP,
    OVERDUE,
    IMPLAUSIBLE,
    UNFIT,
    FAULT,
    IGNORES_PAUSE,
)
