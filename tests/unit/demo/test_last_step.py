"""The last step of the demo's day: recordings verified, the result in the panel in words."""

from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from client import ApiClient
from runtime.clock import SystemClock
from zeroentry.demo.director import FOR_CHECK, PROOF_MS, Day, Director
from zeroentry.demo.feed import Account, DeadlineError, Feed
from zeroentry.demo.proof import Proof
from zeroentry.demo.stage import Stage
from zeroentry.demo.story import StepId, StepStatus, StepView
from zeroentry.evidence.findings import Exit

WHOLE = Proof(Exit.WHOLE, tracks=3, segments=6, gaps=())


@dataclass
class Verdicts:
    """A stranger whose judgement is known before."""

    proof: Proof
    within_ms: int = 0

    async def prove(self, within_ms: int) -> Proof:
        self.within_ms = within_ms
        return self.proof


def director(stranger: Verdicts) -> Director:
    http, clock = httpx.AsyncClient(), SystemClock()
    nobody = Account(ApiClient(http, "http://127.0.0.1:9"), clock, "nobody", "")
    return Director(
        clock,
        Stage(http, "http://127.0.0.1:9", "", Path("/nonexistent")),
        Feed(nobody, clock),
        supervisor=nobody,
        tablet=nobody,
        kitchen=nobody,
        panel=nobody,
        stranger=stranger,
        pace=replace(FOR_CHECK, linger_ms=0),
    )


def last(played: Director) -> StepView:
    return played.state().steps[-1]


async def test_the_day_ends_with_the_result_in_both_languages() -> None:
    stranger = Verdicts(WHOLE)
    played, day = director(stranger), Day()
    before = last(played)
    assert before.id is StepId.PROOF
    assert before.status is StepStatus.WAITING
    await played.prove(day)
    after = last(played)
    assert after.status is StepStatus.DONE
    assert after.title == WHOLE.told()
    assert after.title.en == "Recordings verified: 3 tracks, 6 segments, no gap, countersigned"
    assert after.title.zh == "录像已核验：3 条轨道，6 个片段，没有缺口，控制器已联署"
    assert day.proof is WHOLE
    assert stranger.within_ms == PROOF_MS


@pytest.mark.parametrize("found", [Exit.FAULTY, Exit.CANNOT_TELL])
async def test_a_day_whose_recordings_are_not_whole_fails_in_words(found: Exit) -> None:
    proof = replace(WHOLE, exit=found)
    played, day = director(Verdicts(proof)), Day()
    with pytest.raises(DeadlineError, match="Recordings"):
        await played.prove(day)
    assert last(played).status is StepStatus.FAILED
    assert last(played).title == proof.told()
    assert day.proof is proof
