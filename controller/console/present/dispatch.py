"""Decides what the robots' desk shows: approvals, robots and why they stand, custody, proof."""

from typing import Final

from contracts.api import (
    CustodyEvent,
    DeliveryState,
    DeliveryView,
    RobotView,
    SiteView,
    ZonePassage,
    ZoneVerdict,
)
from contracts.api.menu import KINDS
from controller.console.house import House
from controller.console.present.alerts import room_name
from controller.console.present.deliveries import ENDED, card
from controller.console.present.floor import condition, place_name, zone_state
from controller.console.present.orders import between
from controller.console.present.words import Drawn, Words
from controller.console.texts import TEXTS

ENDED_SHOWN: Final = 8  # what a supervisor scrolls; older ones are in the session's report
_VERDICTS: Final = {
    ZoneVerdict.NO_UNADMITTED_PERSON: "proof_ok",
    ZoneVerdict.PERSON_SEEN: "proof_seen",
    ZoneVerdict.UNPROVEN: "proof_unproven",
}


def approvals(house: House, site: SiteView, user: str, words: Words) -> list[Drawn]:
    """What waits for a supervisor's word, oldest first."""
    rows = [view for view in house.deliveries.values() if view.state is DeliveryState.PROPOSED]
    rows.sort(key=lambda view: view.ordered_utc_ms)
    return [
        card(view, house, site, words)
        | {"kind": words.name(KINDS[view.kind]), "by": view.ordered_by}
        | {"own": view.ordered_by == user}
        for view in rows
    ]


def fire(house: House) -> str:
    """``burning``, ``latched`` until a person lets robots drive again, or nothing."""
    told = house.facilities.fire if house.facilities else None
    if told is None:
        return ""
    return "burning" if told.burning else "latched" if told.latched else ""


def robots(house: House, site: SiteView, words: Words) -> list[Drawn]:
    """Each robot with what it does, what holds it, and what may be done about it."""
    return [_robot(row, house, site, words) for row in house.robots.values()]


def _robot(robot: RobotView, house: House, site: SiteView, words: Words) -> Drawn:
    hold = robot.hold
    carried = [house.deliveries[one] for one in robot.tour if one in house.deliveries]
    return {
        "id": robot.id,
        "name": words.name(robot.name),
        "state": robot.condition.value,
        "state_label": condition(robot, words),
        "battery": None if robot.battery_percent is None else round(robot.battery_percent),
        "hold": "" if hold is None else hold.verb,
        "hold_words": ""
        if hold is None
        else f"{_held(hold.verb, words)} {hold.by}: {hold.reason} ({words.at(hold.utc_ms)})",
        "removed": _removed(robot, site, words),
        "doubt": words.name(robot.doubt) if robot.doubt else "",
        "unfit": words.name(robot.unfit) if robot.unfit and not robot.doubt else "",
        "carries": [room_name(view.room_id, house, words) for view in carried],
        "zones": [
            {
                "id": zone,
                "name": words.name(house.zones[zone].name) if zone in house.zones else zone,
                "unseen": zone in house.zones and zone_state(house.zones[zone]) == "unseen",
            }
            for zone in robot.held_for
        ],
        "errors": list(robot.errors),
    }


def _removed(robot: RobotView, site: SiteView, words: Words) -> str:
    """Who took it off the floor, where it stood, why and when; empty where nobody has."""
    said = robot.removed
    if said is None:
        return ""
    where = f" ({place_name(said.node, site, words)})" if said.node else ""
    by = f"{words.say('dispatch.removed_by')} {said.by}{where}"
    return f"{by}: {said.reason} ({words.at(said.utc_ms)})"


def _held(verb: str, words: Words) -> str:
    return words.say("dispatch.recalled_by" if verb == "recall" else "dispatch.held_by")


def deliveries(house: House, site: SiteView, user: str, words: Words) -> list[Drawn]:
    """Deliveries with their custody and proof: those under way, then the newest that ended."""
    newest = sorted(house.deliveries.values(), key=lambda view: -view.ordered_utc_ms)
    under_way = [view for view in newest if view.state not in ENDED]
    ended = [view for view in newest if view.state in ENDED][:ENDED_SHOWN]
    return [_delivery(view, house, site, user, words) for view in (*under_way, *ended)]


def _delivery(view: DeliveryView, house: House, site: SiteView, user: str, words: Words) -> Drawn:
    said, release = view.approval, view.release
    asked = release is not None and not release.approved_by
    return card(view, house, site, words) | {
        "kind": words.name(KINDS[view.kind]),
        "window": between(view, words),
        "approval": ""
        if said is None
        else f"{_approved(approved=said.approved, words=words)} {said.by}: {said.reason}",
        "pin_locked": words.minute(view.pin_locked_until_utc_ms)
        if view.state is DeliveryState.ARRIVED
        else "",
        "custody": [_event(event, words) for event in view.custody],
        "proof": [_passage(passage, words) for passage in view.zones],
        "at_door": view.state is DeliveryState.ARRIVED,
        "release_by": release.asked_by if release and asked else "",
        "release_reason": release.reason if release and asked else "",
        "release_own": asked and release is not None and release.asked_by == user,
    }


def _approved(*, approved: bool, words: Words) -> str:
    return words.say("dispatch.approved_by" if approved else "dispatch.refused_by")


def _event(event: CustodyEvent, words: Words) -> Drawn:
    key = f"custody.{event.what}"
    told = [part for part in (event.lid, event.lock) if part]
    return {
        "at": words.at(event.utc_ms),
        "what": words.say(key) if key in TEXTS else event.what,
        "by": event.by,
        "where": event.node_id or "",
        "lid": " / ".join(told),
    }


def _passage(passage: ZonePassage, words: Words) -> Drawn:
    return {
        "zone": words.name(passage.name),
        "from": words.at(passage.entered_utc_ms),
        "until": words.at(passage.left_utc_ms),
        "verdict": passage.verdict.value,
        "verdict_label": words.say(f"dispatch.{_VERDICTS[passage.verdict]}"),
        "detail": passage.detail,
    }
