"""Retrieval: two people, one whole package or none, and what it proves to a stranger."""

import asyncio
import base64
import zipfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import av
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.api import Sentence, SessionBody, SessionState
from contracts.api.retrieval import (
    DecisionBody,
    RetrievalBody,
    RetrievalForm,
    RetrievalState,
)
from contracts.evidence import entries as told
from contracts.observations import EntryAppended, NodeHealth, NodeState
from contracts.units import UtcMs
from controller.core import retrievals, sessions
from controller.core.outputs import Refused
from controller.core.retrievals import Retrieval
from controller.core.state import EntryCame, NodeSaid
from controller.ports import Given
from controller.reports.packages import PackageMaker
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.api.recordings import open_playback
from edge.evidence.index import RecordingIndex
from edge.evidence.moments import AlertMoments
from runtime.clock import SimulatedClock
from tests.fakes.controller_site import NODE_KEY, Bench, bench
from tests.fakes.edge_api import TOKENS, FakeNode, FakePictures
from tests.fakes.recordings import FPS, START_UTC_MS, RecordedTrack, footage
from tests.unit.controller.test_api_walk import client_of
from zeroentry.evidence.findings import Kind
from zeroentry.evidence.verify import Asked, verify

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NOW = START_UTC_MS + 3_600_000
WHY = {"reason": "letter 2026-118 checked"}


@dataclass
class House:
    """A controller and an edge node with twenty seconds of one camera, joined in memory."""

    made: Bench
    track: RecordedTrack
    maker: PackageMaker
    files: list[Path]
    folder: Path

    async def ask(self, client: httpx.AsyncClient, form: str) -> httpx.Response:
        body = {
            "reason": "supervisory letter 2026-118",
            "cameras": ["cam-1"],
            "from_utc_ms": START_UTC_MS + 1_000,
            "to_utc_ms": START_UTC_MS + 19_000,
            "form": form,
        }
        return await client.post("/retrievals", json=body)

    async def made_of(self, form: str) -> dict[str, object]:
        audit, sup = await client_of(self.made, "audit"), await client_of(self.made, "sup")
        asked = await self.ask(audit, form)
        assert asked.status_code == 201, asked.text
        path = f"/retrievals/{asked.json()['id']}"
        approved = await sup.post(f"{path}/approve", json=WHY)
        assert approved.status_code == 200, approved.text
        await self.maker._look()
        found = (await audit.get(path)).json()
        await audit.aclose()
        await sup.aclose()
        return dict(found)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    clock = SimulatedClock(start_utc_ms=UtcMs(NOW))
    made = bench(folder, clock=clock)
    control = made.controller
    task = asyncio.create_task(control.service.run())
    track = RecordedTrack(folder / "recordings", site="centre")
    public = base64.b64encode(track.key.public_raw).decode()
    track.append(told.Opened, START_UTC_MS, version="1", public_key=public)
    content = footage(folder / "a.mp4", 10, size_px=(320, 240))
    files = [track.segment(START_UTC_MS + at, 10_000, content=content) for at in (0, 10_000)]
    track.gap(START_UTC_MS + 20_000, 5_000, "camera_offline")
    for line in track.manifest.read_bytes().splitlines():
        said = EntryAppended(
            room_id="room-1", node_id="edge-1", track_id="cam-1", line=line.decode()
        )
        await control.service.take([Given(EntryCame(said))])
    health = NodeHealth(
        node_id="edge-1",
        state=NodeState.RUNNING,
        utc_ms=UtcMs(NOW),
        api_url="http://edge",
        rooms=("room-1",),
    )
    await control.service.take([Given(NodeSaid(health))])
    index = RecordingIndex(folder / "index.sqlite3", folder / "recordings")
    index.follow()
    playback = open_playback(folder / "edge", index, AlertMoments(":memory:"), clock)
    with ThreadPoolExecutor(1) as pool:
        hub = LiveHub(lambda *_: b"", pool, clock, viewers_max=1)
        gate = Gate(tokens_from_environ(TOKENS), NODE_KEY, clock)
        edge = build(FakeNode(), hub, FakePictures(), gate, version="1", playback=playback)
        office = control.reports
        maker = PackageMaker(
            office.rows,
            control.database,
            office.packages,
            httpx.AsyncClient(transport=httpx.ASGITransport(edge)),
            clock,
            office.desk.signer,
            state=lambda: control.service.state,
            node_keys={"edge-1": NODE_KEY},
            intake=control.service,
        )
        yield House(made, track, maker, files, folder)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    index.close()


async def test_a_package_of_whole_files_verifies_for_a_stranger(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        row = await house.made_of("whole")
        assert row["state"] == "ready", row["note"]
        sup = await client_of(house.made, "audit")
        link = (await sup.post(f"/retrievals/{row['id']}/link")).json()
        package = await sup.get(link["url"].removeprefix("http://controller/api/v1"))
        seal = await sup.get(link["seal_url"].removeprefix("http://controller/api/v1"))
        (tmp_path / "given").mkdir()
        path = tmp_path / "given" / f"{row['id']}.zip"
        path.write_bytes(package.content)
        path.with_name(path.name + ".seal.json").write_bytes(seal.content)
        node, controller = tmp_path / "node.pem", tmp_path / "controller.pem"
        node.write_bytes(house.track.key.public_pem())
        controller.write_bytes((await sup.get("/evidence/key")).content)
        report = verify(Asked(path, node, controller, None, 1))
        assert int(report.exit) == 0, report
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            kept = [name for name in names if name.endswith(".mp4")]
            assert [archive.read(name) for name in kept] == [
                file.read_bytes() for file in house.files
            ]
            note = archive.read("README.txt").decode()
        assert "audit" in note
        assert "sup" in note
        again = (await sup.get(f"/retrievals/{row['id']}")).json()
        assert again["views"] == 1
        raw = bytearray(package.content)
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
        assert int(verify(Asked(path, node, controller, None, 1)).exit) == 1
        record = house.made.controller.database.room_record(
            "room-1", since=UtcMs(0), until=UtcMs(NOW * 2), limit=20
        )
        assert [line.by for line in record] == ["audit", "sup", "controller", "audit"]
        await sup.aclose()


async def test_an_exact_package_holds_what_was_asked_for_and_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        row = await house.made_of("exact")
        assert row["state"] == "ready", row["note"]
        made = house.made.controller.reports
        given = tmp_path / "given"
        given.mkdir()
        path = given / f"{row['id']}.zip"
        path.write_bytes(made.packages.path(str(row["id"])).read_bytes())
        seal = made.packages.path(str(row["id"])).with_name(f"{path.name}.seal.json")
        path.with_name(seal.name).write_bytes(seal.read_bytes())
        node, controller = tmp_path / "node.pem", tmp_path / "controller.pem"
        node.write_bytes(house.track.key.public_pem())
        controller.write_bytes(made.desk.signer.public_pem)
        asked = Asked(path, node, controller, None, 1)
        told = verify(asked)
        assert int(told.exit) == 0, told
        assert {row.kind for row in told.all_findings if row.path.endswith("_cut.mp4")} == {
            Kind.CUT_TOLD
        }
        shown = verify(replace(asked, sources=house.track.root))
        assert int(shown.exit) == 0
        assert [row.kind for row in shown.all_findings].count(Kind.CUT_SHOWN) == 2
        with zipfile.ZipFile(path) as archive:
            cuts = sorted(name for name in archive.namelist() if name.endswith(".mp4"))
            archive.extractall(tmp_path / "unpacked")
        assert [name.rsplit("_", 2)[1] for name in cuts] == [
            str(START_UTC_MS + 1_000),
            str(START_UTC_MS + 10_000),
        ]
        for name in cuts:
            with av.open(str(tmp_path / "unpacked" / name)) as video:
                frames = list(video.decode(video=0))
            assert frames[0].key_frame
            assert len(frames) == 9 * FPS
        # Unpacked, nothing vouches for the cuts any more; the recordings themselves still do.
        loose = replace(asked, path=tmp_path / "unpacked")
        assert int(verify(loose).exit) == 2
        assert int(verify(replace(loose, sources=house.track.root)).exit) == 0
        cut = tmp_path / "unpacked" / cuts[0]
        raw = bytearray(cut.read_bytes())
        raw[-1] ^= 1
        cut.write_bytes(raw)
        kinds = {row.kind for row in verify(replace(loose, sources=house.track.root)).all_findings}
        assert {Kind.HASH, Kind.CUT_ALTERED} <= kinds


async def test_watermarked_pictures_bear_the_applicant_and_no_sound(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        row = await house.made_of("watermarked")
        assert row["state"] == "ready", row["note"]
        path = house.made.controller.reports.packages.path(str(row["id"]))
        with zipfile.ZipFile(path) as archive:
            (clip,) = [name for name in archive.namelist() if name.endswith(".mp4")]
            archive.extract(clip, tmp_path)
        with av.open(str(tmp_path / clip)) as video:
            assert video.streams.video[0].codec_context.name == "h264"
            assert not video.streams.audio
            shown = next(video.decode(video=0)).to_ndarray(format="gray")
        with av.open(str(house.files[0])) as plain:
            was = next(plain.decode(video=0)).to_ndarray(format="gray")
        assert (abs(shown.astype(int) - was.astype(int)) > 12).mean() > 0.02


async def test_an_altered_file_or_an_absent_node_leaves_no_half_package(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        raw = bytearray(house.files[1].read_bytes())
        raw[100] ^= 1
        house.files[1].write_bytes(raw)
        row = await house.made_of("exact")
        assert row["state"] == "failed"
        assert "not what its signed entry says" in str(row["note"])
        node = house.made.controller.service.state.nodes["edge-1"].health
        gone = node.model_copy(update={"api_url": None})
        await house.made.controller.service.take([Given(NodeSaid(gone))])
        row = await house.made_of("watermarked")
        assert row["state"] == "approved"
        assert "cannot be reached" in str(row["note"])
        assert list(house.made.controller.reports.packages.folder.iterdir()) == []


async def test_nobody_approves_his_own_request_and_expiry_deletes(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        sup, cook = await client_of(house.made, "sup"), await client_of(house.made, "cook")
        own = (await house.ask(sup, "exact")).json()
        assert (await cook.get("/retrievals")).status_code == 403
        for verb in ("approve", "refuse"):
            answer = await sup.post(f"/retrievals/{own['id']}/{verb}", json=WHY)
            assert answer.status_code == 403
        audit = await client_of(house.made, "audit")
        assert (await audit.get(f"/retrievals/{own['id']}")).status_code == 404
        assert (await audit.post(f"/retrievals/{own['id']}/approve", json=WHY)).status_code == 403
        row = await house.made_of("exact")
        path = house.made.controller.reports.packages.path(str(row["id"]))
        assert path.exists()
        house.made.clock.step_utc_ms(8 * retrievals.DAY_MS)
        await house.maker._look()
        assert not path.exists()
        for client in (sup, cook, audit):
            await client.aclose()


BODY = RetrievalBody(
    reason="letter 118",
    cameras=("cam-1",),
    from_utc_ms=UtcMs(1_000),
    to_utc_ms=UtcMs(9_000),
    form=RetrievalForm.EXACT,
)


def test_a_running_session_holds_its_package_back_unless_the_approval_says_so() -> None:
    row = Retrieval("r1", 1, BODY, ("room-1",), "ann", UtcMs(10_000))
    made = sessions.schedule(
        "s-1", SessionBody(room_id="room-1", title="T", admitted=5), "sup", UtcMs(0)
    )
    sealed = replace(made, state=SessionState.SEALED, sealed_utc_ms=UtcMs(500))
    for held in (sealed, replace(sealed, state=SessionState.SUSPENDED)):
        why = retrievals.may_be_made(row, (held,))
        assert why is not None
        assert "s-1" in why.zh
    excepted = retrievals.decide(
        row,
        DecisionBody(reason="danger in the room", during_session=True),
        "bob",
        UtcMs(20_000),
        approve=True,
    )
    assert isinstance(excepted, Retrieval)
    assert retrievals.may_be_made(excepted, (sealed,)) is None
    over = replace(sealed, state=SessionState.RELEASED, released_utc_ms=UtcMs(5_000))
    assert retrievals.may_be_made(row, (over,)) is None
    elsewhere = replace(sealed, room_id="room-2")
    assert retrievals.may_be_made(row, (elsewhere,)) is None
    later = replace(sealed, sealed_utc_ms=UtcMs(9_500))
    assert retrievals.may_be_made(row, (later,)) is None


@given(
    st.lists(
        st.sampled_from(["approve", "refuse", "withdraw", "make", "ready", "fail"]), max_size=8
    ),
    st.sampled_from(["ann", "bob"]),
)
@settings(max_examples=60, deadline=None)
def test_no_order_of_steps_makes_a_package_without_a_second_person(
    steps: list[str], by: str
) -> None:
    row = Retrieval("r1", 1, BODY, ("room-1",), "ann", UtcMs(10_000))
    decision = DecisionBody(reason="letter checked")
    for step in steps:
        after: Retrieval | Refused = row
        if step in ("approve", "refuse"):
            after = retrievals.decide(row, decision, by, UtcMs(20_000), approve=step == "approve")
        elif step == "withdraw":
            after = retrievals.withdraw(row, by)
        elif step == "make" and row.state is RetrievalState.APPROVED:
            after = retrievals.begun(row)
        elif step == "ready" and row.state is RetrievalState.MAKING:
            after = retrievals.ready(row, "0" * 64, 1, "", 0, UtcMs(30_000))
        elif step == "fail" and row.state is RetrievalState.MAKING:
            after = retrievals.failed(row, Sentence(zh="x", en="x"))
        row = row if isinstance(after, Refused) else after
    if row.state in (RetrievalState.MAKING, RetrievalState.READY):
        assert row.decided_by == "bob"
    assert row.decided_by != "ann"
    late = retrievals.expired(replace(row), UtcMs(10**12))
    assert late.state not in (RetrievalState.ASKED, RetrievalState.APPROVED, RetrievalState.READY)
