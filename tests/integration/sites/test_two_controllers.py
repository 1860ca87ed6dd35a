"""Two controllers in their own processes, and a link between them that is cut and mended."""

import hashlib
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from contracts.evidence.lines import split_line
from runtime.signing import PublicKeys
from tests.fakes.site_pair import (
    WAIT_S,
    Centre,
    Two,
    edge_node,
    part_of,
    sealed,
    state_of,
    told,
    two_centres,
)
from tests.fakes.waiting import until

EARLY, LATE = ("g1", "g2", "g3"), ("g4", "g5")

pytestmark = pytest.mark.system


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with two_centres(tmp_path) as made:
        yield made


async def test_a_joint_session_through_a_cut_to_the_receipt(two: Two, tmp_path: Path) -> None:
    host, guest = two.host, two.guest
    joint, _, theirs = await sealed(two)
    async with edge_node(two, tmp_path) as node:
        for name in EARLY:
            node.alert(name, theirs)
            shown = partial(_has, host, joint, name)
            await until(shown, within_s=WAIT_S, what=f"the guest's alert {name} is at the host")
        late = await _lateness_ms(two, joint)
        assert min(late) < 1_000, f"{late} ms from the guest's store to the host's, link up"
        assert "area.over_admitted" not in await rules_at(host), "it is handled at the guest alone"

        two.cut()

        async def lost() -> bool:
            return (await part_of(host, joint))["fault_since_utc_ms"] is not None

        await until(lost, within_s=WAIT_S, what="the host knows that the link is lost")
        assert (await part_of(host, joint))["old"] is True
        assert set(await rules_at(host)) == {"site.link_lost"}
        for name in LATE:
            node.alert(name, theirs)

        async def there() -> bool:
            rows = (await guest.get("/alerts"))["items"]
            return {*EARLY, *LATE} <= {row["id"] for row in rows}

        await until(there, within_s=WAIT_S, what="the guest goes on alone")
        await guest.stop()  # and is killed without a word
        await guest.start()
        await guest.client.aclose()
        guest.people = await guest.log_in()
        assert sorted(await told(host, joint)) == sorted(EARLY)
        two.mend()

        async def all_there() -> bool:
            return sorted(await told(host, joint)) == sorted((*EARLY, *LATE))

        await until(all_there, within_s=WAIT_S, what="what happened meanwhile is at the host")

    await host.post(f"/sites/sessions/{joint}/release", {"reason": "评标结束"})

    async def released() -> bool:
        return await state_of(host, joint) == "released"

    await until(released, within_s=WAIT_S, what="both have released")
    await _once_and_signed(two, joint)
    await _handed_over(two, joint)


async def rules_at(centre: Centre) -> list[str]:
    return [row["rule"] for row in (await centre.get("/alerts"))["items"]]


async def _has(host: Centre, joint: str, name: str) -> bool:
    return name in await told(host, joint)


async def _lateness_ms(two: Two, joint: str) -> list[int]:
    """How long after the guest's commit the host's was; both processes read one clock."""
    rows = (await two.guest.get("/alerts"))["items"]
    known = {row["id"]: row["received_utc_ms"] for row in rows}
    rows = await two.host.get(f"/sites/sessions/{joint}/alerts")
    return [row["told_utc_ms"] - known[row["alert"]["alert_id"]] for row in rows]


async def _once_and_signed(two: Two, joint: str) -> None:
    """Every line of the guest is at the host once, in order, by the guest's own key."""
    answer = await two.host.client.get("/sites/west/lines")
    assert answer.status_code == 200, answer.text
    keys = PublicKeys()
    name = keys.add_raw(two.guest.key.public_raw)
    previous, seqs, alerts = "0" * 64, [], []
    for text in answer.text.splitlines():
        split = split_line(text.encode())
        line = json.loads(split.raw)
        assert keys.verify(name, split.signed, split.signature)
        assert line["previous"] == previous
        previous = split.sha256
        seqs.append(line["seq"])
        name_ = str(line["event"].get("alert_id", ""))
        if line["event"]["kind"] == "alert" and name_.startswith("g"):
            alerts.append(name_)
    assert seqs == list(range(1, len(seqs) + 1))
    assert alerts == [*EARLY, *LATE], "each once, in the order of the guest"
    record = (await two.host.get(f"/sites/sessions/{joint}/record"))["items"]
    assert {row["site"] for row in record} == {"east", "west"}
    times = [row["here_utc_ms"] for row in record]
    assert times == sorted(times)


async def _handed_over(two: Two, joint: str) -> None:
    host, guest = two.host, two.guest
    assert (await part_of(host, joint))["handover"]["due_utc_ms"] is not None
    await guest.post(f"/sites/sessions/{joint}/handover")

    async def fetched() -> bool:
        return bool((await part_of(host, joint))["handover"]["fetched"])

    await until(fetched, within_s=WAIT_S, what="the list is at the host")
    listed = await host.get(f"/sites/sessions/{joint}/handovers/west")
    report = listed["sessions"][0]
    assert hashlib.sha256(report["report"].encode()).hexdigest() == report["report_sha256"]
    strange = {"received": ["0" * 64]}
    await host.post(f"/sites/sessions/{joint}/handovers/west/receipt", strange, 422)
    await host.post(f"/sites/sessions/{joint}/handovers/west/receipt", {"everything": True})

    async def receipt() -> bool:
        answer = await guest.client.get(f"/sites/sessions/{joint}/handovers/west/receipt")
        return answer.status_code == 200

    await until(receipt, within_s=WAIT_S, what="the receipt is at the guest")
    given = await guest.get(f"/sites/sessions/{joint}/handovers/west/receipt")
    keys = PublicKeys()
    name = keys.add_raw(host.key.public_raw)
    split = split_line(given["text"].encode(), len(given["text"].encode()))
    assert keys.verify(name, split.signed, split.signature)
    assert report["report_sha256"] in json.loads(split.raw)["received"]
    whole = await host.get(f"/sites/sessions/{joint}/report")
    assert [row["statement"] is not None for row in whole["parts"]] == [True, True]
