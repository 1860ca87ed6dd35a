"""Speaks to the controller's public API with one user's token: typed answers, errors, events."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts.api import (
    BASE,
    AlertPage,
    AlertView,
    CancelBody,
    ClipLink,
    DeliveryBody,
    DeliveryGiven,
    DeliveryView,
    EventName,
    LoadedBody,
    LoginBody,
    LoginGiven,
    MediaLink,
    Overview,
    PageLink,
    Problem,
    ResolveBody,
    RobotView,
    RoomView,
    SessionBody,
    SessionView,
    SiteView,
    SoundLink,
    UnlockBody,
    User,
    WitnessReport,
    ZoneView,
)

CONNECT_TIMEOUT_S = 3.0  # on a site's network a controller answers in milliseconds
ANSWER_TIMEOUT_S = 10.0  # a report with thousands of lines is drawn within seconds
EVENT_SILENCE_S = 25.0  # the controller sends a comment every 10 s: two missed is a dead link
EVENT_LINE_MAX_CHARS = 1_048_576  # an alert with 64 boxes is some 20 KB; more is not our stream
FORBIDDEN = 403

View = RoomView | RobotView | ZoneView | AlertView | SessionView | DeliveryView

_VIEWS: Final[Mapping[EventName, type[View]]] = {
    EventName.ALERT: AlertView,
    EventName.SESSION: SessionView,
    EventName.DELIVERY: DeliveryView,
    EventName.ROOM: RoomView,
    EventName.ROBOT: RobotView,
    EventName.ZONE: ZoneView,
}

_EVENT_NAMES: Final = frozenset(name.value for name in EventName)

_ROWS: Final = TypeAdapter(list[object])

ModelT = TypeVar("ModelT", bound=BaseModel)


class RefusedError(Exception):
    """The controller answered with a problem; ``problem`` says what is wrong and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


class ControllerLost(Exception):
    """The controller did not answer, or not in our language."""


@dataclass(frozen=True, slots=True)
class HouseEvent:
    """One server-sent event. Lasting events have an ``id``; ``resync`` alone has no ``view``."""

    name: EventName
    id: str | None
    view: View | None


class ApiClient:
    """One user's way to the controller. ``token`` None: only ``login`` is answered."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        controller_url: str,
        token: str | None = None,
        language: str = "en",
    ) -> None:
        self._http = http
        self._base = controller_url.rstrip("/") + BASE
        self._token = token
        self._language = language

    def with_token(self, token: str) -> "ApiClient":
        """The same way, walked by the user that this token was given to."""
        return ApiClient(self._http, self._base.removesuffix(BASE), token, self._language)

    def in_language(self, language: str) -> "ApiClient":
        """The same way; problems are told in this language."""
        return ApiClient(self._http, self._base.removesuffix(BASE), self._token, language)

    async def login(self, username: str, password: str) -> LoginGiven:
        """Exchange name and password for a token."""
        body = LoginBody(username=username, password=password)
        return await self._ask(LoginGiven, "POST", "/login", body)

    async def logout(self) -> None:
        """Make the token worthless."""
        await self._send("POST", "/logout")

    async def me(self) -> User:
        """Who the token belongs to."""
        return await self._ask(User, "GET", "/me")

    async def site(self) -> SiteView:
        """What does not change while the controller runs."""
        return await self._ask(SiteView, "GET", "/site")

    async def overview(self) -> Overview:
        """Everything now; ``events`` tells what changes."""
        return await self._ask(Overview, "GET", "/overview")

    async def readable(self) -> Overview:
        """The overview; for an account without it, those of its parts that it may read."""
        try:
            return await self.overview()
        except RefusedError as error:
            if error.problem.status != FORBIDDEN:
                raise
        return Overview(
            event_id=0,
            rooms=await self._list("/rooms", RoomView),
            zones=await self._list("/zones", ZoneView),
            robots=await self._list("/robots", RobotView),
            alerts=await self._alerts(),
            deliveries=await self._list("/deliveries", DeliveryView),
            sessions=await self._list("/sessions", SessionView),
        )

    async def _alerts(self) -> tuple[AlertView, ...]:
        try:
            return (await self._ask(AlertPage, "GET", "/alerts")).items
        except RefusedError as error:
            if error.problem.status == FORBIDDEN:
                return ()
            raise

    async def _list(self, path: str, model: type[ModelT]) -> tuple[ModelT, ...]:
        try:
            answer = await self._send("GET", path)
        except RefusedError as error:
            if error.problem.status == FORBIDDEN:
                return ()
            raise
        return _parsed_rows(answer, model)

    async def media(self, room_id: str) -> tuple[MediaLink, ...]:
        """Where a browser finds the pictures of a room's cameras, for a few minutes."""
        answer = await self._send("GET", f"/rooms/{_part(room_id)}/media")
        return _parsed_rows(answer, MediaLink)

    async def live_page(self, camera_id: str) -> PageLink:
        """The page of a camera's live video at its edge node, for a few minutes."""
        return await self._ask(PageLink, "GET", f"/cameras/{_part(camera_id)}/live")

    async def zones_page(self, camera_id: str) -> PageLink:
        """The editor of zones on a camera's picture at its edge node, for a few minutes."""
        return await self._ask(PageLink, "GET", f"/cameras/{_part(camera_id)}/zones")

    async def recordings_page(
        self, camera_id: str, from_utc_ms: int | None = None, to_utc_ms: int | None = None
    ) -> PageLink:
        """The page of a camera's recordings at its edge node, for a few minutes."""
        given = {"from": from_utc_ms, "to": to_utc_ms}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return await self._ask(PageLink, "GET", f"/cameras/{_part(camera_id)}/recordings?{query}")

    async def clip(self, alert_id: str, *, early: bool = False) -> ClipLink:
        """Where a browser plays what was recorded around an alert; ``early``: as far as it goes."""
        query = "?early=true" if early else ""
        return await self._ask(ClipLink, "GET", f"/alerts/{_part(alert_id)}/clip{query}")

    async def sound(self, alert_id: str) -> SoundLink:
        """Where a browser hears what belongs to an alert; the controller logs who asked."""
        return await self._ask(SoundLink, "GET", f"/alerts/{_part(alert_id)}/sound")

    async def acknowledge(self, alert_id: str) -> AlertView:
        """Say that a person has seen the alert."""
        return await self._ask(AlertView, "POST", f"/alerts/{_part(alert_id)}/acknowledge")

    async def resolve(self, alert_id: str, body: ResolveBody) -> AlertView:
        """Close the people's side of the alert with what it was found to be."""
        return await self._ask(AlertView, "POST", f"/alerts/{_part(alert_id)}/resolve", body)

    async def schedule(self, body: SessionBody) -> SessionView:
        """Schedule a session in a room."""
        return await self._ask(SessionView, "POST", "/sessions", body)

    async def session_step(self, session_id: str, step: str) -> SessionView:
        """Take a session on: ``gather``, ``seal``, ``release`` or ``cancel``."""
        return await self._ask(SessionView, "POST", f"/sessions/{_part(session_id)}/{_part(step)}")

    async def report_html(self, session_id: str, language: str) -> str:
        """The witness report of a session as one page of HTML."""
        path = f"/sessions/{_part(session_id)}/report.html?lang={quote(language)}"
        return (await self._send("GET", path)).text

    async def report(self, session_id: str) -> WitnessReport:
        """The witness report of a session."""
        return await self._ask(WitnessReport, "GET", f"/sessions/{_part(session_id)}/report")

    async def evidence_key(self) -> str:
        """The controller's public key of evidence, as PEM."""
        return (await self._send("GET", "/evidence/key")).text

    async def evidence_heads(self) -> str:
        """The controller's signed lines: newest head of each chain, then all hourly roots."""
        return (await self._send("GET", "/evidence/heads.jsonl")).text

    async def order(self, body: DeliveryBody, idempotency_key: str) -> DeliveryGiven:
        """Order a meal; the same key is the same order, so it may be sent again."""
        return await self._ask(
            DeliveryGiven, "POST", "/deliveries", body, {"Idempotency-Key": idempotency_key}
        )

    async def loaded(self, delivery_id: str, compartment: int) -> DeliveryView:
        """The kitchen has loaded the compartment and shut its lid."""
        body = LoadedBody(compartment=compartment)
        return await self._ask(
            DeliveryView, "POST", f"/deliveries/{_part(delivery_id)}/loaded", body
        )

    async def unlock(self, delivery_id: str, pin: str) -> DeliveryView:
        """Type the PIN at the robot."""
        path = f"/deliveries/{_part(delivery_id)}/unlock"
        return await self._ask(DeliveryView, "POST", path, UnlockBody(pin=pin))

    async def cancel(self, delivery_id: str, reason: str) -> DeliveryView:
        """Call a delivery off."""
        path = f"/deliveries/{_part(delivery_id)}/cancel"
        return await self._ask(DeliveryView, "POST", path, CancelBody(reason=reason))

    @asynccontextmanager
    async def events(self, last_event_id: str | None) -> AsyncIterator[AsyncIterator[HouseEvent]]:
        """Open the event stream behind ``last_event_id`` (None: from now on), until it ends.

        Ask for the overview inside, after the stream stands: so nothing falls between the two.

        Raises:
            ControllerLost: the stream broke, stayed silent too long, or could not be read.
            RefusedError: the controller refused to open it.
        """
        headers = self._headers() | {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=EVENT_SILENCE_S)
        try:
            async with self._http.stream(
                "GET", f"{self._base}/events", headers=headers, timeout=timeout
            ) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise RefusedError(_problem(answer))
                yield _parsed_events(answer.aiter_lines())
        except httpx.HTTPError as error:
            raise ControllerLost(f"event stream of {self._base}: {error!r}") from error

    async def _ask(
        self,
        model: type[ModelT],
        method: str,
        path: str,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ModelT:
        answer = await self._send(method, path, body, headers)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise ControllerLost(
                f"{method} {path}: answer is not a {model.__name__}: {error}"
            ) from error

    async def _send(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = self._headers() | dict(headers or {})
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
            raise RefusedError(_problem(answer))
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Language": self._language}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers


class EventParser:
    """Turns lines of ``text/event-stream`` into events; names of a newer controller pass by."""

    def __init__(self) -> None:
        self._name = ""
        self._id: str | None = None
        self._data: list[str] = []

    def line(self, line: str) -> HouseEvent | None:
        """Take one line without its end; an event when the line completes one.

        Raises:
            ControllerLost: the line is longer than any event of ours.
        """
        if len(line) > EVENT_LINE_MAX_CHARS:
            raise ControllerLost(
                f"event line of {len(line)} characters; ours end at {EVENT_LINE_MAX_CHARS}"
            )
        if not line:
            return self._complete()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                self._name = value
            case "id":
                self._id = value
            case "data":
                self._data.append(value)
            case _:
                pass  # comments keep the line warm; retry is our own decision
        return None

    def _complete(self) -> HouseEvent | None:
        name, event_id, data = self._name, self._id, "\n".join(self._data)
        self._name, self._id, self._data = "", None, []
        if name not in _EVENT_NAMES:
            return None
        kind = EventName(name)
        if kind is EventName.RESYNC:
            return HouseEvent(kind, event_id, None)
        try:
            return HouseEvent(kind, event_id, _VIEWS[kind].model_validate_json(data))
        except ValidationError as error:
            raise ControllerLost(f"event {name} cannot be read: {error}") from error


async def _parsed_events(lines: AsyncIterator[str]) -> AsyncIterator[HouseEvent]:
    parser = EventParser()
    async for line in lines:
        event = parser.line(line)
        if event is not None:
            yield event


def _part(name: str) -> str:
    return quote(name, safe="")


def _parsed_rows(answer: httpx.Response, model: type[ModelT]) -> tuple[ModelT, ...]:
    try:
        rows = _ROWS.validate_json(answer.content)
        return tuple(model.model_validate(row) for row in rows)
    except ValidationError as error:
        what = f"{answer.request.url.path}: answer is no list of {model.__name__}"
        raise ControllerLost(f"{what}: {error}") from error


def _problem(answer: httpx.Response) -> Problem:
    """The problem in an answer, or one made from its status when a proxy answered instead."""
    try:
        return Problem.model_validate(json.loads(answer.content))
    except (ValueError, ValidationError):
        return Problem(
            title=answer.reason_phrase or "error",
            status=answer.status_code,
            detail=answer.text[:200],
        )
