"""Search in alerts and recordings, statistics."""

from client.base import Asking


class SearchCalls(Asking):
    """Search in alerts and recordings, statistics."""
