"""Decides which of a device's profiles is meant, what differs from its file, whom to believe."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

from contracts.devices import CameraConfig, StreamConfig

Which = Literal["main", "sub"]

CLOCK_OFFSET_MAX_MS: Final = 2_000
# GetSystemDateAndTime tells whole seconds; with the way there and back, 2 s is the least that can
# be told from a right clock, and a caption on the picture that is off by more is not evidence.
KEY_FRAME_EVERY_MAX_S: Final = 4.0
# A clip and the live view begin at a key frame, and a segment is cut at one.
KEY_FRAME_EVERY_S: Final = 2.0  # what `--apply` sets: half of the limit
FPS_TOLERANCE: Final = 0.5  # Media (ver10) knows whole frames a second alone
URI_MAX_CHARS: Final = 500  # what contracts.devices takes
TOKEN_MAX_CHARS: Final = 64  # tt:ReferenceToken


class OnvifReason(StrEnum):
    """Why a device did not do what it was asked; each needs another remedy."""

    UNREACHABLE = "unreachable"
    NO_ANSWER = "no_answer"
    NOT_ONVIF = "not_onvif"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason, not a password
    CLOCK_OFF = "clock_off"
    NOT_OFFERED = "not_offered"
    NO_PROFILE = "no_profile"
    REFUSED = "refused"
    BAD_ANSWER = "bad_answer"


class OnvifLost(ConnectionError):
    """A device did not do what it was asked. An ``OSError``, as every lost camera is."""

    def __init__(self, reason: OnvifReason, detail: str = "") -> None:
        super().__init__(f"ONVIF: {reason.value}" + (f": {detail}" if detail else ""))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class DeviceInformation:
    """What a device says of itself (GetDeviceInformation)."""

    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    hardware: str = ""


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """What a profile's encoder is set to; None is what the device does not say.

    ``token`` names the encoder's configuration, which several profiles may share.
    """

    token: str
    codec: str
    width: int
    height: int
    fps: float | None = None
    gop_frames: int | None = None
    bitrate_kbps: int | None = None

    @property
    def key_frame_every_s(self) -> float | None:
        """Seconds from key frame to key frame; None when the device does not say."""
        if self.gop_frames is None or not self.fps:
            return None
        return self.gop_frames / self.fps


@dataclass(frozen=True, slots=True)
class Profile:
    """One media profile. ``audio`` is what its sound encoder sends; "none" without one.

    ``g711`` is what Media (ver10) says for both PCMA and PCMU.
    """

    token: str
    name: str
    media2: bool
    video: VideoSettings | None
    audio: str = "none"


_VIDEO: Final = {
    "h264": "h264",
    "h265": "h265",
    "hevc": "h265",
    "jpeg": "jpeg",
    "mpeg4": "mpeg4",
    "mpv4-es": "mpeg4",
    "mp4v-es": "mpeg4",
}
_AUDIO: Final = {
    "aac": "aac",
    "mp4a-latm": "aac",
    "mpeg4-generic": "aac",
    "g711": "g711",
    "pcmu": "pcmu",
    "pcma": "pcma",
    "g726": "g726",
    "opus": "opus",
}


def video_codec(encoding: str) -> str:
    """Our name of an ONVIF video encoding (Media or Media2); "other" for one unknown here."""
    return _VIDEO.get(encoding.strip().lower(), "other")


def audio_codec(encoding: str) -> str:
    """Our name of an ONVIF audio encoding (Media or Media2); "other" for one unknown here."""
    return _AUDIO.get(encoding.strip().lower(), "other")


def choose(
    profiles: Sequence[Profile],
    wanted: StreamConfig,
    token: str | None,
    *,
    taken: Profile | None = None,
) -> Profile:
    """The profile that is meant: by its token, or else the nearest in codec, size and rate.

    ``taken`` is the profile that the other stream has already; it is chosen again only when the
    device has no other.

    Raises:
        OnvifLost: NO_PROFILE: there is no profile of that token, or none with a picture.
    """
    pictured = [profile for profile in profiles if profile.video is not None]
    if token is not None:
        for profile in pictured:
            if profile.token == token:
                return profile
        known = ", ".join(profile.token for profile in pictured) or "none"
        raise OnvifLost(OnvifReason.NO_PROFILE, f"no profile {token!r}; the device has: {known}")
    others = [profile for profile in pictured if profile is not taken] or pictured
    if not others:
        raise OnvifLost(OnvifReason.NO_PROFILE, "the device has no profile with a picture")
    return min(others, key=lambda profile: _distance(profile, wanted))


def _distance(profile: Profile, wanted: StreamConfig) -> tuple[int, float, float]:
    video = profile.video
    if video is None:
        return (2, 0.0, 0.0)
    pixels = wanted.width * wanted.height
    size = abs(video.width * video.height - pixels) / pixels
    rate = abs((video.fps or wanted.fps) - wanted.fps)
    return (int(video.codec != wanted.codec), size, rate)


def choose_both(
    profiles: Sequence[Profile], camera: CameraConfig
) -> tuple[Profile, Profile | None]:
    """The profiles of a camera's main and sub stream; None where no sub stream is declared.

    Raises:
        OnvifLost: NO_PROFILE.
    """
    onvif = camera.onvif
    main = choose(profiles, camera.main, onvif.main_profile if onvif else None)
    if camera.sub is None:
        return main, None
    sub = choose(profiles, camera.sub, onvif.sub_profile if onvif else None, taken=main)
    return main, sub


def suggest_both(
    profiles: Sequence[Profile], *, sub_width: int
) -> tuple[Profile | None, Profile | None]:
    """For a camera without a file yet: the largest profile to record, and one to analyse.

    The profile to analyse is the one whose width is nearest to ``sub_width``, of a codec that we
    decode, and smaller than the largest.
    """
    pictured = [
        (profile, profile.video)
        for profile in profiles
        if profile.video is not None and profile.video.codec in {"h264", "h265"}
    ]
    if not pictured:
        return None, None
    main, largest = max(
        pictured, key=lambda pair: (pair[1].width * pair[1].height, pair[1].fps or 0)
    )
    smaller = [pair for pair in pictured if pair[1].width < largest.width]
    sub = min(smaller, key=lambda pair: abs(pair[1].width - sub_width))[0] if smaller else None
    return main, sub


class DifferenceKind(StrEnum):
    """What a device is set to otherwise than its file declares."""

    CODEC = "codec"
    SIZE = "size"
    FPS = "fps"
    KEY_FRAMES = "key_frames"
    SOUND = "sound"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference in words that need no language: ``wanted`` and ``actual`` with units."""

    kind: DifferenceKind
    which: Which | None
    wanted: str
    actual: str


def differences(
    camera: CameraConfig, main: Profile, sub: Profile | None, clock_offset_ms: int | None
) -> tuple[Difference, ...]:
    """Everything that the device is set to otherwise than the camera's file declares."""
    found = _stream_differences("main", camera.main, main)
    if camera.sub is not None and sub is not None:
        found += _stream_differences("sub", camera.sub, sub)
    if not _sounds_alike(camera.sound, main.audio):
        found.append(Difference(DifferenceKind.SOUND, None, camera.sound, main.audio))
    if clock_offset_ms is not None and abs(clock_offset_ms) > CLOCK_OFFSET_MAX_MS:
        limit = f"<= {CLOCK_OFFSET_MAX_MS / 1000:.0f} s"
        actual = f"{clock_offset_ms / 1000:+.1f} s"
        found.append(Difference(DifferenceKind.CLOCK, None, limit, actual))
    return tuple(found)


def _stream_differences(which: Which, wanted: StreamConfig, profile: Profile) -> list[Difference]:
    video = profile.video
    if video is None:
        return [Difference(DifferenceKind.CODEC, which, wanted.codec, "none")]
    found: list[Difference] = []
    if video.codec != wanted.codec:
        found.append(Difference(DifferenceKind.CODEC, which, wanted.codec, video.codec))
    if (video.width, video.height) != (wanted.width, wanted.height):
        sizes = (f"{wanted.width}x{wanted.height}", f"{video.width}x{video.height}")
        found.append(Difference(DifferenceKind.SIZE, which, *sizes))
    if video.fps is not None and abs(video.fps - wanted.fps) > FPS_TOLERANCE:
        found.append(Difference(DifferenceKind.FPS, which, f"{wanted.fps:g}", f"{video.fps:g}"))
    every_s = video.key_frame_every_s
    if every_s is not None and every_s > KEY_FRAME_EVERY_MAX_S:
        limit = f"<= {KEY_FRAME_EVERY_MAX_S:g} s"
        found.append(Difference(DifferenceKind.KEY_FRAMES, which, limit, f"{every_s:.1f} s"))
    return found


def _sounds_alike(wanted: str, actual: str) -> bool:
    return wanted == actual or (actual == "g711" and wanted in {"pcma", "pcmu"})


def wanted_video(actual: VideoSettings, wanted: StreamConfig) -> VideoSettings:
    """What to set an encoder to so that it fits its file; the codec stays as it is.

    A codec is never changed from here: it decides whether browsers can show the picture, and
    devices couple it to sizes and rates in ways of their own.
    """
    fps = wanted.fps if actual.fps is None or abs(actual.fps - wanted.fps) > FPS_TOLERANCE else None
    set_to = replace(actual, width=wanted.width, height=wanted.height, fps=fps or actual.fps)
    every_s = set_to.key_frame_every_s
    if every_s is None or every_s <= KEY_FRAME_EVERY_MAX_S:
        return set_to
    return replace(set_to, gop_frames=max(round(wanted.fps * KEY_FRAME_EVERY_S), 1))


@dataclass(frozen=True, slots=True)
class AtHost:
    """An address that leads to the host that was asked; ``said`` is the host it named instead."""

    uri: str
    said: str | None = None


def at_host(uri: str, host: str, port: int, *, schemes: Sequence[str]) -> AtHost:
    """An address out of a device's answer, made to lead to the device that was asked.

    A device behind NAT names an address that does not exist here, one that is badly set names
    0.0.0.0, and one that is hostile names a third party, which would then get our requests and the
    digest of our password. Nobody can tell these apart, so the host is always the one that was
    asked: what the answer says is taken for its path and query alone. Its port is taken when it
    names our host, and for streams (``rtsp``), which have no port of ours to fall back to. A
    recorder whose streams really are elsewhere must be declared by `url`. User and password in the
    address are dropped.

    Raises:
        OnvifLost: BAD_ANSWER: no such address, or another scheme.
    """
    if not 0 < len(uri) <= URI_MAX_CHARS or not uri.isprintable() or " " in uri:
        raise OnvifLost(OnvifReason.BAD_ANSWER, "an address that is empty, too long or no text")
    try:
        parts = urlsplit(uri)
        said, said_port = parts.hostname or "", parts.port
    except ValueError:
        raise OnvifLost(OnvifReason.BAD_ANSWER, "an address that is none") from None
    if parts.scheme not in schemes:
        raise OnvifLost(
            OnvifReason.BAD_ANSWER, f"an address of scheme {parts.scheme[:20]!r}, not {schemes[0]}"
        )
    same = _same_host(said, host)
    streams = parts.scheme.startswith("rtsp")
    if streams:
        at = said_port or (322 if parts.scheme == "rtsps" else 554)
    else:
        at = (said_port or (443 if parts.scheme == "https" else 80)) if same else port
    bracketed = f"[{host}]" if ":" in host else host
    fresh = urlunsplit((parts.scheme, f"{bracketed}:{at}", parts.path, parts.query, ""))
    return AtHost(fresh, None if same else said)


def _same_host(one: str, other: str) -> bool:
    if one.lower() == other.lower():
        return True
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False
