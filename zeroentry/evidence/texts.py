"""Holds what the commands of evidence say, in Chinese and in English."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from contracts.evidence.entries import GapReason
from contracts.units import Bilingual


class Language(StrEnum):
    """In which language people are spoken to."""

    EN = "en"
    ZH = "zh-CN"


def language_of(environ: Mapping[str, str]) -> Language:
    """The language that a terminal asks for, as POSIX orders the variables."""
    asked = next(
        (environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), ""
    )
    return Language.ZH if asked.lower().startswith("zh") else Language.EN


def language_here() -> Language:
    """The language of the terminal that started this process."""
    return language_of(os.environ)


GAP_REASONS: Final[Mapping[GapReason, Bilingual]] = {
    GapReason.STARTING: Bilingual("正在启动", "starting"),
    GapReason.CAMERA_OFFLINE: Bilingual("摄像机离线", "camera offline"),
    GapReason.CAMERA_REFUSED: Bilingual("摄像机拒绝登录", "camera refused the login"),
    GapReason.CAMERA_SILENT: Bilingual("摄像机无数据", "camera silent"),
    GapReason.STREAM_DAMAGED: Bilingual("码流损坏", "stream damaged"),
    GapReason.PICKUP_LOST: Bilingual("拾音器丢失", "pickup lost"),
    GapReason.DISK_SLOW: Bilingual("磁盘过慢", "disk too slow"),
    GapReason.DISK_FULL: Bilingual("磁盘已满", "disk full"),
    GapReason.DISK_READ_ONLY: Bilingual("磁盘只读", "disk read-only"),
    GapReason.DISK_FAILED: Bilingual("磁盘故障", "disk failed"),
    GapReason.SPACE_SAVED: Bilingual(
        "为封存录像让出空间", "stopped to keep room for what is sealed"
    ),
    GapReason.RECORDER_STOPPED: Bilingual("录像程序被停止", "recorder stopped"),
    GapReason.RECORDER_CRASHED: Bilingual("录像程序崩溃", "recorder crashed"),
    GapReason.POWER_LOST: Bilingual("断电", "power lost"),
    GapReason.UNKNOWN: Bilingual("原因不明", "unknown"),
}

TEXTS: Final[Mapping[str, Bilingual]] = {
    "track": Bilingual("轨道", "track"),
    "entries": Bilingual("条目", "entries"),
    "segments": Bilingual("片段", "segments"),
    "deleted": Bilingual("已删除", "deleted"),
    "recorded": Bilingual("录像时长", "recorded"),
    "gaps": Bilingual("缺口", "gaps"),
    "signatures": Bilingual("签名", "signatures"),
    "countersigned": Bilingual("联署至", "countersigned to"),
    "verdict": Bilingual("结论", "verdict"),
    "day": Bilingual("日期", "day"),
    "size": Bilingual("大小", "size"),
    "sessions": Bilingual("封存会议", "sealed sessions"),
    "holds": Bilingual("司法保全", "legal holds"),
    "key": Bilingual("密钥编号", "key id"),
    "what": Bilingual("用途", "what it is"),
    "fingerprint": Bilingual("公钥的 SHA-256", "SHA-256 of the raw public key"),
    "file": Bilingual("文件", "file"),
    "public": Bilingual("公钥", "public key"),
    "node_private": Bilingual("节点私钥", "the node's private key"),
    "controller_private": Bilingual("控制器私钥", "the controller's private key"),
    "gap": Bilingual("缺口", "gap"),
    "gap_open": Bilingual("（尚未结束）", " (goes on)"),
    "still": Bilingual("（进行中）", " (still)"),
    "fault": Bilingual("异常", "FAULT"),
    "doubt": Bilingual("存疑", "doubt"),
    "remark": Bilingual("说明", "note"),
    "more": Bilingual("……另有 {0} 项（--json 列出全部）", "... and {0} more (--json lists all)"),
    "whole": Bilingual("完整", "whole"),
    "faulty": Bilingual("被更改或缺失", "altered or missing"),
    "cannot_tell": Bilingual("无法判定", "cannot tell"),
    "end_whole": Bilingual(
        "完整：{0} 条轨道、{1} 个文件，全部条目均有控制器联署，最后一次为 {2}。",
        "Whole: {0} tracks, {1} files; every entry is covered by the controller's "
        "countersignature, the last of {2}.",
    ),
    "end_faulty": Bilingual(
        "被更改或缺失：{0} 处异常。第一处：{1}：{2}。",
        "Altered or missing: {0} faults. The first: {1}: {2}.",
    ),
    "end_cannot_tell": Bilingual(
        "无法判定：{0} 个文件已核验，未发现更改；但 {1}：{2}。",
        "Cannot tell: {0} files were checked and none is altered; but {1}: {2}.",
    ),
    "no_heads": Bilingual(
        "联署取自录像文件夹本身；要排除尾部连同联署一并被截去，请用 --heads 给出控制器的记录。",
        "The countersignatures came from the folder itself. To rule out that its tail was cut "
        "together with them, give the controller's own record with --heads.",
    ),
    "unverified": Bilingual(
        "以上为清单所载，未经核验：zeroentry evidence verify",
        "This is what the manifests say, unverified: zeroentry evidence verify",
    ),
    "held": Bilingual(
        "保全 {0} 已写入 {1} 条轨道。解除：zeroentry evidence release",
        "Hold {0} is written into {1} chains. To lift it: zeroentry evidence release",
    ),
    "released": Bilingual("保全 {0} 已在 {1} 条轨道中解除。", "Hold {0} is lifted in {1} chains."),
    "rotated": Bilingual(
        "新密钥已生成，{0} 条链已移交。请把新公钥交给核验人。",
        "A new key was made, and {0} chains were handed over to it. "
        "Give its public key to whoever verifies.",
    ),
    "no_recorder": Bilingual(
        "录像程序未在 {0} 应答（{1}）。请先启动：zeroentry recorder --config …",
        "No recorder answers at {0} ({1}). Start it: zeroentry recorder --config ...",
    ),
    "recorder_refused": Bilingual("录像程序拒绝：{0}", "The recorder refused: {0}"),
    "no_recordings": Bilingual("{0} 中没有录像", "{0} holds no recordings"),
    "no_keys": Bilingual("{0} 中没有密钥", "{0} holds no keys"),
    "bad_time": Bilingual(
        "{0} 不是时间；示例：2026-11-22T08:00:00Z", "{0} is no time; e.g. 2026-11-22T08:00:00Z"
    ),
    "bad_value": Bilingual("{0}：{1}", "{0}: {1}"),
    "exporting": Bilingual("正在导出", "exporting"),
    "exported": Bilingual(
        "{0}：{1} 个文件，SHA-256 {2}；封条：{3}；未包含 {4} 个文件（已删除，或不在该时段内）。",
        "{0}: {1} files, SHA-256 {2}; seal: {3}; {4} files left out "
        "(deleted, or outside the interval).",
    ),
    "hashing": Bilingual("正在计算哈希", "hashing"),
}


def say(name: str, language: Language, *values: object) -> str:
    """One text, filled."""
    return TEXTS[name].pick(language).format(*values)
