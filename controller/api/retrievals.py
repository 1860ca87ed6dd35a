"""Routes of retrieval: asked, approved by another person, exported, expired."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=f"{BASE}/retrievals", tags=["retrieval"])
