"""Shows copies in an S3-compatible store, over HTTP to a real server process."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge.evidence.copies import Archive, CopyLost, copy_checked
from tests.fakes.s3 import ACCESS_KEY, SECRET_KEY, s3_server

CONTENT = bytes(range(256)) * 90_000  # 23 MB, as a minute at 3 Mb/s: goes up in parts
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = "edge-1/cam-1/2026-11-22/cam-1_00000001_20261122T080000Z.mp4"
BUCKET = "evidence"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(BUCKET, tmp_path_factory.mktemp("s3") / "log") as address:
        yield address


def archive(endpoint: str) -> Archive:
    return Archive(
        f"s3://{BUCKET}/site-1", access_key=ACCESS_KEY, secret_key=SECRET_KEY, endpoint=endpoint
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "segment.mp4"
    path.write_bytes(CONTENT)
    return path


def test_a_segment_is_copied_and_read_back(endpoint: str, source: Path) -> None:
    store = archive(endpoint)
    assert store.sha256(KEY) is None
    copy_checked(store, source, KEY, SHA256)
    assert (store.sha256(KEY), store.size(KEY)) == (SHA256, len(CONTENT))
    stored = httpx.get(f"{endpoint}/{BUCKET}/site-1/{KEY}")
    assert hashlib.sha256(stored.content).hexdigest() == SHA256


def test_a_copy_that_was_changed_there_is_found_and_mended(endpoint: str, source: Path) -> None:
    store = archive(endpoint)
    copy_checked(store, source, KEY, SHA256)
    httpx.put(f"{endpoint}/{BUCKET}/site-1/{KEY}", content=CONTENT[:-1] + b"x").raise_for_status()
    assert store.sha256(KEY) != SHA256
    copy_checked(store, source, KEY, SHA256)
    assert store.sha256(KEY) == SHA256


def test_a_store_that_is_away_or_has_no_such_bucket_is_lost_not_a_crash(
    endpoint: str, source: Path
) -> None:
    nowhere = Archive(
        "s3://no-such-bucket", access_key=ACCESS_KEY, secret_key=SECRET_KEY, endpoint=endpoint
    )
    with pytest.raises(CopyLost) as lost:
        copy_checked(nowhere, source, KEY, SHA256)
    assert SECRET_KEY not in str(lost.value)
