"""Many seeds: what was played before is not played again, and a failure says how to see it."""

import json
from pathlib import Path

from typer.testing import CliRunner

from zeroentry.simulator import soak
from zeroentry.simulator.cli import app
from zeroentry.simulator.script import FaultKind, draw


def test_a_soak_goes_on_where_it_was_stopped_and_shows_what_failed(tmp_path: Path) -> None:
    state = tmp_path / "soak.jsonl"
    rows = [
        {"seed": 0, "map": "line", "judge": "", "text": "", "simulated_s": 9.0, "wall_s": 1.0},
        {"seed": 1, "map": "ring", "judge": "collision", "text": "both", "simulated_s": 1.0},
    ]
    stored = {"wall_s": 1.0, "counts": {}, "code": soak.digest()}
    state.write_text("\n".join(json.dumps(stored | row) for row in rows))
    said: list[str] = []
    assert not soak.soak(range(2), jobs=1, state=state, say=said.append)
    assert any("2 of 2 seeds were played before" in line for line in said)
    assert any("zeroentry simulate --seed 1 --trace" in line for line in said)
    assert said[-1] == "1 good, 1 failed"


def test_results_of_other_code_do_not_count(tmp_path: Path) -> None:
    state = tmp_path / "soak.jsonl"
    said: list[str] = []
    state.write_text('{"seed": 0, "judge": "collision", "code": "older"}\n')
    assert soak.soak(range(0), jobs=1, state=state, say=said.append)
    assert any("1 results" in line and "other code" in line for line in said)


def test_a_seed_is_drawn_the_same_way_each_time_and_seeds_differ() -> None:
    assert draw(5) == draw(5)
    days = [draw(seed) for seed in range(40)]
    assert len({day.orders for day in days}) == len(days)
    assert {fault.kind for day in days for fault in day.faults} > {FaultKind.PERSON}


def test_the_command_tells_a_day_and_its_end() -> None:
    told = CliRunner().invoke(app, ["--seed", "5", "--map", "line", "--json"])
    outcome = json.loads(told.stdout)
    assert outcome["map"] == "line"
    assert [row["id"] for row in outcome["orders"]] == [
        row.id for row in draw(5, map_name="line").orders
    ]
    assert (told.exit_code == 0) == (outcome["violation"] is None)


def test_an_unknown_map_is_said_with_those_there_are() -> None:
    told = CliRunner().invoke(app, ["--map", "nowhere"])
    assert told.exit_code == 2
    assert "line" in told.output
