"""Judges the node itself: its disk, its clock, the copies it makes, what its rooms run under."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.catalogue import CLOCK_STEPPED, CLOCK_UNSYNCHRONISED, DISK_FAILING, DISK_LOW
from contracts.catalogue.node import CONFIG_DRIFT, COPIES_FAILING
from contracts.evidence.entries import ClockSource
from contracts.observations import Measured, RecordingState
from contracts.units import Bilingual
from edge.core.holding import Judgement
from edge.core.machine_watch import RESUME_POINTS
from edge.core.people import Instant
from edge.core.rules.recording import OF_THE_DISK
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import RecordingSeen, RoomState


@dataclass(frozen=True, slots=True)
class Held:
    """Whether a condition holds (None: unknown), what was measured, and what to say of it.

    ``lasting_ms``: for how long it has held already, where that is known.
    """

    holds: bool | None
    measured: tuple[Measured, ...] = ()
    saw: Bilingual | None = None
    lasting_ms: int = 0


UNKNOWN: Final = Held(None)


def _of_node(
    state: RoomState, now: Instant, judge: Callable[[RecordingSeen], Held]
) -> tuple[Finding, ...]:
    if not state.setup.speaks_for_node:
        return ()
    seen = state.recording
    if seen is None:
        return (Finding(None, Judgement(None, now, now)),)
    held = judge(seen)
    since = Instant(
        type(seen.at.mono_ms)(seen.at.mono_ms - held.lasting_ms),
        type(seen.at.utc_ms)(seen.at.utc_ms - held.lasting_ms),
    )
    judged = Judgement(held.holds, since, seen.at)
    return (Finding(None, judged, measured=held.measured, saw=held.saw),)


def judge_disk_low(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    stands = state.alert_of(DISK_LOW.code) is not None

    def judge(seen: RecordingSeen) -> Held:
        free, low = seen.disk.free_percent, seen.disk_low_percent
        if free is None or not seen.running:
            return UNKNOWN
        measured = Measured(name="disk_free", value=round(free, 1), limit=low, unit="%")
        saw = Bilingual(
            f"录像磁盘剩余 {free:.1f}%，低于设定的 {low:g}%。",
            f"{free:.1f} % of the recording disk is free; the settings ask for {low:g} %.",
        )
        return Held(free < (low + RESUME_POINTS if stands else low), (measured,), saw)

    return _of_node(state, now, judge)


def judge_disk_failing(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""

    def judge(seen: RecordingSeen) -> Held:
        if not seen.running:
            return UNKNOWN
        stopped = sum(
            1
            for track in seen.tracks.values()
            if track.state is not RecordingState.RECORDING and track.reason in OF_THE_DISK
        )
        measured = Measured(name="tracks_unrecorded", value=stopped, limit=0)
        error = seen.disk.error
        saw = Bilingual(
            f"因磁盘原因有 {stopped} 路没有录像" + (f"；{error}。" if error else "。"),
            f"{stopped} tracks are not recorded because of the disk"
            + (f": {error}." if error else "."),
        )
        return Held(stopped > 0 or error is not None, (measured,), saw)

    return _of_node(state, now, judge)


def judge_clock_unsynchronised(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    limit_ms = settings["offset_max_ms"]

    def judge(seen: RecordingSeen) -> Held:
        clock = seen.clock
        if clock.source is ClockSource.UNKNOWN:
            return UNKNOWN
        free = clock.source is ClockSource.UNSYNCHRONISED
        if clock.offset_ms is None:
            return Held(free, (), FREE_CLOCK)
        offset_ms = abs(clock.offset_ms)
        measured = Measured(name="clock_offset", value=offset_ms, limit=limit_ms, unit="ms")
        far = offset_ms > limit_ms
        saw = Bilingual(
            f"节点时钟与时间服务器相差 {offset_ms:.0f} 毫秒，上限 {limit_ms:.0f} 毫秒。",
            f"The node's clock is {offset_ms:.0f} ms from its time server's; at most "
            f"{limit_ms:.0f} ms are allowed.",
        )
        return Held(far or free, (measured,), saw if far else FREE_CLOCK)

    return _of_node(state, now, judge)


FREE_CLOCK: Final = Bilingual(
    "节点时钟没有跟随任何时间服务器。", "The node's clock follows no time server."
)


def judge_clock_stepped(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""

    def judge(seen: RecordingSeen) -> Held:
        if not seen.running:
            return UNKNOWN
        step_ms = seen.clock_step_ms
        measured = Measured(name="clock_step", value=step_ms, unit="ms")
        saw = Bilingual(
            f"节点时钟{'前进' if step_ms > 0 else '后退'}了 {abs(step_ms)} 毫秒。",
            f"The node's clock jumped {'ahead' if step_ms > 0 else 'back'} by {abs(step_ms)} ms.",
        )
        return Held(step_ms != 0, (measured,), saw)

    return _of_node(state, now, judge)


def judge_copies_failing(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""

    def judge(seen: RecordingSeen) -> Held:
        failing = seen.copies_failing
        if not failing:
            return Held(False)
        worst = min(failing, key=lambda one: one.since_utc_ms)
        # A clock that stepped back in between must not make it last less than nothing.
        lasting_ms = max(seen.at.utc_ms - worst.since_utc_ms, 0)
        minutes = lasting_ms / 60_000
        measured = (
            Measured(name="without_copies", value=round(minutes, 1), unit="min"),
            Measured(name="places_failing", value=len(failing), limit=0),
        )
        names = ", ".join(sorted(one.place for one in failing))
        saw = Bilingual(
            f"备份位置 {names} 已 {minutes:.0f} 分钟没有接收录像副本：{worst.error}",
            f"{names} has taken no copies of recordings for {minutes:.0f} min: {worst.error}",
        )
        return Held(True, measured, saw, lasting_ms)

    return _of_node(state, now, judge)


DRIFT_NAMES: Final[Mapping[str, Bilingual]] = {
    "rules": Bilingual("规则", "rules"),
    "zones": Bilingual("区域", "zones"),
    "devices": Bilingual("设备配置", "devices"),
}


def judge_config_drift(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``. Of each room, while it is sealed."""
    drifted = state.drifted
    if not drifted:
        # Compared while sealed; a room that is open has nothing to differ from.
        return (Finding(None, Judgement(False, now, now)),)
    names = [DRIFT_NAMES.get(one, Bilingual(one, one)) for one in drifted]
    saw = Bilingual(
        f"与封闭时冻结的不同：{'、'.join(one.zh for one in names)}。",
        f"Not as the seal froze them: {', '.join(one.en for one in names)}.",
    )
    measured = (Measured(name="parts_different", value=len(drifted), limit=0),)
    return (Finding(None, Judgement(True, now, now), measured=measured, saw=saw),)


_WAKES = frozenset({Wake.RECORDING, Wake.LINK, Wake.TIME})

LOW = Rule(DISK_LOW, judge_disk_low, _WAKES)
FAILING = Rule(DISK_FAILING, judge_disk_failing, _WAKES)
UNSYNCHRONISED = Rule(CLOCK_UNSYNCHRONISED, judge_clock_unsynchronised, _WAKES)
STEPPED = Rule(CLOCK_STEPPED, judge_clock_stepped, _WAKES)
COPIES = Rule(COPIES_FAILING, judge_copies_failing, _WAKES)
DRIFT = Rule(CONFIG_DRIFT, judge_config_drift, frozenset({Wake.ORDER, Wake.TIME}))
