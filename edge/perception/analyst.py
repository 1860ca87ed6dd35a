"""Decides what one camera's picture shows: movement, then a look where one is needed, then people.

The parts follow one another in one worker thread; each picture is analysed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.units import CameraId
from contracts.zones import PictureZone
from edge.core import attention
from edge.core.attention import AttentionState, Look, LookKind, LookTimes, MotionSeen
from edge.core.people import Detection, Thing, Track
from edge.core.pictures import PictureSigns
from edge.core.room import PeopleSeen
from edge.core.things import ThingsSeen
from edge.perception.motion import Masks, MotionWatch
from edge.ports import Analysed, Attended, DetectionLost, Detector, Frame, Tracker
from runtime.clock import Clock


class VestReader(Protocol):
    """Tells what people wear."""

    def read(self, frame: Frame, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        """The same tracks with their ``appearance``; those not looked at keep theirs."""
        ...

    def reset(self) -> None:
        """The camera was away."""
        ...


class PictureHealth(Protocol):
    """Measures how a camera's picture fares."""

    def take(
        self, frame: Frame, tracks: tuple[Track, ...], zones: Sequence[PictureZone]
    ) -> PictureSigns | None:
        """What was measured; None: this picture was not."""
        ...

    def accept_view(self) -> None:
        """Learn the view anew."""
        ...

    def reset(self) -> None:
        """The camera was away."""
        ...


class ThingWatcher(Protocol):
    """Watches the object zones of a camera's picture."""

    def take(
        self, frame: Frame, tracks: tuple[Track, ...], zones: Sequence[PictureZone]
    ) -> ThingsSeen | None:
        """What was found; None: this picture was not compared."""
        ...

    def accept_view(self) -> None:
        """Learn the zones anew."""
        ...

    def reset(self) -> None:
        """The camera was away."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What else looks at one camera's pictures; None: nothing does."""

    vests: VestReader | None = None
    health: PictureHealth | None = None
    things: ThingWatcher | None = None


class Analyst:
    """Everything that looks at one camera's pictures (``ports.Sight``)."""

    def __init__(
        self,
        camera_id: CameraId,
        detector: Detector,
        tracker: Tracker,
        clock: Clock,
        *,
        times: LookTimes,
        parts: Parts = Parts(),
    ) -> None:
        self._camera_id = camera_id
        self._detector = detector
        self._tracker = tracker
        self._clock = clock
        self._times = times
        self._parts = parts
        self._motion = MotionWatch()
        self._state = AttentionState()
        self._tracks: tuple[Track, ...] = ()
        self._zones: tuple[PictureZone, ...] = ()
        self._masks = Masks(())
        self._away = False

    def reset(self) -> None:
        """See ``ports.Sight``. From any thread."""
        self._away = True

    def accept_view(self) -> None:
        """What the camera shows now is right: learn its view anew. From any thread."""
        if self._parts.health is not None:
            self._parts.health.accept_view()
        if self._parts.things is not None:
            self._parts.things.accept_view()

    def take(self, frame: Frame, zones: Sequence[PictureZone]) -> Analysed:
        """See ``ports.Sight``."""
        if self._away:
            self._begin()
        if tuple(zones) != self._zones:
            self._zones = tuple(zones)
            self._masks = Masks(self._zones)
        masked = self._masks.cells(frame.width_px, frame.height_px)
        motion = self._motion.take(frame.grey, masked)
        self._state, look = attention.step(
            self._state, motion, self._tracks, frame.at.mono_ms, self._times
        )
        attended = self._attended(look, motion)
        began_ms = self._clock.mono_ms()
        try:
            found = self._found(frame, look)
        except DetectionLost as error:
            self._state = attention.failed(self._state)
            return self._seen(frame, None, attended, lost=str(error))
        detect_ms = self._clock.mono_ms() - began_ms if look.kind is not LookKind.NONE else 0
        return self._seen(frame, self._followed(frame, look, found), attended, detect_ms=detect_ms)

    def _begin(self) -> None:
        self._away = False
        self._motion.reset()
        self._tracker.reset()
        for part in (self._parts.vests, self._parts.health, self._parts.things):
            if part is not None:
                part.reset()
        self._tracks = ()
        self._state = AttentionState(barren_ms=self._state.barren_ms)

    def _found(self, frame: Frame, look: Look) -> tuple[Detection, ...]:
        match look.kind:
            case LookKind.NONE:
                return ()
            case LookKind.REGIONS:
                found = self._detector.find(frame.rgb, look.regions)
            case LookKind.FULL:
                found = self._detector.find(frame.rgb, None)
        return tuple(one for one in found if not self._masks.hide(one.rect))

    def _followed(self, frame: Frame, look: Look, found: tuple[Detection, ...]) -> PeopleSeen:
        if look.kind is LookKind.FULL:
            self._motion.looked()
        people = [one for one in found if one.thing is Thing.PERSON]
        looked = None if look.kind is LookKind.FULL else look.regions
        if look.kind is LookKind.NONE and not self._tracks:
            tracks: tuple[Track, ...] = ()  # nobody to age, nothing found
        else:
            tracks = self._tracker.update(people, frame.at, looked)
        if self._parts.vests is not None and tracks:
            tracks = self._parts.vests.read(frame, tracks)
        self._tracks = tracks
        return PeopleSeen(
            self._camera_id,
            frame.at,
            tracks,
            full=look.kind is LookKind.FULL,
            phones=tuple(one for one in found if one.thing is Thing.PHONE),
            regions=look.regions,
        )

    def _seen(
        self,
        frame: Frame,
        people: PeopleSeen | None,
        attended: Attended,
        *,
        detect_ms: int = 0,
        lost: str | None = None,
    ) -> Analysed:
        health, things = self._parts.health, self._parts.things
        return Analysed(
            people=people,
            picture=health.take(frame, self._tracks, self._zones) if health else None,
            things=things.take(frame, self._tracks, self._zones) if things else None,
            attended=attended,
            detect_ms=detect_ms,
            lost=lost,
        )

    def _attended(self, look: Look, motion: MotionSeen) -> Attended:
        return Attended(
            look,
            settled=tuple(
                attention.place_of(track)
                for track in self._tracks
                if attention.settled(track, self._state.hits)
            ),
            cells=motion.cells,
            barren_ms=self._state.barren_ms,
        )
