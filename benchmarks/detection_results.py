"""Holds what each played scenario gave, on disk, so that a run of hours can be taken up again."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.corpus.families import GROUPS
from tests.corpus.scoring import HeadScore, Row, Worth

ROOT: Final = Path(__file__).resolve().parents[1]
STORE: Final = ROOT / "build" / "detection" / "results.jsonl"
SHARED: Final = ("contracts", "edge/core", "edge/perception", "zeroentry/composer", "tests/corpus")


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario: of which family and seed, played with which sources, and its rows."""

    family: str
    seed: int
    corpus: str
    of_camera: str
    quiet: bool
    duration_ms: int
    took_ms: int
    pictures: int
    rows: tuple[Row, ...]
    heads: HeadScore
    heads_by_people: dict[int, HeadScore]

    @property
    def key(self) -> tuple[str, int, str]:
        return self.family, self.seed, self.corpus


@cache
def corpus_hash(group: str) -> str:
    """What a result depends on: the sources that perceive, judge and compose, and the model.

    Of the corpus' group files only those of the family's own group count (``area``, ``area_gates``
    and so on): a new scenario of sound does not void what was played of cameras.
    """
    digest = hashlib.sha256()
    folders = (*SHARED, "controller/core") if group == "robot" else SHARED
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            of_group = group_of_file(path.stem) if folder == "tests/corpus" else group
            if of_group in GROUPS and of_group != group:
                continue
            digest.update(str(path.relative_to(ROOT)).encode())
            digest.update(path.read_bytes())
    digest.update((ROOT / "edge/models/MODEL.sha256").read_bytes())
    return digest.hexdigest()[:12]


def group_of_file(stem: str) -> str:
    """The group that a file of the corpus belongs to: ``area_gates`` is of ``area``."""
    return stem.split("_", 1)[0]


def append(result: Result) -> None:
    """Add one result to the store."""
    STORE.parent.mkdir(parents=True, exist_ok=True)
    with STORE.open("a", encoding="utf-8") as file:
        file.write(to_line(result) + "\n")


def stored() -> Iterator[Result]:
    """All results on disk; a line cut by a kill is passed over."""
    if not STORE.exists():
        return
    with STORE.open(encoding="utf-8") as file:
        for line in file:
            one = of_line(line)
            if one is not None:
                yield one


def to_line(result: Result) -> str:
    """A result as one line of JSON."""
    return json.dumps(asdict(result), ensure_ascii=False)


def of_line(line: str) -> Result | None:
    """The result of a line; None: the line is cut short."""
    try:
        fields = json.loads(line)
    except json.JSONDecodeError:
        return None
    rows, heads, by_people = (fields.pop(name) for name in ("rows", "heads", "heads_by_people"))
    return Result(
        **fields,
        rows=tuple(Row(**{**row, "worth": Worth(row["worth"])}) for row in rows),
        heads=HeadScore(**heads),
        heads_by_people={int(people): HeadScore(**one) for people, one in by_people.items()},
    )
