"""Asks a vehicle for all that it says of itself, without moving it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from contracts.envelope import Rejected
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.state import Connection, ConnectionState, State
from robot_bridge.conformance.probe import ANSWER_MS, Probe
from robot_bridge.conformance.words import Unmet


@dataclass(frozen=True, slots=True)
class Said:
    """What a robot has said of itself. None: nothing that can be read."""

    connection: ConnectionState | None
    factsheet: Factsheet | None
    state: State | None
    refused: tuple[str, ...] = ()


async def ask(probe: Probe) -> Said:
    """Request state and factsheet; what came, as far as the vehicle answered in time."""
    listener = asyncio.create_task(probe.listen())
    try:
        await probe.act("factsheetRequest")
        with suppress(Unmet):  # what did not come is None below
            await probe.settled()
            await probe.until(probe.factsheet, "a factsheet", ANSWER_MS)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    heard = [row.body for row in probe.heard]
    connections = [row.connection_state for row in heard if isinstance(row, Connection)]
    sheets = [row for row in heard if isinstance(row, Factsheet)]
    states = [row for row in heard if isinstance(row, State)]
    refused = {
        f"{row.kind}: {row.body.detail}" for row in probe.heard if isinstance(row.body, Rejected)
    }
    return Said(
        connections[-1] if connections else None,
        sheets[-1] if sheets else None,
        states[-1] if states else None,
        tuple(sorted(refused)),
    )
