"""Schema of an edge node's settings; the site's devices are in its site folder."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from contracts.envelope import Strict
from contracts.units import RuleCode, Sha256Hex
from edge.core.state import rule_settings
from edge.node_settings import NodeSettings
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


class EdgeSettings(NodeSettings):
    """Settings of one edge node."""

    mqtt: MqttSettings
    api: ApiSettings = ApiSettings()
    model: ModelSettings = ModelSettings()
    pictures: PictureSettings = PictureSettings()
    rules: dict[RuleCode, dict[str, float]] = Field(default_factory=dict)
    """Parameters of rules that differ from the catalogue's defaults, by rule and parameter."""

    @model_validator(mode="after")
    def _rules_within_bounds(self) -> Self:
        rule_settings(self.rules)
        return self
