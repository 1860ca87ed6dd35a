"""Log-in and who asks."""

from client.base import Asking
from contracts.api import (
    LoginBody,
    LoginGiven,
    User,
)


class AccountCalls(Asking):
    """Log-in and who asks."""

    async def login(self, username: str, password: str) -> LoginGiven:
        """Exchange name and password for a token."""
        body = LoginBody(username=username, password=password)
        return await self.ask(LoginGiven, "POST", "/login", body)

    async def logout(self) -> None:
        """Make the token worthless."""
        await self.send("POST", "/logout")

    async def me(self) -> User:
        """Who the token belongs to."""
        return await self.ask(User, "GET", "/me")
