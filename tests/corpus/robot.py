"""Scenarios of the rules that the controller judges: robots, and nodes that fall silent.

The controller's own step is played each 200 ms, as its service ticks, with what a robot reports and
what cameras see made here. No picture is needed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.api import DeliveryKind, DeliveryState
from contracts.catalogue import CATALOGUE
from contracts.observations import NodeHealth, NodeState
from contracts.units import MonoMs, RuleCode, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from contracts.vda5050.state import ConnectionState
from controller.core import site as controller
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty, Mission, RobotLive, Tour
from controller.core.interlock import ZoneSight
from controller.core.plan import SitePlan
from controller.core.state import NodeSaid, Now, Observed, SiteState, Tick
from tests.corpus.families import Draw, Family, family
from tests.corpus.outcome import Clocks, Played, Raised
from tests.corpus.rooms import room
from tests.corpus.scenario import MONO_0, UTC_0, Given, Scenario, Spare, truths
from tests.corpus.spans import Span
from tests.fakes.controller_site import fresh_state, observation, person, small_plan
from tests.fakes.robot_words import standing_at

TICK_MS: Final = 200  # as the controller's service
PICTURE_MS: Final = 200
HEALTH_MS: Final = 2_000
OPEN: Final = "robot.compartment_open"
STUCK: Final = "robot.stopped_off_stop"
LATE: Final = "robot.overdue"
FOLLOWS: Final = "robot.person_follows"
IN_ZONE: Final = "robot.person_in_zone"
OFFLINE: Final = "node.offline"
ROBOT: Final = "robot-1"
NODE: Final = "edge-1"
SILENT_MS: Final = 20_000  # after so long without a word a node counts as gone, will or no will
WAY: Final = ("kitchen", "k", "c1", "c2", "door-1")
LATE_MS: Final = 1_800_000
CLEAR_FOR_MS: Final = 1_000  # of the zone in the test's site

SHUT: Final = CompartmentState(1, LidState.CLOSED, LockState.LOCKED, occupied=True)


def _within(spans: tuple[Span, ...], t_ms: int) -> bool:
    return any(begin <= t_ms < end for begin, end in spans)


@dataclass(frozen=True, slots=True)
class Day:
    """What becomes of one robot and its site; what is left out is as it should be."""

    plan: SitePlan = field(default_factory=lambda: small_plan(robots=1))
    state: DeliveryState = DeliveryState.TRAVELLING
    ordered_ms: int = 0
    arrives_ms: int | None = None
    open_lid: tuple[Span, ...] = ()
    stands: tuple[Span, ...] = ()
    held: tuple[Span, ...] = ()
    at_door: bool = False
    nodes: Callable[[int], str] = lambda t_ms: "k"
    sights: Callable[[int], Mapping[str, ZoneSight]] = lambda t_ms: {}
    people: tuple[Span, ...] | None = None
    """When somebody is in the corridor, as its camera sees it; None: no camera speaks."""
    node_words: Callable[[int], NodeState | None] = lambda t_ms: None

    def delivery_state(self, t_ms: int) -> DeliveryState:
        """Of the one delivery."""
        arrived = self.arrives_ms is not None and t_ms >= self.arrives_ms
        return DeliveryState.ARRIVED if arrived else self.state

    def robot(self, site: SiteState, t_ms: int, now: Now) -> SiteState:
        """The site with what the robot reports at a time."""
        stands = _within(self.stands, t_ms) or self.at_door or _within(self.held, t_ms)
        lid = LidState.OPEN if _within(self.open_lid, t_ms) else LidState.CLOSED
        node = "door-1" if self.at_door else self.nodes(t_ms)
        report = standing_at(
            node,
            order_id="o-1",
            driving=not stands,
            paused=_within(self.held, t_ms),
            compartments=(replace(SHUT, lid=lid),),
        )
        mission = None if self.at_door else Mission("o-1", WAY, len(WAY), answered=0)
        duty = Duty(ROBOT, tour=Tour(("d-1",), "d-1"), mission=mission, at_node=node)
        duty = replace(duty, held_for=("corridor",) if _within(self.held, t_ms) else ())
        delivery = Delivery(
            id="d-1",
            room_id="room-1",
            session_id="s-1",
            kind=DeliveryKind.MEAL,
            lines=(),
            ordered_utc_ms=UtcMs(UTC_0 + self.ordered_ms),
            ordered_by="tab1",
            since_mono_ms=now.mono_ms,
            pin_digest="",
            state=self.delivery_state(t_ms),
            robot_id=ROBOT,
            compartment=1,
        )
        live = RobotLive(ConnectionState.ONLINE, report=report, report_mono_ms=now.mono_ms)
        return replace(
            site,
            robots={ROBOT: live},
            duties={ROBOT: duty},
            deliveries={"d-1": delivery},
            sights={**site.sights, **self.sights(t_ms)},
        )


def _played(day: Day, scenario: Scenario) -> Played:
    """Play a day through the controller's step; what it raised."""
    site = fresh_state(day.plan, Now(MonoMs(MONO_0), UtcMs(UTC_0)))
    for t_ms in range(0, scenario.duration_ms + 1, TICK_MS):
        now = Now(MonoMs(MONO_0 + t_ms), UtcMs(UTC_0 + t_ms))
        site = day.robot(site, t_ms, now)
        if day.people is not None and t_ms % PICTURE_MS == 0:
            seen = (person(),) if _within(day.people, t_ms) else ()
            told = observation(index=t_ms // PICTURE_MS, utc_ms=int(now.utc_ms), people=seen)
            site, _ = controller.step(site, Observed(told), now)
        word = day.node_words(t_ms)
        if word is not None:
            health = NodeHealth(node_id=NODE, state=word, utc_ms=now.utc_ms, boot_id="b")
            site, _ = controller.step(site, NodeSaid(health), now)
        # The robot's word again: what the step decides for it is another suite's affair.
        site = day.robot(site, t_ms, now)
        site, _ = controller.step(site, Tick(), now)
    return Played(tuple(_raised(site)), (), _clocks())


def _raised(site: SiteState) -> Iterator[Raised]:
    for record in sorted(site.alerts.values(), key=lambda row: row.alert.raised_utc_ms):
        alert = record.alert
        cleared = alert.cleared_utc_ms
        yield Raised(
            code=alert.rule,
            subject=None,
            since_ms=alert.since_utc_ms - UTC_0,
            raised_ms=alert.raised_utc_ms - UTC_0,
            cleared_ms=None if cleared is None else cleared - UTC_0,
            mode=alert.mode.value,
            severity=alert.severity.value,
        )


def _clocks() -> Mapping[RuleCode, Clocks]:
    found = {code: spec.settings({}) for code, spec in CATALOGUE.items()}
    return {code: Clocks(one["dwell_ms"], one["clear_ms"]) for code, one in found.items()}


def _nothing() -> Iterator[Given]:
    return iter(())


def _scenario(
    draw: Draw,
    code: str,
    day: Day,
    duration_ms: int,
    spans: tuple[Span, ...],
    spare: tuple[Spare, ...] = (),
) -> Scenario:
    return Scenario(
        name=code,
        seed=draw.seed,
        room=room(()),
        duration_ms=duration_ms,
        open=_nothing,
        truth=truths(code, None, spans),
        spare=spare,
        player=lambda scenario: _played(day, scenario),
        of_camera="none",
    )


@family(OPEN, seeds=40)
def lid_on_the_way(draw: Draw) -> Scenario:
    """A lid comes open while the robot drives, after one that only rattled."""
    rattled = draw.ms(2_000, 6_000)
    begin = draw.ms(12_000, 20_000)
    span = (begin, begin + draw.ms(4_000, 20_000))
    day = Day(open_lid=((rattled, rattled + draw.ms(200, 400)), span))
    return _scenario(draw, OPEN, day, span[1] + 10_000, (span,))


@family(OPEN, seeds=40)
def lid_at_the_door(draw: Draw) -> Scenario:
    """At the door: open before anybody has given the PIN is told; while it is given out, not."""
    begin = draw.ms(5_000, 15_000)
    span = (begin, begin + draw.ms(5_000, 30_000))
    let = bool(draw.whole(0, 1))
    state = DeliveryState.OPEN if let else DeliveryState.ARRIVED
    day = Day(state=state, at_door=True, open_lid=(span,))
    # What a delivery does about a lid left open is its own rule's affair.
    return _scenario(draw, OPEN, day, span[1] + 5_000, () if let else (span,))


@family(STUCK, seeds=40)
def stuck(draw: Draw) -> Scenario:
    """It stands with its way free; before that it stood as long for a reason, or too shortly."""
    held = draw.ms(2_000, 5_000)
    waited = (held, held + draw.ms(20_000, 50_000))
    short = waited[1] + draw.ms(2_000, 5_000)
    brief = (short, short + draw.ms(5_000, 25_000))
    begin = brief[1] + draw.ms(4_000, 8_000)
    span = (begin, begin + draw.ms(35_000, 60_000))
    day = Day(held=(waited,), stands=(brief, span))
    # That it stands is the condition; what is over before the dwell raises nothing.
    return _scenario(draw, STUCK, day, span[1] + 10_000, (brief, span))


@family(LATE, seeds=40)
def late(draw: Draw) -> Scenario:
    """A delivery ordered half an hour ago is still on its way, or arrives just before."""
    due_ms = draw.ms(5_000, 20_000)
    in_time = bool(draw.whole(0, 1))
    end = due_ms + draw.ms(5_000, 30_000)
    arrives = due_ms - draw.ms(400, 3_000) if in_time else end
    day = Day(ordered_ms=due_ms - LATE_MS, arrives_ms=arrives)
    spans = () if in_time else ((due_ms, end),)
    return _scenario(draw, LATE, day, end + 10_000, spans)


def _zoned() -> SitePlan:
    plan = small_plan(robots=1)
    zone = next(iter(plan.zones.values()))
    return replace(
        plan,
        zone_at={
            "k": zone.model_copy(update={"id": "west"}),
            "c1": zone.model_copy(update={"id": "middle"}),
            "c2": zone.model_copy(update={"id": "east"}),
        },
        zones={},
    )


def _sight(t_ms: int, people: int) -> ZoneSight:
    return ZoneSight(
        seen=True,
        people=people,
        unadmitted=0,
        received_mono_ms=MonoMs(MONO_0 + t_ms),
        received_utc_ms=UtcMs(UTC_0 + t_ms),
        boot_id="b",
        index=t_ms,
    )


@family(FOLLOWS, seeds=40)
def followed(draw: Draw) -> Scenario:
    """Somebody walks behind the robot from zone to zone, or only stands in one that it leaves."""
    into_middle = draw.ms(4_000, 8_000)
    into_east = into_middle + draw.ms(5_000, 7_000)
    leaves = into_east + draw.ms(12_000, 16_000)
    behind = draw.ms(400, 2_000)
    follows = bool(draw.whole(0, 1))

    def node(t_ms: int) -> str:
        return "k" if t_ms < into_middle else "c1" if t_ms < into_east else "c2"

    def sights(t_ms: int) -> Mapping[str, ZoneSight]:
        west = into_middle + behind <= t_ms < into_east
        middle = follows and into_east + behind <= t_ms < leaves
        return {"west": _sight(t_ms, int(west)), "middle": _sight(t_ms, int(middle))}

    day = Day(plan=_zoned(), nodes=node, sights=sights)
    # Two zones one after another are what following means: it shows in the second. It is over when
    # both have been left for longer than anybody behind it needs.
    span = (into_east + behind, into_east + 13_000)
    spare = (Spare(span[1] - 3_000, span[1] + 8_000, FOLLOWS),)
    return _scenario(draw, FOLLOWS, day, leaves + 5_000, (span,) if follows else (), spare)


@family(IN_ZONE, seeds=40)
def person_in_the_way(draw: Draw) -> Scenario:
    """Somebody steps into the corridor that the robot must pass, and goes again; once or twice."""
    begin = draw.ms(5_000, 12_000)
    first = (begin, begin + draw.ms(2_000, 15_000))
    people = [first]
    if draw.whole(0, 1):
        again = first[1] + draw.ms(8_000, 15_000)
        people.append((again, again + draw.ms(2_000, 10_000)))
    day = Day(people=tuple(people))
    # The zone is shut until it has been empty for its own time.
    spans = tuple((start, end + CLEAR_FOR_MS) for start, end in people)
    return _scenario(draw, IN_ZONE, day, people[-1][1] + 10_000, spans)


@family(OFFLINE, seeds=40)
def node_gone(draw: Draw) -> Scenario:
    """A node's last will comes, or it only falls silent; before that it is late by some seconds."""
    hush = draw.ms(6_000, 10_000)
    late_ms = draw.ms(4_000, 15_000)
    gone = hush + late_ms + draw.ms(6_000, 10_000)
    will = bool(draw.whole(0, 1))
    back = gone + (0 if will else SILENT_MS) + draw.ms(5_000, 30_000)

    def words(t_ms: int) -> NodeState | None:
        if will and t_ms == gone:
            return NodeState.LOST
        quiet = hush <= t_ms < hush + late_ms or gone <= t_ms < back
        return None if quiet or t_ms % HEALTH_MS else NodeState.RUNNING

    heard = [t_ms for t_ms in range(0, gone, HEALTH_MS) if not hush <= t_ms < hush + late_ms]
    begin = gone if will else heard[-1] + SILENT_MS
    first_word = -(-back // HEALTH_MS) * HEALTH_MS
    day = Day(node_words=words)
    return _scenario(draw, OFFLINE, day, first_word + 5_000, ((begin, first_word),))


FAMILIES: Final[tuple[Family, ...]] = (
    lid_on_the_way,
    lid_at_the_door,
    stuck,
    late,
    followed,
    person_in_the_way,
    node_gone,
)
