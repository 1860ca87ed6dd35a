"""Reads what each family of detection models puts out: which rows are people, which are phones.

Every family counts COCO's classes in its own way and puts its boxes down in its own way. A family
is data (``FAMILIES``) and one function that looks at a model once, when it is opened, and either
gives a reader for its outputs or says what it expected and what it found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.core.people import Thing
from edge.perception.letterbox import Fit, Layout, Tensor
from edge.perception.providers import TensorForm

Floats = NDArray[np.float32]
Floors = Mapping[Thing, float]
"""The lowest score that is of interest, for each thing."""

COCO_80: Final[Mapping[Thing, int]] = {Thing.PERSON: 0, Thing.PHONE: 67}
"""COCO's classes counted without gaps, as most families do."""
COCO_90: Final[Mapping[Thing, int]] = {Thing.PERSON: 0, Thing.PHONE: 76}
"""COCO's own ids (1 person, 77 cell phone) less one: the ids have gaps, TensorFlow keeps them."""
CANDIDATES_MAX: Final = 300  # rows of one picture and thing that go on, best first


class Decoder(StrEnum):
    """How a model's outputs are read (``model.decoder``)."""

    SSDLITE = "ssdlite"
    NANODET = "nanodet"
    YOLOX = "yolox"
    RTDETR = "rtdetr"
    """RT-DETR and D-FINE: they put out the same."""


class NotOfFamilyError(Exception):
    """The model does not look like one of the declared family; says what was found."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows that may be things: ``boxes`` [N, 4] x1, y1, x2, y2 in shares of the model's square."""

    boxes: Floats
    scores: Floats
    things: tuple[Thing, ...]


Reader = Callable[[Sequence[Tensor], int, Floors], Candidates]
"""Outputs of a run, which picture of the batch, the lowest scores."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model as it was opened: its forms, the side of its square, outputs of a trial run."""

    inputs: tuple[TensorForm, ...]
    outputs: tuple[TensorForm, ...]
    side_px: int
    trial: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models.

    ``side_px`` is taken where the model leaves its size open. ``parts``: whether models of the
    family put boxes of a head or torso beside that of the person. ``sized``: whether there is a
    second input, int64 [batch, 2], that asks for width and height in which boxes are given.
    """

    expects: str
    layout: Layout
    side_px: int
    threshold: float
    overlap_max: float
    parts: bool
    understand: Callable[[Opened], Reader]
    sized: bool = False


def _chosen(
    scores: Floats, columns: Mapping[Thing, int], floors: Floors
) -> tuple[NDArray[np.intp], Floats, tuple[Thing, ...]]:
    """Rows [N, classes] that may be one of the things: their numbers, scores and things."""
    rows: list[NDArray[np.intp]] = []
    values: list[Floats] = []
    things: list[Thing] = []
    for thing, column in columns.items():
        of_thing = scores[:, column]
        # Written so that NaN, which a broken model gives, is no candidate.
        chosen = np.flatnonzero(of_thing >= floors[thing])
        chosen = chosen[np.argsort(-of_thing[chosen], kind="stable")][:CANDIDATES_MAX]
        rows.append(chosen)
        values.append(of_thing[chosen].astype(np.float32))
        things += [thing] * len(chosen)
    return np.concatenate(rows), np.concatenate(values), tuple(things)


def _understand_ssdlite(model: Opened) -> Reader:
    shapes = [output.shape for output in model.trial]
    classes = next(
        (n for n, one in enumerate(shapes) if len(one) == 3 and one[2] == SSDLITE_CLASSES), None
    )
    if len(shapes) != 2 or classes is None:
        raise NotOfFamilyError(f"a trial gave {shapes}")
    boxes = 1 - classes
    if model.trial[boxes].size != model.trial[classes].shape[1] * 4 * shapes[classes][0]:
        raise NotOfFamilyError(f"a trial gave {shapes}")

    def read(outputs: Sequence[Tensor], index: int, floors: Floors) -> Candidates:
        rows, scores, things = _chosen(outputs[classes][index], COCO_90, floors)
        found = outputs[boxes][index].reshape(-1, 4)[rows]
        return Candidates(found[:, [1, 0, 3, 2]], scores, things)

    return read


def _cells(side_px: int, strides: Sequence[int]) -> tuple[Floats, Floats]:
    """Column and row [N, 2] of every cell of every stride, and its stride [N]."""
    cells: list[Floats] = []
    sizes: list[Floats] = []
    for stride in strides:
        across = -(-side_px // stride)
        rows, columns = np.mgrid[0:across, 0:across]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32))
        sizes.append(np.full(across * across, stride, np.float32))
    return np.concatenate(cells), np.concatenate(sizes)


def _understand_nanodet(model: Opened) -> Reader:
    order = _nanodet_order(model.trial)
    rows = sum(model.trial[classes].shape[1] for classes, _ in order)
    grids = [(*_cells(model.side_px, strides), offset) for strides, offset in NANODET_GRIDS]
    grid = next((one for one in grids if len(one[0]) == rows), None)
    if grid is None:
        raise NotOfFamilyError(f"a trial gave {[one.shape for one in model.trial]}")
    cells, sizes, offset = grid
    centres = (cells + np.float32(offset)) * sizes[:, np.newaxis]
    joined = len(model.trial) == 1
    skipped = COCO_CLASSES if joined else 0

    def read(outputs: Sequence[Tensor], index: int, floors: Floors) -> Candidates:
        scores = np.concatenate([outputs[one][index][:, :COCO_CLASSES] for one, _ in order])
        bins = np.concatenate([outputs[other][index][:, skipped:] for _, other in order])
        chosen, values, things = _chosen(scores, COCO_80, floors)
        reach = (
            _expected(bins[chosen].reshape(len(chosen), 4, bins.shape[1] // 4))
            * sizes[chosen, np.newaxis]
        )
        x, y = centres[chosen, 0], centres[chosen, 1]
        left, top, right, below = reach.T
        boxes = np.stack([x - left, y - top, x + right, y + below], axis=1) / model.side_px
        return Candidates(boxes.astype(np.float32), values, things)

    return read


def _nanodet_order(trial: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Which outputs hold classes and which their boxes' bins, finest stride first."""
    shapes = [output.shape for output in trial]
    if any(len(shape) != 3 for shape in shapes):
        raise NotOfFamilyError(f"a trial gave {shapes}")
    if len(shapes) == 1 and shapes[0][2] > COCO_CLASSES and shapes[0][2] % 4 == 0:
        return [(0, 0)]
    classes = {shape[1]: n for n, shape in enumerate(shapes) if shape[2] == COCO_CLASSES}
    bins = {
        shape[1]: n
        for n, shape in enumerate(shapes)
        if shape[2] != COCO_CLASSES and shape[2] % 4 == 0
    }
    if not classes or classes.keys() != bins.keys() or len(classes) + len(bins) != len(shapes):
        raise NotOfFamilyError(f"a trial gave {shapes}")
    return [(classes[rows], bins[rows]) for rows in sorted(classes, reverse=True)]


def _expected(bins: Floats) -> Floats:
    """Mean [N, 4] of a distribution over whole strides, given by its logits [N, 4, steps]."""
    weights = np.exp(bins - bins.max(axis=2, keepdims=True))
    steps = np.arange(bins.shape[2], dtype=np.float32)
    found: Floats = (weights * steps).sum(axis=2) / weights.sum(axis=2)
    return found


def _understand_yolox(model: Opened) -> Reader:
    shapes = [output.shape for output in model.trial]
    cells, sizes = _cells(model.side_px, YOLOX_STRIDES)
    if len(shapes) != 1 or shapes[0][1:] != (len(cells), YOLOX_COLUMNS):
        raise NotOfFamilyError(
            f"a trial gave {shapes}; for a side of {model.side_px} it would be "
            f"[1, {len(cells)}, {YOLOX_COLUMNS}]"
        )
    # Raw centres are offsets of about one cell; those of --decode_in_inference are pixels.
    decoded = float(np.nanmax(model.trial[0][0, :, 0])) > model.side_px / 4

    def read(outputs: Sequence[Tensor], index: int, floors: Floors) -> Candidates:
        rows = outputs[0][index]
        chosen, scores, things = _chosen(rows[:, 5:] * rows[:, 4:5], COCO_80, floors)
        centre, size = rows[chosen, 0:2], rows[chosen, 2:4]
        if not decoded:
            stride = sizes[chosen, np.newaxis]
            size = np.exp(np.minimum(size, LOG_SIZE_MAX)) * stride
            centre = (centre + cells[chosen]) * stride
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1) / model.side_px
        return Candidates(boxes.astype(np.float32), scores, things)

    return read


def _understand_rtdetr(model: Opened) -> Reader:
    names = {form.name: number for number, form in enumerate(model.outputs)}
    shapes = {name: model.trial[number].shape for name, number in names.items()}
    if names.keys() >= {"labels", "boxes", "scores"}:
        labels, boxes, scores = names["labels"], names["boxes"], names["scores"]
        if model.trial[boxes].shape != (*model.trial[labels].shape, 4):
            raise NotOfFamilyError(f"a trial gave {shapes}")
        return _read_labelled(labels, boxes, scores, model.side_px)
    if names.keys() >= {"logits", "pred_boxes"}:
        logits, boxes = names["logits"], names["pred_boxes"]
        if model.trial[logits].shape[2:] != (COCO_CLASSES,) or model.trial[boxes].shape[1:] != (
            model.trial[logits].shape[1],
            4,
        ):
            raise NotOfFamilyError(f"a trial gave {shapes}")
        return _read_logits(logits, boxes)
    raise NotOfFamilyError(f"a trial gave {shapes}")


def _read_labelled(labels: int, boxes: int, scores: int, side_px: int) -> Reader:
    def read(outputs: Sequence[Tensor], index: int, floors: Floors) -> Candidates:
        classes, values = outputs[labels][index], outputs[scores][index]
        each = np.stack(
            [np.where(classes == column, values, -1.0) for column in COCO_80.values()], axis=1
        )
        own_columns = {thing: number for number, thing in enumerate(COCO_80)}
        chosen, found, things = _chosen(each, own_columns, floors)
        return Candidates(outputs[boxes][index][chosen] / side_px, found, things)

    return read


def _read_logits(logits: int, boxes: int) -> Reader:
    def read(outputs: Sequence[Tensor], index: int, floors: Floors) -> Candidates:
        scores = 0.5 * (
            1.0 + np.tanh(0.5 * outputs[logits][index])
        )  # a sigmoid that never overflows
        chosen, found, things = _chosen(scores, COCO_80, floors)
        centre, size = outputs[boxes][index][chosen, :2], outputs[boxes][index][chosen, 2:]
        corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        return Candidates(corners, found, things)

    return read


SSDLITE_CLASSES: Final = 90
COCO_CLASSES: Final = 80
YOLOX_COLUMNS: Final = 5 + COCO_CLASSES  # centre, size, whether there is anything, classes
YOLOX_STRIDES: Final = (8, 16, 32)
LOG_SIZE_MAX: Final = 8.0  # 3000 strides: larger than any picture, and far from an overflow
NANODET_GRIDS: Final = (((8, 16, 32), 0.5), ((8, 16, 32, 64), 0.0))
"""Strides of NanoDet and of NanoDet-Plus; where in its cell each of them counts from."""

FAMILIES: Final[Mapping[Decoder, Family]] = {
    Decoder.SSDLITE: Family(
        expects="one uint8 input [batch, height, width, 3]; outputs scores [batch, N, 90], "
        "boxes [batch, N, 1, 4]",
        # The graph shrinks to 300 x 300 itself; done here it costs a fifth less of the whole run,
        # and the same people are found.
        layout=Layout(Fit.CORNER, as_bytes=True),
        side_px=300,
        threshold=0.25,
        overlap_max=0.5,
        parts=True,
        understand=_understand_ssdlite,
    ),
    Decoder.NANODET: Family(
        expects="one float32 input [batch, 3, side, side]; outputs classes [batch, n, 80] and "
        "bins [batch, n, 4 x steps] for each stride, or one [batch, N, 80 + 4 x steps]",
        layout=Layout(
            Fit.CENTRE,
            blue_first=True,
            mean=(103.53, 116.28, 123.675),
            deviation=(57.375, 57.12, 58.395),
        ),
        side_px=416,
        threshold=0.40,
        overlap_max=0.6,
        parts=True,
        understand=_understand_nanodet,
    ),
    Decoder.YOLOX: Family(
        expects="one float32 input [batch, 3, side, side]; one output [batch, N, 85]",
        layout=Layout(Fit.CORNER, fill=114, blue_first=True),
        side_px=640,
        threshold=0.30,
        overlap_max=0.45,
        parts=False,
        understand=_understand_yolox,
    ),
    Decoder.RTDETR: Family(
        expects="one float32 input [batch, 3, side, side], with it orig_target_sizes int64 "
        "[batch, 2] and outputs labels [batch, N], boxes [batch, N, 4], scores [batch, N]; or "
        "without it outputs logits [batch, N, 80], pred_boxes [batch, N, 4]",
        layout=Layout(Fit.STRETCH, deviation=(255.0, 255.0, 255.0)),
        side_px=640,
        threshold=0.50,
        overlap_max=0.7,  # it has no doubles of its own: this is for what several crops find
        parts=False,
        understand=_understand_rtdetr,
        sized=True,
    ),
}
