"""Decides what a report says of a delivery beside custody and proof: what, approval, release."""

from collections.abc import Callable, Mapping
from typing import Final

from contracts.api import DeliveryView, Found
from contracts.api.menu import KINDS, PORTIONS
from contracts.units import UtcMs

_FOUND: Final[Mapping[Found, tuple[str, str]]] = {
    Found.EMPTY: ("空", "empty"),
    Found.FOOD: ("所送物品未取", "what had been sent, not taken"),
    Found.OTHER: ("发现不属于本单的物品", "something that nobody had sent"),
}


def lines_of(
    row: DeliveryView, column: int, when: Callable[[UtcMs | None], str]
) -> tuple[str, ...]:
    """Sentences in the language of ``column``; the approval and both persons of a release by name.

    Dishes go by their ids: a menu changes, a report does not.
    """
    return tuple(
        pair[column]
        for pair in (_what(row), _wanted(row, when), *_approval(row, when), *_release(row, when),
                     *_inspection(row, when))
        if pair is not None
    )  # fmt: skip


def _what(row: DeliveryView) -> tuple[str, str]:
    kind = KINDS[row.kind]
    items = [f"{line.count} × {line.dish}" for line in row.lines]
    zh = [
        f"{item}（{PORTIONS[line.portion].zh}）"
        for item, line in zip(items, row.lines, strict=True)
    ]
    en = [
        f"{item} ({PORTIONS[line.portion].en})" for item, line in zip(items, row.lines, strict=True)
    ]
    return f"{kind.zh}：{'、'.join(zh)}", f"{kind.en}: {', '.join(en)}"


def _wanted(row: DeliveryView, when: Callable[[UtcMs | None], str]) -> tuple[str, str] | None:
    if row.window is None:
        return None
    since, until = when(row.window.from_utc_ms), when(row.window.until_utc_ms)
    return f"要求送达：{since} 至 {until}", f"wanted at the door: {since} to {until}"


def _approval(
    row: DeliveryView, when: Callable[[UtcMs | None], str]
) -> tuple[tuple[str, str], ...]:
    said = row.approval
    if said is None:
        return ()
    zh, en = ("批准", "approved") if said.approved else ("未批准", "refused")
    at = when(said.utc_ms)
    return ((f"{zh}：{said.by}，{at}，{said.reason}", f"{en} by {said.by}, {at}: {said.reason}"),)


def _release(row: DeliveryView, when: Callable[[UtcMs | None], str]) -> tuple[tuple[str, str], ...]:
    asked = row.release
    if asked is None or not asked.approved_by:
        return ()
    at = when(asked.asked_utc_ms)
    first, second, why = asked.asked_by, asked.approved_by, asked.reason
    zh = f"免码开箱：{first} 申请（{at}，{why}），{second} 批准"
    en = f"opened without the PIN: asked for by {first} ({at}: {why}), approved by {second}"
    return ((zh, en),)


def _inspection(
    row: DeliveryView, when: Callable[[UtcMs | None], str]
) -> tuple[tuple[str, str], ...]:
    seen = row.inspected
    if seen is None:
        return ()
    zh, en = _FOUND[seen.found]
    told = f"{seen.by}, {when(seen.utc_ms)}"
    return ((f"返回检查：{zh}（{told}）", f"looked into on return: {en} ({told})"),)
