"""The controller's own look at recordings: holes, silence, broken chains, keeps, heads."""

from dataclasses import dataclass, field, replace

from contracts.api import Disposition, ResolveBody, SessionBody
from contracts.commands import Keep, Seal
from contracts.evidence.entries import ClockSource, ClockState, GapReason
from contracts.observations import (
    Alert,
    CheckpointTaken,
    Condition,
    EntryAppended,
    NodeHealth,
    NodeState,
    RecordingHealth,
    RecordingState,
    Severity,
    TrackHealth,
)
from contracts.units import MonoMs, UtcMs
from controller.core import alerts, views
from controller.core.alerts import AlertRecord
from controller.core.ledger import Ledger, Notary
from controller.core.outputs import FileEntry, FileRefused, FileRoot, Output, SendCommand
from controller.core.recording import GAP_SILENT_MAX_MS, SILENT_MAX_MS
from controller.core.sessions import DAY_MS, SessionVerb
from controller.core.site import step
from controller.core.state import (
    AlertAcknowledged,
    AlertCame,
    AlertResolved,
    CheckpointCame,
    EntryCame,
    Input,
    KeyConfirmed,
    NodeSaid,
    Now,
    SessionActed,
    SessionScheduled,
    SiteState,
    Tick,
    restored,
)
from runtime.signing import SigningKey
from tests.fakes.controller_site import small_plan
from tests.fakes.node_chain import NodeChain, check
from tests.fakes.sealing import ALL_OVERRIDDEN, SUSPENDED

OURS = SigningKey.generate()
START = 1_000_000


def fresh() -> SiteState:
    return restored(
        small_plan(),
        sessions={},
        alerts={},
        deliveries={},
        duties={},
        next_number=1,
        now=Now(MonoMs(0), UtcMs(START)),
        same_boot=True,
        ledger=Ledger(notary=Notary("centre", OURS.id, OURS.sign, check)),
    )


@dataclass
class Site:
    """A site to step, with one clock and everything that it put out."""

    state: SiteState = field(default_factory=fresh)
    ms: int = 0
    out: list[Output] = field(default_factory=list)

    def give(self, given: Input) -> tuple[Output, ...]:
        now = Now(MonoMs(self.ms), UtcMs(START + self.ms))
        self.state, outputs = step(self.state, given, now)
        self.out += outputs
        return outputs

    def run(self, ms: int, *, every_ms: int = 1_000, health: bool = True) -> None:
        """Let time pass; the node's health comes as it does."""
        for _ in range(0, ms, every_ms):
            self.ms += every_ms
            if health:
                self.health()
            self.give(Tick())

    def health(self, *, recording: bool = True) -> None:
        tracks = (
            TrackHealth(
                track_id="cam-1",
                room_id="room-1",
                state=RecordingState.GAP,
                since_utc_ms=UtcMs(START),
                reason=GapReason.CAMERA_OFFLINE,
                sequence=9,
            ),
        )
        clock = ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.4)
        said = RecordingHealth(running=True, tracks=tracks, clock=clock)
        self.give(
            NodeSaid(
                NodeHealth(
                    node_id="edge-1",
                    state=NodeState.RUNNING,
                    utc_ms=UtcMs(START + self.ms),
                    recording=said if recording else None,
                )
            )
        )

    def say(self, *said: EntryAppended | CheckpointTaken) -> None:
        for one in said:
            is_entry = isinstance(one, EntryAppended)
            self.give(EntryCame(one) if is_entry else CheckpointCame(one))  # type: ignore[arg-type]  # narrowed

    def seal(self, session: str = "s-1", *, keep_days: int | None = None) -> None:
        body = SessionBody(room_id="room-1", title="T", admitted=5, keep_days=keep_days)
        self.give(SessionScheduled(session, body, "sup"))
        for verb in (SessionVerb.GATHER, SessionVerb.SEAL):
            self.give(SessionActed(session, verb, "sup", ALL_OVERRIDDEN))

    def act(self, verb: SessionVerb, session: str = "s-1") -> tuple[Output, ...]:
        return self.give(SessionActed(session, verb, "sup", SUSPENDED))

    def alerts(self, rule: str) -> list[AlertRecord]:
        return [row for row in self.state.alerts.values() if row.alert.rule == rule]

    def commands(self) -> list[Seal | Keep]:
        found = [row.command for row in self.out if isinstance(row, SendCommand)]
        return [row for row in found if isinstance(row, Seal | Keep)]


def recorded(site: Site, chain: NodeChain) -> None:
    """A chain with one segment that ends now."""
    site.health()
    chain.utc_ms = START + site.ms - 60_000
    site.say(chain.opened(), chain.segment())


def node_alert(track: str, since: int, *, cleared: int | None = None) -> Alert:
    return Alert(
        alert_id=f"n-{track}-{since}",
        rule="node.recording_gap",
        condition=Condition.ACTIVE if cleared is None else Condition.CLEARED,
        severity=Severity.ALARM,
        room_id="room-1",
        node_id="edge-1",
        camera_id=track,
        since_utc_ms=UtcMs(since),
        raised_utc_ms=UtcMs(since),
        cleared_utc_ms=None if cleared is None else UtcMs(cleared),
        dwell_ms=0,
    )


def test_a_refused_line_raises_one_alarm_that_clears_with_the_next_sound_one() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    forged = replace(chain, key=SigningKey.generate(), lines=[]).segment()
    site.say(forged, forged)
    (record,) = site.alerts(alerts.CHAIN_BROKEN)
    assert (record.alert.severity, record.alert.condition) == (Severity.ALARM, Condition.ACTIVE)
    assert (record.alert.camera_id, record.alert.room_id) == ("cam-1", "room-1")
    assert record.detail is not None
    assert "did not hand over" in record.detail.en
    assert "密钥" in record.detail.zh
    assert sum(isinstance(row, FileRefused) for row in site.out) == 2
    site.say(chain.segment())
    (record,) = site.alerts(alerts.CHAIN_BROKEN)
    assert record.alert.condition is Condition.CLEARED
    assert not record.ended  # nobody has seen it yet


def test_confirming_a_new_key_ends_the_alarm_and_the_chain_begins_anew() -> None:
    site, lost = Site(), NodeChain()
    recorded(site, lost)
    thief = NodeChain(utc_ms=START)
    site.say(thief.opened())
    site.give(KeyConfirmed("edge-1", thief.key.id, "sup"))
    (record,) = site.alerts(alerts.CHAIN_BROKEN)
    assert record.alert.condition is Condition.CLEARED
    site.say(thief.announced(thief.lines[0]))
    assert site.state.ledger.chains["edge-1/cam-1"].life == 2


def test_a_line_of_a_node_that_the_site_does_not_have_changes_nothing() -> None:
    site = Site()
    before = site.state
    site.say(NodeChain(node="edge-9").opened())
    assert site.state is before


def test_silence_while_sealed_is_an_alarm_until_the_next_word() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    site.run(SILENT_MAX_MS)
    assert not site.alerts(alerts.RECORDING_GAP)
    site.run(2_000)
    (record,) = site.alerts(alerts.RECORDING_GAP)
    assert (record.alert.session_id, record.alert.camera_id) == ("s-1", "cam-1")
    assert record.alert.severity is Severity.ALARM
    site.run(30_000)
    assert len(site.alerts(alerts.RECORDING_GAP)) == 1
    site.say(chain.checkpoint())
    (record,) = site.alerts(alerts.RECORDING_GAP)
    assert record.alert.condition is Condition.CLEARED
    site.say(chain.segment(after_ms=60_000))
    assert len(site.alerts(alerts.RECORDING_GAP)) == 1  # the same hole, told again by the segment
    assert "not recorded or explained" in site.alerts(alerts.RECORDING_GAP)[0].detail.en  # type: ignore[union-attr]  # noted


def test_a_silence_ends_with_the_seal_and_stays_to_be_seen() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    site.run(SILENT_MAX_MS + 2_000)
    site.act(SessionVerb.RELEASE)
    site.run(2_000)
    (record,) = site.alerts(alerts.RECORDING_GAP)
    assert record.alert.condition is Condition.CLEARED
    assert not record.ended


def test_an_odd_entry_is_witnessed_with_an_alert_that_stays_to_be_seen() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    chain.number -= 1
    site.say(chain.segment())
    (record,) = site.alerts(alerts.CHAIN_BROKEN)
    assert record.alert.condition is Condition.CLEARED
    assert record.detail is not None
    assert "file number" in record.detail.en
    assert not site.state.ledger.chains["edge-1/cam-1"].broken


def test_checkpoints_are_word_enough() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    for _ in range(12):
        site.run(10_000)
        site.say(chain.checkpoint())
    assert not site.alerts(alerts.RECORDING_GAP)


def test_a_sealed_room_whose_recorder_never_began_is_silent() -> None:
    site = Site()
    site.health()
    site.seal()
    site.run(SILENT_MAX_MS + 2_000)
    assert len(site.alerts(alerts.RECORDING_GAP)) == 1


def test_an_older_node_without_recording_an_unsealed_room_and_a_lost_node_are_not_silent() -> None:
    older = Site()
    older.health(recording=False)
    older.seal()
    for _ in range(40):
        older.run(1_000, health=False)
        older.health(recording=False)
    assert not older.alerts(alerts.RECORDING_GAP)
    unsealed, chain = Site(), NodeChain()
    recorded(unsealed, chain)
    unsealed.run(60_000)
    assert not unsealed.alerts(alerts.RECORDING_GAP)
    lost, chain = Site(), NodeChain()
    recorded(lost, chain)
    lost.seal()
    lost.run(60_000, health=False)
    assert not lost.alerts(alerts.RECORDING_GAP)
    assert len(lost.alerts(alerts.NODE_OFFLINE)) == 1


def test_a_gap_that_its_node_explains_is_no_second_alarm() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    site.say(chain.gap(0, ended=False))
    site.run(GAP_SILENT_MAX_MS - 5_000)
    chain.utc_ms = START + site.ms - 1_000
    site.say(chain.gap(1_000), chain.segment())
    holes = site.alerts(alerts.RECORDING_GAP)
    assert [row.alert.condition for row in holes] == [Condition.CLEARED]  # before the second piece
    whole, chain = Site(), NodeChain()
    recorded(whole, chain)
    whole.seal()
    whole.say(chain.gap(60_000, ended=False), chain.gap(25_000), chain.segment())
    assert not whole.alerts(alerts.RECORDING_GAP)


def test_a_hole_that_nothing_explains_is_an_alarm_that_latches() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    site.run(10_000)
    site.say(chain.segment(), chain.segment(after_ms=1_900))
    assert not site.alerts(alerts.RECORDING_GAP)
    site.say(chain.segment(after_ms=7_000))
    (record,) = site.alerts(alerts.RECORDING_GAP)
    assert record.alert.condition is Condition.CLEARED
    assert not record.ended
    assert record.detail is not None
    assert "7.0 s" in record.detail.en
    found = AlertResolved(record.id, ResolveBody(disposition=Disposition.DEVICE), "sup")
    site.give(found)
    assert not site.state.alerts[record.id].ended, "nobody has seen it for itself yet"
    site.give(AlertAcknowledged(record.id, "sup"))
    site.give(found)
    assert site.state.alerts[record.id].ended


def test_a_hole_of_an_unsealed_room_is_none() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.say(chain.segment(after_ms=60_000))
    assert not site.alerts(alerts.RECORDING_GAP)


def test_the_alert_of_the_node_is_noted_on_instead_of_doubled() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    site.give(AlertCame(node_alert("cam-1", START)))
    site.run(SILENT_MAX_MS + 5_000)
    (record,) = site.alerts(alerts.RECORDING_GAP)
    assert record.id.startswith("n-")
    assert record.detail is not None
    assert "no entry or checkpoint" in record.detail.en
    site.give(AlertCame(node_alert("cam-1", START, cleared=START + site.ms)))
    site.say(chain.segment(after_ms=site.ms))
    assert len(site.alerts(alerts.RECORDING_GAP)) == 1
    again = restored(
        site.state.plan,
        sessions=site.state.sessions,
        alerts={"n-1": replace(record, alert=node_alert("cam-1", START))},
        deliveries={},
        duties={},
        next_number=9,
        now=Now(MonoMs(0), UtcMs(START)),
        same_boot=False,
    )
    assert not again.marks


def test_after_a_restart_of_the_controller_a_word_is_due_anew() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    site.run(20_000)
    site.state = replace(site.state, words={}, expected={})
    site.run(20_000)
    assert not site.alerts(alerts.RECORDING_GAP)
    site.run(8_000)
    assert len(site.alerts(alerts.RECORDING_GAP)) == 1


def test_corridors_are_kept_from_seal_to_release() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal(keep_days=30)
    seal, begins = site.commands()
    assert isinstance(seal, Seal)
    assert seal.keep_days == 30
    assert isinstance(begins, Keep)
    assert (begins.room_id, begins.session_id, begins.to_utc_ms) == ("corridor", "s-1", None)
    assert begins.keep_until_utc_ms == START + 30 * DAY_MS
    site.ms += 1_000
    site.act(SessionVerb.SUSPEND)
    site.act(SessionVerb.RESUME)
    site.ms += 1_000
    site.act(SessionVerb.SUSPEND)
    site.act(SessionVerb.RELEASE)
    keeps = [row for row in site.commands() if isinstance(row, Keep)]
    assert len(keeps) == 2
    assert (keeps[1].from_utc_ms, keeps[1].to_utc_ms) == (START, START + 2_000)
    ids = [row.command.command_id for row in site.out if isinstance(row, SendCommand)]
    assert len(ids) == len(set(ids))


def test_a_session_that_names_no_days_keeps_as_long_as_the_site_says() -> None:
    site = Site()
    site.seal()
    assert site.commands()[0].keep_days == site.state.plan.site.config.keep_sealed_days  # type: ignore[union-attr]  # a seal


def test_a_session_keeps_the_heads_of_seal_and_release() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.seal()
    at_seal = chain.head
    site.say(chain.sealed(), chain.segment())
    site.act(SessionVerb.RELEASE)
    session = site.state.sessions["s-1"]
    assert [(row.sequence, row.sha256) for row in session.heads_at_seal] == [(2, at_seal)]
    assert [(row.sequence, row.sha256) for row in session.heads_at_release] == [(4, chain.head)]


def test_roots_are_made_by_the_clock() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    site.run(3_000)
    assert sum(isinstance(row, FileRoot) for row in site.out) == 1
    site.ms += 3_600_000
    site.give(Tick())
    site.give(Tick())
    roots = [row for row in site.out if isinstance(row, FileRoot)]
    assert [row.number for row in roots] == [1, 2]
    assert sum(isinstance(row, FileEntry) for row in site.out) == 2


def test_a_room_shows_its_tracks_clock_and_key() -> None:
    site, chain = Site(), NodeChain()
    recorded(site, chain)
    area = site.state.plan.site.area("room-1")
    view = views.room_view(site.state, area, MonoMs(site.ms))
    (track,) = view.tracks
    assert (track.state, track.reason) == (RecordingState.GAP, GapReason.CAMERA_OFFLINE)
    assert (track.sequence, track.witnessed_sequence, track.known_from) == (9, 2, 1)
    assert view.clock is not None
    assert view.clock.offset_ms == 0.4
    assert view.key_confirmed is False
    site.give(KeyConfirmed("edge-1", chain.key.id, "sup"))
    assert views.room_view(site.state, area, MonoMs(site.ms)).key_confirmed is True
