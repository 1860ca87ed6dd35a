"""Holds the rules on other sites of a remote evaluation; the controller judges them."""

from typing import Final

from contracts.catalogue.spec import JudgedBy, RuleSpec, Subject, clear, dwell
from contracts.observations import Severity
from contracts.units import Bilingual

LINK_LOST: Final = RuleSpec(
    code="site.link_lost",
    title=Bilingual("与其他中心的链路中断", "Link to another site lost"),
    text=Bilingual(
        "联合场次就绪或封闭期间，长时间收不到另一中心的消息时告警；恢复后解除。各中心独立继续。",
        "Nothing has come from another site of a joint session for long while it is ready or "
        "sealed; clears when it is heard again. Each site goes on alone meanwhile.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SITE,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    # How long the link must be silent is the setting sites.link_lost_s; nothing is added to it.
    parameters=(dwell(0, 0, 60_000), clear(0)),
)

RULES: Final = (LINK_LOST,)
