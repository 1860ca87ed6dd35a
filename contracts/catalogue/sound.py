"""Holds the rules on sound: whether it comes, whether it is whole, and what is heard."""

from typing import Final

from contracts.catalogue.spec import Evidence, Parameter, RuleSpec, Subject, When, clear, dwell
from contracts.observations import Mode, Severity
from contracts.units import Bilingual

HEARD: Final = (Evidence.SOUND, Evidence.PICTURE, Evidence.CLIP)

PICKUP_DEAD: Final = RuleSpec(
    code="sound.pickup_dead",
    title=Bilingual("拾音无声", "No sound from pickup"),
    text=Bilingual(
        "已声明有声音的设备没有声音或只有数字静音时告警；恢复声音后解除。",
        "A device declared to have sound gives none, or digital silence; "
        "clears when it is heard again.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SOURCE,
    parameters=(
        # A live microphone in the quietest room stays above -75 dBFS; a cut cable gives -120.
        Parameter(
            "floor_dbfs", "dBFS", -80.0, -110.0, -40.0, Bilingual("静音门限", "Silence is below")
        ),
        dwell(3_000, 1_000, 60_000),
        clear(1_000),
    ),
    evidence=(),
)

SOUND_FLAT: Final = RuleSpec(
    code="sound.flat",
    title=Bilingual("声音异常平直", "Sound without life"),
    text=Bilingual(
        "声音长时间毫无起伏（恒定噪声、直流或单一电流声）时告警；恢复后解除。",
        "The sound has not varied for long, as constant noise, DC or mains hum alone do; "
        "clears when the room is heard again.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SOURCE,
    parameters=(dwell(30_000, 5_000, 3_600_000), clear(3_000)),
    evidence=HEARD,
)

SOUND_CLIPPED: Final = RuleSpec(
    code="sound.clipped",
    title=Bilingual("声音削波", "Sound clipped"),
    text=Bilingual(
        "声音持续达到满刻度而失真时告警；恢复后解除。",
        "The sound goes on hitting full scale, so it is distorted; clears when it does not.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SOURCE,
    parameters=(
        Parameter(
            "clipped_share_max", "%", 0.5, 0.01, 50.0, Bilingual("削波样本占比", "Clipped at most")
        ),
        dwell(2_000, 200, 60_000),
        clear(5_000),
    ),
    evidence=HEARD,
)

LEVEL_JUMP: Final = RuleSpec(
    code="sound.level_jump",
    title=Bilingual("背景音量突变", "Background level jumped"),
    text=Bilingual(
        "无人说话时听到的房间背景音量突然改变并保持（拾音器被挪动、遮盖或调整增益）时告警；恢复或稳定后解除。",
        "The room's background, heard while nobody speaks, jumped and stayed there, as when a "
        "pickup is moved, covered or turned; clears when it is back, or after five minutes.",
    ),
    severity=Severity.NOTICE,
    subject=Subject.SOURCE,
    parameters=(
        # Below 6 dB a door to a corridor is a jump, and the background follows what is slower.
        Parameter("jump_db", "dB", 12.0, 6.0, 40.0, Bilingual("突变幅度", "Jump at least")),
        # Longer than a kettle, a vacuum cleaner in the corridor or an aircraft.
        dwell(30_000, 2_000, 600_000),
        clear(5_000),
    ),
    evidence=HEARD,
)

RAISED_VOICES: Final = RuleSpec(
    code="sound.raised_voices",
    title=Bilingual("大声争执", "Raised voices"),
    text=Bilingual(
        "人声持续明显高于该房间平时的说话音量时告警；恢复后解除。",
        "Voices stay well above this room's usual speech; clears when they are down again.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SOURCE,
    when=When.SEALED,
    parameters=(
        Parameter("above_db", "dB", 12.0, 3.0, 40.0, Bilingual("高出平时", "Above the usual by")),
        dwell(4_000, 1_000, 60_000),
        clear(5_000),
    ),
    evidence=HEARD,
)

SPEECH_UNEXPECTED: Final = RuleSpec(
    code="sound.speech_unexpected",
    title=Bilingual("空房间内有人声", "Speech where nobody should be"),
    text=Bilingual(
        "画面中无人而有人声时告警：封闭期间随时，未封闭时仅在规定时间外；安静后解除。未封闭时不保存声音。",
        "Speech while the pictures show nobody: at any time while sealed, else outside the room's "
        "hours alone; clears when it is quiet. No sound is kept while the room is not sealed.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SOURCE,
    parameters=(
        Parameter("from_h", "h", 7.0, 0.0, 24.0, Bilingual("使用时间自", "Its hours begin at")),
        Parameter("to_h", "h", 20.0, 0.0, 24.0, Bilingual("使用时间至", "Its hours end at")),
        dwell(3_000, 500, 60_000),
        clear(5_000),
    ),
    evidence=HEARD,
)

OUT_OF_SYNC: Final = RuleSpec(
    code="sound.out_of_sync",
    title=Bilingual("音画不同步", "Picture and sound out of sync"),
    text=Bilingual(
        "录像文件中同一设备的声音与画面时间相差过大时告警（每个录像文件测量一次）；恢复同步后解除。",
        "Sound and picture of one device lie apart in the recording, measured once a file; clears "
        "with a file in which they are together.",
    ),
    severity=Severity.WARNING,
    subject=Subject.SOURCE,
    mode=Mode.SHADOW,
    shadow_because=Bilingual(
        "每个文件只在结尾测量一次，超载时数据包到达不均会被当作不同步："
        "一次超载的演示中误报一次；注入偏差的场景全部检出。",
        "It is measured once a file, at its end, where packets that arrive unevenly look out of "
        "sync: one false alert in one demonstration on an overloaded machine. Injected offsets "
        "are all found.",
    ),
    parameters=(
        Parameter("offset_max_ms", "ms", 300, 40, 10_000, Bilingual("最大偏差", "Offset at most")),
        dwell(5_000, 1_000, 600_000),
        clear(5_000),
    ),
    evidence=(Evidence.CLIP,),
)

RULES: Final = (
    PICKUP_DEAD,
    SOUND_FLAT,
    SOUND_CLIPPED,
    LEVEL_JUMP,
    RAISED_VOICES,
    SPEECH_UNEXPECTED,
    OUT_OF_SYNC,
)
