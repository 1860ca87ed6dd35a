"""Writes the draft of a witness report as one page to print, in either language."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from contracts.api import Disposition, Handling, SessionState, WitnessReport, ZoneVerdict
from contracts.devices import Named
from contracts.evidence.entries import GapReason
from contracts.units import UtcMs
from controller.core import deliveries, sessions
from controller.reports import report_words
from controller.reports.curve import curve_svg, unknown_ms
from controller.reports.delivery_lines import lines_of

Language = Literal["zh-CN", "en"]
MINUTE_MS: Final = 60_000

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("见证报告", "Witness report"),
    "draft": ("草稿 · 未签名", "Draft · not signed"),
    "session": ("场次", "Session"),
    "room": ("评标室", "Room"),
    "site": ("中心", "Site"),
    "state": ("状态", "State"),
    "admitted": ("准入人数", "People admitted"),
    "sealed": ("封闭时间", "Sealed"),
    "released": ("解封时间", "Released"),
    "sealed_for": ("封闭时长", "Sealed for"),
    "by": ("操作人", "by"),
    "confirmed": ("边缘节点已确认", "confirmed by the edge node"),
    "alerts": ("预警", "Alerts"),
    "no_alerts": ("封闭期间无预警。", "No alert while the room was sealed."),
    "number": ("编号", "No."),
    "since": ("开始", "Began"),
    "cleared": ("解除", "Cleared"),
    "handling": ("处置", "Handling"),
    "active": ("持续中", "still active"),
    "deliveries": ("机器人配送", "Deliveries by robot"),
    "no_deliveries": ("封闭期间无配送。", "Nothing was delivered while the room was sealed."),
    "delivery": ("配送", "Delivery"),
    "legs": ("行程", "Legs"),
    "zones": ("所经区域与影像证明", "Zones passed, and what was seen there"),
    "zone": ("区域", "Zone"),
    "seen_by": ("影像来源", "Seen by"),
    "entered": ("进入", "Entered"),
    "left": ("离开", "Left"),
    "verdict": ("结论", "Finding"),
    "custody": ("箱格交接记录", "Custody of the compartment"),
    "time": ("时间", "Time"),
    "what": ("事件", "Event"),
    "place": ("位置", "Place"),
    "lid": ("箱盖", "Lid"),
    "lock": ("锁", "Lock"),
    "ordered": ("下单", "ordered"),
    "compartment": ("箱格", "compartment"),
    "robot": ("机器人", "robot"),
    "stills": ("现场画面", "Stills"),
    "made": ("生成于", "Made"),
    "statement": ("说明", "Statement"),
    "still_missing": ("画面未取回", "picture not fetched"),
    "supervisor": ("监督人（签名）", "Supervisor (signature)"),
    "nobody": ("无", "none"),
    "recordings": ("录音录像", "Recordings"),
    "no_recordings": ("本场次没有登记任何录像。", "No recording of this session is on file."),
    "track": ("音视频轨", "Track"),
    "covered": ("已登记录像", "Recorded"),
    "segments": ("段", "segments"),
    "head_at_seal": ("封闭时链尾", "Chain head at seal"),
    "head_at_release": ("解封时链尾", "Chain head at release"),
    "entry": ("条目", "entry"),
    "seal_entry": ("封闭条目", "seal entry"),
    "release_entry": ("解封条目", "release entry"),
    "signed_by": ("签名密钥", "Signing key"),
    "confirmed_key": ("已人工确认", "confirmed by a person"),
    "unconfirmed_key": ("尚未人工确认", "not confirmed by a person"),
    "known_from": ("本控制器的见证始于条目", "witnessed here only from entry"),
    "refused_lines": ("条被拒绝的登记", "refused lines"),
    "never_recorded": ("无录像登记", "nothing on file"),
    "gaps": ("录像缺失", "Gaps in the recordings"),
    "no_gaps": ("封闭期间录像无缺失。", "No recording has a gap while the room was sealed."),
    "gaps_unknown": (
        "没有录像登记，无法说明有无缺失。",
        "Nothing is on file, so gaps cannot be told.",
    ),
    "lasted": ("时长", "Lasted"),
    "reason": ("原因", "Reason"),
    "still_on": ("登记时仍在持续", "still going on when told"),
    "unexplained": (
        "节点未作说明，由控制器发现",
        "not explained by the node; found by the controller",
    ),
}

REASONS: Final[Mapping[GapReason, tuple[str, str]]] = {
    GapReason.STARTING: ("录像启动中", "recorder starting"),
    GapReason.CAMERA_OFFLINE: ("摄像机离线", "camera offline"),
    GapReason.CAMERA_REFUSED: ("摄像机拒绝登录", "camera refused the log-in"),
    GapReason.CAMERA_SILENT: ("摄像机无数据", "camera connected, nothing came"),
    GapReason.STREAM_DAMAGED: ("码流损坏", "stream damaged"),
    GapReason.PICKUP_LOST: ("拾音器断开", "pickup lost"),
    GapReason.DISK_SLOW: ("硬盘过慢", "disk too slow"),
    GapReason.DISK_FULL: ("硬盘已满", "disk full"),
    GapReason.DISK_READ_ONLY: ("硬盘只读", "disk read-only"),
    GapReason.DISK_FAILED: ("硬盘故障", "disk failed"),
    GapReason.SPACE_SAVED: ("为封闭录像保留空间", "stopped to keep room for sealed recordings"),
    GapReason.RECORDER_STOPPED: ("录像程序停止", "recorder stopped"),
    GapReason.RECORDER_CRASHED: ("录像程序崩溃", "recorder crashed"),
    GapReason.POWER_LOST: ("断电", "power lost"),
    GapReason.UNKNOWN: ("原因不明", "reason unknown"),
}

EVENTS: Final[Mapping[str, tuple[str, str]]] = {
    "ordered": ("下单", "ordered"),
    "loaded": ("厨房装餐", "loaded by the kitchen"),
    "locked": ("锁闭", "locked"),
    "arrived": ("到达门口", "arrived at the door"),
    "pin_right": ("取餐码正确", "right PIN"),
    "pin_wrong": ("取餐码错误", "wrong PIN"),
    "collected": ("已取餐并锁闭", "collected, locked again"),
    "cancelled": ("取消", "called off"),
    "changed": ("修改订单", "order changed"),
    "approved": ("批准", "approved"),
    "refused": ("未批准", "refused"),
    "pin_issued": ("重新显示取餐码", "PIN shown anew"),
    "pin_locked": ("取餐码连续输错，锁定", "locked after wrong PINs"),
    "pin_lock_over": ("锁定时间已过", "lock is over"),
    "release_asked": ("申请免码开箱", "opening without PIN asked for"),
    "release_refused": ("未批准免码开箱", "opening without PIN refused"),
    "released": ("两人批准免码开箱", "released by two persons"),
    "inspected_empty": ("返回检查：空", "inspected on return: empty"),
    "inspected_food": ("返回检查：未取", "inspected on return: not taken"),
    "inspected_other": ("返回检查：有其他物品", "inspected on return: something else"),
    "gap": ("无传感器记录", "no word of the sensors"),
    "stranded": ("机器人中途停止", "the robot stopped on its way"),
    "ordered_again": ("由另一机器人重送", "sent again with another robot"),
    "emptied": ("已清空", "emptied"),
    "not_emptied": ("未清空", "not emptied in time"),
    "open_tray": ("敞开托盘，未上锁", "open tray: not locked"),
    "sensors": ("传感器变化", "sensors changed"),
    "open": ("开", "open"),
    "closed": ("关", "closed"),
    "unlocked": ("未锁", "unlocked"),
}

VERDICTS: Final[Mapping[ZoneVerdict, tuple[str, str]]] = {
    ZoneVerdict.NO_UNADMITTED_PERSON: ("无未准入人员", "no unadmitted person"),
    ZoneVerdict.PERSON_SEEN: ("有未准入人员，机器人已避让", "person seen; the robot was held"),
    ZoneVerdict.UNPROVEN: ("无法证明", "unproven"),
}

HANDLINGS: Final[Mapping[Handling, tuple[str, str]]] = {
    Handling.NEW: ("未处理", "new"),
    Handling.ACKNOWLEDGED: ("已确认", "acknowledged"),
    Handling.ASSIGNED: ("已分办", "assigned"),
    Handling.HANDLING: ("处置中", "being handled"),
    Handling.RESOLVED: ("已处置", "resolved"),
    Handling.CLOSED: ("已办结", "closed"),
}

DISPOSITIONS: Final[Mapping[Disposition, tuple[str, str]]] = {
    Disposition.VIOLATION: ("违规", "violation"),
    Disposition.PERMITTED: ("许可", "permitted"),
    Disposition.FALSE: ("误报", "false"),
    Disposition.DEVICE: ("设备", "device"),
    Disposition.TEST: ("测试", "test"),
}


def page(
    report: WitnessReport, stills: Mapping[int, bytes], language: Language, time_zone: str
) -> str:
    """The report as HTML that loads nothing; ``stills``: alert number -> JPEG."""
    column = 0 if language == "zh-CN" else 1
    zone = ZoneInfo(time_zone)

    def when(utc_ms: UtcMs | None, *, day: bool = True) -> str:
        if utc_ms is None:
            return "—"
        moment = datetime.fromtimestamp(utc_ms / 1_000, UTC).astimezone(zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}" if day else f"{moment:%H:%M:%S}"

    def state_name(state: SessionState) -> str:
        return _side(sessions.STATE_NAMES[state], column)

    curve, unknown_for = _curve(report, zone)
    signed = ("第 {} 版 · 已签名", "Version {} · signed")[column]
    environment = Environment(
        loader=PackageLoader("controller.reports"),
        autoescape=select_autoescape(("j2", "html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("witness.html.j2")
    return template.render(
        report=report,
        language=language,
        zone=time_zone,
        words={key: pair[column] for key, pair in WORDS.items()}
        | ({} if report.draft else {"draft": signed.format(report.version)}),
        events={key: pair[column] for key, pair in EVENTS.items()},
        verdicts={key.value: pair[column] for key, pair in VERDICTS.items()},
        handlings={key.value: pair[column] for key, pair in HANDLINGS.items()},
        dispositions={key.value: pair[column] for key, pair in DISPOSITIONS.items()},
        notes=lambda row: lines_of(row, column, when),
        legs={key.value: _side(name, column) for key, name in deliveries.STATE_NAMES.items()},
        reasons={key.value: pair[column] for key, pair in REASONS.items()},
        stills={key: base64.b64encode(data).decode() for key, data in stills.items()},
        when=when,
        lasted=lasted,
        seconds=seconds,
        side=lambda name: _side(name, column),
        state_name=state_name,
        more={key: pair[column] for key, pair in report_words.WORDS.items()},
        roles={key: pair[column] for key, pair in report_words.ROLES.items()},
        standings={key: pair[column] for key, pair in report_words.STANDINGS.items()},
        kinds={key.value: pair[column] for key, pair in report_words.KINDS.items()},
        minutes=lambda ms: -(-ms // MINUTE_MS),
        curve=curve,
        unknown_for=unknown_for,
        most=max((row.people or 0 for row in report.head_counts), default=0),
    )


def _curve(report: WitnessReport, zone: ZoneInfo) -> tuple[str, int]:
    """The head count as a picture for a page (empty: none is on file), and how long it is unknown.

    The same curve as in the PDF.
    """
    points, session = report.head_counts, report.session
    if not points:
        return "", 0
    since = min(points[0].utc_ms, session.sealed_utc_ms or points[0].utc_ms)
    until = session.released_utc_ms or report.made_utc_ms
    svg = curve_svg(points, since, until, session.admitted, zone)
    return base64.b64encode(svg).decode(), unknown_ms(points, until)


def _side(name: Named | object, column: int) -> str:
    return str(getattr(name, ("zh", "en")[column]))


def lasted(ms: int | None) -> str:
    """Hours, minutes, seconds."""
    if ms is None:
        return "—"
    minutes, seconds = divmod(ms // 1_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def seconds(ms: int) -> str:
    """``12.4 s``; from a minute on as hours, minutes, seconds."""
    return f"{ms / 1_000:.1f} s" if ms < 60_000 else lasted(ms)
