"""Holds the catalogue of anomalies as data: what each rule is called, may be set to, and says."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts.catalogue import (
    area,
    camera,
    facility,
    node,
    phone,
    robot,
    site,
    sound,
    zone,
)
from contracts.catalogue.area import OVER_ADMITTED
from contracts.catalogue.camera import CAMERA_FROZEN, CAMERA_OFFLINE
from contracts.catalogue.node import (
    CLOCK_STEPPED,
    CLOCK_UNSYNCHRONISED,
    DISK_FAILING,
    DISK_LOW,
    RECORDER_DOWN,
    RECORDING_GAP,
)
from contracts.catalogue.sound import PICKUP_DEAD
from contracts.catalogue.spec import (
    Evidence,
    JudgedBy,
    Parameter,
    RuleSpec,
    Subject,
    When,
)
from contracts.observations import Mode
from contracts.units import RuleCode

__all__ = [
    "CAMERA_FROZEN",
    "CAMERA_OFFLINE",
    "CATALOGUE",
    "CLOCK_STEPPED",
    "CLOCK_UNSYNCHRONISED",
    "DISK_FAILING",
    "DISK_LOW",
    "OVER_ADMITTED",
    "PICKUP_DEAD",
    "RECORDER_DOWN",
    "RECORDING_GAP",
    "Evidence",
    "JudgedBy",
    "Mode",
    "Parameter",
    "RuleSpec",
    "Subject",
    "When",
]

CATALOGUE: Final[Mapping[RuleCode, RuleSpec]] = MappingProxyType(
    {
        spec.code: spec
        for spec in (
            *area.RULES,
            *zone.RULES,
            *phone.RULES,
            *camera.RULES,
            *sound.RULES,
            *robot.RULES,
            *node.RULES,
            *site.RULES,
            *facility.RULES,
        )
    }
)
"""Every rule of the product, by code; ``judged_by`` says which machine judges it."""
