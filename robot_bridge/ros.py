"""Drives a robot that runs ROS 2. With ``ros_ways`` the one place that knows rclpy.

rclpy spins in a thread of its own. Whatever it hears goes into one place under one lock; the bridge
tells and looks there and never waits for ROS.
"""

import os
import threading
from collections.abc import Callable
from itertools import takewhile
from math import sqrt
from typing import Final, assert_never

import rclpy
import structlog
from action_msgs.msg import GoalStatus, GoalStatusArray
from action_msgs.srv import CancelGoal
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Pose as RosPose
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.callback_groups import CallbackGroup, ReentrantCallbackGroup
from rclpy.client import Client
from rclpy.context import Context
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import BatteryState
from std_msgs.msg import Bool, Float64, String
from std_srvs.srv import SetBool

from contracts.units import MonoMs
from robot_bridge.core import goals
from robot_bridge.core.frames import Planar, heading
from robot_bridge.core.goals import CancelGoals, Outcome, Phase, Pilot, Retrying, SendGoal
from robot_bridge.core.vehicle import (
    Charge,
    Drive,
    DriveFailed,
    Halt,
    Lock,
    Observation,
    Passed,
    Pose,
    SetPose,
    Signal,
    Unlock,
    VehicleCommand,
    VehicleEvent,
)
from robot_bridge.ros_settings import RosSettings
from robot_bridge.ros_ways import ORDERED, Lifecycle, has_action, ros_pose, way_of
from robot_bridge.sensed import Placing, Sensed
from runtime.clock import Clock

try:
    from nav2_msgs.msg import SpeedLimit
except ImportError:  # it is a part of the robot's own ROS and on no package index
    SpeedLimit = None
try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

log = structlog.get_logger(__name__)

STANDING_TICK_S: Final = 0.2  # what must be known at once wakes the thread by itself
DRIVING_TICK_S: Final = 0.05  # a passed node must be in a state within 200 ms
SERVERS_EVERY_MS: Final = 1_000
POSE_AGAIN_MS: Final = 1_000
PLACED_M: Final = 0.25  # how sure whoever tells a pose is of it
PLACED_RAD: Final = 0.2
ADOPT_MS: Final = 2_000
CLOSE_S: Final = 2.0
TAKEN_MAX: Final = 200  # of one stream in a turn: more than its queue holds, and no endless turn

# Every matching publisher is heard by a subscription that asks for little: best effort and
# volatile. What is latched must be asked for as such, or nothing comes until it changes.
STREAM: Final = QoSProfile(
    depth=10, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE
)
LATCHED: Final = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
TF: Final = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE
)
TF_STATIC: Final = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)

ACTIVE: Final = (GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING)


class RosUnusable(Exception):
    """The settings ask for what this ROS does not have; says what and what to do."""


class ByHand(CallbackGroup):  # type: ignore[misc] # rclpy publishes no types
    """Subscriptions that wake nobody: the tick takes what has come.

    The executor builds all that it waits for anew for each message, which at the 50 a second of an
    odometry is most of what a bridge would cost.
    """

    def can_execute(self, entity: object) -> bool:
        """Never by the executor."""
        return False


class RosVehicle:
    """A robot behind ROS 2. ``perform`` and ``observe`` come from the bridge's own thread."""

    def __init__(self, settings: RosSettings, sensed: Sensed, clock: Clock) -> None:
        """Begin to listen.

        Raises:
            RosUnusable: the settings need messages that are not installed here.
        """
        check_messages(settings)
        self._settings = settings
        self._clock = clock
        self._sensed = sensed
        self._events: list[VehicleEvent] = []
        retrying = Retrying(
            settings.pass_m,
            settings.goal_retries,
            settings.goal_retry_ms,
            settings.goal_answer_ms,
            settings.stuck_ms,
        )
        # What an earlier life of the bridge began may go on until this one knows its order.
        adopted = MonoMs(clock.mono_ms() + ADOPT_MS)
        self._pilot = Pilot(retrying, cancel_due=adopted)
        self._busy = False
        self._down_since: MonoMs | None = clock.mono_ms()
        self._down_why = "was not heard of yet"
        self._servers: frozenset[bytes] = frozenset()
        self._servers_due = MonoMs(0)
        self._limit: float | None = None
        self._place_due = MonoMs(0)
        self._broken: Exception | None = None
        self._lock = threading.RLock()
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = settings.discovery.upper()
        self._context = Context()
        rclpy.init(
            context=self._context,
            domain_id=settings.domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        # Nobody sets this node's parameters, and our log has a place of its own; each of these
        # services and topics would be waited for and told to every other node.
        self._node = Node(
            "zero_entry_bridge",
            context=self._context,
            namespace=settings.namespace,
            enable_rosout=False,
            start_parameter_services=False,
            parameter_overrides=[Parameter("start_type_description_service", value=False)],
        )
        self._at_once = ReentrantCallbackGroup()  # one thread: nothing to keep apart
        self._by_hand = ByHand()
        self._streams: list[tuple[Subscription, Callable[..., None]]] = []
        self._listen()
        self._speak()
        self._lifecycle = Lifecycle(self._node, clock, settings.lifecycle_nodes)
        self._way = way_of(self._node, settings, self)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="rclpy", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say no more and hear no more; the robot goes on with the goal that it has."""
        self._context.try_shutdown()
        self._thread.join(CLOSE_S)
        self._node.destroy_node()

    # --- the port ---------------------------------------------------------------------------------

    def perform(self, command: VehicleCommand) -> None:
        """See ``Vehicle.perform``."""
        with self._lock:
            now, pose = self._clock.mono_ms(), self._sensed.pose
            match command:
                case Drive():
                    self._do(goals.told(self._pilot, command, pose, now, up=self._up), now)
                case Halt():
                    self._do(goals.halted(self._pilot, now), now)
                case SetPose(wanted):
                    self._do(goals.halted(self._pilot, now), now)
                    self._sensed.placing = Placing(wanted, now)
                    self._place_due = now
                    self._place(now)
                case Unlock(number) | Lock(number):
                    self._switch(self._bolts.get(number), on=isinstance(command, Lock))
                case Charge(on):
                    self._switch(self._charger, on=on)
                case Signal(name):
                    if self._signals is not None:
                        self._signals.publish(String(data=name or ""))
                case _:
                    assert_never(command)
            self._pace()

    def observe(self, now: MonoMs) -> Observation:
        """See ``Vehicle.observe``.

        Raises:
            RuntimeError: the thread that hears ROS has died; the process must start anew.
        """
        with self._lock:
            if self._broken is not None:
                raise RuntimeError("ROS is not heard any more") from self._broken
            events, self._events = tuple(self._events), []
            since = self._down_since
            down_ms = None if since is None else now - since
            return Observation(self._sensed.reading(now, down_ms, self._down_why), events)

    def memory(self) -> str:
        """See ``Vehicle.memory``."""
        with self._lock:
            return self._sensed.memory()

    # --- what is told -----------------------------------------------------------------------------

    def _speak(self) -> None:
        topics, node = self._settings.topics, self._node
        cancel = f"{topics.navigate}/_action/cancel_goal"
        self._canceller = node.create_client(CancelGoal, cancel)
        self._poses = node.create_publisher(PoseWithCovarianceStamped, topics.initial_pose, ORDERED)
        self._map_switch = node.create_publisher(String, topics.map_switch, LATCHED)
        limit = Float64 if SpeedLimit is None else SpeedLimit
        self._limits = node.create_publisher(limit, topics.speed_limit, LATCHED)
        self._signals: Publisher | None = None
        if topics.signal is not None:
            self._signals = node.create_publisher(String, topics.signal, ORDERED)
        self._charger: Client | None = None
        if topics.charge is not None:
            self._charger = node.create_client(SetBool, topics.charge)
        numbers = range(1, self._sensed.compartments + 1)
        self._bolts = {
            number: node.create_client(SetBool, f"{topics.compartment}{number}/lock")
            for number in numbers
        }

    def _do(self, turn: goals.Turn, now: MonoMs) -> None:
        self._pilot, steps = turn
        for step in steps:
            match step:
                case SendGoal():
                    self._limit_speed(step.max_speed_mps or 0.0)
                    pose = Pose(step.x_m, step.y_m, step.theta_rad, self._sensed.pose.map_id)
                    self._way.go(step.number, self._sensed.to_ros(pose), now)
                case CancelGoals():
                    self._way.drop()
                    if self._canceller.service_is_ready():
                        # No id and no time: Nav2 cancels all that it has.
                        self._canceller.call_async(CancelGoal.Request())
                case Passed() | DriveFailed():
                    self._events.append(step)
                case _:
                    assert_never(step)

    def _limit_speed(self, limit_mps: float) -> None:
        """Pass an edge's limit on; 0 ends it."""
        if limit_mps == self._limit:
            return
        self._limit = limit_mps
        if SpeedLimit is None:
            self._limits.publish(Float64(data=float(limit_mps)))
        else:
            self._limits.publish(SpeedLimit(percentage=False, speed_limit=float(limit_mps)))

    def _place(self, now: MonoMs) -> None:
        """Tell the localisation where the robot is, again until it believes it."""
        placing = self._sensed.placing
        if placing is None or now < self._place_due:
            return
        self._place_due = MonoMs(now + POSE_AGAIN_MS)
        self._map_switch.publish(String(data=self._sensed.ros_map(placing.pose.map_id)))
        place = self._sensed.to_ros(placing.pose)
        said = PoseWithCovarianceStamped()
        said.header.frame_id = self._settings.frames.map
        said.header.stamp = self._node.get_clock().now().to_msg()
        said.pose.pose = ros_pose(place)
        said.pose.covariance[0] = said.pose.covariance[7] = PLACED_M**2
        said.pose.covariance[35] = PLACED_RAD**2
        self._poses.publish(said)

    def _switch(self, client: Client | None, *, on: bool) -> None:
        if client is not None and client.service_is_ready():
            client.call_async(SetBool.Request(data=on))

    # --- what is heard ----------------------------------------------------------------------------

    def _listen(self) -> None:
        topics, by_tf = self._settings.topics, self._settings.pose_from == "tf"
        status = f"{topics.navigate}/_action/status"
        self._hear(GoalStatusArray, status, self._on_status, LATCHED)
        self._stream(Odometry, topics.odometry, self._on_odometry, STREAM)
        if by_tf:
            self._stream(TFMessage, topics.tf, self._on_tf, TF)
            self._hear(TFMessage, f"{topics.tf}_static", self._on_tf, TF_STATIC)
        else:
            self._hear(PoseWithCovarianceStamped, topics.amcl_pose, self._on_pose, LATCHED)
        self._stream(BatteryState, topics.battery, self._on_battery, STREAM)
        if topics.diagnostics is not None:
            self._stream(DiagnosticArray, topics.diagnostics, self._on_diagnostics, STREAM)
        if topics.map_loaded is not None:
            self._hear(String, topics.map_loaded, self._on_map, LATCHED)
        for name in (topics.safety_stop, topics.protective_field, topics.automatic):
            self._hear_bool(name)
        for number in range(1, self._sensed.compartments + 1):
            for name in ("lid_open", "locked", "occupied"):
                self._hear_bool(f"{topics.compartment}{number}/{name}")
        self._timer = self._node.create_timer(STANDING_TICK_S, self._tick, self._at_once)

    def _stream(
        self, kind: object, topic: str, heard: Callable[..., None], qos: QoSProfile
    ) -> None:
        """Hear what comes often and may wait for the tick. Every publisher's QoS fits this."""
        events = SubscriptionEventCallbacks(use_default_callbacks=False)
        made = self._node.create_subscription(
            kind, topic, heard, qos, event_callbacks=events, callback_group=self._by_hand, raw=True
        )
        self._streams.append((made, heard))

    def _take(self) -> None:
        """Take what the streams have brought; of the odometry of one who stands the newest."""
        standing = not self._sensed.moving
        for stream, heard in self._streams:
            with stream.handle:
                taken = [*takewhile(bool, (_next(stream) for _ in range(TAKEN_MAX)))]
            newest = standing and stream.msg_type is Odometry
            for raw in taken[-1:] if newest else taken:
                heard(deserialize_message(raw, stream.msg_type))

    def _hear(self, kind: object, topic: str, heard: Callable[..., None], qos: QoSProfile) -> None:
        def mismatched(event: object) -> None:
            with self._lock:
                self._sensed.wrong(
                    topic, "published with a QoS that cannot be heard; see the guide"
                )

        events = SubscriptionEventCallbacks(
            incompatible_qos=mismatched, use_default_callbacks=False
        )
        self._node.create_subscription(
            kind, topic, heard, qos, event_callbacks=events, callback_group=self._at_once
        )

    def _hear_bool(self, topic: str | None) -> None:
        if topic is None:
            return

        def heard(said: Bool) -> None:
            with self._lock:
                self._sensed.said(topic, yes=said.data)

        self._hear(Bool, topic, heard, LATCHED)

    def _framed(self, topic: str, frame: str, wanted: str) -> bool:
        """A header names the frame that it must; else the message is dropped, and told."""
        right = frame.lstrip("/") == wanted
        words = None if right else f"is in frame {frame[:40]!r}, not {wanted!r}"
        self._sensed.wrong(topic, words)
        return right

    def _on_odometry(self, said: Odometry) -> None:
        with self._lock:
            now, frames = self._clock.mono_ms(), self._settings.frames
            topic = self._settings.topics.odometry
            self._sensed.moved(said.twist.twist.linear.x, said.twist.twist.angular.z)
            if self._settings.pose_from == "tf":
                return
            if self._framed(topic, said.header.frame_id, frames.odom) and self._framed(
                topic, said.child_frame_id, frames.base
            ):
                self._sensed.odometry(stamp_ns(said.header.stamp), planar(said.pose.pose), now)
                self._look(now)

    def _on_pose(self, said: PoseWithCovarianceStamped) -> None:
        with self._lock:
            self._take()  # a pose is joined with the odometry of its instant
            now, frame = self._clock.mono_ms(), self._settings.frames.map
            if self._framed(self._settings.topics.amcl_pose, said.header.frame_id, frame):
                spread = max(said.pose.covariance[0], said.pose.covariance[7], 0.0)
                place = planar(said.pose.pose)
                self._sensed.localised(stamp_ns(said.header.stamp), place, sqrt(spread), now)
                self._look(now)

    def _on_tf(self, said: TFMessage) -> None:
        with self._lock:
            now = self._clock.mono_ms()
            for row in said.transforms:
                link, turn = row.transform.translation, row.transform.rotation
                theta = heading(turn.x, turn.y, turn.z, turn.w)
                child, parent = row.child_frame_id.lstrip("/"), row.header.frame_id.lstrip("/")
                self._sensed.linked(child, parent, Planar(link.x, link.y, theta), now)
            self._look(now)

    def _look(self, now: MonoMs) -> None:
        if self._sensed.sure(now):
            self._do(goals.seen(self._pilot, self._sensed.pose, now, up=self._up), now)

    def _on_battery(self, said: BatteryState) -> None:
        with self._lock:
            charging = said.power_supply_status == BatteryState.POWER_SUPPLY_STATUS_CHARGING
            self._sensed.charged(said.percentage, charging=charging)

    def _on_diagnostics(self, said: DiagnosticArray) -> None:
        with self._lock:
            now = self._clock.mono_ms()
            for row in said.status:
                error = row.level == DiagnosticStatus.ERROR
                self._sensed.diagnosed(row.name[:80], row.message, error=error, now=now)

    def _on_map(self, said: String) -> None:
        with self._lock:
            self._sensed.loaded(said.data)

    def _on_status(self, said: GoalStatusArray) -> None:
        with self._lock:
            now = self._clock.mono_ms()
            self._busy = any(row.status in ACTIVE for row in said.status_list)
            self._way.status(said, now)
            self._turn(now)

    def goal_taken(self, number: int) -> None:
        """The navigation works on this goal of ours."""
        with self._lock:
            now = self._clock.mono_ms()
            self._do(goals.taken(self._pilot, number, now), now)

    def goal_ended(self, number: int, outcome: Outcome, words: str) -> None:
        """The navigation has ended this goal of ours."""
        with self._lock:
            self._take()  # whether it has arrived is judged by where it is now
            now, pose = self._clock.mono_ms(), self._sensed.pose
            turn = goals.ended(self._pilot, number, outcome, words, pose, now, up=self._up)
            self._do(turn, now)

    # --- the navigation's life --------------------------------------------------------------------

    @property
    def _up(self) -> bool:
        return self._down_since is None

    def _tick(self) -> None:
        with self._lock:
            self._take()
            now = self._clock.mono_ms()
            self._lifecycle.ask(now)
            self._watch(now)
            self._place(now)
            self._turn(now)
            self._pace()

    def _pace(self) -> None:
        """Look more often at a robot that is under way."""
        works = self._pilot.phase is not Phase.NONE or self._busy
        under_way = works or self._sensed.moving or self._sensed.placing is not None
        period_ns = int((DRIVING_TICK_S if under_way else STANDING_TICK_S) * 1e9)
        if self._timer.timer_period_ns != period_ns:
            self._timer.timer_period_ns = period_ns
            self._timer.reset()
            self._executor.wake()

    def _turn(self, now: MonoMs) -> None:
        pose = self._sensed.pose
        self._do(goals.tick(self._pilot, pose, now, up=self._up, busy=self._busy), now)

    def _watch(self, now: MonoMs) -> None:
        """See whether the navigation is there and active, and still the same process."""
        why = self._lifecycle.down(now)
        if why is None and not self._way.there():
            why = f"nobody takes goals on {self._settings.topics.navigate}"
        if why is not None:
            self._down_why = why
            if self._down_since is None:
                log.warning("navigation_down", why=why)
                self._down_since = now
                self._navigation_gone()
        elif self._down_since is not None:
            log.info("navigation_up", after_ms=now - self._down_since)
            self._down_since = None
        if now >= self._servers_due:
            self._servers_due = MonoMs(now + SERVERS_EVERY_MS)
            self._know_servers()

    def _know_servers(self) -> None:
        """A server that was not there before knows nothing of a goal given to another."""
        topic = f"{self._settings.topics.navigate}/_action/status"
        resolved = self._node.resolve_topic_name(topic)
        rows = self._node.get_publishers_info_by_topic(resolved)
        servers = frozenset(bytes(row.endpoint_gid) for row in rows)
        if self._servers and servers - self._servers:
            log.warning("navigation_restarted")
            self._navigation_gone()
        self._servers = servers or self._servers

    def _navigation_gone(self) -> None:
        self._busy = False
        self._limit = None
        self._way.gone()
        self._pilot = goals.lost(self._pilot)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return
        except Exception as error:  # boundary: a dead thread tells nobody; `observe` raises it
            log.exception("ros_thread_died")
            self._broken = error


def check_messages(settings: RosSettings) -> None:
    """See that what the settings ask for is installed.

    Raises:
        RosUnusable: it is not.
    """
    if settings.navigation == "action" and not has_action():
        raise RosUnusable("navigation: action needs nav2_msgs: source the robot's ROS, or `topic`")
    if settings.pose_from == "tf" and TFMessage is None:
        raise RosUnusable("pose_from: tf needs tf2_msgs: source the robot's ROS, or `amcl_pose`")


def _next(stream: Subscription) -> bytes | None:
    taken = stream.handle.take_message(stream.msg_type, stream.raw)
    return None if taken is None else taken[0]


def stamp_ns(stamp: Time) -> int:
    """A header's time."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def planar(pose: RosPose) -> Planar:
    """A pose of ROS, seen from above."""
    turn = pose.orientation
    return Planar(pose.position.x, pose.position.y, heading(turn.x, turn.y, turn.z, turn.w))
