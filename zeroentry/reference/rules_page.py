"""Makes the page of the catalogue: every rule in both languages, and how each is set."""

from typing import Final

from contracts.catalogue import CATALOGUE, Evidence, JudgedBy, Parameter, RuleSpec, Subject, When
from contracts.observations import Mode, Severity
from contracts.units import Bilingual
from zeroentry.reference.tables import NOTE, table

GROUPS: Final = {
    "area": Bilingual("封闭区域", "Closed area"),
    "zone": Bilingual("画面区域", "Zones on a picture"),
    "phone": Bilingual("手机", "Phones"),
    "camera": Bilingual("摄像机", "Cameras"),
    "sound": Bilingual("声音", "Sound"),
    "robot": Bilingual("机器人", "Robots"),
    "node": Bilingual("节点与录像", "Nodes and recordings"),
    "site": Bilingual("其他中心", "Other sites"),
}

SEVERITIES: Final = {
    Severity.ALARM: Bilingual("报警（响铃）", "alarm (sounds)"),
    Severity.WARNING: Bilingual("警告（显示）", "warning (shows)"),
    Severity.NOTICE: Bilingual("提示（列出）", "notice (is listed)"),
}

MODES: Final = {
    Mode.ON: Bilingual("启用", "on"),
    Mode.SHADOW: Bilingual("影子", "shadow"),
    Mode.OFF: Bilingual("停用", "off"),
}

TIMES: Final = {
    When.ALWAYS: Bilingual("始终", "always"),
    When.SEALED: Bilingual("封闭时", "while sealed"),
    When.UNSEALED: Bilingual("未封闭时", "while not sealed"),
}

SUBJECTS: Final = {
    Subject.ROOM: Bilingual("房间", "room"),
    Subject.CAMERA: Bilingual("摄像机", "camera"),
    Subject.SOURCE: Bilingual("声源", "sound source"),
    Subject.ZONE: Bilingual("画面区域", "zone"),
    Subject.TRACK: Bilingual("录像轨", "recorded track"),
    Subject.NODE: Bilingual("节点", "node"),
    Subject.ROBOT: Bilingual("机器人", "robot"),
    Subject.SITE: Bilingual("其他中心", "other site"),
    Subject.FACILITY: Bilingual("门、电梯或火警", "door, lift or fire alarm"),
}

JUDGES: Final = {
    JudgedBy.EDGE: Bilingual("边缘节点", "edge node"),
    JudgedBy.CONTROLLER: Bilingual("控制器", "controller"),
}

PROOFS: Final = {
    Evidence.PICTURE: Bilingual("画面", "picture"),
    Evidence.CLIP: Bilingual("录像片段", "clip"),
    Evidence.SOUND: Bilingual("声音片段", "sound"),
}

HEAD: Final = """\
What is watched for, by which machine, and what each rule may be set to.
规则目录：看什么、由谁判断、可设什么。

- **Mode 模式**. `off` 停用: not judged. `shadow` 影子: judged, kept and counted, and nobody is
  told; a new rule starts so. `on` 启用: people are told.
- **How an alert begins and ends 起止**. The condition must hold without a break for `dwell_ms`;
  then one alert begins, and stands with a growing duration however long it lasts. It clears when
  the condition has been gone without a break for `clear_ms`. In between nothing is said twice.
  What cannot be seen (a camera away) neither begins nor clears an alert.
  条件连续满足 `dwell_ms` 才告警，一次持续只有一条；连续消失 `clear_ms` 才解除。
- **Risk point 风险点**. Each centre enters its own code (`risk_code`); none is in the catalogue.
- **How to set 如何设置**. Later lies over earlier: catalogue < `rules:` in the node's file <
  site < room < session. `PUT /api/v1/rules/CODE`, `/api/v1/areas/AREA/rules/CODE`,
  `/api/v1/areas/AREA/sessions/SESSION/rules/CODE`; a sealed room needs a second person.
  With examples: [guide/rules.md](../guide/rules.md). Rules that the controller judges are set
  there.
"""


def rules_page() -> str:
    """The catalogue of anomalies in both languages, with each parameter's unit and bounds."""
    lines = [NOTE, "", "# Rules 规则", "", *HEAD.splitlines(), ""]
    for group, name in GROUPS.items():
        rules = [rule for rule in CATALOGUE.values() if rule.group == group]
        lines += [f"## {name.zh} / {name.en}", "", *_overview(rules), ""]
        for rule in rules:
            lines += _rule(rule)
    return "\n".join(lines).rstrip() + "\n"


def _both(text: Bilingual) -> str:
    return f"{text.zh} / {text.en}"


def _overview(rules: list[RuleSpec]) -> list[str]:
    rows = [
        (
            f"[`{rule.code}`](#{rule.code.replace('.', '')})",
            _both(rule.title),
            f"`{rule.mode}`",
            f"`{rule.severity}`",
            _both(TIMES[rule.when]),
        )
        for rule in rules
    ]
    return table(("rule", "规则 / title", "mode", "severity", "watches"), rows)


def _rule(rule: RuleSpec) -> list[str]:
    lines = [f"### {rule.code}", "", f"**{_both(rule.title)}**", ""]
    lines += [rule.text.zh, _facts(rule, "zh"), "", rule.text.en, _facts(rule, "en"), ""]
    if rule.shadow_because is not None:
        lines += [f"> 影子原因：{rule.shadow_because.zh}", ">"]
        lines += [f"> Why shadow: {rule.shadow_because.en}", ""]
    rows = [_parameter(one) for one in rule.parameters]
    head = ("parameter", "含义 / meaning", "unit", "default", "lowest", "highest")
    return [*lines, *table(head, rows), ""]


FACTS: Final = {
    "zh": "{mode} · {severity} · {when} · 每个{subject}一条 · {judge}判断 · "
    "证据：{proofs} · {risk}",
    "en": "{mode} · {severity} · {when} · one for each {subject} · judged by the {judge} · "
    "evidence: {proofs} · {risk}",
}
NO_PROOF: Final = Bilingual("数值", "numbers")
RISK: Final = Bilingual("风险点：", "risk point: ")
UNNUMBERED: Final = Bilingual("由中心填写", "the centre's own")


def _facts(rule: RuleSpec, language: str) -> str:
    proofs = [PROOFS[one].pick(language) for one in rule.evidence] or [NO_PROOF.pick(language)]
    line = FACTS[language].format(
        mode=MODES[rule.mode].pick(language),
        severity=SEVERITIES[rule.severity].pick(language),
        when=TIMES[rule.when].pick(language),
        subject=SUBJECTS[rule.subject].pick(language),
        judge=JUDGES[rule.judged_by].pick(language),
        proofs=("、" if language == "zh" else ", ").join(proofs),
        risk=RISK.pick(language) + (rule.risk_code or UNNUMBERED.pick(language)),
    )
    return f"<br>*{line}*"


def _parameter(one: Parameter) -> tuple[str, ...]:
    return (
        f"`{one.name}`",
        _both(one.title),
        one.unit or "—",
        f"{one.default:g}" if one.default < 1e6 else f"{one.default:.0f}",
        f"{one.lowest:g}" if one.lowest < 1e6 else f"{one.lowest:.0f}",
        f"{one.highest:g}" if one.highest < 1e6 else f"{one.highest:.0f}",
    )
