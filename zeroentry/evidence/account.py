"""Decides that each file on disk is accounted for: entered and whole, deleted, or growing."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from zeroentry.evidence.chains import ChainRead, FileEntered
from zeroentry.evidence.findings import Finding, Kind
from zeroentry.evidence.hashing import Hashed
from zeroentry.evidence.places import (
    ASIDE,
    MANIFEST,
    WITNESS,
    WORKING,
    Extent,
    TrackPlace,
    is_segment_name,
    number_in,
    start_day_in,
)
from zeroentry.evidence.tree import Found, Sort, Tree, shown

COPY_MIN_BYTES = 8_192  # files without a fragment, only a head, are alike and no copies
NEW_DAYS = 2  # a file may have been begun before midnight and entries have been written after


@dataclass(slots=True)
class Account:
    """The files of one track: which to hash, which are there for another reason."""

    chain: ChainRead
    to_hash: dict[tuple[str, ...], FileEntered | None] = field(default_factory=dict)
    """Files with the entry that names them; None: not entered yet."""
    present: int = 0
    present_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def bytes_to_hash(self) -> int:
        """As entered; what progress is measured against."""
        return sum(file.bytes for file in self.to_hash.values() if file is not None)


def account(tree: Tree, place: TrackPlace, extent: Extent, chain: ChainRead) -> Account:
    """Hold what is on disk against what the entries name.

    Raises:
        OSError: a folder cannot be read.
    """
    made = Account(chain)
    by_name = {file.name: file for file in chain.files.values()}
    seen: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[tuple[str, ...], Found]] = []
    newest_days = [day for day, _ in place.days[-NEW_DAYS:]]
    for day, folder in place.days:
        for found in tree.listing(folder):
            path = (*folder, found.name)
            file = by_name.get(found.name)
            if found.sort is not Sort.FILE or not is_segment_name(found.name):
                _other(made, path, found)
            elif file is not None:
                _entered(made, seen, path, file, day)
            elif number_in(found.name) > chain.last_number and (
                day in newest_days and start_day_in(found.name) <= day
            ):
                waiting.append((path, found))
            else:
                made.findings.append(Finding(Kind.UNLISTED_FILE, shown(path)))
    _waiting(made, waiting, extent)
    _absent(made, by_name.values(), seen, place, extent)
    return made


def _other(made: Account, path: tuple[str, ...], found: Found) -> None:
    if found.sort is Sort.OTHER:
        made.findings.append(Finding(Kind.NOT_A_FILE, shown(path)))
    elif found.sort is Sort.FOLDER:
        made.findings.append(Finding(Kind.UNLISTED_FOLDER, shown(path)))
    elif ASIDE.fullmatch(found.name):
        made.findings.append(Finding(Kind.KEPT_ASIDE, shown(path)))
    elif WORKING.fullmatch(found.name):
        made.findings.append(Finding(Kind.WORKING_FILE, shown(path)))
    elif found.name not in (MANIFEST, WITNESS):
        made.findings.append(Finding(Kind.UNLISTED_FILE, shown(path)))


def _entered(
    made: Account,
    seen: dict[str, tuple[str, ...]],
    path: tuple[str, ...],
    file: FileEntered,
    day: str,
) -> None:
    if file.name in seen:
        values = (shown(seen[file.name]),)
        made.findings.append(
            Finding(Kind.FILE_TWICE, shown(path), None, file.sequence, values, file.order)
        )
        return
    seen[file.name] = path
    if not file.first_day <= day <= file.last_day:
        days = (file.first_day, file.last_day)
        made.findings.append(
            Finding(Kind.MISPLACED_FILE, shown(path), None, file.sequence, days, file.order)
        )
    made.to_hash[path] = file


def _waiting(made: Account, waiting: list[tuple[tuple[str, ...], Found]], extent: Extent) -> None:
    """Files above the last entry: one is being written, no more."""
    waiting.sort(key=lambda row: number_in(row[1].name))
    for index, (path, found) in enumerate(waiting):
        if extent is Extent.DAY:
            made.findings.append(Finding(Kind.ENTERED_LATER, shown(path)))
        elif extent is Extent.EXPORT or index > 0:
            made.findings.append(Finding(Kind.UNLISTED_FILE, shown(path)))
        else:
            values = (found.bytes,)
            made.findings.append(Finding(Kind.BEING_WRITTEN, shown(path), values=values))
            made.to_hash[path] = None


def _absent(
    made: Account,
    files: Iterable[FileEntered],
    seen: dict[str, tuple[str, ...]],
    place: TrackPlace,
    extent: Extent,
) -> None:
    left_out = frozenset(place.part.left_out) if place.part is not None else frozenset()
    without = 0
    for file in files:
        if file.name in seen or file.deleted:
            continue
        if file.number in left_out:
            without += 1
            continue
        folder = file.first_day if extent is Extent.DAY else f"{place.path}/{file.first_day}"
        path = f"{folder}/{file.name}".lstrip("/")
        if extent is Extent.DAY and file.first_day < place.days[0][0]:
            made.findings.append(Finding(Kind.ELSEWHERE, path, values=(file.number,)))
            continue
        kind = Kind.GONE if extent is Extent.DAY else Kind.MISSING_FILE
        made.findings.append(Finding(kind, path, None, file.sequence, (), file.order))
    if without:
        made.findings.append(Finding(Kind.LEFT_OUT, place.path, values=(without,)))


def judge_hashes(made: Account, hashed: dict[tuple[str, ...], Hashed]) -> None:
    """Hold what the files hash to against what they were entered with."""
    by_hash = {file.sha256: file.name for file in made.chain.files.values()}
    for path, file in made.to_hash.items():
        result = hashed[path]
        if file is None:
            original = by_hash.get(result.sha256)
            if original is not None and result.bytes >= COPY_MIN_BYTES:
                made.findings.append(Finding(Kind.COPIED_FILE, shown(path), values=(original,)))
            continue
        found = _judged(file, result)
        if found is not None:
            kind, values = found
            made.findings.append(
                Finding(kind, shown(path), None, file.sequence, values, file.order)
            )
        if not file.deleted:
            made.present += 1
            made.present_bytes += result.bytes


def _judged(file: FileEntered, result: Hashed) -> tuple[Kind, tuple[str | int, ...]] | None:
    whole = (result.bytes, result.sha256) == (file.bytes, file.sha256)
    if result.error:
        return Kind.UNREADABLE_FILE, (result.error,)
    if file.deleted:
        return (Kind.DELETION_UNFINISHED if whole else Kind.DELETED_ALTERED), ()
    if result.bytes != file.bytes:
        return Kind.SIZE, (result.bytes, file.bytes)
    return None if whole else (Kind.HASH, (result.sha256, file.sha256))
