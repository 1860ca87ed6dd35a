"""The bridge on real rclpy keeps to VDA 5050, rule by rule, as `bridge conformance` asks it."""

import json
from pathlib import Path

import pytest

from tests.fakes.bridge_words import bridge_words
from tests.fakes.nav2.site import RosSite
from tests.integration.ros.conftest import ros_way

pytestmark = pytest.mark.system

DONE_S = 150.0  # 35 s on two cores with a load of 11
SPEED_MPS = 1.0  # a node is 0.6 m on: a master that has to wait still cancels before the second
RULES_MIN = 40
ONLY_ACTION = "cancel"  # what the two ways of Nav2 do differently; the rest is the first test's
CANCEL_RULES_MIN = 5


async def conformance(site: RosSite, *arguments: str) -> tuple[int, str, dict[str, str]]:
    """Exit code and words of the command, and what each rule came to."""
    report = site.folder / "report.json"
    asked = ("conformance", "--serial", "r1", "--manufacturer", "maker", "--json", str(report))
    code, said = await bridge_words(
        site.port, *asked, *arguments, within_s=DONE_S, processes=site.processes
    )
    rows = json.loads(report.read_text(encoding="utf-8"))["rules"]
    found = {f"{row['clause']} {row['rule']}": row["result"] for row in rows}
    return code, said, found


async def test_the_bridge_on_ros_meets_every_rule(plain_site: RosSite) -> None:
    site = plain_site
    await site.start_robot(speed=SPEED_MPS)
    bridge = await site.start_bridge()
    await site.ready()
    cut = ("--cut", f"kill -9 {bridge.pid}", "--step", "0.6")
    code, said, found = await conformance(site, *cut)
    assert {rule: result for rule, result in found.items() if result != "pass"} == {}, said
    assert len(found) > RULES_MIN
    assert "0 fail, 0 not applicable" in said
    assert code == 0


async def test_the_bridge_on_navs_action_cancels_by_the_rules(tmp_path: Path) -> None:
    async with ros_way(tmp_path, "action") as site:
        await site.start_robot(speed=SPEED_MPS)
        await site.start_bridge()
        await site.ready()
        code, said, found = await conformance(site, "--only", ONLY_ACTION, "--step", "0.6")
    assert {rule: result for rule, result in found.items() if result != "pass"} == {}, said
    assert len(found) >= CANCEL_RULES_MIN
    assert code == 0
