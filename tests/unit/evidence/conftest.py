"""One set of recordings for all tests of a file; whoever alters it takes a copy."""

import pytest

from tests.fakes.evidence_sets import EvidenceSet, Size, write_set


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> EvidenceSet:
    folder = tmp_path_factory.mktemp("evidence")
    return write_set(folder / "set", size=Size(tracks=2, day_segments=3))
