"""Shows what the judge of a chain says of single lines."""

import base64
import hashlib

import pytest

from contracts.evidence.chain import (
    SAID,
    ChainState,
    Fault,
    FaultKind,
    Keys,
    day_of,
    file_name,
    handover_proof,
    manifest_days,
    spelled_exactly,
    step,
)
from contracts.evidence.entries import HandedOver, Opened
from contracts.evidence.lines import LineError, sign_line, split_line
from runtime.signing import SigningKey
from tests.fakes.evidence_sets import EvidenceSet
from zeroentry.evidence.trust import check_signature

TRACK = "room-1-cam"


def keys_of(made: EvidenceSet) -> Keys:
    first = made.keys[0]
    return Keys({first.id: first.public_raw}, check_signature)


def play(made: EvidenceSet, count: int) -> ChainState:
    """The state after so many good lines."""
    state: ChainState | None = None
    for path, line, _ in made.tracks[TRACK].lines[:count]:
        state, _, faults = step(state, line, keys_of(made), day=path.parent.name)
        assert not faults
    assert state is not None
    return state


def line_of(made: EvidenceSet, sequence: int) -> bytes:
    return made.tracks[TRACK].lines[sequence - 1][1]


def found(faults: tuple[Fault, ...]) -> list[FaultKind]:
    return [fault.kind for fault in faults]


def test_a_whole_chain_has_no_fault_and_follows_the_hand_over(whole: EvidenceSet) -> None:
    count = len(whole.tracks[TRACK].lines)
    state = play(whole, count)
    assert state.sequence == count
    assert state.key == whole.keys[1].id
    assert state.head == hashlib.sha256(line_of(whole, count)).hexdigest()
    assert state.complete


def test_the_first_key_must_be_trusted(whole: EvidenceSet) -> None:
    other = SigningKey.generate()
    nobody = Keys({other.id: other.public_raw}, check_signature)
    state, _, faults = step(None, line_of(whole, 1), nobody)
    assert found(faults) == [FaultKind.KEY_UNKNOWN]
    assert not state.sure


def test_a_missing_line_is_counted_out(whole: EvidenceSet) -> None:
    state, _, faults = step(play(whole, 2), line_of(whole, 5), keys_of(whole))
    assert found(faults) == [FaultKind.SKIPPED]
    assert faults[0].detail == "comes right after 2: 3 to 4 are missing"
    assert "3 至 4" in faults[0].text("zh-CN")
    assert state.sequence == 5


def test_a_repeated_line_leaves_the_chain_where_it_was(whole: EvidenceSet) -> None:
    before = play(whole, 4)
    state, _, faults = step(before, line_of(whole, 3), keys_of(whole))
    assert (state, found(faults)) == (before, [FaultKind.REPEATED])


def test_after_a_line_that_nobody_signed_the_next_is_judged_fairly(whole: EvidenceSet) -> None:
    bent = line_of(whole, 3).replace(b'"offset_ms":0.25', b'"offset_ms":0.24')
    state, _, faults = step(play(whole, 2), bent, keys_of(whole))
    assert found(faults) == [FaultKind.SIGNATURE]
    state, _, faults = step(state, line_of(whole, 4), keys_of(whole))
    assert (state.sequence, faults) == (4, ())


def test_a_signature_is_spelled_in_one_way(whole: EvidenceSet) -> None:
    raw = line_of(whole, 1)
    for letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz":
        other = raw[:-5] + bytes([letter]) + raw[-4:]  # the last letter has four idle bits
        if other != raw and split_line(other).signature == split_line(raw).signature:
            assert not spelled_exactly(split_line(other))
            assert found(step(None, other, keys_of(whole))[2]) == [FaultKind.SIGNATURE]
            break
    else:
        raise AssertionError("no other spelling found")


def test_what_is_no_line_raises(whole: EvidenceSet) -> None:
    with pytest.raises(LineError):
        step(None, b"{}", keys_of(whole))


def test_a_line_in_another_day_is_found(whole: EvidenceSet) -> None:
    _, _, faults = step(play(whole, 2), line_of(whole, 3), keys_of(whole), day="2026-11-23")
    assert found(faults) == [FaultKind.DAY]


def test_a_clock_that_stepped_back_reopens_no_day() -> None:
    assert manifest_days("2026-11-23", 1_795_305_600_000) == ("2026-11-23", "2026-11-23")
    assert manifest_days("2026-11-20", 1_795_305_600_000) == ("2026-11-20", "2026-11-22")
    with pytest.raises(ValueError, match="is no time"):
        day_of(1 << 62)
    assert file_name("t", 7, 1_795_305_600_999) == "t_00000007_20261122T000000Z.mp4"


def test_a_key_that_did_not_agree_is_not_handed_the_chain(whole: EvidenceSet) -> None:
    state, old, new = play(whole, 2), whole.keys[0], SigningKey.generate()
    base = whole.tracks[TRACK].lines[2][2].model_dump()
    named = {
        "key": old.id, "site": state.site, "node": state.node, "track": state.track,
        "sequence": 3, "previous": state.head, "recorded": base["recorded"],
        "clock": base["clock"], "request_id": "k", "new_key": new.id,
        "new_public_key": base64.b64encode(new.public_raw).decode(),
    }  # fmt: skip

    def judged(proof: bytes, **other: object) -> list[FaultKind]:
        more = {**named, "proof": base64.b64encode(proof).decode(), **other}
        line = sign_line(HandedOver.model_validate(more), old.sign)
        after, _, faults = step(state, line, keys_of(whole))
        assert (after.key == new.id) is not bool(faults)
        return found(faults)

    agreed = new.sign(handover_proof(old.id, new.id))
    assert judged(agreed) == []
    assert judged(old.sign(handover_proof(old.id, new.id))) == [FaultKind.PROOF]
    assert judged(new.sign(handover_proof(new.id, old.id))) == [FaultKind.PROOF]
    wrong = base64.b64encode(old.public_raw).decode()
    assert judged(agreed, new_public_key=wrong) == [FaultKind.KEY_FALSE]


def test_an_opening_under_a_new_key_needs_a_hand_over(whole: EvidenceSet) -> None:
    state, new = play(whole, 2), SigningKey.generate()
    base = whole.tracks[TRACK].lines[0][2].model_dump()
    opened = Opened.model_validate(
        {**base, "key": new.id, "sequence": 3, "previous": state.head,
         "public_key": base64.b64encode(new.public_raw).decode()}
    )  # fmt: skip
    both = Keys({new.id: new.public_raw, **keys_of(whole).trusted}, check_signature)
    _, _, faults = step(state, sign_line(opened, new.sign), both)
    assert found(faults) == [FaultKind.KEY_CHANGED]


def test_deletions_are_held_against_what_was_entered(whole: EvidenceSet) -> None:
    lines = whole.tracks[TRACK].lines
    at = next(entry.sequence for _, _, entry in lines if entry.kind == "deletion")
    state, line = play(whole, at - 1), line_of(whole, at)
    nothing = step(state, line, keys_of(whole), segment_hash=lambda number: None)
    assert found(nothing[2]) == [FaultKind.DELETION_UNKNOWN] * 3
    other = step(state, line, keys_of(whole), segment_hash=lambda number: "00" * 32)
    assert found(other[2]) == [FaultKind.DELETION_OTHER] * 3
    assert not step(state, line, keys_of(whole))[2]


def test_every_kind_of_fault_has_its_text() -> None:
    assert set(SAID) == set(FaultKind)
