"""Decides who may fetch the sound of an alert: hearing is a right of its own, beside seeing."""

from typing import Annotated, Any, Final, Protocol

from fastapi import Depends, FastAPI, Path, Request, Response

from contracts.api import Problem
from contracts.units import Sha256Hex
from edge.api.access import (
    CONTROLLER,
    SOUND_TICKET,
    Bearer,
    Caller,
    Scope,
    TicketText,
    gate_of,
    resources_of,
)
from edge.api.problems import ProblemError
from edge.api.recordings import ANY_ORIGIN

SOUND_CACHE_S: Final = 86_400  # content-addressed: it never changes
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"audio/flac": {"schema": {"type": "string", "format": "binary"}}}},
    404: {"model": Problem, "description": "Not on this node."},
}


class SoundReader(Protocol):
    """What the API needs of the sounds on disk."""

    def read(self, sha256: str) -> bytes | None: ...

    def mark_fetched(self, sha256: str) -> None: ...


def sound_caller(request: Request, sent: Bearer, ticket: TicketText) -> Caller:
    """Dependency: a token with ``sound``, or a ticket for hearing this very sound."""
    gate = gate_of(request)
    if sent is None and ticket is not None:
        return gate.by_ticket(ticket, resources_of(request.url.path), scope=SOUND_TICKET)
    return gate.by_token(sent.credentials if sent else None, Scope.SOUND)


def add_sounds(app: FastAPI, sounds: SoundReader) -> None:
    """Serve the sounds of alerts."""

    @app.get(
        "/api/v1/sounds/{sha256}.flac",
        tags=["sounds"],
        response_class=Response,
        responses=_RESPONSES,
    )
    def get_sound(
        sha256: Annotated[Sha256Hex, Path(description="SHA-256 of the sound.")],
        caller: Annotated[Caller, Depends(sound_caller)],
    ) -> Response:
        """The sound of an alert, byte for byte as hashed; also with `?ticket=`.

        A bearer token, or a ticket of the controller itself, counts as fetched: the node may then
        delete the sound when it needs the room.
        """
        content = sounds.read(sha256)
        if content is None:
            raise ProblemError(404, "No such sound", "it was never here, or its time is over")
        if not caller.by_ticket or caller.name == CONTROLLER:
            sounds.mark_fetched(sha256)
        headers = {
            "Cache-Control": f"private, max-age={SOUND_CACHE_S}, immutable",
            "ETag": f'"{sha256}"',
            **ANY_ORIGIN,  # the console draws its waveform; the ticket is what lets it
        }
        return Response(content, media_type="audio/flac", headers=headers)
