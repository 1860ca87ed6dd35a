"""Decides how a message of our types (2.1.0) is written in 2.0.0 and 3.0.0, and read back."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from contracts.vda5050.factsheet import MISSPELT_2_0, NavigationType
from contracts.vda5050.topics import VdaKind
from contracts.vda5050.versions import (
    CAUSE,
    CAUSES,
    FACTSHEET_NAMES,
    FIELD_NAMES,
    LEVELS,
    LOAD_SET_NAMES,
    ONE_WAY,
    ORDER_NAMES,
    STATE_NAMES,
    TYPES,
    WORDS,
    VdaVersion,
)

Content: TypeAlias = dict[str, Any]
"""The JSON object of one message."""

_FREE: Final = frozenset({"actionParameters", "data"})
# What stands under these is the sender's own: no name in it is the standard's.

_BACK: Final = {
    name: {theirs: ours for ours, theirs in words.items() if (name, theirs) not in ONE_WAY}
    for name, words in WORDS.items()
}


def written(kind: VdaKind, content: Content, version: VdaVersion) -> Content:
    """What ``content`` (2.1.0) is in ``version``."""
    match version:
        case VdaVersion.V2_1:
            return _plain_2(kind, content)
        case VdaVersion.V2_0:
            return _to_2_0(kind, _plain_2(kind, content))
        case VdaVersion.V3_0:
            return _TO_3[kind](content)


def read(kind: VdaKind, content: Content, version: VdaVersion) -> Content:
    """What ``content`` of a peer is in 2.1.0. Never raises: what is no shape of ours stays."""
    match version:
        case VdaVersion.V2_1 | VdaVersion.V2_0:
            return content
        case VdaVersion.V3_0:
            return _FROM_3[kind](content)


def _rows(content: Content, name: str) -> list[Content]:
    rows = content.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _part(content: Content, name: str) -> Content:
    part = content.get(name)
    return part if isinstance(part, dict) else {}


# --- 2.x ------------------------------------------------------------------------------------------


def _plain_2(kind: VdaKind, content: Content) -> Content:
    """What only 3.0 knows, in words of 2.x."""
    if kind is VdaKind.VISUALIZATION:
        content.pop("referenceStateHeaderId", None)
    if kind is VdaKind.STATE:
        content.pop("instantActionIds", None)
        if content.get("operatingMode") in ("INTERVENED", "STARTUP"):
            content["operatingMode"] = "MANUAL"
        for row in _rows(content, "errors"):
            level = row["errorLevel"]
            row["errorLevel"] = {"URGENT": "WARNING", "CRITICAL": "FATAL"}.get(level, level)
    if kind in (VdaKind.ORDER, VdaKind.INSTANT_ACTIONS):
        for action in actions_in(content):
            if action.get("blockingType") == "SINGLE":
                action["blockingType"] = "SOFT"  # stricter: 2.x knows no "drive on, but alone"
    return content


def _to_2_0(kind: VdaKind, content: Content) -> Content:
    if kind is VdaKind.STATE:
        content.pop("maps", None)
        battery = _part(content, "batteryState")
        if "batteryHealth" in battery:
            battery["batteryHealth"] = round(battery["batteryHealth"])  # an integer in 2.0
        for edge in _rows(content, "edgeStates"):
            for point in _rows(_part(edge, "trajectory"), "controlPoints"):
                point.setdefault("weight", 1.0)  # required in a state of 2.0, and only there
    if kind is VdaKind.ORDER:
        for edge in _rows(content, "edges"):
            edge.pop("corridor", None)
    if kind is VdaKind.FACTSHEET:
        content.pop("vehicleConfig", None)
        for row in _rows(_part(content, "loadSpecification"), "loadSets"):
            # The schema of 2.0 calls the one a number and the other an integer.
            row.pop("description", None)
            _part(row, "boundingBoxReference").pop("theta", None)
        kind_of = _part(content, "typeSpecification")
        right = NavigationType.PHYSICAL_LINE_GUIDED
        ways = kind_of.get("navigationTypes", [])
        kind_of["navigationTypes"] = [MISSPELT_2_0 if row == right else row for row in ways]
    return content


def actions_in(content: Content) -> list[Content]:
    """The actions of an order's nodes and edges, or of instant actions."""
    found = _rows(content, "actions") + _rows(content, "instantActions")
    for place in (*_rows(content, "nodes"), *_rows(content, "edges")):
        found += _rows(place, "actions")
    return found


# --- names and words ------------------------------------------------------------------------------


def _renamed(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return [_renamed(row, names) for row in value]
    if not isinstance(value, dict):
        return value
    return {
        names.get(key, key): row if key in _FREE else _renamed(row, names)
        for key, row in value.items()
    }


def _worded(value: Any, words: Mapping[str, Mapping[str, str]]) -> Any:  # noqa: ANN401 - any JSON
    """The same with the words of the other version; names must be those of 2.1.0."""
    if isinstance(value, list):
        return [_worded(row, words) for row in value]
    if not isinstance(value, dict):
        return value
    return {
        key: row
        if key in _FREE
        else _one_word(row, words[key], words)
        if key in words
        else _worded(row, words)
        for key, row in value.items()
    }


def _one_word(
    value: Any,  # noqa: ANN401 - any JSON
    choices: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]],
) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return choices.get(value, value)
    if isinstance(value, list):
        return [choices.get(row, row) if isinstance(row, str) else row for row in value]
    return _worded(value, words)


def _to_names(content: Content, names: Mapping[str, str]) -> Content:
    renamed: Content = _renamed(_worded(content, WORDS), names)
    return renamed


def _from_names(content: Content, names: Mapping[str, str]) -> Content:
    back = {theirs: ours for ours, theirs in names.items()}
    renamed: Content = _worded(_renamed(content, back), _BACK)
    return renamed


# --- 3.0: orders and actions ----------------------------------------------------------------------


def _order_to_3(content: Content) -> Content:
    content.pop("zoneSetId", None)  # 3.0 sets zone sets by instant actions
    for node in _rows(content, "nodes"):
        place = _part(node, "nodePosition")
        place.pop("mapDescription", None)
        reach = place.get("allowedDeviationXY")
        if reach is not None:
            place["allowedDeviationXY"] = {"a": reach, "b": reach, "theta": 0.0}
    for edge in _rows(content, "edges"):
        _weighed(edge)
        edge.pop("startNodeId", None)
        edge.pop("endNodeId", None)
        rotates = edge.pop("rotationAllowed", None)
        if rotates is not None:
            edge["reachOrientationBeforeEntering"] = not rotates
    return _to_names(content, ORDER_NAMES)


def _order_from_3(content: Content) -> Content:
    content = _from_names(content, ORDER_NAMES)
    names: dict[object, object] = {
        node["sequenceId"]: node.get("nodeId")
        for node in _rows(content, "nodes")
        if isinstance(node.get("sequenceId"), int)
    }
    for node in _rows(content, "nodes"):
        place = _part(node, "nodePosition")
        reach = place.get("allowedDeviationXY")
        if isinstance(reach, dict):
            # The smaller axis: inside the ellipse in every direction.
            axes = [reach.get("a"), reach.get("b")]
            numbers = [row for row in axes if isinstance(row, int | float)]
            place["allowedDeviationXY"] = min(numbers) if len(numbers) == len(axes) else reach
    for edge in _rows(content, "edges"):
        _whole_curve(edge)
        before = edge.pop("reachOrientationBeforeEntering", None)
        if isinstance(before, bool):
            edge["rotationAllowed"] = not before
        at = edge.get("sequenceId")
        if isinstance(at, int):
            edge["startNodeId"] = names.get(at - 1)
            edge["endNodeId"] = names.get(at + 1)
    return content


WEIGHT_MIN: Final = 1e-9
"""A weight that 3.0 can say, where 2.x says 0: the curve is the same to a nanometre."""


def _weighed(edge: Content) -> None:
    for point in _rows(_part(edge, "trajectory"), "controlPoints"):
        if point.get("weight") == 0:
            point["weight"] = WEIGHT_MIN


def _whole_curve(edge: Content) -> None:
    """Write down what a trajectory of 3.0 leaves to its defaults: degree 1 and uniform knots."""
    curve = _part(edge, "trajectory")
    points = curve.get("controlPoints")
    if not isinstance(points, list):
        return
    degree = curve.setdefault("degree", 1)
    if "knotVector" in curve or not isinstance(degree, int) or not 1 <= degree < len(points):
        return
    inner = len(points) - degree
    between = [step / inner for step in range(1, inner)]
    curve["knotVector"] = [0.0] * (degree + 1) + between + [1.0] * (degree + 1)


def _actions_to_3(content: Content) -> Content:
    for action in _rows(content, "actions"):
        action["blockingType"] = "NONE"  # 3.0: always, for instant ones
    return _to_names(content, ORDER_NAMES)


def _actions_from_3(content: Content) -> Content:
    return _from_names(content, ORDER_NAMES)


# --- 3.0: what robots say -------------------------------------------------------------------------


def _state_to_3(content: Content) -> Content:
    content.pop("zoneSetId", None)
    _part(content, "agvPosition").pop("mapDescription", None)
    for edge in _rows(content, "edgeStates"):
        _weighed(edge)
    battery = _part(content, "batteryState")
    for whole in ("batteryHealth", "reach"):
        if whole in battery:
            battery[whole] = round(battery[whole])  # whole numbers by the text of 3.0
    for row in _rows(content, "errors"):
        references = _rows(row, "errorReferences")
        cause = next((r["referenceValue"] for r in references if r["referenceKey"] == CAUSE), None)
        name = cause if cause in CAUSES else TYPES.get(row["errorType"])
        if name is None:
            continue
        row["errorType"] = name
        row["errorLevel"] = LEVELS.get(name, "WARNING")
        others = [r for r in references if r["referenceKey"] != CAUSE]
        row.pop("errorReferences", None)
        if others:
            row["errorReferences"] = others
    instant = content.pop("instantActionIds", ())
    states = _rows(content, "actionStates")
    content["actionStates"] = [row for row in states if row["actionId"] not in instant]
    content["instantActionStates"] = [row for row in states if row["actionId"] in instant]
    return _to_names(content, STATE_NAMES)


def _state_from_3(content: Content) -> Content:
    content = _from_names(content, STATE_NAMES)
    for edge in _rows(content, "edgeStates"):
        _whole_curve(edge)
    instant = _rows(content, "instantActionStates")
    content.pop("instantActionStates", None)
    if isinstance(content.get("actionStates"), list):
        content["actionStates"] = [*content["actionStates"], *instant]
    content["instantActionIds"] = [row.get("actionId") for row in instant]
    for row in _rows(content, "actionStates"):
        if row.get("actionStatus") == "RETRIABLE":
            row["actionStatus"] = "PAUSED"  # it waits for somebody; it has not ended
    for row in _rows(content, "errors"):
        name = row.get("errorType")
        if isinstance(name, str) and name in CAUSES:
            row["errorType"] = CAUSES[name]
            references = row.get("errorReferences")
            cause = {"referenceKey": CAUSE, "referenceValue": name}
            kept = references if isinstance(references, list) else []
            row["errorReferences"] = [*kept, cause]
    return content


def _visualization_to_3(content: Content) -> Content:
    content.setdefault("referenceStateHeaderId", 0)
    _part(content, "agvPosition").pop("mapDescription", None)
    return _to_names(content, STATE_NAMES)


def _said_from_3(content: Content) -> Content:
    return _from_names(content, STATE_NAMES)


# --- 3.0: the factsheet ---------------------------------------------------------------------------

_PAUSABLE: Final = {"pauseAllowed": False, "cancelAllowed": True}


def _factsheet_to_3(content: Content) -> Content:
    content.setdefault("headerId", 0)
    lengths = _part(_part(content, "protocolLimits"), "maxStringLens")
    lengths.pop("enumLen", None)
    physical = _part(content, "physicalParameters")
    physical.setdefault("heightMin", physical.get("heightMax", 0.0))
    for action in _rows(_part(content, "protocolFeatures"), "agvActions"):
        for name, value in _PAUSABLE.items():
            action.setdefault(name, value)
    geometry = _part(content, "agvGeometry")
    for row in _rows(geometry, "envelopes2d"):
        row["envelope2dId"] = row.pop("set")
        row["vertices"] = row.pop("polygonPoints")
    for row in _rows(geometry, "envelopes3d"):
        row["envelope3dId"] = row.pop("set")
        row.pop("description", None)  # an integer in 2.1, a text in 3.0: neither is the other
    loads = _part(content, "loadSpecification")
    sets = [_renamed(row, LOAD_SET_NAMES) for row in _rows(loads, "loadSets")]
    for row in sets:
        for name in ("minimumLoadhandlingHeight", "maximumLoadhandlingHeight"):
            if row.get(name, 0.0) < 0:
                row.pop(name)  # 3.0 knows no height below the floor
    renamed = _to_factsheet(content)
    if sets:
        renamed["loadSpecification"]["loadSets"] = sets
    _rename_parameters(renamed, FIELD_NAMES)
    return renamed


def _rename_parameters(content: Content, names: Mapping[str, str]) -> None:
    """Optional parameters are declared by their path: each part of it has the version's name."""
    for row in _rows(_part(content, "protocolFeatures"), "optionalParameters"):
        path = row.get("parameter")
        if isinstance(path, str):
            row["parameter"] = ".".join(names.get(part, part) for part in path.split("."))


def _to_factsheet(content: Content) -> Content:
    # Parameters of actions are declared here, not sent: their types have words of the version.
    for action in _rows(_part(content, "protocolFeatures"), "agvActions"):
        if "actionParameters" in action:
            action["actionParameters"] = _worded(action["actionParameters"], WORDS)
    return _to_names(content, FACTSHEET_NAMES)


def _factsheet_from_3(content: Content) -> Content:
    back = {theirs: ours for ours, theirs in LOAD_SET_NAMES.items()}
    sets = [_renamed(row, back) for row in _rows(_part(content, "loadSpecification"), "loadSets")]
    kind = _part(content, "typeSpecification")
    if "mobileRobotKinematic" in kind:  # as the list of required fields of the 3.0.0 schema says
        kind.setdefault("mobileRobotKinematics", kind.pop("mobileRobotKinematic"))
    content = _from_names(content, FACTSHEET_NAMES)
    _rename_parameters(content, {theirs: ours for ours, theirs in FIELD_NAMES.items()})
    if sets:
        content["loadSpecification"]["loadSets"] = sets
    geometry = _part(content, "agvGeometry")
    for row in _rows(geometry, "envelopes2d"):
        if "envelope2dId" in row:
            row["set"] = row.pop("envelope2dId")
        if "vertices" in row:
            row["polygonPoints"] = row.pop("vertices")
    for row in _rows(geometry, "envelopes3d"):
        if "envelope3dId" in row:
            row["set"] = row.pop("envelope3dId")
        row.pop("description", None)
    for action in _rows(_part(content, "protocolFeatures"), "agvActions"):
        scopes = action.get("actionScopes")
        if isinstance(scopes, list):
            action["actionScopes"] = [row for row in scopes if row != "ZONE"]
    return content


def _connection_to_3(content: Content) -> Content:
    return _to_names(content, {})


def _connection_from_3(content: Content) -> Content:
    if content.get("connectionState") == "HIBERNATING":
        content["connectionState"] = "OFFLINE"  # it says nothing until it is woken
    return _from_names(content, {})


_TO_3: Final[Mapping[VdaKind, Callable[[Content], Content]]] = {
    VdaKind.ORDER: _order_to_3,
    VdaKind.INSTANT_ACTIONS: _actions_to_3,
    VdaKind.STATE: _state_to_3,
    VdaKind.VISUALIZATION: _visualization_to_3,
    VdaKind.CONNECTION: _connection_to_3,
    VdaKind.FACTSHEET: _factsheet_to_3,
}

_FROM_3: Final[Mapping[VdaKind, Callable[[Content], Content]]] = {
    VdaKind.ORDER: _order_from_3,
    VdaKind.INSTANT_ACTIONS: _actions_from_3,
    VdaKind.STATE: _state_from_3,
    VdaKind.VISUALIZATION: _said_from_3,
    VdaKind.CONNECTION: _connection_from_3,
    VdaKind.FACTSHEET: _factsheet_from_3,
}
