"""Decides how an alert in work, the list of alerts and the rules' records are drawn."""

from collections.abc import Iterable
from typing import Final

from contracts.api import AlertView, Disposition, Handling
from contracts.api.alerts import AlertHistory, HandlingStep, HandlingVerb
from contracts.catalogue.record import RuleRecord
from contracts.observations import Condition, Mode, Said
from controller.console.house import House
from controller.console.present.alerts import is_open, room_name
from controller.console.present.words import Drawn, Words
from controller.console.texts import Language

LEVELS: Final = (1, 2, 3)
_SIGNS: Final = {
    HandlingVerb.ACKNOWLEDGE: "check",
    HandlingVerb.ASSIGN: "group",
    HandlingVerb.START: "play",
    HandlingVerb.NOTE: "report",
    HandlingVerb.URGE: "bell",
    HandlingVerb.REPLY: "check",
    HandlingVerb.RESOLVE: "check",
    HandlingVerb.STATEMENT: "report",
    HandlingVerb.CLOSE: "archive",
    HandlingVerb.REOPEN: "unlock",
    HandlingVerb.RETURN: "warning",
    HandlingVerb.TELL: "bell",
}


def desk(alert: AlertView, words: Words, *, may: bool, may_urge: bool) -> Drawn:
    """The people's side of one alert, and what this user may do about it."""
    return {
        "id": alert.id,
        "number": alert.number,
        "handling": alert.handling.value,
        "handling_label": words.say(f"handling.{alert.handling.value}"),
        "open": is_open(alert),
        "active": alert.condition is Condition.ACTIVE,
        "owner": alert.owner or "",
        "due_ms": alert.due_utc_ms if is_open(alert) else None,
        "due": words.minute(alert.due_utc_ms) if is_open(alert) else "",
        "urged_at": words.minute(alert.urged_utc_ms),
        "urged": alert.urged_utc_ms is not None,
        "latched": alert.latched,
        "told": words.say(f"handling.level{alert.told_level}")
        if alert.told_level in LEVELS
        else "",
        "told_at": words.minute(alert.told_utc_ms),
        "returns": alert.returns,
        "follows": alert.follows,
        "disposition": words.say(f"disposition.{alert.disposition.value}")
        if alert.disposition
        else "",
        "note": alert.note,
        "seat": alert.seat,
        "statement": alert.statement,
        "verbs": [verb.value for verb in verbs(alert, may=may, may_urge=may_urge)],
        "main": _main(alert).value,
        "dispositions": [
            {"id": one.value, "label": words.say(f"disposition.{one.value}")} for one in Disposition
        ],
    }


def verbs(alert: AlertView, *, may: bool, may_urge: bool) -> tuple[HandlingVerb, ...]:
    """What can be done about an alert now, in the order of the buttons."""
    if not may:
        return ()
    if not is_open(alert):
        shut = (HandlingVerb.CLOSE,) if alert.handling is Handling.RESOLVED else ()
        said = (HandlingVerb.STATEMENT,) if alert.disposition is Disposition.VIOLATION else ()
        return (*shut, *said, HandlingVerb.NOTE, HandlingVerb.REOPEN)
    found: list[HandlingVerb] = []
    if alert.handling is Handling.NEW:
        found.append(HandlingVerb.ACKNOWLEDGE)
    if alert.urged_utc_ms is not None:
        found.append(HandlingVerb.REPLY)
    if alert.handling is not Handling.HANDLING:
        found.append(HandlingVerb.START)
    if not alert.latched:
        found.append(HandlingVerb.RESOLVE)
    found += [HandlingVerb.ASSIGN, HandlingVerb.NOTE]
    if may_urge:
        found.append(HandlingVerb.URGE)
    return tuple(found)


def _main(alert: AlertView) -> HandlingVerb:
    """The step that comes next for most."""
    if alert.handling is Handling.NEW:
        return HandlingVerb.ACKNOWLEDGE
    if alert.urged_utc_ms is not None and is_open(alert):
        return HandlingVerb.REPLY
    if alert.handling is Handling.HANDLING:
        return HandlingVerb.RESOLVE
    return HandlingVerb.START if is_open(alert) else HandlingVerb.CLOSE


def steps(history: AlertHistory | None, words: Words) -> list[Drawn]:
    """Who did what, newest first."""
    rows = history.steps if history is not None else ()
    return [_step(step, words) for step in reversed(rows)]


def _step(step: HandlingStep, words: Words) -> Drawn:
    to = step.to
    if step.verb is HandlingVerb.TELL:
        levels = {"duty officer": 1, "supervisor": 2, "head": 3}
        to = words.say(f"handling.level{levels[to]}") if to in levels else to
    own = step.verb in {HandlingVerb.TELL, HandlingVerb.RETURN}
    return {
        "number": step.number,
        "verb": step.verb.value,
        "sign": _SIGNS[step.verb],
        "what": words.say(f"handled.{step.verb.value}"),
        "by": words.say("handling.system") if own else step.by,
        "to": to,
        "text": "" if step.verb is HandlingVerb.TELL else step.text,
        "disposition": words.say(f"disposition.{step.disposition.value}")
        if step.disposition
        else "",
        "at": words.day_and_time(step.utc_ms)[:16],
    }


def listed(found: Iterable[AlertView], house: House | None, words: Words) -> list[Drawn]:
    """Alerts as lines of the list."""
    return [
        {
            "id": alert.id,
            "href": f"/alerts/{alert.id}",
            "number": alert.number,
            "title": words.name(alert.title),
            "severity": alert.severity.value,
            "severity_label": words.say(f"severity.{alert.severity.value}"),
            "room": room_name(alert.room_id, house, words) if house else alert.room_id,
            "at": words.day_and_time(alert.raised_utc_ms)[:19],
            "active": alert.condition is Condition.ACTIVE,
            "handling": alert.handling.value,
            "handling_label": words.say(f"handling.{alert.handling.value}"),
            "disposition": words.say(f"disposition.{alert.disposition.value}")
            if alert.disposition
            else "",
            "owner": alert.owner or "",
            "due_ms": alert.due_utc_ms if is_open(alert) else None,
            "urged": alert.urged_utc_ms is not None and is_open(alert),
            "open": is_open(alert),
        }
        for alert in found
    ]


def rules(records: Iterable[RuleRecord], words: Words) -> list[Drawn]:
    """Each rule's record, with what it speaks for."""
    keys = {Mode.SHADOW: "rules.propose_shadow", Mode.ON: "rules.propose_on"}
    return [
        {
            "rule": row.rule,
            "title": _pick(row.title, words),
            "told": row.told,
            "shadowed": row.shadowed,
            "judged": row.judged,
            "false": row.false,
            "share": f"{row.false_share_low:.0%}\N{EN DASH}{row.false_share_high:.0%}"
            if row.judged
            else "",
            "proposal": words.say(keys[row.proposal]) if row.proposal in keys else "",
            "why": _pick(row.why, words) if row.why else "",
        }
        for row in records
    ]


def _pick(said: Said, words: Words) -> str:
    return said.zh if words.language is Language.ZH else said.en
