"""``/settings``: accounts and rights, tokens, break-glass, the audit log, the security in force."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from pydantic import ValidationError

from client import ControllerLost, RefusedError
from contracts.admission import Sector
from contracts.api import Role
from contracts.api.accounts import (
    AccountBody,
    AccountView,
    GlassBody,
    GlassView,
    Grants,
    LinkGiven,
    RightsBody,
    SecurityView,
    TokenView,
)
from contracts.api.audit import AuditLine, AuditState
from controller.console.account_pages import second, token_drawn
from controller.console.logins import Login
from controller.console.page import Page, Shared
from controller.console.parts import ASSETS, Part
from controller.console.present.words import Drawn, Words
from controller.console.texts import say

_LIB: Final = {"zeroentry-console": str(ASSETS / "lib")}
ADMINS: Final = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
APPROVERS: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR, Role.SECURITY_ADMIN)
LINES_SHOWN_MAX: Final = 1_000  # of one list on a page: then people narrow the search
STEPS: Final = frozenset({"disable", "enable", "unlock", "reset-second-factor"})
TABS: Final[tuple[tuple[str, tuple[Role, ...]], ...]] = (
    ("accounts", (*ADMINS, Role.AUDITOR)),
    ("tokens", (Role.SECURITY_ADMIN,)),
    ("glass", (*APPROVERS, Role.OPS, Role.AUDITOR, Role.AUDIT_ADMIN)),
    ("audit", (Role.AUDIT_ADMIN, Role.AUDITOR)),
    ("security", (*ADMINS, Role.AUDITOR)),
)

T = TypeVar("T")


class SettingsDesk(Part, component=ASSETS / "ze_settings.js", esm=_LIB):
    """All tabs."""


class SettingsPage(Page):
    """``/settings``, with ``?tab=`` at one of its tabs."""

    texts = ("account", "settings", "glass", "audit", "login", "session", "problem", "sector")
    here = "settings"

    def __init__(self, shared: Shared, login: Login, request: Request) -> None:
        super().__init__(shared, login, request)
        self._tabs = [name for name, roles in TABS if self.has(*roles)]
        asked = request.query_params.get("tab", "")
        self._tab = asked if asked in self._tabs else next(iter(self._tabs), "")
        self._base = str(request.base_url).rstrip("/")
        self._accounts: tuple[AccountView, ...] = ()
        self._tokens: tuple[TokenView, ...] = ()
        self._glasses: tuple[GlassView, ...] = ()
        self._lines: tuple[AuditLine, ...] = ()
        self._next: int | None = None
        self._log: AuditState | None = None
        self._asked: dict[str, str | int] = {}
        self._security: SecurityView | None = None
        self._link: LinkGiven | None = None
        self._said = ""
        self._loading = True
        self._failed = False
        self._busy = False
        self._sent = 0

    def build(self) -> None:
        with ui.element("main"):
            self._desk = SettingsDesk()
        for name, handler in (
            ("tab", self._to_tab),
            ("make", self._make),
            ("step", self._step),
            ("rights", self._rights),
            ("link", self._new_link),
            ("revoke", self._revoke),
            ("glass", self._ask_glass),
            ("glass-step", self._glass_step),
            ("find", self._find),
            ("export", self._export),
        ):
            self._desk.on(name, handler)
        self._desk.on("hide", self._hide)
        self._desk.on("older", self._older)
        self._desk.on("retry", self._load)
        background_tasks.create(self._load(), name="console-settings")

    def draw(self) -> None:
        words = self.words
        self._desk.show(
            t=self.t(),
            tab=self._tab,
            tabs=self._tabs,
            me=self.login.user.username,
            may=self._may(),
            accounts=[_account(row, words) for row in self._accounts],
            roles=[{"id": role.value, "name": words.say(f"role.{role.value}")} for role in Role],
            rooms=self._rooms(words),
            sectors=[{"id": one.value, "name": words.say(f"sector.{one.value}")} for one in Sector],
            link=self._link_drawn(words),
            tokens=[token_drawn(row, words) for row in self._tokens],
            glasses=[self._glass(row, words) for row in self._glasses],
            lines=[_line(row, words) for row in self._lines],
            more=self._next is not None and len(self._lines) < LINES_SHOWN_MAX,
            log=_log(self._log, words),
            security=_security(self._security, words),
            problem=self._said,
            loading=self._loading,
            failed=self._failed,
            busy=self._busy,
            sent=self._sent,
        )

    def _may(self) -> Drawn:
        return {
            "make": self.has(Role.SYSTEM_ADMIN),
            "rights": self.has(Role.SECURITY_ADMIN),
            "ask_glass": self.has(Role.OPS),
            "approve_glass": self.has(*APPROVERS),
        }

    def _rooms(self, words: Words) -> list[Drawn]:
        house = self.login.feed.house
        if house is None or not house.rooms:
            known = self._security.rooms if self._security is not None else ()
            return [
                {"id": room.id, "name": words.name(room.name), "sealed": False} for room in known
            ]
        return [
            {
                "id": room.id,
                "name": words.name(room.name),
                "sealed": room.session is not None and room.session.state == "sealed",
            }
            for room in house.rooms.values()
        ]

    def _link_drawn(self, words: Words) -> Drawn | None:
        if self._link is None:
            return None
        return {
            "kind": "link",
            "username": self._link.username,
            "text": f"{self._base}/welcome#{self._link.secret}",
            "until": second(words, self._link.expires_utc_ms),
        }

    def _glass(self, row: GlassView, words: Words) -> Drawn:
        names = {room["id"]: room["name"] for room in self._rooms(words)}
        what = [
            words.say(f"settings.{kind}") for kind in ("picture", "sound") if getattr(row, kind)
        ]
        return {
            "id": row.id,
            "room": names.get(row.room_id, row.room_id),
            "what": " + ".join(what),
            "state": row.state.value,
            "minutes": row.minutes,
            "asked_by": row.asked_by,
            "asked": second(words, row.asked_utc_ms),
            "reason": row.reason,
            "decided_by": row.decided_by or "",
            "until": second(words, row.until_utc_ms),
            "used": row.used,
        }

    # --- reading --------------------------------------------------------------------------------

    async def _load(self) -> None:
        self._loading, self._failed = True, False
        self.draw()
        try:
            await self._read()
        except RefusedError as error:
            self._said = error.problem.detail
        except ControllerLost:
            self._failed = True
        self._loading = False
        if not self.client.is_deleted:
            self.draw()

    async def _read(self) -> None:
        match self._tab:
            case "accounts":
                rows: list[AccountView] = []
                after: str | None = ""
                while after is not None:
                    page = await self.api.accounts(after)
                    rows += page.items
                    after = page.next_after
                self._accounts = tuple(rows)
                self._security = await self.api.security()
            case "tokens":
                self._tokens = await self.api.all_tokens()
            case "glass":
                if self.has(*ADMINS):
                    self._security = await self.api.security()
                self._glasses = await self.api.glasses()
            case "audit":
                self._log = await self.api.audit_state()
                found = await self.api.audit(self._asked)
                self._lines, self._next = found.items, found.next_before
            case "security":
                self._security = await self.api.security()

    async def _to_tab(self, event: GenericEventArguments) -> None:
        if event.args in self._tabs:
            self._tab, self._said = str(event.args), ""
            await self._load()

    async def _find(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        asked: dict[str, str | int] = {
            key: str(sent[key])[:80] for key in ("by", "what", "subject") if sent.get(key)
        }
        try:
            day = datetime.fromisoformat(str(sent.get("day") or "")).replace(tzinfo=self.words.zone)
            # The next local midnight: a day has not 24 hours everywhere.
            asked["until"] = int((day + timedelta(days=1)).timestamp() * 1_000) - 1
        except ValueError:
            pass
        self._asked = asked
        await self._load()

    async def _older(self) -> None:
        if self._next is None:
            return
        found = await self._do(self.api.audit(self._asked, self._next), again=False)
        if found is not None:
            self._lines, self._next = self._lines + found.items, found.next_before
            self.draw()

    async def _export(self, event: GenericEventArguments) -> None:
        form = "csv" if event.args == "csv" else "jsonl"
        content = await self._do(self.api.audit_export(form), again=False)
        if content is not None:
            with self.client:
                ui.download.content(content, f"audit.{form}", "application/octet-stream")

    # --- acting ---------------------------------------------------------------------------------

    async def _do(self, doing: Awaitable[T], *, again: bool = True) -> T | None:
        self._busy, self._said = True, ""
        self.draw()
        answer: T | None = None
        try:
            answer = await doing
            self._sent += 1 if again else 0
        except RefusedError as error:
            self._said = " ".join((error.problem.detail, *error.problem.errors))[:400]
        except ControllerLost:
            self._said = say("problem.lost", self.language)
        self._busy = False
        if again:
            said = self._said
            await self._load()
            self._said = said or self._said
        self.draw()
        return answer

    def _invalid(self, error: ValidationError) -> None:
        row = error.errors(include_input=False, include_url=False)[0]
        self._said = f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}"
        self.draw()

    async def _make(self, event: GenericEventArguments) -> None:
        try:
            body = AccountBody(username=str(event.args or "").strip()[:64])
        except ValidationError as error:
            self._invalid(error)
            return
        given = await self._do(self.api.make_account(body))
        if given is not None:
            self._link = given.link
            self.draw()

    async def _step(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        step, username = str(sent.get("step")), str(sent.get("username", ""))[:64]
        if step in STEPS and username:
            await self._do(self.api.account_step(username, step))

    async def _rights(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        try:
            grants = Grants(
                rooms=_listed(sent.get("rooms")),
                sectors=_listed(sent.get("sectors")),  # type: ignore[arg-type]  # checked there
                picture=bool(sent.get("picture")),
                sound=bool(sent.get("sound")),
            )
            body = RightsBody(
                roles=tuple(Role(role) for role in sent.get("roles", ())),
                room_id=sent.get("room_id") or None,
                grants=grants,
            )
            version = int(sent.get("version") or 0)
        except ValidationError as error:
            self._invalid(error)
            return
        except (TypeError, ValueError):
            return
        await self._do(self.api.give_rights(str(sent.get("username"))[:64], body, version))

    async def _new_link(self, event: GenericEventArguments) -> None:
        given = await self._do(self.api.account_link(str(event.args)[:64]))
        if given is not None:
            self._link = given
            self.draw()

    async def _revoke(self, event: GenericEventArguments) -> None:
        await self._do(self.api.revoke_token(str(event.args)[:20]))

    async def _ask_glass(self, event: GenericEventArguments) -> None:
        try:
            body = GlassBody.model_validate(_sent(event))
        except ValidationError as error:
            self._invalid(error)
            return
        await self._do(self.api.ask_glass(body))

    async def _glass_step(self, event: GenericEventArguments) -> None:
        sent = _sent(event)
        if sent.get("step") in {"approve", "refuse", "end"}:
            await self._do(self.api.glass_step(str(sent.get("id"))[:64], str(sent["step"])))

    def _hide(self) -> None:
        self._link = None
        self.draw()


def _sent(event: GenericEventArguments) -> dict[str, Any]:
    return event.args if isinstance(event.args, dict) else {}


def _listed(value: object) -> tuple[str, ...] | None:
    return tuple(str(row) for row in value) if isinstance(value, list) else None


def _account(row: AccountView, words: Words) -> Drawn:
    grants = row.grants
    told = [
        *([", ".join(grants.rooms) or "—"] if grants.rooms is not None else []),
        *[words.say(f"sector.{one.value}") for one in grants.sectors or ()],
    ]
    return {
        "username": row.username,
        "roles": [role.value for role in row.roles],
        "role_names": " · ".join(words.say(f"role.{role.value}") for role in row.roles),
        "grants": grants.model_dump(mode="json"),
        "grant_names": " · ".join(told),
        "room_id": row.room_id or "",
        "disabled": row.disabled,
        "locked": row.locked_until_utc_ms is not None,
        "second_factor": row.second_factor,
        "password_set": row.password_set,
        "external": row.external,
        "login": second(words, row.login_utc_ms),
        "version": row.version,
    }


def _line(row: AuditLine, words: Words) -> Drawn:
    return {
        "seq": row.seq,
        "time": second(words, row.utc_ms),
        "by": row.by or "—",
        "what": row.what.replace("/api/v1", ""),
        "note": row.note,
        "subject": " ".join(f"{key}={value}" for key, value in row.subject.items()),
        "status": row.status or "—",
        "bad": row.status >= 400,
        "address": row.address,
    }


def _log(log: AuditState | None, words: Words) -> Drawn | None:
    if log is None:
        return None
    text = words.say("audit.state").format(
        first=log.first, last=log.last, days=log.days_kept, sha=log.sha256[:12]
    )
    told = text if log.writable else words.say("audit.unwritable")
    return {"writable": log.writable, "text": told}


def _security(view: SecurityView | None, words: Words) -> list[Drawn]:
    if view is None:
        return []

    def yes(said: bool, name: str = "yes", other: str = "no") -> str:  # noqa: FBT001  # a table
        return words.say(f"security.{name if said else other}")

    lock = f"{view.failed_max} {words.say('security.failed')} {view.lock_min}"
    rows = (
        ("profile", words.say(f"security.{view.profile}")),
        ("second_factor", yes(view.second_factor_required, "required", "optional")),
        ("three_admins", yes(view.three_admins)),
        ("idle", f"{view.idle_min} {words.say('security.minutes')}"),
        ("session", f"{view.session_hours} {words.say('security.hours')}"),
        ("password", f"{view.password_min_chars} {words.say('security.chars')}"),
        ("lock", f"{lock} {words.say('security.minutes')}"),
        ("audit", f"{view.audit_days} {words.say('security.days')}"),
        ("oidc", view.oidc or "—"),
    )
    return [{"label": words.say(f"security.{name}"), "value": value} for name, value in rows]
