"""Makes a short MP4 that a browser plays: H.264, a bar that wanders."""

import io

import av
import numpy as np
from av.video.stream import VideoStream

SIZE_PX = (320, 180)
FPS = 10


def clip_mp4(seconds: int = 4) -> bytes:
    """So many seconds of picture without sound."""
    target = io.BytesIO()
    width, height = SIZE_PX
    with av.open(
        target, "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}
    ) as container:
        stream = container.add_stream("libx264", rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(seconds * FPS):
            picture = np.full((height, width, 3), 60, np.uint8)
            at = index * 7 % (width - 20)
            picture[:, at : at + 20] = (200, 120, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()
