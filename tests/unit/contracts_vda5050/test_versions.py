"""A message means the same in 2.0.0, 2.1.0 and 3.0.0, and each is written as its version says."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.envelope import Rejected, RejectReason
from contracts.vda5050.codec import MODELS, VdaBody, VdaMessage, decode_vda, encode_vda
from contracts.vda5050.factsheet import (
    AgvKinematic,
    Factsheet,
    LocalizationType,
    NavigationType,
    OptionalParameter,
    Support,
)
from contracts.vda5050.order import Action, BlockingType, InstantActions, Order
from contracts.vda5050.state import Connection, ConnectionState, ErrorLevel, OperatingMode, State
from contracts.vda5050.topics import VdaKind
from contracts.vda5050.versions import VdaVersion, vehicle_address
from tests.unit.contracts_vda5050.official import validate
from tests.unit.contracts_vda5050.strategies import messages

GOLDENS = Path(__file__).parent / "goldens"
ODD = settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # a factsheet takes minutes to shrink
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
KEYS = {VdaVersion.V2_0: "instantActions"}


def topic(kind: VdaKind, version: VdaVersion) -> str:
    return vehicle_address(version, "maker", "r1").topic(kind)


def sent(body: VdaBody, version: VdaVersion) -> dict[str, Any]:
    """What is on the wire, held against the schema of its version."""
    ours = body.model_copy(
        update={"version": version, "manufacturer": "maker", "serial_number": "r1"}
    )
    payload = encode_vda(
        ours, instant_actions_key="instantActions" if version in KEYS else "actions"
    )
    content: dict[str, Any] = json.loads(payload)
    return content


def heard(content: dict[str, Any], kind: VdaKind, version: VdaVersion) -> VdaBody:
    message = decode_vda(topic(kind, version), json.dumps(content).encode())
    assert isinstance(message, VdaMessage), message
    return message.body


def golden(kind: VdaKind) -> VdaBody:
    content = json.loads((GOLDENS / f"{kind}.full.json").read_bytes())
    return MODELS[kind].model_validate(content)


@pytest.mark.parametrize("version", [VdaVersion.V2_0, VdaVersion.V3_0])
@pytest.mark.parametrize("kind", VdaKind)
@ODD
@given(data=st.data())
def test_every_message_fits_the_schema_of_its_version_and_survives_it(
    kind: VdaKind, version: VdaVersion, data: st.DataObject
) -> None:
    body = data.draw(messages(MODELS[kind]))
    if kind is VdaKind.VISUALIZATION or kind is VdaKind.FACTSHEET:
        # Both versions want the header that 2.1.0 leaves to the sender.
        body = body.model_copy(update={"header_id": 1, "timestamp": "2026-01-01T00:00:00.000Z"})
    content = sent(body, version)
    validate(kind, content, version)
    assert sent(heard(content, kind, version), version) == content


@pytest.mark.parametrize("kind", VdaKind)
def test_3_0_keeps_all_that_2_1_said(kind: VdaKind) -> None:
    body = golden(kind)
    back = heard(sent(body, VdaVersion.V3_0), kind, VdaVersion.V3_0)
    here, there = sent(body, VdaVersion.V2_1), sent(back, VdaVersion.V2_1)
    gone = {  # 3.0 has no such field
        VdaKind.ORDER: {"zoneSetId"},
        VdaKind.STATE: {"zoneSetId"},
    }.get(kind, set())
    lost = {key for key in here if key not in there}
    assert lost == gone & here.keys()


def test_3_0_calls_things_by_its_own_names() -> None:
    state = sent(golden(VdaKind.STATE), VdaVersion.V3_0)
    assert {"mobileRobotPosition", "powerSupply", "instantActionStates"} <= state.keys()
    assert not {"agvPosition", "batteryState"} & state.keys()
    assert "localized" in state["mobileRobotPosition"]
    assert "stateOfCharge" in state["powerSupply"]
    assert "activeEmergencyStop" in state["safetyState"]
    order = sent(golden(VdaKind.ORDER), VdaVersion.V3_0)
    assert "startNodeId" not in order["edges"][0]
    assert isinstance(order["nodes"][0]["nodePosition"]["allowedDeviationXY"], dict)
    will = Connection.model_validate(
        {
            "headerId": 1,
            "timestamp": "2026-01-01T00:00:00Z",
            "manufacturer": "maker",
            "serialNumber": "r1",
            "connectionState": "CONNECTIONBROKEN",
        }
    )
    asleep = sent(will, VdaVersion.V3_0) | {"connectionState": "HIBERNATING"}
    heard_asleep = heard(asleep, VdaKind.CONNECTION, VdaVersion.V3_0)
    assert isinstance(heard_asleep, Connection)
    assert heard_asleep.connection_state is ConnectionState.OFFLINE
    assert sent(will, VdaVersion.V2_0)["connectionState"] == "CONNECTIONBROKEN"
    assert sent(will, VdaVersion.V3_0)["connectionState"] == "CONNECTION_BROKEN"
    assert topic(VdaKind.STATE, VdaVersion.V3_0) == "vda5050/v3/maker/r1/state"
    assert topic(VdaKind.STATE, VdaVersion.V2_0) == "uagv/v2/maker/r1/state"


def test_actions_and_declared_fields_have_3_0s_names() -> None:
    order = golden(VdaKind.ORDER)
    assert isinstance(order, Order)
    put = Action(action_type="initPosition", action_id="p", blocking_type=BlockingType.HARD)
    node = order.nodes[0].model_copy(update={"actions": (put,)})
    wire = sent(order.model_copy(update={"nodes": (node, *order.nodes[1:])}), VdaVersion.V3_0)
    assert wire["nodes"][0]["actions"][0]["actionType"] == "initializePosition"
    back = heard(wire, VdaKind.ORDER, VdaVersion.V3_0)
    assert isinstance(back, Order)
    assert back.nodes[0].actions == (put,)
    factsheet = golden(VdaKind.FACTSHEET)
    assert isinstance(factsheet, Factsheet)
    paths = ("order.edges.maxSpeed", "order.edges.maxRotationSpeed", "order.nodes.nodeDescription")
    rows = tuple(OptionalParameter(parameter=name, support=Support.SUPPORTED) for name in paths)
    features = factsheet.protocol_features.model_copy(update={"optional_parameters": rows})
    said = sent(factsheet.model_copy(update={"protocol_features": features}), VdaVersion.V3_0)
    assert [row["parameter"] for row in said["protocolFeatures"]["optionalParameters"]] == [
        "order.edges.maximumSpeed",
        "order.edges.maximumRotationSpeed",
        "order.nodes.nodeDescriptor",
    ]
    again = heard(said, VdaKind.FACTSHEET, VdaVersion.V3_0)
    assert isinstance(again, Factsheet)
    assert again.protocol_features.optional_parameters == rows


def test_a_makers_own_words_in_a_factsheet_of_3_0_are_kept() -> None:
    wire = sent(golden(VdaKind.FACTSHEET), VdaVersion.V3_0)
    wire["typeSpecification"] |= {
        "mobileRobotClass": "HOSPITAL_BED_MOVER",
        "localizationTypes": ["NATURAL", "UWB"],
        "navigationTypes": ["FREELY_NAVIGATING", "FOLLOWS_A_PERSON"],
    }
    # The 3.0.0 schema requires this name, its text and its own list of fields have the other.
    kind = wire["typeSpecification"]
    kind["mobileRobotKinematic"] = kind.pop("mobileRobotKinematics")
    back = heard(wire, VdaKind.FACTSHEET, VdaVersion.V3_0)
    assert isinstance(back, Factsheet)
    found = back.type_specification
    assert found.agv_class == "HOSPITAL_BED_MOVER"
    assert found.localization_types == (LocalizationType.NATURAL, "UWB")
    assert found.navigation_types == (NavigationType.AUTONOMOUS, "FOLLOWS_A_PERSON")
    assert isinstance(found.agv_kinematic, AgvKinematic)


def test_a_curve_of_3_0_may_leave_degree_and_knots_to_their_defaults() -> None:
    state = sent(golden(VdaKind.STATE), VdaVersion.V3_0)
    points = [{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 0.0}, {"x": 2.0, "y": 1.0}]
    edge = {"edgeId": "e", "sequenceId": 1, "released": True}
    state["edgeStates"] = [edge | {"trajectory": {"controlPoints": points}}]
    validate(VdaKind.STATE, state, VdaVersion.V3_0)
    back = heard(state, VdaKind.STATE, VdaVersion.V3_0)
    assert isinstance(back, State)
    curve = back.edge_states[0].trajectory
    assert curve is not None
    assert (curve.degree, curve.knot_vector) == (1, (0.0, 0.0, 0.5, 1.0, 1.0))
    plain = sent(back, VdaVersion.V2_0)
    assert [row["weight"] for row in plain["edgeStates"][0]["trajectory"]["controlPoints"]] == [
        1.0,
        1.0,
        1.0,
    ]


def test_parameters_of_actions_are_the_senders_own() -> None:
    action = {
        "actionType": "say",
        "actionId": "a",
        "blockingType": "HARD",
        "actionParameters": [{"key": "maxSpeed", "value": {"maxSpeed": 1, "eStop": "AUTOACK"}}],
    }
    content = {
        "headerId": 1,
        "timestamp": "2026-01-01T00:00:00Z",
        "manufacturer": "maker",
        "serialNumber": "r1",
        "actions": [action],
    }
    body = InstantActions.model_validate(content)
    written = sent(body, VdaVersion.V3_0)["actions"][0]
    assert written["actionParameters"] == action["actionParameters"]
    assert written["blockingType"] == "NONE"  # 3.0: always, for instant actions


def test_instant_actions_are_told_apart_in_3_0_and_joined_in_2_1() -> None:
    state = golden(VdaKind.STATE)
    assert isinstance(state, State)
    first = state.action_states[0].action_id
    known = state.model_copy(update={"instant_action_ids": (first,)})
    wire = sent(known, VdaVersion.V3_0)
    assert [row["actionId"] for row in wire["instantActionStates"]] == [first]
    assert first not in [row["actionId"] for row in wire["actionStates"]]
    back = heard(wire, VdaKind.STATE, VdaVersion.V3_0)
    assert isinstance(back, State)
    assert back.instant_action_ids == (first,)
    assert back.action(first) is not None
    joined = sent(known, VdaVersion.V2_1)
    assert "instantActionIds" not in joined
    assert first in [row["actionId"] for row in joined["actionStates"]]


def test_errors_keep_3_0s_name_beside_ours() -> None:
    wire = sent(golden(VdaKind.STATE), VdaVersion.V3_0)
    wire["errors"] = [{"errorType": "OTHER_ORDER_ACTIVE", "errorLevel": "WARNING"}]
    back = heard(wire, VdaKind.STATE, VdaVersion.V3_0)
    assert isinstance(back, State)
    assert back.errors[0].error_type == "orderUpdateError"
    assert back.errors[0].reference("cause") == "OTHER_ORDER_ACTIVE"
    assert sent(back, VdaVersion.V3_0)["errors"] == wire["errors"]


def test_words_of_3_0_are_turned_to_the_safer_side_in_2_1() -> None:
    order, state = golden(VdaKind.ORDER), golden(VdaKind.STATE)
    assert isinstance(order, Order)
    assert isinstance(state, State)
    single = Action(action_type="say", action_id="a", blocking_type=BlockingType.SINGLE)
    node = order.nodes[0].model_copy(update={"actions": (single,)})
    one = order.model_copy(update={"nodes": (node, *order.nodes[1:])})
    wire = sent(one, VdaVersion.V2_1)
    validate(VdaKind.ORDER, wire, VdaVersion.V2_1)
    assert wire["nodes"][0]["actions"][0]["blockingType"] == "SOFT"
    error = state.errors[0].model_copy(update={"error_level": ErrorLevel.CRITICAL})
    mode = {"operating_mode": OperatingMode.INTERVENED, "errors": (error,)}
    said = sent(state.model_copy(update=mode), VdaVersion.V2_1)
    validate(VdaKind.STATE, said, VdaVersion.V2_1)
    assert said["operatingMode"] == "MANUAL"
    assert said["errors"][0]["errorLevel"] == "FATAL"


def test_a_2_x_master_has_no_single_and_a_3_0_topic_takes_no_2_1() -> None:
    wire = sent(golden(VdaKind.ORDER), VdaVersion.V2_1)
    wire["nodes"][0]["actions"] = [{"actionType": "say", "actionId": "a", "blockingType": "SINGLE"}]
    refused = decode_vda(topic(VdaKind.ORDER, VdaVersion.V2_1), json.dumps(wire).encode())
    assert isinstance(refused, Rejected)
    assert refused.reason is RejectReason.INVALID
    said = sent(golden(VdaKind.STATE), VdaVersion.V3_0) | {"version": "2.1.0"}
    other = decode_vda(topic(VdaKind.STATE, VdaVersion.V3_0), json.dumps(said).encode())
    assert isinstance(other, Rejected)
    assert other.reason is RejectReason.UNKNOWN_VERSION


@given(payload=st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
@settings(max_examples=30, deadline=None)
def test_nothing_that_comes_on_a_topic_of_3_0_raises(payload: bytes) -> None:
    for kind in VdaKind:
        assert isinstance(decode_vda(topic(kind, VdaVersion.V3_0), payload), Rejected)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_spoilt_message_of_3_0_raises(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(VdaKind)))
    content = sent(golden(kind), VdaVersion.V3_0)
    path = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    odd = data.draw(st.sampled_from([None, [], {}, "x", -1, [[1]], {"a": 1}]))
    spoil(content, path, odd)
    decode_vda(topic(kind, VdaVersion.V3_0), json.dumps(content).encode())


def spoil(value: Any, path: list[int], odd: Any) -> None:
    """Put something odd at a place of a message."""
    for step in path[:-1]:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        below = value[keys[step % len(keys)]]
        if not isinstance(below, dict | list):
            break
        value = below
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if keys:
        value[keys[path[-1] % len(keys)]] = odd
