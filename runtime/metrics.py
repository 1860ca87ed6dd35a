"""Holds one process's Prometheus metrics in a registry of its own, so nothing is global."""

from collections.abc import Sequence
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_Kind = TypeVar("_Kind", Counter, Gauge, Histogram)

PREFIX: Final = "zeroentry_"
LATENCY_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.7, 1.0, 2.5, 5.0, 10.0)
# 0.7 s is the limit that an alert has beyond its rule's dwell, so it must be a bucket's edge.


class Metrics:
    """Factories for metrics of one process; names get the product's prefix.

    Asking twice for one name gives the same metric.
    """

    CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
        """A count that only grows; end its name in ``_total``."""
        made = self._made.get(name)
        if made is None:
            made = Counter(PREFIX + name, help_text, labels, registry=self._registry)
            self._made[name] = made
        return _of(Counter, name, made)

    def gauge(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
        """A figure that goes up and down; its name ends in its unit."""
        made = self._made.get(name)
        if made is None:
            made = Gauge(PREFIX + name, help_text, labels, registry=self._registry)
            self._made[name] = made
        return _of(Gauge, name, made)

    def histogram(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = LATENCY_BUCKETS_S,
    ) -> Histogram:
        """A distribution; for durations the name ends in ``_seconds``."""
        made = self._made.get(name)
        if made is None:
            made = Histogram(
                PREFIX + name, help_text, labels, registry=self._registry, buckets=tuple(buckets)
            )
            self._made[name] = made
        return _of(Histogram, name, made)

    def value(self, name: str, **labels: str) -> float:
        """The present value of a sample, 0 when it was never set; for tests and health reports."""
        return self._registry.get_sample_value(PREFIX + name, labels) or 0.0

    def render(self) -> bytes:
        """The Prometheus text format, for GET /metrics with ``CONTENT_TYPE``."""
        return generate_latest(self._registry)


def _of(kind: type[_Kind], name: str, made: object) -> _Kind:
    if not isinstance(made, kind):
        raise TypeError(f"metric {name!r} is a {type(made).__name__}, asked for as {kind.__name__}")
    return made
