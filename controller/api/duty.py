"""Routes of the duty roster, escalation, notices and their delivery log."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=f"{BASE}/duty", tags=["duty"])
