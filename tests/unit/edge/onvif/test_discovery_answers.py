"""What is believed of a datagram that says it is a camera."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]  # publishes no types

from edge.capture.onvif_discovery import (
    DATAGRAM_MAX_BYTES,
    NAME_MAX_CHARS,
    InterfaceError,
    interface_address,
    matches,
    probe,
)
from tests.fakes.onvif_device.discovery import MATCH, SCOPES

ASKED = ("urn:uuid:1", "urn:uuid:2")
XADDR = "http://192.0.2.7:8000/onvif/device_service"


def datagram(
    xaddrs: str = XADDR,
    scopes: str = SCOPES,
    endpoint: str = "urn:uuid:aa",
    relates: str = "urn:uuid:2",
) -> bytes:
    return MATCH.format(xaddrs=xaddrs, scopes=scopes, endpoint=endpoint, relates=relates).encode()


def test_a_camera_that_answers() -> None:
    (found,) = matches(datagram(), "192.0.2.7", ASKED)
    assert (found.endpoint, found.host, found.port) == ("urn:uuid:aa", "192.0.2.7", 8000)
    assert (found.name, found.hardware, found.location) == ("IPC Test", "DS-2CD", "room-1")
    assert found.said_host is None


def test_a_camera_is_where_its_answer_came_from() -> None:
    (found,) = matches(datagram("http://10.0.0.1/x"), "192.0.2.7", ASKED)
    assert (found.host, found.port, found.said_host) == ("192.0.2.7", 80, "10.0.0.1")
    both = f"http://169.254.3.4/onvif/device_service {XADDR}"
    (found,) = matches(datagram(both), "192.0.2.7", ASKED)
    assert (found.port, found.said_host) == (8000, None)


@pytest.mark.parametrize("relates", ["uuid:2", "2", " urn:uuid:2\n"])
def test_an_id_that_lost_its_prefix_on_the_way(relates: str) -> None:
    assert matches(datagram(relates=relates), "192.0.2.7", ASKED)


def test_answers_that_are_nearly_right() -> None:
    text = datagram().decode()
    for old, new in (
        ("<d:ProbeMatches>", ""),
        ("</d:ProbeMatches>", ""),
        ("w:EndpointReference", "d:EndpointReference"),
    ):
        assert old in text
        text = text.replace(old, new)
    assert matches(text.encode(), "192.0.2.7", ASKED) == matches(datagram(), "192.0.2.7", ASKED)


def test_words_of_a_device_cannot_move_the_terminal() -> None:
    scopes = "onvif://www.onvif.org/name/a%1B%5B2Jb%0A" + "c" * 200
    (found,) = matches(datagram(scopes=scopes), "192.0.2.7", ASKED)
    assert found.name.startswith("a [2Jb c")
    assert found.name.isprintable()
    assert len(found.name) <= NAME_MAX_CHARS


BOMB = (
    b'<!DOCTYPE a [<!ENTITY x "yyyyyyyyyy"><!ENTITY z "&x;&x;&x;&x;&x;&x;&x;&x;">]>'
    + datagram().replace(b"IPC%20Test", b"&z;").split(b"?>", 1)[1]
)
OUTSIDE = (
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    + datagram().replace(b"IPC%20Test", b"&x;").split(b"?>", 1)[1]
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"stop",
        b"<a/>",
        datagram()[:-20],
        datagram(relates="urn:uuid:3"),
        datagram(xaddrs=""),
        datagram(xaddrs="ftp://192.0.2.7/ http://[/ http://192.0.2.7:x/"),
        datagram(endpoint=""),
        datagram(endpoint="a\nb"),
        BOMB,
        OUTSIDE,
        b" " * (DATAGRAM_MAX_BYTES + 1),
    ],
)
def test_what_is_no_answer_to_us(data: bytes) -> None:
    assert matches(data, "192.0.2.7", ASKED) == ()


@given(st.binary(max_size=300))
def test_any_datagram_is_read_or_passed_over(data: bytes) -> None:
    assert matches(data, "192.0.2.7", ASKED) == ()


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="<&"))


@given(TEXT, TEXT, TEXT)
def test_any_words_in_a_well_formed_answer(xaddrs: str, scopes: str, endpoint: str) -> None:
    for found in matches(datagram(xaddrs, scopes, endpoint), "192.0.2.7", ASKED):
        assert found.host == "192.0.2.7"
        assert 0 < found.port < 65_536
        assert (found.name + found.hardware + found.location).isprintable()


@pytest.mark.parametrize("types", ["dn:NetworkVideoTransmitter", "dn:Device"])
def test_a_probe_says_what_is_looked_for(types: str) -> None:
    root = etree.fromstring(probe("urn:uuid:1", types))
    wsd = "{http://schemas.xmlsoap.org/ws/2005/04/discovery}"
    element = next(root.iter(f"{wsd}Types"))
    assert element.text == types
    assert element.nsmap["dn"].startswith("http://www.onvif.org/ver10/")


def test_interfaces_by_name_and_by_address() -> None:
    assert interface_address("lo") == "127.0.0.1"
    assert interface_address("192.0.2.2") == "192.0.2.2"
    for name in ("nope0", "a-name-that-is-too-long-for-linux", "1.2.3.x", ""):
        with pytest.raises(InterfaceError, match=r"there are: .*lo"):
            interface_address(name)
