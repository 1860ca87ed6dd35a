"""Holds what a robot can be doubted for, and the flag that a person takes away again."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.api import Sentence
from contracts.units import UtcMs


class DoubtKind(StrEnum):
    """What of a report cannot be true."""

    TELEPORT = "teleport"
    BATTERY = "battery"
    UNKNOWN_NODE = "unknown_node"
    SEQUENCE = "sequence"
    DRIVES_STOPPED = "drives_stopped"
    OFF_NODE = "off_node"
    CLOCK = "clock"
    HEADER = "header"
    COMPARTMENT = "compartment"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that a robot said and that cannot be."""

    kind: DoubtKind
    text: Sentence


@dataclass(frozen=True, slots=True)
class Doubted:
    """A robot's flag: what it was first doubted for, and since when. Only a person clears it."""

    kinds: tuple[DoubtKind, ...]
    text: Sentence
    since_utc_ms: UtcMs
