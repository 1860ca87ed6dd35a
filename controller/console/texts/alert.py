"""Texts of the alert view: what was heard, what else was happening: key -> Chinese, English."""

from typing import Final

TABLE: Final[dict[str, tuple[str, str]]] = {
    "wave.label": ("声音波形，点击可跳转", "Waveform of the sound; click to seek"),
    "wave.loading": ("正在读取声音…", "Loading the sound…"),
    "wave.failed": (
        "无法绘制波形；如果播放器也没有声音，说明边缘节点未应答。",
        "The waveform cannot be drawn; if the player is silent too, the edge node does not answer.",
    ),
    "around.heading": ("当时还发生了什么", "What else was happening"),
    "around.loading": ("正在读取记录…", "Reading the record…"),
    "around.empty": ("这段时间没有其他记录。", "Nothing else is on record for this time."),
    "around.more": ("全部显示", "Show all"),
    "around.fewer": ("只显示最近的", "Show fewer"),
    "around.address": ("单独打开", "Open as a page"),
    "around.rule": ("此规则的全部预警和表现", "All alerts of this rule, and its record"),
    "around.session": ("场次", "Session"),
    "around.missing": ("找不到此预警。", "There is no such alert."),
    "around.list": ("全部预警", "All alerts"),
    "around.lost": (
        "未能读取场次记录：控制器没有应答。",
        "The session's record could not be read: the controller does not answer.",
    ),
    "around.alerts": ("预警", "Alerts"),
    "around.recording": ("录像缺口", "Recording gaps"),
    "around.deliveries": ("送餐", "Deliveries"),
    "around.record": ("记录", "Record"),
    "around.gap": ("未录像", "Not recorded"),
    "around.ordered": ("下单", "ordered"),
    "around.ended": ("结束", "ended"),
    "around.this": ("本预警", "this alert"),
}
