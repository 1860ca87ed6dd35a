"""Writes docs/reference/detection.md: what each rule finds, misses and invents, from a run."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.detection_figures import Figures, RuleFigures, exact, judged_elsewhere, mean_error
from benchmarks.detection_results import Result
from contracts.catalogue import CATALOGUE
from tests.corpus.families import Family
from tests.corpus.scoring import RuleScore, by_rule

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "detection.md"

HEAD: Final = """\
# What the rules find, miss and invent

Written by `python -m benchmarks.detection --page`; nothing here was typed by hand. **Synthetic**:
the pictures are composed (people from photographs and rendered ones, in painted rooms) and the
sound is made, except where a row says *real clip*. Only held-out seeds are played: no rule,
parameter or threshold was tuned on them. Time to alert counts from the true start of the condition
plus the rule's declared dwell, at 5 analysed pictures a second; the time that perception itself
takes is in the benchmark `alerts`.

"""

QUIET: Final = """\
Committees that sit, stretch, walk inside the area and come back, with lights, daylight, curtains,
monitors, reflections, noise and compression.

"""


def text(
    made: Figures,
    results: Sequence[Result],
    found: Mapping[str, Family],
    more: Mapping[str, object],
) -> str:
    """The page. ``more``: commit and cpu of the run."""
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    sources = ", ".join(str(one) for one in _listed(more.get("corpus")))
    taken = f"Taken {date}, commit {more['commit']}, {more['cpu']}"
    size = f"{made.scenarios} scenarios, {made.hours_played:.1f} room-hours"
    parts = [HEAD, f"{taken}: {size}.\nSources and model by hash, a group each: {sources}.\n\n"]
    parts += [*_quiet(made), *_heads(made), *_rules(made), *_families(results, found)]
    told = {**made.as_json(), **more}
    parts.append("<!-- result\n" + json.dumps(told, ensure_ascii=False, indent=1) + "\n-->\n")
    return "".join(parts)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _quiet(made: Figures) -> list[str]:
    bound = made.upper_95_per_room_week
    shown = "-" if bound is None else f"{bound:.1f}"
    return [
        "## False alerts in quiet hours\n\n",
        QUIET,
        "| room-hours | false sounding alerts | 95 % upper bound a room and week | in shadow |\n",
        "|---:|---:|---:|---:|\n",
        f"| {made.hours:.1f} | {made.false_alerts} | {shown} | {made.false_in_shadow} |\n\n",
    ]


def _heads(made: Figures) -> list[str]:
    rows = [
        "## Head count\n\nSeconds in which everybody can be seen and nobody walks.\n\n",
        "| people | seconds | exact | mean absolute error |\n|---|---:|---:|---:|\n",
    ]
    named = [(str(people), one) for people, one in sorted(made.heads_by_people.items())]
    for name, one in [*named, ("all composed", made.heads), ("real clip", made.real_heads)]:
        share, error = exact(one), mean_error(one)
        if share is not None and error is not None:
            rows.append(f"| {name} | {one.seconds} | {share:.1%} | {error:.3f} |\n")
    return [*rows, "\n"]


def _rules(made: Figures) -> list[str]:
    rows = [
        "## Rules\n\n",
        "| rule | state | precision | recall | late p95 (ms) | hits | misses | false | played |\n",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|\n",
    ]
    rows += [
        f"| {one.code} | {one.state} | {_score_cells(one.score)} | {one.scenarios} |\n"
        for one in made.rules
    ]
    notes = [_note(one) for one in made.rules]
    told = [note for note in notes if note]
    return [*rows, "\n", *(["### Notes\n\n", *told, "\n"] if told else [])]


def _note(one: RuleFigures) -> str:
    because = CATALOGUE[one.code].shadow_because
    where = " It is judged by the controller." if judged_elsewhere(one.code) else ""
    if because is not None:
        return f"- `{one.code}` is in shadow: {because.en}{where}\n"
    if one.why_not is not None:
        return f"- `{one.code}` was not measured here: {one.why_not}.{where}\n"
    if one.holds is False:
        return f"- `{one.code}` is on and misses what is asked here.{where}\n"
    return ""


def _score_cells(score: RuleScore) -> str:
    precision = "-" if score.precision is None else f"{score.precision:.3f}"
    recall = "-" if score.recall is None else f"{score.recall:.3f}"
    late_ms = "-" if score.late_ms_p95 is None else str(score.late_ms_p95)
    return f"{precision} | {recall} | {late_ms} | {score.hits} | {score.misses} | {score.false}"


def _families(results: Sequence[Result], found: Mapping[str, Family]) -> list[str]:
    rows = [
        "## Families of scenarios\n\nA row counts only the rules that its family is made for.\n\n",
        "| family | pictures | scenarios | hits | misses | false |\n",
        "|---|---|---:|---:|---:|---:|\n",
    ]
    for name in sorted({result.family for result in results}):
        mine = [result for result in results if result.family == name]
        codes = set(found[name].codes)
        scores = by_rule(
            [row for one in mine for row in one.rows if row.code in codes or not codes]
        )
        hits = sum(score.hits for score in scores.values())
        misses = sum(score.misses for score in scores.values())
        false = sum(score.false for score in scores.values())
        source = {"real": "real clip", "none": "no picture"}.get(mine[0].of_camera, "synthetic")
        rows.append(f"| {name} | {source} | {len(mine)} | {hits} | {misses} | {false} |\n")
    return [*rows, "\n"]
