"""The house's rules as code; each says what to do instead, and is tried on a bad example."""

import ast
import gc
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

import pytest
import yaml

from contracts.units import Bilingual

ROOT: Final = Path(__file__).resolve().parents[1]

LIBRARY: Final = ("contracts", "runtime", "edge", "controller", "robot_bridge")
PRODUCT: Final = (*LIBRARY, "zeroentry")

FUNCTION_LINES_MAX: Final = 60  # what a screen shows
FILE_LINES_MAX: Final = 700  # what one reads in a sitting; split by decision, not by size

CONTRACTS_FILES: Final = {
    "__init__", "admission", "api", "catalogue", "codec", "commands", "devices", "envelope",
    "evidence", "facilities", "layout", "naming", "observations", "topics", "units", "vda5050",
    "zones",
}  # fmt: skip
RUNTIME_FILES: Final = {
    "__init__", "broker", "clock", "http", "json_lines", "logs", "metrics", "mqtt", "outbox",
    "secrets", "settings", "signing", "site", "supervise", "tokens",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One Python file: where it is (from the root), and what it holds."""

    path: str
    text: str
    tree: ast.Module

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.path.removesuffix(".py").split("/"))

    @property
    def is_pure(self) -> bool:
        return self.parts[0] == "contracts" or "core" in self.parts[:-1]

    @property
    def is_product(self) -> bool:
        return self.parts[0] in PRODUCT

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of the tree: walked once for all rules."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def calls(self) -> tuple[tuple[int, str, ast.Call], ...]:
        """Where something is called, its dotted name, and how."""
        return tuple(
            (node.lineno, dotted(node.func), node)
            for node in self.nodes
            if isinstance(node, ast.Call)
        )


Finding = tuple[int, str]
Rule = Callable[[Source], Iterator[Finding]]


def dotted(node: ast.AST) -> str:
    """``a.b.c`` for a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        below = dotted(node.value)
        return f"{below}.{node.attr}" if below else ""
    return ""


def imports(source: Source) -> Iterator[Finding]:
    """Top-level names of everything that a file imports, wherever in it."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


TIME_READERS: Final = re.compile(
    r"^(time\.(time|monotonic|perf_counter|process_time|clock_gettime|thread_time)(_ns)?"
    r"|time\.(localtime|gmtime|strftime|ctime)"
    r"|(datetime\.|dt\.)?(datetime|date)\.(now|utcnow|today))$"
)


def only_the_clock_reads_time(source: Source) -> Iterator[Finding]:
    if not source.is_product or source.path == "runtime/clock.py":
        return
    for line, name, _ in source.calls:
        if TIME_READERS.match(name):
            yield line, f"{name}(): take a runtime.clock.Clock as an argument and ask it"
    for line, name in imports(source):
        if name == "time":
            yield line, "import time: take a runtime.clock.Clock as an argument"


def cancels_are_not_swallowed(source: Source) -> Iterator[Finding]:
    if not source.is_product:
        return
    for line, name, _ in source.calls:
        if name == "asyncio.wait_for":
            # Before Python 3.12 it returns (or raises) what came in the moment of a cancel, and
            # the cancel is gone: a camera's analysis outlived its node because of it.
            yield line, "asyncio.wait_for(): write `async with asyncio.timeout(...)`"


def cores_do_no_io(source: Source) -> Iterator[Finding]:
    if not source.is_pure:
        return
    for line, name, _ in source.calls:
        if name in {"open", "input", "print", "exec", "eval"}:
            yield line, f"{name}() in a core: return an output, let the service act on it"
    for node in source.nodes:
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield node.lineno, "async in a core: a core is step(state, input, now)"


def sleep_stays_out_of_tests(source: Source) -> Iterator[Finding]:
    if source.parts[0] != "tests" or source.path == "tests/fakes/waiting.py":
        return
    for line, name, call in source.calls:
        yields_only = bool(call.args) and getattr(call.args[0], "value", None) == 0
        if name in {"time.sleep", "asyncio.sleep"} and not yields_only:
            yield line, f"{name}(): tests.fakes.waiting.until, or a SimulatedClock"


def patching_stays_out_of_tests(source: Source) -> Iterator[Finding]:
    for line, name in imports(source):
        if name.split(".")[0] in {"mock", "pytest_mock"} or name.startswith("unittest.mock"):
            yield line, f"{name}: pass a typed fake from tests/fakes through the port"
    for line, name, _ in source.calls:
        if name == "monkeypatch.setattr":
            yield line, "monkeypatch.setattr: pass a typed fake through the port"


BANNED_NAMES: Final = {"common", "helper", "helpers", "manager", "mgr", "misc", "util", "utils"}


def names_say_what_is_inside(source: Source) -> Iterator[Finding]:
    for part in source.parts:
        bad = BANNED_NAMES & set(part.split("_"))
        if bad:
            yield 1, f"{bad.pop()!r} in a name says nothing: call it after what it decides or holds"


def modules_say_what_they_decide(source: Source) -> Iterator[Finding]:
    if not source.text.strip():
        return
    docstring = ast.get_docstring(source.tree)
    if docstring is None or len(docstring) < len("Decides X."):
        yield 1, "no module docstring: say in one sentence what it decides or holds"


OWNERS: Final = {
    "aiomqtt": ("runtime/mqtt.py",),
    "paho": ("runtime/mqtt.py",),
    "sqlalchemy": ("controller/store/",),
    "alembic": ("controller/store/",),
    "rclpy": ("robot_bridge/ros.py", "robot_bridge/ros_ways.py"),
}


def each_library_has_one_owner(source: Source) -> Iterator[Finding]:
    if not source.is_product:
        return
    for line, name in imports(source):
        owners = OWNERS.get(name.split(".")[0])
        if owners and not source.path.startswith(owners):
            yield line, f"{name} belongs to {owners[0]}: use its port"


def exceptions_are_caught_narrowly(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if not isinstance(node, ast.ExceptHandler):
            continue
        broad = node.type is None or dotted(node.type) in {"Exception", "BaseException"}
        last = node.body[-1]
        raises_again = isinstance(last, ast.Raise) and last.exc is None
        reason = "# boundary:" in source.lines[node.lineno - 1]
        if broad and not raises_again and not reason:
            yield node.lineno, "catches everything: name the errors, or say `# boundary: why`"


def libraries_do_not_print(source: Source) -> Iterator[Finding]:
    if source.parts[0] not in LIBRARY:
        return
    for line, name, _ in source.calls:
        if name in {"print", "pprint.pprint", "sys.stdout.write"}:
            yield line, f"{name}(): log an event, or return it"


def public_names_are_explained(source: Source) -> Iterator[Finding]:
    if not (source.is_pure or source.parts[0] == "runtime"):
        return
    for node in source.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_") and ast.get_docstring(node) is None:
            yield node.lineno, f"{node.name} has no docstring: shapes, units, errors"


def functions_fit_a_screen(source: Source) -> Iterator[Finding]:
    if not source.is_product or "migrations" in source.parts:  # a migration is a list, not logic
        return
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {length} lines; limit {FUNCTION_LINES_MAX}"


def files_are_read_in_a_sitting(source: Source) -> Iterator[Finding]:
    length = len(source.lines)
    if source.is_product and length > FILE_LINES_MAX:
        yield 1, f"{length} lines; limit {FILE_LINES_MAX}: split by decision"


EXEMPTION: Final = re.compile(r"#\s*(noqa\b|type:\s*ignore)(?P<rest>[^\n]*)")
REASONED: Final = re.compile(r"^(:\s*[A-Z0-9, ]+|\[[a-z-]+(,\s*[a-z-]+)*\])\s*(#|-|\u2014)\s*\S+")


def exemptions_give_their_reason(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.lines, start=1):
        found = EXEMPTION.search(line)
        if found and "EXEMPTION" not in line and not REASONED.match(found["rest"].strip()):
            yield number, f"{found[0].strip()!r}: name the rule and give the reason behind it"


CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
LATIN_WORD: Final = re.compile(r"[A-Za-z]{2,}")


def texts_exist_in_both_languages(source: Source) -> Iterator[Finding]:
    if not source.is_product:
        return
    for line, name, call in source.calls:
        if name.split(".")[-1] not in {"Bilingual", "Named"}:
            continue
        given = {word.arg: word.value for word in call.keywords}
        zh, en = (
            given.get(language, call.args[place] if len(call.args) > place else None)
            for place, language in enumerate(("zh", "en"))
        )
        if isinstance(zh, ast.Constant) and not language_ok(str(zh.value), chinese=True):
            yield line, f"zh text {zh.value!r} is not Chinese"
        if isinstance(en, ast.Constant) and not language_ok(str(en.value), chinese=False):
            yield line, f"en text {en.value!r} is not English"


def language_ok(text: str, *, chinese: bool) -> bool:
    if not text.strip():
        return False
    if chinese:  # a text of symbols alone, such as a unit, is the same in both
        return bool(CHINESE.search(text)) or not LATIN_WORD.search(text)
    return not CHINESE.search(text)


RULES: Final[tuple[Rule, ...]] = (
    only_the_clock_reads_time,
    cancels_are_not_swallowed,
    cores_do_no_io,
    sleep_stays_out_of_tests,
    patching_stays_out_of_tests,
    names_say_what_is_inside,
    modules_say_what_they_decide,
    each_library_has_one_owner,
    exceptions_are_caught_narrowly,
    libraries_do_not_print,
    public_names_are_explained,
    functions_fit_a_screen,
    files_are_read_in_a_sitting,
    exemptions_give_their_reason,
    texts_exist_in_both_languages,
)

DOC: Final = '"""Decides what is bad."""\n'

BAD: Final[tuple[tuple[Rule, str, str], ...]] = (
    (only_the_clock_reads_time, "edge/service.py", "time.monotonic()"),
    (only_the_clock_reads_time, "edge/service.py", "datetime.now(UTC)"),
    (only_the_clock_reads_time, "zeroentry/cli.py", "from time import monotonic"),
    (cancels_are_not_swallowed, "runtime/x.py", "asyncio.wait_for(f(), 1)"),
    (cores_do_no_io, "edge/core/room.py", "open('x')"),
    (cores_do_no_io, "controller/core/alerts.py", "async def step(): ..."),
    (sleep_stays_out_of_tests, "tests/unit/test_x.py", "asyncio.sleep(0.1)"),
    (patching_stays_out_of_tests, "tests/unit/test_x.py", "from unittest.mock import patch"),
    (names_say_what_is_inside, "edge/frame_utils.py", ""),
    (names_say_what_is_inside, "controller/common/x.py", ""),
    (modules_say_what_they_decide, "edge/x.py", "x = 1"),
    (each_library_has_one_owner, "edge/service.py", "import aiomqtt"),
    (each_library_has_one_owner, "controller/api/app.py", "from sqlalchemy.orm import Session"),
    (each_library_has_one_owner, "robot_bridge/sim.py", "import rclpy"),
    (exceptions_are_caught_narrowly, "edge/x.py", "try: ...\nexcept Exception: pass"),
    (exceptions_are_caught_narrowly, "edge/x.py", "try: ...\nexcept: pass"),
    (libraries_do_not_print, "runtime/x.py", "print('x')"),
    (public_names_are_explained, "contracts/x.py", "def f(): return 1"),
    (functions_fit_a_screen, "edge/x.py", "def f():\n" + " x = 1\n" * FUNCTION_LINES_MAX),
    (files_are_read_in_a_sitting, "edge/x.py", "x = 1\n" * FILE_LINES_MAX),
    (exemptions_give_their_reason, "edge/x.py", "x = 1  # no" + "qa: E501"),
    (exemptions_give_their_reason, "edge/x.py", "x = 1  # type" + ": ignore"),
    (texts_exist_in_both_languages, "controller/x.py", "Bilingual('', 'Door')"),
    (texts_exist_in_both_languages, "controller/x.py", "Named(zh='Door', en='Door')"),
)

GOOD: Final[tuple[tuple[Rule, str, str], ...]] = (
    (only_the_clock_reads_time, "runtime/clock.py", "time.monotonic()"),
    (sleep_stays_out_of_tests, "tests/unit/test_x.py", "asyncio.sleep(0)"),
    (exceptions_are_caught_narrowly, "edge/x.py", "try: ...\nexcept BaseException:\n f()\n raise"),
    (exceptions_are_caught_narrowly, "edge/x.py", "try: ...\nexcept Exception: # boundary: a\n 1"),
    (exemptions_give_their_reason, "edge/x.py", "x = 1  # no" + "qa: S105  # a name"),
    (exemptions_give_their_reason, "edge/x.py", "x = 1  # type" + ": ignore[misc]  # its bug"),
    (texts_exist_in_both_languages, "controller/x.py", "Bilingual('门', 'Door')"),
)


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the repository, new ones included, what git ignores left out."""
    gc.disable()  # else it looks through millions of syntax nodes again and again: 7 s against 2
    try:
        return tuple(
            Source(path, text, ast.parse(text, path))
            for path in tracked()
            if path.endswith(".py")
            for text in [(ROOT / path).read_text(encoding="utf-8")]
        )
    finally:
        gc.freeze()
        gc.enable()


def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return sorted(path for path in listed.split("\0") if path and (ROOT / path).is_file())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Rule) -> None:
    findings = [
        f"{source.path}:{line}: {text}" for source in sources() for line, text in rule(source)
    ]
    assert not findings, f"{len(findings)} broken:\n" + "\n".join(findings)


@pytest.mark.parametrize(("rule", "path", "code"), BAD)
def test_each_rule_finds_what_it_is_for(rule: Rule, path: str, code: str) -> None:
    text = code if rule is modules_say_what_they_decide else DOC + code
    assert list(rule(Source(path, text, ast.parse(text)))), f"{rule.__name__} passed over {code!r}"


@pytest.mark.parametrize(("rule", "path", "code"), GOOD)
def test_each_rule_passes_what_is_right(rule: Rule, path: str, code: str) -> None:
    text = DOC + code
    assert not list(rule(Source(path, text, ast.parse(text))))


def test_every_rule_is_tried_on_a_bad_example() -> None:
    assert {rule for rule, _, _ in BAD} == set(RULES)


@pytest.mark.parametrize(
    ("folder", "allowed"), [("contracts", CONTRACTS_FILES), ("runtime", RUNTIME_FILES)]
)
def test_contracts_and_runtime_are_exhaustive(folder: str, allowed: set[str]) -> None:
    found = {
        path.split("/")[1].removesuffix(".py")
        for path in tracked()
        if path.startswith(f"{folder}/")
    }
    assert found <= allowed, (
        f"{found - allowed} in {folder}/: a new file there is a decision. Write an ADR, then add "
        "it here and to import-linter's contract in pyproject.toml"
    )


SECRET_KEY: Final = re.compile(r"(?i)(^|[_-])(password|passwd|secret|token|api_?key|private_?key)$")


@pytest.mark.parametrize(
    "path",
    [path for path in tracked() if path.endswith((".yaml", ".yml"))],
)
def test_no_secret_stands_in_yaml(path: str) -> None:
    bad = [
        key
        for document in yaml.load_all((ROOT / path).read_text(encoding="utf-8"), Loader=Secretless)
        for key, value in pairs(document)
        if SECRET_KEY.search(key) and isinstance(value, str) and value
    ]
    assert not bad, f"{path}: {bad}: name a credential, store it by `zeroentry credential set`"


class Secretless(yaml.SafeLoader):
    """Reads ESPHome's `!secret NAME` as nothing: it names a line of a file that is not here."""


Secretless.add_constructor("!secret", lambda *_: "")


def pairs(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield str(key), below
            yield from pairs(below)
    elif isinstance(value, list):
        for below in value:
            yield from pairs(below)


def site_of(path: str) -> str:
    return "/".join(path.split("/")[:2])


def test_devices_are_declared_inside_a_site() -> None:
    """A site's folder is read whole by tests/unit/test_firmware_configs.py."""
    yamls = [
        p for p in tracked() if p.startswith("firmware_configs/") and p.endswith((".yaml", ".yml"))
    ]
    stray = [path for path in yamls if not (ROOT / site_of(path) / "site.yaml").is_file()]
    assert yamls
    assert not stray, f"{stray}: put it into a site's folder"


# Written in two halves, so that this file does not hold what it looks for.
REGISTRY_HOSTS: Final = tuple(
    first + second
    for first, second in (
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("registry.npm", "js.org"),
        ("deb.debian", ".org"),
        ("archive.ubuntu", ".com"),
        ("proxy.gol", "ang.org"),
        ("/opt/", "pypi"),
        ("/opt/", "wheels"),
    )
)


def test_no_file_names_a_package_registry() -> None:
    """A site installs from the mirror it has; an address in the repository gets in its way."""
    findings = [
        f"{path}: {host}"
        for path in tracked()
        for content in [(ROOT / path).read_bytes()]
        for host in REGISTRY_HOSTS
        if host.encode() in content
    ]
    assert not findings, findings


def test_bilingual_keeps_the_order_of_its_languages() -> None:
    assert Bilingual("门", "Door").zh == "门"
    assert Bilingual("门", "Door").pick("en-GB") == "Door"
