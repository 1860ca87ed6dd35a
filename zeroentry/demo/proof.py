"""Verifies the demo's recordings as a stranger would: from files, public keys and witnessed heads.

What a stranger is handed lies in one folder: ``recordings`` of all nodes, their public keys, the
controller's public key, and its record of countersigned heads.
"""

import asyncio
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.api import Sentence
from contracts.evidence.entries import GapReason, TrackId
from contracts.units import NodeId, UtcMs
from runtime.clock import Clock
from runtime.signing import KeyFileError, public_key_name, read_key
from zeroentry.demo.feed import Account, DeadlineError
from zeroentry.evidence.findings import Exit, Finding
from zeroentry.evidence.texts import GAP_REASONS
from zeroentry.evidence.verify import Asked, Report, verify

PAPERS: Final = "proof"
KEPT: Final = "last-demo"
KEEP_MAX_BYTES: Final = 4 * 1024**3  # a demo that ran for hours; a visitor's disk is not ours
AGAIN_MS: Final = 500  # an entry is announced and countersigned within less
JOBS: Final = 1  # the other core belongs to what is being recorded
KEYS_MODE: Final = 0o700
SENTENCE_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class ProvedGap:
    """Time without a recording, as the chain tells it."""

    node_id: NodeId
    track_id: TrackId
    reason: GapReason
    start_utc_ms: UtcMs
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What a verification of all recordings came to; ``finding``: the first that speaks against."""

    exit: Exit
    tracks: int
    segments: int
    gaps: tuple[ProvedGap, ...]
    finding: Sentence | None = None

    def told(self) -> Sentence:
        """The result in words."""
        unexplained = sum(gap.reason is GapReason.UNKNOWN for gap in self.gaps)
        match self.exit:
            case Exit.WHOLE:
                zh, en = "录像已核验", "Recordings verified"
            case Exit.FAULTY:
                zh, en = "录像被更改或缺失", "Recordings altered or missing"
            case Exit.CANNOT_TELL:
                zh, en = "录像无法判定", "Recordings: cannot tell"
        zh = f"{zh}：{self.tracks} 条轨道，{self.segments} 个片段"
        en = f"{en}: {_count(self.tracks, 'track')}, {_count(self.segments, 'segment')}"
        zh += f"，{len(self.gaps)} 处缺口" if self.gaps else "，没有缺口"
        en += f", {_count(len(self.gaps), 'gap')}" if self.gaps else ", no gap"
        if self.gaps:
            zh += f"（{unexplained} 处原因不明）" if unexplained else "（均有原因）"
            en += f" ({unexplained} unexplained)" if unexplained else " (each with its reason)"
        if self.exit is Exit.WHOLE:
            return Sentence(zh=f"{zh}，控制器已联署", en=f"{en}, countersigned")
        if self.finding is not None:
            zh, en = f"{zh}；{self.finding.zh}", f"{en}; {self.finding.en}"
        return Sentence(zh=zh[:SENTENCE_MAX], en=en[:SENTENCE_MAX])

    def gap_lines(self) -> tuple[str, ...]:
        """Each gap in one line of English."""
        return tuple(
            f"{gap.node_id} {gap.track_id}: {GAP_REASONS[gap.reason].en}, "
            f"{gap.duration_ms / 1000:.1f} s"
            for gap in self.gaps
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@dataclass(frozen=True, slots=True)
class Papers:
    """The folder that a stranger is handed."""

    folder: Path

    @property
    def recordings(self) -> Path:
        """Manifests and segments of all tracks."""
        return self.folder / "recordings"

    @property
    def node_keys(self) -> Path:
        """Public keys of the nodes."""
        return self.folder / "node-keys"

    @property
    def controller_key(self) -> Path:
        """Public key of the controller."""
        return self.folder / "controller.pem"

    @property
    def heads(self) -> Path:
        """The controller's own record of what it countersigned."""
        return self.folder / "heads.jsonl"

    def command(self, program: Sequence[str]) -> str:
        """How a visitor verifies them in their own shell; ``program``: how ours is called there."""
        words = (
            *(*program, "evidence", "verify", str(self.recordings)),
            *("--node-key", str(self.node_keys)),
            *("--controller-key", str(self.controller_key)),
            *("--heads", str(self.heads)),
        )
        return shlex.join(words)

    def verify(self) -> Proof:
        """Judge them; blocks while files are hashed."""
        asked = Asked(self.recordings, self.node_keys, self.controller_key, self.heads, JOBS)
        return proof_of(verify(asked))


def proof_of(report: Report) -> Proof:
    """What of a verification the story tells."""
    gaps = tuple(
        ProvedGap(
            track.chain.node,
            track.chain.track,
            gap.reason,
            UtcMs(gap.start_utc_ms),
            gap.duration_ms,
        )
        for track in report.tracks
        for gap in track.chain.gaps
    )
    return Proof(
        exit=report.exit,
        tracks=len(report.tracks),
        segments=sum(track.present for track in report.tracks),
        gaps=gaps,
        finding=None if report.exit is Exit.WHOLE else _said(report.all_findings[0]),
    )


def _said(finding: Finding) -> Sentence:
    zh = f"{finding.place('zh-CN')}：{finding.text('zh-CN')}"
    en = f"{finding.place('en')}: {finding.text('en')}"
    return Sentence(zh=zh[:SENTENCE_MAX], en=en[:SENTENCE_MAX])


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who takes what is handed out and believes nothing else.

    ``nodes`` are the nodes' data folders: recordings and the key that signs them.
    """

    nodes: tuple[Path, ...]
    papers: Papers
    account: Account
    clock: Clock

    async def prove(self, within_ms: int) -> Proof:
        """Take everything and verify it; again while an entry is too young to be countersigned.

        What is altered or missing is told at once.

        Raises:
            DeadlineError: the controller does not answer, or a folder cannot be read.
        """
        until_ms = self.clock.mono_ms() + within_ms
        while True:
            proof = await self._prove_once()
            if proof.exit is not Exit.CANNOT_TELL or self.clock.mono_ms() >= until_ms:
                return proof
            await self.clock.sleep_ms(AGAIN_MS)

    async def _prove_once(self) -> Proof:
        try:
            # Recordings first: a head may be newer than what was taken, but never the other way.
            await asyncio.to_thread(take_recordings, self.nodes, self.papers)
            key = await self.account.ask("controller's key", lambda api: api.evidence_key())
            heads = await self.account.ask("heads", lambda api: api.evidence_heads())
            self.papers.controller_key.write_text(key, "ascii")
            self.papers.heads.write_text(heads, "ascii")
            return await asyncio.to_thread(self.papers.verify)
        except (OSError, KeyFileError) as error:
            raise DeadlineError(f"recordings cannot be taken: {error}") from error


def take_recordings(nodes: Sequence[Path], papers: Papers) -> None:
    """Put what is recorded up to now into ``papers``, in place of what is there.

    Media are second names of the same files and cost no room. Manifests are copied, and before the
    media: so each file that a copied manifest names is there, though recording goes on.

    Raises:
        KeyFileError: a node's key is not what it must be.
        OSError: something cannot be read or written.
    """
    shutil.rmtree(papers.folder, ignore_errors=True)
    papers.node_keys.mkdir(parents=True, mode=KEYS_MODE)
    for data in nodes:
        key = read_key(data / "keys" / "node-evidence.pem")
        (papers.node_keys / public_key_name(key.id)).write_bytes(key.public_pem())
        for track in _tracks(data / "recordings"):
            _take_track(track, papers.recordings / track.name)


def _tracks(recordings: Path) -> list[Path]:
    return [path for path in sorted(recordings.iterdir()) if path.is_dir() and path.name != "keys"]


def _take_track(track: Path, target: Path) -> None:
    days = sorted(path for path in track.iterdir() if path.is_dir())
    for day in days:
        (target / day.name).mkdir(parents=True)
        for lines in day.glob("*.jsonl"):
            shutil.copyfile(lines, target / day.name / lines.name)
    for day in days:
        for media in day.glob("*.mp4"):
            os.link(media, target / day.name / media.name)


def state_folder() -> Path:
    """Where programs keep what outlives a run (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "zeroentry"


def keep_last(papers: Papers, folder: Path, *, max_bytes: int = KEEP_MAX_BYTES) -> Papers | None:
    """Move papers to where only the last run's are kept; None: they are too large for that.

    Raises:
        OSError: they cannot be moved.
    """
    size = sum(path.stat().st_size for path in papers.folder.rglob("*") if path.is_file())
    target = folder / KEPT
    shutil.rmtree(target, ignore_errors=True)
    if size > max_bytes:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(papers.folder, target)
    return Papers(target)
