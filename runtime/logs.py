"""Sets up structured logs, keeps secrets out of them, and counts what repeats."""

import logging
import re
import sys
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, TextIO

import structlog

from runtime.clock import Clock

REDACTED = "[redacted]"
REPEAT_PERIOD_MS = (
    60_000  # one line a minute for one fault: visible, and the disk survives a week of it
)
REPEAT_KEYS_MAX = 1_000  # a peer that invents topics must not fill the memory
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    # Without local variables: a traceback would carry whatever secret a function held.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
DEPTH_MAX = 6  # nothing of ours nests deeper; a cycle ends

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|ticket|api_?key|private_?key|(run|signing)_?key"
    r"|credential|authorization|cookie|^pin$|_pin$|^pwd$",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?P<start>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")
_URL_QUERY = re.compile(
    r"(?P<start>[?&](?:[\w-]*(?:password|passwd|pwd|token|ticket|secret|key))=)[^&\s#]+",
    re.IGNORECASE,
)


def redact_text(text: str) -> str:
    """``text`` without passwords in URLs and secrets in query strings."""
    text = _URL_PASSWORD.sub(rf"\g<start>:{REDACTED}@", text)
    return _URL_QUERY.sub(rf"\g<start>{REDACTED}", text)


def is_secret_name(name: str) -> bool:
    """Whether a key of this name holds something that no log may show."""
    return _SECRET_KEY.search(name) is not None and not name.endswith(("_env", "_file", "_id"))


def _redacted(name: str, value: object, depth: int = 0) -> object:
    if is_secret_name(name) and not isinstance(value, bool | int | None):
        return REDACTED
    if depth >= DEPTH_MAX:
        return "..."
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {key: _redacted(str(key), item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item, depth + 1) for item in value]
    return value


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: replaces values under secret-looking keys and passwords in URLs."""
    for name in list(event):
        event[name] = _redacted(name, event[name])
    return event


def configure(
    process: str, *, json: bool, level: str = "INFO", stream: TextIO | None = None
) -> None:
    """Set up logs of this process, ours and those of libraries, on ``stream`` (standard error).

    Raises:
        ValueError: ``level`` is not a level of logging.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r}; allowed: DEBUG, INFO, WARNING, ERROR")
    out = stream or sys.stderr

    def name_process(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event.setdefault("process", process)
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_process,
    ]
    last: list[structlog.typing.Processor] = (
        [_TRACEBACKS, redact, structlog.processors.JSONRenderer()]
        if json
        else [
            redact,
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@dataclass(slots=True)
class _Count:
    since_mono_ms: int
    unsaid: int = 0


class Repeats:
    """Counts what repeats, so that it is logged at once the first time and then once a period.

    ::

        if times := repeats.due("oversized"):
            log.warning("mqtt_rejected", reason="oversized", times=times)
    """

    def __init__(self, clock: Clock, *, period_ms: int = REPEAT_PERIOD_MS) -> None:
        self._clock = clock
        self._period_ms = period_ms
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def due(self, key: str) -> int:
        """Count one; how many to report now, or 0 when the last report is younger than a period."""
        now = int(self._clock.mono_ms())
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= REPEAT_KEYS_MAX:
                self._counts.popitem(last=False)
            self._counts[key] = _Count(now)
            return 1
        count.unsaid += 1
        if now - count.since_mono_ms < self._period_ms:
            return 0
        times, count.unsaid, count.since_mono_ms = count.unsaid, 0, now
        return times
