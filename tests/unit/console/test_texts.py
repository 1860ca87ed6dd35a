"""Every word of the console stands in texts/, in both languages; no other file has words."""

import ast
import re
from pathlib import Path

import pytest

from contracts.admission import AreaKind
from contracts.api import (
    DeliveryState,
    Disposition,
    Handling,
    RobotCondition,
    SessionState,
    TrackKind,
)
from contracts.evidence.entries import ClockSource, GapReason
from contracts.observations import (
    Appearance,
    CameraState,
    RecordingState,
    Severity,
    SoundState,
)
from controller.console import texts
from controller.console.director import Cue, StepStatus
from controller.console.present.deliveries import STEPS
from controller.console.texts import TEXTS, Language, group, say

CONSOLE = Path(texts.__file__).parents[1]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
TAILS = {key for key in TEXTS if key.endswith("_tail")}  # a language may put nothing behind a name


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_both_languages_are_there(key: str) -> None:
    zh, en = TEXTS[key].zh, TEXTS[key].en
    assert key in TAILS or (zh.strip() and en.strip())
    if not key.startswith("header.language"):
        assert not CHINESE.search(en), f"{key}: Chinese in the English text"
        assert key in TAILS or CHINESE.search(zh), f"{key}: no Chinese in the Chinese text"


def test_each_closed_choice_of_the_api_has_its_text() -> None:
    wanted = {
        *(f"session.{state.value}" for state in SessionState),
        *(f"handling.{handling.value}" for handling in Handling),
        *(f"disposition.{choice.value}" for choice in Disposition),
        *(f"robot.{condition.value}" for condition in RobotCondition),
        *(f"severity.{severity.value}" for severity in Severity),
        *(f"camera.{state.value}" for state in CameraState),
        *(f"sound.{state.value}" for state in SoundState),
        *(f"appearance.{look.value}" for look in Appearance),
        *(f"track.{state.value}" for state in RecordingState),
        *(f"track.{kind.value}" for kind in TrackKind),
        *(f"gap.{reason.value}" for reason in GapReason),
        *(f"clock.{source.value}" for source in ClockSource),
        *(f"kind.{kind.value}" for kind in AreaKind),
        *(f"step.{step}" for step in STEPS),
        *(f"demo.{cue.value}" for cue in Cue),
        *(f"demo.{status.value}_step" for status in StepStatus),
        *(f"delivery.{state.value}" for state in (DeliveryState.CANCELLED, DeliveryState.FAILED)),
    }
    assert wanted - TEXTS.keys() == set()


def test_a_text_that_pages_ask_for_is_in_the_table() -> None:
    asked = set()
    for path in CONSOLE.rglob("*.js"):
        asked |= set(re.findall(r"t\['([a-z_]+\.[a-z0-9_-]+)'\]", path.read_text(encoding="utf-8")))
    for path in CONSOLE.rglob("*.py"):
        asked |= set(re.findall(r"say\(\s*\"([a-z_.]+)\"", path.read_text(encoding="utf-8")))
    assert len(asked) > 100
    assert asked - TEXTS.keys() == set()


@pytest.mark.parametrize("path", sorted(CONSOLE.rglob("*.js")), ids=lambda path: path.name)
def test_templates_hold_no_words(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not CHINESE.search(source)
    for template in re.findall(r"template: `(.*?)`", source, re.DOTALL):
        bare = re.sub(r"\{\{.*?\}\}", "", template, flags=re.DOTALL)
        words = [
            text for text in re.findall(r">([^<>]*)<", bare) if re.search(r"[A-Za-z]{2}", text)
        ]
        said = re.findall(r'\s(?:title|alt|placeholder|aria-label)="([^"]+)"', bare)
        assert words == []
        assert said == []


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(CONSOLE.rglob("*.py")) if path.parent.name != "texts"],
    ids=lambda path: path.name,
)
def test_modules_hold_no_chinese(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert [text for text in strings if isinstance(text, str) and CHINESE.search(text)] == []


def test_a_group_is_given_in_one_language() -> None:
    assert group(("step",), Language.ZH)["step.ordered"] == "下单"
    assert say("step.ordered", Language.EN) == "Ordered"
    with pytest.raises(KeyError):
        say("step.unheard", Language.EN)
