"""Leads a browser to a page of an edge node: the ticket is asked for when the link is followed."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui

from client import ControllerLost, RefusedError
from contracts.api import PageLink
from controller.console.logins import Login
from controller.console.page import Shared, browser_id, language_of
from controller.console.parts import Notice
from controller.console.texts import group, say

ANSWER_WITHIN_S = 15.0  # longer than the controller is waited for: then the notice says that
SEE_OTHER = 303
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""Of an answer that names an address with a ticket."""

Ask = Callable[[Login], Awaitable[PageLink]]


def register(shared: Shared) -> None:
    """Declare ``/watch/CAMERA/live``, ``/watch/CAMERA/zones``, ``/watch/CAMERA/recordings``."""

    @ui.page("/watch/{camera_id}/live", response_timeout=ANSWER_WITHIN_S)
    async def live(request: Request, camera_id: str) -> Response | None:
        return await _lead(shared, request, lambda login: login.api.live_page(camera_id))

    @ui.page("/watch/{camera_id}/zones", response_timeout=ANSWER_WITHIN_S)
    async def zones(request: Request, camera_id: str) -> Response | None:
        return await _lead(shared, request, lambda login: login.api.zones_page(camera_id))

    @ui.page("/watch/{camera_id}/recordings", response_timeout=ANSWER_WITHIN_S)
    async def recordings(request: Request, camera_id: str) -> Response | None:
        begin, end = _moment(request, "from"), _moment(request, "to")
        return await _lead(
            shared, request, lambda login: login.api.recordings_page(camera_id, begin, end)
        )


def _moment(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else None


async def _lead(shared: Shared, request: Request, ask: Ask) -> Response | None:
    """The way to the node's page, or a notice of why there is none."""
    login = shared.logins.of(browser_id())
    if login is None:
        return RedirectResponse("/login", headers=HEADERS)
    language = language_of(request)
    client = ui.context.client
    try:
        link = await ask(login)
    except RefusedError as error:
        client.status_code = error.problem.status
        text = error.problem.detail or error.problem.title
    except ControllerLost:
        client.status_code = 502
        text = say("clip.unanswered", language)
    else:
        return RedirectResponse(link.url, status_code=SEE_OTHER, headers=HEADERS)
    Notice().show(t=group(("state",), language), text=text, href="/")
    return None
