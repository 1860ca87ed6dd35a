"""Wakes who waits for news of this site: the answers that are held back for a peer's reader."""

import asyncio

from contracts.units import SiteId
from controller.core.state import SiteState


class FeedBell:
    """Rings for each peer when a line for it was committed, and for all when rooms changed."""

    def __init__(self) -> None:
        self._lines: dict[SiteId, asyncio.Event] = {}

    def changed(self, before: SiteState, after: SiteState) -> None:
        """See ``ports.Listener``."""
        if before.remote.logs is after.remote.logs:
            return
        for peer, log in after.remote.logs.items():
            known = before.remote.logs.get(peer)
            if known is None or known.sent != log.sent:
                bell = self._lines.pop(peer, None)
                if bell is not None:
                    bell.set()

    async def wait(self, peer: SiteId, seconds: float) -> None:
        """Until a line for ``peer`` is committed, but no longer than this."""
        bell = self._lines.setdefault(peer, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await bell.wait()
        except TimeoutError:
            return
