"""Holds the rules on the machine that watches: its recorder, disk, clock, load and settings."""

from typing import Final

from contracts.catalogue.spec import JudgedBy, Parameter, RuleSpec, Subject, clear, dwell
from contracts.observations import Severity
from contracts.units import Bilingual

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
    subject=Subject.TRACK,
    evidence=(),
    # A camera that reconnects is recorded again from its next key frame: up to 4 s with the usual
    # settings. The camera's own rules have spoken by then, if it is the camera.
    parameters=(dwell(5_000, 0, 60_000), clear(1_000)),
)


RECORDER_DOWN: Final = RuleSpec(
    code="node.recorder_down",
    title=Bilingual("录像程序停止", "Recorder down"),
    text=Bilingual(
        "节点的录像程序没有应答时告警；恢复应答后解除。期间没有任何录像。",
        "The node's recorder does not answer: nothing is recorded; clears when it answers again.",
    ),
    severity=Severity.ALARM,
    subject=Subject.NODE,
    evidence=(),
    # One that crashed is back within some seconds, and its gap is in the chain; one that is not
    # back after ten does not come back by itself.
    parameters=(dwell(10_000, 1_000, 60_000), clear(1_000)),
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
    subject=Subject.NODE,
    evidence=(),
    parameters=(dwell(5_000, 0, 600_000), clear(5_000)),
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
    subject=Subject.NODE,
    evidence=(),
    parameters=(dwell(1_000, 0, 60_000), clear(5_000)),
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
    subject=Subject.NODE,
    evidence=(),
    parameters=(
        Parameter(
            "offset_max_ms", "ms", 1_000, 10, 60_000, Bilingual("最大偏差", "Offset at most")
        ),
        # NTP takes minutes after a start, and a free clock drifts about a millisecond in ten.
        dwell(600_000, 0, 86_400_000),
        clear(10_000),
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
    subject=Subject.NODE,
    evidence=(),
    parameters=(dwell(0, 0, 60_000), clear(0)),
)

NODE_OFFLINE: Final = RuleSpec(
    code="node.offline",
    title=Bilingual("边缘节点离线", "Edge node offline"),
    text=Bilingual(
        "节点失去联系时告警；恢复联系后解除。",
        "The node has gone from the bus without saying goodbye; clears when it is back.",
    ),
    severity=Severity.ALARM,
    subject=Subject.NODE,
    evidence=(),
    judged_by=JudgedBy.CONTROLLER,
    # The broker says so after one and a half keep-alives: nothing to wait for beyond that.
    parameters=(dwell(0, 0, 60_000), clear(0)),
)

CONFIG_DRIFT: Final = RuleSpec(
    code="node.config_drift",
    title=Bilingual("配置不一致", "Configuration drift"),
    text=Bilingual(
        "节点使用的规则、区域或设备配置与封闭时冻结的不同时告警；恢复一致后解除。",
        "Rules, zones or devices of a sealed room differ from what its seal froze; "
        "clears when they agree again.",
    ),
    severity=Severity.WARNING,
    subject=Subject.ROOM,
    evidence=(),
    parameters=(dwell(0, 0, 60_000), clear(0)),
)

OVERLOAD: Final = RuleSpec(
    code="node.overload",
    title=Bilingual("分析跟不上", "Analysis falls behind"),
    text=Bilingual(
        "摄像机的分析帧率或延迟持续达不到要求时告警；跟上后解除。录像不受影响。",
        "Pictures of a camera are analysed too seldom or too late; clears when analysis has "
        "caught up. Recording does not suffer.",
    ),
    severity=Severity.WARNING,
    subject=Subject.CAMERA,
    evidence=(),
    parameters=(
        Parameter("fps_share_min", "", 0.6, 0.1, 1.0, Bilingual("分析帧率下限", "Rate at least")),
        Parameter("delay_max_ms", "ms", 1_500, 200, 60_000, Bilingual("最大延迟", "Delay at most")),
        dwell(10_000, 1_000, 600_000),
        clear(5_000),
    ),
)

COPIES_FAILING: Final = RuleSpec(
    code="node.copies_failing",
    title=Bilingual("录像备份失败", "Copies of recordings fail"),
    text=Bilingual(
        "第二磁盘或归档长时间不接收录像副本时告警；恢复后解除。",
        "A second disk or an archive has taken no copies for long; clears when it takes them.",
    ),
    severity=Severity.WARNING,
    subject=Subject.NODE,
    evidence=(),
    parameters=(dwell(600_000, 0, 86_400_000), clear(10_000)),
)

RULES: Final = (
    NODE_OFFLINE,
    RECORDING_GAP,
    RECORDER_DOWN,
    DISK_LOW,
    DISK_FAILING,
    CLOCK_UNSYNCHRONISED,
    CLOCK_STEPPED,
    CONFIG_DRIFT,
    OVERLOAD,
    COPIES_FAILING,
)
