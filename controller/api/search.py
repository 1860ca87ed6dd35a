"""Routes of search in alerts and recordings, and of statistics."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=f"{BASE}/search", tags=["search"])
