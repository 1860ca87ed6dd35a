"""Decides what a room's tile shows: count against admitted, seal, cameras, and its alert."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from contracts.api import (
    AlertView,
    CameraStatus,
    Handling,
    MediaLink,
    RoomView,
    SessionState,
    SessionView,
)
from contracts.api.outside import ListeningView
from contracts.observations import CameraState, Condition, NodeState, Severity, SoundState
from controller.console.house import House
from controller.console.present import tracks
from controller.console.present.words import Drawn, Words

_DONE = (Handling.RESOLVED, Handling.CLOSED)
_RANK = {Severity.NOTICE: 0, Severity.WARNING: 1, Severity.ALARM: 2}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a tile is drawn of. Views never change, so the same objects make the same tile."""

    room: RoomView
    session: SessionView | None
    standing: AlertView | None
    links: tuple[MediaLink, ...]
    denied: bool
    listening: ListeningView | None
    words: Words

    def same(self, other: "_Shown | None") -> bool:
        return (
            other is not None
            and self.room is other.room
            and self.session is other.session
            and self.standing is other.standing
            and self.links is other.links
            and self.listening is other.listening
            and self.denied == other.denied
            and self.words == other.words
        )


class Tiles:
    """Draws the wall's tiles and keeps them: of 64 rooms a moment changes one or two."""

    def __init__(self, me: str = "") -> None:
        self._me = me
        self._kept: dict[str, tuple[_Shown, Drawn]] = {}

    def draw(
        self,
        house: House,
        media: Mapping[str, tuple[MediaLink, ...]],
        denied: Collection[str],
        words: Words,
    ) -> tuple[list[Drawn], list[Drawn]]:
        """All tiles in the site's order, and those of them that are not as they were."""
        standing, listening = _standing(house), _listening(house)
        drawn, fresh = [], []
        for room in house.rooms.values():
            shown = _Shown(
                room,
                house.sessions.get(room.session.id, room.session) if room.session else None,
                standing.get(room.id),
                media.get(room.id, ()),
                room.id in denied,
                listening.get(room.id),
                words,
            )
            before = self._kept.get(room.id)
            if before is not None and shown.same(before[0]):
                drawn.append(before[1])
                continue
            tile = _tile(shown, audible=room.id in house.audible, me=self._me)
            if before is None or before[1] != tile:
                fresh.append(tile)
            self._kept[room.id] = (shown, tile)
            drawn.append(tile)
        return drawn, fresh


def tiles(
    house: House,
    media: Mapping[str, tuple[MediaLink, ...]],
    denied: Collection[str],
    words: Words,
) -> list[Drawn]:
    """One tile a room, in the site's order; ``denied``: rooms without the right to a picture."""
    return Tiles().draw(house, media, denied, words)[0]


def _tile(shown: _Shown, *, audible: bool, me: str) -> Drawn:
    room, words, denied = shown.room, shown.words, shown.denied
    session, standing = shown.session, shown.standing
    camera = room.cameras[0] if room.cameras else None
    tile: Drawn = {
        "id": room.id,
        "name": words.name(room.name),
        "kind": room.kind.value,
        "kind_label": words.say(f"kind.{room.kind.value}"),
        "session": session.title if session else "",
        "seal": session.state.value if session else "none",
        "seal_label": words.say(f"session.{session.state.value}")
        if session
        else words.say("room.no_session"),
        "pending": session is not None
        and session.state is SessionState.SEALED
        and not session.seal_confirmed,
        "sealed_at": words.minute(session.sealed_utc_ms) if session else "",
        **_count(room, words),
        "cameras": [_camera(camera, shown.links, words) for camera in room.cameras],
        "picture": "denied"
        if denied
        else "live"
        if camera and camera.state is CameraState.LIVE
        else "dark",
        "dark_label": words.say(
            "room.picture_denied"
            if denied
            else f"camera.{camera.state.value}"
            if camera
            else "camera.missing"
        ),
        "node": None
        if room.node_state in (NodeState.RUNNING, None)
        else words.say(
            "room.node_lost" if room.node_state is NodeState.LOST else "room.node_stopped"
        ),
        "alarm": standing.severity.value if standing else None,
        "alarm_new": standing is not None and standing.handling is Handling.NEW,
        "alarm_label": words.name(standing.title) if standing else "",
        "observed": words.at(room.observed_utc_ms),
        "recording": tracks.mark(room, words),
        "tracks": tracks.rows(room, words),
        "clock": tracks.clock(room, words),
        "key": tracks.key(room, words),
        "ear": _ear(shown, audible=audible, me=me),
    }
    return {**tile, "spoken": _spoken(tile, words)}


def _spoken(tile: Drawn, words: Words) -> str:
    """The tile in one sentence, for those who hear the wall."""
    admitted = f" / {tile['admitted']}" if tile["admitted"] else ""
    count = f"{tile['count']}{admitted} {words.say('room.people')}"
    parts = (tile["name"], tile["alarm_label"], count, tile["count_label"], tile["seal_label"])
    return ", ".join(str(part) for part in parts if part)


def _ear(shown: _Shown, *, audible: bool, me: str) -> Drawn | None:
    """Who hears the room; None where nobody does and this user may not."""
    listening = shown.listening
    if listening is None:
        return {"state": "off", "who": ""} if audible else None
    if listening.by == me:
        return {"state": "mine", "who": ""}
    words = shown.words
    return {"state": "other", "who": f"{listening.by} {words.say('listen.hears')}"}


def _count(room: RoomView, words: Words) -> Drawn:
    """The head count as text and as a state; None is not zero."""
    if room.head_count is None:
        state = "unseen"
    elif room.admitted is None:
        state = "free"
    elif room.head_count > room.admitted:
        state = "over"
    elif room.head_count < room.admitted:
        state = "under"
    else:
        state = "ok"
    shown = "–" if room.head_count is None else str(room.head_count)
    return {
        "count": shown,
        "admitted": "" if room.admitted is None else str(room.admitted),
        "count_state": state,
        "count_label": words.say("room.unseen" if state == "unseen" else f"room.count_{state}"),
    }


def _standing(house: House) -> dict[str, AlertView]:
    """By room, the gravest alert that still stands or that nobody has seen."""
    gravest: dict[str, AlertView] = {}
    for alert in house.alerts.values():
        stands = alert.condition is Condition.ACTIVE or alert.handling is Handling.NEW
        if alert.handling in _DONE or not stands:
            continue
        known = gravest.get(alert.room_id)
        if known is None or _gravity(alert) > _gravity(known):
            gravest[alert.room_id] = alert
    return gravest


def _gravity(alert: AlertView) -> tuple[int, int]:
    return _RANK[alert.severity], alert.number


def _listening(house: House) -> dict[str, ListeningView]:
    """By room, who hears it now."""
    return {row.room_id: row for row in house.listenings.values() if row.ended_utc_ms is None}


def _camera(camera: CameraStatus, links: tuple[MediaLink, ...], words: Words) -> Drawn:
    link = next((link for link in links if link.camera_id == camera.id), None)
    level = None if camera.level_dbfs is None else round(camera.level_dbfs)
    drawn: Drawn = {
        "id": camera.id,
        "name": words.name(camera.name),
        "state": camera.state.value,
        "state_label": words.say(f"camera.{camera.state.value}"),
        "sound": camera.sound.value,
        "sound_label": words.say(f"sound.{camera.sound.value}"),
        # Speech in a room lies between -60 and -10 dBFS: that is the meter's span.
        "level": None if level is None or camera.sound is not SoundState.LIVE else _meter(level),
        "src": "",
        "still": "",
    }
    if link is not None and camera.state in (CameraState.LIVE, CameraState.STARTING):
        drawn["src"] = with_boxes(link.live_url)
        drawn["still"] = with_boxes(link.snapshot_url)
    return drawn


def _meter(level_dbfs: int) -> int:
    """Five bars: how many of them are lit."""
    return max(0, min(5, (level_dbfs + 60) // 10 + 1))


def with_boxes(url: str) -> str:
    """The picture's address with the people boxes that its edge node draws."""
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "boxes"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("boxes", "true")])))
