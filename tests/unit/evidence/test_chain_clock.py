"""A clock that ran ahead over midnight and stepped back: the day's first line is in its place."""

import base64
from typing import Any

import pytest

from contracts.evidence.chain import ChainState, FaultKind, Keys, day_of, file_name, step
from contracts.evidence.entries import (
    NOTHING,
    At,
    Changed,
    ClockSource,
    ClockState,
    Ending,
    Entry,
    Media,
    Opened,
    Segment,
)
from contracts.evidence.lines import sign_line
from contracts.units import MonoMs, UtcMs
from runtime.signing import SigningKey
from zeroentry.evidence.trust import check_signature

DAY_MS = 86_400_000
EVENING = 20_000 * DAY_MS - 1_800_000  # half past eleven
AHEAD = EVENING + 3_600_000
TODAY, TOMORROW = day_of(EVENING), day_of(AHEAD)
KEY = SigningKey.generate()
KEYS = Keys({KEY.id: KEY.public_raw}, check_signature)


def at(utc_ms: int) -> At:
    return At(utc_ms=UtcMs(utc_ms), mono_ms=MonoMs(1_000), boot_id="b")


def header(state: ChainState | None, utc_ms: int) -> dict[str, Any]:
    return {
        "key": KEY.id,
        "site": "demo",
        "node": "edge-1",
        "track": "room-1-cam",
        "sequence": state.sequence + 1 if state else 1,
        "previous": state.head if state else NOTHING,
        "recorded": at(utc_ms),
        "clock": ClockState(source=ClockSource.UNKNOWN),
    }


def segment(start_utc_ms: int, state: ChainState) -> Segment:
    return Segment(
        **header(state, EVENING),
        number=1,
        file=file_name("room-1-cam", 1, start_utc_ms),
        bytes=1,
        sha256=NOTHING,
        start=at(start_utc_ms),
        duration_ms=1_000,
        media=Media(),
        ending=Ending.FULL,
    )


def opened() -> ChainState:
    entry = Opened(
        **header(None, EVENING),
        version="1",
        public_key=base64.b64encode(KEY.public_raw).decode(),
    )
    state, _, faults = step(None, sign_line(entry, KEY.sign), KEYS, day=TODAY)
    assert not faults
    return state


def faults_of(entry: Entry, state: ChainState) -> list[FaultKind]:
    _, _, faults = step(state, sign_line(entry, KEY.sign), KEYS, day=TOMORROW)
    return [fault.kind for fault in faults]


@pytest.mark.parametrize(
    ("before", "kinds"),
    [
        (f"utc_ms {AHEAD}", []),
        (f"utc_ms {EVENING}", [FaultKind.DAY]),
        ("", [FaultKind.DAY]),
        ("utc_ms ٣", [FaultKind.DAY]),
        ("utc_ms " + "9" * 100, [FaultKind.TIME]),
    ],
)
def test_a_step_is_in_the_day_that_the_clock_showed_before_it(
    before: str, kinds: list[FaultKind]
) -> None:
    state = opened()
    entry = Changed(**header(state, EVENING), what="clock_step", before=before, after="")
    assert faults_of(entry, state) == kinds


def test_a_file_is_entered_in_the_day_in_which_it_began() -> None:
    state = opened()
    assert faults_of(segment(AHEAD, state), state) == []
    assert faults_of(segment(EVENING, state), state) == [FaultKind.DAY]
