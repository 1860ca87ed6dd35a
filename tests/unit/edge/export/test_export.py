"""Shows that an export verifies offline as a whole, and that nothing wrong gets into one."""

import json
import zipfile
from pathlib import Path

import pytest

from contracts.evidence.entries import Segment
from contracts.evidence.exports import ExportSeal
from contracts.evidence.lines import split_line
from contracts.units import UtcMs
from edge.evidence.export import ExportError, Wanted, make_export
from runtime.signing import PublicKeys
from tests.fakes.evidence_sets import DAY_MS, FIRST_DAY_MS, EvidenceSet, write_set
from zeroentry.evidence.findings import Exit
from zeroentry.evidence.verify import Asked, verify

TRACKS = ("room-1-cam", "room-2-cam")


@pytest.fixture
def made(tmp_path: Path) -> EvidenceSet:
    return write_set(tmp_path, seed=7)


def wanted(
    first: int = FIRST_DAY_MS, last: int = FIRST_DAY_MS + 3 * DAY_MS, *tracks: str
) -> Wanted:
    return Wanted(tracks or TRACKS, UtcMs(first), UtcMs(last), "Court 3", "case 2026-117")


def export(made: EvidenceSet, what: Wanted, name: str = "out.zip") -> Path:
    target = made.root.parent / name
    make_export(made.root, what, target, key=made.keys[1], made_utc_ms=UtcMs(FIRST_DAY_MS))
    return target


def a_segment(made: EvidenceSet) -> Segment:
    number = made.tracks["room-1-cam"].present[1].number
    entries = [entry for _, _, entry in made.tracks["room-1-cam"].lines]
    return next(one for one in entries if isinstance(one, Segment) and one.number == number)


def judged(path: Path, made: EvidenceSet) -> Exit:
    keys = made.root / "keys"
    return verify(Asked(path, node_key=keys, controller_key=made.controller_key)).exit


def test_an_export_of_everything_is_whole_offline(made: EvidenceSet) -> None:
    assert judged(export(made, wanted()), made) is Exit.WHOLE


def test_an_export_of_a_minute_is_whole_and_holds_no_more(made: EvidenceSet) -> None:
    one = a_segment(made)
    begin = one.start.utc_ms
    path = export(made, wanted(begin + 1_000, begin + 2_000, "room-1-cam"))
    names = zipfile.ZipFile(path).namelist()
    assert [name for name in names if name.endswith(".mp4")] == [
        f"room-1-cam/{time_day(one)}/{one.file}"
    ]
    assert judged(path, made) is Exit.WHOLE


def time_day(one: Segment) -> str:
    stamp = one.file.split("_")[2]
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"


def test_a_changed_export_is_found(made: EvidenceSet, tmp_path: Path) -> None:
    path = export(made, wanted())
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".mp4") and "room-1-cam" in name:
                content = content[:-1] + bytes([content[-1] ^ 1])
            target.writestr(name, content)
    assert judged(changed, made) is Exit.FAULTY


def test_the_zip_is_signed_by_the_node(made: EvidenceSet) -> None:
    path = export(made, wanted())
    line = split_line(path.with_name(path.name + ".seal.json").read_bytes().rstrip(b"\n"))
    seal = ExportSeal.model_validate_json(line.signed)
    keys = PublicKeys([made.keys[1].public_raw])
    assert keys.verify(seal.key, line.signed, line.signature)
    assert (seal.file, seal.bytes, seal.by) == (path.name, path.stat().st_size, "Court 3")


def test_the_note_is_in_both_languages_and_counted(made: EvidenceSet) -> None:
    with zipfile.ZipFile(export(made, wanted())) as archive:
        text = archive.read("README.txt").decode()
        told = json.loads(archive.read("export.json"))
    assert "可离线" in text
    assert "byte for byte" in text
    assert "Court 3" in text
    assert list(told["files"]) == ["README.txt"]


def test_an_altered_file_stops_the_export_and_leaves_nothing(made: EvidenceSet) -> None:
    place = made.tracks["room-1-cam"].present[0]
    place.path.write_bytes(place.path.read_bytes()[:-1] + b"?")
    with pytest.raises(ExportError, match=place.path.name):
        export(made, wanted())
    assert not list(made.root.parent.glob("out.zip*"))


def test_a_missing_file_stops_the_export(made: EvidenceSet) -> None:
    made.tracks["room-1-cam"].present[0].path.unlink()
    with pytest.raises(ExportError, match="is missing"):
        export(made, wanted())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (wanted(FIRST_DAY_MS, FIRST_DAY_MS), "ends before it begins"),
        (wanted(1_000, 2_000), "nothing of these tracks"),
        (wanted(FIRST_DAY_MS, FIRST_DAY_MS + DAY_MS, "no-such-cam"), "nothing of these tracks"),
    ],
)
def test_what_makes_no_sense_is_said(made: EvidenceSet, what: Wanted, said: str) -> None:
    with pytest.raises(ExportError, match=said):
        export(made, what)


def test_an_export_is_never_overwritten(made: EvidenceSet) -> None:
    path = export(made, wanted())
    before = path.read_bytes()
    with pytest.raises(ExportError, match="exists already"):
        export(made, wanted())
    assert path.read_bytes() == before
