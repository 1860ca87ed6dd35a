"""The record of a session: what happened, line by line."""

from typing import Final

from client.base import Asking, part
from contracts.api.record import RecordPage

FROM_THE_FIRST: Final = 0


class RecordCalls(Asking):
    """The record of a session: what happened, line by line."""

    async def session_record(self, session_id: str, *, after: int = FROM_THE_FIRST) -> RecordPage:
        """A page of what happened in a session, oldest first, behind line ``after``."""
        return await self.ask(
            RecordPage, "GET", f"/sessions/{part(session_id)}/record?after={after}"
        )
