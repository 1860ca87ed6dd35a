"""Holds what `zeroentry pickup` says to people, in both languages."""

from collections.abc import Mapping
from typing import Final

from contracts.units import Bilingual
from edge.capture.pickup_devices import Loss

TITLE: Final = Bilingual("本机的声音输入", "Sound inputs of this machine")
NAME: Final = Bilingual("设备名（device）", "name (device)")
HOST_API: Final = Bilingual("接口（host_api）", "host API (host_api)")
RATE: Final = Bilingual("采样率（Hz）", "rate (Hz)")
CHANNELS: Final = Bilingual("声道数", "channels")
PREFERRED: Final = Bilingual("系统默认", "system's default")
NONE_FOUND: Final = Bilingual(
    "没有找到声音输入。请检查接线，以及本用户是否属于 audio 组；正被其他程序占用的设备不会列出。",
    "No sound input was found. Check the cable, and that this user is in the group audio; a device "
    "that another program holds is not listed.",
)
METER_HINT: Final = Bilingual("按 Ctrl+C 结束", "Ctrl+C ends it")
WAITING: Final = Bilingual("正在打开设备", "opening the device")
PEAK: Final = Bilingual("最高", "peak")
NO_ANSWER: Final = Bilingual(
    "声音系统没有应答。请重启声音服务，或拔下再插上设备。",
    "The sound system does not answer. Restart the sound server, or unplug the device and plug it "
    "in again.",
)

LOSSES: Final[Mapping[Loss, Bilingual]] = {
    Loss.MISSING: Bilingual(
        "没有这个名称的输入设备。可用 `zeroentry pickup list` 查看。",
        "There is no input of this name. `zeroentry pickup list` shows what is there.",
    ),
    Loss.AMBIGUOUS: Bilingual(
        "名称对应多个输入设备，请写得更完整，或写明 host_api。",
        "The name fits several inputs. Write more of it, or host_api.",
    ),
    Loss.REFUSED: Bilingual(
        "设备无法打开：被占用、没有权限，或不支持这种格式。",
        "The device cannot be opened: it is busy, not permitted, or takes no such format.",
    ),
    Loss.STALLED: Bilingual("设备不再送出声音。", "The device gives nothing more."),
    Loss.ENDED: Bilingual("设备已断开。", "The device has gone."),
    Loss.CRASHED: Bilingual("采集进程意外退出。", "The process that captures it died."),
    Loss.NOT_INSTALLED: Bilingual(
        "未安装 PyAudio。请安装系统包 portaudio19-dev、gcc，再安装 pip 附加项 pickup。",
        "PyAudio is not installed: it needs the system packages portaudio19-dev and gcc, then the "
        "extra `pickup`.",
    ),
}
