"""The words of the composer: rooms, people, cues, and the truth that goes with each frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zeroentry.composer.pixels import Image

DEFAULT_SIZE_PX = (640, 360)
DEFAULT_SEATS = 5
MAX_SEATS = 6  # more do not fit behind one table at a size that the default detector finds


class Vest(StrEnum):
    """What a person wears over the clothes."""

    RED = "red"
    BLUE = "blue"
    NONE = "none"


class Pose(StrEnum):
    """How a person is held in a frame."""

    SEATED = "seated"
    STANDING = "standing"
    WALKING = "walking"


class Role(StrEnum):
    """Who a person is on the script; the picture shows a vest, never a role."""

    EXPERT = "expert"
    INTRUDER = "intruder"
    OUTSIDER = "outsider"


class SceneKind(StrEnum):
    """What the camera looks at."""

    ROOM = "room"
    CORRIDOR = "corridor"


@dataclass(frozen=True, slots=True)
class Scene:
    """One fixed camera. Everything not stated here follows from the seed.

    `size_px` is (width, height) with the ratio 16:9; `label` is burnt in, ASCII only.
    """

    kind: SceneKind = SceneKind.ROOM
    seed: int = 0
    label: str = "CAM 01"
    size_px: tuple[int, int] = DEFAULT_SIZE_PX
    seats: int = DEFAULT_SEATS

    def __post_init__(self) -> None:
        """Refuse what the painter cannot do."""
        width, height = self.size_px
        if width * 9 != height * 16 or width % 16 or width < 320:
            raise ValueError(
                f"size_px is {width}x{height}: use a 16:9 size of at least 320 px "
                "whose width is a multiple of 16, such as 640x360"
            )
        if not 1 <= self.seats <= MAX_SEATS:
            raise ValueError(f"seats is {self.seats}: use 1 to {MAX_SEATS}")


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels, right and bottom exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, slots=True)
class PersonTruth:
    """One person who can be seen in a frame.

    `box` holds all that the camera would show of this person if nobody else were there: cut by
    furniture and by the frame, not by other people. `half` says that at least half of the person's
    pixels show; `steady` that the person neither walks nor rises nor sits down, and is not cut by
    the frame's edge or the door.
    """

    id: str
    role: Role
    vest: Vest
    pose: Pose
    box: Box
    half: bool
    steady: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture (HxWx3 uint8 BGR) and what is true of it. The robot is never in `truth`."""

    image: Image
    truth: tuple[PersonTruth, ...]
    robot: Box | None

    @property
    def count(self) -> int:
        """How many people can be seen."""
        return len(self.truth)

    @property
    def steady(self) -> bool:
        """Whether nobody is between two poses or cut by an edge."""
        return all(person.steady for person in self.truth)


@dataclass(frozen=True, slots=True)
class Gather:
    """Experts 1..n who are not in the room enter one after another and sit."""

    n: int
    stagger_ms: int = 2500


@dataclass(frozen=True, slots=True)
class Seat:
    """Experts 1..n sit at once, as at the start of a recording; all others are gone."""

    n: int


@dataclass(frozen=True, slots=True)
class StandUp:
    """The expert of this number (1..n) rises at the seat."""

    expert: int


@dataclass(frozen=True, slots=True)
class SitDown:
    """The expert of this number (1..n) sits again."""

    expert: int


@dataclass(frozen=True, slots=True)
class Intrude:
    """A person enters by the door, comes along the table and stands at its end."""

    id: str = "intruder-1"
    vest: Vest = Vest.NONE


@dataclass(frozen=True, slots=True)
class Withdraw:
    """This person walks out."""

    id: str = "intruder-1"


@dataclass(frozen=True, slots=True)
class Leave:
    """Everybody leaves, one after another."""

    stagger_ms: int = 1200


@dataclass(frozen=True, slots=True)
class CorridorOutsider:
    """A person comes into the corridor and stands in the middle, or walks through."""

    id: str = "outsider-1"
    vest: Vest = Vest.NONE
    stay: bool = True


@dataclass(frozen=True, slots=True)
class CorridorClear:
    """Everybody in the corridor walks on and out."""


@dataclass(frozen=True, slots=True)
class RobotPass:
    """The delivery robot crosses the corridor in `duration_ms`."""

    duration_ms: int = 12_000


@dataclass(frozen=True, slots=True)
class RobotAt:
    """The robot is here: 0 = out on the left, 1 = out on the right, None = not in the picture."""

    progress: float | None


Cue = (
    Gather
    | Seat
    | StandUp
    | SitDown
    | Intrude
    | Withdraw
    | Leave
    | CorridorOutsider
    | CorridorClear
    | RobotPass
    | RobotAt
)


@dataclass(frozen=True, slots=True)
class TimedCue:
    """A cue and when it is given, on the clip's own time from 0."""

    at_ms: int
    cue: Cue


@dataclass(frozen=True, slots=True)
class Script:
    """Cues in the order of their time, and how long the clip is."""

    cues: tuple[TimedCue, ...]
    duration_ms: int

    def __post_init__(self) -> None:
        """Refuse cues out of order: the later one would be played on an older state."""
        times_ms = [timed.at_ms for timed in self.cues]
        if times_ms != sorted(times_ms):
            raise ValueError(f"cues are out of order: {times_ms}; sort them by at_ms")
