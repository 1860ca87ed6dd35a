"""A real Mosquitto with the shipped configuration, its authority, and devices with certificates."""

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

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.clock import SystemClock
from runtime.mqtt import (
    MqttSession,
    MqttSettings,
    Outgoing,
    PublishRefusedError,
    TlsSettings,
)
from tests.fakes.ports import free_port
from tests.fakes.waiting import until_blocking

CONFIG: Final = Path(__file__).parents[2] / "deploy" / "mosquitto" / "zeroentry.conf"
NOT_AUTHORIZED: Final = 0x87

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


def reachable(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def serving(folder: Path, acl: str, names: tuple[str, ...]) -> Iterator[Broker]:
    """The shipped configuration with ``acl`` on a free port; ``names`` have certificates."""
    make_authority(folder, ("broker", *names))
    (folder / "site.acl").write_text(acl, encoding="utf-8")
    port = free_port()
    config = CONFIG.read_text(encoding="utf-8")
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
async def device(
    broker: Broker, name: str, *, settings: MqttSettings | None = None
) -> AsyncIterator[MqttSession]:
    """A connected session of a device, with its own certificate unless ``settings`` say else."""
    session = MqttSession(settings or broker.settings(name), SystemClock(), rng=random.Random(1))
    running = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(30):
            await session.wait_connected()
        yield session
    finally:
        running.cancel()
        await asyncio.wait([running])


async def refusal(session: MqttSession, topic: str) -> int | None:
    """The reason code with which the broker refuses a publish; None when it takes it."""
    try:
        async with asyncio.timeout(30):
            await session.publish(Outgoing(topic, b"{}", qos=1))
    except PublishRefusedError as error:
        return error.reason_code
    return None
