"""Decides what is known of a whole area over time: its fused count, its balance, who is missing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from contracts.observations import Appearance
from contracts.units import CameraId, MonoMs, SessionId, UtcMs
from contracts.zones import ZoneKind
from edge.core import fusion
from edge.core.area_watch import AreaWatch, Over, Passage, Steady
from edge.core.floor import Plane, plane_of
from edge.core.fusion import Eye, Heads, Person
from edge.core.people import Instant, Track
from edge.core.places import Crossing
from edge.core.state import CameraSeen, RoomState

STEADY_MS: Final = 3_000
# A count that holds for less is somebody passing behind another, not somebody gone.
BRIEF_MS: Final = 12_000
# Who is missing for less than this and comes back was hidden; longer, and it is the one who has
# been away longest that is taken to be back: of one who surely is away so long, there is proof.
CAME_BACK_MS: Final = 600  # three pictures of one more: not a box that blinks
UNKNOWN_MAX_MS: Final = 60_000  # cameras away for longer: who was missing before says nothing now
SAME_PASSAGE_MS: Final = 2_500  # two cameras tell of one passage within this
PASSAGES_MAX: Final = 32
SURE_WITHIN_MS: Final = 2_000  # ten pictures
FOUND_SHARE: Final = 0.5  # of the latest looks: who moves is seen, or it is another's old box
FOUND_SETTLED_SHARE: Final = 0.3  # people who sit bent over papers are lost in most looks
SCORE_ALONE: Final = 0.5  # where another camera looks and sees nobody: a chair, or a good look
OVER_GAP_MS: Final = 1_500  # seven pictures: a visitor passes behind somebody
TOGETHER_MIN: Final = (
    5  # looks that found all of them at once: then they are not one under two numbers
)
OVER_DATES_MS: Final = 1_500
# How long before it was sure that there is one too many that one may have come: time for a door and
# ten looks. A box that has long been there, or has come back, must not bring its age along.


# -- the count ---------------------------------------------------------------------------------


def heads(state: RoomState, now: Instant) -> Heads | None:
    """Everybody in the room as all cameras together show it; None while no camera can see it."""
    shown = _showing(state, now)
    if not shown:
        return None
    known = state.area.heads
    if known.at is not None and known.cameras == shown:
        return known
    return fusion.step(known, _eyes(state, shown), now)


def head_count(state: RoomState, now: Instant) -> int | None:
    """How many people are in the room; None while no camera can see it, which is not zero."""
    found = heads(state, now)
    return None if found is None else found.count


def confidence(state: RoomState, now: Instant) -> float | None:
    """How likely the head count is exact, 0 to 1; None where there is none."""
    found = heads(state, now)
    return None if found is None else round(fusion.confidence(found, now), 3)


def balance(state: RoomState) -> int | None:
    """Count at the seal plus entries minus exits; None: no gates, or no seal."""
    watch = state.area
    if state.sealed is None or watch.base is None or not _gates(state):
        return None
    return watch.base + watch.entries - watch.exits


def best_view(state: RoomState, people: Iterable[Person]) -> tuple[CameraId, tuple[Track, ...]]:
    """The camera that shows most of these people, and their tracks in it.

    Raises:
        ValueError: nobody is given.
    """
    shown: dict[CameraId, list[Track]] = {}
    for person in people:
        for view in person.views:
            shown.setdefault(view.camera_id, []).append(view.track)
    if not shown:
        raise ValueError("best_view: nobody to show")
    order = list(state.cameras)
    best = max(shown, key=lambda name: (len(shown[name]), -order.index(name)))
    return best, tuple(shown[best])


def fullest(state: RoomState, now: Instant) -> tuple[CameraId, CameraSeen] | None:
    """The camera that shows the most people of those that show anything; None when none does."""
    seen = [(name, camera) for name, camera in state.cameras.items() if camera.shows_people(now)]
    return max(seen, key=lambda pair: len(pair[1].people), default=None)


def newest_picture(state: RoomState, now: Instant) -> Instant:
    """When the newest picture of the room was taken; now, where there is none."""
    taken = [
        camera.frame_at
        for camera in state.cameras.values()
        if camera.frame_at is not None and camera.shows_people(now)
    ]
    return max(taken, key=lambda at: at.mono_ms, default=now)


# -- one too many ------------------------------------------------------------------------------


def surely_here(state: RoomState, found: Heads, at: Instant) -> tuple[Person, ...]:
    """Those of whom it may be said that they are too many, in no order.

    Not those hidden for a moment: a person too many is one who is seen. Nor who is found in few of
    the looks at his place: what is left of somebody who has moved on under a new number, or a
    second box on somebody's chair, which a detector gives now and then.
    """
    return tuple(
        person
        for person in found.people
        if at.mono_ms - person.sure_mono_ms <= SURE_WITHIN_MS
        and not _doubted(person)
        and any(
            state.cameras[view.camera_id].counted.found_share(view.track.number)
            >= (FOUND_SETTLED_SHARE if view.track.settled else FOUND_SHARE)
            for view in person.views
        )
    )


def too_many(state: RoomState, over: Over | None, found: Heads, at: Instant) -> tuple[Person, ...]:
    """Everybody who is seen, where they are more than are admitted; else nobody.

    Once all of them have been found at once for a while, who is then lost behind another, or bent
    over papers, is still there.
    """
    if state.sealed is None:
        return ()
    people = surely_here(state, found, at)
    if len(people) > state.sealed.admitted:
        return people
    proven = over is not None and over.together >= TOGETHER_MIN
    likely = tuple(person for person in found.people if not _doubted(person))
    return likely if proven and len(likely) + len(found.hidden) > state.sealed.admitted else ()


def _doubted(person: Person) -> bool:
    return person.alone and person.score < SCORE_ALONE


def _over(before: Over | None, state: RoomState, found: Heads, at: Instant) -> Over | None:
    """Since when there have been more people than are admitted, as far as that is sure."""
    if state.sealed is None:
        return None
    people = too_many(state, before, found, at)
    if not people:
        if before is None or at.mono_ms - before.last_mono_ms > OVER_GAP_MS:
            return None
        return replace(before, looks=before.looks + 1)
    if before is not None and at.mono_ms - before.last_mono_ms <= OVER_GAP_MS:
        at_once = sum(
            any(view.track.detected or not view.track.looked for view in person.views)
            for person in people
        )
        return replace(
            before,
            last_mono_ms=at.mono_ms,
            looks=before.looks + 1,
            seen=before.seen + 1,
            together=before.together + int(at_once > state.sealed.admitted),
        )
    arrivals = sorted((person.first_seen for person in people), key=lambda seen: seen.mono_ms)
    late_ms = max(
        at.mono_ms - OVER_DATES_MS,
        arrivals[state.sealed.admitted].mono_ms,  # who confirms a person is part of the dwell
        state.sealed.since.mono_ms,  # nobody is too many before the seal
    )
    since = min(late_ms, at.mono_ms)
    return Over(Instant(MonoMs(since), UtcMs(at.utc_ms - (at.mono_ms - since))), at.mono_ms)


# -- policy ------------------------------------------------------------------------------------


def admitted_looks(state: RoomState) -> Mapping[Appearance, int] | None:
    """How many of each appearance may be here now; None: nobody checks, or no session is sealed.

    Where sessions of several kinds pass, whatever one of them allows.
    """
    policy = state.setup.admits
    kinds = [one.procurement for one in state.passing.values()]
    if state.sealed is not None:
        kinds = [state.sealed.procurement]
    rows = [policy[kind] for kind in kinds if kind in policy]
    if not rows:
        return None
    return {
        look: max(row.get(look, 0) for row in rows)
        for look in Appearance
        if look is not Appearance.UNKNOWN
    }


def sessions_of(state: RoomState) -> Mapping[tuple[CameraId, int], SessionId]:
    """Tracks of people who first showed in the door of a room that is sealed: its session."""
    rooms = {one.room_id: key for key, one in state.passing.items() if one.room_id is not None}
    if state.sealed is not None:
        rooms[state.setup.room_id] = state.sealed.session_id
    return {
        key: rooms[room_id] for key, room_id in state.places.origins.items() if room_id in rooms
    }


# -- memory ------------------------------------------------------------------------------------


def seen(state: RoomState, camera_id: CameraId, at: Instant) -> AreaWatch:
    """The memory after this camera's newest picture, which is in ``state`` already."""
    watch = _with_planes(state)
    state = replace(state, area=watch)
    shown = _showing(state, at)
    if camera_id not in shown:
        return _moved(state, watch, at)
    found = fusion.step(watch.heads, _eyes(state, shown), at)
    counted = _counted(watch, found, at)
    return _moved(state, replace(counted, over=_over(watch.over, state, found, at)), at)


def passed(state: RoomState, now: Instant) -> AreaWatch:
    """The memory after time has passed."""
    watch = _with_planes(state)
    found = heads(replace(state, area=watch), now)
    if found is None:
        return _moved(state, replace(watch, heads=Heads(), steady=None, over=None), now)
    return _moved(state, _counted(watch, found, now), now)


def sealed(state: RoomState, now: Instant) -> AreaWatch:
    """The memory after the seal, which is in ``state`` already."""
    watch = state.area
    if state.sealed is not None and state.sealed.since.mono_ms < now.mono_ms:
        return _moved(state, watch, now)  # an amendment: who is in the area stays in it
    fresh = replace(
        watch,
        closed_since=now,
        base=None,
        entries=0,
        exits=0,
        passages=(),
        away=(),
        differs_by=0,
        differs_since=None,
        released_at=None,
        over=None,
    )
    return _moved(state, fresh, now)


def released(state: RoomState, now: Instant) -> AreaWatch:
    """The memory after the release."""
    return _moved(state, replace(state.area, released_at=now), now)


def _with_planes(state: RoomState) -> AreaWatch:
    if state.area.planes is not None:
        return state.area
    planes = {camera.camera_id: plane_of(camera.floor) for camera in state.setup.cameras}
    return replace(state.area, planes=planes)


def _showing(state: RoomState, now: Instant) -> frozenset[CameraId]:
    return frozenset(name for name, camera in state.cameras.items() if camera.shows_people(now))


def _eyes(state: RoomState, shown: frozenset[CameraId]) -> list[Eye]:
    planes: Mapping[CameraId, Plane | None] = state.area.planes or {}
    return [
        Eye.of(name, planes.get(name), state.zones.get(name, ()), camera.people)
        for name, camera in state.cameras.items()
        if name in shown
    ]


def _counted(watch: AreaWatch, found: Heads, at: Instant) -> AreaWatch:
    gone = _last_seen(watch.heads, found, at)
    gone_at = gone or watch.gone_at
    steady = _steady(watch.steady, found.count, gone or at, at)
    away = watch.away
    if away and _one_is_back(steady, at):
        # And another may be gone before the count has been steady.
        recent = gone_at is not None and at.mono_ms - gone_at.mono_ms < STEADY_MS
        away = (*_returned(away, at), gone_at if recent and gone_at is not None else at)
        steady = replace(steady, told=True)
    return replace(watch, heads=found, steady=steady, away=away, gone_at=gone_at)


def _one_is_back(steady: Steady, at: Instant) -> bool:
    return (
        steady.other is not None
        and steady.other > steady.people
        and not steady.told
        and at.mono_ms - steady.other_mono_ms >= CAME_BACK_MS
    )


def _last_seen(before: Heads, after: Heads, at: Instant) -> Instant | None:
    """When those who are not found any more were last surely seen; None where nobody is gone."""
    here = {key for person in after.people for key in person.keys} | after.succeeded
    gone = [
        max(view.track.last_seen_mono_ms for view in person.views)
        for person in before.people
        if here.isdisjoint(person.keys)
    ]
    gone += [one.view.track.last_seen_mono_ms for one in before.hidden if one not in after.hidden]
    if not gone:
        return None
    last = min(max(gone), at.mono_ms)
    return Instant(MonoMs(last), UtcMs(at.utc_ms - (at.mono_ms - last)))


def _steady(before: Steady | None, people: int, gone_at: Instant, at: Instant) -> Steady:
    if before is None:
        return Steady(people, at)
    if people == before.people:
        return Steady(people, before.since)
    if before.other != people or before.other_since is None:
        since = gone_at if people < before.people else at
        if before.other is not None and before.other_since is not None:
            # From one count to a third: the first change stands where it went the same way.
            same_way = (before.other < before.people) == (people < before.people)
            if same_way and abs(people - before.people) < abs(before.other - before.people):
                since = before.other_since
        return Steady(before.people, before.since, people, since, at.mono_ms)
    if at.mono_ms - before.other_mono_ms >= STEADY_MS:
        return Steady(people, before.other_since)
    return before


def _moved(state: RoomState, watch: AreaWatch, now: Instant) -> AreaWatch:
    """Everything that follows from the count and from the lines crossed."""
    watch = _opened(state, watch, now)
    watch = _passages(state, watch, now)
    steady = watch.steady
    if steady is None:
        since = watch.unknown_since if watch.unknown_since is not None else now.mono_ms
        if now.mono_ms - since > UNKNOWN_MAX_MS:
            watch = replace(watch, away=())
        return replace(watch, unknown_since=since, differs_by=0, differs_since=None)
    watch = replace(watch, unknown_since=None)
    if watch.released_at is not None and steady.people == 0:
        watch = replace(watch, released_at=None)
    if state.sealed is None:
        return watch
    watch = replace(watch, away=_away(watch, steady, state.sealed.admitted, now))
    return _balanced(state, watch, steady, state.sealed.admitted)


def _opened(state: RoomState, watch: AreaWatch, now: Instant) -> AreaWatch:
    if state.closed and watch.closed_since is None:
        return replace(watch, closed_since=now)
    if not state.closed and watch.closed_since is not None:
        return replace(
            watch, closed_since=None, base=None, entries=0, exits=0, passages=(), away=(),
            differs_by=0, differs_since=None,
        )  # fmt: skip
    return watch


def _away(watch: AreaWatch, steady: Steady, admitted: int, now: Instant) -> tuple[Instant, ...]:
    """Since when each of the missing has been away: a lower bound, for nobody knows who is who."""
    missing = max(admitted - steady.people, 0)
    rows = watch.away
    while len(rows) > missing:
        rows = _returned(rows, now)
    return (*rows, *[steady.since] * (missing - len(rows)))


def _returned(away: tuple[Instant, ...], now: Instant) -> tuple[Instant, ...]:
    """Those still away when one has come back: the newest where it was brief, else the oldest."""
    if not away:
        return away
    if now.mono_ms - away[-1].mono_ms < BRIEF_MS:
        return away[:-1]
    return away[1:]


# -- gates -------------------------------------------------------------------------------------


def _gates(state: RoomState) -> frozenset[tuple[CameraId, str]]:
    return frozenset(
        (camera_id, zone.id)
        for camera_id, zones in state.zones.items()
        for zone in zones
        if zone.kind is ZoneKind.GATE
    )


def _passages(state: RoomState, watch: AreaWatch, now: Instant) -> AreaWatch:
    fresh = [one for one in state.places.crossings if one.number > watch.crossed]
    if not fresh:
        return replace(watch, crossed=state.places.crossed)
    gates = _gates(state)
    for crossing in fresh:
        is_gate = (crossing.camera_id, crossing.zone_id) in gates
        before_seal = watch.closed_since is None or crossing.at.mono_ms < watch.closed_since.mono_ms
        if is_gate and not before_seal:
            watch = _passage(watch, crossing, now)
    return replace(watch, crossed=state.places.crossed)


def _passage(watch: AreaWatch, crossing: Crossing, now: Instant) -> AreaWatch:
    """Count a crossing, once for all cameras that see it: one gate has one id on all pictures."""
    for index, one in enumerate(watch.passages):
        if _is_same(one, crossing, watch.heads):
            known = replace(one, seen_by=(*one.seen_by, crossing.camera_id))
            passages = (*watch.passages[:index], known, *watch.passages[index + 1 :])
            return replace(watch, passages=passages)
    passage = Passage(crossing, (crossing.camera_id,), now.mono_ms)
    return replace(
        watch,
        passages=(*watch.passages, passage)[-PASSAGES_MAX:],
        entries=watch.entries + (1 if crossing.inward else 0),
        exits=watch.exits + (0 if crossing.inward else 1),
    )


def _is_same(passage: Passage, crossing: Crossing, known: Heads) -> bool:
    first = passage.crossing
    if (
        crossing.camera_id in passage.seen_by
        or crossing.inward != first.inward
        or abs(crossing.at.mono_ms - first.at.mono_ms) > SAME_PASSAGE_MS
    ):
        return False
    keys = {(first.camera_id, first.track), (crossing.camera_id, crossing.track)}
    one_person = any(keys <= set(person.keys) for person in known.people)
    return crossing.zone_id == first.zone_id or one_person


def _balanced(state: RoomState, watch: AreaWatch, steady: Steady, admitted: int) -> AreaWatch:
    """Hold the balance against the count.

    At the seal somebody of the committee may be in the rest room, where no camera looks: until as
    many as are admitted have been seen, more people than at the seal are no riddle.
    """
    turned = watch.entries - watch.exits
    base = watch.base if watch.base is not None else steady.people - turned
    if base < steady.people - turned and base < admitted:
        base = min(steady.people - turned, admitted)
    off = steady.people - (base + turned)
    watch = replace(watch, base=max(base, 0))
    if not _gates(state) or off == 0:
        return replace(watch, differs_by=0, differs_since=None)
    same_way = watch.differs_since is not None and (off > 0) == (watch.differs_by > 0)
    since = watch.differs_since if same_way else _later(steady.since, watch.passages)
    return replace(watch, differs_by=off, differs_since=since)


def _later(since: Instant, passages: tuple[Passage, ...]) -> Instant:
    moments: Iterator[Instant] = (one.crossing.at for one in passages[-1:])
    return max((since, *moments), key=lambda at: at.mono_ms)
