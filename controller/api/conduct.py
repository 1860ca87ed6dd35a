"""Routes of conduct reports per session, month and quarter."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=f"{BASE}/conduct", tags=["conduct"])
