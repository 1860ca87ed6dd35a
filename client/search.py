"""Search in alerts and recordings, a room's timeline and players, statistics."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from client.base import Asking, part
from contracts.api.search import Place, RoomPlayers, SearchPage, Timeline
from contracts.api.statistics import Statistics

Filter = str | int | bool | Sequence[str] | None


class SearchCalls(Asking):
    """Search in alerts and recordings, a room's timeline and players, statistics."""

    async def search(
        self, filters: Mapping[str, Filter], *, cursor: str | None = None, limit: int = 50
    ) -> SearchPage:
        """A page, newest first; ``filters`` by the names of the API's parameters."""
        asked = {**filters, "cursor": cursor, "limit": limit}
        return await self.ask(SearchPage, "GET", f"/search?{_query(asked)}")

    async def places(self) -> tuple[Place, ...]:
        """Rooms with their cameras and pickups; none for who may not search."""
        return await self.rows("/search/places", Place)

    async def timeline(self, room_id: str, begin: int, end: int) -> Timeline:
        """What a room's tracks recorded over an interval of two days at most, and what happened."""
        asked = _query({"from": begin, "to": end})
        return await self.ask(Timeline, "GET", f"/rooms/{part(room_id)}/timeline?{asked}")

    async def players(self, room_id: str) -> RoomPlayers:
        """Where to play all cameras of a room; the tickets end together."""
        return await self.ask(RoomPlayers, "GET", f"/rooms/{part(room_id)}/players")

    async def statistics(
        self, begin: int | None = None, end: int | None = None, room: str | None = None
    ) -> Statistics:
        """Figures of an interval; left out: the last thirty days."""
        asked = _query({"from": begin, "to": end, "room": room})
        return await self.ask(Statistics, "GET", f"/statistics?{asked}")

    async def statistics_csv(
        self, begin: int | None = None, end: int | None = None, room: str | None = None
    ) -> bytes:
        """The same as CSV."""
        asked = _query({"from": begin, "to": end, "room": room})
        return (await self.send("GET", f"/statistics.csv?{asked}")).content


def _query(values: Mapping[str, Filter]) -> str:
    """What is None or empty is left out; a list is the parameter once a value."""
    given = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in values.items()
        if value is not None and value not in ("", ())
    }
    return urlencode(given, doseq=True)
