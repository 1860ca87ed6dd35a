"""Strangers walk at random before the real core; a core that forgets to pause is found out."""

from benchmarks.interlock_walks import walk
from controller.core import site as core
from controller.core.outputs import ActionKind, Output, PublishAction
from controller.core.state import Input, Now, SiteState


def test_no_robot_drives_in_beside_a_stranger() -> None:
    found = walk(12)
    assert found.walks >= 12
    assert found.pauses > 0
    assert found.violations == []
    assert found.paused_badly == 0


def test_a_core_that_forgets_to_pause_is_found_out() -> None:
    def forgetful(site: SiteState, given: Input, now: Now) -> tuple[SiteState, tuple[Output, ...]]:
        after, outputs = core.step(site, given, now)
        kept = tuple(
            one
            for one in outputs
            if not (isinstance(one, PublishAction) and one.action is ActionKind.PAUSE)
        )
        return after, kept

    assert walk(12, step=forgetful).violations != []
