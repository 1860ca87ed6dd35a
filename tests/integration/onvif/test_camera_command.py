"""The way to one's own first camera: discover, probe, write, check, apply."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.devices import CameraConfig
from runtime.secrets import Credential, CredentialStore, new_secret_key
from runtime.settings import check, parse_yaml_strict
from runtime.site import load_site
from tests.fakes.onvif_device import DeviceState, DiscoveryResponder, FakeOnvifDevice
from zeroentry.cameras import app

EXAMPLE = Path(__file__).parents[3] / "firmware_configs" / "example"
PASSWORD = DeviceState().password
LOGIN = {"ZEROENTRY_CAMERA_USER": "admin", "ZEROENTRY_CAMERA_PASSWORD": PASSWORD}


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    quiet = {
        "COLUMNS": "200",
        "LANG": "C",
        "LC_ALL": "",
        "ZEROENTRY_CAMERA_USER": "",
        "ZEROENTRY_SECRET_KEY": "",
    }
    result = CliRunner(env=quiet | (LOGIN if env is None else env)).invoke(app, list(arguments))
    assert "Traceback" not in result.output
    assert PASSWORD not in result.output
    return result.exit_code, result.output


@pytest.fixture
def device() -> Iterator[FakeOnvifDevice]:
    with FakeOnvifDevice() as fake:
        yield fake
        assert fake.mistakes == []


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "site"))


def written(site: Path, device: FakeOnvifDevice) -> Path:
    path = site / "cameras" / "new-cam.yaml"
    port = str(device.port)
    area = load_site(site).config.areas[0].id
    code, said = run("probe", "127.0.0.1", "--port", port, "--write", str(path), "--area", area)
    assert code == 0, said
    return path


def test_discover_lists_and_names_the_next_step() -> None:
    with DiscoveryResponder("http://192.168.1.64:8000/onvif/device_service") as camera:
        asked = ("discover", "--interface", "lo", "--port", str(camera.port), "--wait-s", "0.4")
        code, said = run(*asked)
        assert code == 0
        assert "zeroentry camera probe 127.0.0.1 --port 8000" in said
        assert "calls itself 192.168.1.64" in said
        code, said = run(*asked, "--json")
        assert [each["port"] for each in json.loads(said)] == [8000]


def test_discover_finds_nobody() -> None:
    code, said = run("discover", "--interface", "lo", "--port", "1", "--wait-s", "0.1")
    assert code == 0
    assert "No device answered" in said
    code, said = run("discover", "--interface", "nope0", "--wait-s", "0.1")
    assert code == 2
    assert "nope0" in said


def test_probe_shows_what_a_device_is(device: FakeOnvifDevice) -> None:
    device.state.encoders[0].encoding = "H265"
    device.state.clock_offset_s = 90
    port = str(device.port)
    code, said = run("probe", "127.0.0.1", "--port", port)
    assert code == 0
    for words in ("Zero Entry IPC-Test", "off by +", "rtsp://127.0.0.1:554/main", "H.265"):
        assert words in said
    code, said = run("probe", "127.0.0.1", "--port", port, "--lang", "zh")
    assert "时钟: 偏差" in said
    assert "H.265" in said
    code, said = run("probe", "127.0.0.1", "--port", port, "--json")
    assert json.loads(said)["streams"]["Profile_1"] == "rtsp://127.0.0.1:554/sub"


def test_probe_writes_a_file_that_the_node_takes(site: Path, device: FakeOnvifDevice) -> None:
    path = written(site, device)
    camera = check(CameraConfig, parse_yaml_strict(path))
    assert camera.onvif is not None
    assert (camera.onvif.port, camera.onvif.sub_profile) == (device.port, "Profile_1")
    assert camera.sub is not None
    assert (camera.main.width, camera.sub.width, camera.sound) == (1920, 640, "aac")
    assert camera.credential == "new-cam"
    assert PASSWORD not in path.read_text("utf-8")
    assert "new-cam" in [each.id for each in load_site(site).cameras]
    assert [each.name for each in path.parent.iterdir() if each.suffix != ".yaml"] == []


def test_probe_writes_what_a_device_calls_itself_as_text(
    site: Path, device: FakeOnvifDevice
) -> None:
    device.state.name = "x\n}: [evil] #"
    device.state.encoders[0].profile = 'a": {b: [c'
    device.state.sound = None
    camera = check(CameraConfig, parse_yaml_strict(written(site, device)))
    assert camera.onvif is not None
    assert camera.onvif.main_profile == 'a": {b: [c'
    assert camera.sound == "none"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("site/cameras/room-1-cam.yaml", "exists already"),
        ("site/camera/x.yaml", "no place for a camera's file"),
        ("site/cameras/X_1.yaml", "no place for a camera's file"),
        ("nowhere/cameras/x.yaml", "no place for a camera's file"),
    ],
)
def test_probe_looks_where_it_writes_before_it_asks(
    name: str, words: str, site: Path, device: FakeOnvifDevice
) -> None:
    path = str(site.parent / name)
    code, said = run("probe", "127.0.0.1", "--port", str(device.port), "--write", path)
    assert code == 2
    assert words in said
    assert device.asked == []


def test_probe_in_a_site_of_many_areas(tmp_path: Path, device: FakeOnvifDevice) -> None:
    demo = shutil.copytree(EXAMPLE.parent / "demo", tmp_path / "demo")
    path = str(demo / "cameras" / "x.yaml")
    code, said = run("probe", "127.0.0.1", "--port", str(device.port), "--write", path)
    assert code == 2
    assert "Which area is it in? room-1, room-2, corridor-1" in said


@pytest.mark.parametrize(
    ("host", "words"),
    [("http://127.0.0.1/", "must be a host name"), ("a@b", "must be a host name")],
)
def test_probe_of_what_is_no_host(host: str, words: str) -> None:
    code, said = run("probe", host)
    assert code == 2
    assert words in said


def test_each_failure_has_its_remedy(device: FakeOnvifDevice) -> None:
    port = str(device.port)
    code, said = run("probe", "127.0.0.1", "--port", "1")
    assert (code, "cannot be reached" in said) == (2, True)
    wrong = LOGIN | {"ZEROENTRY_CAMERA_PASSWORD": "nope"}
    code, said = run("probe", "127.0.0.1", "--port", port, env=wrong)
    assert (code, "User name or password is wrong" in said) == (2, True)
    code, said = run("probe", "127.0.0.1", "--port", port, "--lang", "zh", env={})
    assert (code, "用户名或密码错误" in said, "--credential" in said) == (2, True, True)
    device.instead = lambda asked: (404, {}, b"")
    code, said = run("probe", "127.0.0.1", "--port", port)
    assert (code, "does not speak ONVIF" in said) == (2, True)


def test_a_stored_credential(tmp_path: Path, device: FakeOnvifDevice) -> None:
    key, store = new_secret_key(), tmp_path / "credentials.enc"
    CredentialStore(store, key.encode()).set("door", Credential("admin", PASSWORD))
    asked = ("probe", "127.0.0.1", "--port", str(device.port), "--store", str(store))
    env = {"ZEROENTRY_SECRET_KEY": key}
    code, said = run(*asked, "--credential", "door", env=env)
    assert code == 0, said
    code, said = run(*asked, "--credential", "dor", env=env)
    assert code == 2
    assert "zeroentry credential set dor" in said


def test_check_tells_and_apply_sets(site: Path, device: FakeOnvifDevice) -> None:
    written(site, device)
    asked = ("check", "new-cam", "--site", str(site))
    assert run(*asked)[0] == 0
    device.state.encoders[0].width, device.state.encoders[0].height = 1280, 720
    device.state.encoders[1].fps, device.state.encoders[1].gop = 25.0, 250
    device.state.clock_offset_s = -3600
    code, said = run(*asked)
    assert code == 1
    for words in ("1280x720", "10.0 s", "-3", "--apply"):
        assert words in said
    assert not any(name.startswith("Set") for name in device.asked), "nothing is set unasked"
    code, said = run(*asked, "--lang", "zh")
    assert (code, "主码流 分辨率" in said) == (1, True)
    code, said = run(*asked, "--apply")
    assert (code, "--ntp" in said) == (1, True)
    assert (device.state.encoders[0].width, device.state.encoders[1].gop) == (1920, 20)
    code, said = run(*asked, "--apply", "--ntp", "ntp.example")
    assert (code, device.state.ntp) == (1, ("ntp.example",))
    device.state.clock_offset_s = 0  # the device has followed its server
    code, said = run(*asked)
    assert code == 0
    assert "the device is set as its file declares" in said


def test_check_of_what_cannot_be_checked(site: Path) -> None:
    code, said = run("check", "nope", "--site", str(site))
    assert code == 2
    assert "no camera nope" in said
    code, said = run("check", "x", "--site", str(site / "nowhere"))
    assert code == 2
    assert "is not a folder" in said
    path = site / "cameras" / "usb.yaml"
    path.write_text(
        "kind: camera\nid: usb\narea: room-1\nname: {zh: 名, en: Name}\n"
        "main: {url: v4l2:///dev/video0, width: 640, height: 480, fps: 25}\nsound: none\n",
        encoding="utf-8",
    )
    code, said = run("check", "usb", "--site", str(site))
    assert code == 2
    assert "cannot be checked over ONVIF" in said
