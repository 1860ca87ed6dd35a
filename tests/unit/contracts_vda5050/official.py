"""The schemas that published messages are held against; tests/data/vda5050/NOTICE says whose."""

import json
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from contracts.vda5050.topics import VdaKind
from contracts.vda5050.versions import VdaVersion

SCHEMAS = files("vda5050") / "validation" / "schemas"
OURS = Path(__file__).parents[2] / "data" / "vda5050"
OFFICIAL_3 = os.environ.get("ZE_VDA5050_3_SCHEMAS")


def _texts(kind: VdaKind, version: VdaVersion) -> Iterator[str]:
    if version is VdaVersion.V2_1:
        yield (SCHEMAS / f"{kind}.json").read_text(encoding="utf-8")
        return
    yield (OURS / version / f"{kind}.json").read_text(encoding="utf-8")
    if version is VdaVersion.V3_0 and OFFICIAL_3:
        for name in (f"{kind}.schema", f"{kind}.json"):
            if (Path(OFFICIAL_3) / name).is_file():
                yield (Path(OFFICIAL_3) / name).read_text(encoding="utf-8")


def _validator(text: str) -> Draft202012Validator:
    return Draft202012Validator(
        json.loads(text), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


BY_VERSION = {
    (kind, version): tuple(_validator(text) for text in _texts(kind, version))
    for kind in VdaKind
    for version in VdaVersion
}

VALIDATORS = {kind: BY_VERSION[kind, VdaVersion.V2_1][0] for kind in VdaKind}


def validate(kind: VdaKind, content: dict[str, Any], version: VdaVersion) -> None:
    """Fail with what is wrong with a message of this version."""
    for validator in BY_VERSION[kind, version]:
        validator.validate(content)
