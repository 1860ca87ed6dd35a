"""Acting from outside: talk, texts, calls, emergency entry, listening."""

from client.base import Asking


class OutsideCalls(Asking):
    """Acting from outside: talk, texts, calls, emergency entry, listening."""
