"""Holds what the routes work with, and who is asking: one object, built in ``__main__``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts.api import BASE, AlertView, Sentence, User
from contracts.api.accounts import MUST, Must
from contracts.api.record import RecordLine
from contracts.units import NodeId, RoomId, UtcMs
from controller.api.duty_desk import DutyDesk
from controller.api.finding import Finding
from controller.api.http_rules import Once
from controller.api.hub import EventHub
from controller.api.problems import ProblemError, forbidden
from controller.auth.accounts import Accounts
from controller.auth.names import Names
from controller.auth.pins import PinSource
from controller.auth.scopes import Scope
from controller.auth.security import Security
from controller.core import escalation, views
from controller.core.alerts import AlertRecord, RuleTally
from controller.core.deliveries import Delivery
from controller.core.outputs import FileEntry, FileRefused, FileRoot
from controller.core.outside import OutsideAct
from controller.core.sessions import HOLDS_ROOM, Session
from controller.core.state import SiteState
from controller.ports import ALL_SESSIONS, Intake, SessionFilter, Token, TokenKind
from controller.reports.office import ReportOffice
from controller.sites.desk import SiteDesk
from runtime.clock import Clock
from runtime.metrics import Metrics
from runtime.tokens import issue_ticket

TICKET_SCOPE: Final = "picture"  # the edge nodes' name for it, and ours
TICKET_TTL_MS: Final = 5 * 60_000  # a page is looked at for minutes; it asks again before the end


class Reader(Protocol):
    """What routes read of the store beyond what is in memory. Methods block."""

    def find_alert(self, alert_id: str) -> AlertRecord | None: ...

    def find_session(self, session_id: str) -> Session | None: ...

    def find_delivery(self, delivery_id: str) -> Delivery | None: ...

    def find_act(self, act_id: str) -> OutsideAct | None: ...

    def meals(self, *, since: UtcMs, until: UtcMs, limit: int) -> tuple[Delivery, ...]: ...

    def find_delivery_by_key(self, key: str) -> Delivery | None: ...

    def alerts(
        self,
        *,
        before: int | None,
        limit: int,
        session_id: str | None = None,
        shadow: bool | None = None,
    ) -> tuple[AlertRecord, ...]: ...

    def rule_tally(self) -> tuple[RuleTally, ...]: ...

    def session_record(
        self, session_id: str, *, after: int = 0, limit: int
    ) -> tuple[RecordLine, ...]: ...

    def room_record(
        self, room_id: str, *, since: UtcMs, until: UtcMs, limit: int
    ) -> tuple[RecordLine, ...]: ...

    def room_alerts(
        self, room_id: str, *, since_utc_ms: UtcMs, until_utc_ms: UtcMs, limit: int
    ) -> tuple[AlertRecord, ...]: ...

    def sessions(
        self, *, limit: int, wanted: SessionFilter = ALL_SESSIONS
    ) -> tuple[Session, ...]: ...

    def find_session_by_key(self, key: str) -> Session | None: ...

    def entries(
        self, node_id: str, track_id: str, *, life: int, after: int, limit: int
    ) -> tuple[FileEntry, ...]: ...

    def refused_lines(
        self, node_id: str, track_id: str, *, limit: int
    ) -> tuple[FileRefused, ...]: ...

    def stretches(
        self, node_id: str, track_id: str, *, since: UtcMs, until: UtcMs
    ) -> tuple[FileEntry, ...]: ...

    def session_entries(self, session_id: str) -> tuple[FileEntry, ...]: ...

    def roots(self, *, before: int | None, limit: int) -> tuple[FileRoot, ...]: ...

    def find_root(self, number: int) -> FileRoot | None: ...

    def witnesses(self, leaves: Sequence[tuple[str, str, int, int]]) -> tuple[str, ...]: ...

    def deliveries(
        self, *, limit: int, room_id: str | None = None, session_id: str | None = None
    ) -> tuple[Delivery, ...]: ...


class Pictures(Protocol):
    """The controller's own pictures by SHA-256. Blocks."""

    def read(self, sha256: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that the routes need. ``base_url`` begins the picture addresses browsers get."""

    intake: Intake
    state: Callable[[], SiteState]
    queue: Callable[[], int]
    reader: Reader
    finding: Finding
    pictures: Pictures
    names: Names
    accounts: Accounts
    security: Security
    pins: PinSource
    hub: EventHub
    duty: DutyDesk
    reports: ReportOffice
    sites: SiteDesk
    clock: Clock
    metrics: Metrics
    node_keys: Mapping[NodeId, bytes]
    evidence_key_pem: bytes
    ticket_key: bytes
    base_url: str
    version: str
    demo: bool
    broker_connected: Callable[[], bool]
    new_id: Callable[[], str]
    started_mono_ms: int

    @property
    def once(self) -> Once:
        """Answers a request again that comes again with its ``Idempotency-Key``."""
        return self.finding.once

    def alert_view(self, record: AlertRecord, user: User) -> AlertView:
        """An alert with a picture address that is good for this user for some minutes."""
        due = escalation.due_utc_ms(record, self.state().plan.escalation)
        if not record.picture_stored:
            return views.alert_view(record, due_utc_ms=due)
        path = f"{BASE}/alerts/{record.id}/picture.jpg"
        ticket = issue_ticket(
            self.ticket_key,
            user.username,
            TICKET_SCOPE,
            path,
            self.clock.utc_ms(),
            TICKET_TTL_MS,
        )
        return views.alert_view(record, f"{self.base_url}{path}?ticket={ticket}", due)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, with what right."""

    user: User
    scopes: frozenset[Scope]
    token: str
    login: Token | None = None
    """The record of its token."""

    def sees_room(self, room_id: RoomId) -> bool:
        """Whether the account's grants reach this room."""
        rooms = self.user.grants.rooms
        return rooms is None or room_id in rooms

    def sees_session(self, session: Session) -> bool:
        """Whether the account's grants reach this session: one of its rooms, and its sector."""
        sectors = self.user.grants.sectors
        seen = any(self.sees_room(room) for room in session.rooms)
        return seen and (sectors is None or session.sector in sectors)

    def sees_room_now(self, context: Context, room_id: RoomId) -> bool:
        """Whether the grants reach this room and the session that holds it, if one does."""
        held = views.held_by(context.state(), room_id)
        foreign = held is not None and held.state in HOLDS_ROOM and not self.sees_session(held)
        return self.sees_room(room_id) and not foreign

    def sees_alert(self, context: Context, record: AlertRecord) -> bool:
        """Whether the grants reach an alert: its room, and its session's sector if it has one."""
        if not self.sees_room(record.alert.room_id):
            return False
        sectors, session_id = self.user.grants.sectors, record.alert.session_id
        if sectors is None or session_id is None:
            return True
        session = context.state().sessions.get(session_id)
        session = session or context.reader.find_session(session_id)
        return session is not None and session.sector in sectors

    def needs_picture(self) -> None:
        """Refuse an account without the right to pictures.

        Raises:
            ProblemError: 403.
        """
        if not self.user.grants.picture:
            raise forbidden()

    def needs_sound(self) -> None:
        """Refuse an account without the right to sound.

        Raises:
            ProblemError: 403.
        """
        if not self.user.grants.sound:
            raise forbidden()

    def room_only(self, wide: Scope) -> RoomId | None:
        """The room that this caller is bound to; None when ``wide`` lets it see all.

        Raises:
            ProblemError: 403, it is bound to a room and has none.
        """
        if wide in self.scopes:
            return None
        if self.user.room_id is None:
            raise forbidden()
        return self.user.room_id

    def check_room(self, wide: Scope, room_id: RoomId) -> None:
        """Refuse a caller that is bound to another room.

        Raises:
            ProblemError: 403.
        """
        if self.room_only(wide) not in (None, room_id):
            raise forbidden()


bearer = HTTPBearer(auto_error=False, description="The token that log-in gives.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def context_of(request: Request) -> Context:
    """The context that the application was built with."""
    context: Context = request.app.state.context
    return context


ContextNeeded = Annotated[Context, Depends(context_of)]


def caller_of(context: Context, token: str | None, scopes: frozenset[Scope]) -> Caller:
    """Who this token belongs to, if it gives one of ``scopes``. Blocks for a database read.

    Raises:
        ProblemError: 401 without a good token, 403 without the scope.
    """
    known = context.accounts.known(token) if token else None
    if known is None or token is None:
        text = Sentence(
            zh="请先登录，并在请求头中带上 Authorization: Bearer 令牌。",
            en="Log in first and send the header Authorization: Bearer TOKEN.",
        )
        raise ProblemError(401, text)
    if not known.scopes & scopes:
        raise _must(known.user.must[0]) if known.user.must else forbidden()
    return Caller(known.user, known.scopes, token, known.token)


_MUST: Final = {
    Must.CHANGE_PASSWORD: Sentence(
        zh="请先修改密码，之后才能使用其他功能。",
        en="Change your password first; nothing else is open before that.",
    ),
    Must.ENROL_SECOND_FACTOR: Sentence(
        zh="请先启用第二因素（动态口令），之后才能使用其他功能。",
        en="Enrol your second factor first; nothing else is open before that.",
    ),
}


def _must(duty: Must) -> ProblemError:
    return ProblemError(403, _MUST[duty], kind=MUST)


def person_of(caller: Caller) -> Caller:
    """Who asks, if a person has logged in: a program's token changes no account.

    Raises:
        ProblemError: 403.
    """
    if caller.login is not None and caller.login.kind is not TokenKind.LOGIN:
        raise forbidden()
    return caller


class Needs:
    """Dependency: a token with one of these scopes. FastAPI runs it in a thread."""

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = frozenset(scopes)

    def __call__(self, request: Request, context: ContextNeeded, sent: Bearer) -> Caller:
        token = sent.credentials if sent else None
        try:
            caller = caller_of(context, token, self.scopes)
        except ProblemError:
            known = context.accounts.known(token, use=False) if token else None
            request.state.audit_by = known.user.username if known else ""
            raise
        request.state.audit_by = caller.user.username
        return caller
