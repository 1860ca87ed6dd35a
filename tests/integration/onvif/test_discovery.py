"""Finds simulated cameras over real sockets, by multicast on loopback and by asking one."""

import pytest

from edge.capture.onvif_discovery import Found, InterfaceError, discover
from runtime.clock import SystemClock
from tests.fakes.onvif_device import DiscoveryResponder

CLOCK = SystemClock()
WAIT_MS = 350  # above REPEAT_MS, so that both probes are sent
XADDR = "http://192.168.1.64:8000/onvif/device_service"
FOUND = Found(
    endpoint="urn:uuid:00000000-0000-4000-8000-0000000000aa",
    host="127.0.0.1",
    port=8000,
    name="IPC Test",
    hardware="DS-2CD",
    location="room-1",
    said_host="192.168.1.64",
)


@pytest.mark.parametrize("interface", ["lo", "127.0.0.1"])
async def test_by_multicast_each_device_once(interface: str) -> None:
    with DiscoveryResponder(XADDR, copies=3) as camera:
        found = await discover(CLOCK, interfaces=(interface,), port=camera.port, wait_ms=WAIT_MS)
    assert found == (FOUND,)
    assert len(camera.probes) == 4, "two kinds of probe, each twice"


async def test_one_address_asked_directly() -> None:
    with DiscoveryResponder(XADDR) as camera:
        assert await discover(CLOCK, host="127.0.0.1", port=camera.port, wait_ms=WAIT_MS) == (
            FOUND,
        )


async def test_junk_between_the_answers() -> None:
    with DiscoveryResponder(XADDR, alter=lambda text: text.encode()[:-9]) as camera:
        assert await discover(CLOCK, host="127.0.0.1", port=camera.port, wait_ms=WAIT_MS) == ()
    assert camera.probes


async def test_nobody_answers() -> None:
    with DiscoveryResponder(XADDR) as camera:
        port = camera.port
    assert await discover(CLOCK, host="127.0.0.1", port=port, wait_ms=1) == ()


async def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(InterfaceError, match="nope0"):
        await discover(CLOCK, interfaces=("nope0",), wait_ms=1)
