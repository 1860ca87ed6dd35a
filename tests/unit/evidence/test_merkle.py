"""Holds the Merkle tree to the example of RFC 6962's reference log and to its own proofs."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence.merkle import check_inclusion, inclusion_proof, root

# The eight leaves and the roots that the reference implementations of RFC 6962 are tried on.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_roots_are_those_of_the_reference_log() -> None:
    assert {size: root(LEAVES[:size]).hex() for size in ROOTS} == ROOTS


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_each_leaf_is_proved_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, top = inclusion_proof(leaves, index), root(leaves)
    size = len(leaves)
    assert check_inclusion(leaves[index], index, size, proof, top)
    assert not check_inclusion(leaves[index] + b"x", index, size, proof, top)
    assert not check_inclusion(leaves[index], size, size, proof, top)
    assert not check_inclusion(leaves[index], index, size, (*proof, top), top)
    if proof:
        assert not check_inclusion(leaves[index], index, size, proof[:-1], top)
        bent = (bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:])
        assert not check_inclusion(leaves[index], index, size, bent, top)


def test_an_inner_node_cannot_pass_for_a_leaf() -> None:
    proof = inclusion_proof(LEAVES[:2], 0)
    inner = b"\x01" + proof[0] + proof[0]
    assert not check_inclusion(inner, 0, 1, (), root(LEAVES[:2]))
