"""Decides what a verification can find, how much it weighs, and what it says in each language."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from contracts.evidence.chain import SAID, Fault, FaultKind
from contracts.units import Bilingual


class Weight(IntEnum):
    """What a finding means for the whole; the value orders them, the heaviest last."""

    REMARK = 0
    """Told, and changes nothing."""
    DOUBT = 1
    """Nothing was found altered, and something cannot be told."""
    FAULT = 2
    """Altered or missing."""


class Exit(IntEnum):
    """The exit code of a verification."""

    WHOLE = 0
    FAULTY = 1
    CANNOT_TELL = 2


class Kind(StrEnum):
    """What can be found beyond what ``contracts.evidence.chain`` judges of single lines."""

    UNREADABLE_LINE = "unreadable_line"
    NO_LINE_FEED = "no_line_feed"
    MISSING_FILE = "missing_file"
    SIZE = "size"
    HASH = "hash"
    UNLISTED_FILE = "unlisted_file"
    UNLISTED_FOLDER = "unlisted_folder"
    FILE_TWICE = "file_twice"
    MISPLACED_FILE = "misplaced_file"
    COPIED_FILE = "copied_file"
    NOT_A_FILE = "not_a_file"
    UNREADABLE_FILE = "unreadable_file"
    DELETED_ALTERED = "deleted_altered"
    TAIL_CUT = "tail_cut"
    REWRITTEN = "rewritten"
    TRACK_MISSING = "track_missing"
    WITNESS_UNREADABLE = "witness_unreadable"
    WITNESS_SIGNATURE = "witness_signature"
    WITNESS_OTHER_KEY = "witness_other_key"
    WITNESS_PLACE = "witness_place"
    ROOT_ORDER = "root_order"
    EXPORT_SHORT = "export_short"
    EXPORT_OTHER = "export_other"
    SEAL = "seal"

    KEYS_FROM_FOLDER = "keys_from_folder"
    NO_NODE_KEY = "no_node_key"
    FIRST_KEY_UNKNOWN = "first_key_unknown"
    NO_CONTROLLER_KEY = "no_controller_key"
    UNWITNESSED = "unwitnessed"
    TORN_TAIL = "torn_tail"
    GONE = "gone"
    NO_ENTRIES = "no_entries"
    NO_RECORDINGS = "no_recordings"
    UNREADABLE_PATH = "unreadable_path"

    WORKING_FILE = "working_file"
    NO_SEAL = "no_seal"
    SEAL_OTHER_KEY = "seal_other_key"
    BEING_WRITTEN = "being_written"
    DELETION_UNFINISHED = "deletion_unfinished"
    KEPT_ASIDE = "kept_aside"
    BEGINS_AT = "begins_at"
    ENDS_AT = "ends_at"
    ENTERED_LATER = "entered_later"
    ELSEWHERE = "elsewhere"
    LEFT_OUT = "left_out"
    CUT_OTHER = "cut_other"
    CUT_SHAPE = "cut_shape"
    CUT_ALTERED = "cut_altered"
    CUT_SOURCE = "cut_source"
    CUT_UNSEALED = "cut_unsealed"
    CUT_TOLD = "cut_told"
    CUT_SHOWN = "cut_shown"
    WITNESS_TORN = "witness_torn"
    CLOCK_BACK = "clock_back"
    CLOCK_UNSURE = "clock_unsure"


KINDS: Final[Mapping[Kind, tuple[Weight, Bilingual]]] = {
    Kind.UNREADABLE_LINE: (
        Weight.FAULT,
        Bilingual("不是有效的清单条目（{0}）", "is no manifest entry ({0})"),
    ),
    Kind.NO_LINE_FEED: (
        Weight.FAULT,
        Bilingual("行尾缺少换行符", "does not end in a line feed: its end was cut or altered"),
    ),
    Kind.MISSING_FILE: (
        Weight.FAULT,
        Bilingual("已登记且未删除的文件不在此处", "was entered, never deleted, and is not here"),
    ),
    Kind.SIZE: (
        Weight.FAULT,
        Bilingual("长度为 {0} 字节；登记为 {1} 字节", "has {0} bytes; it was entered with {1}"),
    ),
    Kind.HASH: (
        Weight.FAULT,
        Bilingual(
            "内容已被更改：SHA-256 为 {0}，登记为 {1}",
            "was altered: its SHA-256 is {0}; it was entered with {1}",
        ),
    ),
    Kind.UNLISTED_FILE: (Weight.FAULT, Bilingual("没有任何条目登记此文件", "is named by no entry")),
    Kind.UNLISTED_FOLDER: (
        Weight.FAULT,
        Bilingual("此文件夹不属于录像", "is a folder that belongs to no recording"),
    ),
    Kind.FILE_TWICE: (
        Weight.FAULT,
        Bilingual("同名文件也在 {0}", "is there a second time: {0}"),
    ),
    Kind.MISPLACED_FILE: (
        Weight.FAULT,
        Bilingual(
            "不在其应在的日期文件夹（{0} 至 {1}）",
            "lies in the folder of a wrong day; it belongs to {0} to {1}",
        ),
    ),
    Kind.COPIED_FILE: (
        Weight.FAULT,
        Bilingual("是 {0} 的副本", "is a copy of {0}"),
    ),
    Kind.NOT_A_FILE: (
        Weight.FAULT,
        Bilingual("是链接或特殊文件，未予打开", "is a link or a special file; it was not opened"),
    ),
    Kind.UNREADABLE_FILE: (Weight.FAULT, Bilingual("无法读取（{0}）", "cannot be read ({0})")),
    Kind.DELETED_ALTERED: (
        Weight.FAULT,
        Bilingual(
            "登记为已删除，却仍在此处且内容不同",
            "was deleted by an entry, and a file of other content is here",
        ),
    ),
    Kind.TAIL_CUT: (
        Weight.FAULT,
        Bilingual(
            "控制器已联署第 {0} 条；此处的链止于第 {1} 条：第 {2} 条起缺失",
            "ends with entry {1}, but the controller countersigned entry {0}: "
            "entry {2} and what follows were cut off",
        ),
    ),
    Kind.REWRITTEN: (
        Weight.FAULT,
        Bilingual(
            "被改写：控制器联署的哈希为 {0}，此处为 {1}",
            "was rewritten: the controller countersigned the hash {0}, the one here has {1}",
        ),
    ),
    Kind.TRACK_MISSING: (
        Weight.FAULT,
        Bilingual(
            "控制器已联署轨道 {0} 的第 {1} 条；该轨道不在此处",
            "lacks the track {0}, of which the controller countersigned entry {1}",
        ),
    ),
    Kind.WITNESS_UNREADABLE: (
        Weight.FAULT,
        Bilingual("不是有效的联署行（{0}）", "is no countersignature ({0})"),
    ),
    Kind.WITNESS_SIGNATURE: (
        Weight.FAULT,
        Bilingual("联署不是由控制器密钥 {0} 签名的", "was not signed by the controller's key {0}"),
    ),
    Kind.WITNESS_PLACE: (
        Weight.FAULT,
        Bilingual(
            "联署属于 {0}，不属于此轨道", "is a countersignature for {0}, not for this track"
        ),
    ),
    Kind.ROOT_ORDER: (
        Weight.FAULT,
        Bilingual(
            "小时根第 {0} 号不接续前一号",
            "holds root number {0}, which does not follow the one before",
        ),
    ),
    Kind.EXPORT_SHORT: (
        Weight.FAULT,
        Bilingual(
            "导出说明为第 {0} 至 {1} 条；此处为第 {2} 至 {3} 条",
            "holds entries {2} to {3}; export.json says {0} to {1}",
        ),
    ),
    Kind.EXPORT_OTHER: (
        Weight.FAULT,
        Bilingual(
            "第一条之前的哈希与导出说明不同", "does not follow what export.json says it follows"
        ),
    ),
    Kind.SEAL: (
        Weight.FAULT,
        Bilingual("与导出封条不符（{0}）", "is not what its seal says ({0})"),
    ),
    Kind.NO_SEAL: (
        Weight.REMARK,
        Bilingual(
            "旁边没有封条 {0}：无从得知导出时是否更长",
            "has no seal {0} beside it: whether it once held more cannot be told",
        ),
    ),
    Kind.SEAL_OTHER_KEY: (
        Weight.DOUBT,
        Bilingual(
            "封条由未给出的密钥 {0} 签名",
            "is sealed by {0}, which is not among the node's keys given",
        ),
    ),
    Kind.WORKING_FILE: (
        Weight.REMARK,
        Bilingual("是未完成的副本，不作证据", "is a copy that was not finished; no evidence"),
    ),
    Kind.KEYS_FROM_FOLDER: (
        Weight.DOUBT,
        Bilingual(
            "密钥取自该文件夹本身：只能证明完整，不能证明来源；请用 --node-key 给出节点公钥",
            "keys taken from the folder itself: proves wholeness, not origin; "
            "give the node's public key with --node-key",
        ),
    ),
    Kind.NO_NODE_KEY: (
        Weight.DOUBT,
        Bilingual(
            "没有节点公钥，无法核验签名；请用 --node-key 给出",
            "there is no public key of the node, so no signature can be checked; give --node-key",
        ),
    ),
    Kind.FIRST_KEY_UNKNOWN: (
        Weight.DOUBT,
        Bilingual(
            "由密钥 {0} 签名，而它不在给出的密钥之中；请给出它，或给出整条链",
            "is signed by {0}, which is not among the keys given; give it, or the whole chain",
        ),
    ),
    Kind.NO_CONTROLLER_KEY: (
        Weight.DOUBT,
        Bilingual(
            "没有控制器公钥，无法核验联署；请用 --controller-key 给出",
            "no key of the controller was given, so countersignatures cannot be checked; "
            "give --controller-key",
        ),
    ),
    Kind.WITNESS_OTHER_KEY: (
        Weight.FAULT,
        Bilingual(
            "联署由密钥 {0} 签名，而它不在给出的控制器密钥之中（密钥若曾更换，请全部给出）",
            "is signed by {0}, which is not among the controller's keys given "
            "(if the controller's key was ever changed, give all of them)",
        ),
    ),
    Kind.UNWITNESSED: (
        Weight.DOUBT,
        Bilingual(
            "到第 {0} 条为止完整；其后至第 {1} 条没有联署",
            "is whole to entry {0}; the tail to entry {1} is unwitnessed",
        ),
    ),
    Kind.TORN_TAIL: (
        Weight.DOUBT,
        Bilingual(
            "最后一行只有一半：正在写入，或写入时断电",
            "is half a line: being written, or the power went while it was",
        ),
    ),
    Kind.GONE: (
        Weight.DOUBT,
        Bilingual(
            "不在此处；其后的清单可能登记了删除：请核验整个轨道文件夹",
            "is not here; a later manifest may have deleted it: verify the track's folder",
        ),
    ),
    Kind.NO_ENTRIES: (Weight.DOUBT, Bilingual("没有任何条目", "holds no entry")),
    Kind.NO_RECORDINGS: (
        Weight.DOUBT,
        Bilingual(
            "不是录像文件夹、轨道文件夹、日期文件夹或导出",
            "is no folder of recordings, track, day or export",
        ),
    ),
    Kind.UNREADABLE_PATH: (Weight.DOUBT, Bilingual("无法读取（{0}）", "cannot be read ({0})")),
    Kind.BEING_WRITTEN: (
        Weight.REMARK,
        Bilingual(
            "正在写入，尚未登记（{0} 字节）", "is being written and not entered yet ({0} bytes)"
        ),
    ),
    Kind.DELETION_UNFINISHED: (
        Weight.REMARK,
        Bilingual(
            "已登记删除但仍在此处，内容未变", "was deleted by an entry and is still here, unaltered"
        ),
    ),
    Kind.KEPT_ASIDE: (
        Weight.REMARK,
        Bilingual(
            "是恢复时移开的残行，不作证据",
            "is a broken line that a recovery set aside; no evidence",
        ),
    ),
    Kind.BEGINS_AT: (
        Weight.REMARK,
        Bilingual(
            "从第 {0} 条开始；此前的内容不在此处",
            "begins with entry {0}; what came before is not part of this",
        ),
    ),
    Kind.ENDS_AT: (
        Weight.REMARK,
        Bilingual(
            "到第 {0} 条为止，如导出说明所述；此后的内容不在此处",
            "ends with entry {0}, as export.json says; what came after is not part of this",
        ),
    ),
    Kind.ENTERED_LATER: (
        Weight.REMARK,
        Bilingual(
            "登记在其后的清单中，未予核验",
            "is entered in a later manifest, if at all: not checked",
        ),
    ),
    Kind.ELSEWHERE: (
        Weight.REMARK,
        Bilingual(
            "第 {0} 号文件在前一日的文件夹中，未予核验",
            "enters file number {0}, which lies in the folder of an earlier day: not checked",
        ),
    ),
    Kind.LEFT_OUT: (
        Weight.REMARK,
        Bilingual("导出说明未包含其中 {0} 个文件", "leaves out {0} files, as export.json says"),
    ),
    Kind.CUT_OTHER: (
        Weight.FAULT,
        Bilingual(
            "称取自轨道 {1} 的第 {0} 号文件，但没有条目登记过这样的文件",
            "is said to be cut from file number {0} of {1}, and no entry names such a file",
        ),
    ),
    Kind.CUT_SHAPE: (
        Weight.FAULT,
        Bilingual(
            "与导出说明所述的第 {0} 号文件的那一部分长度或结构不符",
            "has not the length or the layout of that part of file number {0}",
        ),
    ),
    Kind.CUT_ALTERED: (
        Weight.FAULT,
        Bilingual(
            "与轨道 {1} 第 {0} 号文件自第 {2} 字节起不同",
            "differs from file number {0} of {1} after its byte {2}",
        ),
    ),
    Kind.CUT_SOURCE: (
        Weight.DOUBT,
        Bilingual(
            "所给的轨道 {1} 第 {0} 号文件已不是登记的内容，无法比对",
            "cannot be compared: the file number {0} of {1} given is not what was entered",
        ),
    ),
    Kind.CUT_UNSEALED: (
        Weight.DOUBT,
        Bilingual(
            "称取自轨道 {1} 的第 {0} 号文件，但没有有效封条为证；请用 --sources 给出录像比对",
            "is said to be cut from file number {0} of {1}, and no seal vouches for it; "
            "give the recordings with --sources",
        ),
    ),
    Kind.CUT_TOLD: (
        Weight.REMARK,
        Bilingual(
            "取自轨道 {1} 的第 {0} 号文件：由封条的签名者保证；有录像者可用 --sources 逐字节比对",
            "is cut from file number {0} of {1}: who signed the seal vouches for it; "
            "--sources compares it byte for byte",
        ),
    ),
    Kind.CUT_SHOWN: (
        Weight.REMARK,
        Bilingual(
            "与轨道 {1} 第 {0} 号文件的该部分逐字节一致",
            "is byte for byte that part of file number {0} of {1}",
        ),
    ),
    Kind.WITNESS_TORN: (
        Weight.REMARK,
        Bilingual("联署的最后一行只有一半", "ends in half a countersignature"),
    ),
    Kind.CLOCK_BACK: (
        Weight.REMARK,
        Bilingual(
            "时钟后退了 {0} 秒", "was written after the machine's clock stepped back by {0} s"
        ),
    ),
    Kind.CLOCK_UNSURE: (
        Weight.REMARK,
        Bilingual(
            "{0} 条写于时钟未同步之时",
            "holds {0} entries written while the clock was not synchronised",
        ),
    ),
}

_LAST: Final = 1 << 62  # after every entry: what belongs to none


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: where exactly, and what."""

    kind: Kind | FaultKind
    path: str
    """Of the file, within what was verified."""
    line: int | None = None
    """Line of a manifest or witness file, from 1."""
    sequence: int | None = None
    """The entry it is about."""
    values: tuple[str | int, ...] = ()
    order: int = _LAST
    """Position of the entry in its chain, so that the first fault is the earliest."""

    @property
    def weight(self) -> Weight:
        """What it means for the whole."""
        return Weight.FAULT if isinstance(self.kind, FaultKind) else KINDS[self.kind][0]

    def text(self, language: str) -> str:
        """What was found, in ``zh-CN`` or English; a sentence about ``place``."""
        said = SAID[self.kind] if isinstance(self.kind, FaultKind) else KINDS[self.kind][1]
        return said.pick(language).format(*self.values)

    def place(self, language: str) -> str:
        """The exact file, line and entry."""
        chinese = language.startswith("zh")
        parts = [self.path]
        if self.line is not None:
            parts.append(f"第 {self.line} 行" if chinese else f"line {self.line}")
        if self.sequence is not None:
            parts.append(f"第 {self.sequence} 条" if chinese else f"entry {self.sequence}")
        return ("，" if chinese else ", ").join(parts)


def of_fault(fault: Fault, path: str, line: int, sequence: int, order: int) -> Finding:
    """A fault of the chain as a finding at its place."""
    return Finding(fault.kind, path, line, sequence, fault.values, order)


def exit_of(findings: tuple[Finding, ...]) -> Exit:
    """What the findings amount to."""
    heaviest = max((finding.weight for finding in findings), default=Weight.REMARK)
    return {
        Weight.REMARK: Exit.WHOLE,
        Weight.DOUBT: Exit.CANNOT_TELL,
        Weight.FAULT: Exit.FAULTY,
    }[heaviest]
