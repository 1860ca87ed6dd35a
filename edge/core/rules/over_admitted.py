"""Judges whether a sealed room holds more people than are admitted."""

from collections.abc import Mapping, Sequence
from typing import Final

from contracts.catalogue import OVER_ADMITTED
from contracts.observations import Measured
from contracts.units import Bilingual
from edge.core import area
from edge.core.fusion import Person
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import RoomState

MOSTLY_SHARE: Final = 0.6  # of the looks since it began


def judge(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    if state.sealed is None:
        # An open room admits anybody: an alert of the session that ended clears at once.
        return (Finding(None, Judgement(False, now, now, at_once=True)),)
    heads = area.heads(state, now)
    if heads is None:
        return (Finding(None, Judgement(None, now, now)),)
    at = area.newest_picture(state, now)
    admitted = state.sealed.admitted
    over = state.area.over
    people = area.too_many(state, over, heads, at)
    if not people or over is None or over.seen < MOSTLY_SHARE * over.looks:
        seen = _measured(heads.count, admitted)
        return (Finding(None, Judgement(False, at, at), measured=seen),)
    count = max(len(people), admitted + 1)  # or one of them is behind another just now
    picture_of, tracks = area.best_view(state, people)
    return (
        Finding(
            camera_id=None,
            judged=Judgement(True, over.since, at),
            picture_of=picture_of,
            people=tracks,
            measured=_measured(count, admitted),
            confidence=_confidence(people, admitted),
            saw=Bilingual(
                f"看到 {count} 人，准入 {admitted} 人。",
                f"{count} people are seen, {admitted} are admitted.",
            ),
        ),
    )


def _measured(people: int, admitted: int) -> tuple[Measured, ...]:
    return (Measured(name="people", value=people, limit=admitted),)


def _confidence(people: Sequence[Person], admitted: int) -> float:
    # As sure as the detector is of the person who makes it one too many.
    scores = sorted((person.score for person in people), reverse=True)
    return min(max(scores[admitted], 0.0), 1.0) if len(scores) > admitted else 1.0


RULE = Rule(OVER_ADMITTED, judge, frozenset({Wake.PEOPLE, Wake.LINK, Wake.TIME}))
