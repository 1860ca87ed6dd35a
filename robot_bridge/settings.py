"""Holds what one bridge must be told: robot, broker, start node, vehicle."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from contracts.envelope import Strict
from contracts.vda5050.topics import VehicleAddress
from contracts.vda5050.versions import VdaVersion, vehicle_address
from robot_bridge.ros_settings import RosSettings
from robot_bridge.sim import SimSettings
from runtime.mqtt import MqttSettings


class RobotIdentity(Strict):
    """Who the robot is on the bus; the same as in firmware_configs/robots."""

    manufacturer: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,60}$")
    serial_number: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,60}$")
    vda5050_version: VdaVersion = VdaVersion.V2_1
    """What the robot speaks; the same as in firmware_configs/robots."""
    topic_prefix: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,40}$")
    """The first level of its topics; null: as the version has it (uagv, or vda5050 for 3.0)."""
    series_name: str = Field(default="Zero Entry delivery robot", min_length=1, max_length=64)

    @property
    def address(self) -> VehicleAddress:
        """Its place among the topics."""
        return vehicle_address(
            self.vda5050_version, self.manufacturer, self.serial_number, prefix=self.topic_prefix
        )


class BridgeSettings(Strict):
    """All settings of one ``zeroentry bridge``."""

    identity: RobotIdentity
    mqtt: MqttSettings
    data_dir: Path
    """Where the robot's memory is kept; one folder a robot."""
    map_file: Path
    """The site's map (VDMA LIF): where the start node is."""
    start_node: str = Field(min_length=1, max_length=64)
    """Where the robot stands at its very first start; after that it remembers."""
    start_theta_rad: float = Field(default=0.0, ge=-3.1416, le=3.1416)
    vehicle: Literal["sim", "ros"] = "sim"
    sim: SimSettings = SimSettings()
    ros: RosSettings = RosSettings()
    """A robot that runs ROS 2; the bridge then needs the environment of requirements/robot.txt."""
    fault_file: Path | None = None
    """Faults of the simulated robot by time, a YAML file (`faults:`); added to those of `sim`."""
    compartments: int = Field(default=1, ge=1, le=16)
    length_m: float = Field(default=0.6, gt=0, le=5)
    width_m: float = Field(default=0.5, gt=0, le=5)
    height_m: float = Field(default=1.2, gt=0, le=5)
    load_max_kg: float = Field(default=20.0, ge=0, le=1_000)
    state_interval_driving_ms: int = Field(default=1_000, ge=100, le=30_000)
    state_interval_idle_ms: int = Field(default=2_000, ge=100, le=30_000)
    """At most 30 s: the standard's own limit."""
    visualization_interval_ms: int = Field(default=200, ge=50, le=30_000)
    log_json: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("vehicle", mode="before")
    @classmethod
    def _sim_or_ros(cls, value: object) -> object:
        if value not in ("sim", "ros"):
            raise ValueError(f"{value!r:.40}: this version drives `sim` and `ros`")
        return value

    @model_validator(mode="after")
    def _memory_is_there(self) -> Self:
        if not str(self.data_dir).strip("./"):
            raise ValueError("data_dir must name a folder of its own, not the current one")
        return self
