"""Routes of evidence: heads, roots, chains and keys, for whoever wants to check them himself."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.api import BASE, PAGE_MAX, Sentence
from contracts.evidence import merkle
from contracts.evidence.answers import (
    ChainPage,
    ConfirmKeyBody,
    EvidenceHeads,
    InclusionProof,
    NodeKeyView,
    RootPage,
)
from contracts.observations import EntryAppended
from contracts.units import ID_PATTERN
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.problems import ProblemError, not_found, problem_of
from controller.auth.scopes import Scope
from controller.core import evidence_views as views
from controller.core.ledger import REFUSED_KEPT_MAX, Chain, chain_id, heads_in_order
from controller.core.outputs import FileRoot, Refused
from controller.core.state import EntryCame, KeyConfirmed
from controller.ports import Given
from runtime.signing import public_pem

router = APIRouter(prefix=f"{BASE}/evidence", tags=["evidence"])

ROOTS_AT_ONCE: Final = 1_000  # of one read; fifteen years have 131,000
JSON_LINES: Final = "application/jsonl"

NodePath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an edge node.")]
TrackPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a camera or pickup.")]


@router.get("/heads", dependencies=[Depends(Needs(Scope.EVIDENCE))])
async def get_heads(context: ContextNeeded) -> EvidenceHeads:
    """The newest sound entry of every chain, countersigned, and the keys of the nodes."""
    ledger = context.state().ledger
    return EvidenceHeads(
        site=ledger.notary.site,
        key=ledger.notary.key,
        heads=tuple(views.head_view(chain) for chain in heads_in_order(ledger)),
        nodes=tuple(
            views.node_key_view(row, public_pem(row.current.raw)) for row in ledger.keys.values()
        ),
    )


@router.get(
    "/heads.jsonl",
    response_class=Response,
    responses={200: {"content": {JSON_LINES: {}}}},
    dependencies=[Depends(Needs(Scope.EVIDENCE))],
)
async def get_head_lines(context: ContextNeeded) -> Response:
    """The signed lines alone, for `zeroentry evidence verify --heads`: heads, then all roots."""
    lines = [chain.witness for chain in heads_in_order(context.state().ledger)]
    before: int | None = None
    roots: list[str] = []
    while found := await asyncio.to_thread(_roots, context, before):
        roots += [row.line for row in found]
        before = found[-1].number
    content = "".join(f"{line}\n" for line in (*lines, *reversed(roots)))
    return Response(content, media_type=JSON_LINES, headers={"Cache-Control": "no-store"})


def _roots(context: Context, before: int | None) -> tuple[FileRoot, ...]:
    return context.reader.roots(before=before, limit=ROOTS_AT_ONCE)


@router.get(
    "/key",
    response_class=Response,
    responses={200: {"content": {"application/x-pem-file": {}}}},
    dependencies=[Depends(Needs(Scope.EVIDENCE))],
)
async def get_key(context: ContextNeeded) -> Response:
    """The controller's own public key, as PEM."""
    return Response(context.evidence_key_pem, media_type="application/x-pem-file")


@router.get("/roots", dependencies=[Depends(Needs(Scope.EVIDENCE))])
async def get_roots(
    context: ContextNeeded,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
) -> RootPage:
    """The hourly Merkle roots, newest first."""
    rows = await asyncio.to_thread(lambda: context.reader.roots(before=before, limit=limit))
    more = rows[-1].number if len(rows) == limit and rows[-1].number > 1 else None
    return RootPage(items=tuple(views.root_view(row) for row in rows), next_before=more)


@router.get("/roots/{number}/proof", dependencies=[Depends(Needs(Scope.EVIDENCE))])
async def get_proof(
    number: Annotated[int, Path(ge=1)],
    context: ContextNeeded,
    node: Annotated[str, Query(pattern=ID_PATTERN)],
    track: Annotated[str, Query(pattern=ID_PATTERN)],
) -> InclusionProof:
    """Shows that the head of a chain lies under an hourly root."""
    root = await asyncio.to_thread(context.reader.find_root, number)
    if root is None:
        raise not_found("root", str(number))
    places = [place for place, leaf in enumerate(root.leaves) if leaf[:2] == (node, track)]
    if not places:
        raise not_found("chain under this root", f"{node}/{track}")
    index = places[0]
    leaves = await asyncio.to_thread(context.reader.witnesses, root.leaves)
    path = merkle.inclusion_proof([leaf.encode() for leaf in leaves], index)
    return InclusionProof(
        number=number,
        root=root.root,
        index=index,
        size=len(leaves),
        leaf=leaves[index],
        path=tuple(sibling.hex() for sibling in path),
    )


@router.get("/chains/{node_id}/{track_id}")
async def get_chain(  # noqa: PLR0917  # what FastAPI fills in
    node_id: NodePath,
    track_id: TrackPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.EVIDENCE))],
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    life: Annotated[int | None, Query(ge=1)] = None,
) -> ChainPage:
    """The entries of a chain as they were announced, and the lines it refused."""
    chain = _chain(context, node_id, track_id)
    if not caller.sees_room(chain.room_id):
        raise not_found("chain", f"{node_id}/{track_id}")
    wanted = life or chain.life
    rows = await asyncio.to_thread(
        lambda: context.reader.entries(node_id, track_id, life=wanted, after=after, limit=limit)
    )
    refused = await asyncio.to_thread(
        lambda: context.reader.refused_lines(node_id, track_id, limit=limit)
    )
    return ChainPage(
        items=tuple(views.entry_view(row) for row in rows),
        refused=tuple(views.refused_view(row) for row in refused),
        next_after=rows[-1].sequence if len(rows) == limit else None,
    )


def _chain(context: Context, node_id: str, track_id: str) -> Chain:
    chain = context.state().ledger.chains.get(chain_id(node_id, track_id))
    if chain is None:
        raise not_found("chain", f"{node_id}/{track_id}")
    return chain


@router.post("/nodes/{node_id}/confirm-key")
async def confirm_key(
    node_id: NodePath,
    body: ConfirmKeyBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.EVIDENCE_KEYS))],
) -> NodeKeyView:
    """Stand for the key of a node after comparing it with what the node itself shows.

    Confirming a claimed key revokes the one before it; lines of it that were refused until now are
    judged again. See docs/guide/keys.md.
    """
    answer = await context.intake.ask(KeyConfirmed(node_id, body.key, caller.user.username))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    again = await asyncio.to_thread(_refused_of, context, node_id, body.key)
    if again:
        await context.intake.take([Given(EntryCame(said)) for said in again])
    known = context.state().ledger.keys.get(node_id)
    if known is None:
        text = Sentence(zh="密钥已更换，请重新查看。", en="The key has changed; look again.")
        raise ProblemError(HTTPStatus.CONFLICT, text)
    return views.node_key_view(known, public_pem(known.current.raw))


def _refused_of(context: Context, node_id: str, key: str) -> list[EntryAppended]:
    """The refused lines of a node that this key is named in, each chain's in its order. Blocks."""
    rows = [
        row
        for chain in context.state().ledger.chains.values()
        if chain.node_id == node_id and chain.state is None
        for row in context.reader.refused_lines(node_id, chain.track_id, limit=REFUSED_KEPT_MAX)
        if row.sequence is not None and f'"key":"{key}"' in row.line
    ]
    rows.sort(key=lambda row: (row.track_id, row.sequence or 0))
    return [
        EntryAppended(room_id=row.room_id, node_id=node_id, track_id=row.track_id, line=row.line)
        for row in rows
    ]
