"""Reads cameras: packets, frames for analysis, and the level of their sound."""
