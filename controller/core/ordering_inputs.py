"""Holds what people do about orders beside ordering itself, as inputs of the site."""

from dataclasses import dataclass
from typing import Literal

from contracts.api import ChangeBody, Found, MenuBody, StandingBody


@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """Somebody orders something else instead. ``seen``: the order as the asker saw it."""

    delivery_id: str
    body: ChangeBody
    seen: ChangeBody
    by: str
    kind: Literal["delivery_changed"] = "delivery_changed"


@dataclass(frozen=True, slots=True)
class DeliveryJudged:
    """A supervisor decides about an order that needs approval."""

    delivery_id: str
    approved: bool
    reason: str
    by: str
    kind: Literal["delivery_judged"] = "delivery_judged"


@dataclass(frozen=True, slots=True)
class PinIssued:
    """The room's tablet shows a new PIN; the one before counts no more."""

    delivery_id: str
    pin_digest: str
    by: str
    kind: Literal["pin_issued"] = "pin_issued"


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """A supervisor asks to open a compartment at the door without its PIN."""

    delivery_id: str
    reason: str
    by: str
    kind: Literal["release_asked"] = "release_asked"


@dataclass(frozen=True, slots=True)
class ReleaseJudged:
    """Another supervisor says yes or no to that."""

    delivery_id: str
    approved: bool
    by: str
    kind: Literal["release_judged"] = "release_judged"


@dataclass(frozen=True, slots=True)
class CompartmentInspected:
    """The kitchen has looked into a compartment that came back."""

    delivery_id: str
    found: Found
    by: str
    kind: Literal["compartment_inspected"] = "compartment_inspected"


@dataclass(frozen=True, slots=True)
class MenuEdited:
    """The kitchen changes the menu. ``expected``: the revision that it saw."""

    body: MenuBody
    expected: int
    by: str
    kind: Literal["menu_edited"] = "menu_edited"


@dataclass(frozen=True, slots=True)
class StandingSet:
    """Somebody makes a recurring order, or changes it; ``body`` None: it is taken away."""

    standing_id: str
    body: StandingBody | None
    by: str
    seen: StandingBody | None = None
    kind: Literal["standing_set"] = "standing_set"


OrderingInput = (
    DeliveryChanged
    | DeliveryJudged
    | PinIssued
    | ReleaseAsked
    | ReleaseJudged
    | CompartmentInspected
    | MenuEdited
    | StandingSet
)
