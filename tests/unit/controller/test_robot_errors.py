"""What is done about each level and type of error that the standard names."""

import pytest

from contracts.vda5050.versions import CAUSES
from controller.core import fleet, robot_errors
from controller.core.fleet import Duty, Mission, RobotReport
from controller.core.robot_errors import ProblemLevel, RobotProblem, response
from tests.fakes.robot_words import standing_at

NEW = Mission("o", ("a", "b"), 2)
TAKEN = Mission("o", ("a", "b"), 2, update_id=1, answered=0)
SETTLED = Mission("o", ("a", "b"), 2, answered=0)


def problem(
    kind: str,
    level: str = "WARNING",
    *,
    order: str | None = "o",
    update: int | None = None,
    cause: str = "",
) -> RobotProblem:
    return RobotProblem(kind, ProblemLevel(level), "", order, update, cause=cause)


@pytest.mark.parametrize(
    ("told", "mission", "wanted"),
    [
        (problem("anything", "FATAL", order=None), None, "stop"),
        (problem("anything", "URGENT", order=None), SETTLED, "tell"),
        (problem("anything", "CRITICAL", order=None), SETTLED, "renew"),
        (problem("anything", "CRITICAL", order=None), NEW, "again"),
        (problem("anything", "CRITICAL", order="other"), SETTLED, "tell"),
        (problem("anything", "CRITICAL", order=None), None, "tell"),
        (problem("anything", order=None), SETTLED, "show"),
        (problem("orderError"), NEW, "again"),
        (problem("validationError"), NEW, "again"),
        (problem("validationError", order=None), NEW, "show"),
        (problem("noRouteError"), NEW, "again"),
        (problem("orderUpdateError", update=1), TAKEN, "again"),
        (problem("orderUpdateError", update=0), TAKEN, "show"),
        (problem("orderUpdateError"), SETTLED, "show"),
        (problem("orderUpdateError", cause="SAME_ORDER_UPDATE_ID"), TAKEN, "show"),
        (problem("orderUpdateError", cause="OUTDATED_ORDER_UPDATE"), TAKEN, "show"),
        (problem("noOrderToCancel"), TAKEN, "answered"),
        (problem("instantActionError"), TAKEN, "answered"),
        (problem("localizationLost", order=None), SETTLED, "stop"),
        (problem("driveFailed"), SETTLED, "renew"),
        (problem("maker's own", update=1), TAKEN, "again"),
        (problem("maker's own"), TAKEN, "show"),
    ],
)
def test_the_table_of_levels_and_types(
    told: RobotProblem, mission: Mission | None, wanted: str
) -> None:
    assert response(told, mission) == wanted


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_every_name_of_3_0_has_a_row(cause: str) -> None:
    assert cause in robot_errors.PREDEFINED
    assert CAUSES[cause] in robot_errors.PREDEFINED


def test_the_dispatcher_acts_on_the_table() -> None:
    def said(told: RobotProblem) -> RobotReport:
        return standing_at("a", order_id="o", problems=(told,))

    duty = Duty("robot-1", mission=TAKEN)
    assert fleet.refused(duty, said(problem("orderUpdateError", update=1)))
    assert not fleet.refused(duty, said(problem("orderUpdateError", update=0)))
    assert fleet.refused(duty, said(problem("driveFailed", "CRITICAL")))
    assert fleet.unfit(duty, said(problem("localizationLost", order=None))) is not None
    assert fleet.unfit(duty, said(problem("anything", "URGENT", order=None))) is None
