"""Judges whether something was left in, or taken from, a zone in which things must stay."""

from collections.abc import Mapping

from contracts.catalogue.zone import OBJECT_LEFT, OBJECT_TAKEN
from contracts.observations import CameraState, Measured
from contracts.units import Bilingual, CameraId
from contracts.zones import PictureZone, ZoneKind
from edge.core.holding import Judgement
from edge.core.people import Instant
from edge.core.rules.camera_picture import cause_of
from edge.core.rules.rule import Finding, Rule, Wake
from edge.core.state import RoomState
from edge.core.things import ThingChange, biggest

EXTENDS_MS = 600  # one look


def judge_left(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return _judged(state, settings["size_min_share"], ThingChange.LEFT, now)


def judge_taken(
    state: RoomState, settings: Mapping[str, float], now: Instant
) -> tuple[Finding, ...]:
    """See ``rule.Judge``."""
    return _judged(state, settings["size_min_share"], ThingChange.TAKEN, now)


def _judged(
    state: RoomState, size_min: float, change: ThingChange, now: Instant
) -> tuple[Finding, ...]:
    return tuple(
        _finding(state, camera_id, zone, size_min, change, now)
        for camera_id, zones in state.zones.items()
        if camera_id in state.cameras
        for zone in zones
        if zone.kind is ZoneKind.OBJECT and (state.closed or not zone.sealed_only)
    )


def _finding(
    state: RoomState,
    camera_id: CameraId,
    zone: PictureZone,
    size_min: float,
    change: ThingChange,
    now: Instant,
) -> Finding:
    camera = state.cameras[camera_id]
    seen = camera.things.zone(zone.id, now)
    blind = camera.state is not CameraState.LIVE or cause_of(state, camera_id, now) is not None
    if seen is None or not seen.judged or blind or camera.things.seen is None:
        return Finding(camera_id, Judgement(None, now, now), zone_id=zone.id)
    thing = biggest(seen, change, size_min)
    at = _lasting(camera.things.seen.at, now)
    if thing is None:
        return Finding(camera_id, Judgement(False, at, at), zone_id=zone.id)
    # Somebody at it may be putting it down, or standing before it: wait until they have gone.
    held = None if thing.attended else True
    percent = 100 * thing.area_share
    named = "遗留" if change is ThingChange.LEFT else "移走"
    did = "left in" if change is ThingChange.LEFT else "taken from"
    return Finding(
        camera_id,
        Judgement(held, thing.since, at),
        picture_of=camera_id,
        zone_id=zone.id,
        measured=(
            Measured(
                name="size", value=round(percent, 2), limit=round(100 * size_min, 2), unit="%"
            ),
        ),
        saw=Bilingual(
            f"“{zone.name.zh}”内有物品被{named}，占画面 {percent:.1f}%，身边无人。",
            f"Something was {did} “{zone.name.en}”: {percent:.1f} % of the picture, "
            "with nobody at it.",
        ),
        confidence=0.8,
    )


def _lasting(at: Instant, now: Instant) -> Instant:
    ahead_ms = min(max(now.mono_ms - at.mono_ms, 0), EXTENDS_MS)
    return Instant(type(now.mono_ms)(at.mono_ms + ahead_ms), type(now.utc_ms)(at.utc_ms + ahead_ms))


_WAKES = frozenset({Wake.THINGS, Wake.LINK, Wake.TIME})

LEFT = Rule(OBJECT_LEFT, judge_left, _WAKES)
TAKEN = Rule(OBJECT_TAKEN, judge_taken, _WAKES)
