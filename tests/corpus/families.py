"""Holds every family of scenarios by rule, and keeps the seeds that tuning may see from the rest.

A family is a function from a ``Draw`` (a seed and what is drawn from it) to a ``Scenario``. It is
registered by ``@family(code, ...)`` in the file of its rule's group (``area``, ``camera``,
``zone``, ``phone``, ``sound``, ``machine``, ``heads``, ``quiet``).

TUNE seeds are 0..999, HELD_OUT seeds 20000..20999 (10000..10999 were looked at while rules were
still being changed: they are spent). Nothing is tuned on a held-out seed: no rule, no
parameter, no threshold, no scenario. Only ``python -m benchmarks.detection`` asks for them.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Final, TypeVar

import numpy as np

from contracts.units import RuleCode
from tests.corpus.scenario import Scenario

T = TypeVar("T")

GROUPS: Final = ("area", "camera", "zone", "things", "phone", "sound", "machine",
                 "robot", "heads", "quiet")  # fmt: skip


class Split(StrEnum):
    """Which seeds: those to work with, or those that nobody looks at before the figures."""

    TUNE = "tune"
    HELD_OUT = "held_out"

    @property
    def seeds(self) -> range:
        return range(1_000) if self is Split.TUNE else range(20_000, 21_000)


class WrongSplitError(ValueError):
    """A held-out seed was asked for where only tuning seeds may be."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A seed of a family, and a generator that gives the same numbers for both each time."""

    name: str
    seed: int
    rng: np.random.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = (zlib.crc32(self.name.encode()), self.seed)
        object.__setattr__(self, "rng", np.random.default_rng(key))

    def ms(self, low: int, high: int) -> int:
        """A time or duration, on the grid of the pictures (200 ms)."""
        return round(self.rng.uniform(low, high) / 200) * 200

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def share(self, low: float, high: float) -> float:
        """A number between."""
        return float(self.rng.uniform(low, high))

    def one_of(self, *choices: T) -> T:
        """One of them."""
        return choices[int(self.rng.integers(len(choices)))]


Make = Callable[[Draw], Scenario]


@dataclass(frozen=True, slots=True)
class Family:
    """Scenarios of one kind. ``codes`` are the rules whose recall it measures; none for quiet."""

    name: str
    codes: tuple[RuleCode, ...]
    make: Make
    seeds: int
    """How many seeds a full run plays."""

    def scenario(self, seed: int, split: Split = Split.TUNE) -> Scenario:
        """The scenario of a seed.

        Raises:
            WrongSplitError: the seed is of the other split.
        """
        if seed not in split.seeds:
            raise WrongSplitError(
                f"{self.name}: seed {seed} is not of {split.value} "
                f"({split.seeds.start}..{split.seeds.stop - 1})"
            )
        return self.make(Draw(self.name, seed))


DOORS: Final = "no camera sees it: tests of facilities and the dispatch simulator make it happen"
ROBOTS: Final = "a robot's own word: its unit tests and the dispatch simulator make it happen"

EXEMPT: Final[Mapping[RuleCode, str]] = {
    "site.link_lost": "a line between cities: tests/integration/sites cuts a real one",
    "facility.door_open": DOORS,
    "facility.door_stuck": DOORS,
    "facility.fire": DOORS,
    "facility.lift_blocked": DOORS,
    "facility.lift_stuck": DOORS,
    "facility.offline": DOORS,
    "delivery.foreign_load": ROBOTS,
    "delivery.stranded": ROBOTS,
    "robot.fault": ROBOTS,
    "robot.ignores_pause": ROBOTS,
    "robot.implausible": ROBOTS,
    "robot.unfit": ROBOTS,
}
"""Rules without a family, and why nothing could be said of them here."""


def family(*codes: RuleCode, name: str | None = None, seeds: int = 20) -> Callable[[Make], Family]:
    """Make a family of these rules out of a function; the name is ``code/function`` if not given.

    Put it into ``FAMILIES`` at the end of its file: what is not in that table is not played.
    """

    def made(make: Make) -> Family:
        group = codes[0] if codes else make.__module__.rsplit(".", 1)[-1]
        return Family(name or f"{group}/{make.__name__}", codes, make, seeds)

    return made


def all_families() -> Mapping[str, Family]:
    """Every family of every group, by name.

    Raises:
        ValueError: two families have one name.
    """
    found: dict[str, Family] = {}
    for group in GROUPS:
        for one in import_module(f"tests.corpus.{group}").FAMILIES:
            if one.name in found:
                raise ValueError(f"two families are called {one.name}: rename one")
            found[one.name] = one
    return dict(sorted(found.items()))


def families_of(code: RuleCode) -> tuple[Family, ...]:
    """The families that measure a rule."""
    return tuple(one for one in all_families().values() if code in one.codes)
