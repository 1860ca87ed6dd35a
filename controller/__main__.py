"""Wires one controller: settings and site in, a running controller out."""

import argparse
import asyncio
import json
import os
import random
import secrets
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import httpx
import structlog
from argon2 import PasswordHasher
from fastapi import FastAPI

from contracts.api import MenuBody
from contracts.devices import Site
from contracts.layout import RobotMap
from contracts.units import NodeId, UtcMs
from controller.api.app import build
from controller.api.context import Context
from controller.api.duty_desk import DutyDesk, duty_desk
from controller.api.finding import finding_in
from controller.api.hub import EventHub
from controller.auth.accounts import Accounts, BootstrapError
from controller.auth.factors import FactorKeyError
from controller.auth.first_link import leave_first_link
from controller.auth.names import Names, open_vault
from controller.auth.oidc import CLIENT_SECRET_ENV
from controller.auth.pins import SecretPins
from controller.auth.security import Security, security_of
from controller.core.facility_words import CommandFacility
from controller.core.ledger import Ledger, Notary
from controller.core.ordering import Menu
from controller.core.outputs import (
    FetchPicture,
    FetchSnapshot,
    Lasting,
    Published,
    SendCommand,
    SendNotice,
)
from controller.core.plan import SitePlan, plan_of
from controller.core.state import Now, SiteState, restored
from controller.edges.acl import NoAccessControlError, require_access_control
from controller.edges.commands import NodeCommands
from controller.edges.inbox import EdgeInbox
from controller.edges.pictures import PictureFetcher, PictureStore
from controller.edges.witnesses import WitnessPublisher
from controller.facilities.office import (
    FacilityOffice,
    open_facilities,
    stored_secret_key,
    tell_map,
)
from controller.fleet.master import FleetMaster
from controller.notices.channels import ChannelFileError
from controller.notices.desk import NoticeDesk
from controller.ports import Blocking, StoreLost
from controller.reports.office import ReportOffice, open_office
from controller.reports.versions import Signer
from controller.service import Service
from controller.settings import ControllerSettings, Deployment
from controller.sites.feed import FeedBell
from controller.sites.link import tokens_from
from controller.sites.office import SiteOffice, open_sites, remote_of
from controller.store.account_tables import AccountTables, AuditTables
from controller.store.database import Database, Loaded
from controller.store.duty import DutyStore
from controller.store.reports import ReportStore
from controller.store.roster import NameStore
from controller.store.site_documents import SiteStore
from runtime import logs
from runtime.clock import Clock, SystemClock
from runtime.http import PortTakenError, listen, serve
from runtime.metrics import Metrics
from runtime.mqtt import Bus, MqttSession, MqttSetupError
from runtime.settings import SettingsError, load
from runtime.signing import KeyFileError, PublicKeys, SigningKey, open_key
from runtime.site import load_map, load_site
from runtime.supervise import run_service
from runtime.tokens import KeyFormatError, run_key

log = structlog.get_logger(__name__)

NODE_KEYS_ENV: Final = "ZEROENTRY_NODE_KEYS"
EDGE_TOKEN_ENV: Final = "ZEROENTRY_EDGE_TOKEN"  # noqa: S105  # the name of a variable
METRICS_PERIOD_MS: Final = 2_000
EVIDENCE_KEY_FILE: Final = Path("keys") / "controller-evidence.pem"
NAMES_KEY_FILE: Final = Path("keys") / "participant-names.key"


class ControllerError(Exception):
    """The controller cannot start with these settings; says which and what to do."""


START_ERRORS: Final = (ControllerError, MqttSetupError)
"""What ``main`` raises with a text for the person who starts it."""


START_LOST: Final = (
    StoreLost,
    BootstrapError,
    KeyFileError,
    FactorKeyError,
    ChannelFileError,
    ValueError,
)
"""What wiring raises; each text says what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What the environment holds and no file may."""

    node_keys: Mapping[NodeId, bytes]
    edge_token: str | None
    run_key: bytes | None
    oidc_secret: str = ""
    site_tokens: Mapping[str, str] = field(default_factory=dict)
    secret_key: bytes | None = None
    """Opens the stored passwords of lift gateways."""


def keys_from(environ: Mapping[str, str]) -> Keys:
    """Read the keys.

    Raises:
        ControllerError: a key is malformed; names the variable, never shows the value.
    """
    text = environ.get(NODE_KEYS_ENV, "") or "{}"
    try:
        node_keys = {str(node): bytes.fromhex(key) for node, key in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError):
        raise ControllerError(
            f'{NODE_KEYS_ENV} must be a JSON object {{"NODE": "HEX KEY"}}; each key is the '
            "ZEROENTRY_NODE_KEY of that edge node"
        ) from None
    try:
        key = run_key(environ)
    except KeyFormatError as error:
        raise ControllerError(str(error)) from None
    secret = environ.get(CLIENT_SECRET_ENV, "")
    try:
        tokens = tokens_from(environ)
    except ValueError as error:
        raise ControllerError(str(error)) from None
    edge_token = environ.get(EDGE_TOKEN_ENV) or None
    return Keys(node_keys, edge_token, key, secret, tokens, stored_secret_key(environ))


class Hands:
    """Does what the core decided (``ports.Performer``)."""

    def __init__(
        self,
        commands: NodeCommands,
        pictures: PictureFetcher,
        fleet: FleetMaster,
        notices: NoticeDesk,
        facilities: FacilityOffice,
    ) -> None:
        self._facilities = facilities
        self._notices = notices
        self._commands = commands
        self._pictures = pictures
        self._fleet = fleet

    async def lasting(self, output: Lasting) -> None:
        match output:
            case SendCommand():
                await self._commands.send(output)
            case FetchPicture() | FetchSnapshot():
                await self._pictures.fetch(output)
            case SendNotice():
                await self._notices.accept(output)

    async def publish(self, output: Published, utc_ms: UtcMs) -> None:
        if isinstance(output, CommandFacility):
            self._facilities.publish(output)
        else:
            await self._fleet.publish(output, utc_ms)


@dataclass(slots=True)
class Controller:
    """A controller that is wired and not yet running; ``run`` runs it until cancelled."""

    service: Service
    inbox: EdgeInbox
    commands: NodeCommands
    witnesses: WitnessPublisher
    notices: NoticeDesk
    fleet: FleetMaster
    facilities: FacilityOffice
    hub: EventHub
    app: FastAPI
    database: Database
    security: Security
    metrics: Metrics
    clock: Clock
    client: httpx.AsyncClient
    reports: ReportOffice
    sites: SiteOffice

    async def run(self) -> None:
        """All parts but the bus and the web server."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.service.run())
                group.create_task(self.inbox.run())
                group.create_task(self.commands.run())
                group.create_task(self.witnesses.run())
                group.create_task(self.fleet.run(self.service))
                group.create_task(self.facilities.run(self.service))
                group.create_task(self.hub.run())
                group.create_task(self.notices.run())
                group.create_task(self.security.run())
                group.create_task(self.reports.run())
                group.create_task(self.sites.run())
                group.create_task(self._measure())
        finally:
            await self.client.aclose()
            self.commands.close()
            self.database.close()

    @property
    def accounts(self) -> Accounts:
        """Who may log in."""
        return self.security.accounts

    async def after_connect(self) -> None:
        """Say again what a broker that restarted has forgotten."""
        self.witnesses.repeat_all()
        await self.inbox.repeat_acks()

    async def _measure(self) -> None:
        rejected = self.metrics.gauge(
            "mqtt_rejected_total", "Payloads dropped, by reason.", ("reason",)
        )
        service = self.metrics.gauge("service_total", "What the service did.", ("what",))
        events = self.metrics.gauge("events_total", "Events of the stream.", ("what",))
        facilities = self.metrics.gauge("facilities_total", "Doors and lifts.", ("what",))
        while True:
            for counter in (self.inbox.rejected, self.fleet.rejected):
                for reason, count in counter.items():
                    rejected.labels(reason).set(count)
            for what, count in self.service.counts.items():
                service.labels(what).set(count)
            for what, count in self.hub.counts.items():
                events.labels(what).set(count)
            for what, count in self.facilities.counts.items():
                facilities.labels(what).set(count)
            await self.clock.sleep_ms(METRICS_PERIOD_MS)


def wire(  # noqa: PLR0913  # everything is passed by argument
    settings: ControllerSettings,
    site: Site,
    robot_map: RobotMap,
    keys: Keys,
    clock: Clock,
    bus: Bus,
    *,
    rng: random.Random,
    base_url: str,
    broker_connected: Callable[[], bool],
    hasher: PasswordHasher | None = None,
    blocking: Blocking = asyncio.to_thread,
) -> Controller:
    """Put a controller together on a bus.

    Raises:
        ValueError: the site names map nodes that are not there.
        StoreLost: the database cannot be opened.
        KeyFileError: the key that signs evidence cannot be used.
        ChannelFileError: the channels of notices cannot be read.
    """
    plan = _plan(settings, site, robot_map)
    key, database = _opened(settings, clock)
    signing = keys.run_key if (demo := settings.deployment is Deployment.DEMO) else None
    commands = _commands(settings, bus, clock, site, rng, signing, blocking)
    client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
    pictures = PictureStore(settings.data_dir / "pictures")
    fleet = FleetMaster(bus, clock, plan, run_key=signing)
    at = (settings.data_dir, keys.secret_key)
    facilities = open_facilities(site, bus, clock, client, *at, connected=broker_connected)
    api_urls = _ApiUrls()
    fetcher = PictureFetcher(
        pictures, client, clock, rng=rng, edge_token=keys.edge_token, api_url=api_urls
    )
    hub, bell, witnesses = EventHub(clock), FeedBell(), WitnessPublisher(bus, clock, site.config.id)
    duty = duty_desk(database, clock, site.config, settings.data_dir, blocking)
    service = Service(
        _kept_state(plan, database, clock, key, witnesses, settings),
        database,
        clock,
        Hands(commands, fetcher, fleet, duty.notices, facilities),
        (hub, witnesses, bell),
        open_outputs=database.open_outputs(),
        blocking=blocking,
    )
    api_urls.service = fetcher.service = service
    security = _security(settings, database, clock, hasher, key, client, keys, blocking)
    names = Names(NameStore(database), open_vault(settings.data_dir / NAMES_KEY_FILE))
    around = (keys.node_keys, base_url, broker_connected, key, names)
    outside = Outside(*around, demo=demo)
    reports = _reports(settings, database, pictures, service, (clock, client, blocking), outside)
    sites = _sites(settings, keys, service, database, (bell, clock, rng, blocking))
    desks, metrics = (duty, reports, sites), Metrics()
    context = _context(service, database, pictures, security, hub, clock, metrics, outside, *desks)
    inbox = EdgeInbox(bus, service, clock, site.config.id, database.cursors())
    hands = (service, inbox, commands, witnesses, duty.notices, fleet, facilities)
    rest = (database, security, metrics, clock, client, reports, sites)
    parts = (*hands, hub, build(context), *rest)
    return Controller(*parts)


def _plan(settings: ControllerSettings, site: Site, robot_map: RobotMap) -> SitePlan:
    plan = plan_of(site, robot_map, settings.rules, settings.escalation)
    return replace(plan, session_policy=settings.sessions)


def _commands(  # noqa: PLR0917  # everything is passed by argument
    settings: ControllerSettings,
    bus: Bus,
    clock: Clock,
    site: Site,
    rng: random.Random,
    run_key: bytes | None,
    blocking: Blocking,
) -> NodeCommands:
    return NodeCommands(
        settings.data_dir / "outbox",
        bus,
        clock,
        site.config.id,
        [node.id for node in site.nodes],
        rng=rng,
        run_key=run_key,
        blocking=blocking,
    )


def _sites(
    settings: ControllerSettings,
    keys: Keys,
    service: Service,
    database: Database,
    tools: tuple[FeedBell, Clock, random.Random, Blocking],
) -> SiteOffice:
    bell, clock, rng, blocking = tools
    return open_sites(
        settings.sites,
        keys.site_tokens,
        intake=service,
        state=lambda: service.state,
        store=SiteStore(database),
        entries=database,
        bell=bell,
        clock=clock,
        rng=rng,
        blocking=blocking,
    )


def _reports(  # everything is passed by argument
    settings: ControllerSettings,
    database: Database,
    pictures: PictureStore,
    service: Service,
    tools: tuple[Clock, httpx.AsyncClient, Blocking],
    outside: "Outside",
) -> ReportOffice:
    key = outside.evidence_key
    clock, client, blocking = tools
    return open_office(
        settings.data_dir,
        state=lambda: service.state,
        facts=database,
        rows=ReportStore(database),
        pictures=pictures,
        signer=Signer(key.id, key.sign, key.public_pem()),
        intake=service,
        clock=clock,
        client=client,
        node_keys=outside.node_keys,
        at_release=settings.reports.at_release,
        blocking=blocking,
    )


def _security(  # noqa: PLR0917  # everything is passed by argument
    settings: ControllerSettings,
    database: Database,
    clock: Clock,
    hasher: PasswordHasher | None,
    key: SigningKey,
    client: httpx.AsyncClient,
    keys: Keys,
    blocking: Blocking,
) -> Security:
    return security_of(
        settings.security,
        settings.data_dir,
        AccountTables(database),
        AuditTables(database),
        clock,
        hasher=hasher or PasswordHasher(),
        key=key,
        http=client,
        oidc_secret=keys.oidc_secret,
        blocking=blocking,
    )


def _opened(settings: ControllerSettings, clock: Clock) -> tuple[SigningKey, Database]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    key = open_key(settings.data_dir / EVIDENCE_KEY_FILE)
    return key, Database(settings.database, clock.boot_id)


@dataclass(frozen=True, slots=True)
class Outside:
    """What the API needs to know of the world around the controller."""

    node_keys: Mapping[NodeId, bytes]
    base_url: str
    broker_connected: Callable[[], bool]
    evidence_key: SigningKey
    names: Names
    demo: bool


def _ledger(plan: SitePlan, loaded: Loaded, key: SigningKey) -> Ledger:
    config = plan.site.config
    known = loaded.evidence
    return Ledger(
        notary=Notary(config.id, key.id, key.sign, _check),
        chains=known.chains,
        keys=known.keys,
        root=known.root,
        declared={
            node.id: raw for node in plan.site.nodes if (raw := node.evidence_key_raw) is not None
        },
    )


def _check(public: bytes, data: bytes, signature: bytes) -> bool:
    keys = PublicKeys()
    try:
        return keys.verify(keys.add_raw(public), data, signature)
    except ValueError:
        return False


def _kept_state(
    plan: SitePlan,
    database: Database,
    clock: Clock,
    key: SigningKey,
    witnesses: WitnessPublisher,
    settings: ControllerSettings,
) -> SiteState:
    loaded = database.load()
    plan = replace(plan, escalation=DutyStore(database).escalation(settings.escalation).rules)
    menu = Menu(MenuBody(dishes=settings.menu, terms=settings.order_terms))
    witnesses.know(loaded.evidence.chains.values())
    return restored(
        plan,
        sessions=loaded.sessions,
        alerts=loaded.alerts,
        deliveries=loaded.deliveries,
        duties=loaded.duties,
        acts=loaded.acts,
        ordering={menu.id: menu, **loaded.ordering},
        next_number=loaded.next_number,
        now=Now(clock.mono_ms(), clock.utc_ms()),
        same_boot=loaded.boot_id == clock.boot_id,
        ledger=_ledger(plan, loaded, key),
        care=loaded.care,
        remote=remote_of(settings.sites, loaded.sites),
    )


def _context(  # noqa: PLR0913, PLR0917  # everything is passed by argument
    service: Service,
    database: Database,
    pictures: PictureStore,
    security: Security,
    hub: EventHub,
    clock: Clock,
    metrics: Metrics,
    outside: Outside,
    duty: DutyDesk,
    reports: ReportOffice,
    sites: SiteOffice,
) -> Context:
    return Context(
        intake=service,
        state=lambda: service.state,
        queue=lambda: service.waiting,
        reader=database,
        finding=finding_in(database, clock),
        pictures=pictures,
        names=outside.names,
        accounts=security.accounts,
        security=security,
        pins=SecretPins(),
        hub=hub,
        duty=duty,
        reports=reports,
        sites=sites.desk,
        clock=clock,
        metrics=metrics,
        node_keys=outside.node_keys,
        evidence_key_pem=outside.evidence_key.public_pem(),
        ticket_key=secrets.token_bytes(32),
        base_url=outside.base_url,
        version=_version(),
        demo=outside.demo,
        broker_connected=outside.broker_connected,
        new_id=lambda: uuid.uuid4().hex[:16],
        started_mono_ms=clock.mono_ms(),
    )


class _ApiUrls:
    """Where a node's API is: what it said of itself in its health."""

    def __init__(self) -> None:
        self.service: Service | None = None

    def __call__(self, node_id: NodeId) -> str | None:
        state: SiteState | None = self.service.state if self.service is not None else None
        node = state.nodes.get(node_id) if state is not None else None
        return node.health.api_url if node is not None else None


async def main(settings: ControllerSettings) -> None:
    """Run a controller until a signal.

    Raises:
        ControllerError: it cannot start, or the broker guards nothing; says what to do.
        SettingsError: the site's files have mistakes.
    """
    logs.configure("controller", json=settings.log_json, level=settings.log_level)
    clock = SystemClock()
    keys = keys_from(os.environ)
    site = load_site(settings.site_dir)
    robot_map = load_map(settings.site_dir, site)
    try:
        bound = listen(settings.api.host, settings.api.port)
    except PortTakenError as error:
        raise ControllerError(str(error)) from error
    host, port = bound.getsockname()[:2]
    base_url = (settings.api.url or f"http://{host}:{port}").rstrip("/")
    rng = random.Random()
    bus = MqttSession(settings.mqtt, clock, rng=rng)
    try:
        controller = wire(
            settings,
            site,
            robot_map,
            keys,
            clock,
            bus,
            rng=rng,
            base_url=base_url,
            broker_connected=lambda: bus.connected,
        )
        if settings.deployment is Deployment.DEMO:
            made = await asyncio.to_thread(controller.accounts.bootstrap, os.environ)
            log.info("accounts_made", count=made)
        await asyncio.to_thread(_leave_link, controller.security)
    except START_LOST as error:
        bound.close()
        raise ControllerError(str(error)) from error

    async def after_connect() -> None:
        if settings.deployment is not Deployment.DEMO:
            await require_access_control(bus, clock, site.config.id)
        while True:
            await connected.wait()
            connected.clear()
            await controller.after_connect()

    connected = asyncio.Event()
    bus.on_connect(connected.set)
    log.info("controller_starts", api=base_url, site=site.config.id)
    tell_map(controller.service.state.plan)
    serving = serve(controller.app, bound, before_stop=controller.hub.end_all)
    parts = (bus.run(), controller.run(), serving, after_connect())
    try:
        await run_service(parts)
    except BaseExceptionGroup as failed:
        if failed.subgroup(NoAccessControlError) is None:
            raise
        raise ControllerError(str(_first(failed))) from failed


def _leave_link(security: Security) -> None:
    """The one-time link of a controller without accounts; on a terminal it is shown, too."""

    def show(address: str) -> None:
        sys.stderr.write(
            f"\nNobody can log in here yet. Make the first administrator with this link; it is "
            f"good once, for an hour:\n\n    {address}\n\n"
        )

    seen = show if sys.stderr.isatty() else None
    leave_first_link(security.people, security.data_dir, security.policy.console_url, seen)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _version() -> str:
    try:
        return version("zero-entry")
    except PackageNotFoundError:
        return "0+source"


def run(arguments: Sequence[str] | None = None) -> int:
    """The command line: ``python -m controller --config FILE``."""
    parser = argparse.ArgumentParser(prog="controller", description=__doc__)
    parser.add_argument("--config", type=Path, help="YAML file of ControllerSettings")
    parser.add_argument("--site-dir", help="overrides site_dir")
    given = parser.parse_args(arguments)
    try:
        settings = load(
            ControllerSettings,
            file=given.config,
            environ=os.environ,
            overrides={"site_dir": given.site_dir},
        )
        asyncio.run(main(settings))
    except (SettingsError, ControllerError, MqttSetupError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run())
