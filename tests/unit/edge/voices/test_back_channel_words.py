"""What an RTSP client says and understands: digest, SDP, G.711; and what it refuses."""

import contextlib
import io
from typing import Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.capture import g711
from edge.capture.back_channel import plain_address
from edge.capture.rtsp_words import (
    BackChannelLost,
    TalkRefusal,
    authorization,
    joined,
    mouth_of,
    read_head,
    request,
)

BASE = "rtsp://192.0.2.7:554/cam"


def as_ffmpeg_encodes(codec: str, samples: NDArray[np.int16]) -> bytes:
    name = {"PCMU": "pcm_mulaw", "PCMA": "pcm_alaw"}[codec]
    out = io.BytesIO()
    with av.open(out, "w", format={"PCMU": "mulaw", "PCMA": "alaw"}[codec]) as container:
        stream: Any = container.add_stream(name, rate=8_000, layout="mono")
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 8_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def as_ffmpeg_decodes(codec: str, data: bytes) -> NDArray[np.int16]:
    form = {"PCMU": "mulaw", "PCMA": "alaw"}[codec]
    options = {"sample_rate": "8000", "ch_layout": "mono"}
    with av.open(io.BytesIO(data), "r", format=form, options=options) as container:
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(parts).astype(np.int16)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_g711_is_as_near_as_its_law_allows_for_every_sample(codec: str) -> None:
    samples = np.arange(-32_768, 32_768, dtype=np.int32).astype(np.int16)
    wanted = samples.astype(int)
    ours = as_ffmpeg_decodes(codec, g711.encode(codec, samples)).astype(int)
    theirs = as_ffmpeg_decodes(codec, as_ffmpeg_encodes(codec, samples)).astype(int)
    inside = np.abs(wanted) <= 32_124  # above it mu-law has no value
    # Both laws have 16 steps an octave: half a step is a 32nd of the level.
    errors = np.abs(ours - wanted)[inside]
    assert (errors <= (np.abs(wanted[inside]) + 132) / 32 + 8).all()
    assert errors.mean() <= np.abs(theirs - wanted)[inside].mean() * 1.05
    loud = np.abs(wanted) > 16
    assert (np.sign(ours[loud]) == np.sign(wanted[loud])).all()


def test_the_answer_to_a_digest_is_that_of_rfc_2617() -> None:
    # The example of RFC 2617, section 3.5.
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    said = authorization(
        (challenge,), ("Mufasa", "Circle Of Life"), "GET", "/dir/index.html",
        encrypted=False, nonce_count=1, cnonce="0a4f113b",
    )  # fmt: skip
    assert said is not None
    assert 'response="6629fae49393a05397450978507c4ef1"' in said
    assert "Circle Of Life" not in said


def test_the_better_digest_is_taken_and_basic_over_tls_alone() -> None:
    md5 = 'Digest realm="r", nonce="n"'
    sha = 'Digest realm="r", nonce="n", algorithm=SHA-256'

    def said(*challenges: str, encrypted: bool = False) -> str | None:
        return authorization(
            challenges, ("u", "p"), "DESCRIBE", BASE,
            encrypted=encrypted, nonce_count=1, cnonce="c",
        )  # fmt: skip

    both = said(md5, sha)
    assert both is not None
    assert "algorithm=SHA-256" in both
    assert said('Basic realm="r"') is None, "the password would go in the clear"
    assert said('Basic realm="r"', encrypted=True) == "Basic dTpw"
    assert said('Digest realm="r", nonce="n", algorithm=SHA-512-256') is None


SDP = """v=0
o=- 1 1 IN IP4 192.0.2.7
s=cam
m=video 0 RTP/AVP 96
a=control:video
a=recvonly
m=audio 0 RTP/AVP 0
a=control:sound
a=recvonly
m=audio 0 RTP/AVP 97 8
a=control:{control}
a=rtpmap:97 MPEG4-GENERIC/16000
{attribute}
"""


def test_the_medium_that_we_send_is_found_and_its_law_chosen() -> None:
    sdp = SDP.format(control="rtsp://10.0.0.1/cam/talk", attribute="a=sendonly")
    mouth = mouth_of(sdp, BASE)
    # Behind an address translation a camera names itself by an address that nobody reaches.
    assert (mouth.control, mouth.payload_type, mouth.codec) == (
        "rtsp://192.0.2.7:554/cam/talk", 8, "PCMA",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sdp", "reason"),
    [
        (SDP.format(control="x", attribute="a=recvonly"), TalkRefusal.NO_BACK_CHANNEL),
        ("v=0", TalkRefusal.NO_BACK_CHANNEL),
        (
            "m=audio 0 RTP/AVP 97\na=sendonly\na=rtpmap:97 MPEG4-GENERIC/16000",
            TalkRefusal.NO_CODEC,
        ),
        ("m=audio 0 RTP/AVP 0\na=sendonly\na=rtpmap:0 PCMU/16000", TalkRefusal.NO_CODEC),
    ],
)
def test_a_camera_that_cannot_be_talked_over_is_refused_with_its_reason(
    sdp: str, reason: TalkRefusal
) -> None:
    with pytest.raises(BackChannelLost) as caught:
        mouth_of(sdp, BASE)
    assert caught.value.reason is reason


def test_a_control_is_joined_to_its_base() -> None:
    assert joined(f"{BASE}/", "track1") == f"{BASE}/track1"
    assert joined(BASE, "*") == BASE
    assert joined(BASE, "rtsp://evil.example/x?y=1") == "rtsp://192.0.2.7:554/x?y=1"


@pytest.mark.parametrize("url", ["file:///srv/a.mp4", "v4l2:///dev/video0", "rtsp:///x"])
def test_only_rtsp_has_a_back_channel(url: str) -> None:
    with pytest.raises(BackChannelLost) as caught:
        plain_address(url)
    assert caught.value.reason is TalkRefusal.NO_BACK_CHANNEL


def test_an_answer_is_read_with_all_its_challenges() -> None:
    head = (
        b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=a\r\n"
        b"WWW-Authenticate: Basic realm=b\r\nContent-Length: 0\r\n\r\n"
    )
    answer = read_head(head)
    assert (answer.status, len(answer.challenges)) == (401, 2)
    sent = request("DESCRIBE", BASE, 3, {"Require": "www.onvif.org/ver20/backchannel"})
    assert sent.startswith(b"DESCRIBE rtsp://192.0.2.7:554/cam RTSP/1.0\r\nCSeq: 3\r\n")
    assert sent.endswith(b"\r\n\r\n")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_a_camera_sends_is_an_answer_or_a_reason(data: bytes) -> None:
    with contextlib.suppress(BackChannelLost):  # anything else would end the talk's task
        assert read_head(data).status >= 0
    with contextlib.suppress(BackChannelLost):
        assert mouth_of(data.decode("utf-8", "replace"), BASE).codec in g711.CODECS
