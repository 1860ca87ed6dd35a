"""The live house: what is laid out for a wish, and what its cameras and people do."""

from pathlib import Path

import pytest

from contracts.observations import Appearance
from runtime.clock import SimulatedClock
from runtime.mqtt import MqttSettings
from runtime.site import load_map, load_site
from zeroentry.demo.plan import DemoSetupError
from zeroentry.simulator.house import TOWER, House, lay_site
from zeroentry.simulator.maps import plan_named
from zeroentry.simulator.sight import Sight
from zeroentry.simulator.wish import Wish


@pytest.mark.parametrize("robots", [0, 2, 6])
def test_a_site_has_as_many_simulated_robots_as_were_wished(tmp_path: Path, robots: int) -> None:
    folder = lay_site(TOWER, tmp_path / "site", robots)
    plan = plan_named(str(folder))
    assert len(plan.robots) == (robots or 3)
    assert len({row.home_node for row in plan.robots.values()}) == len(plan.robots)
    assert all(row.simulated for row in plan.robots.values())


def test_more_robots_than_refuges_and_a_folder_without_a_site_are_refused(tmp_path: Path) -> None:
    wish = Wish(robots=10, port=0)
    with pytest.raises(DemoSetupError, match="fewer --robots"):
        House(tmp_path / "one", wish, SimulatedClock())
    with pytest.raises(DemoSetupError, match=r"no site\.yaml"):
        lay_site(tmp_path, tmp_path / "two", 3)


def test_cameras_show_experts_with_their_vest_and_strangers_without(tmp_path: Path) -> None:
    folder = lay_site(TOWER, tmp_path / "site", 0)
    site = load_site(folder)
    load_map(folder, site)
    sight = Sight(site, plan_named(str(folder)), MqttSettings(client_id="sim"), SimulatedClock())
    corridor = sight.area_of("room-1-door")
    assert corridor is not None
    assert corridor.id == "corridor-2"
    assert sight.area_of("kitchen") is None, "nobody sees the ground floor"
    corridor.experts, corridor.strangers = 1, 2
    assert [one.appearance for one in corridor.people()] == [
        Appearance.RED,
        Appearance.NONE,
        Appearance.NONE,
    ]
    corridor.experts = 20
    assert len(corridor.people()) == 8, "a picture holds no more"
