"""Stores and reads the audit log and the break-glass requests."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from contracts.api.accounts import GlassState, GlassView
from contracts.api.audit import NO_LINE, AuditHead, AuditLine, line_hash
from contracts.units import UtcMs
from controller.store import schema

GLASSES_LOADED: Final = 200  # a site breaks the glass a few times a year


def end(connection: Connection) -> tuple[int, str]:
    """Number and hash of the last line."""
    table = schema.AUDIT
    query = select(table.c.seq, table.c.sha256).order_by(table.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return (0, NO_LINE) if row is None else (int(row.seq), str(row.sha256))


def add(connection: Connection, lines: Sequence[AuditLine], heads: Sequence[AuditHead]) -> None:
    """Append lines, and signed heads."""
    rows = []
    for line in lines:
        text = line.text()
        rows.append(
            {
                "seq": line.seq,
                "utc_ms": line.utc_ms,
                "by": line.by,
                "what": line.what,
                "subject": json.dumps(line.subject, ensure_ascii=False, sort_keys=True),
                "sha256": line_hash(text),
                "line": text,
            }
        )
    if rows:
        connection.execute(insert(schema.AUDIT), rows)
    for head in heads:
        connection.execute(
            insert(schema.AUDIT_HEAD), {"head": head.head, "line": head.model_dump_json()}
        )


def cut(connection: Connection, before_utc_ms: UtcMs) -> int:
    """Forget lines older than this, from the oldest end, never the last line; how many.

    By number, not by time: a clock that was set back must not tear a hole into the chain.
    """
    table = schema.AUDIT
    kept = connection.execute(
        select(func.min(table.c.seq)).where(table.c.utc_ms >= before_utc_ms)
    ).scalar()
    last, _ = end(connection)
    limit = last if kept is None else min(int(kept), last)
    gone = int(connection.execute(delete(table).where(table.c.seq < limit)).rowcount)
    if gone:
        heads = schema.AUDIT_HEAD
        connection.execute(delete(heads).where(heads.c.head < limit))
    return gone


def page(  # one argument for each thing to search by
    connection: Connection,
    *,
    before: int | None,
    limit: int,
    by: str = "",
    what: str = "",
    subject: str = "",
    since: UtcMs | None = None,
    until: UtcMs | None = None,
) -> tuple[AuditLine, ...]:
    """Lines with numbers below ``before``, newest first. ``what``, ``subject``: parts of them."""
    table = schema.AUDIT
    query = select(table.c.line).order_by(table.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.seq < before)
    if by:
        query = query.where(table.c.by == by)
    if what:
        query = query.where(table.c.what.contains(what, autoescape=True))
    if subject:
        query = query.where(table.c.subject.contains(subject, autoescape=True))
    if since is not None:
        query = query.where(table.c.utc_ms >= since)
    if until is not None:
        query = query.where(table.c.utc_ms <= until)
    return tuple(
        AuditLine.model_validate_json(text) for text in connection.execute(query).scalars()
    )


def lines_after(connection: Connection, after: int, limit: int) -> tuple[str, ...]:
    """Lines behind a number, oldest first, byte by byte as they were hashed."""
    table = schema.AUDIT
    query = select(table.c.line).where(table.c.seq > after).order_by(table.c.seq).limit(limit)
    return tuple(connection.execute(query).scalars())


def first(connection: Connection) -> int:
    """Number of the oldest line kept; 0 when there is none."""
    return int(connection.execute(select(func.min(schema.AUDIT.c.seq))).scalar() or 0)


def heads(connection: Connection, *, limit: int) -> tuple[AuditHead, ...]:
    """The newest signed heads first."""
    table = schema.AUDIT_HEAD
    query = select(table.c.line).order_by(table.c.head.desc()).limit(limit)
    return tuple(
        AuditHead.model_validate_json(text) for text in connection.execute(query).scalars()
    )


def put_glass(connection: Connection, glass: GlassView) -> None:
    """Add or replace a break-glass request."""
    table = schema.BREAK_GLASS
    values = {
        "id": glass.id,
        "asked_utc_ms": glass.asked_utc_ms,
        "ended": glass.state in {GlassState.REFUSED, GlassState.ENDED},
        "body": glass.model_dump_json(),
    }
    if connection.execute(update(table).where(table.c.id == glass.id), values).rowcount == 0:
        connection.execute(insert(table), values)


def glasses(connection: Connection) -> tuple[GlassView, ...]:
    """The newest requests, oldest of them first."""
    table = schema.BREAK_GLASS
    query = select(table.c.body).order_by(table.c.asked_utc_ms.desc()).limit(GLASSES_LOADED)
    rows = [GlassView.model_validate_json(body) for body in connection.execute(query).scalars()]
    return tuple(reversed(rows))
