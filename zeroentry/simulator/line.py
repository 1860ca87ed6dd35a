"""Carries messages between robots and controller as QoS 0 does: lost, doubled, late, overtaken."""

import random
from collections.abc import Callable

from zeroentry.simulator.agenda import Agenda
from zeroentry.simulator.script import Line


class Wire:
    """The way of all messages of one robot, both directions."""

    def __init__(self, agenda: Agenda, rng: random.Random, line: Line) -> None:
        """A wire that fares as ``line`` says."""
        self._agenda = agenda
        self._rng = rng
        self._line = line
        self.cut = False
        """Nothing gets through."""

    def carry(self, deliver: Callable[[], object], *, sure: bool = False) -> float | None:
        """Deliver after a while, perhaps twice, perhaps never: None. ``sure``: as QoS 1 does."""
        rng, line = self._rng, self._line
        if not sure and (self.cut or rng.random() < line.loss):
            return None
        arrival_s = self._delay_s()
        self._agenda.after(arrival_s, deliver)
        if not sure and rng.random() < line.double:
            self._agenda.after(self._delay_s(), deliver)
        return self._agenda.now_s + arrival_s

    def _delay_s(self) -> float:
        rng, line = self._rng, self._line
        late_s = rng.uniform(0, line.late_s) if rng.random() < line.late else 0.0
        return line.delay_s * rng.uniform(0.5, 1.5) + late_s

    def heal(self) -> None:
        """From now on everything gets through."""
        self._line = Line()
        self.cut = False
