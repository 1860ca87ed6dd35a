"""Decides; does nothing: pure step functions over frozen values, no I/O and no clock."""
