"""Decides whether another request may come now: buckets that fill with time."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

BUCKETS_MAX: Final = 20_000  # tokens and addresses at once; full ones are forgotten first


@dataclass(slots=True)
class _Bucket:
    left: float
    at_ms: int


class Buckets:
    """A bucket for each key: ``burst`` requests at once, then ``per_s`` a second."""

    def __init__(self, per_s: float, burst: int, now_ms: Callable[[], int]) -> None:
        self._per_s = per_s
        self._burst = burst
        self._now_ms = now_ms
        self._buckets: dict[str, _Bucket] = {}

    def waits_s(self, key: str) -> int:
        """Whole seconds until the next request of this key may come; 0: now. Takes nothing."""
        bucket = self._filled(key)
        return 0 if bucket.left >= 1 else max(1, ceil((1 - bucket.left) / self._per_s))

    def take(self, key: str) -> None:
        """Count one request."""
        bucket = self._filled(key)
        bucket.left = max(bucket.left - 1, 0.0)

    def _filled(self, key: str) -> _Bucket:
        now = self._now_ms()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= BUCKETS_MAX:
                self._forget(now)
            bucket = self._buckets[key] = _Bucket(float(self._burst), now)
        grown = (now - bucket.at_ms) / 1_000 * self._per_s
        bucket.left = min(bucket.left + grown, float(self._burst))
        bucket.at_ms = now
        return bucket

    def _forget(self, now: int) -> None:
        full_ms = self._burst / self._per_s * 1_000
        old = [key for key, row in self._buckets.items() if now - row.at_ms >= full_ms]
        for key in old or list(self._buckets)[: BUCKETS_MAX // 10]:
            del self._buckets[key]
