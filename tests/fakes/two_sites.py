"""Two sites' cores with real keys, and a way between them that a test may spoil."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from contracts.api import Sentence, SessionBody, SessionState
from contracts.api.sessions import ActBody
from contracts.api.sites import GuestAsked, JointActBody, JointBody, JointVerb
from contracts.devices import Named
from contracts.units import MonoMs, SessionId, UtcMs
from controller.core import remote_watch
from controller.core.ledger import Ledger, Notary
from controller.core.outputs import (
    Accepted,
    FileFeed,
    FileHeard,
    FileRecord,
    FileSiteRefused,
    Output,
    Refusal,
    Refused,
)
from controller.core.plan import plan_of
from controller.core.remote import Result
from controller.core.sessions import SessionVerb, schedule
from controller.core.site import step as whole_step
from controller.core.sites import (
    FeedCame,
    JointActed,
    JointMade,
    JointSession,
    PeerHeard,
    PeerLog,
    PeerPlan,
    Remote,
    SitesInput,
    SitesPlan,
    joint_state,
)
from controller.core.state import Input, Now, SiteState, Tick, restored
from runtime.signing import PublicKeys, SigningKey
from tests.fakes.controller_site import small_map, small_site

START = 1_795_305_600_000
JOINT = "j-0123456789abcdef"

_AFTER = {
    SessionVerb.GATHER: SessionState.GATHERING,
    SessionVerb.SEAL: SessionState.SEALED,
    SessionVerb.RESUME: SessionState.SEALED,
    SessionVerb.SUSPEND: SessionState.SUSPENDED,
    SessionVerb.RELEASE: SessionState.RELEASED,
}

_JOINT: Any = TypeAdapter(JointSession)
_LOG: Any = TypeAdapter(PeerLog)


def check(public: bytes, data: bytes, signature: bytes) -> bool:
    keys = PublicKeys()
    return keys.verify(keys.add_raw(public), data, signature)


@dataclass
class Side:
    """One site: its state, what its store would hold, and a seal check that a test decides."""

    name: str
    key: SigningKey
    state: SiteState
    mono_ms: int = 1_000
    utc_ms: int = START
    sent: list[FileFeed] = field(default_factory=list)
    heard: list[FileHeard] = field(default_factory=list)
    refused: list[FileSiteRefused] = field(default_factory=list)
    record: list[FileRecord] = field(default_factory=list)
    not_ready: bool = False

    @property
    def now(self) -> Now:
        return Now(MonoMs(self.mono_ms), UtcMs(self.utc_ms))

    @property
    def joint(self) -> JointSession:
        return self.state.remote.joints[JOINT]

    @property
    def stands(self) -> str:
        return joint_state(self.joint).value

    def pass_ms(self, ms: int) -> None:
        self.mono_ms += ms
        self.utc_ms += ms
        self.take(Tick())

    def act(
        self,
        site: SiteState,
        session_id: SessionId,
        verb: SessionVerb,
        by: str,
        said: ActBody,
        now: Now,
    ) -> Result:
        """A step of a session as ``core.session_steps`` takes it, its check decided by the test."""
        row = site.sessions[session_id]
        if verb is SessionVerb.SEAL and self.not_ready:
            text = Sentence(zh="摄像机未录像", en="a camera does not record")
            return site, (Refused(Refusal.CONFLICT, text),)
        after = replace(row, state=_AFTER[verb])
        if verb is SessionVerb.RELEASE:
            after = replace(after, released_utc_ms=now.utc_ms)
        site = replace(site, sessions={**site.sessions, session_id: after})
        return site, (Accepted(session_id),)

    def take(self, given: Input) -> Accepted | Refused | None:
        before = self.state
        if isinstance(given, SitesInput):
            result = remote_watch.step(self.state, given, self.act, self.now)
            after = remote_watch.after(before, result, self.act, self.now, tick=False)
        elif isinstance(given, Tick):
            after = remote_watch.after(before, (before, ()), self.act, self.now, tick=True)
        else:
            after = whole_step(self.state, given, self.now)
        return self._committed(after)

    def session(self, verb: SessionVerb, session_id: str | None = None) -> None:
        """A person here takes our session a step on, without anybody asking."""
        key = session_id or self.name
        done = self.act(self.state, key, verb, "a person", ActBody(), self.now)
        self._committed(remote_watch.after(self.state, done, self.act, self.now, tick=False))

    def _committed(self, after: Result) -> Accepted | Refused | None:
        self.state, outputs = after
        self.sent += [row for row in outputs if isinstance(row, FileFeed)]
        self.heard += [row for row in outputs if isinstance(row, FileHeard)]
        self.refused += [row for row in outputs if isinstance(row, FileSiteRefused)]
        self.record += [row for row in outputs if isinstance(row, FileRecord)]
        answer: Output | None = next(
            (row for row in outputs if isinstance(row, Accepted | Refused)), None
        )
        return answer if isinstance(answer, Accepted | Refused) else None

    def restart(self) -> None:
        """Begin again with what the store holds, as text: another boot, an hour of mono gone."""
        joints = [_JOINT.dump_json(row) for row in self.state.remote.joints.values()]
        logs = [_LOG.dump_json(row) for row in self.state.remote.logs.values()]
        loaded = [_JOINT.validate_json(row) for row in joints]
        known = [_LOG.validate_json(row) for row in logs]
        self.mono_ms += 10
        self.state = restored(
            self.state.plan,
            sessions=self.state.sessions,
            alerts=self.state.alerts,
            deliveries={},
            duties={},
            next_number=self.state.next_number,
            now=self.now,
            same_boot=False,
            ledger=self.state.ledger,
            remote=Remote(
                plan=self.state.remote.plan,
                joints={row.id: row for row in loaded},
                logs={row.site: row for row in known},
            ),
        )

    def do(self, verb: JointVerb, **body: Any) -> Accepted | Refused | None:
        return self.take(JointActed(JOINT, verb, JointActBody(**body), f"{self.name}-person"))

    def words(self) -> list[str]:
        return [row.text.en for row in self.record]


def side(name: str, key: SigningKey, peers: Sequence[tuple[str, SigningKey]]) -> Side:
    site = small_site(robots=0)
    site = site.model_copy(update={"config": site.config.model_copy(update={"id": name})})
    plans = {
        peer: PeerPlan(
            site=peer,
            name=Named(zh=peer, en=peer),
            url="https://peer.example",
            key=other.id,
            public_raw=other.public_raw,
            account=peer,
        )
        for peer, other in peers
    }
    notary = Notary(name, key.id, key.sign, check)
    body = SessionBody(room_id="room-1", title="T", admitted=5)
    session = schedule(name, body, "sup", UtcMs(START))
    state = restored(
        plan_of(site, small_map()),
        sessions={name: session},
        alerts={},
        deliveries={},
        duties={},
        next_number=1,
        now=Now(MonoMs(1_000), UtcMs(START)),
        same_boot=True,
        ledger=Ledger(notary=notary),
        remote=Remote(plan=SitesPlan(peers=plans)),
    )
    return Side(name, key, state)


@dataclass
class TwoSites:
    """A host and a guest that know each other's keys."""

    host: Side
    guest: Side

    def carry(self, to: Side, *, lines: Sequence[str] | None = None) -> list[Any]:
        """Give ``to`` what it lacks of the other's log, or just these lines."""
        source = self.guest if to is self.host else self.host
        if lines is None:
            got = to.state.remote.log(source.name).got
            lines = [row.line for row in source.sent if row.peer == to.name and row.seq > got]
        to.take(PeerHeard(source.name, 0, 1, None, lines=len(lines)))
        return [to.take(FeedCame(source.name, line)) for line in lines]

    def settle(self) -> None:
        """Both ways until nobody has news."""
        for _ in range(20):
            before = len(self.host.sent) + len(self.guest.sent)
            self.carry(self.guest)
            self.carry(self.host)
            if len(self.host.sent) + len(self.guest.sent) == before:
                return
        raise AssertionError("the two sites go on telling each other news for ever")

    def joined(self) -> None:
        """A joint session that the guest has accepted, both gathering."""
        body = JointBody(
            title="跨城联合评标",
            sessions=(self.host.name,),
            guests=(GuestAsked(site=self.guest.name, seats=3),),
        )
        self.host.take(JointMade(JOINT, body, "host-person"))
        self.settle()
        self.guest.do(JointVerb.ACCEPT, sessions=(self.guest.name,))
        self.settle()
        self.host.session(SessionVerb.GATHER)
        self.guest.session(SessionVerb.GATHER)
        self.settle()

    def sealed(self) -> None:
        self.joined()
        self.host.do(JointVerb.SEAL)
        self.settle()


HOST_KEY, GUEST_KEY = SigningKey.generate(), SigningKey.generate()


def two_sites() -> TwoSites:
    return TwoSites(
        side("east", HOST_KEY, [("west", GUEST_KEY)]),
        side("west", GUEST_KEY, [("east", HOST_KEY)]),
    )
