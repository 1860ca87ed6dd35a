"""Runs the real core of the controller inside a simulated world: inputs in, outputs out, restarts.

What it had stored survives; what lives in memory is lost, as with the real service.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from contracts.api import SessionState
from controller.core import outputs as out
from controller.core.plan import SitePlan
from controller.core.sessions import Session
from controller.core.state import Input, Now, SiteState, Tick, restored
from zeroentry.simulator.agenda import UTC_AT_START_MS, Agenda

HOT_TICK_S: Final = 0.2  # as the service ticks
CALM_TICK_S: Final = 1.5
IDLE_TICK_S: Final = 5.0
"""Every input settles the site; a tick of its own is needed only where nothing else comes: while
something is unanswered as often as the service ticks, else for time-outs of many seconds."""


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
        self._hot = False
        self.since_s = 0.0
        """When it started last."""
        room = next(iter(plan.door_nodes), None)
        sessions = {}
        if room is not None:
            sealed = Session("s1", room, "simulated", 5, UTC_AT_START_MS, "simulator")  # type: ignore[arg-type]
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
        if not self._hot and self._waits():
            self._hot = True
            self._ticking += 1
            ticking = self._ticking
            self.agenda.after(HOT_TICK_S, lambda: self._tick(ticking))
        return outputs

    def _waits(self) -> bool:
        """Whether a robot has not answered something yet."""
        for duty in self.state.duties.values():
            mission = duty.mission
            if mission is not None and (mission.cancelling or not mission.settled):
                return True
            if duty.pause_wanted is not None or any(row.status is None for row in duty.actions):
                return True
        return False

    def _tick(self, ticking: int) -> None:
        if ticking != self._ticking or not self.up:
            return
        self.offer(Tick())
        if ticking != self._ticking:
            return
        self._hot = self._waits()
        busy = any(not row.ended for row in self.state.deliveries.values())
        wait_s = HOT_TICK_S if self._hot else CALM_TICK_S if busy else IDLE_TICK_S
        self.agenda.after(wait_s, lambda: self._tick(ticking))

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
        self._ticking += 1
        self._tick(self._ticking)


def _sealed(session: Session) -> Session:
    return replace(
        session,
        state=SessionState.SEALED,
        sealed_utc_ms=session.scheduled_utc_ms,
        seal_confirmed=True,
    )
