"""Wires one edge node: settings and site in, a running node out."""

import argparse
import asyncio
import os
import random
import shutil
import socket
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import cv2
import structlog
from fastapi import FastAPI

from contracts import topics
from contracts.admission import ProcurementKind
from contracts.devices import Site, StreamConfig
from contracts.observations import Alert, NodeHealth, NodeState
from contracts.units import CameraId, RoomId
from contracts.zones import Point
from edge.api.access import AccessError, Gate, node_key, open_tokens, terminal
from edge.api.app import build
from edge.api.camera_view import LearnedView, add_camera_view
from edge.api.explanations import ExplanationDesk, add_explanations
from edge.api.live import Drawn, LiveHub
from edge.api.live_video import LiveVideo
from edge.api.node import NodeView
from edge.api.recordings import Playback, open_playback
from edge.api.rules import RuleDesk, add_rules
from edge.api.sounds import add_sounds
from edge.api.zones import ZonedCamera, ZoneDesk
from edge.capture.rtsp import CameraLink
from edge.capture.stream_meter import StreamMeter
from edge.core.attention import LookTimes
from edge.core.hearing import SourceId
from edge.core.levels import Samples
from edge.core.people import Instant
from edge.core.state import CameraSetup, RoomSetup, RoomState, restore
from edge.core.streams import StreamDeclared
from edge.credentials import credentials_of
from edge.evidence.moments import AlertMoments
from edge.evidence.pictures import Pictures, jpeg
from edge.evidence.sounds import Sounds
from edge.freezing import devices_document
from edge.live_sound import LiveSound
from edge.node_settings import NodeError, own_config
from edge.perception.alert_picture import with_boxes
from edge.perception.detector import SHIPPED_MODEL, ModelFile, OnnxDetector, shipped_hash
from edge.perception.ear import Ear
from edge.perception.overlay import draw, draw_attention
from edge.perception.providers import ModelError
from edge.perception.speech import SileroSpeech
from edge.pickup_ears import PickupEars
from edge.ports import Latest, Rgb
from edge.recording_side import open_index, open_moments, open_recordings
from edge.recordings import Recordings
from edge.rule_book import RuleBook
from edge.service import NodeService, Wiring, health_message
from edge.settings import EdgeSettings, ModelSettings
from edge.sights import Sights
from edge.store import EdgeStore
from edge.stream_watch import StreamWatch, WatchedStream
from edge.version import product_version
from edge.voices import Voices, live_sound, open_voices
from edge.zone_book import ZoneBook
from runtime import logs, settings
from runtime.clock import Clock, SystemClock
from runtime.http import listen, serve
from runtime.metrics import Metrics
from runtime.mqtt import MqttSession, MqttSetupError, Outgoing
from runtime.outbox import Outbox, OutboxPump
from runtime.secrets import (
    CredentialFileError,
    SecretKeyError,
    UnknownCredentialError,
)
from runtime.site import load_site
from runtime.supervise import run_service
from runtime.tokens import KeyFormatError, run_key

log = structlog.get_logger(__name__)

VIEWS_MAX = 16  # the limit that RoomObservation states
LIVE_JPEG_QUALITY = 80  # half the bytes of evidence; nobody measures anything on it


_WHERE: Final[Mapping[type[Exception], str]] = {
    NodeError: "node",
    ModelError: "model",
    AccessError: "api",
    SecretKeyError: "credentials_file",
    CredentialFileError: "credentials_file",
    UnknownCredentialError: "credentials_file",
    KeyFormatError: "environment",
    MqttSetupError: "mqtt",
}
"""Which setting is to blame when a part refuses to be built."""


def new_id() -> str:
    """An id that no other run of any node gives."""
    return uuid.uuid4().hex


def render(rgb: Rgb, drawn: Drawn, width_px: int | None) -> bytes:
    """A picture for viewers (``api.live.Render``)."""
    if width_px is not None and width_px < rgb.shape[1]:
        height_px = max(round(rgb.shape[0] * width_px / rgb.shape[1]), 1)
        rgb = cv2.resize(rgb, (width_px, height_px), interpolation=cv2.INTER_AREA).astype("uint8")
    if drawn.attended is not None:
        rgb = draw_attention(rgb, drawn.attended)
    if drawn.view is not None and drawn.caption is not None:
        rgb = draw(rgb, drawn.view, drawn.caption)
    return jpeg(rgb, LIVE_JPEG_QUALITY)


def render_alert(content: bytes, alert: Alert, zone: tuple[Point, ...]) -> bytes:
    """An alert's picture with what it is about (``api.explanations.DrawBoxes``)."""
    return jpeg(with_boxes(content, alert, zone), LIVE_JPEG_QUALITY)


def open_detector(model: ModelSettings) -> OnnxDetector:
    """The declared detector, checked.

    Raises:
        ModelError: it is not what was declared, or cannot be computed as it was asked for.
    """
    return OnnxDetector(
        ModelFile(
            path=model.path or SHIPPED_MODEL,
            sha256=model.sha256 or shipped_hash(),
            decoder=model.decoder,
            provider=model.provider,
            device=model.device,
            threads=model.threads,
            threshold=model.threshold,
            overlap_max=model.overlap_max,
            batch_max=model.batch_max,
        )
    )


def room_states(
    config: EdgeSettings,
    site: Site,
    store: EdgeStore,
    book: RuleBook,
    zones: ZoneBook,
    now: Instant,
) -> Mapping[RoomId, RoomState]:
    """Every room of the node as its disk has it."""
    stored = store.rooms()
    states: dict[RoomId, RoomState] = {}
    areas = own_config(site, config.node).areas
    for area_id in areas:
        cameras = tuple(
            CameraSetup(
                camera.id,
                has_sound=camera.sound != "none",
                zones=zones.of(camera.id).zones,
                floor=tuple((mark.x, mark.y, mark.x_m, mark.y_m) for mark in camera.floor),
                stream=declared(camera.analysed),
            )
            for camera in site.cameras_of(area_id)
        )
        if len(cameras) > VIEWS_MAX:
            raise NodeError(
                f"area {area_id!r} has {len(cameras)} cameras; an observation carries {VIEWS_MAX} "
                "views. Split the area (site.yaml)"
            )
        room = stored.get(area_id)
        sealed = room.sealed if room is not None else None
        setup = RoomSetup(
            area_id,
            config.node,
            cameras,
            book.rules(area_id, sealed.session_id if sealed is not None else None),
            pickups=tuple(one.id for one in site.pickups if one.area == area_id),
            speaks_for_node=area_id == areas[0],
            kind=site.area(area_id).kind,
            admits={
                kind: site.config.admission.admits(kind, site.area(area_id).kind)
                for kind in ProcurementKind
            },
        )
        states[area_id] = restore(setup, room, now)
    return states


@dataclass(frozen=True, slots=True)
class Node:
    """A wired node that has not started: its parts, and where its API listens."""

    service: NodeService
    session: MqttSession
    pump: OutboxPump
    view: NodeView
    hub: LiveHub
    pictures: Pictures
    sounds: Sounds
    gate: Gate
    listener: socket.socket
    video: LiveVideo
    recordings: Recordings | None
    """None: this node only watches."""
    playback: Playback | None
    rules: RuleDesk
    zones: ZoneDesk
    views: Mapping[CameraId, LearnedView]
    streams: StreamWatch
    voices: Voices

    @property
    def port(self) -> int:
        """The port of the API."""
        return int(self.listener.getsockname()[1])


def wire(config: EdgeSettings, site: Site, environ: Mapping[str, str], stack: ExitStack) -> Node:
    """Put a node together; ``stack`` closes what it opened.

    Raises:
        NodeError, ModelError, AccessError, SecretKeyError, UnknownCredentialError, OSError: what is
            wrong and what to do about it.
    """
    own_config(site, config.node)
    clock = SystemClock()
    config.data_dir.mkdir(parents=True, exist_ok=True)
    listener = listen(config.api.host, config.api.port)
    stack.callback(listener.close)
    gate = Gate(open_tokens(environ, config.data_dir, terminal()), node_key(environ), clock)
    pictures = _pictures(config)
    hub = LiveHub(render, _pool(stack, "live", 1), clock, viewers_max=config.api.viewers_max)

    def birth() -> Sequence[Outgoing]:
        return service.birth()

    session = _session(config, site, clock, birth)
    video = LiveVideo(asyncio.get_running_loop(), viewers_max=config.api.viewers_max)
    index = open_index(config, stack)
    moments = open_moments(config, stack) if index else None
    ports = Ports(clock, session, pictures, hub, video, moments, *_heard(config, site, clock))
    wiring = _shared(config, site, environ, stack, ports)
    recordings = open_recordings(config, site, wiring, index, environ, stack) if index else None
    book = RuleBook(config.rules, wiring.store, wiring.disk, clock)
    zones = zone_book(config, site, wiring, book)
    now = Instant(clock.mono_ms(), clock.utc_ms())
    service = NodeService(
        wiring,
        room_states(config, site, wiring.store, book, zones, now),
        version=product_version(),
        api_url=config.api.url or _url(config, listener),
        disk_free_bytes=lambda: shutil.disk_usage(config.data_dir).free,
        recordings=recordings,
        devices={area.id: devices_document(site, area.id) for area in site.config.areas},
        book=book,
    )
    watching = _add_cameras(config, site, service, ports, environ)
    if recordings is not None:
        _listen_to_pickups(site, service, recordings, stack, ports)
    return Node(
        service,
        session,
        _pump(config, site, wiring, ports),
        _view(config, site, service, wiring, (hub, video), recordings),
        hub,
        pictures,
        ports.sounds,
        gate,
        listener,
        video,
        recordings,
        open_playback(config.data_dir, index, moments, clock) if index and moments else None,
        RuleDesk(book, service.rooms, clock, wiring.store.frozen_text),
        zone_desk(site, zones, service, clock),
        *watching,
        open_voices(config, site, wiring, ports.live_sound, environ),
    )


def declared(stream: StreamConfig) -> StreamDeclared:
    """What the site says that a stream sends."""
    return StreamDeclared(stream.codec, stream.width, stream.height, stream.fps)


def zone_book(config: EdgeSettings, site: Site, wiring: Wiring, rules: RuleBook) -> ZoneBook:
    """The zones of the node's cameras, as declared or as drawn since.

    Raises:
        StoreError: those drawn cannot be read.
    """
    areas = own_config(site, config.node).areas
    declared = {one.id: one.zones for area_id in areas for one in site.cameras_of(area_id)}
    return ZoneBook(wiring.store, wiring.disk, declared, rules.changing)


def zone_desk(site: Site, zones: ZoneBook, service: NodeService, clock: Clock) -> ZoneDesk:
    """What the API needs to let somebody draw zones."""
    cameras = {
        one.id: ZonedCamera(one.id, one.name, room)
        for room_id, room in service.rooms.items()
        for one in site.cameras_of(room_id)
    }
    return ZoneDesk(zones, cameras, site.config.areas, clock)


def _view(
    config: EdgeSettings,
    site: Site,
    service: NodeService,
    wiring: Wiring,
    shows: tuple[LiveHub, LiveVideo],
    recordings: Recordings | None,
) -> NodeView:
    keeper = recordings.keeper if recordings else None
    return NodeView(site, config.node, service, shows, wiring.metrics, keeper)


@dataclass(frozen=True, slots=True)
class Ports:
    """Parts that both the API and the service use."""

    clock: Clock
    session: MqttSession
    pictures: Pictures
    hub: LiveHub
    video: LiveVideo
    moments: AlertMoments | None
    sounds: Sounds
    live_sound: LiveSound


def _pump(config: EdgeSettings, site: Site, wiring: Wiring, ports: Ports) -> OutboxPump:
    return OutboxPump(
        wiring.outbox,
        ports.session,
        ports.clock,
        random.Random(),
        ack_topic=topics.ack_topic(site.config.id, config.node),
        signing_key=wiring.run_key,
    )


def _shared(
    config: EdgeSettings, site: Site, environ: Mapping[str, str], stack: ExitStack, ports: Ports
) -> Wiring:
    store = EdgeStore(config.data_dir / "edge.sqlite3")
    stack.callback(store.close)
    outbox = Outbox(config.data_dir / "outbox.sqlite3", config.node, config.node, ports.clock)
    stack.callback(outbox.close)
    return Wiring(
        site_id=site.config.id,
        node_id=config.node,
        clock=ports.clock,
        bus=ports.session,
        store=store,
        outbox=outbox,
        shelf=ports.pictures,
        live=ports.hub,
        metrics=Metrics(),
        new_id=new_id,
        workers=_pool(stack, "detect", config.model.workers),
        disk=_pool(stack, "disk", 1),
        run_key=run_key(environ),
        time_zone=time_zone(site),
        moments=ports.moments,
        sounds=ports.sounds,
    )


def time_zone(site: Site) -> ZoneInfo:
    """The site's time zone.

    Raises:
        NodeError: this machine does not know it.
    """
    try:
        return ZoneInfo(site.config.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise NodeError(
            f"time zone {site.config.time_zone!r} is not known here; correct time_zone in "
            "site.yaml, or install the package tzdata"
        ) from None


def _session(
    config: EdgeSettings, site: Site, clock: Clock, birth: Callable[[], Sequence[Outgoing]]
) -> MqttSession:
    return MqttSession(
        config.mqtt,
        clock,
        rng=random.Random(),
        will=_last_word(config, site, clock, NodeState.LOST),
        birth=birth,
        farewell=lambda: _last_word(config, site, clock, NodeState.STOPPED),
    )


def _pictures(config: EdgeSettings) -> Pictures:
    mib = 1024 * 1024
    return Pictures(
        config.data_dir / "pictures",
        keep_bytes=config.pictures.keep_mib * mib,
        hard_bytes=config.pictures.hard_mib * mib,
    )


def _heard(config: EdgeSettings, site: Site, clock: Clock) -> tuple[Sounds, LiveSound]:
    """What the ears feed: the sounds of alerts, and who hears a room live."""
    return _sounds(config), live_sound(config, site, clock)


def _sounds(config: EdgeSettings) -> Sounds:
    mib = 1024 * 1024
    return Sounds(
        config.data_dir / "sounds",
        keep_bytes=config.sounds.keep_mib * mib,
        hard_bytes=config.sounds.hard_mib * mib,
    )


def _last_word(config: EdgeSettings, site: Site, clock: Clock, state: NodeState) -> Outgoing:
    word = NodeHealth(
        node_id=config.node, state=state, utc_ms=clock.utc_ms(), boot_id=clock.boot_id
    )
    return health_message(site.config.id, word, new_id())


def _add_cameras(
    config: EdgeSettings,
    site: Site,
    service: NodeService,
    ports: Ports,
    environ: Mapping[str, str],
) -> tuple[Mapping[CameraId, LearnedView], StreamWatch]:
    """Put every camera to its room; its views for the API, and what watches its stream."""
    loop = asyncio.get_running_loop()
    sights = Sights(
        open_detector(config.model),
        config.model.sure_from,
        ports.clock,
        LookTimes(**config.attention.model_dump()),
        site.config.vests,
        config.data_dir,
    )
    views: dict[CameraId, LearnedView] = {}
    streams: list[WatchedStream] = []
    for room_id, room in service.rooms.items():
        for camera in site.cameras_of(room_id):
            credentials = credentials_of(camera, config.credentials_path, environ)
            meter = StreamMeter(camera.id)
            link = CameraLink(
                camera,
                credentials,
                ports.clock,
                random.Random(),
                service.report,
                Latest(loop),
                recorders=(ports.video.tap(camera.id), meter),
                ear=new_ear(camera.id, ports) if camera.sound != "none" else None,
            )
            sight = sights.of(camera.id, camera.tiles)
            service.add_camera(link, sight)
            views[camera.id] = LearnedView(room, sight.accept_view)
            streams.append(WatchedStream(camera, credentials, meter, room))
    return views, StreamWatch(tuple(streams), ports.clock)


def new_ear(source_id: SourceId, ports: Ports) -> Ear:
    """An ear for a camera's or a pickup's sound; what it hears is remembered, and heard live."""

    def keep(source_id: SourceId, samples: Samples, at: Instant) -> None:
        ports.sounds.hear(source_id, samples, at)
        ports.live_sound.hear(source_id, samples, at)

    return Ear(source_id, SileroSpeech(), keep=keep)


def _listen_to_pickups(
    site: Site, service: NodeService, recordings: Recordings, stack: ExitStack, ports: Ports
) -> None:
    ears = {one.id: new_ear(one.id, ports) for one in site.pickups if one.area in service.rooms}
    if ears:
        pool = _pool(stack, "ears", 1)
        recordings.client.on_level(PickupEars(ears, service.report, pool, ports.clock).take)


def _pool(stack: ExitStack, name: str, threads: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
    return pool


def _url(config: EdgeSettings, listener: socket.socket) -> str:
    scheme = "https" if config.api.tls else "http"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def application(node: Node) -> FastAPI:
    """The node's API, with all that it has."""
    app = build(
        node.view,
        node.hub,
        node.pictures,
        node.gate,
        version=product_version(),
        playback=node.playback,
        zones=node.zones,
        video=node.video,
    )
    add_rules(app, node.rules)
    desk = ExplanationDesk(
        node.rules.rooms, node.pictures, render_alert, node.rules.clock, node.playback is not None
    )
    add_explanations(app, desk)
    add_sounds(app, node.sounds)
    node.voices.add_to(app, node.gate)
    add_camera_view(app, node.views)
    return app


async def main(config: EdgeSettings, site: Site | None = None) -> None:
    """Run the node until SIGTERM or SIGINT. ``site`` left out is read from ``config.site_dir``.

    Raises:
        SettingsError: the settings or the site folder hold mistakes.
        PortTakenError, StoreError: the API's port or the node's database cannot be had.
    """
    logs.configure(f"edge.{config.node}", json=config.log_json, level=config.log_level)
    cv2.setNumThreads(1)  # its pool of threads would take the cores from the other cameras
    with ExitStack() as stack:
        try:
            node = wire(config, site or load_site(config.site_dir), os.environ, stack)
        except tuple(_WHERE) as error:
            where = next(path for kind, path in _WHERE.items() if isinstance(error, kind))
            problem = settings.Problem(f"edge node {config.node}", where, str(error.args[0]))
            raise settings.SettingsError((problem,)) from error
        app = application(node)
        tls = config.api.tls
        log.info("edge_started", node=config.node, rooms=sorted(node.service.rooms), port=node.port)
        received = await run_service(
            (
                node.session.run(),
                node.pump.run(),
                node.service.run(),
                node.streams.run(),
                serve(
                    app,
                    node.listener,
                    cert_file=tls.cert_file if tls else None,
                    key_file=tls.key_file if tls else None,
                ),
            )
        )
        log.info("edge_stopped", signal=received.name if received else None)


def run(arguments: Sequence[str]) -> None:
    """``python -m edge --config FILE``."""
    parser = argparse.ArgumentParser(prog="python -m edge", description="Run one edge node.")
    parser.add_argument("--config", type=Path, required=True, help="YAML file of its settings")
    file = parser.parse_args(arguments).config
    config = settings.load(EdgeSettings, file=file, environ=os.environ, overrides={})
    asyncio.run(main(config))


if __name__ == "__main__":
    run(sys.argv[1:])
