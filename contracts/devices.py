"""Schema of firmware_configs/: the declared state of a site and its devices. No secrets, ever."""

import base64
import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.admission import AdmissionPolicy, AreaKind, VestColours
from contracts.commands import KEEP_MAX_DAYS, KEEP_SEALED_DAYS
from contracts.envelope import Strict
from contracts.facilities import (
    DoorConfig,
    Facility,
    FireConfig,
    LiftConfig,
    board_of,
    driven_by,
)
from contracts.naming import CredentialName as CredentialName  # noqa: PLC0414  # others have it here
from contracts.naming import Named as Named  # noqa: PLC0414  # others have it here
from contracts.naming import unique as _unique
from contracts.units import (
    CameraId,
    NodeId,
    PickupId,
    RobotId,
    RoomId,
    SiteId,
    ZoneId,
)
from contracts.zones import ZONES_MAX, PictureZone, zone_problems

PUBLIC_KEY_BYTES: Final = 32  # Ed25519
PUBLIC_KEY_HEAD: Final = bytes.fromhex("302a300506032b6570032100")
# What RFC 8410 puts before them in a PEM file (SubjectPublicKeyInfo).

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    r"(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)
_PASSWORD_KEYS: Final = frozenset({"password", "passwd", "pwd", "pass"})


def _refuse_password(url: str) -> str:
    """A stream address without a password in it.

    Raises:
        ValueError: the address carries a user or password; says where they belong.
    """
    parts = urlsplit(url)
    in_query = any(key.lower() in _PASSWORD_KEYS for key, _ in parse_qsl(parts.query))
    if parts.password is not None or parts.username is not None or in_query:
        raise ValueError(
            "carries a user name or password. Write the address without them, add "
            "`credential: NAME`, and store them encrypted: zeroentry credential set NAME"
        )
    if parts.scheme not in ("rtsp", "rtsps", "file", "v4l2"):
        raise ValueError(
            "must begin with rtsp://, rtsps://, file:// or v4l2:// (e.g. v4l2:///dev/video0)"
        )
    if parts.scheme in ("rtsp", "rtsps") and not parts.hostname:
        raise ValueError("has no host: rtsp://HOST[:PORT]/PATH")
    if parts.scheme in ("file", "v4l2") and (parts.netloc or not parts.path.strip("/")):
        example = "file:///srv/clip.mp4" if parts.scheme == "file" else "v4l2:///dev/video0"
        raise ValueError(f"must name a path of this machine, with three slashes: {example}")
    return url


def _plain_host(host: str) -> str:
    """A host name or an IP address, and nothing around it.

    Raises:
        ValueError: it is something else, such as an address with a port or a path.
    """
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(
                "must be a host name or an IP address alone; the port has a key of its own"
            ) from None
    elif _HOST_NAME.fullmatch(host) is None:
        raise ValueError("must be a host name or an IP address alone, e.g. 192.0.2.10")
    return host


SourceUrl = Annotated[str, StringConstraints(max_length=500), AfterValidator(_refuse_password)]
Host = Annotated[str, StringConstraints(max_length=253), AfterValidator(_plain_host)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Area(Strict):
    """A room or passage that cameras watch. ``door_node`` is where a robot stops to serve it."""

    id: RoomId
    name: Named
    kind: AreaKind = AreaKind.EVALUATION
    door_node: str | None = Field(default=None, max_length=64)
    seats: int = Field(default=0, ge=0, le=40)


class ZonePolicy(StrEnum):
    """Who may be in a zone of the robot map while a session is sealed."""

    CLOSED = "closed"
    EXPERTS_ONLY = "experts_only"
    OPEN = "open"


class Zone(Strict):
    """A stretch of the robot map with its policy and the area whose cameras see it.

    A zone without ``seen_by`` counts as occupied for robots, and as unproven in the report.
    """

    id: ZoneId
    name: Named
    policy: ZonePolicy
    nodes: tuple[str, ...] = Field(min_length=1, max_length=500)
    seen_by: RoomId | None = None
    clear_for_ms: int = Field(default=3_000, ge=500, le=60_000)


class SiteConfig(Strict):
    """One trading centre: its areas, the zones of its robot map, and where robots load."""

    kind: Literal["site"]
    id: SiteId
    name: Named
    time_zone: str = Field(default="Asia/Shanghai", max_length=40)
    map: str = Field(pattern=r"^[a-zA-Z0-9_./-]+\.lif\.json$", max_length=200)
    kitchen_node: str = Field(max_length=64)
    keep_sealed_days: int = Field(default=KEEP_SEALED_DAYS, ge=1, le=KEEP_MAX_DAYS)
    """How long the recordings of a sealed session are kept, unless the session says otherwise."""
    areas: tuple[Area, ...] = Field(min_length=1, max_length=200)
    zones: tuple[Zone, ...] = Field(default=(), max_length=500)
    vests: VestColours = VestColours()
    admission: AdmissionPolicy = AdmissionPolicy()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("areas", [area.id for area in self.areas])
        _unique("zones", [zone.id for zone in self.zones])
        known = {area.id for area in self.areas}
        for zone in self.zones:
            if zone.seen_by is not None and zone.seen_by not in known:
                raise ValueError(
                    f"zones.{zone.id}.seen_by: no area {zone.seen_by!r}; areas: {sorted(known)}"
                )
        taken: dict[str, str] = {}
        for zone in self.zones:
            for node in zone.nodes:
                if node in taken:
                    raise ValueError(
                        f"zones.{zone.id}.nodes: {node} already lies in zone {taken[node]}"
                    )
                taken[node] = zone.id
        return self


class StreamConfig(Strict):
    """One stream of a camera and what it is set to send.

    ``url`` is left out when the camera's ``onvif`` or ``nvr`` says where the stream is.
    """

    url: SourceUrl | None = None
    codec: Literal["h264", "h265"] = "h264"
    width: int = Field(ge=16, le=16_384)
    height: int = Field(ge=16, le=16_384)
    fps: float = Field(gt=0, le=120)


class OnvifSource(Strict):
    """A device that tells its stream addresses over ONVIF; a stream's own ``url`` goes before.

    A profile that is left out is chosen by the declared codec and size.
    """

    host: Host
    port: Port = 80
    main_profile: str | None = Field(default=None, min_length=1, max_length=64)
    sub_profile: str | None = Field(default=None, min_length=1, max_length=64)


class NvrTemplate(StrEnum):
    """Makers whose recorders give out their channels over RTSP at known paths."""

    HIKVISION = "hikvision"
    DAHUA = "dahua"
    UNIVIEW = "uniview"


class NvrSource(Strict):
    """A channel of a recorder that stays; ``channel`` counts from 1 as its own screen does."""

    template: NvrTemplate
    host: Host
    port: Port = 554
    channel: int = Field(ge=1, le=512)


FLOOR_POINTS_MIN: Final = 4  # a plane seen in perspective has eight unknowns: four points


class FloorPoint(Strict):
    """A mark on the floor: where the picture shows it, and where it is in the room."""

    x: float = Field(ge=-1.0, le=2.0)
    """In shares of the picture's width; marks beyond its edge may be reckoned."""
    y: float = Field(ge=-1.0, le=2.0)
    x_m: float = Field(ge=-200.0, le=200.0)
    y_m: float = Field(ge=-200.0, le=200.0)


TILES_MAX: Final = 4  # more would show the detector each person several times too large


class CameraConfig(Strict):
    """One camera: its streams, how to reach them, and how often its picture is analysed.

    Each stream has a ``url``, or the camera has ``onvif`` or ``nvr`` that gives it one.
    """

    kind: Literal["camera"]
    id: CameraId
    area: RoomId
    name: Named
    main: StreamConfig
    sub: StreamConfig | None = None
    onvif: OnvifSource | None = None
    nvr: NvrSource | None = None
    sound: Literal["aac", "pcma", "pcmu", "opus", "none"] = "aac"
    backchannel: Literal["off", "auto"] = "off"
    """``auto``: it has a loudspeaker, and is asked for an ONVIF audio back channel (talk)."""
    transport: Literal["tcp", "udp"] = "tcp"
    credential: CredentialName | None = None
    analyse_fps: float = Field(default=5.0, gt=0, le=30)
    tiles: int = Field(default=1, ge=1, le=TILES_MAX)
    """In how many overlapping parts, side by side, a wide picture goes to the detector."""
    floor: tuple[FloorPoint, ...] = Field(default=(), max_length=16)
    """Marks that this camera shares with others of its area, in one system of metres."""
    zones: tuple[PictureZone, ...] = Field(default=(), max_length=ZONES_MAX)
    """Used until somebody draws others in the node's editor."""
    simulated: bool = False

    @property
    def analysed(self) -> StreamConfig:
        """The stream that perception reads: the sub stream where there is one."""
        return self.sub or self.main

    @model_validator(mode="after")
    def _picture_is_described(self) -> Self:
        if problems := zone_problems(self.zones):
            raise ValueError(f"zones: {'; '.join(problems)}")
        if self.floor and len(self.floor) < FLOOR_POINTS_MIN:
            raise ValueError(
                f"floor: {len(self.floor)} points; at least {FLOOR_POINTS_MIN} are needed to tell "
                "where people stand, or none"
            )
        return self

    @model_validator(mode="after")
    def _each_stream_has_a_source(self) -> Self:
        declared = {"main": self.main, "sub": self.sub}
        without = [name for name, stream in declared.items() if stream and stream.url is None]
        if self.onvif is not None and self.nvr is not None:
            raise ValueError("onvif and nvr: both say where the streams are; keep one of them")
        if without and self.onvif is None and self.nvr is None:
            raise ValueError(
                f"{without[0]}.url: is missing; give the address, or `onvif: {{host: HOST}}`, or "
                "`nvr: {template: NAME, host: HOST, channel: 1}`"
            )
        if not without and self.nvr is not None:
            raise ValueError("nvr: is not used, every stream has a url; leave out nvr or the urls")
        if self.onvif is not None and self.onvif.sub_profile is not None and self.sub is None:
            raise ValueError("onvif.sub_profile: names a profile, but no `sub` stream is declared")
        return self


class PickupConfig(Strict):
    """One microphone that is not part of a camera.

    ``device`` is the name the system gives it, or a part that only one device has
    (``zeroentry pickup list`` shows them); ``default`` is whatever input the system prefers.
    """

    kind: Literal["pickup"]
    id: PickupId
    area: RoomId
    name: Named
    device: str = Field(min_length=1, max_length=120)
    host_api: str | None = Field(default=None, min_length=1, max_length=40)
    """Where ``device`` is looked for, e.g. ALSA or JACK; left out: everywhere."""
    rate_hz: int = Field(default=48_000, ge=8_000, le=192_000)
    """Asked of the device; one that refuses gives the rate it has. Recorded are 48 kHz."""
    channel: int | None = Field(default=None, ge=1, le=32)
    """Which input of the device, from 1; left out: mono as the driver makes it."""
    codec: Literal["flac", "aac"] = "flac"
    """FLAC keeps every sample; AAC is smaller and loses what an ear does not miss."""


def _public_key(text: str) -> str:
    """An Ed25519 public key in base64: raw, or the middle line of its PEM file.

    Raises:
        ValueError: it is none; says where to find it.
    """
    if _raw_key(text) is None:
        raise ValueError(
            "is no Ed25519 public key; copy the line between BEGIN and END of the node's "
            "recordings/keys/ed25519-….pem"
        )
    return text


def _raw_key(text: str) -> bytes | None:
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    raw = found.removeprefix(PUBLIC_KEY_HEAD)
    return raw if len(raw) == PUBLIC_KEY_BYTES else None


class NodeConfig(Strict):
    """One edge node and the areas it watches.

    ``evidence_key``: the public key that its recordings are signed with, base64 (raw, or the line
    of its PEM file). Declared, it counts as confirmed; left out, the first key seen is trusted and
    shown as unconfirmed until a person has confirmed it.
    """

    kind: Literal["node"]
    id: NodeId
    areas: tuple[RoomId, ...] = Field(min_length=1, max_length=64)
    evidence_key: Annotated[str, AfterValidator(_public_key)] | None = None

    @property
    def evidence_key_raw(self) -> bytes | None:
        """The declared key as its 32 bytes; None: none is declared."""
        return None if self.evidence_key is None else _raw_key(self.evidence_key)


class FactsheetUse(StrEnum):
    """Where the controller has from what a robot can do."""

    ASK = "ask"
    """The robot says it; until it has, it gets no order."""
    ASSUME = "assume"
    """The robot has no factsheet, and the site stands for the settings in this file."""


class Carriage(StrEnum):
    """What a robot carries things in."""

    AUTO = "auto"
    """As its factsheet says: compartments where it declares our actions for them, else a tray."""
    COMPARTMENTS = "compartments"
    TRAY = "tray"
    """An open surface: meals only, and custody says that nothing was locked."""
    NOTHING = "nothing"


OptionalField = Literal["nodePosition", "allowedDeviation", "maxSpeed", "length"]
"""Optional parts of an order that a robot of another make may not want."""

VDA_PREFIXES: Final = {"2.0.0": "uagv", "2.1.0": "uagv", "3.0.0": "vda5050"}
_NOT_IN_ID: Final = re.compile(r"[^a-z0-9]+")
_ID_MAX_CHARS: Final = 40  # contracts.units.ID_PATTERN


class RobotConfig(Strict):
    """One robot as the controller must know it; the rest it says itself in its factsheet.

    Manufacturer, serial number and version are enough: its id and name are then made from the
    serial number, and it lives at the first refuge of the map that no other robot has.
    """

    kind: Literal["robot"]
    id: RobotId
    name: Named
    manufacturer: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,60}$")
    serial_number: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,60}$")
    vda5050_version: Literal["2.0.0", "2.1.0", "3.0.0"] = "2.1.0"
    topic_prefix: str = Field(default="uagv", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    """Left out: as the version has it."""
    home_node: str = Field(default="", max_length=64)
    compartments: int = Field(default=1, ge=1, le=4)
    carries: Carriage = Carriage.AUTO
    factsheet: FactsheetUse = FactsheetUse.ASK
    instant_actions_key: Literal["actions", "instantActions"] = "actions"
    """What the list of instant actions is called: some robots of 2.0.0 want the second."""
    sends: tuple[OptionalField, ...] = ("nodePosition", "allowedDeviation", "maxSpeed", "length")
    """Optional fields that orders have; one that the factsheet requires is sent all the same."""
    node_deviation_m: float | None = Field(default=None, gt=0, le=5.0)
    """``allowedDeviationXY`` of every node; left out: the robot's own."""
    node_deviation_rad: float | None = Field(default=None, gt=0, le=3.1415)
    """``allowedDeviationTheta``; left out: the robot's own."""
    speed_max_m_s: float = Field(default=1.2, gt=0, le=3.0)
    deceleration_m_s2: float = Field(default=0.5, gt=0, le=5.0)
    """How hard it brakes when it is paused, where its factsheet does not say it."""
    simulated: bool = False

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_serial_number(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        serial = given.get("serial_number")
        if isinstance(serial, str) and "id" not in given:
            slug = _NOT_IN_ID.sub("-", serial.lower())[:_ID_MAX_CHARS].strip("-")
            given = {**given, "id": slug}
        if isinstance(serial, str) and "name" not in given:
            given = {**given, "name": {"zh": serial[:60], "en": serial[:60]}}
        version = given.get("vda5050_version")
        if "topic_prefix" not in given and isinstance(version, str) and version in VDA_PREFIXES:
            given = {**given, "topic_prefix": VDA_PREFIXES[version]}
        return given


Device = Annotated[
    SiteConfig | CameraConfig | PickupConfig | NodeConfig | RobotConfig | Facility,
    Field(discriminator="kind"),
]


class Site(Strict):
    """A whole site folder, cross-checked: every reference resolves."""

    config: SiteConfig
    cameras: tuple[CameraConfig, ...] = ()
    pickups: tuple[PickupConfig, ...] = ()
    nodes: tuple[NodeConfig, ...] = ()
    robots: tuple[RobotConfig, ...] = ()
    doors: tuple[DoorConfig, ...] = ()
    lifts: tuple[LiftConfig, ...] = ()
    fires: tuple[FireConfig, ...] = ()

    @property
    def facilities(self) -> tuple[DoorConfig | LiftConfig | FireConfig, ...]:
        """Doors, lifts and fire inputs."""
        return (*self.doors, *self.lifts, *self.fires)

    def area(self, area_id: RoomId) -> Area:
        """The area of this id; KeyError when the site has none."""
        for area in self.config.areas:
            if area.id == area_id:
                return area
        raise KeyError(area_id)

    def cameras_of(self, area_id: RoomId) -> tuple[CameraConfig, ...]:
        """The cameras that watch an area, in the order of their files."""
        return tuple(camera for camera in self.cameras if camera.area == area_id)


def cross_problems(site: Site) -> list[tuple[str, str]]:
    """References that lead nowhere, names used twice: ``(device id and field, what is wrong)``."""
    areas = {area.id for area in site.config.areas}
    problems: list[tuple[str, str]] = []
    watchers: tuple[CameraConfig | PickupConfig, ...] = (*site.cameras, *site.pickups)
    problems += [
        (f"{device.kind} {device.id}: area", f"no area {device.area!r}; {sorted(areas)}")
        for device in watchers
        if device.area not in areas
    ]
    watched: dict[str, str] = {}
    for node in site.nodes:
        for area in node.areas:
            if area not in areas:
                problems.append((f"node {node.id}: areas", f"no area {area!r}; {sorted(areas)}"))
            elif area in watched:
                problems.append(
                    (f"node {node.id}: areas", f"{area} is watched by {watched[area]} already")
                )
            watched[area] = node.id
    for kind, ids in (
        ("camera", [camera.id for camera in site.cameras]),
        ("pickup", [pickup.id for pickup in site.pickups]),
        ("node", [node.id for node in site.nodes]),
        ("robot", [robot.id for robot in site.robots]),
    ):
        problems += [(f"{kind} {name}: id", "is used twice") for name in ids if ids.count(name) > 1]
    problems += _facility_problems(site)
    addresses = [(robot.manufacturer, robot.serial_number) for robot in site.robots]
    problems += [
        (f"robot {robot.id}: serial_number", "two robots share manufacturer and serial number")
        for robot, address in zip(site.robots, addresses, strict=True)
        if addresses.count(address) > 1
    ]
    return problems


def _facility_problems(site: Site) -> list[tuple[str, str]]:
    """Names that two facilities share, ways with two doors, cab nodes of two lifts."""
    ids = [row.id for row in site.facilities]
    problems = [
        (f"{row.kind} {row.id}: id", "is used twice among doors, lifts and fire inputs")
        for row in site.facilities
        if ids.count(row.id) > 1
    ]
    taken: dict[frozenset[str], str] = {}
    for door in site.doors:
        for pair in door.ways:
            other = taken.setdefault(frozenset(pair), door.id)
            if other != door.id:
                where = f"door {door.id}: ways"
                problems.append((where, f"{' - '.join(pair)} has door {other} already"))
    cabs: dict[str, str] = {}
    for lift in site.lifts:
        for row in lift.floors:
            other = cabs.setdefault(row.cab_node, lift.id)
            if other != lift.id:
                where = f"lift {lift.id}: floors"
                problems.append((where, f"{row.cab_node} lies in lift {other} already"))
    return problems + _board_problems(site)


def _board_problems(site: Site) -> list[tuple[str, str]]:
    """Boards that share topics, and relays that two facilities would drive against each other."""
    problems: list[tuple[str, str]] = []
    board_at: dict[str, str] = {}
    driver: dict[tuple[str, str], str] = {}
    for row in site.facilities:
        link = board_of(row)
        if link is None:
            continue
        where = f"{row.kind} {row.id}: link"
        board = board_at.setdefault(link.topic_prefix, link.board)
        if board != link.board:
            # Only one of them could have rights at the broker.
            problems.append((where, f"prefix {link.topic_prefix} is board {board}'s already"))
        for relay in driven_by(link):
            other = driver.setdefault((link.topic_prefix, relay), row.id)
            if other != row.id:
                problems.append((where, f"{relay} of {link.board} is driven by {other} already"))
    return problems
