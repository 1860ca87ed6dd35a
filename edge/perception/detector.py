"""Finds people with SSDLite-MobileNetV2 on onnxruntime; refuses a model that is not as declared."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnxruntime as ort
import onnxruntime.capi.onnxruntime_pybind11_state as ort_errors
from numpy.typing import NDArray

from edge.core.people import Detection, Rect
from edge.ports import DetectionLost, Rgb

SHIPPED_MODEL: Final = Path(__file__).resolve().parent.parent / "models" / "ssdlite_mnv2_coco.onnx"
SHIPPED_HASH_FILE: Final = SHIPPED_MODEL.with_name("MODEL.sha256")

PERSON_COLUMN = 0  # COCO ids without background
CLASSES = 90
DETECTIONS_MAX = 64  # more people than any watched area holds; bounds what follows
CANDIDATES_MAX = 300  # boxes that enter the suppression of doubles, best first
WORKING_SIDE_PX = 640
# The model itself works on 300 x 300. Shrinking to 640 first keeps 8K frames from costing 100 MB.
FAINT_SHARE = 0.5
# Below the threshold a find proves nobody, but it tells when somebody who is proven later came in.
NESTED_SHARE = 0.85
# A box that lies in another by this much is a part of the same person (head and torso, head alone).
NESTED_MIN_AREA = 0.25
# ... unless it is far smaller than the box around it: then it is a person further back.


_ORT_ERRORS: Final = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
)
# They have no base class of their own.


class ModelError(Exception):
    """The model file is not the one that was declared; says what was expected."""


class Decoder(StrEnum):
    """How a model's outputs are read."""

    SSDLITE = "ssdlite"


def as_rgb(picture: NDArray[np.uint8]) -> Rgb:
    """Any picture as height x width x 3: grey, one channel, with alpha, of any size.

    Raises:
        ValueError: it has no pixels, or a shape that is not a picture.
    """
    if picture.ndim == 2:
        picture = picture[:, :, np.newaxis]
    if picture.ndim != 3 or picture.size == 0 or picture.shape[2] not in (1, 3, 4):
        raise ValueError(f"not a picture: shape {picture.shape}")
    if picture.shape[2] == 1:
        return np.repeat(picture, 3, axis=2)
    return picture[:, :, :3]


def squared(rgb: Rgb) -> tuple[Rgb, float, float]:
    """Shrink to the working size and pad to a square at the right and below.

    Returns the square and the share of its width and height that the picture takes.
    """
    height, width = rgb.shape[:2]
    scale = WORKING_SIDE_PX / max(height, width)
    if scale < 1:
        width, height = max(round(width * scale), 1), max(round(height * scale), 1)
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    side = max(height, width)
    if height == width:
        return rgb, 1.0, 1.0
    square = np.zeros((side, side, 3), np.uint8)
    square[:height, :width] = rgb
    return square, width / side, height / side


class SsdliteDetector:
    """People in a picture, by the shipped model or one of its make. Safe to call from threads."""

    def __init__(
        self, path: Path, *, sha256: str, threshold: float, overlap_max: float, threads: int
    ) -> None:
        """Load and check the model.

        Raises:
            ModelError: missing file, wrong hash, inputs or outputs that SSDLite does not have.
        """
        content = _checked(path, sha256)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads burn the cores that other cameras of this node need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except _ORT_ERRORS as error:
            raise ModelError(f"{path}: onnxruntime cannot load it: {error}") from None
        self._input = _check_shapes(path, self._session)
        self._threshold = threshold
        self._overlap_max = overlap_max

    def find_people(self, rgb: Rgb) -> tuple[Detection, ...]:
        """People in a picture of any size; boxes in shares of that picture, best score first.

        Faint ones, down to FAINT_SHARE of the threshold, are among them: see ``tracker``.
        """
        try:
            square, width_share, height_share = squared(as_rgb(rgb))
        except ValueError as error:
            raise DetectionLost(str(error)) from None
        try:
            scores, boxes = self._session.run(None, {self._input: square[np.newaxis]})
        except _ORT_ERRORS as error:
            raise DetectionLost(str(error)) from error
        people = scores[0, :, PERSON_COLUMN]
        chosen = np.flatnonzero(people >= self._threshold * FAINT_SHARE)
        chosen = chosen[np.argsort(-people[chosen])][:CANDIDATES_MAX]
        found = [
            Detection(
                _rect(boxes.reshape(-1, 4)[row], width_share, height_share), float(people[row])
            )
            for row in chosen
        ]
        return suppressed(found, self._overlap_max)


def _rect(row: NDArray[np.float32], width_share: float, height_share: float) -> Rect:
    y1, x1, y2, x2 = (float(value) for value in row)
    return Rect(
        min(max(x1 / width_share, 0.0), 1.0),
        min(max(y1 / height_share, 0.0), 1.0),
        min(max(x2 / width_share, 0.0), 1.0),
        min(max(y2 / height_share, 0.0), 1.0),
    )


def suppressed(found: Sequence[Detection], overlap_max: float) -> tuple[Detection, ...]:
    """Keep the best box of each person. ``found`` is sorted by score, best first."""
    kept: list[Detection] = []
    for candidate in found:
        if candidate.rect.area <= 0:
            continue
        if not any(_same_person(candidate.rect, other.rect, overlap_max) for other in kept):
            kept.append(candidate)
            if len(kept) == DETECTIONS_MAX:
                break
    return tuple(kept)


def _same_person(one: Rect, other: Rect, overlap_max: float) -> bool:
    if one.overlap(other) > overlap_max:
        return True
    smaller, larger = sorted((one.area, other.area))
    nested = one.shared_area(other) / smaller >= NESTED_SHARE
    return nested and smaller / larger >= NESTED_MIN_AREA


def shipped_hash() -> str:
    """The SHA-256 that the shipped model must have."""
    return SHIPPED_HASH_FILE.read_text(encoding="ascii").split()[0]


def _checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: SHA-256 is {found}, expected {sha256}. Restore the file, or state the hash "
            "of the model you mean in model.sha256"
        )
    return content


def _check_shapes(path: Path, session: ort.InferenceSession) -> str:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    expected = (
        "one uint8 input [1, height, width, 3]; outputs scores [1, N, 90], boxes [1, N, 1, 4]"
    )
    if (
        len(inputs) != 1
        or len(outputs) != 2
        or inputs[0].type != "tensor(uint8)"
        or len(inputs[0].shape) != 4
        or inputs[0].shape[3] != 3
    ):
        found = [(node.name, node.type, node.shape) for node in (*inputs, *outputs)]
        raise ModelError(f"{path}: decoder ssdlite needs {expected}; the model has {found}")
    name = str(inputs[0].name)
    try:
        scores, boxes = session.run(None, {name: np.zeros((1, 320, 320, 3), np.uint8)})
    except _ORT_ERRORS as error:
        raise ModelError(
            f"{path}: decoder ssdlite needs {expected}; a trial failed: {error}"
        ) from None
    if scores.ndim != 3 or scores.shape[2] != CLASSES or boxes.size != scores.shape[1] * 4:
        raise ModelError(
            f"{path}: decoder ssdlite needs {expected}; "
            f"a trial gave {scores.shape} and {boxes.shape}"
        )
    return name
