"""Plays a scenario through the real perception and the real room step, with a clock that it sets.

Nothing is faked but time and the world: pictures go through detector, tracker and whatever else
``Eyes`` is wired with, their results into ``edge.core.room.step``; ticks come as the service sends
them. Time inside perception is not counted: what it costs is another benchmark's figure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from contracts.observations import Alert, CameraState
from contracts.units import CameraId, MessageId, RuleCode
from edge.core import room as core
from edge.core.room import (
    AlertBegan,
    AlertCleared,
    CameraChanged,
    RoomInput,
    Tick,
)
from edge.core.state import RoomState, subject_of
from edge.perception.ear import Ear
from edge.perception.speech import SileroSpeech
from tests.corpus.eyes import EyeMaker, Eyes
from tests.corpus.outcome import Clocks, HeadsSeen, Played, Raised
from tests.corpus.scenario import UTC_0, Given, Pictured, Said, Scenario, Sounded, moment

TICK_MS = 100  # as the service ticks


@dataclass(slots=True)
class _Room:
    """A room while it is played."""

    state: RoomState
    began: dict[str, tuple[Alert, int]] = field(default_factory=dict)
    done: list[Raised] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def take(self, given: RoomInput, at_ms: int) -> None:
        now = moment(at_ms)
        self.state, outputs = core.step(
            self.state, given, now.mono_ms, now.utc_ms, lambda: MessageId(f"alert-{next(self.ids)}")
        )
        for output in outputs:
            match output:
                case AlertBegan(alert=alert):
                    self.began[alert.alert_id] = (alert, at_ms)
                case AlertCleared(alert=alert):
                    begun, began_ms = self.began.pop(alert.alert_id)
                    self.done.append(_raised(begun, began_ms, at_ms))
                case _:
                    pass

    def alerts(self) -> tuple[Raised, ...]:
        standing = [_raised(alert, at_ms, None) for alert, at_ms in self.began.values()]
        return tuple(sorted([*self.done, *standing], key=lambda one: one.raised_ms))


def _raised(alert: Alert, raised_ms: int, cleared_ms: int | None) -> Raised:
    return Raised(
        code=alert.rule,
        subject=subject_of(alert.camera_id, alert.pickup_id, alert.zone_id),
        since_ms=alert.since_utc_ms - UTC_0,
        raised_ms=raised_ms,
        cleared_ms=cleared_ms,
        mode=alert.mode.value,
        severity=alert.severity.value,
    )


def clocks_of(state: RoomState) -> Mapping[RuleCode, Clocks]:
    """Dwell and clear time of every rule as a room has them set."""
    return {
        code: Clocks(dwell_ms=settings["dwell_ms"], clear_ms=settings["clear_ms"])
        for code, settings in state.rules.items()
    }


def play(scenario: Scenario, optician: EyeMaker) -> Played:
    """Play a scenario to its end; what it raised, and what it counted each second."""
    if scenario.player is not None:
        return scenario.player(scenario)
    room = _Room(scenario.room)
    eyes = {camera_id: optician.eyes(scenario, camera_id) for camera_id in scenario.room.cameras}
    ears: dict[str, Ear] = {}
    heads: list[HeadsSeen] = []
    if scenario.live:
        for camera_id in eyes:
            room.take(CameraChanged(camera_id, CameraState.LIVE, moment(0)), 0)
    ticked_ms = 0
    for given in _until_end(scenario):
        while ticked_ms + TICK_MS <= given.at_ms:
            ticked_ms += TICK_MS
            room.take(Tick(), ticked_ms)
            if ticked_ms % 1_000 == 0:
                counted = core.head_count(room.state, moment(ticked_ms))
                heads.append(HeadsSeen(ticked_ms, counted))
        for one in _perceived(given, room.state, eyes, ears):
            room.take(one, given.at_ms)
    return Played(room.alerts(), tuple(heads), clocks_of(scenario.room))


def _until_end(scenario: Scenario) -> Iterator[Given]:
    for given in scenario.open():
        if given.at_ms > scenario.duration_ms:
            break
        yield given
    yield Said(scenario.duration_ms, Tick())


def _perceived(
    given: Given, state: RoomState, eyes: Mapping[CameraId, Eyes], ears: dict[str, Ear]
) -> Iterator[RoomInput]:
    match given:
        case Pictured(camera_id=camera_id, image=image):
            zones = state.zones.get(camera_id, ())
            yield from eyes[camera_id].take(image, moment(given.at_ms), zones)
        case Sounded(source_id=source_id):
            if source_id not in ears:
                ears[source_id] = Ear(source_id, SileroSpeech())
            yield from ears[source_id].take(given.samples, given.rate_hz, moment(given.at_ms))
        case Said(given=said):
            if isinstance(said, CameraChanged) and said.state is CameraState.LIVE:
                eyes[said.camera_id].reset()
            yield said
