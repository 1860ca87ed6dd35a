"""The schemas that published messages are held against; tests/data/vda5050/NOTICE says whose."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from contracts.vda5050.topics import VdaKind
from contracts.vda5050.versions import VdaVersion

SCHEMAS = files("vda5050") / "validation" / "schemas"
OURS = Path(__file__).parents[2] / "data" / "vda5050"
GIVEN: Final[Mapping[VdaVersion, str | None]] = {
    VdaVersion.V2_0: os.environ.get("ZE_VDA5050_2_SCHEMAS"),
    VdaVersion.V3_0: os.environ.get("ZE_VDA5050_3_SCHEMAS"),
}
"""Folders with the official files, which no package carries; held against beside ours."""


def _texts(kind: VdaKind, version: VdaVersion) -> Iterator[str]:
    if version is VdaVersion.V2_1:
        yield (SCHEMAS / f"{kind}.json").read_text(encoding="utf-8")
        return
    yield (OURS / version / f"{kind}.json").read_text(encoding="utf-8")
    folder = GIVEN[version]
    for name in (f"{kind}.schema", f"{kind}.json") if folder else ():
        path = Path(folder or "") / name
        if path.is_file():
            yield _without_misprints(path.read_text(encoding="utf-8"))


def _without_misprints(text: str) -> str:
    """The files of 3.0.0 as its text means them: it is the text that counts where they differ.

    Some are no JSON for a comma too many; a field is required by a name that it does not have; two
    yes-or-no fields are called texts.
    """
    schema = json.loads(re.sub(r",(\s*[}\]])", r"\1", text))
    kind = schema["properties"].get("typeSpecification", {})
    if "mobileRobotKinematic" in kind.get("required", ()):
        kind["required"].remove("mobileRobotKinematic")
        kind["required"].append("mobileRobotKinematics")
    features = schema["properties"].get("protocolFeatures", {}).get("properties", {})
    if "mobileRobotActions" in features:
        action = features["mobileRobotActions"]["items"]["properties"]
        for name in ("pauseAllowed", "cancelAllowed"):
            action[name] = {"type": "boolean"}
    return json.dumps(schema)


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
        validator.validate(_named(content, validator))


def _named(content: dict[str, Any], validator: Draft202012Validator) -> dict[str, Any]:
    """Instant actions of 2.0.0 by the name that a schema wants: there are two."""
    schema = validator.schema
    wanted = schema.get("required", ()) if isinstance(schema, Mapping) else ()
    if "instantActions" not in content or "actions" not in wanted:
        return content
    rest = {key: value for key, value in content.items() if key != "instantActions"}
    return {**rest, "actions": content["instantActions"]}
