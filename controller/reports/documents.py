"""Sets documents as PDF: blocks of plain text in, the bytes of a file out.

What comes from people and machines reaches Typst as data, never as markup: a title that holds
``#import`` is printed as it stands.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

import typst

SERIF: Final = "Noto Serif CJK SC"
SANS: Final = "Noto Sans CJK SC"
"""Of Debian's fonts-noto-cjk. Typst only warns where a font is missing, so ``render`` asks."""
BLOCKS_MAX: Final = 4_000  # a report of hundreds of pages; beyond it something has gone wrong
CELL_MAX: Final = 2_000  # characters of one cell: an expert's whole statement


class DocumentError(Exception):
    """A document cannot be set; says why and what to do."""


class Bold(str):
    """A text that a reader must not miss. Kept apart by its type: data may begin with any sign."""

    __slots__ = ()


class Mono(str):
    """Digits of one width, small: hashes and keys."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """A numbered heading."""

    text: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True)
class Sub:
    """A heading below a heading."""

    text: str
    kind: Literal["sub"] = "sub"


@dataclass(frozen=True, slots=True)
class Para:
    """A paragraph; ``quiet`` is a remark."""

    text: str
    quiet: bool = False
    kind: Literal["para"] = "para"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``widths`` are shares of the line. A cell may be ``Bold`` or ``Mono``."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Facts:
    """Pairs of a name and what it is, in two columns of pairs."""

    pairs: tuple[tuple[str, str], ...]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True, slots=True)
class Figures:
    """A few numbers that sum a document up: figure and name; ``bad`` is set apart by a frame."""

    rows: tuple[tuple[str, str, bool], ...]
    kind: Literal["figures"] = "figures"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of ``Document.files`` with what is written under it."""

    file: str
    caption: str
    detail: str = ""
    kind: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures side by side, two in a line."""

    items: tuple[Picture, ...]
    kind: Literal["pictures"] = "pictures"


@dataclass(frozen=True, slots=True)
class Proof:
    """The frame on the first page: what signs the document, beside a code to be scanned."""

    lines: tuple[tuple[str, str], ...]
    note: str
    code: str
    kind: Literal["proof"] = "proof"


@dataclass(frozen=True, slots=True)
class Signatures:
    """Lines to be signed by hand."""

    names: tuple[str, ...]
    kind: Literal["signatures"] = "signatures"


Block = Heading | Sub | Para | Table | Facts | Figures | Picture | Pictures | Proof | Signatures


@dataclass(frozen=True, slots=True)
class Document:
    """What is set. ``stamp``: printed across each page, of a draft. ``attached``: name -> bytes."""

    language: Literal["zh-CN", "en"]
    title: str
    subtitle: str
    running: str
    page_of: str
    blocks: Sequence[Block]
    stamp: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    attached: Mapping[str, bytes] = field(default_factory=dict)


def render(document: Document, made_utc_ms: int) -> bytes:
    """The document as PDF; the same bytes for the same document. Blocks for some 0.5 s.

    Raises:
        DocumentError: a font is missing, or the document is too long.
    """
    if len(document.blocks) > BLOCKS_MAX:
        raise DocumentError(f"{len(document.blocks)} blocks; the limit is {BLOCKS_MAX}")
    data = {
        "language": "zh" if document.language == "zh-CN" else "en",
        "title": document.title,
        "subtitle": document.subtitle,
        "running": document.running,
        "page_of": document.page_of,
        "stamp": document.stamp,
        "serif": SERIF,
        "sans": SANS,
        "attached": sorted(document.attached),
        "blocks": [_plain(asdict(block)) for block in document.blocks],
    }
    template = files("controller.reports").joinpath("templates", "document.typ").read_bytes()
    sources = {
        "main.typ": template,
        "data.json": json.dumps(data, ensure_ascii=False).encode(),
        **document.files,
        **document.attached,
    }
    with tempfile.TemporaryDirectory(prefix="zeroentry-document-") as folder:
        for name, content in sources.items():
            (Path(folder) / name).write_bytes(content)
        try:
            made, warnings = typst.compile_with_warnings(
                str(Path(folder) / "main.typ"),
                root=folder,
                format="pdf",
                timestamp=made_utc_ms // 1_000,
            )
        except (typst.TypstError, RuntimeError) as error:
            raise DocumentError(f"the document cannot be set: {error}") from error
    missing = sorted({str(row.message) for row in warnings if "font" in str(row.message)})
    if missing:
        raise DocumentError(
            f"{'; '.join(missing)}. Install Debian's fonts-noto-cjk on the controller's machine"
        )
    if not isinstance(made, bytes):
        raise DocumentError("the document came in parts")
    return made


def _plain(value: object) -> object:
    """Texts without control characters and of bounded length, all the way down."""
    match value:
        case Bold():
            return {"bold": _plain(str(value))}
        case Mono():
            return {"mono": _plain(str(value))}
        case str():
            kept = "".join(one if one >= " " or one == "\n" else " " for one in value)
            return kept if len(kept) <= CELL_MAX else kept[:CELL_MAX] + " …"
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return value
