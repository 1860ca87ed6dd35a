"""Holds what a room's alerts were lately: those that cleared, and how many each rule began."""

from collections import Counter, OrderedDict
from typing import Final

from contracts.observations import Alert, Mode
from contracts.units import MessageId, RuleCode

LATELY_MAX: Final = 200  # a bad day of one room; what is older is with the controller


class RecentAlerts:
    """Of one room, since the node's start."""

    def __init__(self) -> None:
        self._cleared: OrderedDict[MessageId, Alert] = OrderedDict()
        self._began: Counter[tuple[RuleCode, Mode]] = Counter()

    def began(self, alert: Alert) -> None:
        """An alert began."""
        self._began[alert.rule, alert.mode] += 1

    def cleared(self, alert: Alert) -> None:
        """Its condition is over."""
        self._cleared[alert.alert_id] = alert
        if len(self._cleared) > LATELY_MAX:
            self._cleared.popitem(last=False)

    def count(self, code: RuleCode, mode: Mode) -> int:
        """Alerts of a rule that began in this mode."""
        return self._began[code, mode]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those that cleared, the latest first."""
        return tuple(reversed(self._cleared.values()))
