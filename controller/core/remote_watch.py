"""Decides what other sites are told of each input, and watches links, answers and deadlines.

``after`` runs behind every step: what a step did to a session, an alert or a record of a joint
session becomes lines for the peers in the same commit, whoever caused it.
"""

import base64
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api.sessions import SuspendReason
from contracts.api.sites import (
    GENESIS,
    TOLD_AT_ONCE_MAX,
    AlertTold,
    Asked,
    JointActBody,
    JointState,
    JointVerb,
    LinkState,
    PartState,
    PartTold,
    RecordTold,
    SessionTold,
    SiteStands,
    Stands,
)
from contracts.devices import Named
from contracts.observations import Alert, Condition, Mode
from contracts.units import RoomId, SessionId, SiteId, UtcMs
from controller.core import alerts, dispatch, remote, remote_heard, site_feed, sites, state
from controller.core.alerts import AlertRecord, title_of
from controller.core.outputs import Accepted, FileRecord, Output, Refusal, Refused
from controller.core.remote import Act, Result, ask_guests, own_step, put
from controller.core.sessions import Session
from controller.core.site_feed import own_site, with_remote
from controller.core.site_words import JOINT_NAMES, note, words
from controller.core.sites import JointSession, Part, PeerLive, joint_state, part_state
from controller.core.state import Now, SiteState, changed

SYSTEM: Final = "system"
DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000


def step(  # noqa: PLR0911  # one an input
    site: SiteState, given: sites.SitesInput, act: Act, now: Now
) -> Result:
    """Do what one input about other sites asks; ``after`` then tells who must hear of it."""
    match given:
        case sites.JointMade():
            return remote.made(site, given, now)
        case sites.JointActed():
            return remote.acted(site, given, act, now)
        case sites.FeedCame():
            return remote_heard.came(site, given, act, now)
        case sites.PeerHeard():
            return _heard(site, given, now), ()
        case sites.PeerTrouble():
            return _trouble(site, given), ()
        case sites.PeerTrusted():
            return _trusted(site, given)
        case sites.HandoverOffered():
            return remote.offered(site, given, now)
        case sites.DocumentFetched():
            return remote.fetched(site, given, now)
        case sites.ReceiptMade():
            return remote.receipt_made(site, given, now)


def _heard(site: SiteState, given: sites.PeerHeard, now: Now) -> SiteState:
    live = site.remote.live.get(given.peer)
    if live is None:
        return site
    refused = live.link is LinkState.REFUSED and given.lines > 0
    after = replace(
        live,
        heard_mono_ms=now.mono_ms,
        heard_utc_ms=now.utc_ms,
        offset_ms=given.offset_ms,
        round_trip_ms=given.round_trip_ms,
        rooms=live.rooms if given.rooms is None else given.rooms,
        link=live.link if refused else LinkState.UP,
        reason=live.reason if refused else None,
    )
    return _with_live(site, given.peer, after)


def _trouble(site: SiteState, given: sites.PeerTrouble) -> SiteState:
    live = site.remote.live.get(given.peer)
    if live is None:
        return site
    link = LinkState.REFUSED if given.refused else LinkState.LOST
    return _with_live(site, given.peer, replace(live, link=link, reason=given.reason))


def _trusted(site: SiteState, given: sites.PeerTrusted) -> Result:
    """Go by a peer's new key, and take its log from its first line where it began anew.

    What was heard stays as it was signed; the new log counts on behind it.
    """
    plan = site.remote.plan.peers.get(given.peer)
    if plan is None:
        return site, (Refused(Refusal.NOT_FOUND, site_feed.NO_PEER),)
    log = site.remote.log(given.peer)
    if given.public:
        replaced = log.replaced_key if log.pinned_key == plan.key else plan.key
        log = replace(log, pinned=given.public, pinned_key=given.key, replaced_key=replaced)
        plan = replace(plan, key=given.key, public_raw=base64.b64decode(given.public))
    if given.anew:
        log = replace(log, base=log.base + log.got, got=0, got_sha256=GENESIS)
    remote = site.remote
    remote = replace(
        remote,
        logs=changed(remote.logs, given.peer, log),
        plan=replace(remote.plan, peers=changed(remote.plan.peers, given.peer, plan)),
    )
    live = remote.live.get(given.peer)
    if live is not None:
        told = replace(live, link=LinkState.CONNECTING, reason=None)
        remote = replace(remote, live=changed(remote.live, given.peer, told))
    return with_remote(site, remote), (Accepted(given.peer),)


def _with_live(site: SiteState, peer: SiteId, live: PeerLive) -> SiteState:
    known = site.remote.live
    return with_remote(site, replace(site.remote, live=changed(known, peer, live)))


# --- behind every step --------------------------------------------------------------------------


def after(before: SiteState, result: Result, act: Act, now: Now, *, tick: bool) -> Result:
    """What a step did, and what of it other sites are told."""
    site, outputs = result
    had = before.remote.joints
    going = [
        row.id for row in site.remote.joints.values() if not row.ended or had.get(row.id) is not row
    ]
    if not going:
        return result
    if tick:
        site, more = _watch(site, going, act, now)
        outputs = (*outputs, *more)
    for joint_id in going:
        site, more = _tell(before, site, joint_id, outputs, now)
        outputs = (*outputs, *more)
    return site, outputs


def _tell(
    before: SiteState, site: SiteState, joint_id: str, done: tuple[Output, ...], now: Now
) -> Result:
    joint = site.remote.joints[joint_id]
    part = joint.parts.get(own_site(site))
    outputs: list[Output] = []
    if part is not None and part.accepted:
        site, more = _tell_part(site, joint, part, now)
        outputs += more
        if not part.host:
            bound = frozenset(part.bound)
            site, more = _tell_alerts(before, site, joint, bound, now)
            outputs += more
            site, more = _tell_record(site, joint, bound, (*done, *outputs), now)
            outputs += more
    site, more = _tell_whole(site, site.remote.joints[joint_id], now)
    outputs += more
    if part is not None and not part.host and more:
        site, lines = _tell_record(site, joint, frozenset(part.bound), more, now)
        outputs += lines
    return site, tuple(outputs)


def _tell_part(site: SiteState, joint: JointSession, part: Part, now: Now) -> Result:
    """Our own part as our sessions are now; a guest tells its host what differs."""
    news = [
        told
        for key in part.bound
        if (row := site.sessions.get(key)) is not None
        and (told := session_told(site, row)) != part.sessions.get(key)
    ]
    if not news:
        return site, ()
    site = put(site, joint.with_part(sites.with_sessions(part, news)))
    outputs: list[Output] = []
    if not part.host:
        for begin in range(0, len(news), TOLD_AT_ONCE_MAX):
            some = PartTold(sessions=tuple(news[begin : begin + TOLD_AT_ONCE_MAX]))
            site, line = site_feed.say(site, joint.host, joint.id, some, now)
            outputs.append(line)
    return site, tuple(outputs)


def session_told(site: SiteState, session: Session) -> SessionTold:
    """A session of ours as other sites hear of it."""
    return SessionTold(
        id=session.id,
        room_id=session.room_id,
        room=room_name(site, session.room_id),
        rooms=len(session.rooms),
        state=session.state,
        admitted=session.admitted,
        sealed_utc_ms=session.sealed_utc_ms,
        released_utc_ms=session.released_utc_ms,
    )


def room_name(site: SiteState, room_id: RoomId) -> Named:
    """What a room is called."""
    areas = site.plan.site.config.areas
    found = next((area.name for area in areas if area.id == room_id), None)
    return found or Named(zh=room_id, en=room_id)


def _tell_alerts(
    before: SiteState, site: SiteState, joint: JointSession, bound: frozenset[SessionId], now: Now
) -> Result:
    if before.alerts is site.alerts:
        return site, ()
    outputs: list[Output] = []
    for key, row in site.alerts.items():
        if row.alert.session_id not in bound or row.shadow or before.alerts.get(key) is row:
            continue
        told = _alert_told(row, row.alert.session_id)
        known = before.alerts.get(key)
        if known is not None and _alert_told(known, row.alert.session_id) == told:
            continue
        site, line = site_feed.say(site, joint.host, joint.id, told, now)
        outputs.append(line)
    return site, tuple(outputs)


def _alert_told(row: AlertRecord, session_id: SessionId) -> AlertTold:
    alert = row.alert
    return AlertTold(
        alert_id=row.id,
        number=row.number,
        rule=alert.rule,
        title=title_of(alert.rule),
        severity=alert.severity,
        condition=alert.condition,
        handling=row.handling,
        disposition=row.disposition,
        room_id=alert.room_id,
        session_id=session_id,
        raised_utc_ms=alert.raised_utc_ms,
        cleared_utc_ms=alert.cleared_utc_ms,
        picture_sha256=alert.picture.sha256 if alert.picture else None,
    )


def _tell_record(
    site: SiteState,
    joint: JointSession,
    bound: frozenset[SessionId],
    done: Iterable[Output],
    now: Now,
) -> Result:
    outputs: list[Output] = []
    for row in done:
        if not isinstance(row, FileRecord) or row.session_id not in bound:
            continue
        told = RecordTold(
            room_id=row.room_id,
            session_id=row.session_id,
            utc_ms=row.utc_ms,
            record_kind=row.record_kind,
            by=row.by,
            text=row.text,
            subject=row.subject,
        )
        site, line = site_feed.say(site, joint.host, joint.id, told, now)
        outputs.append(line)
    return site, tuple(outputs)


def _tell_whole(site: SiteState, joint: JointSession, now: Now) -> Result:
    """Host: when the whole or a site stands otherwise, every guest hears how all stand."""
    joint, outputs = _with_due(site, joint, now)
    site = put(site, joint)
    if joint.host != own_site(site):
        return site, outputs
    stands = Stands(
        state=joint_state(joint),
        sites=tuple(
            SiteStands(site=row.site, state=part_state(row)) for row in joint.parts.values()
        ),
    )
    if stands == joint.host_says:
        return site, outputs
    if stands.state is not joint.told:
        name = JOINT_NAMES[stands.state]
        text = words("joint", zh=name.zh, en=name.en)
        outputs = (*outputs, *note(site, joint, SYSTEM, text, now))
    joint = replace(joint, told=stands.state, host_says=stands)
    site = put(site, joint)
    for part in joint.parts.values():
        if not part.host and part.accepted is not False:
            site, line = site_feed.say(site, part.site, joint.id, stands, now)
            outputs = (*outputs, line)
    return site, outputs


def _with_due(
    site: SiteState, joint: JointSession, now: Now
) -> tuple[JointSession, tuple[Output, ...]]:
    """The joint session with a deadline for each guest whose sealed sessions are over."""
    outputs: tuple[Output, ...] = ()
    zone = site.plan.site.config.time_zone
    plan = site.remote.plan
    for part in joint.parts.values():
        open_ = part.handover.due_utc_ms is None and part.ever_sealed and not part.host
        if not open_ or part_state(part) is not PartState.RELEASED:
            continue
        ends = [row.released_utc_ms for row in part.sessions.values() if row.released_utc_ms]
        due = sites.due_after(plan, min(max(ends, default=now.utc_ms), now.utc_ms), zone)
        handover = replace(part.handover, due_utc_ms=due)
        joint = joint.with_part(replace(part, handover=handover))
        text = words("due", site=part.site, until=local_time(due, zone), days=plan.handover_days)
        outputs = (*outputs, *note(site, joint, SYSTEM, text, now, "handover"))
    return joint, outputs


def local_time(utc_ms: UtcMs, zone: str) -> str:
    """A moment as people at the site read it."""
    return (
        f"{datetime.fromtimestamp(utc_ms / 1_000, UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    )


# --- time passes --------------------------------------------------------------------------------


def _watch(site: SiteState, going: list[str], act: Act, now: Now) -> Result:
    outputs: list[Output] = []
    for joint_id in going:
        for peer in tuple(site.remote.joints[joint_id].parts):
            if peer in site.remote.live:
                site, more = _watch_peer(site, joint_id, peer, act, now)
                outputs += more
    return _link_alerts(site, now), tuple(outputs)


def _watch_peer(site: SiteState, joint_id: str, peer: SiteId, act: Act, now: Now) -> Result:
    joint = site.remote.joints[joint_id]
    part, live, plan = joint.parts[peer], site.remote.live[peer], site.remote.plan
    outputs: tuple[Output, ...] = ()
    silent = now.mono_ms - live.heard_mono_ms > plan.link_lost_ms
    since = part.fault_since_utc_ms
    if silent and since is None and part.accepted:
        since = UtcMs(now.utc_ms - (now.mono_ms - live.heard_mono_ms))
        joint = joint.with_part(replace(part, fault_since_utc_ms=since))
        zone = site.plan.site.config.time_zone
        text = words("link_lost", site=peer, since=local_time(since, zone))
        outputs = note(site, joint, SYSTEM, text, now)
    elif since is not None and live.heard_utc_ms is not None and not silent:
        minutes = max(0, now.utc_ms - since) // MINUTE_MS
        joint = joint.with_part(replace(part, fault_since_utc_ms=None))
        text = words("link_back", site=peer, minutes=minutes)
        outputs = note(site, joint, SYSTEM, text, now)
        since = None
    site = put(site, joint)
    if joint.host == own_site(site) and peer != joint.host:
        for watch in (_fault_limit, _silence, _overdue):
            joint = site.remote.joints[joint_id]
            site, more = watch(site, joint, joint.parts[peer], act, now)
            outputs = (*outputs, *more)
    return site, outputs


def _fault_limit(site: SiteState, joint: JointSession, part: Part, act: Act, now: Now) -> Result:
    since, limit = part.fault_since_utc_ms, site.remote.plan.fault_limit_ms
    going = joint_state(joint) in (JointState.SEALED, JointState.SEALING)
    if since is None or joint.fault_suspended or not going or now.utc_ms - since < limit:
        return site, ()
    text = words("fault_limit", site=part.site, minutes=limit // MINUTE_MS)
    body = JointActBody(reason=text.zh, suspension=SuspendReason.FAULT)
    asked = Asked(verb=JointVerb.SUSPEND, by=SYSTEM, reason=text.zh)
    joint = replace(joint, fault_suspended=True)
    done = own_step(put(site, joint), joint, JointVerb.SUSPEND, (SYSTEM, asked), act, now)
    site, outputs = (put(site, joint), ()) if isinstance(done, Refused) else done
    site, lines = ask_guests(
        site, site.remote.joints[joint.id], JointVerb.SUSPEND, (SYSTEM, body), now
    )
    return site, (*outputs, *lines, *note(site, joint, SYSTEM, text, now))


def _silence(site: SiteState, joint: JointSession, part: Part, act: Act, now: Now) -> Result:
    asked, since = part.asked, part.asked_utc_ms
    limit = site.remote.plan.silence_ms
    if asked is None or since is None or part.silent_told or now.utc_ms - since < limit:
        return site, ()
    joint = joint.with_part(replace(part, silent_told=True))
    text = words("silent", site=part.site, seconds=limit // 1_000, verb=asked.value)
    return put(site, joint), note(site, joint, SYSTEM, text, now)


def _overdue(site: SiteState, joint: JointSession, part: Part, act: Act, now: Now) -> Result:
    row = part.handover
    if row.due_utc_ms is None or row.complete or row.overdue_told or now.utc_ms <= row.due_utc_ms:
        return site, ()
    part = replace(part, handover=replace(row, overdue_told=True))
    joint = joint.with_part(part)
    reason = words("overdue_reason")
    site, urged = remote.urge(put(site, joint), joint, part, SYSTEM, ("handover", reason.zh), now)
    lines = tuple(one for one in urged if not isinstance(one, Accepted))
    text = words("overdue", site=part.site)
    return site, (*lines, *note(site, joint, SYSTEM, text, now, "handover"))


def _link_alerts(site: SiteState, now: Now) -> SiteState:
    """One alert a peer while a link is lost that a joint session here needs."""
    lost: dict[SiteId, Session] = {}
    for joint in site.remote.joints.values():
        own = joint.parts.get(own_site(site))
        live = own is not None and part_state(own) in (PartState.READY, PartState.SEALED)
        rows = [site.sessions[key] for key in own.bound if key in site.sessions] if own else []
        for part in joint.parts.values():
            if part.fault_since_utc_ms is not None and rows and (live or joint.fault_suspended):
                lost[part.site] = rows[0]
    for peer in site.remote.plan.peers:
        session = lost.get(peer)
        if session is None:
            site = dispatch.lower(site, alerts.LINK_LOST, peer, now)
        else:
            site = _raise(site, peer, session, now)
    return site


def _raise(site: SiteState, peer: SiteId, session: Session, now: Now) -> SiteState:
    settings = site.plan.rules[alerts.LINK_LOST]
    if settings.mode is Mode.OFF:
        return site
    alert = Alert(
        alert_id=state.own_alert_id(alerts.LINK_LOST, peer, now.utc_ms),
        rule=alerts.LINK_LOST,
        condition=Condition.ACTIVE,
        severity=settings.severity,
        mode=settings.mode,
        risk_code=settings.risk_code,
        room_id=session.room_id,
        node_id=site.plan.watcher.get(session.room_id, "controller"),
        session_id=session.id,
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
    )
    return dispatch.raise_alert(site, alert, peer, now)
