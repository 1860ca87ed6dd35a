"""Turns what goes wrong in a request into problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contracts.api import Problem

CONTENT_TYPE: Final = "application/problem+json"


class ProblemError(Exception):
    """A request that cannot be served; ``detail`` says what to do."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
        errors: tuple[str, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(title=title, status=status, detail=detail, errors=errors)
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


def _response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(mode="json"),
        status_code=problem.status,
        headers=headers,
        media_type=CONTENT_TYPE,
    )


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ProblemError):  # starlette hands each handler its own kind alone
        raise error
    headers = dict(error.headers)
    if error.problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return _response(error.problem, headers)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):  # starlette hands each handler its own kind alone
        raise error
    title = HTTPStatus(error.status_code).phrase
    return _response(
        Problem(title=title, status=error.status_code, detail=str(error.detail)),
        dict(error.headers or {}),
    )


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(
        error, RequestValidationError
    ):  # starlette hands each handler its own kind alone
        raise error
    errors = tuple(
        f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}" for row in error.errors()
    )
    return _response(
        Problem(
            title="Request not valid",
            status=422,
            detail="correct what errors names",
            errors=errors,
        )
    )


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
