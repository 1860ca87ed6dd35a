"""Runs the commands of docs/guide/verify-by-hand.md as they stand there."""

import random
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.fakes import evidence_alterations as alterations
from tests.fakes.evidence_alterations import Alter, copy_of
from tests.fakes.evidence_sets import EvidenceSet, Size, write_set

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "guide" / "verify-by-hand.md"
FENCED: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRACK: Final = "room-1-cam"


def by_hand(made: EvidenceSet) -> tuple[int, str]:
    commands = "".join(FENCED.findall(PAGE.read_text("utf-8")))
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(made.root.parent),
            "LC_ALL": "C.UTF-8",
            "RECORDINGS": str(made.root),
            "TRACK": TRACK,
            "NODE_KEY": str(next(made.node_keys.iterdir())),
            "CONTROLLER_KEY": str(made.controller_key),
            "HEADS": str(made.heads),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> EvidenceSet:
    """One track: the one that the page judges is the one that is altered."""
    folder = tmp_path_factory.mktemp("by-hand")
    return write_set(folder / "set", size=Size(tracks=1, day_segments=3))


def test_the_page_finds_a_whole_set_whole(whole: EvidenceSet) -> None:
    code, said = by_hand(whole)
    assert code == 0, said
    last = len(whole.tracks[TRACK].lines)
    assert f"whole: the controller countersigned the last entry, {last} " in said
    assert "83000 ms" not in said  # the page shows the pieces as they stand
    assert "60000 ms, camera_offline" in said


@pytest.mark.parametrize(
    "alter",
    [
        alterations.flip_media,
        alterations.remove_segment,
        alterations.duplicate_segment,
        alterations.rename_segment,
        alterations.edit_line,
        alterations.remove_line,
        alterations.resign_line,
        alterations.resign_whole,
        alterations.rewrite_tail,
        alterations.cut_tail,
    ],
    ids=lambda alter: alter.__name__,
)
def test_the_page_finds_an_altered_set_altered(
    whole: EvidenceSet, tmp_path: Path, alter: Alter
) -> None:
    altered = copy_of(whole, tmp_path / "altered")
    alter(altered, random.Random(alter.__name__))
    code, said = by_hand(altered)
    assert code == 1, said
    assert "ALTERED OR MISSING" in said
