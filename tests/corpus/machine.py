"""Scenarios of the rules on the node itself: recording, disk, clock, links. No picture is needed.

What the recorder, the disk and the clock say each half second is made here, with what they do on a
good day too: a track that is back within the dwell, an offset that jitters, a disk that fills.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.evidence.entries import ClockSource, ClockState, GapReason
from contracts.observations import CameraState, RecordingState
from contracts.units import CameraId
from edge.core.load import LoadSeen
from edge.core.machine_watch import DiskSeen
from edge.core.room import ConfigCompared
from edge.core.state import CopiesFailing, RecordingSeen, TrackSeen
from tests.corpus.families import Draw, Family, family
from tests.corpus.rooms import room
from tests.corpus.scenario import (
    CAMERA,
    Given,
    Said,
    Scenario,
    Spare,
    link,
    merged,
    moment,
    said,
    seal,
    truths,
)
from tests.corpus.spans import Span

SECOND_CAMERA = CameraId("cam-2")
CAMERAS = (CAMERA, SECOND_CAMERA)
SEEN_EVERY_MS = 500  # as the service looks
TOTAL_BYTES = 4_000_000_000_000
LOW_PERCENT = 10.0

GAP = "node.recording_gap"
DOWN = "node.recorder_down"
LOW = "node.disk_low"
FAILING = "node.disk_failing"
UNSYNCHRONISED = "node.clock_unsynchronised"
STEPPED = "node.clock_stepped"
FROZEN = "camera.frozen"
OFFLINE = "camera.offline"
COPIES = "node.copies_failing"
OVERLOAD = "node.overload"
DRIFT = "node.config_drift"

OF_DISK = (GapReason.DISK_FULL, GapReason.DISK_READ_ONLY, GapReason.DISK_FAILED,
           GapReason.DISK_SLOW)  # fmt: skip
OF_STREAM = (GapReason.STREAM_DAMAGED, GapReason.UNKNOWN, GapReason.PICKUP_LOST)


@dataclass(frozen=True, slots=True)
class Gap:
    """A track is not recorded over a span."""

    track: CameraId
    span: Span
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Machine:
    """What becomes of a node in a scenario; what is left out is well."""

    gaps: tuple[Gap, ...] = ()
    down: Span | None = None
    free_percent: Callable[[int], float] = lambda _: 55.0
    offset_ms: Callable[[int], float] = lambda _: 0.4
    unsynchronised: Span | None = None
    step_at: tuple[int, int] | None = None
    """When the clock jumped, and by how much (milliseconds)."""
    copies_fail_at: int | None = None
    """Since when a second disk takes no copies."""
    copies_back_at: int = 10**9
    jitter: int = field(default=0)

    def seen(self, t_ms: int) -> RecordingSeen:
        """What the node knows at a time."""
        down = self.down is not None and self.down[0] <= t_ms < self.down[1]
        since_ms = self.down[0] if down and self.down else 0
        if not down and self.down is not None and t_ms >= self.down[1]:
            since_ms = self.down[1]
        unknown = self.unsynchronised is not None and (
            self.unsynchronised[0] <= t_ms < self.unsynchronised[1]
        )
        source = ClockSource.UNSYNCHRONISED if unknown else ClockSource.SYNCHRONISED
        stepped = self.step_at is not None and t_ms >= self.step_at[0]
        return RecordingSeen(
            at=moment(t_ms),
            running=not down,
            since=moment(since_ms),
            tracks={name: self._track(name, t_ms) for name in CAMERAS},
            disk=DiskSeen(round(TOTAL_BYTES * self.free_percent(t_ms) / 100), TOTAL_BYTES),
            disk_low_percent=LOW_PERCENT,
            clock=ClockState(source=source, offset_ms=self.offset_ms(t_ms)),
            clock_step_ms=self.step_at[1] if stepped and self.step_at else 0,
            copies_failing=self._copies_failing(t_ms),
        )

    def _copies_failing(self, t_ms: int) -> tuple[CopiesFailing, ...]:
        if self.copies_fail_at is None or not self.copies_fail_at <= t_ms < self.copies_back_at:
            return ()
        since = moment(self.copies_fail_at)
        return (CopiesFailing("second-disk", since.utc_ms, "no space left"),)

    def _track(self, name: CameraId, t_ms: int) -> TrackSeen:
        begun_ms = 0
        for gap in self.gaps:
            if gap.track != name:
                continue
            if gap.span[0] <= t_ms < gap.span[1]:
                return TrackSeen(RecordingState.GAP, moment(gap.span[0]), gap.reason)
            if t_ms >= gap.span[1]:
                begun_ms = max(begun_ms, gap.span[1])
        return TrackSeen(RecordingState.RECORDING, moment(begun_ms))

    def stream(self, duration_ms: int) -> Iterator[Given]:
        """What the node says of itself, each half second; not in step with anything."""
        for t_ms in range(self.jitter, duration_ms, SEEN_EVERY_MS):
            yield Said(t_ms, self.seen(t_ms))


def _scenario(
    draw: Draw, machine: Machine, duration_ms: int, code: str, subject: str | None, span: Span
) -> Scenario:
    machine = replace(machine, jitter=draw.whole(0, SEEN_EVERY_MS - 1))
    return Scenario(
        name=code,
        seed=draw.seed,
        room=room(CAMERAS, speaks_for_node=True),
        duration_ms=duration_ms,
        open=lambda: merged(machine.stream(duration_ms), said(seal(2_000, 5))),
        truth=truths(code, subject, (span,)),
        # No picture comes in these: what is said of empty rooms is not measured.
        spare=(Spare(0, duration_ms, "area.empty_too_long"),),
        of_camera="none",
    )


def _blip(draw: Draw, track: CameraId, before_ms: int) -> Gap:
    """A gap that is over within the dwell: a camera that reconnects between two key frames."""
    at_ms = draw.whole(4_000, before_ms - 6_000)
    return Gap(track, (at_ms, at_ms + draw.whole(300, 3_500)), GapReason.STREAM_DAMAGED)


@family(GAP)
def track_stops(draw: Draw) -> Scenario:
    """A camera that is there is not recorded; before that, a gap too short to tell."""
    at_ms = draw.whole(20_000, 30_000)
    span = (at_ms, at_ms + draw.whole(8_000, 30_000))
    track = draw.one_of(*CAMERAS)
    gaps = (_blip(draw, track, at_ms), Gap(track, span, draw.one_of(*OF_STREAM)))
    return _scenario(draw, Machine(gaps), 75_000, GAP, track, span)


@family(DOWN)
def recorder_dies(draw: Draw) -> Scenario:
    """The recorder does not answer; it is back after more than ten seconds."""
    at_ms = draw.whole(10_000, 20_000)
    span = (at_ms, at_ms + draw.whole(13_000, 40_000))
    return _scenario(draw, Machine(down=span), 75_000, DOWN, None, span)


@family(LOW)
def disk_fills(draw: Draw) -> Scenario:
    """The disk fills past the mark, and somebody makes room."""
    low_at_ms = draw.whole(15_000, 25_000)
    freed_ms = low_at_ms + draw.whole(12_000, 25_000)
    slope = draw.share(0.00002, 0.00008)  # per cent a millisecond: a disk of a very busy node

    def free_percent(t_ms: int) -> float:
        return 40.0 if t_ms >= freed_ms else LOW_PERCENT - (t_ms - low_at_ms) * slope

    machine = Machine(free_percent=free_percent)
    return _scenario(draw, machine, 75_000, LOW, None, (low_at_ms, freed_ms))


@family(FAILING)
def disk_refuses(draw: Draw) -> Scenario:
    """Both cameras go unrecorded because of the disk."""
    at_ms = draw.whole(10_000, 20_000)
    span = (at_ms, at_ms + draw.whole(4_000, 30_000))
    reason = draw.one_of(*OF_DISK)
    machine = Machine(tuple(Gap(track, span, reason) for track in CAMERAS))
    return _scenario(draw, machine, 75_000, FAILING, None, span)


@family(UNSYNCHRONISED)
def clock_runs_free(draw: Draw) -> Scenario:
    """No time server answers for longer than the dwell, after minutes in which one did."""
    at_ms = draw.whole(30_000, 60_000)
    span = (at_ms, at_ms + draw.whole(620_000, 700_000))
    swing = draw.share(0.2, 40)
    machine = Machine(
        unsynchronised=span, offset_ms=lambda t_ms: swing * ((t_ms // 700) % 7 - 3) / 3
    )
    return _scenario(draw, machine, 800_000, UNSYNCHRONISED, None, span)


@family(STEPPED)
def clock_jumps(draw: Draw) -> Scenario:
    """The clock jumps by more than half a second, forward or back."""
    at_ms = draw.whole(10_000, 20_000)
    step_ms = draw.one_of(-1, 1) * draw.whole(600, 3_600_000)
    machine = Machine(step_at=(at_ms, step_ms))
    return _scenario(draw, machine, 60_000, STEPPED, None, (at_ms, 60_000))


@family(FROZEN, OFFLINE, name="camera.frozen/socket_open")
def socket_open(draw: Draw) -> Scenario:
    """A camera goes silent with its connection open (capture notices after 3 s), then is lost."""
    silent_ms = draw.whole(8_000, 14_000)
    noticed_ms = silent_ms + 3_000
    lost_ms = noticed_ms + draw.whole(4_000, 12_000)
    back_ms = lost_ms + draw.whole(5_000, 15_000)
    rows = (
        link(noticed_ms, CameraState.FROZEN, since_ms=silent_ms),
        link(lost_ms, CameraState.OFFLINE, since_ms=silent_ms),
        link(back_ms, CameraState.LIVE),
    )
    return Scenario(
        name="socket_open",
        seed=draw.seed,
        room=room(CAMERAS),
        duration_ms=60_000,
        open=lambda: merged(Machine().stream(60_000), said(seal(2_000, 5), *rows)),
        # Whichever stands first keeps the other from beginning: one fault sounds once.
        truth=(
            *truths(FROZEN, CAMERA, ((silent_ms, lost_ms),), dwell_ms=3_000),
            *truths(OFFLINE, CAMERA, ((lost_ms, back_ms),), must=False),
        ),
        spare=(Spare(0, 60_000, "area.empty_too_long"),),
        of_camera="none",
    )


@family(OFFLINE, name="camera.offline/hangs_up")
def hangs_up(draw: Draw) -> Scenario:
    """One of two cameras hangs up; earlier it reconnected at once, which is nothing to tell."""
    blip_ms = draw.whole(5_000, 8_000)
    lost_ms = draw.whole(15_000, 20_000)
    back_ms = lost_ms + draw.whole(3_000, 25_000)
    rows = (
        link(blip_ms, CameraState.OFFLINE),
        link(blip_ms + draw.whole(100, 500), CameraState.LIVE),
        link(lost_ms + draw.whole(0, 400), CameraState.OFFLINE, since_ms=lost_ms),
        link(back_ms, CameraState.LIVE),
    )
    return Scenario(
        name="hangs_up",
        seed=draw.seed,
        room=room(CAMERAS),
        duration_ms=60_000,
        open=lambda: merged(Machine().stream(60_000), said(seal(2_000, 5), *rows)),
        truth=truths(OFFLINE, CAMERA, ((lost_ms, back_ms),)),
        spare=(Spare(0, 60_000, "area.empty_too_long"),),
        of_camera="none",
    )


@family(COPIES)
def second_disk_full(draw: Draw) -> Scenario:
    """A place for copies takes none for longer than the dwell, and then some again."""
    at_ms = draw.whole(30_000, 60_000)
    span = (at_ms, at_ms + draw.whole(620_000, 700_000))
    machine = Machine(copies_fail_at=span[0], copies_back_at=span[1])
    return _scenario(draw, machine, 800_000, COPIES, None, span)


@family(OVERLOAD)
def analysis_lags(draw: Draw) -> Scenario:
    """Analysis falls behind on one camera for a while: too few pictures, or too late."""
    at_ms = draw.whole(15_000, 25_000)
    span = (at_ms, at_ms + draw.whole(15_000, 40_000))
    late = draw.share(0, 1) < 0.5
    bad = (5.0, draw.share(1_700, 6_000)) if late else (draw.share(0.2, 2.7), draw.share(50, 400))
    usual = [(draw.share(4.2, 5.0), draw.share(30, 900)) for _ in range(100)]
    blip_ms = draw.whole(3_000, 6_000)

    def loads() -> Iterator[Given]:
        for number, t_ms in enumerate(range(draw.seed % 900, 80_000, 1_000)):
            lags = span[0] <= t_ms < span[1] or blip_ms <= t_ms < blip_ms + 4_000
            for camera_id in CAMERAS:
                good = usual[number % len(usual)]
                per_s, delay_ms = bad if lags and camera_id == CAMERA else good
                yield Said(t_ms, LoadSeen(camera_id, moment(t_ms), 5.0, per_s, delay_ms))

    return Scenario(
        name="analysis_lags",
        seed=draw.seed,
        room=room(CAMERAS),
        duration_ms=80_000,
        open=loads,
        truth=truths(OVERLOAD, CAMERA, (span,)),
        spare=(Spare(0, 80_000, "area.empty_too_long"),),
        of_camera="none",
    )


@family(DRIFT)
def changed_under_seal(draw: Draw) -> Scenario:
    """Something that a seal froze differs for a while; compared each second, as the node does."""
    at_ms = draw.whole(10_000, 20_000)
    span = (at_ms, at_ms + draw.whole(5_000, 30_000))
    parts = draw.one_of(("rules",), ("zones",), ("devices",), ("rules", "zones"))

    def compared() -> Iterator[Given]:
        for t_ms in range(3_000 + draw.seed % 700, 60_000, 1_000):
            differs = span[0] <= t_ms < span[1]
            yield Said(t_ms, ConfigCompared(parts if differs else ()))

    return Scenario(
        name="changed_under_seal",
        seed=draw.seed,
        room=room(CAMERAS),
        duration_ms=60_000,
        open=lambda: merged(compared(), said(seal(2_000, 5))),
        # Late by up to the second between two comparisons: that is the node's dwell here.
        truth=truths(DRIFT, None, (span,), dwell_ms=500),
        spare=(Spare(0, 60_000, "area.empty_too_long"),),
        of_camera="none",
    )


FAMILIES: Final[tuple[Family, ...]] = (
    track_stops,
    recorder_dies,
    disk_fills,
    disk_refuses,
    clock_runs_free,
    clock_jumps,
    socket_open,
    hangs_up,
    second_disk_full,
    analysis_lags,
    changed_under_seal,
)
