"""A full inbox loses what its policy says, counts it, and never makes the sender wait."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import SimulatedClock
from runtime.mqtt import DropPolicy, Inbound, Inbox, topic_matches
from tests.fakes.waiting import until


def message(topic: str, text: str) -> Inbound:
    return Inbound(topic, text.encode(), retain=False, qos=1)


def filled(drop: DropPolicy, *texts: tuple[str, str], limit: int = 3) -> Inbox:
    inbox = Inbox("#", limit=limit, drop=drop)
    for topic, text in texts:
        inbox.put(message(topic, text))
    return inbox


def words(batch: list[Inbound]) -> list[str]:
    return [row.payload.decode() for row in batch]


FIVE = [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4"), ("c", "5")]


@pytest.mark.parametrize(
    ("drop", "left", "dropped", "superseded"),
    [
        (DropPolicy.OLDEST, ["3", "4", "5"], 2, 0),
        (DropPolicy.NEWEST, ["1", "2", "3"], 2, 0),
        (DropPolicy.LATEST_PER_TOPIC, ["4", "3", "5"], 0, 2),
    ],
)
async def test_a_full_inbox_drops_by_its_policy(
    drop: DropPolicy, left: list[str], dropped: int, superseded: int
) -> None:
    inbox = filled(drop, *FIVE)
    assert (inbox.dropped, inbox.superseded) == (dropped, superseded)
    assert words(await inbox.get_batch(10)) == left
    assert len(inbox) == 0


async def test_latest_per_topic_drops_the_oldest_topic_when_full_of_topics() -> None:
    inbox = filled(DropPolicy.LATEST_PER_TOPIC, ("a", "1"), ("b", "2"), ("c", "3"), limit=2)
    assert (words(await inbox.get_batch(10)), inbox.dropped) == (["2", "3"], 1)


async def test_a_batch_is_what_is_there_and_a_reader_waits_only_for_the_first() -> None:
    inbox = filled(DropPolicy.OLDEST, ("a", "1"), ("a", "2"))
    assert words(await inbox.get_batch(1)) == ["1"]
    assert words(await inbox.get_batch(5)) == ["2"]
    reader = asyncio.create_task(inbox.get())
    await SimulatedClock().settle()
    assert not reader.done()
    inbox.put(message("a", "3"))
    assert (await reader).payload == b"3"


async def test_an_inbox_is_iterated() -> None:
    inbox = Inbox("#", limit=2, drop=DropPolicy.OLDEST)
    seen: list[bytes] = []

    async def read() -> None:
        async for row in inbox:
            seen.append(row.payload)  # noqa: PERF401  # it never ends

    reader = asyncio.create_task(read())
    inbox.put(message("a", "1"))
    await until(lambda: seen == [b"1"], what="the first message is read")
    inbox.put(message("a", "2"))
    await until(lambda: seen == [b"1", b"2"], what="the second message is read")
    assert not reader.done()  # it waits for the third
    assert inbox.dropped == 0
    reader.cancel()


@given(
    st.sampled_from(DropPolicy),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12345")), max_size=30),
)
def test_nothing_is_lost_uncounted(
    drop: DropPolicy, limit: int, puts: list[tuple[str, str]]
) -> None:
    inbox = filled(drop, *puts, limit=limit)
    assert len(inbox) <= limit
    assert len(inbox) + inbox.dropped + inbox.superseded == len(puts)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+/c", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("+", "/a", False),
        ("+/+", "/a", True),
    ],
)
def test_filters_match_as_mqtt_says(topic_filter: str, topic: str, matches: bool) -> None:
    assert topic_matches(topic_filter, topic) is matches
