"""Decides what a robot can do for this site, from its factsheet and its file, and what it lacks.

A robot that has not said what it can do, or that cannot be paused and called off, gets no order:
the reasons are sentences that people read. A plain robot without our compartments carries meals on
an open tray (``Carriage``): nothing is locked, so nothing that needs custody goes by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.api import Sentence
from contracts.api.menu import DeliveryKind
from contracts.devices import Carriage, FactsheetUse, OptionalField, RobotConfig
from contracts.units import UtcMs
from contracts.vda5050.factsheet import ActionScope, Factsheet, ProtocolFeatures, Support
from contracts.vda5050.profile import LOCK_COMPARTMENT, OPEN_COMPARTMENT
from controller.core.doubts import Doubted
from controller.core.plan import SitePlan

NEEDED: Final = ("startPause", "stopPause", "cancelOrder")
"""Without them the interlock cannot hold a robot, and nothing can be called off."""

FIELDS: Final[Mapping[str, OptionalField]] = {
    "nodePosition": "nodePosition",
    "allowedDeviationXY": "allowedDeviation",
    "allowedDeviationXy": "allowedDeviation",
    "allowedDeviationTheta": "allowedDeviation",
    "maxSpeed": "maxSpeed",
    "maximumSpeed": "maxSpeed",
    "length": "length",
}
"""Optional fields of an order that we can fill, by the last part of a factsheet's path."""

NODES_MIN: Final = 2  # an order that moves a robot has a node where it is and one where it goes
OUR_ID_CHARS: Final = 62
# The longest id of ours: a robot's (40), its count, the time, joined; a node's may be longer.


@dataclass(frozen=True, slots=True)
class Declared:
    """What of a factsheet matters here; kept over a restart. Limits of 0 are none."""

    version: str
    series: str = ""
    speed_max_m_s: float | None = None
    deceleration_m_s2: float | None = None
    length_m: float | None = None
    width_m: float | None = None
    instant_actions: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    """Optional fields that the robot will not do without."""
    fields: tuple[OptionalField, ...] | None = None
    """Optional fields of an order that it reads; None: it lists none at all, and gets ours."""
    nodes_max: int = 0
    edges_max: int = 0
    instant_actions_max: int = 0
    id_chars_max: int = 0
    ids_numerical: bool = False
    message_bytes_max: int = 0
    order_interval_ms: int = 0
    heard_utc_ms: UtcMs = UtcMs(0)

    def can(self, action: str) -> bool:
        """Whether it declares an instant action."""
        return action in self.instant_actions


def declared_of(factsheet: Factsheet, utc_ms: UtcMs) -> Declared:
    """The summary of a factsheet."""
    lengths = factsheet.protocol_limits.max_array_lens
    texts = factsheet.protocol_limits.max_string_lens
    body = factsheet.physical_parameters
    features = factsheet.protocol_features
    return Declared(
        version=factsheet.version,
        series=factsheet.type_specification.series_name[:80],
        speed_max_m_s=body.speed_max,
        deceleration_m_s2=body.deceleration_max,
        length_m=body.length,
        width_m=body.width,
        instant_actions=tuple(
            row.action_type[:80]
            for row in features.agv_actions[:ACTIONS_READ_MAX]
            if ActionScope.INSTANT in row.action_scopes
        ),
        required=tuple(
            row.parameter[:120]
            for row in features.optional_parameters[:ACTIONS_READ_MAX]
            if row.support is Support.REQUIRED
        ),
        fields=_fields_of(features),
        nodes_max=lengths.order_nodes or 0,
        edges_max=lengths.order_edges or 0,
        instant_actions_max=lengths.instant_actions or 0,
        id_chars_max=texts.id_len or 0,
        ids_numerical=bool(texts.id_numerical_only),
        message_bytes_max=texts.msg_len or 0,
        order_interval_ms=round(factsheet.protocol_limits.timing.min_order_interval * 1_000),
        heard_utc_ms=utc_ms,
    )


def _fields_of(features: ProtocolFeatures) -> tuple[OptionalField, ...] | None:
    """The standard: what is not listed is not supported. Who lists nothing has not said."""
    ours = [
        row.parameter
        for row in features.optional_parameters[:ACTIONS_READ_MAX]
        if row.parameter.startswith("order.")
    ]
    if not ours:
        return None
    found = (FIELDS.get(name.rpartition(".")[2]) for name in ours)
    return tuple(dict.fromkeys(name for name in found if name is not None))


ACTIONS_READ_MAX: Final = 200  # of a factsheet; it is kept with the robot's duty


def assumed(robot: RobotConfig) -> Declared:
    """What the site stands for where a robot has no factsheet: its file, and what all must do."""
    boxes = (OPEN_COMPARTMENT, LOCK_COMPARTMENT)
    has_boxes = robot.carries in (Carriage.COMPARTMENTS, Carriage.AUTO)
    return Declared(
        version=robot.vda5050_version,
        speed_max_m_s=robot.speed_max_m_s,
        deceleration_m_s2=robot.deceleration_m_s2,
        instant_actions=(*NEEDED, *(boxes if has_boxes else ())),
    )


def known(robot: RobotConfig, declared: Declared | None) -> Declared | None:
    """What counts as declared: the factsheet, else what the file lets the site assume."""
    if declared is None and robot.factsheet is FactsheetUse.ASSUME:
        plain = robot.carries is Carriage.AUTO  # an assumption gives nobody a lock
        return assumed(robot.model_copy(update={"carries": Carriage.TRAY}) if plain else robot)
    return declared


def carriage(robot: RobotConfig, declared: Declared | None) -> Carriage:
    """What a robot carries things in, never AUTO; NOTHING while that is unknown."""
    if robot.carries is not Carriage.AUTO:
        return robot.carries
    found = known(robot, declared)
    if found is None:
        return Carriage.NOTHING
    boxes = found.can(OPEN_COMPARTMENT) and found.can(LOCK_COMPARTMENT)
    return Carriage.COMPARTMENTS if boxes else Carriage.TRAY


def carries_tray(robot: RobotConfig, declared: Declared | None) -> bool:
    """Whether a robot has an open tray instead of compartments."""
    return carriage(robot, declared) is Carriage.TRAY


def may_carry(robot: RobotConfig, declared: Declared | None, kind: DeliveryKind) -> Sentence | None:
    """Why a robot may not carry a kind of thing; None: it may."""
    match carriage(robot, declared):
        case Carriage.NOTHING:
            return Sentence(zh="不载物", en="carries nothing")
        case Carriage.TRAY if kind is not DeliveryKind.MEAL:
            return Sentence(
                zh="只有敞开的托盘，不能上锁，只送餐",
                en="has an open tray without a lock; it carries meals only",
            )
        case _:
            return None


def lacks(plan: SitePlan, robot: RobotConfig, declared: Declared | None) -> tuple[Sentence, ...]:
    """Why a robot gets no order, each reason a sentence; empty: it can do what it must."""
    found = known(robot, declared)
    if found is None:
        return (
            Sentence(
                zh="尚未说明其能力（factsheet），已请求",
                en="has not said what it can do (factsheet); it was asked",
            ),
        )
    return (
        *_version(robot, found),
        *_actions(robot, found),
        *_fields(robot, found),
        *_limits(plan, found),
    )


def _version(robot: RobotConfig, found: Declared) -> tuple[Sentence, ...]:
    if found.version.split(".")[:2] == robot.vda5050_version.split(".")[:2]:
        return ()
    said, want = found.version[:20], robot.vda5050_version
    return (
        Sentence(
            zh=f"使用 VDA 5050 {said}，而配置为 {want}",
            en=f"speaks VDA 5050 {said}, but its file says {want}",
        ),
    )


def _actions(robot: RobotConfig, found: Declared) -> tuple[Sentence, ...]:
    needed: tuple[str, ...] = NEEDED
    if robot.carries is Carriage.COMPARTMENTS:
        needed = (*NEEDED, OPEN_COMPARTMENT, LOCK_COMPARTMENT)
    missing = ", ".join(name for name in needed if not found.can(name))
    if not missing:
        return ()
    return (
        Sentence(
            zh=f"未声明即时动作 {missing}", en=f"does not declare the instant actions {missing}"
        ),
    )


def _fields(robot: RobotConfig, found: Declared) -> tuple[Sentence, ...]:
    missing = ", ".join(
        name
        for name in found.required
        if name.startswith("order.") and FIELDS.get(name.rpartition(".")[2]) not in robot.sends
    )
    if not missing:
        return ()
    return (
        Sentence(
            zh=f"要求我们不发送的字段 {missing}"[:400],
            en=f"requires fields that are not sent: {missing}"[:400],
        ),
    )


def _limits(plan: SitePlan, found: Declared) -> tuple[Sentence, ...]:
    problems: list[Sentence] = []
    if 0 < found.nodes_max < NODES_MIN:
        problems.append(
            Sentence(
                zh=f"每个订单只接受 {found.nodes_max} 个节点",
                en=f"takes only {found.nodes_max} node in an order",
            )
        )
    if found.ids_numerical:
        problems.append(
            Sentence(zh="只接受纯数字标识", en="takes numerical ids only; ours have letters")
        )
    longest = max((len(node) for node in plan.map.nodes), default=0)
    if 0 < found.id_chars_max < max(longest, OUR_ID_CHARS):
        problems.append(
            Sentence(
                zh=f"标识最长 {found.id_chars_max} 个字符，不够用",
                en=f"takes ids of at most {found.id_chars_max} characters, which is too short",
            )
        )
    if found.speed_max_m_s is not None and found.speed_max_m_s <= 0:
        problems.append(Sentence(zh="声明的最高速度不大于 0", en="declares no speed above 0"))
    return tuple(problems)


def unfit(
    plan: SitePlan, robot: RobotConfig, declared: Declared | None, doubted: Doubted | None
) -> Sentence | None:
    """Why a robot gets no new order, as people read it; None: nothing of its own is against it."""
    if doubted is not None:
        return Sentence(
            zh=f"报告不可信：{doubted.text.zh}"[:400],
            en=f"is not believed: {doubted.text.en}"[:400],
        )
    reasons = lacks(plan, robot, declared)
    if not reasons:
        return None
    return Sentence(
        zh="；".join(row.zh for row in reasons)[:400], en="; ".join(row.en for row in reasons)[:400]
    )


def braking_m(robot: RobotConfig, declared: Declared | None, speed_m_s: float) -> float:
    """How far a robot rolls while it brakes from a speed."""
    return speed_m_s * speed_m_s / (2 * deceleration(robot, declared))


def deceleration(robot: RobotConfig, declared: Declared | None) -> float:
    """How hard a robot brakes: the softer of what it declares and what its file says."""
    found = declared.deceleration_m_s2 if declared is not None else None
    if found is None or found <= 0:
        return robot.deceleration_m_s2
    return min(found, robot.deceleration_m_s2)


def speed_max(robot: RobotConfig, declared: Declared | None) -> float:
    """How fast a robot is let drive."""
    found = declared.speed_max_m_s if declared is not None else None
    return robot.speed_max_m_s if found is None or found <= 0 else min(found, robot.speed_max_m_s)
