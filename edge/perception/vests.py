"""Decides which vest each tracked person wears: colour of the torso, voted over the track."""

from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.admission import VestColour, VestColours
from contracts.observations import Appearance
from edge.core.people import Instant, Rect, Track
from edge.ports import Rgb

Floats = NDArray[np.float32]

LOOK_AGAIN_MS: Final = 1_000
LOOK_AGAIN_SETTLED_MS: Final = 6_000
# Who has been decided on is looked at this often: somebody may take the vest off, and numbers are
# mixed up while people move.
CONTRADICTED_MS: Final = 2_000
CONTRADICTED_EVIDENCE: Final = 2.4
# So long and so much must readings say otherwise, all of them, of somebody who has not settled,
# before the answer is another person's. Who has settled is hidden by papers more often.
UNDECIDED_MS: Final = 150  # any analysed picture at 5 fps
GIVEN_UP_MS: Final = 1_000
# Who still is undecided after GIVE_UP_AFTER readings is hidden, and not worth every picture.
GIVE_UP_AFTER: Final = 15
TORSO_MIN_PX: Final = 8  # a torso narrower than this is a few blocks of the encoder's colour plane
GRID: Final = 18  # a torso is read as so many squares a side: noise averages out, stripes stay
DECIDE_EVIDENCE: Final = 1.6  # two and a half readings of a person seen well
DECIDE_SHARE: Final = 0.66  # of all evidence, for one answer
EVIDENCE_MAX: Final = 8.0  # so that a vest taken off is believed within a few readings
BETTER_EACH_MS: Final = 800.0  # readings nearer in time than this are partly the same reading
WORN_FROM: Final = 0.42  # of the torso's flanks is of the colour: a vest
BARE_BELOW: Final = 0.12  # of them is: no vest
SATURATION_SHARE: Final = 0.52
# A vest in shade, faded or washed out by glare keeps this share of its sample's saturation
# (chroma / (L + 16), which dimming does not change). Denim and flushed skin have less.
LIGHT_MIN: Final = 15.0
# L of CIELAB in a room exposed as usual: a navy suit is darker, and in the dark an encoder throws
# colour away.
EXPOSED_TO: Final = 0.45  # linear light of the brightest tenth of a room exposed as usual
EXPOSURE_MAX: Final = 6.0  # darker rooms hold too little colour to tell
COLOURLESS_CHROMA: Final = 4.0
# A picture whose most colourful squares have less chroma comes from a camera in night mode.
BALANCE_ROWS: Final = 24  # of points that the room's light is taken from: some thousand in all
GAIN_LIMIT: Final = 1.6  # of the light's red or blue against green: beyond it the walls are painted
OVERLAP_HIDES: Final = 0.35  # of a torso behind somebody nearer: not read
EDGE_SHARE: Final = 0.004  # a box this near to the picture's side is cut by it


class Picture(Protocol):
    """A decoded picture; its colours may be made on first use."""

    @property
    def rgb(self) -> Rgb: ...

    @property
    def at(self) -> Instant: ...


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One vest colour in numbers: hue angle and tolerance in degrees, least saturation."""

    hue_deg: float
    tolerance_deg: float
    chroma_min: float
    saturation_min: float


@dataclass(slots=True)
class _Votes:
    """Evidence on one track so far."""

    red: float = 0.0
    blue: float = 0.0
    none: float = 0.0
    answer: Appearance = Appearance.UNKNOWN
    read_mono_ms: int | None = None
    readings: int = 0
    last: dict[Appearance, float] = field(default_factory=dict)
    against: Appearance = Appearance.UNKNOWN
    """What all readings since ``against_since_ms`` say, which is not the answer."""
    against_since_ms: int = 0
    against_evidence: float = 0.0


class VestReader:
    """Reads the vests of one camera's tracks. Costs nothing while nobody is due."""

    def __init__(self, colours: VestColours) -> None:
        self._red = _wanted(colours.red)
        self._blue = _wanted(colours.blue)
        self._votes: dict[int, _Votes] = {}

    def reset(self) -> None:
        """Forget everybody: the camera was away."""
        self._votes.clear()

    def read(self, frame: Picture, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        """The same tracks with ``appearance`` as voted so far.

        ``frame.rgb`` is asked for only when some track is due to be looked at.
        """
        known = {track.number for track in tracks}
        self._votes = {number: one for number, one in self._votes.items() if number in known}
        due = [track for track in tracks if self._is_due(track, frame.at)]
        if due:
            self._look(frame, due, tracks)
        return tuple(
            replace(track, appearance=votes.answer)
            if (votes := self._votes.get(track.number)) is not None
            else track
            for track in tracks
        )

    def _is_due(self, track: Track, at: Instant) -> bool:
        if not (track.looked and track.detected):
            return False
        votes = self._votes.get(track.number)
        if votes is None or votes.read_mono_ms is None:
            return True
        if votes.against is not Appearance.UNKNOWN and not track.settled:
            wait_ms = UNDECIDED_MS
        elif votes.answer is Appearance.UNKNOWN:
            wait_ms = UNDECIDED_MS if votes.readings < GIVE_UP_AFTER else GIVEN_UP_MS
        else:
            wait_ms = LOOK_AGAIN_SETTLED_MS if track.settled else LOOK_AGAIN_MS
        return at.mono_ms - votes.read_mono_ms >= wait_ms

    def _look(self, frame: Picture, due: list[Track], tracks: tuple[Track, ...]) -> None:
        rgb = frame.rgb
        light = _light(rgb, tracks)
        for track in due:
            votes = self._votes.setdefault(track.number, _Votes())
            since_ms = None if votes.read_mono_ms is None else frame.at.mono_ms - votes.read_mono_ms
            votes.read_mono_ms = frame.at.mono_ms
            votes.readings += 1
            if light is None:
                continue
            evidence = self._evidence(rgb, track, tracks, light)
            if evidence is not None:
                _vote(votes, *evidence, since_ms)
                if not track.settled:
                    _contradict(votes, *evidence, frame.at.mono_ms)

    def _evidence(
        self, rgb: Rgb, track: Track, tracks: tuple[Track, ...], light: Floats
    ) -> tuple[Appearance, float] | None:
        """What one look at a person says, and how much it weighs (0..1); None: nothing."""
        torso = torso_of(track.rect, rgb.shape[1] / max(rgb.shape[0], 1))
        hidden = _hidden_share(torso, track, tracks)
        if hidden > OVERLAP_HIDES:
            return None
        crop = _crop(rgb, torso)
        if crop is None:
            return None
        lab = _lab(crop, light)
        red, blue = _worn(lab, self._red), _worn(lab, self._blue)
        size = min(crop.shape[1] / 24.0, 1.0)
        weight = max(size, 0.35) * (1.0 - hidden) * _cut_weight(track.rect, torso)
        best, look = max((red, Appearance.RED), (blue, Appearance.BLUE), key=lambda pair: pair[0])
        if best >= WORN_FROM and min(red, blue) < best / 2:
            return look, weight * min(best / 0.7, 1.0)
        dark = float(np.median(lab[..., 0])) < LIGHT_MIN
        if best < BARE_BELOW and not dark and _shows_torso(track.rect, torso):
            return Appearance.NONE, weight * 0.8
        return None


def torso_of(rect: Rect, aspect: float) -> Rect:
    """The part of a person's box where a vest is, in shares of the picture.

    By the width of the shoulders (a standing person's box is about three times as high as wide: a
    third of the height counts where less than that width is seen). ``aspect``: picture's width by
    its height.
    """
    wide = max(rect.width, rect.height / aspect / 3.4)  # in shares of the width
    tall = wide * aspect  # the same length in shares of the height
    middle = (rect.x1 + rect.x2) / 2
    top = rect.y1 + 0.52 * tall
    bottom = min(rect.y1 + 1.30 * tall, rect.y1 + 0.97 * rect.height)
    half = 0.34 * min(wide, rect.width)
    return Rect(middle - half, top, middle + half, max(bottom, top))


def _shows_torso(rect: Rect, torso: Rect) -> bool:
    # Of a head above a screen nobody can say that there is no vest below.
    return torso.height >= 0.28 * rect.height


def _cut_weight(rect: Rect, torso: Rect) -> float:
    sides = (rect.x1 < EDGE_SHARE) + (rect.x2 > 1 - EDGE_SHARE)
    bottom = 1.0 if torso.height > 0.2 * rect.height else 0.6
    return bottom * (0.4 if sides else 1.0)


def _hidden_share(torso: Rect, track: Track, tracks: tuple[Track, ...]) -> float:
    """How much of a torso lies behind people who stand nearer (whose box ends lower)."""
    if torso.area <= 0:
        return 1.0
    nearer = (
        other.rect.shared_area(torso) / torso.area
        for other in tracks
        if other.number != track.number and other.rect.y2 > track.rect.y2
    )
    return min(sum(nearer), 1.0)


def _crop(rgb: Rgb, torso: Rect) -> Rgb | None:
    if rgb.ndim != 3:
        return None
    height, width = rgb.shape[:2]
    left, right = max(round(torso.x1 * width), 0), min(round(torso.x2 * width), width)
    top, bottom = max(round(torso.y1 * height), 0), min(round(torso.y2 * height), height)
    if right - left < TORSO_MIN_PX or bottom - top < TORSO_MIN_PX // 2:
        return None
    return rgb[top:bottom, left:right]


def _linear(values: NDArray[np.floating]) -> Floats:
    """Linear light of sRGB values 0..1 (IEC 61966-2-1)."""
    low = values / 12.92
    high = ((values + 0.055) / 1.055) ** 2.4
    return np.where(values <= 0.04045, low, high).astype(np.float32)


def _light(rgb: Rgb, tracks: tuple[Track, ...]) -> Floats | None:
    """Gains (red, green, blue) that make the room's light plain and full; None: no colour at all.

    The median of what lies around the people, by Buchsbaum's grey world: people are left out, whose
    vests would tint a small room; medians, so that a screen or a row of chairs does not.
    """
    if rgb.ndim != 3:
        return None
    step = max(min(rgb.shape[:2]) // BALANCE_ROWS, 1)
    small = rgb[step // 2 :: step, step // 2 :: step].astype(np.float32) / 255
    spread = small.max(axis=2) - small.min(axis=2)
    if float(np.quantile(spread, 0.99)) * 255 < COLOURLESS_CHROMA:
        return None
    free = np.ones(small.shape[:2], bool)
    rows, columns = small.shape[0], small.shape[1]
    for track in tracks:
        box = track.rect
        free[
            max(int(box.y1 * rows), 0) : int(box.y2 * rows) + 1,
            max(int(box.x1 * columns), 0) : int(box.x2 * columns) + 1,
        ] = False
    lightness = small[..., 1]
    usable = free & (lightness > 0.04) & (small.max(axis=2) < 0.98)
    if int(usable.sum()) < 24:
        return np.ones(3, np.float32)
    linear = _linear(small[usable])
    green = np.maximum(linear[:, 1], 1e-4)
    red_cast = float(np.median(linear[:, 0] / green))
    blue_cast = float(np.median(linear[:, 2] / green))
    clipped = np.clip([1 / red_cast, 1.0, 1 / blue_cast], 1 / GAIN_LIMIT, GAIN_LIMIT)
    brighter = min(max(EXPOSED_TO / float(np.quantile(green, 0.9)), 1.0), EXPOSURE_MAX)
    return np.asarray(clipped * brighter, np.float32)


def _lab(crop: Rgb, light: Floats) -> Floats:
    """A torso as GRID x GRID squares in CIELAB under plain light."""
    small = cv2.resize(crop, (GRID, GRID), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    linear = np.minimum(_linear(small) * light, 1.0).astype(np.float32)
    return np.asarray(cv2.cvtColor(linear, cv2.COLOR_LRGB2Lab), np.float32)


def _worn(lab: Floats, wanted: _Wanted) -> float:
    """How much of the torso is of a colour: 0 to 1, by its flanks and its better half.

    Three columns: a vest covers at least two of them, a tie only the middle one, a chair's back
    beside a narrow person only an outer one. Three rows, of which the best two neighbours count:
    arms, papers and screens hide the lower part.
    """
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    off = np.abs((hue - wanted.hue_deg + 180.0) % 360.0 - 180.0)
    lightness = lab[..., 0]
    is_colour = (
        (off <= wanted.tolerance_deg)
        & (chroma >= wanted.chroma_min)
        & (lightness >= LIGHT_MIN)
        & (chroma >= wanted.saturation_min * (lightness + 16.0))
    )
    third = GRID // 3
    cells = is_colour.reshape(3, third, 3, third).mean(axis=(1, 3))  # rows by columns
    upper, lower = cells[:2].mean(axis=0), cells[1:].mean(axis=0)
    return max(_second(upper), _second(lower))


def _second(columns: NDArray[np.floating]) -> float:
    return float(np.sort(columns)[1])


def _vote(votes: _Votes, look: Appearance, weight: float, since_ms: int | None) -> None:
    """Add one reading; readings in quick succession are partly the same one."""
    fresh = 1.0 if since_ms is None else min(0.75 + since_ms / BETTER_EACH_MS / 4, 1.0)
    red, blue, none = votes.red, votes.blue, votes.none
    gain = weight * fresh
    match look:
        case Appearance.RED:
            red += gain
        case Appearance.BLUE:
            blue += gain
        case _:
            none += gain
    total = red + blue + none
    if total > EVIDENCE_MAX:
        red, blue, none = (part * EVIDENCE_MAX / total for part in (red, blue, none))
        total = EVIDENCE_MAX
    votes.red, votes.blue, votes.none = red, blue, none
    best, answer = max(
        (red, Appearance.RED), (blue, Appearance.BLUE), (none, Appearance.NONE),
        key=lambda pair: pair[0],
    )  # fmt: skip
    if total >= DECIDE_EVIDENCE and best >= DECIDE_SHARE * total:
        votes.answer = answer
    elif votes.answer is not Appearance.UNKNOWN and best < DECIDE_SHARE * total / 1.2:
        votes.answer = Appearance.UNKNOWN


def _contradict(votes: _Votes, look: Appearance, weight: float, now_ms: int) -> None:
    """Forget an answer that every reading of the last seconds contradicts."""
    begun = votes.against is not Appearance.UNKNOWN
    if look is votes.answer or (votes.answer is Appearance.UNKNOWN and not begun):
        votes.against = Appearance.UNKNOWN
        return
    if look is not votes.against:
        votes.against, votes.against_since_ms, votes.against_evidence = look, now_ms, 0.0
    votes.against_evidence += weight
    lasted_ms = now_ms - votes.against_since_ms
    if votes.against_evidence < CONTRADICTED_EVIDENCE or lasted_ms < CONTRADICTED_MS:
        return
    evidence = min(votes.against_evidence, EVIDENCE_MAX)
    votes.red = evidence if look is Appearance.RED else 0.0
    votes.blue = evidence if look is Appearance.BLUE else 0.0
    votes.none = evidence if look is Appearance.NONE else 0.0
    votes.answer, votes.against = look, Appearance.UNKNOWN


def _wanted(colour: VestColour) -> _Wanted:
    sample = [int(colour.sample[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = _linear(np.array([[sample]], dtype=np.float32))
    lab = np.asarray(cv2.cvtColor(linear, cv2.COLOR_LRGB2Lab), np.float32)[0, 0]
    chroma = float(np.hypot(lab[1], lab[2]))
    return _Wanted(
        hue_deg=float(np.degrees(np.arctan2(lab[2], lab[1]))),
        tolerance_deg=colour.hue_tolerance_deg,
        chroma_min=colour.chroma_min,
        saturation_min=SATURATION_SHARE * chroma / (float(lab[0]) + 16.0),
    )
