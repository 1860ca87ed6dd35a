"""Plays tuning seeds of one family and prints truths, alerts and rows: for whoever mends a rule.

``python -m tests.corpus.try_one camera cloth 0 1 2``: group, function, seeds (of TUNE only).
"""

import sys

from tests.corpus.eyes import Optician
from tests.corpus.families import all_families
from tests.corpus.runner import play
from tests.corpus.scoring import heads_of, score


def say(*words: object) -> None:
    """One line on the terminal."""
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")


def main(group: str, function: str, *seeds: str) -> None:
    """Play and print."""
    chosen = [
        one
        for one in all_families().values()
        if one.make.__module__.endswith(f".{group}") and one.make.__name__ == function
    ]
    if not chosen:
        names = sorted(f"{f.make.__module__.split('.')[-1]} {f.make.__name__}"
                       for f in all_families().values())  # fmt: skip
        sys.exit(f"no family {group} {function}; there are: {', '.join(names)}")
    optician = Optician()
    for seed in [int(one) for one in seeds] or [0, 1, 2]:
        scenario = chosen[0].scenario(seed)
        played = play(scenario, optician)
        say(f"-- {chosen[0].name} seed {seed}, {scenario.duration_ms / 1000:.0f} s")
        for truth in scenario.truth:
            say("   truth", truth)
        for alert in played.alerts:
            say("   alert", alert)
        for row in score(scenario, played.alerts, played.clocks):
            say("   ->", row.worth.value, row.code, row.subject, row.at_ms, row.late_ms)
        say("   heads", heads_of(scenario, played.heads))


if __name__ == "__main__":
    main(*sys.argv[1:])
