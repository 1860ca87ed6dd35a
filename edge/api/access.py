"""Decides who may ask the node: bearer tokens with scopes, and media tickets in image addresses."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO

from fastapi import Depends, Request
from fastapi.security import APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError

from edge.api.problems import ProblemError
from runtime.clock import Clock
from runtime.tokens import (
    KEY_MIN_BYTES,
    TicketRefusedError,
    TokenBook,
    entry_for,
    new_token,
    read_ticket,
)

TOKENS_ENV: Final = "ZEROENTRY_EDGE_TOKENS"
NODE_KEY_ENV: Final = "ZEROENTRY_NODE_KEY"
TOKENS_FILE: Final = "tokens.json"
PICTURE_TICKET: Final = "picture"
RECORDING_TICKET: Final = "recording"
SOUND_TICKET: Final = "sound"
WATERMARK_TICKET: Final = "watermark"
"""For a clip with the ticket's own subject burnt in: whoever holds it cannot change whose it is."""
ZONES_TICKET: Final = "zones"
"""For whoever may see a camera's picture and draw zones on it."""
CAMERAS: Final = "/api/v1/cameras/"
TOKEN_MIN_CHARS: Final = 20  # below it a token can be guessed; ours have 43
CONTROLLER: Final = "controller"
"""Subject of a ticket with which the controller itself fetches a picture to keep it."""


class Scope(StrEnum):
    """What a token may do."""

    VIEW = "view"
    """Rooms, cameras, live pictures, pictures of alerts."""
    RECORDING = "recording"
    """Recordings and clips: what happened in a sealed room is not for everybody who looks on."""
    SOUND = "sound"
    """Sounds of alerts: deliberations are secret, so hearing is not part of seeing."""
    OPS = "ops"
    """Rules and zones are set."""
    APPROVE = "approve"
    """Stand by as the second person where a session is sealed; alone it opens nothing."""
    METRICS = "metrics"


class AccessError(Exception):
    """Tokens or keys of the node's API cannot be used; says which and how to correct it."""


def tokens_from_environ(text: str) -> TokenBook:
    """Tokens of ``ZEROENTRY_EDGE_TOKENS``: ``name:scope+scope:token`` by commas.

    Raises:
        AccessError: a part is malformed; shows its name, never the token.
    """
    entries = []
    for part in text.split(","):
        name, _, rest = part.strip().partition(":")
        scopes, _, token = rest.partition(":")
        known = {scope.value for scope in Scope}
        wrong = sorted(set(scopes.split("+")) - known)
        if not name or wrong or len(token) < TOKEN_MIN_CHARS:
            raise AccessError(
                f"{TOKENS_ENV}: entry {name!r} must be NAME:SCOPE+SCOPE:TOKEN with scopes of "
                f"{', '.join(sorted(known))} and a token of at least {TOKEN_MIN_CHARS} characters"
            )
        entries.append(entry_for(token, name, scopes.split("+")))
    return TokenBook(entries)


def open_tokens(environ: Mapping[str, str], data_dir: Path, out: TextIO) -> TokenBook:
    """The node's tokens: from the environment, else from its file, which the first start makes.

    A new token is written to ``out`` once; the file holds hashes alone, readable by its owner only.

    Raises:
        AccessError: the environment or the file is malformed, or others may read the file.
    """
    text = environ.get(TOKENS_ENV, "")
    if text:
        return tokens_from_environ(text)
    path = data_dir / TOKENS_FILE
    if not path.exists():
        token, entry = new_token("first", [scope.value for scope in Scope])
        book = TokenBook((entry,))
        book.write(path)
        out.write(f"API token of this node (shown once, stored as a hash in {path}):\n{token}\n")
        return book
    if path.stat().st_mode & 0o077:
        raise AccessError(f"{path} can be read by others; correct it with: chmod 600 {path}")
    try:
        return TokenBook.read(path)
    except ValidationError:
        raise AccessError(
            f"{path} is damaged; remove it to get a new token at the next start"
        ) from None


def node_key(environ: Mapping[str, str]) -> bytes | None:
    """The key of media tickets, shared with the controller; None: tickets are refused.

    Raises:
        AccessError: it is set, but not hex of at least 16 bytes.
    """
    text = environ.get(NODE_KEY_ENV, "")
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < KEY_MIN_BYTES:
        raise AccessError(
            f"{NODE_KEY_ENV} must be hexadecimal, at least {2 * KEY_MIN_BYTES} digits. "
            'Make one with: python -c "import secrets; print(secrets.token_hex(32))"'
        )
    return key


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name of a token, or the subject of a ticket."""

    name: str
    by_ticket: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """Checks callers. One a node."""

    tokens: TokenBook
    key: bytes | None
    clock: Clock

    def by_token(self, token: str | None, scope: Scope) -> Caller:
        """The caller of a bearer token.

        Raises:
            ProblemError: 401 unknown or missing, 403 without the scope.
        """
        now = self.clock.utc_ms()
        if token is None:
            raise ProblemError(401, "Token missing", "send the header Authorization: Bearer TOKEN")
        entry = self.tokens.check(token, scope=scope.value, now_utc_ms=now)
        if entry is not None:
            return Caller(entry.name, by_ticket=False)
        if any(self.tokens.check(token, scope=other.value, now_utc_ms=now) for other in Scope):
            raise ProblemError(403, "Not allowed", f"this token lacks the scope {scope.value}")
        raise ProblemError(401, "Token unknown", "this token is unknown or has expired")

    def by_ticket(
        self, ticket: str, resources: tuple[str, ...], *, scope: str = PICTURE_TICKET
    ) -> Caller:
        """The caller of a media ticket of ``scope`` for one of ``resources``.

        Raises:
            ProblemError: 401; the reason is not told.
        """
        for resource in resources:
            if self.key is None:
                break
            try:
                read = read_ticket(
                    self.key,
                    ticket,
                    scope=scope,
                    resource=resource,
                    now_utc_ms=self.clock.utc_ms(),
                )
            except TicketRefusedError:
                continue
            return Caller(read.subject, by_ticket=True)
        raise ProblemError(401, "Ticket refused", "ask the controller for a new ticket")

    def by_picture_ticket(self, ticket: str, resources: tuple[str, ...]) -> Caller:
        """The caller of a ticket for pictures, or to draw zones: who draws must see.

        Raises:
            ProblemError: 401; the reason is not told.
        """
        try:
            return self.by_ticket(ticket, resources)
        except ProblemError:
            return self.by_ticket(ticket, resources, scope=ZONES_TICKET)


bearer = HTTPBearer(auto_error=False, description="A token of this node.")
ticket_query = APIKeyQuery(
    name="ticket",
    auto_error=False,
    description="A media ticket of the controller, for addresses in <img>: good for one camera "
    "(/api/v1/cameras/ID), one picture or one recording, for minutes.",
)

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
TicketText = Annotated[str | None, Depends(ticket_query)]


def gate_of(request: Request) -> Gate:
    """The gate that the application was built with."""
    gate: Gate = request.app.state.gate
    return gate


class Needs:
    """Dependency: a token with this scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __call__(self, request: Request, sent: Bearer) -> Caller:
        return gate_of(request).by_token(sent.credentials if sent else None, self._scope)


def media_caller(request: Request, sent: Bearer, ticket: TicketText) -> Caller:
    """Dependency: a token with ``view``, or a ticket for this very path or its camera."""
    gate = gate_of(request)
    if sent is None and ticket is not None:
        return gate.by_picture_ticket(ticket, resources_of(request.url.path))
    return gate.by_token(sent.credentials if sent else None, Scope.VIEW)


def zones_caller(request: Request, sent: Bearer, ticket: TicketText) -> Caller:
    """Dependency: a token with ``view``, or a ticket to draw zones on this camera's picture."""
    return _zones(request, sent, ticket, Scope.VIEW)


def zones_editor(request: Request, sent: Bearer, ticket: TicketText) -> Caller:
    """Dependency: a token with ``ops``, or a ticket to draw zones on this camera's picture."""
    return _zones(request, sent, ticket, Scope.OPS)


def _zones(request: Request, sent: Bearer, ticket: TicketText, scope: Scope) -> Caller:
    gate = gate_of(request)
    if sent is None and ticket is not None:
        resources = resources_of(request.url.path)
        return gate.by_ticket(ticket, resources, scope=ZONES_TICKET)
    return gate.by_token(sent.credentials if sent else None, scope)


def recording_caller(request: Request, sent: Bearer, ticket: TicketText) -> Caller:
    """Dependency: a token with ``recording``, or such a ticket for this path or its camera."""
    gate = gate_of(request)
    if sent is None and ticket is not None:
        resources = resources_of(request.url.path)
        return gate.by_ticket(ticket, resources, scope=RECORDING_TICKET)
    return gate.by_token(sent.credentials if sent else None, Scope.RECORDING)


def watermark_caller(request: Request, ticket: TicketText) -> Caller:
    """Dependency: a ticket for watermarked video of this camera, from the controller alone."""
    if ticket is None:
        raise ProblemError(401, "Ticket missing", "ask the controller for a retrieval")
    resources = resources_of(request.url.path)
    return gate_of(request).by_ticket(ticket, resources, scope=WATERMARK_TICKET)


def resources_of(path: str) -> tuple[str, ...]:
    """What a ticket may name to open ``path``: itself, or the camera that it is of."""
    if not path.startswith(CAMERAS):
        return (path,)
    camera = path.removeprefix(CAMERAS).partition("/")[0]
    return (path, camera_resource(camera))


def camera_resource(camera_id: str) -> str:
    """What a ticket for everything of a camera names."""
    return CAMERAS + camera_id


def terminal() -> TextIO:
    """Where a new token is shown: standard error, which no log file of ours takes."""
    return sys.stderr
