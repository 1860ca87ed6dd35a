"""Finds people and phones with a model on file; refuses one that is not as declared."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge.core.people import WHOLE, Detection, Rect, Thing
from edge.perception.batching import Batching, OneByOne, Outputs, Runner
from edge.perception.crops import Crop, cut_out, parts_for
from edge.perception.decoders import FAMILIES, Decoder, Family, NotOfFamilyError, Opened, Reader
from edge.perception.letterbox import Placed, Tensor, as_rgb, laid_out
from edge.perception.providers import (
    Engine,
    InferenceLost,
    ModelError,
    Provider,
    TensorForm,
    open_engine,
)
from edge.perception.suppression import Cropped, merged, suppressed
from edge.ports import DetectionLost, Rgb

SHIPPED_MODEL: Final = Path(__file__).resolve().parent.parent / "models" / "ssdlite_mnv2_coco.onnx"
SHIPPED_HASH_FILE: Final = SHIPPED_MODEL.with_name("MODEL.sha256")

FAINT_SHARE: Final = 0.5
# Below the threshold a find proves nobody, but it tells when somebody who is proven later came in.
PHONE_FLOOR: Final = 0.10
# A phone is a few pixels: models are never sure of one. The rule on phones sets its own score.
BATCH_ON_GPU: Final = 8
# Where nothing else is said. On a CPU a batch costs as much as its pictures one by one (measured:
# docs/guide/models.md), so there each runs for itself.
GREY: Final = 127  # what a trial run is shown


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as it was declared. None: as its family has it, or as the provider likes it.

    ``device`` is OpenVINO's (CPU, GPU, NPU, AUTO). ``threads`` are those of one run on a CPU.
    """

    path: Path
    sha256: str
    decoder: Decoder = Decoder.SSDLITE
    provider: Provider = Provider.CPU
    device: str = "CPU"
    threads: int = 1
    threshold: float | None = None
    overlap_max: float | None = None
    batch_max: int | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a model that was understood is fed."""

    picture_input: str
    size_input: str | None
    side_px: int
    batch_fixed: int | None


class OnnxDetector:
    """People and phones in a picture. Safe to call from threads."""

    def __init__(self, model: ModelFile) -> None:
        """Load and check the model.

        Raises:
            ModelError: missing file, wrong hash, a provider that is not there, or inputs and
                outputs that the declared decoder does not have.
        """
        self._model = model
        self._family = FAMILIES[model.decoder]
        content = _checked(model.path, model.sha256)
        self._engine = open_engine(
            model.path, content, model.provider, device=model.device, threads=model.threads
        )
        self._plan = _planned(model, self._family, self._engine)
        self._read = self._understood()
        self._runner = self._runner_for(model.batch_max)
        threshold = model.threshold or self._family.threshold
        self._sure_from = threshold
        self._floors = {Thing.PERSON: threshold * FAINT_SHARE, Thing.PHONE: PHONE_FLOOR}
        self._overlap_max = model.overlap_max or self._family.overlap_max

    @property
    def sure_from(self) -> float:
        """The score from which a find proves a person."""
        return self._sure_from

    @property
    def provider(self) -> Provider:
        """What computes."""
        return self._engine.provider

    def find(self, rgb: Rgb, regions: tuple[Rect, ...] | None = None) -> tuple[Detection, ...]:
        """See ``ports.Detector``. Any size of picture, grey or colour.

        Regions are shown larger than they are in the whole picture, with a margin; what lies only
        in the margin and is cut there is left out: nobody asked for it, and it is not all there.
        Faint people, down to FAINT_SHARE of the threshold, are among the finds: see ``tracker``.
        """
        picture = _picture(rgb)
        if regions is None:
            return self.find_in(picture, (WHOLE,))
        height, width = picture.shape[:2]
        parts = parts_for(regions, width, height)
        if parts == (WHOLE,):
            return self.find_in(picture, parts)
        asked = [one for one in self._seen_in(picture, parts) if _concerns(one, regions)]
        return merged(asked, self._overlap_max, parts=self._family.parts)

    def find_in(self, rgb: Rgb, parts: Sequence[Rect]) -> tuple[Detection, ...]:
        """Detections of a picture that is shown in these parts, each at the model's full size.

        Raises:
            DetectionLost: it is no picture, or the model failed.
        """
        found = self._seen_in(_picture(rgb), parts)
        return merged(found, self._overlap_max, parts=self._family.parts)

    def _seen_in(self, rgb: Rgb, parts: Sequence[Rect]) -> list[Cropped]:
        crops = [cut_out(rgb, part) for part in parts]
        layout, side_px = self._family.layout, self._plan.side_px
        laid = [laid_out(crop.rgb, side_px, layout) for crop in crops]
        try:
            outputs = self._runner.run([tensor for tensor, _ in laid])
        except InferenceLost as error:
            raise DetectionLost(str(error)) from error
        found: list[Cropped] = []
        for number, (crop, (_, placed)) in enumerate(zip(crops, laid, strict=True)):
            found += self._of_crop(outputs[number], crop, placed, number)
        return found

    def _of_crop(self, outputs: Outputs, crop: Crop, placed: Placed, number: int) -> list[Cropped]:
        candidates = self._read(outputs, 0, self._floors)
        found = [
            Detection(crop.in_picture(placed.to_picture(box)), min(float(score), 1.0), thing)
            for box, score, thing in zip(
                candidates.boxes, candidates.scores, candidates.things, strict=True
            )
            if np.isfinite(box).all()
        ]
        found.sort(key=lambda one: -one.score)
        best = suppressed(found, self._overlap_max, parts=self._family.parts)
        return [Cropped(one, crop.cuts(one), number) for one in best]

    def _run_batch(self, pictures: Tensor) -> Outputs:
        feeds: dict[str, Tensor] = {self._plan.picture_input: pictures}
        if self._plan.size_input is not None:
            side_px = self._plan.side_px
            feeds[self._plan.size_input] = np.full((len(pictures), 2), side_px, np.int64)
        return self._engine.run(feeds)

    def _trial(self, batch: int) -> Outputs:
        side_px = self._plan.side_px
        grey = np.full((side_px, side_px, 3), GREY, np.uint8)
        picture, _ = laid_out(grey, side_px, self._family.layout)
        try:
            return self._run_batch(np.stack([picture] * batch))
        except InferenceLost as error:
            raise self._unlike(f"a trial failed: {error}") from None

    def _understood(self) -> Reader:
        engine, side_px = self._engine, self._plan.side_px
        try:
            return self._family.understand(
                Opened(engine.inputs, engine.outputs, side_px, self._trial(1))
            )
        except NotOfFamilyError as error:
            raise self._unlike(str(error)) from None

    def _unlike(self, found: str) -> ModelError:
        return unlike_family(self._model, self._family, found)

    def _runner_for(self, batch_max: int | None) -> Runner:
        open_batch = self._plan.batch_fixed is None
        if batch_max is None:
            on_gpu = self._engine.provider in (Provider.CUDA, Provider.TENSORRT)
            batch_max = BATCH_ON_GPU if on_gpu and open_batch else 1
        if batch_max == 1:
            return OneByOne(self._run_batch)
        if not open_batch:
            raise ModelError(
                f"{self._model.path}: its batch is fixed at {self._plan.batch_fixed}; export it "
                "with an open batch, or leave model.batch_max out"
            )
        outputs = self._trial(2)
        if any(len(one) != 2 for one in outputs):
            raise ModelError(
                f"{self._model.path}: a batch of 2 pictures gave {[one.shape for one in outputs]}; "
                "expected 2 at the front of each. Leave model.batch_max out"
            )
        return Batching(self._run_batch, batch_max)


def _picture(rgb: Rgb) -> Rgb:
    try:
        return as_rgb(rgb)
    except ValueError as error:
        raise DetectionLost(str(error)) from None


def _concerns(found: Cropped, regions: Sequence[Rect]) -> bool:
    """Whether a find belongs to a region; what is whole is welcome wherever it stands."""
    if not found.cut:
        return True
    x, y = found.detection.rect.centre
    return any(one.x1 <= x <= one.x2 and one.y1 <= y <= one.y2 for one in regions)


def shipped_hash() -> str:
    """The SHA-256 that the shipped model must have."""
    return SHIPPED_HASH_FILE.read_text(encoding="ascii").split()[0]


def unlike_family(model: ModelFile, family: Family, found: str) -> ModelError:
    """That a model does not fit its decoder: what was expected, what was found, what to do."""
    others = ", ".join(decoder.value for decoder in Decoder if decoder is not model.decoder)
    return ModelError(
        f"{model.path}: decoder {model.decoder.value} needs {family.expects}. Found: {found}. "
        f"Choose the decoder of the model's family (model.decoder: {others}), or export the model "
        "as docs/guide/models.md says"
    )


def _planned(model: ModelFile, family: Family, engine: Engine) -> _Plan:
    inputs = engine.inputs
    pictures = [one for one in inputs if one.kind != "int64"]
    sizes = [one for one in inputs if one.kind == "int64"]
    kind = "uint8" if family.layout.as_bytes else "float32"
    found = f"inputs {_listed(inputs)}; outputs {_listed(engine.outputs)}"
    if len(pictures) != 1 or len(sizes) > (1 if family.sized else 0):
        raise unlike_family(model, family, found)
    picture = pictures[0]
    if picture.kind != kind or len(picture.shape) != 4:
        raise unlike_family(model, family, found)
    batch, *rest = picture.shape
    channels = rest.pop() if family.layout.as_bytes else rest.pop(0)
    height, width = rest
    if channels not in (3, None) or height != width or batch == 0:
        raise unlike_family(model, family, found)
    return _Plan(
        picture_input=picture.name,
        size_input=sizes[0].name if sizes else None,
        side_px=height or family.side_px,
        batch_fixed=batch,
    )


def _listed(forms: Sequence[TensorForm]) -> str:
    return ", ".join(str(form) for form in forms)


def _checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot read the model: {error.strerror}. Put the file there, or correct "
            "model.path"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: SHA-256 is {found}, expected {sha256}. Restore the file, or state the hash "
            "of the model you mean in model.sha256"
        )
    return content
