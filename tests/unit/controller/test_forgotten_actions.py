"""A robot that forgets an action half-way is told again: what waits for its answer goes on."""

import pytest

from contracts.units import UtcMs
from contracts.vda5050.profile import LockCompartment, OpenCompartment
from contracts.vda5050.state import ActionStatus
from controller.core import fleet
from controller.core.fleet import ActionDuty, ActionReport, Duty
from controller.core.outputs import ActionKind
from tests.fakes.robot_words import standing_at


def heard(duty: Duty, *actions: ActionReport) -> Duty:
    return fleet.heard(duty, standing_at("dock-1", actions=actions))


def sent(duty: Duty) -> list[str]:
    return [row.action_id for row in fleet.actions_of(duty, UtcMs(1_000))]


def lock() -> ActionDuty:
    return ActionDuty("a", ActionKind.LOCK, locks=LockCompartment(1, "d1", "a"))


@pytest.mark.parametrize(
    "action",
    [
        lock(),
        *(
            ActionDuty("a", kind)
            for kind in (ActionKind.CANCEL, ActionKind.START_CHARGING, ActionKind.STOP_CHARGING)
        ),
    ],
    ids=lambda action: action.action.value,
)
@pytest.mark.parametrize("status", [row for row in ActionStatus if not row.ended])
def test_what_it_showed_under_way_and_shows_no_more_is_sent_again(
    action: ActionDuty, status: ActionStatus
) -> None:
    duty = heard(Duty("robot-1", actions=(action,)), ActionReport("a", status))
    assert not sent(duty)
    # It was carried off, or rebooted, and has no memory of it.
    duty = heard(duty)
    assert sent(duty) == ["a"]
    assert fleet.pending(duty, action.action) is not None
    duty = heard(duty, ActionReport("a", ActionStatus.FAILED, "performed before"))
    assert fleet.pending(duty, action.action) is None


@pytest.mark.parametrize("status", [row for row in ActionStatus if row.ended])
def test_an_answer_holds_when_it_is_shown_no_more(status: ActionStatus) -> None:
    duty = heard(Duty("robot-1", actions=(lock(),)), ActionReport("a", status))
    assert heard(duty) == duty
    assert not sent(heard(duty))


def test_an_unlock_that_was_forgotten_is_never_sent_later() -> None:
    opens = OpenCompartment(1, "d1", "door-1", UtcMs(30_000), "a")
    action = ActionDuty("a", ActionKind.OPEN, opens=opens, valid_until_utc_ms=UtcMs(30_000))
    duty = heard(Duty("robot-1", actions=(action,)), ActionReport("a", ActionStatus.RUNNING))
    assert not sent(heard(duty))
