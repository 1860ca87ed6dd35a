"""Holds the clip of the alert that a page has open: where a browser plays it, or why it cannot."""

from client import ControllerLost, RefusedError
from contracts.api import ClipLink, SoundLink
from controller.console.page import Page
from controller.console.present.words import Drawn, Words

AROUND_MS = 5 * 60_000
"""How much of the recording is listed before and after a clip: what a person looks through."""


class OpenedClip:
    """The clip of one alert at a time. The console asks for its address, the browser fetches it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._alert_id: str | None = None
        self._link: ClipLink | None = None
        self._why = ""
        self._asked = 0
        self._sound: SoundLink | None = None
        self._mute = ""

    def close(self) -> None:
        """No alert is open."""
        self._alert_id, self._link, self._why = None, None, ""
        self._sound, self._mute = None, ""

    async def listen(self, alert_id: str) -> None:
        """Ask where the sound of this alert is: only when a person wants to hear it."""
        sound, mute = None, ""
        try:
            sound = await self._page.api.sound(alert_id)
        except RefusedError as error:
            mute = error.problem.detail or error.problem.title
        except ControllerLost:
            mute = self._page.words.say("clip.unanswered")
        if self._alert_id == alert_id:
            self._sound, self._mute = sound, mute
            self._page.changed()

    def heard(self, words: Words) -> Drawn | None:
        """The sound as a part of the page is given it; None while nobody listens."""
        if self._sound is None and not self._mute:
            return None
        sound = self._sound
        return {
            "url": sound.url if sound else "",
            "from": words.at(sound.from_utc_ms) if sound else "",
            "why": self._mute,
        }

    async def open(self, alert_id: str, *, early: bool = False) -> None:
        """Ask where the clip of this alert is, anew even if that is known: a link ages."""
        self.close()
        self._alert_id = alert_id
        self._asked += 1
        number, page = self._asked, self._page
        link, why = None, ""
        try:
            link = await page.api.clip(alert_id, early=early)
        except RefusedError as error:
            why = error.problem.detail or error.problem.title
        except ControllerLost:
            why = page.words.say("clip.unanswered")
        if number == self._asked and self._alert_id == alert_id:
            self._link, self._why = link, why
            page.changed()

    def drawn(self, words: Words) -> Drawn | None:
        """The clip as a part of the page is given it; None while no alert is open."""
        if self._alert_id is None:
            return None
        link = self._link
        if link is None:
            state = "refused" if self._why else "asking"
            return {
                "alert": self._alert_id,
                "state": state,
                "why": self._why,
                "asked": self._asked,
            }
        begin, end = link.from_utc_ms - AROUND_MS, link.to_utc_ms + AROUND_MS
        return {
            "alert": self._alert_id,
            "state": "ready",
            "why": "",
            "asked": self._asked,
            "url": link.url,
            "early": link.early,
            "complete_ms": int(link.complete_utc_ms),
            "complete_at": words.at(link.complete_utc_ms),
            "span": f"{words.at(link.from_utc_ms)} \N{EN DASH} {words.at(link.to_utc_ms)}",
            "recordings": f"/watch/{link.camera_id}/recordings?from={begin}&to={end}",
        }
