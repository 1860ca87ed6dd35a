"""Holds who may be where: procurement kind by area kind by role, and how a role looks."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from contracts.envelope import Strict
from contracts.observations import Appearance


class ProcurementKind(StrEnum):
    """What is tendered: each kind has its own rules on who may be in the closed area."""

    ENGINEERING = "engineering"
    """工程建设: no owner, agency or supervisor may enter the evaluation."""
    GOVERNMENT = "government"
    """政府采购: an agency organiser and one representative of the purchaser may."""
    LAND = "land"
    PROPERTY_RIGHTS = "property_rights"


class Sector(StrEnum):
    """Which authority supervises a tender: a sector's supervisor sees its sessions alone."""

    CONSTRUCTION = "construction"
    """住建"""
    TRANSPORT = "transport"
    """交通"""
    WATER = "water"
    """水利"""
    FINANCE = "finance"
    """财政"""
    OTHER = "other"


class Role(StrEnum):
    """What a participant is. The floor knows seats and roles, never names."""

    EXPERT = "expert"
    AGENCY = "agency"
    OWNER = "owner"
    SUPERVISOR = "supervisor"
    MAINTENANCE = "maintenance"


class AreaKind(StrEnum):
    """What a watched area is. Rest, smoking and toilet rooms are never watched and have no kind."""

    EVALUATION = "evaluation"
    CORRIDOR = "corridor"
    KITCHEN = "kitchen"


ROLE_MAX: Final = 40  # as many as may be admitted at all


class Admitted(Strict):
    """How many of a role may be in an area of a kind while a session of a kind is sealed."""

    procurement: ProcurementKind
    area: AreaKind
    role: Role
    most: int = Field(ge=0, le=ROLE_MAX)


class VestColour(Strict):
    """The colour of a vest as it looks in plain light, and how far its hue may stray.

    Compared by hue angle and chroma in CIELAB (CIE 15:2018), which light changes least.
    """

    sample: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    hue_tolerance_deg: float = Field(default=22.0, ge=5.0, le=60.0)
    chroma_min: float = Field(default=22.0, ge=5.0, le=100.0)
    """Below it a colour is grey, whatever its hue."""


class VestColours(Strict):
    """The vests of a site; the one who decides on colours is the site, not this product."""

    red: VestColour = VestColour(sample="#c8283c")
    blue: VestColour = VestColour(sample="#2850b4")


class RoleAppearance(Strict):
    """How a role is dressed here."""

    role: Role
    appearance: Appearance


DEFAULT_APPEARANCE: Final[tuple[RoleAppearance, ...]] = (
    RoleAppearance(role=Role.EXPERT, appearance=Appearance.RED),
    RoleAppearance(role=Role.AGENCY, appearance=Appearance.BLUE),
    RoleAppearance(role=Role.OWNER, appearance=Appearance.NONE),
    RoleAppearance(role=Role.SUPERVISOR, appearance=Appearance.NONE),
    RoleAppearance(role=Role.MAINTENANCE, appearance=Appearance.NONE),
)

DEFAULT_ADMITTED: Final[tuple[Admitted, ...]] = (
    *(
        Admitted(procurement=kind, area=AreaKind.EVALUATION, role=Role.EXPERT, most=ROLE_MAX)
        for kind in ProcurementKind
    ),
    Admitted(
        procurement=ProcurementKind.GOVERNMENT,
        area=AreaKind.EVALUATION,
        role=Role.AGENCY,
        most=1,
    ),
    Admitted(
        procurement=ProcurementKind.GOVERNMENT, area=AreaKind.EVALUATION, role=Role.OWNER, most=1
    ),
    # A corridor of the closed area is walked by the experts of its rooms, and by nobody else.
    *(
        Admitted(procurement=kind, area=AreaKind.CORRIDOR, role=Role.EXPERT, most=ROLE_MAX)
        for kind in ProcurementKind
    ),
)


class AdmissionPolicy(Strict):
    """Who may be where at a site; what no row names may not be there."""

    rows: tuple[Admitted, ...] = Field(default=DEFAULT_ADMITTED, max_length=200)
    dress: tuple[RoleAppearance, ...] = Field(default=DEFAULT_APPEARANCE, max_length=20)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        keys = [(row.procurement, row.area, row.role) for row in self.rows]
        twice = sorted({" ".join(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"rows: used twice: {', '.join(twice)}")
        roles = [row.role for row in self.dress]
        again = sorted({role.value for role in roles if roles.count(role) > 1})
        if again:
            raise ValueError(f"dress: used twice: {', '.join(again)}")
        return self

    def admits(self, procurement: ProcurementKind, area: AreaKind) -> Mapping[Appearance, int]:
        """How many people of each appearance may be in such an area; one not named: none."""
        dress = {row.role: row.appearance for row in self.dress}
        most: dict[Appearance, int] = {}
        for row in self.rows:
            if row.procurement is procurement and row.area is area and row.role in dress:
                look = dress[row.role]
                most[look] = min(most.get(look, 0) + row.most, ROLE_MAX)
        return most
