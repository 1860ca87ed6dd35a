"""The guide's commands do what it says they do."""

import re
import shlex
from pathlib import Path
from typing import Final

import httpx
import pytest
import yaml
from pydantic import ValidationError

from contracts.observations import CameraState, Mode, PictureRef
from contracts.units import UtcMs
from edge.core.room import CameraChanged, with_picture
from edge.core.rule_settings import RuleChange, RuleChangeError, rule_settings
from tests.fakes.edge_api import PICTURE
from tests.fakes.rule_node import OPS, RECORDING, SECOND, RuleNode, start_rule_node

GUIDE: Final = Path(__file__).parents[4] / "docs" / "guide" / "rules.md"
SEALED_FROM: Final = "While a session is sealed"


def blocks(language: str) -> list[tuple[str, str]]:
    """Each code block with the heading above it."""
    sections = GUIDE.read_text(encoding="utf-8").split("\n## ")
    return [
        (section.splitlines()[0], block)
        for section in sections
        for block in re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    ]


def commands() -> list[tuple[str, str]]:
    return [
        (heading, command)
        for heading, block in blocks("sh")
        for command in block.replace("\\\n", " ").splitlines()
        if command.startswith("curl ")
    ]


def expanded(word: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        word = word.replace(f"${name}", value)
    return word


async def send(node: RuleNode, command: str, names: dict[str, str]) -> tuple[httpx.Response, int]:
    """Do what a command says; the answer, and the status that its comment announces."""
    text, _, comment = command.partition("   # ")
    words = [expanded(word, names) for word in shlex.split(text)[1:]]
    method, headers, body, url = "GET", {}, None, ""
    while words:
        word = words.pop(0)
        match word:
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = words.pop(0)
            case "-o":
                words.pop(0)
            case "-i":
                pass
            case _:
                url = word
    answer = await node.client.request(method, url, headers=headers, content=body)
    return answer, int(comment[:3]) if comment else 200


async def test_every_command_of_the_guide_works(tmp_path: Path) -> None:
    node = start_rule_node(tmp_path)
    names = {
        "NODE": "http://edge",
        "TOKEN": OPS,
        "SECOND": SECOND,
        "AUDITOR": RECORDING,
        "ALERT": await an_alert(node),
    }
    done = 0
    for heading, command in commands():
        if SEALED_FROM in heading and not node.seals():
            await node.seal()
            names["FROZEN"] = node.seals()[0].frozen["rules"]
        answer, status = await send(node, command, names)
        assert answer.status_code == status, f"{command}\n{answer.text}"
        names["ETAG"] = answer.headers.get("etag", names.get("ETAG", ""))
        done += 1
    assert done >= 12
    assert node.service.rooms["room-1"].state.drifted == ("rules",)
    await node.stop()


async def an_alert(node: RuleNode) -> str:
    """An alert with a picture stands in the room."""
    room = node.service.rooms["room-1"]
    await room.take(CameraChanged("room-1-cam", CameraState.OFFLINE, room.now()))
    for _ in range(40):
        node.clock.advance_ms(500)
        await room.tick()
    (alert,) = room.state.alerts
    picture = PictureRef(
        sha256=PICTURE,
        bytes=4,
        path=f"/api/v1/pictures/{PICTURE}.jpg",
        camera_id="room-1-cam",
        taken_utc_ms=UtcMs(1),
    )
    room._state = with_picture(room.state, alert.alert_id, picture)
    return alert.alert_id


def test_the_file_of_the_guide_is_taken() -> None:
    ((_, text),) = blocks("yaml")
    rows = yaml.safe_load(text)["rules"]
    rules = rule_settings({code: RuleChange.model_validate(row) for code, row in rows.items()})
    assert rules["area.over_admitted"].risk_code == "RP-031"


def test_off_and_on_need_no_quotes_in_a_file() -> None:
    rows = yaml.safe_load("{camera.offline: {mode: off}, zone.entry: {mode: on}}")
    assert rows == {"camera.offline": {"mode": False}, "zone.entry": {"mode": True}}
    rules = rule_settings({code: RuleChange.model_validate(row) for code, row in rows.items()})
    assert (rules["camera.offline"].mode, rules["zone.entry"].mode) == (Mode.OFF, Mode.ON)
    with pytest.raises(ValidationError):
        RuleChange.model_validate_json('{"mode": false}')


def test_every_mistake_of_a_file_is_told() -> None:
    with pytest.raises(RuleChangeError) as caught:
        rule_settings(
            {
                "area.over_admitted": RuleChange(parameters={"dwell_ms": 1, "dwel_ms": 1}),
                "robot.overdue": RuleChange(),
                "zone.loitring": RuleChange(),
            }
        )
    assert caught.value.where == "area.over_admitted.parameters.dwell_ms"
    told = str(caught.value)
    for part in (
        "area.over_admitted.dwell_ms is 1; allowed",
        "has no parameter dwel_ms",
        "robot.overdue is judged by the controller",
        "no rule zone.loitring; did you mean zone.loitering",
    ):
        assert part in told
