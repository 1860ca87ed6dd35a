"""Decides how alerts are listed and explained: what was seen, measured, and by which rule."""

from contracts.api import AlertView, Disposition, Handling, Sentence
from contracts.catalogue import CATALOGUE
from contracts.observations import Appearance, Condition, Measured, SeenPerson
from controller.console.house import House
from controller.console.present import tracks
from controller.console.present.words import Drawn, Words, number
from controller.console.texts import TEXTS

OF_RECORDINGS = ("node.", "camera.")
"""How the codes of rules begin that tell of cameras, nodes, and so of recordings."""

OPEN = (Handling.NEW, Handling.ACKNOWLEDGED, Handling.ASSIGNED, Handling.HANDLING)


def is_open(alert: AlertView) -> bool:
    """Whether people still have something to do with it."""
    return alert.handling in OPEN


def rail(house: House, words: Words) -> list[Drawn]:
    """All known alerts, newest first."""
    return [line(alert, house, words) for alert in house.alerts_newest_first()]


def line(alert: AlertView, house: House, words: Words) -> Drawn:
    """An alert as one card."""
    return {
        "id": alert.id,
        "number": alert.number,
        "title": words.name(alert.title),
        "severity": alert.severity.value,
        "severity_label": words.say(f"severity.{alert.severity.value}"),
        "room": room_name(alert.room_id, house, words),
        "room_id": alert.room_id,
        "active": alert.condition is Condition.ACTIVE,
        "condition_label": words.say(f"alert.{alert.condition.value}"),
        "handling": alert.handling.value,
        "handling_label": words.say(f"handling.{alert.handling.value}"),
        "open": is_open(alert),
        "since_ms": int(alert.since_utc_ms),
        "ended_ms": None if alert.cleared_utc_ms is None else int(alert.cleared_utc_ms),
        "since": words.at(alert.since_utc_ms),
        "picture": words.picture(alert.picture_url),
        "measured": " · ".join(_short(measured) for measured in alert.measured),
        "acknowledged": _acknowledged(alert, words),
        "disposition": words.say(f"disposition.{alert.disposition.value}")
        if alert.disposition
        else "",
    }


def _label(person: SeenPerson, words: Words) -> str:
    """What a box says: the vest where it is known, else how sure the detector is."""
    if person.appearance is Appearance.UNKNOWN:
        return f"{person.score:.0%}"
    return words.say(f"appearance.{person.appearance.value}")


def detail(alert: AlertView, house: House, words: Words) -> Drawn:
    """An alert with everything that explains it."""
    spec = CATALOGUE.get(alert.rule)
    return {
        **line(alert, house, words),
        "boxes": [
            {
                "x": person.box.x1,
                "y": person.box.y1,
                "w": person.box.x2 - person.box.x1,
                "h": person.box.y2 - person.box.y1,
                "look": person.appearance.value,
                "label": _label(person, words),
                "share": f"{person.score:.0%}",
            }
            for person in alert.boxes
        ],
        "rule": alert.rule,
        "session": _session(alert, house),
        "why": spec.text.pick(words.language) if spec else "",
        "found": _found(alert, words),
        "risk": alert.risk_code,
        "has_sound": alert.sound_sha256 is not None,
        "settings": _settings(alert, words),
        **_recordings(alert, house, words),
        "camera": _camera_name(alert, house, words),
        "rows": [_row(measured, words) for measured in alert.measured],
        "times": [
            {"label": words.say(f"alert.{label}"), "at": words.day_and_time(utc_ms)}
            for label, utc_ms in (
                ("since", alert.since_utc_ms),
                ("raised", alert.raised_utc_ms),
                ("received", alert.received_utc_ms),
                ("cleared_at", alert.cleared_utc_ms),
            )
            if utc_ms is not None
        ],
        "dwell": f"{number(alert.dwell_ms / 1000)} {words.say('alert.sec')}",
        "confidence": f"{alert.confidence:.0%}",
        "sha256": alert.picture_sha256 or "",
        "note": alert.note,
        "dispositions": [
            {"id": choice.value, "label": words.say(f"disposition.{choice.value}")}
            for choice in Disposition
        ],
    }


def _session(alert: AlertView, house: House) -> Drawn | None:
    """The session that the alert fell into, with its name where this user knows it."""
    if alert.session_id is None:
        return None
    session = house.sessions.get(alert.session_id)
    title = session.title if session else alert.session_id
    return {"id": alert.session_id, "title": title}


def room_name(room_id: str, house: House, words: Words) -> str:
    """The room's name, or its id when the console does not know it."""
    room = house.rooms.get(room_id)
    return words.name(room.name) if room else room_id


def _acknowledged(alert: AlertView, words: Words) -> str:
    if alert.acknowledged_by is None:
        return ""
    parts = (
        words.say("alert.acknowledged_by"),
        alert.acknowledged_by,
        words.say("alert.acknowledged_tail"),
        words.at(alert.acknowledged_utc_ms),
    )
    return " ".join(part for part in parts if part)


def _camera_name(alert: AlertView, house: House, words: Words) -> str:
    room = house.rooms.get(alert.room_id)
    wanted = alert.camera_id or alert.pickup_id
    for camera in room.cameras if room else ():
        if camera.id == wanted:
            return words.name(camera.name)
    for track in room.tracks if room else ():
        if track.id == wanted:
            return words.name(track.name)
    return wanted or ""


def _recordings(alert: AlertView, house: House, words: Words) -> Drawn:
    """The recordings that an alert on recordings is about: one track, or all of its room."""
    room = house.rooms.get(alert.room_id)
    if room is None or not alert.rule.startswith(OF_RECORDINGS):
        return {"tracks": [], "clock": None}
    track_id = alert.camera_id or alert.pickup_id
    return {"tracks": tracks.rows(room, words, track_id), "clock": tracks.clock(room, words)}


def _found(alert: AlertView, words: Words) -> str:
    """What was seen, and what the controller has found out since; a bare title says nothing new."""
    saw = alert.saw if alert.saw != Sentence(zh=alert.title.zh, en=alert.title.en) else None
    return " ".join(words.name(said) for said in (saw, alert.detail) if said is not None)


def _settings(alert: AlertView, words: Words) -> list[Drawn]:
    """The rule's parameters as they were when it spoke; the dwell stands beside the rule."""
    spec = CATALOGUE.get(alert.rule)
    titles = {one.name: one.title.pick(words.language) for one in spec.parameters} if spec else {}
    return [
        {
            "name": titles.get(one.name, one.name),
            "value": f"{number(one.value)}{_unit(one)}",
        }
        for one in alert.settings
        if one.name != "dwell_ms"
    ]


def _short(measured: Measured) -> str:
    limit = "" if measured.limit is None else f" / {number(measured.limit)}"
    return f"{number(measured.value)}{limit}{_unit(measured)}"


def _row(measured: Measured, words: Words) -> Drawn:
    key = f"measured.{measured.name}"
    return {
        "name": words.say(key) if key in TEXTS else measured.name,
        "value": f"{number(measured.value)}{_unit(measured)}",
        "limit": "" if measured.limit is None else f"{number(measured.limit)}{_unit(measured)}",
    }


def _unit(measured: Measured) -> str:
    return f" {measured.unit}" if measured.unit else ""
