"""A robot with Nav2, faked: one process on real rclpy, driven by JSON lines, saying what it got.

    python node.py {"way": "topic", "domain_id": 7, ...}

Started in the bridge's own environment, where ROS is; the tests run in another, where it is not.
"""

import json
import math
import sys
import threading
import uuid
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus, GoalStatusArray
from action_msgs.srv import CancelGoal
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import BatteryState
from std_msgs.msg import Bool, Float64, String
from std_srvs.srv import SetBool

from tests.fakes.nav2.process import LATCHED, say, spin

ODOM_HZ = 20.0
ARRIVED_M = 0.05
ENDED = (
    GoalStatus.STATUS_SUCCEEDED,
    GoalStatus.STATUS_CANCELED,
    GoalStatus.STATUS_ABORTED,
)


class Goal:
    """A goal of the action, however it came."""

    def __init__(self, key: bytes, x: float, y: float, theta: float) -> None:
        self.key, self.x, self.y, self.theta = key, x, y, theta
        self.status = GoalStatus.STATUS_EXECUTING
        self.done = threading.Event()
        self.near = False

    def end(self, status: int) -> None:
        if self.status not in ENDED:
            self.status = status
            self.done.set()


class FakeRobot(Node):  # type: ignore[misc] # rclpy publishes no types
    """Drives straight to its goal at one speed; stands the moment it is cancelled."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__("fake_nav2")
        self.speed = float(settings.get("speed", 1.0))
        self.x, self.y, self.theta = (float(v) for v in settings.get("pose", (0.0, 0.0, 0.0)))
        self.v = 0.0
        self.mute = bool(settings.get("mute", False))  # says no odometry
        self.near_m = float(settings.get("near_m", 0.0))  # says when it comes this near its goal
        self.amcl_m = float(settings.get("amcl_m", math.inf))  # places itself after so much way
        self.since_m = 0.0
        self.period_s = 1.0 / float(settings.get("odom_hz", ODOM_HZ))
        self.origin = (-1.0, 2.0)
        self.lock = threading.RLock()
        self.goal: Goal | None = None
        self.goals: list[Goal] = []
        self.abort_next = 0
        self.active = True
        self.lost = False
        self.deviation = 0.1
        self.battery, self.charging = 0.8, False
        self.error = ""
        self.frame = "map"
        self.group = ReentrantCallbackGroup()
        self.odom = self.create_publisher(Odometry, "odom", qos_profile_sensor_data)
        self.amcl = self.create_publisher(PoseWithCovarianceStamped, "amcl_pose", LATCHED)
        self.cells = self.create_publisher(BatteryState, "battery_state", 5)
        self.diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.stop = self.create_publisher(Bool, "safety_stop", LATCHED)
        self.create_subscription(PoseWithCovarianceStamped, "initialpose", self.placed, 10)
        self.create_subscription(String, "map_switch", self.map_switched, LATCHED)
        self.create_service(GetState, "bt_navigator/get_state", self.get_state)
        self.create_service(SetBool, "charge", self.charge)
        for number in (1, 2):
            self.compartment(number)
        self.limits()
        if settings["way"] == "action":
            self.serve_action()
        else:
            self.serve_topic()
        self.stop.publish(Bool(data=False))
        self.place()
        self.create_timer(self.period_s, self.step)
        self.create_timer(0.5, self.slowly)

    # --- compartments, limits, life ---------------------------------------------------------------

    def compartment(self, number: int) -> None:
        topics = {
            name: self.create_publisher(Bool, f"compartment_{number}/{name}", LATCHED)
            for name in ("lid_open", "locked", "occupied")
        }
        for name, publisher in topics.items():
            publisher.publish(Bool(data=name == "locked"))

        def lock(request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
            topics["locked"].publish(Bool(data=request.data))
            say(event="bolt", number=number, locked=request.data)
            response.success = True
            return response

        self.create_service(SetBool, f"compartment_{number}/lock", lock)

    def limits(self) -> None:
        try:
            from nav2_msgs.msg import SpeedLimit
        except ImportError:
            self.create_subscription(
                Float64, "speed_limit", lambda said: say(event="limit", mps=said.data), 10
            )
            return
        self.create_subscription(
            SpeedLimit,
            "speed_limit",
            lambda said: say(event="limit", mps=said.speed_limit, percentage=said.percentage),
            10,
        )

    def get_state(self, _: GetState.Request, response: GetState.Response) -> GetState.Response:
        response.current_state.id = 3 if self.active else 2
        response.current_state.label = "active" if self.active else "inactive"
        return response

    def charge(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.charging = request.data
        response.success = True
        self.slowly()
        return response

    def map_switched(self, said: String) -> None:
        say(event="map", name=said.data)

    def placed(self, said: PoseWithCovarianceStamped) -> None:
        with self.lock:
            x, y = said.pose.pose.position.x, said.pose.pose.position.y
            # The robot is elsewhere on the map, but its wheels have not turned.
            self.origin = (self.origin[0] + x - self.x, self.origin[1] + y - self.y)
            self.x, self.y = x, y
            turn = said.pose.pose.orientation
            self.theta = 2 * math.atan2(turn.z, turn.w)
            self.lost = False
            self.deviation = 0.1
            say(event="placed", x=self.x, y=self.y)
            self.place()

    # --- goals ------------------------------------------------------------------------------------

    def begin(self, key: bytes, pose: PoseStamped) -> Goal:
        with self.lock:
            turn = pose.pose.orientation
            theta = 2 * math.atan2(turn.z, turn.w)
            goal = Goal(key, pose.pose.position.x, pose.pose.position.y, theta)
            say(
                event="goal", x=goal.x, y=goal.y, theta=theta, frame=pose.header.frame_id,
                id=key.hex(),
            )  # fmt: skip
            if self.goal is not None:  # Nav2 too aborts the one before
                self.goal.end(GoalStatus.STATUS_ABORTED)
            self.goal = goal
            self.goals = [*self.goals[-9:], goal]
            if self.abort_next > 0:
                self.abort_next -= 1
                goal.end(GoalStatus.STATUS_ABORTED)
            return goal

    def serve_topic(self) -> None:
        """What of the action shows to one who has no nav2_msgs: status and cancel."""
        self.status = self.create_publisher(
            GoalStatusArray, "navigate_to_pose/_action/status", LATCHED
        )
        self.create_service(CancelGoal, "navigate_to_pose/_action/cancel_goal", self.cancel)
        self.create_subscription(PoseStamped, "goal_pose", self.goal_pose, 10)

    def goal_pose(self, pose: PoseStamped) -> None:
        self.begin(uuid.uuid4().bytes, pose)
        self.tell()

    def cancel(self, _: CancelGoal.Request, response: CancelGoal.Response) -> CancelGoal.Response:
        self.cancelled()
        self.tell()
        return response

    def cancelled(self) -> None:
        with self.lock:
            say(event="cancel", running=self.goal is not None)
            if self.goal is not None:
                self.goal.end(GoalStatus.STATUS_CANCELED)
                self.goal = None
            self.v = 0.0

    def tell(self) -> None:
        if not hasattr(self, "status"):
            return
        array = GoalStatusArray()
        for goal in self.goals:
            row = GoalStatus()
            row.goal_info.goal_id.uuid = list(goal.key)
            row.status = goal.status
            array.status_list.append(row)
        self.status.publish(array)

    def serve_action(self) -> None:
        from nav2_msgs.action import NavigateToPose
        from rclpy.action import ActionServer, CancelResponse, GoalResponse

        def execute(handle: Any) -> Any:
            goal = self.begin(bytes(handle.goal_id.uuid), handle.request.pose)
            while not goal.done.wait(0.02):
                if handle.is_cancel_requested:
                    self.cancelled()
            result = NavigateToPose.Result()
            if goal.status == GoalStatus.STATUS_SUCCEEDED:
                handle.succeed()
            elif goal.status == GoalStatus.STATUS_CANCELED:
                handle.canceled()
            else:
                result.error_code, result.error_msg = 208, "no way round"
                handle.abort()
            return result

        self.server = ActionServer(
            self,
            NavigateToPose,
            "navigate_to_pose",
            execute,
            callback_group=self.group,
            goal_callback=lambda _: GoalResponse.ACCEPT if self.active else GoalResponse.REJECT,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    # --- driving ----------------------------------------------------------------------------------

    def step(self) -> None:
        with self.lock:
            goal, self.v = self.goal, 0.0
            if goal is not None and goal.status == GoalStatus.STATUS_EXECUTING:
                left = math.hypot(goal.x - self.x, goal.y - self.y)
                if left <= ARRIVED_M:
                    self.theta, self.goal = goal.theta, None
                    say(event="arrived", id=goal.key.hex())
                    goal.end(GoalStatus.STATUS_SUCCEEDED)
                    self.place()
                    self.tell()
                else:
                    way = min(left, self.speed * self.period_s)
                    self.theta = math.atan2(goal.y - self.y, goal.x - self.x)
                    self.x += math.cos(self.theta) * way
                    self.y += math.sin(self.theta) * way
                    self.v = self.speed
                    self.on_the_way(way)
            elif goal is not None:
                self.goal = None
                self.tell()
            self.publish_odom()

    def on_the_way(self, way: float) -> None:
        for goal in self.goals[-2:]:  # who believes to be further on gives the next goal earlier
            left = math.hypot(goal.x - self.x, goal.y - self.y)
            if left <= self.near_m and not goal.near:
                goal.near = True
                say(event="near", id=goal.key.hex())
        self.since_m += way
        if self.since_m >= self.amcl_m:
            self.since_m = 0.0
            self.place()

    def publish_odom(self) -> None:
        """The odometry's origin is turned by 0.5 rad, and not where the map's is."""
        if self.mute:
            return
        said = Odometry()
        said.header.frame_id, said.child_frame_id = "odom", "base_footprint"
        said.header.stamp = self.get_clock().now().to_msg()
        dx, dy = self.x - self.origin[0], self.y - self.origin[1]
        cos, sin = math.cos(-0.5), math.sin(-0.5)
        said.pose.pose.position.x = cos * dx - sin * dy
        said.pose.pose.position.y = sin * dx + cos * dy
        said.pose.pose.orientation.z = math.sin((self.theta - 0.5) / 2)
        said.pose.pose.orientation.w = math.cos((self.theta - 0.5) / 2)
        said.twist.twist.linear.x = self.v
        self.odom.publish(said)

    def place(self) -> None:
        """What the localisation believes; nothing new while it is lost."""
        said = PoseWithCovarianceStamped()
        said.header.frame_id = self.frame
        said.header.stamp = self.get_clock().now().to_msg()
        said.pose.pose.position.x, said.pose.pose.position.y = self.x, self.y
        said.pose.pose.orientation.z = math.sin(self.theta / 2)
        said.pose.pose.orientation.w = math.cos(self.theta / 2)
        said.pose.covariance[0] = said.pose.covariance[7] = self.deviation**2
        self.amcl.publish(said)

    def slowly(self) -> None:
        said = BatteryState()
        said.percentage = self.battery
        said.power_supply_status = 1 if self.charging else 2
        self.cells.publish(said)
        row = DiagnosticStatus()
        row.level = DiagnosticStatus.ERROR if self.error else DiagnosticStatus.OK
        row.name, row.message = "lidar: scan", self.error
        self.diagnostics.publish(DiagnosticArray(status=[row]))

    def obey(self, wish: dict[str, Any]) -> None:
        """What the test wants to happen."""
        with self.lock:
            for name, value in wish.items():
                match name:
                    case "abort":
                        self.abort_next = int(value)
                        if self.goal is not None and self.abort_next:
                            self.abort_next -= 1
                            self.goal.end(GoalStatus.STATUS_ABORTED)
                    case "stop":
                        self.stop.publish(Bool(data=bool(value)))
                    case "deviation" | "frame":
                        setattr(self, name, value)
                        self.place()
                    case _:
                        setattr(self, name, value)
            self.slowly()


def main() -> None:
    settings = json.loads(sys.argv[1])
    rclpy.init(domain_id=settings["domain_id"])
    robot = FakeRobot(settings)
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(robot)
    spinning = threading.Thread(target=spin, args=(executor,), daemon=True)
    spinning.start()
    say(event="ready")
    for line in sys.stdin:
        robot.obey(json.loads(line))
    rclpy.try_shutdown()
    spinning.join(2.0)


if __name__ == "__main__":
    main()
