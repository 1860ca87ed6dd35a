"""Runs a whole house to look at: broker, controller and console, with simulated robots and people.

``zeroentry simulate --live`` without a broker. Nothing is a stand-in but what has no console: the
cameras' pictures. Robots, boards, observations and people's acts go the ways of real ones.
"""

import asyncio
import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
import yaml
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from client import ApiClient, ControllerLost
from contracts.api import Role
from controller.core.plan import plan_of
from runtime import logs
from runtime.clock import Clock, SystemClock
from runtime.mqtt import MqttSettings
from runtime.settings import SettingsError
from runtime.site import load_map, load_site
from runtime.supervise import ChildSpec, ChildState, Supervisor
from runtime.tokens import new_key
from zeroentry.complaints import print_problems
from zeroentry.demo.plan import DemoSetupError, check_port, free_ports, site_source
from zeroentry.facilities.model import boards_for
from zeroentry.facilities.process import BoardProcess
from zeroentry.simulator.crowd import Crowd
from zeroentry.simulator.live import LiveFleet
from zeroentry.simulator.maps import CONFIGS
from zeroentry.simulator.sight import Sight
from zeroentry.simulator.wish import Wish

LOOPBACK: Final = "127.0.0.1"
TOWER: Final = CONFIGS / "tower"
VISITOR: Final = "visitor"
SECOND: Final = "colleague"
"""A supervisor too: what takes two people takes a second account."""
PLAYER: Final = "simulated-people"
PASSWORD_BYTES: Final = 9  # 72 bits: typed once by a person who reads it off a screen
READY_WITHIN_MS: Final = 120_000
POLL_MS: Final = 300
_ALL: Final = (Role.SUPERVISOR, Role.KITCHEN, Role.TABLET, Role.DOOR_PANEL)


class House:
    """The processes of one run, and what it takes to speak with them."""

    def __init__(self, folder: Path, wish: Wish, clock: Clock) -> None:
        """Lay the site out in ``folder``; nothing runs yet.

        Raises:
            DemoSetupError: the port is taken, there is no site, or robots do not fit on its map.
            SettingsError: the site's folder has mistakes.
        """
        check_port(wish.port)
        self.folder = folder
        self.wish = wish
        self.clock = clock
        self.broker_port, self.controller_port = free_ports(2)
        self.passwords = {
            name: secrets.token_urlsafe(PASSWORD_BYTES) for name in (VISITOR, SECOND, PLAYER)
        }
        self.site_dir = lay_site(wish.site or _site(), folder / "site", wish.robots)
        self.site = load_site(self.site_dir)
        try:
            plan_of(self.site, load_map(self.site_dir, self.site))
        except ValueError as error:
            raise DemoSetupError(f"{error}; or ask for fewer --robots") from None

    @property
    def controller_url(self) -> str:
        """Where the API answers."""
        return f"http://{LOOPBACK}:{self.controller_port}"

    @property
    def console_url(self) -> str:
        """What the visitor opens."""
        return f"http://{LOOPBACK}:{self.wish.port}"

    def mqtt(self, client: str) -> MqttSettings:
        """The way to the broker."""
        return MqttSettings(host=LOOPBACK, port=self.broker_port, client_id=client)

    def children(self) -> tuple[ChildSpec, ...]:
        """Broker, controller and console."""
        controller = {
            "site_dir": str(self.site_dir),
            "data_dir": str(self.folder / "controller"),
            "deployment": "demo",
            "mqtt": {"host": LOOPBACK, "port": self.broker_port},
            "api": {"host": LOOPBACK, "port": self.controller_port},
        }
        console = {
            "controller_url": self.controller_url,
            "host": LOOPBACK,
            "port": self.wish.port,
        }
        keys = {node.id: new_key() for node in self.site.nodes}
        secret = {
            "ZEROENTRY_RUN_KEY": new_key(),
            "ZEROENTRY_NODE_KEYS": json.dumps(keys),
            "ZEROENTRY_EDGE_TOKEN": secrets.token_urlsafe(24),
            "ZEROENTRY_BOOTSTRAP_ACCOUNTS": json.dumps(self._accounts()),
        }
        return (
            self._child("broker", ("runtime.broker", "--port", str(self.broker_port)), {}),
            self._child("controller", self._configured("controller", controller), secret),
            self._child(
                "console",
                self._configured("console", console),
                {"ZEROENTRY_CONSOLE_SECRET": secrets.token_urlsafe(24)},
            ),
        )

    def _accounts(self) -> list[dict[str, object]]:
        roles = {VISITOR: _ALL, SECOND: (Role.SUPERVISOR,), PLAYER: _ALL}
        return [
            {
                "username": name,
                "password": self.passwords[name],
                "roles": [role.value for role in granted],
                "room_id": None,
            }
            for name, granted in roles.items()
        ]

    def _configured(self, service: str, settings: Mapping[str, object]) -> tuple[str, ...]:
        file = self.folder / f"{service}.yaml"
        file.write_text(yaml.safe_dump(dict(settings), allow_unicode=True), "utf-8")
        return ("zeroentry", service, "--config", str(file))

    def _child(self, name: str, command: tuple[str, ...], extra: Mapping[str, str]) -> ChildSpec:
        environ = {key: text for key, text in os.environ.items() if "ZEROENTRY" not in key}
        return ChildSpec(
            name=name,
            command=(sys.executable, "-m", *command),
            environ={**environ, "PYTHONUNBUFFERED": "1", **extra},
            output=self.folder / "logs" / f"{name}.log",
        )


def _site() -> Path:
    """The tower of the repository; what is installed by pip has the demo's site alone."""
    return TOWER if (TOWER / "site.yaml").is_file() else site_source()


def lay_site(source: Path, target: Path, robots: int) -> Path:
    """A copy of a site with so many simulated robots; each new one lives at a free refuge.

    Raises:
        DemoSetupError: ``source`` is no site.
    """
    if not (source / "site.yaml").is_file():
        raise DemoSetupError(f"{source} holds no site.yaml: give a site's folder")
    shutil.copytree(source, target)
    files = sorted((target / "robots").glob("*.yaml"))
    for number, file in enumerate(files, 1):
        declared = yaml.safe_load(file.read_text("utf-8")) | {"simulated": True}
        if robots and number > robots:
            file.unlink()
        else:
            _write(file, declared)
    for number in range(len(files) + 1, robots + 1):
        robot_id = f"robot-{number}"
        declared = {
            "kind": "robot",
            "id": robot_id,
            "name": {"zh": f"送餐机器人 {number}", "en": f"Delivery robot {number}"},
            "manufacturer": "ZeroEntrySim",
            "serial_number": f"live-{number:04}",
            "compartments": 3,
            "speed_max_m_s": 1.2,
            "simulated": True,
        }
        _write(target / "robots" / f"{robot_id}.yaml", declared)
    return target


def _write(file: Path, document: Mapping[str, object]) -> None:
    file.write_text(yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False), "utf-8")


def run_house(wish: Wish) -> int:
    """Run until Ctrl-C; 0, or 2 when it could not start."""
    out = Console(highlight=False)
    folder = wish.keep or Path(tempfile.mkdtemp(prefix="zeroentry-live-"))
    folder.mkdir(parents=True, exist_ok=True)
    logs.configure("simulate", json=False, level="ERROR")
    try:
        house = House(folder, wish, SystemClock())
        return asyncio.run(_run(house, out))
    except DemoSetupError as error:
        out.print(f"[bold red]error:[/] {error}", soft_wrap=True)
        return 2
    except SettingsError as error:
        print_problems(error)
        return 2
    finally:
        if wish.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


async def _run(house: House, out: Console) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    supervisor = Supervisor(house.clock, random.Random(), house.children())
    (house.folder / "logs").mkdir(exist_ok=True)
    keeping = asyncio.create_task(supervisor.run(), name="processes")
    playing: asyncio.Task[None] | None = None
    try:
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
            with out.status("starting broker, controller, console and robots"):
                playing = asyncio.create_task(_play(house, http, out), name="world")
                if not await _ready(house, http, supervisor, stop, out):
                    return 0 if stop.is_set() else 2
            _welcome(house, out)
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait({waiting, playing}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if playing.done():
                playing.result()
            out.print("stopping")
            return 0
    finally:
        for task in (playing, keeping):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _play(house: House, http: httpx.AsyncClient, out: Console) -> None:
    """The simulated world: robots, doors and lifts, cameras, people."""
    fleet = LiveFleet(str(house.site_dir), house.mqtt("sim").model_dump(exclude={"client_id"}))
    boards = boards_for(house.site.facilities)
    processes = [BoardProcess(row, house.mqtt("sim"), house.clock, 1.0) for row in boards]
    sight = Sight(house.site, fleet.plan, house.mqtt("sim-cameras"), house.clock)
    fleet.sight = sight
    crowd = Crowd(
        fleet,
        sight,
        boards,
        ApiClient(http, house.controller_url),
        (PLAYER, house.passwords[PLAYER]),
        house.clock,
        random.Random(f"live {house.wish.seed}"),
        lambda line: out.print(line, markup=False),
        by_hand=house.wish.by_hand,
        faults=house.wish.faults,
    )
    async with asyncio.TaskGroup() as group:
        for part in (fleet.run(), sight.run(), crowd.run()):
            group.create_task(part)
        for process in processes:
            for part in process.parts():
                group.create_task(part)


async def _ready(
    house: House,
    http: httpx.AsyncClient,
    supervisor: Supervisor,
    stop: asyncio.Event,
    out: Console,
) -> bool:
    """Wait until console and controller answer; says why when they do not."""
    api = ApiClient(http, house.controller_url)
    until_ms = house.clock.mono_ms() + READY_WITHIN_MS
    failed = "the house"
    while not stop.is_set() and house.clock.mono_ms() < until_ms:
        broken = [row for row in supervisor.statuses() if row.state is ChildState.FAILED]
        if broken:
            failed = f"the {broken[0].name}"
            break
        with contextlib.suppress(ControllerLost, httpx.HTTPError):
            await api.login(VISITOR, house.passwords[VISITOR])
            answer = await http.get(f"{house.console_url}/login")
            if answer.status_code == httpx.codes.OK:
                return True
        await house.clock.sleep_ms(POLL_MS)
    if not stop.is_set():
        out.print(
            f"[bold red]error:[/] {failed} did not start; look into {house.folder}/logs "
            "(run again with --keep FOLDER to keep it)",
            soft_wrap=True,
        )
    return False


def _welcome(house: House, out: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("floor map", f"[bold]{house.console_url}/robots[/]")
    table.add_row("user", VISITOR)
    table.add_row("password", f"[bold]{house.passwords[VISITOR]}[/]  (made for this run)")
    table.add_row("also", f"{SECOND}  {house.passwords[SECOND]}  (what takes two persons)")
    table.add_row("site", f"{house.site.config.name.en}, {len(house.site.robots)} robots")
    if house.wish.by_hand:
        rooms = [row.id for row in house.site.config.areas if row.door_node]
        table.add_row("order", f"{house.console_url}/tablet/{rooms[0]}")
        table.add_row("load", f"{house.console_url}/kitchen")
        table.add_row("PIN", f"{house.console_url}/door")
    table.add_row("", "Ctrl-C ends it and all its processes")
    out.print(Panel(table, title="Zero Entry, live simulation", expand=False))
