"""Decides how the demo's site lies on this machine: ports, keys, files, processes."""

import contextlib
import json
import os
import random
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.api import Role
from runtime.supervise import ChildSpec
from runtime.tokens import new_key
from zeroentry.composer.model import SceneKind
from zeroentry.demo.cameras import TOKEN_ENV as CAMERAS_TOKEN_ENV

LOOPBACK: Final = "127.0.0.1"
PORTS: Final = range(15_000, 30_000)  # systems take the ports of connections from 32768 up
OWN_CAMERA: Final = "room-2-cam"
OWN_USER_ENV: Final = "ZEROENTRY_CAMERA_USER"
OWN_PASSWORD_ENV: Final = "ZEROENTRY_CAMERA_PASSWORD"  # noqa: S105 - its name
DIRECTOR_TOKEN_ENV: Final = "ZEROENTRY_DEMO_TOKEN"  # noqa: S105 - its name
NODES: Final = ("edge-1", "edge-2")
RECORDERS: Final = tuple(f"{node}-recorder" for node in NODES)
LOW_PERCENT: Final = 0.5
CRITICAL_PERCENT: Final = 0.2
# A visitor's disk is nearly full more often than a node's, and a day of the demo takes 100 MB.
ROBOTS: Final = ("robot-1", "robot-2")
FACILITIES: Final = "facility-sim"
DOOR: Final[Mapping[str, Any]] = {
    "kind": "door",
    "id": "corridor-door",
    "name": {"zh": "走廊门", "en": "Corridor door"},
    "ways": [["c1", "c2"]],
    "link": {"via": "simulated", "board": FACILITIES},
}
"""Between kitchen and corridor; in the demo alone, for a door needs somebody who plays it."""
PASSWORD_BYTES: Final = (
    9  # 72 bits, 12 characters: typed once by a person who reads it off a screen
)


def recorder_of(name: str) -> str:
    """The node beside which a recorder of ``RECORDERS`` runs."""
    return NODES[RECORDERS.index(name)]


class DemoSetupError(Exception):
    """The demo cannot be laid out; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens, all on loopback."""

    broker: int
    rtsp: int
    cameras: int
    edges: Mapping[str, int]
    controller: int
    console: int
    director: int


@dataclass(frozen=True, slots=True)
class Keys:
    """Everything secret of one run; made new each time, handed over by environment only."""

    run: str
    nodes: Mapping[str, str]
    edge_token: str
    cameras: str
    director: str
    console: str
    store: str
    accounts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of the demo: its folder, ports, keys and processes."""

    folder: Path
    ports: Ports
    keys: Keys
    children: tuple[ChildSpec, ...]

    @property
    def controller_url(self) -> str:
        """Where the controller's API answers."""
        return f"http://{LOOPBACK}:{self.ports.controller}"

    @property
    def console_url(self) -> str:
        """What the visitor opens."""
        return f"http://{LOOPBACK}:{self.ports.console}"

    @property
    def node_folders(self) -> tuple[Path, ...]:
        """The nodes' data folders: recordings, and the keys that sign them."""
        return tuple(self.folder / node for node in NODES)

    @property
    def truth_file(self) -> Path:
        """Where the simulated cameras write what they showed."""
        return self.folder / "truth.jsonl"


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on now, and that no connection is given by chance.

    A process of ours may listen seconds after this: from the system's own range, a port would
    by then now and then be one end of somebody's connection.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            found.append(port)
        if len(found) == count:
            break
    return found


def check_port(port: int) -> None:
    """See that a port is free.

    Raises:
        DemoSetupError: it is taken; names the port and the way out.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise DemoSetupError(
                f"port {port} on {LOOPBACK} is taken ({error.strerror}): stop what listens "
                f"there, or choose another: make demo PORT={port + 1} "
                f"(zeroentry demo --port {port + 1})"
            ) from error


def site_source() -> Path:
    """The folder of the demo's site: in the repository, or as the wheel carries it."""
    here = Path(__file__).resolve()
    for folder in (here.parents[2] / "firmware_configs" / "demo", here.parent / "site"):
        if (folder / "site.yaml").is_file():
            return folder
    raise DemoSetupError("the demo's site, firmware_configs/demo, is not in this installation")


def prepare(
    folder: Path,
    *,
    console_port: int,
    camera: str = "",
    with_console: bool = True,
    eyes: bool = True,
) -> Plan:
    """Lay out a run in ``folder`` (which must be empty or new).

    ``eyes`` gives the simulated people at the hatch and the door the time that a visitor needs to
    see them; without it they are quick.
    """
    if console_port:
        check_port(console_port)
    broker, rtsp, cameras, edge_1, edge_2, controller, director, spare = free_ports(8)
    ports = Ports(
        broker=broker,
        rtsp=rtsp,
        cameras=cameras,
        edges=dict(zip(NODES, (edge_1, edge_2), strict=True)),
        controller=controller,
        console=console_port or spare,
        director=director,
    )
    keys = _keys()
    folder.mkdir(parents=True, exist_ok=True)
    environ = dict(os.environ)
    site = _lay_site(folder, ports, keys, camera, environ)
    children = (
        _broker(folder, ports),
        _cameras(folder, ports, keys, without=OWN_CAMERA if camera else ""),
        *(_edge(folder, site, ports, keys, node) for node in NODES),
        *(_recorder(folder, keys, node) for node in NODES),
        _controller(folder, site, ports, keys),
        _facilities(folder, site, ports),
        *(_bridge(folder, site, ports, keys, robot, eyes=eyes) for robot in ROBOTS),
        *((_console(folder, ports, keys),) if with_console else ()),
    )
    return Plan(folder=folder, ports=ports, keys=keys, children=children)


SECOND_PEOPLE: Final = ("colleague", "ops", "admin")
"""Accounts for a visitor who wants to try approvals, break-glass, settings."""


def _keys() -> Keys:
    names = ("visitor", *SECOND_PEOPLE, "director", "tablet-1", "kitchen-1", "panel-1")
    return Keys(
        run=new_key(),
        nodes={node: new_key() for node in NODES},
        edge_token=secrets.token_urlsafe(24),
        cameras=secrets.token_urlsafe(24),
        director=secrets.token_urlsafe(24),
        console=secrets.token_urlsafe(24),
        store=_store_key(),
        accounts={name: secrets.token_urlsafe(PASSWORD_BYTES) for name in names},
    )


def _store_key() -> str:
    from runtime.secrets import new_secret_key

    return new_secret_key()


def _lay_site(
    folder: Path, ports: Ports, keys: Keys, camera: str, environ: Mapping[str, str]
) -> Path:
    site = folder / "site"
    shutil.copytree(site_source(), site, dirs_exist_ok=True)
    for file in sorted((site / "cameras").glob("*.yaml")):
        document = yaml.safe_load(file.read_text("utf-8"))
        document["main"]["url"] = f"rtsp://{LOOPBACK}:{ports.rtsp}/{document['id']}"
        if camera and document["id"] == OWN_CAMERA:
            _own_camera(document, camera, folder, keys, environ)
        _write_yaml(file, document)
    _write_yaml(site / "facilities" / f"{DOOR['id']}.yaml", DOOR)
    return site


def _own_camera(
    document: dict[str, Any], camera: str, folder: Path, keys: Keys, environ: Mapping[str, str]
) -> None:
    document["main"]["url"] = _as_url(camera)
    document["simulated"] = False
    document["sound"] = "none"  # not known before it is opened: its absence is then no fault
    user, password = environ.get(OWN_USER_ENV), environ.get(OWN_PASSWORD_ENV)
    if user and password:
        from runtime.secrets import Credential, CredentialStore

        store = CredentialStore(folder / "edge-2" / "credentials.json", keys.store.encode())
        (folder / "edge-2").mkdir(exist_ok=True)
        store.set("own-camera", Credential(user, password))
        document["credential"] = "own-camera"


def _as_url(camera: str) -> str:
    if camera.startswith("/dev/"):
        return f"v4l2://{camera}"
    if "://" in camera:
        if "@" in camera.split("://", 1)[1].split("/", 1)[0]:
            raise DemoSetupError(
                "the camera's address carries a user name or password. Give the address without "
                "them and put them into the environment: "
                f"{OWN_USER_ENV}=... {OWN_PASSWORD_ENV}=... make demo CAMERA=rtsp://HOST/PATH"
            )
        return camera
    path = Path(camera).expanduser().resolve()
    if not path.is_file():
        raise DemoSetupError(
            f"no camera or file {camera!r}: give rtsp://..., a video file or /dev/video0"
        )
    return path.as_uri()


def _write_yaml(path: Path, document: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False), "utf-8")
    return path


def _child(
    folder: Path, name: str, command: tuple[str, ...], extra: Mapping[str, str] | None = None
) -> ChildSpec:
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith("ZEROENTRY_")
    } | {
        # two cores for ten processes: each numeric library keeps to one thread
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }
    return ChildSpec(
        name=name,
        command=(sys.executable, "-m", *command),
        environ=environ,
        output=folder / "logs" / f"{name}.log",
    )


def _broker(folder: Path, ports: Ports) -> ChildSpec:
    return _child(folder, "broker", ("runtime.broker", "--port", str(ports.broker)))


def _cameras(folder: Path, ports: Ports, keys: Keys, *, without: str) -> ChildSpec:
    scenes = (
        {
            "id": "room-1-cam",
            "scene": SceneKind.ROOM.value,
            "seed": 0,
            "label": "ROOM 1 / CAM 01",
            "warm": True,
        },
        {"id": "room-2-cam", "scene": SceneKind.ROOM.value, "seed": 3, "label": "ROOM 2 / CAM 02"},
        {
            "id": "corridor-1-cam",
            "scene": SceneKind.CORRIDOR.value,
            "seed": 5,
            "label": "CORRIDOR / CAM 03",
        },
    )
    settings = {
        "rtsp_port": ports.rtsp,
        "control_port": ports.cameras,
        "truth_file": str(folder / "truth.jsonl"),
        "cameras": [scene for scene in scenes if scene["id"] != without],
    }
    file = _write_yaml(folder / "cameras.yaml", settings)
    return _child(
        folder,
        "cameras",
        ("zeroentry.demo", "cameras", str(file)),
        {CAMERAS_TOKEN_ENV: keys.cameras},
    )


def _mqtt(ports: Ports, client: str) -> dict[str, object]:
    return {"host": LOOPBACK, "port": ports.broker, "client_id": client}


def _edge(folder: Path, site: Path, ports: Ports, keys: Keys, node: str) -> ChildSpec:
    data = folder / node
    settings = {
        "node": node,
        "site_dir": str(site),
        "data_dir": str(data),
        "mqtt": _mqtt(ports, node),
        "api": {"host": LOOPBACK, "port": ports.edges[node]},
        "recording": {"low_percent": LOW_PERCENT, "critical_percent": CRITICAL_PERCENT},
    }
    file = _write_yaml(folder / f"{node}.yaml", settings)
    return _child(
        folder,
        node,
        ("zeroentry", "edge", "--config", str(file)),
        {
            "ZEROENTRY_RUN_KEY": keys.run,
            "ZEROENTRY_NODE_KEY": keys.nodes[node],
            "ZEROENTRY_EDGE_TOKENS": f"controller:view+metrics:{keys.edge_token}",
            "ZEROENTRY_SECRET_KEY": keys.store,
        },
    )


def _recorder(folder: Path, keys: Keys, node: str) -> ChildSpec:
    """The recorder beside a node: it reads the same file, and needs camera passwords alone."""
    return _child(
        folder,
        f"{node}-recorder",
        ("zeroentry", "recorder", "--config", str(folder / f"{node}.yaml")),
        {"ZEROENTRY_SECRET_KEY": keys.store},
    )


def _accounts(keys: Keys) -> list[dict[str, object]]:
    roles: dict[str, tuple[list[Role], str | None]] = {
        "visitor": ([Role.SUPERVISOR, Role.KITCHEN, Role.TABLET, Role.DOOR_PANEL], None),
        # What takes two people takes a second account; the administrators are a third.
        "colleague": ([Role.SUPERVISOR, Role.AUDITOR], None),
        "ops": ([Role.OPS], None),
        "admin": ([Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN], None),
        "director": ([Role.SUPERVISOR], None),
        "tablet-1": ([Role.TABLET], "room-1"),
        "kitchen-1": ([Role.KITCHEN], None),
        "panel-1": ([Role.DOOR_PANEL], None),
    }
    return [
        {
            "username": name,
            "password": keys.accounts[name],
            "roles": [role.value for role in granted],
            "room_id": room,
        }
        for name, (granted, room) in roles.items()
    ]


def _controller(folder: Path, site: Path, ports: Ports, keys: Keys) -> ChildSpec:
    settings = {
        "site_dir": str(site),
        "data_dir": str(folder / "controller"),
        "deployment": "demo",
        "mqtt": _mqtt(ports, "controller"),
        "api": {"host": LOOPBACK, "port": ports.controller},
    }
    file = _write_yaml(folder / "controller.yaml", settings)
    return _child(
        folder,
        "controller",
        ("zeroentry", "controller", "--config", str(file)),
        {
            "ZEROENTRY_RUN_KEY": keys.run,
            "ZEROENTRY_NODE_KEYS": json.dumps(dict(keys.nodes)),
            "ZEROENTRY_EDGE_TOKEN": keys.edge_token,
            "ZEROENTRY_BOOTSTRAP_ACCOUNTS": json.dumps(_accounts(keys)),
        },
    )


def _facilities(folder: Path, site: Path, ports: Ports) -> ChildSpec:
    words = ("--host", LOOPBACK, "--port", str(ports.broker))
    return _child(folder, FACILITIES, ("zeroentry", "facility-sim", str(site), *words))


def _bridge(
    folder: Path, site: Path, ports: Ports, keys: Keys, robot: str, *, eyes: bool
) -> ChildSpec:
    declared = yaml.safe_load((site / "robots" / f"{robot}.yaml").read_text("utf-8"))
    settings = {
        "identity": {key: declared[key] for key in ("manufacturer", "serial_number")},
        "mqtt": _mqtt(ports, robot),
        "map_file": str(site / "maps" / "floor-1.lif.json"),
        "start_node": declared["home_node"],
        "data_dir": str(folder / robot),
        "compartments": declared["compartments"],
        "sim": {
            "speed_mps": declared["speed_max_m_s"],
            "load_nodes": ["kitchen"],
            "load_after_ms": 4_000 if eyes else 1_000,
            "collect_after_ms": 8_000 if eyes else 1_000,
        },
    }
    file = _write_yaml(folder / f"{robot}.yaml", settings)
    return _child(
        folder,
        robot,
        ("zeroentry", "bridge", "--config", str(file)),
        {"ZEROENTRY_RUN_KEY": keys.run},
    )


def _console(folder: Path, ports: Ports, keys: Keys) -> ChildSpec:
    settings = {
        "controller_url": f"http://{LOOPBACK}:{ports.controller}",
        "host": LOOPBACK,
        "port": ports.console,
        "demo": {"url": f"http://{LOOPBACK}:{ports.director}", "token_env": DIRECTOR_TOKEN_ENV},
    }
    file = _write_yaml(folder / "console.yaml", settings)
    return _child(
        folder,
        "console",
        ("zeroentry", "console", "--config", str(file)),
        {DIRECTOR_TOKEN_ENV: keys.director, "ZEROENTRY_CONSOLE_SECRET": keys.console},
    )
