"""Gives goals to Nav2, by its action or by standard messages, and watches whether it lives."""

from collections.abc import Callable, Mapping
from math import cos, sin
from typing import Final, Protocol

from action_msgs.msg import GoalStatus, GoalStatusArray
from geometry_msgs.msg import Pose as RosPose
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import State as LifecycleState
from lifecycle_msgs.srv import GetState
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future

from contracts.units import MonoMs
from robot_bridge.core.frames import Planar
from robot_bridge.core.goals import Outcome
from robot_bridge.ros_settings import RosSettings
from runtime.clock import Clock

try:
    from nav2_msgs.action import NavigateToPose
except ImportError:  # it is a part of the robot's own ROS and on no package index
    NavigateToPose = None

LIFECYCLE_EVERY_MS: Final = 500
LIFECYCLE_SILENT_MS: Final = 1_500  # a killed process answers no more; DDS itself needs 20 s
KNOWN_GOALS_MAX: Final = 200

ORDERED: Final = QoSProfile(
    depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)

_OUTCOMES: Final[Mapping[int, Outcome]] = {
    GoalStatus.STATUS_SUCCEEDED: Outcome.SUCCEEDED,
    GoalStatus.STATUS_CANCELED: Outcome.CANCELED,
    GoalStatus.STATUS_ABORTED: Outcome.ABORTED,
}


class Heard(Protocol):
    """Who is told how goals fare."""

    def goal_taken(self, number: int) -> None:
        """The navigation works on this goal of ours."""

    def goal_ended(self, number: int, outcome: Outcome, words: str) -> None:
        """The navigation has ended this goal of ours."""


class Lifecycle:
    """Knows whether the nodes of Nav2 are active, by asking them again and again."""

    def __init__(self, node: Node, clock: Clock, names: tuple[str, ...]) -> None:
        self._clock = clock
        self._node = node
        self._clients = {name: node.create_client(GetState, f"{name}/get_state") for name in names}
        self._asked: dict[str, tuple[Future, MonoMs]] = {}
        self._due = MonoMs(0)
        self.active_at: dict[str, MonoMs] = {}
        self.said: dict[str, str] = {}

    def ask(self, now: MonoMs) -> None:
        """Ask who is due; who did not answer is asked anew."""
        if now < self._due:
            return
        self._due = MonoMs(now + LIFECYCLE_EVERY_MS)
        for name, client in self._clients.items():
            asked = self._asked.get(name)
            if asked is not None and now - asked[1] < LIFECYCLE_SILENT_MS:
                continue
            if asked is not None:
                client.remove_pending_request(asked[0])
                del self._asked[name]
                self.said[name] = "does not answer"
            if client.service_is_ready():
                future = client.call_async(GetState.Request())
                self._asked[name] = (future, now)
                future.add_done_callback(self._listener(name))
            else:
                self.said[name] = "is not there"

    def _listener(self, name: str) -> Callable[[Future], None]:
        def answered(future: Future) -> None:
            self._asked.pop(name, None)
            if future.cancelled() or future.exception() is not None:
                return
            state = future.result().current_state
            self.said[name] = f"is {state.label}"
            if state.id == LifecycleState.PRIMARY_STATE_ACTIVE:
                self.active_at[name] = self._clock.mono_ms()
            else:
                self.active_at.pop(name, None)

        return answered

    def down(self, now: MonoMs) -> str | None:
        """Which node is not active, in words; None when all are."""
        for name in self._clients:
            if now - self.active_at.get(name, -LIFECYCLE_SILENT_MS) >= LIFECYCLE_SILENT_MS:
                return f"{name} {self.said.get(name, 'has not answered yet')}"
        return None


class TopicWay:
    """Navigates by standard messages: a pose on a topic, and the action's status beside it.

    Nav2 gives itself a goal for each pose, under an id that shows in the status only. So one pose
    at a time is on its way, and the first new id is its goal.
    """

    def __init__(self, node: Node, settings: RosSettings, heard: Heard) -> None:
        self._node = node
        self._frame = settings.frames.map
        self._answer_ms = settings.goal_answer_ms
        self._heard = heard
        self._goals = node.create_publisher(PoseStamped, settings.topics.goal_pose, ORDERED)
        self._known: dict[bytes, int] = {}
        self._pending: tuple[int, MonoMs] | None = None
        self._queued: tuple[int, Planar] | None = None
        self._ended = 0

    def go(self, number: int, place: Planar, now: MonoMs) -> None:
        """Give a goal, or keep it until it is known which id the one before it has."""
        if self._pending is not None and now - self._pending[1] < self._answer_ms:
            self._queued = (number, place)
            return
        self._queued = None
        self._pending = (number, now)
        self._goals.publish(stamped(self._node, self._frame, place))

    def drop(self) -> None:
        """Give no goal that is still kept back."""
        self._queued = None

    def gone(self) -> None:
        """The navigation has died; a pose that was on its way is lost."""
        self._pending = None
        self._queued = None

    def there(self) -> bool:
        """Somebody listens for poses and shows how they fare."""
        return bool(self._goals.get_subscription_count())

    def status(self, array: GoalStatusArray, now: MonoMs) -> None:
        """Tell the pilot what has become of its goals."""
        for row in array.status_list:
            key = bytes(row.goal_info.goal_id.uuid)
            if key not in self._known:
                self._known[key] = self._attributed()
                self._heard.goal_taken(self._known[key])
            number, outcome = self._known[key], _OUTCOMES.get(row.status)
            if outcome is not None and number > self._ended:
                self._ended = number
                self._heard.goal_ended(number, outcome, "")
        while len(self._known) > KNOWN_GOALS_MAX:
            del self._known[next(iter(self._known))]
        if self._pending is None and self._queued is not None:
            self.go(*self._queued, now)

    def _attributed(self) -> int:
        """The number of the goal that has just shown up; 0 for somebody else's."""
        number = self._pending[0] if self._pending is not None else 0
        self._pending = None
        return number


class ActionWay:
    """Navigates by Nav2's action NavigateToPose."""

    def __init__(self, node: Node, settings: RosSettings, heard: Heard) -> None:
        self._node = node
        self._frame = settings.frames.map
        self._heard = heard
        self._client = ActionClient(node, NavigateToPose, settings.topics.navigate)

    def go(self, number: int, place: Planar, now: MonoMs) -> None:
        """Give a goal; Nav2 drops the one before."""
        wanted = NavigateToPose.Goal()
        wanted.pose = stamped(self._node, self._frame, place)
        future = self._client.send_goal_async(wanted)
        future.add_done_callback(lambda done: self._answered(number, done))

    def drop(self) -> None:
        """Nothing is kept back here."""

    def gone(self) -> None:
        """Nothing is kept back here."""

    def there(self) -> bool:
        """The action server is there."""
        return bool(self._client.server_is_ready())

    def status(self, array: GoalStatusArray, now: MonoMs) -> None:
        """Results come by the action itself."""

    def _answered(self, number: int, future: Future) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        handle = future.result()
        if not handle.accepted:
            self._heard.goal_ended(number, Outcome.REJECTED, "")
            return
        self._heard.goal_taken(number)
        result = handle.get_result_async()
        result.add_done_callback(lambda done: self._finished(number, done))

    def _finished(self, number: int, future: Future) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        answer = future.result()
        outcome = _OUTCOMES.get(answer.status)
        if outcome is None:
            return
        code = getattr(answer.result, "error_code", 0)  # since Jazzy; before, a result is empty
        words = getattr(answer.result, "error_msg", "") or (f"error {code}" if code else "")
        self._heard.goal_ended(number, outcome, str(words)[:100])


def has_action() -> bool:
    """Nav2's messages are installed here."""
    return NavigateToPose is not None


def way_of(node: Node, settings: RosSettings, heard: Heard) -> TopicWay | ActionWay:
    """The action where it is wanted and known here, else standard messages."""
    by_topic = settings.navigation == "topic" or not has_action()
    return TopicWay(node, settings, heard) if by_topic else ActionWay(node, settings, heard)


def ros_pose(place: Planar) -> RosPose:
    """A pose on the floor as ROS has it."""
    pose = RosPose()
    pose.position.x, pose.position.y = place.x_m, place.y_m
    pose.orientation.z, pose.orientation.w = sin(place.theta_rad / 2), cos(place.theta_rad / 2)
    return pose


def stamped(node: Node, frame: str, place: Planar) -> PoseStamped:
    """A goal as ROS has it, in the navigation's map frame."""
    goal = PoseStamped()
    goal.header.frame_id = frame
    goal.header.stamp = node.get_clock().now().to_msg()
    goal.pose = ros_pose(place)
    return goal
