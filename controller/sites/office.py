"""Puts together what a controller needs for other sites: the links and the desk of its routes."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.units import SiteId
from controller.core.sites import KnownSites, Remote
from controller.core.state import SiteState
from controller.ports import Blocking, Intake
from controller.sites.desk import Shelf, SiteDesk, Stretches
from controller.sites.feed import FeedBell
from controller.sites.link import SiteLinks
from controller.sites.settings import SitesSettings
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class SiteOffice:
    """``desk`` answers routes; ``run`` reads peers' logs until cancelled."""

    desk: SiteDesk
    links: SiteLinks

    async def run(self) -> None:
        """Read the logs of all peers."""
        await self.links.run()


def remote_of(settings: SitesSettings, known: KnownSites) -> Remote:
    """What a start knows of other sites."""
    return Remote(plan=settings.plan(), joints=known.joints, logs=known.logs)


def open_sites(  # noqa: PLR0913  # everything is passed by argument
    settings: SitesSettings,
    tokens: Mapping[SiteId, str],
    *,
    intake: Intake,
    state: Callable[[], SiteState],
    store: Shelf,
    entries: Stretches,
    bell: FeedBell,
    clock: Clock,
    rng: random.Random,
    blocking: Blocking = asyncio.to_thread,
) -> SiteOffice:
    """The office of other sites; without peers it has nothing to read."""
    links = SiteLinks(settings, tokens, intake, state, store, clock, rng=rng, blocking=blocking)
    return SiteOffice(SiteDesk(store, bell, state, clock, entries), links)
