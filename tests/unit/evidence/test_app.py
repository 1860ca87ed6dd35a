"""Shows what the commands of evidence print and ask, and with which code they end."""

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.evidence.entries import GapReason
from edge.core.recording import HoldTracks, LiftHold, Reply, Request, RotateKey, Written
from tests.fakes.evidence_sets import EvidenceSet
from zeroentry.cli import app
from zeroentry.evidence.findings import KINDS, Kind
from zeroentry.evidence.texts import GAP_REASONS, Language, language_of

TRACK = "room-1-cam"


def run(*arguments: object, **env: str) -> tuple[int, str]:
    runner = CliRunner(env={"COLUMNS": "200", "LANG": "C", "LC_ALL": "", **env})
    result = runner.invoke(app, ["evidence", *map(str, arguments)])
    return result.exit_code, result.output


def given(made: EvidenceSet) -> tuple[object, ...]:
    return (
        *("--node-key", made.node_keys, "--controller-key", made.controller_key),
        *("--heads", made.heads),
    )


def test_a_whole_set_is_shown_whole(whole: EvidenceSet) -> None:
    code, said = run("verify", whole.root, *given(whole))
    assert code == 0
    assert "Whole: 2 tracks, 18 files; every entry is covered" in said
    assert "camera offline" in said
    assert "is being written and not entered yet" in said
    code, said = run("verify", whole.root, *given(whole), LANG="zh_CN.UTF-8")
    assert code == 0
    assert "完整：2 条轨道、18 个文件" in said
    assert "摄像机离线" in said


def test_the_first_fault_is_shown_with_file_and_entry(whole: EvidenceSet, tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    shutil.copytree(whole.root, root)
    place = whole.tracks[TRACK].present[2]
    (root / place.path.relative_to(whole.root)).write_bytes(b"altered")
    code, said = run("verify", root, *given(whole))
    assert code == 1
    where = f"{place.path.relative_to(whole.root)}, entry {place.sequence}"
    assert f"Altered or missing: 1 faults. The first: {where}: has 7 bytes" in said
    code, said = run("verify", root, *given(whole), "--language", "zh-CN", "--json")
    assert code == 1
    told = json.loads(said)
    assert (told["exit"], told["verdict"]) == (1, "faulty")
    fault = told["tracks"][0]["findings"][0]
    assert (fault["kind"], fault["entry"], fault["weight"]) == ("size", place.sequence, "fault")
    assert "登记为" in fault["text"]


def test_without_keys_it_cannot_tell(whole: EvidenceSet) -> None:
    code, said = run("verify", whole.root)
    assert code == 2
    assert "keys taken from the folder itself: proves wholeness, not origin" in said
    code, said = run("verify", whole.root, "--node-key", whole.root / "none.pem")
    assert code == 2
    assert "none.pem" in said
    assert "Traceback" not in said


def test_what_was_recorded_is_listed_by_day(whole: EvidenceSet) -> None:
    code, said = run("list", whole.root, "--json")
    assert code == 0
    rows = json.loads(said)
    first = rows[0]
    assert (first["track"], first["day"]) == (TRACK, "2026-11-22")
    assert (first["segments"], first["deleted"]) == (1, 3)
    assert first["holds"] == {"case-7": False}
    assert [gap["reason"] for gap in first["gaps"]] == ["starting", "camera_offline"]
    assert len(rows) == 8
    narrow = ("--track", "room-2-cam", "--from", "2026-11-23", "--to", "2026-11-23T12:00Z")
    code, said = run("list", whole.root, *narrow)
    assert code == 0
    assert "room-2-cam" in said
    assert TRACK not in said
    assert "unverified" in said
    assert run("list", whole.root, "--from", "yesterday")[0] == 2
    assert run("list", whole.root.parent / "given")[0] == 2


def test_keys_are_shown_and_private_ones_never(whole: EvidenceSet, tmp_path: Path) -> None:
    code, said = run("keys", "show", whole.root)
    assert code == 0
    assert all(key.id in said for key in whole.keys)
    private = tmp_path / "keys" / "node-evidence.pem"
    private.parent.mkdir()
    private.write_bytes(whole.keys[0].to_pem())
    private.chmod(0o600)
    code, said = run("keys", "show", tmp_path)
    assert code == 0
    assert f"{whole.keys[0].id}  the node's private key" in said
    assert "PRIVATE KEY-----" not in said
    private.chmod(0o644)
    assert "chmod 600" in run("keys", "show", tmp_path)[1]
    assert run("keys", "show", tmp_path / "keys")[0] == 2


@contextmanager
def recorder(folder: Path, error: str | None = None) -> Iterator[list[Request]]:
    """Answers one request on the socket, after words of its own and a reply to somebody else."""
    asked: list[Request] = []
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(folder / "recorder.sock"))
    server.listen()
    server.settimeout(10)

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            request = Request.model_validate_json(connection.makefile("rb").readline())
            asked.append(request)
            written = tuple(
                Written(track_id=track, sequence=9, entry_sha256="0" * 64)
                for track in ("room-1-cam", "room-2-cam")
            )
            other = Reply(id="other", error="not yours")
            mine = Reply(id=request.id, error=error, written=() if error else written)
            for line in ('{"say":"news"}', other.model_dump_json(), mine.model_dump_json()):
                connection.sendall(line.encode() + b"\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        thread.join(10)
        server.close()


HOLD = ("--track", "room-1-cam", "--from", "2026-11-22", "--to", "2026-11-23", "--by", "judge")


def test_a_hold_is_asked_of_the_recorder(tmp_path: Path) -> None:
    with recorder(tmp_path) as asked:
        code, said = run("hold", tmp_path, *HOLD, "--reason", "case 7")
    assert code == 0, said
    body = asked[0].body
    assert isinstance(body, HoldTracks)
    assert (body.tracks, body.by, body.reason) == (("room-1-cam",), "judge", "case 7")
    assert body.to_utc_ms - body.from_utc_ms == 86_400_000
    assert f"Hold {body.hold_id} is written into 2 chains" in said


def test_a_hold_is_released_and_a_key_rotated(tmp_path: Path) -> None:
    with recorder(tmp_path) as asked:
        code, said = run("release", tmp_path, "hold-1", "--reason", "over", "--by", "judge")
    assert (code, type(asked[0].body)) == (0, LiftHold), said
    (tmp_path / "recorder.sock").unlink()
    with recorder(tmp_path) as asked:
        code, said = run("keys", "rotate", tmp_path, "--language", "zh-CN")
    assert (code, type(asked[0].body)) == (0, RotateKey), said
    assert "2 条链已移交" in said


def test_a_recorder_that_is_gone_or_refuses_is_told_plainly(tmp_path: Path) -> None:
    code, said = run("hold", tmp_path, *HOLD, "--reason", "x")
    assert code == 2
    assert "No recorder answers at" in said
    assert "zeroentry recorder" in said
    with recorder(tmp_path, error="no such track"):
        code, said = run("hold", tmp_path, *HOLD, "--reason", "x")
    assert code == 2
    assert "The recorder refused: no such track" in said


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, Language.EN),
        ({"LANG": "zh_CN.UTF-8"}, Language.ZH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB"}, Language.EN),
        ({"LC_MESSAGES": "zh-Hans"}, Language.ZH),
    ],
)
def test_the_terminals_language_is_spoken(environ: dict[str, str], language: Language) -> None:
    assert language_of(environ) is language


def test_everything_has_its_text() -> None:
    assert set(KINDS) == set(Kind)
    assert set(GAP_REASONS) == set(GapReason)


def test_an_interval_is_exported_and_its_export_verified(
    whole: EvidenceSet, tmp_path: Path
) -> None:
    private = tmp_path / "keys" / "node-evidence.pem"
    private.parent.mkdir()
    private.write_bytes(whole.keys[1].to_pem())
    private.chmod(0o600)
    out = tmp_path / "out.zip"
    asked = (
        *("export", tmp_path, "--recordings", whole.root, "--track", TRACK, "--out", out),
        *("--from", "2026-11-23", "--to", "2026-11-24", "--reason", "case 7", "--by", "judge"),
    )
    code, said = run(*asked)
    assert code == 0, said
    assert f"{out}: " in said
    keys = ("--node-key", whole.root / "keys", "--controller-key", whole.controller_key)
    assert run("verify", out, *keys)[0] == 0
    code, said = run(*asked)  # a file that is there is not replaced
    assert code == 2
    assert "exists already" in said
