"""Shows which stamps a stream's first packets get, and that nothing is held back for long."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest
from av.packet import Packet
from av.stream import Stream

from edge.capture.first_stamps import HELD_MAX, stamped


@dataclass
class Plain:
    """What of a packet is looked at."""

    stream_index: int
    dts: int | None
    pts: int | None
    duration: int = 3_600
    size: int = 100


def through(packets: Sequence[Plain]) -> list[Plain]:
    given = cast("Sequence[Packet[Stream]]", packets)
    return cast("list[Plain]", list(stamped(given, frozenset((0, 1)))))


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 3_600, 7_200], [0, 3_600, 7_200]),
        ([None, 3_600, 7_200], [0, 3_600, 7_200]),
        ([None, None, 7_200], [0, 3_600, 7_200]),
        ([None, 90_000, None], [86_400, 90_000, None]),
    ],
)
def test_what_comes_before_the_first_stamp_is_counted_back_from_it(
    stamps: list[int | None], expected: list[int | None]
) -> None:
    sound = Plain(1, 0, 0, 1_024)
    got = through([sound, *(Plain(0, stamp, stamp) for stamp in stamps)])
    assert [packet.dts for packet in got if packet.stream_index == 0] == expected
    assert [packet.pts for packet in got if packet.stream_index == 0] == expected
    assert got[0] is sound


def test_sound_does_not_wait_for_the_picture() -> None:
    picture, sound, next_picture = Plain(0, None, None), Plain(1, 5, 5), Plain(0, 3_600, 3_600)
    assert through([picture, sound, next_picture]) == [sound, picture, next_picture]


def test_a_stream_without_any_stamp_passes_unstamped() -> None:
    packets = [Plain(0, None, None) for _ in range(HELD_MAX + 5)]
    got = through(packets)
    assert len(got) == len(packets)
    assert all(packet.dts is None for packet in got)


def test_a_stream_that_ends_early_loses_nothing() -> None:
    assert len(through([Plain(0, None, None)])) == 1


def test_a_stream_without_durations_is_left_as_it_came() -> None:
    got = through([Plain(0, None, None, duration=0), Plain(0, 5, 5, duration=0)])
    assert [packet.dts for packet in got] == [None, 5]
