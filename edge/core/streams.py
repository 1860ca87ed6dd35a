"""Holds what a camera's stream really is, beside what the site declares of it."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.units import CameraId
from edge.core.people import Instant


class ClockSource(StrEnum):
    """Who told a camera's time."""

    ONVIF = "onvif"
    """The device itself, asked for its date and time; to half a second."""
    RTCP = "rtcp"
    """The sender reports of its stream (RFC 3550, 6.4.1)."""


@dataclass(frozen=True, slots=True)
class StreamDeclared:
    """What the site says that a camera's analysed stream sends. ``codec``: h264 or h265."""

    codec: str
    width_px: int
    height_px: int
    fps: float


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """A camera's clock less the node's; positive: the camera is ahead."""

    offset_ms: float
    source: ClockSource
    at: Instant


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """What came of a camera's analysed stream over the period that ended at ``at``.

    None where it is not known: no picture decoded yet, no rate measured, no clock told.
    """

    camera_id: CameraId
    at: Instant
    codec: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    fps: float | None = None
    clock: ClockSeen | None = None
