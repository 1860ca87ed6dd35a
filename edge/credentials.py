"""Decides how a camera's user and password are asked for; both processes of a node need them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.devices import CameraConfig, CredentialName
from runtime.secrets import CredentialStore, secret_key

Credentials = Callable[[], tuple[str, str] | None]
"""User and password of a camera, asked for at each connection; None when it needs none."""


def credentials_of(camera: CameraConfig, path: Path, environ: Mapping[str, str]) -> Credentials:
    """How a camera's user and password are asked for; a camera without a credential asks nothing.

    Raises:
        SecretKeyError: the camera has a credential and there is no key to open it.
        UnknownCredentialError: it names one that is not stored.
    """
    name: CredentialName | None = camera.credential
    if name is None:
        return lambda: None
    store = CredentialStore(path, secret_key(environ))
    store.get(name)  # fail at start, not at night

    def ask() -> tuple[str, str]:
        credential = store.get(name)
        return credential.username, credential.password

    return ask
