"""Decides what people here and other sites may do to a joint session, and does it.

Who may what (domain.md): each site decides for its own rooms and handles its own alerts. A host
asks its guests to seal, resume and release; it may suspend and urge. A guest's own seal check
decides about a seal, and its people about a suspension that they ordered themselves. ``act`` is the
one way to a session of ours, the seal check in it: what another site asks goes through the same.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from contracts.api import Sentence, SessionState
from contracts.api.sessions import ActBody
from contracts.api.sites import (
    Answered,
    Asked,
    HandoverTold,
    Invited,
    JointActBody,
    JointState,
    JointVerb,
    PartState,
    ReceiptTold,
    Urged,
)
from contracts.units import SessionId, Sha256Hex, SiteId
from controller.core import site_feed, sites
from controller.core.outputs import Accepted, Output, Refusal, Refused
from controller.core.sessions import Session, SessionVerb
from controller.core.site_feed import own_site, with_remote
from controller.core.site_words import no_joint, note, refused, words
from controller.core.sites import Handover, JointSession, Part, joint_state, part_state
from controller.core.state import Now, SiteState

Result = tuple[SiteState, tuple[Output, ...]]
Act = Callable[[SiteState, SessionId, SessionVerb, str, ActBody, Now], Result]
"""Takes one of our own sessions a step on, every check of ours in it."""

ENDED_KEPT: Final = 50  # ended joint sessions in memory, for the console; the store keeps all

_FROM: Final = {
    JointVerb.SEAL: (SessionVerb.SEAL, frozenset({SessionState.GATHERING, SessionState.SCHEDULED})),
    JointVerb.SUSPEND: (SessionVerb.SUSPEND, frozenset({SessionState.SEALED})),
    JointVerb.RESUME: (SessionVerb.RESUME, frozenset({SessionState.SUSPENDED})),
    JointVerb.RELEASE: (
        SessionVerb.RELEASE,
        frozenset({SessionState.SEALED, SessionState.SUSPENDED}),
    ),
}
"""What each verb does to a session of ours, and in which states it has something to do."""


def put(site: SiteState, joint: JointSession) -> SiteState:
    """The state with a joint session as it is now."""
    if site.remote.joints.get(joint.id) is joint:
        return site
    joints = {**site.remote.joints, joint.id: joint}
    ended = [key for key, row in joints.items() if row.ended and key != joint.id]
    for key in ended[: max(0, len(ended) - ENDED_KEPT)]:
        del joints[key]
    return with_remote(site, replace(site.remote, joints=joints))


# --- what people here do ------------------------------------------------------------------------


def made(site: SiteState, given: sites.JointMade, now: Now) -> Result:
    """Make a joint session of ours and invite its guests."""
    if given.joint_id in site.remote.joints:
        return site, (Accepted(given.joint_id),)
    body, own = given.body, own_site(site)
    fault = _body_fault(site, given)
    if fault is not None:
        return site, (fault,)
    first = site.sessions[body.sessions[0]]
    guests = {row.site: Part(row.site, False, row.seats, row.rooms) for row in body.guests}
    mine = Part(own, host=True, accepted=True, answered_by=given.by, bound=body.sessions)
    joint = JointSession(
        id=given.joint_id,
        title=body.title,
        host=own,
        made_by=given.by,
        made_utc_ms=now.utc_ms,
        parts={own: mine, **guests},
        starts_utc_ms=first.scheduled_utc_ms,
        note=body.note,
        procurement=first.procurement,
        sector=first.sector,
    )
    site = put(site, joint)
    outputs: list[Output] = [Accepted(joint.id)]
    for guest in guests.values():
        invited = Invited(
            title=body.title,
            host_name=site.plan.site.config.name,
            seats=guest.seats,
            rooms=guest.rooms,
            starts_utc_ms=joint.starts_utc_ms,
            procurement=joint.procurement,
            sector=joint.sector,
            by=given.by,
            note=body.note,
        )
        site, line = site_feed.say(site, guest.site, joint.id, invited, now)
        text = words("invited", site=guest.site, seats=guest.seats, rooms=guest.rooms)
        outputs += [line, *note(site, joint, given.by, text, now)]
    return site, tuple(outputs)


def _body_fault(site: SiteState, given: sites.JointMade) -> Refused | None:
    own, body = own_site(site), given.body
    names = [row.site for row in body.guests]
    strange = [name for name in names if name not in site.remote.plan.peers]
    if strange:
        return refused(Refusal.INVALID, "unknown_peer", site=strange[0])
    if len(set(names)) < len(names) or own in names:
        return refused(Refusal.INVALID, "peer_twice")
    return bindable(site, body.sessions, None)


def bindable(
    site: SiteState, wanted: tuple[SessionId, ...], joint: JointSession | None
) -> Refused | None:
    """Why these sessions of ours cannot take part; None where they can."""
    taken = {
        key: row.id
        for row in site.remote.joints.values()
        if not row.cancelled and (joint is None or row.id != joint.id)
        for key in (row.parts[own_site(site)].bound if own_site(site) in row.parts else ())
    }
    if not wanted or len(set(wanted)) < len(wanted):
        return refused(Refusal.INVALID, "name_sessions")
    for key in wanted:
        session = site.sessions.get(key)
        if session is None:
            return refused(Refusal.NOT_FOUND, "no_session", session=key)
        if session.state not in (SessionState.SCHEDULED, SessionState.GATHERING):
            return refused(Refusal.CONFLICT, "session_begun", session=key)
        if key in taken:
            return refused(Refusal.CONFLICT, "session_taken", session=key, joint=taken[key])
    return None


def acted(site: SiteState, given: sites.JointActed, act: Act, now: Now) -> Result:
    """Do what a person here asked of a joint session."""
    joint = site.remote.joints.get(given.joint_id)
    if joint is None:
        return site, (no_joint(given.joint_id),)
    verb = given.verb
    if verb in (JointVerb.ACCEPT, JointVerb.DECLINE):
        return _answered(site, joint, given, now)
    if joint.host != own_site(site):
        return site, (refused(Refusal.FORBIDDEN, "host_alone", site=joint.host),)
    if joint.cancelled:
        return site, (refused(Refusal.CONFLICT, "cancelled"),)
    if verb is JointVerb.URGE:
        return _urged(site, joint, given, now)
    if verb is JointVerb.CANCEL:
        return _cancelled(site, joint, given, now)
    return _asked(site, joint, given, act, now)


def _answered(site: SiteState, joint: JointSession, given: sites.JointActed, now: Now) -> Result:
    own = own_site(site)
    part = joint.parts.get(own)
    if joint.host == own or part is None:
        return site, (refused(Refusal.FORBIDDEN, "guest_alone"),)
    if part.accepted is not None or joint.cancelled:
        return site, (refused(Refusal.CONFLICT, "answered_already"),)
    accepts = given.verb is JointVerb.ACCEPT
    if accepts:
        fault = bindable(site, given.body.sessions, joint)
        if fault is not None:
            return site, (fault,)
    elif not given.body.reason.strip():
        return site, (refused(Refusal.INVALID, "reason_needed"),)
    bound = given.body.sessions if accepts else ()
    joint = joint.with_part(replace(part, accepted=accepts, answered_by=given.by, bound=bound))
    site = put(site, joint)
    answer = Answered(accepted=accepts, sessions=bound, by=given.by, reason=given.body.reason)
    site, line = site_feed.say(site, joint.host, joint.id, answer, now)
    text = words(
        "accepted_here" if accepts else "declined_here", site=joint.host, title=joint.title
    )
    return site, (Accepted(joint.id), line, *note(site, joint, given.by, text, now))


def _urged(site: SiteState, joint: JointSession, given: sites.JointActed, now: Now) -> Result:
    part = joint.parts.get(given.body.site or "")
    if part is None or part.host:
        return site, (refused(Refusal.INVALID, "name_guest"),)
    if not given.body.reason.strip():
        return site, (refused(Refusal.INVALID, "reason_needed"),)
    return urge(site, joint, part, given.by, (given.body.subject, given.body.reason), now)


def urge(  # who urges whom about what
    site: SiteState,
    joint: JointSession,
    part: Part,
    by: str,
    said: tuple[str, str],
    now: Now,
) -> Result:
    """Urge a guest about a subject, for a reason."""
    subject, reason = said
    joint = joint.with_part(replace(part, urged_utc_ms=now.utc_ms))
    event = Urged(subject=subject, by=by, reason=reason)
    site, line = site_feed.say(put(site, joint), part.site, joint.id, event, now)
    text = words("urged", site=part.site, reason=reason)
    return site, (Accepted(joint.id), line, *note(site, joint, by, text, now, subject=subject))


def _cancelled(site: SiteState, joint: JointSession, given: sites.JointActed, now: Now) -> Result:
    states = [part_state(part) for part in joint.parts.values()]
    if PartState.SEALED in states or PartState.SUSPENDED in states:
        return site, (refused(Refusal.CONFLICT, "release_first"),)
    if not given.body.reason.strip():
        return site, (refused(Refusal.INVALID, "reason_needed"),)
    joint = replace(joint, cancelled=True)
    site = put(site, joint)
    outputs: list[Output] = [Accepted(joint.id)]
    event = Asked(verb=JointVerb.CANCEL, by=given.by, reason=given.body.reason)
    for part in joint.parts.values():
        if not part.host and part.accepted is not False:
            site, line = site_feed.say(site, part.site, joint.id, event, now)
            outputs.append(line)
    text = words("cancelled_by_host", reason=given.body.reason)
    return site, (*outputs, *note(site, joint, given.by, text, now))


def _asked(
    site: SiteState, joint: JointSession, given: sites.JointActed, act: Act, now: Now
) -> Result:
    """Host: do it here, then ask the guests; refused as a whole where our own site cannot."""
    verb, body = given.verb, given.body
    fault = _ask_fault(joint, verb, body)
    if fault is not None:
        return site, (fault,)
    outputs: tuple[Output, ...] = ()
    if body.site in (None, own_site(site)):
        done = own_step(site, joint, verb, (given.by, body), act, now)
        if isinstance(done, Refused):
            return site, (done,)
        site, outputs = done
    joint = replace(joint, fault_suspended=False) if verb is JointVerb.RESUME else joint
    site, lines = ask_guests(put(site, joint), joint, verb, (given.by, body), now)
    text = words(f"asked_{verb.value}", reason=body.reason or "—", site=body.site or "*")
    joint = site.remote.joints[joint.id]
    return site, (Accepted(joint.id), *outputs, *lines, *note(site, joint, given.by, text, now))


def _ask_fault(joint: JointSession, verb: JointVerb, body: JointActBody) -> Refused | None:
    if body.site is not None and (
        body.site not in joint.parts or verb not in (JointVerb.SUSPEND, JointVerb.RESUME)
    ):
        return refused(Refusal.INVALID, "name_guest")
    waiting = [row.site for row in joint.parts.values() if row.accepted is None]
    if verb is JointVerb.SEAL and waiting:
        return refused(Refusal.CONFLICT, "not_all_answered", sites=", ".join(waiting))
    if verb is JointVerb.SEAL and not any(
        row.accepted and not row.host for row in joint.parts.values()
    ):
        return refused(Refusal.CONFLICT, "no_guest")
    if verb is not JointVerb.SEAL and not body.reason.strip():
        return refused(Refusal.INVALID, "reason_needed")
    if joint_state(joint) in (JointState.RELEASED, JointState.CANCELLED):
        return refused(Refusal.CONFLICT, "over")
    return None


def own_step(  # who does what to which of our sessions
    site: SiteState,
    joint: JointSession,
    verb: JointVerb,
    said: tuple[str, JointActBody | Asked],
    act: Act,
    now: Now,
) -> Result | Refused:
    """Take all our sessions of the joint one a step on, or none of them: then why not."""
    by, body = said
    step, states = _FROM[verb]
    outputs: list[Output] = []
    suspension = body.suspension if verb is JointVerb.SUSPEND else None
    overrides = body.overrides if isinstance(body, JointActBody) else {}
    extra = ActBody(reason=body.reason, suspension=suspension, overrides=overrides)
    for key in joint.parts[own_site(site)].bound:
        session = site.sessions.get(key)
        if session is None or session.state not in states:
            continue
        site, more = act(site, key, step, by, extra, now)
        answer = next((one for one in more if isinstance(one, Refused)), None)
        if answer is not None:
            return Refused(answer.why, _in_room(session, answer.detail))
        outputs += [one for one in more if not isinstance(one, Accepted)]
    return site, tuple(outputs)


def _in_room(session: Session, detail: Sentence) -> Sentence:
    zh, en = f"{session.room_id}：{detail.zh}", f"{session.room_id}: {detail.en}"
    return Sentence(zh=zh[:400], en=en[:400])


def ask_guests(  # who asks what of whom
    site: SiteState,
    joint: JointSession,
    verb: JointVerb,
    said: tuple[str, JointActBody],
    now: Now,
) -> Result:
    """Send what is asked to every guest that takes part, or to the one that ``body`` names."""
    by, body = said
    outputs: list[Output] = []
    over = (PartState.RELEASED, PartState.CANCELLED)
    for part in joint.parts.values():
        aside = body.site not in (None, part.site) or part_state(part) in over
        if part.host or not part.accepted or aside:
            continue
        event = Asked(verb=verb, by=by, reason=body.reason, suspension=body.suspension)
        asked = replace(part, asked=verb, asked_utc_ms=now.utc_ms, refused=None, silent_told=False)
        joint = joint.with_part(sites.answered_asked(asked))
        site, line = site_feed.say(put(site, joint), part.site, joint.id, event, now)
        outputs.append(line)
    return put(site, joint), tuple(outputs)


def offered(site: SiteState, given: sites.HandoverOffered, now: Now) -> Result:
    """Guest: the list of what is handed over is made; tell the host."""
    joint = site.remote.joints.get(given.joint_id)
    part = joint.parts.get(own_site(site)) if joint is not None else None
    if joint is None or part is None:
        return site, (no_joint(given.joint_id),)
    if part.host:
        return site, (refused(Refusal.FORBIDDEN, "guest_alone"),)
    if part_state(part) is not PartState.RELEASED:
        return site, (refused(Refusal.CONFLICT, "not_released"),)
    handover = replace(
        part.handover,
        list_sha256=given.sha256,
        items=given.items,
        media_bytes=given.media_bytes,
        offered_utc_ms=now.utc_ms,
        fetched=False,
        receipt_sha256=None,
        received=0,
        missing=given.items,
        receipt_fetched=False,
    )
    joint = joint.with_part(replace(part, handover=handover))
    told = HandoverTold(
        sha256=given.sha256,
        bytes=given.bytes,
        items=given.items,
        media_bytes=given.media_bytes,
        by=given.by,
    )
    site, line = site_feed.say(put(site, joint), joint.host, joint.id, told, now)
    text = words("offered", site=joint.host, items=given.items, sha256=given.sha256)
    lines = note(site, joint, given.by, text, now, subject="handover")
    return site, (Accepted(joint.id), line, *lines)


def receipt_made(site: SiteState, given: sites.ReceiptMade, now: Now) -> Result:
    """Host: a receipt is signed; tell the guest."""
    joint = site.remote.joints.get(given.joint_id)
    part = joint.parts.get(given.site) if joint is not None else None
    if joint is None or part is None or part.host:
        return site, (no_joint(given.joint_id),)
    if joint.host != own_site(site):
        return site, (refused(Refusal.FORBIDDEN, "host_alone", site=joint.host),)
    if part.handover.list_sha256 != given.list_sha256:
        return site, (refused(Refusal.CONFLICT, "list_changed"),)
    told = ReceiptTold(
        list_sha256=given.list_sha256,
        sha256=given.sha256,
        received=given.received,
        missing=given.missing,
        by=given.by,
    )
    joint = joint.with_part(replace(part, handover=receipted(part.handover, told, now)))
    site, line = site_feed.say(put(site, joint), part.site, joint.id, told, now)
    text = words(
        "receipt",
        site=part.site,
        received=given.received,
        missing=given.missing,
        sha256=given.sha256,
    )
    lines = note(site, joint, given.by, text, now, subject="handover")
    return site, (Accepted(joint.id), line, *lines)


def receipted(handover: Handover, told: ReceiptTold, now: Now) -> Handover:
    """The hand-over after a receipt for its list."""
    return replace(
        handover,
        receipt_sha256=told.sha256,
        received=told.received,
        missing=told.missing,
        receipt_utc_ms=now.utc_ms,
        receipt_fetched=False,
    )


def fetched(site: SiteState, given: sites.DocumentFetched, now: Now) -> Result:
    """A list or a receipt that a peer announced is here."""
    joint = site.remote.joints.get(given.joint_id)
    if joint is None:
        return site, (no_joint(given.joint_id),)
    for part in joint.parts.values():
        handover = part.handover
        if handover.list_sha256 == given.sha256 and not handover.fetched:
            handover = replace(handover, fetched=True)
        if handover.receipt_sha256 == given.sha256 and not handover.receipt_fetched:
            handover = replace(handover, receipt_fetched=True)
        if handover is not part.handover:
            joint = joint.with_part(replace(part, handover=handover))
    return put(site, joint), (Accepted(joint.id),)


def wanted(site: SiteState) -> tuple[tuple[SiteId, str, Sha256Hex], ...]:
    """Documents that a peer announced and that are not here: peer, joint session, hash."""
    own = own_site(site)
    rows: list[tuple[SiteId, str, Sha256Hex]] = []
    for joint in site.remote.joints.values():
        for part in joint.parts.values():
            row = part.handover
            if joint.host == own and not part.host and row.list_sha256 and not row.fetched:
                rows.append((part.site, joint.id, row.list_sha256))
            ours = part.site == own and not part.host
            if ours and row.receipt_sha256 and not row.receipt_fetched:
                rows.append((joint.host, joint.id, row.receipt_sha256))
    return tuple(rows)
