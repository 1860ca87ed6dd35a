"""Which end of an idle connection gives it up."""

import httpx

from runtime.http import KEEP_ALIVE_S


def test_the_client_gives_an_idle_connection_up_long_before_the_server_does() -> None:
    given_up_s = httpx.Limits().keepalive_expiry
    assert given_up_s is not None
    assert 2 * given_up_s <= KEEP_ALIVE_S
