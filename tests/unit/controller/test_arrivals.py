"""When an order comes: near to what happens then, and nothing where it waits for a person."""

from dataclasses import replace

import pytest

from contracts.api import ArrivalWindow, DeliveryState
from contracts.units import MonoMs, UtcMs
from controller.core import arrivals
from controller.core.dispatch_inputs import RobotCommanded
from controller.core.facility_words import FireSaid
from controller.core.fleet import HoldVerb
from controller.core.state import Now, SiteState
from tests.unit.controller.test_tours import Day, moment, order

MINUTE_MS = 60_000
ON_THE_WAY = (DeliveryState.LOCKING, DeliveryState.TRAVELLING)


def about(day: Day, state: SiteState, name: str = "d1") -> UtcMs | None:
    return arrivals.about(state, state.deliveries[name], day.world.agenda.now())


def test_what_is_said_on_the_way_is_near_to_what_happens() -> None:
    day = Day(order(1), order(2), order(3))
    said: dict[str, list[tuple[UtcMs, UtcMs]]] = {"d1": [], "d2": [], "d3": []}

    def look() -> None:
        now = day.world.agenda.utc_ms()
        for name, rows in said.items():
            row = day.state.deliveries.get(name)
            at = about(day, day.state, name) if row is not None else None
            if row is not None and row.state in ON_THE_WAY and at is not None:
                rows.append((now, at))
        day.world.agenda.after(2.0, look)

    day.at(0.5, look)
    day.run()
    for name, rows in said.items():
        legs = {leg.name: leg.started_utc_ms for leg in day.delivery(name).legs}
        came = legs[DeliveryState.ARRIVED]
        assert rows, name
        # Loads and handovers before it are guesses of 20 and 45 s each; the way itself is known.
        assert max(abs(at - came) for _, at in rows) < 90_000, name
        assert abs(rows[-1][1] - came) < 20_000, name


def test_before_it_is_loaded_the_kitchen_and_the_window_are_counted_in() -> None:
    day = Day(order(1))
    found: list[UtcMs | None] = []
    rooms: list[DeliveryState] = []

    def look(state: SiteState) -> None:
        now = day.world.agenda.now()
        row = state.deliveries["d1"]
        rooms.append(row.state)
        found.append(arrivals.about(state, row, now))
        wanted = ArrivalWindow(
            from_utc_ms=UtcMs(now.utc_ms + 30 * MINUTE_MS),
            until_utc_ms=UtcMs(now.utc_ms + 50 * MINUTE_MS),
        )
        found.append(arrivals.about(state, replace(row, window=wanted), now))
        assert found[1] == wanted.from_utc_ms, "nobody need be there before"
        tomorrow = ArrivalWindow(
            from_utc_ms=UtcMs(now.utc_ms + 1_440 * MINUTE_MS),
            until_utc_ms=UtcMs(now.utc_ms + 1_460 * MINUTE_MS),
        )
        assert arrivals.about(state, replace(row, window=tomorrow), now) is None
        soon = ArrivalWindow(from_utc_ms=now.utc_ms, until_utc_ms=UtcMs(now.utc_ms + 3 * MINUTE_MS))
        late = replace(row, window=soon)
        assert arrivals.is_late(late, arrivals.about(state, late, now))
        assert not arrivals.is_late(row, found[0])

    day.look(moment(Day(order(1)), DeliveryState.TO_KITCHEN), look)
    day.run()
    assert rooms == [DeliveryState.TO_KITCHEN]
    prepare_ms = 10 * MINUTE_MS  # the menu's own
    assert found[0] is not None
    assert found[0] >= day.delivery("d1").ordered_utc_ms + prepare_ms


@pytest.mark.parametrize("what", ["hold", "fire", "offline", "proposed"])
def test_nothing_is_promised_while_it_waits_for_a_person(what: str) -> None:
    on_way = moment(Day(order(1)), DeliveryState.TRAVELLING)
    day = Day(order(1))
    found: list[UtcMs | None] = []
    if what == "hold":
        day.say(on_way, RobotCommanded("robot-1", HoldVerb.HOLD, "someone fell", "sup"))
        day.say(on_way + 60, RobotCommanded("robot-1", HoldVerb.RESUME, "helped", "sup"))
    if what == "fire":
        day.say(on_way, FireSaid("fire", burning=True))

    def look(state: SiteState) -> None:
        now, row = day.world.agenda.now(), state.deliveries["d1"]
        if what == "offline":
            now = Now(MonoMs(now.mono_ms + 120_000), now.utc_ms)
        if what == "proposed":
            row = replace(row, state=DeliveryState.PROPOSED)
        found.append(arrivals.about(state, row, now))

    day.look(on_way + 2, look)
    day.world.run()
    assert found == [None]
