"""Holds where a browser gets pictures, clips and sound: links with a ticket, good for minutes."""

from contracts.envelope import Strict
from contracts.units import CameraId, UtcMs


class MediaLink(Strict):
    """Where a browser gets a camera's picture, straight from its edge node, for a few minutes."""

    camera_id: CameraId
    snapshot_url: str
    live_url: str
    expires_utc_ms: UtcMs


class PageLink(Strict):
    """A page of a camera at its edge node, with a ticket of the asking user in its address."""

    camera_id: CameraId
    url: str
    expires_utc_ms: UtcMs


class ClipLink(Strict):
    """Where a browser plays what a camera recorded around an alert, straight from its edge node.

    The whole clip is there from ``complete_utc_ms`` on; ``early``: the address is of what there was
    when it was asked for, up to ``to_utc_ms``. It answers the asking user until ``expires_utc_ms``.
    """

    alert_id: str
    camera_id: CameraId
    url: str
    early: bool = False
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    complete_utc_ms: UtcMs
    expires_utc_ms: UtcMs


class SoundLink(Strict):
    """Where a browser hears what belongs to an alert; asking for it is entered in the log."""

    alert_id: str
    source_id: str
    url: str
    from_utc_ms: UtcMs
    duration_ms: int
    expires_utc_ms: UtcMs
