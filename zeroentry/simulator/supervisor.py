"""Plays the supervisor: looks at what stands alarmed, and lets it go on."""

from typing import TYPE_CHECKING

from controller.core.fleet_inputs import RobotCleared

if TYPE_CHECKING:
    from zeroentry.simulator.world import World


def clear_doubt(world: "World", robot_id: str) -> None:
    """Say that a robot under suspicion was looked at and is well."""
    world.brain.offer(RobotCleared(robot_id, "looked at", "supervisor"))
    world.tell("supervisor clears {}", robot_id)
