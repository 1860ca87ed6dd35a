"""The controller as a desk sees it that only offers what it heard: it keeps every word."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.core.outputs import Answer
from controller.core.state import Input
from controller.ports import Given


@dataclass
class Offered:
    """Keeps what it is offered; to be asked, or given what must last, would be a mistake."""

    words: list[Input] = field(default_factory=list)

    async def offer(self, given: Input) -> None:
        self.words.append(given)

    async def ask(self, given: Input) -> Answer:
        raise AssertionError(f"nobody asks here: {given}")

    async def take(self, rows: Sequence[Given]) -> list[Answer | None]:
        raise AssertionError(f"nothing is durable here: {rows}")
