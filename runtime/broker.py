"""Runs the embedded broker for one machine: iotcore, MQTT 5, loopback only, a process of its own.

It has no access control, ignores session expiry and keeps nothing over a restart: it is for the
demo and for tests. A site runs Mosquitto or better.
"""

import argparse
import asyncio
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from iotcore import IotCoreBroker

from contracts.envelope import PAYLOAD_MAX_BYTES
from runtime.clock import Clock

HOST: Final = "127.0.0.1"  # the broker has no access control, so nobody outside may reach it
CONNECTIONS_MAX: Final = 500  # the processes of one machine
INFLIGHT_MAX: Final = 100  # above the window of an outbox, so that this limit never paces one
PACKET_MAX_BYTES: Final = 8 * PAYLOAD_MAX_BYTES
# Above our own limit on purpose: an oversized message then reaches a receiver, which counts it.
SEGMENT_BYTES: Final = 4 * 1024 * 1024
SEGMENTS_MAX: Final = 8  # a topic filter's log in memory is then bounded by 32 MiB
READY_POLL_MS: Final = 50
READY_WITHIN_MS: Final = 10_000
STOP_WITHIN_S: Final = 3.0
EXIT_PORT_IN_USE: Final = 3

_CONFIG: Final = """\
id = 0

[router]
id = 0
max_connections = {connections}
max_outgoing_packet_count = 200
max_segment_size = {segment_bytes}
max_segment_count = {segments}

[v5.1]
name = "mqtt5"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = {packet_bytes}
max_inflight_count = {inflight}
dynamic_filters = true
"""


class PortInUseError(Exception):
    """Another process listens on the broker's port."""


class BrokerLost(Exception):
    """The broker's process ended or never answered."""


def command(port: int) -> tuple[str, ...]:
    """The command line of the broker's process, for a supervisor."""
    return (sys.executable, "-m", "runtime.broker", "--port", str(port))


def check_port_free(port: int) -> None:
    """See that nobody listens on ``127.0.0.1:port``.

    Raises:
        PortInUseError: somebody does.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the broker itself: a port in TIME_WAIT after a restart is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortInUseError(
                f"port {port} on {HOST} is in use ({error.strerror}); stop the process that has it "
                f"(find it with: ss -ltnp 'sport = :{port}') or choose another port"
            ) from None


async def listening(port: int) -> bool:
    """Whether something accepts connections on ``127.0.0.1:port``."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


async def serve(port: int, clock: Clock, *, on_ready: Callable[[], None] = lambda: None) -> None:
    """Run the broker in a child process until cancelled, and take it down with us.

    Raises:
        PortInUseError: the port is taken.
        BrokerLost: the process ended by itself or did not listen in time.
    """
    check_port_free(port)
    process = await asyncio.create_subprocess_exec(*command(port))
    try:
        waited_ms = 0
        while not await listening(port):
            if process.returncode is not None or waited_ms >= READY_WITHIN_MS:
                raise BrokerLost(
                    f"the broker on port {port} did not start; exit {process.returncode}"
                )
            await clock.sleep_ms(READY_POLL_MS)
            waited_ms += READY_POLL_MS
        on_ready()
        code = await process.wait()
        raise BrokerLost(f"the broker on port {port} ended with exit status {code}")
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def run_here(port: int) -> None:
    """Be the broker: blocks this process until a signal ends it.

    Raises:
        PortInUseError: the port is taken.
    """
    check_port_free(port)
    # The Rust code holds this thread, so Python's own handlers would never run.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # rumqttd wraps every packet in error-level spans; they are not errors.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    config = _CONFIG.format(
        host=HOST,
        port=port,
        connections=CONNECTIONS_MAX,
        segment_bytes=SEGMENT_BYTES,
        segments=SEGMENTS_MAX,
        packet_bytes=PACKET_MAX_BYTES,
        inflight=INFLIGHT_MAX,
    )
    with tempfile.TemporaryDirectory(prefix="zeroentry-broker-") as directory:
        # MQTT 5 can only be asked for in a file; it is read once, here.
        path = Path(directory) / "broker.toml"
        path.write_text(config, encoding="utf-8")
        broker = IotCoreBroker(config_path=str(path))
    broker.run_forever()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m runtime.broker``."""
    parser = argparse.ArgumentParser(
        prog="python -m runtime.broker", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port on 127.0.0.1")
    port: int = parser.parse_args(arguments).port
    try:
        run_here(port)
    except PortInUseError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_PORT_IN_USE
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
