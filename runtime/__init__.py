"""Plumbing that every machine of a site needs: time, bus, durable queue, settings, supervision."""
