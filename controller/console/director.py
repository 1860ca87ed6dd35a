"""Follows the demonstration's director, once for all pages, and passes on a visitor's cues."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.api import Sentence
from controller.console.texts import Language
from runtime.clock import Clock

POLL_MS = 1_000  # a story moves in seconds
TIMEOUT_S = 3.0  # it runs on the same machine


class Cue(StrEnum):
    """What a visitor may cause."""

    SIXTH_PERSON = "sixth-person"
    UNPLUG_CAMERA = "unplug-camera"
    BLOCK_CORRIDOR = "block-corridor"


class StepStatus(StrEnum):
    """Where a step of the day stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Step(_Told):
    """One step; ``todo`` is what the visitor should do now."""

    id: str
    title: Sentence
    status: StepStatus
    seconds: float | None = None
    todo: Sentence | None = None


class Story(_Told):
    """The day as it stands; ``loop`` counts the days from 1."""

    running: bool
    loop: int
    steps: tuple[Step, ...]


class CueRefusedError(Exception):
    """The director cannot do this now; ``why`` is empty when it did not answer."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self._why = why

    def why(self, language: Language) -> str:
        """The reason; the director writes both languages in one line, ``zh / en``."""
        zh, _, en = self._why.partition(" / ")
        return en if en and language is Language.EN else zh


class Director:
    """``story`` None: the director does not answer (``lost``), or has not been asked yet."""

    def __init__(self, http: httpx.AsyncClient, url: str, token: str, clock: Clock) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._clock = clock
        self._wanted = asyncio.Event()
        self._listeners: set[Callable[[], None]] = set()
        self.story: Story | None = None
        self.lost = False

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` after each change; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def start(self) -> None:
        """The first visitor has logged in: the day begins."""
        self._wanted.set()

    async def run(self) -> None:
        """Start the day when somebody is there to see it, then follow it, until cancelled."""
        await self._wanted.wait()
        started = False
        while True:
            try:
                if not started:
                    (await self._send("POST", "/start")).raise_for_status()
                    started = True
                answer = (await self._send("GET", "/state")).raise_for_status()
                self._tell(Story.model_validate_json(answer.content), lost=False)
            except (httpx.HTTPError, ValidationError):
                started = False
                self._tell(None, lost=True)
            await self._clock.sleep_ms(POLL_MS)

    async def cue(self, cue: Cue) -> None:
        """Cause something.

        Raises:
            CueRefusedError: not now, or the director is lost; the text is for the visitor.
        """
        try:
            answer = await self._send("POST", f"/cues/{cue.value}")
        except httpx.HTTPError as error:
            raise CueRefusedError("") from error
        if answer.is_error:
            raise CueRefusedError(_why(answer))

    async def _send(self, method: str, path: str) -> httpx.Response:
        url = self._url + path
        return await self._http.request(method, url, headers=self._headers, timeout=TIMEOUT_S)

    def _tell(self, story: Story | None, *, lost: bool) -> None:
        if (story, lost) == (self.story, self.lost):
            return
        self.story, self.lost = story, lost
        for listener in tuple(self._listeners):
            listener()


class _Refusal(_Told):
    detail: str = ""


def _why(answer: httpx.Response) -> str:
    try:
        return _Refusal.model_validate_json(answer.content).detail
    except ValidationError:
        return ""
