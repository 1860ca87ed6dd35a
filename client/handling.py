"""Alerts in work: owners, urging, duty roster, notices."""

from client.base import Asking


class HandlingCalls(Asking):
    """Alerts in work: owners, urging, duty roster, notices."""
