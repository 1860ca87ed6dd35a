"""Holds the channels of notices. Their addresses are secrets: a file that its owner alone reads."""

import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, TypeAdapter, ValidationError

from contracts.api import Sentence
from contracts.api.duty import ChannelId, DutyLevel
from contracts.api.notices import ADDRESS_MAX_CHARS, ChannelBody, ChannelList, ChannelView
from contracts.envelope import Strict

CHANNELS_ENV: Final = "ZEROENTRY_NOTICE_CHANNELS"
FILE_NAME: Final = "notice-channels.json"
CHANNELS_MAX: Final = 100  # people and groups of a centre

KINDS: Final = frozenset(
    # webhooks and mail
    {"json", "jsons", "form", "forms", "xml", "xmls", "mailto", "mailtos"}
    # messengers
    | {"wecombot", "dingtalk", "feishu", "lark", "wxpusher", "pushplus", "schan", "bark", "barks"}
    | {"slack", "discord", "workflows", "tgram", "matrix", "matrixs", "mmost", "mmosts", "webex"}
    | {"rocket", "rockets", "gotify", "gotifys", "ntfy", "ntfys", "signal", "signals", "synology"}
    | {"synologys"}
    # SMS gateways
    | {"twilio", "vonage", "nexmo", "plivo", "clicksend", "d7sms", "msg91", "sinch", "bulksms"}
    | {"smseagle", "smseagles", "sns", "46elks", "serwersms", "httpsms", "infobip", "clickatell"}
)
"""What an address may begin with. Others of the library write files, or speak to the machine."""

_HOST_IS_NO_SECRET: Final = frozenset(
    {"json", "jsons", "form", "forms", "xml", "xmls", "mailto", "mailtos"}
)
_READS_FILES: Final = frozenset({"template", "pgp", "pgpkey", "keyfile", "cert", "attach"})
"""Options that let the library open a file of this machine by its name."""


class ChannelRefusedError(Exception):
    """An address that is not taken; the text never shows it."""

    def __init__(self, text: Sentence) -> None:
        super().__init__(text.en)
        self.text = text


class NotTaken(Exception):
    """A message that the channel did not take. The text holds nothing of its address."""


class ChannelFileError(Exception):
    """The file or the variable cannot be read; says which, never what is in it."""


class _Stored(Strict):
    name: str
    address: str = Field(max_length=ADDRESS_MAX_CHARS, repr=False)
    language: str = "zh-CN"
    levels: tuple[DutyLevel, ...] = ()
    enabled: bool = True


class _File(Strict):
    revision: int = 0
    channels: dict[ChannelId, _Stored] = Field(default_factory=dict, repr=False)


_GIVEN: Final = TypeAdapter(dict[ChannelId, _Stored])


@dataclass(frozen=True, slots=True)
class Secret:
    """An address; it shows itself to whoever asks for ``text`` alone."""

    text: str

    def __repr__(self) -> str:
        return "Secret(***)"


class ChannelBook:
    """All channels. Methods block; safe between threads.

    ``check``: whether the library understands an address.
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], check: Callable[[str], bool]
    ) -> None:
        """Read the file and the environment.

        Raises:
            ChannelFileError: one of them cannot be read.
        """
        self._path = folder / FILE_NAME
        self._check = check
        self._lock = threading.Lock()
        self._given = _given(environ.get(CHANNELS_ENV, ""))
        self._file = _read(self._path)

    @property
    def empty(self) -> bool:
        """Whether there is no channel at all, so that nobody is to be told anything."""
        return not self._file.channels and not self._given

    def list(self) -> ChannelList:
        """All channels, without their addresses."""
        with self._lock:
            rows = [_view(key, row, given=True) for key, row in self._given.items()]
            rows += [
                _view(key, row, given=False)
                for key, row in self._file.channels.items()
                if key not in self._given
            ]
            revision = self._file.revision
        return ChannelList(revision=revision, items=tuple(sorted(rows, key=lambda row: row.id)))

    def address(self, channel_id: str) -> Secret | None:
        """Where a channel sends to; None when there is none of this id."""
        with self._lock:
            row = self._given.get(channel_id) or self._file.channels.get(channel_id)
        return None if row is None else Secret(row.address)

    def put(self, channel_id: str, body: ChannelBody, expected: int | None) -> ChannelList | None:
        """Add or replace a channel; None when ``expected`` is not the newest revision any more.

        Raises:
            ChannelRefusedError: its address is not taken, or there are too many.
        """
        if body.address is not None:
            self._accepts(body.address)
        with self._lock:
            if expected is not None and expected != self._file.revision:
                return None
            self._changeable(channel_id)
            before = self._file.channels.get(channel_id)
            address = body.address or (before.address if before else None)
            if address is None:
                raise _refused("新通道需要地址。", "A new channel needs an address.")
            if before is None and len(self._file.channels) >= CHANNELS_MAX:
                raise _refused(
                    f"通道最多 {CHANNELS_MAX} 个。",
                    f"There can be {CHANNELS_MAX} channels at most.",
                )
            row = _Stored(
                name=body.name,
                address=address,
                language=body.language,
                levels=body.levels,
                enabled=body.enabled,
            )
            self._write({**self._file.channels, channel_id: row})
        return self.list()

    def remove(self, channel_id: str, expected: int | None) -> ChannelList | None:
        """Forget a channel and its address; None as for ``put``; KeyError when there is none."""
        with self._lock:
            if expected is not None and expected != self._file.revision:
                return None
            self._changeable(channel_id)
            rows = dict(self._file.channels)
            del rows[channel_id]
            self._write(rows)
        return self.list()

    def _changeable(self, channel_id: str) -> None:
        if channel_id in self._given:
            raise _refused(
                f"通道 {channel_id} 由环境变量 {CHANNELS_ENV} 设定，请在那里修改。",
                f"Channel {channel_id} is set in the variable {CHANNELS_ENV}; change it there.",
            )

    def _accepts(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme.lower() not in KINDS:
            raise _refused(
                "不支持此类地址；请用 json://、mailto://、wecombot://、dingtalk:// 等。",
                "This kind of address is not taken; use json://, mailto://, wecombot://, "
                "dingtalk://, feishu:// or another that docs/guide/notices.md lists.",
            )
        options = {key.lower().lstrip("+-:") for key, _ in parse_qsl(parts.query)}
        if options & _READS_FILES:
            raise _refused(
                "通道地址不得引用本机文件。", "An address may not name a file of this machine."
            )
        if not self._check(address):
            raise _refused(
                "通道地址不完整，请对照 docs/guide/notices.md 填写。",
                "The address lacks a part; compare it with docs/guide/notices.md.",
            )

    def _write(self, rows: Mapping[str, _Stored]) -> None:
        after = _File(revision=self._file.revision + 1, channels=dict(rows))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with suppress(FileNotFoundError):
            fresh.unlink()  # a crash left it
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(after.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._file = after


def _refused(zh: str, en: str) -> ChannelRefusedError:
    return ChannelRefusedError(Sentence(zh=zh, en=en))


def _given(text: str) -> Mapping[str, _Stored]:
    try:
        rows = _GIVEN.validate_python(json.loads(text or "{}"))
    except ValueError:
        raise ChannelFileError(
            f'{CHANNELS_ENV} must be a JSON object {{"ID": {{"name": "...", "address": "..."}}}}'
        ) from None
    wrong = sorted(key for key, row in rows.items() if urlsplit(row.address).scheme not in KINDS)
    if wrong:
        raise ChannelFileError(f"{CHANNELS_ENV}: the address of {', '.join(wrong)} is not taken")
    return rows


def _read(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _File()
    except OSError as error:
        raise ChannelFileError(f"cannot read {path}: {error.strerror}") from error
    if path.stat().st_mode & 0o077:
        raise ChannelFileError(f"{path} holds secrets and others may read it: chmod 600 {path}")
    try:
        return _File.model_validate_json(text)
    except ValidationError:
        raise ChannelFileError(f"{path} is damaged; restore it or remove it") from None


def _view(channel_id: str, row: _Stored, *, given: bool) -> ChannelView:
    parts = urlsplit(row.address)
    shown = parts.scheme in _HOST_IS_NO_SECRET
    return ChannelView(
        id=channel_id,
        name=row.name,
        kind=parts.scheme,
        hint=(parts.hostname or "") if shown else "",
        language=row.language,
        levels=row.levels,
        enabled=row.enabled,
        from_environment=given,
    )
