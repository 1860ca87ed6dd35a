"""Decides what is sent, and sent again: orders and actions that robots have not answered yet."""

from typing import Final

from contracts.units import MonoMs
from controller.core import fleet
from controller.core.outputs import ActionKind, Output
from controller.core.state import Now, SiteState, copied

RESEND_MS: Final = 1_000  # QoS 0 may lose it; a robot answers within 0.3 s
PAUSE_RESEND_MS: Final = 300  # a person is in the way: do not wait for the next second
NEVER: Final = MonoMs(-(10**12))
SENT_KEPT: Final = 1_000  # far more than 50 robots have open at once; an old one costs a resend


def due(site: SiteState, now: Now) -> tuple[SiteState, tuple[Output, ...]]:
    """What is to be sent now, and the state that remembers it."""
    sent: dict[str, MonoMs] | None = None
    outputs: list[Output] = []
    for duty in site.duties.values():
        order = fleet.order_of(duty)
        rows: list[tuple[str, Output, int]] = []
        if order is not None:
            rows.append((f"{order.order_id}#{order.order_update_id}", order, RESEND_MS))
        if duty.actions:
            for action in fleet.actions_of(duty, now.utc_ms):
                hasty = action.action in (ActionKind.PAUSE, ActionKind.RESUME)
                rows.append((action.action_id, action, PAUSE_RESEND_MS if hasty else RESEND_MS))
        for key, output, wait_ms in rows:
            if now.mono_ms - site.sent.get(key, NEVER) >= wait_ms:
                sent = dict(site.sent) if sent is None else sent
                sent[key] = now.mono_ms
                outputs.append(output)
    if sent is None:
        return site, ()
    while len(sent) > SENT_KEPT:
        del sent[next(iter(sent))]
    return copied(site, sent=sent), tuple(outputs)
