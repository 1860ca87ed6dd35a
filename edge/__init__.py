"""Watches rooms: reads cameras, sees and hears what matters, and says so; one process a node."""
