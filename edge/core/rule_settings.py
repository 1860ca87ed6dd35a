"""Decides how each rule is set in a room: catalogue, then site, then room, then session."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts.catalogue import CATALOGUE, JudgedBy, RuleSpec, settings
from contracts.catalogue.settings import (
    RuleChange,
    RuleChangeError,
    RuleChanges,
    RuleSettings,
    SettingProblem,
    near_codes,
    parameter_problems,
)
from contracts.units import RuleCode

__all__ = [
    "Layer",
    "LayeredRule",
    "RuleChange",
    "RuleChangeError",
    "RuleChanges",
    "RuleSettings",
    "SettingProblem",
    "change_problems",
    "layered_rules",
    "near_codes",
    "parameter_problems",
    "rule_settings",
]


class Layer(StrEnum):
    """Where a value comes from. Each layer lies over those before it."""

    CATALOGUE = "catalogue"
    FILE = "file"
    """``rules:`` of the node's own file."""
    SITE = "site"
    """Set over the API for every room of the node."""
    ROOM = "room"
    SESSION = "session"
    """In one room, while one session is sealed there."""


@dataclass(frozen=True, slots=True)
class LayeredRule:
    """How one rule is set.

    ``origins``: the layer of ``mode``, ``severity``, ``risk_code`` and of each parameter, by name.
    """

    settings: RuleSettings
    origins: Mapping[str, Layer]


def change_problems(code: RuleCode, change: RuleChange) -> tuple[SettingProblem, ...]:
    """Everything that is wrong with a change of one rule on an edge node; empty: nothing."""
    return settings.change_problems(code, change, JudgedBy.EDGE)


def rule_settings(*layers: RuleChanges) -> Mapping[RuleCode, RuleSettings]:
    """Every rule's settings, each layer over those before it and over the catalogue.

    Raises:
        RuleChangeError: unknown rules or parameters, numbers out of bounds, rules of others; all.
    """
    settings.check_changes(JudgedBy.EDGE, *layers)
    layered = layered_rules((Layer.SITE, changes) for changes in layers)
    return {code: one.settings for code, one in layered.items()}


def layered_rules(
    layers: Iterable[tuple[Layer, RuleChanges]],
) -> Mapping[RuleCode, LayeredRule]:
    """Every rule's settings with the layer of each value; the changes are sound."""
    ordered = tuple(layers)
    return {
        code: _layered(spec, [(layer, rows[code]) for layer, rows in ordered if code in rows])
        for code, spec in CATALOGUE.items()
    }


def _layered(spec: RuleSpec, changes: list[tuple[Layer, RuleChange]]) -> LayeredRule:
    mode, severity, risk_code = spec.mode, spec.severity, spec.risk_code
    numbers = {parameter.name: parameter.default for parameter in spec.parameters}
    origins = dict.fromkeys(("mode", "severity", "risk_code", *numbers), Layer.CATALOGUE)
    for layer, change in changes:
        if change.mode is not None:
            mode, origins["mode"] = change.mode, layer
        if change.severity is not None:
            severity, origins["severity"] = change.severity, layer
        if change.risk_code is not None:
            risk_code, origins["risk_code"] = change.risk_code, layer
        numbers |= change.parameters
        origins |= dict.fromkeys(change.parameters, layer)
    return LayeredRule(RuleSettings(mode, severity, risk_code, numbers), origins)
