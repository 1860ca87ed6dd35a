"""Holds what `zeroentry camera` says to people, in both languages."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from contracts.units import Bilingual
from edge.capture.onvif_profiles import Difference, DifferenceKind, OnvifLost, OnvifReason


class Language(StrEnum):
    """The languages of the product, as the option takes them."""

    ZH = "zh"
    EN = "en"


def language_of(environ: Mapping[str, str]) -> Language:
    """The language that the terminal is set to; English when it is another or none."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return Language.ZH if environ[name].lower().startswith("zh") else Language.EN
    return Language.EN


REASONS: Final[Mapping[OnvifReason, Bilingual]] = {
    OnvifReason.UNREACHABLE: Bilingual(
        "设备无法连接。请检查地址、端口和网线；ONVIF 常用端口为 80、8000、8080（--port）。",
        "The device cannot be reached. Check address, port and cable; ONVIF is mostly on port 80, "
        "8000 or 8080 (--port).",
    ),
    OnvifReason.NO_ANSWER: Bilingual(
        "设备已连接但没有按时应答。请重试；若仍如此，请重启设备。",
        "The device took the connection but did not answer in time. Try again; restart the device "
        "if it stays so.",
    ),
    OnvifReason.NOT_ONVIF: Bilingual(
        "该地址不是 ONVIF 服务。请在设备网页中启用 ONVIF，或换一个端口（--port）。",
        "What answers there does not speak ONVIF. Enable ONVIF in the device's web page, or try "
        "another port (--port).",
    ),
    OnvifReason.WRONG_PASSWORD: Bilingual(
        "用户名或密码错误。许多设备为 ONVIF 单独设用户，请在设备网页中添加。"
        "请勿反复尝试，设备会锁定。",
        "User name or password is wrong. Many devices keep ONVIF users of their own: add one in "
        "the device's web page. Do not try again and again, devices lock out.",
    ),
    OnvifReason.CLOCK_OFF: Bilingual(
        "设备时钟偏差过大，拒绝签名的请求。请在设备网页中设置 NTP 服务器。",
        "The device's clock is too far off to accept a signed request. Set an NTP server in the "
        "device's web page.",
    ),
    OnvifReason.NOT_OFFERED: Bilingual(
        "设备不提供此功能。", "The device does not offer this function."
    ),
    OnvifReason.NO_PROFILE: Bilingual(
        "设备没有所需的码流配置（profile）。用 zeroentry camera probe 查看现有配置。",
        "The device has no such profile. `zeroentry camera probe` shows those it has.",
    ),
    OnvifReason.REFUSED: Bilingual("设备拒绝了请求。", "The device refused the request."),
    OnvifReason.BAD_ANSWER: Bilingual(
        "设备的应答不符合 ONVIF 规范。请升级固件，或在配置中直接写码流地址（url）。",
        "The device's answer does not follow ONVIF. Update its firmware, or write the stream's "
        "address (url) into the camera's file.",
    ),
}

DIFFERENCES: Final[Mapping[DifferenceKind, Bilingual]] = {
    DifferenceKind.CODEC: Bilingual("编码格式", "codec"),
    DifferenceKind.SIZE: Bilingual("分辨率", "size"),
    DifferenceKind.FPS: Bilingual("帧率（帧/秒）", "frames a second"),
    DifferenceKind.KEY_FRAMES: Bilingual("关键帧间隔", "time between key frames"),
    DifferenceKind.SOUND: Bilingual("声音", "sound"),
    DifferenceKind.CLOCK: Bilingual("时钟偏差", "clock offset"),
}

TEXTS: Final[Mapping[str, Bilingual]] = {
    "found_none": Bilingual(
        "没有设备应答。摄像机须与本机在同一网段；跨网段请用 --host 地址，或 --interface 指定网口。",
        "No device answered. Cameras must be in the same network as this machine; ask one behind a "
        "router with --host ADDRESS, or choose the network with --interface.",
    ),
    "found": Bilingual("找到 {count} 台设备", "devices found: {count}"),
    "next_probe": Bilingual(
        "下一步：zeroentry camera probe {host} --port {port}",
        "Next: zeroentry camera probe {host} --port {port}",
    ),
    "host": Bilingual("地址", "address"),
    "port": Bilingual("端口", "port"),
    "name": Bilingual("名称", "name"),
    "hardware": Bilingual("型号", "model"),
    "location": Bilingual("位置", "location"),
    "note": Bilingual("备注", "note"),
    "says_host": Bilingual("自称 {host}", "calls itself {host}"),
    "device": Bilingual("设备", "device"),
    "clock": Bilingual("时钟", "clock"),
    "clock_right": Bilingual(
        "正确（偏差 {offset:+.1f} 秒）", "right (offset {offset:+.1f} s)"
    ),
    "clock_wrong": Bilingual(
        "偏差 {offset:+.1f} 秒；请设置 NTP", "off by {offset:+.1f} s; set an NTP server"
    ),
    "clock_unknown": Bilingual("设备未告知", "not told"),
    "ntp": Bilingual("时间服务器", "time servers"),
    "none": Bilingual("无", "none"),
    "profile": Bilingual("配置", "profile"),
    "codec": Bilingual("编码", "codec"),
    "size": Bilingual("分辨率", "size"),
    "fps": Bilingual("帧率", "fps"),
    "key_frames": Bilingual("关键帧", "key frames"),
    "kbps": Bilingual("码率 kb/s", "kb/s"),
    "sound": Bilingual("声音", "sound"),
    "stream": Bilingual("码流地址", "stream"),
    "use": Bilingual("用途", "use"),
    "use_main": Bilingual("录像", "record"),
    "use_sub": Bilingual("分析", "analyse"),
    "hevc": Bilingual(
        "主码流为 H.265：可以录像和存证，但多数浏览器不能播放；实时画面用子码流，请保持 H.264。",
        "The main stream is H.265: it is recorded and proven as it is, but most browsers cannot "
        "play it; the live view shows the sub stream, so keep that H.264.",
    ),
    "no_sub": Bilingual(
        "没有更小的码流：将分析主码流，计算量大得多。请在设备上启用子码流，建议 640x360。",
        "There is no smaller stream: the main one will be analysed, at many times the cost. Enable "
        "a sub stream in the device, best 640x360.",
    ),
    "sound_unknown": Bilingual(
        "声音编码 {codec} 不支持，按无声处理；请在设备上改为 AAC 或 G.711。",
        "Sound in {codec} is not supported and counts as none; set the device to AAC or G.711.",
    ),
    "no_user": Bilingual(
        "未给出用户名：用 --credential 名称，或环境变量 ZEROENTRY_CAMERA_USER 和 "
        "ZEROENTRY_CAMERA_PASSWORD。",
        "No user was given: --credential NAME, or ZEROENTRY_CAMERA_USER and "
        "ZEROENTRY_CAMERA_PASSWORD in the environment.",
    ),
    "written": Bilingual("已写入 {path}", "written: {path}"),
    "next_credential": Bilingual(
        "下一步：zeroentry credential set {name} --store 节点的文件",
        "Next: zeroentry credential set {name} --store FILE-OF-THE-NODE",
    ),
    "next_config": Bilingual(
        "下一步：zeroentry config {site}", "Next: zeroentry config {site}"
    ),
    "exists": Bilingual("{path} 已存在", "{path} exists already"),
    "exists_hint": Bilingual(
        "换一个文件名，或用 --force 覆盖。", "Choose another name, or overwrite it with --force."
    ),
    "which_area": Bilingual("区域不明确：{areas}", "Which area is it in? {areas}"),
    "which_area_hint": Bilingual("用 --area 指定。", "Say it with --area."),
    "bad_path": Bilingual("{path} 不是摄像机文件的位置", "{path} is no place for a camera's file"),
    "bad_path_hint": Bilingual(
        "例：firmware_configs/my-site/cameras/room-1-cam.yaml，且该站点须有 site.yaml",
        "Like firmware_configs/my-site/cameras/room-1-cam.yaml, beside a site.yaml of that site",
    ),
    "no_camera": Bilingual(
        "站点中没有摄像机 {id}；现有：{known}", "The site has no camera {id}; it has: {known}"
    ),
    "not_checkable": Bilingual(
        "摄像机 {id} 的来源不是网络摄像机，无法通过 ONVIF 检查",
        "camera {id} is no network camera of its own, so it cannot be checked over ONVIF",
    ),
    "same": Bilingual("{id}：设备与配置一致", "{id}: the device is set as its file declares"),
    "differs": Bilingual(
        "{id}：{count} 处与配置不同", "{id}: differences from its file: {count}"
    ),
    "what": Bilingual("项目", "what"),
    "declared": Bilingual("配置", "declared"),
    "actual": Bilingual("设备", "actual"),
    "main": Bilingual("主码流", "main"),
    "sub": Bilingual("子码流", "sub"),
    "apply_hint": Bilingual(
        "用 --apply 设置设备（编码格式和声音除外），或修改配置文件。",
        "Set the device with --apply (codec and sound excepted), or change the file.",
    ),
    "applied": Bilingual("已设置：{what}", "set: {what}"),
    "clock_needs_ntp": Bilingual(
        "时钟未设置：请用 --ntp 给出时间服务器。",
        "The clock was not set: give a time server with --ntp.",
    ),
}  # fmt: skip


def say(key: str, language: Language, **values: object) -> str:
    """One text, with its values put in."""
    return TEXTS[key].pick(language).format(**values)


def reason(lost: OnvifLost, language: Language) -> str:
    """Why a device did not do what it was asked, with its own words behind."""
    text = REASONS[lost.reason].pick(language)
    return f"{text} [{lost.detail}]" if lost.detail else text


def what_differs(difference: Difference, language: Language) -> str:
    """The name of what differs, with its stream in front."""
    name = DIFFERENCES[difference.kind].pick(language)
    return name if difference.which is None else f"{say(difference.which, language)} {name}"
