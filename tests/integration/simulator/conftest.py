"""A broker for simulated robots."""

from tests.fakes.edge_fixtures import broker_port

__all__ = ["broker_port"]
