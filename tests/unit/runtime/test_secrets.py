"""Passwords lie encrypted on disk, open with the right key only, and cannot be swapped."""

import json
from pathlib import Path

import pytest

from runtime.secrets import (
    Credential,
    CredentialFileError,
    CredentialStore,
    SecretKeyError,
    UnknownCredentialError,
    new_secret_key,
    secret_key,
)

PASSWORD = "correct horse battery 天"


@pytest.fixture
def key() -> bytes:
    return new_secret_key().encode()


def test_the_file_holds_no_plaintext_and_is_private(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "deep" / "credentials.json"
    store = CredentialStore(path, key)
    store.set("cam-1", Credential("viewer", PASSWORD))
    text = path.read_bytes()
    assert b"horse" not in text
    assert b"viewer" not in text
    assert path.stat().st_mode & 0o077 == 0
    assert CredentialStore(path, key).get("cam-1") == Credential("viewer", PASSWORD)


def test_a_credential_does_not_show_its_password() -> None:
    assert PASSWORD not in repr(Credential("viewer", PASSWORD))


def test_credentials_are_listed_replaced_and_deleted(tmp_path: Path, key: bytes) -> None:
    store = CredentialStore(tmp_path / "c.json", key)
    assert store.names() == []
    store.set("b", Credential("u", "1"))
    store.set("a", Credential("u", "2"))
    store.set("b", Credential("u", "3"))
    assert (store.names(), store.get("b").password) == (["a", "b"], "3")
    store.delete("b")
    assert store.names() == ["a"]
    with pytest.raises(UnknownCredentialError, match="no credential 'b'"):
        store.get("b")
    with pytest.raises(UnknownCredentialError, match="no credential 'b'"):
        store.delete("b")


def test_another_key_opens_nothing(tmp_path: Path, key: bytes) -> None:
    CredentialStore(tmp_path / "c.json", key).set("a", Credential("u", "p"))
    other = CredentialStore(tmp_path / "c.json", new_secret_key().encode())
    with pytest.raises(SecretKeyError, match="another key, or altered"):
        other.get("a")


def test_swapped_lines_are_noticed(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "c.json"
    store = CredentialStore(path, key)
    store.set("a", Credential("u", "1"))
    store.set("b", Credential("u", "2"))
    content = json.loads(path.read_text())
    entries = content["entries"]
    entries["a"], entries["b"] = entries["b"], entries["a"]
    path.write_text(json.dumps(content))
    with pytest.raises(SecretKeyError, match="belongs to 'b'"):
        store.get("a")


def test_a_damaged_file_is_named(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "c.json"
    path.write_text("{")
    with pytest.raises(CredentialFileError, match=r"c\.json is damaged"):
        CredentialStore(path, key).names()


def test_the_key_comes_from_the_environment_or_from_systemd(tmp_path: Path) -> None:
    key = new_secret_key()
    (tmp_path / "zeroentry-key").write_text(key + "\n")
    assert secret_key({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == key.encode()
    other = new_secret_key()
    both = {"CREDENTIALS_DIRECTORY": str(tmp_path), "ZEROENTRY_SECRET_KEY": other}
    assert secret_key(both) == other.encode()


@pytest.mark.parametrize("environ", [{}, {"ZEROENTRY_SECRET_KEY": "short"}])
def test_a_missing_or_malformed_key_says_what_to_do(environ: dict[str, str]) -> None:
    with pytest.raises(SecretKeyError, match="set ZEROENTRY_SECRET_KEY"):
        secret_key(environ)
