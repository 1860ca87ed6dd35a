"""Answers what a director asks of the event stream: who is where, what is new, how far."""

from dataclasses import dataclass
from typing import Final

from contracts.api import (
    AlertView,
    DeliveryState,
    DeliveryView,
    RobotCondition,
    RobotView,
    SessionState,
)
from contracts.observations import CameraState
from zeroentry.demo.feed import DeadlineError, Feed

BLOCK_FROM_X_M: Final = 5.5  # inside the corridor's first zone, well before the door
BLOCK_TO_X_M: Final = 9.0

_ORDER: Final = list(DeliveryState)


@dataclass(frozen=True, slots=True)
class Sight:
    """Questions to a feed; each answers from what the stream has said so far."""

    feed: Feed

    def cameras_live(self) -> bool:
        """Whether every camera's pictures arrive."""
        cameras = [camera for room in self.feed.rooms.values() for camera in room.cameras]
        return len(cameras) > 0 and all(row.state is CameraState.LIVE for row in cameras)

    def all_ready(self) -> bool:
        """Whether cameras are live and robots idle."""
        idle = [row.condition is RobotCondition.IDLE for row in self.feed.robots.values()]
        return self.cameras_live() and len(idle) > 0 and all(idle)

    def head_count(self, room_id: str) -> int | None:
        """The head count of a room; None while nobody can see it."""
        room = self.feed.rooms.get(room_id)
        return room.head_count if room else None

    def sealed(self, room_id: str) -> bool:
        """Whether a session is sealed in a room."""
        return any(
            row.state is SessionState.SEALED and row.room_id == room_id
            for row in self.feed.sessions.values()
        )

    def new_alert(self, rule: str, room_id: str, known: set[str]) -> AlertView | None:
        """An alert of this rule and room that is not among the known ones."""
        for alert in self.feed.alerts.values():
            if alert.id not in known and alert.rule == rule and alert.room_id == room_id:
                return alert
        return None

    def new_delivery(self, room_id: str, known: set[str]) -> str | None:
        """An order for this room that is not among the known ones."""
        rows = self.feed.deliveries.values()
        return next(
            (row.id for row in rows if row.room_id == room_id and row.id not in known), None
        )

    def robot_of(self, delivery_id: str) -> RobotView:
        """The robot that carries a delivery.

        Raises:
            DeadlineError: it has none any more.
        """
        robot_id = self.feed.deliveries[delivery_id].robot_id
        if robot_id is None or robot_id not in self.feed.robots:
            raise DeadlineError(f"delivery {delivery_id} has lost its robot")
        return self.feed.robots[robot_id]

    def in_corridor(self, delivery_id: str) -> bool:
        """Whether the robot drives where an outsider will stop it."""
        robot_id = self.feed.deliveries[delivery_id].robot_id
        robot = self.feed.robots.get(robot_id or "")
        if robot is None or robot.pose is None or robot.condition is not RobotCondition.DRIVING:
            return False
        return BLOCK_FROM_X_M <= robot.pose.x_m <= BLOCK_TO_X_M

    def busy_robots(self) -> tuple[str, ...]:
        """Robots that carry a delivery now."""
        rows = self.feed.deliveries.values()
        return tuple(row.robot_id for row in rows if row.robot_id and row.ended_utc_ms is None)

    def filled(self, delivery: DeliveryView) -> bool:
        """Whether the delivery's compartment holds a load under a closed lid."""
        robot = self.feed.robots.get(delivery.robot_id or "")
        return robot is not None and any(
            row.number == delivery.compartment and row.occupied and row.lid == "closed"
            for row in robot.compartments
        )

    async def reaches(self, delivery_id: str, state: DeliveryState, within_ms: int) -> DeliveryView:
        """Wait until a delivery is at a state, or past it.

        Raises:
            DeadlineError: it did not within the time, or it ended otherwise; says why.
        """

        def there() -> DeliveryView | None:
            row = self.feed.deliveries[delivery_id]
            if row.state in (DeliveryState.FAILED, DeliveryState.CANCELLED):
                why = row.explanation.en if row.explanation else "no reason given"
                raise DeadlineError(f"delivery {delivery_id} ended as {row.state}: {why}")
            return row if _ORDER.index(row.state) >= _ORDER.index(state) else None

        return await self.feed.until(
            there, within_ms=within_ms, what=f"delivery {delivery_id} is {state}"
        )
