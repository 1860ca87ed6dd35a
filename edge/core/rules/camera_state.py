"""Judges whether a camera is offline or frozen; one outage is one alert, whichever came first."""

from collections.abc import Mapping

from contracts.catalogue import CAMERA_FROZEN, CAMERA_OFFLINE
from contracts.observations import CameraState
from contracts.units import CameraId, RuleCode
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.rule import Finding, Rule
from edge.core.state import CameraSeen, RoomState


def _holds(
    state: RoomState, camera_id: CameraId, camera: CameraSeen, *, own: CameraState, other: RuleCode
) -> bool | None:
    if camera.state is CameraState.LIVE:
        return False
    if camera.state is own and state.alert_of(other, camera_id) is None:
        return True
    # Starting, or down in the other way: a frozen camera that cannot reconnect is one outage.
    return None


def _judge(
    state: RoomState, now: Instant, *, own: CameraState, other: RuleCode
) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            camera_id=camera_id,
            judged=Judgement(
                _holds(state, camera_id, camera, own=own, other=other),
                camera.state_since or now,
                now,
            ),
            picture_of=camera_id,
            people=camera.people,
        )
        for camera_id, camera in state.cameras.items()
    )


def judge_offline(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return _judge(state, now, own=CameraState.OFFLINE, other=CAMERA_FROZEN.code)


def judge_frozen(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return _judge(state, now, own=CameraState.FROZEN, other=CAMERA_OFFLINE.code)


OFFLINE = Rule(CAMERA_OFFLINE, judge_offline)
FROZEN = Rule(CAMERA_FROZEN, judge_frozen)
