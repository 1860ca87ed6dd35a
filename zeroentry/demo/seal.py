"""Decides what the demonstration's supervisor says with a step: a sweep before, reasons beside.

A machine under a desk has no time server and nobody who compares fingerprints of keys. What it can
meet (people, cameras, recordings) is waited for; what it cannot is overridden with that reason.
"""

from functools import partial
from typing import Final

from client import ApiClient
from contracts.api.roster import SweepBody, SweepView
from contracts.api.sessions import ActBody, CheckState, SealDemand
from contracts.units import RoomId
from runtime.clock import Clock
from zeroentry.demo.feed import Account

READY_MS: Final = 8_000  # a head count and a recorder settle within a second or two
LOOK_MS: Final = 250
BEYOND_A_DESK: Final = frozenset({SealDemand.CLOCK_IN_SYNC, SealDemand.KEY_CONFIRMED})
REASON: Final = "演示环境无此条件 / not to be had in a demonstration"
SEALING: Final = frozenset({"seal", "resume"})


async def said_with(supervisor: Account, clock: Clock, session_id: str, step: str) -> ActBody:
    """What goes with a step of this session, after what belongs before it is done."""
    if step == "gather":
        await _sweep(supervisor, session_id)
    if step == "cancel":
        return ActBody(reason="demo: the day begins anew")
    return await _checked(supervisor, clock, session_id) if step in SEALING else ActBody()


async def _sweep(supervisor: Account, session_id: str) -> None:
    session = await supervisor.ask("the session", lambda api: api.session(session_id))
    for room in session.room_ids:
        look, clear = partial(_look, room), partial(_clear, room)
        if (await supervisor.ask("the sweep", look)).needed:
            await supervisor.ask("sweep", clear)


async def _look(room: RoomId, api: ApiClient) -> SweepView:
    return await api.room_sweep(room)


async def _clear(room: RoomId, api: ApiClient) -> SweepView:
    clean = SweepBody(empty=True, phones_cleared=True, papers_cleared=True, note="demo")
    return await api.sweep(room, clean)


async def _checked(supervisor: Account, clock: Clock, session_id: str) -> ActBody:
    until_ms = clock.mono_ms() + READY_MS
    while True:
        check = await supervisor.ask("the seal check", lambda api: api.seal_check(session_id))
        open_ = [row.demand for row in check.items if row.state is not CheckState.OK]
        if BEYOND_A_DESK.issuperset(open_) or clock.mono_ms() >= until_ms:
            return ActBody(overrides=dict.fromkeys(open_, REASON))
        await clock.sleep_ms(LOOK_MS)
