"""Holds what may be set of a rule, by whom, and what is wrong with what somebody set."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo

from contracts.catalogue import CATALOGUE, JudgedBy, RuleSpec
from contracts.envelope import Strict
from contracts.observations import Mode, Severity
from contracts.units import RuleCode

RISK_CODE_MAX_CHARS: Final = 32  # as an alert carries it
NEAR_MAX: Final = 3  # more is a list to search, not a hint
PARAMETERS_MAX: Final = 16  # as many as an alert can tell

RiskCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]*$", max_length=RISK_CODE_MAX_CHARS)
]


def _switched(value: object, info: ValidationInfo) -> object:
    """``off`` and ``on`` as a YAML file has them: without quotes they are false and true there."""
    if info.mode == "python" and isinstance(value, bool):
        return Mode.ON if value else Mode.OFF
    return value


class RuleChange(Strict):
    """What a site, a room or a session sets differently for one rule; the rest is inherited."""

    mode: Annotated[Mode | None, BeforeValidator(_switched)] = None
    severity: Severity | None = None
    risk_code: RiskCode | None = None
    parameters: dict[str, float] = Field(default_factory=dict, max_length=PARAMETERS_MAX)


RuleChanges = Mapping[RuleCode, RuleChange]


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """How one rule is set; ``settings["dwell_ms"]`` reads a parameter."""

    mode: Mode
    severity: Severity
    risk_code: str
    numbers: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One mistake in a change: where (the path below it), what was given, what is allowed."""

    where: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return self.message


class RuleChangeError(ValueError):
    """Rules are set to what they cannot be: names each rule and parameter, and what is allowed.

    ``where`` is the path below the rules of the first mistake: ``area.over_admitted`` or
    ``….parameters.dwell_ms``. The message tells all of them.
    """

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


def near_codes(code: RuleCode) -> list[RuleCode]:
    """Codes of the catalogue that this one may be a slip of the keyboard for."""
    begun = [known for known in CATALOGUE if code and known.startswith(code)]
    near = get_close_matches(code, CATALOGUE, n=NEAR_MAX, cutoff=0.6)
    return list(dict.fromkeys((*begun, *near)))[:NEAR_MAX]


SET_BY: Final[Mapping[JudgedBy, str]] = {
    JudgedBy.EDGE: "an edge node: set it there, in its file or over its API",
    JudgedBy.CONTROLLER: "the controller: set it there, not on an edge node",
}


def change_problems(
    code: RuleCode, change: RuleChange, judged_by: JudgedBy
) -> tuple[SettingProblem, ...]:
    """Everything that is wrong with a change of one rule at ``judged_by``; empty: nothing."""
    spec = CATALOGUE.get(code)
    if spec is None:
        near = " or ".join(near_codes(code))
        hint = f"did you mean {near}?" if near else "docs/reference/rules.md lists all of them"
        return (SettingProblem((), f"no rule {code}; {hint}"),)
    if spec.judged_by is not judged_by:
        return (SettingProblem((), f"{code} is judged by {SET_BY[spec.judged_by]}"),)
    return parameter_problems(spec, change.parameters)


def parameter_problems(
    spec: RuleSpec, parameters: Mapping[str, float]
) -> tuple[SettingProblem, ...]:
    """What is wrong with these values of a rule's parameters."""
    bounds = {parameter.name: parameter for parameter in spec.parameters}
    problems = []
    for name, value in parameters.items():
        where, known = ("parameters", name), bounds.get(name)
        if known is None:
            message = f"{spec.code} has no parameter {name}; it has: {', '.join(bounds)}"
            problems.append(SettingProblem(where, message))
        elif not known.lowest <= value <= known.highest:
            allowed = f"{known.lowest:g} to {known.highest:g} {known.unit}".rstrip()
            message = f"{spec.code}.{name} is {value:g}; allowed: {allowed}"
            problems.append(SettingProblem(where, message))
    return tuple(problems)


def check_changes(judged_by: JudgedBy, *layers: RuleChanges) -> None:
    """Refuse what cannot be.

    Raises:
        RuleChangeError: unknown rules or parameters, numbers out of bounds, rules of others; all.
    """
    found = [
        (".".join((code, *problem.where)), problem.message)
        for changes in layers
        for code, change in changes.items()
        for problem in change_problems(code, change, judged_by)
    ]
    if found:
        raise RuleChangeError(found[0][0], "; ".join(message for _, message in found))


def settings_of(spec: RuleSpec, change: RuleChange | None) -> RuleSettings:
    """A rule's settings with one change, which is sound, over the catalogue."""
    change = change or RuleChange()
    return RuleSettings(
        mode=change.mode if change.mode is not None else spec.mode,
        severity=change.severity if change.severity is not None else spec.severity,
        risk_code=change.risk_code if change.risk_code is not None else spec.risk_code,
        numbers=spec.settings(change.parameters),
    )
