"""What holds for every test: a reproducible Hypothesis, and no way out of this machine."""

import ipaddress
import os
import sys
from collections.abc import Sequence
from typing import Final

from hypothesis import settings

LOCAL_NAMES: Final = ("localhost", "")

settings.register_profile("people", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
# No deadline per example: two busy cores make any time limit there a coin toss.
settings.load_profile("ci" if os.environ.get("CI") else "people")


def is_local(host: object) -> bool:
    text = host.decode() if isinstance(host, bytes) else str(host)
    if text in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def only_loopback(event: str, arguments: Sequence[object]) -> None:
    """Refuse to connect to, or to look up, anything but this machine."""
    if event == "socket.connect":
        address = arguments[1]
        outside = isinstance(address, tuple) and not is_local(address[0])
    elif event == "socket.getaddrinfo":
        address = arguments[0]
        outside = address is not None and not is_local(address)
    else:
        return
    if outside:
        raise PermissionError(f"a test reached for {address!r}; tests use loopback only")


sys.addaudithook(only_loopback)
