"""Decides what a camera's picture suffers from: one cause at a time, the plainest first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.units import CameraId, MonoMs
from edge.core.people import Instant

STALE_AFTER_MS: Final = 12_000
# A quiet room's picture may be decoded only every few seconds. What is older says nothing of now.
EXTENDS_MS: Final = 600  # one look: between two of them, what the last one showed goes on
ROLLED_PER_DEG: Final = 0.005
# Shares of the picture that a degree of roll moves a spot a quarter of the width off the centre.


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the unmoving background lies from its place, in shares of the picture."""

    dx: float
    dy: float
    certainty: float
    """Correlation with the learned view once it is moved by this much, 0 to 1."""
    roll_deg: float = 0.0

    @property
    def length(self) -> float:
        """How far a spot has moved on the average, in shares of the picture."""
        rolled = abs(self.roll_deg) * ROLLED_PER_DEG
        return float((self.dx**2 + self.dy**2 + rolled**2) ** 0.5)


@dataclass(frozen=True, slots=True)
class PictureSigns:
    """What was measured on one picture, taken at ``at``.

    Shares are 0 to 1, grey levels 0 to 255. ``contrast``: RMS of outlines, whatever they are.
    ``known``: there is a learned view to compare with; without, ``lost_share``, ``detail_ratio``,
    ``sharpness`` and ``shift`` say nothing.
    """

    camera_id: CameraId
    at: Instant
    brightness: float
    black_share: float
    burnt_share: float
    contrast: float
    known: bool = False
    compared_share: float = 0.0
    """Blocks that could be compared: textured, no people before them, not masked."""
    lost_share: float = 0.0
    """Of the compared blocks, those that show something else than usual."""
    detail_ratio: float = 1.0
    """Strength of the outlines against the usual, median over the blocks."""
    sharpness: float | None = None
    """Fine detail left, by the contrast left; 1: as usual."""
    shift: Shift | None = None
    steady: float = 1.0
    """Likeness with the picture before, -1 to 1."""
    light_ratio: float = 1.0
    """Brightness against a second ago, median over the picture."""
    still_since: Instant | None = None
    """Since when every picture has been the same, but for a clock in a corner; None: it lives."""
    refreshed: bool = False
    """The same but for the coding: each key frame drew the same picture anew."""
    people: int = 0


class Cause(StrEnum):
    """What a picture suffers from."""

    COVERED = "covered"
    DARK = "dark"
    GLARE = "glare"
    MOVED = "moved"
    DEFOCUSED = "defocused"


COMPARED_MIN: Final = 0.12
# Six blocks of fifty: with less in view (a crowd before the lens, a bare room) nothing is said.
FLAT_BELOW: Final = 0.45
# Of the usual outlines: a cloth or a hand leaves 0.1, another view has about as many as this one.
BARE_CONTRAST: Final = 1.2
# Grey levels RMS: less than a white wall with a socket; a picture so bare shows no room at all.
BLACK_BRIGHTNESS: Final = 6.0
# A black picture may be a cap or a night: it is called dark. (A cloth still lets some light in.)
UNLIKE_STEADY_FROM: Final = (
    0.7  # people before the lens move; a turned camera looks at still things
)
ANOTHER_SHARE: Final = 0.85
# Of what makes a covered view: another place is as bright and rich, and matches here and there.
BLURRED_LOST_MAX: Final = 0.35  # blur takes detail, not outlines: more lost, and it is no blur
SHOWN_FROM: Final = 0.15  # of the usual outlines: what moved must still be seen, if dimmed
CERTAIN_FROM: Final = 0.5  # of the moved view: chance gives 0.2, a rolled camera 0.6
SHOWS_LOST_MAX: Final = 0.1
SHOWS_FROM: Final = 0.7  # of the usual outlines: white walls may burn out and the room still show
BURNT_MORE: Final = 0.2  # than usual: white walls and windows are burnt out all day
LIGHT_SHOWN_MS: Final = 2_000  # a switch is over in half a second; this long it counts as just now
LIKE_BELOW: Final = 0.5  # lost blocks: with more, what changed was not the light alone
STILL_TIMES: Final = 3.0  # of the longest stillness that this camera came out of by itself
USUAL_SHARE: Final = 0.002  # a look's weight in what is usual: a memory of minutes
STILL_FADES: Final = (
    0.999  # of the longest stillness, each look that is alive: forgotten in an hour
)


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Where each cause begins."""

    lost_share: float
    black_share: float
    burnt_share: float
    shift: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class PictureWatch:
    """What is remembered of one camera's picture."""

    signs: PictureSigns | None = None
    burnt_usual: float | None = None
    light_at: Instant | None = None
    """When the light last changed at once."""
    light_ratio: float = 1.0
    still_usual_ms: float = 0.0
    """The longest stillness that ended by itself; fades."""
    unlike_since: Instant | None = None
    """Since when the picture has been an other, and steady."""

    def fresh(self, now: Instant, since: Instant | None) -> PictureSigns | None:
        """The newest signs, if they say something of now and of the connection since ``since``."""
        signs = self.signs
        if signs is None or now.mono_ms - signs.at.mono_ms > STALE_AFTER_MS:
            return None
        return None if since is not None and signs.at.mono_ms < since.mono_ms else signs


LIGHT_STEP: Final = 1.08  # a change that may be part of a switch; the rule's own limit is higher


def step(watch: PictureWatch, signs: PictureSigns) -> PictureWatch:
    """Take what was measured on one picture."""
    before = watch.signs
    usual = signs.burnt_share if watch.burnt_usual is None else watch.burnt_usual
    still_ms = watch.still_usual_ms * STILL_FADES
    if before is not None and before.still_since is not None and signs.still_since is None:
        lasted_ms = before.at.mono_ms - before.still_since.mono_ms
        still_ms = max(still_ms, float(min(lasted_ms, STILL_LEARNED_MAX_MS)))
    watch = replace(
        watch,
        signs=signs,
        burnt_usual=usual + USUAL_SHARE * (signs.burnt_share - usual),
        still_usual_ms=still_ms if signs.still_since is None else watch.still_usual_ms,
    )
    return _light(watch, signs)


STILL_LEARNED_MAX_MS: Final = 15_000
# A camera that froze for longer and came back must not teach us to put up with it.


def _light(watch: PictureWatch, signs: PictureSigns) -> PictureWatch:
    change = max(signs.light_ratio, 1 / max(signs.light_ratio, 1e-3))
    if change < LIGHT_STEP:
        return watch
    at = watch.light_at
    if at is None or signs.at.mono_ms - at.mono_ms > LIGHT_SHOWN_MS:
        return replace(watch, light_at=signs.at, light_ratio=signs.light_ratio)
    known = max(watch.light_ratio, 1 / max(watch.light_ratio, 1e-3))
    return replace(watch, light_ratio=signs.light_ratio) if change > known else watch


def cause(signs: PictureSigns, burnt_usual: float, limits: PictureLimits) -> Cause | None:
    """What a picture suffers from; None: nothing, or nothing that can be told.

    The order is the meaning. Too much light hides everything else. What has no detail and shows
    nothing of the view is covered, if there is light to see it by. Then it is dark, whatever else.
    Moved is what still has detail, of another place. Blurred is what still has its outlines.
    """
    shows = signs.known and signs.lost_share <= SHOWS_LOST_MAX and signs.detail_ratio >= SHOWS_FROM
    if signs.burnt_share >= max(limits.burnt_share, burnt_usual + BURNT_MORE) and not shows:
        return Cause.GLARE
    compared = signs.known and signs.compared_share >= COMPARED_MIN
    lost = compared and signs.lost_share >= limits.lost_share
    flat = signs.detail_ratio < FLAT_BELOW
    lit = signs.brightness >= BLACK_BRIGHTNESS
    shifted = _shifted(signs, limits)
    if lit and lost and flat and not shifted:
        return Cause.COVERED
    if signs.black_share >= limits.black_share:
        return Cause.DARK
    if lit and not signs.known and signs.contrast < BARE_CONTRAST:
        return Cause.COVERED
    if not compared:
        return None
    if shifted or (
        signs.lost_share >= limits.lost_share * ANOTHER_SHARE
        and not flat
        and signs.steady >= UNLIKE_STEADY_FROM
    ):
        return Cause.MOVED
    blurred = signs.sharpness is not None and signs.sharpness < limits.sharpness
    return Cause.DEFOCUSED if blurred and signs.lost_share <= BLURRED_LOST_MAX else None


def _shifted(signs: PictureSigns, limits: PictureLimits) -> bool:
    shift = signs.shift
    return (
        signs.known
        and shift is not None
        and signs.detail_ratio >= SHOWN_FROM
        and shift.certainty >= CERTAIN_FROM
        and shift.length >= limits.shift
    )


def light_switched(watch: PictureWatch, signs: PictureSigns, change_min: float) -> bool:
    """Whether the light has just changed at once by this share or more, and nothing else."""
    at = watch.light_at
    if at is None or signs.at.mono_ms - at.mono_ms >= LIGHT_SHOWN_MS:
        return False
    change = max(watch.light_ratio, 1 / max(watch.light_ratio, 1e-3)) - 1
    return change >= change_min and signs.known and signs.lost_share < LIKE_BELOW


def still_ms(watch: PictureWatch, signs: PictureSigns) -> MonoMs:
    """How long every picture has been the same; 0: it lives."""
    since = signs.still_since
    return MonoMs(0) if since is None else MonoMs(signs.at.mono_ms - since.mono_ms)


def still_limit_ms(
    watch: PictureWatch, signs: PictureSigns, settings: Mapping[str, float]
) -> float | None:
    """How long this camera's picture may be the same; None: it may be so for ever.

    People always move a little: with somebody in view less patience is needed. Where only the
    coding draws the same picture anew and nobody is there, a camera that smooths its noise away
    looks the same as one that hangs: then nothing is said.
    """
    if signs.refreshed and not signs.people:
        return None
    seconds = settings["still_s"] if signs.people else settings["still_empty_s"]
    return max(1000 * seconds, STILL_TIMES * watch.still_usual_ms)
