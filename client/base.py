"""Asks the controller's public API for one user: typed answers, problems as errors."""

import json
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts.api import (
    BASE,
    Problem,
)

CONNECT_TIMEOUT_S = 3.0  # on a site's network a controller answers in milliseconds
ANSWER_TIMEOUT_S = 10.0  # a report with thousands of lines is drawn within seconds
FORBIDDEN = 403

_ROWS: Final = TypeAdapter(list[object])

ModelT = TypeVar("ModelT", bound=BaseModel)


class RefusedError(Exception):
    """The controller answered with a problem; ``problem`` says what is wrong and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


class ControllerLost(Exception):
    """The controller did not answer, or not in our language."""


class Asking:
    """One user's way to the controller. ``token`` None: only log-in is answered."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        controller_url: str,
        token: str | None = None,
        language: str = "en",
        browser: str = "",
        agent: str = "",
    ) -> None:
        self._http = http
        self._base = controller_url.rstrip("/") + BASE
        self._token = token
        self._language = language
        self._browser = browser
        self._agent = agent

    @property
    def address(self) -> str:
        """Where the API begins, without a slash at its end."""
        return self._base

    @property
    def http(self) -> httpx.AsyncClient:
        """What requests go through."""
        return self._http

    async def ask(
        self,
        model: type[ModelT],
        method: str,
        path: str,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ModelT:
        """One answer, read as ``model``.

        Raises:
            RefusedError: the controller said why not.
            ControllerLost: no answer, or none that can be read.
        """
        answer = await self.send(method, path, body, headers)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise ControllerLost(
                f"{method} {path}: answer is not a {model.__name__}: {error}"
            ) from error

    async def send(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One answer as it came; raises as ``ask``."""
        sent = self.headers() | dict(headers or {})
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = body.model_dump_json().encode()
        try:
            answer = await self._http.request(
                method,
                self._base + path,
                content=content,
                headers=sent,
                timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            )
        except httpx.HTTPError as error:
            raise ControllerLost(f"{method} {self._base}{path}: {error!r}") from error
        if answer.is_error:
            raise RefusedError(problem(answer))
        return answer

    async def upload(
        self,
        model: type[ModelT],
        path: str,
        *,
        file: tuple[str, bytes],
        fields: Mapping[str, str],
    ) -> ModelT:
        """Send a file as a form; raises as ``ask``."""
        try:
            answer = await self._http.post(
                self._base + path,
                files={"file": file},
                data=dict(fields),
                headers=self.headers(),
                timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            )
        except httpx.HTTPError as error:
            raise ControllerLost(f"POST {self._base}{path}: {error!r}") from error
        if answer.is_error:
            raise RefusedError(problem(answer))
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            what = f"POST {path}: answer is not a {model.__name__}"
            raise ControllerLost(f"{what}: {error}") from error

    def headers(self) -> dict[str, str]:
        """What each request carries."""
        headers = {"Accept-Language": self._language}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._browser:
            headers["X-Forwarded-For"] = self._browser
        if self._agent:
            headers["User-Agent"] = self._agent
        return headers

    async def rows(self, path: str, model: type[ModelT]) -> tuple[ModelT, ...]:
        """A list that this user may read; empty where it may not."""
        try:
            answer = await self.send("GET", path)
        except RefusedError as error:
            if error.problem.status == FORBIDDEN:
                return ()
            raise
        return parsed_rows(answer, model)


def part(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def parsed_rows(answer: httpx.Response, model: type[ModelT]) -> tuple[ModelT, ...]:
    """A list of views out of an answer.

    Raises:
        ControllerLost: it is none.
    """
    try:
        rows = _ROWS.validate_json(answer.content)
        return tuple(model.model_validate(row) for row in rows)
    except ValidationError as error:
        what = f"{answer.request.url.path}: answer is no list of {model.__name__}"
        raise ControllerLost(f"{what}: {error}") from error


def problem(answer: httpx.Response) -> Problem:
    """The problem in an answer, or one made from its status when a proxy answered instead."""
    try:
        return Problem.model_validate(json.loads(answer.content))
    except (ValueError, ValidationError):
        return Problem(
            title=answer.reason_phrase or "error",
            status=answer.status_code,
            detail=answer.text[:200],
        )
