"""Shows that every alteration is found and named, and that nothing untouched is called altered."""

import hashlib
import json
import random
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.evidence.chain import FaultKind
from contracts.evidence.entries import NOTHING, Segment
from contracts.evidence.exports import ExportSeal
from contracts.evidence.lines import sign_line
from contracts.units import UtcMs
from runtime.signing import SigningKey
from tests.fakes import evidence_alterations as alterations
from tests.fakes.evidence_alterations import ALTERATIONS, Alter, copy_of
from tests.fakes.evidence_sets import EvidenceSet, Size, write_set
from zeroentry.evidence.findings import Exit, Kind, Weight
from zeroentry.evidence.places import Extent
from zeroentry.evidence.verify import Asked, Report, verify

TRACK = "room-1-cam"


def asked(made: EvidenceSet, path: Path | None = None) -> Asked:
    return Asked(path or made.root, made.node_keys, made.controller_key, made.heads)


def faults(report: Report) -> list[str]:
    return [
        f"{finding.kind} {finding.place('en')}: {finding.text('en')}"
        for finding in report.all_findings
        if finding.weight is Weight.FAULT
    ]


def kinds(report: Report, weight: Weight) -> set[str]:
    return {finding.kind for finding in report.all_findings if finding.weight is weight}


@contextmanager
def copied(made: EvidenceSet) -> Iterator[EvidenceSet]:
    with tempfile.TemporaryDirectory() as folder:
        yield copy_of(made, Path(folder) / "set")


@given(alter=st.sampled_from(ALTERATIONS), seed=st.integers(0, 1 << 32))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_alteration_is_found_with_its_file_and_entry(
    whole: EvidenceSet, alter: Alter, seed: int
) -> None:
    with copied(whole) as made:
        altered = alter(made, random.Random(seed))
        report = verify(asked(made))
        assert report.exit is Exit.FAULTY, altered
        first = report.all_findings[0]
        assert first.path in {str(path.relative_to(made.root)) for path in altered.files}, (
            altered,
            faults(report),
        )
        assert not altered.entries or first.sequence in altered.entries, (altered, faults(report))


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: alter.__name__)
def test_each_kind_of_alteration_is_tried(whole: EvidenceSet, tmp_path: Path, alter: Alter) -> None:
    made = copy_of(whole, tmp_path / "set")
    altered = alter(made, random.Random(7))
    report = verify(asked(made))
    assert report.exit is Exit.FAULTY, altered
    assert report.all_findings[0].path in {str(p.relative_to(made.root)) for p in altered.files}


@given(
    seed=st.integers(0, 1 << 32),
    tracks=st.integers(1, 3),
    days=st.integers(1, 4),
    day_segments=st.integers(3, 7),
    segment_bytes=st.integers(0, 3_000),
)
@settings(max_examples=12, deadline=None)
def test_nothing_untouched_is_called_altered(
    seed: int, tracks: int, days: int, day_segments: int, segment_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        size = Size(tracks, days, day_segments, segment_bytes)
        made = write_set(Path(folder), seed=seed, size=size)
        report = verify(asked(made))
        assert not kinds(report, Weight.FAULT), faults(report)
        assert report.exit is Exit.WHOLE
        for track in report.tracks:
            lines = made.tracks[track.chain.track].lines
            assert track.chain.signatures == track.chain.witnessed_to == len(lines)
            assert track.present == len(made.tracks[track.chain.track].present)


def test_a_whole_set_is_told_in_figures(whole: EvidenceSet) -> None:
    report = verify(asked(whole))
    assert report.extent is Extent.ALL
    track = report.tracks[0]
    assert (track.present, track.deleted) == (9, 3)
    assert track.chain.recorded_ms == 12 * 60_000
    told = [(gap.reason, gap.duration_ms, gap.ended) for gap in track.chain.gaps]
    assert told == [
        ("starting", 1_200, True),
        ("camera_offline", 83_000, True),  # two pieces, one gap
        ("recorder_stopped", 4_000, True),
        ("camera_silent", 2_500, True),
    ]
    assert track.chain.seals == {"s-1": True}
    assert track.chain.holds == {"case-7": True}
    assert report.roots == 2
    assert kinds(report, Weight.REMARK) == {Kind.BEING_WRITTEN, Kind.KEPT_ASIDE}


def test_without_keys_of_the_caller_nothing_is_told_for_certain(whole: EvidenceSet) -> None:
    report = verify(Asked(whole.root))
    assert report.exit is Exit.CANNOT_TELL
    assert kinds(report, Weight.DOUBT) == {Kind.KEYS_FROM_FOLDER, Kind.NO_CONTROLLER_KEY}
    assert all(track.exit is Exit.CANNOT_TELL for track in report.tracks)


def test_without_any_key_no_signature_is_believed(whole: EvidenceSet, tmp_path: Path) -> None:
    made = copy_of(whole, tmp_path / "set")
    shutil.rmtree(made.root / "keys")
    report = verify(Asked(made.root))
    assert Kind.NO_NODE_KEY in kinds(report, Weight.DOUBT)
    assert all(track.chain.signatures == 0 for track in report.tracks)


def test_the_newest_key_vouches_for_those_before_it(whole: EvidenceSet, tmp_path: Path) -> None:
    newest = tmp_path / "newest.pem"
    newest.write_bytes(whole.keys[1].public_pem())
    report = verify(Asked(whole.root, newest, whole.controller_key, whole.heads))
    assert report.exit is Exit.WHOLE, faults(report)


def test_a_strangers_key_vouches_for_nobody(whole: EvidenceSet) -> None:
    report = verify(Asked(whole.root, whole.controller_key, whole.controller_key, whole.heads))
    assert report.exit is Exit.FAULTY
    assert report.all_findings[0].kind is FaultKind.KEY_UNKNOWN
    assert report.all_findings[0].sequence == 1


def test_a_tail_without_countersignature_is_named(whole: EvidenceSet, tmp_path: Path) -> None:
    made = copy_of(whole, tmp_path / "set")
    last = made.tracks[TRACK].lines[-1][0]
    last.with_name("witness.jsonl").unlink()
    report = verify(Asked(made.root, made.node_keys, made.controller_key))
    assert report.exit is Exit.CANNOT_TELL
    (found,) = [f for f in report.all_findings if f.weight is Weight.DOUBT]
    count = len(made.tracks[TRACK].lines)
    assert found.text("en") == (
        f"is whole to entry {count - 1}; the tail to entry {count} is unwitnessed"
    )


def test_half_a_line_at_the_end_is_no_alteration(whole: EvidenceSet, tmp_path: Path) -> None:
    made = copy_of(whole, tmp_path / "set")
    path, line, _ = made.tracks[TRACK].lines[-1]
    with path.open("ab") as file:
        file.write(line[:100])
    report = verify(asked(made))
    assert report.exit is Exit.CANNOT_TELL
    assert kinds(report, Weight.DOUBT) == {Kind.TORN_TAIL}


def test_a_last_line_that_waits_for_its_line_feed_is_whole(
    whole: EvidenceSet, tmp_path: Path
) -> None:
    made = copy_of(whole, tmp_path / "set")
    path = made.tracks[TRACK].lines[-1][0]
    path.write_bytes(path.read_bytes()[:-1])
    assert verify(asked(made)).exit is Exit.WHOLE


def test_one_track_is_judged_alone_under_any_name(whole: EvidenceSet, tmp_path: Path) -> None:
    shutil.copytree(whole.root / TRACK, tmp_path / "Copy of camera 1")
    report = verify(asked(whole, tmp_path / "Copy of camera 1"))
    assert (report.extent, report.exit) == (Extent.TRACK, Exit.WHOLE), faults(report)


def test_a_track_under_anothers_name_is_found(whole: EvidenceSet, tmp_path: Path) -> None:
    made = copy_of(whole, tmp_path / "set")
    (made.root / TRACK).rename(made.root / "room-9-cam")
    report = verify(asked(made))
    assert FaultKind.OTHER_CHAIN in kinds(report, Weight.FAULT)


def test_one_day_is_judged_alone(whole: EvidenceSet) -> None:
    day = sorted({path.parent for path, _, _ in whole.tracks[TRACK].lines})[1]
    report = verify(Asked(day, whole.root / "keys", whole.controller_key, whole.heads))
    assert (report.extent, report.exit) == (Extent.DAY, Exit.WHOLE), faults(report)
    assert Kind.BEGINS_AT in kinds(report, Weight.REMARK)
    only_first = verify(Asked(day, whole.controller_key, whole.controller_key, whole.heads))
    assert only_first.exit is Exit.CANNOT_TELL
    assert Kind.FIRST_KEY_UNKNOWN in kinds(only_first, Weight.DOUBT)


def export(made: EvidenceSet, folder: Path, first: int, last: int) -> Path:
    """A part of a track as an export holds it; its first file is left out."""
    track = made.tracks[TRACK]
    left_out: list[int] = []
    numbers = {file.number: file for file in track.files}
    for path, line, entry in track.lines[first - 1 : last]:
        day = folder / TRACK / path.parent.name
        day.mkdir(parents=True, exist_ok=True)
        with (day / "manifest.jsonl").open("ab") as file:
            file.write(line + b"\n")
        if isinstance(entry, Segment) and not left_out:
            left_out.append(entry.number)
        elif isinstance(entry, Segment):
            media = numbers[entry.number].path
            (folder / TRACK / media.parent.name).mkdir(exist_ok=True)
            shutil.copyfile(media, folder / TRACK / media.parent.name / media.name)
    part = {
        "track": TRACK,
        "first": first,
        "last": last,
        "previous": track.lines[first - 1][2].previous,
        "left_out": left_out,
    }
    (folder / "export.json").write_text(
        json.dumps({"v": 1, "kind": "export", "tracks": [part], "why": "court"})
    )
    return folder


def exported(made: EvidenceSet, folder: Path) -> Asked:
    """Entries of the second day, after the change of keys."""
    track = made.tracks[TRACK]
    first = next(e.sequence for _, _, e in track.lines if e.kind == "handover") + 1
    last = next(e.sequence for _, _, e in track.lines if e.kind == "deletion") - 2
    path = export(made, folder, first, last)
    return Asked(path, made.root / "keys", made.controller_key, made.heads)


def test_an_export_is_whole_from_its_anchor_to_its_end(whole: EvidenceSet, tmp_path: Path) -> None:
    report = verify(exported(whole, tmp_path))
    assert (report.extent, report.exit) == (Extent.EXPORT, Exit.WHOLE), faults(report)
    assert {Kind.BEGINS_AT, Kind.ENDS_AT, Kind.LEFT_OUT} <= kinds(report, Weight.REMARK)


def test_an_export_that_lacks_a_line_or_file_is_found(whole: EvidenceSet, tmp_path: Path) -> None:
    question = exported(whole, tmp_path)
    manifest = max(tmp_path.glob(f"{TRACK}/*/manifest.jsonl"))
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:-1]))
    assert Kind.EXPORT_SHORT in kinds(verify(question), Weight.FAULT)
    manifest.write_bytes(b"".join(lines))
    next(tmp_path.glob(f"{TRACK}/*/*.mp4")).unlink()
    assert kinds(verify(question), Weight.FAULT) == {Kind.MISSING_FILE}


def test_an_export_is_read_from_a_zip(whole: EvidenceSet, tmp_path: Path) -> None:
    question = exported(whole, tmp_path / "folder")
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((tmp_path / "folder").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "folder"))
    asked_zip = Asked(packed, question.node_key, question.controller_key, question.heads)
    report = verify(asked_zip)
    assert (report.extent, report.exit) == (Extent.EXPORT, Exit.WHOLE), faults(report)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("../../outside", "x")
        archive.writestr(f"{TRACK}/2026-11-23/../../x", "x")
    report = verify(asked_zip)
    assert kinds(report, Weight.FAULT) <= {
        Kind.NOT_A_FILE, Kind.UNLISTED_FILE, Kind.UNLISTED_FOLDER
    }  # fmt: skip
    assert report.exit is Exit.FAULTY


def sealed(made: EvidenceSet, packed: Path, key: SigningKey) -> Path:
    """The seal beside a ZIP, signed by a key."""
    data = packed.read_bytes()
    seal = ExportSeal(
        site="demo",
        node="edge-1",
        file=packed.name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        made_utc_ms=UtcMs(1),
        by="li",
        reason="court",
        key=key.id,
    )
    beside = packed.with_name(f"{packed.name}.seal.json")
    beside.write_bytes(sign_line(seal, key.sign) + b"\n")
    return beside


def test_the_seal_of_a_zip_is_judged(whole: EvidenceSet, tmp_path: Path) -> None:
    question = exported(whole, tmp_path / "folder")
    packed = Path(shutil.make_archive(str(tmp_path / "export"), "zip", tmp_path / "folder"))
    question = replace(question, path=packed)
    assert Kind.NO_SEAL in kinds(verify(question), Weight.REMARK)
    beside = sealed(whole, packed, whole.keys[1])
    report = verify(question)
    assert (report.exit, kinds(report, Weight.DOUBT)) == (Exit.WHOLE, set()), faults(report)
    assert Kind.NO_SEAL not in kinds(report, Weight.REMARK)
    sealed(whole, packed, SigningKey.generate())
    assert kinds(verify(question), Weight.DOUBT) == {Kind.SEAL_OTHER_KEY}
    sealed(whole, packed, whole.keys[1])
    beside.write_bytes(beside.read_bytes().replace(b'"li"', b'"lu"'))
    assert kinds(verify(question), Weight.FAULT) == {Kind.SEAL}
    sealed(whole, packed, whole.keys[1])
    with zipfile.ZipFile(packed, "a") as archive:
        archive.comment = b"altered"
    assert kinds(verify(question), Weight.FAULT) == {Kind.SEAL}


def test_a_damaged_zip_is_told_as_such(whole: EvidenceSet, tmp_path: Path) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"PK\x03\x04 no zip")
    report = verify(asked(whole, path))
    assert (report.exit, report.all_findings[0].kind) == (Exit.CANNOT_TELL, Kind.UNREADABLE_PATH)


def test_a_copy_that_passes_for_the_file_being_written_is_found(tmp_path: Path) -> None:
    size = Size(tracks=1, days=1, day_segments=3, segment_bytes=10_000)
    made = write_set(tmp_path, size=size)
    growing, copied_from = made.tracks[TRACK].unfinished, made.tracks[TRACK].files[0].path
    assert growing is not None
    shutil.copyfile(copied_from, growing)
    (found,) = [f for f in verify(asked(made)).all_findings if f.weight is Weight.FAULT]
    assert (found.kind, found.values) == (Kind.COPIED_FILE, (copied_from.name,))


def test_a_link_is_neither_followed_nor_opened(whole: EvidenceSet, tmp_path: Path) -> None:
    made = copy_of(whole, tmp_path / "set")
    outside = tmp_path / "outside"
    shutil.move(made.root / TRACK, outside)
    (made.root / TRACK).symlink_to(outside)
    report = verify(asked(made))
    assert Kind.NOT_A_FILE in kinds(report, Weight.FAULT)
    assert [track.chain.track for track in report.tracks] == ["room-2-cam"]


def test_a_deletion_that_a_power_cut_interrupted_is_no_fault(
    whole: EvidenceSet, tmp_path: Path
) -> None:
    made = write_set(tmp_path, size=Size(tracks=1, day_segments=3, segment_bytes=50), seed=3)
    gone = next(file for file in made.tracks[TRACK].files if file.deleted)
    chance = random.Random(3)
    chance.randrange(1_000)  # the generator's first draw
    length = 50 + chance.randrange(12)
    gone.path.write_bytes(chance.randbytes(length))
    report = verify(asked(made))
    assert (report.exit, gone.number) == (Exit.WHOLE, 1), faults(report)
    assert Kind.DELETION_UNFINISHED in kinds(report, Weight.REMARK)
    gone.path.write_bytes(b"another")
    assert kinds(verify(asked(made)), Weight.FAULT) == {Kind.DELETED_ALTERED}


def test_a_cut_tail_with_its_witnesses_needs_the_controllers_own_record(
    whole: EvidenceSet, tmp_path: Path
) -> None:
    made = copy_of(whole, tmp_path / "set")
    altered = alterations.cut_tail(made, random.Random(5))
    alone = verify(Asked(made.root, made.node_keys, made.controller_key))
    with_heads = verify(asked(made))
    assert with_heads.exit is Exit.FAULTY
    assert FaultKind.PREVIOUS not in kinds(alone, Weight.FAULT)
    found = next(f for f in with_heads.all_findings if f.kind is Kind.TAIL_CUT)
    assert found.sequence == altered.entries[0]


def test_paths_that_hold_nothing_are_told_as_such(whole: EvidenceSet, tmp_path: Path) -> None:
    for path, kind in (
        (tmp_path / "none", Kind.UNREADABLE_PATH),
        (tmp_path, Kind.NO_RECORDINGS),
    ):
        report = verify(asked(whole, path))
        assert report.exit is Exit.CANNOT_TELL
        assert report.all_findings[0].kind is kind
    assert NOTHING not in {track.chain.previous for track in verify(asked(whole, tmp_path)).tracks}
