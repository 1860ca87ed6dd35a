"""Routes of other sites in a remote evaluation: for people here, and for peers' controllers."""

import asyncio
import base64
import hashlib
from http import HTTPStatus
from typing import Annotated, Final, Literal

import structlog
from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.api import BASE, PAGE_MAX, Sentence
from contracts.api.sites import (
    FEED_LINES_MAX,
    FEED_WAIT_MAX_MS,
    FeedPage,
    GuestAlert,
    HandoverList,
    JointActBody,
    JointBody,
    JointPart,
    JointRecordPage,
    JointReport,
    JointVerb,
    JointView,
    PeerTrustBody,
    Receipt,
    ReceiptBody,
    SignedText,
    SitesView,
)
from contracts.units import ID_PATTERN, SiteId, UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import IdempotencyKey, problem_responses
from controller.api.problems import ProblemError, forbidden, not_found, problem_of
from controller.api.site_record import alerts_of, merged, merged_all
from controller.auth.scopes import Scope
from controller.core import site_views
from controller.core.outputs import Refused
from controller.core.site_feed import own_site
from controller.core.sites import (
    Document,
    HandoverOffered,
    JointActed,
    JointMade,
    JointSession,
    Part,
    PeerTrusted,
    ReceiptMade,
    part_state,
)
from controller.core.state import Now
from controller.reports.documents import DocumentError
from controller.reports.joint_pdf import joint_pdf
from controller.sites.desk import DocumentFault, hashes_of
from runtime.signing import KeyFileError, PublicKeys, public_raw

log = structlog.get_logger(__name__)

router = APIRouter(prefix=f"{BASE}/sites", tags=["sites"])

JointPath = Annotated[str, Path(pattern=r"^j-[0-9a-f]{16}$", description="Id of a joint session.")]
SitePath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a site.")]
Sha256Path = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of a document.")]
LangQuery = Annotated[Literal["zh-CN", "en"], Query(description="Language of the document.")]
Watcher = Annotated[Caller, Depends(Needs(Scope.SITES))]
Linked = Annotated[Caller, Depends(Needs(Scope.SITES_FEED))]
ALERTS_MAX: Final = 500  # of a joint session on one page: a session has a handful
JSONL: Final = "application/jsonl"


def _acts(caller: Caller) -> None:
    if Scope.SESSIONS_ACT not in caller.scopes:
        raise forbidden()


def _now(context: Context) -> Now:
    return Now(context.clock.mono_ms(), context.clock.utc_ms())


def _sees(context: Context, caller: Caller, joint: JointSession) -> bool:
    """Grants reach a joint session by its sector, and by our rooms in it once there are some."""
    sectors = caller.user.grants.sectors
    if sectors is not None and joint.sector not in sectors:
        return False
    own = joint.parts.get(own_site(context.state()))
    rows = [context.state().sessions.get(key) for key in (own.bound if own else ())]
    known = [row for row in rows if row is not None]
    return not known or any(caller.sees_session(row) for row in known)


async def _joint(context: Context, caller: Caller, joint_id: str) -> JointSession:
    joint = context.state().remote.joints.get(joint_id)
    if joint is None:
        joint = await asyncio.to_thread(context.sites.store.joint, joint_id)
    if joint is None or not _sees(context, caller, joint):
        raise not_found("joint session", joint_id)
    return joint


def _view(context: Context, joint: JointSession) -> JointView:
    return site_views.joint_view(context.state(), joint, _now(context))


@router.get("")
async def get_sites(context: ContextNeeded, caller: Watcher) -> SitesView:
    """This site, its peers with their links, and the joint sessions that are not long over."""
    joints = [row for row in context.state().remote.joints.values() if _sees(context, caller, row)]
    rows = sorted(joints, key=lambda row: -row.made_utc_ms)
    pem = context.evidence_key_pem.decode()
    shown = tuple(_view(context, row) for row in rows[:PAGE_MAX])
    return site_views.sites_view(context.state(), pem, shown, _now(context))


@router.get("/sessions")
async def get_joints(context: ContextNeeded, caller: Watcher) -> tuple[JointView, ...]:
    """Joint sessions that are not long over, newest first."""
    return (await get_sites(context, caller)).joints


@router.post("/sessions", status_code=201, responses=problem_responses(404, 409))
async def make_joint(
    body: JointBody, context: ContextNeeded, caller: Watcher, idempotency_key: IdempotencyKey = None
) -> JointView:
    """Make a joint session of our own sessions, as host, and invite its guests."""
    _acts(caller)
    who = caller.user.username

    async def make() -> JointView:
        seed = f"{who}|{idempotency_key}" if idempotency_key else context.new_id()
        joint_id = f"j-{hashlib.sha256(seed.encode()).hexdigest()[:16]}"
        for key in body.sessions:
            session = context.state().sessions.get(key)
            if session is not None and not caller.sees_session(session):
                raise not_found("session", key)
        await _ask(context, JointMade(joint_id, body, who))
        return _view(context, await _joint(context, caller, joint_id))

    return await context.once(who, idempotency_key, "POST /sites/sessions", body, JointView, make)


async def _ask(
    context: Context, given: JointMade | JointActed | HandoverOffered | ReceiptMade | PeerTrusted
) -> None:
    answer = await context.intake.ask(given)
    if isinstance(answer, Refused):
        raise problem_of(answer)


@router.get("/sessions/{joint_id}", responses=problem_responses(404))
async def get_joint(joint_id: JointPath, context: ContextNeeded, caller: Watcher) -> JointView:
    """One joint session."""
    return _view(context, await _joint(context, caller, joint_id))


@router.get("/sessions/{joint_id}/alerts", responses=problem_responses(404))
async def get_guest_alerts(
    joint_id: JointPath, context: ContextNeeded, caller: Watcher
) -> tuple[GuestAlert, ...]:
    """Alerts in the guests' rooms, newest first: to read; they are handled there."""
    joint = await _joint(context, caller, joint_id)
    return await asyncio.to_thread(alerts_of, context, joint, ALERTS_MAX)


@router.get("/sessions/{joint_id}/record", responses=problem_responses(404))
async def get_merged_record(
    joint_id: JointPath,
    context: ContextNeeded,
    caller: Watcher,
    after: Annotated[
        str, Query(max_length=120, pattern=r"^(\d{1,15}/[a-z0-9-]{1,40}/\d{1,15})?$")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
) -> JointRecordPage:
    """The record of all sites, merged by time of this site's clock; oldest first."""
    joint = await _joint(context, caller, joint_id)
    return await asyncio.to_thread(merged, context, joint, after, limit)


@router.get("/sessions/{joint_id}/report", responses=problem_responses(404, 409))
async def get_joint_report(
    joint_id: JointPath, context: ContextNeeded, caller: Watcher
) -> JointReport:
    """The merged report: a part for each site, each stated and signed by its own controller."""
    return await _merged_report(context, caller, joint_id)


@router.get(
    "/sessions/{joint_id}/report.pdf",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}},
        **problem_responses(404, 409, 503),
    },
)
async def get_joint_pdf(
    joint_id: JointPath, context: ContextNeeded, caller: Watcher, lang: LangQuery = "zh-CN"
) -> Response:
    """The merged report as PDF: it says of each part who signed it, and signs nothing itself."""
    report = await _merged_report(context, caller, joint_id)
    zone = context.state().plan.site.config.time_zone
    try:
        content = await asyncio.to_thread(joint_pdf, report, lang, zone)
    except DocumentError as error:
        log.error("joint_report_not_set", error=str(error))
        text = Sentence(
            zh="PDF 无法排版；请联系运维查看控制器日志（joint_report_not_set）。",
            en="The PDF cannot be set: operations find why in the log (joint_report_not_set).",
        )
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, text) from None
    name = f"{joint_id}.{lang[:2]}.pdf"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


async def _merged_report(context: Context, caller: Caller, joint_id: str) -> JointReport:
    if Scope.REPORTS not in caller.scopes:
        raise forbidden()
    joint = await _joint(context, caller, joint_id)
    parts = [await _part(context, caller, joint, row) for row in joint.parts.values()]
    record = await asyncio.to_thread(merged_all, context, joint)
    return JointReport(
        joint=_view(context, joint),
        made_utc_ms=context.clock.utc_ms(),
        parts=tuple(parts),
        record=record,
    )


async def _part(context: Context, caller: Caller, joint: JointSession, part: Part) -> JointPart:
    state, desk = context.state(), context.sites
    own = own_site(state)
    view = site_views.part_view(state, joint, part, _now(context))
    statement = receipt = None
    live = state.remote.live.get(part.site)
    if part.site == own and part.host:
        text, sha256 = await _package(context, joint, part, own, caller.user.username)
        statement = SignedText(sha256=sha256, key=state.ledger.notary.key, text=text)
    else:
        by_guest = state.remote.plan.peers.get(part.site)
        key = state.ledger.notary.key if part.site == own else by_guest.key if by_guest else None
        statement = await _document(context, part.handover.list_sha256, key)
        receipt = await _document(context, part.handover.receipt_sha256, None)
    alerts = await asyncio.to_thread(alerts_of, context, joint, ALERTS_MAX)
    return JointPart(
        site=part.site,
        name=view.name,
        own=view.own,
        state=part_state(part) if part.site == own else view.state,
        sessions=view.sessions,
        clock_offset_ms=live.offset_ms if live else None,
        statement=statement,
        receipt=receipt,
        lines=await asyncio.to_thread(desk.store.count, part.site, joint.id),
        alerts=tuple(row for row in alerts if row.site == part.site),
    )


async def _document(context: Context, sha256: str | None, key: str | None) -> SignedText | None:
    found = await asyncio.to_thread(context.sites.store.find, sha256) if sha256 else None
    if found is None:
        return None
    signer = key or str(_member(found.body, "key"))
    return SignedText(sha256=found.sha256, key=signer, text=found.body)


def _member(body: str, name: str) -> object:
    model = Receipt if '"list_sha256"' in body[:300] else HandoverList
    document = body[: body.rindex(',"signature":"')] + "}"
    return getattr(model.model_validate_json(document), name)


@router.post("/sessions/{joint_id}/handover", responses=problem_responses(404, 409))
async def hand_over(joint_id: JointPath, context: ContextNeeded, caller: Watcher) -> JointView:
    """Guest: make and sign the list of all evidence of our sessions, and tell the host."""
    _acts(caller)
    if Scope.EVIDENCE not in caller.scopes:
        raise forbidden()
    joint = await _joint(context, caller, joint_id)
    part = joint.parts.get(own_site(context.state()))
    if part is None or part.host or part_state(part).value != "released":
        text = Sentence(
            zh="只有已解封的副场可以移交证据。",
            en="A guest hands its evidence over, when its sessions are released.",
        )
        raise ProblemError(409, text)
    who = caller.user.username
    text_, sha256 = await _package(context, joint, part, joint.host, who)
    listed = _listed(text_)
    utc_ms = context.clock.utc_ms()
    document = Document(sha256, joint.id, part.site, "handover", utc_ms, text_)
    await asyncio.to_thread(context.sites.store.put, document)
    media = sum(row.bytes for row in listed.files)
    items = len(hashes_of(listed))
    given = HandoverOffered(joint.id, sha256, len(text_.encode()), items, media, who)
    await _ask(context, given)
    return _view(context, await _joint(context, caller, joint_id))


def _listed(text: str) -> HandoverList:
    return HandoverList.model_validate_json(text[: text.rindex(',"signature":"')] + "}")


async def _package(
    context: Context, joint: JointSession, part: Part, to: SiteId, by: str
) -> tuple[str, str]:
    """The signed list of our sessions of a joint one, and its hash."""
    rows = []
    for key in part.bound:
        session = context.state().sessions.get(key)
        if session is None:
            session = await asyncio.to_thread(context.reader.find_session, key)
        if session is not None:
            gathered = await asyncio.to_thread(context.reports.desk.draft, session)
            rows.append((session, gathered.report))
    desk = context.sites
    try:
        listed = await asyncio.to_thread(desk.package, joint, rows, to, by)
        return await asyncio.to_thread(desk.signed, listed)
    except DocumentFault as error:
        text = Sentence(zh=f"清单无法生成：{error}"[:400], en=f"No list can be made: {error}"[:400])
        raise ProblemError(409, text) from error


async def _handed(
    context: Context, caller: Caller, joint_id: str, site: str
) -> tuple[JointSession, Part, HandoverList]:
    joint = await _joint(context, caller, joint_id)
    part = joint.parts.get(site)
    sha256 = part.handover.list_sha256 if part is not None else None
    found = await asyncio.to_thread(context.sites.store.find, sha256) if sha256 else None
    if part is None or found is None:
        raise not_found("hand-over list of", site)
    try:
        listed = await asyncio.to_thread(context.sites.read, found, part.site)
    except DocumentFault as error:
        text = Sentence(zh=f"清单不可信：{error}"[:400], en=f"Do not trust it: {error}"[:400])
        raise ProblemError(409, text) from error
    if not isinstance(listed, HandoverList) or listed.joint != joint.id:
        raise not_found("hand-over list of", site)
    return joint, part, listed


@router.get("/sessions/{joint_id}/handovers/{site}", responses=problem_responses(404, 409))
async def get_handover(
    joint_id: JointPath, site: SitePath, context: ContextNeeded, caller: Watcher
) -> HandoverList:
    """What a guest hands over: reports, chain heads, and every file by hash."""
    if Scope.EVIDENCE not in caller.scopes:
        raise forbidden()
    return (await _handed(context, caller, joint_id, site))[2]


@router.get("/sessions/{joint_id}/handovers/{site}/receipt", responses=problem_responses(404))
async def get_receipt(
    joint_id: JointPath, site: SitePath, context: ContextNeeded, caller: Watcher
) -> SignedText:
    """The host's signed receipt for a guest, as its exact text."""
    joint = await _joint(context, caller, joint_id)
    part = joint.parts.get(site)
    found = await _document(context, part.handover.receipt_sha256 if part else None, None)
    if found is None:
        raise not_found("receipt for", site)
    return found


@router.post("/sessions/{joint_id}/handovers/{site}/receipt", responses=problem_responses(404, 409))
async def give_receipt(
    joint_id: JointPath,
    site: SitePath,
    body: ReceiptBody,
    context: ContextNeeded,
    caller: Watcher,
) -> JointView:
    """Host: sign for what of a guest's list has come, by hash; the guest gets the receipt."""
    _acts(caller)
    joint, part, listed = await _handed(context, caller, joint_id, site)
    hashes = frozenset(hashes_of(listed))
    strange = [row for row in body.received if row not in hashes]
    if strange:
        text = Sentence(
            zh=f"清单中没有 {strange[0][:16]}… 等 {len(strange)} 项，请核对文件。",
            en=f"{len(strange)} are not on the list, {strange[0][:16]}… first; check them.",
        )
        raise ProblemError(422, text)
    desk = context.sites
    have = hashes if body.everything else frozenset(body.received)
    before = part.handover.receipt_sha256
    known = await asyncio.to_thread(desk.store.find, before) if before else None
    if known is not None:
        earlier = await asyncio.to_thread(desk.read, known, own_site(context.state()))
        have |= frozenset(earlier.received) if isinstance(earlier, Receipt) else frozenset()
    who = caller.user.username
    receipt = desk.receipt(joint, part, listed, have, who)
    text_, sha256 = await asyncio.to_thread(desk.signed, receipt)
    own = own_site(context.state())
    utc_ms: UtcMs = context.clock.utc_ms()
    await asyncio.to_thread(
        desk.store.put, Document(sha256, joint.id, own, "receipt", utc_ms, text_)
    )
    counts = len(receipt.received), len(receipt.missing)
    await _ask(context, ReceiptMade(joint.id, site, receipt.list_sha256, sha256, *counts, who))
    return _view(context, await _joint(context, caller, joint_id))


@router.post("/sessions/{joint_id}/{verb}", responses=problem_responses(404, 409))
async def act_on_joint(
    joint_id: JointPath,
    verb: JointVerb,
    body: JointActBody,
    context: ContextNeeded,
    caller: Watcher,
) -> JointView:
    """Act on a joint session: a guest answers, the host asks, suspends, urges or calls it off."""
    _acts(caller)
    if body.overrides and Scope.OVERRIDE not in caller.scopes:
        raise forbidden()
    await _joint(context, caller, joint_id)
    for key in body.sessions:
        session = context.state().sessions.get(key)
        if session is None or not caller.sees_session(session):
            raise not_found("session", key)
    await _ask(context, JointActed(joint_id, verb, body, caller.user.username))
    return _view(context, await _joint(context, caller, joint_id))


@router.get(
    "/{site}/lines",
    response_class=Response,
    responses={200: {"content": {JSONL: {"schema": {"type": "string"}}}}, **problem_responses(404)},
)
async def get_lines(
    site: SitePath,
    context: ContextNeeded,
    caller: Watcher,
    after: Annotated[int, Query(ge=0, description="Number of the last line that you have.")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
) -> Response:
    """What a peer has said, as it signed it: JSON Lines that prove themselves by its key."""
    if site not in context.state().remote.plan.peers:
        raise not_found("site", site)
    if caller.user.grants.rooms is not None or caller.user.grants.sectors is not None:
        raise forbidden()
    rows = await asyncio.to_thread(context.sites.store.heard, site, after=after, limit=limit)
    return Response("".join(f"{row.line}\n" for row in rows), media_type=JSONL)


@router.post("/{site}/trust", responses=problem_responses(404, 409))
async def trust_peer(
    site: SitePath,
    body: PeerTrustBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.EVIDENCE_KEYS))],
) -> SitesView:
    """Accept a peer's new key, or that its log began anew, after asking its people otherwise.

    The settings' key counts again as soon as the settings are changed.
    """
    if Scope.SITES not in caller.scopes:
        raise forbidden()
    if site not in context.state().remote.plan.peers:
        raise not_found("site", site)
    key, public = "", ""
    if body.public_key:
        try:
            raw = public_raw(body.public_key.encode(), said="public_key")
        except KeyFileError as error:
            text = Sentence(
                zh="public_key 不是 Ed25519 公钥（PEM）。",
                en=f"public_key is no Ed25519 public key: {error}"[:300],
            )
            raise ProblemError(422, text) from None
        key, public = PublicKeys().add_raw(raw), base64.b64encode(raw).decode()
    by = caller.user.username
    await _ask(context, PeerTrusted(site, by, body.reason, body.anew, key, public))
    log.warning("peer_trusted", site=site, by=by, key=key or None, anew=body.anew)
    return await get_sites(context, caller)


# --- what peers' controllers ask ----------------------------------------------------------------


def _peer(context: Context, caller: Caller, site: str) -> SiteId:
    """The peer that asks: each sees its own log alone."""
    plan = context.state().remote.plan.peers.get(site)
    if plan is None or plan.account != caller.user.username:
        raise forbidden()
    return plan.site


@router.get("/{site}/feed")
async def get_feed(
    site: SitePath,
    context: ContextNeeded,
    caller: Linked,
    after: Annotated[int, Query(ge=0, le=2**53, description="Last line that you have.")] = 0,
    rooms_tag: Annotated[str, Query(max_length=64, pattern=r"^[0-9a-f]*$")] = "",
    wait_ms: Annotated[int, Query(ge=0, le=FEED_WAIT_MAX_MS)] = 0,
) -> FeedPage:
    """Our log for the site that asks, behind a line; held back until there is news for it."""
    peer = _peer(context, caller, site)
    return await context.sites.feed(
        peer, after=after, rooms_tag=rooms_tag, wait_ms=wait_ms, limit=FEED_LINES_MAX
    )


@router.get(
    "/{site}/documents/{sha256}",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "string"}}}},
        **problem_responses(404),
    },
)
async def get_document(
    site: SitePath, sha256: Sha256Path, context: ContextNeeded, caller: Linked
) -> Response:
    """A list or a receipt that was announced to the site that asks, as its exact bytes."""
    peer = _peer(context, caller, site)
    found = await asyncio.to_thread(context.sites.store.find, sha256)
    own = own_site(context.state())
    if found is None or found.site != own or peer not in await _sides(context, found.joint_id):
        raise not_found("document", sha256)
    return Response(found.body, media_type="application/json")


async def _sides(context: Context, joint_id: str) -> frozenset[SiteId]:
    joint = context.state().remote.joints.get(joint_id)
    if joint is None:
        joint = await asyncio.to_thread(context.sites.store.joint, joint_id)
    return frozenset(joint.parts) if joint is not None else frozenset()
