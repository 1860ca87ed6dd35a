"""Routes of other sites in a remote evaluation."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=f"{BASE}/sites", tags=["sites"])
