"""Holds the catalogue of anomalies as data: what each rule is called, may be set to, and says."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contracts.observations import Severity
from contracts.units import Bilingual, RuleCode


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a rule with its unit and bounds; ``name`` ends in the unit where it has one."""

    name: str
    unit: str
    default: float
    lowest: float
    highest: float
    title: Bilingual

    def __post_init__(self) -> None:
        if not self.lowest <= self.default <= self.highest:
            raise ValueError(
                f"{self.name}: {self.default} lies outside {self.lowest}..{self.highest}"
            )


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One anomaly: what people read about it, and what it may be set to.

    ``text`` says in one or two sentences when the rule alerts and when it clears. Every rule has
    the parameters ``dwell_ms`` (the condition lasts this long before the alert; confirming frames
    are part of it) and ``clear_ms`` (it must be gone this long before the alert clears).
    """

    code: RuleCode
    title: Bilingual
    text: Bilingual
    severity: Severity
    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) != len(names) or not {"dwell_ms", "clear_ms"} <= set(names):
            raise ValueError(f"{self.code}: needs dwell_ms and clear_ms, each name once: {names}")

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name; KeyError when the rule has none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def settings(self, changed: Mapping[str, float]) -> Mapping[str, float]:
        """All parameters of the rule, ``changed`` over the defaults.

        Raises:
            ValueError: an unknown name or a number out of bounds; names it and what is allowed.
        """
        for name, value in changed.items():
            if name not in {parameter.name for parameter in self.parameters}:
                known = ", ".join(parameter.name for parameter in self.parameters)
                raise ValueError(f"{self.code} has no parameter {name}; it has: {known}")
            bounds = self.parameter(name)
            if not bounds.lowest <= value <= bounds.highest:
                raise ValueError(
                    f"{self.code}.{name} is {value:g}; "
                    f"allowed: {bounds.lowest:g} to {bounds.highest:g} {bounds.unit}".rstrip()
                )
        values = {parameter.name: parameter.default for parameter in self.parameters}
        return MappingProxyType({**values, **changed})


def _dwell(default_ms: int, lowest_ms: int, highest_ms: int) -> Parameter:
    title = Bilingual("持续时间", "Lasts at least")
    return Parameter("dwell_ms", "ms", default_ms, lowest_ms, highest_ms, title)


def _clear(default_ms: int, lowest_ms: int = 0, highest_ms: int = 60_000) -> Parameter:
    title = Bilingual("解除前需消失", "Gone for, to clear")
    return Parameter("clear_ms", "ms", default_ms, lowest_ms, highest_ms, title)


OVER_ADMITTED: Final = RuleSpec(
    code="area.over_admitted",
    title=Bilingual("区域内人数超过准入人数", "More people than admitted"),
    text=Bilingual(
        "封闭期间，区域内人数持续多于准入人数时告警；人数恢复后解除。",
        "While sealed, the area holds more people than are admitted; "
        "clears when the count is right.",
    ),
    severity=Severity.ALARM,
    # 400 ms is the shortest in which three frames at 5 fps can agree; after 10 s a visitor is gone.
    parameters=(_dwell(1_000, 400, 10_000), _clear(2_000, 400)),
)

CAMERA_OFFLINE: Final = RuleSpec(
    code="camera.offline",
    title=Bilingual("摄像机离线", "Camera offline"),
    text=Bilingual(
        "摄像机无法连接或连接中断时告警；重新收到画面后解除。",
        "The camera cannot be reached or hung up; clears when pictures arrive again.",
    ),
    severity=Severity.ALARM,
    # A camera that reconnects at once lost a second, not its view: 1 s keeps such blips out.
    parameters=(_dwell(1_000, 0, 60_000), _clear(1_000)),
)

CAMERA_FROZEN: Final = RuleSpec(
    code="camera.frozen",
    title=Bilingual("画面冻结", "Camera frozen"),
    text=Bilingual(
        "连接仍在但不再收到画面时告警；重新收到画面后解除。",
        "The connection stands but no pictures come; clears when pictures arrive again.",
    ),
    severity=Severity.ALARM,
    # Capture calls a camera frozen only after seconds of silence: nothing to wait for here.
    parameters=(_dwell(0, 0, 60_000), _clear(1_000)),
)

PICKUP_DEAD: Final = RuleSpec(
    code="sound.pickup_dead",
    title=Bilingual("拾音无声", "No sound from pickup"),
    text=Bilingual(
        "已声明有声音的设备没有声音或只有数字静音时告警；恢复声音后解除。",
        "A device declared to have sound gives none, or digital silence; "
        "clears when it is heard again.",
    ),
    severity=Severity.WARNING,
    parameters=(
        # A live microphone in the quietest room stays above -75 dBFS; a cut cable gives -120.
        Parameter(
            "floor_dbfs", "dBFS", -80.0, -110.0, -40.0, Bilingual("静音门限", "Silence is below")
        ),
        _dwell(3_000, 1_000, 60_000),
        _clear(1_000),
    ),
)

RECORDING_GAP: Final = RuleSpec(
    code="node.recording_gap",
    title=Bilingual("录像中断", "Recording gap"),
    text=Bilingual(
        "摄像机或拾音器在线但没有录像时告警，重新录像后解除；"
        "摄像机本身离线、磁盘或录像程序故障由各自的规则告警。",
        "A camera or pickup is there and is not recorded; clears when it is recorded again. "
        "A camera that is itself away, a disk and a recorder at fault have rules of their own.",
    ),
    severity=Severity.ALARM,
    # A camera that reconnects is recorded again from its next key frame: up to 4 s with the usual
    # settings. The camera's own rules have spoken by then, if it is the camera.
    parameters=(_dwell(5_000, 0, 60_000), _clear(1_000)),
)

RECORDER_DOWN: Final = RuleSpec(
    code="node.recorder_down",
    title=Bilingual("录像程序停止", "Recorder down"),
    text=Bilingual(
        "节点的录像程序没有应答时告警；恢复应答后解除。期间没有任何录像。",
        "The node's recorder does not answer: nothing is recorded; clears when it answers again.",
    ),
    severity=Severity.ALARM,
    # One that crashed is back within some seconds, and its gap is in the chain; one that is not
    # back after ten does not come back by itself.
    parameters=(_dwell(10_000, 1_000, 60_000), _clear(1_000)),
)

DISK_LOW: Final = RuleSpec(
    code="node.disk_low",
    title=Bilingual("录像磁盘空间不足", "Recording disk low"),
    text=Bilingual(
        "录像磁盘剩余空间低于设定比例时告警；高出一个百分点后解除。",
        "Less of the recording disk is free than the settings ask for; "
        "clears one percentage point above.",
    ),
    severity=Severity.WARNING,
    parameters=(_dwell(5_000, 0, 600_000), _clear(5_000)),
)

DISK_FAILING: Final = RuleSpec(
    code="node.disk_failing",
    title=Bilingual("磁盘无法写入录像", "Disk does not take recordings"),
    text=Bilingual(
        "因磁盘已满、只读、故障、过慢或为封闭录像保留空间而有录像中断时告警；全部恢复后解除。",
        "Something is not recorded because the disk is full, read-only, failing, too slow, or "
        "kept for what is sealed; clears when all of it is recorded again.",
    ),
    severity=Severity.ALARM,
    parameters=(_dwell(1_000, 0, 60_000), _clear(5_000)),
)

CLOCK_UNSYNCHRONISED: Final = RuleSpec(
    code="node.clock_unsynchronised",
    title=Bilingual("时钟未同步", "Clock not synchronised"),
    text=Bilingual(
        "节点时钟长时间未与时间服务器同步，或偏差过大时告警；恢复同步后解除。",
        "The node's clock has not followed a time server for long, or is too far off; "
        "clears when it follows one again.",
    ),
    severity=Severity.WARNING,
    parameters=(
        Parameter(
            "offset_max_ms", "ms", 1_000, 10, 60_000, Bilingual("最大偏差", "Offset at most")
        ),
        # NTP takes minutes after a start, and a free clock drifts about a millisecond in ten.
        _dwell(600_000, 0, 86_400_000),
        _clear(10_000),
    ),
)

CLOCK_STEPPED: Final = RuleSpec(
    code="node.clock_stepped",
    title=Bilingual("时钟跳变", "Clock stepped"),
    text=Bilingual(
        "节点时钟突然跳变时告警，十分钟后解除；录像链中记有跳变。",
        "The node's clock jumped; clears after ten minutes. The chains of its recordings say by "
        "how much.",
    ),
    severity=Severity.WARNING,
    parameters=(_dwell(0, 0, 60_000), _clear(0)),
)

CATALOGUE: Final[Mapping[RuleCode, RuleSpec]] = MappingProxyType(
    {
        spec.code: spec
        for spec in (
            OVER_ADMITTED,
            CAMERA_OFFLINE,
            CAMERA_FROZEN,
            PICKUP_DEAD,
            RECORDING_GAP,
            RECORDER_DOWN,
            DISK_LOW,
            DISK_FAILING,
            CLOCK_UNSYNCHRONISED,
            CLOCK_STEPPED,
        )
    }
)
"""Every rule an edge node knows, by code."""
