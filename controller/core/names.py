"""Gives robots, places and zones the names that people know them by, wherever a sentence has one.

Pages show the same names; records keep the ids beside the sentence.
"""

from contracts.units import Bilingual
from controller.core.plan import SitePlan


def robot_name(plan: SitePlan, robot_id: str) -> Bilingual:
    """What people call a robot; its id where the site has no such robot any more."""
    robot = plan.robots.get(robot_id)
    if robot is None:
        return Bilingual(robot_id, robot_id)
    return Bilingual(robot.name.zh, robot.name.en)


def place_name(plan: SitePlan, node: str) -> Bilingual:
    """What people call a node of the map; its id where the map has no such node, or no name.

    The map's format has one text a node, often both languages with a stroke between.
    """
    place = plan.map.nodes.get(node)
    return both((place.name if place is not None else "") or node)


def zone_name(plan: SitePlan, zone_id: str) -> Bilingual:
    """What people call a zone; its id where the site has no such zone any more."""
    zone = plan.zones.get(zone_id)
    return Bilingual(zone_id, zone_id) if zone is None else Bilingual(zone.name.zh, zone.name.en)


def both(name: str) -> Bilingual:
    """A map's one text of a place, in both languages."""
    zh, _, en = name.partition(" / ")
    return Bilingual(zh, en) if zh.strip() and en.strip() else Bilingual(name, name)
