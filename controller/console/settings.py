"""Holds what the console is told at start: where the controller is, and where it listens itself."""

from pydantic import Field

from contracts.envelope import Strict

SECRET_VARIABLE = "ZEROENTRY_CONSOLE_SECRET"  # noqa: S105 - its name, not its value
"""Environment variable with the secret that signs browser sessions; made per start when absent."""


class DemoSettings(Strict):
    """Where the demonstration's director listens; ``token_env`` names its token's variable."""

    url: str = Field(pattern=r"^https?://[^@\s]+$")
    token_env: str = Field(min_length=1, max_length=64)


class ConsoleSettings(Strict):
    """One console process."""

    controller_url: str = Field(pattern=r"^https?://[^@\s]+$")
    pictures_url: str | None = Field(default=None, pattern=r"^https?://[^@\s]+$")
    """The controller as browsers reach it, for alert pictures; ``controller_url`` when absent."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65_535)
    demo: DemoSettings | None = None
