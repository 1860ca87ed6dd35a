"""One recorder alone writes a node's recordings; the next one is told why it may not."""

from pathlib import Path

import pytest

from edge.recorder.lock import RecorderRunsError, recorder_lock
from edge.recorder.settings import RecorderSettings


def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "data", tmp_path / "recordings"
    for folder in made:
        folder.mkdir()
    return made


def test_a_second_recorder_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    data, recordings = folders(tmp_path)
    refused = pytest.raises(RecorderRunsError, match="data")
    with recorder_lock(data, recordings), refused, recorder_lock(data, recordings):
        pass
    with recorder_lock(data, recordings):
        assert (data / "recorder.lock").stat().st_mode & 0o777 == 0o600


def test_two_nodes_cannot_share_recordings(tmp_path: Path) -> None:
    data, recordings = folders(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    with recorder_lock(data, recordings):
        refused = pytest.raises(RecorderRunsError, match=str(recordings))
        with refused, recorder_lock(other, recordings):
            pass


def test_the_recorder_reads_its_part_and_leaves_the_rest_to_the_node(tmp_path: Path) -> None:
    config = RecorderSettings.model_validate(
        {
            "node": "edge-1",
            "site_dir": str(tmp_path),
            "data_dir": str(tmp_path / "data"),
            "mqtt": {"port": "not a port"},
            "rules": {"no.such_rule": {}},
            "recording": {"segment_s": 30},
        }
    )
    assert config.recording.segment_s == 30
    assert config.recordings_dir == tmp_path / "data" / "recordings"
    with pytest.raises(ValueError, match="recordng"):
        RecorderSettings.model_validate(
            {"node": "edge-1", "site_dir": "s", "data_dir": "d", "recordng": {}}
        )
