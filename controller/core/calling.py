"""Decides what becomes of calls from a room, and of texts to its tablet.

A call rings until somebody answers it; unanswered, it rings again and raises an alert.
"""

from dataclasses import replace
from typing import Final

from contracts.api import Sentence
from contracts.api.outside import CALL_REASONS, TEMPLATES, TextBody
from contracts.api.record import RecordKind
from controller.core import acts, dispatch
from controller.core.acts import Result
from controller.core.alerts import CALL_UNANSWERED
from controller.core.outputs import Accepted, Refused
from controller.core.outside import (
    CALL_REPEATS_MAX,
    CALL_UNANSWERED_MS,
    Call,
    CallAnswered,
    CallEnded,
    CallRaised,
    Text,
    TextRead,
    TextSent,
)
from controller.core.state import Now, SiteState

UNREAD_MAX: Final = 20  # texts that nobody reads are no way to reach a room

TEXT_QUOTED_MAX: Final = 200  # as contracts.api.outside.TEXT_MAX_CHARS: nothing is cut


def raised(site: SiteState, given: CallRaised, now: Now) -> Result:
    """A call; pressed again while it rings, it is the same call."""
    if not acts.knows_room(site, given.room_id):
        return site, (acts.no_room(given.room_id),)
    if given.call_id in site.acts:
        return site, (Accepted(given.call_id),)
    for one in acts.going_on(site, Call, given.room_id):
        if one.reason is given.reason:
            return site, (Accepted(one.id),)
    call = Call(
        id=given.call_id,
        room_id=given.room_id,
        session_id=acts.session_id_of(site, given.room_id),
        reason=given.reason,
        raised_by=given.by,
        raised_utc_ms=now.utc_ms,
        since_mono_ms=now.mono_ms,
    )
    why = CALL_REASONS[given.reason]
    text = Sentence(zh=f"室内呼叫监督：{why.zh}", en=f"The room called the supervisor: {why.en}")
    data = {"step": "raised", "reason": given.reason.value}
    told = acts.line(call, RecordKind.CALL, text, now, given.by, data)
    return acts.put(site, call), (told, Accepted(call.id))


def answered(site: SiteState, given: CallAnswered, now: Now) -> Result:
    """Somebody sees to it; the second to press changes nothing and is not refused."""
    call = acts.find(site, Call, given.call_id)
    if isinstance(call, Refused):
        return site, (call,)
    if call.ended:
        return site, (acts.conflict("该呼叫已结束。", "This call is over."),)
    if not call.waits:
        return site, (Accepted(call.id),)
    site, told = answer(site, call, given.by, now)
    return site, (*told, Accepted(call.id))


def answer(site: SiteState, call: Call, by: str, now: Now) -> Result:
    """Mark a call that rings as answered."""
    after = replace(call, answered_by=by, answered_utc_ms=now.utc_ms)
    waited_s = (now.utc_ms - call.raised_utc_ms) // 1000
    text = Sentence(
        zh=f"{by} 应答呼叫，等待 {waited_s} 秒", en=f"{by} answered the call after {waited_s} s"
    )
    data = {"step": "answered", "reason": call.reason.value, "repeats": str(call.repeats)}
    told = acts.line(after, RecordKind.CALL, text, now, by, data)
    site = dispatch.lower(acts.put(site, after), CALL_UNANSWERED, call.id, now)
    return site, (told,)


def ended(site: SiteState, given: CallEnded, now: Now) -> Result:
    """It is settled, or was withdrawn in the room."""
    call = acts.find(site, Call, given.call_id)
    if isinstance(call, Refused):
        return site, (call,)
    if call.ended:
        return site, (Accepted(call.id),)
    site, told = end(site, call, given.by, now)
    return site, (*told, Accepted(call.id))


def end(site: SiteState, call: Call, by: str, now: Now) -> Result:
    """A call is over."""
    after = replace(call, ended_by=by, ended_utc_ms=now.utc_ms)
    unanswered = call.waits
    text = Sentence(
        zh=f"呼叫结束（{by}）" + ("，无人应答" if unanswered else ""),
        en=f"The call ended ({by})" + (", unanswered" if unanswered else ""),
    )
    data = {"step": "ended", "reason": call.reason.value, "repeats": str(call.repeats)}
    told = acts.line(after, RecordKind.CALL, text, now, by, data)
    site = dispatch.lower(acts.put(site, after), CALL_UNANSWERED, call.id, now)
    return site, (told,)


def watch(site: SiteState, now: Now) -> Result:
    """Calls that nobody answered ring again; the first time an alert is raised."""
    outputs: acts.Outputs = ()
    for call in acts.going_on(site, Call):
        waited_ms = now.mono_ms - call.since_mono_ms
        if not call.waits or waited_ms < CALL_UNANSWERED_MS or call.repeats >= CALL_REPEATS_MAX:
            continue
        after = replace(call, repeats=call.repeats + 1, since_mono_ms=now.mono_ms)
        site = acts.put(site, after)
        if after.repeats > 1:
            continue
        why = CALL_REASONS[call.reason]
        seconds = CALL_UNANSWERED_MS // 1000
        text = Sentence(
            zh=f"呼叫 {seconds} 秒无人应答：{why.zh}",
            en=f"A call was not answered within {seconds} s: {why.en}",
        )
        site = acts.alarm(site, CALL_UNANSWERED, after, call.raised_utc_ms, text, now)
        data = {"step": "repeated", "reason": call.reason.value}
        outputs += (acts.line(after, RecordKind.CALL, text, now, "controller", data),)
    return site, outputs


def sent(site: SiteState, given: TextSent, now: Now) -> Result:
    """Words for a room's tablet; they answer the call that they name. A known id is done."""
    if given.text_id in site.acts:
        return site, (Accepted(given.text_id),)
    if not acts.knows_room(site, given.room_id):
        return site, (acts.no_room(given.room_id),)
    unread = acts.going_on(site, Text, given.room_id)
    if len(unread) >= UNREAD_MAX:
        zh = f"该评标室已有 {len(unread)} 条未读文字，请改用对讲或电话。"
        en = f"{len(unread)} texts wait unread in this room; talk into it instead."
        return site, (acts.conflict(zh, en),)
    text = Text(
        id=given.text_id,
        room_id=given.room_id,
        session_id=acts.session_id_of(site, given.room_id),
        text=words_of(given.body),
        template=given.body.template,
        sent_by=given.by,
        sent_utc_ms=now.utc_ms,
        call_id=given.body.call_id,
    )
    said = Sentence(
        zh=f"向室内平板发送：{text.text.zh}", en=f"Sent to the room's tablet: {text.text.en}"
    )
    data = {"step": "sent"}
    if text.template is not None:
        data["template"] = text.template.value
    told = acts.line(text, RecordKind.TEXT, said, now, given.by, data)
    site, answers = _answers(acts.put(site, text), text, now)
    return site, (told, *answers, Accepted(text.id))


def _answers(site: SiteState, text: Text, now: Now) -> Result:
    call = site.acts.get(text.call_id or "")
    if isinstance(call, Call) and call.waits and call.room_id == text.room_id:
        return answer(site, call, text.sent_by, now)
    return site, ()


def words_of(body: TextBody) -> Sentence:
    """What the tablet shows: a template in both languages, or free words as they were written."""
    if body.template is not None:
        return TEMPLATES[body.template]
    words = (body.text or "")[:TEXT_QUOTED_MAX]
    return Sentence(zh=words, en=words)


def read(site: SiteState, given: TextRead, now: Now) -> Result:
    """Somebody in the room has read it."""
    text = acts.find(site, Text, given.text_id)
    if isinstance(text, Refused):
        return site, (text,)
    if text.ended:
        return site, (Accepted(text.id),)
    after = replace(text, read_utc_ms=now.utc_ms, ended_utc_ms=now.utc_ms)
    after_s = (now.utc_ms - text.sent_utc_ms) // 1000
    said = Sentence(
        zh=f"室内已确认阅读（{after_s} 秒后）：{text.text.zh}",
        en=f"Read in the room after {after_s} s: {text.text.en}",
    )
    told = acts.line(after, RecordKind.TEXT, said, now, given.by, {"step": "read"})
    return acts.put(site, after), (told, Accepted(text.id))


def withdrawn(site: SiteState, text: Text, now: Now) -> Result:
    """Its session is over, so it is for nobody any more."""
    after = replace(text, ended_utc_ms=now.utc_ms)
    said = Sentence(
        zh=f"场次结束，未读文字撤回：{text.text.zh}",
        en=f"Withdrawn unread, the session is over: {text.text.en}",
    )
    told = acts.line(after, RecordKind.TEXT, said, now, "controller", {"step": "withdrawn"})
    return acts.put(site, after), (told,)
