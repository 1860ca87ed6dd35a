"""What a stranger takes from a running site, and what the verification of it tells."""

import shutil
from pathlib import Path

import httpx
import pytest

from client import ApiClient
from contracts.api import LoginGiven, User
from contracts.evidence.entries import GapReason
from contracts.units import UtcMs
from runtime.clock import SystemClock
from runtime.signing import write_key
from tests.fakes.evidence_sets import NODE, EvidenceSet, Size, write_set
from zeroentry.demo.feed import Account, DeadlineError
from zeroentry.demo.proof import Papers, Proof, ProvedGap, Stranger, keep_last
from zeroentry.evidence.findings import Exit

WITHIN_MS = 20_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> EvidenceSet:
    return write_set(tmp_path_factory.mktemp("set"), size=Size(tracks=2, days=2, day_segments=4))


class Site:
    """A node's data folder, and a controller that answers for it."""

    def __init__(self, made: EvidenceSet, folder: Path) -> None:
        self.data = folder / "edge-1"
        shutil.copytree(made.root, self.data / "recordings")
        (self.data / "keys").mkdir()
        write_key(self.data / "keys" / "node-evidence.pem", made.keys[1])
        self.key = made.controller_key.read_text()
        self.heads = [made.heads.read_text()]
        self.asked: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path.endswith("/login"):
            user = User(username="director", roles=())
            given = LoginGiven(token="t", expires_utc_ms=UtcMs(1), user=user)
            return httpx.Response(200, text=given.model_dump_json())
        if request.url.path.endswith("/evidence/key"):
            return httpx.Response(200, text=self.key)
        assert request.url.path.endswith("/evidence/heads.jsonl")
        return httpx.Response(200, text=self.heads.pop(0) if self.heads[1:] else self.heads[0])

    def stranger(self, folder: Path) -> Stranger:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        clock = SystemClock()
        account = Account(ApiClient(http, "http://controller"), clock, "director", "secret")
        return Stranger((self.data,), Papers(folder), account, clock)


@pytest.fixture
def site(whole: EvidenceSet, tmp_path: Path) -> Site:
    return Site(whole, tmp_path)


async def test_what_is_whole_is_told_with_its_gaps(
    site: Site, whole: EvidenceSet, tmp_path: Path
) -> None:
    stranger = site.stranger(tmp_path / "proof")
    proof = await stranger.prove(WITHIN_MS)
    assert proof.exit is Exit.WHOLE
    assert proof.tracks == 2
    assert proof.segments == sum(len(track.present) for track in whole.tracks.values())
    assert proof.gaps
    assert {gap.node_id for gap in proof.gaps} == {NODE}
    assert proof.finding is None
    told = proof.told()
    assert told.en.startswith(f"Recordings verified: 2 tracks, {proof.segments} segments, ")
    assert told.en.endswith("countersigned")
    assert told.zh.startswith(f"录像已核验：2 条轨道，{proof.segments} 个片段，")
    assert len(proof.gap_lines()) == len(proof.gaps)


async def test_media_are_taken_without_a_second_copy_and_no_private_key_is(
    site: Site, tmp_path: Path
) -> None:
    stranger = site.stranger(tmp_path / "proof")
    await stranger.prove(WITHIN_MS)
    await stranger.prove(WITHIN_MS)  # in place of what was taken before
    own = sorted((site.data / "recordings").glob("*/*/*.mp4"))
    taken = sorted(stranger.papers.recordings.glob("*/*/*.mp4"))
    assert [path.name for path in taken] == [path.name for path in own]
    assert [path.stat().st_ino for path in taken] == [path.stat().st_ino for path in own]
    manifest = next(stranger.papers.recordings.glob("*/*/manifest.jsonl"))
    assert manifest.stat().st_nlink == 1  # a copy: the chain goes on in the other
    assert not [
        path
        for path in stranger.papers.folder.rglob("*.pem")
        if "PRIVATE" in path.read_text("ascii")
    ]


async def test_an_entry_that_is_too_young_is_waited_for(site: Site, tmp_path: Path) -> None:
    whole_record = site.heads[0]
    site.heads = [whole_record.partition("\n")[0] + "\n", whole_record]
    site.heads[0] = ""
    # What lies beside the manifests would do as well: here the controller's word alone counts.
    for witness in (site.data / "recordings").glob("*/*/witness.jsonl"):
        witness.unlink()
    proof = await site.stranger(tmp_path / "proof").prove(WITHIN_MS)
    assert proof.exit is Exit.WHOLE
    assert sum(path.endswith("heads.jsonl") for path in site.asked) == 2


async def test_what_is_altered_is_told_at_once_with_its_place(site: Site, tmp_path: Path) -> None:
    victim = min((site.data / "recordings").glob("*/*/*.mp4"))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    proof = await site.stranger(tmp_path / "proof").prove(WITHIN_MS)
    assert proof.exit is Exit.FAULTY
    assert sum(path.endswith("heads.jsonl") for path in site.asked) == 1
    told = proof.told()
    assert "altered" in told.en
    assert victim.name in told.en
    assert victim.name in told.zh


async def test_a_node_without_recordings_cannot_be_proved(site: Site, tmp_path: Path) -> None:
    shutil.rmtree(site.data / "recordings")
    with pytest.raises(DeadlineError, match="cannot be taken"):
        await site.stranger(tmp_path / "proof").prove(WITHIN_MS)


async def test_only_the_last_run_is_kept_and_its_command_verifies_it(
    site: Site, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    kept: Papers | None = None
    for run in ("one", "two"):
        stranger = site.stranger(tmp_path / run)
        await stranger.prove(WITHIN_MS)
        (stranger.papers.folder / run).touch()
        kept = keep_last(stranger.papers, state)
    assert kept is not None
    assert [path.name for path in state.iterdir()] == [kept.folder.name]
    assert (kept.folder / "two").exists()
    assert not (kept.folder / "one").exists()
    assert kept.verify().exit is Exit.WHOLE
    words = kept.command(("zeroentry",)).split()
    assert words[:4] == ["zeroentry", "evidence", "verify", str(kept.recordings)]
    assert words[4:] == [
        *("--node-key", str(kept.node_keys)),
        *("--controller-key", str(kept.controller_key)),
        *("--heads", str(kept.heads)),
    ]


async def test_what_is_too_large_is_not_kept(site: Site, tmp_path: Path) -> None:
    stranger = site.stranger(tmp_path / "proof")
    await stranger.prove(WITHIN_MS)
    assert keep_last(stranger.papers, tmp_path / "state", max_bytes=100) is None
    assert not (tmp_path / "state" / "last-demo").exists()


def test_an_unexplained_gap_is_called_so() -> None:
    gap = ProvedGap("edge-1", "room-1-cam", GapReason.UNKNOWN, UtcMs(0), 3_000)
    told = Proof(Exit.WHOLE, 1, 1, (gap,)).told()
    assert "1 track, 1 segment, 1 gap (1 unexplained)" in told.en
    assert "1 处原因不明" in told.zh
    assert "no gap" in Proof(Exit.WHOLE, 1, 1, ()).told().en
