"""Decides what the results of many scenarios say: figures of rules, false alerts, head counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scipy.special import gammaincinv

from benchmarks.detection_results import Result
from contracts.catalogue import CATALOGUE, JudgedBy
from contracts.units import RuleCode
from tests.corpus.families import EXEMPT
from tests.corpus.scoring import HeadScore, RuleScore, Worth, by_rule

PRECISION_MIN: Final = 0.95
RECALL_MIN: Final = 0.95
LATE_MS_MAX: Final = 700
ROOM_WEEK_H: Final = 168
MS_PER_H: Final = 3_600_000

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """One rule: how it is shipped, and what its scenarios gave. None: nothing was to be said."""

    code: RuleCode
    state: str
    score: RuleScore
    scenarios: int
    why_not: str | None
    """Why no scenario measures it, where none does."""

    @property
    def holds(self) -> bool | None:
        """Whether it reaches what is asked; None where it was not measured."""
        precision, recall, late_ms = (
            self.score.precision,
            self.score.recall,
            self.score.late_ms_p95,
        )
        if precision is not None and precision < PRECISION_MIN:
            return False
        if precision is None or recall is None or late_ms is None:
            return None
        return recall >= RECALL_MIN and late_ms <= LATE_MS_MAX

    def as_json(self) -> Json:
        return {
            "state": self.state,
            "precision": self.score.precision,
            "recall": self.score.recall,
            "time_to_alert_ms_p95": self.score.late_ms_p95,
            "hits": self.score.hits,
            "misses": self.score.misses,
            "false": self.score.false,
            "scenarios": self.scenarios,
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a run. ``hours`` are those of quiet, ``hours_played`` all."""

    rules: tuple[RuleFigures, ...]
    hours: float
    hours_played: float
    false_alerts: int
    false_in_shadow: int
    heads: HeadScore
    heads_by_people: Mapping[int, HeadScore]
    real_heads: HeadScore
    scenarios: int
    picture_ms: float | None

    @property
    def upper_95_per_room_week(self) -> float | None:
        """Upper bound of the rate of false alerts, 95 % one-sided, of a Poisson count."""
        if self.hours <= 0:
            return None
        return poisson_upper_95(self.false_alerts) / self.hours * ROOM_WEEK_H

    def as_json(self) -> Json:
        return {
            "rules": {one.code: one.as_json() for one in self.rules},
            "hours": round(self.hours, 2),
            "hours_played": round(self.hours_played, 2),
            "false_alerts": self.false_alerts,
            "false_alerts_in_shadow": self.false_in_shadow,
            "false_alerts_upper_95_per_room_week": _rounded(self.upper_95_per_room_week),
            "head_count_exact": _rounded(exact(self.heads)),
            "head_count_mae": _rounded(mean_error(self.heads)),
            "head_count_seconds": self.heads.seconds,
            "head_count_by_people": {
                str(people): [one.seconds, _rounded(exact(one)), _rounded(mean_error(one))]
                for people, one in sorted(self.heads_by_people.items())
            },
            "real_head_count_exact": _rounded(exact(self.real_heads)),
            "real_head_count_mae": _rounded(mean_error(self.real_heads)),
            "real_head_count_moments": self.real_heads.seconds,
            "scenarios": self.scenarios,
            "ms_per_picture": _rounded(self.picture_ms),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def exact(heads: HeadScore) -> float | None:
    """Share of seconds counted exactly."""
    return heads.exact / heads.seconds if heads.seconds else None


def mean_error(heads: HeadScore) -> float | None:
    """Mean absolute error, people."""
    return heads.error_sum / heads.seconds if heads.seconds else None


def poisson_upper_95(count: int) -> float:
    """The largest mean under which ``count`` or fewer events still have a chance of 5 %.

    Garwood's exact bound (1936): a quantile of the gamma distribution; 3.0 for no event.
    """
    return float(gammaincinv(count + 1, 0.95))


def figures(results: Sequence[Result], measured_by: Mapping[RuleCode, int]) -> Figures:
    """The figures of a run; ``measured_by``: how many scenarios measure each rule's recall."""
    rows = [row for result in results for row in result.rows]
    scores = by_rule(rows)
    quiet = [result for result in results if result.quiet]
    false = [row for result in quiet for row in result.rows if row.worth is Worth.FALSE]
    composed = [result for result in results if result.of_camera == "composed"]
    real = [result for result in results if result.of_camera == "real"]
    pictures = sum(result.pictures for result in results)
    by_people: dict[int, HeadScore] = {}
    for result in composed:
        for people, one in result.heads_by_people.items():
            by_people[people] = by_people.get(people, HeadScore()) + one
    return Figures(
        rules=tuple(
            RuleFigures(
                code=code,
                state=spec.mode.value,
                score=scores.get(code, RuleScore(0, 0, 0, ())),
                scenarios=measured_by.get(code, 0),
                why_not=EXEMPT.get(code) if code not in measured_by else None,
            )
            for code, spec in CATALOGUE.items()
        ),
        hours=sum(result.duration_ms for result in quiet) / MS_PER_H,
        hours_played=sum(result.duration_ms for result in results) / MS_PER_H,
        false_alerts=sum(row.sounds for row in false),
        false_in_shadow=sum(row.mode == "shadow" for row in false),
        heads=_sum(result.heads for result in composed),
        heads_by_people=by_people,
        real_heads=_sum(result.heads for result in real),
        scenarios=len(results),
        picture_ms=sum(r.took_ms for r in results if r.pictures) / pictures if pictures else None,
    )


def _sum(heads: Iterable[HeadScore]) -> HeadScore:
    out = HeadScore()
    for one in heads:
        out += one
    return out


def judged_elsewhere(code: RuleCode) -> bool:
    """Whether the controller judges this rule."""
    return CATALOGUE[code].judged_by is JudgedBy.CONTROLLER
