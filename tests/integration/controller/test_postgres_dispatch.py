"""What is known of robots, deliveries and the fire alarm outlives a restart, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest

from contracts.api import DeliveryBody, DeliveryState, OrderLine, Sentence, ZonePassage, ZoneVerdict
from contracts.api.deliveries import Approval, ArrivalWindow, CustodyEvent, Found, Inspection, Leg
from contracts.api.menu import Cutlery, DeliveryKind
from contracts.devices import Named
from contracts.facilities import DoorConfig, FireConfig, SimulatedLink
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.profile import LockCompartment, OpenCompartment
from contracts.vda5050.state import ActionStatus
from controller.core import capability, doubts, fleet
from controller.core.deliveries import Delivery
from controller.core.dispatch_inputs import RobotCommanded, ZoneLetThrough
from controller.core.facility_words import FireReleased, FireSaid
from controller.core.fleet import ActionDuty, Duty, Goal, GoalKind, HoldVerb, Mission, Tour
from controller.core.ordering_inputs import DeliveryJudged, ReleaseAsked
from controller.core.outputs import Accepted, ActionKind, Refused
from controller.core.state import DeliveryOrdered, Input
from controller.ports import Batch
from controller.store.database import Database
from runtime.clock import SimulatedClock
from tests.fakes.controller_site import Bench, bench, named, small_map, small_site
from tests.fakes.postgres import Server, running
from tests.fakes.waiting import until

pytestmark = pytest.mark.system

NAME = Named(zh="走廊", en="Corridor")
WHY = Sentence(zh="因为", en="because")
T = UtcMs(1_760_000_000_000)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running({"fsync": "off"}) as found:  # what a power cut costs is not asked here
        yield found


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'controller.db'}"
    return server.make(f"dispatch{abs(hash(request.node.nodeid)) % 10**12}")


def a_duty() -> Duty:
    """A robot of whom everything is known that can be: no field is as it is left out."""
    opens = OpenCompartment(2, "d-1", "door-1", UtcMs(T + 5_000), "a-2")
    return Duty(
        "robot-1",
        tour=Tour(("d-1", "d-2"), "d-1"),
        goal=Goal(GoalKind.DOOR, "door-1"),
        mission=Mission("o-7", ("k", "c1", "c2"), 2, 3, 1, 1, 2, True, 0.5, (1, 2)),
        at_node="c1",
        towards="c2",
        actions=(
            ActionDuty("a-1", ActionKind.LOCK, locks=LockCompartment(1, "d-1", "a-1")),
            ActionDuty("a-2", ActionKind.OPEN, opens=opens, valid_until_utc_ms=UtcMs(T + 5_000)),
            ActionDuty(
                "p-3", ActionKind.PAUSE, status=ActionStatus.FAILED, result="否", asked_utc_ms=T
            ),
        ),
        pause_wanted=True,
        strays=("p-1", "p-2"),
        held_for=("corridor",),
        made=41,
        refusals=2,
        hold=fleet.RobotHold(HoldVerb.RECALL, "专家提问", "sup", T),
        let=(fleet.LetThrough("corridor", "walked it", "sup2", T),),
        refuge="home-1",
        out=("c1", "k", "home-1"),
        unemptied=(1, 3),
        removed=fleet.Removal("broken wheel", "sup", T, "c1", (1, 3)),
        declared=capability.Declared(
            "2.1.0", series="X", nodes_max=9, instant_actions=("startPause",), heard_utc_ms=T
        ),
        doubted=doubts.Doubted((next(iter(doubts.DoubtKind)),), WHY, T),
        paused_utc_ms=T,
    )


def a_delivery() -> Delivery:
    """As above."""
    return Delivery(
        id="d-1",
        room_id="room-1",
        session_id="s-1",
        kind=DeliveryKind.MEDICINE,
        lines=(OrderLine(dish="box-standard", count=2),),
        ordered_utc_ms=T,
        ordered_by="tab1",
        since_mono_ms=MonoMs(5),
        pin_digest="salt$hash",
        idempotency_key="key-1",
        state=DeliveryState.ARRIVED,
        robot_id="robot-1",
        compartment=2,
        ended_utc_ms=UtcMs(T + 9),
        pin_tries_left=3,
        legs=(Leg(name="travelling", started_utc_ms=T, ended_utc_ms=UtcMs(T + 1)),),
        zones=(
            ZonePassage(
                zone_id="corridor",
                name=NAME,
                seen_by="corridor",
                entered_utc_ms=T,
                verdict=ZoneVerdict.UNPROVEN,
                detail="sup: walked it",
            ),
        ),
        custody=(CustodyEvent(utc_ms=T, what="loaded", by="cook", node_id="kitchen", lid="open"),),
        explanation=WHY,
        said_loaded_by="cook",
        action_id="a-2",
        tries=1,
        cargo=True,
        unloading=True,
        warned=True,
        stranded=True,
        returns_as=DeliveryState.CANCELLED,
        window=ArrivalWindow(from_utc_ms=T, until_utc_ms=UtcMs(T + 600_000)),
        approval=Approval(approved=True, by="sup", utc_ms=T, reason="处方已核"),
        released_by=("sup", "sup2"),
        release_reason="tablet broken",
        release_asked_utc_ms=T,
        cutlery=Cutlery.SPOON,
        pin_issues=2,
        pin_locks=1,
        pin_locked_mono_ms=MonoMs(77),
        pin_locked_until_utc_ms=UtcMs(T + 60_000),
        inspected=Inspection(found=next(iter(Found)), by="cook", utc_ms=T),
    )


def as_left_out(row: Any) -> set[str]:
    """The fields of a row that say nothing more than if they had not been given."""
    return {
        one.name
        for one in fields(row)
        if one.default is not MISSING and getattr(row, one.name) == one.default
    }


def test_every_field_of_a_robots_duty_and_of_a_delivery_is_read_back(url: str) -> None:
    duty, delivery = a_duty(), a_delivery()
    # A field that is new must be tried here as well.
    assert as_left_out(duty) == set()
    assert as_left_out(delivery) == set()
    database = Database(url, "boot-1")
    database.commit(
        Batch(
            duties=(duty,), deliveries=(delivery, replace(delivery, id="d-2", idempotency_key=None))
        )
    )
    database.close()
    again = Database(url, "boot-2")
    loaded = again.load()
    assert loaded.duties["robot-1"] == duty
    assert loaded.deliveries["d-1"] == delivery
    assert loaded.deliveries["d-2"].id == "d-2"
    # What is said again takes the place of what was said.
    free = Duty("robot-1", at_node="home-1")
    again.commit(Batch(duties=(free,), deliveries=(replace(delivery, approval=None),)))
    again.close()
    last = Database(url, "boot-3")
    loaded = last.load()
    assert loaded.duties["robot-1"] == free
    assert loaded.deliveries["d-1"].approval is None
    last.close()


@asynccontextmanager
async def site(folder: Path, url: str, clock: SimulatedClock) -> AsyncIterator[Bench]:
    link = SimulatedLink(via="simulated")
    door = DoorConfig(kind="door", id="door-k", name=named("K"), ways=(("k", "c1"),), link=link)
    fire = FireConfig(kind="fire", id="panel", name=named("Panel"), link=link)
    house = small_site().model_copy(update={"doors": (door,), "fires": (fire,)})
    made = bench(folder, database_url=url, house=(house, small_map()), clock=clock)
    task = asyncio.create_task(made.controller.service.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.controller.database.close()


async def ask(made: Bench, given: Input) -> Accepted | Refused:
    answer = await made.controller.service.ask(given)
    assert isinstance(answer, Accepted | Refused)
    return answer


def papers(delivery_id: str, kind: DeliveryKind = DeliveryKind.PAPERS) -> DeliveryOrdered:
    body = DeliveryBody(room_id="room-1", kind=kind, lines=(OrderLine(dish="documents", count=1),))
    return DeliveryOrdered(delivery_id, body, "sup", "")


async def test_holds_let_throughs_approvals_and_a_fire_outlive_a_restart(
    url: str, tmp_path: Path
) -> None:
    clock = SimulatedClock()
    async with site(tmp_path, url, clock) as made:
        for name in ("d-1", "d-2", "d-3"):
            assert isinstance(await ask(made, papers(name)), Accepted)
        for name, approved in (("d-1", True), ("d-2", False)):
            judged = DeliveryJudged(name, approved, "项目组要求", "sup2")
            assert isinstance(await ask(made, judged), Accepted)
        for given in (
            RobotCommanded("robot-1", HoldVerb.HOLD, "look at its wheel", "sup"),
            ZoneLetThrough("robot-2", "corridor", "walked it myself", "sup"),
        ):
            assert isinstance(await ask(made, given), Accepted)
        await made.controller.service.offer(FireSaid("panel", burning=True))
        await until(lambda: made.controller.service.state.facilities.fire, what="it burns")
        before = made.controller.service.state
    async with site(tmp_path, url, clock) as again:
        state = again.controller.service.state
        assert state.duties["robot-1"].hold == before.duties["robot-1"].hold
        assert state.duties["robot-2"].let == before.duties["robot-2"].let
        assert state.duties["robot-2"].let[0].reason == "walked it myself"
        assert {name: row.state for name, row in state.deliveries.items()} == {
            "d-1": DeliveryState.REQUESTED,
            "d-2": DeliveryState.CANCELLED,
            "d-3": DeliveryState.PROPOSED,
        }
        approval = state.deliveries["d-1"].approval
        assert approval is not None
        assert (approval.by, approval.reason) == ("sup2", "项目组要求")
        refused = state.deliveries["d-2"].approval
        assert refused is not None
        assert not refused.approved
        assert state.facilities.fire, "who says that robots may drive is a person"
        # Where doors stand is never read back: it is asked of the doors.
        assert state.facilities.doors["door-k"].away
        assert state.facilities.doors["door-k"].said is None
        assert isinstance(await ask(again, ReleaseAsked("d-1", "no PIN", "sup")), Refused)
        await again.controller.service.offer(FireSaid("panel", burning=False))
        released = FireReleased("sup", "panel reset")
        assert isinstance(await ask(again, released), Accepted)
        resumed = RobotCommanded("robot-1", HoldVerb.RESUME, "it is sound", "sup")
        assert isinstance(await ask(again, resumed), Accepted)
    async with site(tmp_path, url, clock) as last:
        assert last.controller.service.state.duties["robot-1"].hold is None
        assert not last.controller.service.state.facilities.fire
