"""Reads JSON and remembers the line of each key and item, so that a mistake can name it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

Key = str | int
KeyPath = tuple[Key, ...]

_WORD: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+)')


class JsonRead(NamedTuple):
    """A JSON document as plain values, and the line (from 1) of each of its keys and items."""

    value: object
    lines: Mapping[KeyPath, int]


class JsonError(ValueError):
    """A text that is no JSON, at a line."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


class _Lines(Mapping[KeyPath, int]):
    """Lines that are looked for when the first is asked for: a sound file never pays for them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: Mapping[KeyPath, int] | None = None

    def _all(self) -> Mapping[KeyPath, int]:
        if self._found is None:
            self._found = _lines_of(self._text)
        return self._found

    def __getitem__(self, path: KeyPath) -> int:
        return self._all()[path]

    def __iter__(self) -> Iterator[KeyPath]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def parse_json(text: str) -> JsonRead:
    """Read a JSON document.

    Raises:
        JsonError: it is none, names a key twice, or is nested too deep; says in which line.
    """
    twice: list[str] = []

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice.extend(name for name in found if names.count(name) > 1)
        return found

    try:
        value = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise JsonError(f"is not JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise JsonError("is nested too deep", 1) from None
    if twice:
        raise JsonError(f"names {twice[0]!r} twice in one object", _line_of_second(text, twice[0]))
    return JsonRead(value, _Lines(text))


def _line_of_second(text: str, key: str) -> int:
    """Where a key stands for the second time in one object."""
    levels: list[_Level] = []
    for word, line in _words(text):
        level = levels[-1] if levels else None
        if word in "}]":
            levels.pop()
        elif word == ",":
            _next_item(level)
        elif word in "{[":
            levels.append(_Level(is_object=word == "{"))
        elif word != ":" and level is not None and level.awaits_key:
            name = json.loads(word)
            if name == key and name in level.seen:
                return line
            level.take(name)
    return 1


def _words(text: str) -> Iterator[tuple[str, int]]:
    """Each word of a JSON text with its line."""
    line, counted = 1, 0
    for found in _WORD.finditer(text):
        start = found.start(1)
        line += text.count("\n", counted, start)
        counted = start
        yield found.group(1), line


class _Level:
    """An object or a list that is being read; ``key`` is where in it we are."""

    __slots__ = ("awaits_key", "is_object", "key", "seen")

    def __init__(self, *, is_object: bool) -> None:
        self.is_object = is_object
        self.awaits_key = is_object
        self.key: Key = 0
        self.seen: set[str] = set()

    def take(self, key: str) -> None:
        """Come to a key."""
        self.seen.add(key)
        self.key, self.awaits_key = key, False


def _lines_of(text: str) -> Mapping[KeyPath, int]:
    """Walk the words of a text that is known to be JSON."""
    lines: dict[KeyPath, int] = {(): 1}
    levels: list[_Level] = []
    for word, line in _words(text):
        level = levels[-1] if levels else None
        if word in "}]":
            levels.pop()
        elif word == ",":
            _next_item(level)
        elif word == ":":
            continue
        elif level is not None and level.awaits_key:
            level.take(json.loads(word))
            lines.setdefault(_path(levels), line)
        else:
            lines.setdefault(_path(levels), line)
            if word in "{[":
                levels.append(_Level(is_object=word == "{"))
    return lines


def _next_item(level: _Level | None) -> None:
    if level is None:
        return
    if level.is_object:
        level.awaits_key = True
    elif isinstance(level.key, int):
        level.key += 1


def _path(levels: list[_Level]) -> KeyPath:
    return tuple(level.key for level in levels)
