"""Holds what a rule's record at a site looks like: how often it spoke, and how often rightly."""

from pydantic import Field

from contracts.envelope import Strict
from contracts.observations import Mode, Said
from contracts.units import RuleCode


class RuleRecord(Strict):
    """One rule's record since the controller's database began.

    ``told`` were alerts, ``shadowed`` were kept without telling anybody. Of ``judged`` ones a
    person has said what they were; ``false_share_low`` and ``_high`` bound the true share of false
    ones (95 % interval of Wilson, J. Am. Stat. Assoc. 22, 1927). ``proposal`` is what the record
    speaks for; a person decides.
    """

    rule: RuleCode
    title: Said
    told: int = Field(ge=0)
    shadowed: int = Field(ge=0)
    judged: int = Field(ge=0)
    false: int = Field(ge=0)
    false_share_low: float = Field(ge=0.0, le=1.0)
    false_share_high: float = Field(ge=0.0, le=1.0)
    proposal: Mode | None = None
    why: Said | None = None
