"""Drives one robot for any VDA 5050 master: order acceptance, progress, compartments, state."""
