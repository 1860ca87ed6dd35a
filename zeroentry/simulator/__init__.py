"""Plays robots, people, doors and faults against the site's pure core, from a seed."""
