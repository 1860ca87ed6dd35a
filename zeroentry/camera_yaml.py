"""Decides what a new camera's file says, from what the device told; never a secret in it."""

import json
from dataclasses import dataclass
from typing import Final

from edge.capture.onvif_profiles import Profile, VideoSettings

SUB_WIDTH_BEST: Final = 640  # what perception works on
ANALYSE_FPS: Final = 5.0  # as contracts.devices has it
SOUNDS: Final = frozenset({"aac", "pcma", "pcmu", "opus", "g711", "none"})
"""What a device may send that can be recorded."""


@dataclass(frozen=True, slots=True)
class NewCamera:
    """What a camera's file is made of."""

    id: str
    area: str
    host: str
    port: int
    main: Profile
    sub: Profile | None
    transport: str
    credential: str | None
    device: str
    """Maker, model and firmware, for the comment on top."""


def sound_of(profile: Profile) -> tuple[str, str]:
    """The declared sound, and a comment where the device's word needs one."""
    if profile.audio == "g711":
        return "pcmu", "the device says G.711, which is pcmu or pcma"
    if profile.audio in SOUNDS:
        return profile.audio, ""
    return "none", f"the device sends {profile.audio}, which is not supported"


def camera_yaml(camera: NewCamera) -> str:
    """The file's text; ``contracts.devices.CameraConfig`` takes it."""
    sound, remark = sound_of(camera.main)
    # JSON strings are YAML strings: whatever a device calls its profiles stays a value.
    lines = [
        f"# {camera.device}",
        "kind: camera",
        f"id: {camera.id}",
        f"area: {camera.area}",
        f"name: {{zh: {camera.id} 摄像机, en: Camera {camera.id}}}",
        "onvif:                      # tells where its streams are, at each connection",
        f"  host: {json.dumps(camera.host)}",
        f"  port: {camera.port}",
        f"  main_profile: {json.dumps(camera.main.token)}",
        *([f"  sub_profile: {json.dumps(camera.sub.token)}"] if camera.sub else []),
        "main:                       # recorded as it comes",
        *_stream(camera.main.video),
    ]
    if camera.sub is not None:
        lines += ["sub:                        # analysed", *_stream(camera.sub.video)]
    lines += [
        f"sound: {sound}" + (f"  # {remark}" if remark else ""),
        f"transport: {camera.transport}",
    ]
    if camera.credential is not None:
        lines.append(f"credential: {camera.credential}")
    analysed = (camera.sub or camera.main).video
    fps = min(ANALYSE_FPS, analysed.fps) if analysed and analysed.fps else ANALYSE_FPS
    return "\n".join([*lines, f"analyse_fps: {fps:g}", ""])


def _stream(video: VideoSettings | None) -> list[str]:
    if video is None:
        return []
    return [
        f"  codec: {video.codec}",
        f"  width: {video.width}",
        f"  height: {video.height}",
        f"  fps: {video.fps or 25:g}",
    ]
