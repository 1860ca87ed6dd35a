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
from zeroentry.simulator.script import draw
from zeroentry.simulator.world import run

SEEDS: Final = (3, 8)


def watchful(site: SiteState, given: Input, now: Now) -> tuple[SiteState, tuple[Output, ...]]:
    """The real step, which looks again every half second whatever is due."""
    quiet = site.dispatch.quiet
    if quiet is not None:
        early = replace(quiet, due_mono_ms=quiet.until_mono_ms)
        site = replace(site, dispatch=replace(site.dispatch, quiet=early))
    return core.step(site, given, now)


def story(outcome: Outcome) -> tuple[object, ...]:
    return outcome.trace, outcome.orders, outcome.violation


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_is_the_same_when_nothing_is_skipped(seed: int) -> None:
    script = draw(seed)
    assert story(run(script)) == story(run(script, step=watchful))


def test_a_wait_that_is_missing_would_show() -> None:
    def sleepy(site: SiteState, given: Input, now: Now) -> tuple[SiteState, tuple[Output, ...]]:
        after, outputs = core.step(site, given, now)
        quiet = after.dispatch.quiet
        if quiet is None or quiet.due_mono_ms > now.mono_ms + 300_000:
            return after, outputs
        late = replace(quiet, due_mono_ms=MonoMs(quiet.due_mono_ms + 400_000))
        return replace(after, dispatch=replace(after.dispatch, quiet=late)), outputs

    script = draw(SEEDS[0])
    assert story(run(script)) != story(run(script, step=sleepy))
