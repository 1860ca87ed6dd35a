"""Holds the rules on telephones, which stay in the lockers."""

from typing import Final

from contracts.catalogue.spec import Evidence, Parameter, RuleSpec, Subject, When, clear, dwell
from contracts.observations import Mode, Severity
from contracts.units import Bilingual

PHONE_VISIBLE: Final = RuleSpec(
    code="phone.visible",
    title=Bilingual("看到手机", "Phone visible"),
    text=Bilingual(
        "封闭期间，在多帧画面的同一位置看到手机时告警；不再看到后解除。",
        "While sealed, a phone is seen at one place in several pictures; clears when it is not "
        "seen any more.",
    ),
    severity=Severity.WARNING,
    subject=Subject.CAMERA,
    when=When.SEALED,
    mode=Mode.SHADOW,
    shadow_because=Bilingual(
        "随附检测器很少能看到手机：24 部按真实大小绘制的手机（640x360 画面中高 24 像素），"
        "整幅画面中一部也未找到；在放大的局部中找到 7 部，得分均不足 0.35；"
        "另在 24 幅无手机的画面中误认 1 次。",
        "The shipped detector sees few phones: of 24 drawn at their true size (24 pixels high in "
        "640x360) it found none in the whole picture, and 7 where it was shown a part enlarged, "
        "none of them with a score of 0.35. In 24 pictures without a phone it saw one once.",
    ),
    parameters=(
        Parameter("score_min", "", 0.20, 0.10, 0.95, Bilingual("最低置信度", "Score at least")),
        Parameter(
            "seen_min",
            "",
            4,
            2,
            10,
            Bilingual("最近 10 帧中看到的帧数", "Seen in so many of the last 10 pictures"),
        ),
        dwell(2_000, 400, 60_000),
        clear(10_000),
    ),
)

PHONE_RING: Final = RuleSpec(
    code="phone.ring",
    title=Bilingual("手机铃声", "Phone ring heard"),
    text=Bilingual(
        "封闭期间听到手机铃声时告警；铃声停止后解除。",
        "While sealed, a telephone rings; clears when it has stopped.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SOURCE,
    when=When.SEALED,
    parameters=(dwell(1_200, 400, 30_000), clear(5_000)),
    evidence=(Evidence.SOUND, Evidence.PICTURE, Evidence.CLIP),
)

RULES: Final = (PHONE_VISIBLE, PHONE_RING)
