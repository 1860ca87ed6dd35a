"""Every number that a rule tells has a name in both languages."""

import ast
from pathlib import Path

import pytest

from contracts.observations import Appearance
from controller.console.texts import TEXTS

ROOT = Path(__file__).parents[3]
FILES = [*(ROOT / "edge/core").rglob("*.py"), *(ROOT / "controller/core").glob("*.py")]
WRAPPERS = {"Measured", "_told", "_share"}
"""What makes a number: the type itself, and the two leaves of rules that round it."""


def names_in(path: Path) -> set[str]:
    """Constant names that are given to numbers in one file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in WRAPPERS:
            continue
        given = [word.value for word in node.keywords if word.arg == "name"] or node.args[:1]
        found |= {
            one.value
            for one in given
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        }
    return found


def test_the_scan_finds_numbers() -> None:
    assert "people" in {name for path in FILES for name in names_in(path)}


@pytest.mark.parametrize(
    "name",
    sorted({name for path in FILES for name in names_in(path)} | {*Appearance} - {"unknown"}),
)
def test_a_number_that_a_rule_tells_has_a_name(name: str) -> None:
    assert f"measured.{name}" in TEXTS, f"add measured.{name} to controller/console/texts.py"
