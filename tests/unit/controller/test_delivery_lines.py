"""What a report says of a delivery: its kind, who approved, who opened it, what came back."""

import pytest

from contracts.api import (
    Approval,
    ArrivalWindow,
    DeliveryKind,
    DeliveryState,
    DeliveryView,
    Found,
    Inspection,
    OrderLine,
    Portion,
    ReleaseView,
)
from contracts.units import UtcMs
from controller.reports.delivery_lines import lines_of

PAPERS = DeliveryView(
    id="d-1",
    room_id="room-1",
    session_id="s-1",
    kind=DeliveryKind.PAPERS,
    lines=(OrderLine(dish="documents", count=2, portion=Portion.REGULAR),),
    window=ArrivalWindow(from_utc_ms=UtcMs(10), until_utc_ms=UtcMs(20)),
    state=DeliveryState.RETURNED,
    ordered_utc_ms=UtcMs(1),
    ordered_by="tab1",
    approval=Approval(approved=True, by="sup", utc_ms=UtcMs(2), reason="a clarification"),
    release=ReleaseView(
        asked_by="sup", reason="tablet broken", asked_utc_ms=UtcMs(30), approved_by="sup2"
    ),
    inspected=Inspection(found=Found.OTHER, by="cook", utc_ms=UtcMs(40)),
)


def at(utc_ms: UtcMs | None) -> str:
    return f"at {utc_ms}"


def test_a_report_names_kind_approval_both_openers_and_what_came_back() -> None:
    assert lines_of(PAPERS, 1, at) == (
        "papers: 2 × documents (regular)",
        "wanted at the door: at 10 to at 20",
        "approved by sup, at 2: a clarification",
        "opened without the PIN: asked for by sup (at 30: tablet broken), approved by sup2",
        "looked into on return: something that nobody had sent (cook, at 40)",
    )
    chinese = lines_of(PAPERS, 0, at)
    assert len(chinese) == 5
    assert "批准：sup" in chinese[2]


@pytest.mark.parametrize("column", [0, 1])
def test_a_plain_meal_says_what_it_was_and_no_more(column: int) -> None:
    bare = PAPERS.model_copy(
        update={"window": None, "approval": None, "release": None, "inspected": None}
    )
    assert len(lines_of(bare, column, at)) == 1
    asked = bare.model_copy(
        update={"release": ReleaseView(asked_by="sup", reason="x", asked_utc_ms=UtcMs(1))}
    )
    assert len(lines_of(asked, column, at)) == 1, "asked for and not approved opened nothing"
