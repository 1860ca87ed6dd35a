"""Holds the settings that both processes of a node read: the recorder and the node itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from contracts.devices import CameraConfig, CredentialName, NodeConfig, PickupConfig, Site
from contracts.envelope import Strict
from contracts.evidence.entries import TrackId
from contracts.units import NodeId, RoomId


class NodeError(Exception):
    """The node cannot start with these settings; says which and what to do."""


class ArchiveSettings(Strict):
    """An S3-compatible store that gets a copy of every segment. Keys are a stored credential."""

    url: str = Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9_./-]{0,200})?$")
    """``s3://BUCKET/PREFIX``."""
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^@\s]+$", max_length=200)
    """Address of a store that is not Amazon's."""
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$")
    credential: CredentialName
    """Access key as user, secret key as password: ``zeroentry credential set NAME``."""


class RecordingSettings(Strict):
    """How the recorder writes, how long files stay, and where copies go."""

    enabled: bool = True
    """False: this node only watches; it expects no recorder, and none starts."""
    dir: Path | None = None
    """Left out: ``recordings`` in ``data_dir``."""
    segment_s: int = Field(default=60, ge=10, le=600)
    fragment_ms: int = Field(default=300, ge=100, le=1_000)
    """What a kill may cost at most: the fragment that is being filled."""
    buffer_mib: int = Field(default=16, ge=1, le=256)
    """Packets that wait for a slow disk, a track: half a minute at 4 Mb/s."""
    keep_unsealed_days: int = Field(default=90, ge=1, le=36_525)
    low_percent: float = Field(default=10.0, gt=0, lt=50)
    """Free share of the disk below which an alert is raised."""
    critical_percent: float = Field(default=3.0, gt=0, lt=50)
    """Free share below which only sealed and held tracks are recorded."""
    mirror_dir: Path | None = None
    """A second disk that gets a copy of every segment."""
    archive: ArchiveSettings | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.critical_percent >= self.low_percent:
            raise ValueError("critical_percent must be below low_percent")
        return self


class NodeSettings(Strict):
    """Who the node is, where its site and its data lie, and how it records."""

    node: NodeId
    site_dir: Path
    data_dir: Path
    recording: RecordingSettings = RecordingSettings()
    credentials_file: Path | None = None
    """Encrypted camera passwords; left out: ``credentials.json`` in ``data_dir``."""
    log_json: bool = True
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @property
    def recordings_dir(self) -> Path:
        """Where segments and manifests lie."""
        return self.recording.dir or self.data_dir / "recordings"

    @property
    def recorder_socket(self) -> Path:
        """Where recorder and node speak; 0600."""
        return self.data_dir / "recorder.sock"

    @property
    def credentials_path(self) -> Path:
        """Where the encrypted camera passwords lie."""
        return self.credentials_file or self.data_dir / "credentials.json"


def own_config(site: Site, node_id: NodeId) -> NodeConfig:
    """The node's entry in the site.

    Raises:
        NodeError: the site has no such node.
    """
    for node in site.nodes:
        if node.id == node_id:
            return node
    known = ", ".join(sorted(node.id for node in site.nodes)) or "none"
    raise NodeError(f"node {node_id!r} is not in the site (nodes/*.yaml); nodes there: {known}")


def tracks_of(site: Site, node: NodeConfig) -> Mapping[TrackId, RoomId]:
    """What a node records, each track with its area: cameras and pickups, by id.

    Raises:
        NodeError: a camera and a pickup share an id, and so would share one chain.
    """
    tracks: dict[TrackId, RoomId] = {}
    devices: tuple[CameraConfig | PickupConfig, ...] = (*site.cameras, *site.pickups)
    for device in devices:
        if device.area not in node.areas:
            continue
        if device.id in tracks:
            raise NodeError(
                f"{device.id!r} names a camera and a pickup; a recording is called after its "
                "device, so rename one of them (cameras/*.yaml, pickups/*.yaml)"
            )
        tracks[device.id] = device.area
    return tracks
