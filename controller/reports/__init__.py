"""Writes what people sign: the witness report of a session."""
