"""Keeps what the controller must not forget: the only part that knows SQL."""
