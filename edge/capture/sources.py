"""Decides at which address a camera's stream is: declared, a recorder's channel, or asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from contracts.devices import CameraConfig, NvrSource, StreamConfig
from contracts.units import MonoMs
from edge.capture.nvr import channel_path
from edge.capture.onvif_profiles import OnvifLost, OnvifReason
from runtime.clock import Clock

Which = Literal["main", "sub"]

DENIED_PAUSE_MS: Final = 60_000
# Devices lock a user out after some five wrong passwords; a reader that connects again every few
# seconds would keep it locked for ever, and with it everybody who uses that user.

Credentials = Callable[[], tuple[str, str] | None]
"""User and password of a camera, asked for at each use; None when it needs none."""


class NoStreamError(ValueError):
    """The camera declares no such stream, or only the device itself can say where it is."""


@dataclass(frozen=True, slots=True)
class ResolvedStreams:
    """Addresses of a camera without user and password; ``sub`` is None where none is declared.

    ``notices`` are words of the device that were not taken as they were, for the log.
    """

    main: str
    sub: str | None
    notices: tuple[str, ...] = ()

    def of(self, which: Which) -> str:
        """The address of one stream.

        Raises:
            NoStreamError: the camera declares no sub stream.
        """
        url = self.main if which == "main" else self.sub
        if url is None:
            raise NoStreamError("no sub stream is declared")
        return url


def declared(camera: CameraConfig, which: Which) -> StreamConfig:
    """What the camera's file says of one stream.

    Raises:
        NoStreamError: it declares no sub stream.
    """
    stream = camera.main if which == "main" else camera.sub
    if stream is None:
        raise NoStreamError(f"camera {camera.id}: no sub stream is declared")
    return stream


def needs_device(camera: CameraConfig, which: Which) -> bool:
    """Whether only the device itself (ONVIF) can say where this stream is."""
    return declared(camera, which).url is None and camera.nvr is None


def stream_url(camera: CameraConfig, which: Which) -> str:
    """The address of a stream that the configuration alone gives; no user or password in it.

    Raises:
        NoStreamError: no such stream is declared, or only the device can say (``needs_device``).
    """
    stream = declared(camera, which)
    if stream.url is not None:
        return stream.url
    if camera.nvr is not None:
        return _channel_url(camera.nvr, which)
    raise NoStreamError(f"camera {camera.id}: {which}.url is asked from the device over ONVIF")


def described(camera: CameraConfig, which: Which) -> str:
    """Where a stream comes from, in a form for logs: never a password, never a question asked."""
    if needs_device(camera, which) and camera.onvif is not None:
        return f"onvif://{_bracketed(camera.onvif.host)}:{camera.onvif.port}/{which}"
    return stream_url(camera, which)


async def resolve(camera: CameraConfig, credentials: Credentials, clock: Clock) -> ResolvedStreams:
    """The addresses of every declared stream; asks the device where the configuration has none.

    Raises:
        OnvifLost: the device did not say (an ``OSError``, with a reason).
    """
    asked = [which for which in _streams(camera) if needs_device(camera, which)]
    if not asked:
        return ResolvedStreams(
            stream_url(camera, "main"), stream_url(camera, "sub") if camera.sub else None
        )
    # Only a camera that is asked pays for the SOAP machinery: 0.7 s and some 40 MB.
    from edge.capture.onvif import device_streams  # noqa: PLC0415 - see above

    found, notices = await device_streams(camera, credentials(), clock)
    urls = {
        which: found[which] if which in asked else stream_url(camera, which)
        for which in _streams(camera)
    }
    return ResolvedStreams(urls["main"], urls.get("sub"), notices)


class StreamAddress:
    """The address of one stream, for the thread that reads it: call it at each connection.

    A device is asked once, and again after ``forget()``: say that when RTSP answers 404, or when a
    connection failed several times, since a camera that was reset gives its streams new addresses.
    """

    def __init__(
        self, camera: CameraConfig, which: Which, credentials: Credentials, clock: Clock
    ) -> None:
        self._camera = camera
        self._which: Which = which
        self._credentials = credentials
        self._clock = clock
        self._asks = needs_device(camera, which)
        self._known: str | None = None
        self._denied: _Denied | None = None

    def __call__(self) -> str:
        """The address, without user and password.

        Blocks while the device is asked, at most ``edge.capture.onvif.RESOLVE_TIMEOUT_S``; never
        call it on an event loop. A device that refused the password is asked again after
        ``DENIED_PAUSE_MS``, or as soon as there is another one.

        Raises:
            OnvifLost: the device did not say (an ``OSError``).
        """
        if not self._asks:
            return stream_url(self._camera, self._which)
        if self._known is None:
            self._known = self._ask()
        return self._known

    def forget(self) -> None:
        """Ask the device again at the next call."""
        self._known = None

    def _ask(self) -> str:
        pair, denied = self._credentials(), self._denied
        if denied and denied.pair == pair and self._clock.mono_ms() < denied.until:
            raise OnvifLost(OnvifReason.WRONG_PASSWORD, denied.detail)
        try:
            resolved = asyncio.run(resolve(self._camera, lambda: pair, self._clock))
        except OnvifLost as lost:
            if lost.reason is OnvifReason.WRONG_PASSWORD:
                until = MonoMs(self._clock.mono_ms() + DENIED_PAUSE_MS)
                self._denied = _Denied(pair, until, lost.detail)
            raise
        self._denied = None
        return resolved.of(self._which)


@dataclass(frozen=True, slots=True)
class _Denied:
    """A user and password that a device refused, and until when it is left in peace."""

    pair: tuple[str, str] | None = field(repr=False)
    until: MonoMs
    detail: str


def _streams(camera: CameraConfig) -> tuple[Which, ...]:
    return ("main",) if camera.sub is None else ("main", "sub")


def _channel_url(nvr: NvrSource, which: Which) -> str:
    path = channel_path(nvr.template, nvr.channel, sub=which == "sub")
    return f"rtsp://{_bracketed(nvr.host)}:{nvr.port}{path}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
