"""Schema of an edge node's settings; the site's devices are in its site folder."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from contracts.devices import CredentialName
from contracts.envelope import Strict
from contracts.units import NodeId, RuleCode, Sha256Hex
from edge.core.state import rule_settings
from edge.perception.detector import Decoder
from runtime.mqtt import MqttSettings


class ApiTlsSettings(Strict):
    """Certificate and key of the API's server."""

    cert_file: Path
    key_file: Path


class ApiSettings(Strict):
    """Where the API listens. ``url`` is how others reach it, if not by host and port."""

    host: str = "127.0.0.1"
    port: int = Field(default=8441, ge=0, le=65_535)
    url: str | None = Field(default=None, pattern=r"^https?://[^@\s]+$", max_length=200)
    tls: ApiTlsSettings | None = None
    viewers_max: int = Field(default=8, ge=1, le=64)
    """Live viewers a camera; each costs bandwidth, none costs an encoding of its own."""


class ModelSettings(Strict):
    """The person detector. Without ``path`` the shipped model; another needs its hash stated."""

    path: Path | None = None
    sha256: Sha256Hex | None = None
    decoder: Decoder = Decoder.SSDLITE
    threshold: float = Field(default=0.25, gt=0, lt=1)
    overlap_max: float = Field(default=0.5, gt=0, lt=1)
    threads: int = Field(default=1, ge=1, le=64)
    """Threads of one detection. One is fairest where several cameras share few cores."""
    workers: int = Field(default=1, ge=1, le=16)
    """Detections at once."""

    @model_validator(mode="after")
    def _other_model_has_hash(self) -> Self:
        if (self.path is None) != (self.sha256 is None):
            raise ValueError(
                "path and sha256 go together: state the SHA-256 of the model that path names, or "
                "leave both out for the shipped model"
            )
        return self


class PictureSettings(Strict):
    """How much disk alert pictures may take (see evidence.pictures)."""

    keep_mib: int = Field(default=2_048, ge=16, le=1_048_576)
    hard_mib: int = Field(default=4_096, ge=16, le=1_048_576)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.hard_mib < self.keep_mib:
            raise ValueError("hard_mib must not be below keep_mib")
        return self


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

    dir: Path | None = None
    """Left out: ``recordings`` in ``data_dir``."""
    segment_s: int = Field(default=60, ge=10, le=600)
    fragment_ms: int = Field(default=500, ge=100, le=1_000)
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


class EdgeSettings(Strict):
    """Settings of one edge node."""

    node: NodeId
    site_dir: Path
    data_dir: Path
    mqtt: MqttSettings
    api: ApiSettings = ApiSettings()
    model: ModelSettings = ModelSettings()
    pictures: PictureSettings = PictureSettings()
    recording: RecordingSettings = RecordingSettings()
    rules: dict[RuleCode, dict[str, float]] = Field(default_factory=dict)
    """Parameters of rules that differ from the catalogue's defaults, by rule and parameter."""
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

    @model_validator(mode="after")
    def _rules_within_bounds(self) -> Self:
        rule_settings(self.rules)
        return self
