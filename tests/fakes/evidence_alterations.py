"""Alters recordings as somebody would who wants something unseen; each says what must be named."""

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.evidence.entries import Segment
from contracts.evidence.lines import sign_line
from runtime.signing import SigningKey
from tests.fakes.evidence_sets import EvidenceSet, FilePlace, TrackWritten


@dataclass(frozen=True, slots=True)
class Altered:
    """What was done, and what a verification must name: a file of these, and an entry of these."""

    what: str
    files: tuple[Path, ...]
    entries: tuple[int, ...] = ()
    """Empty: the alteration is of no entry (a witness line, a file that no entry knows)."""


Alter = Callable[[EvidenceSet, random.Random], Altered]


def copy_of(made: EvidenceSet, folder: Path) -> EvidenceSet:
    """The same set in another place, to be altered there."""
    shutil.copytree(made.root.parent, folder, symlinks=True)
    before, after = made.root.parent, folder

    def moved(path: Path) -> Path:
        return after / path.relative_to(before)

    tracks = {
        name: TrackWritten(
            name,
            [(moved(path), line, entry) for path, line, entry in track.lines],
            [FilePlace(moved(f.path), f.number, f.sequence, f.deleted) for f in track.files],
            moved(track.unfinished) if track.unfinished else None,
        )
        for name, track in made.tracks.items()
    }
    return EvidenceSet(
        root=moved(made.root),
        node_keys=moved(made.node_keys),
        controller_key=moved(made.controller_key),
        heads=moved(made.heads),
        tracks=tracks,
        keys=made.keys,
        controller=made.controller,
    )


def _track(made: EvidenceSet, chance: random.Random) -> TrackWritten:
    return made.tracks[chance.choice(sorted(made.tracks))]


def _segment(made: EvidenceSet, chance: random.Random) -> FilePlace:
    return chance.choice(_track(made, chance).present)


def flip(path: Path, chance: random.Random) -> int:
    """Flip a random bit of a random byte; where."""
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return place


def flip_media(made: EvidenceSet, chance: random.Random) -> Altered:
    file = _segment(made, chance)
    flip(file.path, chance)
    return Altered("one bit of a segment flipped", (file.path,), (file.sequence,))


def flip_manifest(made: EvidenceSet, chance: random.Random) -> Altered:
    track = _track(made, chance)
    path = chance.choice(sorted({path for path, _, _ in track.lines}))
    place = flip(path, chance)
    return Altered("one bit of a manifest flipped", (path,), (_entry_at(track, path, place),))


def _entry_at(track: TrackWritten, path: Path, place: int) -> int:
    """The entry in whose line (line feed included) a byte of a manifest lies."""
    end = 0
    for file, line, entry in track.lines:
        if file == path:
            end += len(line) + 1
            if place < end:
                return entry.sequence
    raise AssertionError(f"byte {place} lies behind {path}")


def flip_witness(made: EvidenceSet, chance: random.Random) -> Altered:
    path = chance.choice(sorted(made.root.glob("*/*/witness.jsonl")))
    flip(path, chance)
    return Altered("one bit of a countersignature flipped", (path,))


def remove_segment(made: EvidenceSet, chance: random.Random) -> Altered:
    file = _segment(made, chance)
    file.path.unlink()
    return Altered("a segment removed", (file.path,), (file.sequence,))


def swap_segments(made: EvidenceSet, chance: random.Random) -> Altered:
    first, second = chance.sample(_track(made, chance).present, 2)
    one, other = first.path.read_bytes(), second.path.read_bytes()
    first.path.write_bytes(other)
    second.path.write_bytes(one)
    files, entries = (first.path, second.path), (first.sequence, second.sequence)
    return Altered("two segments swapped", files, entries)


def truncate_segment(made: EvidenceSet, chance: random.Random) -> Altered:
    file = _segment(made, chance)
    os.truncate(file.path, chance.randrange(file.path.stat().st_size))
    return Altered("a segment truncated", (file.path,), (file.sequence,))


def duplicate_segment(made: EvidenceSet, chance: random.Random) -> Altered:
    """Under a number that was deleted, one that was never given, or in another day's folder."""
    track = _track(made, chance)
    file = chance.choice(track.present)
    if chance.random() < 0.3:
        days = sorted({path.parent for path, _, _ in track.lines} - {file.path.parent})
        copied = chance.choice(days) / file.path.name
        entries: tuple[int, ...] = (file.sequence,)
    else:
        stamp = file.path.name.rsplit("_", 1)[1]
        number = chance.choice([1, file.number, 90_000_000])
        name = f"{track.track}_{number:08d}_{stamp}"
        if name == file.path.name:
            name = name.replace(stamp, "20261122T111111Z")
        copied = file.path.parent / name
        entries = ()
    shutil.copyfile(file.path, copied)
    return Altered("a segment duplicated", (copied, file.path), entries)


def rename_segment(made: EvidenceSet, chance: random.Random) -> Altered:
    file = _segment(made, chance)
    stamp = "20261122T101010Z"
    renamed = file.path.with_name(f"{file.path.name.rsplit('_', 1)[0]}_{stamp}.mp4")
    file.path.rename(renamed)
    return Altered("a segment renamed", (file.path,), (file.sequence,))


def _rewrite(track: TrackWritten, path: Path, change: Callable[[list[bytes]], None]) -> None:
    lines = [line for file, line, _ in track.lines if file == path]
    change(lines)
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def _line(made: EvidenceSet, chance: random.Random) -> tuple[TrackWritten, int, Path, int]:
    """A track, the index of a line in it, its manifest, and its index in that."""
    track = _track(made, chance)
    index = chance.randrange(len(track.lines))
    path = track.lines[index][0]
    first = next(i for i, (file, _, _) in enumerate(track.lines) if file == path)
    return track, index, path, index - first


def edit_line(made: EvidenceSet, chance: random.Random) -> Altered:
    track, index, path, place = _line(made, chance)
    entry = track.lines[index][2]
    old = track.lines[index][1]
    shorter = old.replace(b'"offset_ms":0.25', b'"offset_ms":0.26')
    _rewrite(track, path, lambda lines: lines.__setitem__(place, shorter))
    return Altered("a line edited", (path,), (entry.sequence,))


def remove_line(made: EvidenceSet, chance: random.Random) -> Altered:
    track, index, path, place = _line(made, chance)
    _rewrite(track, path, lambda lines: lines.__delitem__(place))
    sequence = track.lines[index][2].sequence
    # The manifest that lacks it, or the one in which the chain goes on without it.
    after = track.lines[min(index + 1, len(track.lines) - 1)][0]
    before = track.lines[max(index - 1, 0)][0]
    return Altered("a line removed", (path, after, before), (sequence, sequence + 1))


def swap_lines(made: EvidenceSet, chance: random.Random) -> Altered:
    track = _track(made, chance)
    at = chance.choice(
        [i for i in range(len(track.lines) - 1) if track.lines[i][0] == track.lines[i + 1][0]]
    )
    path = track.lines[at][0]
    first = next(i for i, (file, _, _) in enumerate(track.lines) if file == path)

    def change(lines: list[bytes]) -> None:
        place = at - first
        lines[place], lines[place + 1] = lines[place + 1], lines[place]

    _rewrite(track, path, change)
    return Altered("two lines swapped", (path,), (at + 1, at + 2))


def duplicate_line(made: EvidenceSet, chance: random.Random) -> Altered:
    track, index, path, place = _line(made, chance)
    to = chance.randrange(place + 1, place + 3)
    line = track.lines[index][1]
    _rewrite(track, path, lambda lines: lines.insert(to, line))
    # Named by its own number, or by that of the place where it lies.
    return Altered("a line duplicated", (path,), (index + 1, index + 2, index + 3))


def resign_line(made: EvidenceSet, chance: random.Random) -> Altered:
    """A segment's entry told anew, and signed with a key of one's own."""
    track = _track(made, chance)
    segments = [i for i, (_, _, entry) in enumerate(track.lines) if isinstance(entry, Segment)]
    index = chance.choice(segments)
    path, _, entry = track.lines[index]
    key = SigningKey.generate()
    own = chance.random() < 0.5
    forged = entry.model_copy(
        update={"recorded": entry.recorded.model_copy(update={"mono_ms": 7})}
        | ({"key": key.id} if own else {})
    )
    line = sign_line(forged, key.sign)
    first = next(i for i, (file, _, _) in enumerate(track.lines) if file == path)
    _rewrite(track, path, lambda lines: lines.__setitem__(index - first, line))
    return Altered("a line signed by another key", (path,), (entry.sequence,))


def resign_whole(made: EvidenceSet, chance: random.Random) -> Altered:
    """The whole chain told anew under another key, each line consistent with the next."""
    track = _track(made, chance)
    rewrite_chain(track, SigningKey.generate(), 0)
    return Altered("a chain signed by another key", (track.lines[0][0],), (1,))


def rewrite_tail(made: EvidenceSet, chance: random.Random) -> Altered:
    """The tail told anew with the node's own stolen key: only the witness knows."""
    track = _track(made, chance)
    index = chance.randrange(
        next(i for i, row in enumerate(track.lines) if row[2].kind == "handover") + 1,
        len(track.lines),
    )
    path = rewrite_chain(track, made.keys[1], index)
    return Altered("a tail rewritten with the node's own key", (path,), (index + 1,))


def rewrite_chain(track: TrackWritten, key: SigningKey, index: int) -> Path:
    """Sign everything from a line on anew; the manifest of that line."""
    previous = hashlib.sha256(track.lines[index - 1][1]).hexdigest() if index else "0" * 64
    told: dict[Path, list[bytes]] = {}
    for number, (path, line, entry) in enumerate(track.lines):
        if number >= index:
            recorded = entry.recorded.model_copy(update={"mono_ms": entry.recorded.mono_ms + 1})
            update = {"key": key.id, "previous": previous, "recorded": recorded}
            anew = sign_line(entry.model_copy(update=update), key.sign)
            previous = hashlib.sha256(anew).hexdigest()
            told.setdefault(path, []).append(anew)
        else:
            told.setdefault(path, []).append(line)
    for path, lines in told.items():
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    return track.lines[index][0]


def cut_tail(made: EvidenceSet, chance: random.Random) -> Altered:
    """Lines, the files they name, and the countersignatures beside them: as if never recorded."""
    track = _track(made, chance)
    keep = chance.randrange(2, len(track.lines))
    gone = track.lines[keep:]
    for file in track.files:
        if file.sequence > keep and not file.deleted:
            file.path.unlink()
    if track.unfinished is not None:
        track.unfinished.unlink()
    for path in sorted({path for path, _, _ in gone}):
        kept = [line for file, line, _ in track.lines[:keep] if file == path]
        witness = path.with_name("witness.jsonl")
        if kept:
            path.write_bytes(b"".join(line + b"\n" for line in kept))
            witnessed = witness.read_bytes().splitlines(keepends=True)[: len(kept)]
            witness.write_bytes(b"".join(witnessed))
        else:
            shutil.rmtree(path.parent)
    return Altered("the tail cut off", (track.lines[keep - 1][0],), (keep + 1,))


def cut_lines(made: EvidenceSet, chance: random.Random) -> Altered:
    """The last manifest cut in the middle of a line."""
    track = _track(made, chance)
    path = track.lines[-1][0]
    size = path.stat().st_size
    at = chance.randrange(size - 1)  # without its line feed alone, the last line is still whole
    os.truncate(path, at)
    sequence = _entry_at(track, path, at)
    before = track.lines[max(0, sequence - 2)][0]
    return Altered("the last manifest cut", (path, before), (sequence,))


def remove_first_day(made: EvidenceSet, chance: random.Random) -> Altered:
    track = _track(made, chance)
    first = track.lines[0][0].parent
    shutil.rmtree(first)
    later = next((path, e.sequence) for path, _, e in track.lines if path.parent != first)
    return Altered("the first day removed", (later[0],), (later[1],))


def remove_track(made: EvidenceSet, chance: random.Random) -> Altered:
    track = _track(made, chance)
    shutil.rmtree(made.root / track.track)
    return Altered("a track removed", (made.root / track.track,))


def plant_file(made: EvidenceSet, chance: random.Random) -> Altered:
    folder = _segment(made, chance).path.parent
    planted = folder / chance.choice(
        ["x.mp4", ".hidden", "room-9-cam_00000001_20261122T080000Z.mp4"]
    )
    planted.write_bytes(b"x")
    return Altered("a file planted", (planted,))


def link_segment(made: EvidenceSet, chance: random.Random) -> Altered:
    """A segment made a link to a copy of it elsewhere, where it can be exchanged."""
    file = _segment(made, chance)
    away = made.root.parent / "away.mp4"
    shutil.move(file.path, away)
    file.path.symlink_to(away)
    return Altered("a segment made a link", (file.path,), ())


ALTERATIONS: Final[tuple[Alter, ...]] = (
    flip_media,
    flip_manifest,
    flip_witness,
    remove_segment,
    swap_segments,
    truncate_segment,
    duplicate_segment,
    rename_segment,
    edit_line,
    remove_line,
    swap_lines,
    duplicate_line,
    resign_line,
    resign_whole,
    rewrite_tail,
    cut_tail,
    cut_lines,
    remove_first_day,
    remove_track,
    plant_file,
    link_segment,
)
