"""A session's report from draft to signed versions, and what a verifier says of every byte."""

import asyncio
import base64
import io
import json
import random
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pypdf
import pytest
from typer.testing import CliRunner, Result

from contracts.api.report import ReportFile
from contracts.evidence.report_bundle import pack, unpack
from contracts.topics import Kind
from runtime.signing import PublicKeys
from tests.fakes.controller_site import (
    Bench,
    an_alert,
    bench,
    durable,
    health,
    live,
    observation,
    person,
)
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until
from tests.unit.controller.test_api_walk import client_of
from zeroentry.cli import app
from zeroentry.reports.judge import Exit, Judgement, judge

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Bench]:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _shows(made: Bench, people: int) -> bool:
    return _counted(made) >= people


def _counted(made: Bench) -> int:
    store = made.controller.reports.desk.store
    session = next(iter(made.controller.service.state.sessions))
    return max((row.people or 0 for row in store.head_counts(session, 100)), default=0)


async def released(client: httpx.AsyncClient, made: Bench) -> str:
    body = {"room_id": "room-1", "title": '滨江大道 #import "x" <b>', "admitted": 5}
    session = (await client.post("/sessions", json=body)).json()["id"]
    assert (await client.post(f"/sessions/{session}/gather")).status_code == 200
    sealed = await client.post(f"/sessions/{session}/seal", json=OVERRIDES)
    assert sealed.status_code == 200, sealed.text
    for index, people in enumerate((2, 3), start=1):
        made.clock.advance_ms(2_000)
        seen = tuple(person(track=one) for one in range(people))
        told = observation("room-1", index=index, utc_ms=made.clock.utc_ms(), people=seen)
        await made.edge.publish(live(Kind.OBSERVATION, "room-1", told))
        await until(partial(_shows, made, people), what="the count is told")
    gone = await client.post(f"/sessions/{session}/release")
    assert gone.status_code == 200, gone.text
    return str(session)


async def bundle_of(client: httpx.AsyncClient, session: str, version: int = 1) -> bytes:
    answer = await client.get(f"/sessions/{session}/report/versions/{version}/report.zip")
    assert answer.status_code == 200, answer.text
    return answer.content


def verdict(files: dict[str, bytes], keys: PublicKeys | None) -> Exit:
    judgement = Judgement()
    judge(files, keys, judgement)
    return judgement.exit


async def test_a_report_is_a_draft_until_the_release_and_then_signed_once(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await released(client, running)
    draft = (await client.get(f"/sessions/{session}/report")).json()
    assert (draft["draft"], draft["version"]) == (True, 0)
    told = [row["people"] for row in draft["head_counts"] if row["people"] is not None]
    assert told == [2, 3]
    marked = await client.get(f"/sessions/{session}/report.pdf?lang=zh-CN")
    assert marked.status_code == 200
    assert "草稿" in pypdf.PdfReader(io.BytesIO(marked.content)).pages[0].extract_text()

    made = await client.post(f"/sessions/{session}/report/versions", json={"reason": ""})
    assert made.status_code in {201, 409}, made.text  # the desk may have been quicker
    state = (await client.get(f"/sessions/{session}/report/state")).json()
    assert [row["version"] for row in state["versions"]] == [1]
    assert not state["late_facts"]
    again = await client.post(f"/sessions/{session}/report/versions", json={"reason": "why not"})
    assert again.status_code == 409
    first, second = [await bundle_of(client, session) for _ in range(2)]
    assert first == second
    files = unpack(first)
    keys = PublicKeys()
    keys.add_pem((await client.get("/evidence/key")).content)
    assert verdict(files, keys) is Exit.WHOLE
    assert verdict(files, None) is Exit.CANNOT_TELL
    assert verdict(files, PublicKeys([bytes(range(32))])) is Exit.ALTERED
    await client.aclose()


async def test_its_page_shows_people_the_curve_and_the_record(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await released(client, running)
    page = (await client.get(f"/sessions/{session}/report.html?lang=zh-CN")).text
    found = re.search('class="curve"[^>]*base64,([^"]+)"', page)
    assert found is not None
    assert b"<svg" in base64.b64decode(found.group(1))
    lines = (await client.get(f"/sessions/{session}/record?limit=100")).json()["items"]
    table = page[page.index('class="record"') :]
    assert table.count("<tr>") - 1 >= len(lines) > 2
    body = {"room_id": "room-1", "title": "T", "admitted": 1}
    other = (await client.post("/sessions", json=body)).json()["id"]
    roster = {"seats": [{"seat": "1", "role": "expert", "expert_code": "E-07"}]}
    tag = {"If-Match": (await client.get(f"/sessions/{other}/roster")).headers["etag"]}
    put = await client.put(f"/sessions/{other}/roster", json=roster, headers=tag)
    assert put.status_code == 200, put.text
    page = (await client.get(f"/sessions/{other}/report.html?lang=en")).text
    assert "<td>E-07</td>" in page
    assert "No head count is on file." in page


async def test_its_pdf_embeds_the_intended_font_its_data_and_its_words(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await released(client, running)
    await client.post(f"/sessions/{session}/report/versions", json={"reason": ""})
    files = unpack(await bundle_of(client, session))
    for name, word in ((ReportFile.PDF_ZH, "见证报告"), (ReportFile.PDF_EN, "Witness report")):
        pdf = pypdf.PdfReader(io.BytesIO(files[name.value]))
        text = "".join(page.extract_text() for page in pdf.pages)
        assert word in text
        assert "滨江大道 #import" in text.replace("\n", "")  # data, never markup
        fonts = {
            str(font.get_object()["/BaseFont"])
            for page in pdf.pages
            for font in page["/Resources"]["/Font"].values()  # type: ignore[index]  # pypdf types a page as any object
        }
        assert any("NotoSerifCJKsc" in font for font in fonts), fonts
        assert pdf.attachments["report.json"] == [files[ReportFile.JSON.value]]
    await client.aclose()


async def test_one_byte_changed_anywhere_is_found(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await released(client, running)
    await client.post(f"/sessions/{session}/report/versions", json={"reason": ""})
    raw = await bundle_of(client, session)
    keys = PublicKeys()
    keys.add_pem((await client.get("/evidence/key")).content)
    files = unpack(raw)
    assert pack(files) == raw
    dice = random.Random(7)
    for name, data in files.items():
        for place in {0, len(data) - 1, *(dice.randrange(len(data)) for _ in range(12))}:
            changed = (
                data[:place] + bytes([data[place] ^ (1 << dice.randrange(8))]) + data[place + 1 :]
            )
            assert verdict({**files, name: changed}, keys) is Exit.ALTERED, (name, place)
        left = {key: one for key, one in files.items() if key != name}
        assert verdict(left, keys) is not Exit.ALTERED, name
    for place in (dice.randrange(len(raw)) for _ in range(40)):
        broken = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        try:
            found = verdict(unpack(broken), keys)
        except ValueError:
            continue
        assert found is Exit.ALTERED, place
    await client.aclose()


async def test_late_facts_make_a_second_version_that_names_the_first(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await released(client, running)
    await client.post(f"/sessions/{session}/report/versions", json={"reason": ""})
    await running.edge.publish(health("http://edge"))
    await running.edge.publish(durable(Kind.ALERT, "room-1", an_alert(session_id=session), 1))
    await until(lambda: running.controller.service.state.alerts, what="the late alert is here")
    state = (await client.get(f"/sessions/{session}/report/state")).json()
    assert state["late_facts"]
    bare = await client.post(f"/sessions/{session}/report/versions", json={"reason": ""})
    assert bare.status_code == 409
    body = {"reason": "走廊节点当时离线"}
    second = await client.post(f"/sessions/{session}/report/versions", json=body)
    assert second.status_code == 201, second.text
    first = state["versions"][0]["files"]["report.json"]["sha256"]
    assert second.json()["previous_sha256"] == first
    report = await client.get(f"/sessions/{session}/report/versions/2/report.json")
    assert report.json()["reason"] == body["reason"]
    assert len(report.json()["alerts"]) == 1
    await client.aclose()


async def test_the_command_and_the_guides_own_commands_judge_alike(
    running: Bench, tmp_path: Path
) -> None:
    client = await client_of(running, "sup")
    session = await released(client, running)
    await client.post(f"/sessions/{session}/report/versions", json={"reason": ""})
    raw = await bundle_of(client, session)
    folder = tmp_path / "given"
    key = (await client.get("/evidence/key")).content
    found = await asyncio.to_thread(_judged_twice, folder, raw, key)
    assert found == {
        "bundle": (0, 0),
        "one file": (0, 0),
        "no key": (2, None),
        "no signature": (2, None),
        "altered": (1, 1),
    }
    await client.aclose()


def _judged_twice(folder: Path, raw: bytes, key: bytes) -> dict[str, tuple[int, int | None]]:
    """Exit statuses of our command and of the guide's own, where the guide has one for the case."""
    folder.mkdir()
    (folder / "report.zip").write_bytes(raw)
    trusted = folder.parent / "trusted.pem"
    trusted.write_bytes(key)
    for name, data in unpack(raw).items():
        (folder / name).write_bytes(data)
    runner = CliRunner()

    def command(*given: str) -> Result:
        return runner.invoke(app, ["report", "verify", *given, "--language", "en"])

    bundle, by_key = str(folder / "report.zip"), ("--controller-key", str(trusted))
    one = [str(folder / name) for name in ("report.zh.pdf", "report.zh.pdf.sig")]
    whole = command(bundle, *by_key)
    assert "whole and signed" in whole.output
    assert json.loads(command(bundle, *by_key, "--json").output)["result"] == "whole"
    by_hand = _by_hand(folder, trusted)
    found: dict[str, tuple[int, int | None]] = {
        "bundle": (whole.exit_code, by_hand),
        "one file": (command(*one, *by_key).exit_code, by_hand),
        "no key": (command(bundle).exit_code, None),
        "no signature": (command(one[0], *by_key).exit_code, None),
    }
    pdf = bytearray((folder / "report.zh.pdf").read_bytes())
    pdf[len(pdf) // 3] ^= 4
    (folder / "report.zh.pdf").write_bytes(pdf)
    found["altered"] = (command(*one, *by_key).exit_code, int(_by_hand(folder, trusted) != 0))
    return found


def _by_hand(folder: Path, trusted: Path) -> int:
    """Run the commands of the guide, as they stand in it."""
    guide = Path(__file__).parents[3] / "docs" / "guide" / "witness-report.md"
    block = guide.read_text().split("Without our software:")[1].split("```sh")[1].split("```")[0]
    shutil.copyfile(trusted, folder / "controller.pem")
    found = subprocess.run(  # the guide's own commands
        ["/bin/sh", "-e", "-c", block], cwd=folder, capture_output=True, text=True, check=False
    )
    return found.returncode
