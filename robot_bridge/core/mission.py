"""Decides what the robot does next: progress over nodes and edges, actions, pause, cancel."""

from dataclasses import replace
from typing import Final, assert_never

from contracts.units import MonoMs
from contracts.vda5050.order import Action, Order
from contracts.vda5050.profile import (
    LOCK_COMPARTMENT,
    OPEN_COMPARTMENT,
    BadAction,
    read_lock_compartment,
    read_open_compartment,
)
from contracts.vda5050.state import ActionStatus, VehicleError
from robot_bridge.core import compartments, orders
from robot_bridge.core.actions import (
    CANCEL_ORDER,
    CLEAR_INSTANT_ACTIONS,
    CONTROL,
    FACTSHEET_REQUEST,
    INIT_POSITION,
    LOG_REPORT,
    RESULT_MAX_CHARS,
    SIGNAL,
    START_CHARGING,
    START_PAUSE,
    STATE_REQUEST,
    STOP_CHARGING,
    STOP_PAUSE,
    ActionEntry,
    Source,
    action_problem,
    init_pose,
    signal_ms,
)
from robot_bridge.core.driving import AT_NODE_M, drive, ride, standing_at
from robot_bridge.core.vehicle import (
    Charge,
    DriveFailed,
    Lock,
    Now,
    Observation,
    Passed,
    Pose,
    Reading,
    SetPose,
    Signal,
    Unlock,
)
from robot_bridge.core.work import (
    ActionsReceived,
    Input,
    LogWritten,
    Mission,
    Observed,
    OrderReceived,
    Output,
    Refused,
    SendFactsheet,
    SendState,
    Turn,
    WriteLog,
)

ERRORS_MAX: Final = 10  # the newest matter; each is up to half a KiB of the state

ANSWER_TIMEOUT_MS: Final = 30_000  # docking to a charger takes some ten seconds
RETRY_DRIVE_MS: Final = 5_000  # an aborted drive is begun again, not waited for for ever

NO_ORDER_TO_CANCEL: Final = "noOrderToCancel"
INSTANT_ACTION_ERROR: Final = "instantActionError"
DRIVE_FAILED: Final = "driveFailed"
ORDER_DROPPED: Final = "orderDropped"

_RUNNING: Final = ActionStatus.RUNNING
_FINISHED: Final = ActionStatus.FINISHED
_FAILED: Final = ActionStatus.FAILED


def step(
    mission: Mission, reading: Reading | None, event: Input, now: Now
) -> tuple[Mission, tuple[Output, ...]]:
    """Take one input. ``reading`` is the newest one; an ``Observed`` brings its own.

    Outputs are in the order in which they must be performed. Never raises on what a peer sent.
    """
    turn = Turn(mission, reading, now)
    match event:
        case OrderReceived(order):
            turn = _order(turn, order)
        case ActionsReceived(message, forged):
            for action in message.actions:
                turn = _instant(turn, action, forged)
        case Refused(_, error):
            turn = _complain(turn, error)
        case Observed(observation):
            turn = _observed(turn, observation)
        case LogWritten(action_id, place, problem):
            turn = _log_written(turn, action_id, place, problem)
        case _:
            assert_never(event)
    turn = ride(drive(_act(turn)))
    if _visible(turn.mission) != _visible(mission) and SendState() not in turn.outputs:
        turn = turn.also(SendState())
    return turn.mission, turn.outputs


def _visible(mission: Mission) -> tuple[object, ...]:
    """What of a mission stands in the state: a change of it is an event."""
    return (
        mission.progress,
        mission.paused,
        mission.errors,
        tuple((row.action.action_id, row.status) for row in mission.actions),
    )


# --- inputs ---------------------------------------------------------------------------------------


def _order(turn: Turn, order: Order) -> Turn:
    mission, reading = turn.mission, turn.reading
    pose = reading.pose if reading is not None and reading.localised else None
    verdict = orders.consider(
        order,
        mission.progress,
        mission.actions,
        pose=pose,
        cancelling=mission.cancelling,
        obeys=reading is None or reading.obeys,
        maps=() if reading is None else reading.maps,
        terms=mission.terms,
    )
    match verdict:
        case orders.Ignored():
            return turn.also(SendState())
        case orders.Refusal(error):
            return _complain(turn, error)
        case orders.Taken(progress, actions, fresh):
            taken = replace(mission, progress=progress, actions=actions, errors=(), riding=None)
            turn = replace(turn, mission=taken)
            return _trigger(turn, progress.last_node_sequence_id) if fresh else turn
        case _:
            assert_never(verdict)


def _complain(turn: Turn, error: VehicleError) -> Turn:
    others = tuple(row for row in turn.mission.errors if row != error)
    kept = (*others, error)[-ERRORS_MAX:]
    return replace(turn, mission=replace(turn.mission, errors=kept)).also(SendState())


def _observed(turn: Turn, observation: Observation) -> Turn:
    turn = replace(turn, reading=observation.reading)
    if observation.reading.obeys:
        errors = orders.without_unavailable(turn.mission.errors)
        turn = replace(turn, mission=replace(turn.mission, errors=errors))
    for event in observation.events:
        match event:
            case Passed(order_id, sequence_id):
                turn = _passed(turn, order_id, sequence_id)
            case DriveFailed(order_id, reason):
                if order_id == turn.mission.progress.order_id:
                    retry = MonoMs(turn.now.mono_ms + RETRY_DRIVE_MS)
                    halted = replace(turn.mission, told=None, retry_at=retry)
                    about = orders.warning(DRIVE_FAILED, reason, orderId=order_id)
                    turn = _complain(replace(turn, mission=halted), about)
            case _:
                assert_never(event)
    turn = _taken_over(_arrived(turn))
    retry_at = turn.mission.retry_at
    if retry_at is not None and turn.now.mono_ms >= retry_at:
        errors = tuple(row for row in turn.mission.errors if row.error_type != DRIVE_FAILED)
        turn = replace(turn, mission=replace(turn.mission, retry_at=None, errors=errors))
    return turn


def _arrived(turn: Turn) -> Turn:
    """The vehicle has taken the pose of the next floor: the node there is passed."""
    progress, reading = turn.mission.progress, turn.reading
    place = progress.nodes[0].node_position if progress.nodes else None
    if reading is None or place is None or turn.mission.riding is None:
        return turn
    if turn.mission.riding != progress.nodes[0].sequence_id or place.map_id != reading.pose.map_id:
        return turn
    if reading.pose.distance_m(place.x, place.y) > AT_NODE_M:
        return turn
    turn = replace(turn, mission=replace(turn.mission, riding=None))
    return _passed(turn, progress.order_id, progress.nodes[0].sequence_id)


def _taken_over(turn: Turn) -> Turn:
    """A person has taken control: the order is dropped, as 6.10.6 says of these modes."""
    mission, reading = turn.mission, turn.reading
    if reading is None or reading.obeys:
        return turn
    if not orders.is_busy(mission.progress, mission.actions):
        return turn
    text = f"operatingMode is {reading.mode}"
    for row in mission.actions:
        if row.source is not Source.INSTANT and not row.ended:
            turn = _set(turn, row, _FAILED, text)
    about = orders.warning(ORDER_DROPPED, text, orderId=mission.progress.order_id)
    return _complain(_drop_order(turn), about)


def _passed(turn: Turn, order_id: str, sequence_id: int) -> Turn:
    mission = turn.mission
    progress = mission.progress
    expected = progress.nodes[0] if progress.nodes else None
    if (
        order_id != progress.order_id
        or expected is None
        or expected.sequence_id != sequence_id
        or not expected.released
    ):
        return turn
    pose = turn.reading.pose if turn.reading else None
    told = mission.told[1:] if mission.told and mission.told[0] == sequence_id else None
    mission = replace(mission, progress=orders.traversed(progress, pose), told=told)
    turn = _leave_edge(replace(turn, mission=mission), sequence_id - 1)
    return _trigger(turn, sequence_id)


def _leave_edge(turn: Turn, sequence_id: int) -> Turn:
    """Actions of an edge end with it; those that had no time to begin have failed."""
    for row in turn.mission.actions:
        if row.source is Source.EDGE and row.sequence_id == sequence_id and not row.ended:
            done = row.status is _RUNNING
            turn = _set(turn, row, _FINISHED if done else _FAILED, "" if done else "edge was left")
            if done and row.action.action_type == SIGNAL:
                turn = turn.also(Signal(None))
    return turn


def _trigger(turn: Turn, sequence_id: int) -> Turn:
    actions = tuple(
        replace(row, triggered=True)
        if row.source is Source.NODE and row.sequence_id == sequence_id
        else row
        for row in turn.mission.actions
    )
    return replace(turn, mission=replace(turn.mission, actions=actions))


# --- instant actions ------------------------------------------------------------------------------


def _instant(turn: Turn, action: Action, forged: frozenset[str]) -> Turn:
    if not orders.fits(action.action_id):
        return _action_error(turn, action, "actionId must be printable and short")
    if any(row.action.action_id == action.action_id for row in turn.mission.actions):
        return turn.also(SendState())  # the master's retry: what the state says is the answer
    turn = _make_room(turn)
    if len(turn.mission.actions) >= orders.ACTIONS_MAX:
        return _action_error(turn, action, "too many actions run; wait for some to end")
    entry = ActionEntry(action, Source.INSTANT, triggered=True)
    mission = replace(turn.mission, actions=(*turn.mission.actions, entry))
    problem = action_problem(action, Source.INSTANT)
    if problem is None and action.action_id in forged:
        problem = "signature is missing or wrong"
    if problem is None and action.action_type not in CONTROL:
        problem = _refusal(turn, action)
    turn = replace(turn, mission=mission)
    if problem is not None:
        return _action_error(_set(turn, entry, _FAILED, problem), action, problem)
    return _control(turn, entry) if action.action_type in CONTROL else turn


def _make_room(turn: Turn) -> Turn:
    """Drop the oldest ended instant actions: a master that never orders cannot fill the state."""
    actions = turn.mission.actions
    excess = len(actions) - orders.ACTIONS_MAX + 1
    if excess <= 0:
        return turn
    old = [row for row in actions if row.source is Source.INSTANT and row.ended][:excess]
    kept = tuple(row for row in actions if row not in old)
    return replace(turn, mission=replace(turn.mission, actions=kept))


def _action_error(turn: Turn, action: Action, problem: str) -> Turn:
    return _complain(
        turn,
        orders.warning(
            INSTANT_ACTION_ERROR,
            problem,
            actionId=action.action_id,
            actionType=action.action_type,
            topic="instantActions",
        ),
    )


def _control(turn: Turn, entry: ActionEntry) -> Turn:
    """Actions that wait for nothing. cancelOrder and startPause end when the robot stands."""
    mission = turn.mission
    kind = entry.action.action_type
    if kind == CANCEL_ORDER:
        return _cancel(turn, entry)
    if kind == START_PAUSE:
        turn = replace(turn, mission=replace(mission, paused=True))
        return _set(turn, entry, _RUNNING)
    if kind == STOP_PAUSE:
        turn = replace(turn, mission=replace(mission, paused=False))
        for row in turn.mission.actions:
            if row.action.action_type == START_PAUSE and not row.ended:
                turn = _set(turn, row, _FAILED, "stopPause came first")
        return _set(turn, entry, _FINISHED)
    if kind == STATE_REQUEST:
        return _set(turn, entry, _FINISHED).also(SendState())
    if kind == FACTSHEET_REQUEST:
        return _set(turn, entry, _FINISHED).also(SendFactsheet())
    if kind == CLEAR_INSTANT_ACTIONS:
        kept = tuple(
            row for row in mission.actions if row.source is not Source.INSTANT or not row.ended
        )
        return _set(replace(turn, mission=replace(mission, actions=kept)), entry, _FINISHED)
    reason = entry.action.parameter("reason")
    wanted = WriteLog(entry.action.action_id, reason if isinstance(reason, str) else "")
    return _set(turn, entry, _RUNNING).also(wanted)


def _log_written(turn: Turn, action_id: str, place: str | None, problem: str) -> Turn:
    for row in turn.mission.actions:
        if row.action.action_id == action_id and row.status is _RUNNING:
            status = _FINISHED if place is not None else _FAILED
            return _set(turn, row, status, place or problem)
    return turn


def _cancel(turn: Turn, entry: ActionEntry) -> Turn:
    mission = turn.mission
    others_cancel = any(
        row.action.action_type == CANCEL_ORDER and not row.ended and row != entry
        for row in mission.actions
    )
    busy = orders.is_busy(mission.progress, mission.actions)
    named = entry.action.parameter("orderId")
    text = "there is no order to cancel"
    if isinstance(named, str) and named != mission.progress.order_id:
        busy = others_cancel = False
        text = f"order {named:.40} is not the one that the robot has"
    if not others_cancel and not busy:
        turn = _set(turn, entry, _FAILED, text)
        return _complain(
            turn, orders.warning(NO_ORDER_TO_CANCEL, text, actionId=entry.action.action_id)
        )
    turn = _set(turn, entry, _RUNNING)
    for row in turn.mission.actions:
        if row.source is not Source.INSTANT and not row.ended:
            turn = _set(turn, row, _FAILED, "order was cancelled")
            if row.status is _RUNNING and row.action.action_type == SIGNAL:
                turn = turn.also(Signal(None))
    return turn


# --- running actions ------------------------------------------------------------------------------


def _act(turn: Turn) -> Turn:
    """End what is done, then begin what may begin, until nothing changes."""
    if not turn.mission.actions:
        return turn
    turn = _trigger_edge(turn)
    for row in turn.mission.actions:
        if row.status is _RUNNING:
            turn = _continue(turn, row)
    return _begin_due(turn)


def _trigger_edge(turn: Turn) -> Turn:
    """The robot is on an edge once its start node was passed and its end was released."""
    progress = turn.mission.progress
    if not (progress.edges and progress.edges[0].released) or turn.mission.cancelling:
        return turn
    here = progress.edges[0].sequence_id
    due = [
        row
        for row in turn.mission.actions
        if row.source is Source.EDGE and row.sequence_id == here and not row.triggered
    ]
    if not due:
        return turn
    actions = tuple(
        replace(row, triggered=True) if row in due else row for row in turn.mission.actions
    )
    return replace(turn, mission=replace(turn.mission, actions=actions))


def _begin_due(turn: Turn) -> Turn:
    """Begin triggered actions in their order: NONE at once, SOFT when standing, HARD when alone."""
    for row in turn.mission.actions:
        if not row.triggered or row.status is not ActionStatus.WAITING:
            continue
        running = [
            other
            for other in turn.mission.actions
            if other.status is _RUNNING and other.action.action_type not in CONTROL
        ]
        if any(other.alone for other in running) or (row.alone and running):
            return turn
        if row.stops_drive and (turn.reading is None or turn.reading.driving):
            return turn
        turn = _begin(turn, row)
    return turn


def _refusal(turn: Turn, action: Action) -> str | None:
    """Why an action cannot begin now, in words."""
    mission, reading = turn.mission, turn.reading
    if reading is None:
        return "the robot's sensors are silent"
    kind = action.action_type
    if kind in (OPEN_COMPARTMENT, LOCK_COMPARTMENT):
        return _compartment_refusal(turn, action, reading)
    if kind in (INIT_POSITION, START_CHARGING) and reading.driving:
        return "the robot is driving"
    if kind == INIT_POSITION and any(row.action == action for row in mission.actions):
        return None  # a node's own, or one that was let in before
    if kind == INIT_POSITION and orders.is_busy(mission.progress, mission.actions):
        return "the robot has an order"
    return None


def _compartment_refusal(turn: Turn, action: Action, reading: Reading) -> str | None:
    performed = turn.mission.performed
    if action.action_type == LOCK_COMPARTMENT:
        bolt = read_lock_compartment(action)
        if isinstance(bolt, BadAction):
            return bolt.problem
        return compartments.lock_refusal(bolt, reading=reading, performed=performed)
    command = read_open_compartment(action)
    if isinstance(command, BadAction):
        return command.problem
    return compartments.open_refusal(
        command,
        reading=reading,
        standing_at=standing_at(turn.mission, reading),
        performed=performed,
        utc_ms=turn.now.utc_ms,
    )


def _begin(turn: Turn, entry: ActionEntry) -> Turn:
    problem = _refusal(turn, entry.action)
    if problem is not None:
        return _set(turn, entry, _FAILED, problem)
    action, mission = entry.action, turn.mission
    match action.action_type:
        case kind if kind == OPEN_COMPARTMENT:
            command = read_open_compartment(action)
            if not isinstance(command, BadAction):
                performed = compartments.remember(mission.performed, command.command_id)
                turn = replace(turn, mission=replace(mission, performed=performed))
                turn = turn.also(Unlock(command.compartment))
        case kind if kind == LOCK_COMPARTMENT:
            bolt = read_lock_compartment(action)
            if not isinstance(bolt, BadAction):
                performed = compartments.remember(mission.performed, bolt.command_id)
                turn = replace(turn, mission=replace(mission, performed=performed))
                turn = turn.also(Lock(bolt.compartment))
        case kind if kind in (START_CHARGING, STOP_CHARGING):
            turn = turn.also(Charge(on=kind == START_CHARGING))
        case kind if kind == SIGNAL:
            turn = turn.also(Signal(str(action.parameter("signal"))))
        case kind if kind == INIT_POSITION:
            turn = _set_pose(turn, entry)
    return _set(turn, entry, _RUNNING)


def _set_pose(turn: Turn, entry: ActionEntry) -> Turn:
    pose = init_pose(entry.action)
    if isinstance(pose, BadAction):
        return turn
    turn = turn.also(SetPose(pose))
    name = entry.action.parameter("lastNodeId")
    progress = replace(turn.mission.progress, last_node_pose=pose)
    if entry.source is Source.INSTANT and isinstance(name, str) and orders.fits(name):
        progress = replace(progress, last_node_id=name, last_node_sequence_id=0)
    return replace(turn, mission=replace(turn.mission, progress=progress))


def _continue(turn: Turn, entry: ActionEntry) -> Turn:
    """See whether a running action has ended; a time that is unknown since a restart begins now."""
    if entry.since is None:
        turn = _set(turn, entry, _RUNNING)
        entry = next(
            row for row in turn.mission.actions if row.action.action_id == entry.action.action_id
        )
    reading = turn.reading
    if reading is None or entry.since is None:
        return turn
    if entry.action.action_type == LOG_REPORT:
        late = turn.now.mono_ms - entry.since > ANSWER_TIMEOUT_MS  # the process died meanwhile
        return _end(turn, entry, done=False, late=late)
    if entry.action.action_type in (CANCEL_ORDER, START_PAUSE):
        return turn if reading.driving else _stood(turn, entry)
    return _judge(turn, entry, reading, turn.now.mono_ms - entry.since)


def _stood(turn: Turn, entry: ActionEntry) -> Turn:
    if entry.action.action_type == CANCEL_ORDER:
        turn = _drop_order(turn)
    return _set(turn, entry, _FINISHED)


def _judge(turn: Turn, entry: ActionEntry, reading: Reading, ran_ms: int) -> Turn:
    action = entry.action
    match action.action_type:
        case kind if kind == OPEN_COMPARTMENT:
            command = read_open_compartment(action)
            number = 0 if isinstance(command, BadAction) else command.compartment
            done = compartments.is_unlocked(reading, number)
            return _end(turn, entry, done=done, late=ran_ms > compartments.BOLT_TIMEOUT_MS)
        case kind if kind == LOCK_COMPARTMENT:
            bolt = read_lock_compartment(action)
            number = 0 if isinstance(bolt, BadAction) else bolt.compartment
            done = compartments.is_shut(reading, number)
            return _end(turn, entry, done=done, late=ran_ms > compartments.BOLT_TIMEOUT_MS)
        case kind if kind in (START_CHARGING, STOP_CHARGING):
            done = reading.charging == (kind == START_CHARGING)
            return _end(turn, entry, done=done, late=ran_ms > ANSWER_TIMEOUT_MS)
        case kind if kind == INIT_POSITION:
            return _end(
                turn,
                entry,
                done=_is_at(reading, init_pose(action)),
                late=ran_ms > ANSWER_TIMEOUT_MS,
            )
        case kind if kind == SIGNAL and ran_ms >= signal_ms(action):
            return _set(turn.also(Signal(None)), entry, _FINISHED)
        case _:
            return turn


def _is_at(reading: Reading, wanted: Pose | BadAction) -> bool:
    return (
        not isinstance(wanted, BadAction)
        and reading.localised
        and reading.pose.map_id == wanted.map_id
        and reading.pose.distance_m(wanted.x_m, wanted.y_m) <= AT_NODE_M
    )


def _end(turn: Turn, entry: ActionEntry, *, done: bool, late: bool) -> Turn:
    if done:
        return _set(turn, entry, _FINISHED)
    return _set(turn, entry, _FAILED, "no answer in time") if late else turn


def _drop_order(turn: Turn) -> Turn:
    progress = replace(turn.mission.progress, nodes=(), edges=(), cancelled=True)
    return replace(
        turn, mission=replace(turn.mission, progress=progress, retry_at=None, riding=None)
    )


def _set(turn: Turn, entry: ActionEntry, status: ActionStatus, result: str = "") -> Turn:
    """Note how an action stands now; the first RUNNING notes the time."""
    actions = tuple(
        replace(
            row,
            status=status,
            result=result[:RESULT_MAX_CHARS] or row.result,
            since=row.since if row.since is not None else turn.now.mono_ms,
        )
        if row.action.action_id == entry.action.action_id
        else row
        for row in turn.mission.actions
    )
    return replace(turn, mission=replace(turn.mission, actions=actions))
