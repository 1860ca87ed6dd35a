"""Holds the sentences that joint sessions put into records and refusals, in both languages."""

from collections.abc import Mapping
from typing import Final

from contracts.api import Sentence
from contracts.api.record import RecordKind
from contracts.api.sites import JointState, PartState
from contracts.units import Bilingual, UtcMs
from controller.core.outputs import FileRecord, Refusal, Refused
from controller.core.sites import JointSession
from controller.core.state import Now, SiteState

WORDS: Final[Mapping[str, Bilingual]] = {
    "invited": Bilingual(
        "已邀请副场 {site} 参加：{seats} 席，{rooms} 室。",
        "Guest site {site} was invited: {seats} seats in {rooms} rooms.",
    ),
    "accepted_here": Bilingual(
        "已接受主场 {site} 的联合场次“{title}”。", "Takes part in “{title}” of host site {site}."
    ),
    "declined_here": Bilingual(
        "已谢绝主场 {site} 的联合场次“{title}”。", "Declined “{title}” of host site {site}."
    ),
    "guest_accepted": Bilingual(
        "副场 {site} 已接受，{count} 个场次参加。",
        "Guest site {site} takes part with {count} sessions.",
    ),
    "guest_declined": Bilingual(
        "副场 {site} 谢绝参加：{reason}", "Guest site {site} declined: {reason}"
    ),
    "urged": Bilingual("督办副场 {site}：{reason}", "Guest site {site} was urged: {reason}"),
    "urged_here": Bilingual("主场 {site} 督办：{reason}", "Host site {site} urges: {reason}"),
    "cancelled_by_host": Bilingual(
        "主场取消了联合场次：{reason}。本中心场次由本中心自行处理。",
        "The host called it off: {reason}. Each site decides about its own sessions.",
    ),
    "asked_seal": Bilingual(
        "主场要求各中心封闭。", "The host asks every site to seal; each one's own check decides."
    ),
    "asked_suspend": Bilingual(
        "主场要求中止（{site}）：{reason}", "The host suspends ({site}): {reason}"
    ),
    "asked_resume": Bilingual(
        "主场要求恢复（{site}）：{reason}", "The host asks to resume ({site}): {reason}"
    ),
    "asked_release": Bilingual("主场要求解封：{reason}", "The host asks to release: {reason}"),
    "ask_refused": Bilingual(
        "副场 {site} 未执行“{verb}”：{reason}", "Guest site {site} did not {verb}: {reason}"
    ),
    "ask_refused_here": Bilingual(
        "主场要求的“{verb}”未执行：{reason}", "What the host asked ({verb}) was not done: {reason}"
    ),
    "silent": Bilingual(
        "副场 {site} 在 {seconds} 秒内未答复“{verb}”。",
        "Guest site {site} has not answered “{verb}” within {seconds} s.",
    ),
    "part": Bilingual("副场 {site}：{zh}。", "Guest site {site}: {en}."),
    "joint": Bilingual("联合场次：{zh}。", "The joint session: {en}."),
    "link_lost": Bilingual(
        "与 {site} 的链路中断，最后收到于 {since}。各中心独立继续。",
        "The link to {site} is lost; last heard {since}. Each site goes on alone.",
    ),
    "link_back": Bilingual(
        "与 {site} 的链路恢复，中断 {minutes} 分钟。",
        "The link to {site} is back after {minutes} min.",
    ),
    "fault_limit": Bilingual(
        "与 {site} 的链路中断超过 {minutes} 分钟，按规定中止。",
        "The link to {site} was lost for more than {minutes} min: suspended by the rule.",
    ),
    "due": Bilingual(
        "副场 {site} 须在 {until} 前移交证据（{days} 个工作日）。",
        "Guest site {site} has to hand its evidence over by {until} ({days} working days).",
    ),
    "overdue": Bilingual(
        "副场 {site} 的证据移交已逾期，已自动督办。",
        "The evidence of guest site {site} is overdue; it was urged.",
    ),
    "overdue_reason": Bilingual("证据移交已逾期。", "The hand-over of evidence is overdue."),
    "offered": Bilingual(
        "向 {site} 移交证据清单：{items} 项，SHA-256 {sha256}。",
        "Hands over to {site}: a list of {items} items, SHA-256 {sha256}.",
    ),
    "offered_there": Bilingual(
        "副场 {site} 移交证据清单：{items} 项，SHA-256 {sha256}。",
        "Guest site {site} hands over a list of {items} items, SHA-256 {sha256}.",
    ),
    "receipt": Bilingual(
        "签收 {site} 的证据：已收 {received} 项，缺 {missing} 项；回执 SHA-256 {sha256}。",
        "Receipt for {site}: {received} received, {missing} missing; SHA-256 {sha256}.",
    ),
    "receipt_there": Bilingual(
        "主场 {site} 已签收：已收 {received} 项，缺 {missing} 项；回执 SHA-256 {sha256}。",
        "Receipt of host site {site}: {received} received, {missing} missing; SHA-256 {sha256}.",
    ),
}

REFUSALS: Final[Mapping[str, Bilingual]] = {
    "unknown_peer": Bilingual(
        "设置中没有中心 {site}；请管理员在 sites.peers 中添加。",
        "No peer {site} is set; an administrator adds it under sites.peers.",
    ),
    "peer_twice": Bilingual(
        "副场重复，或包含本中心。", "A guest is named twice, or is this site itself."
    ),
    "name_sessions": Bilingual(
        "请指定本中心参加的场次，各一次。", "Name our sessions that take part, each once."
    ),
    "no_session": Bilingual("没有场次 {session}。", "There is no session {session}."),
    "session_begun": Bilingual(
        "场次 {session} 已封闭或结束，不能再加入联合场次。",
        "Session {session} is sealed or over; only a scheduled or gathering one can take part.",
    ),
    "session_taken": Bilingual(
        "场次 {session} 已属于联合场次 {joint}。", "Session {session} is part of {joint} already."
    ),
    "host_alone": Bilingual(
        "只有主场 {site} 可以这样做；本中心场次请在“场次”中处理。",
        "Only the host, {site}, does that; take your own session on under Sessions.",
    ),
    "guest_alone": Bilingual("只有被邀请的副场可以这样做。", "Only an invited guest does that."),
    "answered_already": Bilingual(
        "已答复过，或联合场次已取消。", "It was answered already, or has been called off."
    ),
    "cancelled": Bilingual("联合场次已取消。", "The joint session was called off."),
    "over": Bilingual("联合场次已结束。", "The joint session is over."),
    "reason_needed": Bilingual("请填写理由（reason）。", "Give a reason (`reason`)."),
    "name_guest": Bilingual(
        "请指定一个参加的中心（site）。", "Name a site that takes part (`site`)."
    ),
    "release_first": Bilingual(
        "有中心已封闭，请先解封。", "A site is sealed; release before calling it off."
    ),
    "not_all_answered": Bilingual(
        "以下副场尚未答复邀请：{sites}。", "Not all guests have answered: {sites}."
    ),
    "no_guest": Bilingual(
        "没有副场参加；请按普通场次封闭。", "No guest takes part; seal it as a session of your own."
    ),
    "not_released": Bilingual(
        "解封后才能移交证据。", "Evidence is handed over when the sessions are released."
    ),
    "list_changed": Bilingual(
        "清单已更新，请重新打开后签收。", "The list has changed; open it again before signing."
    ),
    "still_scheduled": Bilingual(
        "场次尚未集合，不能封闭。", "The session has not gathered yet, so it cannot be sealed."
    ),
    "suspended_here": Bilingual(
        "由本中心自行中止，须由本中心人员恢复。",
        "This site suspended it itself; its own people resume it.",
    ),
    "may_not": Bilingual(
        "{site} 无权就 {joint} 发出“{kind}”，已记录，未执行。",
        "{site} may not say “{kind}” about {joint}; kept, not done.",
    ),
    "too_many": Bilingual(
        "{site} 的未结束联合场次过多，未接受新邀请。",
        "{site} has too many joint sessions open; its invitation was not taken.",
    ),
}

PART_NAMES: Final[Mapping[PartState, Bilingual]] = {
    PartState.INVITED: Bilingual("已邀请", "invited"),
    PartState.DECLINED: Bilingual("已谢绝", "declined"),
    PartState.ACCEPTED: Bilingual("已接受", "takes part"),
    PartState.READY: Bilingual("已就绪", "ready"),
    PartState.SEALED: Bilingual("已封闭", "sealed"),
    PartState.SUSPENDED: Bilingual("已中止", "suspended"),
    PartState.RELEASED: Bilingual("已解封", "released"),
    PartState.CANCELLED: Bilingual("已取消", "cancelled"),
}

JOINT_NAMES: Final[Mapping[JointState, Bilingual]] = {
    JointState.PREPARING: Bilingual("准备中", "being prepared"),
    JointState.READY: Bilingual("各中心均已就绪", "every site is ready"),
    JointState.SEALING: Bilingual("封闭中，尚未全部确认", "being sealed, not all have confirmed"),
    JointState.SEALED: Bilingual("各中心均已确认封闭", "sealed, every site has confirmed"),
    JointState.SUSPENDED: Bilingual("已中止", "suspended"),
    JointState.RELEASING: Bilingual("解封中", "being released"),
    JointState.RELEASED: Bilingual("各中心均已解封", "released everywhere"),
    JointState.CANCELLED: Bilingual("已取消", "called off"),
}


def words(key: str, **values: object) -> Sentence:
    """A sentence of the record; the values are cut so that it fits."""
    return _filled(WORDS[key], values)


def refusal_words(key: str, **values: object) -> Sentence:
    """A sentence of a refusal."""
    return _filled(REFUSALS[key], values)


def refused(why: Refusal, key: str, **values: object) -> Refused:
    """A refusal with its sentence."""
    return Refused(why, refusal_words(key, **values))


def no_joint(joint_id: str) -> Refused:
    """404 of a joint session."""
    text = Sentence(
        zh=f"没有联合场次 {joint_id[:80]}。", en=f"There is no joint session {joint_id[:80]}."
    )
    return Refused(Refusal.NOT_FOUND, text)


def _filled(text: Bilingual, values: Mapping[str, object]) -> Sentence:
    cut = {key: str(value)[:240] for key, value in values.items()}
    return Sentence(zh=text.zh.format(**cut)[:400], en=text.en.format(**cut)[:400])


def note(  # a line is who, when, what, about what
    site: SiteState,
    joint: JointSession,
    by: str,
    text: Sentence,
    now: Now,
    subject: str = "",
) -> tuple[FileRecord, ...]:
    """A line in the record of each of our sessions of a joint one."""
    part = joint.parts.get(site.plan.site.config.id)
    rows = (site.sessions.get(key) for key in (part.bound if part is not None else ()))
    return tuple(
        FileRecord(
            room_id=row.room_id,
            utc_ms=UtcMs(now.utc_ms),
            record_kind=RecordKind.SITE,
            by=by[:80],
            text=text,
            session_id=row.id,
            subject=subject or joint.id,
            data={"joint": joint.id},
        )
        for row in rows
        if row is not None
    )
