"""Delivers notices to people outside the console: channels, an outbox, one way out (Apprise)."""
