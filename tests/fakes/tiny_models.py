"""Models of a few nodes that put out what a test tells them, as ONNX files."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Shape = Sequence[int | str | None]

_KINDS = {
    "uint8": TensorProto.UINT8,
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
}


def constant_model(
    path: Path, inputs: Mapping[str, tuple[str, Shape]], outputs: Mapping[str, Array]
) -> str:
    """A model that always puts out these arrays; its SHA-256."""
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name))
        for name, array in outputs.items()
    ]
    return _saved(path, nodes, inputs, {name: _form(array) for name, array in outputs.items()})


def brightness_model(path: Path, batch: int | str = "batch") -> str:
    """An SSDLite whose one person is as sure as the picture is bright; box 0.1..0.9 both ways."""
    one_person = np.zeros((1, 1, 90), np.float32)
    one_person[0, 0, 0] = 1 / 255
    box = np.array([[[[0.1, 0.1, 0.9, 0.9]]]], np.float32)

    def constant(name: str, array: Array) -> onnx.NodeProto:
        return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name))

    nodes = [
        constant("one_person", one_person),
        constant("box", box),
        constant("nought", np.zeros(1, np.float32)),
        constant("flat", np.array([-1, 1, 1], np.int64)),
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Reshape", ["mean", "flat"], ["flat_mean"]),
        helper.make_node("Mul", ["flat_mean", "one_person"], ["scores"]),
        helper.make_node("Mul", ["mean", "nought"], ["noughts"]),
        helper.make_node("Add", ["noughts", "box"], ["boxes"]),
    ]
    inputs: dict[str, tuple[str, Shape]] = {"image": ("uint8", (batch, None, None, 3))}
    outputs: dict[str, tuple[str, Shape]] = {
        "scores": ("float32", (batch, 1, 90)),
        "boxes": ("float32", (batch, 1, 1, 4)),
    }
    return _saved(path, nodes, inputs, outputs)


def _form(array: Array) -> tuple[str, Shape]:
    return str(array.dtype), array.shape


def _saved(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[str, Shape]],
    outputs: Mapping[str, tuple[str, Shape]],
) -> str:
    def values(forms: Mapping[str, tuple[str, Shape]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, _KINDS[kind], list(shape))
            for name, (kind, shape) in forms.items()
        ]

    graph = helper.make_graph(list(nodes), "tiny", values(inputs), values(outputs))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content = model.SerializeToString()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
