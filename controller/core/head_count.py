"""Decides which head counts of a session are worth a line: those that differ from the last one.

A camera counts five times a second; a session's curve needs the moments of change. People who walk
past each other make the count flicker, so two lines are at least ``STEP_MS`` apart; what stands
after that is told then.
"""

from dataclasses import replace
from typing import Final

from contracts.observations import RoomObservation
from contracts.units import MonoMs, RoomId, SessionId, UtcMs
from controller.core.outputs import FileCount
from controller.core.sessions import HOLDS_ROOM
from controller.core.state import Counted, Now, SiteState, changed

STEP_MS: Final = 1_000  # a session of ten hours has at most 36,000 lines, and seldom above 200
SILENT_MS: Final = 5_000  # as ``views.STALE_MS``: after it nobody knows how many are in the room


def observed(
    site: SiteState, seen: RoomObservation, now: Now
) -> tuple[SiteState, tuple[FileCount, ...]]:
    """The count of a room that belongs to a session, where it changed."""
    last = site.counted.get(seen.room_id)
    session_id = _holder(site, seen.room_id, last)
    if session_id is None:
        return (site if last is None else _forgotten(site, seen.room_id)), ()
    same = last is not None and last.session_id == session_id
    if last is not None and same:
        soon = now.mono_ms - last.mono_ms < STEP_MS
        if soon or last.people == seen.head_count:
            return site, ()
    return _told(site, seen.room_id, session_id, seen.head_count, (now.mono_ms, seen.utc_ms))


def ticked(site: SiteState, now: Now) -> tuple[SiteState, tuple[FileCount, ...]]:
    """Rooms that fell silent: their count is unknown from now on."""
    told: list[FileCount] = []
    for room_id, last in site.counted.items():
        live = site.rooms.get(room_id)
        heard = live.received_mono_ms if live is not None else MonoMs(0)
        if last.people is None or now.mono_ms - heard <= SILENT_MS:
            continue
        if _holder(site, room_id, last) != last.session_id:
            continue
        moment = (now.mono_ms, now.utc_ms)
        site, lines = _told(site, room_id, last.session_id, None, moment)
        told += lines
    return site, tuple(told)


def _holder(site: SiteState, room_id: RoomId, last: Counted | None) -> SessionId | None:
    if last is not None:
        known = site.sessions.get(last.session_id)
        if known is not None and known.state in HOLDS_ROOM:
            return known.id
    return next(
        (
            row.id
            for row in site.sessions.values()
            if room_id in row.rooms and row.state in HOLDS_ROOM
        ),
        None,
    )


def _told(
    site: SiteState,
    room_id: RoomId,
    session_id: SessionId,
    people: int | None,
    moment: tuple[MonoMs, UtcMs],
) -> tuple[SiteState, tuple[FileCount, ...]]:
    mono_ms, utc_ms = moment
    counted = Counted(session_id, people, mono_ms)
    after = replace(site, counted=changed(site.counted, room_id, counted))
    return after, (FileCount(session_id, room_id, utc_ms, people),)


def _forgotten(site: SiteState, room_id: RoomId) -> SiteState:
    rest = {key: row for key, row in site.counted.items() if key != room_id}
    return replace(site, counted=rest)
