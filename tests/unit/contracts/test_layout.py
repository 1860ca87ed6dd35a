"""A map that cannot be used names each node, edge and station that is wrong."""

import pytest

from contracts.layout import LayoutError, Lif, RobotMap, from_lif

META = {"projectIdentification": "p", "lifVersion": "1.0.0"}


def node(name: str, x: float = 0.0, y: float = 0.0) -> dict[str, object]:
    return {"nodeId": name, "nodePosition": {"x": x, "y": y}}


def edge(start: str, end: str, name: str = "", **more: object) -> dict[str, object]:
    return {"edgeId": name or f"{start}-{end}", "startNodeId": start, "endNodeId": end, **more}


def read(
    nodes: list[dict[str, object]],
    edges: list[dict[str, object]],
    stations: list[dict[str, object]] | None = None,
) -> RobotMap:
    floor = {"layoutId": "f1", "nodes": nodes, "edges": edges, "stations": stations or []}
    return from_lif(Lif.model_validate({"metaInformation": META, "layouts": [floor]}))


def test_lengths_speeds_and_names() -> None:
    speeds = [{"maxSpeed": 0.8}, {"maxSpeed": 0.5}, {}]
    robot_map = read(
        [node("a"), {**node("b", 3.0, 4.0), "nodeName": "B", "mapId": "m"}],
        [edge("a", "b", vehicleTypeEdgeProperties=speeds), edge("b", "a")],
        [{"stationId": "kitchen", "interactionNodeIds": ["a"]}],
    )
    way = robot_map.between("a", "b")
    assert way is not None
    assert (way.length_m, way.speed_max_m_s) == (5.0, 0.5)
    back = robot_map.between("b", "a")
    assert back is not None
    assert back.speed_max_m_s is None
    assert robot_map.between("a", "a") is None
    assert (robot_map.nodes["a"].name, robot_map.nodes["a"].map_id) == ("a", "f1")
    assert (robot_map.nodes["b"].name, robot_map.nodes["b"].map_id) == ("B", "m")
    assert robot_map.stations == {"kitchen": ("a",)}


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(LayoutError) as caught:
        read(
            [node("a"), node("a"), node("b")],
            [edge("a", "x"), edge("y", "z"), edge("a", "b", "e"), edge("b", "a", "e")],
            [{"stationId": "s", "interactionNodeIds": ["q", "a"]}],
        )
    assert caught.value.problems == (
        "node a: used twice",
        "edge a-x: no node x",
        "edge y-z: no node y, z",
        "edge e: used twice",
        "station s: no node q",
    )


def test_vendors_fields_are_kept_aside() -> None:
    robot_map = read([{**node("a"), "vendorX": 1}], [])
    assert list(robot_map.nodes) == ["a"]


@pytest.mark.parametrize("version", ["2.0.0", "0.9", ""])
def test_another_format_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="lifVersion"):
        Lif.model_validate(
            {
                "metaInformation": {**META, "lifVersion": version},
                "layouts": [{"layoutId": "f", "nodes": [node("a")]}],
            }
        )
