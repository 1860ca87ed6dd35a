"""Holds the rules that this node runs, in the order in which they are judged."""

from typing import Final

from edge.core.rules import camera_state, over_admitted, pickup_dead
from edge.core.rules.rule import Rule

RULES: Final[tuple[Rule, ...]] = (
    over_admitted.RULE,
    # Frozen before offline: whichever alert stands first keeps the other from beginning.
    camera_state.FROZEN,
    camera_state.OFFLINE,
    pickup_dead.RULE,
)
