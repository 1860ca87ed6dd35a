"""Reads a site's folder (site.yaml, devices, robot map) and tells ALL its mistakes at once.

    site.yaml  cameras/*.yaml  pickups/*.yaml  nodes/*.yaml  robots/*.yaml  facilities/*.yaml
    maps/*.lif.json

One device a file, and the file is called after the device. Each mistake names file, line, path in
the YAML, and what is allowed.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from contracts.devices import (
    CameraConfig,
    NodeConfig,
    PickupConfig,
    RobotConfig,
    Site,
    SiteConfig,
    cross_problems,
)
from contracts.envelope import Strict
from contracts.facilities import DoorConfig, Facility, FireConfig, LiftConfig
from contracts.layout import LayoutError, Lif, RobotMap, from_lif
from runtime.json_lines import JsonError, parse_json
from runtime.settings import KeyPath, Parsed, Problem, SettingsError, check, parse_yaml_strict

SITE_FILE: Final = "site.yaml"

DEVICES_MAX: Final = 2_000
# A centre of 100 rooms has some 300 cameras; ten times that is a folder that is not a site.

MAP_MAX_BYTES: Final = 16_777_216  # 16 MiB: NODES_MAX nodes with their edges stay below

D = TypeVar("D", CameraConfig, PickupConfig, NodeConfig, RobotConfig)

FACILITIES: Final = "facilities"
BOARDS: Final = "boards"
"""Files for the relay boards themselves: ESPHome reads them, we do not."""
FACILITY_MODELS: Final[Mapping[str, type[Facility]]] = {
    "door": DoorConfig,
    "lift": LiftConfig,
    "fire": FireConfig,
}


def load_site(folder: Path) -> Site:
    """The devices of a site folder, each reference among them resolved.

    Raises:
        SettingsError: with every mistake in every file of the folder, the map left out.
    """
    read = _read(folder)
    if read.site is None:
        raise SettingsError(read.problems)
    return read.site


def load_map(folder: Path, site: Site) -> RobotMap:
    """The robot map of a site, on which every node that the site's files name exists.

    Raises:
        SettingsError: with every mistake of the map and every reference that leads nowhere.
    """
    read = _read(folder)
    problems: list[Problem] = []
    robot_map = _map(folder, site, read.documents, problems)
    if robot_map is None:
        raise SettingsError(problems)
    return robot_map


def load_folder(folder: Path) -> tuple[Site, RobotMap]:
    """``load_site`` and ``load_map`` in one, with the mistakes of both.

    Raises:
        SettingsError: with every mistake in the folder.
    """
    read = _read(folder)
    if read.config is None:
        raise SettingsError(read.problems)
    problems = list(read.problems)
    whole = read.site or Site(config=read.config, robots=read.robots)
    robot_map = _map(folder, whole, read.documents, problems)
    if problems or read.site is None or robot_map is None:
        raise SettingsError(problems)
    return read.site, robot_map


_Documents = Mapping[tuple[str, str], Parsed]


@dataclass(slots=True)
class _Read:
    """What was found so far; ``site`` is None while there is any problem."""

    config: SiteConfig | None = None
    robots: tuple[RobotConfig, ...] = ()
    site: Site | None = None
    documents: dict[tuple[str, str], Parsed] = field(default_factory=dict)
    """``(kind, id)`` to its file, for the lines of later findings."""
    problems: list[Problem] = field(default_factory=list)


def _read(folder: Path) -> _Read:
    read = _Read()
    if not folder.is_dir():
        read.problems.append(Problem(str(folder), "", "is not a folder", "a folder with site.yaml"))
        return read
    read.config = _document(folder / SITE_FILE, SiteConfig, read)
    if read.config is not None:
        read.documents["site", read.config.id] = parse_yaml_strict(folder / SITE_FILE)
    cameras = _devices(folder, "camera", CameraConfig, read)
    pickups = _devices(folder, "pickup", PickupConfig, read)
    nodes = _devices(folder, "node", NodeConfig, read)
    read.robots = _devices(folder, "robot", RobotConfig, read)
    facilities = _facilities(folder, read)
    read.problems += _strays(folder)
    if read.config is None:
        return read
    site = Site(
        config=read.config,
        cameras=cameras,
        pickups=pickups,
        nodes=nodes,
        robots=read.robots,
        doors=tuple(row for row in facilities if isinstance(row, DoorConfig)),
        lifts=tuple(row for row in facilities if isinstance(row, LiftConfig)),
        fires=tuple(row for row in facilities if isinstance(row, FireConfig)),
    )
    read.problems += _cross(site, read.documents)
    read.site = None if read.problems else site
    return read


S = TypeVar("S", bound=Strict)


def _document(path: Path, model: type[S], read: _Read) -> S | None:
    try:
        return check(model, parse_yaml_strict(path))
    except SettingsError as error:
        read.problems += error.problems
        return None


def _devices(folder: Path, kind: str, model: type[D], read: _Read) -> tuple[D, ...]:
    """The devices of one kind, in the order of their files' names."""
    found: list[D] = []
    for path in sorted((folder / f"{kind}s").glob("*.yaml"))[:DEVICES_MAX]:
        device = _document(path, model, read)
        if device is None:
            continue
        found.append(device)
        _note(path, kind, device.id, read)
    return tuple(found)


def _facilities(folder: Path, read: _Read) -> tuple[Facility, ...]:
    """Doors, lifts and fire inputs: one folder, their files say which they are."""
    found: list[Facility] = []
    for path in sorted((folder / FACILITIES).glob("*.yaml"))[:DEVICES_MAX]:
        try:
            parsed = parse_yaml_strict(path)
        except SettingsError as error:
            read.problems += error.problems
            continue
        kind = parsed.value.get("kind") if isinstance(parsed.value, dict) else None
        model = FACILITY_MODELS.get(kind) if isinstance(kind, str) else None
        if model is None:
            allowed = ", ".join(FACILITY_MODELS)
            place = parsed.place(("kind",))
            read.problems.append(Problem(place, "kind", f"is {kind!r}", allowed))
            continue
        facility = _document(path, model, read)
        if facility is not None:
            found.append(facility)
            _note(path, facility.kind, facility.id, read)
    return tuple(found)


def _note(path: Path, kind: str, device_id: str, read: _Read) -> None:
    """Keep a device's file for later findings, and hold its name against the device's."""
    parsed = parse_yaml_strict(path)
    read.documents[kind, device_id] = parsed
    if device_id != path.stem:
        message = f"is {device_id!r}, but the file is called {path.name}"
        allowed = f"{path.stem}, or a file called {device_id}.yaml"
        read.problems.append(Problem(parsed.place(("id",)), "id", message, allowed))


def _strays(folder: Path) -> Iterator[Problem]:
    """YAML files that nobody reads: a misspelt folder would else lose a camera in silence."""
    folders = ("cameras", "nodes", "pickups", "robots", FACILITIES)
    for path in sorted(folder.rglob("*.y*ml")):
        place = path.relative_to(folder)
        known = path.suffix == ".yaml" and (
            str(place) == SITE_FILE
            or (len(place.parts) == 2 and place.parts[0] in {*folders, BOARDS})
        )
        if not known:
            allowed = f"{SITE_FILE}, " + ", ".join(f"{name}/NAME.yaml" for name in folders)
            yield Problem(str(path), "", "is not read: no place for a device", allowed)


def _cross(site: Site, documents: _Documents) -> Iterator[Problem]:
    """``cross_problems`` with file and line."""
    for where, what in cross_problems(site):
        device, _, name = where.partition(": ")
        kind, _, device_id = device.partition(" ")
        parsed = documents[kind, device_id]
        yield Problem(parsed.place((name,)), name, what)


def _map(
    folder: Path, site: Site, documents: _Documents, problems: list[Problem]
) -> RobotMap | None:
    """The map, or None with ``problems`` filled."""
    path = folder / site.config.map
    before = len(problems)
    try:
        robot_map = _parse_map(path, folder).map
    except SettingsError as error:
        problems += error.problems
        return None
    problems += _references(site, robot_map, documents)
    return robot_map if len(problems) == before else None


def map_problems(folder: Path, site: Site, robot_map: RobotMap) -> tuple[Problem, ...]:
    """Nodes that a site's files name and ``robot_map`` does not have, with file and line."""
    return tuple(_references(site, robot_map, _read(folder).documents))


@dataclass(frozen=True, slots=True)
class MapFile:
    """A map as its file has it: the LIF, the graph made of it, and the line of everything."""

    lif: Lif
    map: RobotMap
    parsed: Parsed


def read_map(path: Path) -> MapFile:
    """Read one LIF file.

    Raises:
        SettingsError: with every mistake in it, each with its line.
    """
    return _parse_map(path, path.parent)


def _parse_map(path: Path, folder: Path) -> MapFile:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SettingsError([Problem(str(path), "", "lies outside the site's folder")])
    try:
        if path.stat().st_size > MAP_MAX_BYTES:
            raise SettingsError([Problem(str(path), "", f"larger than {MAP_MAX_BYTES} bytes")])
        value, lines = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([Problem(str(path), "", f"cannot be read: {error.strerror}")]) from None
    except JsonError as error:
        raise SettingsError([Problem(f"{path}:{error.line}", "", str(error))]) from None
    except UnicodeDecodeError:
        raise SettingsError([Problem(str(path), "", "is not JSON in UTF-8")]) from None
    parsed = Parsed(str(path), value, lines)
    lif = check(Lif, parsed)
    try:
        return MapFile(lif, from_lif(lif), parsed)
    except LayoutError as error:
        raise SettingsError(
            [Problem(parsed.place(found.place), "", found.text) for found in error.found]
        ) from None


def _references(site: Site, robot_map: RobotMap, documents: _Documents) -> Iterator[Problem]:
    """Nodes that the site's files name and the map does not have."""
    config = site.config
    named: list[tuple[tuple[str, str], KeyPath, str]] = [
        (("site", config.id), ("kitchen_node",), config.kitchen_node)
    ]
    for index, area in enumerate(config.areas):
        if area.door_node is not None:
            named.append((("site", config.id), ("areas", index, "door_node"), area.door_node))
    for index, zone in enumerate(config.zones):
        named += [
            (("site", config.id), ("zones", index, "nodes", at), node)
            for at, node in enumerate(zone.nodes)
        ]
    named += [
        (("robot", robot.id), ("home_node",), robot.home_node)
        for robot in site.robots
        if robot.home_node
    ]
    for door in site.doors:
        named += [
            (("door", door.id), ("ways", index, at), node)
            for index, pair in enumerate(door.ways)
            for at, node in enumerate(pair)
        ]
    for lift in site.lifts:
        named += [
            (("lift", lift.id), ("floors", index, "cab_node"), row.cab_node)
            for index, row in enumerate(lift.floors)
        ]
    for document, path, node in named:
        if node not in robot_map.nodes:
            close = difflib.get_close_matches(node, robot_map.nodes, n=1, cutoff=0.6)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            message = f"the map has no node {node!r}{hint}"
            place = documents[document].place(path)
            yield Problem(place, _dotted(path), message, f"a node of {config.map}")


def _dotted(path: KeyPath) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text
