"""The locks hold what pyproject.toml asks for, hashed, without addresses, and with one OpenCV."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "requirements"
EXTRAS: Final = ("edge", "controller", "demo", "dev", "robot")
LOCKS: Final = (*EXTRAS, "edge-pickup", "edge-openvino", "controller-postgres", "esphome", "lock")
PYTHONS: Final = ("3.11", "3.12", "3.13")
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

ENTRY: Final = re.compile(
    r"^(?P<requirement>[A-Za-z0-9][^\\]*?) \\\n(?P<rest>(?:    .*\n?)*)", re.MULTILINE
)


def entries(lock: str) -> list[tuple[Requirement, str]]:
    """Each entry of a lock with the lines below it (hashes, and why it is there)."""
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")
    found = [
        (Requirement(match["requirement"].strip()), match["rest"]) for match in ENTRY.finditer(text)
    ]
    assert found, f"{lock}.txt is empty: make lock"
    return found


def wanted(lock: str) -> list[Requirement]:
    """What a lock must hold: base and extra for our own, else its .in file; build tools for all."""
    extras = lock.split("-")
    if set(extras) <= {*EXTRAS, "pickup", "openvino", "postgres"}:
        inner = [text for extra in extras for text in expanded(extra)]
        texts = [*PROJECT["dependencies"], *inner, *listed("build")]
    else:
        texts = listed(lock)
    return [Requirement(text) for text in texts]


def listed(name: str) -> list[str]:
    lines = (FOLDER / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def expanded(extra: str) -> list[str]:
    """The requirements of an extra, with the extras of ours that it takes in."""
    texts: list[str] = []
    for text in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            texts += [inner for name in sorted(requirement.extras) for inner in expanded(name)]
        else:
            texts.append(text)
    return texts


@pytest.mark.parametrize("lock", LOCKS)
def test_every_direct_dependency_is_locked_at_or_above_its_floor(lock: str) -> None:
    locked = entries(lock)
    for requirement in wanted(lock):
        assert requirement.specifier, f"{requirement.name} has no floor: write >= what it needs"
        for python in PYTHONS:
            versions = [
                next(iter(entry.specifier)).version
                for entry, _ in locked
                if entry.name == requirement.name and applies(entry, python)
            ]
            where = f"{lock}.txt, Python {python}"
            assert len(versions) == 1, f"{where}: {requirement.name} is there as {versions}"
            assert Version(versions[0]) in requirement.specifier, (
                f"{where}: {requirement.name} {versions[0]} is below {requirement.specifier}: "
                "something holds it back; see its `via` lines"
            )


def applies(entry: Requirement, python: str) -> bool:
    if entry.marker is None:
        return True
    environment = {**default_environment(), "python_version": python}
    environment["python_full_version"] = f"{python}.7"
    environment |= {"sys_platform": "linux", "platform_system": "Linux"}
    return entry.marker.evaluate({key: str(value) for key, value in environment.items()})


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_pinned_and_hashed(lock: str) -> None:
    for entry, rest in entries(lock):
        assert [specifier.operator for specifier in entry.specifier] == ["=="], str(entry)
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), f"{entry} has no hash"
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")
    pinned = [line for line in text.splitlines() if line[:1].isalnum()]
    assert len(pinned) == len(entries(lock)), "an entry that this test cannot read"


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_address_stands_in_any_of_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for word in ("://", "--index", "--extra-index", "--find-links", "--trusted-host", " @ "):
        assert word not in text, f"{path.name} holds {word!r}: a site installs from where it can"


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock not in {"lock", "esphome"}])
def test_one_opencv_and_nothing_that_holds_rich_back(lock: str) -> None:
    names = {entry.name for entry, _ in entries(lock)}
    opencv = {name for name in names if name.startswith("opencv")}
    seeing = {"edge", "edge-pickup", "edge-openvino", "demo", "dev"}
    needed = {"opencv-python-headless"} if lock in seeing else set()
    assert opencv == needed, "two cv2 wheels overwrite one another's files"
    assert "norfair" not in names, "norfair holds rich below 14"
    listening = lock in {"edge-pickup", "dev"}
    assert ("pyaudio" in names) == listening, "nothing else needs PortAudio, `make demo` least"


@pytest.mark.parametrize("lock", ["controller", "demo", "dev"])
def test_nicegui_is_one_that_the_console_was_written_for(lock: str) -> None:
    (version,) = [
        next(iter(entry.specifier)).version for entry, _ in entries(lock) if entry.name == "nicegui"
    ]
    assert Version(version) >= Version("3.18")


def test_ros_stays_out_of_the_big_environment() -> None:
    for lock in ("edge", "controller", "demo", "dev"):
        assert not [entry.name for entry, _ in entries(lock) if entry.name.startswith("ros-")]


def test_what_tests_run_on_is_what_the_demo_installs() -> None:
    """One .venv serves both: `make demo` after `make test` installs nothing."""
    demo = {str(entry) for entry, _ in entries("demo")}
    missing = demo - {str(entry) for entry, _ in entries("dev")}
    assert not missing, "make lock chose differently for demo and dev: align their floors"
