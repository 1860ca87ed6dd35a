"""Metrics belong to the object that made them, not to the process."""

import pytest

from runtime.metrics import Metrics


def test_two_sets_of_metrics_do_not_mix() -> None:
    first, second = Metrics(), Metrics()
    first.counter("mqtt_rejected_total", "Dropped.", ["reason"]).labels("oversized").inc(3)
    second.counter("mqtt_rejected_total", "Dropped.", ["reason"])
    assert first.value("mqtt_rejected_total", reason="oversized") == 3
    assert second.value("mqtt_rejected_total", reason="oversized") == 0


def test_a_name_asked_for_twice_is_one_metric() -> None:
    metrics = Metrics()
    metrics.gauge("outbox_depth", "Waiting.").set(2)
    metrics.gauge("outbox_depth", "Waiting.").inc()
    assert b"zeroentry_outbox_depth 3.0" in metrics.render()


def test_a_name_is_of_one_kind() -> None:
    metrics = Metrics()
    metrics.gauge("outbox_depth", "Waiting.")
    with pytest.raises(TypeError, match="is a Gauge, asked for as Counter"):
        metrics.counter("outbox_depth", "Waiting.")


def test_the_limit_of_alert_latency_is_the_edge_of_a_bucket() -> None:
    metrics = Metrics()
    metrics.histogram("alert_latency_seconds", "Beyond the dwell.").observe(0.7)
    assert metrics.value("alert_latency_seconds_bucket", le="0.7") == 1
    assert metrics.value("alert_latency_seconds_bucket", le="0.5") == 0
