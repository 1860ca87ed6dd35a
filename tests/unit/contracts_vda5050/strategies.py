"""Draws any message that our models can hold, straight from their fields and limits."""

from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from contracts.units import UtcMs
from contracts.vda5050.order import BlockingType, Edge, Node, Order
from contracts.vda5050.state import ActionStatus, ErrorLevel, OperatingMode
from contracts.vda5050.timestamps import timestamp_of

UNSENT = frozenset(
    {
        ActionStatus.PAUSED,  # read, but the schema of 2.1.0 does not know it
        BlockingType.SINGLE,
        ErrorLevel.URGENT,
        ErrorLevel.CRITICAL,
        OperatingMode.INTERVENED,
        OperatingMode.STARTUP,
    }
)
ONLY_3 = frozenset({"instant_action_ids", "reference_state_header_id"})
"""Words and fields that 2.1.0 does not have: test_versions.py looks at them."""

LAST_UTC_MS = 253_402_300_799_999  # the end of the year 9999

timestamps = st.integers(0, LAST_UTC_MS).map(UtcMs).map(timestamp_of)
texts = st.text('aZ0 _-/+#"\\\n\u00e9\u8bc4\U0001f916', max_size=6)
json_values = st.one_of(
    st.booleans(), st.integers(-(10**9), 10**9), texts, st.lists(st.integers(0, 9), max_size=3)
)


@cache
def messages(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Any valid message of ``model``."""
    if model is Order:
        return orders()
    return _fields(model).map(model.model_validate)


@cache
@st.composite
def orders(draw: st.DrawFn) -> Order:
    """A way of up to five nodes, some of its end not released."""
    count = draw(st.integers(1, 5))
    base = draw(st.integers(1, count))
    first = 2 * draw(st.integers(0, 1000))
    nodes = [draw(messages(Node)) for _ in range(count)]
    edges = [draw(messages(Edge)) for _ in range(count - 1)]
    values = draw(_fields(Order, without=("nodes", "edges")))
    values["nodes"] = [
        row.model_copy(update={"sequence_id": first + 2 * index, "released": index < base})
        for index, row in enumerate(nodes)
    ]
    values["edges"] = [
        row.model_copy(
            update={
                "sequence_id": first + 2 * index + 1,
                "released": index + 1 < base,
                "start_node_id": nodes[index].node_id,
                "end_node_id": nodes[index + 1].node_id,
            }
        )
        for index, row in enumerate(edges)
    ]
    return Order.model_validate(values)


@cache
def _fields(
    model: type[BaseModel], without: tuple[str, ...] = ()
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            name: _field(name, info)
            for name, info in model.model_fields.items()
            if name not in without and name not in ONLY_3 and not info.exclude
        }
    )


def _field(name: str, info: FieldInfo) -> st.SearchStrategy[Any]:
    optional = NoneType in get_args(info.annotation)
    if name in ("timestamp", "version"):
        known = timestamps if name == "timestamp" else st.just("2.1.0")
        return st.none() | known if optional else known
    return _of(info.annotation, tuple(info.metadata))


def _of(annotation: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    origin = get_origin(annotation)
    if annotation is JsonValue:
        return json_values
    if origin is Annotated:
        base, *more = get_args(annotation)
        return _of(base, limits + tuple(more))
    if origin in (Union, UnionType):
        parts = get_args(annotation)
        if isinstance(parts[0], type) and issubclass(parts[0], Enum):
            parts = parts[:1]  # an enum that 3.0 leaves open: 2.x knows its words alone
        return st.one_of(*(_of(part, limits) for part in parts))
    if origin is tuple:
        return st.lists(_of(get_args(annotation)[0], ()), max_size=1).map(tuple)
    if origin is dict:
        return st.dictionaries(texts, json_values, max_size=2)
    return st.none() if annotation is NoneType else _plain(annotation, limits)


def _plain(annotation: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if issubclass(annotation, Enum):
        return st.sampled_from([row for row in annotation if row not in UNSENT])
    if issubclass(annotation, BaseModel):
        return messages(annotation)
    return _scalar(annotation, limits)


def _scalar(annotation: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    flat = [
        part for row in limits for part in (row.metadata if isinstance(row, FieldInfo) else [row])
    ]
    lowest = max((row.ge for row in flat if getattr(row, "ge", None) is not None), default=-(10**6))
    highest = min((row.le for row in flat if getattr(row, "le", None) is not None), default=10**6)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(lowest, highest)
    if annotation is float:
        return st.floats(lowest, highest)
    shortest = next((row.min_length for row in flat if getattr(row, "min_length", None)), 0)
    return texts if not shortest else texts.map(lambda text: text or "x")
