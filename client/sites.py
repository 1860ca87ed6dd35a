"""Other sites of a remote evaluation."""

from client.base import Asking


class SiteCalls(Asking):
    """Other sites of a remote evaluation."""
