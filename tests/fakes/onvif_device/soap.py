"""Reads requests, decides who may ask, and wraps answers and faults as ONVIF Core wants them."""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onvif  # type: ignore[import-untyped]  # publishes no types
from lxml import etree  # type: ignore[import-untyped]  # publishes no types

import edge.capture
from tests.fakes.onvif_device.state import DeviceState

ENV = "http://www.w3.org/2003/05/soap-envelope"
TER = "http://www.onvif.org/ver10/error"
TT = "http://www.onvif.org/ver10/schema"
TDS = "http://www.onvif.org/ver10/device/wsdl"
TRT = "http://www.onvif.org/ver10/media/wsdl"
TR2 = "http://www.onvif.org/ver20/media/wsdl"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
WSSE = f"{_OASIS}-wssecurity-secext-1.0.xsd"
WSU = f"{_OASIS}-wssecurity-utility-1.0.xsd"
XS = "http://www.w3.org/2001/XMLSchema"

_WSDL = Path(onvif.__file__).parent / "wsdl"
WSDL_OF = {
    TDS: _WSDL / "devicemgmt.wsdl",
    TRT: _WSDL / "media.wsdl",
    TR2: Path(edge.capture.__file__).parent / "media2.wsdl",
}


class Fault(Exception):
    """A fault of ONVIF Core 5.11: codes from the outermost to the innermost."""

    def __init__(self, codes: tuple[str, ...], reason: str) -> None:
        super().__init__(reason)
        self.codes = codes
        self.reason = reason

    @property
    def status(self) -> int:
        return 400 if self.codes[0] == "env:Sender" else 500


def not_authorized() -> Fault:
    return Fault(("env:Sender", "ter:NotAuthorized"), "Sender not Authorized")


def invalid(code: str, reason: str) -> Fault:
    return Fault(("env:Sender", "ter:InvalidArgVal", code), reason)


def not_supported(operation: str) -> Fault:
    return Fault(("env:Receiver", "ter:ActionNotSupported"), f"{operation} is not implemented")


@cache
def schema_of(namespace: str) -> Any:
    """The XSD of a service, out of the WSDL that the client uses too."""
    wsdl = WSDL_OF[namespace]
    schemas = list(etree.parse(str(wsdl)).iter(f"{{{XS}}}schema"))
    if len(schemas) == 1:
        alone = etree.fromstring(etree.tostring(schemas[0]), base_url=str(wsdl))
        return etree.XMLSchema(alone)
    with TemporaryDirectory() as folder:
        # XSD wants one file a namespace; in a WSDL they stand side by side.
        places = {each.get("targetNamespace"): f"{at}.xsd" for at, each in enumerate(schemas)}
        for each in schemas:
            for wanted in each.iter(f"{{{XS}}}import"):
                wanted.set("schemaLocation", places[wanted.get("namespace")])
            path = Path(folder) / places[each.get("targetNamespace")]
            path.write_bytes(etree.tostring(each))
        return etree.XMLSchema(etree.parse(str(Path(folder) / places[namespace])))


def envelope(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<env:Envelope xmlns:env="{ENV}" xmlns:tt="{TT}" xmlns:tds="{TDS}" xmlns:trt="{TRT}" '
        f'xmlns:tr2="{TR2}" xmlns:ter="{TER}" xmlns:wsu="{WSU}">'
        f"<env:Body>{body}</env:Body></env:Envelope>"
    ).encode()


def fault_envelope(fault: Fault) -> bytes:
    code = ""
    for name in reversed(fault.codes[1:]):
        code = f"<env:Subcode><env:Value>{name}</env:Value>{code}</env:Subcode>"
    return envelope(
        f"<env:Fault><env:Code><env:Value>{fault.codes[0]}</env:Value>{code}</env:Code>"
        f'<env:Reason><env:Text xml:lang="en">{fault.reason}</env:Text></env:Reason></env:Fault>'
    )


@dataclass(slots=True)
class Guard:
    """WS-UsernameToken with a digest, as ONVIF Core 5.12.2 wants it: fresh, and each nonce once."""

    state: DeviceState
    _nonces: set[str] = field(default_factory=set)

    def check(self, root: Any) -> None:
        token = root.find(f".//{{{WSSE}}}UsernameToken")
        if token is None:
            raise not_authorized()
        user, given, nonce = (
            token.findtext(f"{{{WSSE}}}{part}", "") for part in ("Username", "Password", "Nonce")
        )
        created = token.findtext(f"{{{WSU}}}Created", "")
        raw = base64.b64decode(nonce) + created.encode() + self.state.password.encode()
        digest = base64.b64encode(hashlib.sha1(raw).digest()).decode()
        if user != self.state.user or given != digest or nonce in self._nonces:
            raise not_authorized()
        self._nonces.add(nonce)
        moment = datetime.fromisoformat(created).astimezone(UTC)
        if abs((moment - self.state.now()).total_seconds()) > self.state.token_age_max_s:
            if self.state.stamps_expire:
                raise Fault(("env:Sender", "wsu:MessageExpired"), "The message has expired")
            raise not_authorized()
