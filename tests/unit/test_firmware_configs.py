"""Each file under firmware_configs is a test case; each mistake gets its exact message."""

import shutil
from pathlib import Path

import pytest

from contracts.devices import CameraConfig, NodeConfig, PickupConfig, RobotConfig, SiteConfig
from contracts.envelope import Strict
from runtime.settings import SettingsError, check, parse_yaml_strict
from runtime.site import BOARDS, FACILITY_MODELS, load_folder, load_map, load_site

CONFIGS = Path(__file__).parents[2] / "firmware_configs"
SITES = sorted(path.parent for path in CONFIGS.glob("*/site.yaml"))
FILES = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != BOARDS)
MODELS: dict[str, type[Strict]] = {
    "cameras": CameraConfig,
    "nodes": NodeConfig,
    "pickups": PickupConfig,
    "robots": RobotConfig,
}


def name_of(path: Path) -> str:
    return str(path.relative_to(CONFIGS))


def model_of(path: Path) -> type[Strict]:
    if path.parent.name != "facilities":
        return MODELS[path.parent.name]
    value = parse_yaml_strict(path).value
    assert isinstance(value, dict)
    return FACILITY_MODELS[value["kind"]]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_file_is_read_as_its_kind(path: Path) -> None:
    model = SiteConfig if path.name == "site.yaml" else model_of(path)
    assert isinstance(check(model, parse_yaml_strict(path)), model)
    assert any(path.is_relative_to(site) for site in SITES), (
        "a file outside any site is read by nobody"
    )


@pytest.mark.parametrize("folder", SITES, ids=name_of)
def test_each_site_holds_together(folder: Path) -> None:
    site, robot_map = load_folder(folder)
    assert site == load_site(folder)
    assert robot_map == load_map(folder, site)
    watched = {area for node in site.nodes for area in node.areas}
    assert {camera.area for camera in site.cameras} <= watched, "a camera that no node reads"


def test_demo_is_what_the_demo_plays_in() -> None:
    site, robot_map = load_folder(CONFIGS / "demo")
    assert [camera.id for camera in site.cameras] == ["corridor-1-cam", "room-1-cam", "room-2-cam"]
    assert {camera.main.url for camera in site.cameras} == {
        f"rtsp://127.0.0.1:8554/{camera.id}" for camera in site.cameras
    }
    assert all(camera.simulated for camera in site.cameras)
    assert len(site.robots) == 2
    assert all(edge.id == f"{edge.start}--{edge.end}" for edge in robot_map.edges.values())
    # Every way is two-way, so a robot can always come home.
    assert all(robot_map.between(edge.end, edge.start) for edge in robot_map.edges.values())
    zoned = {node for zone in site.config.zones for node in zone.nodes}
    assert zoned == set(robot_map.nodes), "a node outside all zones proves nothing in the report"


def site_with(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the demo's site in which ``old`` is ``new`` (once) in one file."""
    copy = folder / "site"
    shutil.copytree(CONFIGS / "demo", copy)
    path = copy / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    assert old in text
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return copy


def problems_of(folder: Path) -> list[str]:
    """Every mistake, as printed, with the folder's own path left out."""
    with pytest.raises(SettingsError) as caught:
        load_folder(folder)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


BROKEN: dict[str, tuple[str, str, str, list[str]]] = {
    "password in the address": (
        "cameras/room-1-cam.yaml",
        "rtsp://127",
        "rtsp://admin:pass@127",
        [
            (
                "cameras/room-1-cam.yaml:6: main.url: carries a user name or password. Write "
                "the address without them, add `credential: NAME`, and store them encrypted: "
                "zeroentry credential set NAME"
            ),
        ],
    ),
    "user in the address": (
        "cameras/room-1-cam.yaml",
        "rtsp://127",
        "rtsp://admin@127",
        [
            (
                "cameras/room-1-cam.yaml:6: main.url: carries a user name or password. Write "
                "the address without them, add `credential: NAME`, and store them encrypted: "
                "zeroentry credential set NAME, not 'rtsp://admin@127.0.0.1:8554/room-1-cam'"
            ),
        ],
    ),
    "wrong scheme": (
        "cameras/room-1-cam.yaml",
        "rtsp://127",
        "http://127",
        [
            (
                "cameras/room-1-cam.yaml:6: main.url: must begin with rtsp://, rtsps://, "
                "file:// or v4l2:// (e.g. v4l2:///dev/video0), not "
                "'http://127.0.0.1:8554/room-1-cam'"
            ),
        ],
    ),
    "unknown key": (
        "cameras/room-1-cam.yaml",
        "analyse_fps",
        "analyze_fps",
        [
            (
                "cameras/room-1-cam.yaml:13: analyze_fps: unknown key; did you mean "
                "'analyse_fps'? (allowed: analyse_fps, area, backchannel, credential, floor, id, "
                "kind, main, name, nvr, onvif, simulated, sound, sub, tiles, transport, zones)"
            ),
        ],
    ),
    "not a choice": (
        "cameras/room-1-cam.yaml",
        "h264",
        "h266",
        [
            (
                "cameras/room-1-cam.yaml:7: main.codec: Input should be 'h264' or 'h265', not "
                "'h266' (allowed: 'h264' or 'h265')"
            ),
        ],
    ),
    "out of bounds": (
        "cameras/room-1-cam.yaml",
        "fps: 10",
        "fps: 0",
        [
            (
                "cameras/room-1-cam.yaml:10: main.fps: Input should be greater than 0, not '0' "
                "(allowed: > 0.0)"
            ),
        ],
    ),
    "missing key": (
        "cameras/room-1-cam.yaml",
        "area: room-1\n",
        "",
        [
            "cameras/room-1-cam.yaml:1: area: is missing (allowed: must be given)",
        ],
    ),
    "key twice": (
        "cameras/room-1-cam.yaml",
        "sound: aac",
        "sound: aac\nsound: none",
        [
            "cameras/room-1-cam.yaml:12: sound: is there twice; the first is on line 11",
        ],
    ),
    "not YAML": (
        "cameras/room-1-cam.yaml",
        "name: {",
        "name: {{",
        [
            "cameras/room-1-cam.yaml:5: is not YAML: expected ',' or '}', but got '<scalar>'",
        ],
    ),
    "empty file": (
        "cameras/new-cam.yaml",
        "",
        "",
        [
            "cameras/new-cam.yaml: kind: is missing (allowed: must be given)",
            "cameras/new-cam.yaml: id: is missing (allowed: must be given)",
            "cameras/new-cam.yaml: area: is missing (allowed: must be given)",
            "cameras/new-cam.yaml: name: is missing (allowed: must be given)",
            "cameras/new-cam.yaml: main: is missing (allowed: must be given)",
        ],
    ),
    "no such area": (
        "cameras/room-1-cam.yaml",
        "area: room-1",
        "area: room-7",
        [
            "cameras/room-1-cam.yaml:3: area: no area 'room-7'; ['corridor-1', 'room-1', 'room-2']",
        ],
    ),
    "file called otherwise": (
        "cameras/room-1-cam.yaml",
        "id: room-1-cam",
        "id: room-9-cam",
        [
            (
                "cameras/room-1-cam.yaml:2: id: is 'room-9-cam', but the file is called "
                "room-1-cam.yaml (allowed: room-1-cam, or a file called room-9-cam.yaml)"
            ),
        ],
    ),
    "device of another kind": (
        "robots/robot-1.yaml",
        "kind: robot",
        "kind: camera",
        [
            "robots/robot-1.yaml:1: kind: Input should be 'robot', not 'camera' (allowed: 'robot')",
        ],
    ),
    "area watched twice": (
        "nodes/edge-2.yaml",
        "[room-2,",
        "[room-1, room-2,",
        [
            "nodes/edge-2.yaml:3: areas: room-1 is watched by edge-1 already",
        ],
    ),
    "same serial number": (
        "robots/robot-2.yaml",
        "sim-0002",
        "sim-0001",
        [
            "robots/robot-1.yaml:5: serial_number: two robots share manufacturer and serial number",
            "robots/robot-2.yaml:5: serial_number: two robots share manufacturer and serial number",
        ],
    ),
    "no such home": (
        "robots/robot-2.yaml",
        "dock-2",
        "dok-2",
        [
            (
                "robots/robot-2.yaml:7: home_node: the map has no node 'dok-2'; did you mean "
                "'dock-2'? (allowed: a node of maps/floor-1.lif.json)"
            ),
        ],
    ),
    "too many compartments": (
        "robots/robot-2.yaml",
        "compartments: 3",
        "compartments: 9",
        [
            (
                "robots/robot-2.yaml:8: compartments: Input should be less than or equal to 4, "
                "not '9' (allowed: <= 4)"
            ),
        ],
    ),
    "no such door": (
        "site.yaml",
        "door_node: room-1-door",
        "door_node: room-1-dor",
        [
            (
                "site.yaml:13: areas[0].door_node: the map has no node 'room-1-dor'; did you "
                "mean 'room-1-door'? (allowed: a node of maps/floor-1.lif.json)"
            ),
        ],
    ),
    "no such zone node": (
        "site.yaml",
        "[kitchen, dock-1,",
        "[kitchen, dock-7,",
        [
            (
                "site.yaml:30: zones[0].nodes[1]: the map has no node 'dock-7'; did you mean "
                "'dock-2'? (allowed: a node of maps/floor-1.lif.json)"
            ),
        ],
    ),
    "node in two zones": (
        "site.yaml",
        "nodes: [room-2-door]",
        "nodes: [room-1-door]",
        [
            "site.yaml:2: zones.door-2.nodes: room-1-door already lies in zone door-1",
        ],
    ),
    "zone seen by nobody known": (
        "site.yaml",
        "seen_by: corridor-1",
        "seen_by: corridor-9",
        [
            (
                "site.yaml:2: zones.corridor-west.seen_by: no area 'corridor-9'; areas: "
                "['corridor-1', 'room-1', 'room-2']"
            ),
        ],
    ),
    "no such map": (
        "site.yaml",
        "floor-1.lif",
        "floor-2.lif",
        [
            "maps/floor-2.lif.json: cannot be read: No such file or directory",
        ],
    ),
    "map outside": (
        "site.yaml",
        "maps/floor-1.lif",
        "../floor-1.lif",
        [
            "../floor-1.lif.json: lies outside the site's folder",
        ],
    ),
    "misspelt folder": (
        "camera/room-3-cam.yaml",
        "",
        "kind: camera\n",
        [
            (
                "camera/room-3-cam.yaml: is not read: no place for a device (allowed: "
                "site.yaml, cameras/NAME.yaml, nodes/NAME.yaml, pickups/NAME.yaml, "
                "robots/NAME.yaml, facilities/NAME.yaml)"
            ),
        ],
    ),
    "wrong suffix": (
        "cameras/room-3-cam.yml",
        "",
        "kind: camera\n",
        [
            (
                "cameras/room-3-cam.yml: is not read: no place for a device (allowed: "
                "site.yaml, cameras/NAME.yaml, nodes/NAME.yaml, pickups/NAME.yaml, "
                "robots/NAME.yaml, facilities/NAME.yaml)"
            ),
        ],
    ),
    "map not JSON": (
        "maps/floor-1.lif.json",
        "{",
        "{,",
        [
            (
                "maps/floor-1.lif.json:1: is not JSON: Expecting property name enclosed in "
                "double quotes"
            ),
        ],
    ),
    "map with a dangling edge": (
        "maps/floor-1.lif.json",
        '"startNodeId": "c1"',
        '"startNodeId": "c99"',
        [
            "maps/floor-1.lif.json:28: edge c1--dock-1: no node c99",
        ],
    ),
    "map without a position": (
        "maps/floor-1.lif.json",
        '"y": 0.5',
        '"z": 0.5',
        [
            (
                "maps/floor-1.lif.json:9: layouts[0].nodes[0].nodePosition.y: is missing "
                "(allowed: must be given)"
            ),
            (
                "maps/floor-1.lif.json:3: layouts: Tuple should have at least 1 item after "
                "validation, not 0 (allowed: at least 1 long)"
            ),
        ],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_sites_say_what_is_wrong(case: str, tmp_path: Path) -> None:
    file, old, new, messages = BROKEN[case]
    assert problems_of(site_with(tmp_path, file, old, new)) == messages


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a folder"):
        load_site(tmp_path / "nowhere")


def test_five_mistakes_in_four_files_are_told_at_once(tmp_path: Path) -> None:
    folder = site_with(tmp_path, "cameras/room-1-cam.yaml", "fps: 10", "fps: 1000")
    camera = folder / "cameras/room-1-cam.yaml"
    camera.write_text(camera.read_text("utf-8").replace("sound: aac", "sond: aac"), "utf-8")
    robot = folder / "robots/robot-1.yaml"
    robot.write_text(robot.read_text("utf-8").replace("dock-1", "dock-9"), "utf-8")
    node = folder / "nodes/edge-1.yaml"
    node.write_text(node.read_text("utf-8").replace("room-1", "room-9"), "utf-8")
    site = folder / "site.yaml"
    site.write_text(
        site.read_text("utf-8").replace("kitchen_node: kitchen", "kitchen_node: k"), "utf-8"
    )
    assert problems_of(folder) == [
        (
            "cameras/room-1-cam.yaml:10: main.fps: Input should be less than or equal to "
            "120, not '1000' (allowed: <= 120.0)"
        ),
        (
            "cameras/room-1-cam.yaml:11: sond: unknown key; did you mean 'sound'? (allowed: "
            "analyse_fps, area, backchannel, credential, floor, id, kind, main, name, nvr, onvif, "
            "simulated, sound, sub, tiles, transport, zones)"
        ),
        "nodes/edge-1.yaml:3: areas: no area 'room-9'; ['corridor-1', 'room-1', 'room-2']",
        (
            "site.yaml:7: kitchen_node: the map has no node 'k' (allowed: a node of "
            "maps/floor-1.lif.json)"
        ),
        (
            "robots/robot-1.yaml:7: home_node: the map has no node 'dock-9'; did you mean "
            "'dock-2'? (allowed: a node of maps/floor-1.lif.json)"
        ),
    ]
