"""The corpus: every rule has scenarios, seeds are kept apart, what is drawn is what is logged."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from contracts.catalogue import CATALOGUE
from contracts.commands import Seal
from contracts.observations import CameraState
from contracts.units import CameraId
from contracts.zones import PictureZone
from edge.core.people import Detection, Instant, Rect
from edge.core.room import PeopleSeen, RoomInput
from edge.perception.tracker import IouTracker
from tests.corpus import disturbances
from tests.corpus.eyes import Eyes, Pixels
from tests.corpus.families import EXEMPT, Draw, Split, WrongSplitError, all_families
from tests.corpus.rooms import room
from tests.corpus.runner import play
from tests.corpus.scenario import CAMERA, Pictured, Scenario, link, merged, said, seal, truths
from tests.corpus.scoring import Worth, score
from tests.corpus.spans import at_least, joined, shared, total_ms, where, without
from tests.corpus.stage import Stage
from zeroentry.composer.hall import Layout
from zeroentry.composer.model import Vest

OVER = "area.over_admitted"


def test_every_family_measures_rules_of_the_catalogue() -> None:
    for name, one in all_families().items():
        assert set(one.codes) <= set(CATALOGUE), f"{name}: rename the code or drop the family"


def test_every_rule_has_a_family_or_a_reason_why_not() -> None:
    measured = {code for one in all_families().values() for code in one.codes}
    without_any = sorted(set(CATALOGUE) - measured - set(EXEMPT))
    assert not without_any, "write a scenario family for each, or say in families.EXEMPT why not"
    assert not set(EXEMPT) & measured, "it has a family now: take it out of families.EXEMPT"


def test_held_out_seeds_are_refused_where_rules_are_tuned() -> None:
    one = next(iter(all_families().values()))
    with pytest.raises(WrongSplitError, match="seed 20000 is not of tune"):
        one.scenario(20_000)
    with pytest.raises(WrongSplitError, match="seed 3 is not of held_out"):
        one.scenario(3, Split.HELD_OUT)
    assert not set(Split.TUNE.seeds) & set(Split.HELD_OUT.seeds)


def test_a_draw_gives_the_same_numbers_each_time_and_others_to_another_family() -> None:
    first = [Draw("a", 1).whole(0, 10**9) for _ in range(2)]
    assert first[0] == first[1]
    assert Draw("b", 1).whole(0, 10**9) != first[0]


def staged(seed: int = 0) -> Stage:
    stage = Stage(Draw("test", seed), seats=3, duration_ms=30_000)
    stage.seat_all()
    there_ms = stage.enters("visitor", 5_000, vest=Vest.BLUE)
    stage.leaves("visitor", there_ms + 5_000)
    return stage


def test_the_log_says_when_a_visitor_can_be_seen() -> None:
    stage = staged()
    (span,) = stage.seen("visitor")
    assert 5_000 < span[0] < 12_000
    assert span[1] - span[0] > 5_000
    assert stage.more_than(3) == (span,)
    assert stage.more_than(4) == ()
    (inside,) = stage.inside("visitor")
    # He is seen in the open door before he is past it, and when he is out again.
    assert span[0] <= inside[0] <= span[0] + 2_000


def test_a_visitor_who_is_seen_is_in_the_picture_and_one_who_is_not_leaves_it_empty() -> None:
    stage = staged()
    (span,) = stage.seen("visitor")
    empty = staged()
    del empty.people["visitor"]
    middle, before = (span[0] + span[1]) // 2, 4_000
    changed = np.abs(stage.picture(middle).astype(int) - empty.picture(middle)) > 40
    assert changed.any(axis=2).sum() > 800
    assert np.array_equal(stage.picture(before), empty.picture(before))


@pytest.mark.parametrize("layout", list(Layout))
def test_all_who_sit_can_be_seen_by_the_camera_before_the_table(layout: Layout) -> None:
    seats = 0 if layout is Layout.CORRIDOR else 9
    stage = Stage(Draw("test", 1), layout, seats=seats, duration_ms=5_000)
    stage.seat_all()
    shares = stage.painters[CAMERA].shares(list(stage.people.values()), 1_000)
    assert len(shares) == seats
    assert min(shares.values(), default=1.0) > 0.3


def test_two_cameras_see_the_same_people_from_two_sides() -> None:
    cameras = {CAMERA: 0, CameraId("cam-2"): 1}
    stage = Stage(Draw("test", 2), seats=4, cameras=cameras, duration_ms=1_000)
    stage.seat_all()
    people = list(stage.people.values())
    boxes = [stage.painters[camera].boxes(people, 0) for camera in cameras]
    assert set(boxes[0]) == set(boxes[1]) == {f"expert-{n}" for n in range(1, 5)}
    assert all(boxes[0][name] != boxes[1][name] for name in boxes[0])
    pictures = [one for one in stage.pictures() if isinstance(one, Pictured)]
    assert [one.camera_id for one in pictures[:2]] == list(cameras)
    assert pictures == sorted(pictures, key=lambda one: one.at_ms)


def test_a_stage_plays_the_same_pictures_each_time() -> None:
    stage = staged()
    stage.duration_ms = 1_000
    stage.change(disturbances.H264(), disturbances.SlowLight())
    first, again = (list(stage.pictures()) for _ in range(2))
    assert len(first) == 5
    for one, two in zip(first, again, strict=True):
        assert isinstance(one, Pictured)
        assert isinstance(two, Pictured)
        assert np.array_equal(one.image, two.image)


SPAN = (1_000, 3_000)
WINDOW = ((200.0, 60.0), (300.0, 60.0), (300.0, 150.0), (200.0, 150.0))


@pytest.mark.parametrize(
    "change",
    [
        disturbances.Lights((SPAN,)),
        disturbances.Flicker(WINDOW),
        disturbances.Curtain(WINDOW),
        disturbances.Reflection((SPAN,), ((100, 100), (300, 100))),
        disturbances.Ghost((50, 150), (200, 60), (60, 70)),
        disturbances.Covered(SPAN),
        disturbances.Defocused(SPAN),
        disturbances.Moved(SPAN),
        disturbances.Dark(SPAN),
        disturbances.Glare(SPAN),
        disturbances.SlowLight(depth=0.3),
        disturbances.ExposureDrift(depth=0.2),
        disturbances.H264(),
    ],
    ids=lambda change: type(change).__name__,
)
def test_a_disturbance_changes_the_picture_and_keeps_its_form(change: disturbances.Change) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(40, 200, (360, 640, 3)).astype(np.uint8)
    after = change(image.copy(), 2_100)
    assert after.shape == image.shape
    assert after.dtype == np.uint8
    assert not np.array_equal(after, image)


def test_a_frozen_camera_repeats_its_picture_while_it_lasts() -> None:
    frozen = disturbances.Frozen(SPAN)
    pictures = [np.full((4, 4, 3), n, np.uint8) for n in range(4)]
    shown = [int(frozen(p, t)[0, 0, 0]) for p, t in zip(pictures, (0, 1_000, 2_000, 3_000))]  # noqa: B905 - both have four
    assert shown == [0, 1, 1, 3]


class Told:
    """Eyes that are told how many people there are: perception that never errs."""

    def __init__(self, stage: Stage, *, blind: bool = False) -> None:
        self._stage = stage
        self._blind = blind
        self._tracker = IouTracker()

    def eyes(self, scenario: Scenario, camera_id: CameraId) -> Eyes:
        return self

    def take(self, image: Pixels, at: Instant, zones: Sequence[PictureZone]) -> Iterator[RoomInput]:
        t_ms = at.mono_ms - 5_000_000
        shown = self._stage.painters[CAMERA].boxes(list(self._stage.people.values()), t_ms)
        shares = self._stage.painters[CAMERA].shares(list(self._stage.people.values()), t_ms)
        found = [
            Detection(Rect(box.x1 / 640, box.y1 / 360, box.x2 / 640, box.y2 / 360), 0.9)
            for name, box in shown.items()
            if shares[name] >= 0.5 and not (self._blind and name == "visitor")
        ]
        yield PeopleSeen(CameraId(CAMERA), at, self._tracker.update(found, at, None))

    def reset(self) -> None:
        self._tracker.reset()


def visited(stage: Stage, admitted: int = 3) -> Scenario:
    return Scenario(
        name="visited",
        seed=0,
        room=room(admits={}),
        duration_ms=stage.duration_ms,
        open=lambda: merged(stage.pictures(), said(seal(2_000, admitted))),
        truth=truths(OVER, None, stage.more_than(3)),
        heads=stage.heads(),
    )


def rows_of(scenario: Scenario, eyes: Told) -> list[tuple[str, Worth]]:
    played = play(scenario, eyes)
    return [(row.code, row.worth) for row in score(scenario, played.alerts, played.clocks)]


def test_a_room_that_sees_well_scores_a_hit() -> None:
    stage = staged()
    assert (OVER, Worth.HIT) in rows_of(visited(stage), Told(stage))


def test_a_room_that_overlooks_the_visitor_scores_a_miss() -> None:
    stage = staged()
    assert rows_of(visited(stage), Told(stage, blind=True)) == [(OVER, Worth.MISS)]


def test_a_room_that_is_told_a_wrong_number_scores_a_false_alert() -> None:
    stage = staged()
    rows = rows_of(visited(stage, admitted=2), Told(stage))
    assert (OVER, Worth.FALSE) in rows


def test_a_camera_that_is_lost_is_told_by_the_link_alone() -> None:
    rows = (link(5_000, CameraState.OFFLINE), link(15_000, CameraState.LIVE))
    lost = Scenario(
        name="lost",
        seed=0,
        room=room(),
        duration_ms=30_000,
        open=lambda: said(*rows),
        truth=truths("camera.offline", CAMERA, ((5_000, 15_000),)),
    )
    played = play(lost, Told(staged()))
    (row,) = score(lost, played.alerts, played.clocks)
    assert (row.worth, row.late_ms) == (Worth.HIT, 0)
    unlabelled = replace(lost, truth=())
    (row,) = score(unlabelled, played.alerts, played.clocks)
    assert row.worth is Worth.FALSE


def test_streams_are_merged_in_order_of_time() -> None:
    rows = (seal(300, 5), link(100, CameraState.LIVE))
    stage = Stage(Draw("test", 0), seats=0, duration_ms=600)
    given = list(merged(stage.pictures(), said(*rows)))
    assert [one.at_ms for one in given] == [0, 100, 200, 300, 400]
    assert isinstance(rows[0][1], Seal)


def test_spans_are_cut_and_joined() -> None:
    assert joined([(5, 9), (0, 3), (3, 4)]) == ((0, 4), (5, 9))
    assert joined([(0, 3), (4, 6)], gap_ms=1) == ((0, 6),)
    assert shared(((0, 10),), ((3, 5), (8, 20))) == ((3, 5), (8, 10))
    assert without(((0, 10),), ((3, 5), (9, 12))) == ((0, 3), (5, 9))
    assert where([0, 10, 20, 30], lambda t: t == 10) == ((10, 20),)
    assert at_least(((0, 3), (5, 15)), 5) == ((5, 15),)
    assert total_ms(((0, 3), (5, 15))) == 13
