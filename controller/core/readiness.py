"""Decides whether a session may be sealed: every demand, how it stands, and what to do about it.

Nothing is taken for granted: what nobody can tell is unknown, and unknown is not enough.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from contracts.admission import AreaKind, Role
from contracts.api import Sentence
from contracts.api.roster import Presence
from contracts.api.sessions import CheckState, SealCheck, SealCheckItem, SealDemand
from contracts.devices import Named
from contracts.evidence.entries import ClockSource
from contracts.observations import Condition, NodeState, RecordingState
from contracts.units import RoomId
from controller.core import alerts, evidence_views, sweeps
from controller.core.alerts import AlertRecord
from controller.core.plan import Track
from controller.core.sessions import Session
from controller.core.state import Now, SiteState
from controller.core.views import STALE_MS

CONFIDENCE_MIN: Final = 0.5  # a count that is as likely wrong as right proves nothing
CLOCK_OFF_MAX_MS: Final = 1_000.0  # recordings of several rooms are looked at side by side
NAMED_MAX: Final = 6  # of cameras or rooms in one sentence; the page shows them all anyway

Found = tuple[CheckState, Sentence, Sentence | None]
OK: Final = CheckState.OK
FAILED: Final = CheckState.FAILED
UNKNOWN: Final = CheckState.UNKNOWN

DEMAND_NAMES: Final[Mapping[SealDemand, Named]] = {
    SealDemand.NODE_ALIVE: Named(zh="边缘节点在线", en="Edge nodes alive"),
    SealDemand.CAMERAS_RECORDING: Named(zh="摄像机录像", en="Cameras recording"),
    SealDemand.PICKUPS_RECORDING: Named(zh="拾音器录音", en="Pickups recording"),
    SealDemand.PASSAGES_RECORDING: Named(zh="通道录像", en="Passages recording"),
    SealDemand.NO_RECORDING_ALERT: Named(zh="无录像预警", en="No recording alert"),
    SealDemand.KEY_CONFIRMED: Named(zh="签名密钥已确认", en="Signing key confirmed"),
    SealDemand.CLOCK_IN_SYNC: Named(zh="时钟同步", en="Clock in sync"),
    SealDemand.HEAD_COUNT: Named(zh="人数相符", en="Head count"),
    SealDemand.SWEEP_DONE: Named(zh="清场检查", en="Room swept"),
    SealDemand.ROSTER_COMPLETE: Named(zh="名单完整", en="Roster complete"),
    SealDemand.ALL_CHECKED_IN: Named(zh="全部签到", en="All checked in"),
    SealDemand.POLICY_ADMITS: Named(zh="准入规则", en="Admission policy"),
}


def seal_check(site: SiteState, session: Session, now: Now) -> SealCheck:
    """Every demand of a seal, as the site stands now."""
    items = tuple(_item(demand, judge(site, session, now)) for demand, judge in _DEMANDS.items())
    return SealCheck(
        session_id=session.id,
        utc_ms=now.utc_ms,
        ready=all(row.state is OK for row in items),
        items=items,
    )


def sweep_item(site: SiteState, session: Session, now: Now) -> SealCheckItem:
    """The one demand that holds before people gather already."""
    return _item(SealDemand.SWEEP_DONE, _sweep_done(site, session, now))


def _item(demand: SealDemand, found: Found) -> SealCheckItem:
    state, text, advice = found
    return SealCheckItem(demand=demand, state=state, text=text, advice=advice)


def presence(site: SiteState, session: Session, now: Now) -> Presence:
    """How many people video shows in the session's rooms; None while a room cannot be seen."""
    rows = [_count(site, room, now) for room in session.rooms]
    known = [row for row in rows if row is not None]
    sure = [row[1] for row in known if row[1] is not None]
    return Presence(
        seen=sum(row[0] for row in known) if len(known) == len(rows) else None,
        admitted=session.admitted,
        confidence=min(sure, default=None),
    )


def _count(site: SiteState, room: RoomId, now: Now) -> tuple[int, float | None] | None:
    live = site.rooms.get(room)
    if live is None or now.mono_ms - live.received_mono_ms > STALE_MS:
        return None
    count = live.observation.head_count
    return None if count is None else (count, live.observation.confidence)


# --- nodes and recordings -----------------------------------------------------------------------


def _node_alive(site: SiteState, session: Session, now: Now) -> Found:
    bad = [room for room in session.rooms if not _alive(site, room)]
    if not bad:
        return OK, _said("各房间的边缘节点在线。", "The edge node of every room is alive."), None
    names = _rooms(site, bad)
    return (
        FAILED,
        _said(f"{names.zh} 的边缘节点离线。", f"No edge node is alive for {names.en}."),
        _said("检查节点电源与网络，或联系运维。", "Check its power and network, or call ops."),
    )


def _alive(site: SiteState, room: RoomId) -> bool:
    node = site.nodes.get(site.plan.watcher.get(room, ""))
    return node is not None and not node.lost and node.health.state is NodeState.RUNNING


def _tracks_recording(
    site: SiteState, rooms: Iterable[RoomId], kind: str | None, what: Named
) -> Found:
    tracks = [
        track
        for room in rooms
        for track in site.plan.tracks.get(room, ())
        if kind is None or track.kind.value == kind
    ]
    if not tracks:
        text = _said(f"未配置{what.zh}。", f"There are no {what.en} here.")
        return (OK, text, None) if kind != "camera" else (FAILED, text, _DECLARE)
    states = {track.id: _state(site, track) for track in tracks}
    silent = [track for track in tracks if states[track.id] is None]
    bad = [track for track in tracks if states[track.id] not in (None, RecordingState.RECORDING)]
    if bad:
        names = _names([track.name for track in bad])
        return FAILED, _said(f"未在录制：{names.zh}。", f"Not recording: {names.en}."), _MEND
    if silent:
        names = _names([track.name for track in silent])
        text = _said(f"录制状态未知：{names.zh}。", f"Nobody says whether they record: {names.en}.")
        return UNKNOWN, text, _MEND
    count = len(tracks)
    return (
        OK,
        _said(f"{count} 路{what.zh}均在录制。", f"{count} of {count} {what.en} record."),
        None,
    )


_DECLARE: Final = Sentence(
    zh="在站点配置中声明该房间的摄像机。", en="Declare the room's cameras in the site's folder."
)
_MEND: Final = Sentence(
    zh="检查设备与录像服务，恢复后再封闭。",
    en="Look at the device and its node's recorder; seal when it records again.",
)


def _state(site: SiteState, track: Track) -> RecordingState | None:
    rows = evidence_views.track_views(site, track.room_id)
    return next((row.state for row in rows if row.id == track.id), None)


def _cameras(site: SiteState, session: Session, now: Now) -> Found:
    return _tracks_recording(site, session.rooms, "camera", Named(zh="摄像机", en="cameras"))


def _pickups(site: SiteState, session: Session, now: Now) -> Found:
    return _tracks_recording(site, session.rooms, "pickup", Named(zh="拾音器", en="pickups"))


def _passages(site: SiteState, session: Session, now: Now) -> Found:
    rooms = [room for room in site.plan.passages if room not in session.rooms]
    return _tracks_recording(site, rooms, None, Named(zh="通道设备", en="tracks of passages"))


def _no_recording_alert(site: SiteState, session: Session, now: Now) -> Found:
    rooms = {*session.rooms, *site.plan.passages}
    open_ = [row for row in site.alerts.values() if _tells_of_recording(row, rooms, site)]
    if not open_:
        return OK, _said("没有未解除的录像预警。", "No alert on recording is open."), None
    numbers = "、".join(f"#{row.number}" for row in open_[:NAMED_MAX])
    return (
        FAILED,
        _said(f"录像预警未解除：{numbers}。", f"Open alerts on recording: {numbers}."),
        _said("先处理这些预警。", "Handle these alerts first."),
    )


def _tells_of_recording(row: AlertRecord, rooms: set[RoomId], site: SiteState) -> bool:
    alert = row.alert
    tells = alert.rule in alerts.OF_TRACK | alerts.OF_RECORDER | {alerts.CHAIN_BROKEN}
    if not tells or alert.condition is not Condition.ACTIVE or row.shadow:
        return False
    watched = {site.plan.watcher.get(room) for room in rooms}
    of_node = alert.rule in alerts.OF_RECORDER and alert.node_id in watched
    return of_node or alert.room_id in rooms


def _key_confirmed(site: SiteState, session: Session, now: Now) -> Found:
    nodes = dict.fromkeys(site.plan.watcher.get(room, "") for room in session.rooms)
    said = {node: evidence_views.key_confirmed(site, node) for node in nodes}
    advice = _said(
        "核对节点密钥指纹后确认。", "Compare the fingerprint of the node's key and confirm it."
    )
    if unsure := [node for node, is_sure in said.items() if is_sure is False]:
        names = ", ".join(unsure)
        text = _said(f"节点 {names} 的密钥未经确认。", f"Nobody has confirmed the key of {names}.")
        return FAILED, text, advice
    if unseen := [node or "?" for node, is_sure in said.items() if is_sure is None]:
        names = ", ".join(unseen)
        text = _said(f"尚未收到节点 {names} 的密钥。", f"No key of {names} has been seen yet.")
        return UNKNOWN, text, advice
    return OK, _said("节点签名密钥均已确认。", "The signing key of every node is confirmed."), None


def _clock(site: SiteState, session: Session, now: Now) -> Found:
    said = {room: evidence_views.clock_of(site, room) for room in session.rooms}
    advice = _said("检查节点的时间同步服务。", "Look at the time service of the node.")
    off = [
        room
        for room, clock in said.items()
        if clock is not None
        and (
            clock.source is not ClockSource.SYNCHRONISED
            or abs(clock.offset_ms or 0.0) > CLOCK_OFF_MAX_MS
        )
    ]
    if off:
        names = _rooms(site, off)
        text = _said(f"{names.zh} 的时钟未同步。", f"The clock of {names.en} is not in sync.")
        return FAILED, text, advice
    if unknown := [room for room, clock in said.items() if clock is None]:
        names = _rooms(site, unknown)
        text = _said(f"{names.zh} 的时钟状态未知。", f"Nobody knows the clock of {names.en}.")
        return UNKNOWN, text, advice
    return OK, _said("时钟已同步。", "All clocks are in sync."), None


# --- people -------------------------------------------------------------------------------------


def _head_count(site: SiteState, session: Session, now: Now) -> Found:
    rows = {room: _count(site, room, now) for room in session.rooms}
    if unseen := [room for room, row in rows.items() if row is None]:
        names = _rooms(site, unseen)
        text = _said(f"无法清点 {names.zh} 的人数。", f"Nobody can count people in {names.en}.")
        return UNKNOWN, text, _said("检查摄像机画面。", "Look at its cameras' pictures.")
    seen = presence(site, session, now)
    advice = _said(
        "请无关人员离开，或等待参加人到齐，或按程序变更名单。",
        "Ask who is too many to leave, wait for who is missing, or amend the roster.",
    )
    text = _said(
        f"视频显示 {seen.seen} 人，准入 {session.admitted} 人。",
        f"Video shows {seen.seen} of {session.admitted} admitted people.",
    )
    if seen.seen != session.admitted:
        return FAILED, text, advice
    if crowded := [room for room, row in rows.items() if _over(session, room, row)]:
        names = _rooms(site, crowded)
        return FAILED, _said(f"{names.zh} 超员。", f"Too many people in {names.en}."), advice
    if seen.confidence is not None and seen.confidence < CONFIDENCE_MIN:
        return UNKNOWN, text, _said("人数不可靠，请看画面核实。", "The count is unsure: look.")
    return OK, text, None


def _over(session: Session, room: RoomId, row: tuple[int, float | None] | None) -> bool:
    return row is not None and row[0] > session.admitted_in(room)


def _sweep_done(site: SiteState, session: Session, now: Now) -> Found:
    due = [room for room in session.rooms if sweeps.needed(site.care.get(room))]
    if not due:
        return OK, _said("已清场。", "Swept since the last session, or none was there."), None
    names = _rooms(site, due)
    return (
        FAILED,
        _said(f"{names.zh} 自上一场次后未清场。", f"{names.en}: not swept since the last session."),
        _said(
            "检查房间无人、无手机、无遗留文件并登记清场。",
            "Make sure of nobody, no phones, no papers, and record the sweep.",
        ),
    )


def _roster_complete(site: SiteState, session: Session, now: Now) -> Found:
    people, pending = session.roster.active, session.roster.pending
    if pending:
        return (
            FAILED,
            _said(
                f"有 {len(pending)} 项名单变更待批准。",
                f"{len(pending)} changes of the roster wait for approval.",
            ),
            _said("由另一人批准或退回。", "Another person approves or refuses them."),
        )
    if not people:
        required = site.plan.session_policy.roster_required or session.roster.participants
        text = _said("本场次未登记名单。", "The session keeps no roster.")
        advice = _said("登记席位与角色。", "Fill in seats and roles.")
        return (FAILED, text, advice) if required else (OK, text, None)
    bare = [row.seat for row in people if row.role is Role.EXPERT and not row.expert_code]
    coded = any(row.expert_code for row in people)
    if bare and coded:
        seats = ", ".join(bare[:NAMED_MAX])
        return (
            FAILED,
            _said(f"席位 {seats} 缺专家编号。", f"Seats without an expert's code: {seats}."),
            _said("补全名单。", "Complete the roster."),
        )
    count = len(people)
    return OK, _said(f"名单 {count} 人完整。", f"The roster is complete: {count} people."), None


def _all_checked_in(site: SiteState, session: Session, now: Now) -> Found:
    people, missing = session.roster.active, session.roster.missing
    if not people:
        return OK, _said("无名单，不核签到。", "No roster, so nobody is checked in."), None
    if not missing:
        return OK, _said("名单人员均已签到。", "Everybody on the roster has checked in."), None
    seats = ", ".join(row.seat for row in missing[:NAMED_MAX])
    return (
        FAILED,
        _said(
            f"{len(missing)} 人未签到：席位 {seats}。",
            f"{len(missing)} not checked in: seats {seats}.",
        ),
        _said(
            "等待签到、人工签到或变更名单。", "Wait, check them in by hand, or amend the roster."
        ),
    )


def _policy_admits(site: SiteState, session: Session, now: Now) -> Found:
    rows = site.plan.site.config.admission.rows
    most = {
        row.role: row.most
        for row in rows
        if row.procurement is session.procurement and row.area is AreaKind.EVALUATION
    }
    people = session.roster.active
    if not people:
        total = sum(most.values())
        if session.admitted <= total:
            return OK, _said("准入人数符合规则。", "The policy admits that many people."), None
        text = _said(f"规则最多准入 {total} 人。", f"The policy admits {total} people at the most.")
        return FAILED, text, _ADMISSION
    count: dict[Role, int] = {}
    for row in people:
        count[row.role] = count.get(row.role, 0) + 1
    over = [role for role, number in count.items() if number > most.get(role, 0)]
    if not over:
        return OK, _said("名单符合准入规则。", "The policy admits everybody on the roster."), None
    zh = "、".join(f"{ROLE_NAMES[role].zh} {count[role]}/{most.get(role, 0)}" for role in over)
    en = ", ".join(f"{ROLE_NAMES[role].en} {count[role]}/{most.get(role, 0)}" for role in over)
    text = _said(f"超出准入规则：{zh}。", f"More than the policy admits: {en}.")
    return FAILED, text, _ADMISSION


_ADMISSION: Final = Sentence(
    zh="核对采购类别与名单中的角色。",
    en="Check the kind of procurement and the roles on the roster.",
)
ROLE_NAMES: Final[Mapping[Role, Named]] = {
    Role.EXPERT: Named(zh="专家", en="experts"),
    Role.AGENCY: Named(zh="代理机构", en="agency staff"),
    Role.OWNER: Named(zh="招标人", en="owners"),
    Role.SUPERVISOR: Named(zh="监督人员", en="supervisors"),
    Role.MAINTENANCE: Named(zh="维护人员", en="maintenance"),
}

_DEMANDS: Final[Mapping[SealDemand, Callable[[SiteState, Session, Now], Found]]] = {
    SealDemand.NODE_ALIVE: _node_alive,
    SealDemand.CAMERAS_RECORDING: _cameras,
    SealDemand.PICKUPS_RECORDING: _pickups,
    SealDemand.PASSAGES_RECORDING: _passages,
    SealDemand.NO_RECORDING_ALERT: _no_recording_alert,
    SealDemand.KEY_CONFIRMED: _key_confirmed,
    SealDemand.CLOCK_IN_SYNC: _clock,
    SealDemand.HEAD_COUNT: _head_count,
    SealDemand.SWEEP_DONE: _sweep_done,
    SealDemand.ROSTER_COMPLETE: _roster_complete,
    SealDemand.ALL_CHECKED_IN: _all_checked_in,
    SealDemand.POLICY_ADMITS: _policy_admits,
}


def _said(zh: str, en: str) -> Sentence:
    return Sentence(zh=zh[:400], en=en[:400])


def _rooms(site: SiteState, rooms: Iterable[RoomId]) -> Named:
    names = {area.id: area.name for area in site.plan.site.config.areas}
    return _names([names.get(room, Named(zh=room, en=room)) for room in rooms])


def _names(rows: list[Named]) -> Named:
    more = len(rows) - NAMED_MAX
    others = f" 等 {len(rows)} 处" if more > 0 else ""
    zh = "、".join(row.zh for row in rows[:NAMED_MAX]) + others
    en = ", ".join(row.en for row in rows[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
    return Named.model_construct(zh=zh, en=en)
