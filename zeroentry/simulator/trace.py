"""Keeps what happened in a simulated world, for people to read when it went wrong."""

from collections import deque
from collections.abc import Iterable
from typing import Final

KEPT: Final = 4_000  # the last half hour of a small site


class Trace:
    """Lines with their second; text is made only when somebody reads it."""

    def __init__(self, *, whole: bool = False) -> None:
        """``whole``: keep everything, not only the end."""
        self._rows: deque[tuple[float, str, tuple[object, ...]]] = deque(
            maxlen=None if whole else KEPT
        )

    def tell(self, at_s: float, text: str, *values: object) -> None:
        """Note a line; ``values`` fill its ``{}``."""
        self._rows.append((at_s, text, values))

    def lines(self) -> Iterable[str]:
        """What was kept, oldest first."""
        for at_s, text, values in self._rows:
            yield f"{at_s:9.2f} s  {text.format(*values)}"
