"""A real RTSP server as a child process: GStreamer's, run by the system's Python, told by JSON.

It is started as ``/usr/bin/python3 rtsp_gst_server.py SPEC`` and imports nothing of this project:
GStreamer's bindings live in the system's Python alone. ``SPEC`` is a JSON object::

    {"mounts": {"/cam": {"launch": "( ... name=pay0 )", "shared": true}},
     "auth": {"kind": "basic" | "digest", "user": "...", "password": "..."} | null}

It prints ``{"port": N}`` on one line once it listens on 127.0.0.1, then ``{"playing": MOUNT}`` at
each new medium, and ends when its standard input closes.
"""

import json
import sys
from typing import Any

import gi  # type: ignore[import-not-found,unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found,unused-ignore] # noqa: E402
    GLib,
    Gst,
    GstRtsp,
    GstRtspServer,
)


def say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def guard(server: Any, auth_spec: dict[str, str]) -> Any:
    digest = auth_spec["kind"] == "digest"
    auth = GstRtspServer.RTSPAuth.new()
    auth.set_supported_methods(
        GstRtsp.RTSPAuthMethod.DIGEST if digest else GstRtsp.RTSPAuthMethod.BASIC
    )
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    user, password = auth_spec["user"], auth_spec["password"]
    if digest:
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    return auth


def admit_viewer(factory: Any) -> None:
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main() -> None:
    spec = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    auth = guard(server, spec["auth"]) if spec.get("auth") else None
    mounts = server.get_mount_points()
    for path, mount in spec["mounts"].items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(mount["launch"])
        factory.set_shared(mount.get("shared", True))
        factory.set_latency(0)
        factory.connect("media-configure", lambda _factory, _media, at: say(playing=at), path)
        if auth is not None:
            admit_viewer(factory)
        mounts.add_factory(path, factory)
    server.attach(None)
    say(port=server.get_bound_port())
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    main()
