"""Rules that the controller judges are set in its own file, and refused where they cannot be."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.catalogue.settings import RuleChange
from contracts.observations import Mode, NodeHealth, NodeState, Severity
from contracts.units import MonoMs, UtcMs
from controller.core import site as core
from controller.core.plan import plan_of
from controller.core.robot_watch import numbers
from controller.core.state import NodeSaid, Now
from controller.settings import ControllerSettings
from tests.fakes.controller_site import fresh_state, small_map, small_site

OFFLINE = "node.offline"
STUCK = "robot.stopped_off_stop"


def test_a_site_sets_what_the_controller_judges() -> None:
    plan = plan_of(small_site(), small_map(), {STUCK: RuleChange(parameters={"dwell_ms": 9_000})})
    assert numbers(plan, STUCK)["dwell_ms"] == 9_000
    assert numbers(plan, "robot.overdue")["arrive_within_s"] == 1_800


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"area.over_admitted": {}}, "is judged by an edge node"),
        ({"robot.overdu": {}}, "did you mean robot.overdue"),
        ({STUCK: {"parameters": {"dwell_ms": 1}}}, "allowed: 5000 to 600000 ms"),
    ],
)
def test_what_it_does_not_judge_or_allow_is_refused(
    rules: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match=says):
        ControllerSettings.model_validate({"site_dir": tmp_path, "rules": rules})


@pytest.mark.parametrize(
    ("change", "raised"),
    [
        (RuleChange(), [(Mode.ON, Severity.ALARM, "")]),
        (RuleChange(mode=Mode.SHADOW, risk_code="RP-7"), [(Mode.SHADOW, Severity.ALARM, "RP-7")]),
        (RuleChange(mode=Mode.OFF), []),
    ],
)
def test_a_lost_node_is_told_as_its_rule_is_set(
    change: RuleChange, raised: list[tuple[Mode, Severity, str]]
) -> None:
    plan = plan_of(small_site(), small_map(), {OFFLINE: change})
    now = Now(MonoMs(1_000), UtcMs(1_000))
    site = fresh_state(plan, now)
    lost = NodeHealth(node_id="edge-1", state=NodeState.LOST, utc_ms=now.utc_ms)
    site, _ = core.step(site, NodeSaid(lost), now)
    told = [row.alert for row in site.alerts.values()]
    assert [(one.mode, one.severity, one.risk_code) for one in told] == raised
