"""A scene directed while it runs: cues go in, frames come out, the caller tells the time."""

from __future__ import annotations

from zeroentry.composer.model import Cue, Frame, Scene
from zeroentry.composer.painter import Painter
from zeroentry.composer.timeline import Cast, direct


class LiveScene:
    """One camera's scene and its people; not thread-safe.

    The same scene, cues and times give the same frames. Times must not go back.
    """

    def __init__(self, scene: Scene) -> None:
        """Start with the empty scene."""
        self._painter = Painter(scene)
        self._cast = Cast()

    @property
    def scene(self) -> Scene:
        """Return what the camera looks at."""
        return self._painter.scene

    def warm_up(self) -> None:
        """Dress everybody who may come (some seconds), so that no frame has to wait for it."""
        self._painter.dress_cast()

    def apply(self, cue: Cue, t_ms: int) -> None:
        """Play a cue from t_ms on."""
        self._cast = direct(self._cast, self._painter.plan, cue, t_ms)

    def render(self, t_ms: int, osd_utc_text: str = "") -> Frame:
        """Return the frame at t_ms with this clock text (ASCII) burnt in."""
        return self._painter.draw(self._cast, t_ms, osd_utc_text)
