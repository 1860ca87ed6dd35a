"""`zeroentry map`: what it says of a sound map, of a broken one, and what it writes."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from zeroentry.cli import app

CONFIGS = Path(__file__).parents[2] / "firmware_configs"
SVG = "{http://www.w3.org/2000/svg}"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "220"}).invoke(app, ["map", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    copy = tmp_path / "tower"
    shutil.copytree(CONFIGS / "tower", copy)
    return copy


def changed(site: Path, old: str, new: str) -> Path:
    path = site / "maps" / "tower.lif.json"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["demo", "example", "tower"])
def test_our_own_maps_have_no_errors(name: str) -> None:
    code, said = run("check", str(CONFIGS / name))
    assert code == 0
    assert "0 errors" in said


def test_a_door_that_cannot_be_reached_is_named_with_its_line(tower: Path) -> None:
    line = next(
        number
        for number, text in enumerate(
            (tower / "maps" / "tower.lif.json").read_text(encoding="utf-8").splitlines(), 1
        )
        if '"nodeId": "room-3-door"' in text
    )
    changed(tower, '"endNodeId": "room-3-door"', '"endNodeId": "f3-park"')
    code, said = run("check", str(tower))
    assert code == 1
    assert f"tower.lif.json:{line}: node room-3-door: no way leads there from the kitchen" in said
    assert "从厨房 kitchen 到不了" in said


def test_an_unreadable_map_is_told_with_its_line_and_leaves_with_two(tower: Path) -> None:
    path = changed(tower, '"edgeId": "kitchen--g1"', '"edgeId": "g1--kitchen"')
    code, said = run("check", str(tower))
    assert code == 2
    assert "edge g1--kitchen: used twice" in said
    assert f"{path.name}:" in said.replace("\n", "")


def test_a_picture_has_every_place_and_facility_of_its_floor(tmp_path: Path) -> None:
    code, said = run("picture", str(CONFIGS / "tower"), "--out", str(tmp_path), "--robots")
    assert code == 0
    files = [Path(line) for line in said.splitlines()]
    assert [file.name for file in files] == [f"tower-floor-{n}.svg" for n in (1, 2, 3)]
    root = ET.fromstring(files[1].read_text(encoding="utf-8"))
    words = " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    for word in (
        "二层防火门",
        "Fire door floor 2",
        "电梯 1",
        "评标室 1 门口",
        "Lobby 2",
        "one lane",
    ):
        assert word in words, word
    english = tmp_path / "en"
    code, _ = run("picture", str(CONFIGS / "tower"), "--out", str(english), "--lang", "en")
    text = (english / "tower-floor-2.svg").read_text(encoding="utf-8")
    assert "Fire door floor 2" in text
    assert "二层防火门" not in text
    assert run("picture", str(CONFIGS / "tower"), "--lang", "fr")[0] == 2


def test_what_is_exported_can_be_imported_and_says_the_same(tower: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.lif.json"
    assert run("export", str(tower), "--out", str(out))[0] == 0
    before = json.loads((tower / "maps" / "tower.lif.json").read_text(encoding="utf-8"))
    assert json.loads(out.read_text(encoding="utf-8")) == before
    code, said = run("import", str(out), "--site", str(tower))
    assert code == 2
    assert "--force" in said
    code, said = run("import", str(out), "--site", str(tower), "--force")
    assert (code, "28 nodes, 56 edges" in said) == (0, True)
    out.write_text(out.read_text(encoding="utf-8").replace("lobby-1", "hall"), encoding="utf-8")
    code, said = run("import", str(out), "--site", str(tower), "--force")
    assert code == 1
    assert "the map has no node 'lobby-1'" in said
    assert json.loads((tower / "maps" / "tower.lif.json").read_text(encoding="utf-8")) == before
