"""The detector: decoding number by number, what is refused at start, crops, tiles, batches."""

import hashlib
import itertools
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from edge.core.people import Detection, Rect, Thing
from edge.perception.batching import Batching
from edge.perception.crops import cut_out, parts_for
from edge.perception.decoders import Decoder
from edge.perception.detector import (
    SHIPPED_MODEL,
    ModelFile,
    OnnxDetector,
    shipped_hash,
)
from edge.perception.letterbox import Fit, Layout, laid_out
from edge.perception.providers import InferenceLost, ModelError, Provider, installed
from edge.perception.suppression import Cropped, merged, suppressed
from edge.perception.tiling import Tiled, tiles
from edge.ports import DetectionLost
from edge.settings import ModelSettings
from tests.fakes.tiny_models import brightness_model, constant_model
from zeroentry.composer.live import LiveScene
from zeroentry.composer.model import Scene, Seat

Array = NDArray[Any]
WIDE = np.full((180, 320, 3), 90, np.uint8)
PIXELS: Mapping[str, tuple[str, tuple[int, ...]]] = {"images": ("float32", (1, 3, 64, 64))}


@pytest.fixture(scope="module")
def shipped() -> OnnxDetector:
    return OnnxDetector(ModelFile(SHIPPED_MODEL, shipped_hash()))


def opened(path: Path, sha256: str, decoder: Decoder, **more: Any) -> OnnxDetector:
    return OnnxDetector(ModelFile(path, sha256, decoder, **more))


def close(rect: Rect, *expected: float) -> bool:
    return (rect.x1, rect.y1, rect.x2, rect.y2) == pytest.approx(expected, abs=1e-4)


# The shipped model


def sure(detector: OnnxDetector, bgr: Array) -> list[Detection]:
    found = detector.find(bgr[:, :, ::-1])
    return [one for one in found if one.score >= 0.25 and one.thing is Thing.PERSON]


def test_shipped_model_finds_the_people_of_a_composed_room(shipped: OnnxDetector) -> None:
    scene = LiveScene(Scene(seed=1))
    assert sure(shipped, scene.render(0).image) == []
    scene.apply(Seat(5), 0)
    frame = scene.render(400)
    found = sure(shipped, frame.image)
    assert len(found) == 5
    height, width = frame.image.shape[:2]
    for person in frame.truth:
        box = person.box
        truth = Rect(box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height)
        assert max(one.rect.overlap(truth) for one in found) > 0.4
        # Asked for the place of this one alone, it finds this one at the same place.
        near = shipped.find(frame.image[:, :, ::-1], (truth,))
        assert max(one.rect.overlap(truth) for one in near) > 0.4


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 1, 3), (4320, 7680, 3), (1, 5000, 3), (3000, 1, 1), (90, 70, 4), (360, 640)],
)
def test_a_frame_of_any_shape_is_survived(shipped: OnnxDetector, shape: tuple[int, ...]) -> None:
    picture = np.full(shape, 127, np.uint8)
    assert shipped.find(picture) == ()
    assert shipped.find(picture, (Rect(0.4, 0.4, 0.41, 0.9), Rect(0.0, 0.0, 0.0, 0.0))) == ()


@pytest.mark.parametrize("shape", [(0, 0, 3), (5, 5, 2), (2, 5, 5, 3)])
def test_what_is_no_picture_is_refused(shipped: OnnxDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectionLost, match="not a picture"):
        shipped.find(np.zeros(shape, np.uint8))


def test_where_nobody_asks_nothing_is_run(shipped: OnnxDetector) -> None:
    assert shipped.find(WIDE, ()) == ()


# What is refused at start


def test_wrong_hash_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    shutil.copy(SHIPPED_MODEL, path)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff\x00\xff")
    with pytest.raises(ModelError, match=f"expected {shipped_hash()}"):
        opened(path, shipped_hash(), Decoder.SSDLITE)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model.*correct model\.path"):
        opened(tmp_path / "none.onnx", shipped_hash(), Decoder.SSDLITE)
    path = tmp_path / "text.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(ModelError, match="onnxruntime cannot load it"):
        opened(path, hashlib.sha256(b"hello").hexdigest(), Decoder.SSDLITE)


@pytest.mark.parametrize("decoder", [Decoder.NANODET, Decoder.YOLOX, Decoder.RTDETR])
def test_a_model_of_another_family_is_refused(decoder: Decoder) -> None:
    with pytest.raises(ModelError) as refused:
        opened(SHIPPED_MODEL, shipped_hash(), decoder)
    said = str(refused.value)
    assert f"decoder {decoder} needs one float32 input" in said
    assert "image_tensor:0 uint8 [?, ?, ?, 3]" in said
    assert "model.decoder: ssdlite" in said


@pytest.mark.parametrize(
    ("decoder", "outputs"),
    [
        (Decoder.NANODET, {"classes": (1, 64, 80)}),
        (Decoder.NANODET, {"all": (1, 86, 112)}),
        (Decoder.YOLOX, {"all": (1, 84, 84)}),
        (Decoder.YOLOX, {"all": (1, 80, 85)}),
        (Decoder.RTDETR, {"logits": (1, 9, 91), "pred_boxes": (1, 9, 4)}),
        (Decoder.RTDETR, {"one": (1, 9, 80), "other": (1, 9, 4)}),
    ],
)
def test_wrong_outputs_are_refused_with_what_a_trial_gave(
    tmp_path: Path, decoder: Decoder, outputs: dict[str, tuple[int, ...]]
) -> None:
    arrays = {name: np.zeros(shape, np.float32) for name, shape in outputs.items()}
    sha256 = constant_model(tmp_path / "m.onnx", PIXELS, arrays)
    with pytest.raises(ModelError, match=rf"decoder {decoder} needs .* Found: a trial gave .*\("):
        opened(tmp_path / "m.onnx", sha256, decoder)


def test_a_provider_that_is_not_there_is_refused_with_the_list_of_what_is() -> None:
    assert Provider.CPU in installed()
    missing = [one for one in (Provider.CUDA, Provider.OPENVINO) if one not in installed()]
    for provider in missing:
        with pytest.raises(ModelError, match=rf"{provider} is not installed. Here are: .*cpu.*pip"):
            OnnxDetector(ModelFile(SHIPPED_MODEL, shipped_hash(), provider=provider))


def test_auto_takes_what_there_is() -> None:
    detector = OnnxDetector(ModelFile(SHIPPED_MODEL, shipped_hash(), provider=Provider.AUTO))
    assert detector.provider in installed()


def test_a_batch_is_refused_where_the_model_has_a_fixed_one(tmp_path: Path) -> None:
    sha256 = brightness_model(tmp_path / "m.onnx", batch=1)
    with pytest.raises(ModelError, match=r"batch is fixed at 1; export .* leave model\.batch_max"):
        opened(tmp_path / "m.onnx", sha256, Decoder.SSDLITE, batch_max=4)


def test_settings_say_what_goes_together() -> None:
    assert ModelSettings().sure_from == 0.25
    other = {"path": "/m.onnx", "sha256": "a" * 64, "decoder": "yolox"}
    assert ModelSettings.model_validate(other).sure_from == 0.30
    assert ModelSettings.model_validate({**other, "threshold": 0.6}).sure_from == 0.6
    with pytest.raises(ValidationError, match="shipped model is of ssdlite; state path and sha256"):
        ModelSettings.model_validate({"decoder": "yolox"})
    with pytest.raises(ValidationError, match=r"batch_max is 4 and workers is 1.*Set workers"):
        ModelSettings.model_validate({"batch_max": 4})
    assert ModelSettings.model_validate({"batch_max": 4, "workers": 4}).batch_max == 4


# Layout


def test_a_picture_at_the_corner_and_back() -> None:
    laid, placed = laid_out(np.ones((180, 320, 3), np.uint8), 64, Layout(Fit.CORNER, as_bytes=True))
    assert laid.shape == (64, 64, 3)
    assert laid[:36].min() == 1
    assert laid[36:].max() == 0
    assert close(
        placed.to_picture(np.array([0.5, 0.25, 1.0, 0.5625], np.float32)), 0.5, 4 / 9, 1, 1
    )


def test_a_picture_in_the_middle_and_back() -> None:
    tall = np.ones((128, 64, 3), np.uint8)
    laid, placed = laid_out(tall, 64, Layout(Fit.CENTRE, fill=7, as_bytes=True))
    assert (laid[:, :16] == 7).all()
    assert (laid[:, 16:48] == 1).all()
    assert (laid[:, 48:] == 7).all()
    assert close(placed.to_picture(np.array([0.25, 0.5, 0.75, 1.5], np.float32)), 0, 0.5, 1, 1)


def test_colours_are_ordered_and_scaled_as_the_family_was_trained() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:, :] = (10, 20, 30)
    layout = Layout(Fit.STRETCH, blue_first=True, mean=(1, 2, 3), deviation=(1, 2, 7))
    laid, _ = laid_out(picture, 4, layout)
    assert laid.shape == (3, 4, 4)
    assert laid.dtype == np.float32
    assert laid[:, 0, 0].tolist() == pytest.approx([29.0, 9.0, 1.0])


# Decoding


def test_ssdlite_rows_columns_and_order_of_corners(tmp_path: Path) -> None:
    scores = np.zeros((1, 3, 90), np.float32)
    scores[0, 0, 0], scores[0, 1, 76], scores[0, 2, 67] = 0.9, 0.3, 0.99
    boxes = np.array([[[[0.1, 0.2, 0.3, 0.6]], [[0, 0, 0.1, 0.1]], [[0, 0, 1, 1]]]], np.float32)
    inputs = {"image": ("uint8", (1, None, None, 3))}
    sha256 = constant_model(tmp_path / "m.onnx", inputs, {"s": scores, "b": boxes})
    person, phone = opened(tmp_path / "m.onnx", sha256, Decoder.SSDLITE).find(
        np.zeros((64, 64, 3), np.uint8)
    )
    assert (person.thing, phone.thing) == (Thing.PERSON, Thing.PHONE)
    assert person.score == pytest.approx(0.9)
    assert close(person.rect, 0.2, 0.1, 0.6, 0.3)
    assert close(phone.rect, 0, 0, 0.1, 0.1)


def _bins(*reach: float) -> Array:
    """Logits of 8 steps a side, all on two neighbouring steps so that their mean is ``reach``."""
    logits = np.full((4, 8), -50.0, np.float32)
    for side, value in enumerate(reach):
        low = int(value)
        logits[side, low] = np.log(1 - (value - low))
        if value > low:
            logits[side, low + 1] = np.log(value - low)
    return logits.reshape(-1)


@pytest.mark.parametrize(("plus", "offset"), [(False, 0.5), (True, 0.0)])
def test_nanodet_counts_bins_in_strides_from_its_cell(
    tmp_path: Path, plus: bool, offset: float
) -> None:
    strides = (8, 16, 32, 64) if plus else (8, 16, 32)
    tables = [np.full(((64 // one) ** 2, 112), 0.0, np.float32) for one in strides]
    # Column 2, row 1 of stride 16: reaches 1, 1.5, 0.5, 2 strides to its four sides.
    tables[1][1 * 4 + 2, 0] = 0.8
    tables[1][1 * 4 + 2, 80:] = _bins(1.0, 1.5, 0.5, 2.0)
    if plus:
        outputs = {"all": np.concatenate(tables)[np.newaxis]}
    else:
        outputs = {f"c{n}": one[np.newaxis, :, :80] for n, one in enumerate(tables)}
        outputs |= {f"b{n}": one[np.newaxis, :, 80:] for n, one in enumerate(tables)}
    sha256 = constant_model(tmp_path / "m.onnx", PIXELS, outputs)
    (person,) = opened(tmp_path / "m.onnx", sha256, Decoder.NANODET).find(
        np.zeros((64, 64, 3), np.uint8)
    )
    x, y = (2 + offset) * 16, (1 + offset) * 16
    assert person.score == pytest.approx(0.8)
    expected = ((x - 16) / 64, max(y - 24, 0) / 64, (x + 8) / 64, (y + 32) / 64)
    assert close(person.rect, *expected)


@pytest.mark.parametrize("decoded", [False, True])
def test_yolox_multiplies_scores_and_adds_its_cell(tmp_path: Path, decoded: bool) -> None:
    rows = np.zeros((84, 85), np.float32)  # 8 x 8, 4 x 4 and 2 x 2 cells
    if decoded:
        rows[:, 0] = np.linspace(0, 64, 84)
    row = rows[64 + 1 * 4 + 2]  # stride 16, column 2, row 1
    row[:4] = (40.0, 20.0, 32.0, 16.0) if decoded else (0.5, 0.25, np.log(2), 0.0)
    row[4], row[5], row[5 + 67] = 0.8, 0.9, 0.5
    sha256 = constant_model(tmp_path / "m.onnx", PIXELS, {"all": rows[np.newaxis]})
    found = opened(tmp_path / "m.onnx", sha256, Decoder.YOLOX).find(np.zeros((64, 64, 3), np.uint8))
    assert {one.thing: one.score for one in found} == {
        Thing.PERSON: pytest.approx(0.72),
        Thing.PHONE: pytest.approx(0.4),
    }
    for one in found:
        assert close(one.rect, 24 / 64, 12 / 64, 56 / 64, 28 / 64)


def test_rtdetr_labels_in_pixels_of_the_size_that_is_fed(tmp_path: Path) -> None:
    outputs: dict[str, Array] = {
        "labels": np.array([[0, 67, 76]], np.int64),
        "boxes": np.array([[[16, 8, 32, 64], [0, 0, 8, 8], [0, 0, 64, 64]]], np.float32),
        "scores": np.array([[0.9, 0.6, 0.9]], np.float32),
    }
    inputs = {**PIXELS, "orig_target_sizes": ("int64", (1, 2))}
    sha256 = constant_model(tmp_path / "m.onnx", inputs, outputs)
    person, phone = opened(tmp_path / "m.onnx", sha256, Decoder.RTDETR).find(WIDE)
    assert close(person.rect, 0.25, 0.125, 0.5, 1.0)  # stretched: shares are the picture's own
    assert phone.thing is Thing.PHONE
    assert phone.score == pytest.approx(0.6)


def test_rtdetr_logits_and_centres(tmp_path: Path) -> None:
    logits = np.full((1, 2, 80), -200.0, np.float32)
    logits[0, 0, 0], logits[0, 1, 67] = np.log(4.0), 200.0
    boxes = np.array([[[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.2, 0.2]]], np.float32)
    sha256 = constant_model(tmp_path / "m.onnx", PIXELS, {"logits": logits, "pred_boxes": boxes})
    phone, person = opened(tmp_path / "m.onnx", sha256, Decoder.RTDETR).find(WIDE)
    assert (phone.thing, phone.score) == (Thing.PHONE, 1.0)
    assert person.score == pytest.approx(0.8)
    assert close(person.rect, 0.4, 0.3, 0.6, 0.7)


def test_numbers_that_are_none_are_no_people(tmp_path: Path) -> None:
    scores = np.zeros((1, 3, 90), np.float32)
    scores[0, :, 0] = (np.nan, 0.9, 0.8)
    boxes = np.array([[[[0, 0, 1, 1]], [[0, np.nan, 1, 1]], [[0, 0, np.inf, 1]]]], np.float32)
    inputs = {"image": ("uint8", (1, None, None, 3))}
    sha256 = constant_model(tmp_path / "m.onnx", inputs, {"s": scores, "b": boxes})
    assert opened(tmp_path / "m.onnx", sha256, Decoder.SSDLITE).find(WIDE) == ()


# Doubles, parts and cut boxes


def person(x1: float, y1: float, x2: float, y2: float, score: float = 0.8) -> Detection:
    return Detection(Rect(x1, y1, x2, y2), score)


def test_doubles_go_and_people_side_by_side_stay() -> None:
    whole = person(0.1, 0.1, 0.3, 0.6, 0.9)
    double = person(0.11, 0.1, 0.31, 0.6, 0.8)
    torso = person(0.12, 0.1, 0.28, 0.35, 0.7)
    behind = person(0.26, 0.12, 0.36, 0.4, 0.6)
    empty = person(0.5, 0.5, 0.5, 0.9, 0.6)
    phone = Detection(whole.rect, 0.5, Thing.PHONE)
    found = [whole, double, torso, behind, empty, phone]
    assert suppressed(found, 0.5) == (whole, behind, phone)
    assert suppressed(found, 0.5, parts=False) == (whole, torso, behind, phone)


def test_halves_of_one_person_are_joined_and_a_fuller_box_wins() -> None:
    left = Cropped(person(0.40, 0.2, 0.50, 0.8, 0.9), cut=True, crop=0)
    right = Cropped(person(0.45, 0.22, 0.56, 0.8, 0.7), cut=True, crop=1)
    assert merged([left, right], 0.5) == (person(0.40, 0.2, 0.56, 0.8, 0.9),)
    full = Cropped(person(0.40, 0.2, 0.56, 0.8, 0.4), cut=False, crop=2)
    assert merged([left, full], 0.5) == (full.detection,)
    beside = Cropped(person(0.70, 0.2, 0.80, 0.8, 0.5), cut=True, crop=1)
    assert merged([left, beside], 0.5) == (left.detection, beside.detection)


# Crops and tiles


def test_regions_become_squares_with_a_margin_inside_the_picture() -> None:
    (part,) = parts_for((Rect(0.5, 0.4, 0.6, 0.8),), 640, 360)
    # 64 x 144 pixels and a quarter more on each side: 216 is the side of the square.
    assert close(part, 0.55 - 108 / 640, 0.3, 0.55 + 108 / 640, 0.9)
    (small,) = parts_for((Rect(0.0, 0.0, 0.01, 0.01),), 640, 360)
    assert close(small, 0, 0, 144 / 640, 0.4)


def test_regions_near_one_another_share_a_part_and_many_are_the_whole_picture() -> None:
    near = (Rect(0.5, 0.4, 0.6, 0.8), Rect(0.56, 0.4, 0.66, 0.8))
    assert len(parts_for(near, 640, 360)) == 1
    apart = (Rect(0.0, 0.0, 0.05, 0.2), Rect(0.9, 0.8, 1.0, 1.0))
    assert len(parts_for(apart, 640, 360)) == 2
    everywhere = tuple(
        Rect(x / 4, y / 2, x / 4 + 0.1, y / 2 + 0.1) for x in range(4) for y in (0, 1)
    )
    assert parts_for(everywhere, 640, 360) == (Rect(0, 0, 1, 1),)
    assert parts_for((), 640, 360) == ()


def test_a_crop_leads_its_boxes_back_and_knows_its_inner_edges() -> None:
    crop = cut_out(WIDE, Rect(0.5, 0.0, 1.0, 0.5))
    assert crop.rgb.shape == (90, 160, 3)
    assert crop.in_picture(Rect(0, 0, 0.5, 1)) == Rect(0.5, 0, 0.75, 0.5)
    assert crop.cuts(person(0.5, 0.1, 0.6, 0.4))
    assert crop.cuts(person(0.7, 0.1, 0.8, 0.5))
    assert not crop.cuts(person(0.7, 0.0, 1.0, 0.4))


def test_who_is_cut_at_the_margin_and_not_asked_for_is_left_out(tmp_path: Path) -> None:
    scores = np.zeros((1, 2, 90), np.float32)
    scores[0, :, 0] = 0.9, 0.8
    # In shares of the crop: one whole in the middle, one cut at the left edge.
    boxes = np.array([[[[0.2, 0.4, 0.8, 0.6]], [[0.2, 0.0, 0.8, 0.1]]]], np.float32)
    inputs = {"image": ("uint8", (1, None, None, 3))}
    sha256 = constant_model(tmp_path / "m.onnx", inputs, {"s": scores, "b": boxes})
    detector = opened(tmp_path / "m.onnx", sha256, Decoder.SSDLITE)
    asked = Rect(0.45, 0.4, 0.55, 0.6)
    (only,) = detector.find(np.zeros((100, 100, 3), np.uint8), (asked,))
    assert only.rect.centre == pytest.approx((0.5, 0.5), abs=0.01)
    assert len(detector.find(np.zeros((100, 100, 3), np.uint8))) == 2


def test_tiles_overlap_and_cover_the_picture() -> None:
    parts = tiles(3)
    assert parts[0].x1 == 0.0
    assert parts[-1].x2 == pytest.approx(1.0)
    for left, right in itertools.pairwise(parts):
        assert left.x2 - right.x1 == pytest.approx(left.width * 0.3)
    assert tiles(1) == (Rect(0, 0, 1, 1),)


def test_a_tiled_camera_counts_a_person_at_the_seam_once(shipped: OnnxDetector) -> None:
    scene = LiveScene(Scene(seed=1))
    scene.apply(Seat(5), 0)
    picture = scene.render(400).image[:, :, ::-1]
    found = Tiled(shipped, 2).find(picture, None)
    assert sum(one.score >= 0.25 and one.thing is Thing.PERSON for one in found) == 5
    assert Tiled(shipped, 2).find(picture, ()) == ()


# Batches


def test_pictures_of_a_batch_get_their_own_answers(tmp_path: Path) -> None:
    sha256 = brightness_model(tmp_path / "m.onnx")
    detector = opened(tmp_path / "m.onnx", sha256, Decoder.SSDLITE, batch_max=4)
    found: dict[int, float] = {}

    def look(level: int) -> None:
        (one,) = detector.find(np.full((300, 300, 3), level, np.uint8))
        found[level] = one.score

    threads = [threading.Thread(target=look, args=(level,)) for level in (60, 120, 180, 240)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == {level: pytest.approx(level / 255) for level in (60, 120, 180, 240)}


class Slow:
    """A model that runs when the test says so, and remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.breaks = False

    def __call__(self, pictures: Array) -> tuple[Array, ...]:
        self.batches.append([int(one) for one in pictures[:, 0]])
        self.began.release()
        assert self.go.acquire(timeout=30)
        if self.breaks:
            raise InferenceLost("out of memory")
        return (pictures * 10,)


def test_who_waits_together_runs_together_one_of_each_in_turn() -> None:
    model, answers = Slow(), {}
    batching = Batching(model, 3)

    def ask(*numbers: int) -> None:
        pictures = [np.array([number]) for number in numbers]
        answers[numbers] = [int(found[0][0, 0]) for found in batching.run(pictures)]

    def started(*numbers: int) -> threading.Thread:
        thread = threading.Thread(target=ask, args=numbers)
        thread.start()
        return thread

    threads = [started(1)]
    assert model.began.acquire(timeout=30)  # an idle model runs at once, alone
    for numbers in ((20, 21, 22), (30,), (40, 41)):
        threads.append(started(*numbers))
        for _ in range(10_000):  # ten seconds at most, until this one waits too
            if len(batching._waiting) == len(threads) - 1:
                break
            threading.Event().wait(0.001)
        assert len(batching._waiting) == len(threads) - 1
    for _ in range(4):
        model.go.release()
    for thread in threads:
        thread.join(10)
    assert model.batches == [[1], [20, 30, 40], [21, 41, 22]]
    assert answers == {
        (1,): [10],
        (20, 21, 22): [200, 210, 220],
        (30,): [300],
        (40, 41): [400, 410],
    }


def test_a_run_that_fails_is_lost_for_those_in_it_alone() -> None:
    model = Slow()
    batching = Batching(model, 2)
    model.breaks = True
    model.go.release()
    with pytest.raises(InferenceLost, match="out of memory"):
        batching.run([np.array([1])])
    model.breaks = False
    model.go.release()
    assert batching.run([np.array([2])])[0][0].tolist() == [[20]]
    assert batching.run([]) == []
