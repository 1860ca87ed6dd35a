"""Puts a stream's time stamps on one line that runs with our clock, however the stream counts.

Cameras set their clocks, wrap, repeat, leave out or make up time stamps. What is ordinary passes as
it came. What cannot be (a packet from the future, one from long ago, a rate that is not that of our
clock) is moved to where it arrived, and the move is told, so that the recording says so.

All numbers of one ``Line`` are ticks of its stream, except where a name ends in ``_ms``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

STEP_MAX_MS: Final = 1_000  # between two packets in a row; a longer step is looked at
FUTURE_MAX_MS: Final = 1_500
# A packet cannot come this much sooner than its time stamp says: the stamp jumped. Jitter and
# RTCP's first correction stay far below.
BACK_MAX_MS: Final = 500
# Stamps that step back this little are pressed together until they catch up: libavformat corrects
# a stream by RTCP so. Further back is a jump.
WINDOW_MS: Final = 1_000  # the promptest packet of each second stands for its second
DRIFT_MAX_MS: Final = 1_500  # a line that is this far from our clock for two seconds is wrong
WRONG_WINDOWS: Final = 2
MOVES_MAX: Final = 30
DRIFT_MOVES: Final = 10  # a drift counts as much: three of them are a rate that is a lie
MOVES_WITHIN_MS: Final = 60_000
# A stream that needs moving so often is not to be trusted: its packets are put where they came.
SHARED_MAX_MS: Final = 1_000
# Sound and picture that jump alike within SHARED_WITHIN_MS move by the same time, to stay in step.
SHARED_WITHIN_MS: Final = 10_000
PULL: Final = 0.1  # share of the error that one packet takes back in arrival mode
SNAP_MS: Final = 500  # an error that is taken back at once
PERIOD_FIRST_MS: Final = 40.0
PERIOD_SHARE: Final = 0.02  # how fast the mean distance of packets is learnt


class Trouble(StrEnum):
    """What was wrong with a stream's time stamps."""

    FUTURE = "time stamps jumped forward"
    PAST = "time stamps jumped back"
    DRIFT = "time stamps drifted from our clock"
    RATE = "time stamps do not run with our clock; packets lie where they arrived"


@dataclass(frozen=True, slots=True)
class Moved:
    """A line was moved by ``by_ms`` so that it goes on where the packet arrived."""

    trouble: Trouble
    by_ms: int


@dataclass(frozen=True, slots=True)
class Move:
    """A move of another line, to be shared."""

    by_ms: float
    at_ms: int


class Line:
    """One stream's time stamps; ``place`` is asked for each packet, in order of arrival."""

    __slots__ = (
        "_anchor_ms",
        "_at_last_ms",
        "_by_arrival",
        "_moves_ms",
        "_offset",
        "_period_ms",
        "_prompt_ms",
        "_raw_last",
        "_step_max",
        "_window_ends_ms",
        "_wrong_windows",
        "last",
        "late_ms",
        "latest_move",
        "moved",
        "ms_per_tick",
        "step",
    )

    def __init__(self, ticks_per_s: float) -> None:
        self.ms_per_tick = 1000 / ticks_per_s
        self.last: int | None = None
        """The last time stamp that was given out."""
        self.step = 1
        """Between the last two."""
        self.late_ms: float | None = None
        """How much later than its place on the line the promptest packet of late arrived."""
        self.moved: Moved | None = None
        """News for the caller, who takes it away."""
        self.latest_move: Move | None = None
        self._offset = 0
        self._raw_last: int | None = None
        self._at_last_ms = 0
        self._step_max = round(STEP_MAX_MS / self.ms_per_tick)
        self._period_ms = PERIOD_FIRST_MS
        self._by_arrival = False
        self._window_ends_ms = 0
        """The promptest packet of each second is kept, and tells whether the line runs off."""
        self._prompt_ms = 0.0
        self._anchor_ms: float | None = None
        self._wrong_windows = 0
        self._moves_ms: tuple[int, ...] = ()

    @property
    def last_ms(self) -> float | None:
        """``last`` in milliseconds: comparable between the lines of one link."""
        return None if self.last is None else self.last * self.ms_per_tick

    def place(
        self, dts: int | None, pts: int | None, at_ms: int, other: "Line | None" = None
    ) -> tuple[int, int]:
        """Where on the line a packet lies: decoding and presentation time, strictly growing."""
        raw_last = self._raw_last
        if self._by_arrival or dts is None or raw_last is None:
            out = self._unusual(dts, pts, at_ms)
        elif 0 < dts - raw_last <= self._step_max:
            out = dts + self._offset
        else:
            out = self._judged(dts, at_ms, other)
        last = self.last
        if last is not None:
            if out <= last:
                out = last + 1
            self.step = out - last
        self.last = out
        if dts is not None:
            self._raw_last = dts
        self._at_last_ms = at_ms
        late_ms = at_ms - out * self.ms_per_tick
        if at_ms >= self._window_ends_ms:
            self._close_window(at_ms)
            self._prompt_ms = late_ms
            if self.late_ms is None:
                self.late_ms = late_ms
        elif late_ms < self._prompt_ms:
            self._prompt_ms = late_ms
        if pts is None:
            return out, out
        if self._by_arrival:
            shown = out + pts - dts if dts is not None else out
        else:
            shown = pts + self._offset
        return out, max(shown, out)

    def settle(self) -> None:
        """A segment begins here: drift is counted from now on."""
        self._anchor_ms = self.late_ms
        self._wrong_windows = 0

    def restart(self) -> None:
        """Nothing came for a while: how late packets are is learnt anew."""
        self.late_ms = None
        self._anchor_ms = None
        self._window_ends_ms = 0
        self._wrong_windows = 0

    def _usual_late_ms(self) -> float:
        if self.late_ms is not None or self.last is None:
            return self.late_ms or 0.0
        return self._at_last_ms - self.last * self.ms_per_tick

    def _unusual(self, dts: int | None, pts: int | None, at_ms: int) -> int:
        """The first packet, one without a time stamp, or any packet of a stream that lies."""
        if self._raw_last is None and not self._by_arrival:
            stamp = dts if dts is not None else pts
            self._raw_last = stamp
            if stamp is not None:
                return stamp + self._offset
        if self.last is None:
            return round(at_ms / self.ms_per_tick)
        passed_ms = at_ms - self._at_last_ms
        self._period_ms += PERIOD_SHARE * (min(passed_ms, SNAP_MS) - self._period_ms)
        steady_ms = self.last * self.ms_per_tick + self._period_ms
        error_ms = at_ms - self._usual_late_ms() - steady_ms
        steady_ms += error_ms if abs(error_ms) >= SNAP_MS else error_ms * PULL
        out = round(steady_ms / self.ms_per_tick)
        if dts is None and not self._by_arrival and self._raw_last is not None:
            self._raw_last = out - self._offset
        return out

    def _judged(self, dts: int, at_ms: int, other: "Line | None") -> int:
        """A step that is not ordinary: far, or not forward."""
        raw_last = self._raw_last if self._raw_last is not None else dts
        out = dts + self._offset
        early_ms = self._usual_late_ms() - (at_ms - out * self.ms_per_tick)
        if dts > raw_last:
            if early_ms <= FUTURE_MAX_MS:
                return out  # packets were lost, or the camera was silent that long
            return self._move(Trouble.FUTURE, dts, at_ms, other)
        if (raw_last - dts) * self.ms_per_tick <= BACK_MAX_MS:
            return out
        return self._move(Trouble.PAST, dts, at_ms, other)

    def _move(self, trouble: Trouble, dts: int, at_ms: int, other: "Line | None") -> int:
        place = round((at_ms - self._usual_late_ms()) / self.ms_per_tick)
        by_ms = (place - dts - self._offset) * self.ms_per_tick
        theirs = other.latest_move if other is not None else None
        if (
            theirs is not None
            and at_ms - theirs.at_ms <= SHARED_WITHIN_MS
            and abs(theirs.by_ms - by_ms) <= SHARED_MAX_MS
        ):
            by_ms = theirs.by_ms
        self._offset += round(by_ms / self.ms_per_tick)
        self._told(trouble, by_ms, at_ms)
        return dts + self._offset

    def _told(self, trouble: Trouble, by_ms: float, at_ms: int) -> None:
        self.latest_move = Move(by_ms, at_ms)
        recent = tuple(ms for ms in self._moves_ms if at_ms - ms <= MOVES_WITHIN_MS)
        weight = DRIFT_MOVES if trouble is Trouble.DRIFT else 1
        self._moves_ms = recent + (at_ms,) * weight
        if len(self._moves_ms) >= MOVES_MAX and not self._by_arrival:
            self._by_arrival = True
            trouble = Trouble.RATE
        self.moved = Moved(trouble, round(by_ms))

    def _close_window(self, at_ms: int) -> None:
        is_first, self._window_ends_ms = self._window_ends_ms == 0, at_ms + WINDOW_MS
        prompt_ms = self._prompt_ms
        if self._by_arrival or is_first:
            return
        if self._anchor_ms is None:
            self._anchor_ms = prompt_ms
        drift_ms = prompt_ms - self._anchor_ms
        if abs(drift_ms) <= DRIFT_MAX_MS:
            self.late_ms = prompt_ms
            self._wrong_windows = 0
            return
        self._wrong_windows += 1
        if self._wrong_windows < WRONG_WINDOWS:
            return
        self._wrong_windows = 0
        # From the next packet on the line is where the stream is; never back, see ``place``.
        self._offset += round(drift_ms / self.ms_per_tick)
        self._told(Trouble.DRIFT, drift_ms, at_ms)
