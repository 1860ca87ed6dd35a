"""Node and recorder side by side over a real broker: announced, sealed, witnessed, missed."""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contracts.evidence.entries import Changed, Gap, GapReason, Sealed, Witness, parse_entry
from contracts.evidence.lines import sign_line
from contracts.observations import Condition, NodeHealth, RecordingHealth, RecordingState
from contracts.units import UtcMs
from runtime.signing import SigningKey
from tests.fakes.edge_site import (
    CAMERA,
    ENVIRON,
    NODE,
    ROOM,
    SECOND_TOKEN,
    SITE,
    TOKEN,
    ControllerSide,
)
from tests.fakes.waiting import until
from tests.integration.edge_recorder.conftest import (
    WITHIN_S,
    CameraProcess,
    RecorderUnderTest,
    new_recorder,
)


@pytest.fixture
async def pair(
    camera: CameraProcess, broker_port: int, controller: ControllerSide, tmp_path: Path
) -> AsyncIterator[tuple[RecorderUnderTest, Process]]:
    """A recorder and its node, both started; alerts on a dead recorder come after a second."""
    recorder = new_recorder(
        tmp_path,
        camera.url,
        mqtt={"port": broker_port, "client_id": NODE},
        api={"port": 0},
        rules={"node.recorder_down": {"parameters": {"dwell_ms": 1_000}}},
    )
    task = asyncio.create_task(recorder.client.run())
    await recorder.start()
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "--config", str(recorder.file)),
        env={**os.environ, **ENVIRON},
        stderr=DEVNULL,
    )
    yield recorder, node
    if recorder.process is not None:
        await recorder.kill()
    node.kill()
    await node.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def announced(controller: ControllerSide) -> list[bytes]:
    return [one.line.encode() for one in controller.entries]


def is_down(controller: ControllerSide) -> bool | None:
    """Whether the alert about the recorder stands; None: there never was one."""
    told = controller.of("node.recorder_down")
    return told[-1].condition is Condition.ACTIVE if told else None


def recording(controller: ControllerSide) -> RecordingHealth | None:
    health: NodeHealth | None = controller.health[-1] if controller.health else None
    return health.recording if health else None


def countersign(line: bytes) -> str:
    _, entry = parse_entry(line)
    key = SigningKey.generate()
    said = Witness(
        site=SITE,
        node=NODE,
        track=CAMERA,
        sequence=entry.sequence,
        entry_sha256=hashlib.sha256(line).hexdigest(),
        entry_key=entry.key,
        witnessed_utc_ms=UtcMs(1),
        key=key.id,
    )
    return sign_line(said, key.sign).decode()


async def test_what_the_recorder_writes_the_controller_knows(
    pair: tuple[RecorderUnderTest, Process], controller: ControllerSide
) -> None:
    recorder, node = pair
    await recorder.recording()

    def healthy() -> bool:
        said = recording(controller)
        if said is None or not said.running or not said.tracks:
            return False
        return said.tracks[0].state is RecordingState.RECORDING

    await until(healthy, within_s=WITHIN_S, what="the node's health says that it records")
    controller.seal(5)
    await until(
        lambda: any(isinstance(parse_entry(one)[1], Sealed) for one in announced(controller)),
        within_s=WITHIN_S,
        what="the seal is announced",
    )
    entries = [parse_entry(one)[1] for one in announced(controller)]
    sealed = next(entry for entry in entries if isinstance(entry, Sealed))
    assert sealed.request_id == "seal-1"
    assert set(sealed.frozen) == {"rules", "zones", "devices"}
    assert announced(controller) == recorder.lines()[: len(controller.entries)]
    assert controller.entries[0].public_key is not None

    head = announced(controller)[-1]
    line = countersign(head)
    await controller.witness(CAMERA, line)
    kept = recorder.manifests[-1].with_name("witness.jsonl")
    await until(
        lambda: kept.exists() and kept.read_text() == line + "\n",
        within_s=WITHIN_S,
        what="the countersignature lies beside the manifest",
    )

    # With so short a dwell, the time before the recorder was up may be an alert that has cleared.
    await until(lambda: is_down(controller) is not True, within_s=WITHIN_S, what="it is up")
    await recorder.kill()
    await until(lambda: is_down(controller), within_s=WITHIN_S, what="its death is an alert")
    said = recording(controller)
    assert said is not None
    await recorder.start()
    await recorder.recording()
    await until(lambda: not is_down(controller), within_s=WITHIN_S, what="it clears")

    def crash_told() -> bool:
        found = [parse_entry(one)[1] for one in announced(controller)]
        return any(
            isinstance(entry, Gap) and entry.reason is GapReason.RECORDER_CRASHED for entry in found
        )

    await until(crash_told, within_s=WITHIN_S, what="the gap is announced")
    await until(lambda: controller.checkpoints, within_s=WITHIN_S, what="a checkpoint is passed on")
    assert json.loads(controller.checkpoints[0].line)["kind"] == "checkpoint"
    assert await recorder.stop() == 0
    await until(
        lambda: announced(controller) == recorder.lines(),
        within_s=WITHIN_S,
        what="every line was announced, once and in order",
    )
    said = recording(controller)
    assert said is not None
    assert said.tracks[0].witnessed_sequence == parse_entry(head)[1].sequence
    assert node.returncode is None
    recorder.check_chain()


async def test_a_rule_changed_under_a_seal_stands_in_the_chain_with_both_names(
    pair: tuple[RecorderUnderTest, Process], controller: ControllerSide
) -> None:
    recorder, _ = pair
    await recorder.recording()
    await until(
        lambda: controller.health and controller.health[-1].api_url,
        within_s=WITHIN_S,
        what="the node tells where its API is",
    )
    url = controller.health[-1].api_url
    assert url is not None
    controller.seal(5)
    await until(lambda: recorder.of(Sealed), within_s=WITHIN_S, what="the seal is in the chain")
    path = f"/api/v1/areas/{ROOM}/rules/area.over_admitted"
    change = {"parameters": {"dwell_ms": 4_000}}
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.put(path, json=change, headers=headers)).status_code == 409
        headers["X-Second-Token"] = SECOND_TOKEN
        assert (await client.put(path, json=change, headers=headers)).status_code == 200

    def told() -> list[Changed]:
        return [one for one in recorder.of(Changed) if isinstance(one, Changed) and one.request_id]

    await until(told, within_s=WITHIN_S, what="the change is in the chain")
    (sealed,) = (one for one in recorder.of(Sealed) if isinstance(one, Sealed))
    (changed,) = told()
    assert (changed.what, changed.before) == ("rules", sealed.frozen["rules"])
    assert changed.after.endswith(" all + second")
    recorder.check_chain()
    await until(
        lambda: controller.of("node.config_drift"), within_s=WITHIN_S, what="it is an alert"
    )
