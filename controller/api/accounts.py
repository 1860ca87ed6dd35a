"""Routes of accounts, rights, second factors, API tokens, log-in by OIDC."""

from fastapi import APIRouter

from contracts.api import BASE

router = APIRouter(prefix=BASE, tags=["accounts"])
