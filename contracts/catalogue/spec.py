"""Holds the words of the catalogue: what a rule is, what it may be set to, how it speaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from contracts.observations import Mode, Severity
from contracts.units import Bilingual, RuleCode


class When(StrEnum):
    """In which state of its room a rule watches."""

    ALWAYS = "always"
    SEALED = "sealed"
    UNSEALED = "unsealed"


class Subject(StrEnum):
    """Of what a rule finds something: there is one alert at a time for each."""

    ROOM = "room"
    CAMERA = "camera"
    SOURCE = "source"
    """A sound source: a camera with sound, or a pickup."""
    ZONE = "zone"
    TRACK = "track"
    """A recorded track: a camera or a pickup."""
    NODE = "node"
    ROBOT = "robot"
    SITE = "site"
    """Another site of a remote evaluation."""
    FACILITY = "facility"
    """A door, a lift, or the fire alarm."""


class Evidence(StrEnum):
    """What an alert carries beside its numbers. A clip is cut from the recordings around it."""

    PICTURE = "picture"
    CLIP = "clip"
    SOUND = "sound"


class JudgedBy(StrEnum):
    """Which machine judges the rule: the edge node, or the controller, which knows the robots."""

    EDGE = "edge"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a rule with its unit and bounds; ``name`` ends in the unit where it has one."""

    name: str
    unit: str
    default: float
    lowest: float
    highest: float
    title: Bilingual

    def __post_init__(self) -> None:
        if not self.lowest <= self.default <= self.highest:
            raise ValueError(
                f"{self.name}: {self.default} lies outside {self.lowest}..{self.highest}"
            )


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One anomaly: what people read about it, and what it may be set to.

    ``text`` says in one or two sentences when the rule alerts and when it clears. Every rule has
    the parameters ``dwell_ms`` (the condition lasts this long before the alert; confirming frames
    are part of it) and ``clear_ms`` (it must be gone this long before the alert clears).
    ``risk_code`` is empty here: each centre enters its own number of the risk point.
    ``shadow_because`` tells, with figures, why a rule is not switched on by default.
    """

    code: RuleCode
    title: Bilingual
    text: Bilingual
    severity: Severity
    parameters: tuple[Parameter, ...]
    subject: Subject
    when: When = When.ALWAYS
    mode: Mode = Mode.ON
    evidence: tuple[Evidence, ...] = (Evidence.PICTURE, Evidence.CLIP)
    judged_by: JudgedBy = JudgedBy.EDGE
    risk_code: str = ""
    shadow_because: Bilingual | None = None

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) != len(names) or not {"dwell_ms", "clear_ms"} <= set(names):
            raise ValueError(f"{self.code}: needs dwell_ms and clear_ms, each name once: {names}")
        if (self.mode is Mode.SHADOW) != (self.shadow_because is not None):
            raise ValueError(f"{self.code}: a rule in shadow says why, and only such a rule")

    @property
    def group(self) -> str:
        """The first part of the code: camera, area, zone, phone, sound, robot, node."""
        return self.code.split(".", 1)[0]

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name; KeyError when the rule has none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def settings(self, changed: Mapping[str, float]) -> Mapping[str, float]:
        """All parameters of the rule, ``changed`` over the defaults.

        Raises:
            ValueError: an unknown name or a number out of bounds; names it and what is allowed.
        """
        for name, value in changed.items():
            if name not in {parameter.name for parameter in self.parameters}:
                known = ", ".join(parameter.name for parameter in self.parameters)
                raise ValueError(f"{self.code} has no parameter {name}; it has: {known}")
            bounds = self.parameter(name)
            if not bounds.lowest <= value <= bounds.highest:
                raise ValueError(
                    f"{self.code}.{name} is {value:g}; "
                    f"allowed: {bounds.lowest:g} to {bounds.highest:g} {bounds.unit}".rstrip()
                )
        values = {parameter.name: parameter.default for parameter in self.parameters}
        return MappingProxyType({**values, **changed})


def dwell(default_ms: int, lowest_ms: int, highest_ms: int) -> Parameter:
    """The parameter ``dwell_ms``."""
    title = Bilingual("持续时间", "Lasts at least")
    return Parameter("dwell_ms", "ms", default_ms, lowest_ms, highest_ms, title)


def clear(default_ms: int, lowest_ms: int = 0, highest_ms: int = 60_000) -> Parameter:
    """The parameter ``clear_ms``."""
    title = Bilingual("解除前需消失", "Gone for, to clear")
    return Parameter("clear_ms", "ms", default_ms, lowest_ms, highest_ms, title)
