"""Holds the rules that this node runs, in the order in which they are judged."""

from typing import Final

from edge.core.rules import (
    area,
    camera_picture,
    camera_state,
    camera_stream,
    load,
    machine,
    over_admitted,
    phone,
    pickup_dead,
    recording,
    sound,
    things,
    zone,
)
from edge.core.rules.rule import Rule

RULES: Final[tuple[Rule, ...]] = (
    over_admitted.RULE,
    *area.RULES,
    # Frozen before offline: whichever alert stands first keeps the other from beginning.
    camera_state.FROZEN,
    camera_state.OFFLINE,
    camera_picture.COVERED,
    camera_picture.DARK,
    camera_picture.GLARE,
    camera_picture.MOVED,
    camera_picture.DEFOCUSED,
    camera_picture.LIGHTS,
    camera_stream.WRONG_STREAM,
    camera_stream.CLOCK_OFF,
    phone.VISIBLE,
    *zone.RULES,
    things.LEFT,
    things.TAKEN,
    pickup_dead.RULE,
    *sound.RULES,
    sound.RING,
    # After the camera's: whichever of them holds speaks for the gap that it causes.
    recording.GAP,
    recording.DOWN,
    machine.FAILING,
    machine.LOW,
    machine.UNSYNCHRONISED,
    machine.STEPPED,
    machine.COPIES,
    machine.DRIFT,
    load.OVERLOADED,
)
