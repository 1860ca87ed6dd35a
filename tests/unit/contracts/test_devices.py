"""What a site's devices may say, and what is refused with which words."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.devices import (
    CameraConfig,
    Named,
    NodeConfig,
    RobotConfig,
    Site,
    SiteConfig,
    StreamConfig,
    cross_problems,
)
from contracts.facilities import DoorBoardLink, DoorConfig

NAME = Named(zh="名", en="Name")
REFUSED_PASSWORD = (
    "carries a user name or password. Write the address without them, add `credential: NAME`, "
    "and store them encrypted: zeroentry credential set NAME"
)


def stream(url: str) -> StreamConfig:
    return StreamConfig(url=url, width=640, height=360, fps=10)


def reason(url: str) -> str:
    with pytest.raises(ValidationError) as caught:
        stream(url)
    return str(caught.value.errors()[0]["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:secret@192.0.2.1/stream",
        "rtsp://admin@192.0.2.1/stream",
        "rtsp://:secret@192.0.2.1/stream",
        "rtsp://@192.0.2.1/stream",
        "rtsps://a:b@camera.example:322/1",
    ],
)
def test_a_password_in_an_address_is_refused_with_the_way_to_store_it(url: str) -> None:
    assert reason(url) == REFUSED_PASSWORD
    assert "secret" not in reason(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://192.0.2.1/", "must begin with rtsp://"),
        ("192.0.2.1", "must begin with rtsp://"),
        ("rtsp:///stream", "has no host"),
    ],
)
def test_other_addresses_that_cannot_be(url: str, words: str) -> None:
    assert words in reason(url)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://192.0.2.1:554/a?b=1",
        "rtsps://cam.example/1",
        "file:///srv/a.mp4",
        "v4l2:///dev/video0",
    ],
)
def test_addresses_that_can(url: str) -> None:
    assert stream(url).url == url


@given(st.text(max_size=60))
def test_any_address_is_taken_or_refused_in_words(url: str) -> None:
    try:
        taken = stream(url).url
    except ValidationError:
        assert reason(url)
    else:
        assert taken == url


def test_the_analysed_stream_is_the_smaller_one() -> None:
    main, sub = stream("rtsp://a/1"), stream("rtsp://a/2")
    camera = CameraConfig(kind="camera", id="c", area="room-1", name=NAME, main=main)
    assert camera.analysed is main
    assert camera.model_copy(update={"sub": sub}).analysed is sub


def robot(name: str, serial: str) -> RobotConfig:
    return RobotConfig(
        kind="robot", id=name, name=NAME, manufacturer="M", serial_number=serial, home_node="h"
    )


def test_references_between_devices() -> None:
    config = SiteConfig.model_validate(
        {
            "kind": "site",
            "id": "s",
            "name": {"zh": "名", "en": "Name"},
            "map": "maps/a.lif.json",
            "kitchen_node": "k",
            "areas": [{"id": "room-1", "name": {"zh": "名", "en": "Name"}}],
        }
    )
    site = Site(
        config=config,
        cameras=(
            CameraConfig(
                kind="camera", id="c", area="room-9", name=NAME, main=stream("rtsp://a/1")
            ),
        ),
        nodes=(
            NodeConfig(kind="node", id="n1", areas=("room-1",)),
            NodeConfig(kind="node", id="n2", areas=("room-1", "room-8")),
        ),
        robots=(robot("r1", "1"), robot("r1", "1")),
    )
    assert cross_problems(site) == [
        ("camera c: area", "no area 'room-9'; ['room-1']"),
        ("node n2: areas", "room-1 is watched by n1 already"),
        ("node n2: areas", "no area 'room-8'; ['room-1']"),
        ("robot r1: id", "is used twice"),
        ("robot r1: id", "is used twice"),
        ("robot r1: serial_number", "two robots share manufacturer and serial number"),
        ("robot r1: serial_number", "two robots share manufacturer and serial number"),
    ]
    assert site.area("room-1").id == "room-1"
    with pytest.raises(KeyError):
        site.area("room-9")


RAW_KEY = bytes(range(32))


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(RAW_KEY).decode(),
        base64.b64encode(bytes.fromhex("302a300506032b6570032100") + RAW_KEY).decode(),
    ],
)
def test_a_nodes_public_key_is_taken_raw_or_as_in_its_pem_file(text: str) -> None:
    node = NodeConfig(kind="node", id="edge-1", areas=("room-1",), evidence_key=text)
    assert node.evidence_key_raw == RAW_KEY


@pytest.mark.parametrize("text", ["", "no key", base64.b64encode(b"short").decode()])
def test_what_is_no_public_key_is_refused_with_where_to_find_it(text: str) -> None:
    with pytest.raises(ValidationError, match="copy the line between BEGIN and END"):
        NodeConfig(kind="node", id="edge-1", areas=("room-1",), evidence_key=text)


def test_two_boards_of_one_prefix_and_a_relay_that_two_doors_drive_are_named() -> None:
    door = DoorConfig.model_validate(
        {
            "kind": "door",
            "id": "one",
            "name": {"zh": "门", "en": "Door"},
            "ways": [["a", "b"]],
            "link": {"via": "mqtt", "board": "relay-1", "relay": "door", "contact": "open"},
        }
    )
    assert isinstance(door.link, DoorBoardLink)
    same = door.model_copy(update={"id": "two", "ways": (("c", "d"),)})
    link = door.link.model_copy(update={"board": "relay-2", "prefix": "relay-1", "relay": "other"})
    foreign = door.model_copy(update={"id": "three", "ways": (("e", "f"),), "link": link})
    area = {"id": "room-1", "name": NAME.model_dump()}
    config = SiteConfig.model_validate(
        {"kind": "site", "id": "s", "name": NAME.model_dump(), "kitchen_node": "a", "areas": [area]}
        | {"map": "map.lif.json"}
    )
    site = Site(config=config, doors=(door, same, foreign))
    said = [row for row in cross_problems(site) if row[0].endswith(": link")]
    assert said == [
        ("door two: link", "switch/door of relay-1 is driven by one already"),
        ("door three: link", "prefix relay-1 is board relay-1's already"),
    ]
