"""Holds the rules that this node runs, in the order in which they are judged."""

from typing import Final

from edge.core.rules import camera_state, machine, over_admitted, pickup_dead, recording
from edge.core.rules.rule import Rule

RULES: Final[tuple[Rule, ...]] = (
    over_admitted.RULE,
    # Frozen before offline: whichever alert stands first keeps the other from beginning.
    camera_state.FROZEN,
    camera_state.OFFLINE,
    pickup_dead.RULE,
    # After the camera's: whichever of them holds speaks for the gap that it causes.
    recording.GAP,
    recording.DOWN,
    machine.FAILING,
    machine.LOW,
    machine.UNSYNCHRONISED,
    machine.STEPPED,
)
