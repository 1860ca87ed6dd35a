"""No log shows a secret, and what repeats is counted instead of repeated."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from runtime.clock import SimulatedClock
from runtime.logs import REDACTED, REPEAT_PERIOD_MS, Repeats, configure, redact_text


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_do_not_reach_the_log(output: io.StringIO, as_json: bool) -> None:
    configure("edge", json=as_json, stream=output)
    log = structlog.get_logger("test")
    log.info(
        "camera_opened",
        password="hunter2-a",
        camera={"api_key": "hunter2-b", "url": "rtsp://admin:hunter2-c@10.0.0.7/1"},
        tokens=["hunter2-d"],
        url="http://edge/live?ticket=hunter2-e&size=2",
        pin="hunter2-f",
        password_env="CAM_PASSWORD",
    )
    logging.getLogger("library").warning("opening rtsp://admin:%s@10.0.0.7", "hunter2-g")
    text = output.getvalue()
    assert "hunter2" not in text
    assert text.count(REDACTED) == 7
    assert "CAM_PASSWORD" in text
    assert "10.0.0.7" in text


def test_a_traceback_in_json_holds_no_url_password(output: io.StringIO) -> None:
    configure("edge", json=True, stream=output)

    def open_camera() -> None:
        raise OSError("cannot open rtsp://admin:hunter2@10.0.0.7/1")

    try:
        open_camera()
    except OSError:
        structlog.get_logger("test").exception("camera_lost")
    assert "hunter2" not in output.getvalue()
    assert json.loads(output.getvalue())["event"] == "camera_lost"


def test_lines_are_json_with_process_level_and_time(output: io.StringIO) -> None:
    configure("edge", json=True, level="warning", stream=output)
    structlog.get_logger("test").info("hidden")
    structlog.get_logger("test").warning("shown", gap_ms=12)
    line = json.loads(output.getvalue())
    assert (line["event"], line["process"], line["level"], line["gap_ms"]) == (
        "shown",
        "edge",
        "warning",
        12,
    )
    assert line["timestamp"].endswith("Z")


def test_an_unknown_level_says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="allowed: DEBUG, INFO"):
        configure("edge", json=True, level="loud")


def test_a_plain_text_stays_as_it_is() -> None:
    text = "rtsp://10.0.0.7:554/1 at 10:30 by a@b"
    assert redact_text(text) == text


def test_repeats_are_said_at_once_and_then_once_a_period() -> None:
    clock = SimulatedClock()
    repeats = Repeats(clock)
    said = [repeats.due("oversized") for _ in range(5)]
    assert said == [1, 0, 0, 0, 0]
    assert repeats.due("not_json") == 1
    clock.advance_ms(REPEAT_PERIOD_MS)
    assert [repeats.due("oversized"), repeats.due("oversized")] == [5, 0]


def test_a_peer_that_invents_keys_does_not_fill_the_memory() -> None:
    repeats = Repeats(SimulatedClock())
    for number in range(3_000):
        assert repeats.due(f"topic {number}") == 1
    assert len(repeats._counts) == 1_000
