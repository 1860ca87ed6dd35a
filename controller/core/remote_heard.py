"""Decides what a line of another site does here, and that it does nothing it has no right to."""

from dataclasses import replace

from contracts.api import Sentence, SessionState
from contracts.api.sites import (
    Answered,
    Asked,
    AskRefused,
    GuestEvent,
    HandoverTold,
    HostEvent,
    Invited,
    JointVerb,
    PartState,
    PartTold,
    ReceiptTold,
    Stands,
    Urged,
)
from contracts.units import SiteId
from controller.core import site_feed, sites
from controller.core.outputs import Accepted, FileSiteRefused, Output, Refusal, Refused
from controller.core.remote import Act, Result, own_step, put, receipted
from controller.core.site_feed import own_site
from controller.core.site_words import PART_NAMES, note, refusal_words, words
from controller.core.sites import JOINTS_OPEN_MAX, JointSession, Part, part_state
from controller.core.state import Now, SiteState


def came(site: SiteState, given: sites.FeedCame, act: Act, now: Now) -> Result:
    """Take one line of a peer's log: file it, and do what it says where it may say that."""
    before = site.remote.log(given.peer)
    site, filed, heard = site_feed.hear(site, given.peer, given.line, now)
    if heard is None:
        after = site.remote.log(given.peer)
        if isinstance(filed, FileSiteRefused):
            return site, (filed, Refused(Refusal.CONFLICT, filed.reason))
        live = site.remote.live.get(given.peer)
        if after.refused == before.refused and live is not None and live.reason is not None:
            return site, (Refused(Refusal.CONFLICT, live.reason),)
        return site, (Accepted(given.peer),)
    outputs: list[Output] = [Accepted(given.peer)]
    if filed is not None:
        outputs.append(filed)
    site, more = _said(site, given.peer, heard, act, now)
    return site, (*outputs, *more)


def _said(site: SiteState, peer: SiteId, heard: site_feed.Heard, act: Act, now: Now) -> Result:
    event = heard.event
    if event is None:
        return site, ()
    if isinstance(event, Invited):
        return _invited(site, peer, heard.joint, event, now)
    joint = site.remote.joints.get(heard.joint)
    own = joint.parts.get(own_site(site)) if joint is not None else None
    if joint is not None and own is not None:
        theirs = joint.parts.get(peer)
        if joint.host == peer and isinstance(event, HostEvent):
            return _host_said(site, joint, own, event, act, now)
        if own.host and theirs is not None and isinstance(event, GuestEvent):
            return _guest_said(site, joint, theirs, event, now)
    return site, (_may_not(peer, heard.joint, event.kind, now),)


def _may_not(peer: SiteId, joint_id: str, kind: str, now: Now) -> FileSiteRefused:
    text = refusal_words("may_not", site=peer, joint=joint_id, kind=kind)
    return FileSiteRefused(peer, now.utc_ms, text, kind)


def _invited(site: SiteState, peer: SiteId, joint_id: str, event: Invited, now: Now) -> Result:
    if joint_id in site.remote.joints:
        return site, (_may_not(peer, joint_id, event.kind, now),)
    going = [row for row in site.remote.joints.values() if row.host == peer and not row.ended]
    if len(going) >= JOINTS_OPEN_MAX:
        text = refusal_words("too_many", site=peer)
        return site, (FileSiteRefused(peer, now.utc_ms, text, joint_id),)
    own = own_site(site)
    joint = JointSession(
        id=joint_id,
        title=event.title,
        host=peer,
        made_by=event.by,
        made_utc_ms=now.utc_ms,
        parts={
            peer: Part(peer, host=True, accepted=True),
            own: Part(own, host=False, seats=event.seats, rooms=event.rooms),
        },
        starts_utc_ms=event.starts_utc_ms,
        note=event.note,
        procurement=event.procurement,
        sector=event.sector,
    )
    return put(site, joint), ()


# --- at a guest: what the host says -------------------------------------------------------------


def _host_said(  # who says what of which part
    site: SiteState, joint: JointSession, own: Part, event: HostEvent, act: Act, now: Now
) -> Result:
    match event:
        case Asked():
            return _asked_here(site, joint, own, event, act, now)
        case Urged():
            joint = joint.with_part(replace(own, urged_utc_ms=now.utc_ms))
            text = words("urged_here", site=joint.host, reason=event.reason or "—")
            by = _by(joint.host, event.by)
            return put(site, joint), note(site, joint, by, text, now, event.subject)
        case Stands():
            return put(site, replace(joint, host_says=event)), ()
        case ReceiptTold():
            if own.handover.list_sha256 != event.list_sha256:
                return site, ()
            joint = joint.with_part(replace(own, handover=receipted(own.handover, event, now)))
            text = words(
                "receipt_there",
                site=joint.host,
                received=event.received,
                missing=event.missing,
                sha256=event.sha256,
            )
            lines = note(site, joint, _by(joint.host, event.by), text, now, "handover")
            return put(site, joint), lines
        case _:
            return site, ()


def _by(peer: SiteId, person: str) -> str:
    return f"{peer}/{person}"[:80]


def _asked_here(  # who asks what of which part
    site: SiteState, joint: JointSession, own: Part, event: Asked, act: Act, now: Now
) -> Result:
    by = _by(joint.host, event.by)
    if event.verb is JointVerb.CANCEL:
        joint = replace(joint, cancelled=True)
        text = words("cancelled_by_host", reason=event.reason)
        return put(site, joint), note(site, joint, by, text, now)
    fault = _asked_fault(site, own, event.verb)
    if fault is None:
        done = own_step(site, joint, event.verb, (by, event), act, now)
        if not isinstance(done, Refused):
            site, outputs = done
            suspends = event.verb is JointVerb.SUSPEND
            moved = replace(own, suspended_by_host=suspends or own.suspended_by_host)
            if event.verb is JointVerb.RESUME:
                moved = replace(own, suspended_by_host=False)
            text = words(f"asked_{event.verb.value}", site=own.site, reason=event.reason or "—")
            site = put(site, joint.with_part(replace(moved, refused=None)))
            return site, (*outputs, *note(site, joint, by, text, now))
        fault = done.detail
    joint = joint.with_part(replace(own, refused=fault))
    told = AskRefused(verb=event.verb, reason=fault)
    site, line = site_feed.say(put(site, joint), joint.host, joint.id, told, now)
    text = words("ask_refused_here", verb=event.verb.value, reason="")
    text = Sentence(zh=(text.zh + fault.zh)[:400], en=(text.en + fault.en)[:400])
    return site, (line, *note(site, joint, by, text, now))


def _asked_fault(site: SiteState, own: Part, verb: JointVerb) -> Sentence | None:
    states = [row.state for key in own.bound if (row := site.sessions.get(key)) is not None]
    if verb is JointVerb.SEAL and SessionState.SCHEDULED in states:
        return refusal_words("still_scheduled")
    if verb is JointVerb.RESUME and SessionState.SUSPENDED in states and not own.suspended_by_host:
        return refusal_words("suspended_here")
    return None


# --- at the host: what a guest says -------------------------------------------------------------


def _guest_said(
    site: SiteState, joint: JointSession, part: Part, event: GuestEvent, now: Now
) -> Result:
    match event:
        case Answered():
            return _answered(site, joint, part, event, now)
        case PartTold():
            return _part_told(site, joint, part, event, now)
        case AskRefused():
            if part.asked is not event.verb:
                return site, ()
            after = replace(part, asked=None, asked_utc_ms=None, refused=event.reason)
            joint = joint.with_part(after)
            text = words("ask_refused", site=part.site, verb=event.verb.value, reason="")
            text = Sentence(
                zh=(text.zh + event.reason.zh)[:400], en=(text.en + event.reason.en)[:400]
            )
            return put(site, joint), note(site, joint, f"site:{part.site}", text, now)
        case HandoverTold():
            handover = replace(
                part.handover,
                list_sha256=event.sha256,
                items=event.items,
                media_bytes=event.media_bytes,
                offered_utc_ms=now.utc_ms,
                fetched=False,
                receipt_sha256=None,
                received=0,
                missing=event.items,
                receipt_utc_ms=None,
            )
            joint = joint.with_part(replace(part, handover=handover))
            text = words("offered_there", site=part.site, items=event.items, sha256=event.sha256)
            by = _by(part.site, event.by)
            return put(site, joint), note(site, joint, by, text, now, "handover")
        case _:
            return site, ()  # alerts and record lines are read from what was filed


def _answered(
    site: SiteState, joint: JointSession, part: Part, event: Answered, now: Now
) -> Result:
    if part.accepted is not None:
        return site, (_may_not(part.site, joint.id, event.kind, now),)
    after = replace(
        part,
        accepted=event.accepted,
        answered_by=event.by,
        bound=event.sessions if event.accepted else (),
    )
    joint = joint.with_part(after)
    text = (
        words("guest_accepted", site=part.site, count=len(event.sessions))
        if event.accepted
        else words("guest_declined", site=part.site, reason=event.reason)
    )
    return put(site, joint), note(site, joint, _by(part.site, event.by), text, now)


def _part_told(
    site: SiteState, joint: JointSession, part: Part, event: PartTold, now: Now
) -> Result:
    after = sites.with_sessions(part, event.sessions)
    if after is part:
        return site, ()
    joint = joint.with_part(after)
    site = put(site, joint)
    state = part_state(after)
    if state is part_state(part) or state is PartState.ACCEPTED:
        return site, ()
    name = PART_NAMES[state]
    text = words("part", site=part.site, zh=name.zh, en=name.en)
    return site, note(site, joint, f"site:{part.site}", text, now)
