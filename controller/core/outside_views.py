"""Decides how acts from outside look to people: from the core's values to the public API's."""

from contracts.api.outside import CallView, EntryView, ListeningView, TalkView, TextView
from controller.core.outside import Call, Entry, Listening, OutsideAct, Talk, Text

ActView = CallView | TextView | TalkView | EntryView | ListeningView


def call_view(call: Call) -> CallView:
    """A call."""
    return CallView(
        id=call.id,
        room_id=call.room_id,
        session_id=call.session_id,
        reason=call.reason,
        raised_utc_ms=call.raised_utc_ms,
        raised_by=call.raised_by,
        repeats=call.repeats,
        overdue=call.waits and call.repeats > 0,
        answered_by=call.answered_by,
        answered_utc_ms=call.answered_utc_ms,
        ended_by=call.ended_by,
        ended_utc_ms=call.ended_utc_ms,
    )


def text_view(text: Text) -> TextView:
    """A text to a room."""
    return TextView(
        id=text.id,
        room_id=text.room_id,
        session_id=text.session_id,
        text=text.text,
        template=text.template,
        sent_by=text.sent_by,
        sent_utc_ms=text.sent_utc_ms,
        call_id=text.call_id,
        read_utc_ms=text.read_utc_ms,
        ended_utc_ms=text.ended_utc_ms,
    )


def talk_view(talk: Talk) -> TalkView:
    """A talk into a room."""
    return TalkView(
        id=talk.id,
        room_id=talk.room_id,
        session_id=talk.session_id,
        camera_id=talk.camera_id,
        by=talk.by,
        asked_utc_ms=talk.asked_utc_ms,
        call_id=talk.call_id,
        began_utc_ms=talk.began_utc_ms,
        ended_utc_ms=talk.ended_utc_ms,
        sha256=talk.sha256,
        duration_ms=talk.duration_ms,
        failed=talk.failed,
    )


def entry_view(entry: Entry) -> EntryView:
    """An emergency entry."""
    return EntryView(
        id=entry.id,
        room_id=entry.room_id,
        session_id=entry.session_id,
        kind=entry.entry_kind,
        reason=entry.reason,
        minutes=entry.minutes,
        persons=entry.persons,
        state=entry.state,
        asked_by=entry.asked_by,
        asked_utc_ms=entry.asked_utc_ms,
        approvals=entry.approvals,
        began_utc_ms=entry.began_utc_ms,
        until_utc_ms=entry.until_utc_ms,
        overdue=entry.overdue,
        ended_by=entry.ended_by,
        ended_utc_ms=entry.ended_utc_ms,
        alerts=entry.alerts,
    )


def listening_view(listening: Listening) -> ListeningView:
    """A listening."""
    return ListeningView(
        id=listening.id,
        room_id=listening.room_id,
        session_id=listening.session_id,
        source_id=listening.source_id,
        by=listening.by,
        began_utc_ms=listening.began_utc_ms,
        ended_utc_ms=listening.ended_utc_ms,
        why=listening.why,
    )


def view_of(act: OutsideAct) -> ActView:
    """Any act."""
    match act:
        case Call():
            return call_view(act)
        case Text():
            return text_view(act)
        case Talk():
            return talk_view(act)
        case Entry():
            return entry_view(act)
        case Listening():
            return listening_view(act)
