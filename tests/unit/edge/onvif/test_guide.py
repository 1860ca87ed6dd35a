"""What docs/guide/cameras.md shows is what the product takes."""

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from contracts.devices import CameraConfig, NvrTemplate
from edge.capture.nvr import channel_path
from zeroentry.cameras import app

GUIDE = (Path(__file__).parents[4] / "docs" / "guide" / "cameras.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_a_camera(example: str) -> None:
    base = {"kind": "camera", "id": "c", "area": "room-1", "name": {"zh": "名", "en": "Name"}}
    assert CameraConfig.model_validate(base | yaml.safe_load(example)).main.width > 0


def test_each_command_and_option_is_there() -> None:
    assert EXAMPLES
    group = get_command(app)
    commands = group.commands  # type: ignore[attr-defined]  # the app has commands: it is a group
    shown = re.findall(r"zeroentry camera (\w+)([^\n`#]*)", GUIDE)
    assert {name for name, _ in shown} == set(commands)
    for name, rest in shown:
        known = {option for each in commands[name].params for option in each.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known


@pytest.mark.parametrize("template", NvrTemplate)
def test_the_table_of_recorders(template: NvrTemplate) -> None:
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{template.value}`"))
    assert channel_path(template, 6, sub=False) in row
    assert channel_path(template, 6, sub=True).rpartition("&")[2] in row
