"""Holds what is remembered of a whole area over time: who is in it, who is away, its balance."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.units import CameraId, MonoMs
from edge.core.floor import Plane
from edge.core.fusion import Heads
from edge.core.people import Instant
from edge.core.places import Crossing


@dataclass(frozen=True, slots=True)
class Passage:
    """Somebody went through a gate, ``told_mono_ms`` when it was noticed.

    ``seen_by``: every camera that saw this one passage, the one that told it first.
    """

    crossing: Crossing
    seen_by: tuple[CameraId, ...]
    told_mono_ms: MonoMs


@dataclass(frozen=True, slots=True)
class Steady:
    """A head count that has held for a while, since who came or left was first or last seen.

    ``other``: another count that may become the steady one, since ``other_since``, first noticed at
    ``other_mono_ms``.
    """

    people: int
    since: Instant
    other: int | None = None
    other_since: Instant | None = None
    other_mono_ms: MonoMs = MonoMs(0)
    told: bool = False
    """Whether somebody who was away is taken to be back because of it."""


@dataclass(frozen=True, slots=True)
class Over:
    """More people than are admitted have been seen since ``since``, last at ``last_mono_ms``.

    Of the ``looks`` since it was noticed, ``seen`` showed one too many; in ``together`` all of them
    were found at once.
    """

    since: Instant
    last_mono_ms: MonoMs
    looks: int = 1
    seen: int = 1
    together: int = 0


@dataclass(frozen=True, slots=True)
class AreaWatch:
    """What is remembered of one area. Its floor planes are reckoned once, for ``floors``."""

    heads: Heads = field(default_factory=Heads)
    planes: Mapping[CameraId, Plane | None] | None = None
    steady: Steady | None = None
    """None: nobody can see the room, or not for long enough."""
    unknown_since: MonoMs | None = None
    closed_since: Instant | None = None
    """Since when a session is sealed here, or passes by."""
    base: int | None = None
    """How many were in the area at the seal."""
    entries: int = 0
    exits: int = 0
    crossed: int = 0
    """The number of the newest crossing of the room's lines that was looked at."""
    passages: tuple[Passage, ...] = ()
    """Through gates while closed, the newest last."""
    away: tuple[Instant, ...] = ()
    """Since when each of those who are missing has not been seen, the longest first."""
    gone_at: Instant | None = None
    """When the last who was lost had last been seen."""
    differs_by: int = 0
    """How many more (or, below zero, fewer) are seen than the balance says."""
    differs_since: Instant | None = None
    over: Over | None = None
    released_at: Instant | None = None
    """When a session ended here, until the room has been seen empty since."""
