"""Tells the controller who talks into a room and who hears it, by the node's outbox."""

import asyncio
import sqlite3
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from contracts import topics
from contracts.observations import VoiceTold
from contracts.topics import Kind
from contracts.units import NodeId, SiteId
from runtime.outbox import Entry, Outbox, OutboxFullError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VoiceBook:
    """The node's word on talks and listenings: on its disk before anybody hears of it."""

    site_id: SiteId
    node_id: NodeId
    outbox: Outbox
    disk: Executor

    async def tell(self, told: VoiceTold) -> bool:
        """Put one word in the outbox; False: the disk did not take it."""
        return await asyncio.get_running_loop().run_in_executor(self.disk, self.tell_now, told)

    def tell_now(self, told: VoiceTold) -> bool:
        """As ``tell``, in the caller's own thread. Blocks."""
        phase = "begin" if told.ended_utc_ms is None else "end"
        entry = Entry(
            topics.room_topic(Kind.VOICE, self.site_id, told.room_id),
            told,
            told.room_id,
            f"v-{told.voice_id}-{phase}",
        )
        try:
            self.outbox.append_many([entry])
        except (OutboxFullError, sqlite3.Error, OSError) as error:
            log.error("voice_untold", voice_id=told.voice_id, phase=phase, error=str(error))
            return False
        return True
