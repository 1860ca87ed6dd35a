"""Routes of rosters, check-ins, seal checks, sweeps and imports of a schedule."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=f"{BASE}/sessions", tags=["sessions"])
