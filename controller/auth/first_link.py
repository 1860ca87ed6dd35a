"""Decides where the first administrator's one-time link goes: a file of ours, a terminal."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from controller.auth.people import People

log = structlog.get_logger(__name__)

LINK_FILE: Final = "first-administrator.link"
PAGE: Final = "/welcome#"
"""The console's page; what stands behind # is sent to no server by itself."""


def leave_first_link(
    people: People, data_dir: Path, console_url: str, show: Callable[[str], None] | None
) -> Path | None:
    """Leave a link where there is no account yet: shown on a terminal, else in a file, mode 0600.

    The log says only where it is. None: nothing was to be left, and an old file is gone.
    """
    path = data_dir / LINK_FILE
    path.unlink(missing_ok=True)
    given = people.first_link()
    if given is None:
        return None
    secret, expires = given
    address = f"{console_url.rstrip('/')}{PAGE}{secret}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{address}\n")
    log.warning("no_accounts_yet", link_file=str(path), good_until_utc_ms=int(expires))
    if show is not None:
        show(address)
    return path
