"""Starts the console: ``python -m controller.console --controller-url URL [--port N]``."""

import argparse
import asyncio
import os
import random
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from nicegui import ui

from client import ApiClient
from controller.console import popups
from controller.console.director import Director
from controller.console.logins import Logins
from controller.console.page import Shared
from controller.console.routes import register
from controller.console.settings import SECRET_VARIABLE, ConsoleSettings, DemoSettings
from controller.console.texts import Language, say
from runtime import logs
from runtime.clock import Clock, SystemClock
from runtime.settings import SettingsError, load

STOP_S = 2  # pages are told and gone; the supervisor allows five seconds in all
BROWSER_AWAY_S = 20.0  # a laptop that wakes finds its page as it was
COOKIE_S = 43_200  # a shift: who comes back tomorrow logs in again
CONNECTIONS_MAX = 2_000  # one stream a login (500) and short requests beside it

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48">'
    '<rect width="48" height="48" rx="10" fill="#10161d"/>'
    '<path d="M24 7c8.5 0 13.5 7 13.5 17S32.5 41 24 41 10.5 34 10.5 24 15.5 7 24 7z"'
    ' fill="none" stroke="#e8eef4" stroke-width="4"/>'
    '<path d="M4 24h15M29 24h15" stroke="#10161d" stroke-width="9"/>'
    '<path d="M16 24h16" stroke="#4fd1c5" stroke-width="5" stroke-linecap="round"/></svg>'
)


async def main(settings: ConsoleSettings) -> None:
    """Serve the console until the process is told to stop."""
    clock = SystemClock()
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=50)
    # The machine's proxy settings are for the internet; controller and director are on the site.
    async with httpx.AsyncClient(limits=limits, trust_env=False) as http:
        logins = Logins(ApiClient(http, settings.controller_url), clock, random.Random())
        director = _director(settings.demo, http, clock)
        web = _web(Shared(logins, clock, director, _pictures_url(settings)))
        server = uvicorn.Server(
            uvicorn.Config(
                web,
                host=settings.host,
                port=settings.port,
                log_level="warning",
                timeout_graceful_shutdown=STOP_S,
                server_header=False,
            )
        )
        async with _following(director):
            await server.serve()
        logins.close()


def _pictures_url(settings: ConsoleSettings) -> str:
    return (settings.pictures_url or settings.controller_url).rstrip("/")


def run(settings: ConsoleSettings) -> None:
    """``main`` in a process of its own."""
    with suppress(KeyboardInterrupt):
        asyncio.run(main(settings))


def _director(demo: DemoSettings | None, http: httpx.AsyncClient, clock: Clock) -> Director | None:
    if demo is None:
        return None
    return Director(http, demo.url, os.environ.get(demo.token_env, ""), clock)


def _web(shared: Shared) -> FastAPI:
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    register(shared)
    ui.add_head_html(popups.script(), shared=True)
    ui.run_with(
        web,
        title=say("app.name", Language.EN),
        favicon=FAVICON,
        dark=True,
        tailwind=False,
        reconnect_timeout=BROWSER_AWAY_S,
        storage_secret=os.environ.get(SECRET_VARIABLE) or secrets.token_hex(32),
        session_middleware_kwargs={
            "session_cookie": "zeroentry_console",
            "max_age": COOKIE_S,
            "same_site": "lax",
        },
        show_welcome_message=False,
    )
    return web


@asynccontextmanager
async def _following(director: Director | None) -> AsyncIterator[None]:
    task = None if director is None else asyncio.create_task(director.run())
    try:
        yield
    finally:
        if task is not None:
            task.cancel()


def _settings(arguments: list[str]) -> ConsoleSettings:
    parser = argparse.ArgumentParser(prog="python -m controller.console", description=__doc__)
    parser.add_argument("--config", type=Path, help="settings in YAML")
    parser.add_argument("--controller-url", help="http://HOST:PORT of the controller")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = vars(parser.parse_args(arguments))
    file = given.pop("config")
    overrides = {key: value for key, value in given.items() if value is not None}
    return load(
        ConsoleSettings,
        file=file,
        environ=os.environ,
        overrides=overrides,
        prefix="ZEROENTRY_CONSOLE",
    )


if __name__ == "__main__":
    logs.configure("console", json=not sys.stderr.isatty())
    try:
        run(_settings(sys.argv[1:]))
    except SettingsError as error:
        sys.exit(str(error))
