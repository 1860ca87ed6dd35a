"""Serves the simulated device over HTTP in a thread, and checks both sides against the WSDL."""

import hashlib
import re
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from lxml import etree  # type: ignore[import-untyped]  # publishes no types

from tests.fakes.onvif_device.answers import ANSWERS, OPEN_TO_ALL
from tests.fakes.onvif_device.soap import (
    ENV,
    TR2,
    Fault,
    Guard,
    envelope,
    fault_envelope,
    not_supported,
    schema_of,
)
from tests.fakes.onvif_device.state import DeviceState

PATHS = {"/onvif/device_service", "/onvif/media_service", "/onvif/media2_service"}
REALM = "onvif-test"

Raw = tuple[int, dict[str, str], bytes]
Instead = Callable[[str], Raw | None]
"""Operation to an answer that is none (status, headers, body), or None for the right one."""


class FakeOnvifDevice:
    """``with FakeOnvifDevice(state) as device``: listens on a free port of 127.0.0.1.

    With ``serve=False`` it has no port, and a test hands requests to ``answer`` itself.

    ``asked`` are the operations that came, in order. ``mistakes`` are requests and answers that do
    not fit the WSDL: a test asserts that there are none.
    """

    def __init__(
        self,
        state: DeviceState | None = None,
        instead: Instead | None = None,
        *,
        serve: bool = True,
    ) -> None:
        self.state = state or DeviceState()
        self.instead = instead
        self.asked: list[str] = []
        self.mistakes: list[str] = []
        self.guard = Guard(self.state)
        self.port = 80
        self._server: ThreadingHTTPServer | None = None
        if serve:
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
            self._server.daemon_threads = True
            self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        assert self._server is not None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, body: bytes, digest_ok: bool) -> Raw:
        root = etree.fromstring(body)
        asked = root.find(f"{{{ENV}}}Body")[0]
        name = etree.QName(asked)
        self.asked.append(name.localname)
        raw = self.instead(name.localname) if self.instead else None
        if raw is not None:
            return raw
        kind = {"Content-Type": "application/soap+xml; charset=utf-8"}
        try:
            return 200, kind, self._answered(root, asked, name, digest_ok)
        except Fault as fault:
            return fault.status, kind, fault_envelope(fault)

    def _answered(self, root: Any, asked: Any, name: Any, digest_ok: bool) -> bytes:
        self._validate(asked)
        open_to_all = name.localname in OPEN_TO_ALL and not self.state.everything_signed
        if not open_to_all and not digest_ok:
            self.guard.check(root)
        answer = ANSWERS.get((name.namespace, name.localname))
        if answer is None or (name.namespace == TR2 and not self.state.media2):
            raise not_supported(name.localname)
        said = envelope(answer(self.state, asked, self.host))
        self._validate(etree.fromstring(said).find(f"{{{ENV}}}Body")[0])
        return said

    def _validate(self, element: Any) -> None:
        name = etree.QName(element)
        schema = schema_of(name.namespace)
        alone = etree.fromstring(etree.tostring(element))
        if not schema.validate(alone):
            self.mistakes.append(f"{name.localname}: {schema.error_log.last_error}")

    def wants_digest(self, operation: str) -> bool:
        return self.state.http_digest and (
            operation not in OPEN_TO_ALL or self.state.everything_signed
        )

    def digest_fits(self, header: str, method: str) -> bool:
        parts = dict(re.findall(r'(\w+)="?([^",]+)"?', header.removeprefix("Digest ")))
        first = _md5(f"{self.state.user}:{REALM}:{self.state.password}")
        second = _md5(f"{method}:{parts.get('uri')}")
        middle = ":".join(parts.get(part, "") for part in ("nonce", "nc", "cnonce", "qop"))
        return parts.get("response") == _md5(f"{first}:{middle}:{second}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _handler(device: FakeOnvifDevice) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet, or each answer waits 40 ms for an ACK

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path not in PATHS:
                self._send(404, {}, b"no such page")
                return
            operation = etree.QName(etree.fromstring(body).find(f"{{{ENV}}}Body")[0]).localname
            given = self.headers.get("Authorization", "")
            fits = given.startswith("Digest ") and device.digest_fits(given, "POST")
            if device.wants_digest(operation) and not fits:
                nonce = secrets.token_hex(16)
                asks = f'Digest realm="{REALM}", qop="auth", nonce="{nonce}", algorithm=MD5'
                self._send(401, {"WWW-Authenticate": asks}, b"")
                return
            self._send(*device.answer(body, digest_ok=fits and device.state.http_digest))

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing: pytest would show it as noise."""

    return Handler
