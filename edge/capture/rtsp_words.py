"""Reads and writes RTSP 1.0 messages, digest answers and SDP: bytes in, values out. No socket."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from edge.capture import g711

HEAD_MAX_BYTES: Final = 16_384  # a camera's answer has some 500
BODY_MAX_BYTES: Final = 65_536  # an SDP of many streams has some 2 KB
BACKCHANNEL: Final = "www.onvif.org/ver20/backchannel"

_STATIC: Final = {"0": "PCMU", "8": "PCMA"}
_PAIR: Final = re.compile(r'(\w+)=(?:"([^"]*)"|([^,\s]+))')


class TalkRefusal(StrEnum):
    """Why nobody can be talked to over a camera; the console has a sentence for each."""

    NO_BACK_CHANNEL = "no_back_channel"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no_answer"
    NO_CODEC = "no_codec"
    BUSY = "busy"
    BAD_ANSWER = "bad_answer"
    LOST = "lost"


class BackChannelLost(Exception):
    """No words go over this camera; ``reason`` says why, ``detail`` is for the log."""

    def __init__(self, reason: TalkRefusal, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answer:
    """One RTSP answer; header names are lower case, the last of equal ones counts.

    ``challenges``: all of its WWW-Authenticate headers, in order.
    """

    status: int
    headers: Mapping[str, str]
    challenges: tuple[str, ...] = ()
    body: bytes = b""


def request(method: str, url: str, sequence: int, headers: Mapping[str, str]) -> bytes:
    """The bytes of a request without a body."""
    rows = [f"{method} {url} RTSP/1.0", f"CSeq: {sequence}", "User-Agent: ZeroEntry"]
    rows += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(rows) + "\r\n\r\n").encode()


def read_head(head: bytes) -> Answer:
    """The status line and headers of an answer, without its body.

    Raises:
        BackChannelLost: this is no RTSP.
    """
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ", 2)
    if not parts[0].startswith("RTSP/1.") or len(parts) < 2 or not parts[1].isdigit():
        raise BackChannelLost(TalkRefusal.BAD_ANSWER, "the answer is no RTSP")
    headers: dict[str, str] = {}
    challenges: list[str] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            continue
        headers[name.strip().lower()] = value.strip()
        if name.strip().lower() == "www-authenticate":
            challenges.append(value.strip())
    return Answer(int(parts[1]), headers, tuple(challenges))


def authorization(
    challenges: tuple[str, ...],
    pair: tuple[str, str],
    method: str,
    url: str,
    *,
    encrypted: bool,
    nonce_count: int,
    cnonce: str,
) -> str | None:
    """The header that answers a challenge; None: it cannot be answered without the password bare.

    Digest goes before basic; basic is answered over TLS alone.
    """
    digests = [one for one in challenges if one.lower().startswith("digest ")]
    # Cameras offer SHA-256 beside MD5 (RFC 7616) since some years: the better one that is there.
    digests.sort(key=lambda one: "sha-256" not in one.lower())
    for challenge in digests:
        fields = {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(challenge)}
        answer = _digest(fields, pair, method, url, nonce_count, cnonce)
        if answer is not None:
            return answer
    if encrypted and any(one.lower().startswith("basic") for one in challenges):
        return "Basic " + base64.b64encode(":".join(pair).encode()).decode()
    return None


def _digest(
    fields: Mapping[str, str],
    pair: tuple[str, str],
    method: str,
    url: str,
    nonce_count: int,
    cnonce: str,
) -> str | None:
    algorithm = fields.get("algorithm", "MD5").upper()
    if algorithm not in {"MD5", "SHA-256"} or "nonce" not in fields:
        return None

    def hashed(text: str) -> str:
        # MD5 is the protocol's; what is protected is the camera's own choice.
        name = "md5" if algorithm == "MD5" else "sha256"
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce = fields.get("realm", ""), fields["nonce"]
    secret, what = hashed(f"{pair[0]}:{realm}:{pair[1]}"), hashed(f"{method}:{url}")
    offered = {one.strip() for one in fields.get("qop", "").split(",")}
    rows = {"username": pair[0], "realm": realm, "nonce": nonce, "uri": url}
    tail = ""
    if "auth" in offered:
        count = f"{nonce_count:08x}"
        rows["response"] = hashed(f"{secret}:{nonce}:{count}:{cnonce}:auth:{what}")
        tail = f', qop=auth, nc={count}, cnonce="{cnonce}"'
    else:
        rows["response"] = hashed(f"{secret}:{nonce}:{what}")
    if "opaque" in fields:
        rows["opaque"] = fields["opaque"]
    if "algorithm" in fields:
        tail += f", algorithm={algorithm}"
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in rows.items()) + tail


@dataclass(frozen=True, slots=True)
class Mouth:
    """The medium of a camera's SDP that takes sound: where it is set up, and how it is encoded."""

    control: str
    payload_type: int
    codec: str


def mouth_of(sdp: str, base: str) -> Mouth:
    """The first audio medium that a client sends (``a=sendonly``) and that takes G.711 at 8 kHz.

    Raises:
        BackChannelLost: there is none, or none with a codec of ours.
    """
    found = [
        medium for medium in _media(sdp) if medium[0][0] == "audio" and "sendonly" in medium[1]
    ]
    if not found:
        raise BackChannelLost(TalkRefusal.NO_BACK_CHANNEL, "its SDP has no sendonly audio")
    for (_, *formats), attributes in found:
        codecs = {name: _STATIC[name] for name in formats if name in _STATIC}
        for name, text in _rtpmaps(attributes):
            codec, _, rate = text.partition("/")
            plain = rate in {"8000", "8000/1"} and codec.upper() in g711.CODECS
            if plain:
                codecs[name] = codec.upper()
            else:
                codecs.pop(name, None)
        for name in formats:
            if name in codecs and name.isdigit():
                control = next((one[8:] for one in attributes if one.startswith("control:")), "")
                return Mouth(joined(base, control), int(name), codecs[name])
    raise BackChannelLost(TalkRefusal.NO_CODEC, "its back channel takes no G.711")


def _media(sdp: str) -> list[tuple[list[str], list[str]]]:
    """Each medium: kind and formats, and its attributes."""
    media: list[tuple[list[str], list[str]]] = []
    for row in sdp.replace("\r\n", "\n").split("\n"):
        if row.startswith("m="):
            kind, _, rest = row[2:].partition(" ")
            media.append(([kind, *rest.split()[2:]], []))
        elif row.startswith("a=") and media:
            media[-1][1].append(row[2:].strip())
    return media


def _rtpmaps(attributes: list[str]) -> list[tuple[str, str]]:
    maps = [one[7:].partition(" ") for one in attributes if one.startswith("rtpmap:")]
    return [(name.strip(), text.strip()) for name, _, text in maps]


def joined(base: str, control: str) -> str:
    """A control attribute as an address; ``*`` and nothing mean the base itself."""
    if control in {"", "*"}:
        return base
    if control.lower().startswith(("rtsp://", "rtsps://")):
        return _at_host_of(base, control)
    return f"{base.rstrip('/')}/{control}"


def _at_host_of(base: str, control: str) -> str:
    """An absolute control at the host that we reached: behind an address translation it is another.

    Nothing of ours goes to a host that a camera names.
    """
    return urlunsplit(urlsplit(control)._replace(netloc=urlsplit(base).netloc))
