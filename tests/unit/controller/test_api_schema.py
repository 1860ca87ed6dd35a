"""The OpenAPI document says all that there is to say, and the application keeps to it."""

from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from contracts.api import BASE
from tests.fakes.controller_site import bench

VERBS: Final = {"get", "post", "put", "patch", "delete"}
PROBLEM: Final = "application/problem+json"

OPEN: Final = {f"{BASE}/login"}
"""Answers without a token."""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made = bench(tmp_path_factory.mktemp("schema"))
    document: dict[str, Any] = made.controller.app.openapi()
    made.controller.database.close()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{verb.upper()} {path}", said)
        for path, verbs in document["paths"].items()
        for verb, said in verbs.items()
        if verb in VERBS
    ]


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    lacking = [
        (name, field)
        for name, said in operations(document)
        for field in ("summary", "description", "tags", "operationId")
        if not said.get(field)
    ]
    assert lacking == []


def test_every_operation_names_its_problems_as_problem_json(document: dict[str, Any]) -> None:
    wrong = []
    for name, said in operations(document):
        for status, answer in said["responses"].items():
            if status.startswith(("4", "5")) and PROBLEM not in answer.get("content", {}):
                wrong.append((name, status))
        needs = {"422"} | (set() if name.removeprefix("POST ") in OPEN else {"401", "403"})
        wrong += [(name, status) for status in sorted(needs - set(said["responses"]))]
        if "{" in name and "404" not in said["responses"]:
            wrong.append((name, "404"))
    assert wrong == []


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    lacking = []
    for name, said in operations(document):
        content = said.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        if not ("example" in content or "examples" in content):
            lacking.append(name)
    assert lacking == []


def test_ids_of_operations_are_told_apart(document: dict[str, Any]) -> None:
    ids = [said["operationId"] for _, said in operations(document)]
    assert len(ids) == len(set(ids))


def test_the_examples_are_what_the_schema_takes(document: dict[str, Any]) -> None:
    wrong = []
    for name, said in operations(document):
        content = said.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema = {**content["schema"], "components": document["components"]}
        wrong += [
            f"{name}: {error.json_path} {error.message[:120]}"
            for error in Draft202012Validator(schema).iter_errors(content["example"])
        ]
    assert wrong == []
