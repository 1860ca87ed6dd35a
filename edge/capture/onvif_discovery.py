"""Finds ONVIF devices by WS-Discovery: probes over UDP, and what may be believed of the answers."""

from __future__ import annotations

import asyncio
import fcntl
import re
import socket
import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from edge.capture.onvif_profiles import OnvifLost
from edge.capture.onvif_transport import parse_safely, shown
from runtime.clock import Clock

GROUP: Final = "239.255.255.250"
PORT: Final = 3702  # WS-Discovery 1.1, 2.4 (SOAP-over-UDP)
WAIT_MS: Final = 3_000  # devices wait up to 0.5 s before they answer, slow ones take 2 s
REPEAT_MS: Final = 250  # UDP loses datagrams: each probe is sent twice (SOAP-over-UDP, 3.1)
DATAGRAM_MAX_BYTES: Final = 65_507  # the largest there is; an answer has 1 to 4 kB
DEVICES_MAX: Final = 512  # a centre has 300 cameras; beyond that somebody invents devices
MATCHES_MAX: Final = 16  # in one datagram: a device answers for itself
NAME_MAX_CHARS: Final = 64
TTL_HOPS: Final = 1  # a probe stays in its network

_SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
_WSA: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_WSD: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_TYPES: Final = {
    "dn:NetworkVideoTransmitter": "http://www.onvif.org/ver10/network/wsdl",
    "dn:Device": "http://www.onvif.org/ver10/device/wsdl",
}
"""What is looked for: cameras, and devices that say no more than that they are one."""

_SIOCGIFADDR: Final = 0x8915  # netdevice(7)
_IFNAME_BYTES: Final = 15
_ENDPOINT: Final = re.compile(r"[\x21-\x7e]{1,128}")


class InterfaceError(ValueError):
    """There is no such network interface, or it has no IPv4 address."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered. ``host`` is where its answer came from, not what it says of itself.

    ``name``, ``hardware`` and ``location`` are its own words, made safe to print. ``said_host`` is
    the address that it gave itself, when that is another.
    """

    endpoint: str
    host: str
    port: int
    name: str = ""
    hardware: str = ""
    location: str = ""
    said_host: str | None = None


def probe(message_id: str, types: str) -> bytes:
    """A Probe for one of ``_TYPES``, as ONVIF Core 7.3 wants it."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<e:Envelope xmlns:e="{_SOAP}" xmlns:w="{_WSA}" xmlns:d="{_WSD}" '
        f'xmlns:dn="{_TYPES[types]}">'
        f"<e:Header><w:MessageID>{message_id}</w:MessageID>"
        "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
        f"<w:Action>{_WSD}/Probe</w:Action></e:Header>"
        f"<e:Body><d:Probe><d:Types>{types}</d:Types></d:Probe></e:Body></e:Envelope>"
    ).encode()


def matches(datagram: bytes, sender: str, asked: Sequence[str]) -> tuple[Found, ...]:
    """The devices in one datagram from ``sender``; empty for whatever is no answer to ``asked``.

    Whoever sends a datagram may write anything into it. So a device is taken to be where its answer
    came from; of the addresses that it gives itself only the port is used.
    """
    if not 0 < len(datagram) <= DATAGRAM_MAX_BYTES:
        return ()
    try:
        root = parse_safely(datagram)
    except OnvifLost:
        return ()
    related = (root.findtext(f"{{{_SOAP}}}Header/{{{_WSA}}}RelatesTo") or "").strip()
    # Some devices drop "urn:" or "urn:uuid:" on the way; the id behind it is what counts.
    if related.rpartition(":")[2] not in {each.rpartition(":")[2] for each in asked}:
        return ()
    # Some devices leave out ProbeMatches around it, or misname EndpointReference.
    said = islice(root.iter(f"{{{_WSD}}}ProbeMatch"), MATCHES_MAX)
    found = [_found(each, sender) for each in said]
    return tuple(each for each in found if each is not None)


def _found(said: Any, sender: str) -> Found | None:  # noqa: ANN401 - lxml publishes no types
    endpoint = _text(said, f".//{{{_WSA}}}Address")
    if _ENDPOINT.fullmatch(endpoint) is None:
        return None
    addresses = [_http_address(each) for each in _text(said, f"{{{_WSD}}}XAddrs").split()]
    known = [each for each in addresses if each is not None]
    if not known:
        return None
    host, port = next((each for each in known if each[0] == sender), known[0])
    scopes = _scopes(_text(said, f"{{{_WSD}}}Scopes"))
    return Found(
        endpoint=endpoint,
        host=sender,
        port=port,
        name=scopes.get("name", ""),
        hardware=scopes.get("hardware", ""),
        location=scopes.get("location", ""),
        said_host=None if host == sender else shown(host),
    )


def _text(said: Any, path: str) -> str:  # noqa: ANN401 - lxml publishes no types
    return (said.findtext(path) or "").strip()


def _http_address(text: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host:
        return None
    return host, port or (443 if parts.scheme == "https" else 80)


def _scopes(text: str) -> Mapping[str, str]:
    """``onvif://www.onvif.org/KEY/VALUE`` by key; the first of each."""
    found: dict[str, str] = {}
    for scope in text.split():
        key, separator, value = scope.removeprefix("onvif://www.onvif.org/").partition("/")
        if separator and scope.startswith("onvif://www.onvif.org/"):
            found.setdefault(key.lower(), shown(unquote(value))[:NAME_MAX_CHARS])
    return found


def interface_address(name: str) -> str:
    """The IPv4 address of an interface (``eth0``), or ``name`` itself when it is an address.

    Raises:
        InterfaceError: there is no such interface, or it has no IPv4 address.
    """
    try:
        return socket.inet_ntoa(socket.inet_aton(name)) if name.count(".") == 3 else _lookup(name)
    except OSError as error:
        known = ", ".join(sorted(own for _, own in socket.if_nameindex()))
        reason = error.strerror or "not an IPv4 address"
        raise InterfaceError(f"interface {name!r}: {reason}; there are: {known}") from None


def interface_addresses() -> tuple[str, ...]:
    """The IPv4 addresses of all interfaces but loopback."""
    found: list[str] = []
    for _, name in socket.if_nameindex():
        try:
            address = _lookup(name)
        except OSError:
            continue  # it has none
        if not address.startswith("127."):
            found.append(address)
    return tuple(found)


def _lookup(name: str) -> str:
    if len(name.encode()) > _IFNAME_BYTES:
        raise OSError(19, "No such device")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        request = struct.pack("256s", name.encode())
        return socket.inet_ntoa(fcntl.ioctl(asker.fileno(), _SIOCGIFADDR, request)[20:24])


async def discover(
    clock: Clock,
    *,
    interfaces: Sequence[str] = (),
    host: str | None = None,
    port: int = PORT,
    wait_ms: int = WAIT_MS,
) -> tuple[Found, ...]:
    """Every device that answers within ``wait_ms``, each once, sorted by address.

    ``interfaces`` are names or IPv4 addresses to ask from; none: all but loopback. With ``host`` it
    is asked directly, without multicast: for a device behind a router.

    Raises:
        InterfaceError: an interface that is not there.
        OSError: the network refuses; says why.
    """
    sources = [interface_address(name) for name in interfaces]
    if not sources:
        sources = [""] if host else list(interface_addresses())
    collector = _Collector()
    loop = asyncio.get_running_loop()
    transports: list[asyncio.DatagramTransport] = []
    try:
        for source in sources:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: collector, sock=_socket(source)
            )
            transports.append(transport)
        target = (await _resolved(host) if host else GROUP, port)
        for wait in (REPEAT_MS, max(wait_ms - REPEAT_MS, 0)):
            for transport in transports:
                for message_id, types in collector.asked.items():
                    transport.sendto(probe(message_id, types), target)
            await clock.sleep_ms(wait)
    finally:
        for transport in transports:
            transport.close()
    return tuple(sorted(collector.found.values(), key=lambda each: (_order(each.host), each.port)))


class _Collector(asyncio.DatagramProtocol):
    """Keeps what answers, each endpoint once."""

    def __init__(self) -> None:
        self.asked: Mapping[str, str] = {f"urn:uuid:{uuid.uuid4()}": types for types in _TYPES}
        self.found: dict[str, Found] = {}

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        for each in matches(data, str(addr[0]), tuple(self.asked)):
            # The address belongs to the key: two cameras sold with one serial number are two.
            key = f"{each.endpoint} {each.host}"
            if len(self.found) < DEVICES_MAX:
                self.found.setdefault(key, each)

    def error_received(self, exc: Exception) -> None:
        """An ICMP refusal of one host is no reason to stop asking the others."""


def _socket(source: str) -> socket.socket:
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        asker.setblocking(False)
        asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL_HOPS)
        if source:
            asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        asker.bind((source, 0))
    except OSError:
        asker.close()
        raise
    return asker


async def _resolved(host: str) -> str:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])


def _order(host: str) -> bytes:
    return socket.inet_aton(host)
