"""Wires a node's side of recording: what follows and announces the manifests, keeps and copies."""

import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from contracts.devices import Site
from edge.announcer import Announcer, Chains
from edge.core.retention import Marks
from edge.evidence.copies import Archive, CopyBook, CopyPlace, Mirror
from edge.evidence.index import RecordingIndex
from edge.evidence.moments import AlertMoments
from edge.keeper import Keeper, KeeperPorts, KeeperSettings, disk_of
from edge.node_settings import own_config, tracks_of
from edge.recorder.client import RecorderClient
from edge.recordings import RecordingParts, Recordings, RecordingSetup, line_hash
from edge.service import Wiring
from edge.settings import EdgeSettings
from edge.witnesses import WitnessBook
from runtime.secrets import CredentialStore, secret_key


def open_index(config: EdgeSettings, stack: ExitStack) -> RecordingIndex | None:
    """What the manifests say; None: this node only watches."""
    if not config.recording.enabled:
        return None
    index = RecordingIndex(config.data_dir / "recordings.sqlite3", config.recordings_dir)
    stack.callback(index.close)
    return index


def open_moments(config: EdgeSettings, stack: ExitStack) -> AlertMoments:
    """When and where alerts were, for their clips."""
    moments = AlertMoments(config.data_dir / "moments.sqlite3")
    stack.callback(moments.close)
    return moments


def open_recordings(  # what it is made of, once
    config: EdgeSettings,
    site: Site,
    wiring: Wiring,
    index: RecordingIndex,
    environ: Mapping[str, str],
    stack: ExitStack,
) -> Recordings:
    """The node's side of recording; the recorder's process is not needed for it to start.

    Raises:
        SecretKeyError, UnknownCredentialError: the archive's key cannot be had.
    """
    rooms = tracks_of(site, own_config(site, config.node))
    site_id, node_id, folder = site.config.id, config.node, config.recordings_dir
    client = RecorderClient(config.recorder_socket, wiring.clock, random.Random())
    setup = RecordingSetup(
        site_id,
        node_id,
        rooms,
        disk_low_percent=config.recording.low_percent,
    )
    parts = RecordingParts(
        clock=wiring.clock,
        bus=wiring.bus,
        store=wiring.store,
        index=index,
        announcer=Announcer(
            Chains(site_id, node_id, rooms, folder / "keys"), index, wiring.store, wiring.outbox
        ),
        witnesses=WitnessBook(
            site_id, node_id, folder, lambda track_id, number: line_hash(index, track_id, number)
        ),
        client=client,
        disk=wiring.disk,
        new_id=wiring.new_id,
        keeper=open_keeper(
            config, site, wiring, (index, client), copy_places(config, environ), stack
        ),
    )
    return Recordings(setup, parts)


def copy_places(config: EdgeSettings, environ: Mapping[str, str]) -> tuple[CopyPlace, ...]:
    """Where this node's recordings are copied to.

    Raises:
        SecretKeyError, UnknownCredentialError: the archive's key cannot be had.
    """
    places: list[CopyPlace] = []
    if config.recording.mirror_dir is not None:
        places.append(Mirror(config.recording.mirror_dir))
    archive = config.recording.archive
    if archive is not None:
        store = CredentialStore(config.credentials_path, secret_key(environ))
        pair = store.get(archive.credential)
        places.append(
            Archive(
                archive.url,
                access_key=pair.username,
                secret_key=pair.password,
                endpoint=archive.endpoint,
                region=archive.region,
            )
        )
    return tuple(places)


def open_keeper(
    config: EdgeSettings,
    site: Site,
    wiring: Wiring,
    sources: tuple[RecordingIndex, RecorderClient],
    places: tuple[CopyPlace, ...],
    stack: ExitStack,
) -> Keeper:
    """Retention and copies. ``sources``: what there is, and who deletes."""
    index, client = sources
    recording = config.recording
    # Threads of its own: a copy of a large file must not hold up the alerts' disk.
    workers = ThreadPoolExecutor(1 + len(places), thread_name_prefix="keep")
    book = CopyBook(config.data_dir / "copies.sqlite3")
    # Not waited for, and the book stays open for them: a copy under way is made again next time.
    stack.callback(workers.shutdown, wait=False, cancel_futures=True)
    return Keeper(
        KeeperSettings(
            config.recordings_dir,
            f"{site.config.id}/{config.node}",
            Marks(recording.keep_unsealed_days, recording.low_percent, recording.critical_percent),
        ),
        KeeperPorts(
            index=index,
            book=book,
            places=places,
            ask=client.request,
            status=lambda: client.status,
            disk=lambda: disk_of(config.recordings_dir),
        ),
        wiring.clock,
        wiring.metrics,
        workers,
    )
