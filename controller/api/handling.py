"""Routes of alerts in work: owners, urging, replies, reopening, history."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=BASE, tags=["alerts"])
