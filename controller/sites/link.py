"""Reads the logs of other sites' controllers: late where it must be, but each line once, in order.

One task a peer. It asks behind the last line that is committed here, and is answered as soon as
there is news. What comes goes line by line through the core, which judges it; the cursor is part of
the same commit. A peer that is away, lies or sends garbage costs its own task's time and nothing
else.
"""

import asyncio
import hashlib
import json
import os
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import structlog

from client import ApiClient, ControllerLost, RefusedError
from contracts.api import Sentence
from contracts.api.sites import DOCUMENT_MAX_BYTES, FEED_WAIT_MAX_MS, FeedPage
from contracts.units import SiteId, UtcMs
from controller.core import remote
from controller.core.outputs import Refused
from controller.core.sites import Document, DocumentFetched, FeedCame, PeerHeard, PeerTrouble
from controller.core.state import SiteState
from controller.ports import Blocking, Given, Intake, StoreLost
from controller.sites.desk import Shelf
from controller.sites.settings import PeerSettings, SitesSettings
from runtime.clock import Clock, backoff_ms
from runtime.signing import KeyFileError, check_private

log = structlog.get_logger(__name__)

TOKENS_ENV: Final = "ZEROENTRY_SITE_TOKENS"  # the name of a variable
TOKEN_MAX_BYTES: Final = 4_096
RETRY_FIRST_MS: Final = 300
RETRY_MAX_MS: Final = 15_000  # a link that is back is used within seconds, and a peer not pestered
REFUSED_RETRY_MS: Final = 5_000  # garbage does not become sense by asking again at once


class SiteTokenError(Exception):
    """A token for a peer cannot be read; says which and what to do, never the token."""


@dataclass(frozen=True, slots=True)
class _Token:
    """Where our token for a peer is; read anew for each connection, so it can be rotated."""

    site: SiteId
    file: Path | None
    given: str | None

    def read(self) -> str:
        if self.file is None:
            if self.given is None:
                raise SiteTokenError(
                    f"no token for site {self.site}: set token_file, or {TOKENS_ENV} to "
                    f'{{"{self.site}": "TOKEN"}}'
                )
            return self.given
        try:
            with self.file.open("rb") as file:
                check_private(self.file, os.fstat(file.fileno()).st_mode)
                return file.read(TOKEN_MAX_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError, KeyFileError) as error:
            raise SiteTokenError(f"token_file of site {self.site}: {error}") from None


def tokens_from(environ: Mapping[str, str]) -> Mapping[SiteId, str]:
    """Our tokens for peers out of the environment.

    Raises:
        ValueError: the variable is malformed; never shows its value.
    """
    try:
        found = json.loads(environ.get(TOKENS_ENV, "") or "{}")
        return {str(site): str(token) for site, token in found.items()}
    except (ValueError, AttributeError):
        raise ValueError(f'{TOKENS_ENV} must be a JSON object {{"SITE": "TOKEN"}}') from None


class SiteLinks:
    """The readers of all peers; ``run`` runs them until cancelled."""

    def __init__(  # everything is passed by argument
        self,
        settings: SitesSettings,
        tokens: Mapping[SiteId, str],
        intake: Intake,
        state: Callable[[], SiteState],
        store: Shelf,
        clock: Clock,
        *,
        rng: random.Random,
        blocking: Blocking = asyncio.to_thread,
    ) -> None:
        self._readers = tuple(
            _Reader(
                site,
                peer,
                _Token(site, peer.token_file, tokens.get(site)),
                intake,
                state,
                _Tools(store, clock, rng, blocking),
                # Three answers fall into the time after which silence counts as a lost link.
                min(FEED_WAIT_MAX_MS, settings.link_lost_s * 1_000 // 3),
            )
            for site, peer in settings.peers.items()
        )

    async def run(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reader in self._readers:
                group.create_task(reader.run())


@dataclass(frozen=True, slots=True)
class _Tools:
    store: Shelf
    clock: Clock
    rng: random.Random
    blocking: Blocking


class _Reader:
    """One peer's reader."""

    def __init__(  # noqa: PLR0917  # everything is passed by argument
        self,
        site: SiteId,
        peer: PeerSettings,
        token: _Token,
        intake: Intake,
        state: Callable[[], SiteState],
        tools: _Tools,
        wait_ms: int,
    ) -> None:
        self._site = site
        self._peer = peer
        self._token = token
        self._intake = intake
        self._state = state
        self._tools = tools
        self._wait_ms = wait_ms
        self._tag = ""
        self._said: Sentence | None = None

    async def run(self) -> None:
        """Read until cancelled; whatever goes wrong is shown, and tried again later."""
        attempt = 0
        while True:
            try:
                async with httpx.AsyncClient(verify=self._verify(), trust_env=False) as http:
                    api = ApiClient(http, self._peer.url, self._token.read())
                    self._tag = ""
                    while True:
                        await self._once(api)
                        attempt = 0
            except (ControllerLost, RefusedError, SiteTokenError, OSError) as error:
                await self._trouble(_told(error), refused=isinstance(error, RefusedError))
            except _LineRefused:
                await self._tools.clock.sleep_ms(REFUSED_RETRY_MS)
                continue
            except StoreLost as error:
                log.warning("site_line_not_kept", site=self._site, error=str(error))
            wait = backoff_ms(
                attempt, first_ms=RETRY_FIRST_MS, max_ms=RETRY_MAX_MS, rng=self._tools.rng
            )
            attempt += 1
            await self._tools.clock.sleep_ms(wait)

    def _verify(self) -> ssl.SSLContext | bool:
        if self._peer.ca_file is None:
            return True
        return ssl.create_default_context(cafile=str(self._peer.ca_file))

    async def _once(self, api: ApiClient) -> None:
        """Ask for what follows the last committed line, and take it."""
        clock, own = self._tools.clock, self._state().plan.site.config.id
        before = self._state().remote.log(self._site)
        fresh = not self._tag
        began = clock.mono_ms()
        page = await api.site_feed(
            own, after=before.got, tag=self._tag, wait_ms=0 if fresh else self._wait_ms
        )
        await self._take(page, int(clock.mono_ms() - began), clock.utc_ms())
        await self._documents(api)

    async def _take(self, page: FeedPage, took_ms: int, now: UtcMs) -> None:
        if page.site != self._site:
            text = Sentence(
                zh=f"对方自称 {page.site}，与设置不符。",
                en=f"It calls itself {page.site}, which is not what is set.",
            )
            await self._trouble(text, refused=True)
            raise _LineRefused
        if page.head < self._state().remote.log(self._site).got:
            text = Sentence(
                zh=f"对方日志只到第 {page.head} 行，少于已收到的行；其数据库可能已重建。",
                en=f"Its log ends at line {page.head}, before ours of it; it may have begun anew.",
            )
            await self._trouble(text, refused=True)
            raise _LineRefused
        way = max(0, took_ms - page.waited_ms)
        known = page.rooms_tag == self._tag
        offset = page.utc_ms + way // 2 - now
        heard = PeerHeard(
            self._site, int(offset), way, None if known else page.rooms, lines=len(page.lines)
        )
        self._said = None
        rows = [Given(heard), *(Given(FeedCame(self._site, line)) for line in page.lines)]
        answers = await self._intake.take(rows)
        self._tag = page.rooms_tag
        refused = next((row for row in answers if isinstance(row, Refused)), None)
        if refused is not None:
            log.warning("site_line_refused", site=self._site, reason=refused.detail.en)
            raise _LineRefused

    async def _documents(self, api: ApiClient) -> None:
        """Fetch what the peer announced and is not here; its hash says whether it is that."""
        state = self._state()
        own = state.plan.site.config.id
        for peer, joint_id, sha256 in remote.wanted(state):
            if peer != self._site:
                continue
            text = await api.site_document(own, sha256)
            if hashlib.sha256(text).hexdigest() != sha256 or len(text) > DOCUMENT_MAX_BYTES:
                told = Sentence(
                    zh=f"文件 {sha256[:16]}… 内容与哈希不符。",
                    en=f"The document {sha256[:16]}… has another hash than was announced.",
                )
                await self._trouble(told, refused=True)
                raise _LineRefused
            kept = Document(
                sha256, joint_id, peer, "document", self._tools.clock.utc_ms(), text.decode()
            )
            await self._tools.blocking(self._tools.store.put, kept)
            await self._intake.ask(DocumentFetched(joint_id, peer, sha256))

    async def _trouble(self, reason: Sentence, *, refused: bool) -> None:
        if reason != self._said:
            self._said = reason
            log.warning("site_link_trouble", site=self._site, reason=reason.en)
            await self._intake.offer(PeerTrouble(self._site, reason, refused=refused))


class _LineRefused(Exception):
    """The core did not take a line; it has said why."""


def _told(error: Exception) -> Sentence:
    if isinstance(error, RefusedError):
        status, detail = error.problem.status, error.problem.detail[:200]
        hint = "请检查对方为本中心建立的账号和令牌。" if status in (401, 403) else ""
        return Sentence(
            zh=f"对方拒绝（{status}）：{detail} {hint}"[:400],
            en=f"It refused ({status}): {detail}"[:400],
        )
    if isinstance(error, SiteTokenError):
        return Sentence(zh=f"令牌不可用：{error}"[:400], en=f"No token: {error}"[:400])
    return Sentence(zh="连接不上或应答不可读。", en=f"No answer: {type(error).__name__}")
