"""Log-in by an identity provider: what a true one gives, and what a false one does not get."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.auth.oidc import Oidc
from controller.auth.policy import Profile
from tests.fakes.controller_site import Bench
from tests.fakes.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT,
    Provider,
    provider_on_loopback,
)
from tests.fakes.security import BEGIN_MS, client_of, guarded


@asynccontextmanager
async def site(
    tmp_path: Path, profile: Profile = Profile.LEVEL2, secret: str = CLIENT_SECRET
) -> AsyncIterator[tuple[Bench, Provider, httpx.AsyncClient]]:
    with provider_on_loopback(BEGIN_MS // 1_000) as provider:
        settings = {
            "issuer": provider.issuer,
            "client_id": CLIENT_ID,
            "redirect_url": REDIRECT,
            "roles": {"supervision": ["supervisor"], "it": ["ops"], "all": ["system_admin"]},
        }
        made = guarded(tmp_path, profile, oidc=settings)
        oidc = made.controller.security.oidc
        assert isinstance(oidc, Oidc)
        oidc._secret = secret
        async with client_of(made) as client:
            yield made, provider, client
        await made.controller.client.aclose()


async def come_back(client: httpx.AsyncClient, provider: Provider) -> httpx.Response:
    started = (await client.post("/login/oidc/start")).json()
    state, code = provider.authorize(started["url"])
    assert state == started["state"]
    return await client.post("/login/oidc", json={"state": state, "code": code})


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_who_the_provider_vouches_for_is_in(tmp_path: Path, algorithm: str) -> None:
    async with site(tmp_path) as (_, provider, client):
        provider.algorithm = algorithm
        done = await come_back(client, provider)
        assert done.status_code == 200, done.text
        assert done.json()["user"]["roles"] == ["supervisor"]
        provider.claims = {"groups": ["it"]}
        again = await come_back(client, provider)
        assert again.json()["user"]["roles"] == ["ops"]
        assert again.json()["user"]["username"] == "li.wei"
        password = {"username": "li.wei", "password": "x"}
        assert (await client.post("/login", json=password)).status_code == 401


LIES: list[tuple[str, dict[str, Any]]] = [
    ("another issuer", {"claims": {"iss": "http://127.0.0.1:1"}}),
    ("another audience", {"claims": {"aud": "other"}}),
    ("another party", {"claims": {"aud": [CLIENT_ID, "other"], "azp": "other"}}),
    ("another log-in", {"claims": {"nonce": "stolen"}}),
    ("over", {"claims": {"exp": BEGIN_MS // 1_000 - 3_600}}),
    ("from the future", {"claims": {"iat": BEGIN_MS // 1_000 + 3_600}}),
    ("a key of somebody else", {"foreign_key": True}),
    ("no signature", {"unsigned": True}),
    ("discovery of another issuer", {"said_issuer": "http://127.0.0.1:1"}),
]


@pytest.mark.parametrize(("lie", "set_"), LIES, ids=[row[0] for row in LIES])
async def test_a_false_answer_lets_nobody_in(
    tmp_path: Path, lie: str, set_: dict[str, Any]
) -> None:
    async with site(tmp_path) as (made, provider, client):
        for name, value in set_.items():
            setattr(provider, name, value)
        if "said_issuer" in set_:
            answer = await client.post("/login/oidc/start")
        else:
            answer = await come_back(client, provider)
        assert answer.status_code == 502, lie
        assert made.controller.accounts.store.find_account("li.wei") is None


async def test_state_code_and_secret_count_once(tmp_path: Path) -> None:
    async with site(tmp_path) as (_, provider, client):
        started = (await client.post("/login/oidc/start")).json()
        state, code = provider.authorize(started["url"])
        foreign = {"state": "x" * 43, "code": code}
        assert (await client.post("/login/oidc", json=foreign)).status_code == 401
        body = {"state": state, "code": code}
        assert (await client.post("/login/oidc", json=body)).status_code == 200
        assert (await client.post("/login/oidc", json=body)).status_code == 401
        other = (await client.post("/login/oidc/start")).json()
        stolen = {"state": other["state"], "code": code}
        assert (await client.post("/login/oidc", json=stolen)).status_code == 502
    async with site(tmp_path / "b", secret="wrong") as (_, provider, client):
        assert (await come_back(client, provider)).status_code == 502


@pytest.mark.parametrize(
    ("profile", "claims", "says"),
    [
        (Profile.LEVEL2, {"groups": []}, "no group"),
        (Profile.LEVEL2, {"preferred_username": "sup"}, "does not take it over"),
        (Profile.LEVEL3, {}, "second factor"),
        (Profile.LEVEL3, {"amr": ["otp"], "groups": ["all", "it"]}, "keeps administrators apart"),
    ],
)
async def test_what_the_site_forbids_the_provider_cannot_give(
    tmp_path: Path, profile: Profile, claims: dict[str, Any], says: str
) -> None:
    async with site(tmp_path, profile) as (_, provider, client):
        provider.claims = claims
        refused = await come_back(client, provider)
        assert refused.status_code == 403, refused.text
        assert says in refused.json()["detail"]


async def test_level_3_takes_a_second_factor_of_the_provider(tmp_path: Path) -> None:
    async with site(tmp_path, Profile.LEVEL3) as (_, provider, client):
        provider.claims = {"amr": ["pwd", "otp"]}
        done = await come_back(client, provider)
        assert done.json()["user"]["must"] == []
