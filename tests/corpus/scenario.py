"""Holds what a scenario is: timed inputs of one room, and what is really true of it when.

The truth comes from the composer's own log and from what the scenario itself ordered, never from
the system under test. It states CONDITIONS, not alerts: ``Truth(code, subject, 10_000, 25_000)``
says that from 10 s to 25 s the rule's condition was so. What alert must come of it (after the
rule's dwell, once, cleared at its end) is the scorer's affair.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.commands import Release, Seal
from contracts.observations import CameraState
from contracts.units import CameraId, MonoMs, RuleCode, UtcMs
from edge.core.people import Instant
from edge.core.room import CameraChanged, RoomInput
from edge.core.state import RoomState
from tests.corpus.outcome import Played
from tests.corpus.spans import Span

UTC_0 = 1_767_232_800_000  # 2026-01-01 02:00 UTC, a working morning in the centre
MONO_0 = 5_000_000  # no clock begins at zero
SESSION_ID = "session-1"
ROOM_ID = "room-1"
NODE_ID = "node-1"
CAMERA = "cam-1"
ANY_SUBJECT = "*"
"""As a subject of a truth or spare: whatever camera, zone or pickup the alert names."""


def moment(at_ms: float) -> Instant:
    """A time of the scenario on both clocks of the node."""
    return Instant(MonoMs(MONO_0 + round(at_ms)), UtcMs(UTC_0 + round(at_ms)))


@dataclass(frozen=True, slots=True)
class Pictured:
    """A camera's picture: height x width x 3 (blue first, as OpenCV has it) or height x width."""

    at_ms: int
    camera_id: CameraId
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sounded:
    """A block of sound of a camera or pickup: float32 mono in -1..1, ending at ``at_ms``."""

    at_ms: int
    source_id: str
    samples: NDArray[np.float32]
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Said:
    """Anything else that ``edge.core.room.step`` takes: commands, links, recording, load."""

    at_ms: int
    given: RoomInput


Given = Pictured | Sounded | Said


@dataclass(frozen=True, slots=True)
class Truth:
    """A rule's condition really holds from ``from_ms`` to ``to_ms``.

    ``subject`` is what the alert must name (zone, camera or pickup id; None: the room), or
    ``ANY_SUBJECT``. ``dwell_ms`` is how long the condition must last before the alert is due, where
    that is not the rule's own ``dwell_ms`` (such as ``away_max_s``). ``must`` False: an alert is
    right here but not required (and never false).
    """

    code: RuleCode
    subject: str | None
    from_ms: int
    to_ms: int
    dwell_ms: int | None = None
    must: bool = True


@dataclass(frozen=True, slots=True)
class Spare:
    """No figure is taken here: whatever alert of this rule begins here counts neither way.

    ``code`` and ``subject`` None: every one. For the moments in which even a person could not say
    (somebody half in the door), and for what a fault brings with it (a covered camera is dark too).
    """

    from_ms: int
    to_ms: int
    code: RuleCode | None = None
    subject: str | None = ANY_SUBJECT


@dataclass(frozen=True, slots=True)
class Heads:
    """So many people are really in the room over this time; ``clear``: all can be seen in full."""

    from_ms: int
    to_ms: int
    people: int
    clear: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What a camera's configuration says to perception; a camera without one has the defaults."""

    camera_id: CameraId
    tiles: int = 1
    """A wide picture is shown to the detector in so many parts."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One labelled stretch of a room's life. ``open`` starts the stream anew, in order of time.

    ``room`` is the state that the room starts in (setup, zones, rules and their settings): see
    ``rooms.room``. ``live``: say at the start that all cameras are live. ``quiet``: it counts as
    hours in which nothing may sound beyond its truths (every scenario's alerts are scored anyway).
    """

    name: str
    seed: int
    room: RoomState
    duration_ms: int
    open: Callable[[], Iterator[Given]]
    truth: tuple[Truth, ...] = ()
    spare: tuple[Spare, ...] = ()
    heads: tuple[Heads, ...] = ()
    sights: tuple[Sight, ...] = ()
    live: bool = True
    quiet: bool = False
    player: Callable[["Scenario"], Played] | None = None
    """Plays it instead of the room's runner: for rules that another machine judges."""
    of_camera: str = "composed"
    """Where its pictures come from: ``composed`` (synthetic), ``real`` footage, or ``none``."""


def merged(*streams: Iterator[Given]) -> Iterator[Given]:
    """Several streams as one in order of time; each is in order already."""
    heads = [(next(stream, None), stream) for stream in streams]
    waiting = [(given, stream) for given, stream in heads if given is not None]
    while waiting:
        index = min(range(len(waiting)), key=lambda i: waiting[i][0].at_ms)
        given, stream = waiting[index]
        yield given
        following = next(stream, None)
        if following is None:
            del waiting[index]
        else:
            waiting[index] = (following, stream)


def said(*rows: tuple[int, RoomInput]) -> Iterator[Given]:
    """A stream of commands and other inputs, given as (time, input)."""
    for at_ms, given in sorted(rows, key=lambda row: row[0]):
        yield Said(at_ms, given)


def seal(at_ms: int, admitted: int, **more: object) -> tuple[int, Seal]:
    """A row for ``said``: the room is sealed for a session of so many people."""
    fields: dict[str, object] = {
        "command_id": f"seal-{at_ms}",
        "room_id": ROOM_ID,
        "session_id": SESSION_ID,
        "admitted": admitted,
        "at_utc_ms": moment(at_ms).utc_ms,
        **more,
    }
    return at_ms, Seal.model_validate(fields)


def release(at_ms: int) -> tuple[int, Release]:
    """A row for ``said``: the session is over."""
    return at_ms, Release(
        command_id=f"release-{at_ms}",
        room_id=ROOM_ID,
        session_id=SESSION_ID,
        at_utc_ms=moment(at_ms).utc_ms,
    )


def link(
    at_ms: int, state: CameraState, *, camera_id: CameraId = CAMERA, since_ms: int | None = None
) -> tuple[int, CameraChanged]:
    """A row for ``said``: a camera went live, froze, or was lost."""
    since = moment(at_ms if since_ms is None else since_ms)
    return at_ms, CameraChanged(camera_id, state, since)


def truths(
    code: RuleCode, subject: str | None, spans: Sequence[Span], **more: object
) -> tuple[Truth, ...]:
    """One truth a span; ``more``: ``dwell_ms``, ``must``."""
    dwell_ms = more.get("dwell_ms")
    return tuple(
        Truth(
            code,
            subject,
            start,
            end,
            dwell_ms=dwell_ms if isinstance(dwell_ms, int) else None,
            must=bool(more.get("must", True)),
        )
        for start, end in spans
    )


def spares(
    spans: Sequence[Span], code: RuleCode | None = None, subject: str | None = ANY_SUBJECT
) -> tuple[Spare, ...]:
    """One spare a span."""
    return tuple(Spare(start, end, code, subject) for start, end in spans)
