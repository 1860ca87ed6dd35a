"""Decides which sessions are listed and which step each may take next."""

from typing import Final

from contracts.api import SessionState, SessionView
from controller.console.house import House
from controller.console.present.alerts import room_name
from controller.console.present.words import Drawn, Words

NEXT_STEP: Final[dict[SessionState, str]] = {
    SessionState.SCHEDULED: "gather",
    SessionState.GATHERING: "seal",
    SessionState.SEALED: "release",
    SessionState.SUSPENDED: "resume",
}

_ENDED = (SessionState.RELEASED, SessionState.ARCHIVED)
LISTED_MAX = 8  # two screens of a phone; older ones are found through their reports


def listed(house: House, words: Words, *, may_control: bool) -> list[Drawn]:
    """Sessions under way first, then those that have ended, newest first; called-off ones not."""
    views = [view for view in house.sessions.values() if view.state is not SessionState.CANCELLED]
    views.sort(key=lambda view: view.scheduled_utc_ms, reverse=True)
    views.sort(key=lambda view: view.state in _ENDED)
    return [_session(view, house, words, may_control=may_control) for view in views[:LISTED_MAX]]


def _session(view: SessionView, house: House, words: Words, *, may_control: bool) -> Drawn:
    step = NEXT_STEP.get(view.state)
    return {
        "id": view.id,
        "title": view.title,
        "room": room_name(view.room_id, house, words),
        "room_id": view.room_id,
        "state": view.state.value,
        "state_label": words.say(f"session.{view.state.value}"),
        "admitted": view.admitted,
        "sealed_at": words.minute(view.sealed_utc_ms),
        "released_at": words.minute(view.released_utc_ms),
        "pending": view.state is SessionState.SEALED and not view.seal_confirmed,
        "step": step if may_control else None,
        "step_label": words.say(f"session.{step}") if step else "",
        "report": f"/report/{view.id}" if view.sealed_utc_ms is not None else "",
    }
