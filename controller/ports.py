"""Holds what the service asks of the world: a store, a way out, somebody who listens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, ParamSpec, Protocol, TypeVar

from contracts.admission import Sector
from contracts.api import Role, SessionState
from contracts.api.accounts import Grants
from contracts.api.audit import AuditHead, AuditLine
from contracts.units import RoomId, UtcMs
from controller.core.alerts import AlertRecord
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty
from controller.core.ledger import Chain, NodeKey
from controller.core.ordering import OrderingDoc
from controller.core.outputs import Answer, Filed, Lasting, Published
from controller.core.outside import OutsideAct
from controller.core.sessions import Session
from controller.core.sites import JointSession, PeerLog
from controller.core.state import Input, Now, SiteState
from controller.core.sweeps import RoomCare
from runtime.outbox import InboxCursor

P = ParamSpec("P")
T = TypeVar("T")


class StoreLost(Exception):
    """The database did not take a commit (full, locked, away): nothing of it is done; try again."""


@dataclass(frozen=True, slots=True)
class OutputId:
    """Names one output for ever: the journal row that caused it, and its place among that row's."""

    seq: int
    position: int


@dataclass(frozen=True, slots=True)
class OpenOutput:
    """An output that was committed and perhaps not performed."""

    id: OutputId
    output: Lasting


@dataclass(frozen=True, slots=True)
class Journaled:
    """One input with the outputs that must not be forgotten."""

    given: Input
    now: Now
    outputs: tuple[Lasting, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction commits: inputs, outputs, the entities as they are now, cursors.

    ``filed`` are lines of evidence that it stores for ever, ``chains`` and ``keys`` what they
    changed in the ledger.
    """

    journal: tuple[Journaled, ...] = ()
    alerts: tuple[AlertRecord, ...] = ()
    sessions: tuple[Session, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    duties: tuple[Duty, ...] = ()
    care: tuple[RoomCare, ...] = ()
    acts: tuple[OutsideAct, ...] = ()
    ordering: tuple[OrderingDoc, ...] = ()
    cursors: tuple[InboxCursor, ...] = ()
    filed: tuple[Filed, ...] = ()
    chains: tuple[Chain, ...] = ()
    keys: tuple[NodeKey, ...] = ()
    joints: tuple[JointSession, ...] = ()
    peer_logs: tuple[PeerLog, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing in it needs the disk."""
        return not (self.journal or self.cursors or self.filed or self.chains or self.keys)


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions of a list. ``seen_rooms``, ``sectors``: what the asker may see at all.

    ``before``: start and id of the last one that the asker has.
    """

    before: tuple[int, str] | None = None
    states: tuple[SessionState, ...] = ()
    from_utc_ms: UtcMs | None = None
    to_utc_ms: UtcMs | None = None
    rooms: tuple[RoomId, ...] | None = None
    seen_rooms: tuple[RoomId, ...] | None = None
    sectors: tuple[Sector, ...] | None = None


ALL_SESSIONS: Final = SessionFilter()


@dataclass(frozen=True, slots=True)
class Given:
    """An input with the cursor that its commit moves, when it came by a durable stream."""

    given: Input
    cursor: InboxCursor | None = None


class Intake(Protocol):
    """Where adapters put what they heard."""

    async def offer(self, given: Input) -> None:
        """Put a live input in line; waits while it is full, so that its reader keeps the newest."""
        ...

    async def ask(self, given: Input) -> Answer:
        """Do what somebody asks and answer after the commit.

        Raises:
            StoreLost: nothing was done; the database is away.
        """
        ...

    async def take(self, rows: Sequence[Given]) -> list[Answer | None]:
        """Commit inputs together, cursors included; returns after the commit.

        Raises:
            StoreLost: none of them is committed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """A person or a panel that may log in. ``password_hash`` is Argon2id; empty: none is set.

    ``totp`` and ``totp_offered`` are encrypted; ``totp_step`` is the last 30 s that a code was
    taken of, so none is taken twice. ``recovery``, ``past_hashes``: digests. ``external``: issuer
    and subject at an identity provider.
    """

    username: str
    roles: tuple[Role, ...]
    room_id: str | None
    password_hash: str
    failed: int = 0
    locked_until_utc_ms: UtcMs | None = None
    disabled: bool = False
    grants: Grants = field(default_factory=Grants)
    must_change: bool = False
    totp: str | None = None
    totp_offered: str | None = None
    totp_step: int = 0
    recovery: tuple[str, ...] = ()
    past_hashes: tuple[str, ...] = ()
    external: str = ""
    made_utc_ms: UtcMs | None = None
    made_by: str = ""
    password_utc_ms: UtcMs | None = None
    login_utc_ms: UtcMs | None = None
    version: int = 1


class TokenKind(StrEnum):
    """What a secret that we gave away is good for."""

    LOGIN = "login"
    API = "api"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that we gave away, by its digest. ``scopes`` None: all that its owner's roles give.

    A link without ``username`` makes the first accounts.
    """

    sha256: str
    id: str
    kind: TokenKind
    username: str
    made_utc_ms: UtcMs
    used_utc_ms: UtcMs
    expires_utc_ms: UtcMs
    name: str = ""
    scopes: tuple[str, ...] | None = None
    address: str = ""
    agent: str = ""


class AccountStore(Protocol):
    """Where accounts and the digests of what we gave away are kept. Methods block."""

    def find_account(self, username: str) -> Account | None:
        """The account of this name."""
        ...

    def find_external(self, external: str) -> Account | None:
        """The account of this subject at an identity provider."""
        ...

    def accounts(self, *, after: str = "", limit: int) -> tuple[Account, ...]:
        """Accounts behind a name, by name."""
        ...

    def admins(self) -> tuple[Account, ...]:
        """All that hold one of the administrators' roles, disabled ones too."""
        ...

    def put_account(self, account: Account) -> None:
        """Add or replace an account."""
        ...

    def fail_account(self, username: str, failed_max: int, until: UtcMs) -> UtcMs | None:
        """Count a wrong log-in; at ``failed_max`` the name is locked and ``until`` returned."""
        ...

    def admit_account(self, username: str, now: UtcMs) -> bool:
        """A log-in was right: forget the wrong ones. False: it was locked or disabled meanwhile."""
        ...

    def change_account(self, account: Account, version: int) -> bool:
        """Replace an account if it still has this version; whether it had."""
        ...

    def add_token(self, token: Token, now: UtcMs) -> None:
        """Keep a digest; expired ones are forgotten on the way."""
        ...

    def find_token(self, sha256: str, now: UtcMs) -> Token | None:
        """What this digest belongs to, while it lives."""
        ...

    def tokens(self, *, username: str | None, kind: TokenKind, now: UtcMs) -> tuple[Token, ...]:
        """Living ones of a kind, newest first."""
        ...

    def touch_token(self, sha256: str, used_utc_ms: UtcMs) -> None:
        """It was used."""
        ...

    def drop_token(self, sha256: str) -> bool:
        """Forget one; whether it was there: so a link is used once."""
        ...

    def drop_tokens(
        self, username: str, kinds: Sequence[TokenKind], *, but: str | None = None
    ) -> int:
        """Forget an account's, ``but`` this digest; how many."""
        ...


class AuditStore(Protocol):
    """Where audit lines are kept. Methods block."""

    def audit_end(self) -> tuple[int, str]:
        """Number and hash of the last line; 0 and NO_LINE when there is none."""
        ...

    def add_audit(self, lines: Sequence[AuditLine], heads: Sequence[AuditHead]) -> None:
        """Append lines in their order, all or none.

        Raises:
            StoreLost: none is kept.
        """
        ...

    def cut_audit(self, before_utc_ms: UtcMs) -> int:
        """Forget lines older than this, from the oldest end; how many."""
        ...


class Blocking(Protocol):
    """How a call that waits for the disk is made: in a thread, or at once in simulated time."""

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``function``'s result; what it raises is raised."""
        ...


class StateStore(Protocol):
    """Where the service commits. Methods block; the service calls them in a worker thread."""

    def commit(self, batch: Batch) -> tuple[tuple[OutputId, ...], ...]:
        """Commit all or nothing; the ids of each journal entry's outputs.

        Raises:
            StoreLost: nothing was committed.
        """
        ...

    def performed(self, outputs: Sequence[OutputId]) -> None:
        """These outputs are done: a restart must not do them again."""
        ...

    def find_alert(self, alert_id: str) -> AlertRecord | None:
        """An alert that is no longer in memory."""
        ...

    def find_session(self, session_id: str) -> Session | None:
        """A session that is no longer in memory."""
        ...

    def has_entry(self, node_id: str, track_id: str, sha256: str) -> bool:
        """Whether a line of this hash is filed in the chain already."""
        ...


class Performer(Protocol):
    """Does what was decided and committed."""

    async def lasting(self, output: Lasting) -> None:
        """Hand a durable output on; returns when the next one in line is durable itself."""
        ...

    async def publish(self, output: Published, utc_ms: UtcMs) -> None:
        """Send to a robot, a door or a lift; may be lost: the core sends it again."""
        ...


class Listener(Protocol):
    """Hears of each change after its commit."""

    def changed(self, before: SiteState, after: SiteState) -> None:
        """State went from ``before`` to ``after``; must not block."""
        ...
