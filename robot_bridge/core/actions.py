"""Decides which actions this robot knows, where they may stand, and reads their parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.units import MonoMs
from contracts.vda5050.factsheet import (
    ActionScope,
    AgvAction,
    AgvActionParameter,
    ValueDataType,
)
from contracts.vda5050.order import Action, BlockingType
from contracts.vda5050.profile import (
    LOCK_COMPARTMENT,
    OPEN_COMPARTMENT,
    BadAction,
    profile_actions,
    read_lock_compartment,
    read_open_compartment,
)
from contracts.vda5050.state import ActionStatus
from robot_bridge.core.vehicle import Pose

CANCEL_ORDER: Final = "cancelOrder"
START_PAUSE: Final = "startPause"
STOP_PAUSE: Final = "stopPause"
STATE_REQUEST: Final = "stateRequest"
FACTSHEET_REQUEST: Final = "factsheetRequest"
LOG_REPORT: Final = "logReport"
CLEAR_INSTANT_ACTIONS: Final = "clearInstantActions"
INIT_POSITION: Final = "initPosition"
START_CHARGING: Final = "startCharging"
STOP_CHARGING: Final = "stopCharging"
SIGNAL: Final = "zeSignal"

CONTROL: Final = frozenset(
    {
        CANCEL_ORDER,
        CLEAR_INSTANT_ACTIONS,
        FACTSHEET_REQUEST,
        LOG_REPORT,
        START_PAUSE,
        STATE_REQUEST,
        STOP_PAUSE,
    }
)
"""Instant actions that take effect at once and wait for no other action."""

SIGNAL_MAX_MS: Final = 60_000  # a robot that hoots for longer is a nuisance, not a signal
SIGNAL_DEFAULT_MS: Final = 3_000
RESULT_MAX_CHARS: Final = 120  # with 60 actions a state must stay below 64 KiB


class Source(StrEnum):
    """Where an action came from."""

    NODE = "NODE"
    EDGE = "EDGE"
    INSTANT = "INSTANT"


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """One action on its way. ``sequence_id`` is that of its node or edge, -1 for instant ones.

    ``triggered``: its node or edge has been reached. ``since``: when it began to run; None before,
    and after a restart until the next step.
    """

    action: Action
    source: Source
    sequence_id: int = -1
    status: ActionStatus = ActionStatus.WAITING
    result: str | None = None
    triggered: bool = False
    since: MonoMs | None = None

    @property
    def ended(self) -> bool:
        """Finished or failed."""
        return self.status.ended

    @property
    def stops_drive(self) -> bool:
        """The robot may not drive while this runs; SINGLE (3.0) lets it drive, but alone."""
        return self.action.blocking_type in (BlockingType.SOFT, BlockingType.HARD)

    @property
    def alone(self) -> bool:
        """No other action may run beside this one."""
        return self.action.blocking_type in (BlockingType.SINGLE, BlockingType.HARD)

    @property
    def holds_drive(self) -> bool:
        """While this is due or runs, the robot must stand."""
        return (
            self.triggered
            and not self.ended
            and self.stops_drive
            and self.action.action_type not in CONTROL
        )


@dataclass(frozen=True, slots=True)
class _Known:
    scopes: tuple[ActionScope, ...]
    declared: AgvAction


def _declare(
    action_type: str,
    text: str,
    *scopes: ActionScope,
    parameters: tuple[AgvActionParameter, ...] = (),
) -> AgvAction:
    return AgvAction(
        action_type=action_type,
        action_description=text,
        action_scopes=scopes,
        action_parameters=parameters or None,
    )


def _parameter(key: str, kind: ValueDataType, *, optional: bool = False) -> AgvActionParameter:
    return AgvActionParameter(key=key, value_data_type=kind, is_optional=optional)


DECLARED: Final[tuple[AgvAction, ...]] = (
    _declare(
        CANCEL_ORDER,
        "Brakes where it is, then drops the order; with an orderId only that one.",
        ActionScope.INSTANT,
        parameters=(_parameter("orderId", ValueDataType.STRING, optional=True),),
    ),
    _declare(CLEAR_INSTANT_ACTIONS, "Forgets instant actions that ended.", ActionScope.INSTANT),
    _declare(START_PAUSE, "Brakes and keeps the order.", ActionScope.INSTANT),
    _declare(STOP_PAUSE, "Goes on with the order.", ActionScope.INSTANT),
    _declare(STATE_REQUEST, "Sends the state.", ActionScope.INSTANT),
    _declare(FACTSHEET_REQUEST, "Sends the factsheet.", ActionScope.INSTANT),
    _declare(
        LOG_REPORT,
        "Writes down order, actions, errors and sensors; the result names the file.",
        ActionScope.INSTANT,
        parameters=(_parameter("reason", ValueDataType.STRING, optional=True),),
    ),
    _declare(
        INIT_POSITION,
        "Sets the pose; the robot must stand and have no order.",
        ActionScope.INSTANT,
        ActionScope.NODE,
        parameters=(
            _parameter("x", ValueDataType.FLOAT),
            _parameter("y", ValueDataType.FLOAT),
            _parameter("theta", ValueDataType.FLOAT),
            _parameter("mapId", ValueDataType.STRING),
            _parameter("lastNodeId", ValueDataType.STRING, optional=True),
        ),
    ),
    _declare(START_CHARGING, "Begins to charge.", ActionScope.INSTANT, ActionScope.NODE),
    _declare(STOP_CHARGING, "Ends charging.", ActionScope.INSTANT, ActionScope.NODE),
    _declare(
        SIGNAL,
        "Shows a light or sound for a time, on an edge at most until its end.",
        ActionScope.INSTANT,
        ActionScope.NODE,
        ActionScope.EDGE,
        parameters=(
            _parameter("signal", ValueDataType.STRING),
            _parameter("durationMs", ValueDataType.INTEGER, optional=True),
        ),
    ),
    *profile_actions(),
)

_KNOWN: Final[Mapping[str, AgvAction]] = {row.action_type: row for row in DECLARED}


def action_problem(action: Action, source: Source) -> str | None:
    """Why this robot cannot do an action that stands there, in words; None when it can."""
    known = _KNOWN.get(action.action_type)
    if known is None:
        return f"unknown action {action.action_type:.40}; the factsheet lists the known ones"
    if ActionScope(source.value) not in known.action_scopes:
        return f"{action.action_type} cannot stand on {source.value}"
    match action.action_type:
        case _ if action.action_type == OPEN_COMPARTMENT:
            read = read_open_compartment(action)
            return read.problem if isinstance(read, BadAction) else None
        case _ if action.action_type == LOCK_COMPARTMENT:
            bolt = read_lock_compartment(action)
            return bolt.problem if isinstance(bolt, BadAction) else None
        case _ if action.action_type == INIT_POSITION:
            pose = init_pose(action)
            return pose.problem if isinstance(pose, BadAction) else None
        case _ if action.action_type == SIGNAL:
            return _signal_problem(action)
        case _:
            return None


def init_pose(action: Action) -> Pose | BadAction:
    """The pose that an ``initPosition`` sets."""
    numbers = [_number(action, key) for key in ("x", "y", "theta")]
    map_id = action.parameter("mapId")
    if any(value is None for value in numbers) or not isinstance(map_id, str) or not map_id:
        return BadAction("initPosition needs numbers x, y, theta and a text mapId")
    x_m, y_m, theta_rad = (value or 0.0 for value in numbers)
    if abs(theta_rad) > 3.1416 or max(abs(x_m), abs(y_m)) > COORDINATE_MAX_M:
        return BadAction("initPosition is off the map, or theta outside -pi to pi")
    return Pose(x_m, y_m, theta_rad, map_id)


COORDINATE_MAX_M: Final = (
    100_000.0  # 100 km: beyond it a float's steps and our time-outs mean nothing
)


def signal_ms(action: Action) -> int:
    """How long a ``zeSignal`` lasts."""
    value = _number(action, "durationMs")
    return SIGNAL_DEFAULT_MS if value is None else int(value)


def _signal_problem(action: Action) -> str | None:
    name = action.parameter("signal")
    if not isinstance(name, str) or not 0 < len(name) <= 64:
        return "signal must be a text of 1 to 64 characters"
    if not 0 < signal_ms(action) <= SIGNAL_MAX_MS:
        return f"durationMs must be 1 to {SIGNAL_MAX_MS}"
    return None


def _number(action: Action, key: str) -> float | None:
    value = action.parameter(key)
    if isinstance(value, str):
        # Some masters send every parameter as text.
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN fails both comparisons.
    return float(value) if -1e9 <= value <= 1e9 else None
