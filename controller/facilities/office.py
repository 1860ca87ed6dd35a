"""Puts together how a site's doors, lifts and fire alarm are reached."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import httpx
import structlog

from contracts.devices import Site
from contracts.facilities import HttpLink
from controller.core import map_checks
from controller.core.facility_words import CommandFacility
from controller.core.plan import SitePlan
from controller.facilities.board_desk import BoardDesk
from controller.facilities.gateways import Credentials, GatewayDesk
from controller.ports import Intake
from runtime.clock import Clock
from runtime.mqtt import Bus
from runtime.secrets import (
    SECRET_KEY_ENV,
    CredentialFileError,
    CredentialStore,
    SecretKeyError,
    UnknownCredentialError,
    secret_key,
)

log = structlog.get_logger(__name__)

CREDENTIALS_FILE: Final = "credentials.json"
FINDINGS_MAX: Final = 20  # a log is not the place to mend a map


class GatewayCredentialError(ValueError):
    """The credential of a gateway cannot be used; says what to do."""


class FacilityOffice:
    """All doors, lifts and fire inputs of a site."""

    def __init__(self, boards: BoardDesk, gateways: GatewayDesk) -> None:
        self._boards = boards
        self._gateways = gateways

    @property
    def counts(self) -> Counter[str]:
        """What was heard, asked, written and lost."""
        return self._boards.counts + self._gateways.counts

    async def run(self, service: Intake) -> None:
        """Take what facilities say until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._boards.run(service))
            group.create_task(self._gateways.run(service))

    def publish(self, output: CommandFacility) -> None:
        """Pass an order on to its facility; it does not wait until it is there."""
        if not self._boards.publish(output):
            self._gateways.publish(output)


def stored_secret_key(environ: Mapping[str, str]) -> bytes | None:
    """The key of the stored passwords; None where there is none: only gateways need it."""
    try:
        return secret_key(environ)
    except SecretKeyError:
        return None


def open_facilities(
    site: Site,
    bus: Bus,
    clock: Clock,
    client: httpx.AsyncClient,
    data_dir: Path,
    key: bytes | None,
    *,
    connected: Callable[[], bool],
) -> FacilityOffice:
    """The office of a site.

    Raises:
        GatewayCredentialError: a gateway names a credential that is not stored or cannot be read.
    """

    def credentials(link: HttpLink) -> Credentials:
        return _credentials(link, data_dir / CREDENTIALS_FILE, key)

    facilities = site.facilities
    for row in facilities:
        if row.link.via == "mqtt" and row.link.alive is None:
            # What the broker kept of a board that died together with it would be believed.
            log.warning("facility_without_heartbeat", facility=row.id, board=row.link.board)
    return FacilityOffice(
        BoardDesk(bus, clock, facilities, connected=connected),
        GatewayDesk(client, clock, facilities, credentials),
    )


def _credentials(link: HttpLink, path: Path, key: bytes | None) -> Credentials:
    name = link.credential
    if name is None:
        return lambda: None
    if key is None:
        raise GatewayCredentialError(
            f"the gateway {link.url} has the credential {name!r}; set {SECRET_KEY_ENV} to open it"
        )
    try:
        store = CredentialStore(path, key)
        store.get(name)  # fail at start, not at night
    except UnknownCredentialError as error:
        raise GatewayCredentialError(
            f"the gateway {link.url}: no credential {name!r} in {path}; store it with "
            f"`zeroentry credential set {name} --store {path}`"
        ) from error
    except (SecretKeyError, CredentialFileError) as error:
        raise GatewayCredentialError(str(error)) from error

    def ask() -> tuple[str, str]:
        credential = store.get(name)
        return credential.username, credential.password

    return ask


def tell_map(plan: SitePlan) -> None:
    """Say in the log what keeps robots from working on the map; `zeroentry map check` says all."""
    for row in map_checks.check(plan)[:FINDINGS_MAX]:
        if row.weight is map_checks.Weight.ERROR:
            log.error("map_error", element=f"{row.kind} {row.id}", text=row.text.en)
