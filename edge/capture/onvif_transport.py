"""Carries SOAP to one device and back: bounded in time and size, to that host alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
from lxml import etree  # type: ignore[import-untyped]  # publishes no types
from onvif.exceptions import ONVIFError  # type: ignore[import-untyped]  # publishes no types
from requests import Response
from requests.structures import CaseInsensitiveDict
from zeep import exceptions as soap
from zeep.transports import Transport

from edge.capture.onvif_profiles import OnvifLost, OnvifReason

CONNECT_TIMEOUT_S: Final = 3.0  # a device of the same building answers within milliseconds
READ_TIMEOUT_S: Final = 5.0  # small devices take 1 to 3 s for GetProfiles
ANSWER_MAX_BYTES: Final = 2 * 1024 * 1024
# GetProfiles of a recorder of 64 channels is some 400 kB; more than five times that is no answer.

_AUTH_WORDS: Final = frozenset(
    {"NotAuthorized", "FailedAuthentication", "FailedCheck", "InvalidSecurityToken"}
)
# ONVIF Core 5.12.2 (ter:NotAuthorized) and the fault codes of WS-Security 1.1.
_CLOCK_WORDS: Final = frozenset({"MessageExpired"})
_NO_PROFILE_WORDS: Final = frozenset({"NoProfile"})
_NOT_OFFERED_WORDS: Final = frozenset({"ActionNotSupported", "NotSupported"})
_AUTH_TEXT: Final = re.compile(r"authori[sz]|authenti|password|credential", re.IGNORECASE)
# Many devices answer with a bare fault and say only in words that they do not know us.
DETAIL_MAX_CHARS: Final = 120

_SAFE: Final = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "recover": False,
}


def parse_safely(content: bytes) -> Any:  # noqa: ANN401 - lxml publishes no types
    """The root element of XML from outside: no entities, no DTD, no network.

    Raises:
        OnvifLost: NOT_ONVIF: it is not XML, or has a document type, which SOAP forbids.
    """
    try:
        root = etree.fromstring(content, etree.XMLParser(**_SAFE))
    except (etree.XMLSyntaxError, ValueError):
        raise OnvifLost(OnvifReason.NOT_ONVIF, "the answer is not XML") from None
    if root.getroottree().docinfo.doctype:
        raise OnvifLost(OnvifReason.NOT_ONVIF, "the answer has a document type (DTD)")
    return root


class OneHostTransport(Transport):
    """zeep's way to the network: HTTP to the addresses that we made, nowhere else.

    Redirects are not followed and proxies of the environment not used: either would carry the
    digest of a password to a third party. HTTP digest is answered when the device asks for it; HTTP
    basic is refused, since it would send the password in the clear.
    """

    def __init__(self, pair: tuple[str, str] | None) -> None:
        super().__init__(cache=None)  # type: ignore[no-untyped-call]  # zeep's has no types
        self.client = httpx.AsyncClient(
            auth=httpx.DigestAuth(*pair) if pair else None,
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            trust_env=False,
            verify=False,  # noqa: S501 - devices make their own certificates; see docs/guide/cameras.md
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def post_xml(self, address: str, envelope: object, headers: dict[str, str]) -> Response:
        """Post an envelope; zeep reads what is returned.

        Raises:
            OnvifLost: the HTTP answer says that it is no use to read on.
        """
        message = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        async with self.client.stream("POST", address, content=message, headers=headers) as got:
            _refuse_status(got)
            content = await _bounded(got)
        if etree.QName(parse_safely(content)).localname != "Envelope":
            raise OnvifLost(OnvifReason.NOT_ONVIF, "the answer is no SOAP envelope")
        answer = Response()
        answer.status_code = got.status_code
        answer._content = content  # noqa: SLF001 - how a requests.Response is made of given bytes
        # Always XML: zeep would else unpack multipart answers, which no device of ours sends.
        answer.headers = CaseInsensitiveDict({"Content-Type": "application/soap+xml"})
        answer.encoding = "utf-8"
        return answer


def _refuse_status(got: httpx.Response) -> None:
    status = got.status_code
    if status == httpx.codes.UNAUTHORIZED:
        asked = got.headers.get("www-authenticate", "").lower()
        if asked.startswith("basic") and "digest" not in asked:
            detail = "it wants the password in the clear (HTTP basic); switch it to digest"
            raise OnvifLost(OnvifReason.REFUSED, detail)
        raise OnvifLost(OnvifReason.WRONG_PASSWORD, "HTTP 401")
    if status == httpx.codes.FORBIDDEN:
        raise OnvifLost(OnvifReason.REFUSED, "HTTP 403; after wrong passwords devices lock out")
    if status not in {200, 202, 400, 500}:  # SOAP 1.2 sends faults with 400 and 500
        raise OnvifLost(OnvifReason.NOT_ONVIF, f"HTTP {status}")


async def _bounded(got: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in got.aiter_bytes():  # decompressed: a bomb counts as what it becomes
        content += chunk
        if len(content) > ANSWER_MAX_BYTES:
            raise OnvifLost(OnvifReason.BAD_ANSWER, f"an answer above {ANSWER_MAX_BYTES} bytes")
    return bytes(content)


@contextmanager
def as_lost() -> Iterator[None]:
    """Turn everything that a device can do to us into ``OnvifLost`` with its reason."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise OnvifLost(OnvifReason.UNREACHABLE, shown(str(error))) from None
    except (httpx.TimeoutException, TimeoutError):
        raise OnvifLost(OnvifReason.NO_ANSWER) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OnvifLost(OnvifReason.NOT_ONVIF, shown(str(error))) from None
    except soap.Fault as fault:
        raise _fault(fault) from None
    except _ODD as error:
        # What zeep and the library make of a well-formed answer that does not fit the WSDL.
        raise OnvifLost(OnvifReason.BAD_ANSWER, type(error).__name__) from None


_ODD: Final = (
    soap.Error,
    ONVIFError,
    etree.LxmlError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _fault(fault: Any) -> OnvifLost:  # noqa: ANN401 - zeep publishes no types
    codes = {str(fault.code or "").rpartition(":")[2]}
    for code in fault.subcodes or ():
        text = str(getattr(code, "localname", None) or getattr(code, "text", None) or code)
        codes.add(text.rpartition(":")[2])
    detail = shown(f"{', '.join(sorted(codes - {''}))}: {fault.message or ''}")
    for words, reason in (
        (_CLOCK_WORDS, OnvifReason.CLOCK_OFF),
        (_AUTH_WORDS, OnvifReason.WRONG_PASSWORD),
        (_NO_PROFILE_WORDS, OnvifReason.NO_PROFILE),
        (_NOT_OFFERED_WORDS, OnvifReason.NOT_OFFERED),
    ):
        if codes & words:
            return OnvifLost(reason, detail)
    if _AUTH_TEXT.search(detail):
        return OnvifLost(OnvifReason.WRONG_PASSWORD, detail)
    return OnvifLost(OnvifReason.REFUSED, detail)


def shown(text: str) -> str:
    """A device's words for people: one line, printable, short; nothing that moves a terminal."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:DETAIL_MAX_CHARS]
