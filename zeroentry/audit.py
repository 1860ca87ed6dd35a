"""The command ``zeroentry audit verify``: finds the first altered or missing line, offline."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from contracts.api.audit import NO_LINE, AuditHead, AuditLine, line_hash

EXIT_WHOLE: Final = 0
EXIT_ALTERED: Final = 1
EXIT_CANNOT_TELL: Final = 2

app = typer.Typer(
    name="audit", help="The audit log: verify an export of it offline.", no_args_is_help=True
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found. ``fault`` names the first line that does not hold."""

    first: int = 0
    last: int = 0
    heads: int = 0
    signed_to: int = 0
    fault: str = ""
    doubt: str = ""


def judge(lines: Iterable[str], public_pem: bytes | None) -> Judged:  # a reason each
    """Follow the chain from the first line of an export to its last; check the signed heads."""
    first, last, prev = 0, 0, ""
    hashes: dict[int, str] = {}
    heads: list[AuditHead] = []
    for place, text in enumerate(lines, start=1):
        text = text.rstrip("\n")  # noqa: PLW2901  # the line without its end
        try:
            if text.startswith('{"head":'):
                heads.append(AuditHead.model_validate_json(text))
                continue
            line = AuditLine.model_validate_json(text)
        except (ValidationError, ValueError):
            return Judged(first, last, fault=f"file line {place} is no line of an audit log")
        if line.text() != text:
            return Judged(first, last, fault=f"line {line.seq} is not written as it was hashed")
        if first and line.seq != last + 1:
            return Judged(
                first, last, fault=f"after line {last} comes {line.seq}: lines are missing"
            )
        if first and line.prev != prev:
            return Judged(
                first, last, fault=f"line {last} was altered, or line {line.seq} was put in"
            )
        if line.seq == 1 and line.prev != NO_LINE:
            return Judged(first, last, fault="line 1 names a line before it")
        first, last, prev = first or line.seq, line.seq, line_hash(text)
        hashes[line.seq] = prev
    if not first:
        return Judged(doubt="there is no line in it")
    return _signed(Judged(first, last, heads=len(heads)), heads, hashes, public_pem)


def _signed(
    found: Judged, heads: list[AuditHead], hashes: dict[int, str], public_pem: bytes | None
) -> Judged:
    from runtime.signing import PublicKeys

    signed_to = 0
    keys = PublicKeys()
    known = keys.add_pem(public_pem) if public_pem is not None else None
    for head in heads:
        if head.head in hashes and hashes[head.head] != head.sha256:
            why = f"the signed head of line {head.head} names another hash: the chain was rewritten"
            return Judged(found.first, found.last, found.heads, signed_to, why)
        if known is None:
            continue
        signature = bytes.fromhex(head.signature)
        if head.key != known or not keys.verify(known, head.signed(), signature):
            why = f"the signature on the head of line {head.head} is not of this key"
            return Judged(found.first, found.last, found.heads, signed_to, why)
        signed_to = max(signed_to, head.head)
    doubt = ""
    if known is None:
        doubt = "without --controller-key no signature was checked"
    elif signed_to < found.last:
        doubt = f"whole to line {signed_to}; the tail behind it is not signed yet"
    return Judged(found.first, found.last, found.heads, signed_to, "", doubt)


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="An export as JSON lines.")],
    *,
    controller_key: Annotated[
        Path | None,
        typer.Option("--controller-key", help="Public key of the controller (PEM)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Judge an export. Exit 0: whole; 1: altered or missing; 2: cannot tell."""
    try:
        pem = controller_key.read_bytes() if controller_key is not None else None
        with file.open(encoding="utf-8") as lines:
            found = judge(lines, pem)
    except (OSError, ValueError) as error:
        typer.echo(f"cannot read: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT_TELL) from None
    code = EXIT_ALTERED if found.fault else EXIT_CANNOT_TELL if found.doubt else EXIT_WHOLE
    if as_json:
        typer.echo(
            json.dumps({
                "first": found.first, "last": found.last, "heads": found.heads,
                "signed_to": found.signed_to, "fault": found.fault, "doubt": found.doubt,
            })
        )  # fmt: skip
    else:
        typer.echo(f"lines {found.first} to {found.last}, {found.heads} signed heads")
        typer.echo(found.fault or found.doubt or "whole, in order, unaltered")
    raise typer.Exit(code)
