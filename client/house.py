"""The site, everything now, and what a browser is sent to."""

from urllib.parse import urlencode

from client.base import FORBIDDEN, RefusedError, parsed_rows, part
from client.outside import OutsideCalls
from contracts.api import (
    AlertPage,
    AlertView,
    DeliveryView,
    MediaLink,
    Overview,
    PageLink,
    RobotView,
    RoomView,
    SessionView,
    SiteView,
    ZoneView,
)
from contracts.api.sessions import SessionPage


class HouseCalls(OutsideCalls):
    """The site, everything now, and what a browser is sent to."""

    async def site(self) -> SiteView:
        """What does not change while the controller runs."""
        return await self.ask(SiteView, "GET", "/site")

    async def overview(self) -> Overview:
        """Everything now; ``events`` tells what changes."""
        return await self.ask(Overview, "GET", "/overview")

    async def readable(self) -> Overview:
        """The overview; for an account without it, those of its parts that it may read."""
        try:
            return await self.overview()
        except RefusedError as error:
            if error.problem.status != FORBIDDEN:
                raise
        return Overview(
            event_id=0,
            rooms=await self.rows("/rooms", RoomView),
            zones=await self.rows("/zones", ZoneView),
            robots=await self.rows("/robots", RobotView),
            alerts=await self._alerts(),
            deliveries=await self.rows("/deliveries", DeliveryView),
            sessions=await self._sessions(),
            outside=await self.outside(),
        )

    async def _sessions(self) -> tuple[SessionView, ...]:
        try:
            return (await self.ask(SessionPage, "GET", "/sessions")).items
        except RefusedError as error:
            if error.problem.status == FORBIDDEN:
                return ()
            raise

    async def _alerts(self) -> tuple[AlertView, ...]:
        try:
            return (await self.ask(AlertPage, "GET", "/alerts")).items
        except RefusedError as error:
            if error.problem.status == FORBIDDEN:
                return ()
            raise

    async def media(self, room_id: str) -> tuple[MediaLink, ...]:
        """Where a browser finds the pictures of a room's cameras, for a few minutes."""
        answer = await self.send("GET", f"/rooms/{part(room_id)}/media")
        return parsed_rows(answer, MediaLink)

    async def live_page(self, camera_id: str) -> PageLink:
        """The page of a camera's live video at its edge node, for a few minutes."""
        return await self.ask(PageLink, "GET", f"/cameras/{part(camera_id)}/live")

    async def zones_page(self, camera_id: str) -> PageLink:
        """The editor of zones on a camera's picture at its edge node, for a few minutes."""
        return await self.ask(PageLink, "GET", f"/cameras/{part(camera_id)}/zones")

    async def recordings_page(
        self, camera_id: str, from_utc_ms: int | None = None, to_utc_ms: int | None = None
    ) -> PageLink:
        """The page of a camera's recordings at its edge node, for a few minutes."""
        given = {"from": from_utc_ms, "to": to_utc_ms}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return await self.ask(PageLink, "GET", f"/cameras/{part(camera_id)}/recordings?{query}")
