"""Routes of acting from outside: talk, texts, calls, entry, listening, break-glass."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=BASE, tags=["outside"])
