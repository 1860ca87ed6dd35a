"""Answers WS-Discovery probes as a camera does, by multicast and straight, on loopback."""

import re
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

GROUP = "239.255.255.250"
MATCH = """<?xml version="1.0" encoding="utf-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
 xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:dn="http://www.onvif.org/ver10/network/wsdl">
<e:Header><w:MessageID>urn:uuid:11111111-1111-4111-8111-111111111111</w:MessageID>
<w:RelatesTo>{relates}</w:RelatesTo>
<w:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</w:To>
<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</w:Action></e:Header>
<e:Body><d:ProbeMatches><d:ProbeMatch>
<w:EndpointReference><w:Address>{endpoint}</w:Address></w:EndpointReference>
<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes>
<d:XAddrs>{xaddrs}</d:XAddrs><d:MetadataVersion>10</d:MetadataVersion>
</d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"""
SCOPES = (
    "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/IPC%20Test "
    "onvif://www.onvif.org/hardware/DS-2CD onvif://www.onvif.org/location/room-1"
)


class DiscoveryResponder:
    """``with DiscoveryResponder(xaddrs=...)``: joins the group on 127.0.0.1, on a free port."""

    def __init__(
        self,
        xaddrs: str,
        endpoint: str = "urn:uuid:00000000-0000-4000-8000-0000000000aa",
        scopes: str = SCOPES,
        copies: int = 1,
        alter: Callable[[str], bytes] = str.encode,
    ) -> None:
        self._match = {"xaddrs": xaddrs, "endpoint": endpoint, "scopes": scopes}
        self._copies = copies
        self._alter = alter
        self.probes: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("", 0))
        self.port = int(self._socket.getsockname()[1])
        loopback = socket.inet_aton("127.0.0.1")
        member = struct.pack("4s4s", socket.inet_aton(GROUP), loopback)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        # Replies leave from this socket: pin them to loopback too.
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"stop", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(65_535)
            if data == b"stop":
                return
            text = data.decode("utf-8", "replace")
            self.probes.append(text)
            asked = re.search(r"MessageID[^>]*>\s*([^<\s]+)", text)
            if asked is None:
                continue
            reply = self._alter(MATCH.format(relates=asked[1], **self._match))
            for _ in range(self._copies):
                self._socket.sendto(reply, sender)
