"""Schema of the controller's settings; devices are in the site folder, keys in the environment."""

from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from contracts.api import Dish, OrderTerms
from contracts.api.duty import EscalationSettings
from contracts.api.menu import DEFAULT_DISHES
from contracts.api.roster import SessionPolicy
from contracts.catalogue import JudgedBy
from contracts.catalogue.settings import RuleChange, check_changes
from contracts.envelope import Strict
from contracts.units import RuleCode
from controller.auth.policy import SecuritySettings
from controller.sites.settings import SitesSettings
from runtime.mqtt import MqttSettings

DATABASE_FILE: Final = "controller.db"


class Deployment(StrEnum):
    """``DEMO``: one machine, a broker without access control. ``SITE``: everything else."""

    DEMO = "demo"
    SITE = "site"


class ApiSettings(Strict):
    """Where the API listens. ``url`` is how browsers reach it, where that differs."""

    host: str = "127.0.0.1"
    port: int = Field(default=8440, ge=0, le=65_535)
    url: str | None = Field(default=None, pattern=r"^https?://[^@\s]+$", max_length=200)


class ControllerMqtt(MqttSettings):
    """The broker; our name there has a default, for a site has one controller."""

    client_id: str = Field(
        default="controller", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$"
    )


class ReportSettings(Strict):
    """Witness reports. ``at_release``: the first version is made by itself."""

    at_release: bool = True


class ControllerSettings(Strict):
    """One controller."""

    site_dir: Path
    data_dir: Path = Path("var/controller")
    database_url: str | None = Field(default=None, max_length=500)
    """Left out: SQLite in ``data_dir``. A password belongs in ~/.pgpass or PGPASSWORD."""
    mqtt: ControllerMqtt = ControllerMqtt()
    api: ApiSettings = ApiSettings()
    deployment: Deployment = Deployment.SITE
    menu: tuple[Dish, ...] = Field(default=DEFAULT_DISHES, min_length=1, max_length=100)
    """What can be ordered until the kitchen changes it by the API."""
    order_terms: OrderTerms = OrderTerms()
    """Meal times, cut-off, boxes, quotas: until the kitchen changes them by the API."""
    rules: dict[RuleCode, RuleChange] = Field(default_factory=dict)
    """What this site sets differently of the rules that the controller judges: robots, nodes."""
    escalation: EscalationSettings = EscalationSettings()
    """Whom an alert that nobody takes is told to, after what time, and when it is quiet."""
    security: SecuritySettings = SecuritySettings()
    """How people log in, how long the audit log is kept, how many requests may come."""
    reports: ReportSettings = ReportSettings()
    sites: SitesSettings = SitesSettings()
    """Other sites of a remote evaluation: who they are, and what is waited for."""
    sessions: SessionPolicy = SessionPolicy()
    """Lateness by role, names after the result, whether a roster is required."""
    log_level: str = "INFO"
    log_json: bool = False

    @model_validator(mode="after")
    def _rules_within_bounds(self) -> Self:
        check_changes(JudgedBy.CONTROLLER, self.rules)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.database_url is not None and "@" in self.database_url:
            user = self.database_url.rpartition("@")[0].rpartition("/")[2]
            if ":" in user:
                raise ValueError(
                    "database_url carries a password; leave it out and set PGPASSWORD or ~/.pgpass"
                )
        ids = [dish.id for dish in self.menu]
        if len(set(ids)) != len(ids):
            raise ValueError("menu: two dishes have the same id")
        return self

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.data_dir / DATABASE_FILE}"
