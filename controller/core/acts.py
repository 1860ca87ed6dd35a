"""Holds what every act from outside needs: how it is kept, whose session it is, its record line."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from contracts.api import Sentence, SessionState
from contracts.api.record import RecordKind
from contracts.observations import Alert, Condition, Said, Severity
from contracts.units import RoomId, SessionId, UtcMs
from controller.core import dispatch
from controller.core.outputs import FileRecord, Output, Refusal, Refused
from controller.core.outside import OutsideAct
from controller.core.sessions import HOLDS_ROOM, Session
from controller.core.state import ENDED_KEPT, Now, SiteState, own_alert_id

Outputs = tuple[Output, ...]
Result = tuple[SiteState, Outputs]

ActT = TypeVar("ActT", bound=OutsideAct)

NO_NODE = "controller"  # an alert of ours where no edge node watches the area


def put(site: SiteState, act: OutsideAct) -> SiteState:
    """The site with one act set; the oldest that are over leave memory, the store has them all."""
    after = {**site.acts, act.id: act}
    ended = [name for name, one in after.items() if one.ended]
    for name in ended[: max(0, len(ended) - ENDED_KEPT)]:
        if name != act.id:
            del after[name]
    return replace(site, acts=after)


def find(site: SiteState, kind: type[ActT], act_id: str) -> ActT | Refused:
    """The act of this id and kind."""
    found = site.acts.get(act_id)
    if isinstance(found, kind):
        return found
    text = Sentence(zh=f"没有记录 {act_id[:40]}。", en=f"There is no {act_id[:40]}.")
    return Refused(Refusal.NOT_FOUND, text)


def of(site: SiteState, kind: type[ActT], room_id: RoomId | None = None) -> tuple[ActT, ...]:
    """All acts of a kind that are in memory, those of one room alone if it is named."""
    return tuple(
        one
        for one in site.acts.values()
        if isinstance(one, kind) and room_id in (None, one.room_id)
    )


def going_on(site: SiteState, kind: type[ActT], room_id: RoomId | None = None) -> tuple[ActT, ...]:
    """The acts of a kind that are not over."""
    return tuple(one for one in of(site, kind, room_id) if not one.ended)


def session_of(site: SiteState, room_id: RoomId) -> Session | None:
    """The session that holds a room now; one that is sealed goes before one that gathers."""
    held = [row for row in site.sessions.values() if row.room_id == room_id]
    held = [row for row in held if row.state in HOLDS_ROOM]
    return min(held, key=lambda row: row.state is not SessionState.SEALED, default=None)


def session_id_of(site: SiteState, room_id: RoomId) -> SessionId | None:
    """The id of the session that holds a room now."""
    session = session_of(site, room_id)
    return session.id if session is not None else None


def knows_room(site: SiteState, room_id: RoomId) -> bool:
    """Whether the site has this room."""
    return any(area.id == room_id for area in site.plan.site.config.areas)


def no_room(room_id: RoomId) -> Refused:
    """There is no such room."""
    text = Sentence(zh=f"没有区域 {room_id[:80]}。", en=f"There is no room {room_id[:80]}.")
    return Refused(Refusal.NOT_FOUND, text)


def conflict(zh: str, en: str) -> Refused:
    """It cannot be done now."""
    return Refused(Refusal.CONFLICT, Sentence(zh=zh, en=en))


def line(
    act: OutsideAct, kind: RecordKind, text: Sentence, now: Now, by: str, data: Mapping[str, str]
) -> FileRecord:
    """A line of the record about an act."""
    return FileRecord(
        room_id=act.room_id,
        utc_ms=now.utc_ms,
        record_kind=kind,
        by=by,
        text=text,
        session_id=act.session_id,
        subject=act.id,
        data=dict(data),
    )


def alarm(
    site: SiteState, rule: str, act: OutsideAct, since: UtcMs, saw: Sentence, now: Now
) -> SiteState:
    """Raise an alert of the controller's own about an act, once while it stands."""
    alert = Alert(
        alert_id=own_alert_id(rule, act.id, now.utc_ms),
        rule=rule,
        condition=Condition.ACTIVE,
        severity=Severity.ALARM,
        room_id=act.room_id,
        node_id=site.plan.watcher.get(act.room_id, NO_NODE),
        session_id=act.session_id,
        since_utc_ms=since,
        raised_utc_ms=now.utc_ms,
        dwell_ms=max(now.utc_ms - since, 0),
        saw=Said(zh=saw.zh[:200], en=saw.en[:200]),
    )
    return dispatch.raise_alert(site, alert, act.id, now)
