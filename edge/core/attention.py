"""Decides which part of a picture the detector looks at: unexplained movement comes first.

People who have settled explain the movement at their places, so it needs a look now and then. All
other movement needs one in the very picture that shows it, and every picture while it lasts. What
moves for long where looking found nobody (a curtain, a monitor) still gets a look a second.

A picture that differs anywhere from the one that was looked at last is looked at within
``idle_look_ms``, so that nobody is too slow to be seen. One that does not differ would show the
detector the same again, and is looked at within ``unchanged_look_ms`` all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contracts.units import MonoMs
from edge.core import walking
from edge.core.people import WHOLE, Rect, Track
from edge.core.walking import Path

Cells = NDArray[np.float32]
"""A grid over the picture, rows x columns."""
Marks = NDArray[np.bool_]
"""Some cells of such a grid."""

MOVED_SHARE: Final = 0.2
# Of a cell's pixels. Below it are a camera's own clock, a compressor's crumbs, leaves far away.
MOVED_CELLS_MIN: Final = 2  # one cell alone is an insect or a reflection on a cup
UNSETTLED_FULL_MS: Final = 3_000
# After somebody who has not settled moved last; then they stand, and may begin to walk, which is
# movement again.
UNSETTLED_LOOK_MS: Final = 600
LIVE_FULL_MS: Final = 3_000
# After a camera went live: who has always been there must be confirmed before the count speaks.
CONFIRM_HITS: Final = 2  # as ``core.count``: fewer sightings may be nobody
CONFIRM_TRY_MS: Final = 2_000  # ten pictures in which a second sighting must come
LIGHT_FULL_MS: Final = 3_000
# A switched lamp and the camera's exposure after it are over by then; longer is a lamp that
# flickers, and looked at as often as other things that never rest.
LIGHT_AFTER_MS: Final = (
    1_000  # the first pictures in a new light are looked at even if all is still
)
LIGHT_APART_MS: Final = 20_000  # after so long without one, a change of light is a new one
STIR_SHARE: Final = 0.6
# Of the cells at a settled place. Somebody who shifts on a chair moves an outline; more is getting
# up, or somebody else in front.
STIR_FACTOR: Final = 2.0  # times what is usual for this person: some never sit still
STIR_FOLLOW_SHARE: Final = 0.03  # of a new picture in what is usual: some ten seconds
STIR_LOOK_MS: Final = 600
BARREN_MS: Final = 10_000
# So long has a cell moved under the detector's eyes with nobody there before it counts as restless.
# Nobody takes that long to walk through a cell.
SEEN_FACTOR: Final = 3.0
# So much faster does seeing somebody there take it back. A person found in less than a quarter of
# the looks gains nothing by more of them than one a second.
BARREN_MAX_MS: Final = 30_000
BARREN_STEP_MAX_MS: Final = 1_000  # of one look: what moved between two looks nobody knows
BARREN_FADE_MS: Final = 120_000  # a cell that rests is trusted again after some minutes
MISSING_LOOK_MS: Final = 500
# Somebody who had settled and is not found: a tracker that waits four seconds has eight looks to
# find them again, or to know that they are gone.
CLOSE_AREA_MAX: Final = 0.25
# Of the picture. Showing a larger part larger gains little, and hides the rest for a picture.
REGION_MARGIN_CELLS: Final = 1
PLACE_MARGIN_X: Final = 0.25  # of a person's box: elbows
PLACE_MARGIN_Y: Final = 0.12  # a head moves; more would hide somebody who walks behind
PLACE_AREA_MAX: Final = 0.3
# Of the picture. What a detector takes for a larger person is a table, and must not explain a room.
LIVED_MS: Final = 8_000
# So long has somebody been seen in a cell before it counts as lived in. People whose boxes a
# detector mixes up (one behind another) never settle as tracks; their places do.
LIVED_MAX_MS: Final = 20_000
LIVED_FADE_SHARE: Final = 0.4
# So much of the time with nobody there is taken off: who is found in a third of the looks stays.
LIVED_STEP_MAX_MS: Final = 2_000  # of one look; settled people are looked at that seldom
SAME_SHARE: Final = 0.5  # of a box that must be restless, or lived in, to be like its place


class LookKind(StrEnum):
    """How much of a picture the detector sees."""

    NONE = "none"
    REGIONS = "regions"
    FULL = "full"


class Why(StrEnum):
    """What made it look, or let it be."""

    ALWAYS = "always"
    """Saving is switched off."""
    OWED = "owed"
    """The look before failed."""
    LIVE = "live"
    """The camera has just gone live."""
    LIGHT = "light"
    """The brightness of the whole picture changed."""
    MOVEMENT = "movement"
    """Something moves that nobody known explains."""
    CLOSER = "closer"
    """It moves, and the whole picture showed nobody there."""
    UNSETTLED = "unsettled"
    """Somebody is followed who has not settled, or is not confirmed yet."""
    MISSED = "missed"
    """Somebody who had settled was not found by the look before."""
    STIR = "stir"
    """More moves at a settled place than somebody who sits."""
    IDLE = "idle"
    """It differs from the picture that was looked at last, or that was long ago."""
    RESTLESS = "restless"
    """Something moves that always moves."""
    SETTLED = "settled"
    """People who have settled move at their places."""
    EXPLAINED = "explained"
    """Not looked: what moves is known, and was looked at a moment ago."""
    STILL = "still"
    """Not looked: nothing moves."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the detector is shown of one picture. ``regions`` only with ``REGIONS``."""

    kind: LookKind
    why: Why
    regions: tuple[Rect, ...] = ()


NOTHING_MOVES: Final = Look(LookKind.NONE, Why.STILL)


@dataclass(frozen=True, slots=True, eq=False)
class MotionSeen:
    """What changed since the pictures before: of each cell, the share of its pixels that did.

    Masked cells are 0. ``light``: the brightness of the whole picture changed as well; ``cells``
    are what remains when that is taken off. ``fresh``: there was nothing to compare with.
    """

    cells: Cells
    since_look: Cells | None = None
    """The same against the picture in which the detector last saw everything; None: none yet."""
    light: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class LookTimes:
    """How often the detector looks at what needs it least."""

    enabled: bool = True
    settled_look_ms: int = 1_500
    idle_look_ms: int = 5_000
    unchanged_look_ms: int = 60_000
    restless_look_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class Light:
    """A stretch of time in which the brightness kept changing."""

    since: MonoMs
    last: MonoMs


@dataclass(frozen=True, slots=True, eq=False)
class AttentionState:
    """What is remembered of one camera between its pictures."""

    live_since: MonoMs | None = None
    looked: MonoMs | None = None
    full: MonoMs | None = None
    """When the detector last looked at the whole picture."""
    last: Look | None = None
    """The look at the picture before this one."""
    moved: Marks | None = None
    """What moved unexplained in the picture of ``last``."""
    gap_ms: int = 0
    """How long before ``last`` there had been no look."""
    owed: bool = False
    barren_ms: Cells | None = None
    """Of each cell, how long it has moved with nobody there."""
    moved_at: NDArray[np.float64] | None = None
    """Of each cell, when something unexplained moved there last; milliseconds."""
    lived_ms: Cells | None = None
    """Of each cell, how long somebody has been seen there."""
    hits: Mapping[int, int] = field(default_factory=dict)
    """Of each track, how often it was seen for sure."""
    paths: Mapping[int, Path] = field(default_factory=dict)
    """Of each track, how it has moved lately."""
    missing: frozenset[int] = frozenset()
    """Settled tracks that the newest look at them did not find."""
    missed: frozenset[int] = frozenset()
    """Those of them that were found by the look before it."""
    light: Light | None = None
    stirs: Mapping[int, float] = field(default_factory=dict)
    """Of each settled track, the share of its box that usually moves."""

    @property
    def restless(self) -> Marks | None:
        """Cells that always move."""
        return None if self.barren_ms is None else self.barren_ms >= BARREN_MS


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """One picture, as movement and the people known explain it."""

    places: Marks
    """Where movement is explained."""
    explained: Marks
    unexplained: Marks
    restless: Marks
    now: MonoMs

    @property
    def active(self) -> Marks:
        """What moves unexplained, and has a neighbour that does: single cells are crumbs."""
        return _in_company(self.unexplained & ~self.restless)


def step(
    state: AttentionState,
    motion: MotionSeen,
    tracks: Sequence[Track],
    now: MonoMs,
    times: LookTimes,
) -> tuple[AttentionState, Look]:
    """Decide on one picture. ``tracks``: everybody followed, as the picture before left them."""
    if not tracks and _is_still(state, motion, now) and times.enabled:
        if _due(state.full, now, _idle_ms(motion, times)):
            look = Look(LookKind.FULL, Why.IDLE)
            gap_ms = BARREN_STEP_MAX_MS if state.looked is None else now - state.looked
            after = replace(state, last=look, moved=None, looked=now, full=now, gap_ms=gap_ms)
            return after, look
        return state, NOTHING_MOVES
    if state.live_since is None:
        state = replace(state, live_since=now)
    state = _learned(state, motion.cells.shape, tracks)
    if motion.light:
        state = replace(state, light=_lit(state.light, now))
    scene = _scene(state, motion, tracks, now)
    look = _decided(state, motion, tracks, scene, times)
    state = _witnessed(state, scene, tracks)
    return _remembered(state, look, scene), look


def _is_still(state: AttentionState, motion: MotionSeen, now: MonoMs) -> bool:
    """Whether nobody is here and nothing moves: most pictures of most rooms, so known at once."""
    return (
        state.last == NOTHING_MOVES
        and not (motion.light or motion.fresh or state.owed or state.missing or state.missed)
        and state.live_since is not None
        and now - state.live_since >= LIVE_FULL_MS
        and not _in_new_light(state.light, now)
        and float(motion.cells.max()) < MOVED_SHARE
    )


def failed(state: AttentionState) -> AttentionState:
    """The look that was decided last failed: nothing was learned, and a look is owed."""
    return replace(state, owed=True, last=None, moved=None)


def marked(rect: Rect, shape: tuple[int, ...]) -> Marks:
    """The cells whose middle lies in a rectangle."""
    rows, columns = shape
    across = (np.arange(columns) + 0.5) / columns
    along = (np.arange(rows) + 0.5) / rows
    in_x = (across >= rect.x1) & (across <= rect.x2)
    in_y = (along >= rect.y1) & (along <= rect.y2)
    return in_y[:, None] & in_x[None, :]


def settled(track: Track, hits: Mapping[int, int]) -> bool:
    """Whether a track is a person who has settled, and no table taken for one."""
    confirmed = hits.get(track.number, 0) >= CONFIRM_HITS
    return track.settled and confirmed and track.rect.area <= PLACE_AREA_MAX


def place_of(track: Track) -> Rect:
    """Where the movement of somebody who has settled is explained."""
    rect = track.rect
    x, y = PLACE_MARGIN_X * rect.width, PLACE_MARGIN_Y * rect.height
    return Rect(rect.x1 - x, rect.y1 - y, rect.x2 + x, rect.y2 + y)


def _scene(
    state: AttentionState, motion: MotionSeen, tracks: Sequence[Track], now: MonoMs
) -> _Scene:
    shape = motion.cells.shape
    places = np.zeros(shape, np.bool_)
    for track in tracks:
        if settled(track, state.hits):
            places |= marked(place_of(track), shape)
    if tracks and state.lived_ms is not None:  # in a room where nobody is nothing is explained
        places |= state.lived_ms >= LIVED_MS
    moving = motion.cells >= MOVED_SHARE
    restless = state.restless
    if restless is None:
        restless = np.zeros(shape, np.bool_)
    return _Scene(places, moving & places, moving & ~places, restless, now)


def _decided(
    state: AttentionState,
    motion: MotionSeen,
    tracks: Sequence[Track],
    scene: _Scene,
    times: LookTimes,
) -> Look:
    if not times.enabled:
        return Look(LookKind.FULL, Why.ALWAYS)
    urgent = _urgent(state, motion, tracks, scene)
    if urgent is not None:
        return urgent
    return _in_turn(state, motion, tracks, scene, times)


def _urgent(
    state: AttentionState, motion: MotionSeen, tracks: Sequence[Track], scene: _Scene
) -> Look | None:
    """The look that cannot wait; None: this picture may be passed over."""
    now = scene.now
    if state.owed:
        return Look(LookKind.FULL, Why.OWED)
    if motion.fresh or state.live_since is None or now - state.live_since < LIVE_FULL_MS:
        return Look(LookKind.FULL, Why.LIVE)
    if _in_new_light(state.light, now):
        return Look(LookKind.FULL, Why.LIGHT)
    active = scene.active
    if active.any():
        return _at_movement(state, tracks, active)
    if any(_unsettled(track, state, scene) for track in tracks):
        return Look(LookKind.FULL, Why.UNSETTLED)
    if state.missed:
        return _again(tracks, state.missed)
    return None


def _in_turn(
    state: AttentionState,
    motion: MotionSeen,
    tracks: Sequence[Track],
    scene: _Scene,
    times: LookTimes,
) -> Look:
    """The look whose turn has come, or none."""
    now = scene.now
    if _due(state.full, now, _idle_ms(motion, times)):
        return Look(LookKind.FULL, Why.IDLE)
    if _due(state.looked, now, STIR_LOOK_MS) and _stirred(state, scene, tracks):
        return Look(LookKind.FULL, Why.STIR)
    unrest = motion.light or bool(_in_company(scene.unexplained).any())
    if unrest and _due(state.full, now, times.restless_look_ms):
        return Look(LookKind.FULL, Why.RESTLESS)
    if state.missing and _due(state.looked, now, MISSING_LOOK_MS):
        return Look(LookKind.FULL, Why.MISSED)
    if scene.explained.any() and _due(state.full, now, times.settled_look_ms):
        return Look(LookKind.FULL, Why.SETTLED)
    if unrest or scene.explained.any():
        return Look(LookKind.NONE, Why.EXPLAINED)
    return Look(LookKind.NONE, Why.STILL)


def _idle_ms(motion: MotionSeen, times: LookTimes) -> int:
    """How long the whole picture may go without a look."""
    since = motion.since_look
    if since is None or np.count_nonzero(since >= MOVED_SHARE) >= MOVED_CELLS_MIN:
        return times.idle_look_ms
    return max(times.unchanged_look_ms, times.idle_look_ms)


def _due(last: MonoMs | None, now: MonoMs, period_ms: int) -> bool:
    return last is None or now - last >= period_ms


def _unsettled(track: Track, state: AttentionState, scene: _Scene) -> bool:
    """Whether somebody followed needs a look at once: they have moved, and not settled since.

    Nobody appears in a room without moving. What is found where nothing moved is no more than the
    detector's doubt about what was there before.
    """
    if track.settled:
        return False
    confirmed = state.hits.get(track.number, 0) >= CONFIRM_HITS
    if confirmed and _walks(track, state, scene.now):
        return True  # away from the camera, a place that is known is walked out of for long
    place = marked(track.rect, scene.restless.shape)
    known = scene.restless | scene.places
    if np.count_nonzero(place & known) > SAME_SHARE * np.count_nonzero(place):
        return False  # found there now and then: nobody else than before
    moved = state.moved_at
    if moved is None or not place.any():
        return True
    still_ms = scene.now - float(moved[place].max())
    if confirmed:
        return still_ms <= UNSETTLED_FULL_MS or _due(state.looked, scene.now, UNSETTLED_LOOK_MS)
    young = scene.now - track.first_seen.mono_ms <= CONFIRM_TRY_MS
    return young and still_ms <= UNSETTLED_FULL_MS


def _walks(track: Track, state: AttentionState, now: MonoMs) -> bool:
    path = state.paths.get(track.number)
    return path is not None and path.walks(now)


def _in_company(marks: Marks) -> Marks:
    """The marked cells that touch another one, corners included."""
    if np.count_nonzero(marks) < MOVED_CELLS_MIN:
        return np.zeros_like(marks)
    rows, columns = marks.shape
    around = np.zeros((rows + 2, columns + 2), np.uint8)
    for along in range(3):
        for across in range(3):
            around[along : along + rows, across : across + columns] += marks
    return marks & (around[1:-1, 1:-1] > 1)


def _at_movement(state: AttentionState, tracks: Sequence[Track], active: Marks) -> Look:
    region = _around(active)
    after_full = (
        state.last is not None
        and state.last.kind is LookKind.FULL
        and state.moved is not None
        and bool((state.moved & active).any())
    )
    seen = any(track.detected and track.rect.shared_area(region) > 0 for track in tracks)
    if after_full and not seen and region.area <= CLOSE_AREA_MAX:
        return Look(LookKind.REGIONS, Why.CLOSER, (region,))
    return Look(LookKind.FULL, Why.MOVEMENT)


def _again(tracks: Sequence[Track], missed: frozenset[int]) -> Look:
    rects = [track.rect for track in tracks if track.number in missed]
    if not rects:
        return Look(LookKind.FULL, Why.MISSED)
    region = Rect(
        min(rect.x1 for rect in rects),
        min(rect.y1 for rect in rects),
        max(rect.x2 for rect in rects),
        max(rect.y2 for rect in rects),
    )
    if region.area > CLOSE_AREA_MAX:
        return Look(LookKind.FULL, Why.MISSED)
    return Look(LookKind.REGIONS, Why.MISSED, (region,))


def _stirred(state: AttentionState, scene: _Scene, tracks: Sequence[Track]) -> bool:
    for number, share in _stirs(scene.explained, tracks).items():
        usual = state.stirs.get(number, 0.0)
        if share >= max(STIR_SHARE, STIR_FACTOR * usual):
            return True
    return False


def _stirs(explained: Marks, tracks: Sequence[Track]) -> dict[int, float]:
    """Of each settled person's box, the share of cells that move."""
    stirs: dict[int, float] = {}
    for track in tracks:
        if track.settled:
            place = marked(track.rect, explained.shape)
            cells = max(int(np.count_nonzero(place)), MOVED_CELLS_MIN)
            stirs[track.number] = int(np.count_nonzero(place & explained)) / cells
    return stirs


def _witnessed(state: AttentionState, scene: _Scene, tracks: Sequence[Track]) -> AttentionState:
    """Remember of one picture, looked at or not, where it moved and how much each person does."""
    moved_at = state.moved_at
    if moved_at is None or moved_at.shape != scene.unexplained.shape:
        moved_at = np.full(scene.unexplained.shape, -np.inf)
    if scene.unexplained.any():
        moved_at = np.where(scene.unexplained, float(scene.now), moved_at)
    stirs = {
        number: share + (state.stirs.get(number, share) - share) * (1 - STIR_FOLLOW_SHARE)
        for number, share in _stirs(scene.explained, tracks).items()
    }
    return replace(state, moved_at=moved_at, stirs=stirs)


def _around(marks: Marks) -> Rect:
    """The rectangle around marked cells, with a margin; all of the picture when there are none."""
    rows, columns = marks.shape
    along, across = np.flatnonzero(marks.any(axis=1)), np.flatnonzero(marks.any(axis=0))
    if not along.size:
        return WHOLE
    margin = REGION_MARGIN_CELLS
    return Rect(
        max(int(across[0]) - margin, 0) / columns,
        max(int(along[0]) - margin, 0) / rows,
        min(int(across[-1]) + 1 + margin, columns) / columns,
        min(int(along[-1]) + 1 + margin, rows) / rows,
    )


def _lit(light: Light | None, now: MonoMs) -> Light:
    if light is None or now - light.last > LIGHT_APART_MS:
        return Light(now, now)
    return Light(light.since, now)


def _in_new_light(light: Light | None, now: MonoMs) -> bool:
    if light is None or now - light.last > LIGHT_AFTER_MS:
        return False
    return now - light.since <= LIGHT_FULL_MS


def _remembered(state: AttentionState, look: Look, scene: _Scene) -> AttentionState:
    state = replace(state, last=look, moved=scene.unexplained)
    if look.kind is LookKind.NONE:
        return state
    gap_ms = BARREN_STEP_MAX_MS if state.looked is None else scene.now - state.looked
    full = scene.now if look.kind is LookKind.FULL else state.full
    return replace(state, looked=scene.now, full=full, gap_ms=gap_ms, owed=False)


def _learned(
    state: AttentionState, shape: tuple[int, ...], tracks: Sequence[Track]
) -> AttentionState:
    """What the look at the picture before has taught, now that its tracks are known."""
    barren_ms = state.barren_ms
    lived_ms = state.lived_ms
    if barren_ms is None or lived_ms is None or barren_ms.shape != shape:
        barren_ms, lived_ms = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        state = replace(state, barren_ms=barren_ms, lived_ms=lived_ms, moved=None)
    look = state.last
    if look is None or look.kind is LookKind.NONE:
        # The tracks say nothing new.
        return replace(state, missed=frozenset())
    if state.moved is not None:
        state = replace(state, barren_ms=_barren(barren_ms, state, state.moved, look, tracks))
    looked = [track for track in tracks if track.looked]
    hits = {track.number: state.hits.get(track.number, 0) for track in tracks}
    for track in looked:
        hits[track.number] += track.detected
    paths = {number: state.paths[number] for number in hits if number in state.paths}
    if state.looked is not None:
        found = [track for track in looked if _found(track, state)]
        paths = dict(walking.step(paths, found, state.looked))
        state = replace(state, paths=paths)
    lost = {track.number for track in looked if track.settled and not _found(track, state)}
    others = {track.number for track in tracks if not track.looked}
    unseen = state.missing & others
    return replace(
        state,
        hits=hits,
        lived_ms=_lived(lived_ms, state, look, looked, hits),
        missing=frozenset(lost | unseen),
        missed=frozenset(lost - state.missing),
    )


def _found(track: Track, state: AttentionState) -> bool:
    """Whether the newest look found somebody, however faintly."""
    return state.looked is not None and track.last_seen_mono_ms >= state.looked


def _lived(
    lived_ms: Cells,
    state: AttentionState,
    look: Look,
    looked: Sequence[Track],
    hits: Mapping[int, int],
) -> Cells:
    shape = lived_ms.shape
    gap_ms = min(state.gap_ms, LIVED_STEP_MAX_MS)
    people = np.zeros(shape, np.bool_)
    for track in looked:
        sure = hits[track.number] >= CONFIRM_HITS and _found(track, state)
        if state.looked is not None and _walks(track, state, state.looked):
            continue  # nobody lives where they walk through
        if sure and track.rect.area <= PLACE_AREA_MAX:
            people |= marked(place_of(track), shape)
    seen = _shown(look, shape)
    # Nobody there takes it back by all the time since the look before, however long.
    faded = lived_ms - LIVED_FADE_SHARE * state.gap_ms
    after = np.where(people, np.minimum(lived_ms + gap_ms, LIVED_MAX_MS), faded)
    return np.where(seen | people, np.maximum(after, 0), lived_ms).astype(np.float32)


def _shown(look: Look, shape: tuple[int, ...]) -> Marks:
    """The cells that a look showed to the detector."""
    shown = np.zeros(shape, np.bool_)
    for region in look.regions if look.kind is LookKind.REGIONS else (WHOLE,):
        shown |= marked(region, shape)
    return shown


def _barren(
    barren_ms: Cells, state: AttentionState, moved: Marks, look: Look, tracks: Sequence[Track]
) -> Cells:
    shape = barren_ms.shape
    gap_ms = min(state.gap_ms, BARREN_STEP_MAX_MS)
    seen = np.zeros(shape, np.bool_)
    glimpsed = np.zeros(shape, np.bool_)
    for track in tracks:
        if track.looked and track.detected:
            seen |= marked(place_of(track), shape)
        elif track.looked and _found(track, state):
            glimpsed |= marked(place_of(track), shape)
    faded = barren_ms * max(1.0 - state.gap_ms / BARREN_FADE_MS, 0.0)
    moved = moved & _shown(look, shape) & ~glimpsed
    after = np.where(moved, np.minimum(barren_ms + gap_ms, BARREN_MAX_MS), faded)
    trusted = np.maximum(barren_ms - SEEN_FACTOR * gap_ms, 0.0)
    return np.where(seen, trusted, after).astype(np.float32)
