"""Runs the real core of the controller inside a simulated world: inputs in, outputs out, restarts.

What it had stored survives; what lives in memory is lost, as with the real service.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from contracts.api import SessionState
from contracts.units import UtcMs
from controller.core import outputs as out
from controller.core.plan import SitePlan
from controller.core.sessions import Session
from controller.core.state import Input, Now, SiteState, Tick, restored
from zeroentry.simulator.agenda import UTC_AT_START_MS, Agenda

PAUSE_TICK_S: Final = 0.32
ORDER_TICK_S: Final = 1.02
CALM_TICK_S: Final = 4.0
IDLE_TICK_S: Final = 5.0
"""The service ticks every 0.2 s. Here every input settles the site, and a tick comes only where it
could decide something: a pause is sent again after 0.3 s, all else after 1 s, and what has a
time-out of many seconds is looked at every four."""


class Step(Protocol):
    """The core's step, or one with a planted fault."""

    def __call__(
        self, site: SiteState, given: Input, now: Now, /
    ) -> tuple[SiteState, tuple[out.Output, ...]]:
        """Decide what an input does."""


class Brain:
    """The controller: one state, one step, a clock that ticks."""

    def __init__(
        self, plan: SitePlan, agenda: Agenda, step: Step, perform: Callable[[out.Output], None]
    ) -> None:
        """Start with a sealed session in the first room, so that people and robots stay apart."""
        self.plan = plan
        self.agenda = agenda
        self.step = step
        self.perform = perform
        self.up = True
        self.steps = 0
        self._ticking = 0
        self._next_s = math.inf
        self.since_s = 0.0
        """When it started last."""
        self.starts_s: list[float] = []
        """When it started again."""
        room = next(iter(plan.door_nodes), None)
        sessions = {}
        if room is not None:
            sealed = Session("s1", room, "simulated", 5, UtcMs(UTC_AT_START_MS), "simulator")
            sealed = _sealed(sealed)
            sessions[sealed.id] = sealed
        self.state: SiteState = restored(
            plan,
            sessions=sessions,
            alerts={},
            deliveries={},
            duties={},
            next_number=1,
            now=agenda.now(),
            same_boot=True,
        )
        self._tick(self._ticking)

    def offer(self, given: Input) -> tuple[out.Output, ...]:
        """Take one input, commit, and do what it wants done; nothing while the process is down."""
        if not self.up:
            return ()
        self.steps += 1
        self.state, outputs = self.step(self.state, given, self.agenda.now())
        for output in outputs:
            self.perform(output)
        wait_s = self._resend_s()
        if wait_s is not None and self.agenda.now_s + wait_s < self._next_s - 1e-9:
            self._next_tick(wait_s)
        return outputs

    def _resend_s(self) -> float | None:
        """How soon something may have to be sent again; None: everything is answered."""
        wait_s: float | None = None
        for duty in self.state.duties.values():
            mission = duty.mission
            if mission is not None and not mission.waiting and not mission.settled:
                wait_s = ORDER_TICK_S
            for row in duty.actions:
                if row.status is None:
                    if row.action in (out.ActionKind.PAUSE, out.ActionKind.RESUME):
                        return PAUSE_TICK_S
                    wait_s = ORDER_TICK_S
        return wait_s

    def _next_tick(self, wait_s: float) -> None:
        self._ticking += 1
        ticking = self._ticking
        self._next_s = self.agenda.now_s + wait_s
        self.agenda.after(wait_s, lambda: self._tick(ticking))

    def _tick(self, ticking: int) -> None:
        if ticking != self._ticking or not self.up:
            return
        self._next_s = math.inf
        self.offer(Tick())
        if self._next_s < math.inf:
            return
        busy = any(not row.ended for row in self.state.deliveries.values())
        self._next_tick(CALM_TICK_S if busy else IDLE_TICK_S)

    def kill(self) -> None:
        """The process is gone."""
        self.up = False
        self._ticking += 1

    def start(self, *, same_boot: bool) -> None:
        """It is back, with what the store holds."""
        wanted = inspect.signature(restored).parameters
        kept = {
            name: getattr(self.state, name)
            for name in wanted
            if name not in ("plan", "now", "same_boot") and hasattr(self.state, name)
        }
        self.state = restored(self.plan, now=self.agenda.now(), same_boot=same_boot, **kept)
        self.up = True
        self.since_s = self.agenda.now_s
        self.starts_s.append(self.since_s)
        self._ticking += 1
        self._tick(self._ticking)


def _sealed(session: Session) -> Session:
    return replace(
        session,
        state=SessionState.SEALED,
        sealed_utc_ms=session.scheduled_utc_ms,
        seal_confirmed=True,
    )
