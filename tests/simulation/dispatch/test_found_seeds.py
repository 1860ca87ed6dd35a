"""Days on which a judge once saw what must not happen; each says what was wrong."""

from typing import Final

import pytest

from zeroentry.simulator.script import draw
from zeroentry.simulator.world import run

FOUND: Final = {
    98: "a zone's proof stayed open, and unlooked-at, while its meal was loaded in the kitchen",
    144: "what was called off on its way kept an open proof of the zone in which it was then",
    210: "called back while its PIN was locked, it lost that reason when the lock ran out",
    490: "the simulator's own: the day ended before a robot's word of its shut lid had arrived",
    871: "released through an open fire door, a robot drove on when a fire let it fall shut",
    891: "sent off by a fire while it was loaded, a robot was told at its refuge to open again",
    1151: "put down elsewhere while its bolt moved, it forgot that, and was waited for for ever",
    1351: "a late copy of a pause came when it had forgotten it, and nobody let it go on",
    1578: "as 871",
    2124: "the judge's own: a fire door that the building lets fall shut is not the controller's",
    2523: "called off short of a shut fire door, a robot was led through it to turn there",
    2432: "two that waited for a third took turns at the lift, which that one never got",
    2643: "as 2432",
    2591: "two that waited far from the lift for a third had it for minutes, and not that one",
    3044: "not heard for a moment, a robot lost its door to another, and neither went there",
    3718: "the simulator's own: restarted twice between two nodes, a robot knew no node to be at",
    4214: "as 891",
    3368: "a robot that named the next node too soon had the lift shut before it",
    4511: "carried off while its empty box was open, a robot rested at home without bolting it",
    4590: "the judge's own: an order that never came gave the robot nothing",
    5105: "who forgot its order a hand before its door wanted to be where it stood, for ever",
    5111: "as 490",
    7388: "back on the bus, a robot was sent the rest of an order that it had forgotten",
    9074: "who forgot its order in the kitchen had no way out, and was waited for there for ever",
    9901: "as 9074",
    9974: "the simulator's own: who put his meal back lifted the lid again for ever",
}


@pytest.mark.parametrize("seed", FOUND, ids=lambda seed: f"seed {seed}")
def test_a_day_that_once_went_wrong_ends_well(seed: int) -> None:
    outcome = run(draw(seed))
    assert outcome.violation is None, f"{FOUND[seed]}\n" + "\n".join(outcome.trace[-40:])
