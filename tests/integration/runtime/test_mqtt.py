"""One MQTT session against real brokers: iotcore for the life of a link, Mosquitto for refusals."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import random
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from contracts.envelope import PAYLOAD_MAX_BYTES
from runtime import broker
from runtime.clock import SystemClock
from runtime.mqtt import (
    DropPolicy,
    Inbox,
    MqttLost,
    MqttSession,
    MqttSettings,
    MqttSetupError,
    Outgoing,
    PayloadTooLargeError,
    PublishRefusedError,
    TlsSettings,
)
from tests.fakes.waiting import elapsed_s, until
from tests.integration.runtime.conftest import RunMosquitto, StartBroker


class Sessions:
    """Runs sessions for a test and ends them with it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: dict[MqttSession, asyncio.Task[None]] = {}

    def connect(
        self,
        client_id: str,
        *,
        will: Outgoing | None = None,
        birth: Callable[[], Sequence[Outgoing]] | None = None,
    ) -> MqttSession:
        session = MqttSession(
            MqttSettings(port=self._port, client_id=client_id),
            SystemClock(),
            rng=random.Random(1),
            will=will,
            birth=birth,
        )
        self._tasks[session] = asyncio.create_task(session.run())
        return session

    async def up(self, client_id: str, *, will: Outgoing | None = None) -> MqttSession:
        session = self.connect(client_id, will=will)
        await asyncio.wait_for(session.wait_connected(), 30)
        return session

    async def stop(self, session: MqttSession) -> None:
        task = self._tasks.pop(session)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def stop_all(self) -> None:
        for session in list(self._tasks):
            await self.stop(session)


async def granted(*inboxes: Inbox) -> None:
    for inbox in inboxes:
        await asyncio.wait_for(inbox.wait_subscribed(), 30)


@pytest.fixture
async def sessions(free_port: int) -> AsyncIterator[Sessions]:
    running = Sessions(free_port)
    yield running
    await running.stop_all()


async def test_a_session_finds_its_broker_loses_it_and_finds_it_again(
    sessions: Sessions, start_broker: StartBroker
) -> None:
    births = iter(range(100))
    session = sessions.connect("a", birth=lambda: [Outgoing("birth", b"%d" % next(births))])
    inbox = session.subscribe("#")
    with pytest.raises(MqttLost, match="not connected to 127"):
        await session.publish(Outgoing("x", b"too early"))
    process = await start_broker()
    await asyncio.wait_for(session.wait_connected(), 30)
    await session.publish(Outgoing("x", b"1"))
    await until(lambda: len(inbox) == 2, what="birth and message arrive")
    process.kill()
    await until(lambda: not session.connected, what="the loss is noticed")
    with pytest.raises(MqttLost):
        await session.publish(Outgoing("x", b"nobody there"))
    await process.wait()
    await start_broker()
    await until(lambda: session.connected, within_s=30, what="the session is back")
    await session.publish(Outgoing("x", b"2"))
    await until(lambda: len(inbox) == 4, what="the subscription is back")
    payloads = [message.payload for message in await inbox.get_batch(10)]
    assert payloads == [b"0", b"1", b"1", b"2"]
    assert session.connections == 2


async def test_a_clean_stop_and_a_broken_link_both_say_the_will(
    sessions: Sessions, start_broker: StartBroker
) -> None:
    await start_broker()
    watcher = await sessions.up("watcher")
    inbox = watcher.subscribe("health/+")
    await granted(inbox)
    polite = await sessions.up("polite", will=Outgoing("health/polite", b"gone", 1, retain=True))
    rude = await sessions.up("rude", will=Outgoing("health/rude", b"lost", 1, retain=True))
    await sessions.stop(polite)
    assert (await asyncio.wait_for(inbox.get(), 30)).payload == b"gone"
    link = rude._link
    assert link is not None
    link_socket = link._client.socket()
    assert isinstance(link_socket, socket.socket)
    link_socket.shutdown(socket.SHUT_RDWR)
    assert (await asyncio.wait_for(inbox.get(), 30)).payload == b"lost"
    await until(lambda: rude.connected, within_s=30, what="the rude one is back")


async def test_a_late_subscriber_gets_what_is_retained_and_overlaps_do_not_double(
    sessions: Sessions, start_broker: StartBroker
) -> None:
    await start_broker()
    session = await sessions.up("a")
    wide = session.subscribe("room/#")
    narrow = session.subscribe("room/+", limit=2, drop=DropPolicy.NEWEST)
    await granted(wide, narrow)
    await session.publish(Outgoing("room/1", b"kept", retain=True))
    await until(lambda: len(wide) >= 1 and len(narrow) >= 1, what="both get it")
    late = session.subscribe("room/1")
    kept = await asyncio.wait_for(late.get(), 30)
    assert (kept.payload, kept.retain) == (b"kept", True)
    for number in range(5):
        await session.publish(Outgoing("room/2", b"%d" % number))
    await until(lambda: len(narrow) + narrow.dropped == 6, what="the narrow one is served")
    await until(lambda: len(wide) == 6, what="the wide one gets each once")
    assert (len(narrow), narrow.dropped) == (2, 4)


async def test_an_oversized_message_of_a_stranger_arrives_cut_and_recognisable(
    sessions: Sessions, start_broker: StartBroker
) -> None:
    await start_broker()
    session = await sessions.up("a")
    inbox = session.subscribe("x")
    await granted(inbox)
    with pytest.raises(PayloadTooLargeError, match="65537 bytes"):
        await session.publish(Outgoing("x", bytes(PAYLOAD_MAX_BYTES + 1)))
    stranger = session._link
    assert stranger is not None
    await stranger.send(Outgoing("x", bytes(3 * PAYLOAD_MAX_BYTES)))
    message = await asyncio.wait_for(inbox.get(), 30)
    assert len(message.payload) == PAYLOAD_MAX_BYTES + 1
    assert session.connected


async def test_a_broker_that_does_not_answer_is_given_up_and_leaves_no_socket(
    sessions: Sessions, free_port: int
) -> None:
    accepted: list[asyncio.StreamWriter] = []
    closed = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1_000):
                pass
        closed.set()

    server = await asyncio.start_server(mute, "127.0.0.1", free_port)
    async with server:
        session = sessions.connect("a")
        await until(lambda: accepted, what="the session connects")
        await asyncio.wait_for(closed.wait(), 30)
        assert not session.connected
        await sessions.stop(session)
        for writer in accepted:
            writer.close()


async def test_mosquitto_refuses_what_its_acl_does_not_allow(
    sessions: Sessions, mosquitto: int
) -> None:
    session = await sessions.up("a")
    inbox = session.subscribe("open/x")
    await granted(inbox)
    await session.publish(Outgoing("open/x", b"1", qos=1))
    with pytest.raises(
        PublishRefusedError, match=r"'closed/x'.*0x87.*check this client's ACL"
    ) as no:
        await session.publish(Outgoing("closed/x", b"1", qos=1))
    assert no.value.reason_code == 0x87
    await session.publish(Outgoing("open/x", b"2", qos=1))
    await until(lambda: len(inbox) == 2, what="the session goes on")
    assert session.connections == 1


def issue(
    folder: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a certificate for ``name`` (its own issuer when None) and write both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return certificate, key


async def test_tls_with_a_client_certificate(
    tmp_path: Path, free_port: int, run_mosquitto: RunMosquitto
) -> None:
    authority = issue(tmp_path, "ca", None)
    issue(tmp_path, "broker", authority)
    issue(tmp_path, "edge-1", authority)
    await run_mosquitto(
        f"cafile {tmp_path}/ca.crt",
        f"certfile {tmp_path}/broker.crt",
        f"keyfile {tmp_path}/broker.key",
        "require_certificate true",
        "use_identity_as_username true",
    )
    settings = MqttSettings(
        port=free_port,
        client_id="edge-1",
        tls=TlsSettings(
            ca_file=tmp_path / "ca.crt",
            cert_file=tmp_path / "edge-1.crt",
            key_file=tmp_path / "edge-1.key",
        ),
    )
    session = MqttSession(settings, SystemClock(), rng=random.Random(1))
    inbox = session.subscribe("x")
    task = asyncio.create_task(session.run())
    await asyncio.wait_for(session.wait_connected(), 30)
    await session.publish(Outgoing("x", b"sealed"))
    assert (await asyncio.wait_for(inbox.get(), 30)).payload == b"sealed"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_tls_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = MqttSettings(client_id="a", tls=TlsSettings(ca_file=tmp_path / "none.crt"))
    with pytest.raises(MqttSetupError, match=r"mqtt\.tls: cannot use .*none\.crt: .*No such file"):
        MqttSession(settings, SystemClock(), rng=random.Random(1))


def test_a_password_that_is_not_there_is_named() -> None:
    settings = MqttSettings(client_id="a", username="edge-1", password_env="ZE_TEST_NO_SUCH_NAME")
    with pytest.raises(MqttSetupError, match="ZE_TEST_NO_SUCH_NAME is empty or missing"):
        MqttSession(settings, SystemClock(), rng=random.Random(1))


async def test_the_broker_listens_on_loopback_alone_and_names_a_port_in_use(
    start_broker: StartBroker, free_port: int
) -> None:
    await start_broker()
    other = socket.gethostbyname(socket.gethostname())
    if not other.startswith("127."):
        with pytest.raises(OSError, match="refused"):
            await asyncio.open_connection(other, free_port)
    second = await asyncio.create_subprocess_exec(
        *broker.command(free_port), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await second.communicate()
    assert second.returncode == broker.EXIT_PORT_IN_USE
    assert f"port {free_port} on 127.0.0.1 is in use".encode() in errors
    with pytest.raises(broker.PortInUseError, match=str(free_port)):
        await broker.serve(free_port, SystemClock())


async def test_a_served_broker_goes_with_its_task(free_port: int) -> None:
    ready = asyncio.Event()
    task = asyncio.create_task(broker.serve(free_port, SystemClock(), on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 30)
    since = elapsed_s()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert elapsed_s(since) < 5
    assert not await broker.listening(free_port)


async def test_a_cancel_ends_a_session_even_in_the_moment_its_broker_dies(
    free_port: int, start_broker: StartBroker
) -> None:
    process = await start_broker()
    session = MqttSession(
        MqttSettings(port=free_port, client_id="both"), SystemClock(), rng=random.Random(2)
    )
    running = asyncio.create_task(session.run())
    await until(lambda: session.connected, within_s=30, what="connected")
    process.kill()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 30)
    assert running.cancelled()
