"""Decides who somebody is by the centre's identity provider: OpenID Connect with PKCE."""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from contracts.api import Role, Sentence
from contracts.units import UtcMs
from controller.auth.accounts import Accounts
from controller.auth.policy import OidcSettings, roles_fault
from controller.core.outputs import Refusal, Refused
from controller.ports import Account
from runtime.clock import Clock

CLIENT_SECRET_ENV: Final = "ZEROENTRY_OIDC_CLIENT_SECRET"  # noqa: S105  # the name of a variable
ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")  # signatures only: never HS256, never none
BEGUN_TTL_MS: Final = 10 * 60_000  # as long as somebody types a password there
BEGUN_MAX: Final = 1_000
DISCOVERY_TTL_MS: Final = 3_600_000
ANSWER_MAX_BYTES: Final = 262_144
ANSWER_TIMEOUT_S: Final = 10.0
LEEWAY_S: Final = 60
NAME_MAX_CHARS: Final = 64


class ProviderLost(Exception):
    """The identity provider does not answer, or not as OpenID Connect says; for the log."""


@dataclass(frozen=True, slots=True)
class _Begun:
    verifier: str
    nonce: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Provider:
    authorize: str
    token: str
    jwks: str
    at_ms: int


class Oidc:
    """The provider of this site. For one event loop; keeps nothing on disk."""

    def __init__(
        self, settings: OidcSettings, client_secret: str, http: httpx.AsyncClient, clock: Clock
    ) -> None:
        self.settings = settings
        self._secret = client_secret
        self._http = http
        self._clock = clock
        self._begun: dict[str, _Begun] = {}
        self._provider: _Provider | None = None

    async def start(self) -> tuple[str, str]:
        """Where the browser goes, and the state that comes back.

        Raises:
            ProviderLost: the provider does not answer.
        """
        provider = await self._discovered()
        now = int(self._clock.mono_ms())
        for state, row in list(self._begun.items()):
            if now - row.at_ms >= BEGUN_TTL_MS or len(self._begun) >= BEGUN_MAX:
                del self._begun[state]
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        self._begun[state] = _Begun(verifier, nonce, now)
        url = prepare_grant_uri(
            provider.authorize,
            self.settings.client_id,
            "code",
            redirect_uri=self.settings.redirect_url,
            scope=self.settings.scope,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return str(url), state

    async def finish(self, state: str, code: str) -> Mapping[str, Any] | None:
        """The claims of who came back; None when the state is not ours, or used, or too old.

        Raises:
            ProviderLost: the provider refused the code, or its answer does not hold.
        """
        begun = self._begun.pop(state, None)
        if begun is None or int(self._clock.mono_ms()) - begun.at_ms >= BEGUN_TTL_MS:
            return None
        provider = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_url,
            "code_verifier": begun.verifier,
            "client_id": self.settings.client_id,
        }
        auth = httpx.BasicAuth(self.settings.client_id, self._secret) if self._secret else None
        answer = await self._json("POST", provider.token, data=form, auth=auth)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderLost("the token endpoint gave no id_token")
        keys = await self._json("GET", provider.jwks)
        return self._claims(id_token, keys, begun.nonce)

    def _claims(self, id_token: str, keys: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock.utc_ms()) // 1_000,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": self.settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            known = KeySet.import_key_set({"keys": list(keys.get("keys", ()))})
            token = jwt.decode(id_token, known, algorithms=list(ALGORITHMS))
            registry.validate(token.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ProviderLost(f"the id_token does not hold: {type(error).__name__}") from None
        claims: Mapping[str, Any] = token.claims
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise ProviderLost("the id_token answers another log-in (nonce)")
        audience = claims.get("aud")
        several = isinstance(audience, list) and len(audience) > 1
        if several and claims.get("azp") != self.settings.client_id:
            raise ProviderLost("the id_token was made for another client (azp)")
        return claims

    async def _discovered(self) -> _Provider:
        now = int(self._clock.mono_ms())
        known = self._provider
        if known is not None and now - known.at_ms < DISCOVERY_TTL_MS:
            return known
        issuer = self.settings.issuer
        said = await self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise ProviderLost(f"discovery names another issuer: {str(said.get('issuer'))[:100]}")
        ends = [said.get(f"{name}") for name in (
            "authorization_endpoint", "token_endpoint", "jwks_uri")]  # fmt: skip
        scheme = issuer.split(":", 1)[0]
        if not all(isinstance(end, str) and end.startswith(f"{scheme}://") for end in ends):
            raise ProviderLost("discovery lacks an endpoint, or names one that is not guarded")
        found = _Provider(str(ends[0]), str(ends[1]), str(ends[2]), now)
        self._provider = found
        return found

    async def _json(
        self,
        method: str,
        url: str,
        data: Mapping[str, str] | None = None,
        auth: httpx.BasicAuth | None = None,
    ) -> Mapping[str, Any]:
        try:
            answer = await self._http.request(
                method,
                url,
                data=data,
                auth=auth,
                timeout=ANSWER_TIMEOUT_S,
                headers={"Accept": "application/json"},
            )
        except httpx.HTTPError as error:
            raise ProviderLost(f"{url}: {type(error).__name__}") from None
        if answer.status_code != httpx.codes.OK or len(answer.content) > ANSWER_MAX_BYTES:
            raise ProviderLost(f"{url} answered {answer.status_code}")
        try:
            found = json.loads(answer.content)
        except ValueError:
            raise ProviderLost(f"{url} gave no JSON") from None
        if not isinstance(found, dict):
            raise ProviderLost(f"{url} gave no object")
        return found


def account_of(  # noqa: PLR0911  # each reason to refuse is one
    accounts: Accounts, settings: OidcSettings, claims: Mapping[str, Any]
) -> Account | Refused:
    """The account of who the provider vouches for: made at the first log-in, roles read anew.

    A local account is never taken over by a name. Blocks.
    """
    store = accounts.store
    roles = _roles(settings, claims)
    if not roles:
        return _refused(
            "身份提供方没有给出任何对应的角色，请联系管理员。",
            "The identity provider names no group that has a role here.",
        )
    if accounts.policy.level3 and not set(_listed(claims.get("amr"))) & set(settings.second_factor):
        return _refused(
            "三级要求身份提供方使用第二因素登录（amr）。",
            "Level 3 asks for a second factor at the identity provider (claim amr).",
        )
    fault = roles_fault(accounts.policy, roles, None)
    if fault is not None:
        return Refused(Refusal.FORBIDDEN, fault)
    external = f"{settings.issuer}|{claims['sub']}"[:300]
    found = store.find_external(external)
    if found is not None:
        if found.disabled:
            return _refused("账号已停用。", "The account is disabled.")
        if found.roles == roles:
            return found
        changed = replace(found, roles=roles, version=found.version + 1)
        return changed if store.change_account(changed, found.version) else found
    username = str(claims.get(settings.username_claim) or "")[:NAME_MAX_CHARS]
    if not username or not username.isprintable():
        return _refused("身份提供方没有给出用户名。", "The identity provider gives no user name.")
    if store.find_account(username) is not None:
        return _refused(
            f"本地已有账号 {username}，不能由身份提供方接管。",
            f"There is a local account {username}; the identity provider does not take it over.",
        )
    now: UtcMs = accounts.clock.utc_ms()
    made = Account(
        username, roles, None, "", external=external, made_utc_ms=now, made_by=settings.name
    )
    store.put_account(made)
    return made


def _roles(settings: OidcSettings, claims: Mapping[str, Any]) -> tuple[Role, ...]:
    groups = set(_listed(claims.get(settings.roles_claim)))
    held = {role for group, roles in settings.roles.items() if group in groups for role in roles}
    return tuple(role for role in Role if role in held)


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(row) for row in value] if isinstance(value, list) else []


def _refused(zh: str, en: str) -> Refused:
    return Refused(Refusal.FORBIDDEN, Sentence(zh=zh, en=en))
