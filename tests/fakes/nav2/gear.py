"""What a robot has beside Nav2, faked: boxes with bolts, a key switch, lights, tf and its maps.

    python gear.py {"domain_id": 7, "field": "latched", ...}

A process of its own beside ``node.py``, in the bridge's environment; obeys JSON lines.
"""

import json
import math
import sys
import threading
from typing import Any

import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped, Quaternion, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool

from tests.fakes.nav2.process import LATCHED, say, spin

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # on no package index; a test that wants tf has it built
    TFMessage = None

TF_AGAIN_S = 0.1


def heading(turn: Quaternion) -> float:
    return 2 * math.atan2(turn.z, turn.w)


class Box:
    """A compartment: a bolt that does as it is told, or not, and a lid moved by hand."""

    def __init__(self, node: Node, number: int) -> None:
        self.node, self.number, self.mood = node, number, "obedient"
        self.topics = {
            name: node.create_publisher(Bool, f"box_{number}/{name}", LATCHED)
            for name in ("lid_open", "locked", "occupied")
        }
        for name in self.topics:
            self.show(name, yes=name == "locked")
        self.service = node.create_service(SetBool, f"box_{number}/lock", self.bolt)

    def show(self, name: str, *, yes: bool) -> None:
        self.topics[name].publish(Bool(data=yes))

    def bolt(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        say(event="bolt", number=self.number, locked=request.data)
        if self.mood == "obedient":
            self.show("locked", yes=request.data)
        response.success = self.mood != "refusing"  # "silent": done, it says, and shows nothing
        return response

    def leave(self) -> None:
        self.node.destroy_service(self.service)


class Gear(Node):  # type: ignore[misc] # rclpy publishes no types
    """Boxes, a key switch, a field, lights, which map is loaded, and tf where it can be said."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__("fake_gear")
        self.boxes = {number: Box(self, number) for number in (1, 2)}
        self.automatic = self.create_publisher(Bool, "automatic", LATCHED)
        self.automatic.publish(Bool(data=True))
        volatile = settings.get("field") == "volatile"
        self.field = self.create_publisher(Bool, "field", 1 if volatile else LATCHED)
        self.field.publish(Bool(data=False))
        self.map_loaded = self.create_publisher(String, "map_loaded", LATCHED)
        self.create_subscription(
            String, "signal", lambda said: say(event="signal", name=said.data), 5
        )
        if TFMessage is None:
            return
        self.links = self.create_publisher(TFMessage, "/tf", 10)
        self.tf = True
        self.odom: Odometry | None = None
        self.offset = (0.0, 0.0, 0.0)
        self.create_subscription(Odometry, "odom", self.moved, qos_profile_sensor_data)
        self.create_subscription(PoseWithCovarianceStamped, "amcl_pose", self.placed, LATCHED)
        self.pending: PoseWithCovarianceStamped | None = None
        self.create_timer(TF_AGAIN_S, self.publish_tf)

    def moved(self, said: Odometry) -> None:
        self.odom = said
        if self.pending is not None:
            self.placed(self.pending)

    def placed(self, said: PoseWithCovarianceStamped) -> None:
        """Where the odometry's frame lies in the map, by a pose of the robot in both."""
        if self.odom is None:
            self.pending = said
            return
        self.pending = None
        here, there = said.pose.pose, self.odom.pose.pose
        turn = heading(here.orientation) - heading(there.orientation)
        cos, sin = math.cos(turn), math.sin(turn)
        x = here.position.x - (cos * there.position.x - sin * there.position.y)
        y = here.position.y - (sin * there.position.x + cos * there.position.y)
        self.offset = (x, y, turn)

    def publish_tf(self) -> None:
        if self.odom is None or not self.tf:
            return
        place = self.odom.pose.pose
        base = (place.position.x, place.position.y, heading(place.orientation))
        rows = (("map", "odom", self.offset), ("odom", "base_footprint", base))
        self.links.publish(TFMessage(transforms=[self.link(*row) for row in rows]))

    def link(self, parent: str, child: str, place: tuple[float, float, float]) -> TransformStamped:
        said = TransformStamped()
        said.header.frame_id, said.child_frame_id = parent, child
        said.header.stamp = self.get_clock().now().to_msg()
        said.transform.translation.x, said.transform.translation.y = place[0], place[1]
        said.transform.rotation.z = math.sin(place[2] / 2)
        said.transform.rotation.w = math.cos(place[2] / 2)
        return said

    def obey(self, wish: dict[str, Any]) -> None:
        for name, value in wish.items():
            match name:
                case "automatic":
                    self.automatic.publish(Bool(data=value))
                case "lid_open" | "locked" | "occupied":
                    number, yes = value
                    self.boxes[number].show(name, yes=yes)
                case "mood":
                    number, mood = value
                    self.boxes[number].mood = mood
                case "no_service":
                    self.boxes[value].leave()
                case "loaded":
                    self.map_loaded.publish(String(data=value))
                case "tf":
                    self.tf = value
                case _:
                    raise ValueError(name)
        say(event="obeyed", **wish)


def main() -> None:
    settings = json.loads(sys.argv[1])
    rclpy.init(domain_id=settings["domain_id"])
    gear = Gear(settings)
    executor = SingleThreadedExecutor()
    executor.add_node(gear)
    spinning = threading.Thread(target=spin, args=(executor,), daemon=True)
    spinning.start()
    for line in sys.stdin:
        executor.create_task(gear.obey, json.loads(line))
    rclpy.shutdown()
    spinning.join(1.0)


if __name__ == "__main__":
    main()
