"""Speaks with the controllers of other sites in a remote evaluation."""
