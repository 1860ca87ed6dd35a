"""Decides how other sites and joint sessions look to people, and what a host sees of our rooms."""

from contracts.api.sites import (
    HandoverView,
    JointState,
    JointVerb,
    JointView,
    LinkState,
    PartState,
    PartView,
    PeerView,
    RoomNow,
    SitesView,
)
from contracts.devices import Named
from contracts.observations import CameraState
from contracts.units import MonoMs, SiteId, UtcMs
from controller.core import views
from controller.core.sessions import ENDED
from controller.core.site_feed import own_site
from controller.core.sites import JointSession, Part, joint_state, part_state
from controller.core.state import Now, SiteState


def rooms_now(site: SiteState, peer: SiteId, mono_ms: MonoMs) -> tuple[RoomNow, ...]:
    """Our rooms of joint sessions that ``peer`` hosts; a guest sees none of its host's."""
    rows: list[RoomNow] = []
    for joint in site.remote.joints.values():
        part = joint.parts.get(own_site(site))
        if joint.host == peer and part is not None and not joint.ended:
            rows += _own_rooms(site, part, mono_ms)
    return tuple(rows)


def _own_rooms(site: SiteState, part: Part, mono_ms: MonoMs) -> list[RoomNow]:
    """Our rooms of a joint session now."""
    areas = {row.id: row for row in site.plan.site.config.areas}
    rows: list[RoomNow] = []
    for key in part.bound:
        session = site.sessions.get(key)
        if session is None or session.state in ENDED:
            continue
        for room_id in session.rooms:
            area = areas.get(room_id)
            if area is None:
                continue
            seen = views.room_view(site, area, mono_ms)
            live = [row.state is CameraState.LIVE for row in seen.cameras]
            rows.append(
                RoomNow(
                    room_id=room_id,
                    name=area.name,
                    session_id=session.id,
                    state=session.state,
                    admitted=session.admitted_in(room_id),
                    head_count=seen.head_count,
                    active_alerts=seen.active_alerts,
                    recording=bool(live) and all(live),
                )
            )
    return rows


def peer_view(site: SiteState, peer: SiteId, now: Now) -> PeerView:
    """Another site and the way to it."""
    remote = site.remote
    plan, log, live = remote.plan.peers[peer], remote.log(peer), remote.live.get(peer)
    link = live.link if live is not None else LinkState.CONNECTING
    silent = live is not None and now.mono_ms - live.heard_mono_ms > remote.plan.link_lost_ms
    if silent and link is LinkState.UP:
        link = LinkState.LOST
    return PeerView(
        site=peer,
        name=plan.name,
        url=plan.url,
        key=plan.key,
        link=link,
        reason=live.reason if live else None,
        last_heard_utc_ms=heard_utc_ms(site, peer),
        clock_offset_ms=live.offset_ms if live else None,
        round_trip_ms=live.round_trip_ms if live else None,
        received=log.base + log.got,
        sent=log.sent,
        refused=log.refused,
    )


def heard_utc_ms(site: SiteState, peer: SiteId) -> UtcMs | None:
    """When anything was last heard of a peer; after a start, when its last line came."""
    live = site.remote.live.get(peer)
    if live is not None and live.heard_utc_ms is not None:
        return live.heard_utc_ms
    return site.remote.log(peer).got_utc_ms


def joint_view(site: SiteState, joint: JointSession, now: Now) -> JointView:
    """A joint session as people here see it."""
    own = own_site(site)
    mine = joint.parts.get(own)
    stands = joint.host_says.state if joint.host_says is not None else JointState.PREPARING
    hosts = joint.host == own
    parts = [part_view(site, joint, row, now) for row in joint.parts.values()]
    if not hosts and joint.host_says is not None:
        parts += _others(site, joint)
    return JointView(
        id=joint.id,
        title=joint.title,
        host=joint.host,
        own_host=hosts,
        state=joint_state(joint) if hosts or joint.cancelled else stands,
        made_by=joint.made_by,
        made_utc_ms=joint.made_utc_ms,
        starts_utc_ms=joint.starts_utc_ms,
        seats=sum(row.seats for row in joint.parts.values()),
        rooms=sum(row.rooms for row in joint.parts.values() if not row.host),
        note=joint.note,
        procurement=joint.procurement,
        sector=joint.sector,
        parts=tuple(sorted(parts, key=lambda row: (not row.host, not row.own, row.site))),
        host_says=None if hosts else stands,
        may=_may(joint, mine, hosts=hosts),
    )


def _others(site: SiteState, joint: JointSession) -> list[PartView]:
    """Guests beside us, as the host told of them; nothing else of theirs comes here."""
    told = joint.host_says.sites if joint.host_says is not None else ()
    return [
        PartView(site=row.site, name=_name(site, row.site), host=False, own=False, state=row.state)
        for row in told
        if row.site not in joint.parts
    ]


def part_view(site: SiteState, joint: JointSession, part: Part, now: Now) -> PartView:
    """One site of a joint session."""
    own = own_site(site)
    live, plan = site.remote.live.get(part.site), site.remote.plan
    waited = part.asked_utc_ms is not None and now.utc_ms - part.asked_utc_ms >= plan.silence_ms
    state = part_state(part)
    told = joint.host_says.sites if joint.host_says is not None else ()
    if part.host and part.site != own:
        state = next((row.state for row in told if row.site == part.site), state)
    rooms = tuple(row for row in live.rooms if row.session_id in part.bound) if live else ()
    if part.site == own:
        rooms = tuple(_own_rooms(site, part, now.mono_ms))
    handed = not part.host and (part.ever_sealed or part.handover.list_sha256 is not None)
    return PartView(
        site=part.site,
        name=_name(site, part.site),
        host=part.host,
        own=part.site == own,
        state=state,
        sessions=tuple(part.sessions[key] for key in part.bound if key in part.sessions),
        rooms_now=rooms,
        asked=part.asked,
        asked_utc_ms=part.asked_utc_ms,
        silent=waited,
        refused=part.refused,
        fault_since_utc_ms=part.fault_since_utc_ms,
        last_heard_utc_ms=None if part.site == own else heard_utc_ms(site, part.site),
        old=live is not None
        and (live.link is not LinkState.UP or part.fault_since_utc_ms is not None),
        handover=_handover(part, now) if handed else None,
        urged_utc_ms=part.urged_utc_ms,
    )


def _handover(part: Part, now: Now) -> HandoverView:
    row = part.handover
    late = row.due_utc_ms is not None and now.utc_ms > row.due_utc_ms and not row.complete
    return HandoverView(
        due_utc_ms=row.due_utc_ms,
        overdue=late,
        list_sha256=row.list_sha256,
        items=row.items,
        media_bytes=row.media_bytes,
        offered_utc_ms=row.offered_utc_ms,
        fetched=row.fetched,
        receipt_sha256=row.receipt_sha256,
        received=row.received,
        missing=row.missing,
        receipt_utc_ms=row.receipt_utc_ms,
    )


def _name(site: SiteState, name: SiteId) -> Named:
    if name == own_site(site):
        return site.plan.site.config.name
    plan = site.remote.plan.peers.get(name)
    return plan.name if plan is not None else Named(zh=name, en=name)


def _may(joint: JointSession, mine: Part | None, *, hosts: bool) -> tuple[JointVerb, ...]:
    if joint.cancelled or mine is None:
        return ()
    if not hosts:
        return (JointVerb.ACCEPT, JointVerb.DECLINE) if mine.accepted is None else ()
    states = {part_state(row) for row in joint.parts.values() if row.accepted is not False}
    answered = all(row.accepted is not None for row in joint.parts.values())
    guests = any(row.accepted and not row.host for row in joint.parts.values())
    going = states & {PartState.SEALED, PartState.SUSPENDED}
    waiting = states & {PartState.READY, PartState.ACCEPTED}
    may: list[JointVerb] = []
    if answered and guests and waiting:
        may.append(JointVerb.SEAL)
    if PartState.SEALED in states:
        may.append(JointVerb.SUSPEND)
    if PartState.SUSPENDED in states:
        may.append(JointVerb.RESUME)
    if going:
        may.append(JointVerb.RELEASE)
    if guests:
        may.append(JointVerb.URGE)
    if not going and joint_state(joint) is not JointState.RELEASED:
        may.append(JointVerb.CANCEL)
    return tuple(may)


def sites_view(site: SiteState, pem: str, joints: tuple[JointView, ...], now: Now) -> SitesView:
    """This site with its public key as PEM, its peers, and these joint sessions."""
    return SitesView(
        site=own_site(site),
        name=site.plan.site.config.name,
        key=site.ledger.notary.key,
        public_key=pem,
        peers=tuple(peer_view(site, peer, now) for peer in site.remote.plan.peers),
        joints=joints,
    )
