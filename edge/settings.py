"""Schema of an edge node's settings; the site's devices are in its site folder."""

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from contracts.envelope import Strict
from contracts.units import RuleCode, Sha256Hex
from edge.core.rule_settings import RuleChange, rule_settings
from edge.node_settings import NodeSettings
from edge.perception.decoders import FAMILIES, Decoder
from edge.perception.providers import Provider
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
    """The model that finds people. Without ``path`` the shipped one; another needs its hash stated.

    ``docs/guide/models.md`` tells how to bring one's own.
    """

    path: Path | None = None
    sha256: Sha256Hex | None = None
    decoder: Decoder = Decoder.SSDLITE
    provider: Provider = Provider.CPU
    device: str = Field(default="CPU", pattern=r"^(CPU|GPU(\.[0-9])?|NPU|AUTO)$")
    """Of OpenVINO; other providers have one device."""
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Score that proves a person; without it that of the decoder's family."""
    overlap_max: float | None = Field(default=None, gt=0, lt=1)
    """Boxes that overlap by more are one person; without it that of the decoder's family."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads of one detection. One is fairest where several cameras share few cores."""
    workers: int = Field(default=1, ge=1, le=16)
    """Detections at once."""
    batch_max: int | None = Field(default=None, ge=1, le=64)
    """Pictures of one run; without it 8 on CUDA and TensorRT, else 1."""

    @property
    def sure_from(self) -> float:
        """The score that proves a person."""
        return self.threshold or FAMILIES[self.decoder].threshold

    @model_validator(mode="after")
    def _other_model_has_hash(self) -> Self:
        if (self.path is None) != (self.sha256 is None):
            raise ValueError(
                "path and sha256 go together: state the SHA-256 of the model that path names, or "
                "leave both out for the shipped model"
            )
        if self.path is None and self.decoder is not Decoder.SSDLITE:
            raise ValueError(
                f"decoder is {self.decoder.value} and the shipped model is of ssdlite; state path "
                "and sha256 of your own model"
            )
        return self

    @model_validator(mode="after")
    def _batch_has_workers(self) -> Self:
        if self.batch_max is not None and self.batch_max > self.workers:
            raise ValueError(
                f"batch_max is {self.batch_max} and workers is {self.workers}: pictures of several "
                "cameras meet only where as many workers wait. Set workers to batch_max"
            )
        return self


class AttentionSettings(Strict):
    """How often the detector looks at what needs it least (docs/guide/perception.md).

    Unexplained movement is looked at in the picture that shows it, whatever is set here.
    """

    enabled: bool = True
    """False: the detector looks at every analysed picture, all of it."""
    settled_look_ms: int = Field(default=1_500, ge=200, le=5_000)
    """People who have settled and move at their places."""
    idle_look_ms: int = Field(default=5_000, ge=500, le=30_000)
    """The longest time without a look at a picture that differs from the one looked at last."""
    unchanged_look_ms: int = Field(default=60_000, ge=500, le=60_000)
    """The longest time without a look at the whole picture, whatever it shows."""
    restless_look_ms: int = Field(default=1_000, ge=200, le=1_000)
    """What always moves and never was anybody: a curtain, a monitor."""


class PictureSettings(Strict):
    """How much disk alert pictures may take (see evidence.pictures)."""

    keep_mib: int = Field(default=2_048, ge=16, le=1_048_576)
    hard_mib: int = Field(default=4_096, ge=16, le=1_048_576)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.hard_mib < self.keep_mib:
            raise ValueError("hard_mib must not be below keep_mib")
        return self


class SoundSettings(Strict):
    """How much disk sounds of alerts may take (see evidence.sounds), and what hears a telephone."""

    keep_mib: int = Field(default=256, ge=16, le=1_048_576)
    hard_mib: int = Field(default=512, ge=16, le=1_048_576)

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
    attention: AttentionSettings = AttentionSettings()
    pictures: PictureSettings = PictureSettings()
    sounds: SoundSettings = SoundSettings()
    rules: dict[RuleCode, RuleChange] = Field(default_factory=dict)
    """What this site sets differently from the catalogue, by rule."""

    @field_validator("rules")
    @classmethod
    def _rules_within_bounds(cls, rules: dict[RuleCode, RuleChange]) -> dict[RuleCode, RuleChange]:
        rule_settings(rules)
        return rules
