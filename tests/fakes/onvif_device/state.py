"""Holds what the simulated device is set to, and in which ways it is to be wrong."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class Encoder:
    """A video encoder's configuration, with the profile that uses it."""

    token: str
    profile: str
    name: str
    encoding: str  # as Media2 says it: H264, H265, JPEG
    width: int
    height: int
    fps: float
    gop: int
    kbps: int
    path: str
    sizes: tuple[tuple[int, int], ...] = ()
    """Sizes that it can be set to; empty: any."""


@dataclass(slots=True)
class Sound:
    """The sound encoder of all profiles, as Media and as Media2 say it."""

    media1: str
    media2: str


AAC = Sound("AAC", "MP4A-LATM")
G711 = Sound("G711", "PCMA")


def two_streams() -> list[Encoder]:
    return [
        Encoder(
            "VEC_0", "Profile_0", "mainStream", "H264", 1920, 1080, 25, 50, 4096, "/main",
            sizes=((1920, 1080), (1280, 720)),
        ),
        Encoder("VEC_1", "Profile_1", "subStream", "H264", 640, 360, 10, 20, 512, "/sub"),
    ]  # fmt: skip


@dataclass(slots=True)
class DeviceState:
    user: str = "admin"
    password: str = "pass-of-the-test"
    encoders: list[Encoder] = field(default_factory=two_streams)
    sound: Sound | None = field(default_factory=lambda: AAC)
    media2: bool = True
    get_services: bool = True
    """False: a device of before ONVIF 2.1, which knows GetCapabilities alone."""
    snapshots: bool = True
    http_digest: bool = False
    """True: HTTP digest instead of WS-UsernameToken."""
    everything_signed: bool = False
    """True: even the operations that ONVIF leaves open to all want a user."""
    clock_offset_s: float = 0.0
    """What its clock is ahead of the real time."""
    told_offset_s: float = 0.0
    """What the time that it tells is ahead of the one it works by (local time told as UTC)."""
    tells_utc: bool = True
    token_age_max_s: float = 5.0
    stamps_expire: bool = False
    """True: it says wsu:MessageExpired for a token of another time, instead of NotAuthorized."""
    service_host: str | None = None
    """The host:port that it names for its services; None: its true one."""
    stream_host: str | None = None
    rtsp_port: int = 554
    ntp: tuple[str, ...] = ("192.0.2.123",)
    ntp_on: bool = False
    name: str = "IPC-Test"
    endpoint: str = "urn:uuid:00000000-0000-4000-8000-0000000000aa"

    def now(self) -> datetime:
        """The time that it works by."""
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset_s)

    def told(self) -> datetime:
        """The time that GetSystemDateAndTime tells."""
        return self.now() + timedelta(seconds=self.told_offset_s)

    def encoder(self, token: str) -> Encoder | None:
        return next((each for each in self.encoders if each.token == token), None)

    def of_profile(self, token: str) -> Encoder | None:
        return next((each for each in self.encoders if each.profile == token), None)
