"""Chooses what computes a model: onnxruntime on CPU, CUDA or TensorRT, or OpenVINO."""

import importlib
import importlib.util
import queue
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

import onnxruntime as ort
import onnxruntime.capi.onnxruntime_pybind11_state as ort_errors
import structlog

from edge.perception.letterbox import Tensor

log = structlog.get_logger(__name__)


class ModelError(Exception):
    """The model cannot be used as declared; says what was expected, found, and what to do."""


class InferenceLost(Exception):
    """One run of the model failed; the next one may not."""


class Provider(StrEnum):
    """What computes the model (``model.provider``)."""

    CPU = "cpu"
    OPENVINO = "openvino"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    AUTO = "auto"
    """The best that is installed; TensorRT only when asked for, as it builds for minutes."""


ORT_NAMES: Final[Mapping[Provider, str]] = {
    Provider.CPU: "CPUExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
    Provider.TENSORRT: "TensorrtExecutionProvider",
}
BROUGHT_BY: Final[Mapping[Provider, str]] = {
    Provider.OPENVINO: "pip install 'zero-entry[openvino]'",
    Provider.CUDA: "pip uninstall onnxruntime, then pip install onnxruntime-gpu (NVIDIA's driver, "
    "CUDA and cuDNN of the release that its page names)",
    Provider.TENSORRT: "pip uninstall onnxruntime, then pip install onnxruntime-gpu tensorrt",
}
BEST_FIRST: Final = (Provider.CUDA, Provider.OPENVINO, Provider.CPU)
OPENVINO_MODULE: Final = "openvino"

_ORT_ERRORS: Final = (
    ort_errors.EPFail,
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


@dataclass(frozen=True, slots=True)
class TensorForm:
    """An input or output of a model; None in ``shape`` is a dimension that the model leaves open.

    ``kind`` is numpy's name of the element: uint8, float32, int64.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.kind} [{sizes}]"


class Engine(Protocol):
    """A loaded model. ``run`` may be called from several threads."""

    @property
    def provider(self) -> Provider: ...

    @property
    def inputs(self) -> tuple[TensorForm, ...]: ...

    @property
    def outputs(self) -> tuple[TensorForm, ...]: ...

    def run(self, feeds: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """All outputs, in the order of ``outputs``.

        Raises:
            InferenceLost: the run failed; the engine may be used again.
        """
        ...


class OrtEngine:
    """A model on onnxruntime."""

    def __init__(self, path: Path, content: bytes, provider: Provider, threads: int) -> None:
        """Load it.

        Raises:
            ModelError: onnxruntime cannot load it, or not on this provider.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads burn the cores that other cameras of this node need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = ORT_NAMES[provider]
        fallback = [ORT_NAMES[Provider.CPU]] if provider is not Provider.CPU else []
        try:
            self._session = ort.InferenceSession(content, options, providers=[wanted, *fallback])
        except _ORT_ERRORS as error:
            raise ModelError(f"{path}: onnxruntime cannot load it: {error}") from None
        if self._session.get_providers()[0] != wanted:
            # onnxruntime falls back to the CPU in silence when a driver or library is missing.
            raise ModelError(
                f"{path}: provider {provider} is installed and does not start on this machine "
                f"(onnxruntime chose {self._session.get_providers()}); check the driver and its "
                f"libraries: {BROUGHT_BY[provider]}; or set model.provider: auto"
            )
        self._provider = provider
        self._inputs = tuple(_ort_form(node) for node in self._session.get_inputs())
        self._outputs = tuple(_ort_form(node) for node in self._session.get_outputs())

    @property
    def provider(self) -> Provider:
        return self._provider

    @property
    def inputs(self) -> tuple[TensorForm, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorForm, ...]:
        return self._outputs

    def run(self, feeds: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        try:
            return tuple(self._session.run(None, dict(feeds)))
        except _ORT_ERRORS as error:
            raise InferenceLost(str(error)) from error


class OpenVinoEngine:
    """A model on OpenVINO, by its own package: see docs/guide/models.md."""

    def __init__(self, path: Path, content: bytes, device: str, threads: int) -> None:
        """Compile it for a device (CPU, GPU, NPU, AUTO).

        Raises:
            ModelError: this device is not there, or OpenVINO cannot compile the model for it.
        """
        openvino: Any = importlib.import_module(OPENVINO_MODULE)
        core = openvino.Core()
        there = tuple(core.available_devices)
        # Two GPUs are there as GPU.0 and GPU.1; GPU means the first.
        if device != "AUTO" and not any(
            one.split(".")[0] == device or one == device for one in there
        ):
            raise ModelError(
                f"{path}: OpenVINO has no device {device} here; there are: {', '.join(there)}. "
                "Set model.device to one of them, or install its driver"
            )
        hints: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY"}
        if device == "CPU":
            hints |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1"}
        try:
            self._model = core.compile_model(core.read_model(content), device, hints)
        except RuntimeError as error:
            raise ModelError(f"{path}: OpenVINO cannot compile it for {device}: {error}") from None
        self._inputs = tuple(_openvino_form(port) for port in self._model.inputs)
        self._outputs = tuple(_openvino_form(port) for port in self._model.outputs)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def provider(self) -> Provider:
        return Provider.OPENVINO

    @property
    def inputs(self) -> tuple[TensorForm, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorForm, ...]:
        return self._outputs

    def run(self, feeds: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        # One request serves one thread at a time; as many are made as run at once.
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._model.create_infer_request()
        try:
            found = request.infer(dict(feeds))
            return tuple(found[port].copy() for port in self._model.outputs)
        except RuntimeError as error:
            raise InferenceLost(str(error)) from error
        finally:
            self._idle.put(request)


def open_engine(
    path: Path, content: bytes, provider: Provider, *, device: str, threads: int
) -> Engine:
    """Load a model on the provider that was asked for; ``auto`` takes the best there is.

    Raises:
        ModelError: the provider is not installed or does not start, or cannot take this model.
    """
    there = installed()
    if provider is not Provider.AUTO:
        if provider not in there:
            raise ModelError(
                f"provider {provider} is not installed. Here are: "
                f"{', '.join(sorted(there))}. It comes with: {BROUGHT_BY[provider]}"
            )
        return _open(path, content, provider, device, threads)
    passed_over: list[str] = []
    for one in BEST_FIRST:
        if one not in there:
            continue
        try:
            engine = _open(path, content, one, device, threads)
        except ModelError as error:
            passed_over.append(f"{one}: {error}")
            continue
        log.info("model_provider_chosen", provider=one.value, passed_over=passed_over)
        return engine
    raise ModelError("; ".join(passed_over))


def installed() -> frozenset[Provider]:
    """Which providers this machine's packages bring; whether they start is another question."""
    names = set(ort.get_available_providers())
    there = {provider for provider, name in ORT_NAMES.items() if name in names}
    if importlib.util.find_spec(OPENVINO_MODULE) is not None:
        there.add(Provider.OPENVINO)
    return frozenset(there)


def _open(path: Path, content: bytes, provider: Provider, device: str, threads: int) -> Engine:
    if provider is Provider.OPENVINO:
        return OpenVinoEngine(path, content, device, threads)
    return OrtEngine(path, content, provider, threads)


_ORT_KINDS: Final = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int64)": "int64"}


def _ort_form(node: Any) -> TensorForm:  # noqa: ANN401 - onnxruntime publishes no types
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return TensorForm(str(node.name), _ORT_KINDS.get(node.type, str(node.type)), shape)


def _openvino_form(port: Any) -> TensorForm:  # noqa: ANN401 - nor does OpenVINO
    sizes: Sequence[Any] = list(port.get_partial_shape())
    shape = tuple(size.get_length() if size.is_static else None for size in sizes)
    return TensorForm(str(port.get_any_name()), str(port.get_element_type().to_dtype()), shape)
