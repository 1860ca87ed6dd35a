"""What the command says when called wrongly: everything at once, readable, no traceback."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from zeroentry.cli import app

BAD = """\
node: Edge_1
site_dirr: x
data_dir: /tmp/x
mqtt: {host: h, port: 99999, client_id: "a b"}
api: {port: abc}
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))
    return result.exit_code, result.output


def test_every_mistake_of_a_settings_file_is_shown_at_once(tmp_path: Path) -> None:
    file = tmp_path / "edge.yaml"
    file.write_text(BAD)
    code, said = run("edge", "--config", str(file))
    assert code == 2
    assert "6 mistakes" in said
    for path in ("node", "site_dir", "mqtt.port", "mqtt.client_id", "api.port", "site_dirr"):
        assert path in said
    assert "did you mean 'site_dir'" in said
    # patterns are shown as they are, not eaten as markup
    assert "[a-z0-9]" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("demo", "--camera", "rtsp://u:hunter2@127.0.0.1/x"), "ZEROENTRY_CAMERA_PASSWORD"),
        (("demo", "--camera", "/nowhere/film.mp4"), "rtsp://..., a video file or /dev/video0"),
        (("demo", "--chaos"), "--chaos belongs to --check"),
        (("edge", "--config", "x.yaml", "--set", "mqtt.port"), "is not KEY=VALUE"),
    ],
)
def test_a_wrong_call_says_what_to_do_instead(arguments: tuple[str, ...], text: str) -> None:
    code, said = run(*arguments, *(("--port", "0") if "--camera" in arguments else ()))
    assert code == 2
    assert text in said.replace("\n", " ")
    assert "hunter2" not in said


def test_the_demo_site_is_good_and_the_version_is_told() -> None:
    code, said = run("config", "firmware_configs/demo")
    assert (code, "2 robots" in said) == (0, True)
    code, said = run("--version")
    assert (code, said.startswith("zeroentry ")) == (0, True)
