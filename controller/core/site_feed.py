"""Decides what a log between two sites holds: signs our lines, and takes or refuses a peer's.

A line counts once: the next number behind the last one, holding the last one's hash, signed with
the key that the settings pin. So loss, doubling, another order and a restart of either side change
nothing but the time of arrival.
"""

import base64
import json
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ValidationError

from contracts.api import Sentence
from contracts.api.sites import FeedLine, LinkState, SiteEvent, event_of
from contracts.evidence.lines import LineError, SignedLine, sign_line, split_line
from contracts.units import SiteId
from controller.core.outputs import FileFeed, FileHeard, FileSiteRefused
from controller.core.sites import PeerLog, Remote
from controller.core.state import Now, SiteState, changed

NO_PEER: Final = Sentence(
    zh="设置中没有此中心（sites.peers）。", en="No such peer is set (sites.peers)."
)
SAMPLE_CHARS: Final = 400  # of a refused line: enough to see what it was


@dataclass(frozen=True, slots=True)
class Heard:
    """A line that counts: what it is about, and what it says (None: not understood here)."""

    joint: str
    event: SiteEvent | None


def own_site(site: SiteState) -> SiteId:
    """The id of this controller's site."""
    return site.plan.site.config.id


def with_remote(site: SiteState, remote: Remote) -> SiteState:
    """The state with another knowledge of other sites."""
    return site if remote is site.remote else replace(site, remote=remote)


def say(
    site: SiteState, peer: SiteId, joint_id: str, event: BaseModel, now: Now
) -> tuple[SiteState, FileFeed]:
    """Append a signed line to our log for a peer."""
    log = site.remote.log(peer)
    notary = site.ledger.notary
    line = FeedLine(
        site=own_site(site),
        to=peer,
        seq=log.sent + 1,
        previous=log.sent_sha256,
        utc_ms=now.utc_ms,
        joint=joint_id,
        event=event.model_dump(mode="json", exclude_none=True),
        key=notary.key,
    )
    raw = sign_line(line, notary.sign)
    sha256 = split_line(raw).sha256
    after = replace(log, sent=line.seq, sent_sha256=sha256)
    remote = replace(site.remote, logs=changed(site.remote.logs, peer, after))
    filed = FileFeed(peer, line.seq, joint_id, now.utc_ms, sha256, raw.decode())
    return with_remote(site, remote), filed


def hear(
    site: SiteState, peer: SiteId, text: str, now: Now
) -> tuple[SiteState, FileHeard | FileSiteRefused | None, Heard | None]:
    """Take a line of a peer's log, once; what is to be filed, and what it says if it is new."""
    log = site.remote.log(peer)
    found = _read(site, peer, text)
    if isinstance(found, Sentence):
        return _refuse(site, log, found, text, now)
    split, line = found
    if line.seq <= log.got:
        return _taken(site, peer), None, None
    if line.seq != log.got + 1 or line.previous != log.got_sha256:
        return _refuse(site, log, _out_of_order(log, line), text, now)
    live = site.remote.live.get(peer)
    after = replace(log, got=line.seq, got_sha256=split.sha256, got_utc_ms=now.utc_ms)
    event = event_of(line)
    filed = FileHeard(
        peer=peer,
        seq=log.base + line.seq,
        joint_id=line.joint,
        event_kind=str(line.event.get("kind", ""))[:40],
        subject=_subject(line),
        utc_ms=line.utc_ms,
        offset_ms=live.offset_ms or 0 if live else 0,
        received_utc_ms=now.utc_ms,
        sha256=split.sha256,
        line=text,
    )
    remote = replace(site.remote, logs=changed(site.remote.logs, peer, after))
    return _taken(with_remote(site, remote), peer), filed, Heard(line.joint, event)


def _taken(site: SiteState, peer: SiteId) -> SiteState:
    """A line was taken: whatever was refused before is over."""
    live = site.remote.live.get(peer)
    if live is None or live.link is not LinkState.REFUSED:
        return site
    told = replace(live, link=LinkState.UP, reason=None)
    return with_remote(site, replace(site.remote, live=changed(site.remote.live, peer, told)))


def _subject(line: FeedLine) -> str:
    for name in ("alert_id", "sha256"):
        value = line.event.get(name)
        if isinstance(value, str):
            return value[:80]
    return ""


def _read(site: SiteState, peer: SiteId, text: str) -> tuple[SignedLine, FeedLine] | Sentence:
    plan = site.remote.plan.peers.get(peer)
    if plan is None:
        return NO_PEER
    try:
        split = split_line(text.encode())
        line = FeedLine.model_validate(json.loads(split.raw))
    except (LineError, ValidationError, ValueError, RecursionError):
        return Sentence(zh="不是可读的签名行。", en="It is no signed line that can be read.")
    if line.key != plan.key or not site.ledger.notary.check(
        plan.public_raw, split.signed, split.signature
    ):
        return Sentence(
            zh=f"签名与设置中固定的公钥 {plan.key} 不符；若对方已更换密钥，请核实后更新设置。",
            en=(
                f"The signature is not by the pinned key {plan.key}; if the peer has changed its "
                "key, check that with its people and set the new one."
            ),
        )
    if line.site != peer or line.to != own_site(site):
        return Sentence(
            zh=f"该行由 {line.site} 写给 {line.to}，与此链路不符。",
            en=f"The line is from {line.site} to {line.to}, which is not this link.",
        )
    return split, line


def _out_of_order(log: PeerLog, line: FeedLine) -> Sentence:
    return Sentence(
        zh=(
            f"第 {line.seq} 行不接在已收到的第 {log.got} 行之后；若对方数据库已重建，"
            "请与对方核实后由管理员处理。"
        ),
        en=(
            f"Line {line.seq} does not follow line {log.got} that is here; if the peer's database "
            "began anew, settle it with its people."
        ),
    )


def _refuse(
    site: SiteState, log: PeerLog, why: Sentence, text: str, now: Now
) -> tuple[SiteState, FileSiteRefused | None, None]:
    """Count a refused line; the same reason again is counted and not filed."""
    live = site.remote.live.get(log.site)
    after = replace(log, refused=log.refused + 1)
    again = live is not None and live.reason == why
    remote = site.remote
    if live is not None and not again:
        told = replace(live, reason=why, link=LinkState.REFUSED)
        remote = replace(remote, live=changed(remote.live, log.site, told))
    if not again:
        remote = replace(remote, logs=changed(remote.logs, log.site, after))
    filed = FileSiteRefused(log.site, now.utc_ms, why, _printable(text))
    return with_remote(site, remote), None if again else filed, None


def _printable(text: str) -> str:
    if text.isprintable():
        return text[:SAMPLE_CHARS]
    return base64.b64encode(text.encode("utf-8", "replace")).decode()[:SAMPLE_CHARS]
