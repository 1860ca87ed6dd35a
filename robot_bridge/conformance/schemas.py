"""Holds messages against the official schemas of 2.1.0, where they are installed."""

import json
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from contracts.vda5050.topics import VdaKind
from contracts.vda5050.versions import VdaVersion


@cache
def official(kind: VdaKind) -> Any | None:  # noqa: ANN401 - jsonschema has no type when absent
    """The validator of one kind; None where vda5050-sdk or jsonschema is not installed."""
    try:
        folder = files("vda5050") / "validation" / "schemas"
        validator = import_module("jsonschema").Draft202012Validator
    except ModuleNotFoundError:
        return None
    return validator(json.loads((folder / f"{kind}.json").read_text(encoding="utf-8")))


def problem(kind: VdaKind, content: Any, version: VdaVersion) -> str | None:  # noqa: ANN401 - JSON
    """Why a message does not fit, or None; only 2.1.0's schemas come as a package."""
    validator = official(kind) if version is VdaVersion.V2_1 else None
    if validator is None:
        return None
    error = next(validator.iter_errors(content), None)
    return None if error is None else f"{error.json_path}: {error.message}"[:200]
