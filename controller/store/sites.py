"""Stores and reads joint sessions, the logs between sites, and what sites hand over."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, tuple_

from controller.core.outputs import FiledOfSites, FileFeed, FileHeard, FileSiteRefused
from controller.core.sites import Document, HeardLine, JointSession, KnownSites, PeerLog
from controller.store.schema_sites import DOCUMENT, HEARD, JOINT, LOG, REFUSED, SENT

REFUSED_KEPT: Final = 1_000  # refused lines of all peers: a peer gone wrong must not fill the disk
ENDED_LOADED: Final = 50  # ended joint sessions that a start brings into memory for the console

_JOINT: Final = TypeAdapter(JointSession)
_LOG: Final = TypeAdapter(PeerLog)


def joint_row(joint: JointSession) -> dict[str, Any]:
    """A joint session as a row."""
    return {
        "id": joint.id,
        "made_utc_ms": joint.made_utc_ms,
        "ended": joint.ended,
        "body": _JOINT.dump_json(joint).decode(),
    }


def log_row(log: PeerLog) -> dict[str, Any]:
    """How far the logs with a peer are, as a row."""
    return {"site": log.site, "body": _LOG.dump_json(log).decode()}


def load(connection: Connection) -> KnownSites:
    """Open joint sessions, the newest ended ones, and where all logs stand."""
    order = JOINT.c.made_utc_ms
    ended = select(JOINT.c.body).where(JOINT.c.ended).order_by(order.desc()).limit(ENDED_LOADED)
    going = select(JOINT.c.body).where(~JOINT.c.ended).order_by(order)
    bodies = [
        *reversed(connection.execute(ended).scalars().all()),
        *connection.execute(going).scalars().all(),
    ]
    joints = [_JOINT.validate_json(body) for body in bodies]
    logs = [_LOG.validate_json(body) for body in connection.execute(select(LOG.c.body)).scalars()]
    return KnownSites({row.id: row for row in joints}, {row.site: row for row in logs})


def file(connection: Connection, rows: Iterable[FiledOfSites]) -> None:
    """Append to the logs, in order."""
    for row in rows:
        match row:
            case FileFeed():
                connection.execute(
                    insert(SENT),
                    {
                        "peer": row.peer,
                        "seq": row.seq,
                        "joint_id": row.joint_id,
                        "utc_ms": row.utc_ms,
                        "sha256": row.sha256,
                        "line": row.line,
                    },
                )
            case FileHeard():
                connection.execute(insert(HEARD), _heard_row(row))
            case FileSiteRefused():
                _file_refused(connection, row)


def _heard_row(row: FileHeard) -> dict[str, Any]:
    return {
        "peer": row.peer,
        "seq": row.seq,
        "joint_id": row.joint_id,
        "kind": row.event_kind,
        "subject": row.subject,
        "utc_ms": row.utc_ms,
        "here_utc_ms": row.utc_ms - row.offset_ms,
        "received_utc_ms": row.received_utc_ms,
        "sha256": row.sha256,
        "line": row.line,
    }


def _file_refused(connection: Connection, row: FileSiteRefused) -> None:
    values = {
        "peer": row.peer,
        "utc_ms": row.utc_ms,
        "reason_zh": row.reason.zh,
        "reason_en": row.reason.en,
        "sample": row.sample,
    }
    connection.execute(insert(REFUSED), values)
    highest = connection.execute(select(func.max(REFUSED.c.number))).scalar() or 0
    connection.execute(delete(REFUSED).where(REFUSED.c.number <= highest - REFUSED_KEPT))


def sent_lines(connection: Connection, peer: str, *, after: int, limit: int) -> tuple[str, ...]:
    """Our lines for a peer behind a number, oldest first."""
    query = (
        select(SENT.c.line)
        .where(SENT.c.peer == peer, SENT.c.seq > after)
        .order_by(SENT.c.seq)
        .limit(limit)
    )
    return tuple(connection.execute(query).scalars())


def heard_lines(
    connection: Connection, peer: str, *, after: int, limit: int
) -> tuple[HeardLine, ...]:
    """A peer's lines to us behind a number, oldest first."""
    query = (
        select(HEARD)
        .where(HEARD.c.peer == peer, HEARD.c.seq > after)
        .order_by(HEARD.c.seq)
        .limit(limit)
    )
    return tuple(_heard(row) for row in connection.execute(query).mappings())


def heard_of_joint(
    connection: Connection,
    joint_id: str,
    kind: str,
    *,
    after: tuple[int, str, int],
    limit: int,
) -> tuple[HeardLine, ...]:
    """Lines of a kind about a joint session behind (time here, peer, number), oldest first."""
    place = tuple_(HEARD.c.here_utc_ms, HEARD.c.peer, HEARD.c.seq)
    query = (
        select(HEARD)
        .where(HEARD.c.joint_id == joint_id, HEARD.c.kind == kind, place > after)
        .order_by(HEARD.c.here_utc_ms, HEARD.c.peer, HEARD.c.seq)
        .limit(limit)
    )
    return tuple(_heard(row) for row in connection.execute(query).mappings())


def newest_by_subject(
    connection: Connection, joint_id: str, kind: str, *, limit: int
) -> tuple[HeardLine, ...]:
    """The last line about each subject of a kind, newest first."""
    last = (
        select(HEARD.c.peer, func.max(HEARD.c.seq).label("seq"))
        .where(HEARD.c.joint_id == joint_id, HEARD.c.kind == kind)
        .group_by(HEARD.c.peer, HEARD.c.subject)
        .subquery()
    )
    query = (
        select(HEARD)
        .join(last, (HEARD.c.peer == last.c.peer) & (HEARD.c.seq == last.c.seq))
        .order_by(HEARD.c.here_utc_ms.desc(), HEARD.c.seq.desc())
        .limit(limit)
    )
    return tuple(_heard(row) for row in connection.execute(query).mappings())


def heard_count(connection: Connection, peer: str, joint_id: str) -> int:
    """How many lines of a peer are about a joint session."""
    query = select(func.count()).where(HEARD.c.peer == peer, HEARD.c.joint_id == joint_id)
    return int(connection.execute(query).scalar() or 0)


def _heard(row: RowMapping) -> HeardLine:
    return HeardLine(
        peer=row["peer"],
        seq=row["seq"],
        kind=row["kind"],
        subject=row["subject"],
        here_utc_ms=row["here_utc_ms"],
        received_utc_ms=row["received_utc_ms"],
        line=row["line"],
    )


def find_joint(connection: Connection, joint_id: str) -> JointSession | None:
    """One joint session."""
    body = connection.execute(select(JOINT.c.body).where(JOINT.c.id == joint_id)).scalar()
    return None if body is None else _JOINT.validate_json(body)


def put_document(connection: Connection, document: Document) -> None:
    """Keep a document; the same again changes nothing.

    Raises:
        ValueError: its hash is not that of its text.
    """
    if hashlib.sha256(document.body.encode()).hexdigest() != document.sha256:
        raise ValueError("the document's text has another hash")
    known = select(DOCUMENT.c.sha256).where(DOCUMENT.c.sha256 == document.sha256)
    if connection.execute(known).scalar() is None:
        values = {
            "sha256": document.sha256,
            "joint_id": document.joint_id,
            "site": document.site,
            "kind": document.kind,
            "utc_ms": document.utc_ms,
            "body": document.body,
        }
        connection.execute(insert(DOCUMENT), values)


def find_document(connection: Connection, sha256: str) -> Document | None:
    """A document by its hash."""
    row = connection.execute(select(DOCUMENT).where(DOCUMENT.c.sha256 == sha256)).one_or_none()
    if row is None:
        return None
    return Document(row.sha256, row.joint_id, row.site, row.kind, row.utc_ms, row.body)
