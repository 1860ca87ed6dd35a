"""A real node behind a real broker, and a camera with a loudspeaker that hums at 1 kHz."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from contracts.devices import CameraConfig, Site
from edge.__main__ import application, wire
from edge.node_settings import RecordingSettings
from edge.settings import ApiSettings, EdgeSettings
from runtime.http import serve
from runtime.mqtt import MqttSettings
from runtime.secrets import SECRET_KEY_ENV, Credential, CredentialStore, secret_key
from tests.fakes.edge_fixtures import broker_port, controller
from tests.fakes.edge_site import CAMERA, ENVIRON, NODE, Running, site
from tests.fakes.onvif_backchannel import TalkedTo, talked_to

__all__ = ["broker_port", "controller"]

USER, PASSWORD = "speaker", "loudspeaker-password"
SECRET = {SECRET_KEY_ENV: Fernet.generate_key().decode()}


@pytest.fixture
async def camera(tmp_path: Path) -> AsyncIterator[TalkedTo]:
    async with talked_to(tmp_path, user=USER, password=PASSWORD) as running:
        yield running


def with_mouth(url: str, mute_url: str) -> Site:
    """One room, one camera that may be talked over, and one that only says that it may."""
    made = site(url)
    (one,) = made.cameras
    mouth: dict[str, object] = {"backchannel": "auto", "sound": "pcmu", "credential": "speaker"}
    hearing = one.model_copy(update=mouth)
    silent = one.model_copy(update={**mouth, "id": "room-1-mute", "sound": "none"})
    silent = silent.model_copy(update={"main": silent.main.model_copy(update={"url": mute_url})})
    cameras: tuple[CameraConfig, ...] = (hearing, silent)
    assert hearing.id == CAMERA
    return made.model_copy(update={"cameras": cameras})


@pytest.fixture
async def node(broker_port: int, tmp_path: Path, camera: TalkedTo) -> AsyncIterator[Running]:
    environ = {**ENVIRON, **SECRET}
    config = EdgeSettings(
        node=NODE,
        site_dir=tmp_path,
        data_dir=tmp_path / "data",
        mqtt=MqttSettings(port=broker_port, client_id=NODE),
        api=ApiSettings(port=0),
        recording=RecordingSettings(enabled=False),
    )
    config.data_dir.mkdir()
    store = CredentialStore(config.credentials_path, secret_key(environ))
    store.set("speaker", Credential(USER, PASSWORD))
    opened = ExitStack()
    made = wire(config, with_mouth(camera.url(), camera.url("/mute")), environ, opened)
    parts = (
        made.session.run(),
        made.pump.run(),
        made.service.run(),
        serve(application(made), made.listener),
    )
    running = Running(made, [asyncio.create_task(part) for part in parts], opened)
    yield running
    await running.stop()
