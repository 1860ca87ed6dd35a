"""Holds what a ROS robot has said of itself, and makes one reading of it; knows nothing of ROS."""

from collections import deque
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

from pydantic import TypeAdapter

from contracts.units import MonoMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from contracts.vda5050.state import EStop, OperatingMode
from robot_bridge.core.frames import Planar
from robot_bridge.core.vehicle import Fault, Pose, Reading
from robot_bridge.ros_settings import RosMap, RosSettings

FAULTS_MAX: Final = 10
DIAGNOSTIC_STALE_MS: Final = 5_000  # they are published each second
DOWN_FATAL_MS: Final = 30_000  # Nav2 starts within 20 s; then a person must look
POSE_LATE_MS: Final = 30_000
POSE_TAKEN_M: Final = 0.5
CHAIN_MAX: Final = 16  # frames from the odometry's to the base; more is a loop
SAME_CLOCK_NS: Final = 1_000_000_000
# A localisation takes some 100 ms. One that is a second off all odometry has another clock, or is
# from before the bridge began.


@dataclass(frozen=True, slots=True)
class RosMemory:
    """What a restart must know: the map, where on it the robot was seen last, its charge.

    ``joined``: how odometry lies in the map by the localisation of an instant, in the robot's ns.
    """

    pose: Pose
    battery_percent: float
    joined: tuple[int, Planar] | None = None


_MEMORY: Final = TypeAdapter(RosMemory)


@dataclass(frozen=True, slots=True)
class Placing:
    """A pose that the robot was told and has not taken yet."""

    pose: Pose
    since: MonoMs


@dataclass(slots=True)
class _Place:
    """Where the robot is by odometry, and how that lies in the map."""

    odom: Planar | None = None
    odom_at: MonoMs = MonoMs(0)
    map_from_odom: Planar | None = None
    map_at: MonoMs = MonoMs(0)
    deviation_m: float = 0.0
    history: deque[tuple[int, Planar]] = field(default_factory=lambda: deque(maxlen=100))
    """Odometry by the robot's own time in ns: a localisation speaks of some 100 ms ago."""
    unjoined: tuple[int, Planar, MonoMs] | None = None
    """A localisation heard before any odometry: one who stands still says it once and no more."""
    joined: tuple[int, Planar] | None = None
    """See ``RosMemory``."""
    links: dict[str, tuple[str, Planar]] = field(default_factory=dict)


class Sensed:
    """Everything heard so far. Not for two threads at once: whoever calls holds a lock."""

    def __init__(
        self,
        settings: RosSettings,
        start: Pose,
        maps: tuple[str, ...],
        compartments: int,
        memory: str | None,
    ) -> None:
        """``start`` is where the robot is until it says something else, or as ``memory`` has it.

        Raises:
            ValueError: ``memory`` cannot be read.
        """
        kept = _MEMORY.validate_json(memory) if memory else RosMemory(start, 0.0)
        self._settings = settings
        self._maps = {name: settings.maps.get(name, RosMap()) for name in maps}
        self._pose = kept.pose
        self._battery_percent = kept.battery_percent
        self._battery_known = False
        self._charging = False
        self._speed_mps = 0.0
        self._turn_radps = 0.0
        self.compartments = compartments
        self._place = _Place(joined=kept.joined)
        self._bools: dict[str, bool] = {}
        self._wrong: dict[str, str] = {}
        self._diagnosed: dict[str, tuple[Fault, MonoMs]] = {}
        self._loaded: str | None = None
        self.placing: Placing | None = None

    def memory(self) -> str:
        """What a restart wants back."""
        kept = RosMemory(self._pose, self._battery_percent, self._place.joined)
        return _MEMORY.dump_json(kept).decode()

    # --- heard ------------------------------------------------------------------------------------

    def wrong(self, topic: str, words: str | None) -> None:
        """A topic cannot be used as it is; None: it can again."""
        if words is None:
            self._wrong.pop(topic, None)
        else:
            self._wrong[topic] = words

    def moved(self, speed_mps: float, turn_radps: float) -> None:
        """How fast the robot is by its odometry."""
        if isfinite(speed_mps) and isfinite(turn_radps):
            still = abs(speed_mps) <= self._settings.standing_mps
            self._speed_mps = 0.0 if still else speed_mps
            still = abs(turn_radps) <= self._settings.standing_radps
            self._turn_radps = 0.0 if still else turn_radps

    def odometry(self, stamp_ns: int, odom: Planar, now: MonoMs) -> None:
        """Where the robot is in the odometry's frame."""
        if _finite(odom):
            self._place.odom, self._place.odom_at = odom, now
            self._place.history.append((stamp_ns, odom))
            if self._place.unjoined is not None:
                self._join(*self._place.unjoined)
            self._settle(now)

    def localised(self, stamp_ns: int, place: Planar, deviation_m: float, now: MonoMs) -> None:
        """Where a localisation saw the robot in the map's frame, at an instant some time ago."""
        if not (_finite(place) and isfinite(deviation_m)):
            return
        self._place.deviation_m = deviation_m
        if not self._place.history:
            self._place.unjoined = (stamp_ns, place, now)
            return
        self._join(stamp_ns, place, now)
        self._settle(now)

    def _join(self, stamp_ns: int, place: Planar, heard: MonoMs) -> None:
        """How odometry lies in the map, by the odometry of the instant nearest to ``stamp_ns``.

        A word that was joined before a restart is not joined again: the robot may have driven on
        since, and localisations are latched.
        """
        known = self._place.joined
        if known is None or known[0] != stamp_ns or stamp_ns == 0:
            near = [row for row in self._place.history if abs(row[0] - stamp_ns) <= SAME_CLOCK_NS]
            rows = near or [self._place.history[-1]]
            # Of equal ones the newest: some drivers give no time at all.
            _, odom = min(reversed(rows), key=lambda row: abs(row[0] - stamp_ns))
            known = (stamp_ns, place.then(odom.back))
        self._place.joined = known
        self._place.map_from_odom, self._place.map_at = known[1], heard
        self._place.unjoined = None

    def linked(self, child: str, parent: str, link: Planar, now: MonoMs) -> None:
        """One transform of tf; those between map, odometry and base are used."""
        frames = self._settings.frames
        if not _finite(link):
            return
        if child == frames.odom and parent == frames.map:
            self._place.map_from_odom, self._place.map_at = link, now
            self._settle(now)
            return
        self._place.links[child] = (parent, link)
        chain, frame = Planar(), frames.base
        for _ in range(CHAIN_MAX):
            if frame == frames.odom:
                self._place.odom, self._place.odom_at = chain, now
                self._settle(now)
                return
            if frame not in self._place.links:
                return
            frame, inner = self._place.links[frame]
            chain = inner.then(chain)

    def charged(self, percentage: float, *, charging: bool) -> None:
        """What the battery says; not a number counts as nothing said."""
        percent = percentage * (100.0 if self._settings.battery_as == "fraction" else 1.0)
        if isfinite(percent) and -1.0 <= percent <= 101.0:  # rounding of drivers
            self._battery_percent = max(0.0, min(100.0, percent))
            self._battery_known = True
        self._charging = charging

    def said(self, topic: str, *, yes: bool) -> None:
        """The newest word of a topic that says yes or no."""
        self._bools[topic] = yes

    def diagnosed(self, name: str, words: str, *, error: bool, now: MonoMs) -> None:
        """One row of the robot's diagnostics."""
        if not error:
            self._diagnosed.pop(name, None)
            return
        rows = self._diagnosed.items()
        self._diagnosed = {key: row for key, row in rows if now - row[1] <= DIAGNOSTIC_STALE_MS}
        fatal = name.startswith(self._settings.diagnostics_fatal)
        if name in self._diagnosed or len(self._diagnosed) < FAULTS_MAX:
            fault = Fault("diagnostics", f"{name}: {words}"[:200], fatal=fatal)
            self._diagnosed[name] = (fault, now)

    def loaded(self, ros_map: str) -> None:
        """Which map the robot's localisation has now."""
        self._loaded = ros_map

    # --- poses ------------------------------------------------------------------------------------

    def ros_map(self, map_id: str) -> str:
        """The name of a floor's map in ROS."""
        return self._origin(map_id).ros_map or map_id

    def to_ros(self, pose: Pose) -> Planar:
        """A pose on a floor as the navigation has it."""
        row = self._origin(pose.map_id)
        origin = Planar(row.x_m, row.y_m, row.theta_rad)
        return origin.then(Planar(pose.x_m, pose.y_m, pose.theta_rad))

    @property
    def pose(self) -> Pose:
        """Where the robot was seen last."""
        return self._pose

    @property
    def moving(self) -> bool:
        """Its odometry says so."""
        return bool(self._speed_mps or self._turn_radps)

    def sure(self, now: MonoMs) -> bool:
        """The robot knows where it is: its words are fresh, near one another, of the right map."""
        place, silent_ms = self._place, self._settings.silent_ms
        fresh = place.odom is not None and now - place.odom_at <= silent_ms
        if self._settings.pose_from == "tf":
            fresh = fresh and now - place.map_at <= silent_ms
        known = place.map_from_odom is not None and self.placing is None
        return fresh and known and place.deviation_m <= self._settings.deviation_max_m

    def _origin(self, map_id: str) -> RosMap:
        return self._maps.get(map_id, RosMap())

    def _seen_on(self, map_id: str) -> Pose | None:
        place = self._place
        if place.odom is None or place.map_from_odom is None:
            return None
        row = self._origin(map_id)
        origin = Planar(row.x_m, row.y_m, row.theta_rad)
        seen = origin.back.then(place.map_from_odom.then(place.odom))
        return Pose(seen.x_m, seen.y_m, seen.theta_rad, map_id)

    def _settle(self, now: MonoMs) -> None:
        """Take over what was heard; a told pose first, when the robot has come to believe it."""
        if self.placing is not None:
            wanted = self.placing.pose
            seen = self._seen_on(wanted.map_id)
            heard = self._place.map_at > self.placing.since
            there = self._loaded is None or self._loaded == self.ros_map(wanted.map_id)
            near = seen is not None and seen.distance_m(wanted.x_m, wanted.y_m) <= POSE_TAKEN_M
            if seen is not None and heard and there and near:
                self.placing, self._pose = None, seen
            return
        seen = self._seen_on(self._pose.map_id)
        if seen is not None:
            self._pose = seen

    # --- the reading ------------------------------------------------------------------------------

    def reading(self, now: MonoMs, down_ms: int | None, down_why: str) -> Reading:
        """All of it at one instant. ``down_ms``: how long the navigation is not there."""
        topics = self._settings.topics
        stopped = self._yes(topics.safety_stop, silent=True)
        automatic = topics.automatic is None or self._bools.get(topics.automatic, False)
        return Reading(
            pose=self._pose,
            speed_mps=self._speed_mps,
            turn_radps=self._turn_radps,
            localised=self.sure(now),
            battery_percent=self._battery_percent,
            charging=self._charging,
            compartments=tuple(self._compartment(row + 1) for row in range(self.compartments)),
            e_stop=EStop.MANUAL if stopped else EStop.NONE,
            field_violation=self._yes(topics.protective_field, silent=True),
            mode=OperatingMode.AUTOMATIC if automatic else OperatingMode.MANUAL,
            maps=tuple(self._maps),
            faults=self._faults(now, down_ms, down_why),
        )

    def _yes(self, topic: str | None, *, silent: bool) -> bool:
        return False if topic is None else self._bools.get(topic, silent)

    def _compartment(self, number: int) -> CompartmentState:
        """What has not spoken counts as open and unlocked: the robot stands."""
        prefix = f"{self._settings.topics.compartment}{number}"
        is_open = self._bools.get(f"{prefix}/lid_open", True)
        locked = self._bools.get(f"{prefix}/locked", False)
        return CompartmentState(
            compartment=number,
            lid=LidState.OPEN if is_open else LidState.CLOSED,
            lock=LockState.LOCKED if locked else LockState.UNLOCKED,
            occupied=self._bools.get(f"{prefix}/occupied", False),
        )

    def _faults(self, now: MonoMs, down_ms: int | None, down_why: str) -> tuple[Fault, ...]:
        found: list[Fault] = []
        stop = self._settings.topics.safety_stop
        if stop is not None and stop not in self._bools:
            words = f"The safety stop ({stop}) has not spoken: counts as pressed."
            found.append(Fault("safetyStopUnknown", words, fatal=True))
        elif self._yes(stop, silent=True):
            found.append(Fault("emergencyStop", "The safety stop holds the robot.", fatal=True))
        if down_ms is not None:
            fatal = down_ms >= DOWN_FATAL_MS
            found.append(Fault("navigationDown", f"Nav2: {down_why}."[:200], fatal=fatal))
        found += self._battery_faults()
        if self.placing is not None and now - self.placing.since >= POSE_LATE_MS:
            words = f"The robot does not take a pose on map {self.placing.pose.map_id}."
            found.append(Fault("poseNotTaken", words[:200], fatal=True))
        rows = sorted(self._wrong.items())
        found += [
            Fault("rosInterface", f"{name}: {words}"[:200], fatal=False) for name, words in rows
        ]
        fresh = (row for row in self._diagnosed.values() if now - row[1] <= DIAGNOSTIC_STALE_MS)
        found += [fault for fault, _ in fresh]
        return tuple(found[:FAULTS_MAX])

    def _battery_faults(self) -> list[Fault]:
        if not self._battery_known:
            words = f"{self._settings.topics.battery} has not spoken."
            return [Fault("batteryUnknown", words, fatal=False)]
        if self._battery_percent <= self._settings.battery_empty_percent:
            return [Fault("batteryEmpty", "The robot must be carried or charged.", fatal=True)]
        if self._battery_percent <= self._settings.battery_low_percent:
            return [Fault("batteryLow", "The robot should charge.", fatal=False)]
        return []


def _finite(pose: Planar) -> bool:
    return isfinite(pose.x_m) and isfinite(pose.y_m) and isfinite(pose.theta_rad)
