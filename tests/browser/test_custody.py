"""What a supervisor does when a delivery goes wrong, on real processes and in real browsers."""

import re

import httpx
import pytest
from playwright.async_api import Page, expect

from client import RefusedError
from contracts.api import (
    DeliveryBody,
    DeliveryGiven,
    DeliveryState,
    DeliveryView,
    OrderLine,
    RobotView,
    Role,
    ZoneVerdict,
)
from contracts.api.deliveries import PIN_TRIES_MAX
from controller.core import alerts
from tests.browser.accessibility import complaints
from tests.browser.conftest import PHONE
from tests.browser.test_dispatch import DRIVE_MS, TABLET, no_sideways
from tests.fakes.office import Office
from tests.fakes.office_site import FIRE_PANEL
from tests.fakes.waiting import until
from zeroentry.facilities.model import SimBoard

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

ROOM, CORRIDOR, BLIND_ZONE = "room-1", "corridor-1", "corridor-west"
DRIVE_S = DRIVE_MS / 1_000
HOME = "dock-1"


class Story:
    """One meal on its way to room 1, and the desk of the supervisor who follows it."""

    def __init__(self, office: Office, robot: str, desk: Page, given: DeliveryGiven) -> None:
        self.office = office
        self.robot = robot
        self.desk = desk
        self.id = given.delivery.id
        self.pin = given.pin or ""

    async def view(self) -> DeliveryView:
        view, _ = await (await self.office.client()).delivery(self.id)
        return view

    async def vehicle(self) -> RobotView:
        rows = (await (await self.office.client()).overview()).robots
        return next(row for row in rows if row.id == self.robot)

    async def in_state(self, state: DeliveryState) -> None:
        async def there() -> bool:
            return (await self.view()).state is state

        await until(there, within_s=DRIVE_S, what=f"the meal is {state}")

    async def has_passed(self) -> bool:
        return BLIND_ZONE in {row.zone_id for row in (await self.view()).zones}

    async def does(self, verb: str, reason: str) -> None:
        """Press one of the robot's buttons, which wants a reason first."""
        button = self.desk.get_by_test_id(f"{verb}-{self.robot}")
        await expect(button).to_be_disabled()
        await self.desk.get_by_test_id(f"reason-{self.robot}").fill(reason)
        await button.click()

    async def held_as(self, verb: str) -> None:
        row = self.desk.get_by_test_id(f"desk-{self.robot}")
        await expect(row).to_have_attribute("data-hold", verb)


async def _ordered(office: Office, robot: str) -> Story:
    await office.sealed(ROOM)
    await office.quiet()
    tablet = await office.client(Role.TABLET)
    meal = DeliveryBody(room_id=ROOM, lines=(OrderLine(dish="box-standard", count=1),))
    given = await tablet.order(meal, f"custody-{office.clock.utc_ms()}")
    desk = await office.enter(Role.SUPERVISOR, "/robots")
    await expect(desk.get_by_test_id(f"line-{given.delivery.id}")).to_be_visible()
    return Story(office, robot, desk, given)


async def test_a_meal_comes_through_a_blind_zone_a_fire_and_a_locked_pin(
    office: Office, robot: str, fire: SimBoard
) -> None:
    story = await _ordered(office, robot)
    await _blind_zone(story, fire)
    await story.in_state(DeliveryState.ARRIVED)
    await _locked(story)
    await _released_by_two(story)
    await _recalled(story)
    await _off_the_floor(story)
    await _on_a_phone(story)
    assert await complaints(story.desk) == []
    assert office.errors == []


async def _blind_zone(story: Story, fire: SimBoard) -> None:
    """Nobody sees the corridor: the robot waits before it until a supervisor answers for it.

    Meanwhile it burns, and the robot waits in a refuge instead.
    """
    office, desk = story.office, story.desk
    corridor = office.rooms[CORRIDOR]
    corridor.blind = True
    try:
        await office.node_of(CORRIDOR).observe(CORRIDOR)
        await story.in_state(DeliveryState.LOADING)
        number = (await story.view()).compartment or 0
        await (await office.client(Role.KITCHEN)).loaded(story.id, number)
        through = desk.get_by_test_id(f"proceed-{story.robot}-{BLIND_ZONE}")
        await expect(through).to_be_disabled(timeout=DRIVE_MS)
        zone = desk.get_by_test_id(f"zone-{BLIND_ZONE}")
        await expect(zone).to_have_attribute("data-state", "unseen")
        await office.shoot(desk, "custody-blind-en", full=True)
        await _fire(story, fire)
        await expect(through).to_be_disabled(timeout=DRIVE_MS)
        await desk.get_by_test_id(f"reason-{story.robot}").fill("I have walked the corridor myself")
        await through.click()
        await until(story.has_passed, within_s=DRIVE_S, what="the robot is in the blind zone")
    finally:
        corridor.blind = False
        await office.node_of(CORRIDOR).observe(CORRIDOR)


async def _fire(story: Story, board: SimBoard) -> None:
    """It burns: the robot drives to a refuge and stays until a person has released the alarm."""
    desk = story.desk
    board.script(f"{FIRE_PANEL} burning")
    banner = desk.get_by_test_id("desk-fire")
    await expect(banner).to_be_visible()
    await expect(desk.get_by_test_id("map-fire")).to_be_visible()
    await expect(desk.get_by_test_id("reason-fire")).to_have_count(0)

    async def in_refuge() -> bool:
        told = await story.vehicle()
        return told.last_node in {"bay-1", "dock-1", "dock-2", "park-east"} and not told.route

    await until(in_refuge, within_s=DRIVE_S, what="the robot stands in a refuge")
    await story.office.shoot(desk, "custody-fire-en", full=True)
    board.script(f"{FIRE_PANEL} over")
    release = desk.get_by_test_id("fire-release")
    await expect(release).to_be_disabled()
    await desk.get_by_test_id("reason-fire").fill("the panel is reset, it was toast")
    await release.click()
    await expect(banner).to_have_count(0)


async def _locked(story: Story) -> None:
    """Five wrong PINs lock it, tell people, and then the right one opens nothing either."""
    office = story.office
    door = await office.enter(Role.DOOR_PANEL, f"/door/{story.robot}", size=TABLET)
    face = door.get_by_test_id("door")
    await expect(face).to_have_attribute("data-face", "enter")
    wrong = f"{(int(story.pin[0]) + 5) % 10}{story.pin[1:]}"
    for left in reversed(range(PIN_TRIES_MAX)):
        for digit in wrong:
            await door.get_by_test_id(f"key-{digit}").click()
        if left:
            await expect(door.get_by_test_id("tries")).to_contain_text(str(left))
    await expect(face).to_have_attribute("data-face", "locked")
    await expect(door.get_by_test_id("door-locked-until")).to_be_visible()
    await office.shoot(door, "custody-door-locked-en")
    with pytest.raises(RefusedError) as refused:
        await (await office.client(Role.DOOR_PANEL)).unlock(story.id, story.pin)
    assert refused.value.problem.status == httpx.codes.FORBIDDEN
    assert (await story.view()).state is DeliveryState.ARRIVED
    told = (await (await office.client()).overview()).alerts
    assert alerts.PIN_LOCKED in {row.rule for row in told}
    line = story.desk.get_by_test_id(f"line-{story.id}")
    await expect(line).to_contain_text("PIN locked until")


async def _released_by_two(story: Story) -> None:
    """One asks, and cannot approve it from another browser; a second supervisor can."""
    office, desk = story.office, story.desk
    await desk.get_by_test_id(f"release-reason-{story.id}").fill("the expert mistyped five times")
    await desk.get_by_test_id(f"release-ask-{story.id}").click()
    await expect(desk.get_by_test_id(f"release-own-{story.id}")).to_be_visible()
    await office.shoot(desk, "custody-release-own-en", full=True)
    same = await office.enter(Role.SUPERVISOR, "/robots")
    await expect(same.get_by_test_id(f"release-own-{story.id}")).to_be_visible()
    await expect(same.get_by_test_id(f"release-yes-{story.id}")).to_have_count(0)
    with pytest.raises(RefusedError) as refused:
        await (await office.client()).judge_release(story.id, approve=True)
    assert refused.value.problem.status == httpx.codes.FORBIDDEN
    assert (await story.view()).state is DeliveryState.ARRIVED
    other = await office.enter(Role.SECTOR_SUPERVISOR, "/robots", language="zh")
    await expect(other.get_by_test_id(f"line-{story.id}")).to_contain_text(Role.SUPERVISOR.value)
    await office.shoot(other, "custody-release-second-zh", full=True)
    await other.get_by_test_id(f"release-yes-{story.id}").click()
    await story.in_state(DeliveryState.RETURNED)
    view = await story.view()
    released = next(row for row in view.custody if row.what == "released")
    assert set(released.by.split(" + ")) == {
        Role.SUPERVISOR.value,
        Role.SECTOR_SUPERVISOR.value,
    }
    way_in = next(row for row in view.zones if row.zone_id == BLIND_ZONE)
    assert way_in.verdict is ZoneVerdict.UNPROVEN, view.zones
    assert "walked the corridor myself" in way_in.detail


async def _recalled(story: Story) -> None:
    """Hold, recall and resume want a reason, and the desk shows who did it and why."""
    desk = story.desk
    await story.does("hold", "a cable lies in the corridor")
    await story.held_as("hold")
    await story.does("recall", "it is to be cleaned")
    await story.held_as("recall")
    row = desk.get_by_test_id(f"desk-{story.robot}")
    await expect(row).to_contain_text(re.compile("supervisor.*it is to be cleaned"))

    async def home() -> bool:
        return (await story.vehicle()).last_node == HOME

    await until(home, within_s=DRIVE_S, what="it is at its home")
    await story.does("resume", "it is clean")
    await story.held_as("")
    custody = desk.get_by_test_id(f"custody-{story.id}")
    await custody.locator("summary").click()
    await expect(custody).to_contain_text("released by two")
    await expect(custody.locator(".ze-proof")).to_contain_text("unproven")


async def _off_the_floor(story: Story) -> None:
    """A person takes it off the floor, and puts it back: both are said with a reason."""
    desk, robot = story.desk, story.robot
    drawn = desk.get_by_test_id(f"robot-{robot}")
    await expect(drawn).to_be_visible()
    await _said(desk, f"remove-{robot}", "its wheel is loose, I carried it off")
    told = desk.get_by_test_id(f"removed-{robot}")
    await expect(told).to_contain_text("its wheel is loose")
    await expect(drawn).to_have_count(0)
    await story.office.shoot(desk, "custody-removed-en", full=True)
    await _said(desk, f"returned-{robot}", "the wheel is fixed, it stands at its dock")
    await expect(told).to_have_count(0)
    await expect(drawn).to_be_visible()


async def _said(desk: Page, button: str, reason: str) -> None:
    await desk.get_by_test_id(button).click()
    do = desk.get_by_test_id("state-do")
    await expect(do).to_be_disabled()
    await desk.get_by_test_id("state-reason").fill(reason)
    await do.click()
    await expect(desk.get_by_test_id("state-dialog")).to_be_hidden()


async def _on_a_phone(story: Story) -> None:
    desk = story.desk
    await desk.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await no_sideways(desk)
    await story.office.shoot(desk, "custody-phone-en", full=True)
