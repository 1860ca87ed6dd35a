"""Decides who may talk into a room and who hears it, and takes the nodes' word on what came of it.

One talker a room; one room a listener. A node tells begin and end; where it falls silent, an act
ends by its limit, and the node's later word is still filed.
"""

from dataclasses import replace

from contracts.api import Sentence
from contracts.api.record import RecordKind
from contracts.observations import VoiceKind, VoiceTold
from contracts.units import UtcMs
from controller.core import acts, calling
from controller.core.acts import Result
from controller.core.outputs import Accepted, FileRecord, Refused
from controller.core.outside import (
    LISTEN_LEASE_MS,
    TALK_BEGIN_MS,
    TALK_LIMIT_MS,
    TALK_SILENT_MS,
    Call,
    ListenAsked,
    Listening,
    ListenRenewed,
    ListenStopped,
    Talk,
    TalkAsked,
)
from controller.core.state import Now, SiteState, changed


def talk_asked(site: SiteState, given: TalkAsked, now: Now) -> Result:
    """A talk may begin, unless another person is talking; one's own that never began is dropped."""
    if given.talk_id in site.acts:
        return site, (Accepted(given.talk_id),)
    for one in acts.going_on(site, Talk, given.room_id):
        if one.by != given.by or one.began_utc_ms is not None:
            zh = f"{one.by} 正在对该评标室讲话，请稍候。"
            en = f"{one.by} is talking into this room; wait for the end."
            return site, (acts.conflict(zh, en),)
        site = acts.put(site, replace(one, ended_utc_ms=now.utc_ms, failed="not_begun"))
    talk = Talk(
        id=given.talk_id,
        room_id=given.room_id,
        session_id=acts.session_id_of(site, given.room_id),
        camera_id=given.camera_id,
        by=given.by,
        asked_utc_ms=now.utc_ms,
        since_mono_ms=now.mono_ms,
        call_id=given.call_id,
    )
    return acts.put(site, talk), (Accepted(talk.id),)


def voice_came(site: SiteState, told: VoiceTold, now: Now) -> Result:
    """What a node tells counts for its own rooms alone."""
    if site.plan.watcher.get(told.room_id) != told.node_id:
        return site, ()
    if told.kind is VoiceKind.LISTENING:
        return _listening_told(site, told, now)
    known = site.acts.get(told.voice_id)
    if not isinstance(known, Talk) or known.room_id != told.room_id:
        return site, ()
    if told.ended_utc_ms is None:
        return _talk_began(site, known, told, now)
    return _talk_ended(site, known, told, now)


def _talk_began(site: SiteState, talk: Talk, told: VoiceTold, now: Now) -> Result:
    if talk.began_utc_ms is not None or talk.sha256 is not None:
        return site, ()
    if talk.ended and acts.going_on(site, Talk, talk.room_id):
        return site, ()  # given up too early, and another has the room: its end is still filed
    after = replace(
        talk, began_utc_ms=told.began_utc_ms, since_mono_ms=now.mono_ms,
        ended_utc_ms=None, failed=None,
    )  # fmt: skip
    text = Sentence(
        zh=f"{talk.by} 经 {talk.camera_id} 开始对室内讲话",
        en=f"{talk.by} began to talk into the room over {talk.camera_id}",
    )
    data = {"step": "began", "camera": talk.camera_id, "from_utc_ms": str(told.began_utc_ms)}
    site = acts.put(site, after)
    began = _talk_line(after, text, now, data)
    call = site.acts.get(talk.call_id or "")
    if isinstance(call, Call) and call.waits and call.room_id == talk.room_id:
        site, answers = calling.answer(site, call, talk.by, now)
        return site, (began, *answers)
    return site, (began,)


def _talk_ended(site: SiteState, talk: Talk, told: VoiceTold, now: Now) -> Result:
    if talk.sha256 is not None or (talk.ended and told.sha256 is None):
        return site, ()
    end = told.ended_utc_ms or now.utc_ms
    if told.sha256 is None:
        why = told.why or "lost"
        after = replace(talk, ended_utc_ms=end, failed=why)
        text = Sentence(
            zh=f"{talk.by} 对室内讲话失败（{why}）", en=f"{talk.by} could not talk: {why}"
        )
        return acts.put(site, after), (
            _talk_line(after, text, now, {"step": "failed", "why": why, "camera": talk.camera_id}),
        )
    after = replace(
        talk, began_utc_ms=told.began_utc_ms, ended_utc_ms=end, sha256=told.sha256,
        duration_ms=told.duration_ms, failed=None,
    )  # fmt: skip
    seconds = (told.duration_ms or 0) / 1000
    text = Sentence(
        zh=f"{talk.by} 对室内讲话 {seconds:.1f} 秒，录音 SHA-256 {told.sha256}",
        en=f"{talk.by} talked into the room for {seconds:.1f} s; recording SHA-256 {told.sha256}",
    )
    data = {
        "step": "ended",
        "camera": talk.camera_id,
        "from_utc_ms": str(told.began_utc_ms),
        "to_utc_ms": str(end),
        "duration_ms": str(told.duration_ms or 0),
        "bytes": str(told.bytes or 0),
        "sha256": told.sha256,
        "node": told.node_id,
        "why": told.why,
    }
    return acts.put(site, after), (_talk_line(after, text, now, data),)


def _talk_line(talk: Talk, text: Sentence, now: Now, data: dict[str, str]) -> FileRecord:
    return acts.line(talk, RecordKind.TALK, text, now, talk.by, data)


def listen_asked(site: SiteState, given: ListenAsked, now: Now) -> Result:
    """A person begins to hear a room; whatever the same person heard before ends now."""
    if given.listening_id in site.acts:
        return site, (Accepted(given.listening_id),)
    if acts.session_of(site, given.room_id) is None:
        zh = "该评标室没有进行中的场次，不能监听。"
        en = "No session holds this room; outside a session nobody listens."
        return site, (acts.conflict(zh, en),)
    outputs: acts.Outputs = ()
    for one in acts.going_on(site, Listening):
        if one.by == given.by:
            site, told = listening_over(site, one, "other_room", now.utc_ms, now)
            outputs += told
    listening = Listening(
        id=given.listening_id,
        room_id=given.room_id,
        session_id=acts.session_id_of(site, given.room_id),
        source_id=given.source_id,
        by=given.by,
        began_utc_ms=now.utc_ms,
    )
    text = Sentence(
        zh=f"{given.by} 开始监听（{given.source_id}）",
        en=f"{given.by} began to listen ({given.source_id})",
    )
    data = {"step": "began", "source": given.source_id, "from_utc_ms": str(now.utc_ms)}
    told_line = acts.line(listening, RecordKind.LISTENING, text, now, given.by, data)
    site = _leased(acts.put(site, listening), listening.id, now)
    return site, (*outputs, told_line, Accepted(listening.id))


def listen_renewed(site: SiteState, given: ListenRenewed, now: Now) -> Result:
    """It goes on; refused once it is over."""
    listening = acts.find(site, Listening, given.listening_id)
    if isinstance(listening, Refused):
        return site, (listening,)
    if listening.by != given.by:
        return site, (acts.conflict("该监听不属于您。", "This listening is another person's."),)
    if listening.ended:
        return site, (acts.conflict("监听已结束。", "This listening is over."),)
    return _leased(site, listening.id, now), (Accepted(listening.id),)


def listen_stopped(site: SiteState, given: ListenStopped, now: Now) -> Result:
    """A person has stopped, or may no longer hear it."""
    listening = acts.find(site, Listening, given.listening_id)
    if isinstance(listening, Refused):
        return site, (listening,)
    if listening.ended:
        return site, (Accepted(listening.id),)
    site, told = listening_over(site, listening, given.why, now.utc_ms, now)
    return site, (*told, Accepted(listening.id))


def _listening_told(site: SiteState, told: VoiceTold, now: Now) -> Result:
    listening = site.acts.get(told.voice_id)
    if not isinstance(listening, Listening) or listening.ended or told.ended_utc_ms is None:
        return site, ()
    return listening_over(site, listening, told.why or "lost", told.ended_utc_ms, now)


def listening_over(site: SiteState, listening: Listening, why: str, end: UtcMs, now: Now) -> Result:
    """A listening has ended."""
    after = replace(listening, ended_utc_ms=end, why=why)
    seconds = max(end - listening.began_utc_ms, 0) // 1000
    text = Sentence(
        zh=f"{listening.by} 结束监听，共 {seconds} 秒（{why}）",
        en=f"{listening.by} stopped listening after {seconds} s ({why})",
    )
    data = {
        "step": "ended",
        "source": listening.source_id,
        "from_utc_ms": str(listening.began_utc_ms),
        "to_utc_ms": str(end),
        "why": why,
    }
    line = acts.line(after, RecordKind.LISTENING, text, now, listening.by, data)
    leases = {key: value for key, value in site.leases.items() if key != listening.id}
    return replace(acts.put(site, after), leases=leases), (line,)


def watch(site: SiteState, now: Now) -> Result:
    """Talks that never began or never ended, listenings that nobody renewed."""
    outputs: acts.Outputs = ()
    for talk in acts.going_on(site, Talk):
        began = talk.began_utc_ms is not None
        limit_ms = TALK_LIMIT_MS + TALK_SILENT_MS if began else TALK_BEGIN_MS
        if now.mono_ms - talk.since_mono_ms < limit_ms:
            continue
        why = "node_silent" if began else "not_begun"
        after = replace(talk, ended_utc_ms=now.utc_ms, failed=why)
        site = acts.put(site, after)
        if began:
            text = Sentence(
                zh=f"{talk.by} 的讲话未收到边缘节点的结束报告",
                en=f"The node has not told the end of the talk of {talk.by}",
            )
            outputs += (_talk_line(after, text, now, {"step": "failed", "why": why}),)
    for listening in acts.going_on(site, Listening):
        renewed = site.leases.get(listening.id)
        if renewed is None:
            site = _leased(site, listening.id, now)  # after a start: whoever listens says so soon
        elif now.mono_ms - renewed > LISTEN_LEASE_MS:
            site, told = listening_over(site, listening, "lapsed", now.utc_ms, now)
            outputs += told
    return site, outputs


def _leased(site: SiteState, listening_id: str, now: Now) -> SiteState:
    return replace(site, leases=changed(site.leases, listening_id, now.mono_ms))
