"""Decides what the OpenAPI document says beyond what FastAPI reads off the routes.

Problems that follow from how a route is made (a name in its path, a body, ``If-Match``) are named
in one place, so that none is forgotten; bodies without an example of their own get one from their
schema. What a route says itself stands.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from fastapi import FastAPI

from contracts.api import BASE, Problem
from controller.api.http_rules import problem_responses
from controller.api.problems import CONTENT_TYPE

VERBS: Final = frozenset({"get", "post", "put", "patch", "delete"})
WITHOUT_TOKEN: Final = frozenset({f"{BASE}/login"})
_FASTAPIS_OWN: Final = frozenset({"HTTPValidationError", "ValidationError"})
DEPTH_MAX: Final = 6  # of an example: none of our bodies nests deeper
NOW_UTC_MS: Final = 1_795_404_960_000

_BY_NAME: Final[dict[str, object]] = {
    "room_id": "room-1",
    "room": "room-1",
    "username": "wang",
    "password": "correct horse battery staple",
    "title": "滨江路桥梁工程评标",
    "reason": "经监督人员核实",
    "note": "已核实，系误报",
    "text": "请各位专家注意时间",
    "rule": "area.over_admitted",
    "day": "2026-11-22",
}
_BY_PATTERN: Final = (
    "room-1",
    "area.over_admitted",
    "a" * 64,
    "000000",
    "09:00",
    "2026-11-22",
    "abcdefgh-1",
    "ed25519:0123456789abcdef",
    "HOUSING",
    "A1",
)

Json = dict[str, Any]


def install(app: FastAPI) -> None:
    """Let ``app`` answer with the complete document."""
    plain: Callable[[], Json] = app.openapi
    made: list[Json] = []

    def whole() -> Json:
        if not made:
            made.append(completed(plain()))
        return made[0]

    app.openapi = whole  # type: ignore[method-assign] # as FastAPI's own guide extends it


def completed(document: Json) -> Json:
    """The same document, each operation with its problems, each body with an example."""
    document["components"]["schemas"] = schemas = _schemas(document["components"]["schemas"])
    for path, verb, said in operations(document):
        _name_problems(path, verb, said)
        content = said.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None and not (content.get("example") or content.get("examples")):
            content["example"] = example_of(content["schema"], schemas)
    return document


def _schemas(found: Json) -> Json:
    """FastAPI's own description of a wrong body gives way to ours, which stands for every error."""
    ours = {key: row for key, row in found.items() if key not in _FASTAPIS_OWN}
    ours[Problem.__name__] = Problem.model_json_schema()
    return dict(sorted(ours.items()))


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, verb and description of each operation."""
    for path, verbs in document["paths"].items():
        for verb, said in verbs.items():
            if verb in VERBS:
                yield path, verb, said


def _name_problems(path: str, verb: str, said: Json) -> None:
    statuses = {422, 503}
    if path not in WITHOUT_TOKEN:
        statuses |= {401, 403}
    if "{" in path:
        statuses.add(404)
    if verb != "get":
        statuses |= {404, 409, 413, 429}  # what a body names may be unknown as well
    if any(row["name"].lower() == "if-match" for row in said.get("parameters", ())):
        statuses |= {412, 428}
    answers = said["responses"]
    if path in WITHOUT_TOKEN:  # refused for what the body says, not for the token
        answers |= {"401": {"description": "Unauthorized"}, "403": {"description": "Forbidden"}}
    for status, given in problem_responses(*sorted(statuses)).items():
        own = answers.get(str(status), {})
        answers[str(status)] = {**given, **{key: own[key] for key in ("headers",) if key in own}}
    for status, answer in answers.items():
        if status.startswith(("4", "5")):
            answer["content"] = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def example_of(schema: Json, schemas: Json, name: str = "", depth: int = 0) -> object:
    """A value that a schema takes, readable where the field's name or pattern is known."""
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        return example_of(schemas[target], schemas, name, depth + 1)
    for key in ("example", "const"):
        if key in schema:
            found: object = schema[key]
            return found
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            chosen = next((row for row in schema[key] if row.get("type") != "null"), schema[key][0])
            return example_of(chosen, schemas, name, depth + 1)
    return _of_type(schema, schemas, name, depth)


def _of_type(schema: Json, schemas: Json, name: str, depth: int) -> object:
    match schema.get("type"):
        case "object":
            return _object(schema, schemas, depth)
        case "array":
            if "prefixItems" in schema:
                return [example_of(row, schemas, name, depth + 1) for row in schema["prefixItems"]]
            least = schema.get("minItems", 0)
            if depth > DEPTH_MAX and not least:
                return []
            item = example_of(schema.get("items", {}), schemas, name.rstrip("s"), depth + 1)
            return [item] * max(least, 1)
        case "integer" | "number":
            return _number(schema, name)
        case "boolean":
            return bool(schema.get("default", False))
        case "string":
            return _string(schema, name)
        case _:
            return None


def _object(schema: Json, schemas: Json, depth: int) -> Json:
    required = set(schema.get("required", ()))
    fields = schema.get("properties", {})
    return {
        key: example_of(row, schemas, key, depth + 1)
        for key, row in fields.items()
        if key in required or (depth < 2 and "default" not in row)
    }


def _number(schema: Json, name: str) -> float:
    if name.endswith("utc_ms"):
        return NOW_UTC_MS
    if isinstance(schema.get("default"), int | float):
        return float(schema["default"]) if schema["type"] == "number" else int(schema["default"])
    low = int(schema.get("minimum") or schema.get("exclusiveMinimum") or 0)
    high = int(schema.get("maximum", low + 5))
    return min(low + 1, high)


def _string(schema: Json, name: str) -> str:
    pattern: str | None = schema.get("pattern")
    low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", 10_000))
    named = _BY_NAME.get(name)
    tries = [named] if isinstance(named, str) else []
    if pattern is None:
        tries.append("text")
    for text in (*tries, *_BY_PATTERN):
        if low <= len(text) <= high and (pattern is None or re.search(pattern, text)):
            return text
    return "x" * max(low, 1)
