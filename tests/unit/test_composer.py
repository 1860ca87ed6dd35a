"""The composer: what is drawn is what the script says, each time the same, at known levels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from zeroentry.composer.bodies import Posture, crowd_look, figure
from zeroentry.composer.encode import write_clip
from zeroentry.composer.geometry import plan_of
from zeroentry.composer.hall import Block, Layout, Lens, hall
from zeroentry.composer.live import LiveScene
from zeroentry.composer.model import (
    CorridorClear,
    CorridorOutsider,
    Cue,
    Frame,
    Gather,
    Intrude,
    Leave,
    Pose,
    RobotAt,
    RobotPass,
    Role,
    Scene,
    SceneKind,
    Script,
    Seat,
    SitDown,
    StandUp,
    TimedCue,
    Vest,
    Withdraw,
)
from zeroentry.composer.painter import render
from zeroentry.composer.scripts import corridor_outsider, play, quiet_room, sealed_room_day
from zeroentry.composer.sound import (
    SAMPLE_RATE_HZ,
    level_of,
    mixed,
    murmur,
    room_tone,
    silence,
)
from zeroentry.composer.timeline import Cast, direct

ROOM = Scene(seed=3, label="ROOM")
CORRIDOR = Scene(kind=SceneKind.CORRIDOR, seed=1, label="CORRIDOR")
UTC_TEXT = "2026-01-01 08:00:00 UTC"


def counts(script: Script, scene: Scene, times_ms: list[int]) -> list[int]:
    """Return the true number of people at each time."""
    return [render(scene, script, t_ms).count for t_ms in times_ms]


def frame_after(cues: list[tuple[int, Cue]], t_ms: int, scene: Scene = ROOM) -> Frame:
    """Play cues as a script and return one frame."""
    script = Script(tuple(TimedCue(at_ms, cue) for at_ms, cue in cues), duration_ms=t_ms + 1)
    return render(scene, script, t_ms, UTC_TEXT)


def live_after(cues: list[tuple[int, Cue]], t_ms: int, scene: Scene = ROOM) -> Frame:
    """Play cues on a new live scene and return one frame."""
    live = LiveScene(scene)
    for at_ms, cue in cues:
        live.apply(cue, at_ms)
    return live.render(t_ms, UTC_TEXT)


def test_the_same_seed_cues_and_time_give_the_same_pixels() -> None:
    cues: list[tuple[int, Cue]] = [(0, Seat(3)), (0, Intrude(vest=Vest.BLUE))]
    first = live_after(cues, 4_321)
    again = live_after(cues, 4_321)
    assert np.array_equal(first.image, again.image)
    assert first.truth == again.truth
    other_room = frame_after(cues, 4_321, Scene(seed=4, label="ROOM"))
    assert not np.array_equal(first.image, other_room.image)


def test_a_script_and_a_live_scene_draw_the_same_frame() -> None:
    script = Script((TimedCue(0, Seat(2)), TimedCue(500, Intrude())), duration_ms=10_000)
    live = live_after([(0, Seat(2)), (500, Intrude())], 6_000)
    assert np.array_equal(render(ROOM, script, 6_000, UTC_TEXT).image, live.image)


def test_frames_have_the_stated_size_and_fresh_noise_of_sigma_three() -> None:
    first, second = (frame_after([], t_ms).image for t_ms in (0, 100))
    assert first.shape == (360, 640, 3)
    assert first.dtype == np.uint8
    change = first[150:220, 300:600].astype(float) - second[150:220, 300:600].astype(float)
    assert change.std() == pytest.approx(3.0 * np.sqrt(2), rel=0.1)


def test_a_larger_picture_shows_the_same_people() -> None:
    small = frame_after([(0, Seat(2))], 0)
    large = frame_after([(0, Seat(2))], 0, Scene(seed=3, label="ROOM", size_px=(1280, 720)))
    assert large.image.shape == (720, 1280, 3)
    for one, two in zip(small.truth, large.truth, strict=True):
        assert two.box.x1 == pytest.approx(2 * one.box.x1, abs=4)
        assert two.box.y2 == pytest.approx(2 * one.box.y2, abs=4)


@pytest.mark.parametrize("seed", range(6))
def test_the_day_in_a_sealed_room_has_the_counts_of_its_script(seed: int) -> None:
    times_ms = [0, 35_000, 50_000, 69_000, 89_900]
    assert counts(sealed_room_day(), Scene(seed=seed), times_ms) == [0, 5, 6, 5, 0]


def test_experts_wear_red_and_sit_while_the_visitor_stands_in_the_vest_of_the_cue() -> None:
    frame = frame_after([(0, Seat(5)), (0, Intrude("who", Vest.BLUE))], 15_000)
    experts = [person for person in frame.truth if person.role is Role.EXPERT]
    assert {(p.vest, p.pose) for p in experts} == {(Vest.RED, Pose.SEATED)}
    (visitor,) = [person for person in frame.truth if person.role is Role.INTRUDER]
    assert (visitor.id, visitor.vest, visitor.pose) == ("who", Vest.BLUE, Pose.STANDING)
    assert frame.steady


@pytest.mark.parametrize(("vest", "channel"), [(Vest.RED, 2), (Vest.BLUE, 0)])
def test_a_vest_has_its_colour_on_the_torso(vest: Vest, channel: int) -> None:
    frame = frame_after([(0, Intrude(vest=vest))], 15_000)
    box = frame.truth[0].box
    height, width = box.y2 - box.y1, box.x2 - box.x1
    torso = frame.image[
        box.y1 + int(height * 0.28) : box.y1 + int(height * 0.45),
        box.x1 + int(width * 0.3) : box.x1 + int(width * 0.7),
    ]
    means = torso.reshape(-1, 3).mean(axis=0)
    assert means[channel] > 1.6 * max(np.delete(means, channel))


def test_truth_boxes_hold_the_pixels_that_a_person_changes() -> None:
    empty = frame_after([], 15_000).image.astype(int)
    frame = frame_after([(0, Intrude(vest=Vest.RED))], 15_000)
    box = frame.truth[0].box
    changed = np.abs(frame.image.astype(int) - empty).max(axis=2) > 60
    changed[:60] = False  # the burnt-in clock
    rows, columns = np.nonzero(changed)
    assert columns.min() >= box.x1 - 2
    assert columns.max() <= box.x2 + 2
    assert rows.min() == pytest.approx(box.y1, abs=4)


def test_a_walk_moves_without_a_jump() -> None:
    last: float | None = None
    for t_ms in range(2_000, 8_000, 100):
        (person,) = frame_after([(0, Intrude())], t_ms).truth
        middle = (person.box.x1 + person.box.x2) / 2
        assert last is None or abs(middle - last) < 25
        last = middle


def test_seated_people_fidget_by_pixels_and_stay() -> None:
    boxes = [frame_after([(0, Seat(1))], t_ms).truth[0].box for t_ms in range(0, 30_000, 1_000)]
    lefts = [box.x1 for box in boxes]
    assert 2 <= max(lefts) - min(lefts) <= 30


def test_an_expert_rises_and_sits_down() -> None:
    cues: list[tuple[int, Cue]] = [(0, Seat(2)), (1_000, StandUp(1)), (10_000, SitDown(1))]
    seated, risen, again = (frame_after(cues[:n], t) for n, t in ((1, 0), (2, 5_000), (3, 15_000)))
    assert [f.truth[0].pose for f in (seated, risen, again)] == [
        Pose.SEATED, Pose.STANDING, Pose.SEATED,
    ]  # fmt: skip
    assert risen.truth[0].box.y1 < seated.truth[0].box.y1 - 30


def test_a_visitor_who_is_called_back_on_the_way_never_arrives() -> None:
    cues: list[tuple[int, Cue]] = [(0, Intrude()), (2_500, Withdraw())]
    assert frame_after(cues, 2_500).count == 1
    assert frame_after(cues, 12_000).count == 0


def test_leaving_while_others_still_come_empties_the_room() -> None:
    cues: list[tuple[int, Cue]] = [(0, Gather(5)), (6_000, Leave())]
    assert frame_after(cues, 30_000).count == 0


def test_cues_for_nobody_change_nothing() -> None:
    plan = plan_of(ROOM)
    for cue in (Withdraw("nobody"), StandUp(4), SitDown(4), Leave(), CorridorClear()):
        assert direct(Cast(), plan, cue, 0) == Cast()


def test_gather_completes_a_room_that_is_partly_full() -> None:
    frame = frame_after([(0, Seat(3)), (1_000, Gather(5))], 20_000)
    assert frame.count == 5
    assert frame.steady


def test_the_outsider_crosses_the_corridor_and_the_robot_is_no_person() -> None:
    script = corridor_outsider()
    assert counts(script, CORRIDOR, [6_000, 30_000, 45_500]) == [0, 1, 0]
    assert render(CORRIDOR, script, 6_000).robot is not None
    assert render(CORRIDOR, script, 15_000).robot is None
    through = frame_after([(0, CorridorOutsider(stay=False))], 12_000, CORRIDOR)
    assert through.count == 0


def test_the_robot_stands_where_it_is_told() -> None:
    at_half = frame_after([(0, RobotAt(0.5))], 5_000, CORRIDOR)
    assert at_half.robot is not None
    assert (at_half.robot.x1 + at_half.robot.x2) / 2 == pytest.approx(320, abs=3)
    assert frame_after([(0, RobotAt(0.5)), (1, RobotAt(None))], 5_000, CORRIDOR).robot is None
    assert frame_after([(0, RobotPass(4_000))], 5_000, CORRIDOR).robot is None


def test_settings_that_cannot_be_painted_are_refused() -> None:
    with pytest.raises(ValueError, match="16:9"):
        Scene(size_px=(640, 480))
    with pytest.raises(ValueError, match="seats is 9"):
        Scene(seats=9)
    with pytest.raises(ValueError, match="out of order"):
        Script((TimedCue(5, Leave()), TimedCue(1, Seat(1))), duration_ms=10)
    with pytest.raises(ValueError, match="5 seats"):
        frame_after([(0, Seat(6))], 0)


@pytest.mark.parametrize("level_dbfs", [-70.0, -50.0, -32.0, -12.0])
def test_sounds_have_the_stated_level(level_dbfs: float) -> None:
    for make in (room_tone, murmur):
        sound = make(5, 4.0, level_dbfs)
        assert sound.dtype == np.float32
        assert sound.size == 4 * SAMPLE_RATE_HZ
        assert level_of(sound) == pytest.approx(level_dbfs, abs=0.1)
        assert np.array_equal(sound, make(5, 4.0, level_dbfs))


def test_a_dead_microphone_is_digital_zero() -> None:
    dead = silence(2.0)
    assert not dead.any()
    assert level_of(dead) == float("-inf")


def test_a_murmur_over_room_tone_has_the_level_of_their_powers() -> None:
    both = mixed(room_tone(1, 4.0, -40.0), murmur(2, 4.0, -40.0))
    assert level_of(both) == pytest.approx(-37.0, abs=0.2)


def test_sound_that_would_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="at most -6"):
        murmur(1, 1.0, -1.0)
    with pytest.raises(ValueError, match="seconds"):
        silence(0)


def test_a_clip_carries_the_frames_one_key_frame_a_second_and_the_sound(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    script = quiet_room(1, 0.05)
    images = (frame.image for frame in play(ROOM, script, 10))
    written = write_clip(path, images, 10, audio=room_tone(1, 3.0, -30.0))
    assert written == 30
    with av.open(str(path)) as clip:
        video = clip.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 640, 360)
        keys = [p.pts for p in clip.demux(video) if p.is_keyframe and p.pts is not None]
        assert len(keys) == 3
    with av.open(str(path)) as clip:
        sound = clip.streams.audio[0]
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", 48_000, 1)
        heard = np.concatenate([f.to_ndarray()[0] for f in clip.decode(sound)])
    assert heard.size >= 2.9 * SAMPLE_RATE_HZ
    assert level_of(heard[4800:]) == pytest.approx(-30.0, abs=1.0)


def test_a_clip_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        write_clip(tmp_path / "clip.mp4", iter(()), 10)


# -- halls: any layout, any side, rendered bodies --------------------------------------------------


def test_a_rendered_body_is_dressed_in_its_colours_from_every_side() -> None:
    for vest, channel in ((Vest.RED, 2), (Vest.BLUE, 0)):
        look = replace(crowd_look(3, 1, vest), portrait="body2", mirrored=False)
        for yaw_deg in (-135.0, -90.0, 0.0, 45.0, 180.0):
            sprite = figure(look, Posture.STAND, yaw_deg)
            height = sprite.shape[0]
            chest = sprite[round(height * 0.36) : round(height * 0.44)]
            shown = chest[chest[..., 3] > 200][:, :3].reshape(-1, 3)
            strong = (shown[:, channel].astype(int) - shown[:, 2 - channel]) > 40
            assert strong.mean() > 0.25, f"{vest} at {yaw_deg} degrees"


def test_a_body_seen_from_the_other_side_is_mirrored() -> None:
    look = replace(crowd_look(3, 1, Vest.NONE), portrait="body1", mirrored=False)
    left, right = (figure(look, Posture.SIT, yaw) for yaw in (-90.0, 90.0))
    columns = [np.flatnonzero(one[..., 3].max(axis=0) > 128) for one in (left, right)]
    middle = left.shape[1] / 2
    # The arms reach before the body: to the left on one, to the right on the other.
    assert middle - columns[0][0] > columns[0][-1] - middle - 40
    assert not np.array_equal(left, right)


def test_a_crowd_has_many_faces_and_keeps_them() -> None:
    looks = [crowd_look(5, number, Vest.RED) for number in range(1, 10)]
    assert len({look.portrait for look in looks}) == 8
    assert looks == [crowd_look(5, number, Vest.RED) for number in range(1, 10)]


@pytest.mark.parametrize("layout", list(Layout))
def test_a_hall_is_the_same_from_its_seed(layout: Layout) -> None:
    seats = 0 if layout is Layout.CORRIDOR else 9
    one, two = (hall(layout, 7, seats) for _ in range(2))
    assert one == two
    assert len(one.chairs) == seats
    assert hall(layout, 8, seats) != one


def test_a_hall_of_more_seats_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="use 0 to 9"):
        hall(Layout.ROW, 1, 10)


def test_what_lies_behind_the_lens_is_cut_off() -> None:
    eye = Lens(0.0, 0.0)
    assert eye.polygon([(-1, 0, -3), (1, 0, -3), (1, 0, -2), (-1, 0, -2)]) == []
    half = eye.polygon([(-1, 0, -1), (1, 0, -1), (1, 0, 4), (-1, 0, 4)])
    assert len(half) == 4
    assert all(abs(x) < 1e5 for x, _ in half)


def test_a_table_hides_what_is_behind_it_and_not_what_is_before() -> None:
    table = Block(-1, 1, 3, 4, 0, 0.75)
    eye = Lens(0.0, 0.0)
    assert table.hides(eye, 0.2, 5.0)
    assert not table.hides(eye, 0.2, 2.5)
    assert not table.hides(eye, 3.0, 5.0)
