"""Holds the rules on cameras: whether they are there, and whether their picture shows the room."""

from typing import Final

from contracts.catalogue.spec import Parameter, RuleSpec, Subject, clear, dwell
from contracts.observations import Severity
from contracts.units import Bilingual

CAMERA_OFFLINE: Final = RuleSpec(
    code="camera.offline",
    title=Bilingual("摄像机离线", "Camera offline"),
    text=Bilingual(
        "摄像机无法连接或连接中断时告警；重新收到画面后解除。",
        "The camera cannot be reached or hung up; clears when pictures arrive again.",
    ),
    severity=Severity.ALARM,
    subject=Subject.CAMERA,
    # A camera that reconnects at once lost a second, not its view: 1 s keeps such blips out.
    parameters=(dwell(1_000, 0, 60_000), clear(1_000)),
)

CAMERA_FROZEN: Final = RuleSpec(
    code="camera.frozen",
    title=Bilingual("画面冻结", "Camera frozen"),
    text=Bilingual(
        "连接仍在但不再收到画面，或收到的画面长时间完全不变时告警；画面重新变化后解除。",
        "The connection stands but no pictures come, or always the same one for long; clears when "
        "the picture moves again.",
    ),
    severity=Severity.ALARM,
    subject=Subject.CAMERA,
    # Capture calls a camera frozen only after seconds of silence: nothing to wait for here.
    parameters=(
        # People who sit always move a little: 20 s without one pixel's change is no stillness.
        Parameter(
            "still_s", "s", 20, 5, 3_600, Bilingual("有人时画面不变", "Same picture, people in it")
        ),
        # An empty room may be as still as the camera's own noise filter makes it.
        Parameter(
            "still_empty_s",
            "s",
            120,
            20,
            86_400,
            Bilingual("无人时画面不变", "Same picture, nobody in it"),
        ),
        # Capture calls a camera frozen only after seconds of silence: nothing to wait for here.
        dwell(0, 0, 60_000),
        clear(1_000),
    ),
)

CAMERA_COVERED: Final = RuleSpec(
    code="camera.covered",
    title=Bilingual("镜头被遮挡", "Camera covered"),
    text=Bilingual(
        "画面失去大部分细节，与平时所见完全不同时告警；细节恢复后解除。",
        "The picture has lost most of its detail and nothing of the usual view is left; "
        "clears when the view is back.",
    ),
    severity=Severity.ALARM,
    subject=Subject.CAMERA,
    parameters=(
        Parameter(
            "lost_share_min", "", 0.75, 0.3, 0.98, Bilingual("看不到的部分", "Of the view is gone")
        ),
        dwell(3_000, 1_000, 60_000),
        clear(2_000),
    ),
)

CAMERA_DEFOCUSED: Final = RuleSpec(
    code="camera.defocused",
    title=Bilingual("画面失焦", "Camera defocused"),
    text=Bilingual(
        "画面细节明显少于平时而轮廓仍在时告警；清晰后解除。",
        "Fine detail is far below what this view usually has, while its outlines are still there; "
        "clears when the picture is sharp again.",
    ),
    severity=Severity.WARNING,
    subject=Subject.CAMERA,
    parameters=(
        Parameter(
            "sharpness_min",
            "",
            0.5,
            0.1,
            0.9,
            Bilingual("清晰度下限（占平时）", "Sharpness at least"),
        ),
        dwell(5_000, 1_000, 60_000),
        clear(2_000),
    ),
)

CAMERA_MOVED: Final = RuleSpec(
    code="camera.moved",
    title=Bilingual("摄像机被移动", "Camera moved"),
    text=Bilingual(
        "不动的背景整体移位时告警；回到原位，或有人确认新的位置后解除。",
        "The unmoving background has shifted as a whole; clears when it is back in place, or when "
        "a person has accepted the new view.",
    ),
    severity=Severity.ALARM,
    subject=Subject.CAMERA,
    parameters=(
        # Two hundredths of the width: zones drawn on the picture no longer fit.
        Parameter(
            "shift_min_share",
            "",
            0.02,
            0.005,
            0.5,
            Bilingual("移位（占画面）", "Shift, of the picture"),
        ),
        dwell(3_000, 1_000, 60_000),
        clear(2_000),
    ),
)

CAMERA_DARK: Final = RuleSpec(
    code="camera.dark",
    title=Bilingual("画面过暗", "Picture too dark"),
    text=Bilingual(
        "画面暗到看不清人时告警；变亮后解除。",
        "Too dark to see anybody; clears when there is light again.",
    ),
    severity=Severity.WARNING,
    subject=Subject.CAMERA,
    parameters=(
        Parameter("black_share_min", "", 0.85, 0.3, 1.0, Bilingual("黑色部分", "Nearly black")),
        dwell(3_000, 1_000, 60_000),
        clear(2_000),
    ),
)

CAMERA_GLARE: Final = RuleSpec(
    code="camera.glare",
    title=Bilingual("画面过曝", "Glare"),
    text=Bilingual(
        "画面大部分过曝时告警；恢复后解除。",
        "Most of the picture is burnt out; clears when it shows the room again.",
    ),
    severity=Severity.WARNING,
    subject=Subject.CAMERA,
    parameters=(
        Parameter("burnt_share_min", "", 0.35, 0.1, 1.0, Bilingual("过曝部分", "Burnt out")),
        dwell(3_000, 1_000, 60_000),
        clear(2_000),
    ),
)

CAMERA_LIGHTS: Final = RuleSpec(
    code="camera.lights",
    title=Bilingual("灯光突变", "Lights switched"),
    text=Bilingual(
        "亮度突然改变而场景未变时记录；亮度稳定后解除。",
        "The light of the whole picture changed at once while the scene did not; clears when it "
        "is steady.",
    ),
    severity=Severity.NOTICE,
    subject=Subject.CAMERA,
    parameters=(
        Parameter("change_min", "", 0.25, 0.1, 2.0, Bilingual("亮度变化", "Change of brightness")),
        # The second look confirms that only the light has changed.
        dwell(400, 0, 2_000),
        clear(5_000),
    ),
)

CAMERA_WRONG_STREAM: Final = RuleSpec(
    code="camera.wrong_stream",
    title=Bilingual("码流参数不符", "Wrong stream parameters"),
    text=Bilingual(
        "分辨率、编码或帧率与登记的不符时告警；相符后解除。",
        "Size, codec or rate of the stream is not what is declared; clears when it is.",
    ),
    severity=Severity.WARNING,
    subject=Subject.CAMERA,
    parameters=(
        Parameter(
            "fps_share_min", "", 0.6, 0.1, 1.0, Bilingual("帧率下限（占登记值）", "Rate at least")
        ),
        dwell(10_000, 1_000, 600_000),
        clear(5_000),
    ),
)

CAMERA_CLOCK_OFF: Final = RuleSpec(
    code="camera.clock_off",
    title=Bilingual("摄像机时钟偏差", "Camera clock off"),
    text=Bilingual(
        "摄像机自身时钟与节点时钟相差过大时告警；校正后解除。",
        "The camera's own clock is too far from the node's; clears when it is right.",
    ),
    severity=Severity.WARNING,
    subject=Subject.CAMERA,
    parameters=(
        Parameter("offset_max_s", "s", 5, 1, 3_600, Bilingual("最大偏差", "Offset at most")),
        dwell(30_000, 0, 3_600_000),
        clear(10_000),
    ),
    evidence=(),
)

RULES: Final = (
    CAMERA_OFFLINE,
    CAMERA_FROZEN,
    CAMERA_COVERED,
    CAMERA_DEFOCUSED,
    CAMERA_MOVED,
    CAMERA_DARK,
    CAMERA_GLARE,
    CAMERA_LIGHTS,
    CAMERA_WRONG_STREAM,
    CAMERA_CLOCK_OFF,
)
