"""At the door: guessing locks for a time and alerts, two persons open it without the PIN."""

import asyncio
from pathlib import Path

from contracts.api import PIN_TRIES_MAX, DeliveryState
from contracts.observations import Condition
from controller.core import alerts
from controller.core.alerts import AlertRecord
from controller.core.deliveries import PIN_LOCK_MS
from controller.core.ordering_inputs import ReleaseAsked, ReleaseJudged
from controller.core.outputs import Accepted, Refused
from controller.core.state import DeliveryLoaded, Input, PinTried
from tests.fakes.waiting import until_simulated
from tests.unit.controller.test_meal import House, house


async def ask(site: House, given: Input) -> Accepted | Refused:
    answer = asyncio.ensure_future(site.made.controller.service.ask(given))
    await until_simulated(site.clock, answer.done, within_ms=2_000, what="answered")
    return answer.result()


async def at_the_door(site: House) -> str:
    delivery_id = await site.order()
    await site.reach(DeliveryState.LOADING)
    await ask(site, DeliveryLoaded(delivery_id, 1, "cook"))
    await site.reach(DeliveryState.ARRIVED)
    return delivery_id


def pin_alert(site: House) -> AlertRecord | None:
    rows = site.made.controller.service.state.alerts.values()
    return next((row for row in rows if row.alert.rule == alerts.PIN_LOCKED), None)


async def test_guessing_locks_for_a_time_tells_people_and_then_it_may_be_tried_again(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, robots=1) as site:
        delivery_id = await at_the_door(site)
        for left in range(PIN_TRIES_MAX - 1, -1, -1):
            assert pin_alert(site) is None
            said = await ask(site, PinTried(delivery_id, False, "panel"))
            assert isinstance(said, Refused)
            assert site.delivery().pin_tries_left == left
        locked = await ask(site, PinTried(delivery_id, False, "panel"))
        assert isinstance(locked, Refused)
        assert "about 3 min" in locked.detail.en
        alert = pin_alert(site)
        assert alert is not None
        assert (alert.alert.condition, alert.alert.room_id) == (Condition.ACTIVE, "room-1")
        right = await ask(site, PinTried(delivery_id, True, "panel"))
        assert isinstance(right, Refused), "nor does the right one open it meanwhile"
        locked_until = site.clock.mono_ms() + PIN_LOCK_MS
        await until_simulated(
            site.clock,
            lambda: site.delivery().pin_tries_left > 0,
            within_ms=PIN_LOCK_MS + 5_000,
            what="the lock is over",
            step_ms=500,
        )
        assert site.clock.mono_ms() >= locked_until - 2_000
        right = await ask(site, PinTried(delivery_id, True, "panel"))
        assert isinstance(right, Accepted)
        await site.reach(DeliveryState.RETURNED)
        told = pin_alert(site)
        assert told is not None
        assert told.alert.condition is Condition.CLEARED


async def test_two_supervisors_open_it_and_custody_names_both(tmp_path: Path) -> None:
    async with house(tmp_path, robots=1) as site:
        delivery_id = await at_the_door(site)
        await ask(site, ReleaseAsked(delivery_id, "the tablet is broken", "sup"))
        alone = await ask(site, ReleaseJudged(delivery_id, approved=True, by="sup"))
        assert isinstance(alone, Refused)
        assert site.delivery().state is DeliveryState.ARRIVED
        both = await ask(site, ReleaseJudged(delivery_id, approved=True, by="sup2"))
        assert isinstance(both, Accepted)
        await site.reach(DeliveryState.RETURNED)
        assert any(leg.name == DeliveryState.COLLECTED for leg in site.delivery().legs)
        events = {row.what: row.by for row in site.delivery().custody}
        assert events["release_asked"] == "sup"
        assert events["released"] == "sup + sup2"
        assert "pin_right" not in events
        assert site.delivery().released_by == ("sup", "sup2")
