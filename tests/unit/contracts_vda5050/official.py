"""The official schemas of VDA 5050 2.1.0, as the wheel of vda5050-sdk carries them."""

import json
from importlib.resources import files

from jsonschema import Draft202012Validator

from contracts.vda5050.topics import VdaKind

SCHEMAS = files("vda5050") / "validation" / "schemas"


def validator(kind: VdaKind) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


VALIDATORS = {kind: validator(kind) for kind in VdaKind}
