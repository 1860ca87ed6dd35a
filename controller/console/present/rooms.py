"""Decides what a room's tile shows: count against admitted, seal, cameras, and its alert."""

from collections import Counter
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from contracts.api import AlertView, CameraStatus, Handling, MediaLink, RoomView, SessionState
from contracts.observations import CameraState, Condition, NodeState, Severity, SoundState
from controller.console.house import House
from controller.console.present import tracks
from controller.console.present.words import Drawn, Words

LIVE_STREAMS_MAX = 4
# A browser opens six connections to one host over HTTP/1.1; two stay free for snapshots.

_DONE = (Handling.RESOLVED, Handling.CLOSED)
_RANK = {Severity.NOTICE: 0, Severity.WARNING: 1, Severity.ALARM: 2}


def tiles(
    house: House, media: Mapping[str, tuple[MediaLink, ...]], denied: set[str], words: Words
) -> list[Drawn]:
    """One tile a room, in the site's order; ``denied``: rooms without the right to a picture."""
    streams: Counter[str] = Counter()
    return [
        _tile(room, house, media.get(room.id, ()), streams, words, denied=room.id in denied)
        for room in house.rooms.values()
    ]


def _tile(
    room: RoomView,
    house: House,
    links: tuple[MediaLink, ...],
    streams: Counter[str],
    words: Words,
    *,
    denied: bool,
) -> Drawn:
    session = house.sessions.get(room.session.id, room.session) if room.session else None
    standing = _standing(room, house)
    camera = room.cameras[0] if room.cameras else None
    return {
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
        "cameras": [_camera(camera, links, streams, words) for camera in room.cameras],
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
    }


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


def _standing(room: RoomView, house: House) -> AlertView | None:
    """The gravest alert of the room that still stands or that nobody has seen."""
    concerned = [
        alert
        for alert in house.alerts.values()
        if alert.room_id == room.id
        and alert.handling not in _DONE
        and (alert.condition is Condition.ACTIVE or alert.handling is Handling.NEW)
    ]
    return max(concerned, key=lambda alert: (_RANK[alert.severity], alert.number), default=None)


def _camera(
    camera: CameraStatus, links: tuple[MediaLink, ...], streams: Counter[str], words: Words
) -> Drawn:
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
        origin = urlsplit(link.live_url).netloc
        streams[origin] += 1
        drawn["src"] = with_boxes(link.live_url) if streams[origin] <= LIVE_STREAMS_MAX else ""
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
