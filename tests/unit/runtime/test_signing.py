"""Shows that a signing key is made once, kept private, and checked by what openssl knows."""

import base64
import re
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel

from contracts.evidence.lines import KEY_ID_PATTERN, key_id, sign_line, split_line
from runtime.signing import (
    KEYS_MAX,
    KeyFileError,
    PublicKeys,
    SigningKey,
    open_key,
    public_key_name,
    public_raw,
    write_key,
)


def test_a_key_is_made_at_the_first_start_and_found_at_the_second(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "node-evidence.pem"
    made = open_key(path)
    found = open_key(path)
    assert found.id == made.id == key_id(made.public_raw)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["node-evidence.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    open_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}.*chmod 600 {path}"):
        open_key(path)


def test_a_link_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    open_key(tmp_path / "real.pem")
    (tmp_path / "key.pem").symlink_to(tmp_path / "real.pem")
    with pytest.raises(OSError, match="symbolic"):
        open_key(tmp_path / "key.pem")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = open_key(path)
    with pytest.raises(FileExistsError):
        write_key(path, SigningKey.generate())
    assert open_key(path).id == made.id


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nxx\n", b"\0" * 200])
def test_a_damaged_key_is_not_replaced_in_silence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="restore it from a backup"):
        open_key(path)
    assert path.read_bytes() == content


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", path], check=True)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="no Ed25519 key"):
        open_key(path)


def test_openssl_makes_keys_that_we_take(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True)
    path.chmod(0o600)
    public = subprocess.run(
        ["openssl", "pkey", "-in", path, "-pubout"], check=True, capture_output=True
    ).stdout
    assert open_key(path).public_pem() == public


def test_openssl_checks_what_we_sign(tmp_path: Path) -> None:
    key = SigningKey.generate()
    (tmp_path / "public.pem").write_bytes(key.public_pem())
    (tmp_path / "data").write_bytes(b"zero entry")
    (tmp_path / "signature").write_bytes(key.sign(b"zero entry"))
    said = subprocess.run(
        [
            "openssl",
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "public.pem",
            "-rawin",
            "-in",
            "data",
            "-sigfile",
            "signature",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert b"Verified Successfully" in said.stdout


class Told(BaseModel):
    v: int
    key: str


def test_known_keys_verify_their_lines_and_no_others() -> None:
    ours, other = SigningKey.generate(), SigningKey.generate()
    keys = PublicKeys([ours.public_raw])
    line = split_line(sign_line(Told(v=1, key=ours.id), ours.sign))
    assert keys.verify(ours.id, line.signed, line.signature)
    assert not keys.verify(ours.id, line.signed + b" ", line.signature)
    assert not keys.verify(ours.id, line.signed, other.sign(line.signed))
    assert not keys.verify(ours.id, line.signed, b"")
    assert not keys.verify(other.id, line.signed, other.sign(line.signed))
    assert keys.ids == {ours.id}
    assert other.id not in keys


def test_a_public_key_goes_through_pem(tmp_path: Path) -> None:
    key = SigningKey.generate()
    keys = PublicKeys()
    assert keys.add_pem(key.public_pem()) == key.id
    assert keys.raw(key.id) == key.public_raw == public_raw(key.public_pem())
    assert public_key_name(key.id) == f"ed25519-{key.id.split(':')[1]}.pem"


def test_what_is_no_public_key_is_refused() -> None:
    keys = PublicKeys()
    with pytest.raises(KeyFileError, match=r"x\.pem holds no public key"):
        keys.add_pem(b"nonsense", said="x.pem")
    with pytest.raises(ValueError, match="32 bytes"):
        keys.add_raw(b"short")


def test_known_keys_have_a_limit() -> None:
    keys = PublicKeys()
    for number in range(KEYS_MAX):
        keys.add_raw(number.to_bytes(32, "big"))
    with pytest.raises(ValueError, match="more than"):
        keys.add_raw(KEYS_MAX.to_bytes(32, "big"))


def test_a_key_hides_in_its_repr() -> None:
    key = SigningKey.generate()
    secret = base64.b64decode(b"".join(key.to_pem().splitlines()[1:-1]))
    assert secret.hex()[-64:] not in repr(key)
    assert repr(key) == f"SigningKey({key.id})"
    assert re.match(KEY_ID_PATTERN, key.id)
