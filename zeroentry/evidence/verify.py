"""Decides whether recordings are whole: keys, witnesses, chains, files, in that order, offline."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from contracts.evidence.exports import EXPORT_FILE, ExportNote
from contracts.evidence.lines import KeyId
from runtime.signing import KeyFileError
from zeroentry.evidence.account import Account, account, judge_hashes
from zeroentry.evidence.chains import ChainRead, named, read_chain
from zeroentry.evidence.cut_files import judge_cuts
from zeroentry.evidence.export_note import ExportNoteError, judge_seal
from zeroentry.evidence.findings import Exit, Finding, Kind, exit_of
from zeroentry.evidence.hashing import hash_files, jobs_default
from zeroentry.evidence.lines_of import lines_of
from zeroentry.evidence.places import WITNESS, Extent, Places, find_places
from zeroentry.evidence.tree import READ_ERRORS, FolderTree, Sort, Tree, ZipTree, shown
from zeroentry.evidence.trust import read_given, read_in_tree
from zeroentry.evidence.witnesses import Witnesses


@dataclass(frozen=True, slots=True)
class Asked:
    """What to verify, and whom the caller trusts."""

    path: Path
    node_key: Path | None = None
    controller_key: Path | None = None
    heads: Path | None = None
    jobs: int = field(default_factory=jobs_default)
    sources: Path | None = None
    """A folder of recordings to which parts of files are compared."""


@dataclass(frozen=True, slots=True)
class TrackReport:
    """One track, judged."""

    chain: ChainRead
    present: int
    present_bytes: int
    deleted: int
    findings: tuple[Finding, ...]
    """The earliest fault first."""
    doubts: tuple[Finding, ...] = ()
    """What makes all tracks doubtful, such as a key that was not given."""

    @property
    def exit(self) -> Exit:
        """What the track amounts to."""
        return exit_of((*self.findings, *self.doubts))


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was verified."""

    path: Path
    extent: Extent | None
    tracks: tuple[TrackReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What belongs to no one track."""
    witness_signatures: int = 0
    roots: int = 0
    from_heads: bool = False

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Of the whole and of each track, heaviest first, each sort in the order found."""
        rows = [*(f for track in self.tracks for f in track.findings), *self.findings]
        return tuple(sorted(rows, key=lambda finding: -finding.weight))

    @property
    def exit(self) -> Exit:
        """What it all amounts to."""
        return exit_of(self.all_findings)


@dataclass(frozen=True, slots=True)
class _Keys:
    node: Mapping[KeyId, bytes]
    controller: Mapping[KeyId, bytes]
    controller_given: bool
    findings: tuple[Finding, ...]


class Progress:
    """What is told while it goes on; this one is silent."""

    def total(self, total_bytes: int) -> None:
        """So many bytes are to be hashed."""

    def advance(self, count_bytes: int) -> None:
        """So many more were; called from any thread."""


def verify(asked: Asked, progress: Progress | None = None) -> Report:
    """Judge what lies at a path; everything that goes wrong in reading is a finding."""
    try:
        with open_tree(asked.path) as tree:
            return _verify(asked, tree, progress or Progress())
    except (ExportNoteError, KeyFileError, *READ_ERRORS) as error:
        finding = Finding(Kind.UNREADABLE_PATH, str(asked.path), values=(str(error),))
        return Report(asked.path, None, findings=(finding,))


@contextmanager
def open_tree(path: Path) -> Iterator[Tree]:
    """A folder or ZIP to read from.

    Raises:
        OSError: it is neither.
        zipfile.BadZipFile: it is no ZIP.
    """
    if path.is_dir():
        yield FolderTree(path)
        return
    with zipfile.ZipFile(path) as archive:
        yield ZipTree(archive)


def _verify(asked: Asked, tree: Tree, progress: Progress) -> Report:
    places = find_places(tree, asked.path.resolve().name)
    if places is None:
        finding = Finding(Kind.NO_RECORDINGS, str(asked.path))
        return Report(asked.path, None, findings=(finding,))
    places = replace(places, tracks=tuple(named(tree, place) for place in places.tracks))
    keys = _keys(asked, tree)
    witnesses, rereadable = _witnesses(asked, tree, places, keys)
    findings = [*places.findings, *keys.findings, *rereadable]
    accounts: list[tuple[str, Account | None, ChainRead]] = []
    for place in places.tracks:
        chain = read_chain(tree, place, places.extent, keys.node, witnesses)
        try:
            accounts.append((place.path, account(tree, place, places.extent, chain), chain))
        except READ_ERRORS as error:
            chain.find(Finding(Kind.UNREADABLE_FILE, place.path, values=(str(error),)))
            accounts.append((place.path, None, chain))
    _hash(asked, tree, [made for _, made, _ in accounts if made is not None], progress)
    sealed = False
    if asked.path.is_file():
        # A node seals its own exports; a retrieval's package is sealed by the controller.
        doubt = judge_seal(asked.path, {**keys.node, **keys.controller})
        findings += [doubt] if doubt is not None else []
        sealed = doubt is None
    if places.note is not None:
        findings += _beside(asked, tree, places.note)
        entered = {chain.track: chain.files for _, _, chain in accounts}
        findings += judge_cuts(tree, places.note, entered, sealed=sealed, sources=asked.sources)
    findings += _missing_tracks(places, [chain for _, _, chain in accounts], witnesses)
    by_track, others = _by_track(witnesses.findings, [path for path, _, _ in accounts])
    tracks = tuple(
        _track_report(chain, made, [*by_track.get(path, ())], keys)
        for path, made, chain in accounts
    )
    return Report(
        path=asked.path,
        extent=places.extent,
        tracks=tracks,
        findings=(*findings, *others),
        witness_signatures=witnesses.checked,
        roots=witnesses.roots,
        from_heads=asked.heads is not None,
    )


def _keys(asked: Asked, tree: Tree) -> _Keys:
    own = read_in_tree(tree)
    findings: list[Finding] = []
    if asked.node_key is not None:
        node = read_given(asked.node_key)
    else:
        node = own
        kind = Kind.KEYS_FROM_FOLDER if own else Kind.NO_NODE_KEY
        findings.append(Finding(kind, str(asked.path)))
    if asked.controller_key is not None:
        return _Keys(node, read_given(asked.controller_key), True, tuple(findings))
    findings.append(Finding(Kind.NO_CONTROLLER_KEY, str(asked.path)))
    return _Keys(node, own, False, tuple(findings))


def _witnesses(
    asked: Asked, tree: Tree, places: Places, keys: _Keys
) -> tuple[Witnesses, list[Finding]]:
    """Every countersignature at hand: beside the manifests and from the controller."""
    witnesses = Witnesses()
    findings: list[Finding] = []
    for place in places.tracks:
        for _, folder in place.days:
            path = (*folder, WITNESS)
            if not any(f.name == WITNESS and f.sort is Sort.FILE for f in tree.listing(folder)):
                continue
            try:
                with tree.open(path) as file:
                    track = place.track or ""
                    witnesses.read(lines_of(file), shown(path), keys.controller, track=track)
            except READ_ERRORS as error:
                findings.append(Finding(Kind.UNREADABLE_FILE, shown(path), values=(str(error),)))
    if asked.heads is not None:
        with asked.heads.open("rb") as file:
            witnesses.read(lines_of(file), str(asked.heads), keys.controller)
    if keys.controller_given:
        witnesses.findings += [
            Finding(Kind.WITNESS_OTHER_KEY, path, line, values=(key,))
            for (path, key), line in witnesses.strange.items()
        ]
    return witnesses, findings


def _hash(asked: Asked, tree: Tree, accounts: list[Account], progress: Progress) -> None:
    progress.total(sum(made.bytes_to_hash for made in accounts))
    paths = [path for made in accounts for path in made.to_hash]
    hashed = hash_files(tree, paths, asked.jobs, progress.advance)
    for made in accounts:
        judge_hashes(made, hashed)


def _beside(asked: Asked, tree: Tree, note: ExportNote) -> list[Finding]:
    """The further files of an export."""
    there = {found.name for found in tree.listing() if found.sort is Sort.FILE}
    findings = [Finding(Kind.MISSING_FILE, name) for name in note.files if name not in there]
    paths = [(name,) for name in note.files if name in there and name != EXPORT_FILE]
    for (name,), hashed in hash_files(tree, paths, asked.jobs).items():
        if hashed.error:
            findings.append(Finding(Kind.UNREADABLE_FILE, name, values=(hashed.error,)))
        elif hashed.sha256 != note.files[name]:
            values = (hashed.sha256, note.files[name])
            findings.append(Finding(Kind.HASH, name, values=values))
    return findings


def _missing_tracks(places: Places, chains: list[ChainRead], witnesses: Witnesses) -> list[Finding]:
    """Tracks of the nodes at hand that the controller knows and the folder lacks."""
    if places.extent is not Extent.ALL:
        return []
    nodes = {(chain.site, chain.node) for chain in chains if chain.entries}
    here = {chain.track for chain in chains}
    findings: list[Finding] = []
    for track, words in witnesses.heads.items():
        last = [
            word.sequence
            for row in words.values()
            for word in row
            if (word.site, word.node) in nodes
        ]
        if last and track not in here:
            findings.append(Finding(Kind.TRACK_MISSING, track, values=(track, max(last))))
    return findings


def _by_track(
    findings: list[Finding], paths: list[str]
) -> tuple[dict[str, list[Finding]], list[Finding]]:
    by_track: dict[str, list[Finding]] = {}
    others: list[Finding] = []
    for finding in findings:
        owner = next((p for p in paths if p and finding.path.startswith(f"{p}/")), None)
        if owner is None and len(paths) == 1 and finding.path.endswith(WITNESS):
            owner = paths[0]
        if owner is None:
            others.append(finding)
        else:
            by_track.setdefault(owner, []).append(finding)
    return by_track, others


def _track_report(
    chain: ChainRead, made: Account | None, witness_findings: list[Finding], keys: _Keys
) -> TrackReport:
    files = sorted(made.findings, key=lambda finding: finding.order) if made else []
    if keys.controller_given and chain.entries > 0 and chain.witnessed_to < chain.last:
        values = (chain.witnessed_to, chain.last)
        chain.find(Finding(Kind.UNWITNESSED, chain.last_path, None, None, values))
    # The chain first: a line that was taken away makes a file look missing, not the other way.
    findings = [*chain.findings, *files, *witness_findings]
    findings.sort(key=lambda finding: -finding.weight)
    return TrackReport(
        chain=chain,
        present=made.present if made else 0,
        present_bytes=made.present_bytes if made else 0,
        deleted=sum(file.deleted for file in chain.files.values()),
        findings=tuple(findings),
        doubts=keys.findings,
    )
