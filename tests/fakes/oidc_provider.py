"""An identity provider on loopback, true to OpenID Connect: discovery, keys, code flow, PKCE."""

import base64
import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from contracts.api.audit import canonical

CLIENT_ID = "zero-entry"
CLIENT_SECRET = "provider-client-secret"
REDIRECT = "http://127.0.0.1:8080/login/oidc"


@dataclass
class Provider:
    """What it does next; a test changes these to make it lie."""

    now_s: int
    redirect: str = REDIRECT
    """Where it was told that the console is."""
    algorithm: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    """Laid over what it would say."""
    issuer: str = ""
    said_issuer: str | None = None
    foreign_key: bool = False
    """Sign with a key that is not among those published."""
    unsigned: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys: dict[str, RSAKey | ECKey] = {
            "RS256": RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"}),
            "ES256": ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"}),
        }
        self.other = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})

    def authorize(self, url: str) -> tuple[str, str]:
        """What a browser does there: log in, come back. Gives state and code."""
        asked = {key: row[0] for key, row in parse_qs(urlsplit(url).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == self.redirect
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return asked["state"], code

    def token(self, form: dict[str, str], basic: str) -> tuple[int, dict[str, Any]]:
        """The token endpoint: a code once, with its verifier and the client's secret."""
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if basic != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": self.issuer,
            "sub": "u-1",
            "aud": CLIENT_ID,
            "iat": self.now_s,
            "exp": self.now_s + 300,
            "nonce": asked["nonce"],
            "preferred_username": "li.wei",
            "groups": ["supervision"],
            **self.claims,
        }
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self._signed(claims)}

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.unsigned:
            parts = [canonical({"alg": "none"}), canonical(claims)]
            rows = [base64.urlsafe_b64encode(row.encode()).decode().rstrip("=") for row in parts]
            return ".".join([*rows, ""])
        key = self.other if self.foreign_key else self.keys[self.algorithm]
        header = {"alg": self.algorithm, "kid": self.keys[self.algorithm].kid}
        return jwt.encode(header, claims, key, algorithms=["RS256", "ES256"])

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.said_issuer or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys.values()]}


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            path = urlsplit(self.path).path
            provider.asked.append(path)
            if path == "/.well-known/openid-configuration":
                self._say(200, provider.discovery())
            elif path == "/jwks":
                self._say(200, provider.jwks())
            elif path == "/authorize":
                state, code = provider.authorize(self.path)
                back = f"{provider.redirect}?{urlencode({'state': state, 'code': code})}"
                self.send_response(302)
                self.send_header("Location", back)
                self.end_headers()
            else:
                self._say(404, {"error": "not_found"})

        def do_POST(self) -> None:  # the library's name
            provider.asked.append(urlsplit(self.path).path)
            length = int(self.headers.get("Content-Length", "0"))
            form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
            self._say(*provider.token(form, self.headers.get("Authorization", "")))

        def _say(self, status: int, body: dict[str, Any]) -> None:
            content = canonical(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
            """Quiet."""

    return Handler


@contextmanager
def provider_on_loopback(now_s: int) -> Iterator[Provider]:
    """A provider that answers on a free port until the end of the block."""
    provider = Provider(now_s)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
