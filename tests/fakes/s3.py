"""Runs an S3-compatible server on loopback, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.fakes.ports import free_port
from tests.fakes.waiting import until_blocking

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"


@contextmanager
def s3_server(bucket: str, log: Path) -> Iterator[str]:
    """Serve one bucket; gives the endpoint's address."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
        )
        try:

            def made() -> bool:
                if server.poll() is not None:
                    raise AssertionError(log.read_text("utf-8"))
                try:
                    return httpx.put(f"{endpoint}/{bucket}", timeout=5).is_success
                except httpx.HTTPError:
                    return False

            until_blocking(made, within_s=30, what="the S3 server")
            yield endpoint
        finally:
            server.terminate()
            server.wait(10)
