"""Holds the words of the witness report beside those of the printed draft: Chinese, English."""

from collections.abc import Mapping
from typing import Final

from contracts.api.record import RecordKind

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("见证报告", "Witness report"),
    "stamp": ("草稿 未签名", "DRAFT, NOT SIGNED"),
    "page_of": ("第 {0} 页 / 共 {1} 页", "Page {0} of {1}"),
    "version": ("版本", "Version"),
    "draft": ("草稿", "draft"),
    "session_id": ("场次编号", "Session number"),
    "procurement": ("采购类别", "Procurement"),
    "sector": ("监管领域", "Sector"),
    "zone": ("时区", "Time zone"),
    "scheduled": ("排期开始", "Scheduled"),
    "gathering": ("集合开始", "Gathering since"),
    "keep": ("录像保存", "Recordings kept"),
    "days": ("{0} 天", "{0} days"),
    "by": ("{0}（{1}）", "{0} ({1})"),
    "incidents": ("已确认违规", "Confirmed violations"),
    "alerts": ("预警", "Alerts"),
    "deliveries": ("机器人配送", "Deliveries"),
    "unproven": ("区域无法证明", "Zones unproven"),
    "gaps": ("录像缺失", "Recording gaps"),
    "overrides": ("强制放行", "Overrides"),
    "json_hash": ("数据文件 report.json 的 SHA-256", "SHA-256 of the data file report.json"),
    "key": ("签名密钥（Ed25519）", "Signed by (Ed25519 key)"),
    "previous": (
        "前一版本数据文件的 SHA-256",
        "SHA-256 of the data file of the version before this one",
    ),
    "proof_note": (
        (
            "数据文件已嵌入本 PDF 的附件；本 PDF 与数据文件的哈希值由 statement.json 签名。"
            "离线验证：zeroentry report verify 文件，或用 openssl 与 sha256sum（见见证报告指南）。"
        ),
        (
            "The data file is attached to this PDF. statement.json names the hashes of both and is "
            "signed. To verify offline: zeroentry report verify FILE, or openssl and sha256sum "
            "(guide: witness report)."
        ),
    ),
    "why_version": ("出具新版本的原因：{0}", "Why this further version was made: {0}"),
    "s_summary": ("结论", "Summary"),
    "s_roster": ("名单与签到", "Roster and arrivals"),
    "s_seal": ("封闭与解封", "Seal and release"),
    "s_curve": ("在场人数曲线", "Head count"),
    "s_alerts": ("预警与违规", "Alerts and incidents"),
    "s_delivery": ("机器人配送、交接与零进入证明", "Deliveries, custody and zero-entry proof"),
    "s_tracks": ("录音录像与证据链", "Recordings and their chains"),
    "s_gaps": ("录像缺失", "Gaps in the recordings"),
    "s_changes": ("变更与审批", "Changes and approvals"),
    "s_outside": ("场外联系、进入与监听", "Contact from outside, entries and listening"),
    "s_record": ("场次记录", "Record of the session"),
    "s_verify": ("如何验证本报告", "How to verify this report"),
    "seat": ("席位", "Seat"),
    "role": ("角色", "Role"),
    "code": ("编号", "Code"),
    "organisation": ("单位", "Organisation"),
    "arrival": ("签到", "Checked in"),
    "standing": ("情况", "Standing"),
    "no_roster": (
        "本场次未登记名单，仅有准入人数。",
        "No roster was given: only how many may enter.",
    ),
    "no_names": (
        "本报告不含姓名：现场只使用席位、角色与编号。",
        "No names: the floor knows seats, roles and codes.",
    ),
    "minutes_late": ("迟到 {0} 分钟", "{0} min late"),
    "no_curve": ("没有人数记录。", "No head count is on file."),
    "curve_note": (
        "横轴为时间，纵轴为摄像机所见人数；断开处为人数未知；虚线为准入人数。",
        (
            "Across: time. Up: people seen by the cameras. Broken line: nobody could tell. "
            "Dashed: people admitted."
        ),
    ),
    "curve_thin": ("曲线省略了 {0} 个变化点。", "{0} changes were left out of the curve."),
    "over_count": ("最多在场 {0} 人；准入 {1} 人。", "At most {0} people; admitted: {1}."),
    "unknown_for": ("人数未知合计 {0}。", "Unknown for {0} in all."),
    "still": ("画面 SHA-256", "still, SHA-256"),
    "no_still": ("画面未取回", "picture not fetched"),
    "statement": ("当事人陈述", "Statement of the participant"),
    "note": ("处置说明", "Note"),
    "nothing": ("无。", "None."),
    "time": ("时间", "Time"),
    "kind": ("类别", "Kind"),
    "who": ("人员", "Who"),
    "what": ("内容", "What"),
    "coverage": ("影像来源", "Seen by"),
    "no_camera": ("无摄像机", "no camera"),
    "why": ("说明", "Why"),
    "why_person": ("见同时段的预警", "see the alert of that time"),
    "why_unseen": ("期间至少一刻无影像", "for at least a moment no camera saw it"),
    "why_no_camera": ("该区域没有摄像机", "no camera watches it"),
    "why_clear": ("全程有影像", "seen all the way"),
    "where": ("于", "at"),
    "seal_check_none": (
        "没有封闭检查记录。",
        "No seal check is on file.",
    ),
    "draft_note": (
        "这是草稿：未签名，内容仍可能变化。解封后自动生成并签名正式版本。",
        (
            "This is a draft: not signed, and it may still change. After the release a version "
            "is made and signed by itself."
        ),
    ),
    "verify_text": (
        (
            "一、从颁发单位取得中心公钥 controller.pem（不要只用随报告附带的）。"
            "二、执行 zeroentry report verify report.zip --controller-key controller.pem："
            "退出码 0 为完整，1 为被改动，2 为无法判断。"
            "三、不用本软件：openssl pkeyutl -verify -pubin -inkey controller.pem -rawin "
            "-in report.zh.pdf -sigfile report.zh.pdf.sig，"
            "并用 sha256sum 比对 statement.json 中的哈希值。"
        ),
        (
            "1. Get the centre's public key controller.pem from whoever issued this report, not "
            "from the report alone. 2. Run: zeroentry report verify report.zip --controller-key "
            "controller.pem. Exit code 0: whole; 1: altered; 2: cannot tell. 3. Without our "
            "software: openssl pkeyutl -verify -pubin -inkey controller.pem -rawin -in "
            "report.en.pdf -sigfile report.en.pdf.sig, and compare sha256sum with the hashes in "
            "statement.json."
        ),
    ),
    "sign_supervisor": ("监督人（签名）", "Supervisor (signature)"),
    "sign_reader": ("接收人（签名）", "Received by (signature)"),
    "sign_date": ("日期", "Date"),
    "compartment": ("箱格 {0}", "compartment {0}"),
    "left_out": ("未列入", "Left out"),
}

KINDS: Final[Mapping[RecordKind, tuple[str, str]]] = {
    RecordKind.STATE: ("状态", "state"),
    RecordKind.SEAL_CHECK: ("封闭检查", "seal check"),
    RecordKind.OVERRIDE: ("强制放行", "override"),
    RecordKind.AMENDMENT: ("变更", "amendment"),
    RecordKind.CHECK_IN: ("签到", "check-in"),
    RecordKind.SWEEP: ("清场", "sweep"),
    RecordKind.HANDLING: ("处置", "handling"),
    RecordKind.CALL: ("呼叫", "call"),
    RecordKind.TEXT: ("文字", "text"),
    RecordKind.TALK: ("对讲", "talk"),
    RecordKind.LISTENING: ("监听", "listening"),
    RecordKind.ENTRY: ("紧急进入", "emergency entry"),
    RecordKind.BREAK_GLASS: ("应急授权", "break-glass"),
    RecordKind.RETRIEVAL: ("调阅", "retrieval"),
    RecordKind.REPORT: ("报告", "report"),
    RecordKind.DELIVERY: ("配送", "delivery"),
    RecordKind.SITE: ("异地", "other site"),
    RecordKind.NOTE: ("备注", "note"),
}

ROLES: Final[Mapping[str, tuple[str, str]]] = {
    "expert": ("专家", "expert"),
    "agency": ("代理机构", "agency"),
    "owner": ("招标人", "owner"),
    "supervisor": ("监督", "supervisor"),
    "maintenance": ("运维", "maintenance"),
}

STANDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "expected": ("待到", "expected"),
    "present": ("到场", "present"),
    "late": ("迟到", "late"),
    "overdue": ("逾时未到", "overdue"),
    "absent": ("缺勤", "absent"),
    "replaced": ("已更换", "replaced"),
    "recused": ("已回避", "recused"),
}

PROCUREMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "engineering": ("工程建设", "engineering"),
    "government": ("政府采购", "government procurement"),
    "land": ("土地使用权", "land"),
    "property_rights": ("产权交易", "property rights"),
}

SECTORS: Final[Mapping[str, tuple[str, str]]] = {
    "construction": ("住建", "construction"),
    "transport": ("交通", "transport"),
    "water": ("水利", "water"),
    "finance": ("财政", "finance"),
    "other": ("其他", "other"),
}
