"""A door is shut for robots until it says that it is open, and held while one may stand in it."""

import pytest

from contracts.units import MonoMs
from controller.core import facilities
from controller.core.doors import DoorPhase
from controller.core.facilities import FacilitiesLive
from controller.core.facility_words import (
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilityClaim,
    FacilitySaid,
    FireSaid,
    TroubleKind,
)
from tests.fakes.facility_site import two_floor_plan

THROUGH = {("a", "b"), ("b", "a")}


class Doorway:
    """One door in time: what it is told is kept, and it says what the test lets it say."""

    def __init__(self, *, fire_door: bool = False) -> None:
        self.plan = two_floor_plan(fire_door=fire_door)
        self.now = MonoMs(1_000)
        self.live = facilities.begun(self.plan, self.now)
        self.told: list[bool] = []
        self.shut: frozenset[tuple[str, str]] = frozenset()
        self.says(DoorPosition.SHUT)

    def says(self, position: DoorPosition | None) -> None:
        said = None if position is None else DoorSaid(position)
        self.live = facilities.heard(self.live, FacilitySaid("door-a", said), self.now)

    def settle(self, *claims: FacilityClaim, after_ms: int = 100) -> None:
        self.now = MonoMs(self.now + after_ms)
        self.live, self.shut, commands = facilities.settle(self.plan, self.live, claims, self.now)
        self.told += [row.order.open for row in commands if isinstance(row.order, DoorOrder)]

    def passable(self) -> bool:
        return self.shut.isdisjoint(THROUGH)

    def phase(self) -> DoorPhase:
        return self.live.doors["door-a"].phase

    def kinds(self) -> set[TroubleKind]:
        rows = facilities.troubles(self.live)
        return {row.kind for row in rows if row.facility_id == "door-a"}


def before(released: int = 0) -> FacilityClaim:
    return FacilityClaim("r-1", "a", ("b", "lobby-1"), released)


def test_a_door_opens_before_a_robot_and_lets_go_behind_it() -> None:
    door = Doorway()
    far = FacilityClaim("r-1", "kitchen", ("a", "b", "lobby-1"))
    door.settle(far)
    assert (door.told, door.passable()) == ([False], False)  # ten metres away: not yet
    door.settle(before())
    assert (door.told[-1], door.passable()) == (True, False)
    door.says(DoorPosition.BETWEEN)
    door.settle(before())
    assert not door.passable()
    door.says(DoorPosition.OPEN)
    door.settle(before())
    assert door.passable()
    door.settle(before(released=1))
    door.settle(FacilityClaim("r-1", "a", ("b",), 1), after_ms=9_000)
    assert door.passable()
    door.settle(FacilityClaim("r-1", "b", ("lobby-1",)))
    assert (door.told[-1], door.passable(), door.phase()) == (False, False, DoorPhase.CLOSING)
    door.says(DoorPosition.SHUT)
    door.settle()
    assert door.phase() is DoorPhase.RESTING
    sent = len(door.told)
    door.settle(after_ms=60_000)
    assert len(door.told) == sent, "a door at rest is told nothing"


def test_an_open_door_that_nobody_holds_is_shut_for_robots() -> None:
    door = Doorway()
    door.says(DoorPosition.OPEN)
    door.settle()
    assert not door.passable()


def test_a_door_that_does_not_open_is_asked_again_told_and_comes_back_by_itself() -> None:
    door = Doorway()
    door.settle(before())
    door.settle(before(), after_ms=9_000)
    assert door.kinds() == set()
    door.settle(before(), after_ms=2_000)
    assert door.kinds() == {TroubleKind.DOOR_STUCK}
    assert door.told.count(True) == 3
    door.says(DoorPosition.OPEN)
    door.settle(before())
    assert door.passable()
    assert door.kinds() == set()


def test_a_door_that_does_not_close_is_told() -> None:
    door = Doorway()
    door.settle(before())
    door.says(DoorPosition.OPEN)
    door.settle(before())
    door.settle()
    door.settle(after_ms=11_000)
    assert door.kinds() == {TroubleKind.DOOR_OPEN}
    door.says(DoorPosition.SHUT)
    door.settle()
    assert door.kinds() == set()


def test_a_door_that_falls_shut_or_silent_is_shut_at_once() -> None:
    door = Doorway()
    door.settle(before())
    door.says(DoorPosition.OPEN)
    door.settle(before())
    door.says(DoorPosition.BETWEEN)
    door.settle(before())
    assert not door.passable()
    door.says(DoorPosition.OPEN)
    door.settle(before())
    assert door.passable()
    door.says(None)
    door.settle(before())
    assert not door.passable()
    sent = len(door.told)
    door.settle(before(), after_ms=30_000)
    assert len(door.told) == sent, "nobody is there to be told"
    assert door.kinds() == {TroubleKind.OFFLINE}
    door.says(DoorPosition.SHUT)
    door.settle(before())
    assert door.told[-1] is True, "a board that is back is told again what it forgot"
    assert door.kinds() == set()


def test_a_robot_that_lost_its_order_in_the_door_keeps_it_open() -> None:
    door = Doorway()
    door.settle(before(released=1))
    door.says(DoorPosition.OPEN)
    stranded = FacilityClaim("r-1", "a", occupied=("b",))
    door.settle(stranded)
    assert door.phase() is DoorPhase.OPEN
    door.settle(stranded, after_ms=301_000)
    assert door.kinds() == {TroubleKind.DOOR_OPEN}


@pytest.mark.parametrize("fire_door", [False, True])
def test_on_fire_doors_open_and_fire_doors_fall_shut_behind_the_robot(fire_door: bool) -> None:
    door = Doorway(fire_door=fire_door)
    door.settle(before(released=1))
    door.says(DoorPosition.OPEN)
    door.settle(before(released=1))
    assert door.passable()
    door.live = facilities.fire_heard(door.live, FireSaid("fire", burning=True), door.now)
    door.settle(before(released=1))
    assert door.live.fire
    assert door.told[-1:] == [True], "a robot stands in it"
    assert door.passable() is not fire_door
    door.settle(FacilityClaim("r-1", "b"))
    assert door.told[-1:] == [not fire_door]
    door.says(DoorPosition.SHUT if fire_door else DoorPosition.OPEN)
    for _ in range(10):
        door.settle(FacilityClaim("r-1", "b"), after_ms=60_000)
    assert door.kinds() == set(), "a fire may last; the doors stand as they should"


def test_a_settled_site_stays_as_it_is() -> None:
    door = Doorway()
    door.settle()
    known: FacilitiesLive = door.live
    door.settle()
    assert door.live is known
