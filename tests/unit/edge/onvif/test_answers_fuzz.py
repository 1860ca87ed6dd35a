"""Whatever a device answers ends in a report or in ``OnvifLost``: nothing else comes out."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]  # publishes no types

from edge.capture.onvif import OnvifDevice, examine_open
from edge.capture.onvif_profiles import OnvifLost, OnvifReason
from edge.capture.onvif_transport import ANSWER_MAX_BYTES
from runtime.clock import SystemClock
from tests.fakes.onvif_device import DeviceState, FakeOnvifDevice

HOST = "192.0.2.55"  # nobody is there: a request that left the fake would fail
Alter = Callable[[str, bytes], bytes]


def ask(alter: Alter, *, media2: bool) -> OnvifLost | None:
    """One visit to a device whose answers are altered; None when it ended in a report."""
    fake = FakeOnvifDevice(DeviceState(media2=media2), serve=False)

    def answer(request: httpx.Request) -> httpx.Response:
        status, headers, body = fake.answer(request.content, digest_ok=False)
        return httpx.Response(status, headers=headers, content=alter(fake.asked[-1], body))

    async def visit() -> None:
        device = OnvifDevice(HOST, 80, (fake.state.user, fake.state.password), SystemClock())
        await device._transport.client.aclose()
        device._transport.client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        try:
            report = await examine_open(await device.open())
        finally:
            await device.close()
        for uri in (*report.streams.values(), *report.snapshots.values()):
            assert urlsplit(uri).hostname == HOST

    try:
        asyncio.run(visit())
    except OnvifLost as lost:
        return lost
    return None


def test_the_way_of_asking_is_right() -> None:
    assert ask(lambda operation, body: body, media2=True) is None


OPERATIONS = (
    "GetSystemDateAndTime", "GetServices", "GetDeviceInformation", "GetProfiles", "GetStreamUri",
    "GetSnapshotUri", "GetNTP",
)  # fmt: skip
ODD_TEXT = st.sampled_from(
    ["", "-1", "99999999999999999999", "1e999", "NaN", "inf", "true", "0x10", "P", "T",
     "rtsp://evil.example:22/x", "http://169.254.169.254/", "file:///etc/passwd", "\u202e",
     "\u4e2d" * 300, "2026-02-30", " "]
)  # fmt: skip


def altered(body: bytes, at: int, how: str, text: str) -> bytes:
    """The answer with one of its elements changed."""
    root = etree.fromstring(body)
    elements = [each for each in root.iter() if each.getparent() is not None]
    element = elements[at % len(elements)]
    if how == "drop":
        element.getparent().remove(element)
    elif how == "double":
        element.addnext(etree.fromstring(etree.tostring(element)))
    elif how == "rename":
        element.tag = "{urn:other}Thing"
    elif how == "attribute":
        for name in element.attrib:
            element.set(name, text)
    elif how == "empty":
        del element[:]
    else:
        element.text = text
    return bytes(etree.tostring(root))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(OPERATIONS),
    st.integers(0, 200),
    st.sampled_from(["drop", "double", "rename", "attribute", "empty", "text"]),
    ODD_TEXT,
    st.booleans(),
)
def test_an_answer_with_one_odd_element(
    operation: str, at: int, how: str, text: str, media2: bool
) -> None:
    def alter(asked: str, body: bytes) -> bytes:
        return altered(body, at, how, text) if asked == operation else body

    lost = ask(alter, media2=media2)
    assert lost is None or lost.reason in OnvifReason


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(OPERATIONS), st.binary(max_size=200), st.booleans())
def test_an_answer_of_any_bytes(operation: str, data: bytes, media2: bool) -> None:
    lost = ask(lambda asked, body: data if asked == operation else body, media2=media2)
    # Snapshots and NTP may be missing; with the rest it is no ONVIF device.
    assert lost is not None or operation in {"GetSnapshotUri", "GetNTP"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", OnvifReason.NOT_ONVIF),
        (b"<html><body>Login</body></html>", OnvifReason.NOT_ONVIF),
        (b"<!DOCTYPE html><html/>", OnvifReason.NOT_ONVIF),
        (b"{}", OnvifReason.NOT_ONVIF),
        (b" " * (ANSWER_MAX_BYTES + 1), OnvifReason.BAD_ANSWER),
    ],
)
def test_answers_that_are_no_soap(data: bytes, reason: OnvifReason) -> None:
    lost = ask(lambda asked, body: data, media2=True)
    assert lost is not None
    assert lost.reason is reason
