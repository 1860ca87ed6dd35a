"""Our compartment actions and compartments in the state read back as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.units import UtcMs
from contracts.vda5050.order import Action, ActionParameter, BlockingType
from contracts.vda5050.profile import (
    BadAction,
    CompartmentState,
    LidState,
    LockCompartment,
    LockState,
    OpenCompartment,
    compartment_information,
    compartment_loads,
    compartments_in,
    lock_compartment_action,
    open_compartment_action,
    read_lock_compartment,
    read_open_compartment,
)
from contracts.vda5050.state import InfoLevel, Information, Reference

OPEN = OpenCompartment(2, "d-1", "door-3", UtcMs(1_790_000_000_250), "c-1", "ab" * 32)

states = st.builds(
    CompartmentState,
    st.integers(1, 16),
    st.sampled_from(LidState),
    st.sampled_from(LockState),
    st.booleans(),
)


def test_commands_read_back() -> None:
    assert read_open_compartment(open_compartment_action(OPEN, action_id="a")) == OPEN
    lock = LockCompartment(1, "d-1", "c-2")
    assert read_lock_compartment(lock_compartment_action(lock, action_id="a")) == lock
    assert open_compartment_action(OPEN, action_id="a").blocking_type is BlockingType.HARD


@given(states)
def test_compartments_read_back(state: CompartmentState) -> None:
    assert compartments_in([compartment_information(state)]) == (state,)
    assert [load.load_position for load in compartment_loads([state])] == (
        [str(state.compartment)] if state.occupied else []
    )


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("compartment", 0, "compartment must be 1 to 16, not 0"),
        ("compartment", True, "compartment must be 1 to 16, not True"),
        ("compartment", 1.5, "compartment must be"),
        ("compartment", "two", "compartment must be"),
        ("deliveryId", "", "deliveryId must be a text"),
        ("nodeId", 3, "nodeId must be a text"),
        ("commandId", "c" * 200, "commandId must be a text"),
        ("validUntil", "soon", "isoformat"),
        ("signature", 5, "signature must be a text"),
    ],
)
def test_a_command_that_cannot_be_read_says_why(key: str, value: object, problem: str) -> None:
    action = open_compartment_action(OPEN, action_id="a")
    rows = tuple(
        ActionParameter.model_validate({"key": key, "value": value}) if row.key == key else row
        for row in action.action_parameters or ()
    )
    read = read_open_compartment(action.model_copy(update={"action_parameters": rows}))
    assert isinstance(read, BadAction)
    assert problem in read.problem


@pytest.mark.parametrize("number", [2, 2.0, "2"])
def test_compartment_numbers_of_other_masters(number: object) -> None:
    action = Action(
        action_type="zeLockCompartment",
        action_id="a",
        blocking_type=BlockingType.HARD,
        action_parameters=tuple(
            ActionParameter.model_validate({"key": key, "value": value})
            for key, value in (("compartment", number), ("deliveryId", "d"), ("commandId", "c"))
        ),
    )
    assert read_lock_compartment(action) == LockCompartment(2, "d", "c")


def test_a_signature_binds_all_parameters_and_the_robot() -> None:
    topic = "uagv/v2/m/r1/instantActions"
    others = [
        OpenCompartment(1, "d-1", "door-3", OPEN.valid_until_utc_ms, "c-1"),
        OpenCompartment(2, "d-2", "door-3", OPEN.valid_until_utc_ms, "c-1"),
        OpenCompartment(2, "d-1", "door-4", OPEN.valid_until_utc_ms, "c-1"),
        OpenCompartment(2, "d-1", "door-3", UtcMs(OPEN.valid_until_utc_ms + 1), "c-1"),
        OpenCompartment(2, "d-1", "door-3", OPEN.valid_until_utc_ms, "c-2"),
    ]
    signed = {row.signed_bytes(topic) for row in others} | {OPEN.signed_bytes("other/topic")}
    assert len(signed) == 6
    assert OPEN.signed_bytes(topic) not in signed


def test_what_is_no_compartment_is_left_out() -> None:
    good = compartment_information(
        CompartmentState(1, LidState.OPEN, LockState.UNLOCKED, occupied=True)
    )
    references = good.info_references or ()
    broken = [
        good.model_copy(update={"info_type": "other"}),
        good.model_copy(update={"info_references": None}),
        good.model_copy(update={"info_references": references[:3]}),
        good.model_copy(
            update={
                "info_references": (
                    *references[1:],
                    Reference(reference_key="compartment", reference_value="one"),
                )
            }
        ),
        Information(info_type="zeCompartment", info_level=InfoLevel.DEBUG),
    ]
    assert compartments_in([*broken, good]) == compartments_in([good])
    assert compartments_in(None) == ()
