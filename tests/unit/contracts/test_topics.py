"""Every topic is built and read back alike; what is not ours is nobody's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import topics
from contracts.topics import Kind, ParsedTopic
from contracts.units import ID_PATTERN

IDS = st.from_regex(ID_PATTERN, fullmatch=True)
ROOM_KINDS = [Kind.OBSERVATION, Kind.ALERT, Kind.ENTRY, Kind.ACCESS, Kind.APPLIED, Kind.VOICE]


@given(st.sampled_from(ROOM_KINDS), IDS, IDS)
def test_a_room_topic_reads_back(kind: Kind, site: str, room: str) -> None:
    topic = topics.room_topic(kind, site, room)
    assert topics.parse(topic) == ParsedTopic(kind, site, room=room)


@given(IDS, IDS)
def test_node_topics_read_back(site: str, node: str) -> None:
    for kind, topic in (
        (Kind.HEALTH, topics.health_topic(site, node)),
        (Kind.COMMAND, topics.command_topic(site, node)),
        (Kind.ACL_PROBE, topics.acl_probe_topic(site, node)),
    ):
        assert topics.parse(topic) == ParsedTopic(kind, site, node=node)


@given(IDS, IDS)
def test_an_ack_topic_reads_back_for_both_kinds_of_stream(site: str, node: str) -> None:
    for stream in (node, topics.command_stream(node)):
        parsed = topics.parse(topics.ack_topic(site, stream))
        assert parsed == ParsedTopic(Kind.ACK, site, stream=stream)


@given(IDS)
def test_a_room_keeps_its_partition(room: str) -> None:
    partition = topics.partition_of(room)
    assert 0 <= partition < topics.PARTITIONS
    assert partition == topics.partition_of(room)


def test_partitions_are_the_same_in_every_version() -> None:
    """A change here would split a room between two controllers during an upgrade."""
    assert [topics.partition_of(room) for room in ("room-1", "room-2", "corridor-1")] == [
        44,
        45,
        51,
    ]


def test_a_room_in_another_rooms_partition_is_refused() -> None:
    topic = topics.room_topic(Kind.ALERT, "demo", "room-1")
    right = f"/p/{topics.partition_of('room-1'):02d}/"
    wrong = f"/p/{(topics.partition_of('room-1') + 1) % topics.PARTITIONS:02d}/"
    assert right in topic
    assert topics.parse(topic.replace(right, wrong)) is None


@given(st.text(max_size=200))
def test_reading_any_text_never_raises(text: str) -> None:
    parsed = topics.parse(text)
    assert parsed is None or text.startswith(topics.ROOT)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "zeroentry/v1",
        "zeroentry/v1/demo/node/edge-1/health/more",
        "zeroentry/v2/demo/node/edge-1/health",
        "zeroentry/v1/demo/node/Edge_1/health",
        "zeroentry/v1/demo/node/+/health",
        "zeroentry/v1/demo/node/edge-1/health\n",
        "uagv/v2/ZeroEntrySim/sim-0001/state",
    ],
)
def test_what_is_not_ours(topic: str) -> None:
    assert topics.parse(topic) is None


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "Room", "a b", "-a", "a" * 41, "a\n"])
def test_names_that_would_change_a_topic_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must match"):
        topics.room_topic(Kind.ALERT, "demo", name)
    with pytest.raises(ValueError, match="must match"):
        topics.health_topic("demo", name)


def test_a_node_topic_is_not_a_rooms() -> None:
    with pytest.raises(ValueError, match="not a topic of a room"):
        topics.room_topic(Kind.HEALTH, "demo", "room-1")


def test_filters_cover_what_is_built() -> None:
    partition = topics.partition_of("room-1")
    one = topics.room_filter(Kind.ALERT, "demo", partition)
    every = topics.room_filter(Kind.ALERT, "demo")
    built = topics.room_topic(Kind.ALERT, "demo", "room-1").split("/")
    for pattern in (one, every, topics.room_filter(Kind.ALERT, "demo")):
        levels = pattern.split("/")
        assert len(levels) == len(built)
        assert all(mine in {"+", theirs} for mine, theirs in zip(levels, built, strict=True))
    assert topics.health_filter("demo") == "zeroentry/v1/demo/node/+/health"


def test_what_must_not_be_lost_goes_by_an_outbox_and_is_not_retained() -> None:
    for spec in topics.SPECS.values():
        if spec.durable:
            assert spec.qos == 1
            assert not spec.retain, f"{spec.kind}: a retained message would come again and again"
