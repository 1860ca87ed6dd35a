"""Decides how what a search found, and a room's timeline, are written for people. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api.search import Found, FoundKind, RoomPlayers, Timeline
from controller.console.present.words import Drawn, Words
from controller.console.texts import TEXTS

_PLAIN: Final = ("track", "rule", "severity", "handling", "disposition", "session", "text", "room")
JOIN_MS: Final = 1_500  # the next segment of a stream begins with its next key frame
TEXT_MAX: Final = 100  # as the API takes it
SIGNS: Final[Mapping[FoundKind, str]] = {
    FoundKind.ALERT: "bell",
    FoundKind.SEGMENT: "record",
    FoundKind.GAP: "record_off",
    FoundKind.MANIFEST: "link",
    FoundKind.RECORD: "report",
    FoundKind.SESSION: "calendar",
}


def instant(local: object, zone: ZoneInfo) -> int | None:
    """UTC milliseconds of ``2026-11-22T14:03`` in the site's zone; None: no such time."""
    if not isinstance(local, str) or not 16 <= len(local) <= 26:
        return None
    try:
        told = datetime.fromisoformat(local)
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=zone)
    try:
        moment = round(told.astimezone(UTC).timestamp() * 1000)
    except OverflowError:
        return None
    return moment if moment >= 0 else None


def local(utc_ms: int, zone: ZoneInfo) -> str:
    """As ``<input type="datetime-local">`` takes it, in the site's zone."""
    told = datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(zone)
    return f"{told:%Y-%m-%dT%H:%M:%S}"


def filters(sent: Mapping[str, object], zone: ZoneInfo) -> dict[str, str | int | bool | list[str]]:
    """What a form has, by the names of the API's parameters; what is empty is left out."""
    asked: dict[str, str | int | bool | list[str]] = {}
    for name in _PLAIN:
        value = sent.get(name)
        if isinstance(value, str) and value.strip():
            asked[name] = value.strip()[:TEXT_MAX]
    kinds = sent.get("kind")
    if isinstance(kinds, list):
        known = [kind for kind in kinds if kind in set(FoundKind)]
        if known:
            asked["kind"] = known
    for name in ("from", "to"):
        moment = instant(sent.get(name), zone)
        if moment is not None:
            asked[name] = moment
    if sent.get("shadow") is True:
        asked["shadow"] = True
    return asked


def joined(rows: Iterable[Found]) -> list[Found]:
    """The same rows, newest first; segments of a track that follow on each other are one."""
    kept: list[Found] = []
    place: dict[str | None, int] = {}
    for row in rows:
        if row.kind is FoundKind.SEGMENT and row.track_id in place:
            later = kept[place[row.track_id]]
            if later.utc_ms - (row.until_utc_ms or row.utc_ms) <= JOIN_MS:
                kept[place[row.track_id]] = later.model_copy(update={"utc_ms": row.utc_ms})
                continue
        if row.kind is FoundKind.SEGMENT:
            place[row.track_id] = len(kept)
        kept.append(row)
    return kept


def found(row: Found, words: Words, rooms: Mapping[str, str]) -> Drawn:
    """One row of results."""
    chips = []
    if row.handling is not None:
        chips.append(words.say(f"handling.{row.handling.value}"))
    if row.disposition is not None:
        chips.append(words.say(f"disposition.{row.disposition.value}"))
    if row.shadow:
        chips.append(words.say("evidence.shadow_mark"))
    return {
        "key": f"{row.kind.value}/{row.id}",
        "kind": row.kind.value,
        "kind_label": words.say(f"kind.{row.kind.value}"),
        "sign": SIGNS[row.kind],
        "at": words.day_and_time(row.utc_ms),
        "utc_ms": int(row.utc_ms),
        "until": words.at(row.until_utc_ms),
        "room": row.room_id,
        "room_name": rooms.get(row.room_id, row.room_id),
        "track": row.track_id or "",
        "title": words.name(row.title),
        "text": words.name(row.text) if row.text is not None else "",
        "number": f"#{row.number}" if row.kind is FoundKind.ALERT else "",
        "severity": row.severity.value if row.severity is not None else "",
        "severity_label": words.say(f"severity.{row.severity.value}") if row.severity else "",
        "chips": chips,
        "by": row.by,
        "href": f"/alerts/{row.id}" if row.kind is FoundKind.ALERT else "",
    }


def timeline(given: Timeline, words: Words, rooms: Mapping[str, str]) -> Drawn:
    """A room's timeline, numbers as they are: the part draws them."""
    return {
        "room": given.room_id,
        "from": int(given.from_utc_ms),
        "to": int(given.to_utc_ms),
        "tracks": [
            {
                "id": track.track_id,
                "name": words.name(track.name),
                "kind": track.kind,
                "recorded": [[int(row.from_utc_ms), int(row.to_utc_ms)] for row in track.recorded],
                "gaps": [
                    {
                        "from": int(row.from_utc_ms),
                        "to": int(row.to_utc_ms),
                        "reason": _reason(row.reason, words),
                        "detail": row.detail,
                        "lasting": not row.ended,
                        "at": f"{words.at(row.from_utc_ms)} \N{EN DASH} {words.at(row.to_utc_ms)}",
                    }
                    for row in track.gaps
                ],
            }
            for track in given.tracks
        ],
        "seals": [
            {
                "from": int(row.from_utc_ms),
                "to": int(row.to_utc_ms),
                "title": row.title,
                "at": f"{words.at(row.from_utc_ms)} \N{EN DASH} {words.at(row.to_utc_ms)}",
            }
            for row in given.seals
        ],
        "marks": [found(row, words, rooms) for row in given.marks],
        "more_marks": given.more_marks,
    }


def players(given: RoomPlayers, words: Words) -> Drawn:
    """Where the part finds each camera."""
    return {
        "room": given.room_id,
        "expires": int(given.expires_utc_ms),
        "list": [
            {
                "id": row.camera_id,
                "name": words.name(row.name),
                "base": row.base_url,
                "ticket": row.ticket,
                "sound": row.sound,
            }
            for row in given.players
        ],
        "missing": list(given.missing),
    }


def _reason(reason: str, words: Words) -> str:
    key = f"gap.{reason}"
    return words.say(key) if key in TEXTS else reason
