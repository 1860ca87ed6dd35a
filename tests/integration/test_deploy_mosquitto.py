"""The shipped Mosquitto configuration, on a real broker: each device may say what is its own."""

import asyncio
import contextlib
import os
import random
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contracts import topics
from contracts.topics import Kind
from contracts.vda5050.topics import VdaKind
from runtime.clock import SystemClock
from runtime.mqtt import (
    Inbox,
    MqttSession,
    MqttSettings,
    Outgoing,
    PublishRefusedError,
    TlsSettings,
)
from runtime.site import load_site
from tests.fakes.waiting import until, until_blocking
from zeroentry.broker_acl import acl_of, address_of

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy" / "mosquitto"
SITE: Final = load_site(ROOT / "firmware_configs" / "demo")
NOT_AUTHORIZED: Final = 0x87
DEVICES: Final = ("controller", "edge-1", "edge-2", "robot-1", "robot-2")

Key = ec.EllipticCurvePrivateKey


def mosquitto() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    assert found, "mosquitto is missing: deploy/setup/test-system.sh installs it"
    return found


def certificate(name: str, issuer: str, key: Key, signer: Key, *, authority: bool) -> bytes:
    """A certificate in PEM for ``name``, signed by ``issuer``."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if name == "broker":
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_authority(folder: Path, names: tuple[str, ...], authority: str = "ca") -> None:
    """Keys and certificates of a site's own authority, and of each device, as files."""
    root = ec.generate_private_key(ec.SECP256R1())
    pem = certificate(authority, authority, root, root, authority=True)
    (folder / f"{authority}.crt").write_bytes(pem)
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        stem = name if authority == "ca" else f"{authority}-{name}"
        (folder / f"{stem}.key").write_bytes(private)
        signed = certificate(name, authority, key, root, authority=False)
        (folder / f"{stem}.crt").write_bytes(signed)


@dataclass(frozen=True, slots=True)
class Broker:
    port: int
    folder: Path

    def settings(self, name: str, *, identity: str | None = None) -> MqttSettings:
        """As a device would be set up; ``identity`` is the certificate's file name."""
        stem = identity or name
        return MqttSettings(
            host="localhost",
            port=self.port,
            client_id=name,
            tls=TlsSettings(
                ca_file=self.folder / "ca.crt",
                cert_file=self.folder / f"{stem}.crt",
                key_file=self.folder / f"{stem}.key",
            ),
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("mosquitto")
    make_authority(folder, ("broker", *DEVICES))
    make_authority(folder, ("edge-1",), authority="foreign")
    shutil.copy(DEPLOY / "demo.acl", folder / "site.acl")
    port = free_port()
    config = (DEPLOY / "zeroentry.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listener 8883", f"listener {port} 127.0.0.1"),
        ("/etc/mosquitto/zeroentry/", f"{folder}/"),
        ("/var/lib/mosquitto/", f"{folder}/"),
    ):
        assert old in config
        config = config.replace(old, new)
    if os.geteuid() == 0:
        config += "user root\n"  # else it becomes another user, who cannot read our folder
    (folder / "broker.conf").write_text(config, encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [mosquitto(), "-c", str(folder / "broker.conf")], stdout=log, stderr=log
        )
        try:
            until_blocking(lambda: reachable(port), what=f"a broker on port {port}")
            yield Broker(port, folder)
        finally:
            process.terminate()
            process.wait(timeout=10)


@contextlib.asynccontextmanager
async def device(broker: Broker, name: str) -> AsyncIterator[MqttSession]:
    """A connected session of one device, with its own certificate."""
    session = MqttSession(broker.settings(name), SystemClock(), rng=random.Random(1))
    running = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(10):
            await session.wait_connected()
        yield session
    finally:
        running.cancel()
        await asyncio.wait([running])


async def refusal(session: MqttSession, topic: str) -> int | None:
    """The reason code with which the broker refuses a publish; None when it takes it."""
    try:
        async with asyncio.timeout(10):
            await session.publish(Outgoing(topic, b"{}", qos=1))
    except PublishRefusedError as error:
        return error.reason_code
    return None


async def received(inbox: Inbox, topic: str) -> bytes:
    async with asyncio.timeout(10):
        while (message := await inbox.get()).topic != topic:
            pass
    return message.payload


def test_the_shipped_acl_is_what_the_site_needs() -> None:
    text = (DEPLOY / "demo.acl").read_text(encoding="utf-8")
    assert text == acl_of(SITE), "python -m zeroentry.broker_acl firmware_configs/demo"


def test_two_devices_of_one_name_are_refused() -> None:
    robots = tuple(robot.model_copy(update={"id": "edge-1"}) for robot in SITE.robots[:1])
    with pytest.raises(ValueError, match="edge-1: two devices of one name"):
        acl_of(SITE.model_copy(update={"robots": robots}))


async def test_an_edge_node_writes_its_own_and_nothing_else(broker: Broker) -> None:
    async with device(broker, "edge-1") as node:
        for topic in (
            topics.room_topic(Kind.ALERT, "demo", "room-1"),
            topics.room_topic(Kind.OBSERVATION, "demo", "room-1"),
            topics.health_topic("demo", "edge-1"),
            topics.ack_topic("demo", "edge-1.cmd"),
        ):
            assert await refusal(node, topic) is None, topic
        for topic in (
            topics.room_topic(Kind.ALERT, "demo", "room-2"),
            topics.room_topic(Kind.ALERT, "other", "room-1"),
            topics.health_topic("demo", "edge-2"),
            topics.ack_topic("demo", "edge-1"),
            topics.ack_topic("demo", "edge-2.cmd"),
            topics.command_topic("demo", "edge-1"),
            topics.command_topic("demo", "edge-2"),
            "uagv/v2/ZeroEntrySim/sim-0001/order",
            "anything",
        ):
            assert await refusal(node, topic) == NOT_AUTHORIZED, topic


async def test_a_robot_writes_its_own_and_nothing_else(broker: Broker) -> None:
    mine, other = (address_of(robot) for robot in SITE.robots)
    async with device(broker, "robot-1") as robot:
        for kind in (VdaKind.STATE, VdaKind.CONNECTION, VdaKind.FACTSHEET, VdaKind.VISUALIZATION):
            assert await refusal(robot, mine.topic(kind)) is None
            assert await refusal(robot, other.topic(kind)) == NOT_AUTHORIZED
        for kind in (VdaKind.ORDER, VdaKind.INSTANT_ACTIONS):
            assert await refusal(robot, mine.topic(kind)) == NOT_AUTHORIZED
        alert = topics.room_topic(Kind.ALERT, "demo", "room-1")
        assert await refusal(robot, alert) == NOT_AUTHORIZED


async def test_the_controller_commands_but_never_speaks_for_a_device(broker: Broker) -> None:
    async with device(broker, "controller") as controller:
        for topic in (
            topics.command_topic("demo", "edge-1"),
            topics.ack_topic("demo", "edge-2"),
            address_of(SITE.robots[0]).topic(VdaKind.ORDER),
        ):
            assert await refusal(controller, topic) is None, topic
        for topic in (
            topics.room_topic(Kind.ALERT, "demo", "room-1"),
            topics.health_topic("demo", "edge-1"),
            address_of(SITE.robots[0]).topic(VdaKind.STATE),
        ):
            assert await refusal(controller, topic) == NOT_AUTHORIZED, topic


@pytest.mark.parametrize("name", DEVICES)
async def test_nobody_may_write_the_probe(broker: Broker, name: str) -> None:
    async with device(broker, name) as session:
        for node in ("controller", "edge-1"):
            topic = topics.acl_probe_topic("demo", node)
            assert await refusal(session, topic) == NOT_AUTHORIZED


async def test_a_device_reads_what_is_for_it_and_not_what_is_for_others(broker: Broker) -> None:
    command, order = (
        topics.command_topic("demo", "edge-1"),
        address_of(SITE.robots[0]).topic(VdaKind.ORDER),
    )
    marker = topics.command_topic("demo", "edge-2")
    async with (
        device(broker, "controller") as controller,
        device(broker, "edge-1") as mine,
        device(broker, "edge-2") as other,
    ):
        own = mine.subscribe(command, qos=1)
        spying = other.subscribe("#", qos=1, limit=100)
        asked = other.subscribe(marker, qos=1)
        await asyncio.gather(*(inbox.wait_subscribed() for inbox in (own, spying, asked)))
        for topic in (command, order, marker):
            await controller.publish(Outgoing(topic, b"{}", qos=1))
        await received(own, command)
        await received(asked, marker)
        seen = {message.topic for message in await spying.get_batch(100)}
        assert marker in seen
        assert command not in seen
        assert order not in seen


async def test_alerts_reach_the_controller(broker: Broker) -> None:
    alert = topics.room_topic(Kind.ALERT, "demo", "room-1")
    async with device(broker, "controller") as controller, device(broker, "edge-1") as node:
        inbox = controller.subscribe(topics.room_filter(Kind.ALERT, "demo"), qos=1)
        await inbox.wait_subscribed()
        await node.publish(Outgoing(alert, b'{"alert": 1}', qos=1))
        assert await received(inbox, alert) == b'{"alert": 1}'


@pytest.mark.parametrize("identity", ["foreign-edge-1", None])
async def test_a_stranger_does_not_come_in(broker: Broker, identity: str | None) -> None:
    settings = broker.settings("edge-1", identity=identity or "edge-1")
    if identity is None:
        tls = TlsSettings(ca_file=broker.folder / "ca.crt")
        settings = settings.model_copy(update={"client_id": "nobody", "tls": tls})
    session = MqttSession(settings, SystemClock(), rng=random.Random(1))
    log = broker.folder / "log"
    before = log.stat().st_size
    running = asyncio.create_task(session.run())
    try:
        await until(lambda: b"SSL routines" in log.read_bytes()[before:], what="a refusal")
        assert not session.connected
    finally:
        running.cancel()
        await asyncio.wait([running])
