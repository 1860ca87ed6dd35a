"""Tokens, tickets and signatures open what they were made for, as long as they were made for it."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.units import UtcMs
from runtime.tokens import (
    KeyFormatError,
    TicketRefusal,
    TicketRefusedError,
    TokenBook,
    issue_ticket,
    new_key,
    new_token,
    read_ticket,
    run_key,
    sign_message,
    verify_message,
)

KEY = bytes(range(32))
NOW = UtcMs(1_800_000_000_000)


def refusal(ticket: str, *, now: int = NOW, resource: str = "room-1", scope: str = "live") -> str:
    with pytest.raises(TicketRefusedError) as refused:
        read_ticket(KEY, ticket, scope=scope, resource=resource, now_utc_ms=UtcMs(now))
    return refused.value.reason


def ticket() -> str:
    return issue_ticket(KEY, "li.wei", "live", "room-1", NOW, 60_000)


def test_a_ticket_opens_its_resource_until_it_expires() -> None:
    last_moment = UtcMs(NOW + 59_999)
    read = read_ticket(KEY, ticket(), scope="live", resource="room-1", now_utc_ms=last_moment)
    assert (read.subject, read.expires_utc_ms) == ("li.wei", NOW + 60_000)


def test_a_ticket_opens_nothing_else() -> None:
    assert refusal(ticket(), now=NOW + 60_000) is TicketRefusal.EXPIRED
    assert refusal(ticket(), resource="room-2") is TicketRefusal.OTHER_RESOURCE
    assert refusal(ticket(), scope="recording") is TicketRefusal.OTHER_SCOPE
    assert refusal("") is TicketRefusal.MALFORMED
    assert refusal("x" * 5_000) is TicketRefusal.MALFORMED
    assert refusal("ä.ö") is TicketRefusal.MALFORMED


def test_a_ticket_with_another_claim_and_the_old_signature_is_refused() -> None:
    body, _, mac = ticket().partition(".")
    claim = base64.urlsafe_b64decode(body + "==").replace(b"room-1", b"room-2")
    forged = base64.urlsafe_b64encode(claim).rstrip(b"=").decode() + "." + mac
    assert refusal(forged, resource="room-2") is TicketRefusal.ALTERED


def test_a_ticket_of_another_key_is_refused() -> None:
    foreign = issue_ticket(bytes(32), "li.wei", "live", "room-1", NOW, 60_000)
    assert refusal(foreign) is TicketRefusal.ALTERED


@given(st.integers(min_value=0), st.characters(max_codepoint=127))
def test_no_change_of_one_character_passes(position: int, char: str) -> None:
    text = ticket()
    position %= len(text)
    altered = text[:position] + char + text[position + 1 :]
    if altered != text:
        assert refusal(altered) in {TicketRefusal.ALTERED, TicketRefusal.MALFORMED}


@pytest.mark.parametrize("ttl_ms", [0, -1, 3_600_000])
def test_a_ticket_is_short_lived(ttl_ms: int) -> None:
    with pytest.raises(ValueError, match="a ticket lives"):
        issue_ticket(KEY, "li.wei", "live", "room-1", NOW, ttl_ms)


def test_a_token_is_known_by_its_hash_and_has_its_scopes() -> None:
    token, entry = new_token("console", ["rooms.read"], expires_utc_ms=UtcMs(NOW + 1))
    book = TokenBook([new_token("other", ["rooms.read"])[1], entry])
    assert book.check(token, scope="rooms.read", now_utc_ms=NOW) == entry
    assert book.check(token, scope="rooms.write", now_utc_ms=NOW) is None
    assert book.check(token, scope="rooms.read", now_utc_ms=UtcMs(NOW + 1)) is None
    assert book.check(token[:-1], scope="rooms.read", now_utc_ms=NOW) is None
    assert book.check("", scope="rooms.read", now_utc_ms=NOW) is None


def test_a_book_on_disk_holds_no_token_and_is_private(tmp_path: Path) -> None:
    token, entry = new_token("console", ["rooms.read"])
    path = tmp_path / "tokens.json"
    TokenBook([entry]).write(path)
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert TokenBook.read(path).entries == (entry,)


def test_a_signature_covers_every_byte_and_is_not_a_ticket() -> None:
    signature = sign_message(KEY, b"topic\0id\0{}\0")
    assert verify_message(KEY, b"topic\0id\0{}\0", signature)
    assert not verify_message(KEY, b"topic\0id\0{ }\0", signature)
    assert not verify_message(bytes(32), b"topic\0id\0{}\0", signature)
    assert not verify_message(KEY, b"topic\0id\0{}\0", None)
    assert not verify_message(KEY, b"topic\0id\0{}\0", "ä")


def test_the_run_key_comes_from_the_environment() -> None:
    key = new_key()
    assert run_key({"ZEROENTRY_RUN_KEY": key}) == bytes.fromhex(key)
    assert run_key({}) is None


@pytest.mark.parametrize(("text", "message"), [("xyz", "not hexadecimal"), ("00ff", "has 2 bytes")])
def test_a_bad_run_key_says_how_to_make_one(text: str, message: str) -> None:
    with pytest.raises(KeyFormatError, match=rf"ZEROENTRY_RUN_KEY .*{message}.*token_hex"):
        run_key({"ZEROENTRY_RUN_KEY": text})
