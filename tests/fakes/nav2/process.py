"""What the two processes that fake a robot share: how they speak, latch and spin."""

import json
import sys
import time

from rclpy.executors import Executor, ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def say(**event: object) -> None:
    """One line for the test; `ns` is the machine's monotonic clock, the same in all processes."""
    sys.stdout.write(json.dumps({**event, "ns": time.monotonic_ns()}) + "\n")
    sys.stdout.flush()


def spin(executor: Executor) -> None:
    """Spin until ROS is shut down."""
    try:
        executor.spin()
    except ExternalShutdownException:
        return
