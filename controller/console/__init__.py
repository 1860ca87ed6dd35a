"""The web console: its own process, which shows the house through the public API alone."""
