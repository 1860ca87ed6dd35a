"""Holds what the service asks of the world: a store, a way out, somebody who listens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from contracts.api import Role
from contracts.units import UtcMs
from controller.core.alerts import AlertRecord
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty
from controller.core.ledger import Chain, NodeKey
from controller.core.outputs import Answer, Filed, Lasting, PublishAction, PublishOrder
from controller.core.sessions import Session
from controller.core.state import Input, Now, SiteState
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
    cursors: tuple[InboxCursor, ...] = ()
    filed: tuple[Filed, ...] = ()
    chains: tuple[Chain, ...] = ()
    keys: tuple[NodeKey, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing in it needs the disk."""
        return not (self.journal or self.cursors or self.filed or self.chains or self.keys)


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
    """A person or a panel that may log in. ``password_hash`` is Argon2id."""

    username: str
    roles: tuple[Role, ...]
    room_id: str | None
    password_hash: str
    failed: int = 0
    locked_until_utc_ms: UtcMs | None = None


class AccountStore(Protocol):
    """Where accounts and the digests of their tokens are kept. Methods block."""

    def find_account(self, username: str) -> Account | None:
        """The account of this name."""
        ...

    def put_account(self, account: Account) -> None:
        """Add or replace an account."""
        ...

    def add_token(self, sha256: str, username: str, expires_utc_ms: UtcMs, now: UtcMs) -> None:
        """Keep a bearer token's digest; expired ones are forgotten on the way."""
        ...

    def find_token(self, sha256: str, now: UtcMs) -> str | None:
        """The name of the account that a living token belongs to."""
        ...

    def drop_token(self, sha256: str) -> None:
        """Log-out."""
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

    def has_entry(self, node_id: str, track_id: str, sha256: str) -> bool:
        """Whether a line of this hash is filed in the chain already."""
        ...


class Performer(Protocol):
    """Does what was decided and committed."""

    async def lasting(self, output: Lasting) -> None:
        """Hand a durable output on; returns when the next one in line is durable itself."""
        ...

    async def publish(self, output: PublishOrder | PublishAction, utc_ms: UtcMs) -> None:
        """Send to a robot; QoS 0, may be lost: the core sends it again."""
        ...


class Listener(Protocol):
    """Hears of each change after its commit."""

    def changed(self, before: SiteState, after: SiteState) -> None:
        """State went from ``before`` to ``after``; must not block."""
        ...
