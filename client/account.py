"""Log-in and who asks; accounts, rights, tokens, break-glass, the audit log."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from client.base import Asking, parsed_rows, part
from contracts.api import LoginBody, LoginGiven, User
from contracts.api.accounts import (
    AccountBody,
    AccountGiven,
    AccountPage,
    AccountView,
    CodeBody,
    FirstBody,
    FirstGiven,
    GlassBody,
    GlassView,
    LinkAsked,
    LinkBody,
    LinkGiven,
    LinkView,
    LoginView,
    MyAccount,
    OidcBody,
    OidcStarted,
    OidcView,
    OwnedTokenBody,
    PasswordBody,
    RecoveryCodes,
    RightsBody,
    RoleView,
    SecondFactorOffer,
    SecurityView,
    TokenBody,
    TokenGiven,
    TokenView,
)
from contracts.api.audit import AuditPage, AuditState


class AccountCalls(Asking):
    """Log-in and who asks; one's own account; what administrators do."""

    async def login(self, username: str, password: str, code: str | None = None) -> LoginGiven:
        """Exchange name and password, and a code of the second factor, for a token."""
        body = LoginBody(username=username, password=password, code=code)
        return await self.ask(LoginGiven, "POST", "/login", body)

    async def logout(self) -> None:
        """Make the token worthless."""
        await self.send("POST", "/logout")

    async def me(self) -> User:
        """Who the token belongs to."""
        return await self.ask(User, "GET", "/me")

    # --- one-time links and the identity provider -----------------------------------------------

    async def link_asked(self, secret: str) -> LinkView:
        """What a one-time link is for."""
        return await self.ask(LinkView, "POST", "/welcome/ask", LinkAsked(secret=secret))

    async def password_by_link(self, secret: str, password: str) -> None:
        """Set a password by a one-time link."""
        await self.send("POST", "/welcome", LinkBody(secret=secret, password=password))

    async def first_accounts(self, body: FirstBody) -> FirstGiven:
        """Make the first accounts of a controller."""
        return await self.ask(FirstGiven, "POST", "/welcome/first", body)

    async def oidc(self) -> OidcView:
        """Whether there is an identity provider, and what it is called."""
        return await self.ask(OidcView, "GET", "/login/oidc")

    async def oidc_start(self) -> OidcStarted:
        """Begin a log-in there."""
        return await self.ask(OidcStarted, "POST", "/login/oidc/start")

    async def oidc_finish(self, state: str, code: str) -> LoginGiven:
        """Exchange what the provider sent back for a token."""
        return await self.ask(LoginGiven, "POST", "/login/oidc", OidcBody(state=state, code=code))

    # --- my account -----------------------------------------------------------------------------

    async def my_account(self) -> MyAccount:
        """My account."""
        return await self.ask(MyAccount, "GET", "/account")

    async def change_password(self, old: str, new: str) -> None:
        """Change my password; my other log-ins end."""
        await self.send("POST", "/account/password", PasswordBody(old=old, new=new))

    async def offer_second_factor(self) -> SecondFactorOffer:
        """A new second factor, shown once."""
        return await self.ask(SecondFactorOffer, "POST", "/account/second-factor")

    async def confirm_second_factor(self, code: str) -> RecoveryCodes:
        """Its first code; gives the recovery codes."""
        body = CodeBody(code=code)
        return await self.ask(RecoveryCodes, "POST", "/account/second-factor/confirm", body)

    async def remove_second_factor(self, code: str) -> None:
        """Remove it with a code of it."""
        await self.send("POST", "/account/second-factor/remove", CodeBody(code=code))

    async def my_logins(self) -> tuple[LoginView, ...]:
        """Where I am logged in."""
        return parsed_rows(await self.send("GET", "/account/logins"), LoginView)

    async def end_login(self, login_id: str) -> None:
        """End one of my log-ins."""
        await self.send("DELETE", f"/account/logins/{part(login_id)}")

    async def end_other_logins(self) -> None:
        """End all my log-ins but this one."""
        await self.send("POST", "/account/logins/end-others")

    async def my_tokens(self) -> tuple[TokenView, ...]:
        """My API tokens."""
        return parsed_rows(await self.send("GET", "/account/tokens"), TokenView)

    async def make_my_token(self, name: str, scopes: Sequence[str], days: int) -> TokenGiven:
        """An API token for a program of mine; shown once."""
        body = TokenBody(name=name, scopes=tuple(scopes), days=days)
        return await self.ask(TokenGiven, "POST", "/account/tokens", body)

    async def revoke_my_token(self, token_id: str) -> None:
        """Revoke one of mine."""
        await self.send("DELETE", f"/account/tokens/{part(token_id)}")

    # --- administrators -------------------------------------------------------------------------

    async def accounts(self, after: str = "") -> AccountPage:
        """Accounts by name."""
        query = urlencode({"after": after} if after else {})
        return await self.ask(AccountPage, "GET", f"/accounts?{query}")

    async def make_account(self, body: AccountBody) -> AccountGiven:
        """Make an account; the link is in this answer alone."""
        return await self.ask(AccountGiven, "POST", "/accounts", body)

    async def account_link(self, username: str) -> LinkGiven:
        """A new one-time link for an account."""
        return await self.ask(LinkGiven, "POST", f"/accounts/{part(username)}/link")

    async def account_step(self, username: str, step: str) -> AccountView:
        """``disable``, ``enable``, ``unlock`` or ``reset-second-factor``."""
        return await self.ask(AccountView, "POST", f"/accounts/{part(username)}/{part(step)}")

    async def give_rights(self, username: str, body: RightsBody, version: int) -> AccountView:
        """Roles and grants from now on; refused when somebody else has changed them."""
        path = f"/accounts/{part(username)}/rights"
        return await self.ask(AccountView, "PUT", path, body, {"If-Match": f'"{version}"'})

    async def roles(self) -> tuple[RoleView, ...]:
        """What each role may do."""
        return parsed_rows(await self.send("GET", "/roles"), RoleView)

    async def security(self) -> SecurityView:
        """The security settings in force."""
        return await self.ask(SecurityView, "GET", "/security")

    async def all_tokens(self) -> tuple[TokenView, ...]:
        """The API tokens of all accounts."""
        return await self.rows("/tokens", TokenView)

    async def make_token_for(self, body: OwnedTokenBody) -> TokenGiven:
        """An API token in another account's name; shown once."""
        return await self.ask(TokenGiven, "POST", "/tokens", body)

    async def revoke_token(self, token_id: str) -> None:
        """Revoke anybody's."""
        await self.send("DELETE", f"/tokens/{part(token_id)}")

    # --- break-glass ----------------------------------------------------------------------------

    async def glasses(self) -> tuple[GlassView, ...]:
        """Break-glass requests that I may see."""
        return await self.rows("/break-glass", GlassView)

    async def ask_glass(self, body: GlassBody) -> GlassView:
        """Ask for a sealed room's picture or sound."""
        return await self.ask(GlassView, "POST", "/break-glass", body)

    async def glass_step(self, glass_id: str, step: str) -> GlassView:
        """``approve``, ``refuse`` or ``end``."""
        return await self.ask(GlassView, "POST", f"/break-glass/{part(glass_id)}/{part(step)}")

    # --- audit ----------------------------------------------------------------------------------

    async def audit(
        self, asked: Mapping[str, str | int] | None = None, before: int | None = None
    ) -> AuditPage:
        """Lines, newest first; ``asked``: by, what, subject, since, until, limit."""
        given = {**(asked or {}), **({} if before is None else {"before": before})}
        return await self.ask(AuditPage, "GET", f"/audit?{urlencode(given)}")

    async def audit_state(self) -> AuditState:
        """How the log stands."""
        return await self.ask(AuditState, "GET", "/audit/state")

    async def audit_export(self, form: str, since: int = 0) -> bytes:
        """The log from a time on, as ``jsonl`` or ``csv``."""
        query = urlencode({"format": form, "since": since})
        return (await self.send("GET", f"/audit/export?{query}")).content
