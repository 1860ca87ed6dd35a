"""Serves the node's three pages: they hold no data, all comes by the ticket in their address."""

import hashlib
from importlib import resources
from typing import Annotated, Final

from fastapi import FastAPI, Path, Request, Response

from contracts.evidence.entries import TrackId
from edge.api.problems import ProblemError

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STATIC: Final = {
    "live.js": "text/javascript; charset=utf-8",
    "recordings.js": "text/javascript; charset=utf-8",
    "texts.js": "text/javascript; charset=utf-8",
    "view.css": "text/css; charset=utf-8",
    "zones.css": "text/css; charset=utf-8",
    "zones.js": "text/javascript; charset=utf-8",
    "zones_plane.js": "text/javascript; charset=utf-8",
    "zones_texts.js": "text/javascript; charset=utf-8",
}
"""Every file that is served, by name: a path from outside is never joined to a folder."""

_CameraIdPath = Annotated[TrackId, Path(description="Id of a camera, or of a pickup.")]


def add_views(app: FastAPI) -> None:
    """Add the pages and what they load."""
    folder = resources.files("edge.api") / "pages"
    files = {name: (folder / name).read_bytes() for name in STATIC}
    live, playback, zones = (
        (folder / name).read_bytes() for name in ("live.html", "recordings.html", "zones.html")
    )

    def page(content: bytes) -> Response:
        # Never stored: the address that it was asked by held a ticket.
        headers = {**HEADERS, "Cache-Control": "no-store"}
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)

    @app.get("/view/static/{name}", include_in_schema=False)
    async def get_static(request: Request, name: str) -> Response:
        if name not in files:
            raise ProblemError(404, "No such file", "the pages do not use it")
        etag = f'"{hashlib.sha256(files[name]).hexdigest()[:32]}"'
        headers = {**HEADERS, "Cache-Control": "no-cache", "ETag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(files[name], media_type=STATIC[name], headers=headers)

    @app.get("/view/{camera_id}", include_in_schema=False)
    async def get_live_page(camera_id: _CameraIdPath) -> Response:
        """Live view of a camera: `/view/ID?ticket=...`, a ticket for pictures of the camera."""
        return page(live)

    @app.get("/view/{camera_id}/recordings", include_in_schema=False)
    async def get_playback_page(camera_id: _CameraIdPath) -> Response:
        """Recordings: `/view/ID/recordings?ticket=...[&from=&to=][&alert=]`."""
        return page(playback)

    @app.get("/view/{camera_id}/zones", include_in_schema=False)
    async def get_zones_page(camera_id: _CameraIdPath) -> Response:
        """The editor of zones: `/view/ID/zones?ticket=...`, a ticket to draw on the camera."""
        return page(zones)
