"""Decides which sound input a name means, and says what else is there when it means none."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_NAME: Final = "default"
NAMES_SHOWN_MAX: Final = 12  # a sound server lists twenty; a log line is no catalogue


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A sound input as PortAudio lists it; ``index`` holds until PortAudio is started again."""

    index: int
    name: str
    host_api: str
    rate_hz: int
    """What the device prefers."""
    channels: int
    preferred: bool = False
    """It is the system's default input."""


class Loss(StrEnum):
    """Why a pickup gives no sound."""

    MISSING = "missing"
    """No input of this name: unplugged, or never there."""
    AMBIGUOUS = "ambiguous"
    """The name fits several inputs."""
    REFUSED = "refused"
    """The input is there and cannot be opened: busy, no permission, no such rate."""
    STALLED = "stalled"
    """It was open and gave nothing more."""
    ENDED = "ended"
    """It ended by itself: unplugged, or its sound server went."""
    CRASHED = "crashed"
    """The process that captures it died."""
    NOT_INSTALLED = "not_installed"
    """PyAudio or PortAudio is not on this machine."""


class PickupLost(Exception):
    """A pickup cannot be captured now; ``loss`` and ``detail`` say why and what to do."""

    def __init__(self, loss: Loss, detail: str) -> None:
        super().__init__(f"{loss.value}: {detail}")
        self.loss = loss
        self.detail = detail


def choose(devices: Sequence[InputDevice], wanted: str, host_api: str | None) -> InputDevice:
    """The one input that ``wanted`` names: exactly, or else as a part that no other name has.

    ``default`` is the system's own choice, and nothing else is: a pickup that is unplugged must not
    become another room's microphone.

    Raises:
        PickupLost: ``MISSING`` or ``AMBIGUOUS``; the detail lists what is there.
    """
    pool = [
        device
        for device in devices
        if host_api is None or device.host_api.casefold() == host_api.casefold()
    ]
    if wanted == DEFAULT_NAME:
        found = [device for device in pool if device.preferred]
    else:
        found = [device for device in pool if device.name == wanted]
        part = wanted.casefold()
        found = found or [device for device in pool if part in device.name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise PickupLost(
            Loss.AMBIGUOUS,
            f"device {wanted!r} fits {_listed(found)}: write more of the name, or host_api",
        )
    where = f" of host_api {host_api!r}" if host_api else ""
    raise PickupLost(
        Loss.MISSING,
        f"no input{where} is called {wanted!r}; there are {_listed(pool or devices)}. "
        "One that another program holds is not listed",
    )


def _listed(devices: Sequence[InputDevice]) -> str:
    if not devices:
        return "no inputs at all"
    shown = [f"{device.name!r} ({device.host_api})" for device in devices[:NAMES_SHOWN_MAX]]
    more = len(devices) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
