"""Makes the small picture that stands for a recording: its first key frame."""

from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.error import FFmpegError

from edge.evidence.clips import FirstBytes
from edge.evidence.pictures import jpeg

WIDTH_PX: Final = 320
QUALITY: Final = 75  # 8 to 20 KB; nobody measures anything on it
PACKETS_MAX: Final = 300  # the first picture of a file of ours is a key frame, or all are damaged


class NoPictureInFileError(Exception):
    """A recording without a picture that can be shown: sound alone, or damaged."""


def thumbnail(path: Path, size: int, offset_ms: int = 0, width_px: int = WIDTH_PX) -> bytes:
    """A key frame in the first ``size`` bytes of a recording, as a small JPEG: the first one.

    ``offset_ms``: instead the last one that is not later in the recording than this.

    Raises:
        NoPictureInFileError: there is none.
        OSError: the file cannot be read.
    """
    try:
        with FirstBytes(path, size) as file, av.open(file, "r", format="mp4") as container:
            if not container.streams.video:
                raise NoPictureInFileError(path.name)
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            stream.codec_context.skip_frame = "NONKEY"
            if offset_ms > 0:
                # In microseconds, as the container counts; it goes to the key frame before it.
                container.seek((container.start_time or 0) + offset_ms * 1_000)
            for number, packet in enumerate(container.demux(stream)):
                for frame in packet.decode():
                    height = max(round(frame.height * width_px / frame.width), 1)
                    full = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
                    small = cv2.resize(full, (width_px, height), interpolation=cv2.INTER_AREA)
                    return jpeg(np.asarray(small, dtype=np.uint8), QUALITY)
                if number >= PACKETS_MAX:
                    break
    except FFmpegError as error:
        raise NoPictureInFileError(f"{path.name}: {error.strerror}") from error
    raise NoPictureInFileError(path.name)
