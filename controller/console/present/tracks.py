"""Decides how a room's recordings are shown: one mark on its tile, one row for each track."""

from typing import Final

from contracts.api import RoomView, TrackKind, TrackView
from contracts.evidence.entries import ClockSource
from contracts.observations import NodeState, RecordingState
from controller.console.present.words import Drawn, Words

UNKNOWN: Final = "unknown"

_RANK: Final = {
    RecordingState.GAP.value: 4,
    UNKNOWN: 3,
    RecordingState.STOPPED.value: 2,
    RecordingState.STARTING.value: 1,
    RecordingState.RECORDING.value: 0,
}
"""What a tile must not hide behind a track that is well."""


def mark(room: RoomView, words: Words) -> Drawn | None:
    """The mark of a room's tile: its worst track; None where nothing is to be recorded."""
    if not room.tracks:
        return None
    states = [_state(track, room) for track in room.tracks]
    worst = max(states, key=lambda state: _RANK[state])
    track = room.tracks[states.index(worst)]
    recorded = states.count(RecordingState.RECORDING.value)
    return {
        "state": worst,
        "label": _label(track, worst, words),
        "share": f"{recorded}/{len(states)}" if len(states) > 1 else "",
    }


def rows(room: RoomView, words: Words, only: str | None = None) -> list[Drawn]:
    """Each track with its state, its chain's last entry and what of it is witnessed.

    ``only`` is one track's id, where just that is asked for.
    """
    return [_row(track, room, words) for track in room.tracks if only is None or track.id == only]


def clock(room: RoomView, words: Words) -> Drawn | None:
    """How far the clock of the room's node can be trusted; None where it has said nothing."""
    if room.clock is None or not room.tracks:
        return None
    offset = room.clock.offset_ms
    return {
        "state": room.clock.source.value,
        "good": room.clock.source is ClockSource.SYNCHRONISED,
        "label": words.say(f"clock.{room.clock.source.value}"),
        "offset": "" if offset is None else f"{offset:+.1f} ms",
    }


def key(room: RoomView, words: Words) -> Drawn | None:
    """Whether a person stands for the key that the room's node signs with."""
    if room.key_confirmed is None or not room.tracks:
        return None
    label = words.say("track.key_confirmed" if room.key_confirmed else "track.key_unconfirmed")
    return {"good": room.key_confirmed, "label": label}


def _state(track: TrackView, room: RoomView) -> str:
    if track.state is None or room.node_state is not NodeState.RUNNING:
        return UNKNOWN
    return track.state.value


def _label(track: TrackView, state: str, words: Words) -> str:
    word = words.say(f"track.{state}")
    if state == RecordingState.GAP.value and track.reason is not None:
        return f"{word} · {words.say(f'gap.{track.reason.value}')}"
    return word


def _row(track: TrackView, room: RoomView, words: Words) -> Drawn:
    state = _state(track, room)
    behind = track.sequence - track.witnessed_sequence
    return {
        "id": track.id,
        "name": words.name(track.name),
        "kind": words.say("track.pickup" if track.kind is TrackKind.PICKUP else "track.camera"),
        "state": state,
        "label": _label(track, state, words),
        "since": words.at(track.since_utc_ms) if state != UNKNOWN else "",
        "entry": str(track.sequence) if track.sequence else "–",
        "entry_at": words.at(track.entry_utc_ms),
        "witnessed": str(track.witnessed_sequence) if track.witnessed_sequence else "–",
        "witnessed_at": words.at(track.witnessed_utc_ms),
        "behind": behind > 0,
        "broken": track.broken,
        "known_from": track.known_from if track.known_from and track.known_from > 1 else None,
    }
