"""Turns what goes wrong in a request into problem+json (RFC 9457), in the asker's language."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contracts.api import Problem, Sentence
from controller.core.outputs import Refusal, Refused
from controller.ports import StoreLost

CONTENT_TYPE: Final = "application/problem+json"
ERRORS_SHOWN_MAX: Final = 50

STATUS: Final[Mapping[Refusal, HTTPStatus]] = {
    Refusal.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Refusal.CONFLICT: HTTPStatus.CONFLICT,
    Refusal.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Refusal.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Refusal.STALE: HTTPStatus.PRECONDITION_FAILED,
}


class ProblemError(Exception):
    """A request that cannot be served; ``detail`` says in both languages what to do."""

    def __init__(
        self,
        status: int,
        detail: Sentence,
        *,
        retry_after_s: int | None = None,
        kind: str = "about:blank",
    ) -> None:
        super().__init__(detail.en)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s


def problem_of(refused: Refused) -> ProblemError:
    """A refusal of the core as an HTTP problem."""
    return ProblemError(STATUS[refused.why], refused.detail)


def not_found(what: str, name: str) -> ProblemError:
    """404 for one thing of a kind."""
    text = Sentence(zh=f"没有 {what} {name[:80]}。", en=f"There is no {what} {name[:80]}.")
    return ProblemError(HTTPStatus.NOT_FOUND, text)


def forbidden() -> ProblemError:
    """403: known, but not allowed."""
    text = Sentence(
        zh="您的账号没有此权限，请联系管理员。",
        en="Your account may not do this; ask an administrator for the role that may.",
    )
    return ProblemError(HTTPStatus.FORBIDDEN, text)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StoreLost, _on_store_lost)


def _response(
    status: int,
    detail: str,
    *,
    errors: tuple[str, ...] = (),
    headers: dict[str, str] | None = None,
    kind: str = "about:blank",
) -> JSONResponse:
    title = HTTPStatus(status).phrase
    problem = Problem(type=kind, title=title, status=status, detail=detail, errors=errors)
    return JSONResponse(
        problem.model_dump(mode="json"),
        status_code=status,
        headers=headers,
        media_type=CONTENT_TYPE,
    )


def _said(request: Request, detail: Sentence) -> str:
    chinese = request.headers.get("accept-language", "").lower().startswith("zh")
    return detail.zh if chinese else detail.en


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ProblemError):
        raise error
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return _response(error.status, _said(request, error.detail), headers=headers, kind=error.kind)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return _response(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    rows = error.errors()[:ERRORS_SHOWN_MAX]
    errors = tuple(f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}" for row in rows)
    detail = Sentence(zh="请更正 errors 中列出的字段。", en="Correct what `errors` names.")
    return _response(HTTPStatus.UNPROCESSABLE_ENTITY, _said(request, detail), errors=errors)


async def _on_store_lost(request: Request, error: Exception) -> JSONResponse:
    detail = Sentence(
        zh="数据库暂不可用，操作未执行，请稍后重试。",
        en="The database is away, so nothing was done; try again in a moment.",
    )
    return _response(
        HTTPStatus.SERVICE_UNAVAILABLE, _said(request, detail), headers={"Retry-After": "2"}
    )
