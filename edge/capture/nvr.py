"""Holds where recorders of known makers give out their channels over RTSP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.devices import NvrTemplate


@dataclass(frozen=True, slots=True)
class RtspPaths:
    """Path and query of a channel's main and sub stream; ``{channel}`` counts from 1.

    ``source`` says where the maker documents it, ``note`` what to know before trusting it.
    """

    main: str
    sub: str
    source: str
    note: str


TEMPLATES: Final[Mapping[NvrTemplate, RtspPaths]] = {
    NvrTemplate.HIKVISION: RtspPaths(
        main="/Streaming/Channels/{channel}01",
        sub="/Streaming/Channels/{channel}02",
        source="Hikvision ISAPI, DESCRIBE rtsp://<host>/ISAPI/Streaming/channels/<ID>: "
        "ID = channel * 100 + stream type (1 main, 2 sub, 3 third)",
        note="Hybrid recorders count analog channels first, network channels after the last one.",
    ),
    NvrTemplate.DAHUA: RtspPaths(
        main="/cam/realmonitor?channel={channel}&subtype=0",
        sub="/cam/realmonitor?channel={channel}&subtype=1",
        source="Dahua HTTP API, live media stream: channel from 1, subtype 0 main, 1 first extra",
        note="Extra streams 2 and 3 exist on some models; only the first is used here.",
    ),
    NvrTemplate.UNIVIEW: RtspPaths(
        main="/unicast/c{channel}/s0/live",
        sub="/unicast/c{channel}/s1/live",
        source="Uniview NVR user manual, RTSP: /unicast/c<channel>/s<0 main, 1 sub, 2 third>/live",
        note="For recorders. A single Uniview camera answers at /media/video1 and /media/video2.",
    ),
}


def channel_path(template: NvrTemplate, channel: int, *, sub: bool) -> str:
    """Path and query of one channel's stream, with a leading slash."""
    paths = TEMPLATES[template]
    return (paths.sub if sub else paths.main).format(channel=channel)
