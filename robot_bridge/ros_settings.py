"""Holds what the bridge must be told of a robot that runs ROS 2: names, frames, maps, patience."""

from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.envelope import Strict

TOPIC = r"^[A-Za-z_~/][A-Za-z0-9_~/]{0,120}$"
FRAME = r"^[A-Za-z0-9_][A-Za-z0-9_/]{0,60}$"


class RosMap(Strict):
    """Where the origin of a floor's map (LIF) lies in the frame that ROS navigates in."""

    x_m: float = Field(default=0.0, ge=-100_000, le=100_000)
    y_m: float = Field(default=0.0, ge=-100_000, le=100_000)
    theta_rad: float = Field(default=0.0, ge=-3.1416, le=3.1416)
    ros_map: str = Field(default="", max_length=200)
    """What is published on ``map_switch`` when the robot comes here; empty: the map's id."""


class RosFrames(Strict):
    """Names of frames, as the robot's own headers have them."""

    map: str = Field(default="map", pattern=FRAME)
    odom: str = Field(default="odom", pattern=FRAME)
    base: str = Field(default="base_footprint", pattern=FRAME)


class RosTopics(Strict):
    """Topics and services; relative names are below the robot's namespace.

    Null where a robot has none; what must not be missing has no null.
    """

    navigate: str = Field(default="navigate_to_pose", pattern=TOPIC)
    """Nav2's action; its status and cancel service are below this name."""
    goal_pose: str = Field(default="goal_pose", pattern=TOPIC)
    initial_pose: str = Field(default="initialpose", pattern=TOPIC)
    amcl_pose: str = Field(default="amcl_pose", pattern=TOPIC)
    odometry: str = Field(default="odom", pattern=TOPIC)
    tf: str = Field(default="/tf", pattern=TOPIC)
    battery: str = Field(default="battery_state", pattern=TOPIC)
    diagnostics: str | None = Field(default="/diagnostics", pattern=TOPIC)
    safety_stop: str | None = Field(default="safety_stop", pattern=TOPIC)
    """std_msgs/Bool, latched: true while a stop button or the safety circuit holds the robot."""
    protective_field: str | None = Field(default=None, pattern=TOPIC)
    """std_msgs/Bool, latched: true while something stands in the protective field."""
    automatic: str | None = Field(default=None, pattern=TOPIC)
    """std_msgs/Bool, latched: false while a person steers."""
    speed_limit: str = Field(default="speed_limit", pattern=TOPIC)
    """nav2_msgs/SpeedLimit, or std_msgs/Float64 in m/s where nav2_msgs is not there."""
    map_switch: str = Field(default="map_switch", pattern=TOPIC)
    map_loaded: str | None = Field(default=None, pattern=TOPIC)
    """std_msgs/String, latched: which map the localisation has; null: as told, at once."""
    charge: str | None = Field(default=None, pattern=TOPIC)
    """std_srvs/SetBool; null: charging begins by itself where a charger is."""
    signal: str | None = Field(default=None, pattern=TOPIC)
    """std_msgs/String: the light or sound by name, empty for none."""
    compartment: str = Field(default="compartment_", pattern=TOPIC)
    """Followed by a number from 1: ``/lock``, ``/lid_open``, ``/locked``, ``/occupied``."""


class RosSettings(Strict):
    """A robot that runs ROS 2 and Nav2."""

    namespace: str = Field(default="", pattern=r"^(/[A-Za-z_][A-Za-z0-9_]*)*$")
    domain_id: int = Field(default=0, ge=0, le=101)
    discovery: Literal["localhost", "subnet", "system_default"] = "localhost"
    """How far DDS looks for peers; ``localhost`` where the bridge runs on the robot."""
    navigation: Literal["auto", "action", "topic"] = "auto"
    """``action`` needs nav2_msgs; ``topic`` is goal_pose; ``auto`` takes the action if it can."""
    pose_from: Literal["amcl_pose", "tf"] = "amcl_pose"
    """``tf`` needs tf2_msgs, and finds the robot as fast as tf is published."""
    frames: RosFrames = RosFrames()
    topics: RosTopics = RosTopics()
    maps: dict[str, RosMap] = Field(default={}, max_length=100)
    """By the map's id; empty: every map of the site lies as ROS has it."""
    lifecycle_nodes: tuple[str, ...] = Field(default=("bt_navigator",), max_length=16)
    """Asked twice a second whether they are active; empty: the action server's presence counts."""
    pass_m: float = Field(default=0.4, gt=0, le=2)
    """A node that is not the last is passed this near, and the next goal is given."""
    goal_retries: int = Field(default=2, ge=0, le=20)
    goal_retry_ms: int = Field(default=1_000, ge=100, le=60_000)
    goal_answer_ms: int = Field(default=2_000, ge=200, le=30_000)
    stuck_ms: int = Field(default=30_000, ge=1_000, le=600_000)
    silent_ms: int = Field(default=1_500, ge=500, le=30_000)
    """Odometry (or tf) that is older does not say where the robot is. The bridge looks for it every
    200 ms while the robot stands."""
    deviation_max_m: float = Field(default=0.5, gt=0, le=5)
    """Above this standard deviation of amcl_pose the robot is not localised."""
    battery_as: Literal["fraction", "percent"] = "fraction"
    """sensor_msgs/BatteryState says 0 to 1; some drivers say 0 to 100."""
    battery_low_percent: float = Field(default=15.0, ge=0, le=100)
    battery_empty_percent: float = Field(default=3.0, ge=0, le=100)
    diagnostics_fatal: tuple[str, ...] = Field(default=(), max_length=50)
    """Names (or their beginnings) in diagnostics whose ERROR needs a person."""
    standing_mps: float = Field(default=0.02, ge=0, le=0.2)
    standing_radps: float = Field(default=0.03, ge=0, le=0.5)
    """Noise of the odometry of a robot that stands."""
    speed_mps: float = Field(default=0.8, gt=0, le=3)
    acceleration_mps2: float = Field(default=0.5, gt=0, le=5)
    deceleration_mps2: float = Field(default=0.5, gt=0, le=5)
    """What the factsheet says; Nav2's own parameters decide how it drives."""

    @model_validator(mode="after")
    def _frames_differ(self) -> Self:
        names = (self.frames.map, self.frames.odom, self.frames.base)
        if len(set(names)) != len(names):
            raise ValueError(f"frames: map, odom and base must differ, not {', '.join(names)}")
        return self
