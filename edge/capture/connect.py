"""Opens a camera's stream with explicit time-outs, and says why one could not be opened."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import av
from av.container import InputContainer
from av.error import (
    ExitError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPUnauthorizedError,
)
from av.error import TimeoutError as AvTimeoutError

from edge.capture.link import Failure
from edge.capture.onvif_profiles import OnvifLost, OnvifReason

OPEN_TIMEOUT_S = 5.0  # a camera that wakes up answers DESCRIBE in 1 to 3 s
READ_TIMEOUT_S = 3.0  # longer than a freeze takes to be noticed, so the watchdog speaks first
SOCKET_TIMEOUT_US = 3_000_000

ONVIF_FAILURES: Final[Mapping[OnvifReason, Failure]] = {
    OnvifReason.WRONG_PASSWORD: Failure.DENIED,
    OnvifReason.NO_ANSWER: Failure.SILENT,
    OnvifReason.NO_PROFILE: Failure.MISSING,
}
"""What a device's answer means where it was asked for a stream's address; others: refused."""

# What a USB camera can hand over as it is stored; raw pictures are the last resort, for analysis.
V4L2_FORMATS = ("h264", "mjpeg")

Credentials = Callable[[], tuple[str, str] | None]
"""User and password of a camera, asked for at each connection; None when it needs none."""


def with_credentials(url: str, pair: tuple[str, str] | None) -> str:
    """The address with user and password in it: for the socket only, never for a log."""
    if pair is None:
        return url
    parts = urlsplit(url)
    user, password = (quote(text, safe="") for text in pair)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))


def open_source(url: str, transport: str, *, prompt: bool = True) -> InputContainer:
    """Open an rtsp, rtsps, file or v4l2 address with explicit time-outs.

    ``prompt``: what came while the stream was looked at is thrown away, so that a live picture is
    not late. A recorder wants it: the first key frame is in it, and the next is seconds away.

    Raises:
        FFmpegError: it cannot be opened. Its ``filename`` may hold a password: log ``strerror``
            alone.
    """
    timeout_s = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return av.open(unquote(parts.path), timeout=timeout_s)
    if parts.scheme == "v4l2":
        return _open_usb(parts.path, timeout_s)
    options = {
        # TLS runs over TCP alone.
        "rtsp_transport": "tcp" if parts.scheme == "rtsps" else transport,
        # libavformat of today knows `timeout` (µs); `stimeout` of the old guides is ignored.
        "timeout": str(SOCKET_TIMEOUT_US),
        **({"fflags": "nobuffer"} if prompt else {}),
        # The SDP says what comes: half a second of looking is enough; the default costs 5 s.
        "analyzeduration": "500000",
        "probesize": "500000",
    }
    if parts.scheme == "rtsp" and transport == "tcp":
        # PyAV keeps its time-out by taking the interpreter's lock before every read of a socket,
        # three times a packet. The socket's own time-out (twice that, for a read) costs nothing.
        return av.open(url, options=options, timeout=(OPEN_TIMEOUT_S, None))
    return av.open(url, options=options, timeout=timeout_s)


def _open_usb(path: str, timeout_s: tuple[float, float]) -> InputContainer:
    for name in V4L2_FORMATS:
        options = {"input_format": name}
        try:
            return av.open(path, format="video4linux2", options=options, timeout=timeout_s)
        except (FileNotFoundError, PermissionError):
            raise
        except FFmpegError:
            continue  # the device does not send this format
    return av.open(path, format="video4linux2", timeout=timeout_s)


def failure_of(error: FFmpegError | LookupError | OSError) -> tuple[Failure, str]:
    """Why a connection was not made or ended, in words without the address."""
    if isinstance(error, ExitError | AvTimeoutError):
        return Failure.SILENT, "no answer in time"
    if isinstance(error, HTTPUnauthorizedError | HTTPForbiddenError):
        return Failure.DENIED, "the camera refuses our user name or password"
    if isinstance(error, HTTPNotFoundError):
        return Failure.MISSING, "the camera knows no such stream"
    if isinstance(error, FFmpegError):
        return Failure.REFUSED, error.strerror or type(error).__name__
    if isinstance(error, OnvifLost):
        return ONVIF_FAILURES.get(error.reason, Failure.REFUSED), str(error)
    return Failure.REFUSED, str(error)
