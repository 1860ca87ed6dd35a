"""The ledger: what is witnessed, what is refused, whose key counts, and the hourly root."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence import merkle
from contracts.evidence.answers import KeyOrigin
from contracts.evidence.entries import Root, Witness
from contracts.evidence.lines import split_line
from contracts.observations import EntryAppended
from contracts.units import UtcMs
from controller.core.ledger import (
    HOUR_MS,
    REFUSED_KEPT_MAX,
    Ledger,
    Notary,
    NotTaken,
    Taken,
    checkpoint,
    confirm,
    root_due,
    take,
    to_look_up,
    with_declared,
    with_root,
)
from controller.core.outputs import FileEntry, Refused
from runtime.signing import SigningKey
from tests.fakes.node_chain import NodeChain, check, public_text

NOW = UtcMs(2_000_000)
OURS = SigningKey.generate()


def empty() -> Ledger:
    return Ledger(notary=Notary("centre", OURS.id, OURS.sign, check))


def taken(ledger: Ledger, said: EntryAppended) -> tuple[Ledger, Taken]:
    ledger, judged = take(ledger, said, NOW, stored=False)
    assert isinstance(judged, Taken), judged
    return ledger, judged


def refused(ledger: Ledger, said: EntryAppended) -> tuple[Ledger, NotTaken]:
    ledger, judged = take(ledger, said, NOW, stored=False)
    assert isinstance(judged, NotTaken), judged
    return ledger, judged


def altered(line: str, **members: object) -> str:
    return json.dumps({**json.loads(line), **members}, separators=(",", ":"))


def test_each_sound_line_is_filed_and_countersigned_by_our_own_key() -> None:
    chain, ledger = NodeChain(), empty()
    for make in (chain.opened, chain.segment, lambda: chain.gap(5_000), chain.sealed):
        said = make()
        ledger, judged = taken(ledger, said)
        line = split_line(judged.filed.witness.encode())
        witness = Witness.model_validate_json(line.signed)
        assert check(OURS.public_raw, line.signed, line.signature)
        assert (witness.sequence, witness.entry_sha256) == (chain.sequence, chain.head)
        assert (witness.entry_key, witness.witnessed_utc_ms) == (chain.key.id, NOW)
        assert judged.filed.line == said.line
    head = ledger.chains["edge-1/cam-1"]
    assert (head.sequence, head.known_from, head.broken) == (4, 1, False)
    assert ledger.keys["edge-1"].origin is KeyOrigin.SEEN
    assert not ledger.keys["edge-1"].confirmed


def test_filed_rows_say_what_is_searched() -> None:
    chain, ledger = NodeChain(), empty()
    ledger, _ = taken(ledger, chain.opened())
    ledger, segment = taken(ledger, chain.segment())
    ledger, gap = taken(ledger, chain.gap(5_000))
    ledger, seal = taken(ledger, chain.sealed("s-9"))
    row = segment.filed
    assert (row.entry_kind, row.start_utc_ms, row.duration_ms) == ("segment", 1_000_000, 60_000)
    assert (row.bytes, row.reason) == (1_000, None)
    assert (gap.filed.reason, gap.filed.ended) == ("camera_offline", True)
    assert (seal.filed.entry_kind, seal.filed.session_id) == ("seal", "s-9")


def test_the_same_line_again_is_nothing() -> None:
    chain, ledger = NodeChain(), empty()
    first, second = chain.opened(), chain.segment()
    ledger, _ = taken(ledger, first)
    ledger, _ = taken(ledger, second)
    assert take(ledger, second, NOW, stored=False) == (ledger, None)
    assert to_look_up(ledger, chain.segment()) is None
    assert to_look_up(ledger, first) is not None
    assert take(ledger, first, NOW, stored=True) == (ledger, None)


FORGED: dict[str, Callable[[NodeChain, str], str]] = {
    "altered": lambda chain, line: altered(line, bytes=7),
    "re-signed with another key": lambda chain, _: _continued(chain, SigningKey.generate()),
    "no line at all": lambda chain, _: "x" * 40,
    "without its signature": lambda chain, line: line.rsplit(',"signature"', 1)[0] + "}",
    "of another site": lambda chain, _: _continued(replace(chain, site="elsewhere"), chain.key),
    "one left out": lambda chain, _: _after(chain, 2),
    "after another one": lambda chain, _: _continued(replace(chain, head="f" * 64), chain.key),
}
FAULTS = {
    "altered": "signature",
    "re-signed with another key": "key_changed",
    "no line at all": "unreadable",
    "without its signature": "unreadable",
    "of another site": "other_chain",
    "one left out": "skipped",
    "after another one": "previous",
}


def _continued(chain: NodeChain, key: SigningKey) -> str:
    return replace(chain, key=key, lines=[]).segment().line


def _after(chain: NodeChain, segments: int) -> str:
    other = replace(chain, lines=[])
    for _ in range(segments):
        line = other.segment().line
    return line


@pytest.mark.parametrize("how", FORGED)
def test_a_line_that_the_chain_does_not_allow_is_kept_as_refused_and_the_head_stays(
    how: str,
) -> None:
    chain, ledger = NodeChain(), empty()
    for said in (chain.opened(), chain.segment()):
        ledger, _ = taken(ledger, said)
    before = ledger.chains["edge-1/cam-1"]
    line = FORGED[how](chain, replace(chain, lines=[]).segment().line)
    after, judged = refused(ledger, chain.announced(line))
    assert judged.why.kind == FAULTS[how]
    assert judged.filed is not None
    assert judged.filed.line == line
    head = after.chains["edge-1/cam-1"]
    assert (head.state, head.witness) == (before.state, before.witness)
    assert (head.broken, head.refused) == (True, 1)
    again, _ = taken(after, chain.segment())
    assert again.chains["edge-1/cam-1"].broken is False


def test_a_fork_is_refused_at_any_known_sequence() -> None:
    chain, ledger = NodeChain(), empty()
    ledger, _ = taken(ledger, chain.opened())
    other = replace(chain, lines=[])
    for said in (chain.segment(), chain.segment()):
        ledger, _ = taken(ledger, said)
    forked = other.segment(59_000)
    assert to_look_up(ledger, forked) is not None
    _, judged = refused(ledger, forked)
    assert judged.why.kind == "repeated"


def test_a_chain_is_taken_up_in_its_middle_when_its_beginning_never_came() -> None:
    chain, ledger = NodeChain(), empty()
    for _ in range(3):
        chain.segment() if chain.sequence else chain.opened()
    old = chain.announced(chain.lines[1], public_text(chain.key))
    ledger, judged = taken(ledger, chain.segment())
    assert judged.chain.known_from == 4
    assert take(ledger, old, NOW, stored=False) == (ledger, None)
    ledger, judged = taken(ledger, chain.segment())
    assert judged.chain.known_from == 4


def test_without_a_public_key_a_middle_cannot_be_believed() -> None:
    chain, ledger = NodeChain(), empty()
    chain.opened()
    _, judged = refused(ledger, chain.announced(chain.segment().line))
    assert judged.why.kind == "key_unknown"


def test_a_declared_key_counts_from_the_start_and_stands_above_what_was_seen() -> None:
    chain, thief = NodeChain(), NodeChain()
    ledger, _ = taken(empty(), thief.opened())
    ledger = with_declared(replace(ledger, declared={"edge-1": chain.key.public_raw}), NOW)
    assert ledger.keys["edge-1"].origin is KeyOrigin.DECLARED
    assert ledger.keys["edge-1"].confirmed
    fresh = replace(empty(), declared={"edge-1": chain.key.public_raw})
    _, judged = refused(fresh, thief.opened())
    assert judged.why.kind == "key_unknown"
    chain.opened()
    fresh, taken_up = taken(fresh, chain.announced(chain.segment().line))
    assert taken_up.chain.known_from == 2
    assert fresh.keys["edge-1"].confirmed


def test_declaring_another_key_lets_the_chains_begin_anew_once() -> None:
    lost, fresh = NodeChain(), NodeChain()
    ledger, _ = taken(empty(), lost.opened())
    stored = replace(ledger, declared={"edge-1": fresh.key.public_raw})
    ledger = with_declared(stored, NOW)
    ledger, _ = taken(ledger, fresh.opened())
    _, judged = refused(ledger, lost.segment())
    assert judged.why.kind == "key_changed"
    again = with_declared(replace(stored, chains=ledger.chains), NOW)
    assert again.chains["edge-1/cam-1"].life == 2
    taken(again, fresh.segment())


def test_a_handover_moves_the_key_of_the_node_and_its_other_chains_follow() -> None:
    first = NodeChain()
    second = NodeChain(key=first.key, track="cam-2", room="room-2")
    ledger, new = empty(), SigningKey.generate()
    for said in (first.opened(), second.opened(), first.handed_over(new), second.segment()):
        ledger, _ = taken(ledger, said)
    assert ledger.keys["edge-1"].current.key == new.id
    assert ledger.keys["edge-1"].origin is KeyOrigin.HANDED_OVER
    for said in (second.handed_over(new), first.segment(), second.segment()):
        ledger, _ = taken(ledger, said)
    assert len(ledger.keys["edge-1"].former) == 1


def test_a_person_puts_a_claimed_key_in_the_place_of_a_lost_one() -> None:
    lost, ledger = NodeChain(), empty()
    for said in (lost.opened(), lost.segment()):
        ledger, _ = taken(ledger, said)
    fresh = NodeChain(utc_ms=lost.utc_ms)
    ledger, _ = refused(ledger, fresh.opened())
    pinned = ledger.keys["edge-1"]
    assert pinned.claimed is not None
    assert pinned.claimed.key == fresh.key.id
    assert isinstance(confirm(ledger, "edge-1", "ed25519:" + "0" * 16, "sup", NOW), Refused)
    assert isinstance(confirm(ledger, "edge-9", fresh.key.id, "sup", NOW), Refused)
    done = confirm(ledger, "edge-1", fresh.key.id, "sup", NOW)
    assert not isinstance(done, Refused)
    ledger, anew = done
    assert [row.id for row in anew] == ["edge-1/cam-1"]
    _, judged = refused(ledger, lost.segment())
    assert judged.why.kind == "key_unknown"
    ledger, again = taken(ledger, fresh.announced(fresh.lines[0]))
    assert (again.chain.life, again.chain.known_from, again.chain.broken) == (2, 1, False)
    assert ledger.keys["edge-1"].confirmed_by == "sup"


def test_confirming_the_current_key_marks_it_and_leaves_sound_chains_alone() -> None:
    chain, ledger = NodeChain(), empty()
    ledger, _ = taken(ledger, chain.opened())
    done = confirm(ledger, "edge-1", chain.key.id, "sup", NOW)
    assert not isinstance(done, Refused)
    ledger, anew = done
    assert anew == ()
    assert ledger.keys["edge-1"].confirmed
    taken(ledger, chain.segment())


def test_confirming_the_current_key_frees_a_stuck_chain_and_no_forged_one() -> None:
    chain, ledger = NodeChain(), empty()
    ledger, _ = taken(ledger, chain.opened())
    ledger, _ = refused(ledger, chain.announced("forged"))
    done = confirm(ledger, "edge-1", chain.key.id, "sup", NOW)
    assert not isinstance(done, Refused)
    ledger, anew = done
    assert anew == ()
    chain.segment()  # lost on its way
    ledger, judged = refused(ledger, chain.segment())
    assert judged.why.kind == "skipped"
    done = confirm(ledger, "edge-1", chain.key.id, "sup", NOW)
    assert not isinstance(done, Refused)
    ledger, (freed,) = done
    assert freed.life == 2
    _, again = taken(ledger, chain.announced(chain.lines[-1]))
    assert again.chain.known_from == 3


def test_refused_lines_are_kept_up_to_a_limit() -> None:
    chain, ledger = NodeChain(), empty()
    ledger, _ = taken(ledger, chain.opened())
    full = replace(ledger.chains["edge-1/cam-1"], refused=REFUSED_KEPT_MAX)
    ledger = replace(ledger, chains={full.id: full})
    ledger, judged = refused(ledger, chain.announced("nothing"))
    assert judged.filed is None
    assert ledger.chains["edge-1/cam-1"].refused == REFUSED_KEPT_MAX + 1


def test_a_checkpoint_counts_only_with_the_nodes_signature() -> None:
    chain, ledger = NodeChain(), empty()
    assert checkpoint(ledger, chain.checkpoint()) is None
    ledger, _ = taken(ledger, chain.opened())
    found = checkpoint(ledger, chain.checkpoint(8_192))
    assert found is not None
    assert found.offset == 8_192
    forged = replace(chain, key=SigningKey.generate(), lines=[])
    assert checkpoint(ledger, forged.checkpoint()) is None
    assert (
        checkpoint(
            ledger,
            replace(chain, track="cam-2").checkpoint().model_copy(update={"track_id": "cam-1"}),
        )
        is None
    )


@given(st.integers(min_value=1, max_value=12))
def test_a_root_covers_every_head_and_names_the_root_before_it(tracks: int) -> None:
    key, ledger = SigningKey.generate(), empty()
    assert not root_due(ledger, NOW)
    for number in range(tracks):
        chain = NodeChain(key=key, track=f"cam-{number}")
        ledger, _ = taken(ledger, chain.opened())
    assert root_due(ledger, NOW)
    ledger, first = with_root(ledger, NOW)
    assert not root_due(ledger, UtcMs(NOW + 1))
    assert not root_due(ledger, UtcMs(NOW - HOUR_MS))
    assert root_due(ledger, UtcMs(NOW + HOUR_MS))
    ledger, second = with_root(ledger, UtcMs(NOW + HOUR_MS))
    said = Root.model_validate_json(split_line(second.line.encode()).signed)
    assert (said.number, said.previous, said.heads) == (2, first.sha256, tracks)
    leaves = [
        ledger.chains[f"{node}/{track}"].witness.encode() for node, track, _, _ in second.leaves
    ]
    for index, leaf in enumerate(leaves):
        path = merkle.inclusion_proof(leaves, index)
        assert merkle.check_inclusion(leaf, index, tracks, path, bytes.fromhex(said.root))


def test_an_odd_entry_in_its_place_is_witnessed_all_the_same() -> None:
    chain, ledger = NodeChain(), empty()
    ledger, _ = taken(ledger, chain.opened())
    ledger, _ = taken(ledger, chain.segment())
    chain.number -= 1
    ledger, judged = taken(ledger, chain.segment())
    assert [row.kind.value for row in judged.odd] == ["number"]
    assert isinstance(judged.filed, FileEntry)
    taken(ledger, chain.segment())
