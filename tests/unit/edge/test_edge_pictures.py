"""Pictures on disk: content-addressed, kept until fetched, bounded all the same."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from contracts.units import MonoMs, UtcMs
from edge.core.people import Instant
from edge.evidence.pictures import Pictures, jpeg
from edge.ports import Rgb


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(ms))


def noise(seed: int, height: int = 90, width: int = 160) -> Rgb:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def keep(shelf: Pictures, folder: Path, seed: int) -> str:
    ref = shelf.keep(noise(seed), "cam-1", at(seed))
    os.utime(folder / f"{ref.sha256}.jpg", (seed, seed))
    return ref.sha256


def test_the_reference_is_true_and_the_same_picture_is_kept_once(tmp_path: Path) -> None:
    shelf = Pictures(tmp_path)
    ref = shelf.keep(noise(1), "cam-1", at(77))
    assert shelf.keep(noise(1), "cam-1", at(78)).sha256 == ref.sha256
    content = shelf.read(ref.sha256)
    assert content is not None
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (ref.sha256, ref.bytes)
    assert (ref.taken_utc_ms, ref.camera_id) == (77, "cam-1")
    assert [path.suffix for path in tmp_path.iterdir()] == [".jpg"]
    assert shelf.read("0" * 64) is None


def test_fetched_pictures_go_first_and_unfetched_only_above_the_hard_limit(tmp_path: Path) -> None:
    size = len(jpeg(noise(1)))
    shelf = Pictures(tmp_path, keep_bytes=3 * size + 1_000, hard_bytes=5 * size + 1_000)
    names = [keep(shelf, tmp_path, seed) for seed in (1, 2, 3)]
    shelf.mark_fetched(names[1])
    names.append(keep(shelf, tmp_path, 4))
    assert [shelf.read(name) is not None for name in names] == [True, False, True, True]
    names += [keep(shelf, tmp_path, seed) for seed in (5, 6)]  # nothing fetched: all stay
    assert sum(shelf.read(name) is not None for name in names) == 5
    names.append(keep(shelf, tmp_path, 7))
    assert shelf.read(names[0]) is None  # above the hard limit the oldest goes
    assert shelf.read(names[-1]) is not None


def test_a_half_written_picture_of_a_crash_is_swept_at_start(tmp_path: Path) -> None:
    (tmp_path / "abc.part").write_bytes(b"half")
    Pictures(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(1, 1), (4320, 7680)])
def test_any_size_becomes_a_picture_within_the_limit(shape: tuple[int, int]) -> None:
    height, width = shape
    assert 0 < len(jpeg(noise(1, height, width))) <= 8_388_608
