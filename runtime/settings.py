"""Finds, reads and checks settings: file, environment, command line; tells ALL mistakes at once.

Later sources win: defaults of the model, YAML file, environment, overrides (command line). Each
mistake names its file and line, the environment variable or the option it came from, and says what
is allowed.
"""

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl, urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runtime.logs import is_secret_name, redact_text

FILE_MAX_BYTES: Final = 1_048_576  # a whole site fits in a tenth; more is the wrong file
DEPTH_MAX: Final = 32  # settings of ours are five levels deep
PROBLEMS_MAX: Final = 100  # nobody reads more at once
SHOWN_MAX_CHARS: Final = 60
PASSWORDLESS_URL_HINT: Final = (
    "write the URL without it and store the password encrypted: zeroentry credential set NAME"
)

M = TypeVar("M", bound=BaseModel)

Key = str | int
KeyPath = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``file`` is its origin: ``site.yaml:12``, ``environment X``, ``option x``."""

    file: str
    path: str
    message: str
    allowed: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.path}" if self.path else self.file
        return f"{place}: {self.message}" + (f" (allowed: {self.allowed})" if self.allowed else "")


class SettingsError(Exception):
    """The settings hold mistakes; ``problems`` has all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[:PROBLEMS_MAX])
        count = len(problems)
        title = "1 mistake in the settings" if count == 1 else f"{count} mistakes in the settings"
        super().__init__("\n".join([title + ":", *(f"  {problem}" for problem in self.problems)]))


@dataclass(frozen=True, slots=True)
class Parsed:
    """A YAML document as plain values, and the line (from 1) of each of its keys and items."""

    file: str
    value: object
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """``file:line`` of a path, or of its nearest parent that is in the file."""
        for end in range(len(path), -1, -1):
            line = self.lines.get(path[:end])
            if line is not None:
                return f"{self.file}:{line}"
        return self.file


def parse_yaml_strict(path: Path) -> Parsed:
    """Read one YAML document; refuses duplicate keys, anchors' aliases, custom tags and huge files.

    Raises:
        SettingsError: with every such mistake, or that the file cannot be read.
    """
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise SettingsError([Problem(str(path), "", f"larger than {FILE_MAX_BYTES} bytes")])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([Problem(str(path), "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            [Problem(str(path), "", f"is not UTF-8 at byte {error.start}")]
        ) from None
    return parse_yaml_text(text, file=str(path))


def parse_yaml_text(text: str, *, file: str) -> Parsed:
    """As ``parse_yaml_strict``, for a text that is said to come from ``file``."""
    reader = _Reader(file)
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        value = {} if node is None else reader.value(loader, node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}" if mark else file
        raise SettingsError([Problem(place, "", f"is not YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise SettingsError([Problem(file, "", f"is not YAML: {error}")]) from None
    finally:
        loader.dispose()
    if reader.problems:
        raise SettingsError(reader.problems)
    return Parsed(file, value, reader.lines)


class _Reader:
    """Turns YAML nodes into plain values and remembers lines; collects what it refuses."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._seen: set[int] = set()
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []

    def value(self, loader: yaml.SafeLoader, node: yaml.Node, path: KeyPath) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > DEPTH_MAX:
            self._refuse(node, path, f"nested deeper than {DEPTH_MAX} levels")
            return None
        if not isinstance(node, yaml.ScalarNode) and id(node) in self._seen:
            self._refuse(node, path, "refers to another part by an alias; write it out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(loader, node, path)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self.value(loader, item, (*path, index)) for index, item in items]
        if node.tag not in yaml.SafeLoader.yaml_constructors:
            self._refuse(node, path, f"has the tag {node.tag!r}; tags are not understood")
            return None
        try:
            return _scalar(loader, node)
        except ValueError as error:
            self._refuse(node, path, f"is not what its form says: {error}")
            return None

    def _mapping(
        self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: KeyPath
    ) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, path, "has a key that is not a plain word")
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in result:
                first = self.lines[here]
                self._refuse(key_node, here, f"is there twice; the first is on line {first}")
                continue
            self.lines[here] = key_node.start_mark.line + 1
            result[key] = self.value(loader, value_node, here)
        return result

    def _refuse(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        place = f"{self._file}:{node.start_mark.line + 1}"
        self.problems.append(Problem(place, _dotted(path), message))


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    if ":" in str(node.value) or node.tag.endswith(":timestamp"):
        # YAML 1.1 makes 12:30 a number and a date an object; the model knows better what it wants.
        return str(node.value)
    value: object = loader.construct_object(node)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(node.value)


def load(
    model: type[M],
    *,
    file: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    prefix: str = "ZEROENTRY",
) -> M:
    """Read and check the settings of one process.

    ``environ`` names are ``PREFIX_KEY__KEY``, so ``ZEROENTRY_MQTT__HOST`` is ``mqtt.host``; lists
    are written as YAML (``[a, b]``). ``overrides`` has dotted keys (``mqtt.host``); None means "not
    given".

    Raises:
        SettingsError: with all mistakes of all sources.
    """
    parsed = parse_yaml_strict(file) if file is not None else Parsed("defaults", {})
    sources: dict[KeyPath, str] = {}
    problems: list[Problem] = []
    tree: dict[str, object] = {}
    if isinstance(parsed.value, dict):
        tree = parsed.value
    else:
        problems.append(Problem(parsed.place(()), "", "must hold keys and values at its top"))
    given = [
        *_from_environ(model, environ, prefix, problems),
        *((tuple(key.split(".")), value, f"option {key}") for key, value in overrides.items()),
    ]
    for path, value, source in given:
        if value is not None:
            _put(tree, path, value)
            sources[path] = source
    checked = _validated(model, tree, parsed, sources, problems)
    if checked is None:
        raise SettingsError(problems)
    return checked


def check(model: type[M], parsed: Parsed) -> M:
    """Check one parsed document against a model.

    Raises:
        SettingsError: with all mistakes.
    """
    problems: list[Problem] = []
    checked = _validated(model, parsed.value, parsed, {}, problems)
    if checked is None:
        raise SettingsError(problems)
    return checked


def _validated(
    model: type[M],
    tree: object,
    parsed: Parsed,
    sources: Mapping[KeyPath, str],
    problems: list[Problem],
) -> M | None:
    """The checked settings; None, with ``problems`` filled, when there is any mistake."""
    checked: M | None = None
    try:
        checked = model.model_validate(tree)
    except ValidationError as error:
        rows = error.errors(include_url=False)
        problems += [_problem(model, row, parsed, sources) for row in rows]
    return None if problems else checked


def _from_environ(
    model: type[BaseModel], environ: Mapping[str, str], prefix: str, problems: list[Problem]
) -> Iterator[tuple[KeyPath, object, str]]:
    names = list(model.model_fields)
    for variable in sorted(environ):
        if not variable.startswith(f"{prefix}_"):
            continue
        path = tuple(variable.removeprefix(f"{prefix}_").lower().split("__"))
        source = f"environment {variable}"
        if path[0] in names:
            yield path, _from_text(environ[variable]), source
        elif "__" in variable and difflib.get_close_matches(path[0], names, n=1, cutoff=0.75):
            # Other variables with our prefix are keys and passwords, or settings of another
            # process.
            problems.append(Problem(source, _dotted(path), "unknown key" + _hint(path[0], names)))


def _from_text(text: str) -> object:
    if text.lstrip()[:1] in {"[", "{"}:
        try:
            value: object = yaml.safe_load(text)
        except yaml.YAMLError:
            return text
        return value
    return text


def _put(tree: dict[str, object], path: KeyPath, value: object) -> None:
    here = tree
    for key in path[:-1]:
        below = here.get(str(key))
        if not isinstance(below, dict):
            below = {}
            here[str(key)] = below
        here = below
    here[str(path[-1])] = value


def _problem(
    model: type[BaseModel], row: ErrorDetails, parsed: Parsed, sources: Mapping[KeyPath, str]
) -> Problem:
    path, names = _walk(model, tuple(row["loc"]))
    file = next(
        (sources[path[:end]] for end in range(len(path), 0, -1) if path[:end] in sources),
        parsed.place(path),
    )
    kind, context = row["type"], row.get("ctx", {})
    if kind == "extra_forbidden":
        message = "unknown key" + _hint(str(path[-1]), names)
        return Problem(file, _dotted(path), message, ", ".join(sorted(names)))
    if kind == "missing":
        return Problem(file, _dotted(path), "is missing", "must be given")
    text = str(row["msg"]).removeprefix("Value error, ")
    return Problem(file, _dotted(path), text + _shown(path, row.get("input")), _allowed(context))


def _shown(path: KeyPath, value: object) -> str:
    """The value that was refused, unless it may be a secret."""
    if not isinstance(value, str | int | float) or any(is_secret_name(str(key)) for key in path):
        return ""
    text = redact_text(str(value))
    return f", not {text!r}" if len(text) <= SHOWN_MAX_CHARS and text == str(value) else ""


def _allowed(context: Mapping[str, object]) -> str:
    if "expected" in context:
        return str(context["expected"])
    if "pattern" in context:
        return f"text that matches {context['pattern']}"
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [f"{sign} {context[name]}" for name, sign in signs.items() if name in context]
    lengths = {"min_length": "at least", "max_length": "at most"}
    bounds += [f"{word} {context[name]} long" for name, word in lengths.items() if name in context]
    return ", ".join(bounds)


def _hint(key: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _walk(model: type[BaseModel], location: tuple[Key, ...]) -> tuple[KeyPath, list[str]]:
    """Where pydantic's location is in the document, and the keys allowed beside its last part.

    pydantic puts the tag or the class of a union member into the location; the document has no such
    level.
    """
    path: list[Key] = []
    kinds: list[object] = [model]
    names: list[str] = []
    for part in location:
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        fields = {
            key: info
            for kind in models
            for name, info in kind.model_fields.items()
            for key in {name, info.alias or name}
        }
        if len(kinds) > 1 and part not in fields and not isinstance(part, int):
            member = [kind for kind in models if part in {kind.__name__, *_tags(kind)}]
            if member:
                kinds = list(member)
                continue
        path.append(part)
        names = sorted(fields)
        known = fields.get(str(part))
        kinds = _members(known.annotation) if known else [i for k in kinds for i in _items(k)]
    return tuple(path), names


def _members(annotation: object) -> list[object]:
    """The alternatives of an annotation, without Annotated, Union and aliases."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin is typing.Union or origin is types.UnionType:
        return [kind for member in get_args(annotation) for kind in _members(member)]
    return [annotation]


def _items(annotation: object) -> list[object]:
    """What a list, tuple or mapping holds."""
    members = [kind for kind in get_args(annotation) if kind is not Ellipsis]
    return _members(members[-1]) if members else []


def _tags(model: type[BaseModel]) -> set[object]:
    """The literal values that pick this model out of a tagged union."""
    return {
        value
        for info in model.model_fields.values()
        if get_origin(info.annotation) is typing.Literal
        for value in get_args(info.annotation)
    }


def _dotted(path: KeyPath) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def refuse_url_password(url: str) -> str:
    """``url`` itself, when it holds no password in its authority or its query.

    Raises:
        ValueError: it does; says how to store it properly, without repeating it.
    """
    parts = urlsplit(url)
    if parts.password is not None:
        raise ValueError(f"the URL contains a password; {PASSWORDLESS_URL_HINT}")
    for name, value in parse_qsl(parts.query):
        if value and is_secret_name(name):
            raise ValueError(f"the URL contains a password in {name!r}; {PASSWORDLESS_URL_HINT}")
    return url


CredentialFreeUrl = Annotated[str, AfterValidator(refuse_url_password)]
"""A URL without a password; pydantic refuses one that has it."""


def expand_path(text: str, *, base: Path) -> Path:
    """A path of the settings; a relative one starts at ``base`` (the settings file's folder)."""
    path = Path(text).expanduser()
    return path if path.is_absolute() else base / path
