"""Holds what is done with witness reports from the command line."""
