"""Decides whether a sealed room's recording has a hole that nobody explained, or has fallen silent.

It judges by what nodes announce and by its own clock alone: a node that finds no fault with itself
is not believed for that.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, assert_never

from contracts.api import HeadSeen, Sentence, SessionState, TrackKind
from contracts.evidence.entries import Gap, Segment
from contracts.observations import Alert, Condition, Severity
from contracts.units import NodeId, RoomId, UtcMs
from controller.core import alerts, ledger
from controller.core.alerts import AlertRecord
from controller.core.dispatch import lower, raise_alert
from controller.core.ledger import Chain, NotTaken, Taken, chain_id
from controller.core.outputs import Accepted, Output, Refused
from controller.core.plan import Track
from controller.core.sessions import Session
from controller.core.state import (
    CheckpointCame,
    EntryCame,
    KeyConfirmed,
    Now,
    SiteState,
    TrackWord,
    changed,
    mark_of,
    own_alert_id,
)

UNTOLD_MAX_MS: Final = 2_000
# Between two segments lies one picture at the most; 2 s is what a pulled plug may cost.
SILENT_MAX_MS: Final = 25_000  # two checkpoints of 10 s lost on the way, and half of another
GAP_SILENT_MAX_MS: Final = 90_000  # a gap that lasts is told at the latest every 60 s

Result = tuple[SiteState, tuple[Output, ...]]


def step(site: SiteState, given: EntryCame | CheckpointCame | KeyConfirmed, now: Now) -> Result:
    """Apply what came of a chain, or what a person says of the key that signs it."""
    match given:
        case EntryCame():
            return _entry_came(site, given, now)
        case CheckpointCame():
            return _checkpoint_came(site, given, now), ()
        case KeyConfirmed():
            return _key_confirmed(site, given, now)
        case _:
            assert_never(given)


def _entry_came(site: SiteState, given: EntryCame, now: Now) -> Result:
    """A line of a chain: filed and countersigned, refused with an alert, or known already."""
    said = given.said
    if said.node_id not in site.plan.watcher.values():
        return site, ()  # not of this site; its own files keep what it says
    book, judged = ledger.take(site.ledger, said, now.utc_ms, stored=given.stored)
    if judged is None:
        return site, ()
    site = replace(site, ledger=book)
    if isinstance(judged, NotTaken):
        site = _broken(site, said.node_id, said.track_id, said.room_id, judged.why.text, now)
        return site, (judged.filed,) if judged.filed is not None else ()
    track = said.track_id
    site = lower(site, alerts.CHAIN_BROKEN, track, now)
    for fault in judged.odd:  # the first makes the alert, the others are noted on it
        text = ledger.sentence(fault)
        site = _broken(site, said.node_id, track, said.room_id, text, now)
    site = lower(site, alerts.CHAIN_BROKEN, track, now)
    site = _heard(site, judged.chain.id, track, TrackWord(now.mono_ms, now.utc_ms), now)
    return _untold(site, judged, now), (judged.filed,)


def _checkpoint_came(site: SiteState, given: CheckpointCame, now: Now) -> SiteState:
    """A checkpoint that its node signed is a word on its track; anything else is none."""
    said = given.said
    found = ledger.checkpoint(site.ledger, said)
    if found is None:
        return site
    word = TrackWord(now.mono_ms, now.utc_ms, found.number, found.offset)
    return _heard(site, chain_id(said.node_id, said.track_id), said.track_id, word, now)


def _key_confirmed(site: SiteState, given: KeyConfirmed, now: Now) -> Result:
    """A person stands for a node's key; chains that refused lines begin anew."""
    done = ledger.confirm(site.ledger, given.node_id, given.key, given.by, now.utc_ms)
    if isinstance(done, Refused):
        return site, (done,)
    book, anew = done
    site = replace(site, ledger=book)
    for chain in anew:
        site = lower(site, alerts.CHAIN_BROKEN, chain.track_id, now)
    return site, (Accepted(given.node_id),)


def watch(site: SiteState, now: Now) -> Result:
    """Look at the time: tracks of sealed rooms that fell silent, and the hourly root."""
    due = {chain_id(node, track.id): (node, track, session) for node, track, session in _due(site)}
    expected = {name: site.expected.get(name, now.mono_ms) for name in due}
    if expected != site.expected:
        site = replace(site, expected=expected)
    for name, (node, track, session) in due.items():
        if mark_of(alerts.RECORDING_GAP, track.id) not in site.marks and _silent(site, name, now):
            site = _silence(site, node, track, session, now)
    site = _no_longer_due(site, now)
    if not ledger.root_due(site.ledger, now.utc_ms):
        return site, ()
    book, filed = ledger.with_root(site.ledger, now.utc_ms)
    return replace(site, ledger=book), (filed,)


def concerned(site: SiteState, *room_ids: RoomId) -> tuple[Track, ...]:
    """The tracks that prove what a session was like: its rooms', and of where people pass by."""
    rooms = dict.fromkeys((*room_ids, *site.plan.passages))
    return tuple(track for room in rooms for track in site.plan.tracks.get(room, ()))


def heads_of(site: SiteState, *room_ids: RoomId) -> tuple[HeadSeen, ...]:
    """The ends of the chains that a session in these rooms rests on, as they are known now."""
    rows = (chain_of(site, track) for track in concerned(site, *room_ids))
    return tuple(
        HeadSeen(
            node_id=row.node_id,
            track_id=row.track_id,
            sequence=row.state.sequence,
            sha256=row.state.head,
            utc_ms=row.entry_utc_ms,
        )
        for row in rows
        if row is not None and row.state is not None
    )


def chain_of(site: SiteState, track: Track) -> Chain | None:
    """The chain that the node of a track's room keeps for it."""
    node_id = site.plan.watcher.get(track.room_id)
    return site.ledger.chains.get(chain_id(node_id, track.id)) if node_id else None


# --- what is due -------------------------------------------------------------------------------


def _due(site: SiteState) -> Iterator[tuple[NodeId, Track, Session]]:
    """The tracks of sealed rooms whose node is up and is one that records.

    A node that never said a word of recording is older than recording; one that is lost has an
    alert of its own, and says what it recorded meanwhile when it is back.
    """
    sealed = (row for row in site.sessions.values() if row.state is SessionState.SEALED)
    for session, room_id in ((row, room) for row in sealed for room in row.rooms):
        node_id = site.plan.watcher.get(room_id)
        node = site.nodes.get(node_id or "")
        if node_id is None or node is None or node.lost:
            continue
        for track in site.plan.tracks.get(room_id, ()):
            known = chain_id(node_id, track.id) in site.ledger.chains
            if known or node.health.recording is not None:
                yield node_id, track, session


def _no_longer_due(site: SiteState, now: Now) -> SiteState:
    """A silence ends with the seal: from then on nobody owes a word."""
    sealed = {
        track.id
        for row in site.sessions.values()
        if row.state is SessionState.SEALED
        for room_id in row.rooms
        for track in site.plan.tracks.get(room_id, ())
    }
    for mark in tuple(site.marks):
        rule, _, track_id = mark.partition("|")
        if rule == alerts.RECORDING_GAP and track_id not in sealed:
            site = lower(site, rule, track_id, now)
    return site


def _silent(site: SiteState, name: str, now: Now) -> bool:
    word = site.words.get(name)
    since = site.expected[name]
    heard = max(since, word.heard_mono_ms) if word is not None else since
    chain = site.ledger.chains.get(name)
    explained = chain is not None and chain.gap_open
    limit_ms = GAP_SILENT_MAX_MS if explained else SILENT_MAX_MS
    return now.mono_ms - heard > limit_ms


def _heard(site: SiteState, name: str, track_id: str, word: TrackWord, now: Now) -> SiteState:
    site = replace(site, words=changed(site.words, name, word))
    return lower(site, alerts.RECORDING_GAP, track_id, now)


# --- alerts ------------------------------------------------------------------------------------


def _silence(
    site: SiteState, node_id: NodeId, track: Track, session: Session, now: Now
) -> SiteState:
    name = chain_id(node_id, track.id)
    word, chain = site.words.get(name), site.ledger.chains.get(name)
    told = chain.told_to.utc_ms if chain is not None and chain.told_to is not None else None
    heard = word.heard_utc_ms if word is not None else told or session.sealed_utc_ms or now.utc_ms
    since = UtcMs(min(heard, now.utc_ms))
    text = Sentence(
        zh=f"控制器未再收到 {track.name.zh} 的录像登记或检查点。",
        en=f"The controller gets no entry or checkpoint of {track.name.en} any more.",
    )
    standing = _concerning(site, track, since, now.utc_ms, over_too=False)
    if standing is not None:
        return _noted(site, standing, text)
    alert = _gap_alert(track, node_id, session, since, now)
    return _detailed(raise_alert(site, alert, track.id, now), alert, text)


def _untold(site: SiteState, taken: Taken, now: Now) -> SiteState:
    """A hole between what was told and this segment or gap, while the track's room was sealed."""
    before = taken.before.told_to if taken.before is not None else None
    untold_ms = ledger.untold_ms(before, taken.entry)
    track = site.plan.track(taken.chain.track_id)
    if untold_ms <= UNTOLD_MAX_MS or track is None:
        return site
    if before is None or not isinstance(taken.entry, Segment | Gap):
        return site
    until = UtcMs(max(before.utc_ms, taken.entry.start.utc_ms))
    since = UtcMs(until - untold_ms)
    session = _sealed_during(site, track.room_id, since, until)
    if session is None:
        return site
    lasted, entry = f"{untold_ms / 1_000:.1f}", taken.chain.sequence
    text = Sentence(
        zh=f"条目 {entry} 之前，{track.name.zh} 有 {lasted} 秒既无录像也无说明。",
        en=f"Before entry {entry}, {lasted} s of {track.name.en} are not recorded or explained.",
    )
    standing = _concerning(site, track, since, until, over_too=True)
    if standing is not None:
        return _noted(site, standing, text)
    alert = _gap_alert(track, taken.chain.node_id, session, since, now)
    site = _detailed(raise_alert(site, alert, track.id, now), alert, text)
    return lower(site, alerts.RECORDING_GAP, track.id, now)


def _gap_alert(track: Track, node_id: NodeId, session: Session, since: UtcMs, now: Now) -> Alert:
    camera = track.kind is TrackKind.CAMERA
    return Alert(
        alert_id=own_alert_id(alerts.RECORDING_GAP, track.id, now.utc_ms),
        rule=alerts.RECORDING_GAP,
        condition=Condition.ACTIVE,
        severity=Severity.ALARM,
        room_id=track.room_id,
        node_id=node_id,
        session_id=session.id,
        camera_id=track.id if camera else None,
        pickup_id=None if camera else track.id,
        since_utc_ms=since,
        raised_utc_ms=now.utc_ms,
        dwell_ms=max(0, now.utc_ms - since),
    )


def _broken(
    site: SiteState, node_id: NodeId, track_id: str, room_id: RoomId, text: Sentence, now: Now
) -> SiteState:
    standing = site.marks.get(mark_of(alerts.CHAIN_BROKEN, track_id))
    if standing is not None:
        record = site.alerts.get(standing)
        return site if record is None else _noted(site, record, text)
    track = site.plan.track(track_id)
    session = next(
        (
            row
            for row in site.sessions.values()
            if room_id in row.rooms and row.state is SessionState.SEALED
        ),
        None,
    )
    alert = Alert(
        alert_id=own_alert_id(alerts.CHAIN_BROKEN, track_id, now.utc_ms),
        rule=alerts.CHAIN_BROKEN,
        condition=Condition.ACTIVE,
        severity=Severity.ALARM,
        room_id=room_id,
        node_id=node_id,
        session_id=session.id if session else None,
        camera_id=track.id if track and track.kind is TrackKind.CAMERA else None,
        pickup_id=track.id if track and track.kind is TrackKind.PICKUP else None,
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
    )
    return _detailed(raise_alert(site, alert, track_id, now), alert, text)


def _detailed(site: SiteState, alert: Alert, text: Sentence) -> SiteState:
    record = site.alerts.get(alert.alert_id)
    return site if record is None else _noted(site, record, text)


def _noted(site: SiteState, record: AlertRecord, text: Sentence) -> SiteState:
    after = alerts.with_detail(record, text)
    if after is record:
        return site
    return replace(site, alerts=changed(site.alerts, record.id, after))


def _concerning(
    site: SiteState, track: Track, since: UtcMs, until: UtcMs, *, over_too: bool
) -> AlertRecord | None:
    """An alert that tells of this track's recording in this interval already, ours or the node's.

    A second sounding one for the same hole would only wear people out. ``over_too``: also one whose
    condition has cleared, for a hole that is over.
    """
    node_id = site.plan.watcher.get(track.room_id)
    for record in site.alerts.values():
        alert = record.alert
        of_track = alert.rule in alerts.OF_TRACK and track.id in (alert.camera_id, alert.pickup_id)
        of_node = alert.rule in alerts.OF_RECORDER and alert.node_id == node_id
        if not (of_track or of_node):
            continue
        if alert.condition is Condition.CLEARED and not over_too:
            continue
        over = alert.cleared_utc_ms if alert.cleared_utc_ms is not None else until
        if alert.since_utc_ms <= until and over >= since:
            return record
    return None


def _sealed_during(site: SiteState, room_id: RoomId, since: UtcMs, until: UtcMs) -> Session | None:
    """The session that had a room sealed in some part of an interval."""
    for session in site.sessions.values():
        if room_id not in session.rooms or session.sealed_utc_ms is None:
            continue
        ended = session.released_utc_ms
        over = session.ended and ended is None  # called off: nobody says when
        if session.sealed_utc_ms < until and not over and (ended is None or ended > since):
            return session
    return None
