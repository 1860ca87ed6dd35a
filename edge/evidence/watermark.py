"""Burns a text into the pictures of a clip: who it was made for stands in each of them.

The pictures are encoded anew and the sound is left out: it is for looking at, and proves nothing.
"""

from __future__ import annotations  # av.video.stream is generic in its stub alone

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import cv2
import numpy as np
from av.error import FFmpegError

from edge.evidence.clips import ClipDamagedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH_MAX: Final = 1280  # wide enough to recognise what happens; encoding it keeps one core busy
OPACITY: Final = 0.28  # readable on light and dark, and what lies under it stays visible
TILE_W, TILE_H = 460, 150  # the text is repeated at this distance: no corner can be cut out
FPS_MAX: Final = 60
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def watermark(source: Path, text: str, start_utc_ms: int, target: Path) -> int:
    """Write ``target`` (H.264 in MP4) with ``text`` and the time burnt into each picture.

    Returns the number of pictures. Letters beyond ASCII become question marks. Blocks for about a
    third of the clip's length on one core.

    Raises:
        ClipDamagedError: the clip cannot be decoded, or holds no picture.
        OSError: the disk refused.
    """
    line = text.encode("ascii", "replace").decode()[:120]
    try:
        count = _encode(source, line, start_utc_ms, target)
    except FFmpegError as error:
        raise ClipDamagedError(f"{source.name}: {error.strerror}") from error
    if not count:
        raise ClipDamagedError(f"{source.name}: holds no picture")
    return count


def _encode(source: Path, line: str, start_utc_ms: int, target: Path) -> int:
    count = 0
    stamp: NDArray[np.uint8] | None = None
    with (
        av.open(str(source)) as clip,
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out,
    ):
        video = clip.streams.video[0]
        video.thread_count = 1  # recording and perception go first
        made = None
        base = Fraction(1, 90_000)
        for frame in clip.decode(video):
            scale = min(1.0, WIDTH_MAX / frame.width)
            width = int(frame.width * scale) & ~1
            height = int(frame.height * scale) & ~1
            picture = np.asarray(
                frame.to_ndarray(width=width, height=height, format="bgr24"), np.uint8
            )
            if made is None:
                rate = min(Fraction(video.average_rate or 25), Fraction(FPS_MAX))
                made = out.add_stream(
                    "libx264", rate=rate, options={"preset": "veryfast", "crf": "25"}
                )
                made.width, made.height, made.pix_fmt = width, height, "yuv420p"
                made.thread_count = 1
                made.codec_context.time_base = base
                stamp = _stamp(line, width, height)
            at_s = float(frame.time or 0.0)
            marked = _marked(picture, stamp, line, start_utc_ms + round(at_s * 1_000))
            encoded = av.VideoFrame.from_ndarray(marked, format="bgr24")
            encoded.pts, encoded.time_base = round(at_s / base), base
            out.mux(made.encode(encoded))
            count += 1
        if made is not None:
            out.mux(made.encode())
    return count


def _stamp(line: str, width: int, height: int) -> NDArray[np.uint8]:
    """The text all over the picture, slanted: white on black, to be laid over it."""
    side = int(np.hypot(width, height)) + TILE_W
    sheet = np.zeros((side, side), np.uint8)
    for row, y in enumerate(range(TILE_H // 2, side, TILE_H)):
        for x in range(-(row % 2) * TILE_W // 2, side, TILE_W):
            cv2.putText(sheet, line, (x, y), FONT, 0.75, 255, 2, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 24.0, 1.0)
    turned = cv2.warpAffine(sheet, turn, (side, side))
    top, left = (side - height) // 2, (side - width) // 2
    return np.asarray(turned[top : top + height, left : left + width], np.uint8)


def _marked(
    picture: NDArray[np.uint8], stamp: NDArray[np.uint8] | None, line: str, utc_ms: int
) -> NDArray[np.uint8]:
    assert stamp is not None  # noqa: S101  # made with the first picture
    share = (stamp.astype(np.float32) / 255.0 * OPACITY)[:, :, None]
    # Light letters on dark ground, dark ones on light ground.
    ink = np.where(picture.mean(axis=2, keepdims=True) > 127, 0.0, 255.0)
    mixed = np.asarray(picture * (1.0 - share) + ink * share, np.uint8)
    height, width = mixed.shape[:2]
    mixed[height - 26 :] = mixed[height - 26 :] // 4
    when = datetime.fromtimestamp(utc_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    told = f"{line}   {when}"
    size = min(0.55, 0.55 * width / (len(told) * 10.5))
    cv2.putText(mixed, told, (8, height - 8), FONT, size, (255, 255, 255), 1, cv2.LINE_AA)
    return mixed
