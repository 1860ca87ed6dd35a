"""Who may be where: procurement kind by area kind by role, and how a role looks."""

import pytest
from pydantic import ValidationError

from contracts.admission import AdmissionPolicy, AreaKind, ProcurementKind, VestColour
from contracts.observations import Appearance


def test_engineering_admits_experts_alone() -> None:
    admits = AdmissionPolicy().admits(ProcurementKind.ENGINEERING, AreaKind.EVALUATION)
    assert admits.get(Appearance.RED, 0) > 9
    assert set(admits) == {Appearance.RED}


def test_government_admits_an_organiser_and_a_representative() -> None:
    admits = AdmissionPolicy().admits(ProcurementKind.GOVERNMENT, AreaKind.EVALUATION)
    assert admits[Appearance.BLUE] == 1
    assert admits[Appearance.NONE] == 1


@pytest.mark.parametrize("kind", ProcurementKind)
def test_no_kind_admits_anybody_but_experts_to_a_corridor(kind: ProcurementKind) -> None:
    assert set(AdmissionPolicy().admits(kind, AreaKind.CORRIDOR)) == {Appearance.RED}


def test_what_no_row_names_may_not_be_there() -> None:
    assert AdmissionPolicy().admits(ProcurementKind.LAND, AreaKind.KITCHEN) == {}


def test_two_roles_of_one_dress_add_up() -> None:
    row = {"procurement": "land", "area": "evaluation", "most": 1}
    policy = AdmissionPolicy.model_validate(
        {"rows": [{**row, "role": "owner"}, {**row, "role": "supervisor"}]}
    )
    admits = policy.admits(ProcurementKind.LAND, AreaKind.EVALUATION)
    assert admits == {Appearance.NONE: 2}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (
            {"rows": [{"procurement": "land", "area": "corridor", "role": "owner", "most": 1}] * 2},
            "rows: used twice: land corridor owner",
        ),
        ({"dress": [{"role": "owner", "appearance": "red"}] * 2}, "dress: used twice: owner"),
    ],
)
def test_a_policy_that_says_a_thing_twice_is_refused(data: object, names: str) -> None:
    with pytest.raises(ValidationError, match=names):
        AdmissionPolicy.model_validate(data)


@pytest.mark.parametrize("sample", ["red", "#12345", "#gggggg", ""])
def test_a_colour_is_written_as_six_digits(sample: str) -> None:
    with pytest.raises(ValidationError, match="sample"):
        VestColour(sample=sample)
