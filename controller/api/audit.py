"""Routes of the audit log."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=f"{BASE}/audit", tags=["audit"])
