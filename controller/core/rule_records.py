"""Decides what a rule's record speaks for: as it is, silent, or switched on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

from contracts.api import Disposition
from contracts.catalogue.record import RuleRecord
from contracts.observations import Mode, Said
from contracts.units import Bilingual, RuleCode
from controller.core.alerts import RuleTally, title_of

FALSE_SHARE_MAX: Final = 0.05
# One alert in twenty may be false before people stop looking: what a rule must reach to be on.
JUDGED_MIN: Final = 10  # fewer say nothing, whatever they say
Z_95: Final = 1.959964  # of the normal distribution, two sides


@dataclass(frozen=True, slots=True)
class _Counts:
    told: int = 0
    shadowed: int = 0
    judged: int = 0
    false: int = 0


def interval(hits: int, tries: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) where nothing was tried."""
    if tries == 0:
        return 0.0, 1.0
    share, z2 = hits / tries, Z_95 * Z_95
    middle = share + z2 / (2 * tries)
    reach = Z_95 * sqrt(share * (1 - share) / tries + z2 / (4 * tries * tries))
    scale = 1 + z2 / tries
    return max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0)


def records(tallies: Iterable[RuleTally]) -> tuple[RuleRecord, ...]:
    """One record a rule that ever spoke, those with most false alerts first."""
    counts: dict[RuleCode, _Counts] = {}
    for tally in tallies:
        counts[tally.rule] = _added(counts.get(tally.rule, _Counts()), tally)
    rows = [_record(rule, row) for rule, row in counts.items()]
    return tuple(sorted(rows, key=lambda row: (-row.false, row.rule)))


def _added(row: _Counts, tally: RuleTally) -> _Counts:
    if tally.shadow:
        row = replace(row, shadowed=row.shadowed + tally.count)
    else:
        row = replace(row, told=row.told + tally.count)
    # A test of the rule says nothing of how it fares when nobody tests it.
    if tally.disposition is not None and tally.disposition is not Disposition.TEST:
        row = replace(row, judged=row.judged + tally.count)
    if tally.disposition is Disposition.FALSE:
        row = replace(row, false=row.false + tally.count)
    return row


def _record(rule: RuleCode, row: _Counts) -> RuleRecord:
    low, high = interval(row.false, row.judged)
    proposal, why = _proposal(row, low, high)
    title = title_of(rule)
    return RuleRecord(
        rule=rule,
        title=Said(zh=title.zh, en=title.en),
        told=row.told,
        shadowed=row.shadowed,
        judged=row.judged,
        false=row.false,
        false_share_low=round(low, 4),
        false_share_high=round(high, 4),
        proposal=proposal,
        why=why,
    )


def _proposal(row: _Counts, low: float, high: float) -> tuple[Mode | None, Said | None]:
    if row.judged < JUDGED_MIN:
        return None, None
    if row.told and low > FALSE_SHARE_MAX:
        text = Bilingual(
            f"已判定 {row.judged} 条中误报 {row.false} 条，误报率至少 {low:.0%}，建议转为静默。",
            f"{row.false} of {row.judged} judged alerts were false, at least {low:.0%} in the long "
            "run: shadow is proposed.",
        )
        return Mode.SHADOW, Said.of(text)
    if row.shadowed and not row.told and high <= FALSE_SHARE_MAX:
        text = Bilingual(
            f"已判定 {row.judged} 条中误报 {row.false} 条，误报率至多 {high:.0%}，建议启用。",
            f"{row.false} of {row.judged} judged findings were false, at most {high:.0%} in the "
            "long run: switching it on is proposed.",
        )
        return Mode.ON, Said.of(text)
    return None, None
