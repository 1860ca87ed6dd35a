"""LIF files come in and go out unchanged; a mistake is named with its element and its line."""

import json
from pathlib import Path

import pytest

from contracts.layout import LayoutError, Lif, from_lif, lif_text, places_of
from runtime.json_lines import JsonError, parse_json
from runtime.settings import SettingsError
from runtime.site import read_map

MAPS = sorted((Path(__file__).parents[3] / "firmware_configs").rglob("*.lif.json"))


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.parent.parent.name)
def test_a_map_is_written_as_it_was_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lif = Lif.model_validate_json(text)
    again = lif_text(lif)
    assert json.loads(again) == json.loads(text)
    assert Lif.model_validate_json(again) == lif
    places = places_of(lif)
    lines = parse_json(again).lines
    elements = {lines[place] for place in places.values()}
    assert len(elements) == len(places), "one node, edge or station a line"


def test_what_a_vendor_adds_is_kept() -> None:
    node = {
        "nodeId": "a",
        "nodePosition": {"x": 1, "y": 2, "acme:z": 3},
        "acme:colour": ["red", {"deep": None}],
        "vehicleTypeNodeProperties": [{"vehicleTypeId": "v", "theta": 1.5, "actions": []}],
    }
    given = {
        "metaInformation": {"projectIdentification": "p", "lifVersion": "1.0.0", "x": "y"},
        "layouts": [{"layoutId": "f", "nodes": [node], "layoutLevelId": "3"}],
        "acmeTail": {"k": 1},
    }
    assert json.loads(lif_text(Lif.model_validate(given))) == given


BROKEN = """{
  "metaInformation": {"projectIdentification": "p", "lifVersion": "1.0.0"},
  "layouts": [
    {"layoutId": "f1",
     "nodes": [
       {"nodeId": "a", "nodePosition": {"x": 0, "y": 0}},
       {"nodeId": "b", "nodePosition": {"x": 5, "y": 0}},
       {"nodeId": "a", "nodePosition": {"x": 9, "y": 0}}
     ],
     "edges": [
       {"edgeId": "a-b", "startNodeId": "a", "endNodeId": "b"},
       {"edgeId": "b-q",
        "startNodeId": "b", "endNodeId": "q"},
       {"edgeId": "again", "startNodeId": "a", "endNodeId": "b"},
       {"edgeId": "loop", "startNodeId": "a", "endNodeId": "a"}
     ],
     "stations": [{"stationId": "s", "interactionNodeIds": ["nowhere"]}]}
  ]
}
"""


def test_every_mistake_names_its_node_or_edge_and_its_line(tmp_path: Path) -> None:
    path = tmp_path / "map.lif.json"
    path.write_text(BROKEN, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_map(path)
    assert [str(problem).removeprefix(str(tmp_path)) for problem in caught.value.problems] == [
        "/map.lif.json:8: node a: used twice",
        "/map.lif.json:12: edge b-q: no node q",
        "/map.lif.json:14: edge again: leads from a to b as a-b does already",
        "/map.lif.json:15: edge loop: leads from a to itself",
        "/map.lif.json:17: station s: no node nowhere",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"x": 5,', '"x": "far",', "/map.lif.json:7: layouts[0].nodes[1].nodePosition.x: "),
        ('"lifVersion": "1.0.0"', '"lifVersion": "2.0"', "/map.lif.json:2: metaInformation.lif"),
        ('"edgeId": "loop", ', "", "/map.lif.json:15: layouts[0].edges[3].edgeId: "),
        ('"nodes": [', '"nodes" [', "/map.lif.json:5: is not JSON: "),
        ('"x": 9,', '"x": 9, "x": 8,', "/map.lif.json:8: names 'x' twice in one object"),
    ],
)
def test_a_wrong_value_names_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "map.lif.json"
    assert BROKEN.count(old) == 1
    path.write_text(BROKEN.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_map(path)
    first = str(caught.value.problems[0]).removeprefix(str(tmp_path))
    assert first.startswith(message), first


def test_lines_of_any_json() -> None:
    read = parse_json('{"a": [1,\n {"b": "x\\n{[,",\n "c": []}],\n "d": {}}')
    assert read.value == {"a": [1, {"b": "x\n{[,", "c": []}], "d": {}}
    assert dict(read.lines) == {
        (): 1,
        ("a",): 1,
        ("a", 0): 1,
        ("a", 1): 2,
        ("a", 1, "b"): 2,
        ("a", 1, "c"): 3,
        ("d",): 4,
    }
    with pytest.raises(JsonError) as caught:
        parse_json("[" * 100_000)
    assert caught.value.line == 1


def test_types_of_vehicles_come_with_ways_and_places() -> None:
    given = {
        "metaInformation": {"projectIdentification": "p", "lifVersion": "1.0.0"},
        "layouts": [
            {
                "layoutId": "f1",
                "nodes": [
                    {
                        "nodeId": name,
                        "nodePosition": {"x": at, "y": 0},
                        "vehicleTypeNodeProperties": [{"vehicleTypeId": "tall"}],
                    }
                    for at, name in enumerate("ab")
                ],
                "edges": [
                    {
                        "edgeId": "e",
                        "startNodeId": "a",
                        "endNodeId": "b",
                        "vehicleTypeEdgeProperties": [
                            {"vehicleTypeId": "tall", "maxSpeed": 0.5},
                            {"vehicleTypeId": "low"},
                        ],
                    }
                ],
            }
        ],
    }
    found = from_lif(Lif.model_validate(given))
    assert found.nodes["a"].vehicles == {"tall"}
    assert found.edges["e"].vehicles == {"tall", "low"}
    assert found.floors == (("f1", "f1"),)
    with pytest.raises(LayoutError) as caught:
        from_lif(Lif.model_validate(json.loads(BROKEN)))
    assert caught.value.found[0].place == ("layouts", 0, "nodes", 2)
