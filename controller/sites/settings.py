"""Schema of what a site sets about other sites; tokens are in the environment or in a file."""

from datetime import date
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from contracts.api.sites import SITES_MAX
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.units import SiteId
from controller.core.sites import (
    FAULT_LIMIT_MS,
    HANDOVER_DAYS,
    LINK_LOST_MS,
    SILENCE_MS,
    PeerPlan,
    SitesPlan,
)
from runtime.signing import KeyFileError, PublicKeys, public_raw

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
RESERVED: Final = frozenset({"sessions"})  # a word in the place of a site's id in our addresses
DAYS_LISTED_MAX: Final = 400


class PeerSettings(Strict):
    """Another site's controller. ``public_key``: the PEM that its ``GET /evidence/key`` shows.

    ``account``: the account with role ``site_link`` by which that site asks here; left out, the
    site's id. ``token_file``: our token there, mode 0600; else ``ZEROENTRY_SITE_TOKENS`` has it.
    ``ca_file``: PEM of the authority behind its certificate, where the system does not know it.
    """

    name: Named
    url: str = Field(pattern=r"^https?://[^@\s]+$", max_length=200)
    public_key: str = Field(max_length=1_000)
    account: str | None = Field(default=None, min_length=1, max_length=64)
    token_file: Path | None = None
    ca_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("http carries the token in the clear: use https (or a tunnel's end)")
        return url.rstrip("/")

    @field_validator("public_key")
    @classmethod
    def _key(cls, text: str) -> str:
        try:
            public_raw(text.encode(), said="public_key")
        except KeyFileError as error:
            raise ValueError(f"{error}; copy it from the peer's GET /api/v1/evidence/key") from None
        return text


class SitesSettings(Strict):
    """Remote evaluation (远程异地评标). Without peers nothing of it is on."""

    peers: dict[SiteId, PeerSettings] = Field(default_factory=dict, max_length=SITES_MAX)
    link_lost_s: int = Field(default=LINK_LOST_MS // 1_000, ge=2, le=3_600)
    fault_limit_min: int = Field(default=FAULT_LIMIT_MS // 60_000, ge=1, le=1_440)
    seal_silence_s: int = Field(default=SILENCE_MS // 1_000, ge=5, le=3_600)
    handover_days: int = Field(default=HANDOVER_DAYS, ge=1, le=60)
    holidays: tuple[date, ...] = Field(default=(), max_length=DAYS_LISTED_MAX)
    workdays: tuple[date, ...] = Field(default=(), max_length=DAYS_LISTED_MAX)
    """Saturdays and Sundays that are worked (调休)."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        bad = sorted(RESERVED & set(self.peers))
        if bad:
            raise ValueError(f"sites.peers: {bad[0]!r} cannot be a site's id")
        accounts = [peer.account or site for site, peer in self.peers.items()]
        if len(set(accounts)) < len(accounts):
            raise ValueError("sites.peers: two peers ask by one account; give each its own")
        return self

    def plan(self) -> SitesPlan:
        """What the core goes by."""
        keys = PublicKeys()
        peers: dict[SiteId, PeerPlan] = {}
        for site, peer in self.peers.items():
            raw = public_raw(peer.public_key.encode())
            peers[site] = PeerPlan(
                site=site,
                name=peer.name,
                url=peer.url,
                key=keys.add_raw(raw),
                public_raw=raw,
                account=peer.account or site,
            )
        return SitesPlan(
            peers=peers,
            link_lost_ms=self.link_lost_s * 1_000,
            fault_limit_ms=self.fault_limit_min * 60_000,
            silence_ms=self.seal_silence_s * 1_000,
            handover_days=self.handover_days,
            holidays=frozenset(self.holidays),
            workdays=frozenset(self.workdays),
        )
