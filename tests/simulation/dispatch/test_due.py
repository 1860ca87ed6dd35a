"""What ``controller.core.due`` skips decides nothing: days are the same when all is looked at.

A wait that a settling reads from the clock and that is not in ``due``'s lists shows here, once a
day in which it runs out is played: the times of its outcome differ.
"""

from dataclasses import replace
from typing import Final

import pytest

from contracts.units import MonoMs
from controller.core import site as core
from controller.core.outputs import Output
from controller.core.state import Input, Now, SiteState
from zeroentry.simulator.outcome import Outcome
from zeroentry.simulator.script import (
    Expert,
    Fault,
    FaultKind,
    Kitchen,
    OrderPlan,
    Script,
    draw,
)
from zeroentry.simulator.world import run

ORDER: Final = OrderPlan("d1", "room-1", 1.0)
ONE: Final = Script(seed=1, map="line", robots=2, boxes=2, orders=(ORDER,))
STOPPED: Final = Fault(FaultKind.STOP, 52.0, 400.0, "robot-1")
MUTE: Final = Fault(FaultKind.MUTE, 52.0, 90.0, "robot-1")

DAYS: Final = {
    "nobody loads": replace(ONE, orders=(replace(ORDER, kitchen=Kitchen.NEVER),)),
    "nobody comes": replace(ONE, orders=(replace(ORDER, expert=Expert.NEVER),)),
    "locked": replace(ONE, orders=(replace(ORDER, expert=Expert.GUESSES),)),
    "stopped on its way": replace(ONE, faults=(STOPPED,)),
    "mute on its way": replace(ONE, faults=(MUTE,)),
    "a mixed day": draw(8),
}


def watchful(site: SiteState, given: Input, now: Now) -> tuple[SiteState, tuple[Output, ...]]:
    """The real step, which looks again every half second whatever is due."""
    quiet = site.dispatch.quiet
    if quiet is not None:
        early = replace(quiet, due_mono_ms=quiet.until_mono_ms)
        site = replace(site, dispatch=replace(site.dispatch, quiet=early))
    return core.step(site, given, now)


def story(outcome: Outcome) -> tuple[object, ...]:
    return outcome.trace, outcome.orders, outcome.violation


@pytest.mark.parametrize("script", DAYS.values(), ids=DAYS)
def test_a_day_is_the_same_when_nothing_is_skipped(script: Script) -> None:
    assert story(run(script)) == story(run(script, step=watchful))


def test_a_wait_that_is_missing_would_show() -> None:
    def sleepy(site: SiteState, given: Input, now: Now) -> tuple[SiteState, tuple[Output, ...]]:
        after, outputs = core.step(site, given, now)
        quiet = after.dispatch.quiet
        if quiet is None or quiet.due_mono_ms > now.mono_ms + 300_000:
            return after, outputs
        late = replace(quiet, due_mono_ms=MonoMs(quiet.due_mono_ms + 400_000))
        return replace(after, dispatch=replace(after.dispatch, quiet=late)), outputs

    script = DAYS["nobody comes"]
    assert story(run(script)) != story(run(script, step=sleepy))
