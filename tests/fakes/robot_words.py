"""What a robot reports, said by what matters to a test: the rest is a sane robot that stands."""

from dataclasses import replace
from typing import Final

from controller.core.fleet import RobotReport

STANDING: Final = RobotReport(
    order_id="",
    order_update_id=0,
    last_node="",
    last_sequence_id=0,
    driving=False,
    paused=False,
    automatic=True,
    battery_percent=80.0,
)


def standing_at(node: str, **changes: object) -> RobotReport:
    """The report of a robot at ``node``; ``changes``: fields of the report that differ."""
    return replace(STANDING, last_node=node, **changes)  # type: ignore[arg-type]  # fields by name
