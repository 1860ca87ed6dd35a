"""The only importer of Apprise: one message to one address, and why it was not taken."""

import logging
import re
import threading
from typing import Final

import apprise

from controller.notices.channels import NotTaken, Secret

_LOGGER: Final = logging.getLogger("apprise")
_STATUS: Final = re.compile(r"error=(\d{3})\b")


class _Heard(logging.Handler):
    """What the library says in this thread: a status is all that is kept of it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.status = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            found = _STATUS.search(record.getMessage())
            self.status = found.group(1) if found else self.status


class AppriseWay:
    """Sends through Apprise. Blocks for seconds: the library's own time-outs end each try."""

    def __init__(self) -> None:
        # It logs addresses and payloads; they must not reach our log.
        _LOGGER.propagate = False
        _LOGGER.setLevel(logging.WARNING)

    def understands(self, address: str) -> bool:
        """Whether the library can make something of this address."""
        return isinstance(_plugin(address), apprise.NotifyBase)

    def send(self, address: Secret, title: str, body: str) -> None:
        """Send one message.

        Raises:
            NotTaken: it was not taken, as far as can be told.
        """
        plugin = _plugin(address.text)
        if plugin is None:
            raise NotTaken("the address is not understood")
        heard = _Heard()
        _LOGGER.addHandler(heard)
        try:
            taken = plugin.notify(
                body=body,
                title=title,
                notify_type=apprise.NotifyType.WARNING,
                body_format=apprise.NotifyFormat.TEXT,
            )
        except TypeError as error:
            raise NotTaken("the library refused the message") from error
        finally:
            _LOGGER.removeHandler(heard)
        if not taken:
            raise NotTaken(f"answered with status {heard.status}" if heard.status else "no answer")


def _plugin(address: str) -> apprise.NotifyBase | None:
    made = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    return made if isinstance(made, apprise.NotifyBase) else None
