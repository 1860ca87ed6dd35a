"""Cores with a planted fault, one for each judge: a judge that cannot fail is a defect."""

from collections.abc import Callable
from dataclasses import replace

from contracts.api import DeliveryState, ZoneVerdict
from contracts.units import UtcMs
from contracts.vda5050.profile import OpenCompartment
from controller.core import site as core
from controller.core.facility_words import CommandFacility
from controller.core.fleet import Duty
from controller.core.ordering_inputs import MenuEdited, ReleaseAsked, ReleaseJudged
from controller.core.outputs import (
    Accepted,
    ActionKind,
    Output,
    PublishAction,
    PublishOrder,
)
from controller.core.state import (
    DeliveryOrdered,
    Input,
    Now,
    PinTried,
    RobotReported,
    SiteState,
)

Result = tuple[SiteState, tuple[Output, ...]]
Change = Callable[[SiteState, Input, Now, Result], Result]


def planted(change: Change) -> Callable[[SiteState, Input, Now], Result]:
    """The real step, with its result changed."""

    def step(site: SiteState, given: Input, now: Now) -> Result:
        return change(site, given, now, core.step(site, given, now))

    return step


def without_pauses(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Nobody is stopped for a person, and whole ways are given away at once."""
    after, outputs = result
    kept = tuple(
        row for row in outputs
        if not (isinstance(row, PublishAction) and row.action is ActionKind.PAUSE)
    )  # fmt: skip
    return after, tuple(_all_released(row) for row in kept)


def _all_released(row: Output) -> Output:
    if not isinstance(row, PublishOrder):
        return row
    return replace(row, nodes=tuple(replace(node, released=True) for node in row.nodes))


def everything_released(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Robots get their whole way, whoever stands on it."""
    after, outputs = result
    return after, tuple(_all_released(row) for row in outputs)


def any_pin(site: SiteState, given: Input, now: Now) -> Result:
    """A wrong PIN opens as a right one does."""
    if isinstance(given, PinTried):
        given = replace(given, right=True)
    return core.step(site, given, now)


def opens_at_will(_site: SiteState, given: Input, now: Now, result: Result) -> Result:
    """A compartment is told to open wherever a robot stands, once it is on its way to a door."""
    after, outputs = result
    if not isinstance(given, RobotReported) or given.report.driving or given.report.unpassed:
        return result
    duty = after.duties[given.robot_id]
    carried = [box for box in given.report.compartments if box.occupied and box.shut]
    if not carried or duty.goal is None or duty.goal.node != given.report.last_node:
        return result
    box = carried[0].compartment
    command = OpenCompartment(
        box, "nobody", given.report.last_node, UtcMs(now.utc_ms + 30_000), f"x-{box}"
    )
    opens = PublishAction(given.robot_id, f"x-{box}", ActionKind.OPEN, opens=command)
    return after, (*outputs, opens)


def given_to_both(site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Every order goes to the other robot as well."""
    after, outputs = result
    more = [
        replace(row, robot_id=other, order_id=f"{row.order_id}-too")
        for row in outputs
        if isinstance(row, PublishOrder)
        for other in site.duties
        if other != row.robot_id
    ]
    return after, (*outputs, *more)


def doors_unheard(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Doors are never told to open, and robots do not wait for them."""
    after, outputs = result
    kept = tuple(row for row in outputs if not isinstance(row, CommandFacility))
    return after, tuple(_all_released(row) for row in kept)


def orders_swallowed(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Updates of orders are never sent: robots stand at the end of their base for ever."""
    after, outputs = result
    return after, tuple(
        row for row in outputs
        if not (isinstance(row, PublishOrder) and row.order_update_id > 0)
    )  # fmt: skip


def forgets_owners(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Robots forget what they carry."""
    after, outputs = result
    duties = {name: _forgetful(duty) for name, duty in after.duties.items()}
    return replace(after, duties=duties), outputs


def _forgetful(duty: Duty) -> Duty:
    return replace(duty, tour=None)


def delivered_at_the_door(_site: SiteState, _given: Input, now: Now, result: Result) -> Result:
    """An order counts as delivered as soon as the robot is there."""
    after, outputs = result
    rows = {
        name: replace(row, state=DeliveryState.RETURNED, ended_utc_ms=now.utc_ms)
        if row.state is DeliveryState.ARRIVED
        else row
        for name, row in after.deliveries.items()
    }
    ended = {name for name, row in rows.items() if row.ended}
    duties = {
        name: replace(duty, tour=None) if duty.delivery_id in ended else duty
        for name, duty in after.duties.items()
    }
    return replace(after, deliveries=rows, duties=duties), outputs


def says_no_reason(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """What was called off or failed does not say why."""
    after, outputs = result
    rows = {
        name: replace(row, explanation=None) if row.ended else row
        for name, row in after.deliveries.items()
    }
    return replace(after, deliveries=rows), outputs


def assigns_nobody(site: SiteState, given: Input, now: Now, result: Result) -> Result:
    """An order waits for ever, and no robot hears of it."""
    after, outputs = result
    rows = {
        name: row
        if row.state is DeliveryState.REQUESTED or name in site.deliveries
        else replace(row, state=DeliveryState.REQUESTED, robot_id=None, compartment=None)
        for name, row in after.deliveries.items()
    }
    answers = tuple(row for row in outputs if isinstance(row, Accepted))
    if isinstance(given, DeliveryOrdered):
        return replace(site, deliveries=rows), answers
    return (site, ()) if site.deliveries else (after, outputs)


def proofs_flattered(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Every zone counts as proven, whoever was there and whoever saw it."""
    return _with_verdict(result, ZoneVerdict.NO_UNADMITTED_PERSON)


def proofs_alarmed(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Every zone is said to have had a person in it."""
    return _with_verdict(result, ZoneVerdict.PERSON_SEEN)


def proofs_withheld(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Nothing counts as proven, though cameras saw all of it."""
    return _with_verdict(result, ZoneVerdict.UNPROVEN)


def _with_verdict(result: Result, verdict: ZoneVerdict) -> Result:
    after, outputs = result
    rows = {
        name: replace(
            row, zones=tuple(one.model_copy(update={"verdict": verdict}) for one in row.zones)
        )
        for name, row in after.deliveries.items()
    }
    return replace(after, deliveries=rows), outputs


def fire_unheeded(_site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """Nobody tells robots of a fire: they are given no way, and stand where they are."""
    after, outputs = result
    if not after.facilities.fire:
        return result
    kept = tuple(row for row in outputs if not isinstance(row, PublishOrder))
    return after, kept


def keeps_places_of_removed(site: SiteState, _given: Input, _now: Now, result: Result) -> Result:
    """A robot that was taken off the floor still has the node that it stood on."""
    after, outputs = result
    duties = {
        name: replace(duty, at_node=site.duties[name].at_node or after.plan.robots[name].home_node)
        if duty.removed is not None
        else duty
        for name, duty in after.duties.items()
    }
    return replace(after, duties=duties), outputs


def closes_never(site: SiteState, given: Input, now: Now) -> Result:
    """A meal is taken after its cut-off."""
    if isinstance(given, MenuEdited):
        meals = tuple(row.model_copy(update={"cut_off_min": 0}) for row in given.body.terms.meals)
        terms = given.body.terms.model_copy(update={"meals": meals})
        given = replace(given, body=given.body.model_copy(update={"terms": terms}))
    return core.step(site, given, now)


def one_releases(site: SiteState, given: Input, now: Now) -> Result:
    """One supervisor is enough to open a compartment."""
    after, outputs = core.step(site, given, now)
    if not isinstance(given, ReleaseAsked):
        return after, outputs
    judged = ReleaseJudged(given.delivery_id, approved=True, by="nobody")
    last, more = core.step(after, judged, now)
    return last, (*outputs, *more)
