"""Judges whether a sealed room holds more people than are admitted."""

from collections.abc import Mapping

from contracts.catalogue import OVER_ADMITTED
from contracts.observations import Measured
from contracts.units import CameraId
from edge.core.holding import Judgement
from edge.core.people import Instant, Track
from edge.core.rules.rule import Finding, Rule
from edge.core.state import CameraSeen, RoomState, Sealed


def fullest(state: RoomState, now: Instant) -> tuple[CameraId, CameraSeen] | None:
    """The camera that shows the most people of those that show anything; None when none does.

    Cameras of one room look at the same people, so the fullest view is the best lower bound there
    is until people are matched across views.
    """
    seen = [(name, camera) for name, camera in state.cameras.items() if camera.shows_people(now)]
    return max(seen, key=lambda pair: len(pair[1].people), default=None)


def judge(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    if state.sealed is None:
        # An open room admits anybody: an alert of the session that ended clears at once.
        return (Finding(None, Judgement(False, now, now, at_once=True)),)
    view = fullest(state, now)
    if view is None:
        return (Finding(None, Judgement(None, now, now)),)
    camera_id, camera = view
    at = camera.frame_at or now
    admitted = state.sealed.admitted
    people = camera.people
    over = len(people) > admitted
    since = _since(people, state.sealed) if over else at
    return (
        Finding(
            camera_id=None,
            judged=Judgement(over, since, at),
            picture_of=camera_id,
            people=people,
            measured=(Measured(name="people", value=len(people), limit=admitted),),
            confidence=_confidence(people, admitted),
        ),
    )


def _since(people: tuple[Track, ...], sealed: Sealed) -> Instant:
    # The first moment at which one more than admitted had been seen: the confirming frames of that
    # person are part of the dwell. Nobody is too many before the seal.
    arrivals = sorted((track.first_seen for track in people), key=lambda seen: seen.mono_ms)
    one_too_many = arrivals[sealed.admitted]
    return max(one_too_many, sealed.since, key=lambda moment: moment.mono_ms)


def _confidence(people: tuple[Track, ...], admitted: int) -> float:
    # As sure as the detector is of the person who makes it one too many.
    scores = sorted((track.score for track in people), reverse=True)
    return min(max(scores[admitted], 0.0), 1.0) if len(scores) > admitted else 1.0


RULE = Rule(OVER_ADMITTED, judge)
