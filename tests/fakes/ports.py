"""Gives out TCP ports of loopback: one nobody listens on, and that nobody else is given.

A port between asking and listening belongs to nobody, and a process of ours may take half a
minute to start on a busy machine. So none is of the range from which the system takes ports for
connections, and each is kept, by a name that ends with this process, from other test runs.
"""

import random
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
PORTS: Final = range(15_000, 30_000)  # Linux gives connections those from 32768 on
_rng: Final = random.SystemRandom()  # two runs must not go through them in the same order


def free_port() -> int:
    """A port that nobody listens on now and that no other caller gets while this process lives."""
    while True:
        port = _rng.choice(PORTS)
        if _is_free(port) and _reserve(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Keep an abstract socket's name: the system frees it when this process ends, however."""
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        keeper.bind(f"\0zeroentry-test-port-{port}")
    except OSError:
        keeper.close()
        return False
    keeper.detach()  # open from here to the end of the process
    return True
