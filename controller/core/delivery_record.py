"""Decides which lines of a session's record a step on deliveries leaves: who did what, when, why.

It looks at deliveries before and after, so that no way to change one can forget its line.
"""

from typing import Final

from contracts.api import CustodyEvent, DeliveryState, Sentence
from contracts.api.menu import KINDS
from contracts.api.record import RecordKind
from contracts.units import UtcMs
from controller.core.deliveries import STATE_NAMES, Delivery
from controller.core.outputs import FileRecord
from controller.core.state import Now, SiteState

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "ordered": ("下单", "ordered"),
    "changed": ("修改订单", "changed the order"),
    "approved": ("批准", "approved"),
    "refused": ("未批准", "refused"),
    "pin_issued": ("重新显示取餐码", "showed the PIN anew"),
    "loaded": ("装入并关盖", "loaded and shut"),
    "locked": ("已上锁", "locked"),
    "arrived": ("到达门口", "is at the door"),
    "pin_right": ("取餐码正确", "typed the right PIN"),
    "pin_wrong": ("取餐码错误", "typed a wrong PIN"),
    "pin_locked": ("取餐码连续输错，锁定", "locked it after wrong PINs"),
    "pin_lock_over": ("锁定时间已过", "let PINs be tried again"),
    "release_asked": ("申请免码开箱", "asked to open it without the PIN"),
    "release_refused": ("未批准免码开箱", "refused to open it without the PIN"),
    "released": ("两人批准免码开箱", "released it, two persons"),
    "in_hand": ("移离机器人，取出箱内物品", "took the robot off the floor, and what was in it"),
    "stranded": ("机器人中途停止", "the robot stopped on its way"),
    "battery_low": ("机器人电量不足，送回", "too little battery for this door: it comes back"),
    "ordered_again": ("由另一机器人重送", "sent again with another robot"),
    "emptied": ("已清空", "emptied"),
    "not_emptied": ("未清空", "not emptied in time"),
    "open_tray": ("敞开托盘，未上锁", "open tray: not locked"),
    "collected": ("已取走", "was collected"),
    "cancelled": ("取消", "called it off"),
    "inspected_empty": ("返回检查：箱格为空", "found the compartment empty on return"),
    "inspected_food": ("返回检查：餐食未取", "found what had been sent on return"),
    "inspected_other": (
        "返回检查：发现不属于本单的物品",
        "found something on return that nobody had sent",
    ),
}
"""Custody events that the record tells; what sensors say many times stays in the custody itself."""

_ENDS: Final = (DeliveryState.RETURNED, DeliveryState.CANCELLED, DeliveryState.FAILED)


def after(before: SiteState, now_is: SiteState, now: Now) -> tuple[FileRecord, ...]:
    """The lines of one step."""
    if before.deliveries is now_is.deliveries:
        return ()
    lines: list[FileRecord] = []
    for row in now_is.deliveries.values():
        old = before.deliveries.get(row.id)
        if old is not row:
            lines += _lines(old, row, now)
    return tuple(lines)


def _lines(old: Delivery | None, row: Delivery, now: Now) -> list[FileRecord]:
    had = len(old.custody) if old is not None else 0
    lines = [_event(row, one) for one in row.custody[had:] if one.what in _WORDS]
    if row.ended and (old is None or not old.ended):
        name = STATE_NAMES[row.state]
        why_zh, why_en = (
            ("：" + row.explanation.zh, ": " + row.explanation.en)
            if (row.explanation is not None)
            else ("", "")
        )
        text = Sentence(
            zh=f"{_what(row)[0]}结束（{name.zh}）{why_zh}"[:400],
            en=f"{_what(row)[1]} ended ({name.en}){why_en}"[:400],
        )
        lines.append(_line(row, f"ended_{row.state}", text, "controller", now.utc_ms))
    return lines


def _event(row: Delivery, event: CustodyEvent) -> FileRecord:
    zh, en = _WORDS[event.what]
    what = _what(row)
    why = _why(row, event)
    text = Sentence(
        zh=f"{what[0]}：{event.by} {zh}{'：' + why if why else ''}"[:400],
        en=f"{what[1]}: {event.by} {en}{': ' + why if why else ''}"[:400],
    )
    return _line(row, event.what, text, event.by, event.utc_ms)


def _why(row: Delivery, event: CustodyEvent) -> str:
    if event.what in {"approved", "refused"} and row.approval is not None:
        return row.approval.reason
    if event.what in {"release_asked", "released"}:
        return row.release_reason
    return ""


def _what(row: Delivery) -> tuple[str, str]:
    kind = KINDS[row.kind]
    return f"配送（{kind.zh}）", f"Delivery ({kind.en})"


def _line(row: Delivery, step: str, text: Sentence, by: str, utc_ms: UtcMs) -> FileRecord:
    data = {"step": step, "kind": row.kind.value}
    if row.robot_id is not None:
        data |= {"robot": row.robot_id, "compartment": str(row.compartment or "")}
    return FileRecord(
        room_id=row.room_id,
        utc_ms=utc_ms,
        record_kind=RecordKind.DELIVERY,
        by=by[:80],
        text=text,
        session_id=row.session_id,
        subject=row.id[:80],
        data=data,
    )
