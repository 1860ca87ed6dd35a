"""Holds what the API says of rules: the catalogue, how a rule is set, and by which layer."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, Field

from contracts.catalogue import CATALOGUE, Evidence, JudgedBy, RuleSpec, Subject, When
from contracts.envelope import Strict
from contracts.observations import Mode, Severity
from contracts.units import Bilingual, RoomId, RuleCode, SessionId, UtcMs
from edge.core.rule_settings import Layer, LayeredRule, RuleChange
from edge.recent_alerts import RecentAlerts
from edge.rule_book import Entry
from edge.store import RulePlace

Example = dict[str, Any]


def _example(value: Example) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


class Text(Strict):
    """A text in both languages of the product."""

    zh: str
    en: str

    @classmethod
    def of(cls, text: Bilingual) -> "Text":
        """The same text."""
        return cls(zh=text.zh, en=text.en)


DWELL: Final[Example] = {
    "name": "dwell_ms",
    "unit": "ms",
    "default": 2000,
    "lowest": 400,
    "highest": 10000,
    "title": {"zh": "持续时间", "en": "Lasts at least"},
}


class ParameterInfo(Strict):
    """One number of a rule and its bounds."""

    model_config = _example(DWELL)

    name: str
    unit: str = Field(description="Empty: a pure number.")
    default: float
    lowest: float
    highest: float
    title: Text


class RuleInfo(Strict):
    """One rule of the catalogue, as it is before anybody sets it."""

    code: RuleCode
    title: Text
    text: Text
    group: str
    severity: Severity
    mode: Mode
    subject: Subject
    when: When
    judged_by: JudgedBy
    evidence: tuple[Evidence, ...]
    parameters: tuple[ParameterInfo, ...]
    shadow_because: Text | None = Field(
        default=None, description="Why it is not switched on by default, with figures."
    )
    risk_code: str


class ParameterValue(Strict):
    """A parameter as it is in force, and the layer that says so."""

    model_config = _example({"name": "dwell_ms", "value": 3000, "unit": "ms", "layer": "room"})

    name: str
    value: float
    unit: str
    layer: Layer


class Layers(Strict):
    """The layers that mode, severity and risk code come from."""

    mode: Layer
    severity: Layer
    risk_code: Layer


class CountsInfo(Strict):
    """Alerts since the node's start. In shadow nobody was told of them."""

    on: int = 0
    shadow: int = 0


class RuleInForce(Strict):
    """How a rule is set where it is asked for."""

    model_config = _example(
        {
            "code": "area.over_admitted",
            "title": {"zh": "人数超过核定", "en": "More people than admitted"},
            "mode": "shadow",
            "severity": "alarm",
            "risk_code": "RP-031",
            "layers": {"mode": "room", "severity": "catalogue", "risk_code": "site"},
            "parameters": [{"name": "dwell_ms", "value": 3000, "unit": "ms", "layer": "session"}],
            "counts": {"on": 0, "shadow": 2},
            "standing": 1,
        }
    )

    code: RuleCode
    title: Text
    mode: Mode
    severity: Severity
    risk_code: str
    layers: Layers
    parameters: tuple[ParameterValue, ...]
    counts: CountsInfo | None = Field(default=None, description="Of one area.")
    standing: int = Field(default=0, description="Alerts of the area that stand now.")


class RefusedChange(Strict):
    """A stored change that is not in force: this version's catalogue does not allow it."""

    code: RuleCode
    layer: Layer
    session_id: SessionId | None = None
    refused: str


class AreaRules(Strict):
    """Every rule of one area as it is in force now."""

    area: RoomId
    session_id: SessionId | None = Field(default=None, description="Sealed here now.")
    closed: bool = Field(description="A change needs a second person.")
    drifted: tuple[str, ...] = Field(
        default=(), description="What differs from what the seal froze."
    )
    rules: tuple[RuleInForce, ...]
    refused: tuple[RefusedChange, ...] = ()


class RuleAtLayer(Strict):
    """What one layer sets for one rule, and what is in force with it."""

    model_config = _example(
        {
            "code": "area.over_admitted",
            "layer": "room",
            "area": "room-1",
            "session_id": None,
            "change": {
                "mode": "shadow",
                "severity": None,
                "risk_code": None,
                "parameters": {"dwell_ms": 3000},
            },
            "refused": None,
            "changed_utc_ms": 1795305600000,
            "changed_by": "ops.wang",
            "second": None,
            "in_force": RuleInForce.model_config["json_schema_extra"]["examples"][0],  # type: ignore[index] # its own example, above
        }
    )

    code: RuleCode
    layer: Layer
    area: RoomId | None = None
    session_id: SessionId | None = None
    change: RuleChange | None = Field(default=None, description="None: this layer sets nothing.")
    refused: str | None = Field(default=None, description="Why the change is not in force.")
    changed_utc_ms: UtcMs | None = None
    changed_by: str | None = None
    second: str | None = Field(default=None, description="Who stood by, if a session was sealed.")
    in_force: RuleInForce


def rule_info(spec: RuleSpec) -> RuleInfo:
    """A rule of the catalogue for readers."""
    return RuleInfo(
        code=spec.code,
        title=Text.of(spec.title),
        text=Text.of(spec.text),
        group=spec.group,
        severity=spec.severity,
        mode=spec.mode,
        subject=spec.subject,
        when=spec.when,
        judged_by=spec.judged_by,
        evidence=spec.evidence,
        parameters=tuple(
            ParameterInfo(
                name=one.name,
                unit=one.unit,
                default=one.default,
                lowest=one.lowest,
                highest=one.highest,
                title=Text.of(one.title),
            )
            for one in spec.parameters
        ),
        shadow_because=Text.of(spec.shadow_because) if spec.shadow_because else None,
        risk_code=spec.risk_code,
    )


def in_force(
    code: RuleCode, rule: LayeredRule, lately: RecentAlerts | None = None, standing: int = 0
) -> RuleInForce:
    """How a rule is set; ``lately`` and ``standing`` where it is that of an area."""
    spec, settings, origins = CATALOGUE[code], rule.settings, rule.origins
    return RuleInForce(
        code=code,
        title=Text.of(spec.title),
        mode=settings.mode,
        severity=settings.severity,
        risk_code=settings.risk_code,
        layers=Layers(
            mode=origins["mode"], severity=origins["severity"], risk_code=origins["risk_code"]
        ),
        parameters=tuple(
            ParameterValue(
                name=one.name, value=settings[one.name], unit=one.unit, layer=origins[one.name]
            )
            for one in spec.parameters
        ),
        counts=CountsInfo(on=lately.count(code, Mode.ON), shadow=lately.count(code, Mode.SHADOW))
        if lately is not None
        else None,
        standing=standing,
    )


def at_layer(
    code: RuleCode, place: RulePlace, entry: Entry | None, rule: RuleInForce
) -> RuleAtLayer:
    """What is set at one place."""
    kept = entry.kept if entry is not None else None
    return RuleAtLayer(
        code=code,
        layer=Layer(place.layer),
        area=place.room_id,
        session_id=place.session_id,
        change=kept.change if kept is not None else None,
        refused=entry.refused if entry is not None else None,
        changed_utc_ms=kept.at_utc_ms if kept is not None else None,
        changed_by=kept.by if kept is not None else None,
        second=kept.second if kept is not None else None,
        in_force=rule,
    )


def refused_of(
    entries: Mapping[RulePlace, Mapping[RuleCode, Entry]], room_id: RoomId
) -> tuple[RefusedChange, ...]:
    """What is stored for a room, or for all, and is not in force."""
    return tuple(
        RefusedChange(
            code=code,
            layer=Layer(place.layer),
            session_id=place.session_id,
            refused=entry.refused,
        )
        for place, rows in entries.items()
        if place.room_id in {None, room_id}
        for code, entry in rows.items()
        if entry.refused is not None
    )


def etag_of(entry: Entry | None) -> str:
    """Names what a layer sets for a rule; the same while nobody changes it."""
    text = entry.kept.change.model_dump_json() if entry is not None and entry.kept else ""
    digest = hashlib.sha256(f"{text}|{entry is not None}".encode()).hexdigest()
    return f'"{digest[:32]}"'
