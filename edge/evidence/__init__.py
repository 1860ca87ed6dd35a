"""Keeps what proves an alert: pictures on disk, by content."""
