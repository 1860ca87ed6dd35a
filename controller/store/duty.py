"""Stores the roster, hand-overs; finds alerts by what people ask for."""

from pydantic import TypeAdapter
from sqlalchemy import Connection, Select, func, insert, select

from contracts.api import Handling
from contracts.api.duty import EscalationSettings, EscalationView, Handover, RosterBody, RosterView
from contracts.units import UtcMs
from controller.core.alert_filter import AlertFilter
from controller.core.alerts import AlertRecord
from controller.store import schema
from controller.store.database import Database
from controller.store.schema_duty import DUTY_ROSTER, ESCALATION, HANDOVER

_ALERT: TypeAdapter[AlertRecord] = TypeAdapter(AlertRecord)
_OPEN = (Handling.NEW, Handling.ACKNOWLEDGED, Handling.ASSIGNED, Handling.HANDLING)


class DutyStore:
    """The roster and what belongs to it. Methods block and raise ``StoreLost``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def roster(self) -> RosterView:
        """The roster as it is; empty with revision 0 before anybody wrote one."""
        query = select(DUTY_ROSTER).order_by(DUTY_ROSTER.c.revision.desc()).limit(1)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return RosterView(revision=0, roster=RosterBody())
        return RosterView(
            revision=row.revision,
            roster=RosterBody.model_validate_json(row.body),
            changed_by=row.changed_by,
            changed_utc_ms=row.changed_utc_ms,
        )

    def put_roster(
        self, body: RosterBody, *, expected: int, by: str, utc_ms: UtcMs
    ) -> RosterView | None:
        """Store the next revision; None when ``expected`` is not the newest any more."""
        highest = select(func.max(DUTY_ROSTER.c.revision))
        row = {
            "revision": expected + 1,
            "body": body.model_dump_json(),
            "changed_by": by,
            "changed_utc_ms": utc_ms,
        }

        def work(connection: Connection) -> bool:
            if int(connection.execute(highest).scalar() or 0) != expected:
                return False
            connection.execute(insert(DUTY_ROSTER), row)
            return True

        if not self._database.write(work):
            return None
        return RosterView(revision=expected + 1, roster=body, changed_by=by, changed_utc_ms=utc_ms)

    def escalation(self, of_file: EscalationSettings) -> EscalationView:
        """The rules of escalation as people last set them; ``of_file`` before anybody did."""
        query = select(ESCALATION).order_by(ESCALATION.c.revision.desc()).limit(1)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return EscalationView(revision=0, rules=of_file)
        return EscalationView(
            revision=row.revision,
            rules=EscalationSettings.model_validate_json(row.body),
            changed_by=row.changed_by,
            changed_utc_ms=row.changed_utc_ms,
        )

    def put_escalation(
        self, rules: EscalationSettings, *, expected: int, by: str, utc_ms: UtcMs
    ) -> EscalationView | None:
        """Store the next revision; None when ``expected`` is not the newest any more."""
        highest = select(func.max(ESCALATION.c.revision))
        row = {
            "revision": expected + 1,
            "body": rules.model_dump_json(),
            "changed_by": by,
            "changed_utc_ms": utc_ms,
        }

        def work(connection: Connection) -> bool:
            if int(connection.execute(highest).scalar() or 0) != expected:
                return False
            connection.execute(insert(ESCALATION), row)
            return True

        if not self._database.write(work):
            return None
        return EscalationView(
            revision=expected + 1, rules=rules, changed_by=by, changed_utc_ms=utc_ms
        )

    def add_handover(
        self, *, by: str, to: str, text: str, open_alerts: int, utc_ms: UtcMs
    ) -> Handover:
        """Note that a shift gave over."""
        values = {"by": by, "to": to, "text": text, "open_alerts": open_alerts, "utc_ms": utc_ms}
        query = insert(HANDOVER).returning(HANDOVER.c.number)
        number = self._database.write(lambda one: int(one.execute(query, values).scalar_one()))
        return Handover(
            number=number, utc_ms=utc_ms, by=by, to=to, text=text, open_alerts=open_alerts
        )

    def handovers(self, *, before: int | None, limit: int) -> tuple[Handover, ...]:
        """The newest first."""
        query = select(HANDOVER).order_by(HANDOVER.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(HANDOVER.c.number < before)
        rows = self._database.read(lambda one: one.execute(query).mappings().all())
        return tuple(Handover.model_validate(dict(row)) for row in rows)

    def find_alerts(
        self, wanted: AlertFilter, *, before: int | None, limit: int
    ) -> tuple[AlertRecord, ...]:
        """Up to ``limit`` alerts that fit, with numbers below ``before``, newest first."""
        table = schema.ALERT
        query = select(table.c.body).order_by(table.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.number < before)
        asked = _filtered(query, wanted)
        bodies = self._database.read(lambda one: [row.body for row in one.execute(asked)])
        return tuple(_ALERT.validate_json(body) for body in bodies)


def _filtered(query: Select[tuple[str]], wanted: AlertFilter) -> Select[tuple[str]]:
    columns = schema.ALERT.c
    equal = {
        "shadow": wanted.shadow,
        "disposition": wanted.disposition and wanted.disposition.value,
        "rule": wanted.rule,
        "room_id": wanted.room_id,
        "session_id": wanted.session_id,
        "owner": wanted.owner,
    }
    for name, value in equal.items():
        if value is not None:
            query = query.where(columns[name] == value)
    if wanted.handling:
        query = query.where(columns.handling.in_([one.value for one in wanted.handling]))
    if wanted.open_only:
        query = query.where(columns.handling.in_([one.value for one in _OPEN]))
    if wanted.severity:
        query = query.where(columns.severity.in_([one.value for one in wanted.severity]))
    if wanted.rooms is not None:
        query = query.where(columns.room_id.in_(wanted.rooms))
    if wanted.since_utc_ms is not None:
        query = query.where(columns.raised_utc_ms >= wanted.since_utc_ms)
    if wanted.until_utc_ms is not None:
        query = query.where(columns.raised_utc_ms < wanted.until_utc_ms)
    return query
