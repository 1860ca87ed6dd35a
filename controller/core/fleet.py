"""Decides what one robot is told next: orders as base and horizon, actions until answered.

A robot has an order only when its state says so; publishing is not delivery. So what is unanswered
is sent again with the same content, one thing at a time, and nothing is built upon it before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.api import Pose, Sentence
from contracts.units import MonoMs, RobotId, UtcMs, ZoneId
from contracts.vda5050.profile import CompartmentState, LockCompartment, OpenCompartment
from contracts.vda5050.state import ActionStatus, ConnectionState
from controller.core.capability import Declared
from controller.core.doubts import Doubted
from controller.core.outputs import ActionKind, OrderNode, PublishAction, PublishOrder
from controller.core.robot_errors import Response, RobotProblem, response

_START: Final = MonoMs(0)
SILENT_AFTER_MS: Final = 35_000  # VDA 5050: a state at least every 30 s
REFUSALS_MAX: Final = 3  # the same way refused three times is no bad luck
STRAYS_MAX: Final = 8  # a message that comes later than eight others did is lost
ACTIONS_KEPT: Final = 16  # answers that a delivery may still ask for


class GoalKind(StrEnum):
    """What a robot drives for."""

    KITCHEN = "kitchen"
    DOOR = "door"
    HOME = "home"
    """The refuge that is its own, where it charges if there is a charger."""
    EVACUATE = "evacuate"
    """The same, because of a fire: no lift is taken."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a robot is to stand."""

    kind: GoalKind
    node: str


@dataclass(frozen=True, slots=True)
class Tour:
    """The deliveries that a robot carries at once, in the order of their doors.

    ``serving``: the one that it drives or stands for now; None: it is on its way home.
    """

    deliveries: tuple[str, ...]
    serving: str | None = None


class HoldVerb(StrEnum):
    """What a person may want of a robot, or says of it, whatever its tour."""

    HOLD = "hold"
    RESUME = "resume"
    RECALL = "recall"
    REMOVED = "removed"
    """A person has taken it off the floor by hand: it is nowhere, whatever it reports."""
    RETURNED = "returned"
    """A person has put it back: it stands where it says."""


@dataclass(frozen=True, slots=True)
class RobotHold:
    """A person holds a robot where it is, or has called it back; until it is resumed."""

    verb: HoldVerb
    reason: str
    by: str
    utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class Removal:
    """A person has taken a robot off the floor; until a person says that it is back.

    ``node``: where it was known to be last. ``loaded``: the compartments that had something inside,
    which is in that person's hands.
    """

    reason: str
    by: str
    utc_ms: UtcMs
    node: str | None = None
    loaded: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LetThrough:
    """A person lets a robot through a zone that nobody sees; the proof says unproven."""

    zone_id: ZoneId
    reason: str
    by: str
    utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class Unpassed:
    """A node that a robot says still lies before it."""

    node_id: str
    sequence_id: int
    released: bool


@dataclass(frozen=True, slots=True)
class ActionReport:
    """How far a robot says one action is."""

    action_id: str
    status: ActionStatus
    result: str = ""


@dataclass(frozen=True, slots=True)
class RobotReport:
    """What a robot said last, freed from the protocol's version."""

    order_id: str
    order_update_id: int
    last_node: str
    last_sequence_id: int
    driving: bool
    paused: bool
    automatic: bool
    battery_percent: float
    pose: Pose | None = None
    charging: bool = False
    unpassed: tuple[Unpassed, ...] = ()
    compartments: tuple[CompartmentState, ...] = ()
    actions: tuple[ActionReport, ...] = ()
    problems: tuple[RobotProblem, ...] = ()
    stamp_utc_ms: UtcMs | None = None
    """When it says that it sent this."""
    speed_m_s: float | None = None
    e_stop: bool = False
    """Its emergency stop or its protective field holds it."""

    @property
    def standing(self) -> bool:
        """Not driving and nothing before it that it might drive."""
        return not self.driving and not self.unpassed

    @property
    def says_low(self) -> bool:
        """It reports by itself that its battery is low, in whatever words makers use."""
        words = ("".join(filter(str.isalpha, row.type.casefold())) for row in self.problems)
        return any("battery" in word and "low" in word for word in words)

    def compartment(self, number: int) -> CompartmentState | None:
        """What its sensors say of one compartment; None when it does not list it."""
        return next((row for row in self.compartments if row.compartment == number), None)


@dataclass(frozen=True, slots=True)
class Mission:
    """One order. ``released`` nodes from the start are base, ``passed`` the index last reached.

    ``from_index`` is where the last update begins: the last base node before it. ``answered`` is
    the highest update that the robot has shown, -1 before it has shown the order at all.
    """

    order_id: str
    route: tuple[str, ...]
    released: int
    update_id: int = 0
    from_index: int = 0
    passed: int = 0
    answered: int = -1
    cancelling: bool = False
    start_deviation_m: float | None = None
    slow: tuple[int, ...] = ()
    """Indexes of the route that are driven to slowly, because an expert walks there."""

    @property
    def taken(self) -> bool:
        """The robot's state has shown this order, so the robot has it."""
        return self.answered >= 0

    @property
    def waiting(self) -> bool:
        """Nothing of it was sent yet: the robot was not given its first stretch."""
        return self.update_id == 0 and self.answered < 0 and self.released == 1

    @property
    def settled(self) -> bool:
        """The robot has the newest update; only then may another follow."""
        return self.answered == self.update_id


@dataclass(frozen=True, slots=True)
class ActionDuty:
    """One instant action that is to be done. ``status`` None: the robot has not shown it yet."""

    action_id: str
    action: ActionKind
    opens: OpenCompartment | None = None
    locks: LockCompartment | None = None
    valid_until_utc_ms: UtcMs | None = None
    status: ActionStatus | None = None
    result: str = ""
    asked_utc_ms: UtcMs = UtcMs(0)
    """When a pause or its end was first sent; UTC, for it is kept over a restart."""

    @property
    def ended(self) -> bool:
        return self.status is not None and self.status.ended


@dataclass(frozen=True, slots=True)
class Duty:
    """What a robot has to do; kept over a restart of the controller.

    ``at_node`` is the last node that it reported: its place stays taken until it reports another.
    ``towards``: it stands off that node without an order, on the way to this one: both are taken.
    ``pause_wanted``: True pause it, False let it go on, None: not our matter.
    ``strays``: pauses given up unanswered; one that arrives all the same is our matter again.
    ``refuge``: the node that is its own: a way out to it is kept before it drives anywhere.
    ``unemptied``: compartments in which something is left that nobody took out in the kitchen.
    """

    robot_id: RobotId
    tour: Tour | None = None
    goal: Goal | None = None
    mission: Mission | None = None
    at_node: str | None = None
    towards: str | None = None
    actions: tuple[ActionDuty, ...] = ()
    pause_wanted: bool | None = None
    strays: tuple[str, ...] = ()
    held_for: tuple[ZoneId, ...] = ()
    made: int = 0
    """Orders and actions made so far; numbers them."""
    refusals: int = 0
    hold: RobotHold | None = None
    let: tuple[LetThrough, ...] = ()
    refuge: str | None = None
    out: tuple[str, ...] = ()
    """The way from where its way ends to its refuge; empty where that is one place."""
    unemptied: tuple[int, ...] = ()
    removed: Removal | None = None
    """It is off the floor: it has no place, and none of its words changes that."""

    @property
    def delivery_id(self) -> str | None:
        """The delivery that it drives or stands for now."""
        return self.tour.serving if self.tour is not None else None

    declared: Declared | None = None
    """What it has said that it can do; None: nothing yet."""
    doubted: Doubted | None = None
    """It said what cannot be: no new order and no unlock until a person has cleared it."""
    paused_utc_ms: UtcMs = UtcMs(0)
    """When the last pause of ours was made: one that a robot shows and that is younger was sent by
    a state that was never committed, and is ours to end."""

    def action(self, action_id: str | None) -> ActionDuty | None:
        """The action of this id, while it is remembered."""
        return next((row for row in self.actions if row.action_id == action_id), None)


@dataclass(frozen=True, slots=True)
class RobotLive:
    """What is known of a robot now; lost with the process, for it comes again within seconds."""

    connection: ConnectionState | None = None
    report: RobotReport | None = None
    report_header_id: int = -1
    report_mono_ms: MonoMs = _START
    silent_since_mono_ms: MonoMs = _START
    seen_utc_ms: UtcMs | None = None
    pose: Pose | None = None
    pose_mono_ms: MonoMs | None = None
    """When it was there: positions come oftener than states. None: with its last state."""
    pace_m_s: float | None = None
    """How fast it went between its last two positions; None: they tell nothing."""
    moved_mono_ms: MonoMs = _START
    """When it was last elsewhere than it is now, or had nothing to drive."""
    unfit_since_mono_ms: MonoMs | None = None
    """Since when it has said that it cannot go on; None: it can."""
    back_mono_ms: MonoMs = _START
    """When it came back to the bus: what it said before, a reboot may have undone."""

    def online(self, mono_ms: MonoMs) -> bool:
        """On the bus, and heard there within the time that the standard allows between states."""
        return (
            self.connection is ConnectionState.ONLINE
            and self.report is not None
            and self.report_mono_ms >= self.back_mono_ms
            and mono_ms - self.report_mono_ms <= SILENT_AFTER_MS
        )


HEADER_BACK_MAX: Final = 1_000
# A state whose headerId lies this far behind is no late copy: the robot counts anew after a reboot
# whose connection message was missed. Messages of QoS 0 do not overtake by more than a few.


def fresh(live: RobotLive, header_id: int) -> bool:
    """Whether a state is newer than what is known: QoS 0 may duplicate and reorder."""
    behind = live.report_header_id - header_id
    return behind < 0 or behind > HEADER_BACK_MAX


def heard(duty: Duty, report: RobotReport) -> Duty:
    """Move a duty on by what its robot reports.

    A robot in doubt frees nothing: it keeps the places that it had when it was last believed. One
    that a person has taken off the floor is nowhere, and takes nothing.
    """
    duty = replace(duty, actions=tuple(_answered(row, report) for row in duty.actions))
    if duty.doubted is not None or duty.removed is not None:
        return duty
    duty = replace(duty, at_node=report.last_node or duty.at_node)
    mission = duty.mission
    if mission is None:
        return duty
    if report.order_id == mission.order_id:
        return _progress(duty, mission, report)
    if mission.taken and report.standing:
        # The robot has forgotten its order (a reboot without memory): it gets a new one from where
        # it stands, for the goal is still set. Never the old one: its first node may lie behind.
        return dropped(duty)
    return duty


def dropped(duty: Duty) -> Duty:
    """The duty without its order. Its path stays its own: from here on it is its way out."""
    mission = duty.mission
    if mission is None:
        return duty
    rest = mission.route[mission.passed :]
    out = (*rest, *duty.out[1:]) if rest[0] == duty.at_node else ()
    return replace(duty, mission=None, out=out if len(out) > 1 else ())


def refused(duty: Duty, report: RobotReport) -> bool:
    """Whether the robot says that it cannot take the present order or update, or not finish it."""
    mission = duty.mission
    return mission is not None and any(
        response(row, mission) in (Response.AGAIN, Response.RENEW) for row in report.problems
    )


def arrived(duty: Duty, report: RobotReport) -> bool:
    """The whole order is driven, and the robot says that it stands at its end."""
    mission = duty.mission
    return (
        mission is not None
        and mission.settled
        and mission.released == len(mission.route)
        and report.standing
        and report.last_node == mission.route[-1]
    )


def unfit(duty: Duty, report: RobotReport) -> Sentence | None:
    """Why a robot on line cannot go on; None: it can."""
    if duty.doubted is not None:
        return Sentence(zh="上报异常", en="said what cannot be")
    if not report.automatic:
        return Sentence(zh="人工操作中", en="driven by hand")
    stops = (row for row in report.problems if response(row, duty.mission) is Response.STOP)
    fatal = next(stops, None)
    if fatal is not None:
        return Sentence(zh=f"故障 {fatal.type}"[:400], en=f"has an error ({fatal.type})"[:400])
    if duty.refusals >= REFUSALS_MAX:
        return Sentence(zh="屡次拒绝任务", en="refuses its orders")
    return None


def aborted(duty: Duty, report: RobotReport) -> bool:
    """The robot has the newest update, and stands short of its last node with nothing to drive.

    A robot that takes few nodes in one message stands at the last of them, and waits for more.
    """
    mission = duty.mission
    if mission is None or not mission.settled or mission.cancelling:
        return False
    last = min(_last_told(duty, mission), len(mission.route)) - 1
    return (
        report.order_id == mission.order_id
        and report.standing
        and mission.passed < last
        and report.last_sequence_id // 2 < last
    )


def begin(
    duty: Duty,
    route: tuple[str, ...],
    released: int,
    order_id: str,
    *,
    start_deviation_m: float | None = None,
) -> Duty:
    """A new order along ``route``, whose first ``released`` nodes may be driven at once."""
    mission = Mission(
        order_id=order_id, route=route, released=released, start_deviation_m=start_deviation_m
    )
    return replace(duty, mission=mission, made=duty.made + 1)


def extend(duty: Duty, released: int) -> Duty:
    """Release more of the route: an update that repeats the last base node with its sequenceId.

    A robot that takes few nodes in one message gets the rest with the next.
    """
    mission, most = duty.mission, released_max(duty)
    if mission is None or mission.cancelling:
        return duty
    if most is not None:
        released = min(released, most)
    if released <= mission.released:
        return duty
    if mission.waiting:
        return replace(duty, mission=replace(mission, released=released))
    if not mission.settled:
        return duty
    return replace(
        duty,
        mission=replace(
            mission,
            update_id=mission.update_id + 1,
            from_index=mission.released - 1,
            released=released,
        ),
    )


def rerouted(duty: Duty, rest: tuple[str, ...]) -> Duty:
    """Another horizon behind the base: ``rest`` begins with the last node of the base.

    The base is never taken back. The robot must have the newest update, or it would be told of a
    joint that it does not know.
    """
    mission = duty.mission
    if mission is None or not mission.settled or mission.cancelling:
        return duty
    route = (*mission.route[: mission.released], *rest[1:])
    if route == mission.route:
        return duty
    moved = replace(
        mission, route=route, update_id=mission.update_id + 1, from_index=mission.released - 1
    )
    return replace(duty, mission=moved)


def redirect(duty: Duty, goal: Goal | None) -> Duty:
    """Send a robot elsewhere: an order under way to another node is cancelled first."""
    mission = duty.mission
    if mission is not None and (goal is None or mission.route[-1] != goal.node):
        mission = replace(mission, cancelling=True)
    return replace(duty, goal=goal, mission=mission)


def called_back(duty: Duty) -> Duty:
    """Give the order under way up: the robot finishes the edge that it is on."""
    mission = duty.mission
    if mission is None or mission.cancelling:
        return duty
    return replace(duty, mission=replace(mission, cancelling=True))


def with_action(duty: Duty, action: ActionDuty) -> Duty:
    """One action more; the oldest ended ones are forgotten."""
    kept = [row for row in duty.actions if not row.ended]
    ended = [row for row in duty.actions if row.ended][-ACTIONS_KEPT:]
    return replace(duty, actions=(*ended, *kept, action), made=duty.made + 1)


def with_pause(duty: Duty, utc_ms: UtcMs) -> Duty:
    """A pause, whose id tells when it was made (``_forgotten``)."""
    action_id = f"{duty.robot_id}-p{duty.made + 1}-{utc_ms}"
    action = ActionDuty(action_id, ActionKind.PAUSE, asked_utc_ms=utc_ms)
    return with_action(replace(duty, paused_utc_ms=utc_ms), action)


def _forgotten(duty: Duty, action_id: str) -> bool:
    """Whether this is a pause of ours that we do not know: it was sent, and then not committed.

    Pauses go out before the commit, for a person is in the way. One that is younger than the last
    known one is of a state that was lost.
    """
    head, _, made = action_id.rpartition("-")
    ours = head.startswith(f"{duty.robot_id}-p") and made.isascii() and made.isdigit()
    return ours and duty.action(action_id) is None and int(made) > duty.paused_utc_ms


def without_open(duty: Duty, kind: ActionKind) -> Duty:
    """Forget unanswered actions of a kind: what they asked for is no longer wanted."""
    kept = tuple(row for row in duty.actions if row.ended or row.action is not kind)
    return duty if kept == duty.actions else replace(duty, actions=kept)


def pause_given_up(duty: Duty) -> Duty:
    """Forget an unanswered pause, but not that it may still be on its way."""
    stray = pending(duty, ActionKind.PAUSE)
    if stray is None:
        return duty
    strays = (*duty.strays, stray.action_id)[-STRAYS_MAX:]
    return without_open(replace(duty, strays=strays), ActionKind.PAUSE)


def stray_arrived(duty: Duty, report: RobotReport, utc_ms: UtcMs) -> Duty:
    """A pause that is no longer wanted has taken effect all the same: the robot is to go on.

    It may have been given up unanswered, answered before it took effect, or sent by a state that
    was never committed. Who is paused for another reason is left alone: a person pressed a button.
    """
    ended = {row.action_id for row in report.actions if row.status.ended}
    left = tuple(stray for stray in duty.strays if stray not in ended)
    if duty.pause_wanted is None and report.paused and _paused_by_us(duty, report, left, utc_ms):
        return replace(duty, strays=left, pause_wanted=False)
    return duty if left == duty.strays else replace(duty, strays=left)


def _paused_by_us(duty: Duty, report: RobotReport, left: tuple[str, ...], utc_ms: UtcMs) -> bool:
    shown = {row.action_id for row in report.actions}
    if left != duty.strays or not shown.isdisjoint(left):
        return True
    if any(_forgotten(duty, action_id) for action_id in shown):
        return True
    if utc_ms - duty.paused_utc_ms > EFFECT_MAX_MS:
        return False
    ours = [row for row in duty.actions if row.action in (ActionKind.PAUSE, ActionKind.RESUME)]
    if ours and ours[-1].action is ActionKind.PAUSE:
        return True
    # It shows the pause, and not the end of it that came later: it had forgotten both (with a new
    # order, or by a reboot) before a late copy of the pause came, and took that for a new one.
    kinds = {row.action for row in ours if row.action_id in shown}
    return ActionKind.PAUSE in kinds and ActionKind.RESUME not in kinds


EFFECT_MAX_MS: Final = 120_000  # a pause that shows later than this is somebody else's


def pending(duty: Duty, kind: ActionKind) -> ActionDuty | None:
    """The unanswered action of a kind."""
    return next((row for row in duty.actions if row.action is kind and not row.ended), None)


def order_of(duty: Duty) -> PublishOrder | None:
    """The order or update to send (again); None when the robot has all that there is."""
    mission = duty.mission
    if mission is None or mission.settled or mission.cancelling or mission.waiting:
        return None
    nodes = tuple(
        OrderNode(
            node,
            2 * index,
            released=index < mission.released,
            deviation_m=mission.start_deviation_m if index == 0 else None,
            slow=index in mission.slow,
        )
        for index, node in enumerate(mission.route)
        if mission.from_index <= index < _last_told(duty, mission)
    )
    fields = duty.declared.fields if duty.declared is not None else None
    return PublishOrder(duty.robot_id, mission.order_id, mission.update_id, nodes, fields)


def _last_told(duty: Duty, mission: Mission) -> int:
    """Where the message ends: a robot with a limit on nodes is told less of the horizon."""
    limit = nodes_max(duty)
    return max(mission.released, mission.from_index + limit) if limit else len(mission.route)


def released_max(duty: Duty) -> int | None:
    """How many nodes of its route may be base after the next message; None: all of them."""
    mission, limit = duty.mission, nodes_max(duty)
    if mission is None or not limit:
        return None
    first = mission.from_index if mission.waiting else mission.released - 1
    return first + limit


def nodes_max(duty: Duty) -> int:
    """How many nodes one message may have; 0: as many as there are."""
    declared = duty.declared
    if declared is None:
        return 0
    by_edges = declared.edges_max + 1 if declared.edges_max else 0
    limits = [limit for limit in (declared.nodes_max, by_edges) if limit]
    return min(limits, default=0)


def actions_of(duty: Duty, utc_ms: UtcMs) -> Iterable[PublishAction]:
    """The actions to send (again): those the robot has not shown, and which are still valid."""
    for row in duty.actions:
        late = row.valid_until_utc_ms is not None and utc_ms > row.valid_until_utc_ms
        if duty.doubted is not None and row.action is ActionKind.OPEN:
            continue  # who lies about where it stands may stand before anybody
        if row.opens is not None and not _may_open(duty, row.opens.node_id):
            continue  # it was sent on before it answered: it may be opened again when it is back
        if row.status is None and not late:
            yield PublishAction(
                robot_id=duty.robot_id,
                action_id=row.action_id,
                action=row.action,
                opens=row.opens,
                locks=row.locks,
                valid_until_utc_ms=row.valid_until_utc_ms,
            )


def _may_open(duty: Duty, node: str) -> bool:
    """Whether it has not left the node of an unlock, and was not told to drive."""
    driven = duty.mission is not None and not duty.mission.waiting
    return duty.at_node == node and not driven


def _answered(action: ActionDuty, report: RobotReport) -> ActionDuty:
    if action.ended:
        return action
    said = next((row for row in report.actions if row.action_id == action.action_id), None)
    if said is None:
        # A state lists what has not ended. What it showed and shows no more, it has forgotten.
        forgotten = action.status is not None and action.action in _ASKED_AGAIN
        return replace(action, status=None, result="") if forgotten else action
    if (said.status, said.result) == (action.status, action.result):
        return action
    return replace(action, status=said.status, result=said.result[:200])


_ASKED_AGAIN: Final = frozenset(
    {
        ActionKind.LOCK,
        ActionKind.CANCEL,
        ActionKind.START_CHARGING,
        ActionKind.STOP_CHARGING,
    }
)
"""What is sent again, as the same action, to a robot that forgot it half-way: others wait for it.

Not an unlock, which has an end of its own and is never sent later; a pause and its end are asked
for anew until they hold, and a factsheet answers itself.
"""


def _progress(duty: Duty, mission: Mission, report: RobotReport) -> Duty:
    index = report.last_sequence_id // 2
    known = index < len(mission.route) and mission.route[index] == report.last_node
    # An index only grows: a place once left is never taken back by a late message.
    passed = max(mission.passed, index) if known else mission.passed
    answered = max(mission.answered, report.order_update_id)
    moved = replace(mission, passed=passed, answered=min(answered, mission.update_id))
    return duty if moved == mission else replace(duty, mission=moved, refusals=0)
