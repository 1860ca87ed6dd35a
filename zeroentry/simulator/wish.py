"""Holds what somebody wants to see of a live house."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wish:
    """``site`` None: the tower. ``robots`` 0: those of the site."""

    site: Path | None = None
    robots: int = 0
    faults: bool = False
    by_hand: bool = False
    """Nobody orders, loads or types a PIN by himself."""
    seed: int = 1
    port: int = 8080
    keep: Path | None = None
