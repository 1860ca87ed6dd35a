"""A camera with a loudspeaker: GStreamer's ONVIF RTSP server, run by the system's Python.

Started as ``/usr/bin/python3 onvif_backchannel_server.py SPEC``; imports nothing of this project.
``SPEC``: {"mounts": {"/cam": {"law": "mulaw" | "alaw" | "", "heard": PATH}},
"auth": {"user", "password"} | null}. Each shows a test picture and hums at 1 kHz; one without
``law`` has no back channel. What a client says is decoded and written to ``heard`` as raw 16-bit
samples at 8 kHz. It prints ``{"port": N}`` once it listens, and ends when its input closes.
"""

import importlib
import json
import sys
from typing import Any

PICTURE = "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=5/1"
TONE = "audiotestsrc is-live=true wave=sine freq=1000 volume=0.3 ! audio/x-raw,rate=8000,channels=1"
LAWS = {"mulaw": ("PCMU", 0), "alaw": ("PCMA", 8)}


def binding(name: str, version: str) -> Any:
    """One of GStreamer's bindings, which no other Python of this machine knows."""
    importlib.import_module("gi").require_version(name, version)
    return importlib.import_module(f"gi.repository.{name}")


Gst = binding("Gst", "1.0")
GstRtsp = binding("GstRtsp", "1.0")
GstRtspServer = binding("GstRtspServer", "1.0")
GLib = binding("GLib", "2.0")


def factory_of(mount: dict[str, str]) -> Any:
    factory = GstRtspServer.RTSPOnvifMediaFactory()
    picture = f"{PICTURE} ! jpegenc ! rtpjpegpay name=pay0 pt=26"
    factory.set_launch(f"( {picture} {TONE} ! mulawenc ! rtppcmupay name=pay1 pt=0 )")
    factory.set_shared(False)
    if mount["law"]:
        name, number = LAWS[mount["law"]]
        caps = (
            f"application/x-rtp, media=audio, payload={number}, clock-rate=8000, "
            f"encoding-name={name}"
        )
        factory.set_backchannel_launch(
            f'( capsfilter caps="{caps}" name=depay_backchannel ! rtp{name.lower()}depay ! '
            f"{mount['law']}dec ! audio/x-raw,format=S16LE ! "
            f"filesink location={mount['heard']} buffer-mode=unbuffered async=false sync=false )"
        )
    factory.set_media_gtype(GstRtspServer.RTSPOnvifMedia)
    return factory


def guard(server: Any, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth.new()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)


def main() -> None:
    spec = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPOnvifServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    if spec.get("auth"):
        guard(server, spec["auth"]["user"], spec["auth"]["password"])
    mounts = server.get_mount_points()
    for path, mount in spec["mounts"].items():
        factory = factory_of(mount)
        if spec.get("auth"):
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        mounts.add_factory(path, factory)
    server.attach(None)
    sys.stdout.write(json.dumps({"port": server.get_bound_port()}) + "\n")
    sys.stdout.flush()
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    main()
