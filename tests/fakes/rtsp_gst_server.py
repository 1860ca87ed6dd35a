"""A real RTSP server as a child process: GStreamer's, run by the system's Python, told by JSON.

It is started as ``/usr/bin/python3 rtsp_gst_server.py SPEC`` and imports nothing of this project:
GStreamer's bindings live in the system's Python alone. ``SPEC`` is a JSON object::

    {"mounts": {"/cam": {"launch": "( ... name=pay0 )", "shared": true}},
     "auth": {"kind": "basic" | "digest", "user": "...", "password": "..."} | null,
     "tls": PATH of a PEM file with certificate and key | null}

It prints ``{"port": N}`` on one line once it listens on 127.0.0.1, then ``{"playing": MOUNT}`` at
each new medium, and ends when its standard input closes.
"""

import importlib
import json
import sys
from typing import Any

NAMES = (
    ("Gst", "1.0"),
    ("GstRtsp", "1.0"),
    ("GstRtspServer", "1.0"),
    ("Gio", "2.0"),
    ("GLib", "2.0"),
)


def binding(name: str, version: str) -> Any:
    """One of GStreamer's bindings, which no other Python of this machine knows."""
    importlib.import_module("gi").require_version(name, version)
    return importlib.import_module(f"gi.repository.{name}")


Gst, GstRtsp, GstRtspServer, Gio, GLib = (binding(name, version) for name, version in NAMES)


def say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def encrypt(server: Any, pem: str) -> None:
    auth = GstRtspServer.RTSPAuth.new()
    auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(pem))
    nobody = GstRtspServer.RTSPToken()
    nobody.set_string("media.factory.role", "viewer")
    auth.set_default_token(nobody)
    server.set_auth(auth)


def guard(server: Any, auth_spec: dict[str, str]) -> None:
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
    if spec.get("auth"):
        guard(server, spec["auth"])
    if spec.get("tls"):
        encrypt(server, spec["tls"])
    mounts = server.get_mount_points()
    for path, mount in spec["mounts"].items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(mount["launch"])
        factory.set_shared(mount.get("shared", True))
        factory.set_latency(0)
        factory.connect("media-configure", lambda _factory, _media, at: say(playing=at), path)
        if spec.get("auth") or spec.get("tls"):
            admit_viewer(factory)
        mounts.add_factory(path, factory)
    server.attach(None)
    say(port=server.get_bound_port())
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    main()
