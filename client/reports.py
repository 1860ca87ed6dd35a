"""Reports for signature, conduct reports, retrieval."""

from client.base import Asking


class ReportCalls(Asking):
    """Reports for signature, conduct reports, retrieval."""
