"""Judges whether a camera of a sealed room keeps seeing a phone at one place."""

from collections.abc import Mapping

from contracts.catalogue.phone import PHONE_VISIBLE
from contracts.observations import Measured
from contracts.units import Bilingual, CameraId
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.phones import LOOKS, PhonePlace
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import CameraSeen, RoomState


def judge(state: RoomState, settings: Mapping[str, float], now: Instant) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return tuple(
        _finding(state, camera_id, camera, settings, now)
        for camera_id, camera in state.cameras.items()
    )


def _finding(
    state: RoomState,
    camera_id: CameraId,
    camera: CameraSeen,
    settings: Mapping[str, float],
    now: Instant,
) -> Finding:
    if camera.frame_at is None or not camera.shows_people(now):
        return Finding(camera_id, Judgement(None, now, now))
    score_min = settings["score_min"]
    # One sight in ten is enough to keep an alert that stands: a hand covers a phone most of the
    # time.
    stands = state.alert_of(PHONE_VISIBLE.code, camera_id) is not None
    needed = 1 if stands else round(settings["seen_min"])
    seen = [place for place in camera.phones if place.hits(score_min) >= needed]
    if not seen:
        return Finding(camera_id, Judgement(False, camera.frame_at, camera.frame_at))
    best = max(seen, key=lambda place: (place.hits(score_min), max(place.scores)))
    hits = best.hits(score_min)
    return Finding(
        camera_id=camera_id,
        judged=Judgement(True, best.since, camera.frame_at),
        picture_of=camera_id,
        people=camera.people,
        measured=(
            Measured(name="pictures_with_phone", value=hits, limit=settings["seen_min"]),
            Measured(name="score", value=round(max(best.scores), 2), limit=score_min),
        ),
        confidence=_confidence(best),
        saw=_saw(best, hits),
    )


def _confidence(place: PhonePlace) -> float:
    # As sure as the model was on average where it found one: it takes many things for a phone.
    found = [score for score in place.scores if score > 0]
    return min(sum(found) / len(found), 1.0)


def _saw(place: PhonePlace, hits: int) -> Bilingual:
    x, y = (round(share * 100) for share in place.rect.centre)
    looks = min(len(place.scores), LOOKS)
    return Bilingual(
        f"最近 {looks} 帧中有 {hits} 帧在画面横 {x}%、纵 {y}% 处看到手机。",
        f"A phone in {hits} of the last {looks} pictures, {x}% from the left and {y}% from the "
        "top.",
    )


VISIBLE = Rule(PHONE_VISIBLE, judge, frozenset({Wake.PEOPLE, Wake.LINK}))
