"""Decides what the alerts of a played scenario are worth: hits, misses and false alerts of a rule.

An alert is a **hit** when the condition really held at some time between its rising and its
clearing, and it did not rise before the condition did. One alert is due while a condition lasts:
a second one inside the same truth is false. A truth without its alert is a **miss**. Time to alert
is measured from the moment at which it was due: the true start plus the rule's dwell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.units import RuleCode
from tests.corpus.outcome import Clocks, HeadsSeen, Raised
from tests.corpus.scenario import ANY_SUBJECT, Scenario, Spare, Truth

EARLY_MS = 400
# Two pictures at 5 fps: the composer's "half visible" is a share of pixels, the detector's is not.
LATE_MS = 600
# A condition that ends while its alert is on the way (two pictures and a tick).
DUE_MS = 1_200
# A condition that lasts this much longer than the dwell must be told; one that lasts less than the
# dwell by as much as EARLY_MS must not; between them an alert is right either way.
REARM_MS = 4_000
# Two truths nearer to each other than the rule's clear_ms and this are one to the rule: the alert
# may stand over both.

SETTLE_MS = 3_000
# A camera that has just started has not seen anybody three times yet.


class Worth(StrEnum):
    """What an alert, or a truth without one, counts as."""

    HIT = "hit"
    FALSE = "false"
    MISS = "miss"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the score; ``late_ms`` is the time to alert of a hit, beyond the dwell."""

    code: RuleCode
    worth: Worth
    subject: str | None
    at_ms: int
    late_ms: int | None = None
    sounds: bool = False
    mode: str = "on"


def _names(subject: str | None, named: str | None) -> bool:
    return subject in (ANY_SUBJECT, named)


def _spared(alert: Raised, spares: Sequence[Spare], dwell_ms: float) -> bool:
    """Whether it began in a spare moment: its condition or its rising lies there."""
    return any(
        spare.code in (None, alert.code)
        and _names(spare.subject, alert.subject)
        and (
            spare.from_ms <= alert.since_ms < spare.to_ms
            or spare.from_ms <= alert.raised_ms < spare.to_ms + dwell_ms + LATE_MS
        )
        for spare in spares
    )


def _dwell(truth: Truth, clocks: Mapping[RuleCode, Clocks]) -> float:
    return clocks[truth.code].dwell_ms if truth.dwell_ms is None else truth.dwell_ms


def _due(truth: Truth, clocks: Mapping[RuleCode, Clocks]) -> bool:
    return truth.must and truth.to_ms - truth.from_ms >= _dwell(truth, clocks) + DUE_MS


def _may(truth: Truth, clocks: Mapping[RuleCode, Clocks]) -> bool:
    return truth.to_ms - truth.from_ms >= _dwell(truth, clocks) - EARLY_MS


def _about(alert: Raised, truth: Truth) -> bool:
    return alert.code == truth.code and _names(truth.subject, alert.subject)


def _begins_in(alert: Raised, truth: Truth, dwell_ms: float) -> bool:
    """Whether it rose because of this truth: not sooner than the dwell allows, not long after."""
    soonest_ms = max(truth.from_ms - EARLY_MS, truth.from_ms + dwell_ms - 2 * EARLY_MS)
    return soonest_ms <= alert.raised_ms < truth.to_ms + LATE_MS


def _stands_in(alert: Raised, truth: Truth) -> bool:
    """Whether it rose before this truth and still stands when it begins."""
    cleared = alert.cleared_ms is not None and alert.cleared_ms <= truth.from_ms
    return alert.raised_ms < truth.from_ms and not cleared


def score(
    scenario: Scenario, alerts: Sequence[Raised], clocks: Mapping[RuleCode, Clocks]
) -> tuple[Row, ...]:
    """The rows of a played scenario, alerts first. ``clocks``: of every rule, as set in it."""
    truths = [truth for truth in scenario.truth if _may(truth, clocks)]
    told: dict[int, Raised] = {}
    rows: list[Row] = []
    for alert in sorted(alerts, key=lambda one: one.raised_ms):
        meant = _meant(alert, truths, told, clocks)
        if meant:
            first = meant[0]
            told.update(dict.fromkeys(meant, alert))
            late_ms = round(alert.raised_ms - truths[first].from_ms - _dwell(truths[first], clocks))
            if truths[first].must:
                rows.append(_row(alert, Worth.HIT, late_ms))
        elif not _spared(alert, scenario.spare, clocks[alert.code].dwell_ms):
            rows.append(_row(alert, Worth.FALSE))
    rows += [
        Row(truth.code, Worth.MISS, truth.subject, truth.from_ms)
        for number, truth in enumerate(truths)
        if number not in told and _due(truth, clocks)
    ]
    return tuple(rows)


def _meant(
    alert: Raised,
    truths: Sequence[Truth],
    told: Mapping[int, Raised],
    clocks: Mapping[RuleCode, Clocks],
) -> list[int]:
    """The truths that an alert is about: the first that nobody told yet, and what runs into it."""
    out: list[int] = []
    end_ms = 0
    for number in sorted(range(len(truths)), key=lambda n: truths[n].from_ms):
        truth = truths[number]
        if number in told or not _about(alert, truth):
            continue
        gap_max_ms = clocks[truth.code].clear_ms + REARM_MS
        if out:
            goes_on = _stands_in(alert, truth) and truth.from_ms - end_ms <= gap_max_ms
        else:
            goes_on = _begins_in(alert, truth, _dwell(truth, clocks))
        if goes_on:
            out.append(number)
            end_ms = max(end_ms, truth.to_ms)
    return out


def _row(alert: Raised, worth: Worth, late_ms: int | None = None) -> Row:
    return Row(alert.code, worth, alert.subject, alert.raised_ms, late_ms, alert.sounds, alert.mode)


@dataclass(frozen=True, slots=True)
class RuleScore:
    """One rule over many scenarios. Precision and recall are None where nothing was to be said."""

    hits: int
    misses: int
    false: int
    late_ms: tuple[int, ...]

    @property
    def precision(self) -> float | None:
        said = self.hits + self.false
        return self.hits / said if said else None

    @property
    def recall(self) -> float | None:
        due = self.hits + self.misses
        return self.hits / due if due else None

    @property
    def late_ms_p95(self) -> int | None:
        """Nearest-rank 95 % percentile of the time to alert, beyond the dwell."""
        if not self.late_ms:
            return None
        return sorted(self.late_ms)[-(-len(self.late_ms) * 95 // 100) - 1]


def by_rule(rows: Sequence[Row]) -> Mapping[RuleCode, RuleScore]:
    """The rows of many scenarios, summed by rule."""
    out: dict[RuleCode, RuleScore] = {}
    for code in sorted({row.code for row in rows}):
        mine = [row for row in rows if row.code == code]
        hits = [row for row in mine if row.worth is Worth.HIT]
        out[code] = RuleScore(
            hits=len(hits),
            misses=sum(row.worth is Worth.MISS for row in mine),
            false=sum(row.worth is Worth.FALSE for row in mine),
            late_ms=tuple(row.late_ms for row in hits if row.late_ms is not None),
        )
    return out


@dataclass(frozen=True, slots=True)
class HeadScore:
    """Seconds in which all people can be seen: how many were counted exactly, and the error sum."""

    seconds: int = 0
    exact: int = 0
    error_sum: int = 0

    def __add__(self, other: "HeadScore") -> "HeadScore":
        return HeadScore(
            self.seconds + other.seconds,
            self.exact + other.exact,
            self.error_sum + other.error_sum,
        )


def heads_of(scenario: Scenario, counted: Sequence[HeadsSeen]) -> HeadScore:
    """The head count held against the truth where that is clear; not known counts as nobody."""
    out = HeadScore()
    for one in heads_by_people(scenario, counted).values():
        out += one
    return out


def heads_by_people(scenario: Scenario, counted: Sequence[HeadsSeen]) -> dict[int, HeadScore]:
    """The same for each true number of people."""
    out: dict[int, HeadScore] = {}
    for seen in counted:
        truth = next(
            (one for one in scenario.heads if one.clear and one.from_ms <= seen.at_ms < one.to_ms),
            None,
        )
        if truth is not None and seen.at_ms >= SETTLE_MS:
            error = abs((seen.people or 0) - truth.people)
            one = HeadScore(1, int(error == 0), error)
            out[truth.people] = out.get(truth.people, HeadScore()) + one
    return out
