"""Decides whether the files of a witness report are whole, altered, or beyond judging. Offline."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from contracts.api.report import SIGNED_FILES, ReportFile, ReportStatement
from contracts.evidence.chain import spelled_exactly
from contracts.evidence.lines import KeyId, LineError, split_line
from contracts.evidence.report_bundle import BUNDLE_MAX_BYTES, BundleError, unpack
from contracts.units import Bilingual
from runtime.signing import KeyFileError, PublicKeys, public_pem

SIGNATURE_SUFFIX: Final = ".sig"
SIGNED: Final = {name.value: name for name in SIGNED_FILES}
KNOWN: Final = frozenset(name.value for name in ReportFile) - {ReportFile.BUNDLE.value}


class Exit(IntEnum):
    """What a judgement comes to; the exit code."""

    WHOLE = 0
    ALTERED = 1
    CANNOT_TELL = 2


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was found; ``exit`` is what it comes to by itself."""

    exit: Exit
    file: str
    text: Bilingual


@dataclass(slots=True)
class Judgement:
    """What was found, and the statement where there is a sound one."""

    remarks: list[Remark] = field(default_factory=list)
    statement: ReportStatement | None = None

    @property
    def exit(self) -> Exit:
        """Altered beats cannot tell beats whole."""
        codes = {row.exit for row in self.remarks}
        if Exit.ALTERED in codes:
            return Exit.ALTERED
        return Exit.CANNOT_TELL if Exit.CANNOT_TELL in codes or not codes else Exit.WHOLE

    def add(self, exit_: Exit, file: str, zh: str, en: str) -> None:
        """Note a finding."""
        self.remarks.append(Remark(exit_, file, Bilingual(zh, en)))


def gather(paths: Sequence[Path], judgement: Judgement) -> dict[str, bytes]:
    """The files to judge by their names of a bundle: from a ZIP, a folder, or given one by one.

    A name may have something before it, as a download has: ``S1-v1-report.zh.pdf``.

    Raises:
        OSError: something cannot be read.
    """
    files: dict[str, bytes] = {}
    for path in paths:
        for one in sorted(path.iterdir()) if path.is_dir() else [path]:
            if one.is_file():
                _take(one, files, judgement)
    return files


def _take(path: Path, files: dict[str, bytes], judgement: Judgement) -> None:
    with path.open("rb") as opened:
        raw = opened.read(BUNDLE_MAX_BYTES + 1)
    if path.name.endswith(".zip"):
        try:
            files |= unpack(raw)
        except BundleError as error:
            judgement.add(Exit.ALTERED, path.name, f"压缩包被改动：{error}", str(error))
        return
    names = [name for name in KNOWN if path.name == name or path.name.endswith("-" + name)]
    if not names:
        judgement.add(
            Exit.CANNOT_TELL,
            path.name,
            f"文件名应以 {ReportFile.JSON.value}、{ReportFile.PDF_ZH.value} 等结尾，无法判断。",
            f"is no file of a report by its name ({ReportFile.PDF_EN.value} and so on)",
        )
        return
    files[max(names, key=len)] = raw


def judge(files: Mapping[str, bytes], keys: PublicKeys | None, judgement: Judgement) -> None:
    """Judge what was gathered; ``keys``: those that the reader trusts, None: he gave none."""
    known = _keys(files, keys, judgement)
    statement = _statement(files, known, judgement)
    judgement.statement = statement
    for name in sorted(set(files) - KNOWN):
        judgement.add(Exit.ALTERED, name, "不属于报告的文件。", "does not belong to a report")
    content = [name for name in SIGNED if name in files]
    if not content and statement is not None:
        judgement.add(
            Exit.CANNOT_TELL, "", "只有声明，没有报告文件。", "a statement, and no file of a report"
        )
    for name in content:
        _content(name, files, statement, known, judgement)
    for name in sorted(files):
        of = name.removesuffix(SIGNATURE_SUFFIX)
        if name.endswith(SIGNATURE_SUFFIX) and of not in files:
            judgement.add(Exit.CANNOT_TELL, name, "缺少被签名的文件。", f"{of} is not here")
    if statement is not None and ReportFile.JSON.value in files:
        _said(files[ReportFile.JSON.value], statement, judgement)


def _keys(files: Mapping[str, bytes], given: PublicKeys | None, judgement: Judgement) -> PublicKeys:
    enclosed = PublicKeys()
    pem = files.get(ReportFile.KEY.value)
    if pem is not None:
        try:
            enclosed.add_pem(pem, said=ReportFile.KEY.value)
        except KeyFileError as error:
            judgement.add(Exit.ALTERED, ReportFile.KEY.value, f"公钥损坏：{error}", str(error))
        else:
            # A changed byte that the decoder forgives (a line break) must still be found.
            (key,) = enclosed.ids
            if public_pem(enclosed.raw(key)) != pem:
                judgement.add(
                    Exit.ALTERED,
                    ReportFile.KEY.value,
                    "公钥文件被改动。",
                    "was changed in its form",
                )
    if given is not None:
        if enclosed.ids and not enclosed.ids & given.ids:
            judgement.add(
                Exit.ALTERED,
                ReportFile.KEY.value,
                "所附公钥不是您信任的公钥。",
                "the enclosed key is not the one that you trust",
            )
        return given
    judgement.add(
        Exit.CANNOT_TELL,
        "",
        "未给出中心公钥（--controller-key）：只能证明内部一致，不能证明由谁签发。",
        "no key was given (--controller-key): this shows that it is consistent, not whose it is",
    )
    return enclosed


def _statement(
    files: Mapping[str, bytes], keys: PublicKeys, judgement: Judgement
) -> ReportStatement | None:
    name = ReportFile.STATEMENT.value
    raw = files.get(name)
    if raw is None:
        return None
    try:
        line = split_line(raw.removesuffix(b"\n"))
        statement = ReportStatement.model_validate_json(line.signed)
    except (LineError, ValidationError) as error:
        said = str(error).splitlines()[0]
        judgement.add(Exit.ALTERED, name, f"声明无法读取：{said}", f"cannot be read: {said}")
        return None
    if not raw.endswith(b"\n") or not spelled_exactly(line):
        judgement.add(Exit.ALTERED, name, "声明的写法被改动。", "was changed in its form")
        return None
    return (
        statement
        if _signed(name, statement.key, line.signed, line.signature, keys, judgement)
        else None
    )


def _signed(  # one signature and everything it is judged by
    name: str,
    key: KeyId,
    data: bytes,
    signature: bytes,
    keys: PublicKeys,
    judgement: Judgement,
) -> bool:
    if key not in keys:
        judgement.add(
            Exit.CANNOT_TELL,
            name,
            f"由密钥 {key} 签名，但未给出该公钥。",
            f"is signed by {key}, which was not given",
        )
        return False
    if not keys.verify(key, data, signature):
        judgement.add(
            Exit.ALTERED, name, f"签名无效（{key}）。", f"its signature by {key} is false"
        )
        return False
    judgement.add(Exit.WHOLE, name, f"签名有效（{key}）。", f"its signature by {key} is right")
    return True


def _content(
    name: str,
    files: Mapping[str, bytes],
    statement: ReportStatement | None,
    keys: PublicKeys,
    judgement: Judgement,
) -> None:
    data, signature = files[name], files.get(name + SIGNATURE_SUFFIX)
    if statement is None and signature is None:
        judgement.add(
            Exit.CANNOT_TELL,
            name,
            "缺少有效的 statement.json 或签名文件，无法判断。",
            "neither a sound statement.json nor its .sig is here",
        )
        return
    if statement is not None:
        sha256 = hashlib.sha256(data).hexdigest()
        if statement.files.get(name) != sha256:
            said = statement.files.get(name, "—")
            judgement.add(
                Exit.ALTERED,
                name,
                f"SHA-256 {sha256} 与声明的 {said} 不符。",
                f"SHA-256 is {sha256}, the statement says {said}",
            )
            return
        judgement.add(Exit.WHOLE, name, f"SHA-256 相符：{sha256}", f"SHA-256 as stated: {sha256}")
    if signature is not None:
        for key in sorted(keys.ids):
            if keys.verify(key, data, signature):
                judgement.add(
                    Exit.WHOLE,
                    name,
                    f"文件签名有效（{key}）。",
                    f"its own signature by {key} is right",
                )
                return
        exit_ = Exit.ALTERED if keys.ids else Exit.CANNOT_TELL
        judgement.add(
            exit_,
            name + SIGNATURE_SUFFIX,
            "文件签名与所给公钥不符。",
            "is no signature of the file by a key that was given",
        )


def _said(raw: bytes, statement: ReportStatement, judgement: Judgement) -> None:
    """The statement must be of this very report, and not of another one of the house."""
    try:
        told = json.loads(raw)
        same = (told["session"]["id"], told["version"]) == (statement.session, statement.version)
    except (ValueError, KeyError, TypeError):
        same = False
    if not same:
        judgement.add(
            Exit.ALTERED,
            ReportFile.JSON.value,
            "场次或版本与声明不同。",
            "names another session or version than the statement",
        )
